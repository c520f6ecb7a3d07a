//! The bytes of AWS Query's responses in JSON: one file per shape of a response.

use super::{compare, show_exchange};
use crate::gateway::{Caller, HOST, QUEUES, Service as Squab, authorization, form, settings, sns};
use axum::body::Body;
use hyper::Request;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A shape, the service that is called, calls that prepare it, and the form of the request to show.
type Scene = (&'static str, &'static str, Vec<(&'static str, Value)>, String);

#[tokio::test]
async fn the_bytes_of_answers_in_json_are_those_of_their_file() {
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for (shape, service, before, form) in scenes() {
        let squab = Squab::new(settings());
        for (operation, input) in before {
            let caller = Caller::default();
            match service {
                "sns" => squab.ask_sns(&caller, operation, &input).await,
                _ => squab.ask(&caller, operation, &input).await,
            }
            .unwrap();
        }
        let request = Request::post("/")
            .header("host", HOST)
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .header("authorization", authorization(&Caller::default(), service))
            .body(Body::from(form))
            .unwrap();
        let shown = show_exchange(request, async |request| squab.answer(request).await).await;
        writeln!(files.entry(shape).or_default(), "{shown}").unwrap();
    }
    compare("tests/golden/query_json", &files);
}

fn scenes() -> Vec<Scene> {
    let url = format!("{QUEUES}/q");
    let create = || ("CreateQueue", json!({"QueueName": "q"}));
    let sqs = |shape, before, operation, input: Value| -> Scene {
        (shape, "sqs", before, form(operation, &input))
    };
    let of_sns = |shape, before, operation, input: Value| -> Scene {
        (shape, "sns", before, sns::form(operation, &input))
    };
    let topic = || ("CreateTopic", json!({"Name": "t"}));
    let arn = format!("{}:t", sns::TOPICS);
    let attributes = json!({"a": {"DataType": "String", "StringValue": "x"}});
    let message = json!({"QueueUrl": url, "MessageBody": "b", "MessageAttributes": attributes});
    let all = json!({
        "QueueUrl": url,
        "AttributeNames": ["SenderId"],
        "MessageAttributeNames": ["All"],
    });
    let names = json!({"QueueUrl": url, "AttributeNames": ["QueueArn", "DelaySeconds"]});
    let entries = json!([{"Id": "1", "MessageBody": "b"}, {"Id": "2", "MessageBody": "b", "DelaySeconds": 901}]);
    vec![
        sqs("list", vec![create()], "ListQueues", json!({})),
        sqs("empty_list", vec![], "ListQueues", json!({})),
        sqs("map", vec![create()], "GetQueueAttributes", names),
        sqs("structure", vec![create()], "SendMessage", message.clone()),
        sqs("nested", vec![create(), ("SendMessage", message)], "ReceiveMessage", all),
        sqs(
            "batch",
            vec![create()],
            "SendMessageBatch",
            json!({"QueueUrl": url, "Entries": entries}),
        ),
        sqs("no_output", vec![create()], "PurgeQueue", json!({"QueueUrl": url})),
        sqs("error", vec![], "DeleteQueue", json!({"QueueUrl": url})),
        of_sns("sns_list", vec![topic()], "ListTopics", json!({})),
        of_sns("sns_empty_list", vec![], "ListTopics", json!({})),
        of_sns("sns_map", vec![topic()], "GetTopicAttributes", json!({"TopicArn": arn})),
        of_sns("sns_structure", vec![topic()], "Publish", json!({"TopicArn": arn, "Message": "m"})),
        of_sns(
            "sns_empty_output",
            vec![topic()],
            "TagResource",
            json!({"ResourceArn": arn, "Tags": [{"Key": "k", "Value": "v"}]}),
        ),
        of_sns("sns_error", vec![], "Publish", json!({"TopicArn": arn, "Message": "m"})),
        ("sts_structure", "sts", vec![], "Action=GetCallerIdentity&Version=2011-06-15".into()),
        ("sts_error", "sts", vec![], "Action=GetAccessKeyInfo&Version=2011-06-15".into()),
    ]
}
