//! Topics, their attributes, and the tags of all resources with an ARN of SNS.

use super::{Error, Txn};
use crate::domain::topic_address::TopicAddress;
use crate::domain::topic_attributes::TopicAttributes;
use indexmap::IndexMap;

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

row! {
    ($ select) Topic in "topics" { id, address: "account" "region" "name", created_at }
    changing { version, attributes, confirmed, pending, deleted, archive_since }
}

impl Txn<'_> {
    /// Returns the topic of this name.
    pub fn topic(&mut self, address: &TopicAddress) -> Result<Option<Topic>, Error> {
        self.one(
            select!("WHERE account = ?1 AND region = ?2 AND name = ?3"),
            params![&address.account, &address.region, &address.name],
        )
    }

    /// Returns the ID and the version of the topic of this name, which suffice to use a cached topic.
    pub fn topic_version(&mut self, address: &TopicAddress) -> Result<Option<(i64, i64)>, Error> {
        if let Some(known) = self.ledger.topics.get(address) {
            return Ok(Some(*known));
        }
        let found = self.one(
            "SELECT id, version FROM topics WHERE account = ?1 AND region = ?2 AND name = ?3",
            params![&address.account, &address.region, &address.name],
        )?;
        if let Some(found) = found {
            self.ledger.topics.insert(address.clone(), found);
        }
        Ok(found)
    }

    /// Returns the topic of this ID.
    pub fn topic_by_id(&mut self, id: i64) -> Result<Option<Topic>, Error> {
        self.one(select!("WHERE id = ?1"), params![id])
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
            select!("WHERE account = ?1 AND region = ?2 AND name > ?3 ORDER BY name LIMIT ?4"),
            params![account, region, after, limit],
        )
    }

    /// Returns a new random version.
    pub fn fresh_version(&mut self) -> i64 {
        self.fresh_id().as_u64_pair().0 as i64
    }

    /// Adds a topic.
    pub fn insert_topic(&mut self, topic: &Topic) -> Result<(), Error> {
        self.insert(topic)
    }

    /// Writes what can change of a topic, with a new version.
    pub fn update_topic(&mut self, topic: &Topic) -> Result<(), Error> {
        self.ledger.topics.remove(&topic.address);
        let version = self.fresh_version();
        self.update(&Topic { version, ..topic.clone() }).map(drop)
    }

    /// Removes the row of a topic; its subscriptions and archive are removed in pages.
    pub fn delete_topic_row(&mut self, topic: &Topic) -> Result<(), Error> {
        self.ledger.topics.remove(&topic.address);
        self.run("DELETE FROM topics WHERE id = ?1", params![topic.id])?;
        self.run("INSERT INTO discarded_topics (id) VALUES (?1)", params![topic.id])
    }

    /// Returns a deleted topic that still has rows.
    pub fn discarded_topic(&mut self) -> Result<Option<i64>, Error> {
        self.one("SELECT id FROM discarded_topics ORDER BY id LIMIT 1", &[])
    }

    /// Forgets a deleted topic without remaining rows.
    pub fn forget_discarded_topic(&mut self, id: i64) -> Result<(), Error> {
        self.run("DELETE FROM discarded_topics WHERE id = ?1", params![id])
    }

    /// Returns the tags of a resource, ordered by key.
    pub fn resource_tags(&mut self, arn: &str) -> Result<IndexMap<String, String>, Error> {
        let sql = "SELECT key, value FROM resource_tags WHERE arn = ?1 ORDER BY key";
        Ok(self.all(sql, params![arn])?.into_iter().collect())
    }

    /// Sets a tag of a resource.
    pub fn set_resource_tag(&mut self, arn: &str, key: &str, value: &str) -> Result<(), Error> {
        self.run(
            "INSERT INTO resource_tags (arn, key, value) VALUES (?1, ?2, ?3) \
             ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value",
            params![arn, key, value],
        )
    }

    /// Removes a tag of a resource, if it exists.
    pub fn remove_resource_tag(&mut self, arn: &str, key: &str) -> Result<(), Error> {
        self.run("DELETE FROM resource_tags WHERE arn = ?1 AND key = ?2", params![arn, key])
    }

    /// Removes all tags of a resource: at most fifty.
    pub fn remove_resource_tags(&mut self, arn: &str) -> Result<(), Error> {
        self.run("DELETE FROM resource_tags WHERE arn = ?1", params![arn])
    }
}
