//! The service, its clients and the oracle; time, restarts and complete checks.

use super::actions::{Action, Kind};
use super::clients::Held;
use super::crash_after_commits::{Fuse, Mortal};
use super::endpoints::{OnTheWay, Work};
use crate::gateway::{Caller, EPOCH, Failure, Reply, Service};
use crate::oracle::{Listed, Oracle, Reaction, Seen, read};
use fastrand::Rng;
use serde_json::{Value, json};
use squab::api::CoolDowns;
use squab::domain::address::QueueAddress;
use squab::engine::places;
use squab::runtime::clock::ManualClock;
use squab::runtime::transport::http::Post;
use squab::store::{Durability, Location, Sqlite};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use tempfile::TempDir;

pub const CLIENTS: usize = 4;
/// A receive checks 100 messages; in longer queues it may return fewer than possible. Only crowds make a
/// queue longer than this.
pub const FULL: usize = 60;
/// Steps between checks of all queues; other steps check the affected queues.
const LOOK_AT_ALL: u64 = 16;

/// Each queue with its dead-letter queue, to which no client sends.
pub const QUEUES: [(&str, Option<&str>); 6] = [
    ("standard", Some("standard-dead")),
    ("fair", None),
    ("fifo.fifo", Some("fifo-dead.fifo")),
    ("scoped.fifo", None),
    ("fast.fifo", Some("fifo-dead.fifo")),
    ("other", Some("standard-dead")),
];
pub const DEAD: [&str; 2] = ["standard-dead", "fifo-dead.fifo"];

/// Why an action stops.
pub enum Stop {
    /// The oracle found a violation.
    Complaint(String),
    /// The process has ended; the last request got no response and has not taken effect.
    Ended,
}

impl From<String> for Stop {
    fn from(complaint: String) -> Self {
        Self::Complaint(complaint)
    }
}

pub type Step<T = ()> = Result<T, Stop>;

pub struct World {
    pub service: Service,
    directory: TempDir,
    fuse: Fuse,
    pub oracle: Oracle,
    pub clients: Vec<Vec<Held>>,
    /// How often a queue with a name was created.
    pub incarnations: HashMap<String, u32>,
    /// Receive attempts: queue, ID, and the returned messages.
    pub attempts: Vec<(String, String, Vec<Held>)>,
    /// By URL: the response of an external endpoint, if not success.
    pub endpoints: HashMap<String, Reaction>,
    /// By URL: the seconds after which an endpoint responds.
    pub slow: HashMap<String, i64>,
    /// Running attempts.
    pub on_the_way: Vec<OnTheWay>,
    /// Background work that waits for running attempts.
    pub waiting_work: Vec<Work>,
    /// Confirmation requests to endpoints.
    pub asked: Vec<Post>,
    /// The random numbers of the current action.
    pub random: Rng,
    pub action: Action,
    names: u32,
    touched: BTreeSet<String>,
    pub log: Vec<String>,
}

impl World {
    pub async fn new(seed: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(EPOCH));
        let fuse = Fuse::new();
        let service = open(&directory, clock, seed, &fuse).await.with_key().await;
        let nothing = Action {
            kind: Kind::CountAll,
            seed,
            number: 0,
            answer_is_lost: false,
            ends_after: None,
        };
        let mut world = Self {
            service,
            directory,
            fuse,
            oracle: Oracle::at(EPOCH),
            clients: vec![Vec::new(); CLIENTS],
            incarnations: HashMap::new(),
            attempts: Vec::new(),
            endpoints: HashMap::new(),
            slow: HashMap::new(),
            on_the_way: Vec::new(),
            waiting_work: Vec::new(),
            asked: Vec::new(),
            random: Rng::with_seed(seed),
            action: nothing,
            names: 0,
            touched: BTreeSet::new(),
            log: Vec::new(),
        };
        let names = DEAD.into_iter().chain(QUEUES.map(|(name, _)| name));
        for name in names {
            assert!(world.create_queue(name).await.is_ok(), "{:?}", world.log);
        }
        assert!(world.create_topics(seed).await.is_ok(), "{:?}", world.log);
        world
    }

    /// Executes an action and checks the result.
    pub async fn step(&mut self, action: &Action) -> Result<(), String> {
        self.action = *action;
        self.random = Rng::with_seed(action.seed);
        self.names = 0;
        if let Some(commits) = action.ends_after {
            self.fuse.light(commits);
        }
        match self.perform(action.kind).await {
            Ok(()) | Err(Stop::Ended) => {}
            Err(Stop::Complaint(complaint)) => return Err(complaint),
        }
        if self.fuse.is_lit() {
            self.restart(true).await?;
        }
        self.look_at_all(action.number.is_multiple_of(LOOK_AT_ALL)).await
    }

    async fn perform(&mut self, kind: Kind) -> Step {
        let client = self.random.usize(..CLIENTS);
        match kind {
            Kind::Send => self.send().await,
            Kind::SendBatch => self.send_batch().await,
            Kind::Receive => self.receive(client).await,
            Kind::ReceiveTogether => self.receive_together().await,
            Kind::ReceiveAgain => self.receive_again(client).await,
            Kind::Crowd => self.crowd().await,
            Kind::ReceiveMany => self.receive_many(client).await,
            Kind::Noise => self.make_noise(client).await,
            Kind::FillUp => self.fill_up(client).await,
            Kind::Wait => self.wait(client).await,
            Kind::Delete => self.delete(client).await,
            Kind::DeleteBatch => self.delete_batch(client).await,
            Kind::ChangeVisibility => self.change_visibility(client).await,
            Kind::CountAll => self.count_all().await,
            Kind::Pass => self.pass().await,
            Kind::SetAttributes => self.set_attributes().await,
            Kind::ChangeDelay => self.change_delay(client).await,
            Kind::Purge => self.purge().await,
            Kind::DeleteQueue => self.delete_queue().await,
            Kind::CreateQueue => self.create_missing_queue().await,
            Kind::StartMove => self.start_move().await,
            Kind::CancelMove => self.cancel_move().await,
            Kind::Publish => self.publish().await,
            Kind::PublishBatch => self.publish_batch().await,
            Kind::Subscribe => self.subscribe().await,
            Kind::SubscribeOutside => self.subscribe_outside().await,
            Kind::ChangeEndpoint => {
                self.change_endpoint();
                Ok(())
            }
            Kind::Unsubscribe => self.unsubscribe().await,
            Kind::ChangeSubscription => self.change_subscription().await,
            Kind::SetTopicAttributes => self.set_topic_attributes().await,
            Kind::SetArchive => self.set_archive().await,
            Kind::Replay => self.replay().await,
            Kind::ReplayMany => self.replay_many().await,
            Kind::AgeArchive => self.age_archive().await,
            Kind::RecreateTopic => self.recreate_topic().await,
            Kind::Mistake => self.make_a_mistake().await,
            Kind::Restart => {
                let sudden = self.random.bool();
                Ok(self.restart(sudden).await?)
            }
        }
    }

    /// Returns a new unique name.
    pub fn fresh_name(&mut self) -> String {
        self.names += 1;
        format!("m{}.{}", self.action.number, self.names)
    }

    fn note(&mut self, operation: &str, input: &Value, answer: &Reply) {
        let at = self.oracle.now - EPOCH;
        let answer = match answer {
            Ok(output) => output.to_string(),
            Err(Failure { code, message }) => format!("{code}: {message}"),
        };
        self.log.push(format!("+{at}ms {operation} {input} -> {answer}"));
    }

    /// Calls an operation of SQS.
    pub async fn call(&mut self, operation: &str, input: &Value) -> Step<Reply> {
        let answer = self.service.ask(&Caller::default(), operation, input).await;
        self.note(operation, input, &answer);
        self.unless_ended(answer)
    }

    /// Calls an operation of SNS.
    pub async fn call_sns(&mut self, operation: &str, input: &Value) -> Step<Reply> {
        let answer = self.service.ask_sns(&Caller::default(), operation, input).await;
        self.note(operation, input, &answer);
        self.unless_ended(answer)
    }

    fn unless_ended(&self, answer: Reply) -> Step<Reply> {
        if self.fuse.is_blown() && answer.is_err() { Err(Stop::Ended) } else { Ok(answer) }
    }

    /// Calls an operation of SQS that must succeed.
    pub async fn must(&mut self, operation: &str, input: &Value) -> Step<Value> {
        let answer = self.call(operation, input).await?;
        Ok(answer.map_err(|failure| format!("{operation} failed: {failure:?}"))?)
    }

    /// Does the same, and retries without a response.
    pub async fn must_in_the_end(&mut self, operation: &str, input: &Value) -> Step<Value> {
        match self.must(operation, input).await {
            Err(Stop::Ended) => {
                self.restart(true).await?;
                self.must(operation, input).await
            }
            answer => answer,
        }
    }

    /// Calls an operation of SNS that must succeed.
    pub async fn must_sns(&mut self, operation: &str, input: &Value) -> Step<Value> {
        let answer = self.call_sns(operation, input).await?;
        Ok(answer.map_err(|failure| format!("{operation} failed: {failure:?}"))?)
    }

    /// Records the responses of concurrent clients.
    pub fn note_together(&mut self, operation: &str, input: &Value, answer: &Reply) {
        self.note(&format!("together: {operation}"), input, answer);
    }

    /// Marks a queue to be checked after the action.
    pub fn touch(&mut self, queue: &str) {
        self.touched.insert(queue.to_owned());
    }

    pub fn touch_all(&mut self) {
        self.touched.extend(self.oracle.queues.keys().cloned());
    }

    /// Returns an existing queue to send to.
    pub fn some_queue(&mut self) -> Option<&'static str> {
        let there: Vec<_> =
            QUEUES.iter().filter(|(name, _)| self.oracle.queues.contains_key(*name)).collect();
        self.random.choice(there).map(|(name, _)| *name)
    }

    /// Returns a queue to receive from, possibly a dead-letter queue.
    pub fn any_queue(&mut self) -> Option<&'static str> {
        let dead = self.random.choice(DEAD).filter(|name| self.oracle.queues.contains_key(*name));
        if self.random.u32(..5) == 0 { dead } else { self.some_queue() }
    }

    /// Advances time, and usually runs due background work.
    async fn pass(&mut self) -> Step {
        let ms = match self.random.u32(..20) {
            0 => self.random.i64(0..20_000_000),
            1..4 => self.random.i64(0..400_000),
            // Exactly at a deadline, and a moment before.
            4..10 => self.random.i64(0..30) * 1_000 - self.random.i64(0..2),
            10..12 => 300_000 - self.random.i64(0..2),
            _ => self.random.i64(0..3_000),
        };
        self.let_pass(ms.max(0)).await
    }

    /// Arms the fuse, so that the process may end in what follows.
    pub fn endanger(&mut self) {
        if !self.fuse.is_lit() && self.random.bool() {
            self.fuse.light(self.random.i64(0..8));
        }
    }

    pub fn is_ended(&self) -> bool {
        self.fuse.is_blown()
    }

    pub async fn let_pass(&mut self, ms: i64) -> Step {
        // Nothing may depend on the time of background work, except for received messages that expire: they
        // are deleted at the next access, or after a while.
        let is_due = self.oracle.pass(ms);
        self.service.clock.advance(ms);
        if is_due || self.random.bool() { self.work_in_the_end().await } else { Ok(()) }
    }

    /// Runs due background work; if the process ends meanwhile, after its restart.
    pub async fn work_in_the_end(&mut self) -> Step {
        match self.work().await {
            Err(Stop::Ended) => {
                self.restart(true).await?;
                self.work().await
            }
            done => done,
        }
    }

    async fn work(&mut self) -> Step {
        let done = self.do_background_work().await;
        self.touch_all();
        self.note_letters()?;
        if self.fuse.is_blown() {
            return Err(Stop::Ended);
        }
        done?;
        self.note_dead_letters().await?;
        self.oracle.all_carried()?;
        self.look_into_archives().await?;
        self.note_moves().await?;
        let active = self.oracle.tasks.iter().filter(|(_, task)| task.is_active);
        let active: Vec<String> = active.map(|(source, _)| source.clone()).collect();
        for source in active {
            self.check_move(&source).await?;
        }
        Ok(())
    }

    /// Records the messages that tasks have moved out of dead-letter queues.
    async fn note_moves(&mut self) -> Result<(), String> {
        let sources: Vec<String> = self.oracle.tasks.keys().cloned().collect();
        for source in sources {
            let gone = self.gone_from(&source).await?;
            self.oracle.moved(&source, &gone)?;
        }
        Ok(())
    }

    /// Returns the messages of a queue that the oracle has and the service does not.
    pub async fn gone_from(&self, queue: &str) -> Result<Vec<String>, String> {
        let seen = self.look(queue).await?;
        let there: HashSet<_> = seen.iter().map(|one| one.id.as_str()).collect();
        let known = self.oracle.queues[queue].messages.iter().filter_map(|one| one.id.clone());
        Ok(known.filter(|id| !there.contains(id.as_str())).collect())
    }

    /// Checks the last task in ListMessageMoveTasks.
    async fn check_move(&mut self, source: &str) -> Step {
        let input = json!({"SourceArn": queue_arn(source)});
        let answer = self.must("ListMessageMoveTasks", &input).await?;
        let task = &answer["Results"][0];
        let number = |name: &str| task[name].as_u64().unwrap_or_default() as usize;
        let listed = Listed {
            status: task["Status"].as_str().unwrap_or_default().to_owned(),
            moved: number("ApproximateNumberOfMessagesMoved"),
            to_move: number("ApproximateNumberOfMessagesToMove"),
            failure: task["FailureReason"].as_str().map(str::to_owned),
        };
        Ok(self.oracle.listed(source, &listed)?)
    }

    /// Returns the messages of a queue in order. No operation shows them without changing something, so this
    /// reads the store.
    pub async fn look(&self, queue: &str) -> Result<Vec<Seen>, String> {
        let Caller { account, region } = Caller::default();
        let address = QueueAddress { account, region, name: queue.to_owned() };
        let known = self.oracle.queues[queue].messages.iter().filter_map(|one| one.id.clone());
        let known: HashSet<String> = known.collect();
        let look = move |tx: &mut squab::store::Txn<'_>| {
            let Some(queue) = tx.queue(&address)? else { return Ok(None) };
            let counts = tx.counts(queue.backlog)?;
            let mut seen = Vec::new();
            let messages = tx.oldest_messages(queue.backlog, 1_000)?;
            let wrong = super::rows::wrong_group(tx, &queue, &messages)?;
            for message in messages {
                let id = message.id.to_string();
                let unknown = if known.contains(&id) {
                    None
                } else {
                    let group = places::group_of(tx, &message)?.map(|group| group.name);
                    Some((read(&tx.content(queue.backlog, &message)?.body), group))
                };
                seen.push(Seen { id, sent_at: message.sent_at, unknown });
            }
            Ok(Some((counts.ready + counts.in_flight + counts.delayed, seen, wrong)))
        };
        let found = self.service.runtime.run(look).await;
        let found = found.map_err(|refusal| format!("cannot look into {queue}: {refusal:?}"))?;
        let Some((count, seen, wrong)) = found else {
            return Err(format!("{queue} is not there"));
        };
        if let Some(wrong) = wrong {
            return Err(format!("{queue} has a group whose row is wrong: {wrong}"));
        }
        let elsewhere = self.oracle.queues[queue].elsewhere;
        if count == (seen.len() + elsewhere) as i64 {
            return Ok(seen);
        }
        Err(format!("{queue} counts {count} messages, but has {}", seen.len()))
    }

    async fn look_at_all(&mut self, all: bool) -> Result<(), String> {
        if all {
            self.touch_all();
        }
        for queue in std::mem::take(&mut self.touched) {
            if self.oracle.queues.contains_key(&queue) {
                self.see(&queue).await?;
            }
        }
        Ok(())
    }

    /// Shows the oracle the content of a queue, because it does not know the IDs of moved messages.
    pub async fn see(&mut self, queue: &str) -> Result<(), String> {
        let seen = self.look(queue).await?;
        self.oracle.saw(queue, &seen)
    }

    /// Restarts the service on its files. A sudden end leaves them as they are; otherwise the store is closed
    /// first.
    pub async fn restart(&mut self, sudden: bool) -> Result<(), String> {
        self.note_letters()?;
        self.forget_what_is_on_the_way();
        self.log.push(format!("the process ends, suddenly: {sudden}; another one starts"));
        let clock = Arc::clone(&self.service.clock);
        let survivor = tempfile::tempdir().unwrap();
        if !sudden {
            self.service.runtime.close().await;
        }
        for file in std::fs::read_dir(self.directory.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), survivor.path().join(file.file_name())).unwrap();
        }
        self.service.runtime.close().await;
        self.fuse = Fuse::new();
        self.service = open(&survivor, clock, self.random.u64(..), &self.fuse).await;
        self.directory = survivor;
        self.tell_endpoints();
        self.oracle.ended();
        self.note_dead_letters().await?;
        self.touch_all();
        self.note_moves().await
    }

    /// Receives and deletes everything at the end: all accepted messages that were not deleted, purged or
    /// expired.
    pub async fn drain(&mut self) -> Result<(), String> {
        match self.try_drain().await {
            Ok(()) => Ok(()),
            Err(Stop::Complaint(complaint)) => Err(complaint),
            Err(Stop::Ended) => Err("the process ended".into()),
        }
    }

    async fn try_drain(&mut self) -> Step {
        const TURNS: usize = 400;
        /// The longest visibility timeout, which exceeds the longest delay.
        const LONG_MS: i64 = 43_200_000;
        self.action.answer_is_lost = false;
        self.action.ends_after = None;
        self.endpoints.clear();
        self.tell_endpoints();
        self.have_all_answered().await?;
        for (name, _) in QUEUES {
            let Some(queue) = self.oracle.queues.get(name) else { continue };
            let mut attributes = queue.attributes.clone();
            attributes.dead_letters = None;
            attributes.retention = 345_600;
            let given = json!({"RedrivePolicy": "", "MessageRetentionPeriod": "345600"});
            let input = json!({"QueueUrl": name, "Attributes": given});
            self.must("SetQueueAttributes", &input).await?;
            self.oracle.set(name, attributes);
        }
        for _ in 0..TURNS {
            self.oracle.pass(5_000);
            self.service.clock.advance(5_000);
            self.work().await?;
            let has_ended = self.oracle.tasks.values().all(|task| !task.is_active);
            if has_ended && self.oracle.letters.is_empty() {
                break;
            }
        }
        if let Some(letter) = self.oracle.letters.first() {
            return Err(format!("this does not arrive: {letter:?}").into());
        }
        if let Some(task) = self.oracle.tasks.values().find(|task| task.is_active) {
            return Err(format!("this does not end: {task:?}").into());
        }
        self.oracle.pass(LONG_MS);
        self.service.clock.advance(LONG_MS);
        self.work().await?;
        self.look_at_all(true).await?;
        let names: Vec<String> = self.oracle.queues.keys().cloned().collect();
        for queue in names {
            for _ in 0..TURNS {
                if self.oracle.queues[&queue].messages.is_empty() {
                    break;
                }
                self.clients[0].clear();
                let input = super::queues::receive_input(&queue, 10, Some(60));
                self.receive_with(0, &queue, 10, Some(60), &input).await?;
                while let Some(held) = self.clients[0].pop() {
                    self.delete_one(&held).await?;
                }
            }
            let left = &self.oracle.queues[&queue].messages;
            if !left.is_empty() {
                return Err(format!("{queue} does not give out {left:?}").into());
            }
        }
        self.count_all().await
    }
}

async fn open(directory: &TempDir, clock: Arc<ManualClock>, seed: u64, fuse: &Fuse) -> Service {
    let location = Location::Directory(directory.path().to_owned());
    let database = Sqlite::open(&location, Durability::Process).unwrap();
    // Some processes work as in memory, where an empty receive runs on the caller's thread.
    let mortal = Mortal { database, fuse: fuse.clone(), commits_at_once: seed.is_multiple_of(2) };
    let service = Service::open_on(Box::new(mortal), clock, seed, CoolDowns::default(), false);
    // The background task does the same at startup.
    service.runtime.run(|tx| Ok(tx.release_claims()?)).await.unwrap();
    service
}

pub fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}
