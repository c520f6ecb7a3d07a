//! A topic that is subscribed to the server itself: each delivery would return as a call that causes
//! another delivery.

use super::frame::{FORM, Report, Target};
use std::io;

/// The headers that SNS adds to a delivery, by which one is recognized.
const MARKS: &[&str] = &[
    "x-amz-sns-message-type: Notification",
    "X-Amz-Sns-Message-Id: 00000000-0000-0000-0000-000000000000",
    "x-amz-sns-topic-arn: arn:aws:sns:us-east-1:000000000000:attack-loop",
    "x-amz-sns-rawdelivery: true",
    "User-Agent: Amazon Simple Notification Service Agent",
];

pub fn run(target: &Target, report: &mut Report) -> io::Result<()> {
    for (line, body) in [
        ("POST /", "Action=ListTopics&Version=2010-03-31"),
        ("POST /?Action=ListTopics&Version=2010-03-31", ""),
        ("POST /", "Action=ListQueues"),
    ] {
        let control = target.send(line, &[FORM], body)?.status;
        if control != 200 {
            report.untried(format!("{line} {body} is answered with {control}"));
            continue;
        }
        for mark in MARKS {
            let status = target.send(line, &[FORM, mark], body)?.status;
            report.attempt(format!("{line} {body} with {mark}: {status}"), status == 403);
        }
    }
    for mark in MARKS {
        let waits = target.send_head("POST /", &[FORM, mark]);
        let is_rejected = waits.is_ok_and(|answer| answer.status == 403);
        report.attempt(
            format!("a delivery with {mark} makes the server wait for its body"),
            is_rejected,
        );
    }
    Ok(())
}
