//! A key of one account that names a queue, a topic, a role or messages of another, or looks at
//! metrics, which name queues.

use super::frame::{FORM, Key, Report, Target};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::io;

const NAME: &str = "attack-accounts";
const SECRET: &str = "attack-secret";

pub fn run(target: &Target, report: &mut Report) -> io::Result<()> {
    let keys = target.keys.iter().find_map(|owner| {
        let account = owner.account.as_deref()?;
        let other = target.keys.iter().find(|key| key.account.as_deref() != Some(account))?;
        Some((owner, account, other))
    });
    let Some((owner, account, other)) = keys else {
        report.untried("keys of two accounts are needed, each with its account");
        return Ok(());
    };
    let (path, topic) =
        (format!("/{account}/{NAME}"), format!("arn:aws:sns:us-east-1:{account}:{NAME}"));
    let sqs = |key, path: &str, body: &str| call(target, key, "sqs", &format!("POST {path}"), body);
    let sns = |key, body: &str| call(target, key, "sns", "POST /", body);
    let send = format!("Action=SendMessage&MessageBody={SECRET}");
    let peek = "Action=ReceiveMessage&VisibilityTimeout=0";
    let publish = format!("Action=Publish&TopicArn={}&Message=m", encoded(&topic));
    for control in [
        sqs(owner, "/", &format!("Action=CreateQueue&QueueName={NAME}"))?,
        sqs(owner, &path, &send)?,
        sqs(owner, &path, peek)?,
        sns(owner, &format!("Action=CreateTopic&Name={NAME}"))?,
        sns(owner, &publish)?,
    ] {
        if control.0 != 200 {
            report.untried(format!("a call of the owner is answered with {}", control.0));
            return Ok(());
        }
    }
    let policy =
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;
    let open = format!("Attribute.Name=Policy&Attribute.Value={}", encoded(policy));
    for body in [
        peek,
        &send,
        "Action=GetQueueAttributes&AttributeName.1=All",
        "Action=ChangeMessageVisibility&ReceiptHandle=x&VisibilityTimeout=0",
        "Action=DeleteMessage&ReceiptHandle=x",
        "Action=ListDeadLetterSourceQueues",
        "Action=ListQueueTags",
        "Action=TagQueue&Tag.1.Key=k&Tag.1.Value=v",
        &format!("Action=SetQueueAttributes&{open}"),
        "Action=AddPermission&Label=l&AWSAccountId.1=222222222222&ActionName.1=*",
        "Action=PurgeQueue",
        "Action=DeleteQueue",
    ] {
        let (status, text) = sqs(other, &path, body)?;
        report.attempt(format!("{body}: {status}"), status == 403 && !text.contains(SECRET));
    }
    let arn = encoded(&topic);
    let open = format!("AttributeName=Policy&AttributeValue={}", encoded(policy));
    for body in [
        &publish,
        &format!("Action=GetTopicAttributes&TopicArn={arn}"),
        &format!("Action=SetTopicAttributes&TopicArn={arn}&{open}"),
        &format!("Action=Subscribe&TopicArn={arn}&Protocol=email&Endpoint=eve%40example.com"),
        &format!("Action=ListSubscriptionsByTopic&TopicArn={arn}"),
        &format!("Action=TagResource&ResourceArn={arn}&Tags.member.1.Key=k&Tags.member.1.Value=v"),
        &format!("Action=DeleteTopic&TopicArn={arn}"),
    ] {
        let (status, _) = sns(other, body)?;
        report.attempt(format!("{body}: {status}"), status == 403);
    }
    let role = encoded(&format!("arn:aws:iam::{account}:role/attack"));
    let assume =
        format!("Action=AssumeRole&Version=2011-06-15&RoleArn={role}&RoleSessionName=attack");
    let (status, _) = call(target, other, "sts", "POST /", &assume)?;
    report.attempt(format!("AssumeRole: {status}"), status == 403);
    for inspection in [
        format!("GET /_aws/sqs/messages/us-east-1/{account}/{NAME}"),
        format!("GET /_aws/sns/sms-messages?accountId={account}"),
        format!("DELETE /_aws/sns/sms-messages?accountId={account}&phoneNumber=%2B15555550100"),
    ] {
        let (status, text) = call(target, other, "sqs", &inspection, "")?;
        report.attempt(format!("{inspection}: {status}"), status == 403 && !text.contains(SECRET));
    }
    let metrics = "GET /metrics";
    let (status, text) = call(target, owner, "sqs", metrics, "")?;
    if status != 200 || !text.contains(NAME) {
        report.untried(format!("{metrics} of the owner does not have the queue: {status}"));
    }
    let (status, text) = call(target, other, "sqs", metrics, "")?;
    report.attempt(format!("{metrics}: {status}"), status == 200 && !text.contains(NAME));
    let unsigned = target.send(metrics, &[], "")?;
    let shows_sums = unsigned.text.contains("squab_queue_messages");
    report.attempt("GET /metrics, not signed", shows_sums && !unsigned.text.contains(NAME));
    sqs(owner, &path, "Action=DeleteQueue")?;
    sns(owner, &format!("Action=DeleteTopic&TopicArn={arn}"))?;
    Ok(())
}

/// Status and text of the answer to a request that this key signs.
pub(super) fn call(
    target: &Target,
    key: &Key,
    service: &str,
    line: &str,
    body: &str,
) -> io::Result<(u16, String)> {
    let signed = target.signed(key, service, line, &[FORM], body)?;
    let signed: Vec<&str> = signed.iter().map(String::as_str).collect();
    let answer = target.send(line, &signed, body)?;
    Ok((answer.status, answer.text))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
