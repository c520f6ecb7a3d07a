//! The outbox: due deliveries and their results.
//!
//! The outbox worker claims the outbox of a subscription, loads the due deliveries, attempts them outside any
//! transaction, and records each outcome. A claim is exclusive. Claims end with the process, deliveries do
//! not.

use super::capture::{Captured, capture};
use super::fan_out::is_sampled;
use super::topic_to_queue::{
    Destination, ForQueue, QueueContent, UndeliveredMessage, give_up, put,
};
use crate::domain::Refusal;
use crate::domain::address::{QueueAddress, has_fifo_suffix};
use crate::domain::delivery_outcome::Outcome;
use crate::domain::delivery_policy::{EffectiveDeliveryPolicy, RetrySchedule};
use crate::domain::delivery_shares::Shares;
use crate::domain::limits::MESSAGE_ATTRIBUTES;
use crate::domain::message_attributes::MessageAttributes;
use crate::domain::namespace::Namespace;
use crate::domain::notification::{CONFIRMATION_SUBJECT, NOTIFICATION_SUBJECT, SignatureVersion};
use crate::domain::sns_endpoint::Protocol;
use crate::store::{
    Confirmation, Delivery, DeliveryStatus, Effect, Payload, Publication, ReadyOutbox,
    Subscription, SubscriptionState, Txn,
};

/// Approximate bytes of messages loaded for one subscription at a time, because many subscriptions may wait for
/// their endpoints.
const PAGE_BYTES: usize = 256 * 1024;
/// Outboxes that one transaction marks as ready.
const READIED: i64 = 500;

/// The due deliveries of one subscription.
#[derive(Debug, Clone)]
pub struct Outbox {
    /// The subscription.
    pub subscription: Subscription,
    /// The signature version of its topic.
    pub version: SignatureVersion,
    /// Retries, rate and Content-Type.
    pub policy: EffectiveDeliveryPolicy,
    /// The percentage of successes to log.
    pub success_sample_rate: u8,
    /// The due deliveries, earliest first.
    pub due_deliveries: Vec<DueDelivery>,
}

/// A delivery with its message.
#[derive(Debug, Clone)]
pub struct DueDelivery {
    /// The row of the outbox.
    pub delivery: Delivery,
    /// The message of a notification.
    pub publication: Option<Publication>,
}

/// An outbox to serve, and the account and destination whose slot it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Id of the subscription.
    pub subscription: i64,
    /// Its account.
    pub account: String,
    /// Its destination.
    pub destination: String,
}

/// The claims of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The claimed outboxes.
    pub claims: Vec<Claim>,
    /// Whether more outboxes may be due than this transaction has checked.
    pub more: bool,
    /// When the next outbox is due, in Unix milliseconds.
    pub next_due: Option<i64>,
}

/// Claims up to `limit` outboxes with due deliveries whose accounts and destinations may get slots.
pub fn claim(tx: &mut Txn<'_>, mut shares: Shares, limit: usize) -> Result<Claims, Refusal> {
    let more = tx.ready_outboxes(READIED)?;
    let mut claims = Vec::new();
    while claims.len() < limit
        && let Some(claim) = next_claim(tx, &shares)?
    {
        tx.claim_outbox(claim.subscription)?;
        shares.take(&claim.account, &claim.destination);
        claims.push(claim);
    }
    let more = more || claims.len() == limit;
    Ok(Claims { claims, more, next_due: tx.next_outbox_due()? })
}

/// Returns the next outbox that may be served: accounts take turns. Accounts that may get no slot hold at least
/// one, so there are never more of them than slots.
fn next_claim(tx: &mut Txn<'_>, shares: &Shares) -> Result<Option<Claim>, Refusal> {
    if shares.free() == 0 {
        return Ok(None);
    }
    let mut after = shares.turn().to_owned();
    let mut is_second_round = after.is_empty();
    loop {
        let Some(account) = tx.next_ready_account(&after)? else {
            if is_second_round {
                return Ok(None);
            }
            is_second_round = true;
            after.clear();
            continue;
        };
        if shares.admit_account(&account)
            && let Some(found) = next_of_account(tx, shares, &account)?
        {
            let ReadyOutbox { subscription, destination } = found;
            return Ok(Some(Claim { subscription, account, destination }));
        }
        after = account;
    }
}

/// Returns the next outbox of an account that may be served: its destinations take turns.
fn next_of_account(
    tx: &mut Txn<'_>,
    shares: &Shares,
    account: &str,
) -> Result<Option<ReadyOutbox>, Refusal> {
    let mut after = shares.turn_of(account).to_owned();
    let mut is_second_round = after.is_empty();
    loop {
        match tx.next_ready_outbox(account, &after)? {
            Some(outbox) if shares.admit(account, &outbox.destination) => return Ok(Some(outbox)),
            Some(outbox) => after = outbox.destination,
            None if is_second_round => return Ok(None),
            None => {
                is_second_round = true;
                after.clear();
            }
        }
    }
}

/// Returns the due deliveries of a claimed outbox, up to a limit and to the rate of its policy. Returns `None` if
/// there are none, and releases the claim.
pub fn load(tx: &mut Txn<'_>, subscription: i64, limit: i64) -> Result<Option<Outbox>, Refusal> {
    let Some(found) = tx.subscription_by_id(subscription)? else {
        for delivery in tx.due_deliveries(subscription, limit)? {
            tx.remove_delivery(&delivery)?;
        }
        tx.release_outbox(subscription, None)?;
        return Ok(None);
    };
    let topic = tx.topic_by_id(found.topic)?.map(|topic| topic.attributes).unwrap_or_default();
    let own = found.attributes.delivery_policy().unwrap_or_default();
    let mut policy = own.effective(topic.delivery_policy().as_ref());
    if !found.protocol.is_http() {
        policy.retries = schedule(found.protocol);
        policy.max_receives_per_second = None;
    }
    let limit = policy.max_receives_per_second.map_or(limit, |rate| limit.min(rate.into()));
    let (mut due_deliveries, mut bytes) = (Vec::new(), 0);
    for delivery in tx.due_deliveries(subscription, limit)? {
        if bytes >= PAGE_BYTES {
            break;
        }
        let publication = match delivery.payload {
            Payload::Notification(id) => tx.publication(id)?,
            _ => None,
        };
        if is_wanted(&found, &delivery.payload, publication.as_ref()) {
            bytes += publication.as_ref().map_or(0, |publication| publication.published.size());
            due_deliveries.push(DueDelivery { delivery, publication });
        } else {
            tx.remove_delivery(&delivery)?;
        }
    }
    if due_deliveries.is_empty() {
        tx.release_outbox(subscription, None)?;
        return Ok(None);
    }
    let feedback = found.protocol.feedback_name();
    Ok(Some(Outbox {
        version: topic.signature_version(),
        policy,
        success_sample_rate: feedback.map_or(0, |name| topic.success_sample_rate(name)),
        subscription: found,
        due_deliveries,
    }))
}

/// Returns the fixed retries of protocols without a delivery policy.
fn schedule(protocol: Protocol) -> RetrySchedule {
    match protocol {
        Protocol::Lambda | Protocol::Sqs | Protocol::Firehose => RetrySchedule::AWS_MANAGED,
        _ => RetrySchedule::CUSTOMER_MANAGED,
    }
}

/// Returns whether a delivery is still valid, because its subscription may have changed meanwhile.
fn is_wanted(
    subscription: &Subscription,
    payload: &Payload,
    publication: Option<&Publication>,
) -> bool {
    match payload {
        Payload::Notification(_) => {
            publication.is_some() && subscription.state == SubscriptionState::Confirmed
        }
        Payload::SubscriptionConfirmation(_) => subscription.state == SubscriptionState::Pending,
        Payload::UnsubscribeConfirmation(_) => subscription.state == SubscriptionState::Ended,
    }
}

/// Records the outcome of an attempt. `body` is the notification, for the dead-letter queue. `mail_is_private` says
/// whether only the owners of mailboxes may see their confirmations.
// Rule (deliveries): a failed attempt is retried according to the delivery policy, by default three times, 20 seconds
//   apart. After the last, or at once after a permanent failure, the message goes to the dead-letter queue.
// Source: documented, https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
// Test: tests/scenarios/endpoints.txt#By the default policy, tests/scenarios/endpoints.txt#What will never succeed is not tried again
pub fn finish(
    tx: &mut Txn<'_>,
    outbox: &Outbox,
    due: &DueDelivery,
    outcome: &Outcome,
    body: &str,
    mail_is_private: bool,
) -> Result<(), Refusal> {
    let delivery = &due.delivery;
    let attempts = delivery.attempts + 1;
    let next = attempts + 1 + u32::from(fault!("delivery-given-up-early"));
    let is_shown = due.publication.is_some() || !mail_is_private;
    if outbox.subscription.protocol.is_mail() && is_shown && attempts == 1 {
        keep_mail(tx, outbox, due, body)?;
    }
    match outcome {
        Outcome::Delivered { .. } => {
            tx.remove_delivery(delivery)?;
            delivered(tx, outbox, due, attempts);
            Ok(())
        }
        Outcome::Retry { reason, .. } => match outbox.policy.retries.delay_before(next) {
            Some(delay) => {
                let due_at = tx.now() + i64::try_from(delay.as_millis()).unwrap_or(i64::MAX / 2);
                Ok(tx.postpone_delivery(delivery.id, attempts, due_at)?)
            }
            None => fail(tx, outbox, due, reason, body),
        },
        Outcome::Permanent { reason, .. } => fail(tx, outbox, due, reason, body),
    }
}

/// Sends the confirmation request for a queue as a message to that queue. In a FIFO queue each request is a
/// message group of its own.
pub fn ask_in_queue(
    tx: &mut Txn<'_>,
    outbox: &Outbox,
    question: &Confirmation,
    body: &str,
) -> Result<Outcome, Refusal> {
    let Some(queue) = QueueAddress::from_arn(&outbox.subscription.endpoint) else {
        return Ok(Outcome::permanent("The endpoint is not the ARN of a queue."));
    };
    let id = question.message_id.to_string();
    let fifo_id = has_fifo_suffix(&queue.name).then_some(id.as_str());
    let message = ForQueue {
        topic_arn: &outbox.subscription.topic_arn,
        content: QueueContent::new(body.to_owned(), &MessageAttributes::new()),
        group: fifo_id,
        deduplication_id: fifo_id,
        trace_header: None,
    };
    Ok(match put(tx, &queue, message)? {
        Ok(()) => Outcome::Delivered { status: 200 },
        Err(reason) => Outcome::permanent(reason),
    })
}

fn delivered(tx: &mut Txn<'_>, outbox: &Outbox, due: &DueDelivery, attempts: u32) {
    let subscription = &outbox.subscription;
    let protocol = subscription.protocol;
    tx.effect(Effect::Delivered { protocol, success: true, count: 1 });
    // Confirmations are not logged, because they are not messages of the topic.
    let message_id = due.publication.as_ref().map(|publication| publication.message_id);
    if message_id.is_some_and(|id| is_sampled(id, outbox.success_sample_rate)) {
        tx.effect(Effect::DeliveryStatus(Box::new(DeliveryStatus {
            subscription_arn: subscription.arn(),
            message_id,
            protocol,
            endpoint: subscription.endpoint.clone(),
            attempts,
            failure: None,
            dead_letter_queue: None,
        })));
    }
}

/// Captures an email, whether or not a relay accepts it.
fn keep_mail(
    tx: &mut Txn<'_>,
    outbox: &Outbox,
    due: &DueDelivery,
    text: &str,
) -> Result<(), Refusal> {
    let subscription = &outbox.subscription;
    let message_id = match (&due.delivery.payload, &due.publication) {
        (
            Payload::SubscriptionConfirmation(confirmation)
            | Payload::UnsubscribeConfirmation(confirmation),
            _,
        ) => confirmation.message_id,
        (Payload::Notification(_), publication) => {
            publication.as_ref().map(|publication| publication.message_id).unwrap_or_default()
        }
    };
    let published = due.publication.as_ref().map(|publication| &publication.published);
    let captured = Captured {
        message_id,
        topic_arn: Some(&subscription.topic_arn),
        subscription_arn: Some(&subscription.arn()),
        target: &subscription.endpoint,
        subject: Some(match published {
            None => CONFIRMATION_SUBJECT,
            Some(published) => published.subject.as_deref().unwrap_or(NOTIFICATION_SUBJECT),
        }),
        message: text,
        structured: published.is_some_and(|published| published.structured),
        attributes: &published.map(|published| published.attributes.clone()).unwrap_or_default(),
    };
    capture(
        tx,
        Namespace::new(&subscription.account, &subscription.region),
        subscription.protocol,
        &captured,
    )
    .map(drop)
}

fn fail(
    tx: &mut Txn<'_>,
    outbox: &Outbox,
    due: &DueDelivery,
    reason: &str,
    body: &str,
) -> Result<(), Refusal> {
    tx.remove_delivery(&due.delivery)?;
    let subscription = &outbox.subscription;
    // A confirmation does not become a dead letter, because the endpoint is not subscribed.
    let publication = due.publication.as_ref();
    // A queue limits the number of attributes; the body matters more than the attributes.
    let beside = publication
        .filter(|_| subscription.attributes.is_raw())
        .map(|publication| &publication.published.attributes)
        .filter(|attributes| attributes.len() <= MESSAGE_ATTRIBUTES);
    let dead_letter_queue = publication
        .filter(|_| !fault!("failed-delivery-is-no-dead-letter"))
        .and_then(|_| subscription.attributes.dead_letter_queue());
    let destination = Destination {
        arn: &subscription.arn(),
        topic_arn: &subscription.topic_arn,
        protocol: subscription.protocol,
        endpoint: &subscription.endpoint,
        dead_letter_queue: dead_letter_queue.as_ref(),
    };
    let undelivered = UndeliveredMessage {
        message_id: publication.map(|publication| publication.message_id),
        group: None,
        deduplication_id: None,
        body: body.to_owned(),
        attributes: beside.cloned().unwrap_or_default(),
        reason,
        attempts: due.delivery.attempts + 1,
    };
    give_up(tx, &destination, undelivered)
}

/// Releases the claim on an outbox. It rests until `not_before`, in Unix milliseconds, because its policy limits
/// its rate.
pub fn release(
    tx: &mut Txn<'_>,
    subscription: i64,
    not_before: Option<i64>,
) -> Result<(), Refusal> {
    Ok(tx.release_outbox(subscription, not_before)?)
}
