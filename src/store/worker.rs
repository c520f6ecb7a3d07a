//! Group commit: the writer thread runs all waiting jobs in one transaction, commits once, and then
//! returns their results.
//!
//! For in-memory databases a job that will probably find nothing, and run no statement, runs on the
//! caller's thread when the writer is idle, which saves two thread hops. All other jobs are faster in
//! shared transactions on the writer's core, which has the pages of the database in its cache.
//!
//! If a job fails after it has written, or panics, the transaction is rolled back and each job runs in a
//! transaction of its own, so that only the faulty job fails. This is rare, because rules reject before
//! they write. It costs less than a savepoint for each job, and requires only that jobs can run twice, as
//! a store with serialization failures would.

use super::driver::{Database, Driver};
use super::txn::{Effect, RowCache, Txn};
use super::{Error, Ids, failure_log};
use crate::domain::Refusal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Maximum number of jobs in one transaction, which bounds how long a job waits for the others.
const JOBS_PER_COMMIT: usize = 256;

/// How often the writer thread yields before it sleeps; about ten microseconds in all.
const TURNS_BEFORE_SLEEP: usize = 50;

/// Minimum interval between two writes of the newest time, in milliseconds.
const NOTED_EVERY_MS: i64 = 1_000;

/// Is notified of the results of transactions. Its methods are called before the next transaction begins,
/// so they must be quick.
pub trait Observer: Send + Sync {
    /// Called after a commit.
    fn committed(&self, effects: &[Effect]);

    /// Called after a transaction that failed because the storage is full.
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

/// A handle on the writer and its thread. The thread ends with the last handle, or by [`Store::close`].
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Message>,
    /// `None` after the store was closed.
    writer: Arc<Mutex<Option<Writer>>>,
    /// Whether jobs may run on the threads of their callers.
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
            row_cache: RowCache::default(),
            effects: Vec::new(),
        };
        let done = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&done);
        let writer = Arc::new(Mutex::new(Some(Writer { database, state, done: counter })));
        let (jobs, waiting) = mpsc::channel();
        let of_thread = Arc::clone(&writer);
        let thread = std::thread::Builder::new()
            .name("squab-store".into())
            .spawn(move || run_writer(&of_thread, &waiting))
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        let thread = Arc::new(Mutex::new(Some(thread)));
        Ok(Self { jobs, writer, commits_at_once, done, thread })
    }

    /// Returns the number of finished jobs, from which background work infers whether the writer is in
    /// demand.
    pub fn jobs_done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Runs a job in a transaction. Returns its result after the commit.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Txn<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.run_or_return(work, |_| None).await
    }

    /// Runs a job on this thread, in a transaction of its own. Returns `None` if the writer is busy, or if a
    /// commit may wait for a disk.
    pub fn run_at_once<T>(
        &self,
        work: impl FnMut(&mut Txn<'_>) -> Result<T, Refusal>,
    ) -> Option<Result<T, Refusal>> {
        if !self.commits_at_once {
            return None;
        }
        let mut writer = self.writer.try_lock().ok()?;
        let mut job = Execution { work, result: None };
        writer.as_mut()?.commit(std::slice::from_mut(&mut job));
        Some(job.into_result())
    }

    /// Runs a job in a transaction. Returns its result after the commit. If the caller was dropped before it
    /// read the result, `give_back` may return another job to run: a receive whose client has disconnected
    /// makes its messages visible again.
    pub async fn run_or_return<T, F>(
        &self,
        work: F,
        give_back: fn(T) -> Option<GiveBack>,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnMut(&mut Txn<'_>) -> Result<T, Refusal> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let job = AwaitedJob { execution: Execution { work, result: None }, sender, give_back };
        self.jobs.send(Message::Job(Box::new(job))).map_err(|_| Error::Closed)?;
        let mut pending = PendingResult { receiver, give_back, jobs: &self.jobs };
        (&mut pending.receiver).await.map_err(|_| Error::Closed)?
    }

    /// Waits until the writer thread has finished the submitted jobs and closed the database. Later jobs
    /// fail.
    pub fn close(&self) {
        // If this cannot be sent, the thread has already ended.
        drop(self.jobs.send(Message::Stop));
        let handle = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if let Some(handle) = handle {
            drop(handle.join());
        }
    }
}

/// A result that a caller is waiting for. If the caller is dropped after the writer sent the result but
/// before it was read, `Drop` undoes the job: to the writer the send looked successful.
struct PendingResult<'s, T> {
    receiver: oneshot::Receiver<Result<T, Refusal>>,
    give_back: fn(T) -> Option<GiveBack>,
    jobs: &'s mpsc::Sender<Message>,
}

impl<T> Drop for PendingResult<'_, T> {
    fn drop(&mut self) {
        self.receiver.close();
        if let Ok(Ok(unread)) = self.receiver.try_recv()
            && let Some(work) = (self.give_back)(unread)
        {
            // If this cannot be sent, the server is stopping. The visibility timeouts end then.
            drop(self.jobs.send(Message::Job(DetachedJob::queued(work))));
        }
    }
}

/// A job that undoes another one whose result was not read.
pub type GiveBack = Box<dyn FnMut(&mut Txn<'_>) -> Result<(), Refusal> + Send>;

enum Message {
    Job(Box<dyn QueuedJob>),
    Stop,
}

/// A job in a transaction.
trait Job {
    /// Runs the job, possibly again. Returns whether it succeeded; an error is a result too.
    fn run(&mut self, txn: &mut Txn<'_>) -> bool;
    /// Replaces the result by an error.
    fn fail(&mut self, refusal: Refusal);
}

/// A job for the writer thread.
trait QueuedJob: Job + Send {
    /// Returns whether the job must still run.
    fn is_wanted(&self) -> bool;
    /// Sends the result. Returns the job that undoes this one, if its caller was dropped.
    fn send_result(self: Box<Self>) -> Option<GiveBack>;
}

impl Job for Box<dyn QueuedJob> {
    fn run(&mut self, txn: &mut Txn<'_>) -> bool {
        self.as_mut().run(txn)
    }

    fn fail(&mut self, refusal: Refusal) {
        self.as_mut().fail(refusal);
    }
}

/// A closure and its latest result.
struct Execution<T, F> {
    work: F,
    result: Option<Result<T, Refusal>>,
}

impl<T, F> Execution<T, F> {
    fn into_result(self) -> Result<T, Refusal> {
        self.result.unwrap_or_else(|| Err(Error::Closed.into()))
    }
}

impl<T, F> Job for Execution<T, F>
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

/// A job whose caller waits for the result.
struct AwaitedJob<T, F> {
    execution: Execution<T, F>,
    sender: oneshot::Sender<Result<T, Refusal>>,
    give_back: fn(T) -> Option<GiveBack>,
}

impl<T, F> Job for AwaitedJob<T, F>
where
    F: FnMut(&mut Txn<'_>) -> Result<T, Refusal>,
{
    fn run(&mut self, txn: &mut Txn<'_>) -> bool {
        self.execution.run(txn)
    }

    fn fail(&mut self, refusal: Refusal) {
        self.execution.fail(refusal);
    }
}

impl<T, F> QueuedJob for AwaitedJob<T, F>
where
    T: Send,
    F: FnMut(&mut Txn<'_>) -> Result<T, Refusal> + Send,
{
    fn is_wanted(&self) -> bool {
        !self.sender.is_closed()
    }

    fn send_result(self: Box<Self>) -> Option<GiveBack> {
        match self.sender.send(self.execution.into_result()) {
            Err(Ok(unwanted)) => (self.give_back)(unwanted),
            Ok(()) | Err(Err(_)) => None,
        }
    }
}

/// A job without a caller that waits for its result.
struct DetachedJob(Execution<(), GiveBack>);

impl DetachedJob {
    fn queued(work: GiveBack) -> Box<dyn QueuedJob> {
        Box::new(Self(Execution { work, result: None }))
    }
}

impl Job for DetachedJob {
    fn run(&mut self, txn: &mut Txn<'_>) -> bool {
        self.0.run(txn)
    }

    fn fail(&mut self, refusal: Refusal) {
        self.0.fail(refusal);
    }
}

impl QueuedJob for DetachedJob {
    fn is_wanted(&self) -> bool {
        true
    }

    fn send_result(self: Box<Self>) -> Option<GiveBack> {
        if let Err(refusal) = self.0.into_result() {
            failure_log::report("giving back failed", &refusal, None);
        }
        None
    }
}

/// Runs the writer thread: runs jobs until it receives [`Message::Stop`], then closes the database.
fn run_writer(writer: &Mutex<Option<Writer>>, waiting: &mpsc::Receiver<Message>) {
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
        // A panic outside of a job poisons the lock. The state is unknown then, so the thread ends.
        let Ok(mut writer) = writer.lock() else { return };
        if let Some(writer) = writer.as_mut() {
            writer.commit_and_send(&mut jobs);
        }
    }
    if let Ok(mut writer) = writer.lock() {
        *writer = None;
    }
}

/// Returns the next message. Before the thread sleeps it yields a few times: other threads often submit
/// more jobs next, and waking a thread costs more than yielding.
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

/// The database and the state of its writer. The thread that holds the lock commits.
struct Writer {
    database: Box<dyn Database>,
    state: State,
    /// The number of finished jobs.
    done: Arc<AtomicU64>,
}

impl Writer {
    /// Runs jobs, in one transaction if possible, and publishes their effects.
    fn commit<J: Job>(&mut self, jobs: &mut [J]) {
        let Self { database, state, done } = self;
        database.serve(&mut |driver| state.commit_together(driver, jobs));
        done.fetch_add(jobs.len() as u64, Ordering::Relaxed);
        state.publish();
    }

    /// Runs jobs and sends their results. Then runs the jobs that undo those of dropped callers.
    fn commit_and_send(&mut self, jobs: &mut Vec<Box<dyn QueuedJob>>) {
        while !jobs.is_empty() {
            self.commit(jobs);
            *jobs = jobs
                .drain(..)
                .filter_map(QueuedJob::send_result)
                .map(DetachedJob::queued)
                .collect();
        }
    }
}

/// The state of the writer that outlives a transaction.
struct State {
    now: Box<dyn Fn() -> Moment + Send>,
    ids: Ids,
    observer: Arc<dyn Observer>,
    /// The latest time that a transaction has seen: time never runs backwards.
    latest: i64,
    /// The newest time in the database.
    noted: i64,
    /// Whether a job of the open transaction has changed something.
    wrote: bool,
    row_cache: RowCache,
    /// The effects of committed jobs, and of the jobs in the open transaction.
    effects: Vec<Effect>,
}

impl State {
    /// Runs the jobs in one transaction or, if that fails, each in a transaction of its own.
    fn commit_together<J: Job>(&mut self, driver: &mut dyn Driver, jobs: &mut [J]) {
        match self.try_commit(driver, jobs) {
            Err(_) if jobs.len() > 1 => {
                for job in jobs {
                    self.commit_together(driver, std::slice::from_mut(job));
                }
            }
            Ok(()) | Err(CommitFailure::Job) => {}
            Err(CommitFailure::Store(error)) => {
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
    ) -> Result<(), CommitFailure> {
        let effects_before = self.effects.len();
        let outcome = self.run_and_commit(driver, jobs);
        if outcome.is_ok() {
            self.row_cache.committed();
        } else {
            driver.rollback();
            self.row_cache.rolled_back();
            self.effects.truncate(effects_before);
        }
        outcome
    }

    fn run_and_commit<J: Job>(
        &mut self,
        driver: &mut dyn Driver,
        jobs: &mut [J],
    ) -> Result<(), CommitFailure> {
        driver.begin().map_err(CommitFailure::Store)?;
        self.wrote = false;
        for job in jobs {
            self.run_one(driver, job)?;
        }
        self.row_cache.write_changes(driver).map_err(CommitFailure::Store)?;
        let noted = self.note_time(driver).map_err(CommitFailure::Store)?;
        driver.commit().map_err(CommitFailure::Store)?;
        self.noted = noted;
        Ok(())
    }

    /// Writes the time of a transaction that changes something at most every [`NOTED_EVERY_MS`], so that the
    /// time of the next process does not begin earlier. Returns the newest time in the database.
    fn note_time(&self, driver: &mut dyn Driver) -> Result<i64, Error> {
        if !self.wrote || self.latest.saturating_sub(self.noted) < NOTED_EVERY_MS {
            return Ok(self.noted);
        }
        driver.execute("UPDATE newest_time SET at = max(at, ?1)", &[self.latest.into()])?;
        Ok(self.latest)
    }

    fn run_one(
        &mut self,
        driver: &mut dyn Driver,
        job: &mut impl Job,
    ) -> Result<(), CommitFailure> {
        let moment = (self.now)();
        self.latest = self.latest.max(moment.now);
        let mut txn = Txn::new(driver, &mut self.row_cache, &mut self.ids, self.latest)
            .shown_at(moment.shown + (self.latest - moment.now));
        let outcome = catch_unwind(AssertUnwindSafe(|| job.run(&mut txn)));
        let wrote = txn.wrote();
        self.wrote |= wrote;
        match outcome {
            Ok(true) => {
                self.effects.extend(txn.into_effects());
                Ok(())
            }
            Ok(false) if wrote => Err(CommitFailure::Job),
            Ok(false) => Ok(()),
            Err(_) => {
                job.fail(Refusal::internal("a rule panicked"));
                Err(CommitFailure::Job)
            }
        }
    }

    /// Passes the effects of committed jobs to the observer.
    fn publish(&mut self) {
        if !self.effects.is_empty() {
            self.observer.committed(&self.effects);
            self.effects.clear();
        }
    }
}

/// Why a transaction cannot be committed as it is.
enum CommitFailure {
    /// A job failed after it had written; its result says why.
    Job,
    /// The database failed.
    Store(Error),
}
