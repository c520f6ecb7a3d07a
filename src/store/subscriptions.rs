//! Subscriptions of topics.

use super::{Error, Txn};
use crate::domain::sns_endpoint::Protocol;
use crate::domain::subscription_attributes::SubscriptionAttributes;
use uuid::Uuid;

/// How far a subscription has come. Numbers as in the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionState {
    /// Waits for its confirmation.
    Pending,
    /// Messages are delivered.
    Confirmed,
    /// A link has ended it. It is not there any more, but its token may restore it.
    Ended,
}

numbered!(SubscriptionState { Pending = 0, Confirmed = 1, Ended = 2 });

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
    /// Who owns it, 12 digits.
    pub account: String,
    /// The topic's region.
    pub region: String,
    /// How messages get there.
    pub protocol: Protocol,
    /// Where they go.
    pub endpoint: String,
    /// ARN of who subscribed.
    pub principal: String,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Whether messages are delivered.
    pub state: SubscriptionState,
    /// Whether its confirmation was signed.
    pub authenticated: bool,
    /// Whether the call that ends it must be signed.
    pub protected: bool,
    /// What confirms it.
    pub token: Option<String>,
    /// Unix milliseconds until when the token does.
    pub token_expires_at: Option<i64>,
    /// Settable attributes.
    pub attributes: SubscriptionAttributes,
    /// The replay of an archive, if one was asked for.
    pub replay: Option<Replay>,
}

/// How far a replay has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// ReplayStatus
    pub status: String,
    /// The last publication that was replayed; none when the replay has ended.
    pub cursor: Option<i64>,
    /// Unix milliseconds of the first message to replay.
    pub from: i64,
    /// Unix milliseconds of the last one; none for all.
    pub until: Option<i64>,
}

impl Subscription {
    /// The ARN: that of the topic and the UUID.
    pub fn arn(&self) -> String {
        format!("{}:{}", self.topic_arn, self.uuid)
    }
}

impl Replay {
    /// Whether it still goes on.
    pub fn is_going_on(&self) -> bool {
        self.cursor.is_some()
    }
}

row! {
    ($ select) Subscription in "subscriptions" {
        id, uuid, topic, topic_arn, account, region, protocol, endpoint, principal, created_at
    }
    changing {
        state,
        authenticated,
        protected,
        token,
        token_expires_at,
        attributes,
        replay: "replay_status" "replay_cursor" "replay_from" "replay_until",
    }
}

fields!(Replay { status: String, cursor: Option<i64>, from: i64, until: Option<i64> });

impl Txn<'_> {
    /// The subscription of this UUID.
    pub fn subscription(&mut self, uuid: &Uuid) -> Result<Option<Subscription>, Error> {
        self.one(select!("WHERE uuid = ?1"), params![uuid])
    }

    /// The subscription of this id.
    pub fn subscription_by_id(&mut self, id: i64) -> Result<Option<Subscription>, Error> {
        self.one(select!("WHERE id = ?1"), params![id])
    }

    /// The subscription of a token.
    pub fn subscription_of_token(&mut self, token: &str) -> Result<Option<Subscription>, Error> {
        self.one(select!("WHERE token = ?1"), params![token])
    }

    /// The subscription of an endpoint to a topic.
    pub fn subscription_of_endpoint(
        &mut self,
        topic: i64,
        protocol: Protocol,
        endpoint: &str,
    ) -> Result<Option<Subscription>, Error> {
        self.one(
            select!("WHERE topic = ?1 AND protocol = ?2 AND endpoint = ?3"),
            params![topic, protocol.name(), endpoint],
        )
    }

    /// Subscriptions of a topic, those after an id.
    pub fn subscriptions_of_topic(
        &mut self,
        topic: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Subscription>, Error> {
        self.all(
            select!("WHERE topic = ?1 AND id > ?2 AND state < 2 ORDER BY id LIMIT ?3"),
            params![topic, after, limit],
        )
    }

    /// Subscriptions of an account and region, those after an id.
    pub fn subscriptions_of_account(
        &mut self,
        account: &str,
        region: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Subscription>, Error> {
        self.all(
            select!(
                "WHERE account = ?1 AND region = ?2 AND id > ?3 AND state < 2 ORDER BY id LIMIT ?4"
            ),
            params![account, region, after, limit],
        )
    }

    /// Subscriptions whose replay has not ended, those after an id.
    pub fn subscriptions_replaying(
        &mut self,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Subscription>, Error> {
        self.all(
            select!("WHERE replay_cursor IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2"),
            params![after, limit],
        )
    }

    /// How many filter policies the subscriptions of a topic have, up to `limit`.
    pub fn filter_policies_of_topic(&mut self, topic: i64, limit: i64) -> Result<i64, Error> {
        self.number(
            "SELECT count(*) FROM (SELECT 1 FROM subscriptions WHERE topic = ?1 AND state < 2 \
             AND attributes ->> 'FilterPolicy' IS NOT NULL LIMIT ?2)",
            params![topic, limit],
        )
    }

    /// Subscriptions that wait for their confirmation and whose token has expired.
    pub fn unconfirmed_subscriptions(&mut self, limit: i64) -> Result<Vec<Subscription>, Error> {
        self.all(
            select!(
                "WHERE state = 0 AND token_expires_at <= ?1 ORDER BY token_expires_at LIMIT ?2"
            ),
            params![self.now(), limit],
        )
    }

    /// Forgets subscriptions that a link has ended and no token can restore. Returns how many.
    pub fn forget_ended_subscriptions(&mut self, limit: i64) -> Result<usize, Error> {
        self.execute(
            "DELETE FROM subscriptions WHERE id IN (SELECT id FROM subscriptions \
             WHERE state = 2 AND token_expires_at <= ?1 ORDER BY token_expires_at LIMIT ?2)",
            params![self.now(), limit],
        )
    }

    /// Removes up to `limit` subscriptions of a topic that was deleted. Returns how many.
    pub fn delete_subscriptions_of_topic(
        &mut self,
        topic: i64,
        limit: i64,
    ) -> Result<usize, Error> {
        self.execute(
            "DELETE FROM subscriptions WHERE id IN \
             (SELECT id FROM subscriptions WHERE topic = ?1 LIMIT ?2)",
            params![topic, limit],
        )
    }

    /// Adds a subscription.
    pub fn insert_subscription(&mut self, subscription: &Subscription) -> Result<(), Error> {
        self.insert(subscription)
    }

    /// Writes what may change of a subscription.
    pub fn update_subscription(&mut self, subscription: &Subscription) -> Result<(), Error> {
        self.update(subscription).map(drop)
    }

    /// Removes a subscription's row.
    pub fn delete_subscription(&mut self, id: i64) -> Result<(), Error> {
        self.run("DELETE FROM subscriptions WHERE id = ?1", params![id])
    }
}
