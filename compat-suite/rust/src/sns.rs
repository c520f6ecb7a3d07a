//! SNS and STS.

use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::aws::{Aws, unique};
use crate::checks;

checks! {
    the_envelope ["topics-01", "delivery-01", "delivery-02", "publishing-01"];
    raw_and_filtered ["delivery-04", "filters-01", "filters-15", "publishbatch-01"];
    fifo_topics ["topicfifo-01", "topicfifo-03", "topicfifo-08"];
    errors_are_typed_too ["topics-10", "topics-05", "subscriptions-09", "publishbatch-03"];
    attributes_and_tags ["topics-12", "subscriptions-01", "subscriptions-07", "topictags-02"];
    an_http_endpoint ["http-01", "http-03", "http-04"];
    identity ["sts-01"];
}

const RAW: (&str, &str) = ("RawMessageDelivery", "true");

fn text(value: &str) -> MessageAttributeValue {
    let value = MessageAttributeValue::builder().data_type("String").string_value(value);
    value.build().expect("valid")
}

async fn the_envelope(aws: Aws) {
    let topic = aws.topic(&[]).await;
    let inbox = aws.inbox(&topic, &[], &[]).await;
    let call = aws.sns.publish().topic_arn(&topic).message("m").subject("s");
    let sent = call.message_attributes("k", text("größe")).send().await.expect("published");
    let envelope: Value = serde_json::from_str(&aws.bodies(&inbox, 5).await[0]).expect("JSON");
    assert_eq!(envelope["MessageId"].as_str(), sent.message_id());
    assert_eq!(envelope["Subject"], "s");
    assert_eq!(envelope["MessageAttributes"]["k"]["Value"], "größe");
}

async fn raw_and_filtered(aws: Aws) {
    let topic = aws.topic(&[]).await;
    let policy = ("FilterPolicy", r#"{"kind":["bird"]}"#);
    let inbox = aws.inbox(&topic, &[], &[RAW, policy]).await;
    let mut call = aws.sns.publish_batch().topic_arn(&topic);
    for kind in ["fish", "bird"] {
        let entry = PublishBatchRequestEntry::builder().id(kind).message(kind);
        let entry = entry.message_attributes("kind", text(kind)).build().expect("valid");
        call = call.publish_batch_request_entries(entry);
    }
    let answer = call.send().await.expect("published");
    assert_eq!((answer.successful().len(), answer.failed().len()), (2, 0));
    let message = aws.receive(&inbox, 1, 5).await.remove(0);
    assert_eq!(message.body(), Some("bird"));
    let attributes = message.message_attributes.expect("attributes");
    assert_eq!(attributes["kind"].string_value(), Some("bird"));
}

async fn fifo_topics(aws: Aws) {
    let topic = aws.topic(&[("FifoTopic", "true"), ("ContentBasedDeduplication", "true")]).await;
    let inbox = aws.inbox(&topic, &[("FifoQueue", "true")], &[RAW]).await;
    let mut sent = Vec::new();
    for message in ["a", "b", "b", "c"] {
        let call = aws.sns.publish().topic_arn(&topic).message(message).message_group_id("g");
        sent.push(call.send().await.expect("published"));
    }
    assert_eq!(sent[1].message_id, sent[2].message_id);
    assert!(sent[0].sequence_number < sent[1].sequence_number);
    assert_eq!(aws.bodies(&inbox, 5).await, ["a", "b", "c"]);
}

async fn errors_are_typed_too(aws: Aws) {
    let topic = aws.topic(&[]).await;
    let unknown = aws.sns.publish().topic_arn(topic.clone() + &unique()).message("m");
    let error = unknown.send().await.expect_err("unknown").into_service_error();
    assert!(error.is_not_found_exception(), "{error:?}");

    let name = topic.rsplit(':').next().expect("a name");
    let again = aws.sns.create_topic().name(name).attributes("DisplayName", "other");
    let error = again.send().await.expect_err("other attributes").into_service_error();
    assert!(error.is_invalid_parameter_exception(), "{error:?}");

    let subscribe = aws.sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint("q");
    let error = subscribe.send().await.expect_err("no ARN").into_service_error();
    assert!(error.is_invalid_parameter_exception(), "{error:?}");

    let entry = PublishBatchRequestEntry::builder().id("a").message("m").build().expect("valid");
    let twice = aws.sns.publish_batch().topic_arn(&topic);
    let twice = twice.publish_batch_request_entries(entry.clone());
    let error = twice.publish_batch_request_entries(entry).send().await;
    let error = error.expect_err("one id twice").into_service_error();
    assert!(error.is_batch_entry_ids_not_distinct_exception(), "{error:?}");
}

async fn attributes_and_tags(aws: Aws) {
    let topic = aws.topic(&[]).await;
    let set = aws.sns.set_topic_attributes().topic_arn(&topic).attribute_name("DisplayName");
    set.attribute_value("größe").send().await.expect("set");
    let shown = aws.sns.get_topic_attributes().topic_arn(&topic).send().await.expect("shown");
    assert_eq!(shown.attributes.expect("attributes")["DisplayName"], "größe");

    let pages = aws.sns.list_subscriptions_by_topic().topic_arn(&topic).into_paginator().items();
    let none: Vec<_> = pages.send().collect::<Result<_, _>>().await.expect("pages");
    assert!(none.is_empty());
    aws.inbox(&topic, &[], &[RAW]).await;
    let pages = aws.sns.list_subscriptions_by_topic().topic_arn(&topic).into_paginator().items();
    let all: Vec<_> = pages.send().collect::<Result<_, _>>().await.expect("pages");
    let arn = all[0].subscription_arn().expect("an ARN");
    let shown = aws.sns.get_subscription_attributes().subscription_arn(arn).send().await;
    assert_eq!(shown.expect("shown").attributes.expect("attributes")["RawMessageDelivery"], "true");

    let tag = aws_sdk_sns::types::Tag::builder().key("team").value("birds").build();
    let call = aws.sns.tag_resource().resource_arn(&topic).tags(tag.expect("valid"));
    call.send().await.expect("tagged");
    let tags = aws.sns.list_tags_for_resource().resource_arn(&topic).send().await.expect("tags");
    assert_eq!(tags.tags()[0].value(), "birds");
}

/// The next request to a listener: its text, headers included. It is answered with 200.
async fn next_post(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let text = read_request(&mut stream).await;
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    stream.write_all(answer).await.expect("answered");
    text
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned)
            });
            if body.len() >= length.expect("a length").parse().expect("a number") {
                return text;
            }
        }
        assert!(stream.read_buf(&mut bytes).await.expect("read") > 0, "it ended early: {text}");
    }
}

fn body_of(request: &str) -> Value {
    let (_, body) = request.split_once("\r\n\r\n").expect("a head");
    serde_json::from_str(body).expect("JSON")
}

async fn an_http_endpoint(aws: Aws) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let topic = aws.topic(&[]).await;
    let call = aws.sns.subscribe().topic_arn(&topic).protocol("http").endpoint(url);
    let pending = call.send().await.expect("subscribed");
    assert_eq!(pending.subscription_arn(), Some("pending confirmation"));

    let question = next_post(&listener).await;
    assert!(question.to_lowercase().contains("x-amz-sns-message-type: subscriptionconfirmation"));
    let token = body_of(&question)["Token"].as_str().expect("a token").to_owned();
    let confirm = aws.sns.confirm_subscription().topic_arn(&topic).token(token);
    let confirmed = confirm.send().await.expect("confirmed");
    assert!(confirmed.subscription_arn().expect("an ARN").starts_with(&topic));

    let sent = aws.sns.publish().topic_arn(&topic).message("m").send().await.expect("published");
    let notification = body_of(&next_post(&listener).await);
    assert_eq!(notification["MessageId"].as_str(), sent.message_id());
}

async fn identity(aws: Aws) {
    let identity = aws.sts.get_caller_identity().send().await.expect("an identity");
    let account = identity.account().expect("an account");
    assert!(aws.topic(&[]).await.contains(&format!(":{account}:")));
}
