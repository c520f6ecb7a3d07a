//! Publish: deduplicate, number, fan out.
//!
//! Two things take longer than other jobs should wait for a transaction: signing notifications to queues, and evaluating
//! filters on long messages. A transaction that needs one of them returns what is to be done instead of publishing; the
//! caller does it and runs another transaction with the result.

use super::access::Access;
use super::topic_snapshot::{Subscriber, TopicCache, TopicSnapshot};
use super::{fan_out, outbox};
use crate::domain::limits::DEDUPLICATION_INTERVAL_MS;
use crate::domain::message_structure::MessageTexts;
use crate::domain::notification::{Notification, Signature, SignatureVersion};
use crate::domain::sns_endpoint::Protocol;
use crate::domain::sns_message::{self, Published};
use crate::domain::topic_address::TopicAddress;
use crate::domain::topic_attributes::FifoThroughputScope;
use crate::domain::{Refusal, fifo};
use crate::store::{Duplicate, Publication, Txn};
use std::sync::Arc;
use uuid::Uuid;

/// Messages that are to be published to one topic.
#[derive(Debug, Clone)]
pub struct Request {
    /// What the call may use.
    pub access: Access,
    /// The topic.
    pub topic: TopicAddress,
    /// The messages; their form has been checked.
    pub messages: Vec<Published>,
    /// Whether they came in a batch, where the sizes of messages add up.
    pub in_batch: bool,
    /// X-Ray's header of the call.
    pub trace_header: Option<String>,
    /// The beginning of links in messages.
    pub base_url: String,
}

/// The answer for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// MessageId; of the first message if this one is a duplicate.
    pub id: Uuid,
    /// SequenceNumber, on FIFO topics.
    pub sequence_number: Option<String>,
}

/// A message that may have to be signed.
#[derive(Debug, Clone)]
pub struct Draft {
    /// MessageId
    pub id: Uuid,
    /// Unix milliseconds.
    pub published_at: i64,
    /// The version of the signature.
    pub version: SignatureVersion,
    /// The text to sign, if this message needs a signature.
    pub text: Option<String>,
}

/// A draft with its signature.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The draft.
    pub draft: Draft,
    /// Its signature, if it needs one.
    pub signature: Option<Signature>,
}

/// The result of a transaction.
#[derive(Debug)]
pub enum Outcome {
    /// The messages are published.
    Published(Vec<Receipt>),
    /// The messages have to be filtered by [`TopicSnapshot::filter`].
    ToFilter(Arc<TopicSnapshot>),
    /// The messages have to be signed, in this order.
    ToSign(Vec<Draft>),
}

/// A message with what is found out about it once for all of its recipients.
struct Prepared<'p> {
    message: &'p Published,
    texts: MessageTexts<'p>,
    recipients: Vec<&'p Subscriber>,
}

/// Publishes messages to a topic. `accepting` and `signed` are what earlier transactions of the call have asked for: for
/// each message the ids of the subscriptions whose filters let it through, and the signed draft.
pub fn publish(
    tx: &mut Txn<'_>,
    topics: &TopicCache,
    request: &Request,
    accepting: Option<&[Vec<i64>]>,
    signed: &[Signed],
) -> Result<Outcome, Refusal> {
    let topic = topics.find(tx, &request.access, &request.topic)?;
    check(&topic, request)?;
    if accepting.is_none() && topic.takes_long_to_filter(&request.messages) {
        return Ok(Outcome::ToFilter(topic));
    }
    let prepared: Vec<_> = request
        .messages
        .iter()
        .enumerate()
        .map(|(index, message)| {
            let texts = message.texts();
            let accepting = accepting.and_then(|it| it.get(index)).map(Vec::as_slice);
            let recipients = topic.recipients(message, &texts, accepting);
            Prepared { message, texts, recipients }
        })
        .collect();
    let bytes: i64 = prepared.iter().map(|it| topic.outbox_bytes(it.message, &it.recipients)).sum();
    if bytes > 0 {
        outbox::check(tx, &request.topic.account, bytes)?;
    }
    if !signed_well_enough(&topic, signed, &prepared) {
        return Ok(Outcome::ToSign(prepared.iter().map(|it| draft(tx, &topic, it)).collect()));
    }
    let mut receipts = Vec::with_capacity(prepared.len());
    for (index, message) in prepared.iter().enumerate() {
        receipts.push(publish_one(tx, &topic, request, message, signed.get(index))?);
    }
    Ok(Outcome::Published(receipts))
}

fn check(topic: &TopicSnapshot, request: &Request) -> Result<(), Refusal> {
    for message in &request.messages {
        if topic.attributes.is_fifo() && request.in_batch {
            sns_message::check_group(message)?;
        }
    }
    for message in &request.messages {
        sns_message::check_for_topic(&topic.attributes, message)?;
    }
    let maximum = topic.attributes.maximum_message_size();
    let total: usize = request.messages.iter().map(Published::size).sum();
    if request.in_batch && total > maximum {
        return Err(sns_message::batch_too_long());
    }
    sns_message::check_size(total, maximum)
}

/// Returns whether every message that needs a signature has one of the topic's version.
fn signed_well_enough(topic: &TopicSnapshot, signed: &[Signed], messages: &[Prepared<'_>]) -> bool {
    let version = topic.attributes.signature_version();
    messages.iter().enumerate().all(|(index, message)| {
        let signature = signed.get(index).filter(|it| it.draft.version == version);
        signature.is_some_and(|it| it.signature.is_some())
            || !topic.needs_signature(&message.recipients)
    })
}

fn draft(tx: &mut Txn<'_>, topic: &TopicSnapshot, prepared: &Prepared<'_>) -> Draft {
    let Prepared { message, texts, recipients } = prepared;
    let (id, published_at) = (tx.fresh_id(), tx.wall_now());
    let text = topic.needs_signature(recipients).then(|| {
        let notification = Notification {
            message_id: id,
            sequence_number: None,
            topic_arn: &topic.arn,
            subject: message.subject.as_deref(),
            message: texts.for_protocol(Protocol::Sqs.name()),
            published_at,
            attributes: &message.attributes,
            subscription_arn: "",
            replayed: false,
        };
        notification.string_to_sign()
    });
    Draft { id, published_at, version: topic.attributes.signature_version(), text }
}

// Rule (Publish, PublishBatch): a duplicate within five minutes is answered with the MessageId and the SequenceNumber of
//   the first message, and is not delivered.
// Source: recorded
// Test: tests/recorded/sns.jsonl#sns-fifo-republish-within-window-id, tests/recorded/sns.jsonl#sns-fifo-batch-republished-same-ids-and-numbers-id, tests/scenarios/fifo_topics.txt#A duplicate within five minutes
fn publish_one(
    tx: &mut Txn<'_>,
    topic: &TopicSnapshot,
    request: &Request,
    prepared: &Prepared<'_>,
    signed: Option<&Signed>,
) -> Result<Receipt, Refusal> {
    let message = prepared.message;
    let sequence = tx.next_sequence()?;
    let (id, published_at) = match signed {
        Some(signed) => (signed.draft.id, signed.draft.published_at),
        None => (tx.fresh_id(), tx.wall_now()),
    };
    let mut published = message.clone();
    if topic.attributes.is_fifo() {
        let deduplication_id = message.effective_deduplication_id();
        let digest = deduplication_digest(topic, message, &deduplication_id);
        let this = Duplicate { id, sequence };
        let expires_at = tx.now() + DEDUPLICATION_INTERVAL_MS;
        if let Some(first) = tx.remember_deduplication(topic.id, &digest, &this, expires_at)? {
            let sequence_number = Some(fifo::sequence_number(first.sequence));
            return Ok(Receipt { id: first.id, sequence_number });
        }
        published.deduplication_id = Some(deduplication_id);
    }
    let publication = Publication {
        id: sequence,
        topic: topic.id,
        message_id: id,
        published_at,
        published,
        trace_header: request.trace_header.clone(),
        base_url: request.base_url.clone(),
        signature: signed.and_then(|signed| signed.signature.clone()),
        archived: topic.attributes.archive_days().is_some(),
    };
    fan_out::deliver(tx, topic, &publication, &prepared.texts, &prepared.recipients)?;
    let sequence_number = topic.attributes.is_fifo().then(|| fifo::sequence_number(sequence));
    Ok(Receipt { id, sequence_number })
}

/// Returns the digest of a deduplication id within its scope.
fn deduplication_digest(topic: &TopicSnapshot, message: &Published, id: &str) -> [u8; 16] {
    let group = match topic.attributes.fifo_throughput_scope() {
        FifoThroughputScope::Topic => None,
        FifoThroughputScope::MessageGroup => message.group.as_deref(),
    };
    fifo::deduplication_digest(group, id)
}
