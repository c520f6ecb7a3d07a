//! Unsubscribe without a signature, by an attacker who knows the ARN of a subscription: it must not end
//! a subscription whose messages have no unsubscribe link.

use super::frame::{Answer, FORM, Report, Target};
use std::io;

const ENDPOINTS: &[(&str, &str)] = &[
    ("sqs", "arn:aws:sqs:us-east-1:000000000000:attack-unsubscribe"),
    ("lambda", "arn:aws:lambda:us-east-1:000000000000:function:attack"),
    ("sms", "%2B15555550100"),
];

pub fn run(target: &Target, report: &mut Report) -> io::Result<()> {
    let Some(key) = target.keys.first() else {
        report.untried("no key is known");
        return Ok(());
    };
    let call = |form: &str| -> io::Result<Answer> {
        let headers = target.signed(key, "sns", "POST /", &[FORM], form)?;
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        target.send("POST /", &headers, form)
    };
    let created = call("Action=CreateTopic&Name=attack-unsubscribe")?;
    let topic = created.between("<TopicArn>", "</TopicArn>").unwrap_or_default();
    for (protocol, endpoint) in ENDPOINTS {
        let subscribed = call(&format!(
            "Action=Subscribe&ReturnSubscriptionArn=true&TopicArn={topic}&Protocol={protocol}\
             &Endpoint={endpoint}"
        ))?;
        let arn = subscribed.between("<SubscriptionArn>", "</SubscriptionArn>").unwrap_or("none");
        for method in ["GET", "POST"] {
            let line = format!("{method} /?Action=Unsubscribe&SubscriptionArn={arn}");
            let answer = target.send(&line, &[], "")?;
            report
                .attempt(format!("{method} of a subscription of {protocol}"), answer.status == 403);
        }
    }
    call(&format!("Action=DeleteTopic&TopicArn={topic}")).map(drop)
}
