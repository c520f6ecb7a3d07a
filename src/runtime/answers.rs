//! The room that all answers share, from the moment their messages are read to the moment their
//! clients have taken them.
//!
//! Most answers are small, and nothing is asked for those of [`FREE`] bytes or less. The bytes of
//! larger ones count together. A receive asks for room before it takes messages, so what finds none
//! stays in its line. When room is short, clients that leave their answers unread are hung up on:
//! those that have not taken [`LEAST`] bytes a second of late, whoever came first being the first
//! to go. A client that reads at any usual speed keeps its answer whatever others do.

use crate::domain::{Kind, Refusal};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// Bytes of an answer that nobody has to ask room for.
pub const FREE: usize = 16 * 1024;
/// How long a client reads before anybody looks at how far it is. A busy server, too, may be what
/// an answer waits for.
const WINDOW: Duration = Duration::from_secs(2);
/// Bytes a second that a client takes of an answer which it is to keep while others want room.
const LEAST: u64 = 256 * 1024;
/// Between two looks at everybody who is reading.
const PAUSE: Duration = Duration::from_millis(250);
/// How long an answer waits for room.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is said to whoever finds no room.
pub const NO_ROOM: &str = "Too many answers wait to be read: there is no room for this one.";

/// The refusal of whoever finds no room.
pub fn no_room() -> Refusal {
    Refusal::new(Kind::RequestThrottled, NO_ROOM)
}

/// Whoever takes an answer.
pub trait Reader: Debug + Send + Sync {
    /// Bytes that it has taken so far, in all.
    fn taken(&self) -> u64;
    /// Ends its connection, and with it the answer.
    fn hang_up(&self);
}

/// The room that all answers share.
#[derive(Debug)]
pub struct Answers {
    /// Bytes of all answers at most.
    room: usize,
    /// Bytes that count. Written with the state at hand only.
    taken: AtomicUsize,
    state: Mutex<State>,
    /// There may be room for somebody who waits.
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Answers that are being read, the oldest first.
    read: BTreeMap<u64, Reading>,
    begun: u64,
    /// When everybody was last looked at.
    looked: Option<Instant>,
}

#[derive(Debug)]
struct Reading {
    reader: Arc<dyn Reader>,
    bytes: usize,
    /// The beginning of its window, and what had been taken by then.
    since: Instant,
    taken: u64,
}

impl Answers {
    /// Room for so many bytes.
    pub fn new(room: usize) -> Arc<Self> {
        Arc::new(Self {
            room,
            taken: AtomicUsize::new(0),
            state: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// An answer that holds nothing yet.
    pub fn answer(self: &Arc<Self>) -> Arc<Room> {
        let (held, place) = (AtomicUsize::new(0), AtomicU64::new(0));
        Arc::new(Room { answers: Arc::clone(self), held, place })
    }

    fn free(&self) -> usize {
        self.room.saturating_sub(self.taken.load(Ordering::Relaxed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there are so many bytes, once slow readers have gone if need be.
    fn make(&self, state: &mut State, bytes: usize) -> bool {
        if bytes <= self.free() {
            return true;
        }
        let now = Instant::now();
        if bytes > self.room || state.looked.is_some_and(|at| now < at + PAUSE) {
            return false;
        }
        state.looked = Some(now);
        // Somewhat more than this one needs: others will come before the next look.
        let wanted = bytes.max(self.room / 8);
        let mut gone = Vec::new();
        for (place, reading) in &mut state.read {
            if wanted <= self.free() {
                break;
            }
            let (elapsed, taken) = (now - reading.since, reading.reader.taken());
            if elapsed < WINDOW {
                continue;
            }
            let least = u128::from(LEAST) * elapsed.as_millis() / 1_000;
            if u128::from(taken - reading.taken) < least {
                self.taken.fetch_sub(reading.bytes, Ordering::Relaxed);
                reading.reader.hang_up();
                gone.push(*place);
            } else {
                (reading.since, reading.taken) = (now, taken);
            }
        }
        for place in gone {
            state.read.remove(&place);
        }
        bytes <= self.free()
    }
}

/// What one answer holds of the room.
#[derive(Debug)]
pub struct Room {
    answers: Arc<Answers>,
    /// Bytes; changed with the state at hand only.
    held: AtomicUsize,
    /// Its place among those that are being read; 0 for none.
    place: AtomicU64,
}

impl Room {
    /// Bytes that the answer may have as things are.
    pub fn left(&self) -> usize {
        (self.held() + self.answers.free()).max(FREE)
    }

    /// Holds so many bytes from now on, instead of those that it held.
    pub fn hold(&self, bytes: usize) {
        let bytes = counted(bytes);
        if bytes != self.held() {
            self.set(&self.answers.state(), bytes);
        }
    }

    /// Holds so many bytes from now on, if there is room for them. Tells whether there was.
    pub fn try_hold(&self, bytes: usize) -> bool {
        let bytes = counted(bytes);
        if bytes != self.held() {
            let mut state = self.answers.state();
            if bytes > self.held() && !self.answers.make(&mut state, bytes - self.held()) {
                return false;
            }
            self.set(&state, bytes);
        }
        true
    }

    /// Waits until so many bytes are there, and holds them. Tells whether they came in time.
    pub async fn reserve(&self, bytes: usize) -> bool {
        let held = async {
            while !self.try_hold(bytes) {
                // Who reads slowly becomes so by the passing of time.
                let _ = timeout(PAUSE, self.answers.freed.notified()).await;
            }
            // There may be room for one more.
            self.answers.freed.notify_one();
        };
        timeout(PATIENCE, held).await.is_ok()
    }

    /// Says who takes the answer, now that it is on its way.
    pub fn is_read_by(&self, reader: Arc<dyn Reader>) {
        let bytes = self.held();
        if bytes == 0 {
            return;
        }
        let mut state = self.answers.state();
        state.begun += 1;
        let (place, taken) = (state.begun, reader.taken());
        let reading = Reading { reader, bytes, since: Instant::now(), taken };
        state.read.insert(place, reading);
        self.place.store(place, Ordering::Relaxed);
    }

    fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn set(&self, _state: &MutexGuard<'_, State>, bytes: usize) {
        let held = self.held.swap(bytes, Ordering::Relaxed);
        let taken = self.answers.taken.load(Ordering::Relaxed);
        self.answers.taken.store(taken - held + bytes, Ordering::Relaxed);
        if bytes < held {
            self.answers.freed.notify_one();
        }
    }
}

/// Bytes that count of an answer.
fn counted(bytes: usize) -> usize {
    if bytes > FREE { bytes } else { 0 }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.held() == 0 {
            return;
        }
        let mut state = self.answers.state();
        let place = self.place.load(Ordering::Relaxed);
        // What was hung up on does not count any more.
        if place == 0 || state.read.remove(&place).is_some() {
            self.set(&state, 0);
        }
        drop(state);
        self.answers.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use tokio::time::sleep;

    const MIB: usize = 1024 * 1024;

    #[derive(Debug, Default)]
    struct Client {
        taken: AtomicU64,
        is_hung_up_on: AtomicBool,
    }

    impl Client {
        fn takes(&self, bytes: usize) {
            self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
        }

        fn is_hung_up_on(&self) -> bool {
            self.is_hung_up_on.load(Ordering::Relaxed)
        }
    }

    impl Reader for Client {
        fn taken(&self) -> u64 {
            self.taken.load(Ordering::Relaxed)
        }

        fn hang_up(&self) {
            self.is_hung_up_on.store(true, Ordering::Relaxed);
        }
    }

    /// An answer of so many bytes on its way to a client.
    fn sent(answers: &Arc<Answers>, bytes: usize) -> (Arc<Room>, Arc<Client>) {
        let (room, client) = (answers.answer(), Arc::<Client>::default());
        assert!(room.try_hold(bytes));
        room.is_read_by(Arc::clone(&client) as _);
        (room, client)
    }

    #[test]
    fn small_answers_count_nothing_and_find_room_where_there_is_none() {
        let answers = Answers::new(MIB);
        let large = answers.answer();
        assert!(large.try_hold(MIB));
        let small = answers.answer();
        assert_eq!(small.left(), FREE);
        assert!(small.try_hold(FREE) && !small.try_hold(FREE + 1));
        drop(large);
        assert_eq!(small.left(), MIB);
    }

    #[test]
    fn an_answer_that_shrinks_or_ends_leaves_its_room_to_others() {
        let answers = Answers::new(10 * MIB);
        let (one, other) = (answers.answer(), answers.answer());
        assert!(one.try_hold(8 * MIB) && !other.try_hold(3 * MIB));
        one.hold(7 * MIB);
        assert!(other.try_hold(3 * MIB));
        assert_eq!((one.left(), other.left()), (7 * MIB, 3 * MIB));
        drop(one);
        assert_eq!(other.left(), 10 * MIB);
        drop(other);
        assert_eq!(answers.free(), 10 * MIB);
    }

    #[tokio::test(start_paused = true)]
    async fn where_room_is_short_those_are_hung_up_on_who_read_slowly_and_nobody_else() {
        let answers = Answers::new(10 * MIB);
        let (quick_room, quick) = sent(&answers, 4 * MIB);
        let (slow_room, slow) = sent(&answers, 3 * MIB);
        let (last_room, last) = sent(&answers, 3 * MIB);
        let new = answers.answer();
        // Nobody has had the time to read.
        assert!(!new.try_hold(MIB));
        sleep(2 * WINDOW).await;
        let enough = LEAST * (2 * WINDOW).as_secs();
        quick.takes(enough as usize);
        slow.takes(enough as usize - 1);
        assert!(new.try_hold(MIB));
        assert!(slow.is_hung_up_on() && !quick.is_hung_up_on() && !last.is_hung_up_on());
        assert_eq!(answers.free(), 2 * MIB);
        // Its connection ends when it ends, and frees nothing twice.
        drop(slow_room);
        assert_eq!(answers.free(), 2 * MIB);
        drop((quick_room, last_room, new));
        assert_eq!(answers.free(), 10 * MIB);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_served_when_there_is_room_and_turned_away_in_time() {
        let answers = Answers::new(10 * MIB);
        let (held, reader) = sent(&answers, 10 * MIB);
        let waiting = [answers.answer(), answers.answer()];
        let [one, other] = &waiting;
        let reserved = async { tokio::join!(one.reserve(MIB), other.reserve(MIB)) };
        let reading = async {
            // Twice as quickly as it has to.
            for _ in 0..40 {
                reader.takes(LEAST as usize);
                sleep(WINDOW / 4).await;
            }
        };
        let began = Instant::now();
        tokio::select! {
            () = reading => panic!("nobody was turned away"),
            came = reserved => assert_eq!(came, (false, false)),
        }
        assert_eq!(began.elapsed(), PATIENCE);
        // What one leaves is enough for both.
        let leaves = async {
            tokio::task::yield_now().await;
            drop(held);
        };
        let began = Instant::now();
        assert_eq!(tokio::join!(one.reserve(MIB), other.reserve(MIB), leaves), (true, true, ()));
        assert!(began.elapsed() < PAUSE);
    }
}
