//! Requests that are rejected: with the code that AWS documents, and without any effect.

use super::queues::receive_input;
use super::topics::{TOPICS, topic_arn};
use super::world::{Step, World, queue_arn};
use serde_json::{Value, json};

/// An operation, its input, and the code of its error.
type Mistake = (&'static str, Value, &'static str);

impl World {
    pub async fn make_a_mistake(&mut self) -> Step {
        self.touch_all();
        let of_topics = self.random.u32(..3) == 0;
        let mistakes = if of_topics { self.mistakes_with_topics() } else { self.with_queues() };
        let Some((operation, input, code)) = self.random.choice(mistakes) else { return Ok(()) };
        let answer = if of_topics {
            self.call_sns(operation, &input).await?
        } else {
            self.call(operation, &input).await?
        };
        match answer {
            Err(failure) if failure.code == code => Ok(()),
            answer => Err(format!("{operation} {input}: {answer:?} instead of {code}").into()),
        }
    }

    fn with_queues(&mut self) -> Vec<Mistake> {
        let Some(queue) = self.any_queue() else { return Vec::new() };
        let attributes = self.oracle.queues[queue].attributes.clone();
        let entry = |id: &str| json!({"Id": id, "MessageBody": "x"});
        let batch = |entries: &[Value]| json!({"QueueUrl": queue, "Entries": entries});
        let many: Vec<_> = (0..11).map(|index| entry(&index.to_string())).collect();
        let send = |given: &Value| {
            let mut input = json!({"QueueUrl": queue, "MessageBody": "x"});
            if attributes.fifo {
                input["MessageGroupId"] = "g0".into();
                input["MessageDeduplicationId"] = "mistake".into();
            }
            for (name, value) in given.as_object().unwrap() {
                input[name] = value.clone();
            }
            input
        };
        let set = |name: &str, value: &str| json!({"QueueUrl": queue, "Attributes": {name: value}});
        let nowhere = json!({"deadLetterTargetArn": queue_arn("nobody"), "maxReceiveCount": 1});
        let mut other = json!({"VisibilityTimeout": (attributes.visibility + 1).to_string()});
        if attributes.fifo {
            other["FifoQueue"] = "true".into();
        }
        let no_handle = json!({"QueueUrl": queue, "ReceiptHandle": "x"});
        let mut mistakes: Vec<Mistake> = vec![
            ("SendMessage", send(&json!({"QueueUrl": "nobody"})), "NonExistentQueue"),
            ("SendMessage", send(&json!({"MessageBody": ""})), "MissingParameter"),
            ("SendMessage", send(&json!({"MessageBody": "\u{b}"})), "InvalidMessageContents"),
            ("SendMessage", send(&json!({"DelaySeconds": 901})), "InvalidParameterValue"),
            ("SendMessage", send(&json!({"MessageGroupId": "a b"})), "InvalidParameterValue"),
            ("SendMessageBatch", batch(&[]), "EmptyBatchRequest"),
            ("SendMessageBatch", batch(&many), "TooManyEntriesInBatchRequest"),
            ("SendMessageBatch", batch(&[entry("a"), entry("a")]), "BatchEntryIdsNotDistinct"),
            ("SendMessageBatch", batch(&[entry("a b")]), "InvalidBatchEntryId"),
            ("ReceiveMessage", receive_input(queue, 11, None), "InvalidParameterValue"),
            ("ReceiveMessage", receive_input(queue, 1, Some(43_201)), "InvalidParameterValue"),
            ("ReceiveMessage", receive_input("nobody", 1, None), "NonExistentQueue"),
            ("DeleteMessage", no_handle, "ReceiptHandleIsInvalid"),
            ("DeleteQueue", json!({"QueueUrl": "nobody"}), "NonExistentQueue"),
            ("PurgeQueue", json!({"QueueUrl": "nobody"}), "NonExistentQueue"),
            ("SetQueueAttributes", set("Colour", "blue"), "InvalidAttributeName"),
            ("SetQueueAttributes", set("VisibilityTimeout", "43201"), "InvalidAttributeValue"),
            ("SetQueueAttributes", set("MessageRetentionPeriod", "59"), "InvalidAttributeValue"),
            (
                "SetQueueAttributes",
                set("RedrivePolicy", &nowhere.to_string()),
                "InvalidParameterValue",
            ),
            ("CreateQueue", json!({"QueueName": queue, "Attributes": other}), "QueueAlreadyExists"),
            ("CreateQueue", json!({"QueueName": "a b"}), "InvalidParameterValue"),
            (
                "StartMessageMoveTask",
                json!({"SourceArn": queue_arn("nobody")}),
                "ResourceNotFoundException",
            ),
            (
                "StartMessageMoveTask",
                json!({"SourceArn": queue_arn(queue), "MaxNumberOfMessagesPerSecond": 501}),
                "InvalidParameterValue",
            ),
            ("CancelMessageMoveTask", json!({"TaskHandle": "x"}), "InvalidParameterValue"),
        ];
        if attributes.fifo {
            let no_group = json!({"QueueUrl": queue, "MessageBody": "x"});
            let no_group_entry = json!({"Id": "a", "MessageBody": "x"});
            let good = send(&json!({"Id": "b"}));
            mistakes.extend([
                ("SendMessage", no_group, "MissingParameter"),
                ("SendMessage", send(&json!({"DelaySeconds": 1})), "InvalidParameterValue"),
                (
                    "SendMessage",
                    send(&json!({"MessageDeduplicationId": ""})),
                    "InvalidParameterValue",
                ),
                ("SendMessageBatch", batch(&[good, no_group_entry]), "InvalidParameterValue"),
            ]);
            if !attributes.content_deduplication {
                let input = json!({"QueueUrl": queue, "MessageBody": "x", "MessageGroupId": "g0"});
                mistakes.push(("SendMessage", input, "InvalidParameterValue"));
            }
        } else {
            mistakes.push((
                "SendMessage",
                send(&json!({"MessageDeduplicationId": "a"})),
                "InvalidParameterValue",
            ));
        }
        // A receipt handle of another queue.
        let held = self.clients.iter().flatten().find(|held| held.queue != queue);
        if let Some(held) = held {
            let input = json!({"QueueUrl": queue, "ReceiptHandle": held.handle});
            mistakes.push(("DeleteMessage", input, "ReceiptHandleIsInvalid"));
        }
        mistakes
    }

    fn mistakes_with_topics(&mut self) -> Vec<Mistake> {
        let topic = self.random.choice(TOPICS).unwrap();
        let known = &self.oracle.topics[topic];
        let (arn, fifo) = (topic_arn(topic), known.fifo);
        let publish = |given: &Value| {
            let mut input = json!({"TopicArn": arn, "Message": "x"});
            if fifo {
                input["MessageGroupId"] = "g0".into();
                input["MessageDeduplicationId"] = "mistake".into();
            }
            for (name, value) in given.as_object().unwrap() {
                input[name] = value.clone();
            }
            input
        };
        let batch =
            |entries: &[Value]| json!({"TopicArn": arn, "PublishBatchRequestEntries": entries});
        let entry = |id: &str| {
            let mut entry = publish(&json!({"Id": id}));
            entry.as_object_mut().unwrap().remove("TopicArn");
            entry
        };
        let subscribe = |protocol: &str, endpoint: &str| json!({"TopicArn": arn, "Protocol": protocol, "Endpoint": endpoint});
        let too_long = "x".repeat(262_145);
        let mut mistakes: Vec<Mistake> = vec![
            ("Publish", publish(&json!({"TopicArn": topic_arn("nobody")})), "NotFound"),
            ("Publish", publish(&json!({"Message": ""})), "InvalidParameter"),
            ("Publish", publish(&json!({"Message": too_long})), "InvalidParameter"),
            ("Publish", publish(&json!({"MessageStructure": "json"})), "InvalidParameter"),
            ("PublishBatch", batch(&[]), "EmptyBatchRequest"),
            ("PublishBatch", batch(&[entry("a"), entry("a")]), "BatchEntryIdsNotDistinct"),
            ("Subscribe", subscribe("sqs", "not-an-arn"), "InvalidParameter"),
            ("Subscribe", subscribe("pigeon", "loft"), "InvalidParameter"),
            ("GetTopicAttributes", json!({"TopicArn": topic_arn("nobody")}), "NotFound"),
        ];
        if fifo {
            let no_group = json!({"TopicArn": arn, "Message": "x", "MessageDeduplicationId": "x"});
            mistakes.extend([
                ("Publish", no_group, "InvalidParameter"),
                ("Subscribe", subscribe("email", "a@example.com"), "InvalidParameter"),
            ]);
            if !known.content_deduplication {
                let input = json!({"TopicArn": arn, "Message": "x", "MessageGroupId": "g0"});
                mistakes.push(("Publish", input, "InvalidParameter"));
            }
        } else {
            let id = json!({"MessageDeduplicationId": "x"});
            mistakes.extend([
                ("Publish", publish(&id), "InvalidParameter"),
                ("Subscribe", subscribe("sqs", &queue_arn("fifo.fifo")), "InvalidParameter"),
            ]);
        }
        if let Some(subscription) = self.random.choice(&known.subscriptions) {
            let set = |value: &str| {
                json!({
                    "SubscriptionArn": subscription.arn, "AttributeName": "FilterPolicy",
                    "AttributeValue": value,
                })
            };
            mistakes.extend([
                ("SetSubscriptionAttributes", set("{"), "InvalidParameter"),
                ("SetSubscriptionAttributes", set(r#"{"kind": "a"}"#), "InvalidParameter"),
            ]);
        }
        mistakes
    }
}
