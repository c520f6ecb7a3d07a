//! Group commit: one thread takes whatever work is waiting, does it in one transaction, commits
//! once, then answers everybody.
//!
//! Where a commit waits for no disk, a job that most likely finds nothing, and then runs no
//! statement at all, does without the thread if it can: who finds the writer idle looks at once, and
//! hands no work and no answer from thread to thread. Everything else is better off in the
//! transactions that callers share, on the thread's core, which has the pages of the database.
//!
//! A job that fails after it has written (or panics) spoils the transaction for all. It is rolled
//! back, and each job then runs in a transaction of its own, so that only the culprit fails. This
//! is rare: rules refuse before they write. It costs less than a savepoint for each job, and asks
//! of jobs only that they can run twice, which a store with serialization failures asks as well.

use super::driver::{Database, Driver};
use super::txn::{Effect, Ledger, Txn};
use super::{Error, Ids, failure_log};
use crate::domain::Refusal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Jobs of one transaction at most: what one of them waits for the others stays bounded.
const JOBS_PER_COMMIT: usize = 256;

/// How often the writer thread yields to others before it sleeps; some ten microseconds in all.
const TURNS_BEFORE_SLEEP: usize = 50;

/// The newest time is written down so often at most, in milliseconds.
const NOTED_EVERY_MS: i64 = 1_000;

/// Learns of what transactions came to. Both are called before the next transaction begins: they must
/// be quick.
pub trait Observer: Send + Sync {
    /// Called after a commit.
    fn committed(&self, effects: &[Effect]);

    /// Called after a transaction that failed because there is no room for it.
    fn full(&self) {}
}

/// A time, as rules and as clients see it, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time that deadlines follow.
    pub now: i64,
    /// What the wall clock shows.
    pub shown: i64,
}

impl From<i64> for Moment {
    fn from(now: i64) -> Self {
        Self { now, shown: now }
    }
}

/// A handle on the writer and its thread. The thread ends with the last handle, or with [`Store::close`].
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Message>,
    /// None once the store is closed.
    writer: Arc<Mutex<Option<Writer>>>,
    /// Whether callers may use the writer themselves.
    commits_at_once: bool,
    done: Arc<AtomicU64>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Starts the writer thread. `now` returns the time; [`Txn::fresh_id`] draws from `ids`.
    pub fn start(
        database: Box<dyn Database>,
        now: Box<dyn Fn() -> Moment + Send>,
        ids: Ids,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, Error> {
        let commits_at_once = database.commits_at_once();
        let state = State {
            now,
            ids,
            observer,
            latest: i64::MIN,
            noted: i64::MIN,
            wrote: false,
            ledger: Ledger::default(),
            effects: Vec::new(),
        };
        let done = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&done);
        let writer = Arc::new(Mutex::new(Some(Writer { database, state, done: counter })));
        let (jobs, waiting) = mpsc::channel();
        let of_thread = Arc::clone(&writer);
        let thread = std::thread::Builder::new()
            .name("squab-store".into())
            .spawn(move || work_until_told(&of_thread, &waiting))
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        let thread = Arc::new(Mutex::new(Some(thread)));
        Ok(Self { jobs, writer, commits_at_once, done, thread })
    }

    /// How many jobs have been done. Work that can wait tells from this whether others want the
    /// writer.
    pub fn jobs_done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Runs a job in a transaction and answers after its commit.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Txn<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.run_or_return(work, |_| None).await
    }

    /// Runs a job on this thread, in a transaction of its own; `None` if the writer is not idle, or a
    /// commit may wait.
    pub fn run_at_once<T>(
        &self,
        work: impl FnMut(&mut Txn<'_>) -> Result<T, Refusal>,
    ) -> Option<Result<T, Refusal>> {
        if !self.commits_at_once {
            return None;
        }
        let mut writer = self.writer.try_lock().ok()?;
        let mut job = Attempt { work, result: None };
        writer.as_mut()?.commit(std::slice::from_mut(&mut job));
        Some(job.into_result())
    }

    /// Runs a job in a transaction and answers after its commit. If nobody waits for the answer any
    /// more when that is there, `give_back` may make another job of it: a receive whose client has
    /// gone makes its messages visible again.
    pub async fn run_or_return<T, F>(
        &self,
        work: F,
        give_back: fn(T) -> Option<GiveBack>,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnMut(&mut Txn<'_>) -> Result<T, Refusal> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Work { attempt: Attempt { work, result: None }, reply, give_back };
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
/// gives it back as well: the writer thread cannot tell, for to it the answer has arrived.
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
            drop(self.jobs.send(Message::Job(Unattended::submitted(work))));
        }
    }
}

/// What is done with an answer that nobody waits for.
pub type GiveBack = Box<dyn FnMut(&mut Txn<'_>) -> Result<(), Refusal> + Send>;

enum Message {
    Job(Box<dyn Submitted>),
    Stop,
}

/// Work to do in a transaction.
trait Job {
    /// Does the work, again if need be. An error is the job's answer too.
    fn run(&mut self, txn: &mut Txn<'_>) -> bool;
    /// Replaces the answer.
    fn fail(&mut self, refusal: Refusal);
}

/// A job that was left to the thread.
trait Submitted: Job + Send {
    /// Whether somebody waits for the answer.
    fn is_wanted(&self) -> bool;
    /// Sends the answer. Whoever is not there any more may leave work behind.
    fn answer(self: Box<Self>) -> Option<GiveBack>;
}

impl Job for Box<dyn Submitted> {
    fn run(&mut self, txn: &mut Txn<'_>) -> bool {
        self.as_mut().run(txn)
    }

    fn fail(&mut self, refusal: Refusal) {
        self.as_mut().fail(refusal);
    }
}

/// Work and what came of it.
struct Attempt<T, F> {
    work: F,
    result: Option<Result<T, Refusal>>,
}

impl<T, F> Attempt<T, F> {
    fn into_result(self) -> Result<T, Refusal> {
        self.result.unwrap_or_else(|| Err(Error::Closed.into()))
    }
}

impl<T, F> Job for Attempt<T, F>
where
    F: FnMut(&mut Txn<'_>) -> Result<T, Refusal>,
{
    fn run(&mut self, txn: &mut Txn<'_>) -> bool {
        let result = (self.work)(txn);
        let succeeded = result.is_ok();
        self.result = Some(result);
        succeeded
    }

    fn fail(&mut self, refusal: Refusal) {
        self.result = Some(Err(refusal));
    }
}

/// Somebody waits for what comes of it.
struct Work<T, F> {
    attempt: Attempt<T, F>,
    reply: oneshot::Sender<Result<T, Refusal>>,
    give_back: fn(T) -> Option<GiveBack>,
}

impl<T, F> Job for Work<T, F>
where
    F: FnMut(&mut Txn<'_>) -> Result<T, Refusal>,
{
    fn run(&mut self, txn: &mut Txn<'_>) -> bool {
        self.attempt.run(txn)
    }

    fn fail(&mut self, refusal: Refusal) {
        self.attempt.fail(refusal);
    }
}

impl<T, F> Submitted for Work<T, F>
where
    T: Send,
    F: FnMut(&mut Txn<'_>) -> Result<T, Refusal> + Send,
{
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn answer(self: Box<Self>) -> Option<GiveBack> {
        match self.reply.send(self.attempt.into_result()) {
            Err(Ok(unwanted)) => (self.give_back)(unwanted),
            Ok(()) | Err(Err(_)) => None,
        }
    }
}

/// Nobody waits for what comes of it.
struct Unattended(Attempt<(), GiveBack>);

impl Unattended {
    fn submitted(work: GiveBack) -> Box<dyn Submitted> {
        Box::new(Self(Attempt { work, result: None }))
    }
}

impl Job for Unattended {
    fn run(&mut self, txn: &mut Txn<'_>) -> bool {
        self.0.run(txn)
    }

    fn fail(&mut self, refusal: Refusal) {
        self.0.fail(refusal);
    }
}

impl Submitted for Unattended {
    fn is_wanted(&self) -> bool {
        true
    }

    fn answer(self: Box<Self>) -> Option<GiveBack> {
        if let Err(refusal) = self.0.into_result() {
            failure_log::report("giving back failed", &refusal, None);
        }
        None
    }
}

/// The writer thread: runs jobs until it is stopped, then closes the database.
fn work_until_told(writer: &Mutex<Option<Writer>>, waiting: &mpsc::Receiver<Message>) {
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
        // Poison is of a panic outside any job: there is no telling what is true after it.
        let Ok(mut writer) = writer.lock() else { return };
        if let Some(writer) = writer.as_mut() {
            writer.commit_and_answer(&mut jobs);
        }
    }
    if let Ok(mut writer) = writer.lock() {
        *writer = None;
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

/// The database, and what is needed to work on it. Whoever holds it commits.
struct Writer {
    database: Box<dyn Database>,
    state: State,
    /// Jobs that have been done.
    done: Arc<AtomicU64>,
}

impl Writer {
    /// Runs jobs, in one transaction if that is possible, and publishes their effects.
    fn commit<J: Job>(&mut self, jobs: &mut [J]) {
        let Self { database, state, done } = self;
        database.serve(&mut |driver| state.commit_together(driver, jobs));
        done.fetch_add(jobs.len() as u64, Ordering::Relaxed);
        state.publish();
    }

    /// The same, and answers everybody; does what those who have left leave behind.
    fn commit_and_answer(&mut self, jobs: &mut Vec<Box<dyn Submitted>>) {
        while !jobs.is_empty() {
            self.commit(jobs);
            *jobs =
                jobs.drain(..).filter_map(Submitted::answer).map(Unattended::submitted).collect();
        }
    }
}

/// What the writer keeps from one transaction to the next.
struct State {
    now: Box<dyn Fn() -> Moment + Send>,
    ids: Ids,
    observer: Arc<dyn Observer>,
    /// The latest time that a transaction has seen: time never runs backwards.
    latest: i64,
    /// The time that was written down last.
    noted: i64,
    /// Whether a job of the open transaction has changed something.
    wrote: bool,
    ledger: Ledger,
    /// Of the jobs that have been committed, and of those in the transaction that is open.
    effects: Vec<Effect>,
}

impl State {
    /// Runs the jobs in one transaction; if one spoils it, each in a transaction of its own.
    fn commit_together<J: Job>(&mut self, driver: &mut dyn Driver, jobs: &mut [J]) {
        match self.try_commit(driver, jobs) {
            Err(_) if jobs.len() > 1 => {
                for job in jobs {
                    self.commit_together(driver, std::slice::from_mut(job));
                }
            }
            Ok(()) | Err(Spoiled::Job) => {}
            Err(Spoiled::Store(error)) => {
                if matches!(error, Error::Full(_)) {
                    self.observer.full();
                }
                let refusal = Refusal::from(error);
                failure_log::report("a transaction failed", &refusal, None);
                for job in jobs.iter_mut().filter(|_| !fault!("failed-commit-is-answered")) {
                    job.fail(refusal.clone());
                }
            }
        }
    }

    fn try_commit<J: Job>(
        &mut self,
        driver: &mut dyn Driver,
        jobs: &mut [J],
    ) -> Result<(), Spoiled> {
        let effects_before = self.effects.len();
        let outcome = self.run_and_commit(driver, jobs);
        if outcome.is_ok() {
            self.ledger.committed();
        } else {
            driver.rollback();
            self.ledger.rolled_back();
            self.effects.truncate(effects_before);
        }
        outcome
    }

    fn run_and_commit<J: Job>(
        &mut self,
        driver: &mut dyn Driver,
        jobs: &mut [J],
    ) -> Result<(), Spoiled> {
        driver.begin().map_err(Spoiled::Store)?;
        self.wrote = false;
        for job in jobs {
            self.run_one(driver, job)?;
        }
        self.ledger.settle(driver).map_err(Spoiled::Store)?;
        let noted = self.note_time(driver).map_err(Spoiled::Store)?;
        driver.commit().map_err(Spoiled::Store)?;
        self.noted = noted;
        Ok(())
    }

    /// Writes down the time of a transaction that changes something, now and then, so that the next
    /// process does not begin before it. Returns the time that is written down then.
    fn note_time(&self, driver: &mut dyn Driver) -> Result<i64, Error> {
        if !self.wrote || self.latest.saturating_sub(self.noted) < NOTED_EVERY_MS {
            return Ok(self.noted);
        }
        driver.execute("UPDATE newest_time SET at = max(at, ?1)", &[self.latest.into()])?;
        Ok(self.latest)
    }

    fn run_one(&mut self, driver: &mut dyn Driver, job: &mut impl Job) -> Result<(), Spoiled> {
        let moment = (self.now)();
        self.latest = self.latest.max(moment.now);
        let mut txn = Txn::new(driver, &mut self.ledger, &mut self.ids, self.latest)
            .shown_at(moment.shown + (self.latest - moment.now));
        let outcome = catch_unwind(AssertUnwindSafe(|| job.run(&mut txn)));
        let wrote = txn.wrote();
        self.wrote |= wrote;
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

    /// Tells of the effects of what has been committed.
    fn publish(&mut self) {
        if !self.effects.is_empty() {
            self.observer.committed(&self.effects);
            self.effects.clear();
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
