//! Reset: removes everything of a service, in pages, of one account or of all.
//!
//! Each statement exists twice, so that each is served by an index: the one for an account uses indexes
//! that start with the account.

use super::driver::{Row, Value};
use super::{Error, Txn};

impl Txn<'_> {
    /// Forgets recently deleted names and all move tasks. Both are few: they expire within a minute, or are
    /// swept.
    pub fn forget_queue_history(&mut self, account: Option<&str>) -> Result<(), Error> {
        let Some(account) = account else {
            self.execute("DELETE FROM deleted_queues", &[])?;
            self.execute("DELETE FROM move_tasks", &[])?;
            return Ok(());
        };
        self.execute("DELETE FROM deleted_queues WHERE account = ?1", &[account.into()])?;
        let arns = format!("arn:*:sqs:*:{account}:*");
        self.execute("DELETE FROM move_tasks WHERE source_arn GLOB ?1", &[(&arns).into()])?;
        Ok(())
    }

    /// Returns the IDs of topics up to `until`.
    pub fn topic_ids(
        &mut self,
        account: Option<&str>,
        until: i64,
        limit: i64,
    ) -> Result<Vec<i64>, Error> {
        self.ids(
            account,
            "SELECT id FROM topics WHERE account = ?3 AND id <= ?1 LIMIT ?2",
            "SELECT id FROM topics WHERE id <= ?1 ORDER BY id LIMIT ?2",
            &[until.into(), limit.into()],
        )
    }

    /// Returns the IDs of platform applications up to `until`.
    pub fn platform_application_ids(
        &mut self,
        account: Option<&str>,
        until: i64,
        limit: i64,
    ) -> Result<Vec<i64>, Error> {
        self.ids(
            account,
            "SELECT id FROM platform_applications WHERE account = ?3 AND id <= ?1 LIMIT ?2",
            "SELECT id FROM platform_applications WHERE id <= ?1 ORDER BY id LIMIT ?2",
            &[until.into(), limit.into()],
        )
    }

    /// Returns the result of one of two statements: the first one for an account, its last parameter.
    fn ids(
        &mut self,
        account: Option<&str>,
        of_account: &'static str,
        of_all: &'static str,
        parameters: &[Value<'_>],
    ) -> Result<Vec<i64>, Error> {
        match account {
            None => self.all(of_all, parameters, |row| row.i64(0)),
            Some(account) => {
                let parameters = [parameters, &[account.into()]].concat();
                self.all(of_account, &parameters, |row| row.i64(0))
            }
        }
    }

    /// Removes a page of captured messages. Returns whether there were any.
    pub fn forget_captured(&mut self, account: Option<&str>, limit: i64) -> Result<bool, Error> {
        let removed = |row: &dyn Row| Ok((row.string(0)?, row.i64(1)?));
        let removed = match account {
            None => self.all(
                "DELETE FROM captured_messages WHERE id IN \
                 (SELECT id FROM captured_messages ORDER BY id LIMIT ?1) \
                 RETURNING account, octet_length(target) + octet_length(message)",
                &[limit.into()],
                removed,
            ),
            Some(account) => self.all(
                "DELETE FROM captured_messages WHERE id IN \
                 (SELECT id FROM captured_messages WHERE account = ?2 LIMIT ?1) \
                 RETURNING account, octet_length(target) + octet_length(message)",
                &[limit.into(), account.into()],
                removed,
            ),
        }?;
        self.note_write();
        self.count_forgotten(&removed);
        Ok(!removed.is_empty())
    }

    /// Removes the SMS settings.
    pub fn forget_sms(&mut self, account: Option<&str>) -> Result<(), Error> {
        let Some(account) = account else {
            self.execute("DELETE FROM sms_attributes", &[])?;
            self.execute("DELETE FROM sms_opt_outs", &[])?;
            self.execute("DELETE FROM sms_sandbox_phone_numbers", &[])?;
            return Ok(());
        };
        for statement in [
            "DELETE FROM sms_attributes WHERE account = ?1",
            "DELETE FROM sms_opt_outs WHERE account = ?1",
            "DELETE FROM sms_sandbox_phone_numbers WHERE account = ?1",
        ] {
            self.execute(statement, &[account.into()])?;
        }
        Ok(())
    }
}
