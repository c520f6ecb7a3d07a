//! SQS. The SDK verifies the MD5 of bodies itself.

use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageAttributeValue, MessageSystemAttributeName,
    QueueAttributeName, SendMessageBatchRequestEntry,
};

use crate::aws::{Aws, unique};
use crate::checks;

checks! {
    queues ["queues-01", "queues-07", "listing-01", "listing-02", "tags-02", "tags-03"];
    a_message_goes_there_and_back ["messages-01", "messages-03", "messages-08", "attributes-01"];
    absent_lists_are_absent ["messages-02", "messages-17"];
    batches ["batches-01", "batches-03", "batches-04", "batches-12"];
    errors_are_typed ["errors-01", "errors-02", "errors-03", "messages-12", "queues-05"];
    a_long_poll_ends_when_a_message_is_sent ["polling-02"];
    an_aborted_poll_takes_no_message ["polling-06"];
    visibility ["visibility-01", "visibility-04", "system-04"];
    fifo ["fifo-01", "fifo-02", "fifo-04", "fifo-10", "dedup-01", "dedup-02"];
    dead_letters_and_back ["dlq-01", "dlq-02", "dlq-05", "moves-02", "moves-03"];
    purge ["purge-01", "purge-03"];
}

async fn queues(aws: Aws) {
    let url = aws.queue(&[("VisibilityTimeout", "7")]).await;
    let name = url.rsplit('/').next().expect("a name");
    let found = aws.sqs.get_queue_url().queue_name(name).send().await.expect("found");
    assert_eq!(found.queue_url(), Some(&*url));
    let delay = QueueAttributeName::DelaySeconds;
    let set = aws.sqs.set_queue_attributes().queue_url(&url).attributes(delay.clone(), "3");
    set.send().await.expect("set");
    let asked = aws.sqs.get_queue_attributes().queue_url(&url);
    let shown = asked.attribute_names(QueueAttributeName::All).send().await.expect("shown");
    let attributes = shown.attributes.expect("attributes");
    assert_eq!(attributes[&delay], "3");
    assert_eq!(attributes[&QueueAttributeName::VisibilityTimeout], "7");

    let mut pages =
        aws.sqs.list_queues().queue_name_prefix(name).into_paginator().page_size(1).items().send();
    assert_eq!(pages.next().await.expect("one").expect("a page"), url);
    assert!(pages.next().await.is_none());

    let tag = aws.sqs.tag_queue().queue_url(&url).tags("a", "1").tags("b", "2");
    tag.send().await.expect("tagged");
    aws.sqs.untag_queue().queue_url(&url).tag_keys("a").send().await.expect("untagged");
    let tags = aws.sqs.list_queue_tags().queue_url(&url).send().await.expect("tags").tags;
    assert_eq!(tags.expect("tags").into_iter().collect::<Vec<_>>(), [("b".into(), "2".into())]);
}

async fn a_message_goes_there_and_back(aws: Aws) {
    let url = aws.queue(&[]).await;
    let value = |data_type: &str| MessageAttributeValue::builder().data_type(data_type);
    let attributes = std::collections::HashMap::from([
        ("city".to_owned(), value("String").string_value("größe 鳩").build().expect("valid")),
        ("count".to_owned(), value("Number.int").string_value("7").build().expect("valid")),
        (
            "raw".to_owned(),
            value("Binary")
                .binary_value(Blob::new((0..=255).collect::<Vec<u8>>()))
                .build()
                .expect("valid"),
        ),
    ]);
    let body = "tab\tline\nreturn\r <&> \"quoted\" 🐦";
    let call = aws.sqs.send_message().queue_url(&url).message_body(body);
    let sent = call.set_message_attributes(Some(attributes.clone())).send().await.expect("sent");
    let [message] = &aws.receive(&url, 10, 5).await[..] else { panic!("one message") };
    assert_eq!(message.message_id, sent.message_id);
    assert_eq!(message.body(), Some(body));
    assert_eq!(message.message_attributes, Some(attributes));
    assert_eq!(message.md5_of_message_attributes, sent.md5_of_message_attributes);
    aws.delete(&url, message).await;
    assert!(aws.receive(&url, 10, 0).await.is_empty());
}

async fn absent_lists_are_absent(aws: Aws) {
    let url = aws.queue(&[]).await;
    let asked = aws.sqs.receive_message().queue_url(&url);
    assert_eq!(asked.clone().send().await.expect("an answer").messages, None);
    aws.send(&url, "m").await;
    let message = asked.send().await.expect("an answer").messages.expect("one").remove(0);
    assert_eq!((message.attributes, message.message_attributes), (None, None));
}

async fn batches(aws: Aws) {
    let url = aws.queue(&[("MaximumMessageSize", "1024")]).await;
    let mut call = aws.sqs.send_message_batch().queue_url(&url);
    for (id, body) in [("small", "a".into()), ("other", "b".into()), ("large", "a".repeat(1025))] {
        let entry = SendMessageBatchRequestEntry::builder().id(id).message_body(body);
        call = call.entries(entry.build().expect("valid"));
    }
    let answer = call.send().await.expect("an answer");
    let ids: Vec<_> = answer.successful().iter().map(|entry| entry.id()).collect();
    assert_eq!(ids, ["small", "other"]);
    let [failed] = answer.failed() else { panic!("one failure") };
    assert_eq!(
        (failed.id(), failed.code(), failed.sender_fault()),
        ("large", "InvalidParameterValue", true)
    );

    let mut call = aws.sqs.delete_message_batch().queue_url(&url);
    let received = aws.receive(&url, 10, 5).await;
    let handles = received.iter().filter_map(|message| message.receipt_handle());
    for (i, handle) in handles.chain(["made-up"]).enumerate() {
        let entry = DeleteMessageBatchRequestEntry::builder().id(i.to_string());
        call = call.entries(entry.receipt_handle(handle).build().expect("valid"));
    }
    let answer = call.send().await.expect("an answer");
    assert_eq!(answer.successful().len(), received.len());
    let [failed] = answer.failed() else { panic!("one failure") };
    assert_eq!(failed.code(), "ReceiptHandleIsInvalid");
}

async fn errors_are_typed(aws: Aws) {
    let error = aws.sqs.get_queue_url().queue_name(unique()).send().await.expect_err("unknown");
    let error = error.into_service_error();
    assert!(error.is_queue_does_not_exist(), "{error:?}");
    assert_eq!(error.message(), Some("The specified queue does not exist."));

    let url = aws.queue(&[("DelaySeconds", "1")]).await;
    let name = url.rsplit('/').next().expect("a name");
    let again = aws.sqs.create_queue().queue_name(name);
    let error = again.attributes(QueueAttributeName::DelaySeconds, "2").send().await;
    assert!(error.expect_err("other attributes").into_service_error().is_queue_name_exists());

    let delete = aws.sqs.delete_message().queue_url(&url).receipt_handle("made-up");
    let error = delete.send().await.expect_err("made up").into_service_error();
    assert!(error.is_receipt_handle_is_invalid(), "{error:?}");

    let empty = aws.sqs.send_message().queue_url(&url).message_body("");
    let error = empty.send().await.expect_err("no body");
    // Of what the model does not have, `__type` is the code.
    assert!(error.code().expect("a code").contains("MissingParameter"), "{error:?}");
}

async fn a_long_poll_ends_when_a_message_is_sent(aws: Aws) {
    let url = aws.queue(&[]).await;
    let poll = tokio::spawn({
        let (aws, url) = (aws.clone(), url.clone());
        async move { aws.bodies(&url, 20).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await; // for the poll to begin
    aws.send(&url, "awaited").await;
    let start = std::time::Instant::now();
    assert_eq!(poll.await.expect("an answer"), ["awaited"]);
    assert!(start.elapsed().as_secs() < 10);
}

async fn an_aborted_poll_takes_no_message(aws: Aws) {
    let url = aws.queue(&[("VisibilityTimeout", "600")]).await;
    let aborted = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(aborted, aws.receive(&url, 10, 20)).await.is_err());
    aws.send(&url, "kept").await;
    assert_eq!(aws.bodies(&url, 5).await, ["kept"]);
}

async fn visibility(aws: Aws) {
    let url = aws.queue(&[]).await;
    aws.send(&url, "m").await;
    let message = aws.receive(&url, 1, 5).await.remove(0);
    assert!(aws.receive(&url, 1, 0).await.is_empty());
    let hide = aws.sqs.change_message_visibility().queue_url(&url).visibility_timeout(0);
    hide.set_receipt_handle(message.receipt_handle).send().await.expect("changed");
    let again = aws.receive(&url, 1, 5).await.remove(0);
    let attributes = again.attributes.expect("attributes");
    assert_eq!(attributes[&MessageSystemAttributeName::ApproximateReceiveCount], "2");
}

async fn fifo(aws: Aws) {
    let url = aws.queue(&[("FifoQueue", "true"), ("ContentBasedDeduplication", "true")]).await;
    let mut sent = Vec::new();
    for body in ["a", "b", "b", "c"] {
        let call = aws.sqs.send_message().queue_url(&url).message_body(body);
        sent.push(call.message_group_id("g").send().await.expect("sent"));
    }
    assert_eq!(sent[1].message_id, sent[2].message_id);
    assert!(sent[0].sequence_number < sent[1].sequence_number);
    for body in ["a", "b", "c"] {
        let message = aws.receive(&url, 1, 5).await.remove(0);
        assert_eq!(message.body(), Some(body));
        assert!(aws.receive(&url, 1, 0).await.is_empty());
        aws.delete(&url, &message).await;
    }
}

async fn dead_letters_and_back(aws: Aws) {
    let dead = aws.queue(&[]).await;
    let arn = aws.arn(&dead).await;
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":1}}"#);
    let url = aws.queue(&[("RedrivePolicy", &policy), ("VisibilityTimeout", "0")]).await;
    let id = aws.send(&url, "m").await;
    assert_eq!(aws.bodies(&url, 5).await, ["m"]);
    assert!(aws.receive(&url, 1, 0).await.is_empty());
    let moved = aws.receive(&dead, 1, 5).await.remove(0);
    assert_eq!(moved.message_id(), Some(&*id));
    let hide = aws.sqs.change_message_visibility().queue_url(&dead).visibility_timeout(0);
    hide.set_receipt_handle(moved.receipt_handle).send().await.expect("changed");

    aws.sqs.start_message_move_task().source_arn(&arn).send().await.expect("started");
    assert_eq!(aws.bodies(&url, 10).await, ["m"]);
    let tasks = aws.sqs.list_message_move_tasks().source_arn(&arn).send().await.expect("tasks");
    assert_eq!(tasks.results()[0].approximate_number_of_messages_moved(), 1);
}

async fn purge(aws: Aws) {
    let url = aws.queue(&[]).await;
    aws.send(&url, "before").await;
    aws.sqs.purge_queue().queue_url(&url).send().await.expect("purged");
    aws.send(&url, "after").await;
    assert_eq!(aws.bodies(&url, 5).await, ["after"]);
}
