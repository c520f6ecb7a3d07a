//! Bad input is the caller's fault, is reported with a known error code, and is never logged as a
//! server error.
//!
//! Every parameter of every operation gets every hostile value, in both protocols; bodies are truncated,
//! corrupted and invented; and the built program gets requests that no client library would send.

mod raw_http;
mod topics;
mod unread_responses;

use crate::gateway::{ARNS, Answer, HOST, PROTOCOLS, QUEUES, Service, request, settings};
use crate::process::{Connection, Server, runs_alone, squab};
use axum::body::{Body, Bytes};
use hyper::Request;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use squab::api::error::row;
use squab::api::operations::OPERATIONS;
use squab::api::operations::Service as Aws;
use squab::domain::Kind;
use squab::wire::Protocol;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// What has been logged as an error in this process.
#[derive(Debug, Clone, Default)]
struct Errors(Arc<Mutex<Vec<u8>>>);

impl Errors {
    /// Listens to this process, if it runs `test` alone. Else runs it in one that does, and returns
    /// `None`.
    fn listen(test: &str) -> Option<Self> {
        if !runs_alone(test) {
            return None;
        }
        let errors = Self::default();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::ERROR)
            .with_writer(errors.clone())
            .init();
        Some(errors)
    }

    fn assert_none(&self) {
        let logged = self.0.lock().unwrap();
        assert!(logged.is_empty(), "{}", String::from_utf8_lossy(&logged));
    }
}

impl Write for Errors {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Errors {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// A service with a standard and a FIFO queue, and the input of a call of each operation that
/// succeeds or could.
async fn service_and_calls() -> (Service, Vec<(&'static str, Value)>) {
    let service = Service::new(settings());
    let url = format!("{QUEUES}/q");
    for name in ["q", "dlq"] {
        service.ok("CreateQueue", json!({"QueueName": name})).await;
    }
    let policy = json!({"deadLetterTargetArn": format!("{ARNS}:dlq"), "maxReceiveCount": 3});
    let attributes = json!({"RedrivePolicy": policy.to_string()});
    service.ok("SetQueueAttributes", json!({"QueueUrl": url, "Attributes": attributes})).await;
    let fifo = json!({"FifoQueue": "true"});
    service.ok("CreateQueue", json!({"QueueName": "q.fifo", "Attributes": fifo})).await;
    service.ok("SendMessage", json!({"QueueUrl": url, "MessageBody": "hello"})).await;
    let received = service.ok("ReceiveMessage", json!({"QueueUrl": url})).await;
    let handle = received["Messages"][0]["ReceiptHandle"].clone();
    let attribute = json!({"a": {
        "DataType": "String", "StringValue": "x", "BinaryValue": "AP8=",
        "StringListValues": ["x"], "BinaryListValues": ["AP8="],
    }});
    let trace = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}});
    let message = json!({
        "Id": "a", "MessageBody": "hello", "DelaySeconds": 0, "MessageAttributes": attribute,
        "MessageSystemAttributes": trace, "MessageDeduplicationId": "d", "MessageGroupId": "g",
    });
    let mut send = message.clone();
    send["QueueUrl"] = json!(url);
    let mut send_fifo = send.clone();
    send_fifo["QueueUrl"] = json!(format!("{url}.fifo"));
    let change = json!({"Id": "a", "ReceiptHandle": handle, "VisibilityTimeout": 1});
    let calls = vec![
        (
            "AddPermission",
            json!({"QueueUrl": url, "Label": "l", "AWSAccountIds": ["111122223333"], "Actions": ["*"]}),
        ),
        ("CancelMessageMoveTask", json!({"TaskHandle": "x"})),
        (
            "ChangeMessageVisibility",
            json!({"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 1}),
        ),
        ("ChangeMessageVisibilityBatch", json!({"QueueUrl": url, "Entries": [change]})),
        (
            "CreateQueue",
            json!({"QueueName": "new", "Attributes": all_attributes(), "tags": {"k": "v"}}),
        ),
        (
            "CreateQueue",
            json!({"QueueName": "new.fifo", "Attributes": fifo_attributes(), "tags": {"k": "v"}}),
        ),
        ("DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": handle})),
        (
            "DeleteMessageBatch",
            json!({"QueueUrl": url, "Entries": [{"Id": "a", "ReceiptHandle": handle}]}),
        ),
        ("DeleteQueue", json!({"QueueUrl": format!("{QUEUES}/none")})),
        ("GetQueueAttributes", json!({"QueueUrl": url, "AttributeNames": ["All"]})),
        ("GetQueueUrl", json!({"QueueName": "q", "QueueOwnerAWSAccountId": "000000000000"})),
        (
            "ListDeadLetterSourceQueues",
            json!({"QueueUrl": url, "NextToken": "YQ", "MaxResults": 1}),
        ),
        ("ListMessageMoveTasks", json!({"SourceArn": format!("{ARNS}:dlq"), "MaxResults": 1})),
        ("ListQueueTags", json!({"QueueUrl": url})),
        ("ListQueues", json!({"QueueNamePrefix": "q", "NextToken": "YQ", "MaxResults": 1})),
        ("PurgeQueue", json!({"QueueUrl": format!("{QUEUES}/dlq")})),
        (
            "ReceiveMessage",
            json!({
                "QueueUrl": url, "AttributeNames": ["All"], "MessageSystemAttributeNames": ["All"],
                "MessageAttributeNames": ["All"], "MaxNumberOfMessages": 1, "VisibilityTimeout": 0,
                "WaitTimeSeconds": 0, "ReceiveRequestAttemptId": "a",
            }),
        ),
        ("RemovePermission", json!({"QueueUrl": url, "Label": "l"})),
        ("SendMessage", send),
        ("SendMessage", send_fifo),
        ("SendMessageBatch", json!({"QueueUrl": url, "Entries": [message.clone()]})),
        ("SendMessageBatch", json!({"QueueUrl": format!("{url}.fifo"), "Entries": [message]})),
        ("SetQueueAttributes", json!({"QueueUrl": url, "Attributes": all_attributes()})),
        (
            "SetQueueAttributes",
            json!({"QueueUrl": format!("{url}.fifo"), "Attributes": fifo_attributes()}),
        ),
        (
            "StartMessageMoveTask",
            json!({
                "SourceArn": format!("{ARNS}:dlq"), "DestinationArn": format!("{ARNS}:q"),
                "MaxNumberOfMessagesPerSecond": 1,
            }),
        ),
        ("TagQueue", json!({"QueueUrl": url, "Tags": {"k": "v"}})),
        ("UntagQueue", json!({"QueueUrl": url, "TagKeys": ["k"]})),
    ];
    for operation in OPERATIONS.iter().filter(|operation| operation.service == Aws::Sqs) {
        assert!(calls.iter().any(|(name, _)| *name == operation.name), "{}", operation.name);
    }
    (service, calls)
}

fn all_attributes() -> Value {
    json!({
        "VisibilityTimeout": "30", "DelaySeconds": "0", "MaximumMessageSize": "1024",
        "MessageRetentionPeriod": "60", "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "false", "KmsMasterKeyId": "k",
        "KmsDataKeyReusePeriodSeconds": "60",
        "Policy": r#"{"Version":"2012-10-17","Statement":[]}"#,
        "RedrivePolicy": format!(r#"{{"deadLetterTargetArn":"{ARNS}:dlq","maxReceiveCount":3}}"#),
        "RedriveAllowPolicy": r#"{"redrivePermission":"allowAll"}"#,
    })
}

fn fifo_attributes() -> Value {
    json!({
        "FifoQueue": "true", "ContentBasedDeduplication": "true",
        "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId",
    })
}

/// Returns texts that no client should send, such as one hundred thousand letters.
fn hostile_texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "\0",
        "a\0b",
        "\u{7}",
        "\u{fffe}",
        "\u{ffff}",
        "\u{10ffff}",
        "\u{feff}",
        "é",
        "😀",
        "\r\n",
        "..",
        "/",
        "//",
        "%",
        "%00",
        "<",
        "&amp;",
        "]]>",
        "\"",
        "'",
        "\\",
        "$",
        "*",
        "a b",
        "null",
        "true",
        "0",
        "-1",
        "-0",
        "+1",
        "1.5",
        "1e400",
        "NaN",
        "0x10",
        "٣",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999999999999999999999",
        "arn:",
        "arn:aws:sqs:::",
        "arn:aws:sqs:us-east-1:000000000000:",
        ":::::::",
        "http://",
        "http://x",
        "http:///q",
        "http://x/000000000000/",
        "http://[::1/000000000000/q",
        "http://x/000000000000/%zz",
        "http://x/000000000000/q/r/s",
        "{}",
        "[]",
        "{\"",
        "AQ==",
        "====",
        ".fifo",
        "AWS.x",
        "aws:x",
        r#"{"deadLetterTargetArn":null,"maxReceiveCount":1e400}"#,
        r#"{"deadLetterTargetArn":"","maxReceiveCount":-9223372036854775809}"#,
        r#"{"redrivePermission":"byQueue","sourceQueueArns":{}}"#,
        r#"{"Statement":{"Sid":{}}}"#,
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("x".repeat(100_000));
    texts.push("é".repeat(81));
    texts.push("[".repeat(10_000));
    texts.push(format!("{}1{}", r#"{"a":"#.repeat(1_000), "}".repeat(1_000)));
    texts
}

/// Returns JSON that no client should send where text, a number, a list or a map is expected.
fn hostile_values() -> Vec<Value> {
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    let mut values = vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e308),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!([]),
        json!({}),
        json!([null]),
        json!({"a": null}),
        json!([[]]),
        json!([{}]),
        json!({"": ""}),
        json!({"": {}}),
        json!([""]),
        json!([1]),
        json!(["x", "x"]),
        json!([{"Id": "a"}, {"Id": "a"}]),
        json!([{"Id": null}]),
        json!(vec!["x"; 200]),
        json!(vec![json!({}); 200]),
        json!({"AWS.x": {"DataType": "String", "StringValue": "x"}}),
        json!({"a": {"DataType": "Number", "StringValue": "1e999"}}),
        json!({"a": {"DataType": "Binary", "BinaryValue": "!"}}),
        deep,
    ];
    values.extend(hostile_texts().into_iter().map(Value::from));
    values
}

/// The places in an input where something can be put instead: every member and item, at any depth.
fn places(value: &Value, pointer: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, v)| (name.clone(), v)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => return,
    };
    for (name, child) in children {
        let pointer = format!("{pointer}/{name}");
        places(child, &pointer, found);
        found.push(pointer);
    }
}

/// An answer must be a success, or a refusal with a known code that blames the caller.
fn assert_blames_the_caller(protocol: Protocol, answer: &Answer, sent: &dyn Fn() -> String) {
    assert_blames_the_caller_of(Aws::Sqs, protocol, answer, sent);
}

fn assert_blames_the_caller_of(
    service: Aws,
    protocol: Protocol,
    answer: &Answer,
    sent: &dyn Fn() -> String,
) {
    if answer.status == 200 {
        return;
    }
    let refused = answer.refused(protocol);
    assert!((400..500).contains(&refused.status), "{refused:?} for {}", sent());
    assert_eq!(refused.fault, "Sender", "{refused:?} for {}", sent());
    let known = Kind::ALL.iter().map(|kind| row(service, *kind)).any(|row| {
        row.query_code == refused.code
            && row.status == refused.status
            && refused.json_type.as_ref().is_none_or(|json_type| {
                *json_type == format!("{}#{}", row.namespace, row.json_type)
            })
    });
    assert!(known, "{refused:?} for {}", sent());
    assert!(refused.message.len() < 3_000, "a message of {} bytes", refused.message.len());
}

async fn every_parameter(protocol: Protocol, test: &str) {
    let Some(errors) = Errors::listen(test) else { return };
    let (service, calls) = service_and_calls().await;
    let values = hostile_values();
    for (operation, input) in &calls {
        let mut found = Vec::new();
        places(input, "", &mut found);
        for place in &found {
            for value in &values {
                let mut bent = input.clone();
                *bent.pointer_mut(place).unwrap() = value.clone();
                let answer = service.call(protocol, operation, &bent).await;
                let sent = || format!("{operation} {place} = {:.200}", value.to_string());
                assert_blames_the_caller(protocol, &answer, &sent);
            }
        }
        // Whatever was left behind in the queues must not stop the background either.
        service.runtime.do_background_work().await.unwrap();
    }
    errors.assert_none();
}

#[tokio::test]
async fn no_value_of_any_parameter_is_our_fault_in_json() {
    every_parameter(
        Protocol::Json,
        "malformed_input::no_value_of_any_parameter_is_our_fault_in_json",
    )
    .await;
}

#[tokio::test]
async fn no_value_of_any_parameter_is_our_fault_in_query() {
    every_parameter(
        Protocol::Query,
        "malformed_input::no_value_of_any_parameter_is_our_fault_in_query",
    )
    .await;
}

#[tokio::test]
async fn values_of_another_type_are_refused() {
    let (service, calls) = service_and_calls().await;
    for (operation, input) in &calls {
        for (name, value) in input.as_object().unwrap() {
            let another = match value {
                Value::String(_) => vec![json!(1), json!(["x"]), json!({"a": "b"}), json!(true)],
                Value::Number(_) => {
                    vec![json!("1"), json!(1.5), json!([1]), json!(1e30), json!(true)]
                }
                Value::Array(_) => vec![json!("x"), json!({"a": "b"}), json!([1]), json!(7)],
                _ => vec![json!("x"), json!(["x"]), json!({"a": 1}), json!(7)],
            };
            for wrong in another {
                let mut bent = input.clone();
                bent[name] = wrong;
                let answer = service.call(Protocol::Json, operation, &bent).await;
                let refused = answer.refused(Protocol::Json);
                let json_type = refused.json_type.unwrap();
                assert_eq!(
                    (refused.status, json_type.as_str()),
                    (400, "com.amazon.coral.service#SerializationException"),
                    "{operation} {bent}"
                );
            }
        }
    }
    for (name, value) in [
        ("MaxNumberOfMessages", "ten"),
        ("MaxNumberOfMessages", "1.0"),
        ("WaitTimeSeconds", "99999999999999999999"),
        ("VisibilityTimeout", "1e3"),
        ("VisibilityTimeout", ""),
        ("VisibilityTimeout.1", "1"),
    ] {
        let body = format!("Action=ReceiveMessage&QueueUrl={QUEUES}/q&{name}={value}");
        let answer = service.answer(posted("/", body)).await;
        let refused = answer.refused(Protocol::Query);
        let said = (refused.status, refused.code.as_str());
        assert_eq!(said, (400, "MalformedInput"), "{name}={value}");
    }
}

#[tokio::test]
async fn numbers_outside_their_range_are_refused() {
    let (service, _) = service_and_calls().await;
    let q = format!("{QUEUES}/q");
    for (operation, name, allowed) in [
        ("ReceiveMessage", "MaxNumberOfMessages", 1..=10),
        ("ReceiveMessage", "WaitTimeSeconds", 0..=20),
        ("ReceiveMessage", "VisibilityTimeout", 0..=43_200),
        ("ListDeadLetterSourceQueues", "MaxResults", 1..=1_000),
        ("SendMessage", "DelaySeconds", 0..=900),
    ] {
        for wrong in [*allowed.start() - 1, *allowed.end() + 1, i64::MIN, i64::MAX] {
            let input = json!({"QueueUrl": q, "MessageBody": "x", name: wrong});
            for protocol in PROTOCOLS {
                let refused = service.call(protocol, operation, &input).await.refused(protocol);
                assert_eq!(
                    (refused.status, refused.code.as_str()),
                    (400, "InvalidParameterValue"),
                    "{input}"
                );
            }
        }
    }
}

fn posted(path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(path)
        .header("host", HOST)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.into())
        .unwrap()
}

fn called(target: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post("/")
        .header("host", HOST)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", target)
        .body(body.into())
        .unwrap()
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused() {
    let (service, _) = service_and_calls().await;
    let deep = format!(r#"{{"QueueUrl":{}"#, "[".repeat(500_000));
    let deep_objects = r#"{"a":"#.repeat(500_000);
    for body in [
        b"{".to_vec(),
        b"nonsense".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"{} {}".to_vec(),
        b"{\"QueueUrl\":\"\xff\xfe\"}".to_vec(),
        br#"{"QueueUrl":"\ud800"}"#.to_vec(),
        br#"{"QueueUrl":"\u12"}"#.to_vec(),
        br#"{"QueueUrl":"a","QueueUrl":"b"}"#.to_vec(),
        br#"{"MaxNumberOfMessages":1e400}"#.to_vec(),
        br#"{"MaxNumberOfMessages":123456789012345678901234567890}"#.to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        deep.into_bytes(),
        deep_objects.into_bytes(),
        // Each of these values would take eight times its text.
        format!(r#"{{"AttributeNames":[{}""]}}"#, r#""","#.repeat(20_000)).into_bytes(),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = service.answer(called("AmazonSQS.ReceiveMessage", body)).await;
        let refused = answer.refused(Protocol::Json);
        assert_eq!(refused.status, 400, "{shown}");
        assert_eq!(
            refused.json_type.unwrap(),
            "com.amazon.coral.service#SerializationException",
            "{shown}"
        );
    }
    let nul = service.answer(called("AmazonSQS.GetQueueUrl", r#"{"QueueName":"\u0000"}"#)).await;
    assert_eq!(nul.refused(Protocol::Json).code, "AWS.SimpleQueueService.NonExistentQueue");
}

#[tokio::test]
async fn unknown_operations_and_targets_are_refused() {
    let (service, _) = service_and_calls().await;
    let unknown = r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#;
    for target in [
        "AmazonSQS.Nonsense",
        "AmazonSQS.",
        "AmazonSQS",
        "",
        "AmazonSNS.Publish",
        "amazonsqs.SendMessage",
        "AmazonSQS.SendMessage.x",
    ] {
        let answer = service.answer(called(target, "{}")).await;
        assert_eq!((answer.status, answer.text()), (400, unknown), "{target}");
        assert!(!answer.headers.contains_key("x-amzn-query-error"), "{target}");
    }
    let no_target = Request::post("/")
        .header("host", HOST)
        .header("content-type", "application/x-amz-json-1.0")
        .body(Body::from("{}"))
        .unwrap();
    let answer = service.answer(no_target).await;
    assert_eq!((answer.status, answer.text()), (400, unknown));
    let of_sns = service.answer(posted("/", "Action=publish&Version=2010-03-31")).await;
    let of_sns = of_sns.text().split("<RequestId>").next().unwrap().to_owned();
    assert_eq!(
        of_sns,
        "<ErrorResponse xmlns=\"http://webservices.amazon.com/AWSFault/2005-15-09\"><Error>\
         <Type>Sender</Type><Code>InvalidAction</Code><Message>Could not find operation publish for \
         version 2010-03-31</Message></Error>"
    );
    let not_utf8 = hyper::header::HeaderValue::from_bytes(b"AmazonSQS.\xff").unwrap();
    let mut request = called("x", "{}");
    request.headers_mut().insert("x-amz-target", not_utf8);
    assert_eq!(service.answer(request).await.status, 400);
    for (body, code) in [
        ("", "MissingAction"),
        ("Action=", "MissingAction"),
        ("action=ListQueues", "MissingAction"),
        ("Action=Nonsense", "InvalidAction"),
        ("Action=Nonsense%00%08%3C", "InvalidAction"),
        ("Version=2012-11-05", "MissingAction"),
    ] {
        let refused = service.answer(posted("/", body)).await.refused(Protocol::Query);
        assert_eq!((refused.status, refused.code.as_str()), (400, code), "{body}");
    }
    for body in ["Action=ListQueues", "Action=CreateQueue&QueueName=x"] {
        let refused =
            service.answer(posted("/000000000000/q", body)).await.refused(Protocol::Query);
        assert_eq!((refused.status, refused.code.as_str()), (400, "InvalidAction"), "{body}");
    }
    for (method, path) in [
        ("GET", "/"),
        ("PUT", "/"),
        ("DELETE", "/?Action=ListQueues"),
        ("HEAD", "/x"),
        ("GET", "/000000000000/q"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", HOST)
            .body(Body::empty())
            .unwrap();
        assert_eq!(service.answer(request).await.status, 404, "{method} {path}");
    }
}

#[tokio::test]
async fn forms_that_cannot_be_read_are_refused() {
    let (service, _) = service_and_calls().await;
    let many = "a=b&".repeat(100_000);
    for body in [
        Bytes::from_static(b"Action=ListQueues&x=%ff"),
        Bytes::from_static(b"Action=ListQueues&x=\xff\xfe"),
        Bytes::from_static(b"Action=ListQueues&%C3=%A9"),
        Bytes::from(format!("Action=ListQueues&{many}")),
    ] {
        let refused = service.answer(posted("/", body)).await.refused(Protocol::Query);
        assert_eq!((refused.status, refused.code.as_str()), (404, "MalformedQueryString"));
    }
    // A percent sign that begins no escape stands for itself.
    let answer = service.answer(posted("/", "Action=ListQueues&QueueNamePrefix=%zz%")).await;
    assert_eq!(answer.status, 200);
    let deep =
        format!("Action=ReceiveMessage&QueueUrl={QUEUES}/q&AttributeName{}=x", ".1".repeat(10_000));
    for body in [
        deep,
        format!(
            "Action=SendMessage&QueueUrl={QUEUES}/q&MessageBody=x&MessageAttribute.1=x&MessageAttribute.1.Name=x"
        ),
        format!("Action=SendMessage&QueueUrl={QUEUES}/q&MessageBody=x&MessageAttribute.0.Name=x"),
        format!(
            "Action=SendMessage&QueueUrl={QUEUES}/q&MessageBody=x&MessageAttribute.99999999999999999999.Name=x"
        ),
        format!("Action=SendMessage&QueueUrl={QUEUES}/q&MessageBody=x&MessageAttribute.-1.Name=x"),
        format!("Action=SendMessage&QueueUrl={QUEUES}/q&MessageBody=x&MessageAttribute..Name=x"),
        format!("Action=SendMessageBatch&QueueUrl={QUEUES}/q&SendMessageBatchRequestEntry=x"),
        format!("Action=SendMessageBatch&QueueUrl={QUEUES}/q&SendMessageBatchRequestEntry.1=x"),
        format!("Action=SetQueueAttributes&QueueUrl={QUEUES}/q&Attribute.1.Name=VisibilityTimeout"),
        format!("Action=SetQueueAttributes&QueueUrl={QUEUES}/q&Attribute.1.Value=1"),
    ] {
        let answer = service.answer(posted("/", body.clone())).await;
        assert_blames_the_caller(Protocol::Query, &answer, &|| body.clone());
    }
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_refused_whether_announced_or_not() {
    let limit = 4_096;
    let mut limited = settings();
    limited.max_body_bytes = limit;
    let service = Service::new(limited);
    let too_long = vec![b' '; limit + 1];
    let refused = |answer: Answer| answer.refused(Protocol::Json).code;
    let announced = called("AmazonSQS.ListQueues", too_long.clone());
    assert_eq!(refused(service.answer(announced).await), "RequestEntityTooLarge");
    let mut lying = called("AmazonSQS.ListQueues", "{}");
    lying
        .headers_mut()
        .insert("content-length", hyper::header::HeaderValue::from_static("99999999999"));
    assert_eq!(refused(service.answer(lying).await), "RequestEntityTooLarge");
    let just = vec![b' '; limit];
    assert_eq!(service.answer(called("AmazonSQS.ListQueues", just)).await.status, 200);
}

#[tokio::test]
async fn a_host_header_that_is_odd_or_missing_is_no_reason_to_fail() {
    let service = Service::new(settings());
    let long = "x".repeat(60_000);
    for host in
        [None, Some(""), Some("a b"), Some("<&>"), Some("[::1]:4566"), Some("x\"y"), Some(&*long)]
    {
        let mut request = request(Protocol::Query, "/", "CreateQueue", &json!({"QueueName": "q"}));
        match host {
            None => drop(request.headers_mut().remove("host")),
            Some(host) => drop(request.headers_mut().insert("host", host.parse().unwrap())),
        }
        let answer = service.answer(request).await;
        assert_eq!(answer.status, 200, "{host:?}");
        let output = answer.output(Protocol::Query, "CreateQueue");
        // What is longer than a host can be is not repeated in each of a thousand URLs.
        assert!(output["QueueUrl"].as_str().unwrap().len() < 400, "{host:?}");
    }
}

/// A text with so many spaces behind it that it has so many bytes.
fn padded(text: &str, bytes: usize) -> String {
    text.to_owned() + &" ".repeat(bytes - text.len())
}

/// What stays with a queue, in memory too, is not of any length. Spaces count.
#[tokio::test]
async fn what_is_kept_has_a_limit() {
    const LIMIT: usize = 8 * 1024;
    let (service, _) = service_and_calls().await;
    let allow = json!({"redrivePermission": "denyAll"}).to_string();
    let redrive =
        json!({"deadLetterTargetArn": format!("{ARNS}:dlq"), "maxReceiveCount": 5}).to_string();
    for (name, value) in
        [("KmsMasterKeyId", "k"), ("RedrivePolicy", &redrive), ("RedriveAllowPolicy", &allow)]
    {
        for protocol in PROTOCOLS {
            for (bytes, is_kept) in [(LIMIT, true), (LIMIT + 1, false), (70_000, false)] {
                let value = padded(value, bytes);
                let input = json!({"QueueUrl": format!("{QUEUES}/q"), "Attributes": {name: value}});
                let answer = service.call(protocol, "SetQueueAttributes", &input).await;
                if is_kept {
                    assert_eq!(answer.status, 200, "{name} of {bytes} bytes");
                } else {
                    assert_eq!(answer.refused(protocol).code, "InvalidAttributeValue", "{name}");
                }
            }
        }
    }
}

/// Unknown parameters are ignored, however odd.
#[tokio::test]
async fn unknown_members_say_nothing() {
    let (service, _) = service_and_calls().await;
    for value in hostile_values() {
        let input = json!({"QueueName": "q", "Nonsense": value, "queueName": value, "": value});
        let answer = service.call(Protocol::Json, "GetQueueUrl", &input).await;
        assert_eq!(answer.status, 200, "{:.200}", value.to_string());
    }
    for nonsense in ["Nonsense=1", "Nonsense.1.2.x=1", "queueName=y", "=", "=x", "QueueName.x=1"] {
        let body = format!("Action=GetQueueUrl&Version=2012-11-05&QueueName=q&{nonsense}");
        let answer = service.answer(posted("/", body)).await;
        assert!(matches!(answer.status, 200 | 400), "{nonsense}");
    }
}

/// Bytes of a request as they are with some of them changed, cut off or doubled.
fn bent(body: &[u8], at: usize, byte: u8, how: u8) -> Vec<u8> {
    let mut body = body.to_vec();
    let at = at % body.len();
    match how % 4 {
        0 => body[at] = byte,
        1 => body.truncate(at),
        2 => body.insert(at, byte),
        _ => {
            let tail = body[at..].to_vec();
            body.extend(tail);
        }
    }
    body
}

#[test]
fn bent_and_made_up_requests_are_never_our_fault() {
    let Some(errors) =
        Errors::listen("malformed_input::bent_and_made_up_requests_are_never_our_fault")
    else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (service, calls) = runtime.block_on(service_and_calls());
    let config = Config { cases: 3_000, failure_persistence: None, ..Config::default() };
    let strategy = (
        0..calls.len(),
        any::<bool>(),
        proptest::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..4),
        proptest::option::weighted(0.1, proptest::collection::vec(any::<u8>(), 0..200)),
    );
    TestRunner::new(config)
        .run(&strategy, |(call, in_json, bends, made_up)| {
            let (operation, input) = &calls[call];
            let protocol = if in_json { Protocol::Json } else { Protocol::Query };
            let mut body = match protocol {
                Protocol::Json => input.to_string().into_bytes(),
                Protocol::Query => crate::gateway::form(operation, input).into_bytes(),
            };
            for (at, byte, how) in bends {
                if !body.is_empty() {
                    body = bent(&body, at, byte, how);
                }
            }
            let body = made_up.unwrap_or(body);
            let request = match protocol {
                Protocol::Json => called(&format!("AmazonSQS.{operation}"), body.clone()),
                Protocol::Query => posted("/", body.clone()),
            };
            let answer = runtime.block_on(service.answer(request));
            let sent = || format!("{operation} {}", String::from_utf8_lossy(&body));
            assert_blames_the_caller(protocol, &answer, &sent);
            Ok(())
        })
        .unwrap();
    errors.assert_none();
}

// The real program, and what no HTTP library would send

#[test]
fn odd_http_is_answered_or_hung_up_on_and_nothing_breaks() {
    let server = Server::start(&mut squab(&["--ephemeral", "--log-level", "info"]));
    let json = "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.ListQueues\r\nContent-Type: application/x-amz-json-1.0\r\n";
    let many_headers = "X-Nonsense: y\r\n".repeat(500);
    for (request, status) in [
        (
            format!("{json}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n1\r\n}}\r\n0\r\n\r\n"),
            Some(200),
        ),
        (format!("{json}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), Some(200)),
        (format!("{json}Content-Length: 0\r\n\r\n"), Some(200)),
        (format!("{json}\r\n"), Some(200)),
        (json.replace("Host: x\r\n", "") + "Content-Length: 2\r\n\r\n{}", Some(200)),
        (json.replace("ListQueues", "Nonsense") + "Content-Length: 2\r\n\r\n{}", Some(400)),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), Some(404)),
        ("POST / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), Some(400)),
        ("GET /?Action=ListQueues&x=%ff HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), Some(404)),
        (
            "GET /%ff%00/%zz?Action=GetQueueAttributes HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            Some(404),
        ),
        (
            format!(
                "GET /?Action=ListQueues&QueueNamePrefix={} HTTP/1.1\r\nHost: x\r\n\r\n",
                "x".repeat(10_000)
            ),
            Some(200),
        ),
        // Hung up on, or answered with a 4xx: the HTTP library decides.
        (format!("{json}Transfer-Encoding: chunked\r\n\r\nzz\r\n"), None),
        (format!("{json}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"), None),
        (format!("{json}Content-Length: -1\r\n\r\n"), None),
        (format!("{json}{many_headers}\r\n"), None),
        (format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(200_000)), None),
        ("NONSENSE\r\n\r\n".to_owned(), None),
        ("\0\0\0\0\r\n\r\n".to_owned(), None),
        ("POST / HTTP/9.9\r\n\r\n".to_owned(), None),
    ] {
        let mut connection = server.connect();
        // The server may hang up before it has read everything.
        let _ = connection.write(request.as_bytes());
        let shown = &request[..request.len().min(200)];
        match (connection.read(), status) {
            (Ok((got, body)), Some(status)) => assert_eq!(got, status, "{shown:?}: {body}"),
            (Ok((got, body)), None) => {
                assert!((400..500).contains(&got), "{shown:?}: {got} {body}");
            }
            (Err(_), None) => {}
            (Err(error), Some(_)) => panic!("{shown:?}: {error}"),
        }
    }
    // A truncated body: the client is gone, so there is no response.
    let mut cut = server.connect();
    cut.write(format!("{json}Content-Length: 100\r\n\r\n{{").as_bytes()).unwrap();
    drop(cut);

    let mut connection = server.connect();
    assert_eq!(panics(&mut connection), "0");
    connection.ok("CreateQueue", &json!({"QueueName": "q"}));
    let (status, _, log) = server.terminate();
    assert_eq!(status, Some(0));
    assert!(!log.contains(r#""level":"ERROR""#), "{log}");
}

fn panics(connection: &mut Connection) -> String {
    connection.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let (_, text) = connection.read().unwrap();
    let line = text.lines().find(|line| line.starts_with("squab_panics_total")).unwrap();
    line.rsplit(' ').next().unwrap().to_owned()
}
