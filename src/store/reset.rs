//! Reset: removes everything of a service, in pages, of one account or of all.
//!
//! Each statement exists twice, so that each is served by an index: the one for an account uses indexes
//! that start with the account.

use super::driver::Value;
use super::{Error, Txn};

impl Txn<'_> {
    /// Forgets recently deleted names and all move tasks. Both are few: they expire within a minute, or are
    /// swept.
    pub fn forget_queue_history(&mut self, account: Option<&str>) -> Result<(), Error> {
        let Some(account) = account else {
            self.run("DELETE FROM deleted_queues", &[])?;
            return self.run("DELETE FROM move_tasks", &[]);
        };
        self.run("DELETE FROM deleted_queues WHERE account = ?1", params![account])?;
        let arns = format!("arn:*:sqs:*:{account}:*");
        self.run("DELETE FROM move_tasks WHERE source_arn GLOB ?1", params![&arns])
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
            params![until, limit],
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
            params![until, limit],
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
            None => self.all(of_all, parameters),
            Some(account) => {
                let parameters = [parameters, &[account.into()]].concat();
                self.all(of_account, &parameters)
            }
        }
    }

    /// Removes a page of captured messages. Returns whether there were any.
    pub fn forget_captured(&mut self, account: Option<&str>, limit: i64) -> Result<bool, Error> {
        let removed: Vec<_> = match account {
            None => self.all(
                "DELETE FROM captured_messages WHERE id IN \
                 (SELECT id FROM captured_messages ORDER BY id LIMIT ?1) \
                 RETURNING account, octet_length(target) + octet_length(message)",
                params![limit],
            ),
            Some(account) => self.all(
                "DELETE FROM captured_messages WHERE id IN \
                 (SELECT id FROM captured_messages WHERE account = ?2 LIMIT ?1) \
                 RETURNING account, octet_length(target) + octet_length(message)",
                params![limit, account],
            ),
        }?;
        self.note_write();
        self.count_forgotten(&removed);
        Ok(!removed.is_empty())
    }

    /// Removes the SMS settings.
    pub fn forget_sms(&mut self, account: Option<&str>) -> Result<(), Error> {
        let Some(account) = account else {
            self.run("DELETE FROM sms_attributes", &[])?;
            self.run("DELETE FROM sms_opt_outs", &[])?;
            return self.run("DELETE FROM sms_sandbox_phone_numbers", &[]);
        };
        self.run("DELETE FROM sms_attributes WHERE account = ?1", params![account])?;
        self.run("DELETE FROM sms_opt_outs WHERE account = ?1", params![account])?;
        self.run("DELETE FROM sms_sandbox_phone_numbers WHERE account = ?1", params![account])
    }
}
