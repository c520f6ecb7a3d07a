//! The memory that connections, requests and responses share.
//!
//! Everything that a client can make the server hold is charged to one budget: connections, large
//! heads, bodies, their decoded forms, and responses until they are read. The budget is three
//! eighths of the memory that the process may use; the rest is for the store and for everything uncharged.
//!
//! A charge has a [`Stage`]. A later stage may fill the budget further than an earlier one, so that
//! running requests can finish while no new ones begin.

use crate::domain::{Kind, Refusal};
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// The bytes of a response that are free of charge: the charge of its connection covers them.
pub const FREE: usize = 16 * 1024;
/// A response exists twice while it is written: as messages, and as text.
const COPIES: usize = 2;
/// How long a request waits for memory before it is rejected.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Time between two attempts to reserve memory, unless some is freed meanwhile.
const PAUSE: Duration = Duration::from_millis(50);
/// The smallest and the largest budget, in bytes.
const LEAST: usize = 32 * 1024 * 1024;
const MOST: usize = 1024 * 1024 * 1024;

/// The message of [`no_memory`].
pub const NO_MEMORY: &str = "The server has no memory left for this request. Try again later.";

/// Returns the rejection of a request for which there is no memory.
pub fn no_memory() -> Refusal {
    Refusal::new(Kind::RequestThrottled, NO_MEMORY)
}

/// The purpose of reserved memory.
#[derive(Debug, Clone, Copy)]
pub enum Stage {
    /// Bytes that a client is sending.
    Arriving,
    /// The working memory of a request.
    Working,
    /// A response.
    Answering,
}

/// A budget of bytes.
pub struct Memory {
    capacity: usize,
    used: AtomicUsize,
    freed: Notify,
    /// Ends the connections that have waited for their clients longest, to free a number of bytes.
    reclaim: OnceLock<Box<dyn Fn(usize) + Send + Sync>>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", self.used.load(Relaxed), self.capacity)
    }
}

impl Memory {
    /// Returns a budget of `capacity` bytes.
    pub fn new(capacity: usize) -> Arc<Self> {
        let (used, freed) = (AtomicUsize::new(0), Notify::new());
        Arc::new(Self { capacity, used, freed, reclaim: OnceLock::new() })
    }

    /// Returns a budget of three eighths of the memory that this process may use, at most 1 GiB.
    pub fn of_process() -> Arc<Self> {
        Self::new((available() / 8 * 3).clamp(LEAST, MOST))
    }

    /// Returns the bytes of the budget.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Sets, once, how connections are ended when memory is short.
    pub fn reclaim_by(&self, reclaim: impl Fn(usize) + Send + Sync + 'static) {
        // A second listener exists only in tests, and is ignored.
        let _ = self.reclaim.set(Box::new(reclaim));
    }

    /// Returns an empty charge to this budget. `of` is the connection that it belongs to.
    pub fn charge(self: &Arc<Self>, stage: Stage, of: &Arc<Tally>) -> Charge {
        Charge { memory: Arc::clone(self), of: Arc::clone(of), stage, bytes: AtomicUsize::new(0) }
    }

    /// Returns how many bytes a stage can still reserve.
    fn free(&self, stage: Stage) -> usize {
        let share = match stage {
            Stage::Arriving => self.capacity / 8 * 5,
            Stage::Working => self.capacity / 8 * 7,
            Stage::Answering => self.capacity,
        };
        share.saturating_sub(self.used.load(Relaxed))
    }

    fn reclaim(&self, bytes: usize) {
        if let Some(reclaim) = self.reclaim.get() {
            reclaim(bytes);
        }
    }
}

/// The bytes charged for one connection beyond the cost of every connection.
#[derive(Debug, Default)]
pub struct Tally(AtomicUsize);

impl Tally {
    /// Returns the bytes.
    pub fn bytes(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// Bytes of the budget that are in use until this is dropped.
#[derive(Debug)]
pub struct Charge {
    memory: Arc<Memory>,
    of: Arc<Tally>,
    stage: Stage,
    bytes: AtomicUsize,
}

impl Charge {
    /// Returns the bytes that are charged.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Converts this into a charge of a later stage.
    pub fn advance(&mut self, stage: Stage) {
        self.stage = stage;
    }

    /// Returns how long a response could be now, in bytes.
    pub fn longest_answer(&self) -> usize {
        ((self.bytes() + self.memory.free(self.stage)) / COPIES).max(FREE)
    }

    /// Charges a response of `bytes` that is being written.
    pub fn set_answer(&self, bytes: usize) {
        self.set(if bytes > FREE { bytes * COPIES } else { 0 });
    }

    /// Waits until a response of `bytes` can be written. Returns whether it can.
    pub async fn reserve_answer(&self, bytes: usize) -> bool {
        bytes <= FREE || self.reserve(bytes * COPIES).await
    }

    /// Sets the charge to `bytes`, even if they exceed the budget.
    pub fn set(&self, bytes: usize) {
        let before = self.bytes.swap(bytes, Relaxed);
        if bytes >= before {
            self.memory.used.fetch_add(bytes - before, Relaxed);
            self.of.0.fetch_add(bytes - before, Relaxed);
        } else {
            self.memory.used.fetch_sub(before - bytes, Relaxed);
            self.of.0.fetch_sub(before - bytes, Relaxed);
            self.memory.freed.notify_waiters();
        }
    }

    /// Sets the charge to `bytes` if the budget allows it. Returns whether it does.
    pub fn try_set(&self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes());
        if more > self.memory.free(self.stage) {
            self.memory.reclaim(more);
            return false;
        }
        self.set(bytes);
        true
    }

    /// Waits until the budget allows `bytes`, and charges them. Returns whether it did in time.
    pub async fn reserve(&self, bytes: usize) -> bool {
        // The future is boxed, because requests seldom wait and should not carry its size.
        self.try_set(bytes) || Box::pin(self.wait_for(bytes)).await
    }

    async fn wait_for(&self, bytes: usize) -> bool {
        let waiting = async {
            loop {
                tokio::select! {
                    () = self.memory.freed.notified() => {}
                    () = sleep(PAUSE) => {}
                }
                if self.try_set(bytes) {
                    return;
                }
            }
        };
        timeout(LONGEST_WAIT, waiting).await.is_ok()
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes() > 0 {
            self.set(0);
        }
    }
}

/// Returns how many bytes of memory this process may use: the limit of its control group, or else
/// the memory of the machine.
fn available() -> usize {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().filter_map(limit_of_group);
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let kibibytes = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        kibibytes.trim().strip_suffix(" kB")?.parse::<usize>().ok()?.checked_mul(1024)
    });
    limits.chain(machine).min().unwrap_or(usize::MAX)
}

/// Returns the smallest limit of a control group and its parents, for version 1 or 2 of control
/// groups. `line` is one of `/proc/self/cgroup`: `ID:CONTROLLERS:PATH`.
fn limit_of_group(line: &str) -> Option<usize> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, path) = (parts.next()?, parts.next()?);
    let (root, file) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max"),
        names if names.split(',').any(|name| name == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return None,
    };
    // In a container the path may be the host's, while the files of its own group are at the root.
    let own = Path::new(root).join(path.trim_start_matches('/'));
    let groups = own.ancestors().take_while(|group| group.starts_with(root));
    groups
        .filter_map(|group| std::fs::read_to_string(group.join(file)).ok()?.trim().parse().ok())
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    const MIB: usize = 1024 * 1024;

    #[tokio::test(start_paused = true)]
    async fn later_stages_may_fill_the_budget_further() {
        let memory = Memory::new(8 * MIB);
        let of = Arc::default();
        let [arriving, working, answering] =
            [Stage::Arriving, Stage::Working, Stage::Answering].map(|it| memory.charge(it, &of));
        assert!(!arriving.try_set(6 * MIB) && arriving.try_set(5 * MIB));
        assert!(!working.try_set(3 * MIB) && working.try_set(2 * MIB));
        assert!(!answering.try_set(2 * MIB) && answering.try_set(MIB));
        assert_eq!(of.bytes(), 8 * MIB);
        drop((arriving, working, answering));
        assert_eq!((of.bytes(), memory.free(Stage::Answering)), (0, 8 * MIB));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_memory_and_not_for_ever() {
        let memory = Memory::new(8 * MIB);
        let [held, waiting] = [(); 2].map(|()| memory.charge(Stage::Answering, &Arc::default()));
        assert!(held.try_set(8 * MIB));
        let began = Instant::now();
        assert!(!waiting.reserve(MIB).await);
        assert_eq!(began.elapsed(), LONGEST_WAIT);
        let frees = async {
            tokio::task::yield_now().await;
            drop(held);
        };
        assert_eq!(tokio::join!(waiting.reserve(MIB), frees), (true, ()));
    }

    #[test]
    fn the_limit_of_a_control_group_is_found() {
        assert_eq!(limit_of_group("4:cpu:/x"), None);
        assert_eq!(limit_of_group("nonsense"), None);
        assert!(available() > 1024 * 1024);
    }
}
