//! One caller's view of a transaction: rows, the time, fresh ids, and effects to carry out once
//! it has been committed.

use super::driver::{Driver, EachRow, Row, Value};
use super::{Counts, Error, Queue};
use crate::domain::address::QueueAddress;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// Something to do after the commit. Effects are data: nothing happens if the commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// There is background work: a discarded backlog, a move task.
    Work,
}

/// What many callers within one transaction read or change alike: two hundred sends to one queue
/// read its row once, and update its counters once, at the end. It lives no longer than the
/// transaction, so it cannot disagree with the database.
#[derive(Debug, Default)]
pub struct Ledger {
    last_sequence: Option<i64>,
    sequences_given: bool,
    pub(super) counters: Vec<Counters>,
    pub(super) queues: HashMap<QueueAddress, Arc<Queue>>,
}

/// The counters of a backlog: as they are stored, if that has been read, and what has changed.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) backlog: i64,
    pub(super) stored: Option<Counts>,
    pub(super) change: Counts,
}

/// A transaction as one caller sees it.
pub struct Txn<'t> {
    driver: &'t mut dyn Driver,
    pub(super) ledger: &'t mut Ledger,
    ids: &'t mut fastrand::Rng,
    now: i64,
    effects: Vec<Effect>,
    wrote: bool,
}

impl<'t> Txn<'t> {
    /// A view of the transaction that `driver` has open.
    pub fn new(
        driver: &'t mut dyn Driver,
        ledger: &'t mut Ledger,
        ids: &'t mut fastrand::Rng,
        now: i64,
    ) -> Self {
        Self { driver, ledger, ids, now, effects: Vec::new(), wrote: false }
    }

    /// The time, in Unix milliseconds: the only clock of the rules.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// A fresh random id: the only randomness of the rules.
    pub fn fresh_id(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.ids.u128(..).to_be_bytes()).into_uuid()
    }

    /// The next sequence: greater than every one before it, in this transaction or another.
    pub fn next_sequence(&mut self) -> Result<i64, Error> {
        let next = self.last_sequence()? + 1;
        self.ledger.last_sequence = Some(next);
        self.ledger.sequences_given = true;
        self.wrote = true;
        Ok(next)
    }

    /// The last sequence that was given out.
    pub fn last_sequence(&mut self) -> Result<i64, Error> {
        if let Some(last) = self.ledger.last_sequence {
            return Ok(last);
        }
        let last = self
            .one("SELECT last FROM sequence WHERE id = 1", &[], |row| row.i64(0))?
            .ok_or_else(|| Error::Corrupt("the sequence has no row".into()))?;
        self.ledger.last_sequence = Some(last);
        Ok(last)
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

    /// Writes the ledger down, at the end of the transaction.
    pub fn settle_ledger(driver: &mut dyn Driver, ledger: &mut Ledger) -> Result<(), Error> {
        if ledger.sequences_given
            && let Some(last) = ledger.last_sequence
        {
            driver.execute("UPDATE sequence SET last = ?1 WHERE id = 1", &[last.into()])?;
        }
        for counters in &ledger.counters {
            counters.change.add_to(driver, counters.backlog)?;
        }
        Ok(())
    }

    pub(super) fn execute(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
    ) -> Result<usize, Error> {
        self.wrote = true;
        self.driver.execute(sql, parameters)
    }

    pub(super) fn query(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
        each: EachRow<'_>,
    ) -> Result<(), Error> {
        self.driver.query(sql, parameters, each)
    }

    pub(super) fn one<T>(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
        read: impl Fn(&dyn Row) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut found = None;
        self.driver.query(sql, parameters, &mut |row| {
            found = Some(read(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    pub(super) fn all<T>(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
        read: impl Fn(&dyn Row) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut found = Vec::new();
        self.driver.query(sql, parameters, &mut |row| {
            found.push(read(row)?);
            Ok(())
        })?;
        Ok(found)
    }
}
