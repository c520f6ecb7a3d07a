//! Changes and rejected signatures must leave a line in the audit log, without secrets, and many
//! rejected signatures must not fill the disk.

use super::frame::{FORM, Report, Target};
use std::io;

const QUEUE: &str = "attack-traces";
/// Requests without a signature; far fewer lines may be written about them.
const FLOOD: usize = 300;

pub fn run(target: &Target, report: &mut Report) -> io::Result<()> {
    let (Some(key), Some(log)) = (target.keys.first(), &target.log) else {
        report.untried("neither a key nor a log is known");
        return Ok(());
    };
    let before = std::fs::read_to_string(log)?.len();
    for (path, form) in [
        ("/", format!("Action=CreateQueue&QueueName={QUEUE}&Tag.1.Key=a&Tag.1.Value=secret-tag")),
        (&*format!("/000000000000/{QUEUE}"), "Action=DeleteQueue".to_owned()),
    ] {
        let line = format!("POST {path}");
        let headers = target.signed(key, "sqs", &line, &[FORM], &form)?;
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        target.send(&line, &headers, &form)?;
    }
    for _ in 0..FLOOD {
        target.send("POST /", &[FORM, "X-Attack: secret-header"], "Action=ListQueues")?;
    }
    let log = std::fs::read_to_string(log)?;
    let lines = || log[before..].lines().filter(|line| line.contains("squab::audit"));
    let has = |texts: &[&str]| lines().any(|line| texts.iter().all(|text| line.contains(text)));
    report.attempt("CreateQueue leaves no trace", has(&["sqs:CreateQueue", QUEUE, &key.id]));
    report.attempt("DeleteQueue leaves no trace", has(&["sqs:DeleteQueue", QUEUE, &key.id]));
    report.attempt("rejected signatures leave no trace", has(&["rejected signature", "missing"]));
    let rejected = lines().filter(|line| line.contains("rejected signature")).count();
    report.attempt(format!("{rejected} lines about {FLOOD} requests"), rejected < FLOOD / 2);
    let has_secret = log.contains("secret-tag") || log.contains("secret-header");
    report.attempt("the log has what the audit must not", !has_secret);
    Ok(())
}
