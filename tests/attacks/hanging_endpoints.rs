//! Endpoints of one account that accept connections and never respond: they must not delay those of
//! another account.

use super::frame::{Answer, FORM, Report, Target};
use std::io::{self, Read};
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::Duration;

/// More than the server has slots for.
const ENDPOINTS: usize = 600;
/// Each of these hangs until the server gives up after 15 s.
const PATIENCE: Duration = Duration::from_secs(7);

pub fn run(target: &Target, report: &mut Report) -> io::Result<()> {
    let hanging = TcpListener::bind("127.0.0.1:0")?;
    let hangs_at = hanging.local_addr()?;
    let (begins, connected) = channel();
    std::thread::spawn(move || {
        // Connections stay open as long as this does.
        let mut open = Vec::new();
        while let Ok((stream, _)) = hanging.accept() {
            open.push(stream);
            if begins.send(()).is_err() {
                return;
            }
        }
    });
    let hostile = topic(target, "111111111111")?;
    let honest = topic(target, "222222222222")?;
    let (Some(hostile), Some(honest)) = (hostile, honest) else {
        report.untried("CreateTopic is not answered with a topic");
        return Ok(());
    };
    for number in 0..ENDPOINTS {
        subscribe(target, "111111111111", &hostile, &format!("http://{hangs_at}/{number}"))?;
    }
    if connected.recv_timeout(PATIENCE).is_err() {
        report.untried("the server does not reach an endpoint on this machine");
    }
    let answering = TcpListener::bind("127.0.0.1:0")?;
    let address = answering.local_addr()?;
    let (arrived, arrival) = channel();
    std::thread::spawn(move || -> io::Result<()> {
        let mut stream = answering.accept()?.0;
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        // The other end is gone when the attack has ended.
        let _ = arrived.send(());
        Ok(())
    });
    subscribe(target, "222222222222", &honest, &format!("http://{address}/"))?;
    let came = arrival.recv_timeout(PATIENCE).is_ok();
    report.attempt("a delivery of another account waits for hanging endpoints", came);
    for (account, topic) in [("111111111111", &hostile), ("222222222222", &honest)] {
        call(target, account, &format!("Action=DeleteTopic&TopicArn={topic}"))?;
    }
    Ok(())
}

fn topic(target: &Target, account: &str) -> io::Result<Option<String>> {
    let answer = call(target, account, "Action=CreateTopic&Name=attack-hanging")?;
    Ok(answer.between("<TopicArn>", "<").map(str::to_owned))
}

fn subscribe(target: &Target, account: &str, topic: &str, endpoint: &str) -> io::Result<()> {
    let endpoint = endpoint.replace(':', "%3A").replace('/', "%2F");
    let parameters = format!("Action=Subscribe&TopicArn={topic}&Protocol=http&Endpoint={endpoint}");
    call(target, account, &parameters).map(drop)
}

/// Calls SNS as an account, on a server that does not verify signatures.
fn call(target: &Target, account: &str, parameters: &str) -> io::Result<Answer> {
    let credential = format!(
        "Authorization: AWS4-HMAC-SHA256 Credential={account}/20260101/us-east-1/sns/aws4_request, \
         SignedHeaders=host, Signature=0"
    );
    let body = format!("Version=2010-03-31&{parameters}");
    target.send("POST /", &[FORM, &credential], &body)
}
