//! Queues, their attributes and tags.

use super::{Error, Txn};
use crate::domain::address::QueueAddress;
use crate::domain::queue_attributes::{DeduplicationScope, QueueAttributes};
use std::sync::Arc;

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// ID, never reused for another queue.
    pub id: i64,
    /// Account, region and name.
    pub address: QueueAddress,
    /// The backlog with its messages; a purge replaces it.
    pub backlog: i64,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Unix milliseconds of the last change of attributes.
    pub modified_at: i64,
    /// Unix milliseconds of the last purge.
    pub purged_at: Option<i64>,
    /// Settable attributes.
    pub attributes: QueueAttributes,
    /// DeduplicationScope at creation, which applies whatever the attribute says now.
    pub deduplication_scope: DeduplicationScope,
    /// The queues to which sent messages also go, or go instead.
    pub forwards: Forwards,
}

/// The names of the queues to which a queue forwards, in its account and region. Not a feature of AWS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forwards {
    /// Gets a copy of each message.
    pub copy_to: Option<String>,
    /// Gets each message instead.
    pub move_to: Option<String>,
}

row! {
    ($ select) Queue in "queues" {
        id,
        address: "account" "region" "name",
        created_at,
        deduplication_scope: "created_deduplication_scope",
    }
    changing {
        backlog,
        modified_at,
        purged_at,
        attributes: "fifo" "visibility_timeout" "delay_seconds" "maximum_message_size"
            "message_retention_period" "receive_wait_seconds" "content_based_deduplication"
            "deduplication_scope" "fifo_throughput_limit" "sqs_managed_sse" "kms_master_key_id"
            "kms_reuse_period_seconds" "policy" "redrive_policy" "dead_letter_target_arn"
            "max_receive_count" "redrive_allow_policy",
        forwards: "copy_to" "move_to",
    }
}

fields!(Forwards { copy_to: Option<String>, move_to: Option<String> });

impl Txn<'_> {
    /// Returns the queue of this name.
    pub fn queue(&mut self, address: &QueueAddress) -> Result<Option<Arc<Queue>>, Error> {
        if let Some(known) = self.ledger.queues.get(address) {
            return Ok(Some(Arc::clone(known)));
        }
        let found = self.one(
            select!("WHERE account = ?1 AND region = ?2 AND name = ?3"),
            params![&address.account, &address.region, &address.name],
        )?;
        Ok(found.map(|queue| {
            let queue = Arc::new(queue);
            self.ledger.queues.insert(address.clone(), Arc::clone(&queue));
            queue
        }))
    }

    /// Returns the queue of this ID.
    pub fn queue_by_id(&mut self, id: i64) -> Result<Option<Queue>, Error> {
        self.one(select!("WHERE id = ?1"), params![id])
    }

    /// Adds a queue.
    pub fn insert_queue(&mut self, queue: &Queue) -> Result<(), Error> {
        self.insert(queue)
    }

    /// Writes what can change of a queue: attributes, times, backlog.
    pub fn update_queue(&mut self, queue: &Queue) -> Result<(), Error> {
        self.ledger.queues.remove(&queue.address);
        self.update(queue).map(drop)
    }

    /// Removes a queue and its tags, but not its backlog.
    pub fn delete_queue_row(&mut self, queue: &Queue) -> Result<(), Error> {
        self.ledger.queues.remove(&queue.address);
        self.run("DELETE FROM queue_tags WHERE queue = ?1", params![queue.id])?;
        self.run("DELETE FROM queues WHERE id = ?1", params![queue.id])
    }

    /// Returns the names of queues in an account and region that start with `prefix` and sort after `after`.
    pub fn queue_names(
        &mut self,
        account: &str,
        region: &str,
        prefix: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<String>, Error> {
        // A name is ASCII, so every name with the prefix sorts before the prefix and U+10FFFF.
        let end = format!("{prefix}\u{10FFFF}");
        self.all(
            "SELECT name FROM queues WHERE account = ?1 AND region = ?2 AND name >= ?3 \
             AND name < ?4 AND name > ?5 ORDER BY name LIMIT ?6",
            params![account, region, prefix, &end, after, limit],
        )
    }

    /// Returns the queues after a name whose redrive policy names this target, ordered by name.
    pub fn dead_letter_sources(
        &mut self,
        target_arn: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<QueueAddress>, Error> {
        self.all(
            "SELECT account, region, name FROM queues \
             WHERE dead_letter_target_arn = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
            params![target_arn, after, limit],
        )
    }

    /// Returns the queues of all accounts after an ID, ordered by ID.
    pub fn queues_after(&mut self, after: i64, limit: i64) -> Result<Vec<Queue>, Error> {
        self.all(select!("WHERE id > ?1 ORDER BY id LIMIT ?2"), params![after, limit])
    }

    /// Returns the queues up to an ID, of one account or of all.
    pub fn queues_to_reset(
        &mut self,
        account: Option<&str>,
        until: i64,
        limit: i64,
    ) -> Result<Vec<Queue>, Error> {
        match account {
            None => self.all(select!("WHERE id <= ?1 ORDER BY id LIMIT ?2"), params![until, limit]),
            Some(account) => self.all(
                select!("WHERE account = ?3 AND id <= ?1 LIMIT ?2"),
                params![until, limit, account],
            ),
        }
    }

    /// Sets a tag.
    pub fn set_tag(&mut self, queue: i64, key: &str, value: &str) -> Result<(), Error> {
        self.run(
            "INSERT INTO queue_tags (queue, key, value) VALUES (?1, ?2, ?3) \
             ON CONFLICT (queue, key) DO UPDATE SET value = excluded.value",
            params![queue, key, value],
        )
    }

    /// Removes a tag.
    pub fn delete_tag(&mut self, queue: i64, key: &str) -> Result<(), Error> {
        self.run("DELETE FROM queue_tags WHERE queue = ?1 AND key = ?2", params![queue, key])
    }

    /// Returns all tags of a queue, ordered by key.
    pub fn tags(&mut self, queue: i64) -> Result<Vec<(String, String)>, Error> {
        self.all("SELECT key, value FROM queue_tags WHERE queue = ?1 ORDER BY key", params![queue])
    }

    /// Records when the queue of a name was deleted.
    pub fn remember_deleted_queue(&mut self, address: &QueueAddress) -> Result<(), Error> {
        self.run(
            "INSERT INTO deleted_queues (account, region, name, deleted_at) \
             VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (account, region, name) DO UPDATE SET deleted_at = excluded.deleted_at",
            params![&address.account, &address.region, &address.name, self.now()],
        )
    }

    /// Returns when the queue of a name was deleted, in Unix milliseconds, if that is recorded.
    pub fn queue_deleted_at(&mut self, address: &QueueAddress) -> Result<Option<i64>, Error> {
        self.one(
            "SELECT deleted_at FROM deleted_queues \
             WHERE account = ?1 AND region = ?2 AND name = ?3",
            params![&address.account, &address.region, &address.name],
        )
    }

    /// Forgets up to `limit` deletions before a time. Returns their number.
    pub fn forget_deleted_queues(&mut self, before: i64, limit: i64) -> Result<usize, Error> {
        self.execute(
            "DELETE FROM deleted_queues WHERE (account, region, name) IN \
             (SELECT account, region, name FROM deleted_queues WHERE deleted_at < ?1 LIMIT ?2)",
            params![before, limit],
        )
    }
}
