//! Group commit: one thread takes whatever work is waiting, does it in one transaction, commits
//! once, then answers everybody.
//!
//! A job that fails after it has written (or panics) spoils the transaction for all. It is rolled
//! back, and each job then runs in a transaction of its own, so that only the culprit fails. This
//! is rare: rules refuse before they write. It costs less than a savepoint for each job, and asks
//! of jobs only that they can run twice, which a store with serialization failures asks as well.

use super::Error;
use super::driver::{Database, Driver};
use super::txn::{Effect, Ledger, Txn};
use crate::domain::Refusal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Jobs of one transaction at most: what one of them waits for the others stays bounded.
const JOBS_PER_COMMIT: usize = 256;

/// How often the writer thread yields to others before it sleeps; some ten microseconds in all.
const TURNS_BEFORE_SLEEP: usize = 50;

/// Hears of effects once they are true.
pub trait Observer: Send + Sync {
    /// Called on the store's thread after a commit: it must be quick.
    fn committed(&self, effects: &[Effect]);
}

/// A handle on the writer thread. The thread ends with the last handle, or when told to.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Message>,
    thread: Arc<std::sync::Mutex<Option<JoinHandle<()>>>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Starts the writer thread. `now` tells Unix milliseconds; `ids` is what [`Txn::fresh_id`]
    /// draws from.
    pub fn start(
        database: Box<dyn Database>,
        now: Box<dyn Fn() -> i64 + Send>,
        ids: fastrand::Rng,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, Error> {
        let (jobs, waiting) = mpsc::channel();
        let mut worker = Worker { now, ids, observer, latest: i64::MIN, effects: Vec::new() };
        let thread = std::thread::Builder::new()
            .name("squab-store".into())
            .spawn(move || database.serve(&mut |driver| worker.run(driver, &waiting)))
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self { jobs, thread: Arc::new(std::sync::Mutex::new(Some(thread))) })
    }

    /// Runs a job in a transaction and answers after its commit.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Txn<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.run_or_return(work, |_| None).await
    }

    /// Runs a job. If nobody waits for its answer any more when that is there, `give_back` may
    /// make another job of it: a receive whose client has gone makes its messages visible again.
    pub async fn run_or_return<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Txn<'_>) -> Result<T, Refusal> + Send + 'static,
        give_back: fn(T) -> Option<GiveBack>,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        let job = Work { run: work, result: None, reply, give_back };
        self.jobs.send(Message::Job(Box::new(job))).map_err(|_| Error::Closed)?;
        let mut asked = Asked { answer, give_back, jobs: &self.jobs };
        (&mut asked.answer).await.map_err(|_| Error::Closed)?
    }

    /// Waits until the writer thread has finished what was submitted and closed the database.
    /// Whatever comes later is refused.
    pub fn close(&self) {
        // If that cannot be sent the thread has ended already.
        drop(self.jobs.send(Message::Stop));
        let handle = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if let Some(handle) = handle {
            drop(handle.join());
        }
    }
}

/// Somebody who waits for an answer. Whoever goes away between the answer's sending and its reading
/// gives it back as well: the store's thread cannot tell, for to it the answer has arrived.
struct Asked<'s, T> {
    answer: oneshot::Receiver<Result<T, Refusal>>,
    give_back: fn(T) -> Option<GiveBack>,
    jobs: &'s mpsc::Sender<Message>,
}

impl<T> Drop for Asked<'_, T> {
    fn drop(&mut self) {
        self.answer.close();
        if let Ok(Ok(unread)) = self.answer.try_recv()
            && let Some(work) = (self.give_back)(unread)
        {
            // If that cannot be sent the server is stopping; visibility timeouts do the rest.
            drop(self.jobs.send(Message::Job(Box::new(Unattended { work, failed: None }))));
        }
    }
}

/// What is done with an answer that nobody waits for.
pub type GiveBack = Box<dyn FnMut(&mut Txn<'_>) -> Result<(), Refusal> + Send>;

enum Message {
    Job(Box<dyn Job>),
    Stop,
}

trait Job: Send {
    /// Whether somebody waits for the answer.
    fn is_wanted(&self) -> bool;
    /// Does the work, again if need be. An error is the job's answer too.
    fn run(&mut self, txn: &mut Txn<'_>) -> bool;
    /// Replaces the answer.
    fn fail(&mut self, refusal: Refusal);
    /// Sends the answer. Whoever is not there any more may leave work behind.
    fn answer(self: Box<Self>) -> Option<GiveBack>;
}

struct Work<T, F> {
    run: F,
    result: Option<Result<T, Refusal>>,
    reply: oneshot::Sender<Result<T, Refusal>>,
    give_back: fn(T) -> Option<GiveBack>,
}

impl<T, F> Job for Work<T, F>
where
    T: Send,
    F: FnMut(&mut Txn<'_>) -> Result<T, Refusal> + Send,
{
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn run(&mut self, txn: &mut Txn<'_>) -> bool {
        let result = (self.run)(txn);
        let succeeded = result.is_ok();
        self.result = Some(result);
        succeeded
    }

    fn fail(&mut self, refusal: Refusal) {
        self.result = Some(Err(refusal));
    }

    fn answer(self: Box<Self>) -> Option<GiveBack> {
        let result = self.result.unwrap_or_else(|| Err(Error::Closed.into()));
        match self.reply.send(result) {
            Err(Ok(unwanted)) => (self.give_back)(unwanted),
            Ok(()) | Err(Err(_)) => None,
        }
    }
}

struct Unattended<F> {
    work: F,
    failed: Option<Refusal>,
}

impl<F> Job for Unattended<F>
where
    F: FnMut(&mut Txn<'_>) -> Result<(), Refusal> + Send,
{
    fn is_wanted(&self) -> bool {
        true
    }

    fn run(&mut self, txn: &mut Txn<'_>) -> bool {
        self.failed = (self.work)(txn).err();
        self.failed.is_none()
    }

    fn fail(&mut self, refusal: Refusal) {
        self.failed = Some(refusal);
    }

    fn answer(self: Box<Self>) -> Option<GiveBack> {
        if let Some(refusal) = self.failed {
            tracing::error!(%refusal, cause = refusal.internal, "giving back failed");
        }
        None
    }
}

/// The next message. Before the thread goes to sleep it gives the others of the process a few turns:
/// what they do next is often to bring more work, and waking a thread costs more than that.
fn next(waiting: &mpsc::Receiver<Message>) -> Result<Message, mpsc::RecvError> {
    for _ in 0..TURNS_BEFORE_SLEEP {
        match waiting.try_recv() {
            Ok(message) => return Ok(message),
            Err(mpsc::TryRecvError::Disconnected) => return Err(mpsc::RecvError),
            Err(mpsc::TryRecvError::Empty) => std::thread::yield_now(),
        }
    }
    waiting.recv()
}

struct Worker {
    now: Box<dyn Fn() -> i64 + Send>,
    ids: fastrand::Rng,
    observer: Arc<dyn Observer>,
    /// The latest time that a transaction has seen: time never runs backwards.
    latest: i64,
    effects: Vec<Effect>,
}

impl Worker {
    fn run(&mut self, driver: &mut dyn Driver, waiting: &mpsc::Receiver<Message>) {
        let mut jobs = Vec::with_capacity(JOBS_PER_COMMIT);
        let mut stopping = false;
        while !stopping && let Ok(Message::Job(first)) = next(waiting) {
            jobs.push(first);
            while jobs.len() < JOBS_PER_COMMIT
                && let Ok(message) = waiting.try_recv()
            {
                match message {
                    Message::Job(next) => jobs.push(next),
                    Message::Stop => stopping = true,
                }
            }
            jobs.retain(|job| job.is_wanted());
            self.commit_together(driver, &mut jobs);
            self.answer(driver, &mut jobs);
        }
    }

    /// Runs the jobs in one transaction; if one spoils it, each in a transaction of its own.
    fn commit_together(&mut self, driver: &mut dyn Driver, jobs: &mut [Box<dyn Job>]) {
        match self.try_commit(driver, jobs) {
            Err(_) if jobs.len() > 1 => {
                for job in jobs {
                    self.commit_together(driver, std::slice::from_mut(job));
                }
            }
            Ok(()) | Err(Spoiled::Job) => {}
            Err(Spoiled::Store(error)) => {
                tracing::error!(%error, "a transaction failed");
                for job in jobs {
                    job.fail(error.clone().into());
                }
            }
        }
    }

    fn try_commit(
        &mut self,
        driver: &mut dyn Driver,
        jobs: &mut [Box<dyn Job>],
    ) -> Result<(), Spoiled> {
        let effects_before = self.effects.len();
        let outcome = self.run_and_commit(driver, jobs);
        if outcome.is_err() {
            driver.rollback();
            self.effects.truncate(effects_before);
        }
        outcome
    }

    fn run_and_commit(
        &mut self,
        driver: &mut dyn Driver,
        jobs: &mut [Box<dyn Job>],
    ) -> Result<(), Spoiled> {
        let mut ledger = Ledger::default();
        driver.begin().map_err(Spoiled::Store)?;
        for job in jobs {
            self.run_one(driver, job.as_mut(), &mut ledger)?;
        }
        Txn::settle_ledger(driver, &mut ledger)
            .and_then(|()| driver.commit())
            .map_err(Spoiled::Store)
    }

    fn run_one(
        &mut self,
        driver: &mut dyn Driver,
        job: &mut dyn Job,
        ledger: &mut Ledger,
    ) -> Result<(), Spoiled> {
        self.latest = self.latest.max((self.now)());
        let mut txn = Txn::new(driver, ledger, &mut self.ids, self.latest);
        let outcome = catch_unwind(AssertUnwindSafe(|| job.run(&mut txn)));
        let wrote = txn.wrote();
        match outcome {
            Ok(true) => {
                self.effects.extend(txn.into_effects());
                Ok(())
            }
            Ok(false) if wrote => Err(Spoiled::Job),
            Ok(false) => Ok(()),
            Err(_) => {
                job.fail(Refusal::internal("a rule panicked"));
                Err(Spoiled::Job)
            }
        }
    }

    /// Publishes the effects and answers everybody; does what those who left leave behind.
    fn answer(&mut self, driver: &mut dyn Driver, jobs: &mut Vec<Box<dyn Job>>) {
        if !self.effects.is_empty() {
            self.observer.committed(&self.effects);
            self.effects.clear();
        }
        let mut left_behind: Vec<Box<dyn Job>> = jobs
            .drain(..)
            .filter_map(Job::answer)
            .map(|work| Box::new(Unattended { work, failed: None }) as Box<dyn Job>)
            .collect();
        if !left_behind.is_empty() {
            self.commit_together(driver, &mut left_behind);
            self.answer(driver, &mut left_behind);
        }
    }
}

/// Why a transaction cannot be committed as it is.
enum Spoiled {
    /// A job failed after it had written; its answer says why.
    Job,
    /// The database failed.
    Store(Error),
}
