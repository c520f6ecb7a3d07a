//! How many bytes each account has in the outbox and among captured messages, and how many it may have.

use super::driver::Driver;
use super::{Error, Txn};

/// How many bytes one account may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountLimits {
    /// Of captured messages; beyond it the oldest are forgotten.
    pub captured: i64,
    /// Of the outbox; beyond it nothing more is put into it.
    pub outbox: i64,
}

impl Default for AccountLimits {
    fn default() -> Self {
        Self { captured: 64 * 1024 * 1024, outbox: 1024 * 1024 * 1024 }
    }
}

/// How many bytes an account has.
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

/// The usage of an account: as it is stored, if that has been read, and what the transaction has
/// changed.
#[derive(Debug, Default)]
pub(super) struct KnownUsage {
    pub(super) stored: Option<Usage>,
    pub(super) change: Usage,
}

impl Txn<'_> {
    /// Sets how many bytes each account may have, from now on and until the store is closed.
    pub fn limit_accounts(&mut self, limits: AccountLimits) {
        self.ledger.limits = limits;
    }

    /// Returns how many bytes each account may have.
    pub fn account_limits(&self) -> AccountLimits {
        self.ledger.limits
    }

    /// Returns how many bytes an account has.
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

    /// Counts bytes, which are negative where something is removed.
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
