//! Parts of a request that its signature does not cover, added by an attacker who has the request: they
//! must not turn it into another call.

use super::frame::{Report, Target};
use std::io;

/// A call that is signed, and what an attacker would rather call. The last is what the answer to that
/// would have in it.
const CALLS: &[(&str, &str, &str, &str)] = &[
    (
        "sqs",
        "POST /?Action=ListQueues&Version=2012-11-05&QueueNamePrefix=attack-none",
        "AmazonSQS.CreateQueue",
        "QueueUrl",
    ),
    (
        "sts",
        "POST /?Action=GetCallerIdentity&Version=2011-06-15",
        "AWSSecurityTokenServiceV20110615.GetSessionToken",
        "SecretAccessKey",
    ),
    (
        "sns",
        "POST /?Action=ListSubscriptions&Version=2010-03-31",
        "AmazonSimpleNotificationService.ListTopics",
        "\"Topics\"",
    ),
];

pub fn run(target: &Target, report: &mut Report) -> io::Result<()> {
    let Some(key) = target.keys.first() else {
        report.untried("no key is known");
        return Ok(());
    };
    for (service, line, other, sign) in CALLS {
        let signed = target.signed(key, service, line, &[], "")?;
        let headers: Vec<&str> = signed.iter().map(String::as_str).collect();
        let control = target.send(line, &headers, "")?;
        if control.status != 200 {
            report.untried(format!("{line} is answered with {}", control.status));
            continue;
        }
        let target_header = format!("X-Amz-Target: {other}");
        for content in ["application/x-amz-json-1.0", "application/json", "text/plain"] {
            let content = format!("Content-Type: {content}");
            let added = [&headers[..], &[&target_header, &content]].concat();
            let answer = target.send(line, &added, "")?;
            let held = answer.status == 403 && !answer.text.contains(sign);
            report.attempt(format!("{line} as {other}, {content}"), held);
        }
        for addition in ["&Action=ListTopics", "&QueueNamePrefix=attack", "&%41ction=ListQueues"] {
            let answer = target.send(&format!("{line}{addition}"), &headers, "")?;
            report.attempt(format!("{line}{addition}"), answer.status == 403);
        }
    }
    Ok(())
}
