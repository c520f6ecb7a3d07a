//! Requests without a signature, or with an unknown key, and with a body that never
//! arrives: the server must not wait for it.

use super::frame::{FORM, Report, Target};
use std::io;

const HEADS: &[(&str, &[&str])] = &[
    ("POST /", &[FORM]),
    (
        "POST /",
        &["Content-Type: application/x-amz-json-1.0", "X-Amz-Target: AmazonSQS.SendMessage"],
    ),
    ("POST /?Action=SendMessage&MessageBody=x", &[]),
    ("POST /000000000000/q", &[FORM, "Transfer-Encoding: identity"]),
    (
        "POST /",
        &[
            FORM,
            "X-Amz-Date: 20260102T030405Z",
            "Authorization: AWS4-HMAC-SHA256 Credential=AKIANOBODY/20260102/us-east-1/sqs/\
             aws4_request, SignedHeaders=host, Signature=00",
        ],
    ),
    ("POST /", &[FORM, "Authorization: Bearer x"]),
    ("POST /", &[FORM, "Authorization: Bearer x", "Authorization: Bearer x"]),
    // Links have their parameters in the URL.
    ("POST /?Action=Unsubscribe&SubscriptionArn=x", &[FORM]),
    ("POST /?Action=ConfirmSubscription&TopicArn=x&Token=x", &["Transfer-Encoding: identity"]),
    ("POST /_aws/sqs/messages", &[FORM]),
    ("POST /_localstack/state/reset", &[]),
];

pub fn run(target: &Target, report: &mut Report) -> io::Result<()> {
    let control = target.send("GET /health", &[], "")?;
    if control.status != 200 {
        report.untried(format!("GET /health is answered with {}", control.status));
        return Ok(());
    }
    for (line, headers) in HEADS {
        // No answer within the patience of the attack is one that waits for the body.
        let status = target.send_head(line, headers).map(|answer| answer.status);
        let held = matches!(status, Ok(400 | 403 | 404));
        report.attempt(format!("{line} with {headers:?}"), held);
    }
    Ok(())
}
