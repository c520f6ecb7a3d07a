//! Waiting receivers, and the times at which messages become ready by themselves.
//!
//! A wake-up is a token. It goes to the receiver of the queue that has waited longest without one,
//! and a receiver that leaves passes its tokens on. So no wake-up is lost between a commit and the
//! receive that it causes, and nothing polls.

use crate::store::{Effect, Observer};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// All waiting receivers of the process.
#[derive(Debug, Default)]
pub struct Waiters {
    state: Mutex<State>,
    /// Number of waiting receivers, so that commits cost nothing while it is zero.
    waiting: AtomicUsize,
    /// Notified when the earliest due time moves forward.
    pub(super) due_changed: Notify,
    /// Notified when there is background work.
    pub(super) work: Notify,
    /// Notified when there is something to deliver.
    pub(super) delivery: Notify,
}

#[derive(Debug, Default)]
struct State {
    last_ticket: u64,
    queues: HashMap<i64, Waiting>,
    /// The due time of each queue that has one, and the queue.
    due: BTreeSet<(i64, i64)>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By ticket: the first receiver has the smallest.
    receivers: BTreeMap<u64, Receiver>,
    /// When a message of the queue becomes ready, in Unix milliseconds.
    due: Option<i64>,
}

#[derive(Debug, Default)]
struct Receiver {
    tokens: u32,
    bell: Arc<Notify>,
}

impl Waiters {
    /// Adds a receiver of a queue, behind those that already wait.
    pub fn join(self: &Arc<Self>, queue: i64) -> Ticket {
        let mut state = self.state.lock();
        state.last_ticket += 1;
        let number = state.last_ticket;
        let receiver = Receiver::default();
        let bell = Arc::clone(&receiver.bell);
        state.queues.entry(queue).or_default().receivers.insert(number, receiver);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Ticket { waiters: Arc::clone(self), queue, number, bell }
    }

    /// Records that a message of a queue becomes ready at a time, in Unix milliseconds.
    pub fn due(&self, queue: i64, at: i64) {
        if self.state.lock().note_due(queue, at) {
            self.due_changed.notify_one();
        }
    }

    /// Returns the earliest time at which a message of a queue with receivers becomes ready.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.state.lock().due.first().map(|(at, _)| *at)
    }

    /// Removes the due times up to `now`, and returns their queues.
    pub(super) fn take_due(&self, now: i64) -> Vec<i64> {
        let mut state = self.state.lock();
        let later = state.due.split_off(&(now.saturating_add(1), i64::MIN));
        let due = std::mem::replace(&mut state.due, later);
        for (_, queue) in &due {
            if let Some(waiting) = state.queues.get_mut(queue) {
                waiting.due = None;
            }
        }
        due.into_iter().map(|(_, queue)| queue).collect()
    }

    /// Wakes all receivers, because the server is stopping.
    pub(super) fn wake_all(&self) {
        for waiting in self.state.lock().queues.values_mut() {
            waiting.wake(usize::MAX);
        }
    }
}

impl State {
    /// Returns whether this is earlier than the known due time of the queue.
    fn note_due(&mut self, queue: i64, at: i64) -> bool {
        let Some(waiting) = self.queues.get_mut(&queue) else { return false };
        if waiting.due.is_some_and(|due| due <= at) {
            return false;
        }
        if let Some(later) = waiting.due.replace(at) {
            self.due.remove(&(later, queue));
        }
        self.due.insert((at, queue))
    }

    fn wake(&mut self, queue: i64, count: usize) {
        if let Some(waiting) = self.queues.get_mut(&queue) {
            waiting.wake(count);
        }
    }
}

impl Waiting {
    /// Gives a token to each receiver without one, the longest waiting first. If `count` exceeds
    /// their number, the first of all gets another, because its receive may have been too early to
    /// find the new messages.
    fn wake(&mut self, count: usize) {
        let mut left = count;
        for receiver in self.receivers.values_mut().filter(|receiver| receiver.tokens == 0) {
            if left == 0 {
                return;
            }
            receiver.give_token();
            left -= 1;
        }
        if left > 0
            && let Some(first) = self.receivers.values_mut().next()
        {
            first.give_token();
        }
    }
}

impl Receiver {
    fn give_token(&mut self) {
        self.tokens = self.tokens.saturating_add(1);
        self.bell.notify_one();
    }
}

impl Observer for Waiters {
    fn committed(&self, effects: &[Effect]) {
        if effects.contains(&Effect::Work) {
            self.work.notify_one();
        }
        if effects.contains(&Effect::Delivery) {
            self.delivery.notify_one();
        }
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut due_changed = false;
        let mut state = self.state.lock();
        for effect in effects {
            match *effect {
                Effect::Ready { queue, count } => state.wake(queue, count),
                Effect::Gone { queue } => state.wake(queue, usize::MAX),
                Effect::Due { queue, at } => due_changed |= state.note_due(queue, at),
                _ => {}
            }
        }
        drop(state);
        if due_changed {
            self.due_changed.notify_one();
        }
    }
}

/// The position of a waiting receiver in its queue. Dropping it releases the position.
#[derive(Debug)]
pub struct Ticket {
    waiters: Arc<Waiters>,
    queue: i64,
    number: u64,
    bell: Arc<Notify>,
}

impl Ticket {
    /// Completes when there is a reason to try to receive.
    pub async fn woken(&self) {
        while self.tokens() == 0 {
            self.bell.notified().await;
        }
    }

    /// Withdraws `tokens`, those that were present before a receive began. A token that came during
    /// the receive stays, because the receive may not have seen its cause.
    pub fn spend(&self, tokens: u32) {
        self.with_receiver(|receiver| receiver.tokens = receiver.tokens.saturating_sub(tokens));
    }

    /// Returns the number of tokens.
    pub fn tokens(&self) -> u32 {
        self.with_receiver(|receiver| receiver.tokens).unwrap_or_default()
    }

    fn with_receiver<T>(&self, act: impl FnOnce(&mut Receiver) -> T) -> Option<T> {
        let mut state = self.waiters.state.lock();
        state.queues.get_mut(&self.queue)?.receivers.get_mut(&self.number).map(act)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.waiters.state.lock();
        if let Some(waiting) = state.queues.get_mut(&self.queue) {
            let tokens = waiting.receivers.remove(&self.number).map_or(0, |gone| gone.tokens);
            waiting.wake(tokens as usize);
            if waiting.receivers.is_empty()
                && let Some(at) = state.queues.remove(&self.queue).and_then(|gone| gone.due)
            {
                state.due.remove(&(at, self.queue));
            }
        }
        self.waiters.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(waiters: &Waiters, count: usize) {
        waiters.committed(&[Effect::Ready { queue: 1, count }]);
    }

    #[test]
    fn the_receiver_that_has_waited_longest_is_woken() {
        let waiters = Arc::new(Waiters::default());
        let (first, second) = (waiters.join(1), waiters.join(1));
        let elsewhere = waiters.join(2);
        ready(&waiters, 1);
        assert_eq!((first.tokens(), second.tokens(), elsewhere.tokens()), (1, 0, 0));
        ready(&waiters, 1);
        assert_eq!((first.tokens(), second.tokens()), (1, 1));
    }

    #[test]
    fn a_receiver_that_leaves_hands_its_wake_up_on() {
        let waiters = Arc::new(Waiters::default());
        let (first, second) = (waiters.join(1), waiters.join(1));
        ready(&waiters, 1);
        drop(first);
        assert_eq!(second.tokens(), 1);
    }

    #[test]
    fn a_wake_up_during_a_receive_is_kept() {
        let waiters = Arc::new(Waiters::default());
        let only = waiters.join(1);
        ready(&waiters, 1); // during the first receive, which had no token
        only.spend(0);
        assert_eq!(only.tokens(), 1);
        ready(&waiters, 1); // before the second
        let before = only.tokens();
        ready(&waiters, 1); // while the second is on its way
        only.spend(before);
        assert_eq!(only.tokens(), 1);
    }

    #[test]
    fn due_times_are_kept_for_queues_with_receivers() {
        let waiters = Arc::new(Waiters::default());
        let _here = waiters.join(1);
        waiters.due(1, 500);
        waiters.due(1, 300);
        waiters.due(1, 400);
        waiters.due(2, 100);
        assert_eq!(waiters.next_due(), Some(300));
        assert_eq!(waiters.take_due(299), Vec::<i64>::new());
        assert_eq!(waiters.take_due(300), vec![1]);
        assert_eq!(waiters.next_due(), None);
        waiters.due(1, 700);
        assert_eq!(waiters.next_due(), Some(700));
        let there = waiters.join(2);
        waiters.due(2, 600);
        assert_eq!(waiters.next_due(), Some(600));
        drop(there);
        assert_eq!(waiters.next_due(), Some(700));
    }
}
