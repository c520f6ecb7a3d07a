//! Captured messages: notifications to phones, devices, mailboxes and streams, stored for inspection.

use super::{Error, Txn, Usage};

/// A captured message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedMessage {
    /// Grows with every message.
    pub id: i64,
    /// The phone number, the ARN or the address.
    pub target: String,
    /// The message as it is returned, in JSON.
    pub message: String,
}

fields!(CapturedMessage { id: i64, target: String, message: String });

/// Bytes that a message counts in addition to its target and its text.
const ROW_BYTES: i64 = 128;
/// Messages that are deleted at a time to stay within the limit.
const ROOM_PAGE: i64 = 64;

impl Txn<'_> {
    /// Stores a message for a target. Deletes the oldest messages of the account beyond its limit.
    pub fn capture_message(
        &mut self,
        (account, region): (&str, &str),
        protocol: &str,
        target: &str,
        message: &str,
    ) -> Result<(), Error> {
        let bytes = (target.len() + message.len()) as i64 + ROW_BYTES;
        self.make_room(account, bytes)?;
        self.count_usage(account, Usage { captured: bytes, ..Usage::default() });
        let id = self.next_sequence()?;
        self.run(
            "INSERT INTO captured_messages (id, account, region, protocol, target, message) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![id, account, region, protocol, target, message],
        )
    }

    /// Returns the latest messages of a protocol before an ID, latest first, optionally of one target.
    pub fn captured_messages(
        &mut self,
        (account, region): (&str, &str),
        protocol: &str,
        target: Option<&str>,
        before: i64,
        limit: i64,
    ) -> Result<Vec<CapturedMessage>, Error> {
        match target {
            Some(target) => self.all(
                "SELECT id, target, message FROM captured_messages \
                 WHERE account = ?1 AND region = ?2 AND protocol = ?3 AND target = ?4 AND id < ?5 \
                 ORDER BY id DESC LIMIT ?6",
                params![account, region, protocol, target, before, limit],
            ),
            // Ordered by ID and not by the index of targets.
            None => self.all(
                "SELECT id, target, message FROM captured_messages \
                 WHERE account = ?1 AND id < ?4 AND +region = ?2 AND +protocol = ?3 \
                 ORDER BY id DESC LIMIT ?5",
                params![account, region, protocol, before, limit],
            ),
        }
    }

    /// Deletes the oldest messages of an account until `bytes` more fit, or none is left.
    fn make_room(&mut self, account: &str, bytes: i64) -> Result<(), Error> {
        let most = self.account_limits().captured;
        let mut excess = self.usage(account)?.captured + bytes - most;
        while excess > 0 {
            let oldest: Vec<(i64, i64)> = self.all(
                "SELECT id, octet_length(target) + octet_length(message) + ?3 \
                 FROM captured_messages WHERE account = ?1 ORDER BY id LIMIT ?2",
                params![account, ROOM_PAGE, ROW_BYTES],
            )?;
            if oldest.is_empty() {
                return Ok(());
            }
            for (id, freed) in oldest {
                if excess <= 0 {
                    break;
                }
                self.run("DELETE FROM captured_messages WHERE id = ?1", params![id])?;
                self.count_usage(account, Usage { captured: -freed, ..Usage::default() });
                excess -= freed;
            }
        }
        Ok(())
    }

    /// Subtracts deleted messages from the usage of their accounts.
    pub(super) fn count_forgotten(&mut self, removed: &[(String, i64)]) {
        for (account, bytes) in removed {
            let captured = -(bytes + ROW_BYTES);
            self.count_usage(account, Usage { captured, ..Usage::default() });
        }
    }

    /// Deletes up to `limit` messages of an account and a protocol, optionally of one region and one
    /// target. Returns their number.
    pub fn forget_captured_messages(
        &mut self,
        account: &str,
        region: Option<&str>,
        protocol: &str,
        target: Option<&str>,
        limit: i64,
    ) -> Result<usize, Error> {
        let removed: Vec<_> = self.all(
            "DELETE FROM captured_messages WHERE id IN (SELECT id FROM captured_messages \
             WHERE account = ?1 AND (?2 IS NULL OR region = ?2) AND protocol = ?3 \
             AND (?4 IS NULL OR target = ?4) LIMIT ?5) \
             RETURNING account, octet_length(target) + octet_length(message)",
            params![account, region, protocol, target, limit],
        )?;
        self.note_write();
        self.count_forgotten(&removed);
        Ok(removed.len())
    }
}
