//! What would have left for a phone, a device, a mailbox or a stream, kept to be looked at.

use super::driver::Row;
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
        self.execute(
            "INSERT INTO captured_messages (id, account, region, protocol, target, message) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            &[
                id.into(),
                account.into(),
                region.into(),
                protocol.into(),
                target.into(),
                message.into(),
            ],
        )?;
        Ok(())
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
        let read = |row: &dyn Row| {
            Ok(CapturedMessage { id: row.i64(0)?, target: row.string(1)?, message: row.string(2)? })
        };
        match target {
            Some(target) => self.all(
                "SELECT id, target, message FROM captured_messages \
                 WHERE account = ?1 AND region = ?2 AND protocol = ?3 AND target = ?4 AND id < ?5 \
                 ORDER BY id DESC LIMIT ?6",
                &[
                    account.into(),
                    region.into(),
                    protocol.into(),
                    target.into(),
                    before.into(),
                    limit.into(),
                ],
                read,
            ),
            // In the order of ids and not of the index by target.
            None => self.all(
                "SELECT id, target, message FROM captured_messages \
                 WHERE account = ?1 AND id < ?4 AND +region = ?2 AND +protocol = ?3 \
                 ORDER BY id DESC LIMIT ?5",
                &[account.into(), region.into(), protocol.into(), before.into(), limit.into()],
                read,
            ),
        }
    }

    /// Forgets the oldest messages of an account until so many bytes fit, or none is left.
    fn make_room(&mut self, account: &str, bytes: i64) -> Result<(), Error> {
        let most = self.account_limits().captured;
        let mut excess = self.usage(account)?.captured + bytes - most;
        while excess > 0 {
            let oldest = self.all(
                "SELECT id, octet_length(target) + octet_length(message) FROM captured_messages \
                 WHERE account = ?1 ORDER BY id LIMIT ?2",
                &[account.into(), ROOM_PAGE.into()],
                |row| Ok((row.i64(0)?, row.i64(1)? + ROW_BYTES)),
            )?;
            if oldest.is_empty() {
                return Ok(());
            }
            for (id, freed) in oldest {
                if excess <= 0 {
                    break;
                }
                self.execute("DELETE FROM captured_messages WHERE id = ?1", &[id.into()])?;
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
        let removed = self.all(
            "DELETE FROM captured_messages WHERE id IN (SELECT id FROM captured_messages \
             WHERE account = ?1 AND (?2 IS NULL OR region = ?2) AND protocol = ?3 \
             AND (?4 IS NULL OR target = ?4) LIMIT ?5) \
             RETURNING account, octet_length(target) + octet_length(message)",
            &[account.into(), region.into(), protocol.into(), target.into(), limit.into()],
            |row| Ok((row.string(0)?, row.i64(1)?)),
        )?;
        self.note_write();
        self.count_forgotten(&removed);
        Ok(removed.len())
    }
}
