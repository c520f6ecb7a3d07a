//! Waiters (long polls that wait for messages), and the times at which messages become ready by
//! themselves.
//!
//! A wake-up is a token. It goes to the queue's oldest waiter without a token; a waiter that leaves
//! passes its tokens on. So no wake-up is lost, whatever happens between a commit and the receive that
//! it causes, and nothing polls.

use crate::store::{Effect, Observer};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// All waiters of the process.
#[derive(Debug, Default)]
pub struct Waiters {
    state: Mutex<State>,
    /// Number of waiters, so that commits cost nothing while there are none.
    waiting: AtomicUsize,
    /// Notified when the earliest due time becomes earlier.
    pub(super) due_changed: Notify,
    /// Notified when there is background work.
    pub(super) work: Notify,
    /// Notified when there are due deliveries.
    pub(super) delivery: Notify,
}

#[derive(Debug, Default)]
struct State {
    last_ticket: u64,
    queues: HashMap<i64, Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By ticket; the oldest waiter has the smallest.
    receivers: BTreeMap<u64, Receiver>,
    /// When the next message of the queue becomes ready by itself, in Unix milliseconds.
    due: Option<i64>,
}

#[derive(Debug, Default)]
struct Receiver {
    tokens: u32,
    bell: Arc<Notify>,
}

impl Waiters {
    /// Adds a waiter to a queue.
    pub fn join(self: &Arc<Self>, queue: i64) -> Ticket {
        let mut state = self.state.lock();
        state.last_ticket += 1;
        let number = state.last_ticket;
        let bell = Arc::default();
        let receiver = Receiver { tokens: 0, bell: Arc::clone(&bell) };
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

    /// Returns the earliest time at which a message of a queue with waiters becomes ready.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.state.lock().queues.values().filter_map(|waiting| waiting.due).min()
    }

    /// Removes and returns the queues that are due by a time.
    pub(super) fn take_due(&self, now: i64) -> Vec<i64> {
        let mut state = self.state.lock();
        let due =
            state.queues.iter_mut().filter(|(_, waiting)| waiting.due.is_some_and(|at| at <= now));
        due.map(|(queue, waiting)| {
            waiting.due = None;
            *queue
        })
        .collect()
    }

    /// Wakes all waiters, because the server is stopping.
    pub(super) fn wake_all(&self) {
        let mut state = self.state.lock();
        for waiting in state.queues.values_mut() {
            waiting.wake(usize::MAX);
        }
    }
}

impl State {
    /// Returns whether this is earlier than the recorded due time of the queue.
    fn note_due(&mut self, queue: i64, at: i64) -> bool {
        let Some(waiting) = self.queues.get_mut(&queue) else { return false };
        let earlier = waiting.due.is_none_or(|due| at < due);
        if earlier {
            waiting.due = Some(at);
        }
        earlier
    }
}

impl Waiting {
    /// Gives a token each to waiters without one, oldest first. Remaining tokens go to the oldest waiter:
    /// its receive may have run too early to find these messages.
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
                Effect::Ready { queue, count } => {
                    if let Some(waiting) = state.queues.get_mut(&queue) {
                        waiting.wake(count);
                    }
                }
                Effect::Gone { queue } => {
                    if let Some(waiting) = state.queues.get_mut(&queue) {
                        waiting.wake(usize::MAX);
                    }
                }
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

/// A waiter of one queue. Dropping it removes the waiter and passes its tokens on.
#[derive(Debug)]
pub struct Ticket {
    waiters: Arc<Waiters>,
    queue: i64,
    number: u64,
    bell: Arc<Notify>,
}

impl Ticket {
    /// Completes when the waiter should try to receive.
    pub async fn woken(&self) {
        while self.tokens() == 0 {
            self.bell.notified().await;
        }
    }

    /// Consumes the tokens that existed before a receive started. A token that arrived meanwhile stays,
    /// because that receive may have missed its message.
    pub fn spend(&self, tokens: u32) {
        let mut state = self.waiters.state.lock();
        let receiver =
            state.queues.get_mut(&self.queue).and_then(|w| w.receivers.get_mut(&self.number));
        if let Some(receiver) = receiver {
            receiver.tokens = receiver.tokens.saturating_sub(tokens);
        }
    }

    /// Returns the current number of tokens.
    pub fn tokens(&self) -> u32 {
        let state = self.waiters.state.lock();
        let receiver = state.queues.get(&self.queue).and_then(|w| w.receivers.get(&self.number));
        receiver.map_or(0, |receiver| receiver.tokens)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.waiters.state.lock();
        if let Some(waiting) = state.queues.get_mut(&self.queue) {
            let tokens = waiting.receivers.remove(&self.number).map_or(0, |gone| gone.tokens);
            waiting.wake(tokens as usize);
            if waiting.receivers.is_empty() {
                state.queues.remove(&self.queue);
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
    fn whoever_leaves_hands_its_wake_up_on() {
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
        ready(&waiters, 1); // while the first receive, which nobody caused, is on its way
        only.spend(0);
        assert_eq!(only.tokens(), 1);
        ready(&waiters, 1); // before the second
        let before = only.tokens();
        ready(&waiters, 1); // while the second is on its way
        only.spend(before);
        assert_eq!(only.tokens(), 1);
    }

    #[test]
    fn due_times_are_kept_for_queues_that_somebody_waits_for() {
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
    }
}
