//! Subscriptions of topics.

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
    /// Returns the subscription of this UUID.
    pub fn subscription(&mut self, uuid: &Uuid) -> Result<Option<Subscription>, Error> {
        self.one(select!("WHERE uuid = ?1"), params![uuid])
    }

    /// Returns the subscription of this ID.
    pub fn subscription_by_id(&mut self, id: i64) -> Result<Option<Subscription>, Error> {
        self.one(select!("WHERE id = ?1"), params![id])
    }

    /// Returns the subscription of a token.
    pub fn subscription_of_token(&mut self, token: &str) -> Result<Option<Subscription>, Error> {
        self.one(select!("WHERE token = ?1"), params![token])
    }

    /// Returns the subscription of an endpoint to a topic.
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

    /// Returns the subscriptions of a topic after an ID.
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

    /// Returns the subscriptions of an account and region after an ID.
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

    /// Returns the subscriptions after an ID whose replay is running.
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

    /// Returns the number of filter policies of a topic's subscriptions, up to `limit`.
    pub fn filter_policies_of_topic(&mut self, topic: i64, limit: i64) -> Result<i64, Error> {
        self.number(
            "SELECT count(*) FROM (SELECT 1 FROM subscriptions WHERE topic = ?1 AND state < 2 \
             AND attributes ->> 'FilterPolicy' IS NOT NULL LIMIT ?2)",
            params![topic, limit],
        )
    }

    /// Returns pending subscriptions whose token has expired.
    pub fn unconfirmed_subscriptions(&mut self, limit: i64) -> Result<Vec<Subscription>, Error> {
        self.all(
            select!(
                "WHERE state = 0 AND token_expires_at <= ?1 ORDER BY token_expires_at LIMIT ?2"
            ),
            params![self.now(), limit],
        )
    }

    /// Deletes ended subscriptions that no token can restore. Returns their number.
    pub fn forget_ended_subscriptions(&mut self, limit: i64) -> Result<usize, Error> {
        self.execute(
            "DELETE FROM subscriptions WHERE id IN (SELECT id FROM subscriptions \
             WHERE state = 2 AND token_expires_at <= ?1 ORDER BY token_expires_at LIMIT ?2)",
            params![self.now(), limit],
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
            params![topic, limit],
        )
    }

    /// Adds a subscription.
    pub fn insert_subscription(&mut self, subscription: &Subscription) -> Result<(), Error> {
        self.insert(subscription)
    }

    /// Writes what can change of a subscription.
    pub fn update_subscription(&mut self, subscription: &Subscription) -> Result<(), Error> {
        self.update(subscription).map(drop)
    }

    /// Removes a subscription's row.
    pub fn delete_subscription(&mut self, id: i64) -> Result<(), Error> {
        self.run("DELETE FROM subscriptions WHERE id = ?1", params![id])
    }
}
