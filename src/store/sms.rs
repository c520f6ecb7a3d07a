//! SMS settings of accounts, opted-out phone numbers, and those of the sandbox.

use super::{Error, Txn};
use indexmap::IndexMap;

/// The state of a phone number that was opted out at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptOut {
    /// Whether it is still opted out.
    pub opted_out: bool,
    /// Unix milliseconds of the last opt-in by a call.
    pub opted_in_at: Option<i64>,
}

/// A phone number of the SMS sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxNumber {
    /// The number.
    pub phone_number: String,
    /// The one-time password that verifies it.
    pub one_time_password: String,
    /// Whether it has been verified.
    pub verified: bool,
}

fields!(OptOut { opted_out: bool, opted_in_at: Option<i64> });
fields!(SandboxNumber { phone_number: String, one_time_password: String, verified: bool });

impl Txn<'_> {
    /// Returns the SMS settings of an account in a region, by name.
    pub fn sms_attributes(
        &mut self,
        (account, region): (&str, &str),
    ) -> Result<IndexMap<String, String>, Error> {
        let attributes = self.all(
            "SELECT name, value FROM sms_attributes WHERE account = ?1 AND region = ?2 \
             ORDER BY name",
            params![account, region],
        )?;
        Ok(attributes.into_iter().collect())
    }

    /// Sets an SMS setting; the empty value removes it.
    pub fn set_sms_attribute(
        &mut self,
        (account, region): (&str, &str),
        name: &str,
        value: &str,
    ) -> Result<(), Error> {
        if value.is_empty() {
            return self.run(
                "DELETE FROM sms_attributes WHERE account = ?1 AND region = ?2 AND name = ?3",
                params![account, region, name],
            );
        }
        self.run(
            "INSERT INTO sms_attributes (account, region, name, value) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (account, region, name) DO UPDATE SET value = excluded.value",
            params![account, region, name, value],
        )
    }

    /// Returns the opt-out state of a phone number.
    pub fn sms_opt_out(
        &mut self,
        (account, region): (&str, &str),
        phone_number: &str,
    ) -> Result<Option<OptOut>, Error> {
        self.one(
            "SELECT opted_out, opted_in_at FROM sms_opt_outs \
             WHERE account = ?1 AND region = ?2 AND phone_number = ?3",
            params![account, region, phone_number],
        )
    }

    /// Writes the opt-out state of a phone number.
    pub fn set_sms_opt_out(
        &mut self,
        (account, region): (&str, &str),
        phone_number: &str,
        opt_out: OptOut,
    ) -> Result<(), Error> {
        self.run(
            "INSERT INTO sms_opt_outs (account, region, phone_number, opted_out, opted_in_at) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (account, region, phone_number) \
             DO UPDATE SET opted_out = excluded.opted_out, opted_in_at = excluded.opted_in_at",
            params![account, region, phone_number, opt_out.opted_out, opt_out.opted_in_at],
        )
    }

    /// Returns opted-out phone numbers after one, in order.
    pub fn opted_out_numbers_after(
        &mut self,
        (account, region): (&str, &str),
        after: &str,
        limit: i64,
    ) -> Result<Vec<String>, Error> {
        self.all(
            "SELECT phone_number FROM sms_opt_outs WHERE account = ?1 AND region = ?2 \
             AND phone_number > ?3 AND opted_out = 1 ORDER BY phone_number LIMIT ?4",
            params![account, region, after, limit],
        )
    }

    /// Deletes up to `limit` numbers that were opted in before a time, in Unix milliseconds. Returns their
    /// number.
    pub fn forget_opt_ins(&mut self, before: i64, limit: i64) -> Result<usize, Error> {
        self.execute(
            "DELETE FROM sms_opt_outs WHERE (account, region, phone_number) IN \
             (SELECT account, region, phone_number FROM sms_opt_outs \
             WHERE opted_out = 0 AND opted_in_at < ?1 ORDER BY opted_in_at LIMIT ?2)",
            params![before, limit],
        )
    }

    /// Returns a phone number of the sandbox.
    pub fn sandbox_number(
        &mut self,
        (account, region): (&str, &str),
        phone_number: &str,
    ) -> Result<Option<SandboxNumber>, Error> {
        self.one(
            "SELECT phone_number, one_time_password, verified FROM sms_sandbox_phone_numbers \
             WHERE account = ?1 AND region = ?2 AND phone_number = ?3",
            params![account, region, phone_number],
        )
    }

    /// Returns phone numbers of the sandbox after one, in order.
    pub fn sandbox_numbers_after(
        &mut self,
        (account, region): (&str, &str),
        after: &str,
        limit: i64,
    ) -> Result<Vec<SandboxNumber>, Error> {
        self.all(
            "SELECT phone_number, one_time_password, verified FROM sms_sandbox_phone_numbers \
             WHERE account = ?1 AND region = ?2 AND phone_number > ?3 \
             ORDER BY phone_number LIMIT ?4",
            params![account, region, after, limit],
        )
    }

    /// Writes a phone number of the sandbox.
    pub fn set_sandbox_number(
        &mut self,
        (account, region): (&str, &str),
        number: &SandboxNumber,
    ) -> Result<(), Error> {
        let SandboxNumber { phone_number, one_time_password, verified } = number;
        self.run(
            "INSERT INTO sms_sandbox_phone_numbers \
             (account, region, phone_number, one_time_password, verified) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (account, region, phone_number) DO UPDATE SET \
             one_time_password = excluded.one_time_password, verified = excluded.verified",
            params![account, region, phone_number, one_time_password, *verified],
        )
    }

    /// Removes a phone number of the sandbox.
    pub fn delete_sandbox_number(
        &mut self,
        (account, region): (&str, &str),
        phone_number: &str,
    ) -> Result<(), Error> {
        self.run(
            "DELETE FROM sms_sandbox_phone_numbers \
             WHERE account = ?1 AND region = ?2 AND phone_number = ?3",
            params![account, region, phone_number],
        )
    }
}
