//! The verbs of queues and topics, each over one transaction: read, decide, write.
//!
//! Invariants:
//! - A verb rejects a request before its first write.
//! - Time and IDs come from the transaction; nothing here waits, sleeps or does I/O of its own.
//! - Work is bounded: long work (a purge, a sweep, a move task) is done in pages.
//! - A message is in exactly one state, and the row of its group always agrees with its messages.

pub mod access;
pub mod capture;
pub mod dead_letter;
pub mod delete;
pub mod deliveries;
pub mod fan_out;
pub mod inspect;
pub mod move_tasks;
pub mod outbox;
pub mod places;
pub mod platform;
pub mod publish;
pub mod queues;
pub mod receive;
pub mod replay;
pub mod reset;
pub mod send;
pub mod sms;
pub mod subscriptions;
pub mod sweep;
pub mod topic_snapshot;
pub mod topic_to_queue;
pub mod topics;
pub mod visibility;

/// Rows that one transaction of background work processes.
pub const PAGE: i64 = 100;

#[cfg(test)]
mod tests;
