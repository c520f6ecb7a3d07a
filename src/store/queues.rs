//! Queues, their attributes and tags.

use super::driver::{Row, Value};
use super::{Error, Txn};
use crate::domain::address::QueueAddress;
use crate::domain::policy::Policy;
use crate::domain::queue_attributes::{DeduplicationScope, FifoThroughputLimit, QueueAttributes};
use crate::domain::redrive::{RedriveAllowPolicy, RedrivePolicy};
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

macro_rules! columns {
    () => {
        "id, account, region, name, backlog, created_at, modified_at, purged_at, fifo, \
         visibility_timeout, delay_seconds, maximum_message_size, message_retention_period, \
         receive_wait_seconds, content_based_deduplication, deduplication_scope, \
         fifo_throughput_limit, sqs_managed_sse, kms_master_key_id, kms_reuse_period_seconds, \
         policy, redrive_policy, dead_letter_target_arn, max_receive_count, redrive_allow_policy, \
         copy_to, move_to, created_deduplication_scope"
    };
}

fn read(row: &dyn Row) -> Result<Queue, Error> {
    let redrive_policy = match row.optional_string(21)? {
        None => None,
        Some(text) => Some(RedrivePolicy {
            text,
            dead_letter_target_arn: row.string(22)?,
            max_receive_count: row.u32(23)?,
        }),
    };
    let redrive_allow_policy = match row.text(24)? {
        None => None,
        Some(text) => Some(
            RedriveAllowPolicy::parse(text).map_err(|error| Error::Corrupt(error.to_string()))?,
        ),
    };
    Ok(Queue {
        id: row.i64(0)?,
        address: QueueAddress {
            account: row.string(1)?,
            region: row.string(2)?,
            name: row.string(3)?,
        },
        backlog: row.i64(4)?,
        created_at: row.i64(5)?,
        modified_at: row.i64(6)?,
        purged_at: row.int(7)?,
        attributes: QueueAttributes {
            fifo: row.i64(8)? != 0,
            visibility_timeout: row.u32(9)?,
            delay_seconds: row.u32(10)?,
            maximum_message_size: row.u32(11)?,
            message_retention_period: row.u32(12)?,
            receive_message_wait_time_seconds: row.u32(13)?,
            content_based_deduplication: row.i64(14)? != 0,
            deduplication_scope: scope(row.i64(15)?),
            fifo_throughput_limit: match row.i64(16)? {
                0 => FifoThroughputLimit::PerQueue,
                _ => FifoThroughputLimit::PerMessageGroupId,
            },
            sqs_managed_sse_enabled: row.i64(17)? != 0,
            kms_master_key_id: row.optional_string(18)?,
            kms_data_key_reuse_period_seconds: match row.int(19)? {
                None => None,
                Some(_) => Some(row.u32(19)?),
            },
            policy: row.optional_string(20)?.map(|text| Arc::new(Policy::read(text))),
            redrive_policy,
            redrive_allow_policy,
        },
        deduplication_scope: scope(row.i64(27)?),
        forwards: Forwards { copy_to: row.optional_string(25)?, move_to: row.optional_string(26)? },
    })
}

const fn scope(number: i64) -> DeduplicationScope {
    match number {
        0 => DeduplicationScope::Queue,
        _ => DeduplicationScope::MessageGroup,
    }
}

/// The values of the columns that can change, in the order of the table.
fn settable(queue: &Queue) -> [Value<'_>; 18] {
    let attributes = &queue.attributes;
    let redrive = attributes.redrive_policy.as_ref();
    [
        attributes.visibility_timeout.into(),
        attributes.delay_seconds.into(),
        attributes.maximum_message_size.into(),
        attributes.message_retention_period.into(),
        attributes.receive_message_wait_time_seconds.into(),
        attributes.content_based_deduplication.into(),
        (attributes.deduplication_scope == DeduplicationScope::MessageGroup).into(),
        (attributes.fifo_throughput_limit == FifoThroughputLimit::PerMessageGroupId).into(),
        attributes.sqs_managed_sse_enabled.into(),
        attributes.kms_master_key_id.as_ref().into(),
        attributes.kms_data_key_reuse_period_seconds.into(),
        attributes.policy.as_ref().map(|policy| policy.text()).into(),
        redrive.map(|policy| &policy.text).into(),
        redrive.map(|policy| &policy.dead_letter_target_arn).into(),
        redrive.map(|policy| policy.max_receive_count).into(),
        attributes.redrive_allow_policy.as_ref().map(|policy| &policy.text).into(),
        queue.forwards.copy_to.as_ref().into(),
        queue.forwards.move_to.as_ref().into(),
    ]
}

impl Txn<'_> {
    /// Returns the queue of this name.
    pub fn queue(&mut self, address: &QueueAddress) -> Result<Option<Arc<Queue>>, Error> {
        if let Some(known) = self.ledger.queues.get(address) {
            return Ok(Some(Arc::clone(known)));
        }
        let found = self.one(
            concat!(
                "SELECT ",
                columns!(),
                " FROM queues WHERE account = ?1 AND region = ?2 AND name = ?3"
            ),
            &[(&address.account).into(), (&address.region).into(), (&address.name).into()],
            read,
        )?;
        Ok(found.map(|queue| {
            let queue = Arc::new(queue);
            self.ledger.queues.insert(address.clone(), Arc::clone(&queue));
            queue
        }))
    }

    /// Returns the queue of this ID.
    pub fn queue_by_id(&mut self, id: i64) -> Result<Option<Queue>, Error> {
        self.one(concat!("SELECT ", columns!(), " FROM queues WHERE id = ?1"), &[id.into()], read)
    }

    /// Adds a queue.
    pub fn insert_queue(&mut self, queue: &Queue) -> Result<(), Error> {
        let mut values = vec![
            queue.id.into(),
            (&queue.address.account).into(),
            (&queue.address.region).into(),
            (&queue.address.name).into(),
            queue.backlog.into(),
            queue.created_at.into(),
            queue.modified_at.into(),
            queue.purged_at.into(),
            queue.attributes.fifo.into(),
        ];
        values.extend(settable(queue));
        values.push((queue.deduplication_scope == DeduplicationScope::MessageGroup).into());
        self.execute(
            concat!(
                "INSERT INTO queues (",
                columns!(),
                ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, \
                 ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28)"
            ),
            &values,
        )?;
        Ok(())
    }

    /// Writes what can change of a queue: attributes, times, backlog.
    pub fn update_queue(&mut self, queue: &Queue) -> Result<(), Error> {
        self.ledger.queues.remove(&queue.address);
        let mut values = vec![
            queue.id.into(),
            queue.backlog.into(),
            queue.modified_at.into(),
            queue.purged_at.into(),
        ];
        values.extend(settable(queue));
        self.execute(
            "UPDATE queues SET backlog = ?2, modified_at = ?3, purged_at = ?4, \
             visibility_timeout = ?5, delay_seconds = ?6, maximum_message_size = ?7, \
             message_retention_period = ?8, receive_wait_seconds = ?9, \
             content_based_deduplication = ?10, deduplication_scope = ?11, \
             fifo_throughput_limit = ?12, sqs_managed_sse = ?13, kms_master_key_id = ?14, \
             kms_reuse_period_seconds = ?15, policy = ?16, redrive_policy = ?17, \
             dead_letter_target_arn = ?18, max_receive_count = ?19, redrive_allow_policy = ?20, \
             copy_to = ?21, move_to = ?22 \
             WHERE id = ?1",
            &values,
        )?;
        Ok(())
    }

    /// Removes a queue and its tags, but not its backlog.
    pub fn delete_queue_row(&mut self, queue: &Queue) -> Result<(), Error> {
        self.ledger.queues.remove(&queue.address);
        self.execute("DELETE FROM queue_tags WHERE queue = ?1", &[queue.id.into()])?;
        self.execute("DELETE FROM queues WHERE id = ?1", &[queue.id.into()])?;
        Ok(())
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
            &[
                account.into(),
                region.into(),
                prefix.into(),
                (&end).into(),
                after.into(),
                limit.into(),
            ],
            |row| row.string(0),
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
            &[target_arn.into(), after.into(), limit.into()],
            |row| {
                Ok(QueueAddress {
                    account: row.string(0)?,
                    region: row.string(1)?,
                    name: row.string(2)?,
                })
            },
        )
    }

    /// Returns the queues of all accounts after an ID, ordered by ID.
    pub fn queues_after(&mut self, after: i64, limit: i64) -> Result<Vec<Queue>, Error> {
        self.all(
            concat!("SELECT ", columns!(), " FROM queues WHERE id > ?1 ORDER BY id LIMIT ?2"),
            &[after.into(), limit.into()],
            read,
        )
    }

    /// Returns the queues up to an ID, of one account or of all.
    pub fn queues_to_reset(
        &mut self,
        account: Option<&str>,
        until: i64,
        limit: i64,
    ) -> Result<Vec<Queue>, Error> {
        match account {
            None => self.all(
                concat!("SELECT ", columns!(), " FROM queues WHERE id <= ?1 ORDER BY id LIMIT ?2"),
                &[until.into(), limit.into()],
                read,
            ),
            Some(account) => self.all(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM queues WHERE account = ?3 AND id <= ?1 LIMIT ?2"
                ),
                &[until.into(), limit.into(), account.into()],
                read,
            ),
        }
    }

    /// Sets a tag.
    pub fn set_tag(&mut self, queue: i64, key: &str, value: &str) -> Result<(), Error> {
        self.execute(
            "INSERT INTO queue_tags (queue, key, value) VALUES (?1, ?2, ?3) \
             ON CONFLICT (queue, key) DO UPDATE SET value = excluded.value",
            &[queue.into(), key.into(), value.into()],
        )?;
        Ok(())
    }

    /// Removes a tag.
    pub fn delete_tag(&mut self, queue: i64, key: &str) -> Result<(), Error> {
        self.execute(
            "DELETE FROM queue_tags WHERE queue = ?1 AND key = ?2",
            &[queue.into(), key.into()],
        )?;
        Ok(())
    }

    /// Returns all tags of a queue, ordered by key.
    pub fn tags(&mut self, queue: i64) -> Result<Vec<(String, String)>, Error> {
        self.all(
            "SELECT key, value FROM queue_tags WHERE queue = ?1 ORDER BY key",
            &[queue.into()],
            |row| Ok((row.string(0)?, row.string(1)?)),
        )
    }

    /// Records when the queue of a name was deleted.
    pub fn remember_deleted_queue(&mut self, address: &QueueAddress) -> Result<(), Error> {
        let now = self.now();
        self.execute(
            "INSERT INTO deleted_queues (account, region, name, deleted_at) \
             VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (account, region, name) DO UPDATE SET deleted_at = excluded.deleted_at",
            &[
                (&address.account).into(),
                (&address.region).into(),
                (&address.name).into(),
                now.into(),
            ],
        )?;
        Ok(())
    }

    /// Returns when the queue of a name was deleted, in Unix milliseconds, if that is recorded.
    pub fn queue_deleted_at(&mut self, address: &QueueAddress) -> Result<Option<i64>, Error> {
        self.one(
            "SELECT deleted_at FROM deleted_queues \
             WHERE account = ?1 AND region = ?2 AND name = ?3",
            &[(&address.account).into(), (&address.region).into(), (&address.name).into()],
            |row| row.i64(0),
        )
    }

    /// Forgets up to `limit` deletions before a time. Returns their number.
    pub fn forget_deleted_queues(&mut self, before: i64, limit: i64) -> Result<usize, Error> {
        let page = self.all(
            "SELECT account, region, name FROM deleted_queues WHERE deleted_at < ?1 LIMIT ?2",
            &[before.into(), limit.into()],
            |row| Ok((row.string(0)?, row.string(1)?, row.string(2)?)),
        )?;
        for (account, region, name) in &page {
            self.execute(
                "DELETE FROM deleted_queues WHERE account = ?1 AND region = ?2 AND name = ?3",
                &[account.into(), region.into(), name.into()],
            )?;
        }
        Ok(page.len())
    }
}
