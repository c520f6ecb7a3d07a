//! Bad input for SNS.

use super::{
    Errors, assert_blames_the_caller_of, bent, hostile_texts, hostile_values, padded, places,
    posted,
};
use crate::gateway::sns::{TOPICS, form, output};
use crate::gateway::{ARNS, Answer, Service, settings};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use squab::api::operations::{OPERATIONS, Service as Aws};
use squab::domain::sns_message::Published;
use squab::domain::topic_address::TopicAddress;
use squab::engine::publish::{Outcome, Request, publish};
use squab::runtime::transport::OutboundMessage;
use squab::store::Txn;
use squab::wire::Protocol;
use std::sync::Arc;

/// An absurd number of levels and digits. Work that grows with its square would not end within a test
/// run.
const MANY: usize = 100_000;
/// An absurd number of members.
const WIDE: usize = 20_000;
/// Everything that XML does not take as it is.
const ODD: &str = "<&>\"'\u{8}\u{1f}\u{fffe}\u{ffff}]]>\r\n\t&#x0;<!--";

/// A service with topics and subscriptions of each kind, and the input of a call of each operation
/// that succeeds or could.
#[expect(clippy::too_many_lines, reason = "one list of all calls")]
async fn service_and_calls() -> (Service, Vec<(&'static str, Value)>) {
    let service = Service::new(settings()).with_key().await;
    for name in ["q", "dlq"] {
        service.ok("CreateQueue", json!({"QueueName": name})).await;
    }
    let fifo = json!({"FifoQueue": "true"});
    service.ok("CreateQueue", json!({"QueueName": "q.fifo", "Attributes": fifo})).await;
    service.sns_ok("CreateTopic", json!({"Name": "t"})).await;
    let input = json!({"Name": "t.fifo", "Attributes": {
        "FifoTopic": "true", "ContentBasedDeduplication": "true",
        "ArchivePolicy": "{\"MessageRetentionPeriod\":\"30\"}",
    }});
    service.sns_ok("CreateTopic", input).await;
    let (t, t_fifo) = (format!("{TOPICS}:t"), format!("{TOPICS}:t.fifo"));
    let (q, q_fifo) = (format!("{ARNS}:q"), format!("{ARNS}:q.fifo"));
    let subscribe = |topic: &str, protocol: &str, endpoint: &str, attributes: Value| {
        json!({
            "TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint,
            "Attributes": attributes, "ReturnSubscriptionArn": true,
        })
    };
    let body_filter =
        json!({"FilterPolicy": "{\"a\":{\"b\":[\"c\"]}}", "FilterPolicyScope": "MessageBody"});
    let mut arns = Vec::new();
    for input in [
        subscribe(&t, "sqs", &q, json!({})),
        subscribe(&t, "https", "https://example.com/", json!({})),
        subscribe(&t_fifo, "sqs", &q_fifo, json!({})),
        subscribe(&t, "sqs", &format!("{ARNS}:dlq"), body_filter.clone()),
        subscribe(&t, "sms", "+15555550100", json!({"FilterPolicy": "{\"a\":[\"b\"]}"})),
    ] {
        let subscribed = service.sns_ok("Subscribe", input).await;
        arns.push(subscribed["SubscriptionArn"].as_str().unwrap().to_owned());
    }
    service.runtime.do_background_work().await.unwrap();
    let letters = service.endpoints.take();
    let OutboundMessage::Post(post) = &letters[0] else { panic!("{letters:?}") };
    let asked: Value = serde_json::from_slice(&post.body).unwrap();
    let token = asked["Token"].clone();
    let message = json!({
        "Id": "a", "Message": "{\"default\":\"d\",\"sqs\":\"s\"}", "MessageStructure": "json",
        "Subject": "s", "MessageGroupId": "g",
        "MessageAttributes": {
            "a": {"DataType": "String.Array", "StringValue": "[\"b\",1]", "BinaryValue": "AP8="},
            "n": {"DataType": "Number", "StringValue": "1"},
            "b": {"DataType": "Binary", "BinaryValue": "AP8="},
        },
    });
    let with = |message: &Value, rest: Value| {
        let mut message = message.clone();
        message.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        message
    };
    let mut of_fifo = message.clone();
    of_fifo["MessageDeduplicationId"] = json!("d");
    let set = |arn: &str, name: &str, value: &str| {
        let of = if arn.matches(':').count() == 5 { "TopicArn" } else { "SubscriptionArn" };
        json!({of: arn, "AttributeName": name, "AttributeValue": value})
    };
    let mut calls = vec![
        (
            "AddPermission",
            json!({"TopicArn": t, "Label": "l", "AWSAccountId": ["111122223333"], "ActionName": ["*"]}),
        ),
        (
            "ConfirmSubscription",
            json!({"TopicArn": t, "Token": token, "AuthenticateOnUnsubscribe": "true"}),
        ),
        (
            "CreateTopic",
            json!({
                "Name": "new", "DataProtectionPolicy": "{}",
                "Tags": [{"Key": "k", "Value": "v"}],
                "Attributes": {
                    "DisplayName": "d", "Policy": r#"{"Version":"2012-10-17","Statement":[]}"#,
                    "DeliveryPolicy": delivery_policy(), "SignatureVersion": "2",
                    "MaximumMessageSize": "1024", "TracingConfig": "Active", "KmsMasterKeyId": "k",
                    "HTTPSuccessFeedbackRoleArn": "arn:aws:iam::000000000000:role/r",
                    "HTTPSuccessFeedbackSampleRate": "100",
                },
            }),
        ),
        (
            "CreateTopic",
            json!({"Name": "new.fifo", "Attributes": {
                "FifoTopic": "true", "ContentBasedDeduplication": "true",
                "FifoThroughputScope": "MessageGroup",
                "ArchivePolicy": "{\"MessageRetentionPeriod\":\"30\"}",
            }}),
        ),
        ("DeleteTopic", json!({"TopicArn": format!("{TOPICS}:none")})),
        ("GetDataProtectionPolicy", json!({"ResourceArn": t})),
        ("GetSubscriptionAttributes", json!({"SubscriptionArn": arns[0]})),
        ("GetTopicAttributes", json!({"TopicArn": t})),
        ("ListSubscriptions", json!({"NextToken": "MA=="})),
        ("ListSubscriptionsByTopic", json!({"TopicArn": t, "NextToken": "MA=="})),
        ("ListTagsForResource", json!({"ResourceArn": t})),
        ("ListTopics", json!({"NextToken": "dA=="})),
        ("Publish", with(&message, json!({"TopicArn": t}))),
        ("Publish", with(&message, json!({"TargetArn": t, "PhoneNumber": "+15555550100"}))),
        ("Publish", with(&of_fifo, json!({"TopicArn": t_fifo}))),
        ("PublishBatch", json!({"TopicArn": t, "PublishBatchRequestEntries": [message]})),
        ("PublishBatch", json!({"TopicArn": t_fifo, "PublishBatchRequestEntries": [of_fifo]})),
        ("PutDataProtectionPolicy", json!({"ResourceArn": t, "DataProtectionPolicy": "{}"})),
        ("RemovePermission", json!({"TopicArn": t, "Label": "l"})),
        ("Subscribe", subscribe(&t, "sqs", &format!("{ARNS}:new"), body_filter)),
        (
            "Subscribe",
            subscribe(&t, "http", "http://x.example/", json!({"DeliveryPolicy": own_policy()})),
        ),
        (
            "Subscribe",
            subscribe(
                &t,
                "firehose",
                "arn:aws:firehose:us-east-1:000000000000:deliverystream/s",
                json!({"SubscriptionRoleArn": "arn:aws:iam::000000000000:role/r"}),
            ),
        ),
        ("TagResource", json!({"ResourceArn": t, "Tags": [{"Key": "k", "Value": "v"}]})),
        (
            "Unsubscribe",
            json!({"SubscriptionArn": format!("{t}:00000000-0000-4000-8000-000000000000")}),
        ),
        ("UntagResource", json!({"ResourceArn": t, "TagKeys": ["k"]})),
    ];
    calls.extend(calls_of_devices_and_phones(&service).await);
    for (name, value) in [
        ("Policy", r#"{"Version":"2012-10-17","Statement":[]}"#),
        ("DeliveryPolicy", &delivery_policy()),
        ("DisplayName", "d"),
        ("SignatureVersion", "1"),
    ] {
        calls.push(("SetTopicAttributes", set(&t, name, value)));
    }
    calls.push((
        "SetTopicAttributes",
        set(&t_fifo, "ArchivePolicy", "{\"MessageRetentionPeriod\":\"1\"}"),
    ));
    calls.push(("SetTopicAttributes", set(&t_fifo, "FifoThroughputScope", "Topic")));
    for (arn, name, value) in [
        (&arns[3], "FilterPolicy", r#"{"a":{"b":["c"]}}"#),
        (&arns[4], "FilterPolicy", r#"{"a":["b"]}"#),
        (&arns[0], "FilterPolicyScope", "MessageBody"),
        (&arns[0], "RawMessageDelivery", "false"),
        (&arns[0], "RedrivePolicy", &format!("{{\"deadLetterTargetArn\":\"{ARNS}:dlq\"}}")),
        (&arns[1], "DeliveryPolicy", &own_policy()),
        (
            &arns[2],
            "ReplayPolicy",
            r#"{"PointType":"Timestamp","StartingPoint":"2026-01-01T00:00:00Z"}"#,
        ),
    ] {
        calls.push(("SetSubscriptionAttributes", set(arn, name, value)));
    }
    for operation in OPERATIONS.iter().filter(|operation| operation.service == Aws::Sns) {
        assert!(calls.iter().any(|(name, _)| *name == operation.name), "{}", operation.name);
    }
    (service, calls)
}

async fn calls_of_devices_and_phones(service: &Service) -> Vec<(&'static str, Value)> {
    let credentials = json!({"PlatformPrincipal": "p", "PlatformCredential": "c"});
    let application = json!({"Name": "app", "Platform": "ADM", "Attributes": credentials});
    let app = service.sns_ok("CreatePlatformApplication", application.clone()).await;
    let app = &app["PlatformApplicationArn"];
    let device = json!({
        "PlatformApplicationArn": app, "Token": "token", "CustomUserData": "u",
        "Attributes": {"Enabled": "true"},
    });
    let endpoint = service.sns_ok("CreatePlatformEndpoint", device.clone()).await;
    let endpoint = &endpoint["EndpointArn"];
    let number = json!({"phoneNumber": "+15555550100"});
    let phone = json!({"PhoneNumber": "+15555550100"});
    vec![
        ("CheckIfPhoneNumberIsOptedOut", number.clone()),
        ("CreatePlatformApplication", application),
        ("CreatePlatformEndpoint", device),
        (
            "CreateSMSSandboxPhoneNumber",
            json!({"PhoneNumber": "+15555550100", "LanguageCode": "en-US"}),
        ),
        ("DeleteEndpoint", json!({"EndpointArn": format!("{TOPICS}:endpoint/ADM/app/x")})),
        (
            "DeletePlatformApplication",
            json!({"PlatformApplicationArn": format!("{TOPICS}:app/ADM/none")}),
        ),
        ("DeleteSMSSandboxPhoneNumber", phone),
        ("GetEndpointAttributes", json!({"EndpointArn": endpoint})),
        ("GetPlatformApplicationAttributes", json!({"PlatformApplicationArn": app})),
        ("GetSMSAttributes", json!({"attributes": ["DefaultSMSType"]})),
        ("GetSMSSandboxAccountStatus", json!({})),
        (
            "ListEndpointsByPlatformApplication",
            json!({"PlatformApplicationArn": app, "NextToken": "MA=="}),
        ),
        ("ListOriginationNumbers", json!({"NextToken": "MA==", "MaxResults": 1})),
        ("ListPhoneNumbersOptedOut", json!({"nextToken": "MA=="})),
        ("ListPlatformApplications", json!({"NextToken": "MA=="})),
        ("ListSMSSandboxPhoneNumbers", json!({"NextToken": "MA==", "MaxResults": 1})),
        ("OptInPhoneNumber", number),
        ("Publish", json!({"TargetArn": endpoint, "Message": "m"})),
        (
            "SetEndpointAttributes",
            json!({"EndpointArn": endpoint, "Attributes": {"CustomUserData": "u", "Token": "t"}}),
        ),
        (
            "SetPlatformApplicationAttributes",
            json!({"PlatformApplicationArn": app, "Attributes": {
                "EventEndpointCreated": "x", "SuccessFeedbackSampleRate": "50",
            }}),
        ),
        (
            "SetSMSAttributes",
            json!({"attributes": {
                "MonthlySpendLimit": "1", "DefaultSenderID": "squab", "DefaultSMSType": "Promotional",
                "DeliveryStatusSuccessSamplingRate": "1",
            }}),
        ),
        (
            "VerifySMSSandboxPhoneNumber",
            json!({"PhoneNumber": "+15555550100", "OneTimePassword": "12345"}),
        ),
    ]
}

fn delivery_policy() -> String {
    let retries = json!({
        "minDelayTarget": 1, "maxDelayTarget": 2, "numRetries": 3, "numNoDelayRetries": 0,
        "numMinDelayRetries": 0, "numMaxDelayRetries": 0, "backoffFunction": "linear",
    });
    json!({"http": {
        "defaultHealthyRetryPolicy": retries, "disableSubscriptionOverrides": false,
        "defaultThrottlePolicy": {"maxReceivesPerSecond": 1},
        "defaultRequestPolicy": {"headerContentType": "application/json"},
    }})
    .to_string()
}

fn own_policy() -> String {
    let retries = json!({"minDelayTarget": 1, "maxDelayTarget": 2, "numRetries": 3});
    json!({"healthyRetryPolicy": retries, "throttlePolicy": {"maxReceivesPerSecond": 1}})
        .to_string()
}

fn assert_blames_the_caller(answer: &Answer, operation: &str, sent: &dyn Fn() -> String) {
    if answer.status == 200 {
        // It can be read.
        drop(output(answer, operation));
    }
    assert_blames_the_caller_of(Aws::Sns, Protocol::Query, answer, sent);
}

/// Whatever was kept of what was sent can be shown.
async fn assert_readable(service: &Service) {
    let mut topics = json!({});
    loop {
        let page = service.sns_ok("ListTopics", topics).await;
        for topic in page["Topics"].as_array().unwrap() {
            let arn = &topic["TopicArn"];
            service.sns_ok("GetTopicAttributes", json!({"TopicArn": arn})).await;
            service.sns_ok("ListTagsForResource", json!({"ResourceArn": arn})).await;
            service.sns_ok("GetDataProtectionPolicy", json!({"ResourceArn": arn})).await;
        }
        let Some(token) = page.get("NextToken") else { break };
        topics = json!({ "NextToken": token });
    }
    let subscriptions = service.sns_ok("ListSubscriptions", json!({})).await;
    for one in subscriptions["Subscriptions"].as_array().unwrap() {
        let arn = &one["SubscriptionArn"];
        if arn != "PendingConfirmation" {
            service.sns_ok("GetSubscriptionAttributes", json!({"SubscriptionArn": arn})).await;
        }
    }
}

#[tokio::test]
async fn no_value_of_any_parameter_of_sns_is_our_fault() {
    let Some(errors) =
        Errors::listen("malformed_input::topics::no_value_of_any_parameter_of_sns_is_our_fault")
    else {
        return;
    };
    let (service, calls) = service_and_calls().await;
    let mut values = hostile_values();
    values.push(json!(ODD));
    values.push(json!({ODD: ODD}));
    values.push(json!([{"Key": ODD, "Value": ODD}]));
    for (operation, input) in &calls {
        let mut found = Vec::new();
        places(input, "", &mut found);
        for place in &found {
            for value in &values {
                let mut bent = input.clone();
                *bent.pointer_mut(place).unwrap() = value.clone();
                let answer = service.sns(operation, &bent).await;
                let sent = || format!("{operation} {place} = {:.200}", value.to_string());
                assert_blames_the_caller(&answer, operation, &sent);
            }
        }
        service.runtime.do_background_work().await.unwrap();
        assert_readable(&service).await;
    }
    errors.assert_none();
}

#[tokio::test]
async fn no_missing_member_is_our_fault() {
    let Some(errors) = Errors::listen("malformed_input::topics::no_missing_member_is_our_fault")
    else {
        return;
    };
    let (service, calls) = service_and_calls().await;
    for (operation, input) in &calls {
        let mut found = Vec::new();
        places(input, "", &mut found);
        for place in &found {
            let (parent, name) = place.rsplit_once('/').unwrap();
            let mut less = input.clone();
            match less.pointer_mut(parent).unwrap() {
                Value::Object(members) => drop(members.shift_remove(name)),
                Value::Array(items) => drop(items.remove(name.parse().unwrap())),
                other => panic!("{other}"),
            }
            let answer = service.sns(operation, &less).await;
            assert_blames_the_caller(&answer, operation, &|| {
                format!("{operation} without {place}")
            });
        }
        // No parameters at all: the error names a required one, or the call succeeds.
        let answer = service.sns(operation, &json!({})).await;
        let of_account = matches!(
            *operation,
            "ListTopics"
                | "ListSubscriptions"
                | "ListOriginationNumbers"
                | "ListPhoneNumbersOptedOut"
                | "ListPlatformApplications"
                | "ListSMSSandboxPhoneNumbers"
                | "GetSMSAttributes"
                | "GetSMSSandboxAccountStatus"
        );
        assert_eq!(answer.status, if of_account { 200 } else { 400 }, "{operation}");
    }
    service.runtime.do_background_work().await.unwrap();
    errors.assert_none();
}

/// Documents that are deep, wide or long.
fn huge_documents() -> Vec<String> {
    let nested = |open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(MANY), close.repeat(MANY))
    };
    let many = |item: &dyn Fn(usize) -> String| (0..WIDE).map(item).collect::<Vec<_>>().join(",");
    let digits = "9".repeat(MANY);
    vec![
        "[".repeat(MANY),
        r#"{"a":"#.repeat(MANY),
        nested("[", "", "]"),
        nested(r#"{"a":"#, "1", "}"),
        nested(r#"{"a":["#, "1", "]}"),
        nested(r#"{"$or":["#, r#"{"a":["b"]},{"c":["d"]}"#, "]}"),
        nested(r#"{"a":{"anything-but":"#, "1", "}}"),
        format!(r#"{{"a":[{}]}}"#, nested(r#"{"anything-but":"#, "1", "}")),
        format!(r#"{{"http":{}}}"#, nested(r#"{"defaultHealthyRetryPolicy":"#, "1", "}")),
        format!(r#"{{"Statement":{}}}"#, nested("[", "", "]")),
        format!(r#"{{"default":"d","x":{}}}"#, nested("[", "", "]")),
        format!("{{{}}}", many(&|n| format!(r#""{n}":["x"]"#))),
        format!("{{{}}}", many(&|_| r#""a":["x"]"#.to_owned())),
        format!(r#"{{"a":[{}]}}"#, many(&|n| n.to_string())),
        format!(r#"{{"a":[{{"anything-but":[{}]}}]}}"#, many(&|n| n.to_string())),
        format!(r#"{{"$or":[{}]}}"#, many(&|n| format!(r#"{{"{n}":["x"]}}"#))),
        format!(r#"{{"Statement":[{}]}}"#, many(&|n| format!(r#"{{"Sid":"{n}"}}"#))),
        format!(r#"{{"default":"d",{}}}"#, many(&|n| format!(r#""{n}":"x""#))),
        format!(r#"{{"a":[{digits}]}}"#),
        format!(r#"{{"a":[{{"numeric":["=",{digits}]}}]}}"#),
        format!(r#"{{"a":[{{"numeric":["=",1e{digits}]}}]}}"#),
        format!(r#"{{"MessageRetentionPeriod":"{digits}"}}"#),
        format!(r#"{{"healthyRetryPolicy":{{"numRetries":{digits}}}}}"#),
        format!(r#"{{"{}":["x"]}}"#, "a.".repeat(MANY)),
        format!(r#"{{"a":[{{"wildcard":"{}"}}]}}"#, "*".repeat(MANY)),
        format!(r#"{{"a":[{{"prefix":"{}"}}]}}"#, "\\u0000".repeat(MANY / 10)),
        format!(r#"{{"a":["{}"]}}"#, "\\ud800".repeat(MANY / 10)),
        format!("{}{{}}", " ".repeat(MANY)),
        digits,
    ]
}

#[tokio::test]
async fn huge_documents_cost_little_and_harm_nobody() {
    let Some(errors) =
        Errors::listen("malformed_input::topics::huge_documents_cost_little_and_harm_nobody")
    else {
        return;
    };
    let (service, calls) = service_and_calls().await;
    let documents = huge_documents();
    for (operation, input) in &calls {
        let mut found = Vec::new();
        places(input, "", &mut found);
        for place in &found {
            // Create and Subscribe read them as Set does.
            let is_read_here = matches!(
                *operation,
                "SetTopicAttributes" | "SetSubscriptionAttributes" | "Publish" | "PublishBatch"
            );
            let text = input.pointer(place).and_then(Value::as_str);
            if !is_read_here || !text.is_some_and(|text| text.starts_with(['{', '['])) {
                continue;
            }
            for document in &documents {
                let mut bent = input.clone();
                *bent.pointer_mut(place).unwrap() = json!(document);
                let answer = service.sns(operation, &bent).await;
                let sent = || format!("{operation} {place} = {document:.100}");
                assert_blames_the_caller(&answer, operation, &sent);
            }
        }
        service.runtime.do_background_work().await.unwrap();
    }
    // As plain messages, whose bodies filters look into.
    for document in &documents {
        let input = json!({"TopicArn": format!("{TOPICS}:t"), "Message": document});
        let answer = service.sns("Publish", &input).await;
        assert_blames_the_caller(&answer, "Publish", &|| format!("{document:.100}"));
    }
    service.runtime.do_background_work().await.unwrap();
    assert_readable(&service).await;
    errors.assert_none();
}

#[tokio::test]
async fn long_lists_cost_little_and_harm_nobody() {
    const LONG: usize = 10_000;
    let Some(errors) =
        Errors::listen("malformed_input::topics::long_lists_cost_little_and_harm_nobody")
    else {
        return;
    };
    let (service, _) = service_and_calls().await;
    let t = format!("{TOPICS}:t");
    let texts: Vec<_> = (0..LONG).map(|number| number.to_string()).collect();
    let tags: Vec<_> = texts.iter().map(|key| json!({"Key": key, "Value": key})).collect();
    let entries: Vec<_> = texts.iter().map(|id| json!({"Id": id, "Message": "m"})).collect();
    let map = |value: &dyn Fn(&str) -> Value| -> Value {
        Value::Object(texts.iter().map(|text| (text.clone(), value(text))).collect())
    };
    let text = |text: &str| json!(text);
    let attribute = |text: &str| json!({"DataType": "String", "StringValue": text});
    for (operation, input) in [
        (
            "AddPermission",
            json!({"TopicArn": t, "Label": "l", "AWSAccountId": vec!["111122223333"; LONG], "ActionName": ["Publish"]}),
        ),
        (
            "AddPermission",
            json!({"TopicArn": t, "Label": "m", "AWSAccountId": ["111122223333"], "ActionName": vec!["Publish"; LONG]}),
        ),
        ("TagResource", json!({"ResourceArn": t, "Tags": tags})),
        ("UntagResource", json!({"ResourceArn": t, "TagKeys": texts})),
        ("CreateTopic", json!({"Name": "n", "Tags": tags})),
        ("CreateTopic", json!({"Name": "n", "Attributes": map(&text)})),
        (
            "Subscribe",
            json!({"TopicArn": t, "Protocol": "sqs", "Endpoint": format!("{ARNS}:n"), "Attributes": map(&text)}),
        ),
        ("PublishBatch", json!({"TopicArn": t, "PublishBatchRequestEntries": entries})),
        ("Publish", json!({"TopicArn": t, "Message": "m", "MessageAttributes": map(&attribute)})),
    ] {
        let answer = service.sns(operation, &input).await;
        assert_blames_the_caller(&answer, operation, &|| operation.to_owned());
    }
    service.runtime.do_background_work().await.unwrap();
    assert_readable(&service).await;
    errors.assert_none();
}

/// What stays with a topic or a subscription, in memory too, is not of any length. Spaces count.
#[tokio::test]
async fn what_is_kept_of_topics_has_a_limit() {
    const LIMIT: usize = 64 * 1024;
    let (service, calls) = service_and_calls().await;
    let is_checked = |input: &&Value| {
        let name = input["AttributeName"].as_str().unwrap_or_default();
        matches!(name, "DeliveryPolicy" | "ArchivePolicy" | "RedrivePolicy")
    };
    let mut checked: Vec<_> =
        calls.iter().filter(|(_, input)| is_checked(&input)).cloned().collect();
    assert_eq!(checked.len(), 4);
    let topic = format!("{TOPICS}:t");
    let key = json!({"TopicArn": topic, "AttributeName": "KmsMasterKeyId", "AttributeValue": "k"});
    checked.push(("SetTopicAttributes", key));
    for (operation, input) in checked {
        for (bytes, is_kept) in [(LIMIT, true), (LIMIT + 1, false)] {
            let mut long = input.clone();
            let value = input["AttributeValue"].as_str().unwrap();
            long["AttributeValue"] = json!(padded(value, bytes));
            let answer = service.sns(operation, &long).await;
            let what = &input["AttributeName"];
            assert_eq!(answer.status, if is_kept { 200 } else { 400 }, "{what} of {bytes} bytes");
            assert!(is_kept || answer.text().contains("<Code>InvalidParameter</Code>"));
        }
    }
}

/// What a transaction compiles is bounded by its length; the rest of the subscriptions are served
/// later, each once.
#[tokio::test]
async fn long_filters_are_looked_at_in_pages() {
    const SUBSCRIPTIONS: usize = 200;
    let (service, _) = service_and_calls().await;
    let topic = service.sns_ok("CreateTopic", json!({"Name": "long"})).await["TopicArn"].clone();
    let filter = json!({"k": ["x", "y".repeat(100_000)]}).to_string();
    for number in 0..SUBSCRIPTIONS {
        let name = format!("long{number}");
        service.ok("CreateQueue", json!({"QueueName": name})).await;
        let input = json!({
            "TopicArn": topic, "Protocol": "sqs", "Endpoint": format!("{ARNS}:{name}"),
            "Attributes": {"FilterPolicy": filter, "RawMessageDelivery": "true"},
        });
        service.sns_ok("Subscribe", input).await;
    }
    for value in ["x", "other"] {
        let attribute = json!({"DataType": "String", "StringValue": value});
        let input = json!({
            "TopicArn": topic, "Message": value, "MessageAttributes": {"k": attribute},
        });
        service.sns_ok("Publish", input).await;
        // Subscriptions are read a hundred at a time, and these are long enough.
        for (number, count) in [(99, "1"), (100, "0")] {
            let url = format!("{}/long{number}", crate::gateway::QUEUES);
            let input = json!({"QueueUrl": url, "AttributeNames": ["All"]});
            let shown = service.ok("GetQueueAttributes", input).await;
            assert_eq!(shown["Attributes"]["ApproximateNumberOfMessages"], count, "{number}");
        }
    }
    service.runtime.do_background_work().await.unwrap();
    for number in 0..SUBSCRIPTIONS {
        let url = format!("{}/long{number}", crate::gateway::QUEUES);
        let input = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
        let received = service.ok("ReceiveMessage", input).await;
        let bodies: Vec<_> =
            received["Messages"].as_array().unwrap().iter().map(|one| &one["Body"]).collect();
        assert_eq!(bodies, ["x"], "{number}");
    }
}

/// A topic, the ARNs of its subscriptions, each of which hands raw messages to a queue of its own, if
/// this filter on the body lets them through.
async fn topic_with_filters(
    service: &Service,
    name: &str,
    filters: impl Iterator<Item = Value>,
) -> (TopicAddress, Vec<Value>) {
    let arn = service.sns_ok("CreateTopic", json!({"Name": name})).await["TopicArn"].clone();
    let mut subscriptions = Vec::new();
    for (number, filter) in filters.enumerate() {
        let queue = format!("{name}{number}");
        service.ok("CreateQueue", json!({"QueueName": queue})).await;
        let input = json!({
            "TopicArn": arn, "Protocol": "sqs", "Endpoint": format!("{ARNS}:{queue}"),
            "Attributes": {
                "FilterPolicy": filter.to_string(), "FilterPolicyScope": "MessageBody",
                "RawMessageDelivery": "true",
            },
        });
        let subscribed = service.sns_ok("Subscribe", input).await;
        subscriptions.push(subscribed["SubscriptionArn"].clone());
    }
    (TopicAddress::from_arn("TopicArn", arn.as_str().unwrap(), "us-east-1").unwrap(), subscriptions)
}

/// How many messages are in a queue, which must be the one that was published.
async fn arrived(service: &Service, queue: &str, message: &str) -> usize {
    let url = format!("{}/{queue}", crate::gateway::QUEUES);
    let input = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
    let received = service.ok("ReceiveMessage", input).await;
    let messages = received["Messages"].as_array().cloned().unwrap_or_default();
    assert!(messages.iter().all(|one| one["Body"] == message), "{queue}");
    messages.len()
}

/// No transaction filters a long message. What filters say of it before holds for the subscriptions that still exist, even if
/// the topic changes all the time: none of them delays a publication for ever.
#[tokio::test]
async fn long_messages_are_filtered_before_the_transaction() {
    let service = Service::new(settings());
    let accepting = |value: &str| json!({ "k": [value] });
    let (topic, subscriptions) =
        topic_with_filters(&service, "long", ["a", "b", "a"].into_iter().map(accepting)).await;
    let message = json!({"k": "a", "filling": "x".repeat(100_000)}).to_string();
    let request = Arc::new(Request {
        access: squab::engine::access::Access::everything(),
        topic,
        messages: vec![Published { message: message.clone(), ..Published::default() }],
        in_batch: false,
        trace_header: None,
        base_url: String::new(),
    });
    let publish_filtered = async |accepting: Option<Vec<Vec<i64>>>| {
        let (topics, request) = (Arc::clone(service.runtime.topics()), Arc::clone(&request));
        let work =
            move |tx: &mut Txn<'_>| publish(tx, &topics, &request, accepting.as_deref(), &[]);
        service.runtime.run(work).await.unwrap()
    };

    let Outcome::ToFilter(topic) = publish_filtered(None).await else { panic!("not filtered") };
    let filtered = topic.filter(&request.messages);
    for (number, value) in [(0, "b"), (1, "a")] {
        let input = json!({
            "SubscriptionArn": subscriptions[number], "AttributeName": "FilterPolicy",
            "AttributeValue": accepting(value).to_string(),
        });
        service.sns_ok("SetSubscriptionAttributes", input).await;
    }
    service.sns_ok("Unsubscribe", json!({"SubscriptionArn": subscriptions[2]})).await;
    let outcome = publish_filtered(Some(filtered)).await;
    assert!(matches!(outcome, Outcome::Published(_)), "{outcome:?}");
    for (queue, expected) in [("long0", 1), ("long1", 0), ("long2", 0)] {
        assert_eq!(arrived(&service, queue, &message).await, expected, "{queue}");
    }

    // The next call sees the changes.
    let Outcome::ToFilter(topic) = publish_filtered(None).await else { panic!("not filtered") };
    publish_filtered(Some(topic.filter(&request.messages))).await;
    for (queue, expected) in [("long0", 0), ("long1", 1), ("long2", 0)] {
        assert_eq!(arrived(&service, queue, &message).await, expected, "{queue}");
    }
}

/// A long message comes to each of many subscriptions that want it, once, page by page; to those who
/// have left meanwhile, and those who do not want it, not.
#[tokio::test]
async fn long_messages_are_filtered_in_pages() {
    const SUBSCRIPTIONS: usize = 198;
    let service = Service::new(settings());
    let filters = (0..SUBSCRIPTIONS).map(|number| json!({"k": [{"numeric": ["=", number % 2]}]}));
    let (topic, subscriptions) = topic_with_filters(&service, "paged", filters).await;
    let message = json!({"k": 1, "filling": "x".repeat(200_000)}).to_string();
    let input = json!({"TopicArn": topic.arn(), "Message": message});
    service.sns_ok("Publish", input).await;
    let gone = SUBSCRIPTIONS - 1;
    service.sns_ok("Unsubscribe", json!({"SubscriptionArn": subscriptions[gone]})).await;
    service.runtime.do_background_work().await.unwrap();
    for number in 0..SUBSCRIPTIONS {
        let expected = usize::from(number % 2 == 1 && number != gone);
        let queue = format!("paged{number}");
        assert_eq!(arrived(&service, &queue, &message).await, expected, "{queue}");
    }
}

/// What subscribers get of odd texts can be read, and says what was sent.
#[tokio::test]
async fn odd_texts_arrive_as_they_went() {
    let (service, _) = service_and_calls().await;
    let queue = format!("{}/q", crate::gateway::QUEUES);
    for text in hostile_texts() {
        let input = json!({"TopicArn": format!("{TOPICS}:t"), "Message": text, "MessageAttributes": {
            "a": {"DataType": "String", "StringValue": text},
        }});
        let answer = service.sns("Publish", &input).await;
        if answer.status != 200 {
            continue;
        }
        let received = service.ok("ReceiveMessage", json!({"QueueUrl": queue})).await;
        let message = &received["Messages"][0];
        assert!(message.is_object(), "{text:?} did not arrive");
        let body: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
        assert_eq!(
            (&body["Message"], &body["MessageAttributes"]["a"]["Value"]),
            (&json!(text), &json!(text))
        );
        let input = json!({"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]});
        service.ok("DeleteMessage", input).await;
    }
}

#[test]
fn bent_and_made_up_requests_of_sns_are_never_our_fault() {
    let Some(errors) = Errors::listen(
        "malformed_input::topics::bent_and_made_up_requests_of_sns_are_never_our_fault",
    ) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (service, calls) = runtime.block_on(service_and_calls());
    let config = Config { cases: 3_000, failure_persistence: None, ..Config::default() };
    let strategy = (
        0..calls.len(),
        proptest::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..4),
    );
    TestRunner::new(config)
        .run(&strategy, |(call, bends)| {
            let (operation, input) = &calls[call];
            let mut body = form(operation, input).into_bytes();
            for (at, byte, how) in bends {
                if !body.is_empty() {
                    body = bent(&body, at, byte, how);
                }
            }
            let answer = runtime.block_on(service.answer_at_once(posted("/", body.clone())));
            // A bent version or action may be one of SQS.
            let of_sqs = answer.text().contains("http://queue.amazonaws.com/");
            let of = if of_sqs { Aws::Sqs } else { Aws::Sns };
            let sent = || format!("{operation} {}", String::from_utf8_lossy(&body));
            assert_blames_the_caller_of(of, Protocol::Query, &answer, &sent);
            Ok(())
        })
        .unwrap();
    runtime.block_on(service.runtime.do_background_work()).unwrap();
    errors.assert_none();
}
