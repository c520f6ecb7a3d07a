//! Every published message arrives once in every queue whose filter matches, and in no other queue.
//! A message that a queue cannot accept arrives in the dead-letter queue of its subscription.
//!
//! Random topics with random subscriptions get random messages, some in batches. A model keeps a list of
//! the expected messages of each queue; its filters are so simple that a few lines evaluate them.
//!
//! The simulation also publishes to topics, but only short messages. Only this test notices if a filter that is
//! evaluated before the transaction (long messages) is wrong, or if a message that exceeds the size or the number of
//! attributes of its queue is lost. Only the simulation notices a wrong page after a crash or during changes.

use crate::gateway::sns::TOPICS;
use crate::gateway::{ARNS, QUEUES, Service, settings};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Queues that a subscription may have, of which those from `QUEUES_THAT_EXIST` on do not exist.
const ENDPOINTS: usize = 12;
const QUEUES_THAT_EXIST: usize = 8;
/// The last of those that exist takes messages and envelopes of this many bytes, but not large ones.
const SMALL_BYTES: usize = 4_096;
/// What a large message has more than others: so much that filters are asked about it beforehand.
const LARGE_BYTES: usize = 34 * 1_024;
const SMALL: usize = QUEUES_THAT_EXIST - 1;
const DEAD_LETTER_QUEUES: usize = 3;

/// What a subscription wants.
#[derive(Debug, Clone)]
enum Filter {
    All,
    /// An attribute with one of these values.
    Kind(Vec<&'static str>),
    /// No such attribute, but another.
    NoKind,
    /// A body with a property of one of these values.
    InBody(Vec<&'static str>),
    /// An attribute that is a number from this on.
    AtLeast(i64),
}

#[derive(Debug, Clone)]
struct Subscription {
    endpoint: usize,
    raw: bool,
    filter: Filter,
    dead_letter_queue: Option<usize>,
}

#[derive(Debug, Clone)]
struct Message {
    kind: Option<&'static str>,
    number: Option<i64>,
    in_body: Option<&'static str>,
    /// More attributes, of which a raw message may have ten at most.
    more: usize,
    large: bool,
    structured: bool,
}

#[derive(Debug, Clone)]
enum Step {
    Subscribe(Subscription),
    Unsubscribe(usize),
    Refilter(usize, Filter),
    Publish(Message),
    PublishBatch(Vec<Message>),
    /// What is left to do is done.
    Pass,
}

const KINDS: [&str; 3] = ["a", "b", "c"];

fn filters() -> impl Strategy<Value = Filter> {
    let kinds = || proptest::collection::vec(select(&KINDS[..]), 1..3);
    prop_oneof![
        2 => Just(Filter::All),
        3 => kinds().prop_map(Filter::Kind),
        1 => Just(Filter::NoKind),
        2 => kinds().prop_map(Filter::InBody),
        1 => (0_i64..4).prop_map(Filter::AtLeast),
    ]
}

fn messages() -> impl Strategy<Value = Message> {
    let kind = || proptest::option::of(select(&KINDS[..]));
    let number = proptest::option::weighted(0.3, 0_i64..4);
    let more = prop_oneof![4 => Just(0), 1 => Just(1), 1 => 7_usize..12];
    (kind(), number, kind(), more, proptest::bool::weighted(0.1), proptest::bool::weighted(0.2))
        .prop_map(|(kind, number, in_body, more, large, structured)| Message {
            kind,
            number,
            in_body,
            more,
            large,
            structured,
        })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let subscription =
        (0..ENDPOINTS, any::<bool>(), filters(), proptest::option::of(0..DEAD_LETTER_QUEUES))
            .prop_map(|(endpoint, raw, filter, dead_letter_queue)| {
                Step::Subscribe(Subscription { endpoint, raw, filter, dead_letter_queue })
            });
    let step = prop_oneof![
        4 => subscription,
        1 => (0..ENDPOINTS).prop_map(Step::Unsubscribe),
        1 => ((0..ENDPOINTS), filters()).prop_map(|(endpoint, filter)| Step::Refilter(endpoint, filter)),
        4 => messages().prop_map(Step::Publish),
        2 => proptest::collection::vec(messages(), 1..6).prop_map(Step::PublishBatch),
        1 => Just(Step::Pass),
    ];
    proptest::collection::vec(step, 1..25)
}

impl Filter {
    /// The attributes of a subscription that has it.
    fn attributes(&self) -> [(&'static str, String); 2] {
        let scope = match self {
            Self::InBody(_) => "MessageBody",
            _ => "MessageAttributes",
        };
        let policy = match self {
            Self::All => String::new(),
            Self::Kind(kinds) | Self::InBody(kinds) => json!({ "kind": kinds }).to_string(),
            Self::NoKind => json!({"kind": [{"exists": false}]}).to_string(),
            Self::AtLeast(least) => json!({"number": [{"numeric": [">=", least]}]}).to_string(),
        };
        [("FilterPolicyScope", scope.to_owned()), ("FilterPolicy", policy)]
    }

    fn lets_pass(&self, message: &Message) -> bool {
        match self {
            Self::All => true,
            Self::Kind(kinds) => message.kind.is_some_and(|kind| kinds.contains(&kind)),
            Self::NoKind => {
                message.kind.is_none() && (message.number.is_some() || message.more > 0)
            }
            Self::InBody(kinds) => message.in_body.is_some_and(|kind| kinds.contains(&kind)),
            Self::AtLeast(least) => message.number.is_some_and(|number| number >= *least),
        }
    }
}

impl Message {
    /// The text that queues get; `id` makes it another than all before.
    fn text(&self, id: usize) -> String {
        let filling = "x".repeat(if self.large { LARGE_BYTES } else { 0 });
        match self.in_body {
            Some(kind) => json!({"kind": kind, "id": id, "filling": filling}).to_string(),
            None => format!("{id} {filling}"),
        }
    }

    fn attributes(&self) -> Value {
        let mut attributes = json!({});
        if let Some(kind) = self.kind {
            attributes["kind"] = json!({"DataType": "String", "StringValue": kind});
        }
        if let Some(number) = self.number {
            attributes["number"] = json!({"DataType": "Number", "StringValue": number.to_string()});
        }
        for index in 0..self.more {
            attributes[format!("more{index}")] = json!({"DataType": "String", "StringValue": "x"});
        }
        attributes
    }

    fn input(&self, id: usize) -> Value {
        let text = self.text(id);
        let mut input = json!({"MessageAttributes": self.attributes()});
        if self.structured {
            let texts = json!({"default": "for nobody here", "sqs": text});
            input["Message"] = json!(texts.to_string());
            input["MessageStructure"] = json!("json");
        } else {
            input["Message"] = json!(text);
        }
        input
    }

    fn fits(&self, subscription: &Subscription) -> bool {
        let number = self.attributes().as_object().unwrap().len();
        subscription.endpoint < QUEUES_THAT_EXIST
            && (!subscription.raw || number <= 10)
            && !(self.large && subscription.endpoint == SMALL)
    }
}

/// What is expected: texts by the names of queues.
type Expected = BTreeMap<String, Vec<String>>;

struct World {
    service: Service,
    subscriptions: BTreeMap<usize, (String, Subscription)>,
    expected: Expected,
    published: usize,
}

impl World {
    async fn new() -> Self {
        let service = Service::new(settings()).with_key().await;
        service.sns_ok("CreateTopic", json!({"Name": "t"})).await;
        for index in 0..QUEUES_THAT_EXIST {
            let size = if index == SMALL { SMALL_BYTES } else { 1_048_576 };
            let input = json!({
                "QueueName": format!("q{index}"), "Attributes": {"MaximumMessageSize": size.to_string()},
            });
            service.ok("CreateQueue", input).await;
        }
        for index in 0..DEAD_LETTER_QUEUES {
            service.ok("CreateQueue", json!({"QueueName": format!("d{index}")})).await;
        }
        Self { service, subscriptions: BTreeMap::new(), expected: Expected::new(), published: 0 }
    }

    async fn take(&mut self, step: Step) {
        let topic = format!("{TOPICS}:t");
        match step {
            Step::Subscribe(subscription) => self.subscribe(subscription).await,
            Step::Unsubscribe(endpoint) => {
                if let Some((arn, _)) = self.subscriptions.remove(&endpoint) {
                    self.service.sns_ok("Unsubscribe", json!({"SubscriptionArn": arn})).await;
                }
            }
            Step::Refilter(endpoint, filter) => {
                if let Some((arn, subscription)) = self.subscriptions.get_mut(&endpoint) {
                    // A policy goes before its scope does, and comes after it.
                    let [scope, policy] = filter.attributes();
                    for (name, value) in [("FilterPolicy", String::new()), scope, policy] {
                        let input = json!({
                            "SubscriptionArn": arn, "AttributeName": name, "AttributeValue": value,
                        });
                        self.service.sns_ok("SetSubscriptionAttributes", input).await;
                    }
                    subscription.filter = filter;
                }
            }
            Step::Publish(message) => {
                let mut input = message.input(self.published);
                input["TopicArn"] = json!(topic);
                self.service.sns_ok("Publish", input).await;
                self.expect(&message);
            }
            Step::PublishBatch(messages) => {
                let mut entries = Vec::new();
                for (index, message) in messages.iter().enumerate() {
                    let mut entry = message.input(self.published + index);
                    entry["Id"] = json!(index.to_string());
                    entries.push(entry);
                }
                let input = json!({"TopicArn": topic, "PublishBatchRequestEntries": entries});
                let output = self.service.sns_ok("PublishBatch", input).await;
                assert_eq!(output["Successful"].as_array().unwrap().len(), messages.len());
                for message in &messages {
                    self.expect(message);
                }
            }
            Step::Pass => self.service.pass(1_000).await,
        }
    }

    async fn subscribe(&mut self, subscription: Subscription) {
        let endpoint = subscription.endpoint;
        if self.subscriptions.contains_key(&endpoint) {
            return;
        }
        let mut attributes = json!({"RawMessageDelivery": subscription.raw.to_string()});
        for (name, value) in subscription.filter.attributes() {
            attributes[name] = json!(value);
        }
        if let Some(index) = subscription.dead_letter_queue {
            let policy = json!({"deadLetterTargetArn": format!("{ARNS}:d{index}")});
            attributes["RedrivePolicy"] = json!(policy.to_string());
        }
        let input = json!({
            "TopicArn": format!("{TOPICS}:t"), "Protocol": "sqs",
            "Endpoint": format!("{ARNS}:q{endpoint}"), "Attributes": attributes,
        });
        let output = self.service.sns_ok("Subscribe", input).await;
        let arn = output["SubscriptionArn"].as_str().unwrap().to_owned();
        self.subscriptions.insert(endpoint, (arn, subscription));
    }

    fn expect(&mut self, message: &Message) {
        let text = message.text(self.published);
        self.published += 1;
        for (_, subscription) in self.subscriptions.values() {
            if !subscription.filter.lets_pass(message) {
                continue;
            }
            let queue = match subscription.dead_letter_queue {
                _ if message.fits(subscription) => format!("q{}", subscription.endpoint),
                // In its envelope, if it has more attributes than a queue takes.
                Some(index) => format!("d{index}"),
                None => continue,
            };
            self.expected.entry(queue).or_default().push(text.clone());
        }
    }

    /// Everything that is in the queues, in its order.
    async fn found(&self) -> Expected {
        let mut found = Expected::new();
        let queues = (0..QUEUES_THAT_EXIST).map(|index| format!("q{index}"));
        for queue in queues.chain((0..DEAD_LETTER_QUEUES).map(|index| format!("d{index}"))) {
            let mut texts = Vec::new();
            loop {
                let input = json!({
                    "QueueUrl": format!("{QUEUES}/{queue}"), "MaxNumberOfMessages": 10,
                    "VisibilityTimeout": 43_200,
                });
                let output = self.service.ok("ReceiveMessage", input).await;
                let Some(messages) = output["Messages"].as_array() else { break };
                texts.extend(
                    messages.iter().map(|message| text_of(message["Body"].as_str().unwrap())),
                );
            }
            if !texts.is_empty() {
                found.insert(queue, texts);
            }
        }
        found
    }
}

/// The message in an envelope, or the body itself.
fn text_of(body: &str) -> String {
    let envelope: Value = serde_json::from_str(body).unwrap_or_default();
    match envelope["Type"].as_str() {
        Some("Notification") => envelope["Message"].as_str().unwrap().to_owned(),
        _ => body.to_owned(),
    }
}

#[test]
fn what_should_arrive_arrives_and_nothing_else_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases: 150, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&steps(), |steps| {
            let (found, expected) = runtime.block_on(async {
                let mut world = World::new().await;
                for step in steps {
                    world.take(step).await;
                }
                world.service.pass(1_000).await;
                // No row is left of what has been delivered.
                let left = world.service.runtime.run(|tx| Ok(tx.unfinished_publication()?)).await;
                assert!(left.unwrap().is_none());
                (world.found().await, world.expected)
            });
            prop_assert_eq!(found, expected);
            Ok(())
        })
        .unwrap();
}

/// The same beyond what one transaction serves.
#[test]
fn a_thousand_subscriptions_get_what_they_want_once() {
    const SUBSCRIPTIONS: usize = 1_150;
    // Every third queue does not exist, every seventh subscription wants one kind alone: a topic has
    // two hundred filters at most.
    let exists = |index: usize| !index.is_multiple_of(3);
    let is_choosy = |index: usize| index.is_multiple_of(7);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let service = Service::new(settings()).with_key().await;
        let topic = format!("{TOPICS}:t");
        service.sns_ok("CreateTopic", json!({"Name": "t"})).await;
        service.ok("CreateQueue", json!({"QueueName": "dead"})).await;
        let dead = json!({"deadLetterTargetArn": format!("{ARNS}:dead")}).to_string();
        for index in 0..SUBSCRIPTIONS {
            if exists(index) {
                service.ok("CreateQueue", json!({"QueueName": format!("q{index}")})).await;
            }
            let mut attributes = json!({"RedrivePolicy": dead, "RawMessageDelivery": "true"});
            if is_choosy(index) {
                attributes["FilterPolicy"] = json!(r#"{"kind":["even"]}"#);
            }
            let input = json!({
                "TopicArn": topic, "Protocol": "sqs", "Endpoint": format!("{ARNS}:q{index}"),
                "Attributes": attributes,
            });
            service.sns_ok("Subscribe", input).await;
        }
        let kind = |kind: &str| json!({"kind": {"DataType": "String", "StringValue": kind}});
        let message = |text: &str, of: &str| json!({"Message": text, "MessageAttributes": kind(of)});
        let mut single = message("a", "even");
        single["TopicArn"] = json!(topic);
        service.sns_ok("Publish", single).await;
        let mut entries = [message("b", "odd"), message("c", "even")];
        for (index, entry) in entries.iter_mut().enumerate() {
            entry["Id"] = json!(index.to_string());
        }
        let input = json!({"TopicArn": topic, "PublishBatchRequestEntries": entries});
        service.sns_ok("PublishBatch", input).await;
        service.pass(0).await;
        let count = async |queue: &str| {
            let input = json!({
                "QueueUrl": format!("{QUEUES}/{queue}"), "AttributeNames": ["ApproximateNumberOfMessages"],
            });
            let output = service.ok("GetQueueAttributes", input).await;
            let count = output["Attributes"]["ApproximateNumberOfMessages"].as_str().unwrap();
            count.parse::<usize>().unwrap()
        };
        let wanted = |index: usize| if is_choosy(index) { 2 } else { 3 };
        for index in (0..SUBSCRIPTIONS).filter(|index| exists(*index)) {
            assert_eq!(count(&format!("q{index}")).await, wanted(index), "q{index}");
        }
        let missing = (0..SUBSCRIPTIONS).filter(|index| !exists(*index));
        assert_eq!(count("dead").await, missing.map(wanted).sum::<usize>());
    });
}
