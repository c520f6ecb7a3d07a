//! What would have left for a phone, a device, a mailbox or a stream, kept to be looked at.

use super::{Error, Txn, Usage};

/// A message that somebody would have received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedMessage {
    /// Grows with every message.
    pub id: i64,
    /// The phone number, the ARN or the address.
    pub target: String,
    /// What is told of it, as JSON.
    pub message: String,
}

fields!(CapturedMessage { id: i64, target: String, message: String });

/// Bytes that a message counts with beside its target and its text.
const ROW_BYTES: i64 = 128;
/// Messages that are removed at a time to make room.
const ROOM_PAGE: i64 = 64;

impl Txn<'_> {
    /// Keeps a message for a target. The oldest messages of the account make room for it.
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

    /// The latest messages of a protocol before an id, the latest first; those of one target if it
    /// is given.
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
            // In the order of ids and not of the index by target.
            None => self.all(
                "SELECT id, target, message FROM captured_messages \
                 WHERE account = ?1 AND id < ?4 AND +region = ?2 AND +protocol = ?3 \
                 ORDER BY id DESC LIMIT ?5",
                params![account, region, protocol, before, limit],
            ),
        }
    }

    /// Forgets the oldest messages of an account until so many bytes fit, or none is left.
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

    /// Counts messages that were removed: their accounts, and the bytes of their targets and texts.
    pub(super) fn count_forgotten(&mut self, removed: &[(String, i64)]) {
        for (account, bytes) in removed {
            let captured = -(bytes + ROW_BYTES);
            self.count_usage(account, Usage { captured, ..Usage::default() });
        }
    }

    /// Forgets up to `limit` messages of an account for a protocol, those of one region and of one
    /// target if they are given. Tells how many.
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
