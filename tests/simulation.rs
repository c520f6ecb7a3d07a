//! Random clients against the service and an oracle, with jumps of the clock, restarts and
//! crashes. Everything follows from a seed, which is printed when something is wrong.
//!
//! `SQUAB_SIMULATION_SEED` and `SQUAB_SIMULATION_STEPS` choose another run; with
//! `SQUAB_SIMULATION_RUNS` a campaign goes through that many seeds from there on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod gateway;
mod oracle;

use gateway::{Caller, EPOCH, Reply, Service};
use oracle::{Attributes, Oracle, Received, Sent};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use squab::api::CoolDowns;
use squab::domain::address::{QueueAddress, has_fifo_suffix};
use squab::runtime::clock::ManualClock;
use squab::store::Location;
use std::collections::HashSet;
use std::sync::Arc;
use tempfile::TempDir;

const RUNS: u64 = 8;
const STEPS: u64 = 600;
const CLIENTS: usize = 4;
/// A receive looks at 100 messages; beyond, it may return less than it could.
const FULL: usize = 60;
/// Requests that are printed with a complaint.
const TOLD: usize = 25;

/// Each with its dead-letter queue, which nobody sends to.
const QUEUES: [(&str, Option<&str>); 5] = [
    ("standard", Some("standard-dead")),
    ("fair", None),
    ("fifo.fifo", Some("fifo-dead.fifo")),
    ("scoped.fifo", None),
    ("other", Some("standard-dead")),
];

#[test]
fn random_clients_find_nothing_wrong() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let first = number("SQUAB_SIMULATION_SEED", 1);
    let is_chosen = std::env::var("SQUAB_SIMULATION_SEED").is_ok();
    let runs = number("SQUAB_SIMULATION_RUNS", if is_chosen { 1 } else { RUNS });
    let steps = number("SQUAB_SIMULATION_STEPS", STEPS);
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for seed in first..first + runs {
        executor.block_on(async {
            let mut simulation = Simulation::new(seed).await;
            for step in 0..steps {
                if let Err(complaint) = simulation.step().await {
                    simulation.fail(step, &complaint);
                }
            }
            if let Err(complaint) = simulation.drain().await {
                simulation.fail(steps, &complaint);
            }
        });
    }
}

/// A handle that a client has got.
#[derive(Debug, Clone)]
struct Held {
    queue: String,
    incarnation: u32,
    body: String,
    handle: String,
}

struct Simulation {
    seed: u64,
    random: fastrand::Rng,
    service: Service,
    directory: TempDir,
    oracle: Oracle,
    clients: Vec<Vec<Held>>,
    bodies: u64,
    log: Vec<String>,
}

type Step = Result<(), String>;

impl Simulation {
    async fn new(seed: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(EPOCH));
        let service = open(&directory, clock, seed);
        let mut simulation = Self {
            seed,
            random: fastrand::Rng::with_seed(seed),
            service,
            directory,
            oracle: Oracle { now: EPOCH, ..Oracle::default() },
            clients: vec![Vec::new(); CLIENTS],
            bodies: 0,
            log: Vec::new(),
        };
        for (name, dead) in QUEUES {
            if let Some(dead) = dead
                && !simulation.oracle.queues.contains_key(dead)
            {
                simulation.create(dead, 0).await.unwrap();
            }
            simulation.create(name, 0).await.unwrap();
        }
        simulation
    }

    fn fail(&self, step: u64, complaint: &str) -> ! {
        let told = self.log[self.log.len().saturating_sub(TOLD)..].join("\n  ");
        panic!("SQUAB_SIMULATION_SEED={} step {step}: {complaint}\nafter\n  {told}\n", self.seed);
    }

    async fn step(&mut self) -> Step {
        let client = self.random.usize(..CLIENTS);
        match self.random.u32(..100) {
            0..22 => self.send().await,
            22..30 => self.send_batch().await,
            30..52 => self.receive(client).await,
            52..56 => self.receive_together().await,
            56..68 => self.delete(client).await,
            68..76 => self.change_visibility(client).await,
            76..80 => self.count_all().await,
            80..92 => self.pass().await,
            92..95 => self.set_attributes().await,
            95 => self.purge().await,
            96 => self.recreate().await,
            97 => self.move_back().await,
            98 => self.restart(false).await,
            _ => self.restart(true).await,
        }
    }

    async fn call(&mut self, operation: &str, input: &Value) -> Reply {
        let answer = self.service.ask(&Caller::default(), operation, input).await;
        let at = self.oracle.now - EPOCH;
        self.log.push(format!("+{at}ms {operation} {input} -> {answer:?}"));
        answer
    }

    /// An operation that must succeed.
    async fn must(&mut self, operation: &str, input: &Value) -> Result<Value, String> {
        let answer = self.call(operation, input).await;
        answer.map_err(|failure| format!("{operation} failed: {failure:?}"))
    }

    async fn create(&mut self, name: &str, incarnation: u32) -> Step {
        let attributes = Attributes {
            fifo: has_fifo_suffix(name),
            visibility: 30,
            delay: 0,
            retention: 345_600,
            content_deduplication: false,
            scoped: name == "scoped.fifo",
            dead_letters: None,
        };
        let mut given = Map::new();
        if attributes.fifo {
            given.insert("FifoQueue".into(), "true".into());
        }
        if attributes.scoped {
            given.insert("DeduplicationScope".into(), "messageGroup".into());
        }
        self.must("CreateQueue", &json!({"QueueName": name, "Attributes": given})).await?;
        self.oracle.create(name, attributes, incarnation);
        Ok(())
    }

    fn some_queue(&mut self) -> &'static str {
        QUEUES[self.random.usize(..QUEUES.len())].0
    }

    /// A queue to receive from: also those of dead letters.
    fn any_queue(&mut self) -> &'static str {
        let (name, dead) = QUEUES[self.random.usize(..QUEUES.len())];
        dead.filter(|_| self.random.u32(..4) == 0).unwrap_or(name)
    }

    /// A message to send, and what the oracle must know of it.
    fn message(&mut self, queue: &str) -> Outgoing {
        let Attributes { fifo, content_deduplication, .. } = self.oracle.queues[queue].attributes;
        self.bodies += 1;
        let mut body = format!("m{}", self.bodies);
        let group = (fifo || queue == "fair").then(|| format!("g{}", self.random.u32(..5)));
        let mut deduplication_id = None;
        let mut explicit = None;
        if fifo && content_deduplication && self.random.bool() {
            // The body of a message that may have gone already, if that makes a duplicate.
            let again =
                format!("m{}", self.random.u64(self.bodies.saturating_sub(20)..self.bodies));
            let group = group.as_deref().unwrap_or_default();
            if self.oracle.duplicate(queue, group, &content_hash(&again)).is_some() {
                body = again;
            }
            deduplication_id = Some(content_hash(&body));
        } else if fifo {
            let few = self.random.u32(..3) == 0;
            let id = if few { format!("d{}", self.random.u32(..6)) } else { format!("d-{body}") };
            explicit = Some(id.clone());
            deduplication_id = Some(id);
        }
        let delay = match self.random.u32(..4) {
            0 if !fifo => Some(self.random.i64(0..20)),
            1 => Some(0),
            _ => None,
        };
        Outgoing { body, group, deduplication_id, explicit, delay }
    }

    async fn send(&mut self) -> Step {
        let queue = self.some_queue();
        if self.oracle.queues[queue].messages.len() >= FULL {
            return Ok(());
        }
        let message = self.message(queue);
        let mut input = message.input();
        input["QueueUrl"] = queue.into();
        let answer = self.must("SendMessage", &input).await?;
        self.note_sent(queue, &message, &answer)
    }

    fn note_sent(&mut self, queue: &str, message: &Outgoing, answer: &Value) -> Step {
        let Outgoing { body, group, deduplication_id, delay, .. } = message;
        let (group, id) = (group.as_deref(), deduplication_id.as_deref());
        self.oracle.sent(queue, body, group, id, *delay, told(answer, answer))
    }

    async fn send_batch(&mut self) -> Step {
        let queue = self.some_queue();
        if self.oracle.queues[queue].messages.len() + 10 >= FULL {
            return Ok(());
        }
        let messages: Vec<_> = (0..self.random.u32(1..=10)).map(|_| self.message(queue)).collect();
        let mut entries: Vec<_> = messages.iter().map(Outgoing::input).collect();
        for (index, entry) in entries.iter_mut().enumerate() {
            entry["Id"] = index.to_string().into();
        }
        let input = json!({"QueueUrl": queue, "Entries": entries});
        let answer = self.must("SendMessageBatch", &input).await?;
        let successful = answer["Successful"].as_array().cloned().unwrap_or_default();
        if successful.len() != messages.len() {
            return Err("not every entry succeeded".into());
        }
        for (message, entry) in messages.iter().zip(&successful) {
            self.note_sent(queue, message, entry)?;
        }
        Ok(())
    }

    fn receive_input(&mut self, queue: &str) -> (Value, usize, Option<i64>) {
        let max = if self.random.bool() { 10 } else { self.random.usize(1..=10) };
        let visibility =
            (self.random.u32(..3) == 0).then(|| self.random.choice([0, 1, 5, 60, 600]).unwrap());
        let mut input = json!({
            "QueueUrl": queue,
            "MaxNumberOfMessages": max,
            "MessageSystemAttributeNames": ["All"],
        });
        if let Some(seconds) = visibility {
            input["VisibilityTimeout"] = seconds.into();
        }
        (input, max, visibility)
    }

    async fn receive(&mut self, client: usize) -> Step {
        let queue = self.any_queue();
        let (input, max, visibility) = self.receive_input(queue);
        let answer = self.must("ReceiveMessage", &input).await?;
        self.note_received(client, queue, max, visibility, &answer).await
    }

    /// Several clients at once: what they ask is done in one transaction, in the order of asking.
    async fn receive_together(&mut self) -> Step {
        let queue = self.any_queue();
        if self.oracle.queues[queue].attributes.dead_letters.is_some() {
            return Ok(());
        }
        let asked: Vec<_> = (0..3).map(|_| self.receive_input(queue)).collect();
        let caller = Caller::default();
        let call = |index: usize| self.service.ask(&caller, "ReceiveMessage", &asked[index].0);
        let answers = tokio::join!(call(0), call(1), call(2));
        for (client, answer) in [answers.0, answers.1, answers.2].into_iter().enumerate() {
            let (input, max, visibility) = &asked[client];
            self.log.push(format!("together {input} -> {answer:?}"));
            let answer = answer.map_err(|failure| format!("{failure:?}"))?;
            self.note_received(client, queue, *max, *visibility, &answer).await?;
        }
        Ok(())
    }

    async fn note_received(
        &mut self,
        client: usize,
        queue: &str,
        max: usize,
        visibility: Option<i64>,
        answer: &Value,
    ) -> Step {
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        let messages: Vec<Received> = messages.iter().map(received).collect();
        let dead_letters = self.oracle.queues[queue].attributes.dead_letters.clone();
        let there = match dead_letters {
            Some((target, _)) => self.bodies_in(&target).await,
            None => HashSet::new(),
        };
        self.oracle.received(queue, max, visibility, &messages, |body| there.contains(body))?;
        let incarnation = self.oracle.queues[queue].incarnation;
        for Received { body, handle, .. } in messages {
            let queue = queue.to_owned();
            self.clients[client].push(Held { queue, incarnation, body, handle });
        }
        Ok(())
    }

    /// A look into the store: no operation tells this without changing something.
    async fn bodies_in(&self, queue: &str) -> HashSet<String> {
        let Caller { account, region } = Caller::default();
        let address = QueueAddress { account, region, name: queue.to_owned() };
        let look = move |tx: &mut squab::store::Txn<'_>| {
            let Some(queue) = tx.queue(&address)? else { return Ok(HashSet::new()) };
            let messages = tx.oldest_messages(queue.backlog, 1_000)?;
            let body = |message| Ok(tx.content(queue.backlog, message)?.body);
            messages.iter().map(body).collect()
        };
        self.service.runtime.run(look).await.unwrap()
    }

    /// A handle of the client, which it may go on using afterwards.
    fn some_handle(&mut self, client: usize) -> Option<Held> {
        let held = &mut self.clients[client];
        if held.is_empty() {
            return None;
        }
        // Mostly a recent one.
        let index = match self.random.u32(..4) {
            0 => self.random.usize(..held.len()),
            _ => self.random.usize(held.len().saturating_sub(10)..held.len()),
        };
        Some(if self.random.u32(..5) == 0 { held[index].clone() } else { held.remove(index) })
    }

    async fn delete(&mut self, client: usize) -> Step {
        for _ in 0..self.random.u32(1..=4) {
            let Some(held) = self.some_handle(client) else { return Ok(()) };
            let input = json!({"QueueUrl": held.queue, "ReceiptHandle": held.handle});
            let succeeded = self.call("DeleteMessage", &input).await.is_ok();
            let is_of_queue = self.oracle.queues[&held.queue].incarnation == held.incarnation;
            let right = is_of_queue && self.oracle.deleted(&held.queue, &held.body, &held.handle);
            if succeeded != right {
                return Err(format!("{held:?}: it should be {right} that this succeeds"));
            }
        }
        Ok(())
    }

    async fn change_visibility(&mut self, client: usize) -> Step {
        let Some(held) = self.some_handle(client) else { return Ok(()) };
        let timeout = self.random.choice([0, 0, 1, 20, 300]).unwrap();
        let entry = json!({"Id": "x", "ReceiptHandle": held.handle, "VisibilityTimeout": timeout});
        let input = json!({"QueueUrl": held.queue, "Entries": [entry]});
        let answer = self.must("ChangeMessageVisibilityBatch", &input).await?;
        let succeeded = answer.get("Successful").is_some();
        self.clients[client].push(held.clone());
        let is_of_queue = self.oracle.queues[&held.queue].incarnation == held.incarnation;
        let right =
            is_of_queue && self.oracle.changed(&held.queue, &held.body, &held.handle, timeout);
        if succeeded == right {
            return Ok(());
        }
        Err(format!("{held:?}: it should be {right} that this succeeds"))
    }

    async fn count_all(&mut self) -> Step {
        let names: Vec<String> = self.oracle.queues.keys().cloned().collect();
        for name in names {
            let input = json!({"QueueUrl": name, "AttributeNames": ["All"]});
            let answer = self.must("GetQueueAttributes", &input).await?;
            let counts = ["", "NotVisible", "Delayed"].map(|which| {
                let name = format!("ApproximateNumberOfMessages{which}");
                answer["Attributes"][name].as_str().unwrap().parse::<usize>().unwrap()
            });
            let right = self.oracle.counts(&name);
            if counts != right {
                return Err(format!("{name} counts {counts:?} instead of {right:?}"));
            }
        }
        Ok(())
    }

    async fn pass(&mut self) -> Step {
        let ms = match self.random.u32(..20) {
            0 => self.random.i64(0..20_000_000),
            1..4 => self.random.i64(0..400_000),
            4..12 => self.random.i64(0..30) * 1_000,
            _ => self.random.i64(0..3_000),
        };
        // Nothing may depend on when background work is done, but for what is received and too old:
        // it is gone when somebody looks, or after a while.
        let is_due = self.oracle.pass(ms);
        if is_due || self.random.bool() {
            self.service.pass(ms).await;
        } else {
            self.service.clock.advance(ms);
        }
        Ok(())
    }

    async fn set_attributes(&mut self) -> Step {
        let (name, dead) = QUEUES[self.random.usize(..QUEUES.len())];
        let mut attributes = self.oracle.queues[name].attributes.clone();
        attributes.visibility = self.random.choice([0, 2, 30, 120]).unwrap();
        attributes.delay = self.random.choice([0, 0, 3, 15]).unwrap();
        attributes.retention = self.random.choice([60, 600, 345_600, 345_600]).unwrap();
        let mut given = json!({
            "VisibilityTimeout": attributes.visibility.to_string(),
            "DelaySeconds": attributes.delay.to_string(),
            "MessageRetentionPeriod": attributes.retention.to_string(),
        });
        if attributes.fifo {
            attributes.content_deduplication = self.random.bool();
            attributes.scoped = self.random.bool();
            given["ContentBasedDeduplication"] =
                attributes.content_deduplication.to_string().into();
            given["DeduplicationScope"] =
                if attributes.scoped { "messageGroup" } else { "queue" }.into();
        }
        if let Some(dead) = dead {
            let count = self.random.i64(1..=4);
            attributes.dead_letters = (self.random.u32(..4) > 0).then(|| (dead.to_owned(), count));
            given["RedrivePolicy"] = match &attributes.dead_letters {
                None => "".into(),
                Some((target, count)) => json!({
                    "deadLetterTargetArn": format!("arn:aws:sqs:us-east-1:000000000000:{target}"),
                    "maxReceiveCount": count,
                })
                .to_string()
                .into(),
            };
        }
        // What is too old and not yet swept would live again with a longer retention period.
        self.service.pass(0).await;
        self.must("SetQueueAttributes", &json!({"QueueUrl": name, "Attributes": given})).await?;
        self.service.pass(0).await;
        self.oracle.set(name, attributes);
        Ok(())
    }

    async fn purge(&mut self) -> Step {
        let queue = self.any_queue();
        self.must("PurgeQueue", &json!({"QueueUrl": queue})).await?;
        self.oracle.queues.get_mut(queue).unwrap().messages.clear();
        Ok(())
    }

    /// A queue that no dead letters come from or go to, so that no move task fails.
    async fn recreate(&mut self) -> Step {
        let queue = self.random.choice(["fair", "scoped.fifo"]).unwrap();
        let incarnation = self.oracle.queues[queue].incarnation + 1;
        self.must("DeleteQueue", &json!({"QueueUrl": queue})).await?;
        self.create(queue, incarnation).await
    }

    async fn move_back(&mut self) -> Step {
        let dead = self.random.choice(["standard-dead", "fifo-dead.fifo"]).unwrap();
        let is_source = self.oracle.queues.values().any(|queue| {
            queue.attributes.dead_letters.as_ref().is_some_and(|(target, _)| target == dead)
        });
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{dead}");
        let answer = self.call("StartMessageMoveTask", &json!({"SourceArn": arn})).await;
        if answer.is_ok() != is_source {
            return Err(format!("it should be {is_source} that {dead} has sources"));
        }
        if is_source {
            self.service.pass(0).await;
            self.oracle.moved_back(dead);
        }
        Ok(())
    }

    /// Goes on with what is in the files. A crash leaves them as they are at that moment; else the
    /// store is closed first.
    async fn restart(&mut self, crash: bool) -> Step {
        self.log.push(format!("restart, crash: {crash}"));
        let clock = Arc::clone(&self.service.clock);
        let survivor = tempfile::tempdir().unwrap();
        if !crash {
            self.service.runtime.close().await;
        }
        for file in std::fs::read_dir(self.directory.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), survivor.path().join(file.file_name())).unwrap();
        }
        self.service.runtime.close().await;
        self.service = open(&survivor, clock, self.random.u64(..));
        self.directory = survivor;
        self.count_all().await
    }

    /// In the end everything that was accepted and not deleted, purged or too old comes out.
    async fn drain(&mut self) -> Step {
        self.service.pass(0).await;
        for (name, _) in QUEUES {
            let mut attributes = self.oracle.queues[name].attributes.clone();
            attributes.dead_letters = None;
            attributes.retention = 345_600;
            let given = json!({"RedrivePolicy": "", "MessageRetentionPeriod": "345600"});
            self.must("SetQueueAttributes", &json!({"QueueUrl": name, "Attributes": given}))
                .await?;
            self.oracle.set(name, attributes);
        }
        self.service.pass(900_000).await;
        self.oracle.pass(900_000);
        let names: Vec<String> = self.oracle.queues.keys().cloned().collect();
        for queue in names {
            self.clients[0].clear();
            while !self.oracle.queues[&queue].messages.is_empty() {
                let input = json!({
                    "QueueUrl": queue,
                    "MaxNumberOfMessages": 10,
                    "VisibilityTimeout": 60,
                    "MessageSystemAttributeNames": ["All"],
                });
                let answer = self.must("ReceiveMessage", &input).await?;
                self.note_received(0, &queue, 10, Some(60), &answer).await?;
                while let Some(held) = self.clients[0].pop() {
                    let input = json!({"QueueUrl": queue, "ReceiptHandle": held.handle});
                    self.must("DeleteMessage", &input).await?;
                    self.oracle.deleted(&queue, &held.body, &held.handle);
                }
            }
        }
        self.count_all().await
    }
}

fn open(directory: &TempDir, clock: Arc<ManualClock>, seed: u64) -> Service {
    let location = Location::Directory(directory.path().to_owned());
    Service::open(&location, clock, seed, CoolDowns::default(), false)
}

struct Outgoing {
    body: String,
    group: Option<String>,
    /// As it must be in effect; `explicit` is what is said of it.
    deduplication_id: Option<String>,
    explicit: Option<String>,
    delay: Option<i64>,
}

impl Outgoing {
    fn input(&self) -> Value {
        let mut input = json!({"MessageBody": self.body});
        if let Some(group) = &self.group {
            input["MessageGroupId"] = group.as_str().into();
        }
        if let Some(id) = &self.explicit {
            input["MessageDeduplicationId"] = id.as_str().into();
        }
        if let Some(delay) = self.delay {
            input["DelaySeconds"] = delay.into();
        }
        input
    }
}

fn content_hash(body: &str) -> String {
    Sha256::digest(body).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

fn told(message: &Value, attributes: &Value) -> Sent {
    Sent {
        id: message["MessageId"].as_str().unwrap().to_owned(),
        sequence_number: attributes["SequenceNumber"].as_str().map(str::to_owned),
    }
}

fn received(message: &Value) -> Received {
    let attributes = &message["Attributes"];
    let number = |name: &str| attributes[name].as_str().unwrap().parse().unwrap();
    Received {
        body: message["Body"].as_str().unwrap().to_owned(),
        handle: message["ReceiptHandle"].as_str().unwrap().to_owned(),
        told: told(message, attributes),
        group: attributes["MessageGroupId"].as_str().map(str::to_owned),
        receives: number("ApproximateReceiveCount"),
        sent_at: number("SentTimestamp"),
        first_received_at: number("ApproximateFirstReceiveTimestamp"),
    }
}
