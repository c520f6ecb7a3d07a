//! Connection slots: at the limit, a new connection evicts the one that has waited for its client
//! longest.
//!
//! A connection waits for its client while it is idle, while a head or a body is incomplete, and
//! while a response is unread. A connection is never evicted while the server works on a request,
//! or if it has waited for less than [`LEAST_WAIT`]. Clients that have never sent a request are
//! evicted first. Bytes that a client sends or reads shorten its wait by the time that they need at
//! [`RATE`], so a client of a usual speed is not evicted, and one that sends a byte now and then
//! is.
//!
//! The same rule frees memory: [`Connections::reclaim`] evicts those that hold some.
//!
//! If every connection is working, up to [`SPARE`] more are accepted for health checks; their other
//! requests are rejected. The one of these that has waited longest is evicted for the next.

use super::CONNECTION_BYTES;
use crate::runtime::memory::{Charge, Memory, Stage, Tally};
use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Connections beyond the limit.
pub const SPARE: usize = 64;
/// The wait for its client after which a connection may be evicted, in milliseconds.
pub const LEAST_WAIT: u64 = 1_000;
/// The bytes a second that a client must send or read to avoid eviction.
pub const RATE: u64 = 64 * 1024;
/// The time that a client may lag behind [`RATE`] when reading a response, in milliseconds.
pub const LONGEST_WRITE: u64 = 30_000;
/// The victims that one scan of all connections finds.
const VICTIMS: usize = 64;

/// The open connections.
#[derive(Debug)]
pub struct Connections {
    limit: usize,
    /// Milliseconds for the head of the next request, idling included.
    header_timeout: u64,
    memory: Arc<Memory>,
    epoch: Instant,
    open: Mutex<Open>,
    /// Notified when a connection has ended.
    pub(in crate::server) left: Notify,
}

#[derive(Debug, Default)]
struct Open {
    entered: u64,
    within: HashMap<u64, Arc<Slot>>,
    spare: HashMap<u64, Arc<Slot>>,
    /// Evicted slots that have not ended yet.
    leaving: usize,
    /// The result of the last scan, the next victim at the end, with the start of its wait.
    victims: Vec<(u64, u64)>,
    /// A scan before this time would find nothing.
    none_until: u64,
    reclaimed_at: u64,
}

/// The slot of one connection.
#[derive(Debug)]
pub struct Slot {
    /// The address of the client.
    pub peer: Option<SocketAddr>,
    /// Whether the slot is beyond the limit.
    pub is_spare: bool,
    /// The memory charged beyond [`CONNECTION_BYTES`].
    pub tally: Arc<Tally>,
    number: u64,
    epoch: Instant,
    /// Requests that the server works on.
    working: AtomicU32,
    /// Requests answered so far.
    answered: AtomicU32,
    has_asked: AtomicBool,
    /// The start of the wait for the client, in Unix milliseconds.
    waiting_since: AtomicU64,
    /// Whether the slot waits for the client to read a response.
    is_writing: AtomicBool,
    evicted: Notify,
    _charge: Charge,
}

impl Connections {
    /// Returns slots for `limit` connections, or as many as half of the memory is enough for.
    pub fn new(limit: usize, header_timeout: Duration, memory: Arc<Memory>) -> Arc<Self> {
        let affordable = memory.capacity() / 2 / CONNECTION_BYTES;
        if affordable < limit {
            tracing::warn!(
                wanted = limit,
                connections = affordable,
                "the memory is enough for fewer connections than configured"
            );
        }
        let connections = Arc::new(Self {
            limit: limit.min(affordable),
            header_timeout: header_timeout.as_millis() as u64,
            memory: Arc::clone(&memory),
            epoch: Instant::now(),
            open: Mutex::default(),
            left: Notify::new(),
        });
        let of_reclaim = Arc::downgrade(&connections);
        memory.reclaim_by(move |bytes| {
            if let Some(connections) = of_reclaim.upgrade() {
                connections.reclaim(bytes);
            }
        });
        connections
    }

    /// Returns whether not even a spare slot is free.
    pub fn is_full(&self) -> bool {
        let open = self.open();
        open.within.len() + open.spare.len() + open.leaving >= self.limit.saturating_add(SPARE)
    }

    /// Returns the slot of a new connection, evicting another at the limit.
    pub fn enter(&self, peer: Option<SocketAddr>) -> Arc<Slot> {
        let now = self.now();
        let mut open = self.open();
        let is_spare = open.within.len() >= self.limit && !open.evict_one(now);
        let tally = Arc::new(Tally::default());
        let charge = self.memory.charge(Stage::Arriving, &Arc::default());
        charge.set(CONNECTION_BYTES);
        open.entered += 1;
        let slot = Arc::new(Slot {
            peer,
            is_spare,
            tally,
            number: open.entered,
            epoch: self.epoch,
            working: AtomicU32::new(0),
            answered: AtomicU32::new(0),
            has_asked: AtomicBool::new(false),
            waiting_since: AtomicU64::new(now),
            is_writing: AtomicBool::new(false),
            evicted: Notify::new(),
            _charge: charge,
        });
        if is_spare {
            if open.spare.len() + 1 >= SPARE {
                open.evict_a_spare_one();
            }
            open.spare.insert(slot.number, Arc::clone(&slot));
        } else {
            open.within.insert(slot.number, Arc::clone(&slot));
        }
        slot
    }

    /// Frees the slot of a connection that has ended.
    pub fn leave(&self, slot: &Slot) {
        let mut open = self.open();
        let was_open = open.within.remove(&slot.number).or_else(|| open.spare.remove(&slot.number));
        if was_open.is_none() {
            open.leaving -= 1;
        }
        drop(open);
        self.left.notify_one();
    }

    /// Ends all connections, and returns how many there were.
    pub fn evict_all(&self) -> usize {
        let mut open = self.open();
        let all = open.within.len() + open.spare.len();
        let numbers: Vec<_> = open.within.keys().chain(open.spare.keys()).copied().collect();
        for number in numbers {
            open.evict(number);
        }
        all
    }

    /// Ends connections whose clients have taken too long, for a head or for a response.
    pub fn end_timed_out(&self) {
        let now = self.now();
        let mut open = self.open();
        let is_late = |slot: &Slot| {
            let is_writing = slot.is_writing.load(Relaxed);
            let longest = if is_writing { LONGEST_WRITE } else { self.header_timeout };
            slot.waiting_since().is_some_and(|since| now.saturating_sub(since) >= longest)
        };
        let slots = open.within.values().chain(open.spare.values());
        let late: Vec<_> = slots.filter(|slot| is_late(slot)).map(|slot| slot.number).collect();
        for number in late {
            open.evict(number);
        }
    }

    /// Ends the connections that hold memory and have waited longest, until `bytes` and another
    /// sixteenth of the budget will be free.
    fn reclaim(&self, bytes: usize) {
        let now = self.now();
        let mut open = self.open();
        if open.reclaimed_at + LEAST_WAIT / 20 > now {
            return;
        }
        open.reclaimed_at = now;
        let mut holding: Vec<_> = open
            .within
            .values()
            .filter(|slot| slot.tally.bytes() > 0)
            .filter_map(|slot| Some((slot.evictable_since(now)?, slot.number, slot.tally.bytes())))
            .collect();
        holding.sort_unstable();
        let mut wanted = bytes + self.memory.capacity() / 16;
        for (_, number, held) in holding {
            open.evict(number);
            wanted = wanted.saturating_sub(held);
            if wanted == 0 {
                return;
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock()
    }

    fn now(&self) -> u64 {
        self.epoch.elapsed().as_millis() as u64
    }
}

impl Open {
    fn evict(&mut self, number: u64) {
        if let Some(slot) = self.within.remove(&number).or_else(|| self.spare.remove(&number)) {
            self.leaving += 1;
            slot.evicted.notify_one();
        }
    }

    /// Evicts the connection that has waited longest. Returns whether there is one.
    fn evict_one(&mut self, now: u64) -> bool {
        loop {
            while let Some((number, since)) = self.victims.pop() {
                let slot = self.within.get(&number);
                if slot.and_then(|slot| slot.evictable_since(now)) == Some(since) {
                    self.evict(number);
                    return true;
                }
            }
            if now < self.none_until {
                return false;
            }
            // A scan takes a while, so it finds victims for the next connections too.
            let waiting = self.within.values().filter_map(|slot| {
                let since = slot.evictable_since(now)?;
                Some((slot.has_asked.load(Relaxed), since, slot.number))
            });
            let mut waiting: Vec<_> = waiting.collect();
            if waiting.is_empty() {
                self.none_until = now + LEAST_WAIT / 20;
                return false;
            }
            if waiting.len() > VICTIMS {
                waiting.select_nth_unstable(VICTIMS);
                waiting.truncate(VICTIMS);
            }
            waiting.sort_unstable();
            self.victims =
                waiting.iter().rev().map(|(_, since, number)| (*number, *since)).collect();
        }
    }

    fn evict_a_spare_one(&mut self) {
        let waiting =
            self.spare.values().filter_map(|slot| Some((slot.waiting_since()?, slot.number)));
        if let Some((_, number)) = waiting.min() {
            self.evict(number);
        }
    }
}

impl Slot {
    /// Records a running request, until the returned guard is dropped.
    pub fn work(self: &Arc<Self>) -> Work {
        self.has_asked.store(true, Relaxed);
        self.working.fetch_add(1, Relaxed);
        Work(Arc::clone(self))
    }

    /// Records that a request waits for its body, until the returned guard is dropped.
    pub fn wait_for_client(&self) -> Wait<'_> {
        self.waiting_since.store(self.now(), Relaxed);
        self.working.fetch_sub(1, Relaxed);
        Wait(self)
    }

    /// Records that the client has sent or read `bytes`.
    pub fn has_moved(&self, bytes: usize) {
        let credit = bytes as u64 * 1_000 / RATE;
        let since = self.waiting_since.load(Relaxed) + credit;
        self.waiting_since.store(since.min(self.now()), Relaxed);
    }

    /// Records whether a response waits for the client to read it.
    pub fn set_writing(&self, is_writing: bool) {
        self.is_writing.store(is_writing, Relaxed);
    }

    /// Returns the number of requests answered so far.
    pub fn answered(&self) -> u32 {
        self.answered.load(Relaxed)
    }

    /// Completes when the connection must end.
    pub async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Returns the start of the wait for the client, if the connection is waiting.
    fn waiting_since(&self) -> Option<u64> {
        (self.working.load(Relaxed) == 0).then(|| self.waiting_since.load(Relaxed))
    }

    fn evictable_since(&self, now: u64) -> Option<u64> {
        self.waiting_since().filter(|since| now.saturating_sub(*since) >= LEAST_WAIT)
    }

    fn now(&self) -> u64 {
        self.epoch.elapsed().as_millis() as u64
    }
}

/// A request that the server works on.
#[derive(Debug)]
pub struct Work(Arc<Slot>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.waiting_since.store(self.0.now(), Relaxed);
        self.0.answered.fetch_add(1, Relaxed);
        self.0.working.fetch_sub(1, Relaxed);
    }
}

/// A request that waits for its client.
#[derive(Debug)]
pub struct Wait<'s>(&'s Slot);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.working.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use tokio::time::advance;

    const MIB: usize = 1024 * 1024;

    fn connections(limit: usize) -> Arc<Connections> {
        Connections::new(limit, Duration::from_secs(100), Memory::new(64 * MIB))
    }

    fn is_evicted(slot: &Slot) -> bool {
        slot.evicted().now_or_never().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn connections_without_a_request_go_first_then_the_longest_waiting() {
        let connections = connections(5);
        let [busy, body, long, silent, short] = [(); 5].map(|()| connections.enter(None));
        let works = [busy.work(), body.work()];
        drop(long.work());
        advance(Duration::from_secs(1)).await;
        let waits = body.wait_for_client();
        advance(Duration::from_secs(1)).await;
        drop(short.work());
        advance(Duration::from_mins(1)).await;
        let mut newcomers = Vec::new();
        for evicted in [&silent, &long, &body, &short] {
            let newcomer = connections.enter(None);
            assert!(!newcomer.is_spare);
            newcomers.push(newcomer.work());
            assert!(is_evicted(evicted));
        }
        assert!(connections.enter(None).is_spare && !is_evicted(&busy));
        drop((works, waits));
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_at_a_usual_speed_keep_a_slot_and_single_bytes_do_not() {
        let connections = connections(2);
        let [quick, slow] = [(); 2].map(|()| connections.enter(None));
        let works = [quick.work(), slow.work()];
        let waits = [quick.wait_for_client(), slow.wait_for_client()];
        for _ in 0..40 {
            advance(Duration::from_millis(100)).await;
            quick.has_moved(RATE as usize / 10);
            slow.has_moved(1);
        }
        let newcomer = connections.enter(None);
        let work = newcomer.work();
        assert!(is_evicted(&slow) && !is_evicted(&quick));
        assert!(connections.enter(None).is_spare);
        drop((waits, works, work));
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_reclaimed_from_the_longest_waiting_connection() {
        let memory = Memory::new(64 * MIB);
        let connections = Connections::new(10, Duration::from_secs(100), Arc::clone(&memory));
        let slots = [(); 4].map(|()| connections.enter(None));
        let work = slots[0].work();
        let charge = |slot: &Slot, bytes| {
            let charge = memory.charge(Stage::Arriving, &slot.tally);
            charge.set(bytes);
            charge
        };
        let _charges =
            [charge(&slots[0], 8 * MIB), charge(&slots[1], 8 * MIB), charge(&slots[2], 8 * MIB)];
        advance(Duration::from_secs(2)).await;
        connections.reclaim(MIB);
        assert_eq!(slots.each_ref().map(|slot| is_evicted(slot)), [false, true, false, false]);
        drop(work);
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_always_a_slot_for_a_health_check() {
        let connections = connections(1);
        let busy = connections.enter(None);
        let work = busy.work();
        let spare: Vec<_> = (0..3 * SPARE).map(|_| connections.enter(None)).collect();
        assert!(spare.iter().all(|slot| slot.is_spare));
        assert_eq!(spare.iter().filter(|slot| !is_evicted(slot)).count(), SPARE - 1);
        for slot in &spare {
            connections.leave(slot);
        }
        drop(work);
        connections.leave(&busy);
        assert!(!connections.enter(None).is_spare);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_clients_are_timed_out() {
        let connections = connections(4);
        let [idle, reading, working] = [(); 3].map(|()| connections.enter(None));
        let work = working.work();
        drop(reading.work());
        reading.set_writing(true);
        for _ in 0..20 {
            advance(Duration::from_secs(2)).await;
            reading.has_moved(RATE as usize);
            connections.end_timed_out();
        }
        assert!(!is_evicted(&reading) && !is_evicted(&idle));
        advance(Duration::from_secs(30)).await;
        connections.end_timed_out();
        assert!(is_evicted(&reading) && !is_evicted(&idle));
        advance(Duration::from_secs(30)).await;
        connections.end_timed_out();
        assert!(is_evicted(&idle) && !is_evicted(&working));
        drop(work);
    }
}
