//! Published messages, for as long as a delivery, a fan-out or an archive needs them.

use super::deliveries::{DELIVERY_BYTES, NO_ACCOUNT};
use super::{Error, Txn, Usage};
use crate::domain::notification::Signature;
use crate::domain::sns_message::Published;
use uuid::Uuid;

/// A message of a topic.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Its sequence: grows with every message.
    pub id: i64,
    /// Id of its topic.
    pub topic: i64,
    /// MessageId
    pub message_id: Uuid,
    /// Unix milliseconds.
    pub published_at: i64,
    /// The message as published; on a FIFO topic with its effective deduplication ID.
    pub published: Published,
    /// The X-Ray header of the call.
    pub trace_header: Option<String>,
    /// The base of links in messages.
    pub base_url: String,
    /// Signature of notifications to queues, if there is one.
    pub signature: Option<Signature>,
    /// Whether it is archived.
    pub archived: bool,
}

/// Bytes that a publication counts in addition to its message.
const ROW_BYTES: i64 = 512;

/// The outbox in which a publication counts.
#[derive(Debug, Clone, Copy)]
pub struct Payer<'p> {
    /// Account of the topic.
    pub account: &'p str,
    /// Deliveries that the fan-out may still add.
    pub deliveries: i64,
}

/// Returns the bytes that a message counts in an outbox, once for all its deliveries.
pub fn outbox_bytes(published: &Published) -> i64 {
    published.size() as i64 + ROW_BYTES
}

row! {
    ($ select) Publication in "publications" {
        id,
        topic,
        message_id,
        published_at,
        published: "subject" "message" "structured" "attributes" "message_group" "deduplication_id",
        trace_header,
        base_url,
        signature: "signature" "version" "cert_url",
        archived,
    }
    extra { cursor, account, bytes, reserved }
}

impl Txn<'_> {
    /// Stores a publication. `cursor` is the last subscription that its fan-out has processed, `None` if it
    /// is complete. An archived publication counts in no outbox, because its topic has only queues.
    pub fn insert_publication(
        &mut self,
        publication: &Publication,
        cursor: Option<i64>,
        payer: Payer<'_>,
    ) -> Result<(), Error> {
        let (bytes, reserved) = if publication.archived {
            (0, 0)
        } else {
            let reserved = cursor.map_or(0, |_| payer.deliveries * DELIVERY_BYTES);
            (outbox_bytes(&publication.published), reserved)
        };
        self.count_usage(payer.account, Usage { outbox: bytes + reserved, ..Usage::default() });
        let extra = [cursor.into(), payer.account.into(), bytes.into(), reserved.into()];
        self.insert_with(publication, extra)
    }

    /// Returns the publication of this ID.
    pub fn publication(&mut self, id: i64) -> Result<Option<Publication>, Error> {
        self.one(select!("WHERE id = ?1"), params![id])
    }

    /// Returns the oldest publication with an incomplete fan-out, and its cursor.
    pub fn unfinished_publication(&mut self) -> Result<Option<(Publication, i64)>, Error> {
        self.one(select!("cursor", "WHERE cursor IS NOT NULL ORDER BY id LIMIT 1"), &[])
    }

    /// Records the cursor of a fan-out.
    pub fn set_publication_cursor(&mut self, id: i64, cursor: Option<i64>) -> Result<(), Error> {
        self.run("UPDATE publications SET cursor = ?2 WHERE id = ?1", params![id, cursor])?;
        if cursor.is_some() {
            return Ok(());
        }
        let reserved: Option<(String, i64)> = self.one(
            "SELECT account, reserved FROM publications WHERE id = ?1 AND reserved > 0",
            params![id],
        )?;
        if let Some((account, reserved)) = reserved {
            self.run("UPDATE publications SET reserved = 0 WHERE id = ?1", params![id])?;
            self.count_usage(&account, Usage { outbox: -reserved, ..Usage::default() });
        }
        Ok(())
    }

    /// Removes a publication that is no longer needed.
    pub fn drop_publication_if_done(&mut self, id: i64) -> Result<(), Error> {
        let counted: Option<(String, i64)> = self.one(
            "DELETE FROM publications WHERE id = ?1 AND archived = 0 AND cursor IS NULL \
             AND NOT EXISTS (SELECT 1 FROM deliveries WHERE publication = ?1) \
             RETURNING account, bytes + reserved",
            params![id],
        )?;
        self.note_write();
        if let Some((account, bytes)) = counted.filter(|(account, _)| account != NO_ACCOUNT) {
            self.count_usage(&account, Usage { outbox: -bytes, ..Usage::default() });
        }
        Ok(())
    }

    /// Returns the archived publications of a topic after an ID.
    pub fn archived_publications(
        &mut self,
        topic: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Publication>, Error> {
        self.all(
            select!("WHERE topic = ?1 AND archived = 1 AND id > ?2 ORDER BY id LIMIT ?3"),
            params![topic, after, limit],
        )
    }

    /// Returns the oldest archived publications of a topic: their IDs and times.
    pub fn oldest_archived(&mut self, topic: i64, limit: i64) -> Result<Vec<(i64, i64)>, Error> {
        self.all(
            "SELECT id, published_at FROM publications WHERE topic = ?1 AND archived = 1 \
             ORDER BY id LIMIT ?2",
            params![topic, limit],
        )
    }

    /// Returns the first topic after an ID with archived publications, whether or not it still has an
    /// archive.
    pub fn next_archived_topic(&mut self, after: i64) -> Result<Option<i64>, Error> {
        self.one(
            "SELECT topic FROM publications WHERE archived = 1 AND topic > ?1 ORDER BY topic LIMIT 1",
            params![after],
        )
    }

    /// Removes a publication from the archive.
    pub fn unarchive(&mut self, id: i64) -> Result<(), Error> {
        self.run("UPDATE publications SET archived = 0 WHERE id = ?1", params![id])?;
        self.drop_publication_if_done(id)
    }
}
