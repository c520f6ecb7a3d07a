//! Clients that use a server until it ends and record their requests and responses, and the judgment
//! whether the state afterwards agrees with the record.
//!
//! Every message has a name, which is the start of its body. A call without a response, or with a 5xx
//! response, may have taken effect or not. Every other call has taken effect.

pub mod checker;

use crate::process::Connection;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Result, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Queues with everything that happens to queues.
pub const QUEUES: [&str; 8] =
    ["q", "q-dead", "moved", "q.fifo", "purged", "raw", "enveloped", "copies.fifo"];
const QUEUE_ARNS: &str = "arn:aws:sqs:us-east-1:000000000000";
pub const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";
const FIFO_TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t.fifo";
/// Clients that work at the same time.
pub const CLIENTS: usize = 8;
/// A visibility timeout that no test waits for.
const LONG_SECONDS: u32 = 6_000;
/// Messages of each kind that a client leaves in the queues, roughly.
const BACKLOG: usize = 20;

/// Where the message with this name may be, one set of queues for each copy of it that there is.
pub fn homes(sent_to: &str) -> &'static [&'static [&'static str]] {
    match sent_to {
        "q" => &[&["q", "q-dead", "moved"]],
        "q.fifo" => &[&["q.fifo"]],
        "purged" => &[&["purged"]],
        TOPIC => &[&["raw"], &["enveloped"]],
        FIFO_TOPIC => &[&["copies.fifo"]],
        other => panic!("{other}"),
    }
}

/// What a client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Sent or published.
    Sent,
    /// Got it, as often as this says.
    Received(u64),
    /// Deleted it, or purged the queue.
    Deleted,
}

/// What a client asked for concerning one message, and when. Moments count from 1 in the one order
/// that all clients share.
#[derive(Debug, Clone)]
pub struct Event {
    pub act: Act,
    /// The queue, or the ARN of the topic.
    pub place: String,
    pub name: String,
    pub begun: u64,
    /// None if it was not answered.
    pub told: Option<u64>,
    /// Of the answer.
    pub request_id: String,
}

/// What all clients share.
#[derive(Default)]
pub struct History {
    moment: AtomicU64,
    /// Where every beginning is written down too.
    journal: Option<Mutex<File>>,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    /// Set when enough was done.
    pub enough: AtomicBool,
    events: Mutex<Vec<Event>>,
}

/// The kind of record by which the journal of a disk knows what clients write into it.
pub const BEGUN: u8 = b'B';

impl History {
    /// A history who writes beginnings into the journal of a disk.
    pub fn with_journal(journal: File) -> Self {
        Self { journal: Some(Mutex::new(journal)), ..Self::default() }
    }

    fn moment(&self) -> u64 {
        self.moment.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn begin(&self) -> u64 {
        let moment = self.moment();
        if let Some(journal) = &self.journal {
            let mut record = vec![BEGUN];
            record.extend(8_u32.to_le_bytes());
            record.extend(moment.to_le_bytes());
            journal.lock().unwrap().write_all(&record).unwrap();
        }
        moment
    }

    /// Calls that were answered with a success.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Calls that were answered with 5xx.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::SeqCst)
    }

    fn note(&self, events: impl IntoIterator<Item = Event>) {
        self.events.lock().unwrap().extend(events);
    }

    /// Everything that was asked so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }
}

/// Makes queues, topics and subscriptions. With an endpoint, messages of the topic go there too,
/// once [`confirm`] has been called with what it is sent.
pub fn set_up(connection: &mut Connection, endpoint: Option<&str>) {
    let redrive =
        json!({"deadLetterTargetArn": format!("{QUEUE_ARNS}:q-dead"), "maxReceiveCount": 3});
    for name in ["q-dead", "q", "moved", "q.fifo", "purged", "raw", "enveloped", "copies.fifo"] {
        let attributes = match name {
            "q" => json!({"RedrivePolicy": redrive.to_string()}),
            _ if is_fifo(name) => json!({"FifoQueue": "true"}),
            _ => json!({}),
        };
        connection.ok("CreateQueue", &json!({"QueueName": name, "Attributes": attributes}));
    }
    sns(connection, "CreateTopic", &[("Name", "t")]);
    let fifo = [("Attributes.entry.1.key", "FifoTopic"), ("Attributes.entry.1.value", "true")];
    sns(connection, "CreateTopic", &[&[("Name", "t.fifo")], &fifo[..]].concat());
    let raw =
        [("Attributes.entry.1.key", "RawMessageDelivery"), ("Attributes.entry.1.value", "true")];
    for (topic, queue, attributes) in
        [(TOPIC, "raw", &raw[..]), (TOPIC, "enveloped", &[]), (FIFO_TOPIC, "copies.fifo", &raw)]
    {
        let queue = format!("{QUEUE_ARNS}:{queue}");
        let to = [("TopicArn", topic), ("Protocol", "sqs"), ("Endpoint", queue.as_str())];
        sns(connection, "Subscribe", &[&to[..], attributes].concat());
    }
    if let Some(url) = endpoint {
        sns(
            connection,
            "Subscribe",
            &[("TopicArn", TOPIC), ("Protocol", "http"), ("Endpoint", url)],
        );
    }
}

/// Agrees to what the endpoint was asked; what fails then is tried again every second.
pub fn confirm(connection: &mut Connection, question: &Value) {
    let token = question["Token"].as_str().unwrap();
    let answer = sns(connection, "ConfirmSubscription", &[("TopicArn", TOPIC), ("Token", token)]);
    let arn = answer.split_once("<SubscriptionArn>").unwrap().1.split_once('<').unwrap().0;
    let retries = json!({"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 100});
    let policy = json!({"healthyRetryPolicy": retries}).to_string();
    let policy = [
        ("SubscriptionArn", arn),
        ("AttributeName", "DeliveryPolicy"),
        ("AttributeValue", policy.as_str()),
    ];
    sns(connection, "SetSubscriptionAttributes", &policy);
}

fn sns(connection: &mut Connection, action: &str, parameters: &[(&str, &str)]) -> String {
    let (status, answer) = connection.sns(action, parameters).unwrap();
    assert_eq!(status, 200, "{action}: {answer}");
    answer
}

/// One who sends and receives. What it has to remember outlives the server.
pub struct Client {
    number: usize,
    random: fastrand::Rng,
    messages: usize,
    /// A message to a FIFO queue or topic whose answer did not arrive: it is sent again, as it was.
    unanswered: Option<Vec<String>>,
    /// The last such message that was answered, with its MessageId.
    answered: Option<(String, String)>,
    /// Names of what was sent to the queue that is purged since it last was.
    to_purge: Vec<String>,
}

/// What messages are received from a queue for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To delete them, to give some back, to keep some.
    Work,
    /// To fail, until they are given up as dead.
    Fail,
}

/// What was asked concerning some messages, as events want it.
struct Asked {
    begun: u64,
    told: Option<u64>,
    request_id: String,
}

impl Asked {
    fn event(&self, act: Act, place: &str, name: &str) -> Event {
        Event {
            act,
            place: place.to_owned(),
            name: name.to_owned(),
            begun: self.begun,
            told: self.told,
            request_id: self.request_id.clone(),
        }
    }
}

/// The name of the message that has this body.
pub fn name_of(body: &str) -> String {
    let enveloped = body.starts_with('{').then(|| serde_json::from_str::<Value>(body).unwrap());
    let text = enveloped.as_ref().map_or(body, |envelope| envelope["Message"].as_str().unwrap());
    text.split(' ').next().unwrap().to_owned()
}

/// The message group of the message with this name on FIFO queues, and its number.
pub fn group_and_number(name: &str) -> (String, usize) {
    let (client, number) = name.split_once('-').unwrap();
    let number: usize = number.parse().unwrap();
    // A new group now and then: a group is blocked if a client that has ended holds its message.
    (format!("{client}-{}", number / 10 * 2 + number % 2), number)
}

/// Whether a queue or topic of this name is FIFO.
pub fn is_fifo(name: &str) -> bool {
    name.strip_suffix(".fifo").is_some()
}

fn url(queue: &str) -> String {
    format!("http://localhost/000000000000/{queue}")
}

/// Returns a number that an environment variable sets.
pub fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// What random choices follow from: given, or new.
#[allow(clippy::disallowed_methods, reason = "a seed of a test is no secret")]
pub fn seed() -> u64 {
    from_environment("SQUAB_SEED").unwrap_or_else(|| fastrand::Rng::new().get_seed())
}

impl Client {
    pub fn new(number: usize, seed: u64) -> Self {
        Self {
            number,
            random: fastrand::Rng::with_seed(seed.wrapping_add(number as u64)),
            messages: 0,
            unanswered: None,
            answered: None,
            to_purge: Vec::new(),
        }
    }

    /// Works until the server has gone, or enough was done.
    pub fn work(&mut self, mut connection: Connection, history: &History) {
        let mut session = Session { client: self, connection: &mut connection, history };
        loop {
            if history.enough.load(Ordering::SeqCst) || session.step().is_err() {
                return;
            }
        }
    }

    fn name(&mut self) -> String {
        self.messages += 1;
        format!("{}-{}", self.number, self.messages)
    }
}

/// A client on a connection.
struct Session<'s> {
    client: &'s mut Client,
    connection: &'s mut Connection,
    history: &'s History,
}

impl Session<'_> {
    /// One or two calls, those that this client is there for.
    fn step(&mut self) -> Result<()> {
        let sends = self.client.messages < BACKLOG || self.client.random.bool();
        match self.client.number % CLIENTS {
            0 | 1 if sends => self.send("q"),
            0 | 1 => self.receive("q", Purpose::Work),
            2 | 3 if sends => self.send("q.fifo"),
            2 | 3 => self.receive("q.fifo", Purpose::Work),
            4 if sends => self.publish(TOPIC),
            4 => self.receive("raw", Purpose::Work),
            5 if sends => self.publish(FIFO_TOPIC),
            5 => self.receive("copies.fifo", Purpose::Work),
            6 if sends => self.receive("q", Purpose::Fail),
            6 => self.move_the_dead(),
            _ => match self.client.random.u8(..20) {
                0 => self.purge(),
                1..8 => self.send("purged"),
                8..14 => self.receive("enveloped", Purpose::Work),
                _ => {
                    let queue = if self.client.random.bool() { "q-dead" } else { "moved" };
                    self.receive(queue, Purpose::Work)
                }
            },
        }
    }

    /// Calls an operation of SQS. The output, if it succeeded.
    fn call(&mut self, operation: &str, input: &Value) -> Result<(Asked, Option<Value>)> {
        let begun = self.history.begin();
        self.call_begun(begun, operation, input)
    }

    fn call_begun(
        &mut self,
        begun: u64,
        operation: &str,
        input: &Value,
    ) -> Result<(Asked, Option<Value>)> {
        let answer = self.connection.call(operation, input);
        self.told(begun, operation, answer, |text| {
            if text.is_empty() { Value::Null } else { serde_json::from_str(text).unwrap() }
        })
    }

    /// What came of a call; `read` reads its output. Not answered: an error, and it is up to the
    /// caller to note that before.
    fn told(
        &mut self,
        begun: u64,
        operation: &str,
        answer: Result<(u16, String)>,
        read: impl Fn(&str) -> Value,
    ) -> Result<(Asked, Option<Value>)> {
        let (status, text) = answer?;
        let request_id = self.connection.header("x-amzn-requestid").unwrap().to_owned();
        let unanswered = Asked { begun, told: None, request_id: String::new() };
        match status {
            200 => {
                self.history.acknowledged.fetch_add(1, Ordering::SeqCst);
                let told = Some(self.history.moment());
                Ok((Asked { begun, told, request_id }, Some(read(&text))))
            }
            // There may be a task already; the disk may be full.
            400 if operation == "StartMessageMoveTask" => Ok((unanswered, None)),
            500.. => {
                self.history.refused.fetch_add(1, Ordering::SeqCst);
                Ok((unanswered, None))
            }
            _ => panic!("{operation}: {status} {text}"),
        }
    }

    /// Does a call that concerns these messages, and notes it, answered or not.
    fn concerning(
        &mut self,
        act: Act,
        place: &str,
        names: &[String],
        operation: &str,
        input: &Value,
    ) -> Result<Option<Value>> {
        let begun = self.history.begin();
        let outcome = self.call_begun(begun, operation, input);
        let unanswered = Asked { begun, told: None, request_id: String::new() };
        let asked = outcome.as_ref().map_or(&unanswered, |(asked, _)| asked);
        self.history.note(names.iter().map(|name| asked.event(act, place, name)));
        outcome.map(|(_, output)| output)
    }

    /// So many bytes that some messages share a page with others, and some take several.
    fn body(&mut self, name: &str) -> String {
        let padding = *self.client.random.choice(&[0, 100, 700, 900, 5_000, 30_000]).unwrap();
        format!("{name} {}", "x".repeat(padding))
    }

    /// One message or a few, by one call. To FIFO queues what was not answered goes again.
    fn send(&mut self, queue: &str) -> Result<()> {
        let fifo = is_fifo(queue);
        if fifo && self.client.unanswered.is_none() {
            self.send_again(queue)?;
        }
        let names = self.names();
        if fifo {
            self.client.unanswered = Some(names.clone());
        }
        if queue == "purged" {
            self.client.to_purge.extend(names.iter().cloned());
        }
        let delayed = !fifo && self.client.random.u8(..10) == 0;
        let entries: Vec<Value> =
            names.iter().map(|name| self.message(name, fifo, delayed)).collect();
        let output = if let [message] = entries.as_slice() {
            let mut input = message.clone();
            input["QueueUrl"] = json!(url(queue));
            input.as_object_mut().unwrap().remove("Id");
            self.concerning(Act::Sent, queue, &names, "SendMessage", &input)?
        } else {
            let input = json!({"QueueUrl": url(queue), "Entries": entries});
            let output = self.concerning(Act::Sent, queue, &names, "SendMessageBatch", &input)?;
            // The whole batch succeeds, or the call fails.
            if let Some(output) = &output {
                assert_eq!(
                    output["Successful"].as_array().map_or(0, Vec::len),
                    names.len(),
                    "{output}"
                );
            }
            output
        };
        if let (Some(output), true) = (output, fifo) {
            self.client.unanswered = None;
            if let Some(id) = output["MessageId"].as_str() {
                self.client.answered = Some((names[0].clone(), id.to_owned()));
            }
        }
        Ok(())
    }

    /// New messages, or those that were not answered.
    fn names(&mut self) -> Vec<String> {
        if let Some(names) = self.client.unanswered.clone() {
            return names;
        }
        let count =
            if self.client.random.u8(..3) == 0 { self.client.random.usize(2..6) } else { 1 };
        (0..count).map(|_| self.client.name()).collect()
    }

    fn message(&mut self, name: &str, fifo: bool, delayed: bool) -> Value {
        let mut message = json!({"Id": name, "MessageBody": self.body(name)});
        if fifo {
            message["MessageGroupId"] = json!(group_and_number(name).0);
            message["MessageDeduplicationId"] = json!(name);
        }
        if delayed {
            message["DelaySeconds"] = json!(900);
        }
        message
    }

    /// Now and then what was answered goes again too: it must be known.
    fn send_again(&mut self, queue: &str) -> Result<()> {
        let Some((name, id)) = self.client.answered.clone() else { return Ok(()) };
        if self.client.random.u8(..10) != 0 {
            return Ok(());
        }
        let mut input = self.message(&name, true, false);
        input["QueueUrl"] = json!(url(queue));
        input.as_object_mut().unwrap().remove("Id");
        if let (_, Some(output)) = self.call("SendMessage", &input)? {
            assert_eq!(output["MessageId"], json!(id), "a duplicate of {name}");
        }
        Ok(())
    }

    /// One publication or a few.
    fn publish(&mut self, topic: &str) -> Result<()> {
        let names = self.names();
        let fifo = is_fifo(topic);
        if fifo {
            self.client.unanswered = Some(names.clone());
        }
        let mut parameters = vec![("TopicArn".to_owned(), topic.to_owned())];
        for (index, name) in (1..).zip(&names) {
            let place = |parameter: &str| match names.len() {
                1 => parameter.to_owned(),
                _ => format!("PublishBatchRequestEntries.member.{index}.{parameter}"),
            };
            if names.len() > 1 {
                parameters.push((place("Id"), name.clone()));
            }
            parameters.push((place("Message"), self.body(name)));
            if fifo {
                parameters.push((place("MessageGroupId"), group_and_number(name).0));
                parameters.push((place("MessageDeduplicationId"), name.clone()));
            }
        }
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let action = if names.len() > 1 { "PublishBatch" } else { "Publish" };
        let begun = self.history.begin();
        let answer = self.connection.sns(action, &parameters);
        let outcome = self.told(begun, action, answer, |text| {
            assert!(!text.contains("<BatchResultErrorEntry>"), "{text}");
            Value::Null
        });
        let unanswered = Asked { begun, told: None, request_id: String::new() };
        let asked = outcome.as_ref().map_or(&unanswered, |(asked, _)| asked);
        self.history.note(names.iter().map(|name| asked.event(Act::Sent, topic, name)));
        if outcome?.1.is_some() && fifo {
            self.client.unanswered = None;
        }
        Ok(())
    }

    /// Receives some messages and does to each what the purpose wants.
    fn receive(&mut self, queue: &str, purpose: Purpose) -> Result<()> {
        let seconds = if purpose == Purpose::Fail { 0 } else { LONG_SECONDS };
        let input = json!({
            "QueueUrl": url(queue),
            "MaxNumberOfMessages": self.client.random.u8(1..=10),
            "VisibilityTimeout": seconds,
            "AttributeNames": ["ApproximateReceiveCount"],
        });
        // What a receive did whose answer did not arrive shows in nothing that is judged.
        let (asked, output) = self.call("ReceiveMessage", &input)?;
        let output = output.unwrap_or_default();
        let (mut to_delete, mut to_change) = (Vec::new(), Vec::new());
        for message in output["Messages"].as_array().into_iter().flatten() {
            let name = name_of(message["Body"].as_str().unwrap());
            let count = message["Attributes"]["ApproximateReceiveCount"].as_str().unwrap();
            let act = Act::Received(count.parse().unwrap());
            self.history.note([asked.event(act, queue, &name)]);
            let handle = message["ReceiptHandle"].clone();
            if purpose == Purpose::Work {
                match self.client.random.u8(..8) {
                    0 => to_change.push((name, handle, 0)),
                    1 => to_change.push((name, handle, LONG_SECONDS + 1)),
                    _ => to_delete.push((name, handle)),
                }
            }
        }
        self.change(queue, &to_change)?;
        self.delete(queue, &to_delete)
    }

    fn change(&mut self, queue: &str, messages: &[(String, Value, u32)]) -> Result<()> {
        let entries: Vec<_> = messages
            .iter()
            .map(|(name, handle, seconds)| {
                json!({"Id": name, "ReceiptHandle": handle, "VisibilityTimeout": seconds})
            })
            .collect();
        if !entries.is_empty() {
            let input = json!({"QueueUrl": url(queue), "Entries": entries});
            self.call("ChangeMessageVisibilityBatch", &input)?;
        }
        Ok(())
    }

    fn delete(&mut self, queue: &str, messages: &[(String, Value)]) -> Result<()> {
        if let [(name, handle)] = messages {
            let input = json!({"QueueUrl": url(queue), "ReceiptHandle": handle});
            let names = [name.clone()];
            self.concerning(Act::Deleted, queue, &names, "DeleteMessage", &input)?;
        } else if !messages.is_empty() {
            let names: Vec<_> = messages.iter().map(|(name, _)| name.clone()).collect();
            let entries: Vec<_> = messages
                .iter()
                .map(|(name, handle)| json!({"Id": name, "ReceiptHandle": handle}))
                .collect();
            let input = json!({"QueueUrl": url(queue), "Entries": entries});
            let output =
                self.concerning(Act::Deleted, queue, &names, "DeleteMessageBatch", &input)?;
            if let Some(output) = output {
                assert_eq!(
                    output["Successful"].as_array().map_or(0, Vec::len),
                    names.len(),
                    "{output}"
                );
            }
        }
        Ok(())
    }

    fn purge(&mut self) -> Result<()> {
        // A purge that was not answered may have happened: its messages stay on the list.
        let names = self.client.to_purge.clone();
        let input = json!({"QueueUrl": url("purged")});
        let purged = self.concerning(Act::Deleted, "purged", &names, "PurgeQueue", &input)?;
        if purged.is_some() {
            self.client.to_purge.clear();
        }
        Ok(())
    }

    fn move_the_dead(&mut self) -> Result<()> {
        let input = json!({
            "SourceArn": format!("{QUEUE_ARNS}:q-dead"),
            "DestinationArn": format!("{QUEUE_ARNS}:moved"),
        });
        self.call("StartMessageMoveTask", &input).map(drop)
    }
}
