//! Rows and transactions. Nothing here knows a rule of SQS or SNS: it reads, inserts, updates and deletes
//! rows, and commits many callers' work at once.
//!
//! - [`Txn`] is what the engine works with: typed rows, the time, fresh ids, effects.
//! - [`Database`] and [`Driver`] are what a database must offer; the SQL text lives beside the rows, once.
//! - [`Store`] owns the writer thread and its group commit.
//!
//! Invariants: one transaction is open at a time; time within a transaction never runs backwards;
//! an answer is sent only after the transaction that it speaks of has been committed.

#[macro_use]
mod rows;

mod account_usage;
mod backlogs;
mod captured_messages;
mod checkpoints;
mod deduplication;
mod deliveries;
mod driver;
mod error;
pub mod failure_log;
mod files;
mod free_space;
mod ids;
mod message_groups;
mod messages;
mod migrations;
mod move_tasks;
mod platforms;
mod publications;
mod queues;
mod receipt_key;
mod receive_attempts;
mod reset;
mod signing_key;
mod sms;
mod sqlite;
mod subscriptions;
mod topics;
mod txn;
mod worker;

pub use account_usage::{AccountLimits, Usage};
pub use backlogs::Counts;
pub use captured_messages::CapturedMessage;
pub use deduplication::{DeduplicationKey, Duplicate};
pub use deliveries::{
    CONFIRMATION_BYTES, Confirmation, DELIVERY_BYTES, Delivery, Payload, ReadyOutbox, Recipient,
};
pub use driver::{Database, Driver, Row, Value};
pub use error::Error;
pub use files::{OpenFiles, is_readable_by_others};
pub use free_space::FreeSpace;
pub use ids::Ids;
pub use message_groups::MessageGroup;
pub use messages::{Content, Message, Place};
pub use move_tasks::{MoveTask, MoveTaskStatus};
pub use platforms::{PlatformApplication, PlatformEndpoint};
pub use publications::{Payer, Publication, outbox_bytes};
pub use queues::{Forwards, Queue};
pub use signing_key::KeyAndCertificate;
pub use sms::{OptOut, SandboxNumber};
pub use sqlite::{Durability, Faults, Location, MEMORY_BYTES, Sqlite};
pub use subscriptions::{Replay, Subscription, SubscriptionState};
pub use topics::Topic;
pub use txn::{DeliveryStatus, Effect, Ledger, Txn};
pub use worker::{GiveBack, Moment, Observer, Store};
