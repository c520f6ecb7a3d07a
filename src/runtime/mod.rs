//! The long-lived parts of the process: the store's thread, the clock, waiting receivers, the
//! signing key of notifications, deliveries, and background work.

pub mod clock;
pub mod cpu_pool;
pub mod delivery_log;
mod janitor;
mod long_poll;
pub mod memory;
mod outbox_worker;
pub mod sns_signing;
pub mod storage_watch;
pub mod transport;
pub mod waiters;

use crate::domain::Refusal;
use crate::engine::queues::{self, DelayChange};
use crate::engine::topic_snapshot::TopicCache;
pub use crate::store::failure_log;
use crate::store::{Database, Effect, Error, Ids, Moment, Observer, Store, Txn};
use clock::Clock;
use cpu_pool::CpuPool;
use delivery_log::DeliveryLog;
use long_poll::Expectations;
use sns_signing::SnsSigner;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use storage_watch::{StorageLocation, StorageWatch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use transport::Transport;
use waiters::Waiters;

/// Time between the panic of a background task and its restart.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// The longest time for background work to end.
const LONGEST_END: Duration = Duration::from_secs(1);

/// Tasks that run besides the calls.
#[derive(Debug, Clone, Default)]
struct Background {
    tasks: TaskTracker,
    stopping: CancellationToken,
    panics: Arc<AtomicU64>,
}

/// The running service below HTTP. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Runtime {
    store: Store,
    waiters: Arc<Waiters>,
    expectations: Arc<Expectations>,
    deliveries: Arc<DeliveryLog>,
    topics: Arc<TopicCache>,
    cpu_pool: CpuPool,
    sns_signer: Arc<SnsSigner>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    storage: Arc<StorageWatch>,
    background: Background,
}

impl Runtime {
    /// Starts the store's thread and, on the current tokio runtime, the background tasks.
    pub fn start(
        database: Box<dyn Database>,
        clock: Arc<dyn Clock>,
        ids: Ids,
        transport: Arc<dyn Transport>,
    ) -> Result<Self, Error> {
        let runtime = Self::start_quietly(database, clock, ids, transport)?;
        runtime.keep_running(janitor::wake_due_loop);
        runtime.keep_running(janitor::background_work_loop);
        runtime.keep_running(janitor::sweep_loop);
        runtime.keep_running(outbox_worker::keep_delivering);
        Ok(runtime)
    }

    /// Starts without background tasks: the caller decides when [`Runtime::do_background_work`]
    /// runs.
    pub fn start_quietly(
        database: Box<dyn Database>,
        clock: Arc<dyn Clock>,
        ids: Ids,
        transport: Arc<dyn Transport>,
    ) -> Result<Self, Error> {
        let waiters = Arc::new(Waiters::default());
        let deliveries = Arc::new(DeliveryLog::default());
        let storage = Arc::new(StorageWatch::default());
        let observers = Observers {
            waiters: Arc::clone(&waiters),
            deliveries: Arc::clone(&deliveries),
            storage: Arc::clone(&storage),
        };
        let times = Arc::clone(&clock);
        let moment = move || {
            let now = times.now_ms();
            Moment { now, shown: times.shown(now) }
        };
        let store = Store::start(database, Box::new(moment), ids, Arc::new(observers))?;
        let sns_signer = Arc::new(SnsSigner::new(store.clone()));
        let topics = Arc::default();
        let cpu_pool = CpuPool::on_half_the_processors();
        let background = Background::default();
        let expectations = Arc::default();
        Ok(Self {
            store,
            waiters,
            expectations,
            deliveries,
            topics,
            cpu_pool,
            sns_signer,
            transport,
            clock,
            storage,
            background,
        })
    }

    /// Runs a job in a transaction and returns its result after the commit.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Txn<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.store.run(work).await
    }

    /// Applies a queue's new delay to all messages that it concerns, one page at a time.
    pub async fn reschedule_delayed(&self, mut rest: Option<DelayChange>) -> Result<(), Refusal> {
        while let Some(change) = rest {
            rest = self.run(move |tx| queues::reschedule_delayed(tx, change)).await?;
        }
        Ok(())
    }

    /// Returns the cache of topics that messages are published to.
    pub fn topics(&self) -> &Arc<TopicCache> {
        &self.topics
    }

    /// Returns the pool for slow filters.
    pub fn cpu_pool(&self) -> &CpuPool {
        &self.cpu_pool
    }

    /// Returns the signer of notifications.
    pub fn sns_signer(&self) -> &Arc<SnsSigner> {
        &self.sns_signer
    }

    /// Returns the outcomes of deliveries.
    pub fn deliveries(&self) -> &Arc<DeliveryLog> {
        &self.deliveries
    }

    /// Rejects with a sentence if deliveries to an http or https endpoint are known to be denied
    /// without resolving its name.
    pub fn check_endpoint(&self, url: &str) -> Result<(), String> {
        self.transport.check_endpoint(url)
    }

    /// Returns whether only the owner of a mailbox may see the token that confirms its
    /// subscriptions.
    pub fn keeps_mail_private(&self) -> bool {
        self.transport.keeps_mail_private()
    }

    /// Returns the clock of the whole runtime.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Returns the condition of the storage.
    pub fn storage(&self) -> &StorageWatch {
        &self.storage
    }

    /// Checks the storage now, and periodically on the current tokio runtime.
    pub async fn watch_storage(&self, place: StorageLocation) {
        if let Some(place) = storage_watch::look(self, Some(place)).await {
            self.background.tasks.spawn(storage_watch::keep_watch(self.clone(), place));
        }
    }

    /// Answers all waiting receivers, and accepts no more of them.
    pub fn stop_waiting(&self) {
        self.background.stopping.cancel();
        self.waiters.wake_all();
    }

    /// Completes when the server is stopping.
    async fn stopped(&self) {
        self.background.stopping.cancelled().await;
    }

    fn is_stopping(&self) -> bool {
        self.background.stopping.is_cancelled()
    }

    /// Runs a background task until it returns. A panic is counted, and the task is restarted.
    fn keep_running<F>(&self, task: impl Fn(Self) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = self.clone();
        self.background.tasks.spawn(async move {
            while runtime.panics(task(runtime.clone())).await && !runtime.is_stopping() {
                tokio::time::sleep(RESTART_PAUSE).await;
            }
        });
    }

    /// Runs background work, and returns whether it panicked; the panic hook has logged the reason.
    async fn panics(&self, work: impl Future<Output = ()> + Send + 'static) -> bool {
        let ended = tokio::spawn(work).await;
        let has_panicked = ended.is_err_and(|error| error.is_panic());
        if has_panicked {
            self.background.panics.fetch_add(1, Ordering::Relaxed);
        }
        has_panicked
    }

    /// Returns the number of panics of background work since startup.
    pub fn background_panics(&self) -> u64 {
        self.background.panics.load(Ordering::Relaxed)
    }

    /// Does all background work that is due.
    pub async fn do_background_work(&self) -> Result<(), Refusal> {
        janitor::wake_due(self).await?;
        janitor::do_work(self).await?;
        janitor::sweep(self).await?;
        janitor::forget_deduplication(self).await?;
        outbox_worker::deliver_due(self).await
    }

    /// Stops background work, waits for submitted jobs, and closes the database. Deliveries in
    /// progress are not awaited: the next start repeats them.
    pub async fn close(&self) {
        self.stop_waiting();
        self.background.tasks.close();
        drop(tokio::time::timeout(LONGEST_END, self.background.tasks.wait()).await);
        let store = self.store.clone();
        // Joining a thread blocks.
        drop(tokio::task::spawn_blocking(move || store.close()).await);
    }
}

/// All observers of the store.
struct Observers {
    waiters: Arc<Waiters>,
    deliveries: Arc<DeliveryLog>,
    storage: Arc<StorageWatch>,
}

impl Observer for Observers {
    fn committed(&self, effects: &[Effect]) {
        self.waiters.committed(effects);
        self.deliveries.committed(effects);
    }

    fn full(&self) {
        self.storage.note_full();
    }
}
