//! Who has a connection, and who loses it to somebody new.
//!
//! At the limit a new connection takes the place of one that is not used: of one that has never
//! asked for anything first, then of the one that has been idle for longest. A connection that was
//! idle for less than [`LEAST_IDLE`] keeps its place, for its client is about to use it: whoever
//! fills the server with receivers that wait does not close what others have open. If nobody can
//! go, a few more are let in all the same, to be answered shortly; of these the idlest makes room
//! for the next, however short its time was.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::runtime::answers::Reader;

/// Connections beyond the limit, for short questions.
pub(super) const SPARE: usize = 64;
/// How long a connection is idle before somebody else may have its place.
const LEAST_IDLE: Duration = Duration::from_secs(1);
/// Connections that one search finds, for this newcomer and the next ones.
const FOUND: usize = 64;

/// The connections that are open, each in its place.
#[derive(Debug)]
pub(super) struct Places {
    limit: usize,
    entered: u64,
    epoch: Instant,
    taken: HashMap<u64, Arc<Place>>,
    /// Those beyond the limit.
    spare: HashMap<u64, Arc<Place>>,
    /// Whom the last search has found, whoever is to go first at the end, with the beginning of
    /// their idling.
    found: Vec<(u64, u64)>,
    /// Until then, in milliseconds since the epoch, a search would find nobody.
    nobody_until: u64,
}

/// The place of a connection.
#[derive(Debug)]
pub(super) struct Place {
    /// Milliseconds since the epoch, or [`BUSY`].
    idle_since: AtomicU64,
    epoch: Instant,
    has_asked: AtomicBool,
    /// Bytes that its client has taken.
    written: AtomicU64,
    given_away: Notify,
    is_spare: bool,
}

/// Instead of a time: a request runs.
const BUSY: u64 = u64::MAX;

impl Places {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            entered: 0,
            epoch: Instant::now(),
            taken: HashMap::new(),
            spare: HashMap::new(),
            found: Vec::new(),
            nobody_until: 0,
        }
    }

    /// A place for a new connection, and its number; at the limit that of another one.
    pub(super) fn enter(&mut self) -> (u64, Arc<Place>) {
        let is_spare = self.taken.len() >= self.limit && !self.give_away_one();
        let place = Arc::new(Place {
            idle_since: AtomicU64::new(millis(self.epoch)),
            epoch: self.epoch,
            has_asked: AtomicBool::new(false),
            written: AtomicU64::new(0),
            given_away: Notify::new(),
            is_spare,
        });
        self.entered += 1;
        if is_spare {
            self.spare.insert(self.entered, Arc::clone(&place));
            if self.spare.len() >= SPARE {
                self.give_away_a_spare_one();
            }
        } else {
            self.taken.insert(self.entered, Arc::clone(&place));
        }
        (self.entered, place)
    }

    pub(super) fn leave(&mut self, number: u64) {
        if self.taken.remove(&number).is_none() {
            self.spare.remove(&number);
        }
    }

    /// Ends a connection that is not used. Tells whether there is one.
    fn give_away_one(&mut self) -> bool {
        let now = millis(self.epoch);
        loop {
            while let Some((number, since)) = self.found.pop() {
                if self.taken.get(&number).is_some_and(|place| place.idle_since() == since)
                    && let Some(place) = self.taken.remove(&number)
                {
                    place.given_away.notify_one();
                    return true;
                }
            }
            if now < self.nobody_until {
                return false;
            }
            self.search(now);
            if self.found.is_empty() {
                return false;
            }
        }
    }

    /// Looks at everybody. That takes a while, so it is done for many newcomers at once.
    fn search(&mut self, now: u64) {
        let least = LEAST_IDLE.as_millis() as u64;
        let idle = self.taken.iter().map(|(number, place)| (*number, place, place.idle_since()));
        let idle = idle.filter(|(.., since)| *since != BUSY);
        let mut found = Vec::new();
        self.nobody_until = now + least;
        for (number, place, since) in idle {
            if now - since >= least {
                found.push((place.has_asked.load(Ordering::Relaxed), since, number));
            } else {
                self.nobody_until = self.nobody_until.min(since + least);
            }
        }
        if !found.is_empty() {
            self.nobody_until = now;
        }
        if found.len() > FOUND {
            found.select_nth_unstable(FOUND);
            found.truncate(FOUND);
        }
        found.sort_unstable();
        self.found = found.into_iter().rev().map(|(_, since, number)| (number, since)).collect();
    }

    /// Ends the idlest connection beyond the limit, if one is idle.
    fn give_away_a_spare_one(&mut self) {
        let idlest = self.spare.iter().min_by_key(|(number, place)| (place.idle_since(), **number));
        let idlest = idlest.filter(|(_, place)| place.idle_since() != BUSY);
        if let Some(number) = idlest.map(|(number, _)| *number)
            && let Some(place) = self.spare.remove(&number)
        {
            place.given_away.notify_one();
        }
    }
}

impl Place {
    /// Whether it is beyond the limit.
    pub(super) fn is_spare(&self) -> bool {
        self.is_spare
    }

    /// A request has come.
    pub(super) fn is_busy(&self) {
        self.idle_since.store(BUSY, Ordering::Relaxed);
        self.has_asked.store(true, Ordering::Relaxed);
    }

    /// Its answer is there.
    pub(super) fn is_idle(&self) {
        self.idle_since.store(millis(self.epoch), Ordering::Relaxed);
    }

    /// The client has taken so many bytes, so it is not idle after all.
    pub(super) fn has_taken(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
        if self.idle_since() != BUSY {
            self.is_idle();
        }
    }

    /// Completes when the connection is to end.
    pub(super) async fn given_away(&self) {
        self.given_away.notified().await;
    }

    fn idle_since(&self) -> u64 {
        self.idle_since.load(Ordering::Relaxed)
    }
}

impl Reader for Place {
    fn taken(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    fn hang_up(&self) {
        self.given_away.notify_one();
    }
}

fn millis(epoch: Instant) -> u64 {
    epoch.elapsed().as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use tokio::time::advance;

    fn is_given_away(place: &Place) -> bool {
        place.given_away().now_or_never().is_some()
    }

    /// Has asked for something, and got it.
    fn used(place: &Place) {
        place.is_busy();
        place.is_idle();
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_never_asked_goes_first_then_whoever_has_been_idle_for_longest() {
        let mut places = Places::new(4);
        let busy = places.enter().1;
        busy.is_busy();
        let [long, silent, short] = [(); 3].map(|()| places.enter().1);
        used(&long);
        advance(Duration::from_secs(1)).await;
        used(&short);
        advance(Duration::from_mins(1)).await;
        for loser in [&silent, &long, &short] {
            let newcomer = places.enter().1;
            assert!(!newcomer.is_spare());
            newcomer.is_busy();
            assert!(is_given_away(loser));
        }
        assert!(places.enter().1.is_spare());
        assert!(!is_given_away(&busy));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_just_been_answered_or_is_taking_its_answer_keeps_its_place() {
        let mut places = Places::new(2);
        let [asking, taking] = [(); 2].map(|()| places.enter().1);
        used(&asking);
        used(&taking);
        advance(LEAST_IDLE / 2).await;
        taking.has_taken(1);
        assert!(places.enter().1.is_spare());
        advance(LEAST_IDLE / 2).await;
        assert!(!places.enter().1.is_spare());
        assert!(is_given_away(&asking) && !is_given_away(&taking));
        assert!(places.enter().1.is_spare());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_was_found_idle_and_is_not_any_more_stays() {
        let mut places = Places::new(3);
        let [first, second, third] = [(); 3].map(|()| places.enter().1);
        advance(LEAST_IDLE).await;
        assert!(!places.enter().1.is_spare());
        assert!(is_given_away(&first));
        second.is_busy();
        assert!(!places.enter().1.is_spare());
        assert!(!is_given_away(&second) && is_given_away(&third));
    }

    /// Whoever holds all spare places with half a head keeps nobody from asking for health.
    #[tokio::test(start_paused = true)]
    async fn there_is_always_a_place_for_a_short_question() {
        let mut places = Places::new(1);
        places.enter().1.is_busy();
        let spare: Vec<_> = (0..3 * SPARE).map(|_| places.enter().1).collect();
        assert!(spare.iter().all(|place| place.is_spare()));
        assert!(places.spare.len() < SPARE);
        let (gone, kept) = spare.split_at(spare.len() - places.spare.len());
        assert!(gone.iter().all(|place| is_given_away(place)));
        assert!(!kept.iter().any(|place| is_given_away(place)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_frees_its_place() {
        let mut places = Places::new(1);
        let (number, first) = places.enter();
        first.is_busy();
        let (spare, place) = places.enter();
        assert!(place.is_spare());
        places.leave(spare);
        places.leave(number);
        assert!(!places.enter().1.is_spare());
    }
}
