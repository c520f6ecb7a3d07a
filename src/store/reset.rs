//! Forgetting what tests have left: everything of a service, in pages.

use super::{Error, Txn};

impl Txn<'_> {
    /// Forgets which names were deleted a moment ago, and all move tasks. Both are few: they end by
    /// themselves within a minute, or with the sweep.
    pub fn forget_queue_history(&mut self) -> Result<(), Error> {
        self.execute("DELETE FROM deleted_queues", &[])?;
        self.execute("DELETE FROM move_tasks", &[])?;
        Ok(())
    }

    /// Ids of topics up to `until`, of all accounts, in their order.
    pub fn topic_ids(&mut self, until: i64, limit: i64) -> Result<Vec<i64>, Error> {
        self.all(
            "SELECT id FROM topics WHERE id <= ?1 ORDER BY id LIMIT ?2",
            &[until.into(), limit.into()],
            |row| row.i64(0),
        )
    }

    /// Ids of platform applications up to `until`, of all accounts, in their order.
    pub fn platform_application_ids(&mut self, until: i64, limit: i64) -> Result<Vec<i64>, Error> {
        self.all(
            "SELECT id FROM platform_applications WHERE id <= ?1 ORDER BY id LIMIT ?2",
            &[until.into(), limit.into()],
            |row| row.i64(0),
        )
    }

    /// Removes a page of what was captured, and tells whether there was any.
    pub fn forget_captured(&mut self, limit: i64) -> Result<bool, Error> {
        let removed = self.all(
            "DELETE FROM captured_messages WHERE id IN \
             (SELECT id FROM captured_messages ORDER BY id LIMIT ?1) \
             RETURNING account, octet_length(target) + octet_length(message)",
            &[limit.into()],
            |row| Ok((row.string(0)?, row.i64(1)?)),
        )?;
        self.note_write();
        self.count_forgotten(&removed);
        Ok(!removed.is_empty())
    }

    /// Forgets what accounts have set for SMS.
    pub fn forget_sms(&mut self) -> Result<(), Error> {
        self.execute("DELETE FROM sms_attributes", &[])?;
        self.execute("DELETE FROM sms_opt_outs", &[])?;
        self.execute("DELETE FROM sms_sandbox_phone_numbers", &[])?;
        Ok(())
    }
}
