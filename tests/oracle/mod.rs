//! A second implementation of a queue and topic service in the plainest form: lists that are searched
//! from end to end. It observes the responses of the service, and reports a violation if no correct
//! service could have given them.
//!
//! It uses none of Squab's code, only the rules that AWS documents.

mod letters;
mod moves;
mod queues;
mod topics;

pub use letters::{Letter, Patience, Reaction};
pub use moves::Listed;
pub use queues::{Attributes, Outgoing, Queue, Received, Retry, Seen, Sent, Verdict};
pub use topics::{Filter, Published, Subscription, Topic, hash, read, shown};

use moves::MoveTask;
use std::collections::BTreeMap;

/// Deduplication interval of FIFO queues and topics, in milliseconds.
const DEDUPLICATION_MS: i64 = 300_000;

/// Why a response cannot be correct.
pub type Complaint = String;

/// All queues and topics, by name. Times are Unix milliseconds.
#[derive(Debug, Default)]
pub struct Oracle {
    pub now: i64,
    pub queues: BTreeMap<String, Queue>,
    pub topics: BTreeMap<String, Topic>,
    /// The last task of each dead-letter queue.
    pub tasks: BTreeMap<String, MoveTask>,
    /// Deliveries to external endpoints.
    pub letters: Vec<Letter>,
}

pub fn ensure(condition: bool, complaint: impl FnOnce() -> Complaint) -> Result<(), Complaint> {
    if condition { Ok(()) } else { Err(complaint()) }
}

impl Oracle {
    pub fn at(now: i64) -> Self {
        Self { now, ..Self::default() }
    }

    /// Advances time and removes expired messages. Returns whether a client holds the receipt handle of one.
    pub fn pass(&mut self, milliseconds: i64) -> bool {
        self.now += milliseconds;
        let now = self.now;
        let was_received = |queue: &mut Queue| queue.expire(now);
        self.queues.values_mut().map(was_received).fold(false, |any, one| any | one)
    }
}
