//! What would have left for a phone, a device, a mailbox or a stream, kept to be looked at.

use super::driver::Row;
use super::{Error, Txn};

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

/// Messages kept in all: older ones make room at the next sweep.
const KEPT: i64 = 10_000;

impl Txn<'_> {
    /// Keeps a message for a target.
    pub fn capture_message(
        &mut self,
        (account, region): (&str, &str),
        protocol: &str,
        target: &str,
        message: &str,
    ) -> Result<(), Error> {
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
            // In the order of ids and not of the index, which has them by target.
            None => self.all(
                "SELECT id, target, message FROM captured_messages \
                 WHERE id < ?4 AND +account = ?1 AND +region = ?2 AND +protocol = ?3 \
                 ORDER BY id DESC LIMIT ?5",
                &[account.into(), region.into(), protocol.into(), before.into(), limit.into()],
                read,
            ),
        }
    }

    /// Forgets up to `limit` of the oldest messages when there are too many. Tells how many.
    pub fn forget_old_captured_messages(&mut self, limit: i64) -> Result<usize, Error> {
        self.execute(
            "DELETE FROM captured_messages WHERE id IN (SELECT id FROM captured_messages \
             WHERE id <= (SELECT id FROM captured_messages ORDER BY id DESC LIMIT 1 OFFSET ?1) \
             ORDER BY id LIMIT ?2)",
            &[KEPT.into(), limit.into()],
        )
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
        self.execute(
            "DELETE FROM captured_messages WHERE id IN (SELECT id FROM captured_messages \
             WHERE account = ?1 AND (?2 IS NULL OR region = ?2) AND protocol = ?3 \
             AND (?4 IS NULL OR target = ?4) LIMIT ?5)",
            &[account.into(), region.into(), protocol.into(), target.into(), limit.into()],
        )
    }
}
