//! Each verb over a store in memory, with a clock that the test moves.

use super::access::Access;
use super::publish::{self, Outcome};
use super::receive::{self, Delivery};
use super::send::{self, Outgoing, Sent};
use super::topic_snapshot::TopicCache;
use super::{delete, move_tasks, places, queues, replay, subscriptions, topics, visibility};
use crate::domain::address::{QueueAddress, has_fifo_suffix};
use crate::domain::message_attributes::MessageAttributes;
use crate::domain::sns_endpoint::Protocol;
use crate::domain::sns_message::Published;
use crate::domain::topic_address::TopicAddress;
use crate::domain::{Kind, Refusal};
use crate::store::{
    Content, Counts, Durability, Effect, Ids, Location, MoveTaskStatus, Observer, Queue, Sqlite,
    Store, Txn,
};
use indexmap::IndexMap;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";
const EVERYTHING: Access = Access::everything();

struct Unobserved;

impl Observer for Unobserved {
    fn committed(&self, _: &[Effect]) {}
}

struct Engine {
    store: Store,
    now: Arc<AtomicI64>,
}

impl Engine {
    fn new() -> Self {
        let now = Arc::new(AtomicI64::new(1_000_000));
        let clock = Arc::clone(&now);
        let database = Sqlite::open(&Location::Memory, Durability::Process).unwrap();
        let time = Box::new(move || clock.load(Ordering::SeqCst).into());
        let ids = Ids::with_seed(1);
        let store = Store::start(Box::new(database), time, ids, Arc::new(Unobserved)).unwrap();
        Self { store, now }
    }

    fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    /// Runs a verb in a transaction.
    fn run<T: Send + 'static>(
        &self,
        verb: impl FnMut(&mut Txn<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let executor = tokio::runtime::Builder::new_current_thread().build().unwrap();
        executor.block_on(self.store.run(verb))
    }

    /// Runs a verb on a queue.
    fn on<T: Send + 'static>(
        &self,
        queue: &str,
        mut verb: impl FnMut(&mut Txn<'_>, &Queue) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let address = address(queue);
        self.run(move |tx| {
            let queue = queues::find(tx, &EVERYTHING, &address)?;
            verb(tx, &queue)
        })
    }

    fn create(&self, queue: &str, attributes: &[(&str, &str)]) {
        let (address, attributes) = (address(queue), map(attributes));
        let created = self.run(move |tx| {
            queues::create(tx, &EVERYTHING, &address, &attributes, &IndexMap::new(), false)
        });
        created.unwrap();
    }

    fn create_topic(&self, name: &str, attributes: &[(&str, &str)]) {
        let (topic, attributes) = (topic(name), map(attributes));
        let created = self.run(move |tx| {
            topics::create(tx, &EVERYTHING, &topic, &attributes, &IndexMap::new(), None)
        });
        created.unwrap();
    }

    /// Subscribes a queue with raw delivery; its filter is one of bodies.
    fn subscribe(&self, to: &str, queue: &str, attributes: &[(&str, &str)]) {
        let mut attributes = map(attributes);
        attributes
            .extend(map(&[("RawMessageDelivery", "true"), ("FilterPolicyScope", "MessageBody")]));
        let request = subscriptions::Request {
            access: EVERYTHING,
            topic: topic(to),
            protocol: Protocol::Sqs,
            endpoint: address(queue).arn(),
            attributes,
            account: ACCOUNT.into(),
            principal: String::new(),
            base_url: String::new(),
        };
        self.run(move |tx| subscriptions::subscribe(tx, &request)).unwrap();
    }

    /// Publishes a message; on a FIFO topic it is its own deduplication ID.
    fn publish(&self, to: &str, group: Option<&str>, message: &str) {
        let message = Published {
            message: message.to_owned(),
            structured: false,
            subject: None,
            attributes: MessageAttributes::new(),
            group: group.map(str::to_owned),
            deduplication_id: group.map(|_| message.chars().take(100).collect()),
        };
        let request = publish::Request {
            access: EVERYTHING,
            topic: topic(to),
            messages: vec![message],
            in_batch: false,
            trace_header: None,
            base_url: String::new(),
        };
        let cache = TopicCache::default();
        let outcome =
            self.run(move |tx| publish::publish(tx, &cache, &request, None, &[])).unwrap();
        assert!(matches!(outcome, Outcome::Published(receipts) if receipts.len() == 1));
    }

    /// Sends a message; on a FIFO queue its body is its deduplication ID as well.
    fn send(&self, queue: &str, group: Option<&str>, body: &str) -> Sent {
        let outgoing = Outgoing {
            content: Content {
                body: body.to_owned(),
                attributes: None,
                sender_id: "AIDA".to_owned(),
                trace_header: None,
                deduplication_id: has_fifo_suffix(queue).then(|| body.to_owned()),
            },
            delay_seconds: None,
            group: group.map(str::to_owned),
        };
        self.on(queue, move |tx, queue| send::send(tx, queue, &outgoing)).unwrap()
    }

    /// Receives up to ten messages.
    fn receive(&self, queue: &str) -> Vec<Delivery> {
        let request = receive::Request {
            access: EVERYTHING,
            max: 10,
            visibility_timeout: None,
            attempt_id: None,
            may_wait: false,
            may_take: true,
            room: usize::MAX,
            weigh: Content::size,
        };
        self.on(queue, move |tx, queue| receive::receive(tx, queue, &request)).unwrap().messages
    }

    /// Receives up to ten messages, and returns their bodies.
    fn bodies(&self, queue: &str) -> Vec<String> {
        self.receive(queue).into_iter().map(|it| it.content.body).collect()
    }

    fn change_visibility(
        &self,
        queue: &str,
        delivery: &Delivery,
        timeout: i64,
    ) -> Result<(), Refusal> {
        let receipt = delivery.receipt;
        self.on(queue, move |tx, queue| {
            visibility::change_visibility(tx, queue, receipt, "handle", timeout)
        })
    }

    fn delete(&self, queue: &str, delivery: &Delivery) -> Result<(), Refusal> {
        let receipt = delivery.receipt;
        self.on(queue, move |tx, queue| delete::delete(tx, queue, receipt, "handle"))
    }

    fn counts(&self, queue: &str) -> Counts {
        self.on(queue, queues::counts).unwrap()
    }
}

fn address(name: &str) -> QueueAddress {
    QueueAddress { account: ACCOUNT.into(), region: REGION.into(), name: name.into() }
}

fn topic(name: &str) -> TopicAddress {
    TopicAddress { account: ACCOUNT.into(), region: REGION.into(), name: name.into() }
}

fn map(pairs: &[(&str, &str)]) -> IndexMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn redrive_to(queue: &str) -> String {
    let arn = address(queue).arn();
    format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":1}}"#)
}

fn counted(ready: i64, in_flight: i64, delayed: i64) -> Counts {
    Counts { ready, in_flight, delayed }
}

#[test]
fn a_sent_message_is_ready_when_its_delay_has_passed() {
    let engine = Engine::new();
    engine.create("q", &[("DelaySeconds", "5")]);
    engine.send("q", None, "a");
    assert_eq!(engine.counts("q"), counted(0, 0, 1));
    assert!(engine.bodies("q").is_empty());
    engine.pass(5);
    assert_eq!(engine.bodies("q"), ["a"]);
}

#[test]
fn a_duplicate_returns_the_first_message_for_five_minutes() {
    let engine = Engine::new();
    engine.create("q.fifo", &[("FifoQueue", "true")]);
    let first = engine.send("q.fifo", Some("g"), "a");
    engine.pass(299);
    assert_eq!(engine.send("q.fifo", Some("g"), "a"), first);
    engine.pass(1);
    assert_ne!(engine.send("q.fifo", Some("g"), "a"), first);
    assert_eq!(engine.counts("q.fifo"), counted(2, 0, 0));
}

#[test]
fn a_received_message_is_hidden_for_its_visibility_timeout() {
    let engine = Engine::new();
    engine.create("q", &[("VisibilityTimeout", "30")]);
    engine.send("q", None, "a");
    assert_eq!(engine.receive("q")[0].message.receive_count, 1);
    engine.pass(29);
    assert!(engine.bodies("q").is_empty());
    assert_eq!(engine.counts("q"), counted(0, 1, 0));
    engine.pass(1);
    assert_eq!(engine.receive("q")[0].message.receive_count, 2);
}

#[test]
fn a_message_in_flight_blocks_its_group_and_no_other() {
    let engine = Engine::new();
    engine.create("q.fifo", &[("FifoQueue", "true")]);
    engine.send("q.fifo", Some("g"), "a");
    let first = engine.receive("q.fifo");
    engine.send("q.fifo", Some("g"), "b");
    engine.send("q.fifo", Some("h"), "c");
    assert_eq!(engine.bodies("q.fifo"), ["c"]);
    engine.delete("q.fifo", &first[0]).unwrap();
    assert_eq!(engine.bodies("q.fifo"), ["b"]);
}

#[test]
fn a_changed_visibility_counts_from_the_call() {
    let engine = Engine::new();
    engine.create("q", &[("VisibilityTimeout", "30")]);
    engine.send("q", None, "a");
    let received = engine.receive("q");
    engine.pass(20);
    engine.change_visibility("q", &received[0], 20).unwrap();
    engine.pass(19);
    assert!(engine.bodies("q").is_empty());
    engine.change_visibility("q", &received[0], 0).unwrap();
    assert_eq!(engine.bodies("q"), ["a"]);
    let refused = engine.change_visibility("q", &received[0], 43_201).unwrap_err();
    assert_eq!(refused.kind, Kind::InvalidParameterValue);
}

#[test]
fn an_old_handle_deletes_on_standard_queues_only() {
    let engine = Engine::new();
    for (name, attributes) in [("q", &[][..]), ("q.fifo", &[("FifoQueue", "true")][..])] {
        engine.create(name, attributes);
        engine.send(name, Some("g"), "a");
        let received = engine.receive(name);
        engine.pass(30);
        assert_eq!(engine.delete(name, &received[0]).is_ok(), name == "q");
        assert_eq!(engine.counts(name), counted(i64::from(name == "q.fifo"), 0, 0));
    }
}

#[test]
fn a_message_that_was_received_too_often_becomes_a_dead_letter() {
    let engine = Engine::new();
    engine.create("dead", &[]);
    engine.create("q", &[("RedrivePolicy", &redrive_to("dead"))]);
    let sent = engine.send("q", None, "a");
    assert_eq!(engine.bodies("q"), ["a"]);
    engine.pass(30);
    assert!(engine.bodies("q").is_empty());
    let dead = engine.receive("dead");
    assert_eq!((dead[0].message.id, dead[0].message.receive_count), (sent.id, 2));
    assert_eq!(dead[0].message.dead_letter_source, Some(address("q").arn()));
}

#[test]
fn a_move_task_returns_ready_dead_letters_to_their_source() {
    let engine = Engine::new();
    engine.create("dead", &[]);
    engine.create("q", &[("RedrivePolicy", &redrive_to("dead"))]);
    engine.send("q", None, "a");
    engine.receive("q");
    engine.pass(30);
    engine.receive("q");
    let start = move_tasks::Start {
        access: EVERYTHING,
        source: address("dead"),
        destination: None,
        max_per_second: None,
    };
    let started = engine.run(move |tx| move_tasks::start(tx, &start)).unwrap();
    assert_eq!(engine.run(move_tasks::step).unwrap(), None);
    let task = engine.run(move |tx| Ok(tx.move_task(&started.id)?)).unwrap().unwrap();
    assert_eq!((task.status, task.moved), (MoveTaskStatus::Completed, 1));
    assert_eq!(engine.counts("dead"), counted(0, 0, 0));
    assert_eq!(engine.receive("q")[0].message.receive_count, 1);
}

#[test]
fn a_purge_removes_messages_in_every_state() {
    let engine = Engine::new();
    engine.create("q", &[]);
    engine.send("q", None, "in flight");
    engine.receive("q");
    engine.send("q", None, "ready");
    let purge = move |tx: &mut Txn<'_>| queues::purge(tx, &EVERYTHING, &address("q"), true);
    engine.run(purge).unwrap();
    assert_eq!(engine.counts("q"), counted(0, 0, 0));
    engine.pass(59);
    assert_eq!(engine.run(purge).unwrap_err().kind, Kind::PurgeQueueInProgress);
    engine.pass(1);
    engine.run(purge).unwrap();
}

#[test]
fn a_published_message_reaches_the_queues_whose_filter_it_matches() {
    let engine = Engine::new();
    engine.create_topic("t", &[]);
    for (queue, filter) in [("q", r#"{"n":[1]}"#), ("other", r#"{"n":[2]}"#)] {
        engine.create(queue, &[]);
        engine.subscribe("t", queue, &[("FilterPolicy", filter)]);
    }
    engine.publish("t", None, r#"{"n":1}"#);
    assert_eq!(engine.bodies("q"), [r#"{"n":1}"#]);
    assert!(engine.bodies("other").is_empty());
}

#[test]
fn a_replay_of_messages_that_are_long_to_filter_takes_a_transaction_for_each() {
    let engine = Engine::new();
    engine.create_topic(
        "t.fifo",
        &[("FifoTopic", "true"), ("ArchivePolicy", r#"{"MessageRetentionPeriod":"1"}"#)],
    );
    engine.create("q.fifo", &[("FifoQueue", "true")]);
    let long = "x".repeat(60_000);
    for number in 0..3 {
        engine.publish(
            "t.fifo",
            Some("g"),
            &json!({"n": 1, "at": number, "long": long}).to_string(),
        );
    }
    engine.pass(60);
    let from = r#"{"PointType":"Timestamp","StartingPoint":"1970-01-01T00:00:00.000Z"}"#;
    engine.subscribe(
        "t.fifo",
        "q.fifo",
        &[("FilterPolicy", r#"{"n":[1]}"#), ("ReplayPolicy", from)],
    );
    for replayed in 1..=3 {
        assert!(engine.run(|tx| replay::step(tx, 0)).unwrap().is_some());
        assert_eq!(engine.counts("q.fifo"), counted(replayed, 0, 0));
    }
    // The page behind the last message ends the replay.
    engine.run(|tx| replay::step(tx, 0)).unwrap();
    assert!(engine.run(|tx| replay::step(tx, 0)).unwrap().is_none());
    assert_eq!(engine.counts("q.fifo"), counted(3, 0, 0));
}

#[test]
fn a_message_expires_a_retention_period_after_it_was_sent() {
    let engine = Engine::new();
    engine.create("q", &[("MessageRetentionPeriod", "60")]);
    engine.send("q", None, "a");
    engine.pass(40);
    let received = engine.receive("q");
    engine.change_visibility("q", &received[0], 0).unwrap();
    let expires_at =
        engine.on("q", move |_, queue| Ok(places::expires_at(queue, &received[0].message)));
    assert_eq!(expires_at.unwrap(), 1_060_000);
    engine.pass(20);
    assert!(engine.bodies("q").is_empty());
    assert_eq!(engine.counts("q"), counted(0, 0, 0));
}
