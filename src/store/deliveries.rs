//! The outbox: pending deliveries, one row for each message and subscription.

use super::driver::Value;
use super::rows::{Cells, Nullable, Stored};
use super::{Effect, Error, Txn, Usage};
use uuid::Uuid;

/// The content of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A message of the topic: the ID of its publication.
    Notification(i64),
    /// A SubscriptionConfirmation.
    SubscriptionConfirmation(Confirmation),
    /// An UnsubscribeConfirmation.
    UnsubscribeConfirmation(Confirmation),
}

/// The data of a confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// MessageId, the same for each attempt.
    pub message_id: Uuid,
    /// The token that confirms the subscription.
    pub token: String,
    /// The base of its link.
    pub base_url: String,
}

/// One message to one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Grows with every delivery.
    pub id: i64,
    /// Id of the subscription.
    pub subscription: i64,
    /// Its content.
    pub payload: Payload,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Attempts made so far.
    pub attempts: u32,
    /// Unix milliseconds of the next attempt.
    pub due_at: i64,
}

/// The target of a delivery, and the accounts that pay for it.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'r> {
    /// Id of the subscription.
    pub subscription: i64,
    /// Account of the subscription: its deliveries share the slots of this account.
    pub account: &'r str,
    /// Its destination: deliveries to one destination share its slots.
    pub destination: &'r str,
    /// Account of the topic: the delivery counts in its outbox.
    pub payer: &'r str,
}

/// Bytes that a delivery counts in an outbox: its row and its index entries.
pub const DELIVERY_BYTES: i64 = 256;
/// The same for a confirmation, which has a token and the base of a link.
pub const CONFIRMATION_BYTES: i64 = 1_024;

/// A subscription with due deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyOutbox {
    /// Id of the subscription.
    pub subscription: i64,
    /// Where its endpoint is.
    pub destination: String,
}

const NOTIFICATION: i64 = 0;
const SUBSCRIPTION_CONFIRMATION: i64 = 1;
const UNSUBSCRIBE_CONFIRMATION: i64 = 2;

/// The account in rows of earlier versions, which did not count.
pub(super) const NO_ACCOUNT: &str = "-";

const fn bytes(kind: i64) -> i64 {
    if kind == NOTIFICATION { DELIVERY_BYTES } else { CONFIRMATION_BYTES }
}

impl Stored for Payload {
    fn read(cells: &mut Cells<'_>) -> Result<Self, Error> {
        match cells.read::<(i64, Option<i64>, Option<Confirmation>)>()? {
            (NOTIFICATION, Some(publication), _) => Ok(Self::Notification(publication)),
            (SUBSCRIPTION_CONFIRMATION, _, Some(it)) => Ok(Self::SubscriptionConfirmation(it)),
            (UNSUBSCRIBE_CONFIRMATION, _, Some(it)) => Ok(Self::UnsubscribeConfirmation(it)),
            _ => Err(Error::Corrupt("a delivery brings nothing".to_owned())),
        }
    }

    fn bind<'v>(&'v self, values: &mut Vec<Value<'v>>) {
        values.push(self.kind().into());
        match self {
            Self::Notification(publication) => {
                values.push((*publication).into());
                values.extend(std::iter::repeat_n(Value::Null, Confirmation::WIDTH));
            }
            Self::SubscriptionConfirmation(it) | Self::UnsubscribeConfirmation(it) => {
                values.push(Value::Null);
                it.bind(values);
            }
        }
    }
}

impl Payload {
    const fn kind(&self) -> i64 {
        match self {
            Self::Notification(_) => NOTIFICATION,
            Self::SubscriptionConfirmation(_) => SUBSCRIPTION_CONFIRMATION,
            Self::UnsubscribeConfirmation(_) => UNSUBSCRIBE_CONFIRMATION,
        }
    }
}

fields!(Confirmation { message_id: Uuid, token: String, base_url: String });
fields!(ReadyOutbox { subscription: i64, destination: String });

row! {
    ($ select) Delivery in "deliveries" {
        id,
        subscription,
        payload: "kind" "publication" "message_id" "token" "base_url",
        created_at,
        attempts,
        due_at,
    }
    extra { account }
}

impl Txn<'_> {
    /// Adds a delivery that is due at once.
    pub fn insert_delivery(&mut self, to: &Recipient<'_>, payload: &Payload) -> Result<(), Error> {
        let (id, now) = (self.next_sequence()?, self.now());
        let delivery = Delivery {
            id,
            subscription: to.subscription,
            payload: payload.clone(),
            created_at: now,
            attempts: 0,
            due_at: now,
        };
        self.insert_with(&delivery, [to.payer.into()])?;
        self.run(
            "INSERT INTO outboxes (subscription, next_due, account, destination, ready) \
             VALUES (?1, ?2, ?3, ?4, 1) \
             ON CONFLICT (subscription) DO UPDATE SET next_due = \
             max(outboxes.rests_until, min(outboxes.next_due, excluded.next_due)), \
             ready = outboxes.ready OR outboxes.rests_until <= excluded.next_due, \
             account = excluded.account, destination = excluded.destination",
            params![to.subscription, now, to.account, to.destination],
        )?;
        self.count_usage(to.payer, Usage { outbox: bytes(payload.kind()), ..Usage::default() });
        self.effect(Effect::Delivery);
        Ok(())
    }

    /// Marks up to `limit` due outboxes as ready. Returns whether there may be more.
    pub fn ready_outboxes(&mut self, limit: i64) -> Result<bool, Error> {
        let now = self.now();
        if self.next_outbox_due()?.is_none_or(|at| at > now) {
            return Ok(false);
        }
        let readied = self.execute(
            "UPDATE outboxes SET ready = 1 WHERE subscription IN (SELECT subscription \
             FROM outboxes WHERE claimed = 0 AND ready = 0 AND next_due <= ?1 \
             ORDER BY next_due LIMIT ?2)",
            params![now, limit],
        )?;
        Ok(readied as i64 == limit)
    }

    /// Returns the first account after this one, by name, that has a ready outbox.
    pub fn next_ready_account(&mut self, after: &str) -> Result<Option<String>, Error> {
        self.one(
            "SELECT account FROM outboxes WHERE claimed = 0 AND ready = 1 AND account > ?1 \
             ORDER BY account LIMIT 1",
            params![after],
        )
    }

    /// Returns the earliest ready outbox of the first destination after this one, by name, for which
    /// the account has any.
    pub fn next_ready_outbox(
        &mut self,
        account: &str,
        after: &str,
    ) -> Result<Option<ReadyOutbox>, Error> {
        self.one(
            "SELECT subscription, destination FROM outboxes \
             WHERE claimed = 0 AND ready = 1 AND account = ?1 AND destination > ?2 \
             ORDER BY destination, next_due LIMIT 1",
            params![account, after],
        )
    }

    /// Returns the earliest time at which an outbox becomes ready, in Unix milliseconds.
    pub fn next_outbox_due(&mut self) -> Result<Option<i64>, Error> {
        self.one(
            "SELECT next_due FROM outboxes WHERE claimed = 0 AND ready = 0 \
             ORDER BY next_due LIMIT 1",
            &[],
        )
    }

    /// Claims an outbox; [`Txn::settle_outbox`] releases it.
    pub fn claim_outbox(&mut self, subscription: i64) -> Result<(), Error> {
        self.run("UPDATE outboxes SET claimed = 1 WHERE subscription = ?1", params![subscription])
    }

    /// Releases all claims, whose owners ended with the previous process.
    pub fn release_claims(&mut self) -> Result<(), Error> {
        if fault!("claim-outlives-the-process") {
            return Ok(());
        }
        self.run("UPDATE outboxes SET claimed = 0 WHERE claimed = 1", &[])
    }

    /// Updates the row of an outbox from its deliveries, and releases the claim. The outbox rests until
    /// `not_before`, in Unix milliseconds, if that is given, whatever is added meanwhile.
    pub fn settle_outbox(
        &mut self,
        subscription: i64,
        not_before: Option<i64>,
    ) -> Result<(), Error> {
        let next: Option<i64> = self.one(
            "SELECT due_at FROM deliveries WHERE subscription = ?1 ORDER BY due_at, id LIMIT 1",
            params![subscription],
        )?;
        match next.max(not_before) {
            None => {
                self.run("DELETE FROM outboxes WHERE subscription = ?1", params![subscription])?;
            }
            Some(next) => self.run(
                "UPDATE outboxes SET claimed = 0, ready = 0, next_due = ?2, rests_until = ?3 \
                 WHERE subscription = ?1",
                params![subscription, next, not_before.unwrap_or(0)],
            )?,
        }
        self.effect(Effect::Delivery);
        Ok(())
    }

    /// Returns the due deliveries of a subscription, earliest first.
    pub fn due_deliveries(
        &mut self,
        subscription: i64,
        limit: i64,
    ) -> Result<Vec<Delivery>, Error> {
        self.all(
            select!("WHERE subscription = ?1 AND due_at <= ?2 ORDER BY due_at, id LIMIT ?3"),
            params![subscription, self.now(), limit],
        )
    }

    /// Records a failed attempt and when the next one is due.
    pub fn postpone_delivery(&mut self, id: i64, attempts: u32, due_at: i64) -> Result<(), Error> {
        let sql = "UPDATE deliveries SET attempts = ?2, due_at = ?3 WHERE id = ?1";
        self.run(sql, params![id, attempts, due_at])
    }

    /// Removes a delivery, and its publication if nothing else needs that.
    pub fn remove_delivery(&mut self, delivery: &Delivery) -> Result<(), Error> {
        let payer: Option<(String, i64)> = self.one(
            "DELETE FROM deliveries WHERE id = ?1 RETURNING account, kind",
            params![delivery.id],
        )?;
        self.note_write();
        if let Some((payer, kind)) = payer.filter(|(payer, _)| payer != NO_ACCOUNT) {
            self.count_usage(&payer, Usage { outbox: -bytes(kind), ..Usage::default() });
        }
        if let Payload::Notification(publication) = delivery.payload {
            self.drop_publication_if_done(publication)?;
        }
        Ok(())
    }

    /// Returns the number of deliveries, up to a limit.
    pub fn count_deliveries(&mut self, limit: i64) -> Result<i64, Error> {
        self.number("SELECT count(*) FROM (SELECT 1 FROM deliveries LIMIT ?1)", params![limit])
    }

    /// Returns when the oldest delivery was added, in Unix milliseconds.
    pub fn oldest_delivery(&mut self) -> Result<Option<i64>, Error> {
        self.one("SELECT created_at FROM deliveries ORDER BY id LIMIT 1", &[])
    }
}
