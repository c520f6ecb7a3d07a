//! One caller's view of a transaction: rows, the time, new IDs, and effects to carry out after the
//! commit.

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
    /// Messages of a queue became receivable.
    Ready {
        /// Id of the queue.
        queue: i64,
        /// The number of receivers that could be served.
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
    /// Deliveries of messages to subscriptions of a protocol ended.
    Delivered {
        /// The protocol.
        protocol: Protocol,
        /// Whether they succeeded.
        success: bool,
        /// Their number.
        count: u64,
    },
    /// The result of one delivery, for the log.
    DeliveryStatus(Box<DeliveryStatus>),
}

/// The result of a delivery to a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryStatus {
    /// ARN of the subscription.
    pub subscription_arn: String,
    /// MessageId; `None` for a confirmation.
    pub message_id: Option<Uuid>,
    /// The protocol of the subscription.
    pub protocol: Protocol,
    /// The endpoint of the subscription.
    pub endpoint: String,
    /// Number of attempts.
    pub attempts: u32,
    /// Why it failed; `None` if it succeeded.
    pub failure: Option<String>,
    /// The dead-letter queue that got the message instead.
    pub dead_letter_queue: Option<String>,
}

/// Rows that many transactions use, with the changes that the open transaction has not written yet: a
/// thousand sends to one queue read its row once, and those of one transaction update its counters once,
/// at its end.
///
/// The writer is the only one that writes to the database, so the cache is true after a commit. After a
/// rollback it is empty, apart from the sequence.
#[derive(Debug, Default)]
pub struct RowCache {
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
    /// Whether an account needs permission by policy to use the queues of another.
    isolates_accounts: bool,
    pub(super) receipt_key: Option<ReceiptKey>,
    /// By account.
    pub(super) usage: HashMap<String, KnownUsage>,
    /// Accounts whose usage this transaction has changed, possibly with duplicates.
    pub(super) changed_usage: Vec<String>,
    /// Set when the server starts.
    pub(super) limits: AccountLimits,
}

/// Number of sequences that are reserved at once, so that few transactions have to write the reservation.
/// The unused ones are lost when the server ends.
const SEQUENCES_RESERVED: i64 = 1_000;

/// Maximum number of cached queues, topics, backlogs or message groups each.
const KNOWN: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sequence {
    last: i64,
    /// The last sequence that is reserved in the database.
    reserved: i64,
}

/// The counters of a backlog: the stored ones, if they have been read, and the changes of this
/// transaction.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) stored: Option<Counts>,
    pub(super) change: Counts,
}

impl RowCache {
    /// Writes the buffered changes at the end of a transaction.
    pub fn write_changes(&mut self, driver: &mut dyn Driver) -> Result<(), Error> {
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

    /// Adds the written changes to the cached rows after a commit.
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

    /// Empties the cache after a rollback.
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
    pub(super) row_cache: &'t mut RowCache,
    ids: &'t mut Ids,
    now: i64,
    shown: i64,
    effects: Vec<Effect>,
    wrote: bool,
}

impl<'t> Txn<'t> {
    /// Returns a view of the transaction that is open in `driver`.
    pub fn new(
        driver: &'t mut dyn Driver,
        row_cache: &'t mut RowCache,
        ids: &'t mut Ids,
        now: i64,
    ) -> Self {
        Self { driver, row_cache, ids, now, shown: now, effects: Vec::new(), wrote: false }
    }

    /// Sets the time that the wall clock shows.
    pub(super) fn shown_at(self, shown: i64) -> Self {
        Self { shown, ..self }
    }

    /// Returns the time in Unix milliseconds, the only clock of the rules.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Returns the time that the wall clock shows, in Unix milliseconds, for times that clients see. Deadlines
    /// must not be computed from it.
    pub fn wall_now(&self) -> i64 {
        self.shown
    }

    /// Requires permission by policy for an account to use the queues of another, in this and later
    /// transactions. Requests are checked on arrival; this is for work without a caller.
    pub fn isolate_accounts(&mut self) {
        self.row_cache.isolates_accounts = true;
    }

    /// Returns whether an account needs permission by policy to use the queues of another.
    pub fn isolates_accounts(&self) -> bool {
        self.row_cache.isolates_accounts
    }

    /// Returns a new random ID, the only randomness of the rules.
    pub fn fresh_id(&mut self) -> Uuid {
        self.ids.fresh()
    }

    /// Returns the next sequence, which is greater than all previous ones.
    pub fn next_sequence(&mut self) -> Result<i64, Error> {
        let mut sequence = self.sequence()?;
        sequence.last += 1;
        if sequence.last > sequence.reserved {
            sequence.reserved += SEQUENCES_RESERVED;
            self.run("UPDATE sequence SET last = ?1 WHERE id = 1", params![sequence.reserved])?;
        }
        self.row_cache.sequence = Some(sequence);
        self.wrote = true;
        Ok(sequence.last)
    }

    /// Returns the last sequence that was used.
    pub fn last_sequence(&mut self) -> Result<i64, Error> {
        Ok(self.sequence()?.last)
    }

    fn sequence(&mut self) -> Result<Sequence, Error> {
        if let Some(sequence) = self.row_cache.sequence {
            return Ok(sequence);
        }
        let last = self
            .one("SELECT last FROM sequence WHERE id = 1", &[])?
            .ok_or_else(|| Error::Corrupt("the sequence has no row".into()))?;
        let sequence = Sequence { last, reserved: last };
        self.row_cache.sequence = Some(sequence);
        Ok(sequence)
    }

    /// Adds an effect to carry out after the commit.
    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Returns whether this caller has changed anything.
    pub fn wrote(&self) -> bool {
        self.wrote
    }

    /// Returns the effects to carry out after the commit.
    pub fn into_effects(self) -> Vec<Effect> {
        self.effects
    }

    /// Returns the driver and the row cache.
    pub(super) fn parts(&mut self) -> (&mut dyn Driver, &mut RowCache) {
        (&mut *self.driver, &mut *self.row_cache)
    }

    /// Records that this caller has changed something.
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

    /// Runs a statement and ignores how many rows it changes.
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

    /// Writes the changeable columns of a row. Returns whether the row exists.
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

    /// Returns the number that a statement selects, 0 if it selects no row.
    pub(super) fn number(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
    ) -> Result<i64, Error> {
        Ok(self.one(sql, parameters)?.unwrap_or(0))
    }
}
