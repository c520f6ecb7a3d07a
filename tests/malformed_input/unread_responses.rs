//! Responses that the client does not read, and responses of unlimited size: their memory is bounded,
//! and no message is lost.

use crate::gateway::{Answer, PROTOCOLS, QUEUES, Service, request, settings};
use serde_json::{Value, json};
use squab::api::CompatOptions;
use squab::runtime::memory::{Memory, Stage};
use squab::server::gateway::GatewaySettings;
use std::sync::Arc;
use std::time::Duration;

const MIB: usize = 1024 * 1024;

async fn service_with(settings: GatewaySettings) -> Service {
    let service = Service::new(settings);
    for name in ["large", "small"] {
        service.ok("CreateQueue", json!({"QueueName": name})).await;
    }
    service.ok("SendMessage", json!({"QueueUrl": queue("small"), "MessageBody": "m"})).await;
    service
}

fn queue(name: &str) -> String {
    format!("{QUEUES}/{name}")
}

async fn send_large(service: &Service, count: usize) {
    for _ in 0..count {
        let input = json!({"QueueUrl": queue("large"), "MessageBody": "x".repeat(MIB)});
        service.ok("SendMessage", input).await;
    }
}

fn receive(name: &str) -> Value {
    json!({
        "QueueUrl": queue(name), "MaxNumberOfMessages": 10, "VisibilityTimeout": 0,
        "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
    })
}

fn messages(answer: &Answer, protocol: squab::wire::Protocol) -> Vec<Value> {
    assert_eq!(answer.status, 200);
    let output = answer.output(protocol, "ReceiveMessage");
    output["Messages"].as_array().cloned().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_stays_in_its_queue_and_small_answers_always_find_some() {
    for protocol in PROTOCOLS {
        let memory = Memory::new(64 * MIB);
        let service =
            service_with(GatewaySettings { memory: Arc::clone(&memory), ..settings() }).await;
        send_large(&service, 2).await;
        // What is left is enough for two messages while they are written.
        let others = memory.charge(Stage::Answering, &Arc::default());
        others.set(64 * MIB - 9 * MIB / 2);
        let call = || request(protocol, "/", "ReceiveMessage", &receive("large"));
        let unread = service.gateway.handle(call()).await;
        assert_eq!(unread.status(), 200);

        // There is room for one more of them, though two are asked for.
        let third = service.gateway.handle(call()).await;
        assert!(third.headers().get("content-length").is_none());
        assert_eq!(third.status(), 200);
        // And then for none.
        let refused = service.call(protocol, "ReceiveMessage", &receive("large")).await;
        let refused = refused.refused(protocol);
        assert_eq!((refused.status, refused.code.as_str()), (403, "RequestThrottled"));
        let small = service.call(protocol, "ReceiveMessage", &receive("small")).await;
        assert_eq!(messages(&small, protocol).len(), 1);

        // A waiting request is served when a client reads its response.
        let reads = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(unread);
        };
        let large = receive("large");
        let served = service.call(protocol, "ReceiveMessage", &large);
        let ((), served) = tokio::join!(reads, served);
        let mut counts: Vec<String> = messages(&served, protocol)
            .iter()
            .map(|message| {
                message["Attributes"]["ApproximateReceiveCount"].as_str().unwrap().to_owned()
            })
            .collect();
        counts.sort_unstable();
        // It was received twice before; the refusal counts nothing.
        assert_eq!(counts, ["3"]);
        drop(third);
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_finds_no_room_is_refused() {
    let service = service_with(GatewaySettings { memory: Memory::new(MIB), ..settings() }).await;
    for number in 0..400 {
        let name = format!("{number:080}");
        service.ok("CreateQueue", json!({"QueueName": name})).await;
    }
    let mut unread = Vec::new();
    for protocol in PROTOCOLS.into_iter().cycle().take(60) {
        unread.push(service.gateway.handle(request(protocol, "/", "ListQueues", &json!({}))).await);
    }
    let fitting = unread.iter().filter(|answer| answer.status() == 200).count();
    assert!((15..30).contains(&fitting), "{fitting}");
    let refused = unread.last().unwrap();
    assert_eq!(refused.status(), 403);
    drop(unread);
    service.ok("ListQueues", json!({})).await;
}

/// Ten of the largest messages there can be, with attributes.
#[tokio::test]
async fn ten_messages_are_received_however_large_they_are() {
    let service = service_with(settings()).await;
    let attributes: serde_json::Map<String, Value> = (0..10)
        .map(|number| {
            let value = json!({"DataType": "String", "StringValue": "\"".repeat(100)});
            (format!("a{number}"), value)
        })
        .collect();
    let body = "x".repeat(MIB - 10 * (2 + 6 + 100));
    for _ in 0..12 {
        let input = json!({
            "QueueUrl": queue("large"), "MessageBody": body, "MessageAttributes": attributes,
        });
        service.ok("SendMessage", input).await;
    }
    for protocol in PROTOCOLS {
        let answer = service.call(protocol, "ReceiveMessage", &receive("large")).await;
        assert_eq!(messages(&answer, protocol).len(), 10);
    }
}

#[tokio::test]
async fn a_receive_without_limit_ends_at_a_thousand_messages_or_ten_mebibytes() {
    let compat_options = CompatOptions {
        unlimited_receives: true,
        receive_overrides: true,
        ..CompatOptions::default()
    };
    let service =
        service_with(GatewaySettings { compat_options: Arc::new(compat_options), ..settings() })
            .await;
    send_large(&service, 13).await;
    let all = |name: &str| json!({"QueueUrl": queue(name), "MaxNumberOfMessages": -1});
    for expected in [10, 3, 0] {
        let received = service.ok("ReceiveMessage", all("large")).await;
        assert_eq!(received["Messages"].as_array().map_or(0, Vec::len), expected);
    }
    let fifo = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    service.ok("CreateQueue", json!({"QueueName": "q.fifo", "Attributes": fifo})).await;
    service.ok("CreateQueue", json!({"QueueName": "q"})).await;
    for (name, groups) in [("q", 0), ("q.fifo", 1), ("q.fifo", 70)] {
        for batch in 0..105 {
            let entries = (0..10).map(|entry| {
                let number = batch * 10 + entry;
                let text = format!("{groups} {number}");
                let mut entry = json!({"Id": entry.to_string(), "MessageBody": text});
                if groups > 0 {
                    entry["MessageGroupId"] = json!(format!("{groups}-{}", number % groups));
                }
                entry
            });
            let entries: Vec<_> = entries.collect();
            let input = json!({"QueueUrl": queue(name), "Entries": entries});
            service.ok("SendMessageBatch", input).await;
        }
        let received = service.ok("ReceiveMessage", all(name)).await;
        let bodies: Vec<_> =
            received["Messages"].as_array().unwrap().iter().map(|one| &one["Body"]).collect();
        assert_eq!(bodies.len(), 1_000, "{name} {groups}");
        if groups == 1 {
            let sent = (0..1_000).map(|number| json!(format!("{groups} {number}")));
            assert!(sent.zip(bodies).all(|(sent, body)| sent == *body));
        }
        service.ok("PurgeQueue", json!({"QueueUrl": queue(name)})).await;
    }
}
