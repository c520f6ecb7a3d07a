//! One caller's view of a transaction: rows, the time, fresh ids, and effects to carry out once
//! it has been committed.

use super::account_usage::{AccountLimits, KnownUsage};
use super::driver::{Driver, Value};
use super::message_groups::KnownGroups;
use super::rows::{Cells, Changed, Inserted, Stored, changed_values, values};
use super::{Counts, Error, Ids, Queue};
use crate::domain::address::QueueAddress;
use crate::domain::receipt::ReceiptKey;
use crate::domain::sns_endpoint::Protocol;
use crate::domain::topic_address::TopicAddress;
use foldhash::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// Something to do after the commit. Effects are data: nothing happens if the commit fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// So many messages of a queue may be received now.
    Ready {
        /// Id of the queue.
        queue: i64,
        /// How many receivers could be served.
        count: usize,
    },
    /// A message of a queue becomes ready at a time.
    Due {
        /// Id of the queue.
        queue: i64,
        /// Unix milliseconds.
        at: i64,
    },
    /// A queue no longer exists.
    Gone {
        /// Id of the queue.
        queue: i64,
    },
    /// There is background work: a discarded backlog, a move task, an unfinished fan-out.
    Work,
    /// An outbox has something to deliver, now or at another time than before.
    Delivery,
    /// What became of messages of a topic on their way to subscriptions of a protocol.
    Delivered {
        /// How they went.
        protocol: Protocol,
        /// Whether they arrived.
        success: bool,
        /// How many.
        count: u64,
    },
    /// What became of one message, for the log.
    DeliveryStatus(Box<DeliveryStatus>),
}

/// What became of a message on its way to a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryStatus {
    /// ARN of the subscription.
    pub subscription_arn: String,
    /// MessageId, if it is a message.
    pub message_id: Option<Uuid>,
    /// How it went.
    pub protocol: Protocol,
    /// Where it went.
    pub endpoint: String,
    /// Attempts that were made.
    pub attempts: u32,
    /// Why it did not arrive; none if it did.
    pub failure: Option<String>,
    /// The queue that it was put into instead.
    pub dead_letter_queue: Option<String>,
}

/// What callers read or change alike, transaction after transaction: a thousand sends to one queue
/// read its row once, and those of one transaction update its counters once, at the end.
///
/// Nobody else writes to the database, so what a committed transaction leaves here stays true. A
/// transaction that is rolled back leaves nothing but the sequence.
#[derive(Debug, Default)]
pub struct Ledger {
    sequence: Option<Sequence>,
    /// As of the last commit.
    committed_sequence: Option<Sequence>,
    pub(super) counters: HashMap<i64, Counters>,
    /// Backlogs whose counters this transaction has changed.
    pub(super) changed: Vec<i64>,
    pub(super) queues: HashMap<QueueAddress, Arc<Queue>>,
    /// Id and version of topics.
    pub(super) topics: HashMap<TopicAddress, (i64, i64)>,
    pub(super) groups: KnownGroups,
    /// Whether accounts reach each other's queues only where policies say so.
    isolates_accounts: bool,
    pub(super) receipt_key: Option<ReceiptKey>,
    /// By account.
    pub(super) usage: HashMap<String, KnownUsage>,
    /// Accounts whose usage this transaction has changed; one may be named twice.
    pub(super) changed_usage: Vec<String>,
    /// Set when the server starts.
    pub(super) limits: AccountLimits,
}

/// Sequences are reserved by the thousand, so that few transactions have to write that down. Some
/// are lost when the server ends.
const SEQUENCES_RESERVED: i64 = 1_000;

/// Queues, topics, backlogs or message groups known at most.
const KNOWN: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sequence {
    last: i64,
    /// What the database says: up to here sequences may be given out.
    reserved: i64,
}

/// The counters of a backlog: as they are stored, if that has been read, and what the transaction
/// has changed.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) stored: Option<Counts>,
    pub(super) change: Counts,
}

impl Ledger {
    /// Writes down what has changed, at the end of a transaction.
    pub fn settle(&mut self, driver: &mut dyn Driver) -> Result<(), Error> {
        self.groups.write(driver)?;
        for backlog in &self.changed {
            if let Some(counters) = self.counters.get(backlog) {
                counters.change.add_to(driver, *backlog)?;
            }
        }
        self.changed_usage.sort_unstable();
        self.changed_usage.dedup();
        for account in &self.changed_usage {
            if let Some(known) = self.usage.get(account) {
                known.change.add_to(driver, account)?;
            }
        }
        Ok(())
    }

    /// The transaction has been committed.
    pub fn committed(&mut self) {
        self.committed_sequence = self.sequence;
        for backlog in self.changed.drain(..) {
            if let Some(counters) = self.counters.get_mut(&backlog) {
                let change = std::mem::take(&mut counters.change);
                counters.stored = counters.stored.map(|stored| stored.plus(change));
            }
        }
        for account in self.changed_usage.drain(..) {
            if let Some(known) = self.usage.get_mut(&account) {
                let change = std::mem::take(&mut known.change);
                known.stored = known.stored.map(|stored| stored.plus(change));
            }
        }
        if self.usage.len() > KNOWN {
            self.usage.clear();
        }
        if self.counters.len() > KNOWN {
            self.counters.clear();
        }
        if self.queues.len() > KNOWN {
            self.queues.clear();
        }
        if self.topics.len() > KNOWN {
            self.topics.clear();
        }
        if self.groups.len() > KNOWN {
            self.groups = KnownGroups::default();
        }
    }

    /// The transaction has been rolled back.
    pub fn rolled_back(&mut self) {
        let sequence = self.committed_sequence;
        let (isolates_accounts, limits) = (self.isolates_accounts, self.limits);
        *self = Self {
            sequence,
            committed_sequence: sequence,
            isolates_accounts,
            limits,
            ..Self::default()
        };
    }
}

/// A transaction as one caller sees it.
pub struct Txn<'t> {
    driver: &'t mut dyn Driver,
    pub(super) ledger: &'t mut Ledger,
    ids: &'t mut Ids,
    now: i64,
    shown: i64,
    effects: Vec<Effect>,
    wrote: bool,
}

impl<'t> Txn<'t> {
    /// A view of the transaction that `driver` has open.
    pub fn new(
        driver: &'t mut dyn Driver,
        ledger: &'t mut Ledger,
        ids: &'t mut Ids,
        now: i64,
    ) -> Self {
        Self { driver, ledger, ids, now, shown: now, effects: Vec::new(), wrote: false }
    }

    /// The same, while the wall clock shows another time.
    pub(super) fn shown_at(self, shown: i64) -> Self {
        Self { shown, ..self }
    }

    /// The time, in Unix milliseconds: the only clock of the rules.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Returns what the wall clock shows, in Unix milliseconds: for times that clients see and that no
    /// deadline is computed from.
    pub fn wall_now(&self) -> i64 {
        self.shown
    }

    /// Has accounts reach each other's queues only where policies say so, in this transaction and later
    /// ones. Calls are checked where they arrive; this is for what runs without a caller.
    pub fn isolate_accounts(&mut self) {
        self.ledger.isolates_accounts = true;
    }

    /// Returns whether accounts reach each other's queues only where policies say so.
    pub fn isolates_accounts(&self) -> bool {
        self.ledger.isolates_accounts
    }

    /// A fresh random id: the only randomness of the rules.
    pub fn fresh_id(&mut self) -> Uuid {
        self.ids.fresh()
    }

    /// The next sequence: greater than every one before it, in this transaction or another.
    pub fn next_sequence(&mut self) -> Result<i64, Error> {
        let mut sequence = self.sequence()?;
        sequence.last += 1;
        if sequence.last > sequence.reserved {
            sequence.reserved += SEQUENCES_RESERVED;
            self.run("UPDATE sequence SET last = ?1 WHERE id = 1", params![sequence.reserved])?;
        }
        self.ledger.sequence = Some(sequence);
        self.wrote = true;
        Ok(sequence.last)
    }

    /// The last sequence that was given out.
    pub fn last_sequence(&mut self) -> Result<i64, Error> {
        Ok(self.sequence()?.last)
    }

    fn sequence(&mut self) -> Result<Sequence, Error> {
        if let Some(sequence) = self.ledger.sequence {
            return Ok(sequence);
        }
        let last = self
            .one("SELECT last FROM sequence WHERE id = 1", &[])?
            .ok_or_else(|| Error::Corrupt("the sequence has no row".into()))?;
        let sequence = Sequence { last, reserved: last };
        self.ledger.sequence = Some(sequence);
        Ok(sequence)
    }

    /// Asks for something to be done after the commit.
    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Whether this caller has changed anything.
    pub fn wrote(&self) -> bool {
        self.wrote
    }

    /// The effects asked for.
    pub fn into_effects(self) -> Vec<Effect> {
        self.effects
    }

    /// What statements go to, and what need not go there at once.
    pub(super) fn parts(&mut self) -> (&mut dyn Driver, &mut Ledger) {
        (&mut *self.driver, &mut *self.ledger)
    }

    /// Remembers that this caller has changed something.
    pub(super) fn note_write(&mut self) {
        self.wrote = true;
    }

    pub(super) fn execute(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
    ) -> Result<usize, Error> {
        self.wrote = true;
        self.driver.execute(sql, parameters)
    }

    /// Runs a statement, however many rows it changes.
    pub(super) fn run(&mut self, sql: &'static str, parameters: &[Value<'_>]) -> Result<(), Error> {
        self.execute(sql, parameters).map(drop)
    }

    pub(super) fn insert(&mut self, row: &impl Inserted) -> Result<(), Error> {
        self.insert_with(row, [])
    }

    /// Inserts a row with values of its extra columns.
    pub(super) fn insert_with<'v, R: Inserted>(
        &mut self,
        row: &'v R,
        extra: impl IntoIterator<Item = Value<'v>>,
    ) -> Result<(), Error> {
        let mut values = values(row);
        values.extend(extra);
        self.run(R::INSERT, &values)
    }

    /// Writes what may change of a row, and returns whether there is such a row.
    pub(super) fn update<R: Changed>(&mut self, row: &R) -> Result<bool, Error> {
        Ok(self.execute(R::UPDATE, &changed_values(row))? > 0)
    }

    pub(super) fn one<T: Stored>(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
    ) -> Result<Option<T>, Error> {
        let mut found = None;
        self.driver.query(sql, parameters, &mut |row| {
            found = Some(Cells::of(row).read()?);
            Ok(())
        })?;
        Ok(found)
    }

    pub(super) fn all<T: Stored>(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
    ) -> Result<Vec<T>, Error> {
        let mut found = Vec::new();
        self.driver.query(sql, parameters, &mut |row| {
            found.push(Cells::of(row).read()?);
            Ok(())
        })?;
        Ok(found)
    }

    /// Returns the result of a statement that counts.
    pub(super) fn number(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
    ) -> Result<i64, Error> {
        Ok(self.one(sql, parameters)?.unwrap_or(0))
    }
}
