//! Scenarios with queues and topics, as text tables with virtual time: one file each in `scenarios/`.
//!
//! A line is a request, its expected result after `->` (by default `ok`), and a comment after `#`. A line
//! that starts with white space continues the previous line.
//!
//! ```text
//! queue q visibility=30           an attribute by a short name or AWS's; dlq=NAME:COUNT; tag.KEY=VALUE
//! set q delay=5
//! send q a group=g dedup=d delay=5 attr.N=String:v    -> ok | same id=b seq=b (a duplicate of b)
//! send-batch q a entry=first | b group=g              -> ok | error Code: message
//! receive q max=10 wait=20 visibility=0 attempt=x     -> a count=1 id=a | nothing
//! receive q wait=20 as r1         a long poll; later: r1 -> waiting, leave r1 (disconnect)
//! delete q a.1                    a receipt handle: of the first receive of the message with body a
//! visibility q a.1 30             change-visibility; with -batch, entries are divided by |
//! counts q                        -> 1 visible, 0 in flight, 0 delayed
//! attributes q Policy             -> Policy=… | nothing
//! move d to=q rate=1 as t         a message move task; tasks d -> RUNNING 1/2; cancel t -> 1 moved
//! purge q       delete-queue q    recreate q: deletes and creates it without letting time pass
//! call Operation {…}              -> {…} where "*" is anything and "$x" is remembered; sns.Operation
//! +30s                            time passes, in ms, s, m, h or d; due background work
//! +30s asleep                     runs, or does not run
//! as 111122223333 eu-west-1       the caller from here on
//! stop                            the server shuts down
//! pretend q in-flight=119999      makes the counter say so
//! with cool-downs                 first line: the 60-second rules apply
//! with background work            first line: it runs by itself, by the clock
//! ```
//!
//! `scenario_steps/topics.rs` documents the requests about topics.
//!
//! Only the named members of a message are compared: `count`, `id` and `seq` (the label of the message
//! for which they were first returned, or `new`), `group`, `dedup` (`content`: the hash of the body;
//! `id:a`: the id of a), `sent` and `first` (since the beginning), `source`, `trace`, `sender`,
//! `md5`, `attrs-md5`, `system-md5`, `attr.NAME`, and `attrs` and `system` (the names returned). The value
//! `none` means absent. `x*9` is a body of nine x. `arn(q)`, `url(q)` and `handle(a.1)` are replaced by
//! what they name.

#[path = "scenario_steps/topics.rs"]
mod topics;

use crate::gateway::{Caller, EPOCH, Failure, Reply, Service};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use squab::api::CoolDowns;
use squab::domain::address::{QueueAddress, UrlForm, has_fifo_suffix};
use squab::runtime::clock::ManualClock;
use squab::store::{Counts, Location};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::task::JoinHandle;

macro_rules! scenarios {
    ($($name:ident)+) => {
        $(#[test]
        fn $name() {
            run(concat!(stringify!($name), ".txt"), include_str!(concat!("scenarios/", stringify!($name), ".txt")));
        })+

        #[test]
        fn every_file_is_run() {
            let run = [$(concat!(stringify!($name), ".txt")),+];
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
            for file in std::fs::read_dir(folder).unwrap() {
                let name = file.unwrap().file_name().into_string().unwrap();
                assert!(run.contains(&name.as_str()), "{name} is not in the list");
            }
        }
    };
}

scenarios! {
    visibility delay retention attributes_of_messages batches in_flight_limit fair_queues purge cool_downs fifo_order fifo_handles fifo_deduplication fifo_attempts fifo_delay
    dead_letters dead_letters_fifo redrive_policies move_tasks
    long_polling long_polling_fifo background_work queues addresses permissions
    topics subscriptions confirmations publishing envelopes filters fan_out many_subscriptions deleted_topics
    topic_dead_letters fifo_topics fifo_topic_scopes archives endpoints
    mobile_push_and_sms
}

/// Runs one file; panics at the first line with an unexpected result.
fn run(file: &str, text: &str) {
    let lines = logical_lines(text);
    let has = |setting: &str| lines.iter().any(|(_, line)| line == setting);
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    executor.block_on(async {
        let clock = Arc::new(ManualClock::at(EPOCH));
        let cool_down = has("with cool-downs");
        let cool_downs = CoolDowns { purge: cool_down, recreate: cool_down };
        let background_work = has("with background work");
        let service = Service::open(&Location::Memory, clock, 1, cool_downs, background_work);
        let has_topics = lines.iter().any(|(_, line)| line.starts_with("topic "));
        let service = if has_topics { service.with_key().await } else { service };
        let mut conversation = Conversation::new(service, background_work);
        for (number, line) in &lines {
            let (request, expected) = line.split_once("->").unwrap_or((line, "ok"));
            let (request, expected) = (request.trim(), expected.trim());
            if let Err(got) = conversation.say(request, expected).await {
                panic!(
                    "\ntests/scenarios/{file}:{number}: {request}\n  expected: {expected}\n       \
                     got: {got}\n"
                );
            }
        }
    });
}

/// Returns the lines with their numbers, without comments, and with continuations joined.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let goes_on = line.starts_with(char::is_whitespace);
        let line = if line.starts_with('#') { "" } else { line };
        let line = line.split_once(" # ").map_or(line, |(line, _)| line).trim();
        match lines.last_mut() {
            _ if line.is_empty() => {}
            Some((_, last)) if goes_on => write!(last, " {line}").unwrap(),
            _ => lines.push((index + 1, line.to_owned())),
        }
    }
    lines
}

type Waiting = JoinHandle<Reply>;

struct Conversation {
    service: Service,
    background_work: bool,
    caller: Caller,
    /// Labels of MessageIds and SequenceNumbers.
    labels: HashMap<String, String>,
    last_sequence_number: HashMap<String, String>,
    /// Receipt handles, by body.
    handles: HashMap<String, Vec<String>>,
    waiting: HashMap<String, Waiting>,
    remembered: HashMap<String, Value>,
    topics: topics::Topics,
}

/// `Err` is the unexpected result.
type Verdict = Result<(), String>;

impl Conversation {
    fn new(service: Service, background_work: bool) -> Self {
        Self {
            service,
            background_work,
            caller: Caller::default(),
            labels: HashMap::new(),
            last_sequence_number: HashMap::new(),
            handles: HashMap::new(),
            waiting: HashMap::new(),
            remembered: HashMap::new(),
            topics: topics::Topics::default(),
        }
    }

    async fn say(&mut self, request: &str, expected: &str) -> Verdict {
        let (verb, rest) = request.split_once(' ').unwrap_or((request, ""));
        let rest = self.substitute(rest);
        let expected = self.substitute(expected);
        let (queue, arguments) = rest.split_once(' ').unwrap_or((&rest, ""));
        let verdict = match verb {
            "with" => Ok(()),
            "as" => {
                self.caller = Caller { account: queue.into(), region: arguments.into() };
                Ok(())
            }
            "queue" => self.create(queue, arguments, &expected).await,
            "set" => {
                let (attributes, _) = self.attributes(arguments);
                let input = json!({"QueueUrl": self.url(queue), "Attributes": attributes});
                self.plain("SetQueueAttributes", input, &expected).await
            }
            "attributes" => self.get_attributes(queue, arguments, &expected).await,
            "counts" => self.counts(queue, &expected).await,
            "send" => self.send(queue, arguments, &expected).await,
            "send-batch" => self.send_batch(queue, arguments, &expected).await,
            "receive" => self.receive(queue, arguments, &expected).await,
            "leave" => {
                let waiting = self.waiting.remove(queue).expect("nobody of this name waits");
                waiting.abort();
                Ok(())
            }
            "delete" => {
                let input =
                    json!({"QueueUrl": self.url(queue), "ReceiptHandle": self.handle(arguments)});
                self.plain("DeleteMessage", input, &expected).await
            }
            "visibility" => {
                let (handle, seconds) = arguments.split_once(' ').expect("a handle and seconds");
                let input = json!({
                    "QueueUrl": self.url(queue),
                    "ReceiptHandle": self.handle(handle),
                    "VisibilityTimeout": seconds.parse::<i64>().unwrap(),
                });
                self.plain("ChangeMessageVisibility", input, &expected).await
            }
            "delete-batch" | "visibility-batch" => {
                self.batch_of_handles(verb, queue, arguments, &expected).await
            }
            "purge" => {
                self.plain("PurgeQueue", json!({"QueueUrl": self.url(queue)}), &expected).await
            }
            "delete-queue" => {
                self.plain("DeleteQueue", json!({"QueueUrl": self.url(queue)}), &expected).await
            }
            "recreate" => {
                let (delete, create) =
                    (json!({"QueueUrl": self.url(queue)}), json!({"QueueName": queue}));
                let (deleted, created) = tokio::join!(
                    self.service.ask(&self.caller, "DeleteQueue", &delete),
                    self.service.ask(&self.caller, "CreateQueue", &create),
                );
                compare(&outcome(deleted.and(created)), &expected)
            }
            "move" => self.start_move(queue, arguments, &expected).await,
            "tasks" => self.list_moves(queue, arguments, &expected).await,
            "cancel" => {
                let input = json!({"TaskHandle": self.remembered[queue]});
                let answer = self.service.ask(&self.caller, "CancelMessageMoveTask", &input).await;
                let text = match answer {
                    Ok(answer) => {
                        format!("{} moved", answer["ApproximateNumberOfMessagesMoved"])
                    }
                    Err(failure) => self.failure(&failure),
                };
                compare(&text, &expected)
            }
            "call" => self.call(queue, arguments, &expected).await,
            verb if topics::is_verb(verb) => {
                self.say_of_topics(verb, queue, arguments, &expected).await
            }
            "stop" => {
                self.service.runtime.stop_waiting();
                Ok(())
            }
            "pretend" => self.pretend(queue, arguments).await,
            _ if verb.starts_with('+') => {
                if self.background_work || queue == "asleep" {
                    self.service.clock.advance(milliseconds(&verb[1..]));
                } else {
                    self.service.pass(milliseconds(&verb[1..])).await;
                }
                Ok(())
            }
            name if self.waiting.contains_key(name) => self.waited(name, &expected).await,
            unknown => Err(format!("there is no such request as {unknown}")),
        };
        self.settle().await;
        verdict
    }

    /// Returns when all tasks with work have run. The executor has one thread and the store runs jobs in
    /// turn, so every waiting task has run after a round.
    async fn settle(&self) {
        for _ in 0..24 {
            tokio::task::yield_now().await;
            drop(self.service.runtime.run(|_| Ok(())).await);
        }
    }

    /// Calls an operation without output.
    async fn plain(&self, operation: &str, input: Value, expected: &str) -> Verdict {
        let answer = self.service.ask(&self.caller, operation, &input).await;
        compare(&self.told(outcome(answer)), expected)
    }

    async fn create(&mut self, name: &str, arguments: &str, expected: &str) -> Verdict {
        let (mut attributes, tags) = self.attributes(arguments);
        if has_fifo_suffix(name) {
            attributes.insert("FifoQueue".into(), "true".into());
        }
        let mut input = json!({"QueueName": name, "Attributes": attributes});
        if !tags.is_empty() {
            input["tags"] = Value::Object(tags);
        }
        self.plain("CreateQueue", input, expected).await
    }

    /// Returns attributes and tags.
    fn attributes(&self, arguments: &str) -> (Map<String, Value>, Map<String, Value>) {
        let (mut attributes, mut tags) = (Map::new(), Map::new());
        for (name, value) in pairs(arguments) {
            if let Some(key) = name.strip_prefix("tag.") {
                tags.insert(key.into(), value.into());
                continue;
            }
            let (name, value) = match name {
                "visibility" => ("VisibilityTimeout", value.to_owned()),
                "delay" => ("DelaySeconds", value.to_owned()),
                "retention" => ("MessageRetentionPeriod", value.to_owned()),
                "wait" => ("ReceiveMessageWaitTimeSeconds", value.to_owned()),
                "max-size" => ("MaximumMessageSize", value.to_owned()),
                "content-dedup" => ("ContentBasedDeduplication", value.to_owned()),
                "scope" => ("DeduplicationScope", value.to_owned()),
                "throughput" => ("FifoThroughputLimit", value.to_owned()),
                "dlq" if value.is_empty() => ("RedrivePolicy", String::new()),
                "dlq" => {
                    let (target, count) = value.split_once(':').expect("a queue and a count");
                    let arn = self.arn(target);
                    let policy = format!(
                        "{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":{count}}}"
                    );
                    ("RedrivePolicy", policy)
                }
                name => (name, value.to_owned()),
            };
            attributes.insert(name.into(), value.into());
        }
        (attributes, tags)
    }

    async fn get_attributes(&self, queue: &str, names: &str, expected: &str) -> Verdict {
        let names: Vec<_> = names.split_whitespace().collect();
        let input = json!({"QueueUrl": self.url(queue), "AttributeNames": names});
        let text = match self.service.ask(&self.caller, "GetQueueAttributes", &input).await {
            Err(failure) => self.failure(&failure),
            Ok(answer) => match answer["Attributes"].as_object() {
                None => "nothing".into(),
                Some(attributes) => {
                    let shown = attributes.iter().map(|(name, value)| {
                        let value = value.as_str().unwrap();
                        let value = if name.ends_with("Timestamp") {
                            since_epoch(value.parse::<i64>().unwrap() * 1_000)
                        } else {
                            value.to_owned()
                        };
                        format!("{name}={value}")
                    });
                    sorted(shown.collect())
                }
            },
        };
        let expected = if expected.starts_with("error ") {
            expected.to_owned()
        } else {
            sorted(expected.split_whitespace().map(str::to_owned).collect())
        };
        compare(&text, &expected)
    }

    async fn counts(&self, queue: &str, expected: &str) -> Verdict {
        let input = json!({"QueueUrl": self.url(queue), "AttributeNames": ["All"]});
        let text = match self.service.ask(&self.caller, "GetQueueAttributes", &input).await {
            Err(failure) => self.failure(&failure),
            Ok(answer) => {
                let [visible, in_flight, delayed] = ["", "NotVisible", "Delayed"].map(|which| {
                    let name = format!("ApproximateNumberOfMessages{which}");
                    answer["Attributes"][name].as_str().unwrap().to_owned()
                });
                format!("{visible} visible, {in_flight} in flight, {delayed} delayed")
            }
        };
        compare(&text, expected)
    }

    /// Returns a message to send, and its label.
    fn message(text: &str) -> (Map<String, Value>, String) {
        let (body, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let mut message = Map::new();
        if body != "(no-body)" {
            message.insert("MessageBody".into(), long(body).into());
        }
        let mut attributes = Map::new();
        for (name, value) in pairs(rest) {
            match name {
                "group" => drop(message.insert("MessageGroupId".into(), long(value).into())),
                "dedup" => {
                    drop(message.insert("MessageDeduplicationId".into(), long(value).into()));
                }
                "delay" => {
                    let delay = value.parse::<i64>().unwrap();
                    message.insert("DelaySeconds".into(), delay.into());
                }
                "entry" => drop(message.insert("Id".into(), long(value).into())),
                "trace" => {
                    let trace = json!({"AWSTraceHeader":
                        {"DataType": "String", "StringValue": value}});
                    message.insert("MessageSystemAttributes".into(), trace);
                }
                name => {
                    let name = name.strip_prefix("attr.").expect("a parameter of a message");
                    let (data_type, value) = value.split_once(':').expect("TYPE:VALUE");
                    let is_binary = data_type.starts_with("Binary");
                    let member = if is_binary { "BinaryValue" } else { "StringValue" };
                    let attribute = json!({"DataType": data_type, member: long(value)});
                    attributes.insert(name.to_owned(), attribute);
                }
            }
        }
        if !attributes.is_empty() {
            message.insert("MessageAttributes".into(), attributes.into());
        }
        (message, body.to_owned())
    }

    async fn send(&mut self, queue: &str, message: &str, expected: &str) -> Verdict {
        let (mut input, body) = Self::message(message);
        input.insert("QueueUrl".into(), self.url(queue).into());
        let answer = self.service.ask(&self.caller, "SendMessage", &input.into()).await;
        let got = match answer {
            Err(failure) => vec![Item::bare(self.failure(&failure))],
            Ok(answer) => vec![self.sent(queue, &body, &answer)],
        };
        compare_items(&got, expected)
    }

    async fn send_batch(&mut self, queue: &str, messages: &str, expected: &str) -> Verdict {
        let mut entries = Vec::new();
        let mut bodies = Vec::new();
        for (index, message) in messages.split('|').enumerate().filter(|(_, m)| !m.is_empty()) {
            let (mut entry, body) = Self::message(message);
            entry.entry("Id").or_insert_with(|| format!("e{index}").into());
            entries.push(Value::Object(entry));
            bodies.push(body);
        }
        let ids: Vec<Value> = entries.iter().map(|entry| entry["Id"].clone()).collect();
        let input = json!({"QueueUrl": self.url(queue), "Entries": entries});
        let answer = self.service.ask(&self.caller, "SendMessageBatch", &input).await;
        let got = self
            .entries(answer, &ids, |this, index, entry| this.sent(queue, &bodies[index], entry));
        compare_items(&got, expected)
    }

    async fn batch_of_handles(
        &mut self,
        verb: &str,
        queue: &str,
        arguments: &str,
        expected: &str,
    ) -> Verdict {
        let entries: Vec<Value> = arguments
            .split('|')
            .enumerate()
            .map(|(index, entry)| {
                let mut words = entry.split_whitespace();
                let handle = self.handle(words.next().expect("a handle"));
                let mut entry = json!({"Id": format!("e{index}"), "ReceiptHandle": handle});
                if let Some(seconds) = words.next() {
                    entry["VisibilityTimeout"] = seconds.parse::<i64>().unwrap().into();
                }
                entry
            })
            .collect();
        let operation = match verb {
            "delete-batch" => "DeleteMessageBatch",
            _ => "ChangeMessageVisibilityBatch",
        };
        let ids: Vec<Value> = entries.iter().map(|entry| entry["Id"].clone()).collect();
        let input = json!({"QueueUrl": self.url(queue), "Entries": entries});
        let answer = self.service.ask(&self.caller, operation, &input).await;
        compare_items(&self.entries(answer, &ids, |_, _, _| Item::bare("ok".into())), expected)
    }

    /// Returns the results of the entries of a batch, in the order of the request.
    fn entries(
        &mut self,
        answer: Reply,
        ids: &[Value],
        mut succeeded: impl FnMut(&mut Self, usize, &Value) -> Item,
    ) -> Vec<Item> {
        let answer = match answer {
            Err(failure) => return vec![Item::bare(self.failure(&failure))],
            Ok(answer) => answer,
        };
        let find = |list: &str, id: &Value| {
            answer[list].as_array()?.iter().find(|entry| entry["Id"] == *id).cloned()
        };
        let mut items = Vec::new();
        for (index, id) in ids.iter().enumerate() {
            items.push(match (find("Successful", id), find("Failed", id)) {
                (Some(entry), None) => succeeded(self, index, &entry),
                (None, Some(entry)) => {
                    assert_eq!(entry["SenderFault"], true);
                    let text = |name: &str| entry[name].as_str().unwrap().to_owned();
                    let failure = Failure { code: text("Code"), message: text("Message") };
                    Item::bare(self.failure(&failure))
                }
                (found, failed) => Item::bare(format!("{found:?} and {failed:?}")),
            });
        }
        items
    }

    /// Returns the result of a send.
    fn sent(&mut self, queue: &str, body: &str, answer: &Value) -> Item {
        let mut item = Item::bare("ok".into());
        let id = answer["MessageId"].as_str().unwrap();
        let number = answer["SequenceNumber"].as_str();
        if self.labels.contains_key(id) {
            item.head = "same".into();
        } else if let Some(number) = number {
            let last = self.last_sequence_number.entry(self.url(queue)).or_default();
            assert!(number.len() == 20 && number > last.as_str(), "{number} after {last}");
            number.clone_into(last);
        }
        item.pair("id", Some(self.labelled(id, body)));
        item.pair("seq", number.map(|number| self.labelled(number, body)));
        for (name, member) in [
            ("md5", "MD5OfMessageBody"),
            ("attrs-md5", "MD5OfMessageAttributes"),
            ("system-md5", "MD5OfMessageSystemAttributes"),
        ] {
            item.pair(name, answer[member].as_str().map(str::to_owned));
        }
        item
    }

    /// Returns the label of an ID. An ID without a label gets the given one.
    fn labelled(&mut self, id: &str, label: &str) -> String {
        self.labels.entry(id.to_owned()).or_insert_with(|| label.to_owned()).clone()
    }

    async fn receive(&mut self, queue: &str, arguments: &str, expected: &str) -> Verdict {
        let (arguments, name) = match arguments.split_once("as ") {
            Some((arguments, name)) => (arguments, Some(name)),
            None => (arguments, None),
        };
        let mut input = json!({
            "QueueUrl": self.url(queue),
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        });
        let list = |value: &str| {
            value.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect::<Value>()
        };
        for (name, value) in pairs(arguments) {
            let number = || Value::from(value.parse::<i64>().unwrap());
            match name {
                "max" => input["MaxNumberOfMessages"] = number(),
                "wait" => input["WaitTimeSeconds"] = number(),
                "visibility" => input["VisibilityTimeout"] = number(),
                "attempt" => input["ReceiveRequestAttemptId"] = value.into(),
                "system" => input["MessageSystemAttributeNames"] = list(value),
                "old" => input["AttributeNames"] = list(value),
                "names" => input["MessageAttributeNames"] = list(value),
                other => return Err(format!("receive has no parameter {other}")),
            }
        }
        let (service, caller) = (self.service.clone(), self.caller.clone());
        let answer = async move { service.ask(&caller, "ReceiveMessage", &input).await };
        match name {
            None => {
                let got = self.received(answer.await);
                compare_items(&got, expected)
            }
            Some(name) => {
                self.waiting.insert(name.trim().to_owned(), tokio::spawn(answer));
                Ok(())
            }
        }
    }

    async fn waited(&mut self, name: &str, expected: &str) -> Verdict {
        if !self.waiting[name].is_finished() {
            return compare("waiting", expected);
        }
        let answer = self.waiting.remove(name).unwrap().await.unwrap();
        compare_items(&self.received(answer), expected)
    }

    fn received(&mut self, answer: Reply) -> Vec<Item> {
        let answer = match answer {
            Err(failure) => return vec![Item::bare(self.failure(&failure))],
            Ok(answer) => answer,
        };
        match answer.get("Messages") {
            None => vec![Item::bare("nothing".into())],
            Some(messages) => {
                messages.as_array().unwrap().iter().map(|message| self.shown(message)).collect()
            }
        }
    }

    fn shown(&mut self, message: &Value) -> Item {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let body = message["Body"].as_str().unwrap();
        let envelope: Value = serde_json::from_str(body)
            .ok()
            .filter(|body: &Value| body["Type"] == "Notification")
            .unwrap_or_default();
        let body = short(envelope["Message"].as_str().unwrap_or(body));
        let handle = message["ReceiptHandle"].as_str().unwrap().to_owned();
        self.handles.entry(body.clone()).or_default().push(handle);
        let system = &message["Attributes"];
        let label = |id: &str| self.labels.get(id).cloned();
        let or_new = |id: &Value| Some(label(id.as_str()?).unwrap_or_else(|| "new".into()));
        let time = |name: &str| Some(since_epoch(system[name].as_str()?.parse().unwrap()));
        let hash = Sha256::digest(&body);
        let hash = hash.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let dedup = system["MessageDeduplicationId"].as_str().map(|id| match label(id) {
            Some(label) => format!("id:{label}"),
            None if id == hash => "content".into(),
            None => id.to_owned(),
        });
        let source = system["DeadLetterQueueSourceArn"].as_str();
        let names = |map: &Value| {
            let names: Vec<_> = map.as_object()?.keys().cloned().collect();
            Some(names.join(","))
        };
        let mut item = Item::bare(body);
        item.pair("id", or_new(&message["MessageId"]));
        item.pair("count", text(&system["ApproximateReceiveCount"]));
        item.pair("seq", or_new(&system["SequenceNumber"]));
        item.pair("group", text(&system["MessageGroupId"]));
        item.pair("dedup", dedup);
        item.pair("sent", time("SentTimestamp"));
        item.pair("first", time("ApproximateFirstReceiveTimestamp"));
        item.pair("source", source.map(|arn| arn.rsplit(':').next().unwrap().to_owned()));
        item.pair("trace", text(&system["AWSTraceHeader"]));
        item.pair("sender", text(&system["SenderId"]));
        item.pair("system", names(system));
        item.pair("md5", text(&message["MD5OfBody"]));
        item.pair("attrs-md5", text(&message["MD5OfMessageAttributes"]));
        item.pair("attrs", names(&message["MessageAttributes"]));
        for (name, value) in message["MessageAttributes"].as_object().into_iter().flatten() {
            let given = text(&value["StringValue"]).or_else(|| text(&value["BinaryValue"]));
            let data_type = value["DataType"].as_str().unwrap();
            item.pair(&format!("attr.{name}"), given.map(|given| format!("{data_type}:{given}")));
        }
        self.pairs_of_envelope(&mut item, &envelope);
        item
    }

    async fn start_move(&mut self, queue: &str, arguments: &str, expected: &str) -> Verdict {
        let (arguments, name) = arguments.split_once("as ").unwrap_or((arguments, "task"));
        let mut input = json!({"SourceArn": self.arn(queue)});
        for (name, value) in pairs(arguments) {
            match name {
                "to" => input["DestinationArn"] = self.arn(value).into(),
                "rate" => {
                    input["MaxNumberOfMessagesPerSecond"] = value.parse::<i64>().unwrap().into();
                }
                other => return Err(format!("move has no parameter {other}")),
            }
        }
        let answer = self.service.ask(&self.caller, "StartMessageMoveTask", &input).await;
        if let Ok(answer) = &answer {
            self.remembered.insert(name.trim().to_owned(), answer["TaskHandle"].clone());
        }
        compare(&self.told(outcome(answer)), expected)
    }

    async fn list_moves(&self, queue: &str, arguments: &str, expected: &str) -> Verdict {
        let mut input = json!({"SourceArn": self.arn(queue)});
        if let Some(("max", number)) = pairs(arguments).next() {
            input["MaxResults"] = number.parse::<i64>().unwrap().into();
        }
        let text = match self.service.ask(&self.caller, "ListMessageMoveTasks", &input).await {
            Err(failure) => self.failure(&failure),
            Ok(answer) => {
                let tasks = answer["Results"].as_array().cloned().unwrap_or_default();
                let shown = tasks.iter().map(|task| {
                    let is_running = task["Status"] == "RUNNING";
                    assert_eq!(task.get("TaskHandle").is_some(), is_running, "{task}");
                    let mut text = format!(
                        "{} {}/{}",
                        task["Status"].as_str().unwrap(),
                        task["ApproximateNumberOfMessagesMoved"],
                        task["ApproximateNumberOfMessagesToMove"]
                    );
                    if let Some(reason) = task["FailureReason"].as_str() {
                        write!(text, " {reason}").unwrap();
                    }
                    text
                });
                shown.collect::<Vec<_>>().join(" | ")
            }
        };
        compare(&text, if expected == "nothing" { "" } else { expected })
    }

    async fn call(&mut self, operation: &str, input: &str, expected: &str) -> Verdict {
        let input = self.recall(serde_json::from_str(input).expect("JSON to ask with"));
        let answer = match operation.strip_prefix("sns.") {
            Some(operation) => self.service.ask_sns(&self.caller, operation, &input).await,
            None => self.service.ask(&self.caller, operation, &input).await,
        };
        let answer = match answer {
            Ok(answer) if expected.starts_with('{') => answer,
            answer => return compare(&self.told(outcome(answer)), expected),
        };
        let pattern: Value = serde_json::from_str(expected).expect("JSON to expect");
        if self.matches(&answer, &pattern) { Ok(()) } else { Err(answer.to_string()) }
    }

    /// Replaces `$names` with the remembered values.
    fn recall(&self, value: Value) -> Value {
        match value {
            Value::String(text) if text.starts_with('$') => self.remembered[&text[1..]].clone(),
            Value::Array(list) => list.into_iter().map(|value| self.recall(value)).collect(),
            Value::Object(map) => {
                map.into_iter().map(|(key, value)| (key, self.recall(value))).collect()
            }
            other => other,
        }
    }

    fn matches(&mut self, value: &Value, pattern: &Value) -> bool {
        match (value, pattern) {
            (_, Value::String(text)) if text == "*" => true,
            (value, Value::String(text)) if text.starts_with('$') => {
                let known = self.remembered.entry(text[1..].to_owned());
                known.or_insert_with(|| value.clone()) == value
            }
            (Value::Array(values), Value::Array(patterns)) => {
                values.len() == patterns.len()
                    && values.iter().zip(patterns).all(|(value, p)| self.matches(value, p))
            }
            (Value::Object(values), Value::Object(patterns)) => {
                values.len() == patterns.len()
                    && patterns.iter().all(|(key, pattern)| {
                        values.get(key).is_some_and(|value| self.matches(value, pattern))
                    })
            }
            (value, pattern) => value == pattern,
        }
    }

    async fn pretend(&self, queue: &str, arguments: &str) -> Verdict {
        let (_, number) = pairs(arguments).next().expect("in-flight=NUMBER");
        let in_flight: i64 = number.parse().unwrap();
        let address = self.address(queue);
        let change = move |tx: &mut squab::store::Txn<'_>| {
            let backlog = squab::engine::queues::find(
                tx,
                &squab::engine::access::Access::everything(),
                &address,
            )?
            .backlog;
            let now = tx.counts(backlog)?.in_flight;
            tx.count(backlog, Counts { in_flight: in_flight - now, ..Counts::default() });
            Ok(())
        };
        self.service.runtime.run(change).await.map_err(|refusal| refusal.to_string())
    }

    fn address(&self, queue: &str) -> QueueAddress {
        let Caller { account, region } = self.caller.clone();
        QueueAddress { account, region, name: queue.to_owned() }
    }

    /// Returns the ARN of a queue of the caller; an ARN is returned unchanged.
    fn arn(&self, queue: &str) -> String {
        if queue.starts_with("arn:") { queue.to_owned() } else { self.address(queue).arn() }
    }

    /// Returns the URL of a queue of the caller; a URL or path is returned unchanged.
    fn url(&self, queue: &str) -> String {
        if queue.contains('/') {
            return queue.to_owned();
        }
        self.address(queue).url("http://localhost:4566", UrlForm::Plain)
    }

    /// Returns the receipt handle of a receive; any other text is returned unchanged.
    fn handle(&self, name: &str) -> String {
        let of_receive = |(body, number): (&str, &str)| {
            self.handles.get(body)?.get(number.parse::<usize>().ok()?.checked_sub(1)?).cloned()
        };
        name.rsplit_once('.').and_then(of_receive).unwrap_or_else(|| name.to_owned())
    }

    fn substitute(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (opening, value) in [
            ("arn(", Self::arn as fn(&Self, &str) -> String),
            ("url(", Self::url),
            ("handle(", Self::handle),
            ("topic(", Self::topic_arn),
            ("sub(", Self::subscription_arn),
            ("at(", |_, moment| topics::timestamp(moment)),
        ] {
            while let Some(start) = text.find(opening) {
                let rest = &text[start + opening.len()..];
                let name = &rest[..rest.find(')').expect("a closing bracket")];
                let whole = format!("{opening}{name})");
                text = text.replace(&whole, &value(self, name));
            }
        }
        text
    }

    /// Replaces receipt handles with their names.
    fn told(&self, mut text: String) -> String {
        for (body, handles) in &self.handles {
            for (index, handle) in handles.iter().enumerate() {
                text = text.replace(handle.as_str(), &format!("{body}.{}", index + 1));
            }
        }
        text
    }

    fn failure(&self, failure: &Failure) -> String {
        self.told(refused(failure))
    }
}

/// One item of a result: a message, or the result of an entry.
#[derive(Debug)]
struct Item {
    head: String,
    pairs: Vec<(String, String)>,
}

impl Item {
    fn bare(head: String) -> Self {
        Self { head, pairs: Vec::new() }
    }

    fn pair(&mut self, name: &str, value: Option<String>) {
        self.pairs.push((name.to_owned(), value.unwrap_or_else(|| "none".to_owned())));
    }

    fn has(&self, name: &str, value: &str) -> bool {
        let found = self.pairs.iter().find(|(known, _)| known == name);
        found.map_or(value == "none", |(_, found)| found == value)
    }
}

impl std::fmt::Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.head)?;
        self.pairs.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

fn outcome(answer: Reply) -> String {
    match answer {
        Ok(_) => "ok".into(),
        Err(failure) => refused(&failure),
    }
}

fn refused(failure: &Failure) -> String {
    format!("error {}: {}", failure.code, failure.message)
}

fn compare(got: &str, expected: &str) -> Verdict {
    if is_as_expected(got, expected) { Ok(()) } else { Err(got.to_owned()) }
}

/// Compares a result; an expected error may omit its message or the end of it.
fn is_as_expected(got: &str, expected: &str) -> bool {
    match expected.strip_suffix('…') {
        Some(beginning) => got.starts_with(beginning),
        None => {
            got == expected
                || (expected.starts_with("error ")
                    && !expected.contains(':')
                    && got.split(':').next() == Some(expected))
        }
    }
}

fn compare_items(got: &[Item], expected: &str) -> Verdict {
    if let [only] = got
        && expected.starts_with("error ")
    {
        return compare(&only.head, expected);
    }
    if expected == "ok" && got.iter().all(|item| item.head == "ok") {
        return Ok(());
    }
    let mut wanted: Vec<(String, Vec<(&str, &str)>)> = Vec::new();
    for part in expected.split(" | ").map(str::trim) {
        if part.starts_with("error ") {
            wanted.push((part.to_owned(), Vec::new()));
            continue;
        }
        for word in part.split_whitespace() {
            match (word.split_once('='), wanted.last_mut()) {
                (Some(pair), Some((_, pairs))) => pairs.push(pair),
                _ => wanted.push((word.to_owned(), Vec::new())),
            }
        }
    }
    let as_expected = got.len() == wanted.len()
        && got.iter().zip(&wanted).all(|(item, (head, pairs))| {
            is_as_expected(&item.head, head) && pairs.iter().all(|(name, v)| item.has(name, v))
        });
    if as_expected {
        return Ok(());
    }
    Err(got.iter().map(Item::to_string).collect::<Vec<_>>().join("\n          | "))
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split_whitespace().map(|word| word.split_once('=').expect("NAME=VALUE"))
}

fn sorted(mut words: Vec<String>) -> String {
    words.sort();
    words.join(" ")
}

/// `x*5` is `xxxxx`; `%20` and the like are the characters with these numbers, in hexadecimal.
fn long(text: &str) -> String {
    let repeated =
        text.split_once('*').and_then(|(unit, count)| Some(unit.repeat(count.parse().ok()?)));
    let text = repeated.unwrap_or_else(|| text.to_owned());
    percent_encoding::percent_decode_str(&text).decode_utf8().unwrap().into_owned()
}

/// The inverse, for bodies of one character.
fn short(text: &str) -> String {
    let first = text.chars().next().unwrap_or_default();
    match text.len() {
        length if length > 40 && text.chars().all(|c| c == first) => format!("{first}*{length}"),
        _ => text.to_owned(),
    }
}

fn since_epoch(at: i64) -> String {
    let ms = at - EPOCH;
    if ms % 1_000 == 0 { format!("+{}s", ms / 1_000) } else { format!("+{ms}ms") }
}

fn milliseconds(text: &str) -> i64 {
    let digits = text.find(|c: char| !c.is_ascii_digit()).expect("a unit");
    let unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        unit => panic!("{unit} is no unit of time"),
    };
    text[..digits].parse::<i64>().unwrap() * unit
}
