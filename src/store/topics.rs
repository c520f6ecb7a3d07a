//! Topics, their attributes, and the tags of all resources with an ARN of SNS.

use super::driver::Row;
use super::{Error, Txn};
use crate::domain::topic_address::TopicAddress;
use crate::domain::topic_attributes::TopicAttributes;
use indexmap::IndexMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// ID, never reused for another topic or queue.
    pub id: i64,
    /// Account, region and name.
    pub address: TopicAddress,
    /// Unix milliseconds.
    pub created_at: i64,
    /// A random number, replaced by each change of the topic or of one of its subscriptions.
    pub version: i64,
    /// Settable attributes.
    pub attributes: TopicAttributes,
    /// Number of confirmed subscriptions.
    pub confirmed: i64,
    /// Number of pending subscriptions.
    pub pending: i64,
    /// Number of deleted subscriptions.
    pub deleted: i64,
    /// Unix milliseconds since which messages are archived.
    pub archive_since: Option<i64>,
}

macro_rules! columns {
    () => {
        "id, account, region, name, created_at, version, attributes, confirmed, pending, deleted, \
         archive_since"
    };
}

fn read(row: &dyn Row) -> Result<Topic, Error> {
    Ok(Topic {
        id: row.i64(0)?,
        address: TopicAddress {
            account: row.string(1)?,
            region: row.string(2)?,
            name: row.string(3)?,
        },
        created_at: row.i64(4)?,
        version: row.i64(5)?,
        attributes: from_json(row.text(6)?)?,
        confirmed: row.i64(7)?,
        pending: row.i64(8)?,
        deleted: row.i64(9)?,
        archive_since: row.int(10)?,
    })
}

/// A value that is stored as JSON.
pub(super) fn from_json<T: DeserializeOwned>(text: Option<&str>) -> Result<T, Error> {
    let text = text.ok_or_else(|| Error::Corrupt("a JSON column is NULL".to_owned()))?;
    serde_json::from_str(text).map_err(|error| Error::Corrupt(error.to_string()))
}

/// Returns the JSON of a stored value.
pub(super) fn to_json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Corrupt(error.to_string()))
}

impl Txn<'_> {
    /// Returns the topic of this name.
    pub fn topic(&mut self, address: &TopicAddress) -> Result<Option<Topic>, Error> {
        self.one(
            concat!(
                "SELECT ",
                columns!(),
                " FROM topics WHERE account = ?1 AND region = ?2 AND name = ?3"
            ),
            &[(&address.account).into(), (&address.region).into(), (&address.name).into()],
            read,
        )
    }

    /// Returns the ID and the version of the topic of this name, which suffice to use a cached topic.
    pub fn topic_version(&mut self, address: &TopicAddress) -> Result<Option<(i64, i64)>, Error> {
        if let Some(known) = self.ledger.topics.get(address) {
            return Ok(Some(*known));
        }
        let found = self.one(
            "SELECT id, version FROM topics WHERE account = ?1 AND region = ?2 AND name = ?3",
            &[(&address.account).into(), (&address.region).into(), (&address.name).into()],
            |row| Ok((row.i64(0)?, row.i64(1)?)),
        )?;
        if let Some(found) = found {
            self.ledger.topics.insert(address.clone(), found);
        }
        Ok(found)
    }

    /// Returns the topic of this ID.
    pub fn topic_by_id(&mut self, id: i64) -> Result<Option<Topic>, Error> {
        self.one(concat!("SELECT ", columns!(), " FROM topics WHERE id = ?1"), &[id.into()], read)
    }

    /// Returns the topics of an account and region after a name, ordered by name.
    pub fn topics_after(
        &mut self,
        account: &str,
        region: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Topic>, Error> {
        self.all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM topics WHERE account = ?1 AND region = ?2 AND name > ?3 \
                 ORDER BY name LIMIT ?4"
            ),
            &[account.into(), region.into(), after.into(), limit.into()],
            read,
        )
    }

    /// Returns a new random version.
    pub fn fresh_version(&mut self) -> i64 {
        self.fresh_id().as_u64_pair().0 as i64
    }

    /// Adds a topic.
    pub fn insert_topic(&mut self, topic: &Topic) -> Result<(), Error> {
        let attributes = to_json(&topic.attributes)?;
        self.execute(
            "INSERT INTO topics (id, account, region, name, created_at, version, attributes, \
             archive_since) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            &[
                topic.id.into(),
                (&topic.address.account).into(),
                (&topic.address.region).into(),
                (&topic.address.name).into(),
                topic.created_at.into(),
                topic.version.into(),
                (&attributes).into(),
                topic.archive_since.into(),
            ],
        )?;
        Ok(())
    }

    /// Writes what can change of a topic, with a new version.
    pub fn update_topic(&mut self, topic: &Topic) -> Result<(), Error> {
        self.ledger.topics.remove(&topic.address);
        let attributes = to_json(&topic.attributes)?;
        let version = self.fresh_version();
        self.execute(
            "UPDATE topics SET version = ?2, attributes = ?3, confirmed = ?4, pending = ?5, \
             deleted = ?6, archive_since = ?7 WHERE id = ?1",
            &[
                topic.id.into(),
                version.into(),
                (&attributes).into(),
                topic.confirmed.into(),
                topic.pending.into(),
                topic.deleted.into(),
                topic.archive_since.into(),
            ],
        )?;
        Ok(())
    }

    /// Removes the row of a topic; its subscriptions and archive are removed in pages.
    pub fn delete_topic_row(&mut self, topic: &Topic) -> Result<(), Error> {
        self.ledger.topics.remove(&topic.address);
        self.execute("DELETE FROM topics WHERE id = ?1", &[topic.id.into()])?;
        self.execute("INSERT INTO discarded_topics (id) VALUES (?1)", &[topic.id.into()])?;
        Ok(())
    }

    /// Returns a deleted topic that still has rows.
    pub fn discarded_topic(&mut self) -> Result<Option<i64>, Error> {
        self.one("SELECT id FROM discarded_topics ORDER BY id LIMIT 1", &[], |row| row.i64(0))
    }

    /// Forgets a deleted topic without remaining rows.
    pub fn forget_discarded_topic(&mut self, id: i64) -> Result<(), Error> {
        self.execute("DELETE FROM discarded_topics WHERE id = ?1", &[id.into()])?;
        Ok(())
    }

    /// Returns the tags of a resource, ordered by key.
    pub fn resource_tags(&mut self, arn: &str) -> Result<IndexMap<String, String>, Error> {
        let tags = self.all(
            "SELECT key, value FROM resource_tags WHERE arn = ?1 ORDER BY key",
            &[arn.into()],
            |row| Ok((row.string(0)?, row.string(1)?)),
        )?;
        Ok(tags.into_iter().collect())
    }

    /// Sets a tag of a resource.
    pub fn set_resource_tag(&mut self, arn: &str, key: &str, value: &str) -> Result<(), Error> {
        self.execute(
            "INSERT INTO resource_tags (arn, key, value) VALUES (?1, ?2, ?3) \
             ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value",
            &[arn.into(), key.into(), value.into()],
        )?;
        Ok(())
    }

    /// Removes a tag of a resource, if it exists.
    pub fn remove_resource_tag(&mut self, arn: &str, key: &str) -> Result<(), Error> {
        self.execute(
            "DELETE FROM resource_tags WHERE arn = ?1 AND key = ?2",
            &[arn.into(), key.into()],
        )?;
        Ok(())
    }

    /// Removes all tags of a resource: at most fifty.
    pub fn remove_resource_tags(&mut self, arn: &str) -> Result<(), Error> {
        self.execute("DELETE FROM resource_tags WHERE arn = ?1", &[arn.into()])?;
        Ok(())
    }
}
