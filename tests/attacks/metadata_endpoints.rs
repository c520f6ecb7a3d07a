//! Subscriptions that would make the server call the metadata service of its cloud, in every spelling
//! of the address.

use super::frame::{FORM, Key, Report, Target};
use std::io;

const ENDPOINTS: &[&str] = &[
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "http://user:password@169.254.169.254/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]:80/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://100.100.100.200/",
];

pub fn run(target: &Target, report: &mut Report) -> io::Result<()> {
    let Some(key) = target.keys.first() else {
        report.untried("no key of the server is given");
        return Ok(());
    };
    let topic = call(target, key, "Action=CreateTopic&Name=attack-metadata")?;
    let Some(topic) = topic.between("TopicArn>", "<").map(str::to_owned) else {
        // Where everything is believed there is no ARN, but Subscribe may say yes.
        return subscribe_all(target, key, "arn:aws:sns:us-east-1:000000000000:t", report);
    };
    let control = subscribe(target, key, &topic, "http://127.0.0.1:9/")?;
    if control != 200 {
        report.untried(format!("another endpoint is answered with {control}, too"));
    }
    subscribe_all(target, key, &topic, report)?;
    call(target, key, &format!("Action=DeleteTopic&TopicArn={topic}")).map(drop)
}

fn subscribe_all(target: &Target, key: &Key, topic: &str, report: &mut Report) -> io::Result<()> {
    for endpoint in ENDPOINTS {
        let status = subscribe(target, key, topic, endpoint)?;
        report.attempt(format!("Subscribe of {endpoint}: {status}"), status == 400);
    }
    Ok(())
}

fn subscribe(target: &Target, key: &Key, topic: &str, endpoint: &str) -> io::Result<u16> {
    let escape = |c: char| match c {
        'a'..='z' | '0'..='9' | '.' | '-' => c.to_string(),
        _ => format!("%{:02X}", c as u32),
    };
    let endpoint: String = endpoint.chars().map(escape).collect();
    let parameters = format!("Action=Subscribe&TopicArn={topic}&Protocol=http&Endpoint={endpoint}");
    call(target, key, &parameters).map(|answer| answer.status)
}

fn call(target: &Target, key: &Key, parameters: &str) -> io::Result<super::frame::Answer> {
    let body = format!("Version=2010-03-31&{parameters}");
    let signed = target.signed(key, "sns", "POST /", &[FORM], &body)?;
    let signed: Vec<&str> = signed.iter().map(String::as_str).collect();
    target.send("POST /", &signed, &body)
}
