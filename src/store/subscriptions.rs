//! Subscriptions of topics.

use super::driver::Row;
use super::topics::{from_json, to_json};
use super::{Error, Txn};
use crate::domain::sns_endpoint::Protocol;
use crate::domain::subscription_attributes::SubscriptionAttributes;
use uuid::Uuid;

/// The state of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionState {
    /// Pending: not confirmed yet.
    Pending,
    /// Messages are delivered.
    Confirmed,
    /// Ended by its unsubscribe link. It no longer exists for clients, but its token can restore it.
    Ended,
}

impl SubscriptionState {
    const fn number(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Confirmed => 1,
            Self::Ended => 2,
        }
    }

    const fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Pending,
            1 => Self::Confirmed,
            _ => Self::Ended,
        }
    }
}

/// A subscription, confirmed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Grows with every subscription.
    pub id: i64,
    /// The last part of its ARN.
    pub uuid: Uuid,
    /// Id of its topic.
    pub topic: i64,
    /// ARN of its topic.
    pub topic_arn: String,
    /// Account of its owner, 12 digits.
    pub account: String,
    /// The topic's region.
    pub region: String,
    /// Protocol.
    pub protocol: Protocol,
    /// Endpoint.
    pub endpoint: String,
    /// ARN of the caller of Subscribe.
    pub principal: String,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Whether messages are delivered.
    pub state: SubscriptionState,
    /// Whether its confirmation was signed.
    pub authenticated: bool,
    /// Whether the call that ends it must be signed.
    pub protected: bool,
    /// The token that confirms it.
    pub token: Option<String>,
    /// Unix milliseconds at which the token expires.
    pub token_expires_at: Option<i64>,
    /// Settable attributes.
    pub attributes: SubscriptionAttributes,
    /// The replay of an archive, if one was requested.
    pub replay: Option<Replay>,
}

/// The progress of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// ReplayStatus
    pub status: String,
    /// The last replayed publication; `None` if the replay has ended.
    pub cursor: Option<i64>,
    /// Unix milliseconds of the first message to replay.
    pub from: i64,
    /// Unix milliseconds of the last message to replay; `None` for all.
    pub until: Option<i64>,
}

impl Subscription {
    /// Returns the ARN: that of the topic and the UUID.
    pub fn arn(&self) -> String {
        format!("{}:{}", self.topic_arn, self.uuid)
    }
}

impl Replay {
    /// Returns whether it is still running.
    pub fn is_going_on(&self) -> bool {
        self.cursor.is_some()
    }
}

/// The statement that reads subscriptions with this condition.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT id, uuid, topic, topic_arn, account, region, protocol, endpoint, principal, \
             created_at, state, authenticated, protected, token, token_expires_at, attributes, \
             replay_status, replay_cursor, replay_from, replay_until FROM subscriptions WHERE ",
            $condition
        )
    };
}

fn read(row: &dyn Row) -> Result<Subscription, Error> {
    let protocol = Protocol::named(&row.string(6)?);
    let replay = match row.optional_string(16)? {
        None => None,
        Some(status) => {
            Some(Replay { status, cursor: row.int(17)?, from: row.i64(18)?, until: row.int(19)? })
        }
    };
    Ok(Subscription {
        id: row.i64(0)?,
        uuid: row.uuid(1)?,
        topic: row.i64(2)?,
        topic_arn: row.string(3)?,
        account: row.string(4)?,
        region: row.string(5)?,
        protocol: protocol.map_err(|refusal| Error::Corrupt(refusal.to_string()))?,
        endpoint: row.string(7)?,
        principal: row.string(8)?,
        created_at: row.i64(9)?,
        state: SubscriptionState::from_number(row.i64(10)?),
        authenticated: row.i64(11)? != 0,
        protected: row.i64(12)? != 0,
        token: row.optional_string(13)?,
        token_expires_at: row.int(14)?,
        attributes: from_json(row.text(15)?)?,
        replay,
    })
}

impl Txn<'_> {
    /// Returns the subscription of this UUID.
    pub fn subscription(&mut self, uuid: &Uuid) -> Result<Option<Subscription>, Error> {
        self.one(select!("uuid = ?1"), &[uuid.into()], read)
    }

    /// Returns the subscription of this ID.
    pub fn subscription_by_id(&mut self, id: i64) -> Result<Option<Subscription>, Error> {
        self.one(select!("id = ?1"), &[id.into()], read)
    }

    /// Returns the subscription of a token.
    pub fn subscription_of_token(&mut self, token: &str) -> Result<Option<Subscription>, Error> {
        self.one(select!("token = ?1"), &[token.into()], read)
    }

    /// Returns the subscription of an endpoint to a topic.
    pub fn subscription_of_endpoint(
        &mut self,
        topic: i64,
        protocol: Protocol,
        endpoint: &str,
    ) -> Result<Option<Subscription>, Error> {
        self.one(
            select!("topic = ?1 AND protocol = ?2 AND endpoint = ?3"),
            &[topic.into(), protocol.name().into(), endpoint.into()],
            read,
        )
    }

    /// Returns the subscriptions of a topic after an ID.
    pub fn subscriptions_of_topic(
        &mut self,
        topic: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Subscription>, Error> {
        self.all(
            select!("topic = ?1 AND id > ?2 AND state < 2 ORDER BY id LIMIT ?3"),
            &[topic.into(), after.into(), limit.into()],
            read,
        )
    }

    /// Returns the subscriptions of an account and region after an ID.
    pub fn subscriptions_of_account(
        &mut self,
        account: &str,
        region: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Subscription>, Error> {
        self.all(
            select!("account = ?1 AND region = ?2 AND id > ?3 AND state < 2 ORDER BY id LIMIT ?4"),
            &[account.into(), region.into(), after.into(), limit.into()],
            read,
        )
    }

    /// Returns the subscriptions after an ID whose replay is running.
    pub fn subscriptions_replaying(
        &mut self,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Subscription>, Error> {
        self.all(
            select!("replay_cursor IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2"),
            &[after.into(), limit.into()],
            read,
        )
    }

    /// Returns the number of filter policies of a topic's subscriptions, up to `limit`.
    pub fn filter_policies_of_topic(&mut self, topic: i64, limit: i64) -> Result<i64, Error> {
        let count = self.one(
            "SELECT count(*) FROM (SELECT 1 FROM subscriptions WHERE topic = ?1 AND state < 2 \
             AND attributes ->> 'FilterPolicy' IS NOT NULL LIMIT ?2)",
            &[topic.into(), limit.into()],
            |row| row.i64(0),
        )?;
        Ok(count.unwrap_or(0))
    }

    /// Returns pending subscriptions whose token has expired.
    pub fn unconfirmed_subscriptions(&mut self, limit: i64) -> Result<Vec<Subscription>, Error> {
        let now = self.now();
        self.all(
            select!("state = 0 AND token_expires_at <= ?1 ORDER BY token_expires_at LIMIT ?2"),
            &[now.into(), limit.into()],
            read,
        )
    }

    /// Deletes ended subscriptions that no token can restore. Returns their number.
    pub fn forget_ended_subscriptions(&mut self, limit: i64) -> Result<usize, Error> {
        let now = self.now();
        self.execute(
            "DELETE FROM subscriptions WHERE id IN (SELECT id FROM subscriptions \
             WHERE state = 2 AND token_expires_at <= ?1 ORDER BY token_expires_at LIMIT ?2)",
            &[now.into(), limit.into()],
        )
    }

    /// Removes up to `limit` subscriptions of a deleted topic. Returns their number.
    pub fn delete_subscriptions_of_topic(
        &mut self,
        topic: i64,
        limit: i64,
    ) -> Result<usize, Error> {
        self.execute(
            "DELETE FROM subscriptions WHERE id IN \
             (SELECT id FROM subscriptions WHERE topic = ?1 LIMIT ?2)",
            &[topic.into(), limit.into()],
        )
    }

    /// Adds a subscription.
    pub fn insert_subscription(&mut self, subscription: &Subscription) -> Result<(), Error> {
        let attributes = to_json(&subscription.attributes)?;
        self.execute(
            "INSERT INTO subscriptions (id, uuid, topic, topic_arn, account, region, protocol, \
             endpoint, principal, created_at, state, authenticated, protected, token, \
             token_expires_at, attributes) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            &[
                subscription.id.into(),
                (&subscription.uuid).into(),
                subscription.topic.into(),
                (&subscription.topic_arn).into(),
                (&subscription.account).into(),
                (&subscription.region).into(),
                subscription.protocol.name().into(),
                (&subscription.endpoint).into(),
                (&subscription.principal).into(),
                subscription.created_at.into(),
                subscription.state.number().into(),
                subscription.authenticated.into(),
                subscription.protected.into(),
                subscription.token.as_ref().into(),
                subscription.token_expires_at.into(),
                (&attributes).into(),
            ],
        )?;
        Ok(())
    }

    /// Writes what can change of a subscription.
    pub fn update_subscription(&mut self, subscription: &Subscription) -> Result<(), Error> {
        let attributes = to_json(&subscription.attributes)?;
        let replay = subscription.replay.as_ref();
        self.execute(
            "UPDATE subscriptions SET state = ?2, authenticated = ?3, protected = ?4, token = ?5, \
             token_expires_at = ?6, attributes = ?7, replay_status = ?8, replay_cursor = ?9, \
             replay_from = ?10, replay_until = ?11 WHERE id = ?1",
            &[
                subscription.id.into(),
                subscription.state.number().into(),
                subscription.authenticated.into(),
                subscription.protected.into(),
                subscription.token.as_ref().into(),
                subscription.token_expires_at.into(),
                (&attributes).into(),
                replay.map(|replay| &replay.status).into(),
                replay.and_then(|replay| replay.cursor).into(),
                replay.map(|replay| replay.from).into(),
                replay.and_then(|replay| replay.until).into(),
            ],
        )?;
        Ok(())
    }

    /// Removes a subscription's row.
    pub fn delete_subscription(&mut self, id: i64) -> Result<(), Error> {
        self.execute("DELETE FROM subscriptions WHERE id = ?1", &[id.into()])?;
        Ok(())
    }
}
