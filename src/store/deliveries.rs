//! The outbox: what has to leave the process, one row for each message and subscription.

use super::driver::Row;
use super::{Effect, Error, Txn};
use uuid::Uuid;

/// What a delivery brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A message of the topic: the id of its publication.
    Notification(i64),
    /// The question whether the endpoint wants the subscription.
    SubscriptionConfirmation(Confirmation),
    /// The news that the subscription has ended.
    UnsubscribeConfirmation(Confirmation),
}

/// What a confirmation needs to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// MessageId, the same for each attempt.
    pub message_id: Uuid,
    /// What confirms the subscription.
    pub token: String,
    /// What its link begins with.
    pub base_url: String,
}

/// One message to one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Grows with every delivery.
    pub id: i64,
    /// Id of the subscription.
    pub subscription: i64,
    /// What it brings.
    pub payload: Payload,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Attempts made so far.
    pub attempts: u32,
    /// Unix milliseconds of the next attempt.
    pub due_at: i64,
}

const NOTIFICATION: i64 = 0;
const SUBSCRIPTION_CONFIRMATION: i64 = 1;
const UNSUBSCRIBE_CONFIRMATION: i64 = 2;

fn read(row: &dyn Row) -> Result<Delivery, Error> {
    let confirmation = || {
        Ok::<_, Error>(Confirmation {
            message_id: row.uuid(4)?,
            token: row.string(5)?,
            base_url: row.string(6)?,
        })
    };
    let payload = match row.i64(2)? {
        SUBSCRIPTION_CONFIRMATION => Payload::SubscriptionConfirmation(confirmation()?),
        UNSUBSCRIBE_CONFIRMATION => Payload::UnsubscribeConfirmation(confirmation()?),
        _ => Payload::Notification(row.i64(3)?),
    };
    Ok(Delivery {
        id: row.i64(0)?,
        subscription: row.i64(1)?,
        payload,
        created_at: row.i64(7)?,
        attempts: row.u32(8)?,
        due_at: row.i64(9)?,
    })
}

impl Txn<'_> {
    /// Puts a message for a subscription into the outbox, to be delivered at once.
    pub fn insert_delivery(&mut self, subscription: i64, payload: &Payload) -> Result<(), Error> {
        let (kind, publication, confirmation) = match payload {
            Payload::Notification(publication) => (NOTIFICATION, Some(*publication), None),
            Payload::SubscriptionConfirmation(it) => (SUBSCRIPTION_CONFIRMATION, None, Some(it)),
            Payload::UnsubscribeConfirmation(it) => (UNSUBSCRIBE_CONFIRMATION, None, Some(it)),
        };
        let (id, now) = (self.next_sequence()?, self.now());
        self.execute(
            "INSERT INTO deliveries (id, subscription, kind, publication, message_id, token, \
             base_url, created_at, attempts, due_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?8)",
            &[
                id.into(),
                subscription.into(),
                kind.into(),
                publication.into(),
                confirmation.map(|it| &it.message_id).into(),
                confirmation.map(|it| &it.token).into(),
                confirmation.map(|it| &it.base_url).into(),
                now.into(),
            ],
        )?;
        self.execute(
            "INSERT INTO outboxes (subscription, next_due) VALUES (?1, ?2) \
             ON CONFLICT (subscription) DO UPDATE SET next_due = \
             max(outboxes.rests_until, min(outboxes.next_due, excluded.next_due))",
            &[subscription.into(), now.into()],
        )?;
        self.effect(Effect::Delivery);
        Ok(())
    }

    /// Subscriptions that have something to deliver now and that nobody works on, those that have
    /// waited longest first.
    pub fn due_outboxes(&mut self, limit: i64) -> Result<Vec<i64>, Error> {
        let now = self.now();
        self.all(
            "SELECT subscription FROM outboxes WHERE claimed = 0 AND next_due <= ?1 \
             ORDER BY next_due LIMIT ?2",
            &[now.into(), limit.into()],
            |row| row.i64(0),
        )
    }

    /// The earliest time at which an outbox that nobody works on has something to deliver.
    pub fn next_outbox_due(&mut self) -> Result<Option<i64>, Error> {
        self.one(
            "SELECT next_due FROM outboxes WHERE claimed = 0 ORDER BY next_due LIMIT 1",
            &[],
            |row| row.i64(0),
        )
    }

    /// Marks an outbox as one that somebody works on; [`Txn::settle_outbox`] undoes it.
    pub fn claim_outbox(&mut self, subscription: i64) -> Result<(), Error> {
        self.execute(
            "UPDATE outboxes SET claimed = 1 WHERE subscription = ?1",
            &[subscription.into()],
        )?;
        Ok(())
    }

    /// Undoes all claims: those who made them went with the process.
    pub fn release_claims(&mut self) -> Result<(), Error> {
        self.execute("UPDATE outboxes SET claimed = 0 WHERE claimed = 1", &[])?;
        Ok(())
    }

    /// Makes the row of an outbox agree with its deliveries, and lets others work on it. It rests
    /// until `not_before`, Unix milliseconds, if that is given, whatever is put into it meanwhile.
    pub fn settle_outbox(
        &mut self,
        subscription: i64,
        not_before: Option<i64>,
    ) -> Result<(), Error> {
        let next = self.one(
            "SELECT due_at FROM deliveries WHERE subscription = ?1 ORDER BY due_at, id LIMIT 1",
            &[subscription.into()],
            |row| row.i64(0),
        )?;
        match next.max(not_before) {
            None => self
                .execute("DELETE FROM outboxes WHERE subscription = ?1", &[subscription.into()])?,
            Some(next) => self.execute(
                "UPDATE outboxes SET claimed = 0, next_due = ?2, rests_until = ?3 \
                 WHERE subscription = ?1",
                &[subscription.into(), next.into(), not_before.unwrap_or(0).into()],
            )?,
        };
        self.effect(Effect::Delivery);
        Ok(())
    }

    /// Deliveries of a subscription that are due, the earliest first.
    pub fn due_deliveries(
        &mut self,
        subscription: i64,
        limit: i64,
    ) -> Result<Vec<Delivery>, Error> {
        let now = self.now();
        self.all(
            "SELECT id, subscription, kind, publication, message_id, token, base_url, created_at, attempts, \
             due_at FROM deliveries WHERE subscription = ?1 AND due_at <= ?2 \
             ORDER BY due_at, id LIMIT ?3",
            &[subscription.into(), now.into(), limit.into()],
            read,
        )
    }

    /// Notes a failed attempt and when the next one is due.
    pub fn postpone_delivery(&mut self, id: i64, attempts: u32, due_at: i64) -> Result<(), Error> {
        self.execute(
            "UPDATE deliveries SET attempts = ?2, due_at = ?3 WHERE id = ?1",
            &[id.into(), attempts.into(), due_at.into()],
        )?;
        Ok(())
    }

    /// Removes a delivery, and what it brought if nothing else needs that.
    pub fn remove_delivery(&mut self, delivery: &Delivery) -> Result<(), Error> {
        self.execute("DELETE FROM deliveries WHERE id = ?1", &[delivery.id.into()])?;
        if let Payload::Notification(publication) = delivery.payload {
            self.drop_publication_if_done(publication)?;
        }
        Ok(())
    }

    /// How many deliveries there are, up to a limit.
    pub fn count_deliveries(&mut self, limit: i64) -> Result<i64, Error> {
        let count = self.one(
            "SELECT count(*) FROM (SELECT 1 FROM deliveries LIMIT ?1)",
            &[limit.into()],
            |row| row.i64(0),
        )?;
        Ok(count.unwrap_or(0))
    }

    /// When the oldest delivery was made, Unix milliseconds.
    pub fn oldest_delivery(&mut self) -> Result<Option<i64>, Error> {
        self.one("SELECT created_at FROM deliveries ORDER BY id LIMIT 1", &[], |row| row.i64(0))
    }
}
