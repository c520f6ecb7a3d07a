//! A key without the role `admin` that tries to act on the whole server, and a key with the role `view`
//! that tries to change something.

use super::frame::{Report, Target};
use super::other_accounts::call;
use std::io;

/// What needs the role `admin`. None of it changes a server that lets it pass.
const OF_ADMINS: &[(&str, &str)] = &[
    ("GET /_localstack/config", ""),
    ("POST /_localstack/config", r#"{"variable": "ATTACK"}"#),
    ("PUT /_localstack/health", "{}"),
    ("POST /_localstack/health", r#"{"action": "attack"}"#),
    ("POST /_localstack/chaos/effects", r#"{"latency": -1}"#),
];

/// What needs the role `operate`.
const OF_OPERATORS: &[&str] = &[
    "Action=CreateQueue&QueueName=attack-viewer",
    "Action=SendMessage&QueueUrl=attack-viewer&MessageBody=m",
    "Action=ReceiveMessage&QueueUrl=attack-viewer",
    "Action=DeleteQueue&QueueUrl=attack-viewer",
];

pub fn run(target: &Target, report: &mut Report) -> io::Result<()> {
    let [operator, viewer, ..] = &target.keys[..] else {
        report.untried("two keys are needed, the second one with the role view");
        return Ok(());
    };
    for key in [operator, viewer] {
        let (status, _) = call(target, key, "sqs", "POST /", "Action=ListQueues")?;
        if status != 200 {
            report.untried(format!("ListQueues is answered with {status}"));
            return Ok(());
        }
    }
    for key in [operator, viewer] {
        for (line, body) in OF_ADMINS {
            let (status, _) = call(target, key, "sqs", line, body)?;
            // Where the path is not there, it cannot be used either.
            report.attempt(format!("{line}: {status}"), matches!(status, 403 | 404));
        }
    }
    for body in OF_OPERATORS {
        let (status, _) = call(target, viewer, "sqs", "POST /", body)?;
        report.attempt(format!("{body} of a viewer: {status}"), status == 403);
    }
    Ok(())
}
