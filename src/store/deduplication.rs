//! What a FIFO queue remembers of the deduplication ids it has seen.

use super::{Error, Txn};
use uuid::Uuid;

/// The message that was accepted first under a deduplication id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// MessageId
    pub id: Uuid,
    /// Its sequence.
    pub sequence: i64,
}

impl Txn<'_> {
    /// Remembers a message under a digest until a time, in place of anything out of date. If
    /// another is remembered there that is not, it stays and is told.
    pub fn remember_deduplication(
        &mut self,
        queue: i64,
        digest: &[u8],
        message: &Duplicate,
        expires_at: i64,
    ) -> Result<Option<Duplicate>, Error> {
        let now = self.now();
        let remembered = self.execute(
            "INSERT INTO deduplication (queue, digest, message_id, sequence, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (queue, digest) DO UPDATE SET \
             message_id = excluded.message_id, sequence = excluded.sequence, \
             expires_at = excluded.expires_at WHERE deduplication.expires_at <= ?6",
            &[
                queue.into(),
                digest.into(),
                (&message.id).into(),
                message.sequence.into(),
                expires_at.into(),
                now.into(),
            ],
        )?;
        if remembered > 0 {
            return Ok(None);
        }
        self.one(
            "SELECT message_id, sequence FROM deduplication WHERE queue = ?1 AND digest = ?2",
            &[queue.into(), digest.into()],
            |row| Ok(Duplicate { id: row.uuid(0)?, sequence: row.i64(1)? }),
        )
    }

    /// Forgets up to `limit` records that are out of date. Tells how many.
    pub fn forget_deduplication(&mut self, limit: i64) -> Result<usize, Error> {
        let now = self.now();
        let page = self.all(
            "SELECT queue, digest FROM deduplication WHERE expires_at <= ?1 \
             ORDER BY expires_at LIMIT ?2",
            &[now.into(), limit.into()],
            |row| Ok((row.i64(0)?, row.blob(1)?.unwrap_or_default().to_vec())),
        )?;
        for (queue, digest) in &page {
            self.execute(
                "DELETE FROM deduplication WHERE queue = ?1 AND digest = ?2",
                &[(*queue).into(), digest.as_slice().into()],
            )?;
        }
        Ok(page.len())
    }
}
