//! The deduplication IDs that FIFO queues and topics have seen.

use super::{Error, Txn};
use uuid::Uuid;

/// The first message accepted with a deduplication ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// MessageId
    pub id: Uuid,
    /// Its sequence number.
    pub sequence: i64,
}

/// The key of a record, by which records are ordered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeduplicationKey {
    /// The backlog of a queue, or a topic. A purge gives the queue a new backlog, and so forgets its
    /// records.
    pub owner: i64,
    /// A digest of the scope and the deduplication ID.
    pub digest: Vec<u8>,
}

fields!(Duplicate { id: Uuid, sequence: i64 });
fields!(DeduplicationKey { owner: i64, digest: Vec<u8> });

impl Txn<'_> {
    /// Records a message under a digest until a time, replacing an expired record. If there is a valid
    /// record of another message, that one stays and is returned. `owner` is the backlog of a queue, or a
    /// topic.
    pub fn remember_deduplication(
        &mut self,
        owner: i64,
        digest: &[u8],
        message: &Duplicate,
        expires_at: i64,
    ) -> Result<Option<Duplicate>, Error> {
        let remembered = self.execute(
            "INSERT INTO deduplication (owner, digest, message_id, sequence, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (owner, digest) DO UPDATE SET \
             message_id = excluded.message_id, sequence = excluded.sequence, \
             expires_at = excluded.expires_at WHERE deduplication.expires_at <= ?6",
            params![owner, digest, &message.id, message.sequence, expires_at, self.now()],
        )?;
        if remembered > 0 {
            return Ok(None);
        }
        self.one(
            "SELECT message_id, sequence FROM deduplication WHERE owner = ?1 AND digest = ?2",
            params![owner, digest],
        )
    }

    /// Checks up to `limit` records after a key, and deletes the expired ones. Returns the cursor of the next
    /// page.
    pub fn forget_deduplication(
        &mut self,
        after: &DeduplicationKey,
        limit: i64,
    ) -> Result<Option<DeduplicationKey>, Error> {
        let mut page: Vec<(DeduplicationKey, bool)> = self.all(
            "SELECT owner, digest, expires_at <= ?3 FROM deduplication \
             WHERE (owner, digest) > (?1, ?2) ORDER BY owner, digest LIMIT ?4",
            params![after.owner, after.digest.as_slice(), self.now(), limit],
        )?;
        for (key, is_expired) in &page {
            if *is_expired {
                self.run(
                    "DELETE FROM deduplication WHERE owner = ?1 AND digest = ?2",
                    params![key.owner, key.digest.as_slice()],
                )?;
            }
        }
        let is_full = page.len() as i64 == limit;
        Ok(page.pop().map(|(key, _)| key).filter(|_| is_full))
    }
}
