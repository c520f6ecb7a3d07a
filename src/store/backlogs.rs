//! Backlogs: the messages of a queue, and their numbers.

use super::driver::Driver;
use super::txn::Counters;
use super::{Error, Txn};

/// The number of messages in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Ready to be received, including those of a blocked FIFO group.
    pub ready: i64,
    /// In flight.
    pub in_flight: i64,
    /// Delayed.
    pub delayed: i64,
}

fields!(Counts { ready: i64, in_flight: i64, delayed: i64 });

impl Counts {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            ready: self.ready + other.ready,
            in_flight: self.in_flight + other.in_flight,
            delayed: self.delayed + other.delayed,
        }
    }

    pub(super) fn add_to(self, driver: &mut dyn Driver, backlog: i64) -> Result<(), Error> {
        if self == Self::default() {
            return Ok(());
        }
        driver.execute(
            "UPDATE backlogs SET ready = ready + ?2, in_flight = in_flight + ?3, \
             delayed = delayed + ?4 WHERE id = ?1",
            params![backlog, self.ready, self.in_flight, self.delayed],
        )?;
        Ok(())
    }
}

impl Txn<'_> {
    /// Creates an empty backlog and returns its ID.
    pub fn insert_backlog(&mut self) -> Result<i64, Error> {
        let id = self.next_sequence()?;
        self.run("INSERT INTO backlogs (id) VALUES (?1)", params![id])?;
        Ok(id)
    }

    /// Marks a backlog as discarded: it no longer belongs to a queue.
    pub fn discard_backlog(&mut self, backlog: i64) -> Result<(), Error> {
        self.run("UPDATE backlogs SET discarded = 1 WHERE id = ?1", params![backlog])
    }

    /// Returns a discarded backlog that is not yet empty.
    pub fn discarded_backlog(&mut self) -> Result<Option<i64>, Error> {
        self.one("SELECT id FROM backlogs WHERE discarded = 1 ORDER BY id LIMIT 1", &[])
    }

    /// Deletes up to `limit` messages or groups of a backlog, and finally the backlog itself.
    /// Returns whether anything is left.
    pub fn empty_backlog(&mut self, backlog: i64, limit: i64) -> Result<bool, Error> {
        let page = self.all(
            "SELECT sequence, content FROM messages INDEXED BY messages_by_age \
             WHERE backlog = ?1 ORDER BY sequence LIMIT ?2",
            params![backlog, limit],
        )?;
        if !page.is_empty() {
            for (sequence, content) in page {
                self.delete_message_rows(backlog, sequence, content)?;
            }
            return Ok(true);
        }
        self.write_message_groups()?;
        let groups = self.execute(
            "DELETE FROM message_groups WHERE id IN \
             (SELECT id FROM message_groups WHERE backlog = ?1 LIMIT ?2)",
            params![backlog, limit],
        )?;
        if groups > 0 {
            return Ok(true);
        }
        self.run("DELETE FROM backlogs WHERE id = ?1", params![backlog])?;
        Ok(false)
    }

    /// Returns the number of messages of a backlog in each state.
    pub fn counts(&mut self, backlog: i64) -> Result<Counts, Error> {
        if let Some(counters) = self.ledger.counters.get(&backlog)
            && let Some(stored) = counters.stored
        {
            return Ok(stored.plus(counters.change));
        }
        let sql = "SELECT ready, in_flight, delayed FROM backlogs WHERE id = ?1";
        let stored: Counts = self.one(sql, params![backlog])?.unwrap_or_default();
        let counters = self.counters_mut(backlog);
        counters.stored = Some(stored);
        Ok(stored.plus(counters.change))
    }

    /// Changes the numbers that [`Txn::counts`] returns.
    pub fn count(&mut self, backlog: i64, change: Counts) {
        if !self.ledger.changed.contains(&backlog) {
            self.ledger.changed.push(backlog);
        }
        let counters = self.counters_mut(backlog);
        counters.change = counters.change.plus(change);
    }

    fn counters_mut(&mut self, backlog: i64) -> &mut Counters {
        self.ledger.counters.entry(backlog).or_default()
    }
}
