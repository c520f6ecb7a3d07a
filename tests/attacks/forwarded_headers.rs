//! Forged headers about the address that the caller used: they must not get into queue URLs.

use super::frame::{FORM, Report, Target};
use std::io;

const QUEUE: &str = "attack-forwarded";

/// What is no scheme, or no host with an optional port, or not of the proxy; each has the word `evil`.
const HEADERS: &[&str] = &[
    "X-Forwarded-Proto: evil",
    "X-Forwarded-Proto: https://evil.example/?",
    "X-Forwarded-Proto: javascript:evil()//",
    "X-Forwarded-Host: user@evil.example",
    "X-Forwarded-Host: evil.example/path",
    "X-Forwarded-Host: evil.example?query",
    "X-Forwarded-Host: evil.example:99999",
    "X-Forwarded-Host: evil example",
    "X-Forwarded-Host: \"><evil>",
    "Forwarded: proto=evil",
    "Forwarded: host=\"evil.example/path\"",
    "Forwarded: for=1.2.3.4;host=user@evil.example;proto=https",
    // A caller's value before the one of the proxy.
    "X-Forwarded-Host: evil.example, proxy.example",
    "X-Forwarded-Host: evil.example\r\nX-Forwarded-Host: proxy.example",
    "Forwarded: host=evil.example, host=proxy.example",
    "Host: user@evil.example",
    "Host: evil.example/path",
    "Host: \"><evil>",
];

pub fn run(target: &Target, report: &mut Report) -> io::Result<()> {
    let create = format!("Action=CreateQueue&QueueName={QUEUE}");
    let control = target.call(&create)?;
    if control.status != 200 {
        report.untried(format!("CreateQueue is answered with {}", control.status));
        return Ok(());
    }
    for header in HEADERS {
        let answer = target.send("POST /", &[FORM, header], &create)?;
        report.attempt(header, !answer.text.contains("evil"));
    }
    target.send(&format!("POST /000000000000/{QUEUE}"), &[FORM], "Action=DeleteQueue").map(drop)
}
