//! A page of another site that sends requests to the server, in every way that a browser allows.

use super::frame::{FORM, Report, Target};
use std::io;

const QUEUE: &str = "attack-from-a-page";

/// What a page can have the browser send without asking the server first, and a preflight.
const REQUESTS: &[(&str, &[&str], &str)] = &[
    ("POST /", &[FORM], "Action=CreateQueue&QueueName=attack-from-a-page"),
    ("POST /", &["Content-Type: text/plain"], "Action=CreateQueue&QueueName=attack-from-a-page"),
    ("GET /?Action=CreateQueue&QueueName=attack-from-a-page", &[], ""),
    ("GET /?Action=ListQueues", &[], ""),
    ("GET /metrics", &[], ""),
    ("GET /health", &[], ""),
    ("GET /_localstack/health", &[], ""),
    ("OPTIONS /", &["Access-Control-Request-Method: POST"], ""),
];

/// What browsers add to that.
const MARKS: &[&[&str]] = &[
    &["Origin: https://evil.example"],
    &["Origin: null"],
    &["Referer: https://evil.example/page"],
    &["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"],
    &["Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: empty"],
    &["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"],
    &["Origin: https://evil.example", "Upgrade: websocket", "Connection: Upgrade"],
];

pub fn run(target: &Target, report: &mut Report) -> io::Result<()> {
    for (line, headers, body) in REQUESTS {
        let control = target.send(line, headers, body)?;
        if control.status == 403 {
            report.untried(format!("{line} is rejected of everyone"));
            continue;
        }
        delete_queue(target)?;
        for marks in MARKS {
            let marked = [*headers, *marks, &["User-Agent: Mozilla/5.0"]].concat();
            let status = target.send(line, &marked, body)?.status;
            report.attempt(format!("{line} with {marks:?}: {status}"), status == 403);
        }
    }
    let found = target.call(&format!("Action=GetQueueUrl&QueueName={QUEUE}"))?;
    report.attempt(format!("the queue {QUEUE} exists"), found.status != 200);
    delete_queue(target)?;
    let head = [FORM, "Origin: https://evil.example"];
    let answered = target.send_head("POST /", &head).is_ok_and(|answer| answer.status == 403);
    report.attempt("a page makes the server wait for a body", answered);
    // A link to an operation that is not a link in a message, with the name of one beside it.
    let disguised = "GET /?Action=ListQueues&Action=Unsubscribe";
    let status = target.send(disguised, MARKS[5], "")?.status;
    report.attempt(format!("{disguised}: {status}"), status == 403);
    Ok(())
}

/// The same of requests with a valid signature, such as a page can find in a presigned URL.
pub fn run_signed(target: &Target, report: &mut Report) -> io::Result<()> {
    let Some(key) = target.keys.first() else {
        report.untried("no key of the server is given");
        return Ok(());
    };
    let body = "Action=ListQueues";
    let signed = target.signed(key, "sqs", "POST /", &[FORM], body)?;
    let signed: Vec<&str> = signed.iter().map(String::as_str).collect();
    let control = target.send("POST /", &signed, body)?;
    if control.status != 200 {
        report.untried(format!("a signed call is answered with {}", control.status));
        return Ok(());
    }
    for marks in MARKS {
        let status = target.send("POST /", &[&signed, *marks].concat(), body)?.status;
        report.attempt(format!("a signed call with {marks:?}: {status}"), status == 403);
    }
    Ok(())
}

fn delete_queue(target: &Target) -> io::Result<()> {
    let path = format!("POST /000000000000/{QUEUE}");
    target.send(&path, &[FORM], "Action=DeleteQueue").map(drop)
}
