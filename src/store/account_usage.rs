//! The bytes of each account in the outbox and among captured messages, and their limits.

use super::driver::Driver;
use super::{Error, Txn};

/// The limits of one account, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountLimits {
    /// Of captured messages; beyond it the oldest are deleted.
    pub captured: i64,
    /// Of the outbox; beyond it new deliveries are rejected.
    pub outbox: i64,
}

impl Default for AccountLimits {
    fn default() -> Self {
        Self { captured: 64 * 1024 * 1024, outbox: 1024 * 1024 * 1024 }
    }
}

/// The usage of one account, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Of captured messages.
    pub captured: i64,
    /// Of the outbox.
    pub outbox: i64,
}

fields!(Usage { captured: i64, outbox: i64 });

impl Usage {
    pub(super) fn plus(self, other: Self) -> Self {
        Self { captured: self.captured + other.captured, outbox: self.outbox + other.outbox }
    }

    pub(super) fn add_to(self, driver: &mut dyn Driver, account: &str) -> Result<(), Error> {
        if self == Self::default() {
            return Ok(());
        }
        driver.execute(
            "INSERT INTO account_usage (account, captured, outbox) VALUES (?1, ?2, ?3) \
             ON CONFLICT (account) DO UPDATE SET captured = captured + excluded.captured, \
             outbox = outbox + excluded.outbox",
            params![account, self.captured, self.outbox],
        )?;
        Ok(())
    }
}

/// The usage of an account: the stored value, if it has been read, and the changes of the transaction.
#[derive(Debug, Default)]
pub(super) struct KnownUsage {
    pub(super) stored: Option<Usage>,
    pub(super) change: Usage,
}

impl Txn<'_> {
    /// Sets the limits of each account, until the store is closed.
    pub fn limit_accounts(&mut self, limits: AccountLimits) {
        self.ledger.limits = limits;
    }

    /// Returns the limits of each account.
    pub fn account_limits(&self) -> AccountLimits {
        self.ledger.limits
    }

    /// Returns the usage of an account.
    pub fn usage(&mut self, account: &str) -> Result<Usage, Error> {
        if let Some(known) = self.ledger.usage.get(account)
            && let Some(stored) = known.stored
        {
            return Ok(stored.plus(known.change));
        }
        let sql = "SELECT captured, outbox FROM account_usage WHERE account = ?1";
        let stored: Usage = self.one(sql, params![account])?.unwrap_or_default();
        let known = self.ledger.usage.entry(account.to_owned()).or_default();
        known.stored = Some(stored);
        Ok(stored.plus(known.change))
    }

    /// Adds bytes to the usage, negative for removed ones.
    pub(super) fn count_usage(&mut self, account: &str, change: Usage) {
        let (_, ledger) = self.parts();
        if let Some(known) = ledger.usage.get_mut(account) {
            if known.change == Usage::default() {
                ledger.changed_usage.push(account.to_owned());
            }
            known.change = known.change.plus(change);
            return;
        }
        ledger.changed_usage.push(account.to_owned());
        ledger.usage.insert(account.to_owned(), KnownUsage { stored: None, change });
    }
}
