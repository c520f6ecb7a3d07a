//! An endpoint whose URL has a password and a token, and which rejects its message: the log must not
//! contain either.

use super::frame::{Report, Target};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const PASSWORD: &str = "attack-password";
const TOKEN: &str = "attack-token";
const PATIENCE: Duration = Duration::from_secs(10);

pub fn run(target: &Target, report: &mut Report) -> io::Result<()> {
    let Some(log) = &target.log else {
        report.untried("the log of the server cannot be read from here");
        return Ok(());
    };
    let (address, letters) = endpoint()?;
    let topic = target.call("Action=CreateTopic&Name=attack-logs&Version=2010-03-31")?;
    let Some(topic) = topic.between("<TopicArn>", "<") else {
        report.untried(format!("CreateTopic is answered with {}", topic.status));
        return Ok(());
    };
    let call = |parameters: String| {
        target.call(&format!("Version=2010-03-31&TopicArn={topic}&{parameters}"))
    };
    call(format!(
        "Action=Subscribe&Protocol=http&Endpoint=http%3A%2F%2Fuser%3A{PASSWORD}%40{address}%2Fpath%3Ft%3D{TOKEN}"
    ))?;
    let Ok(letter) = letters.recv_timeout(PATIENCE) else {
        report.untried("the server does not reach an endpoint on this machine");
        return Ok(());
    };
    let token = letter.split_once("\"Token\"").and_then(|(_, rest)| rest.split('"').nth(1));
    call(format!("Action=ConfirmSubscription&Token={}", token.unwrap_or_default()))?;
    call("Action=Publish&Message=m".to_owned())?;
    let mut logged = String::new();
    for _ in 0..100 {
        logged = std::fs::read_to_string(log)?;
        if logged.contains("not delivered") {
            break;
        }
        std::thread::sleep(PATIENCE / 100);
    }
    call("Action=DeleteTopic".to_owned())?;
    if !logged.contains("not delivered") {
        report.untried("the log does not say that the message was not delivered");
    }
    for secret in [PASSWORD, TOKEN] {
        let line = logged.lines().find(|line| line.contains(secret)).unwrap_or_default();
        report.attempt(format!("{secret} in the log: {line}"), line.is_empty());
    }
    Ok(())
}

/// An endpoint that takes the confirmation and nothing after it; its address, and what it is sent.
fn endpoint() -> io::Result<(String, Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let (sender, letters) = channel();
    std::thread::spawn(move || -> io::Result<()> {
        for status in ["200 OK", "403 Forbidden"] {
            let mut stream = BufReader::new(listener.accept()?.0);
            let mut length = 0;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line)?;
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body)?;
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.get_mut().write_all(answer.as_bytes())?;
            // The other end is gone when the attack has ended early.
            let _ = sender.send(String::from_utf8_lossy(&body).into_owned());
        }
        Ok(())
    });
    Ok((address, letters))
}
