//! The measured scenarios: each is a loop that one connection runs until the deadline.

use crate::client::{Connection, member, members, request, write_request};
use crate::process::Server;
use crate::topic::Topic;
use crate::{Result, now};
use clap::ValueEnum;
use memchr::memmem::Finder;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const BATCH: usize = 10;
/// The connections of `send-full`: many are needed to keep a server busy that waits for its disk.
const MANY_CONNECTIONS: usize = 64;
/// The time for a long poll to reach the server before a message is sent.
const UNTIL_WAITING: Duration = Duration::from_millis(3);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// SendMessage
    Send,
    /// ReceiveMessage on an empty queue, without waiting
    ReceiveEmpty,
    /// SendMessage, ReceiveMessage, DeleteMessage: three requests for one message
    OneByOne,
    /// Ten messages by SendMessageBatch, ReceiveMessage, DeleteMessageBatch
    Batch,
    /// As batch, on a FIFO queue with --groups
    FifoBatch,
    /// From the start of a SendMessage to the arrival of its message at a waiting receiver
    Wakeup,
    /// SendMessage over 64 connections, for servers that write to a disk
    SendFull,
    /// Publish to a topic with ten queues and raw delivery
    Publish,
    /// Publish to a topic with a hundred filtered queues, one of which gets the message
    PublishFiltered,
    /// GetQueueAttributes with all attributes
    Attributes,
    /// ListQueues with a prefix that matches one queue
    List,
}

impl Scenario {
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Returns the number of connections.
    pub fn connections(self, usual: usize) -> usize {
        match self {
            Self::SendFull => MANY_CONNECTIONS,
            Self::Wakeup => 1,
            _ => usual,
        }
    }

    /// Returns whether throughput is counted in messages instead of requests.
    pub fn counts_messages(self) -> bool {
        matches!(self, Self::Batch | Self::FifoBatch | Self::Publish)
    }

    /// Returns whether the scenario is useful on a queue with a backlog.
    pub fn can_have_backlog(self) -> bool {
        !matches!(
            self,
            Self::ReceiveEmpty | Self::Wakeup | Self::Publish | Self::PublishFiltered | Self::List
        )
    }

    fn is_fifo(self) -> bool {
        self == Self::FifoBatch
    }

    /// Returns the number of queues of its topic, if it publishes.
    fn subscribers(self) -> Option<usize> {
        match self {
            Self::Publish => Some(10),
            Self::PublishFiltered => Some(100),
            _ => None,
        }
    }
}

/// The length of messages, and their distribution over groups on FIFO queues.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub body_bytes: usize,
    pub groups: u64,
}

/// The completed work of connections.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    pub requests: u64,
    pub messages: u64,
    /// The latency of each request, in nanoseconds.
    pub latencies: Vec<u32>,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.messages += other.messages;
        self.latencies.extend(other.latencies);
    }
}

/// A connection that runs a scenario.
struct Worker {
    connection: Connection,
    deadline: Instant,
    tally: Tally,
}

impl Worker {
    /// Makes a call and counts it with the messages that it completes, if it ended in time.
    async fn call(&mut self, request: &[u8], messages: u64) -> Result<&[u8]> {
        let began = now();
        let body = self.connection.call(request).await?;
        let ended = now();
        if ended <= self.deadline {
            self.tally.requests += 1;
            self.tally.messages += messages;
            self.tally.latencies.push(nanoseconds(ended - began));
        }
        Ok(body)
    }

    fn is_over(&self) -> bool {
        now() >= self.deadline
    }
}

fn nanoseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_nanos()).unwrap_or(u32::MAX)
}

/// A queue, and prepared requests to it.
#[derive(Debug, Clone)]
pub struct Queue {
    host: String,
    url: String,
    shape: Shape,
    is_fifo: bool,
    deduplication: Arc<AtomicU64>,
    topic: Option<Topic>,
}

impl Queue {
    /// Creates the queue that a scenario needs.
    pub async fn create(server: &Server, name: &str, of: Scenario, shape: Shape) -> Result<Self> {
        let host = server.address.clone();
        let is_fifo = of.is_fifo();
        let body = if is_fifo {
            format!(r#"{{"QueueName":"{name}.fifo","Attributes":{{"FifoQueue":"true"}}}}"#)
        } else {
            format!(r#"{{"QueueName":"{name}"}}"#)
        };
        let topic = match of.subscribers() {
            None => None,
            Some(queues) => {
                let filtered = of == Scenario::PublishFiltered;
                Some(Topic::create(&host, &format!("{name}-topic"), queues, filtered).await?)
            }
        };
        let mut control = Connection::open(&host).await?;
        let answer = control.call(&request(&host, "CreateQueue", &body)).await?;
        let name = member("QueueUrl");
        let url = members(answer, &name).next().ok_or("no QueueUrl")?;
        let url = String::from_utf8_lossy(url).into_owned();
        Ok(Self { host, url, shape, is_fifo, deduplication: Arc::default(), topic })
    }

    pub async fn delete(&self) -> Result<()> {
        self.call("DeleteQueue", "").await?;
        match &self.topic {
            Some(topic) => topic.delete().await,
            None => Ok(()),
        }
    }

    /// Makes a call to the queue; `parameters` begin with a comma.
    pub async fn call(&self, action: &str, parameters: &str) -> Result<()> {
        let mut control = Connection::open(&self.host).await?;
        control.call(&self.request(action, parameters)).await?;
        Ok(())
    }

    fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    fn request(&self, action: &str, parameters: &str) -> Vec<u8> {
        request(&self.host, action, &format!(r#"{{"QueueUrl":"{}"{parameters}}}"#, self.url))
    }

    fn body(&self) -> String {
        "0123456789abcdef".repeat(self.shape.body_bytes.div_ceil(16))[..self.shape.body_bytes]
            .to_owned()
    }

    fn send(&self) -> Vec<u8> {
        self.request("SendMessage", &format!(r#","MessageBody":"{}""#, self.body()))
    }

    fn receive(&self, wait_seconds: u32, max: usize) -> Vec<u8> {
        self.request(
            "ReceiveMessage",
            &format!(r#","MaxNumberOfMessages":{max},"WaitTimeSeconds":{wait_seconds}"#),
        )
    }

    fn send_batch(&self) -> SendBatch {
        let mut entries = String::from(r#","Entries":["#);
        for entry in 0..BATCH {
            let comma = if entry > 0 { "," } else { "" };
            let _ = write!(entries, r#"{comma}{{"Id":"{entry}","MessageBody":"{}""#, self.body());
            if self.is_fifo {
                let _ = write!(
                    entries,
                    r#","MessageGroupId":"{GROUP}{:016x}","MessageDeduplicationId":"{ID}{:016x}""#,
                    0, 0
                );
            }
            entries.push('}');
        }
        entries.push(']');
        let bytes = self.request("SendMessageBatch", &entries);
        let places = |mark: &str| {
            memchr::memmem::find_iter(&bytes, mark).map(|at| at + mark.len()).collect()
        };
        let (groups, ids) = (places(GROUP), places(ID));
        SendBatch { bytes, groups, ids, queue: self.clone() }
    }

    fn delete_one(&self) -> Delete {
        Delete::new(self, "DeleteMessage", r#","ReceiptHandle":""#, "\"}")
    }

    fn delete_batch(&self) -> Delete {
        Delete::new(self, "DeleteMessageBatch", r#","Entries":["#, "]}")
    }
}

const GROUP: &str = "group-";
const ID: &str = "id-";

/// A batch that is sent repeatedly, with other groups and deduplication IDs each time.
struct SendBatch {
    bytes: Vec<u8>,
    groups: Vec<usize>,
    ids: Vec<usize>,
    queue: Queue,
}

impl SendBatch {
    fn next(&mut self) -> &[u8] {
        if self.queue.is_fifo {
            let first = self.queue.deduplication.fetch_add(BATCH as u64, Ordering::Relaxed);
            for (number, (group, id)) in (first..).zip(self.groups.iter().zip(&self.ids)) {
                write_hex(&mut self.bytes[*group..], number % self.queue.shape.groups);
                write_hex(&mut self.bytes[*id..], number);
            }
        }
        &self.bytes
    }
}

fn write_hex(to: &mut [u8], mut number: u64) {
    for digit in to[..16].iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

/// Deletions of received messages.
struct Delete {
    host: String,
    action: &'static str,
    before: String,
    after: &'static str,
    body: Vec<u8>,
    bytes: Vec<u8>,
}

impl Delete {
    fn new(queue: &Queue, action: &'static str, before: &str, after: &'static str) -> Self {
        let before = format!(r#"{{"QueueUrl":"{}"{before}"#, queue.url);
        let (body, bytes) = (Vec::new(), Vec::new());
        Self { host: queue.host.clone(), action, before, after, body, bytes }
    }

    /// Prepares the deletion of all messages in a receive's response, and returns their number.
    fn prepare(&mut self, received: &[u8], name: &Finder<'_>) -> u64 {
        let in_batch = self.after == "]}";
        self.body.clear();
        self.body.extend_from_slice(self.before.as_bytes());
        let mut count = 0;
        for handle in members(received, name) {
            if in_batch {
                if count > 0 {
                    self.body.push(b',');
                }
                self.body.extend_from_slice(br#"{"Id":""#);
                self.body.push(b'0' + count as u8);
                self.body.extend_from_slice(br#"","ReceiptHandle":""#);
            }
            self.body.extend_from_slice(handle);
            if in_batch {
                self.body.extend_from_slice(b"\"}");
            }
            count += 1;
        }
        self.body.extend_from_slice(self.after.as_bytes());
        write_request(&mut self.bytes, &self.host, self.action, &self.body);
        count
    }
}

/// Runs the floor's loop: the bytes of SendMessage, with a constant response.
pub async fn run_floor(
    floor: &Server,
    connections: usize,
    shape: Shape,
    time: Duration,
) -> Result<Tally> {
    let queue = Queue {
        host: floor.address.clone(),
        url: format!("http://{}/000000000000/load-0", floor.address),
        shape,
        is_fifo: false,
        deduplication: Arc::default(),
        topic: None,
    };
    run(Scenario::Send, &queue, connections, time).await
}

/// Runs one scenario on a queue for a time.
pub async fn run(
    scenario: Scenario,
    queue: &Queue,
    connections: usize,
    time: Duration,
) -> Result<Tally> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(&queue.host).await?);
    }
    let deadline = now() + time;
    let mut workers = JoinSet::new();
    for connection in open {
        let worker = Worker { connection, deadline, tally: Tally::default() };
        let queue = queue.clone();
        match scenario {
            Scenario::Send | Scenario::SendFull => workers.spawn(repeat(worker, queue.send(), 1)),
            Scenario::ReceiveEmpty => {
                let receive = queue.receive(0, BATCH);
                workers.spawn(repeat(worker, receive, 0))
            }
            Scenario::Attributes => {
                let attributes =
                    queue.request("GetQueueAttributes", r#","AttributeNames":["All"]"#);
                workers.spawn(repeat(worker, attributes, 0))
            }
            Scenario::List => {
                let body = format!(r#"{{"QueueNamePrefix":"{}"}}"#, queue.name());
                workers.spawn(repeat(worker, request(&queue.host, "ListQueues", &body), 0))
            }
            Scenario::OneByOne => workers.spawn(one_by_one(worker, queue)),
            Scenario::Batch | Scenario::FifoBatch => workers.spawn(batch(worker, queue)),
            Scenario::Wakeup => workers.spawn(wake_up(worker, queue)),
            Scenario::Publish => workers.spawn(publish(worker, queue, 10, false)),
            Scenario::PublishFiltered => workers.spawn(publish(worker, queue, 1, true)),
        };
    }
    let mut total = Tally::default();
    while let Some(tally) = workers.join_next().await {
        total.add(tally??);
    }
    Ok(total)
}

/// Sends the same request repeatedly.
async fn repeat(mut worker: Worker, request: Vec<u8>, messages: u64) -> Result<Tally> {
    while !worker.is_over() {
        worker.call(&request, messages).await?;
    }
    Ok(worker.tally)
}

/// A message counts once for each queue that gets it.
async fn publish(worker: Worker, queue: Queue, deliveries: u64, filtered: bool) -> Result<Tally> {
    let topic = queue.topic.as_ref().ok_or("no topic")?;
    let request = topic.publish(&queue.body(), filtered);
    repeat(worker, request, deliveries).await
}

async fn one_by_one(mut worker: Worker, queue: Queue) -> Result<Tally> {
    let handle = member("ReceiptHandle");
    let (send, receive, mut delete) = (queue.send(), queue.receive(0, 1), queue.delete_one());
    while !worker.is_over() {
        worker.call(&send, 0).await?;
        // More messages were sent than received, so there is one.
        while delete.prepare(worker.call(&receive, 0).await?, &handle) == 0 {}
        worker.call(&delete.bytes, 1).await?;
    }
    Ok(worker.tally)
}

async fn batch(mut worker: Worker, queue: Queue) -> Result<Tally> {
    let handle = member("ReceiptHandle");
    let failed = Finder::new(br#""Failed":[{"#);
    // On a FIFO queue all groups may be locked for a moment.
    let receive = queue.receive(u32::from(queue.is_fifo), BATCH);
    let (mut send, mut delete) = (queue.send_batch(), queue.delete_batch());
    while !worker.is_over() {
        let answer = worker.call(send.next(), 0).await?;
        if failed.find(answer).is_some() {
            return Err(format!("not all was sent: {}", String::from_utf8_lossy(answer)).into());
        }
        let mut received = 0;
        while received == 0 && !worker.is_over() {
            received = delete.prepare(worker.call(&receive, 0).await?, &handle);
        }
        if received > 0 {
            let deleted = worker.call(&delete.bytes, received).await?;
            if failed.find(deleted).is_some() {
                let answer = String::from_utf8_lossy(deleted);
                return Err(format!("not all was deleted: {answer}").into());
            }
        }
    }
    Ok(worker.tally)
}

/// Measures the latency of the message instead of that of a request.
async fn wake_up(mut worker: Worker, queue: Queue) -> Result<Tally> {
    let handle = member("ReceiptHandle");
    let (send, receive, mut delete) = (queue.send(), queue.receive(20, 1), queue.delete_one());
    let mut sender = Connection::open(&queue.host).await?;
    while !worker.is_over() {
        let receiving = async {
            let received = worker.connection.call(&receive).await?;
            let arrived = now();
            Ok::<_, crate::Error>((arrived, delete.prepare(received, &handle)))
        };
        let sending = async {
            tokio::time::sleep(UNTIL_WAITING).await;
            let began = now();
            sender.call(&send).await?;
            Ok::<_, crate::Error>(began)
        };
        let (received, began) = tokio::join!(receiving, sending);
        let ((arrived, count), began) = (received?, began?);
        if count != 1 {
            let waited = (arrived - began).as_secs_f64();
            return Err(format!("a receiver waited {waited:.1} s in vain for a message").into());
        }
        worker.connection.call(&delete.bytes).await?;
        worker.tally.requests += 3;
        worker.tally.messages += 1;
        worker.tally.latencies.push(nanoseconds(arrived - began));
    }
    Ok(worker.tally)
}

/// Fills a queue with messages, in batches.
pub async fn fill(queue: &Queue, messages: u64) -> Result<()> {
    let left = Arc::new(AtomicU64::new(messages.div_ceil(BATCH as u64)));
    let mut workers = JoinSet::new();
    for _ in 0..16 {
        let mut connection = Connection::open(&queue.host).await?;
        let (mut batch, left) = (queue.send_batch(), Arc::clone(&left));
        workers.spawn(async move {
            let one_less = |left: u64| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
                connection.call(batch.next()).await?;
            }
            Ok::<_, crate::Error>(())
        });
    }
    while let Some(filled) = workers.join_next().await {
        filled??;
    }
    Ok(())
}
