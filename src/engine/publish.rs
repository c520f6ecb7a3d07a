//! Publish: deduplicate, number, fan out.
//!
//! A notification to a queue is signed, and signing takes longer than everything else, so it does
//! not happen in the transaction. A publication that needs a signature is only drafted: it gets its
//! id and its time, leaves the transaction to be signed, and comes back to be delivered. So does one
//! whose messages are long for the topic's filters, which are asked first.

use super::access::Access;
use super::fan_out::{self, Audience, Fanout, Fanouts, Offer};
use super::outbox;
use crate::domain::limits::DEDUPLICATION_INTERVAL_MS;
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
    /// What the caller may use.
    pub access: Access,
    /// The topic.
    pub topic: TopicAddress,
    /// The messages; their form has been checked.
    pub messages: Vec<Published>,
    /// Whether they came in a batch, whose messages count together.
    pub in_batch: bool,
    /// X-Ray's header of the call.
    pub trace_header: Option<String>,
    /// What links in messages begin with.
    pub base_url: String,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// MessageId; of the first message if this one is a duplicate.
    pub id: Uuid,
    /// SequenceNumber, on FIFO topics.
    pub sequence_number: Option<String>,
}

/// A message that has to be signed.
#[derive(Debug, Clone)]
pub struct Draft {
    /// MessageId
    pub id: Uuid,
    /// Unix milliseconds.
    pub published_at: i64,
    /// How it is to be signed.
    pub version: SignatureVersion,
    /// What is to be signed; none if this message needs no signature after all.
    pub text: Option<String>,
}

/// A draft with its signature.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The draft.
    pub draft: Draft,
    /// Its signature, if it wanted one.
    pub signature: Option<Signature>,
}

/// How far a publication has come.
#[derive(Debug)]
pub enum Outcome {
    /// It is done.
    Published(Vec<Receipt>),
    /// The topic's filters are to be asked about its messages, and what they say brought back.
    ToAsk(Arc<Fanout>),
    /// Its messages are to be signed, one after the other, and brought back.
    ToSign(Vec<Draft>),
}

/// The topic as it was last seen, if its filters should be asked about these messages before they are
/// published.
pub fn topic_to_ask(fanouts: &Fanouts, request: &Request) -> Option<Arc<Fanout>> {
    if fan_out::are_soon_asked(&request.messages) {
        return None;
    }
    let topic = fanouts.latest(&request.topic)?;
    let is_to_be_asked = check(&topic, request).is_ok() && topic.takes_long(&request.messages);
    is_to_be_asked.then_some(topic)
}

/// Publishes messages to a topic. `audience`: what the topic's filters have said of them. `signed`: the
/// drafts that an earlier attempt has asked for, with their signatures.
pub fn publish(
    tx: &mut Txn<'_>,
    fanouts: &Fanouts,
    request: &Request,
    audience: Option<&Audience>,
    signed: &[Signed],
) -> Result<Outcome, Refusal> {
    let topic = fanouts.find(tx, &request.access, &request.topic)?;
    check(&topic, request)?;
    if topic.is_to_be_asked(audience, &request.messages) {
        return Ok(Outcome::ToAsk(topic));
    }
    let texts: Vec<_> = request.messages.iter().map(Published::texts).collect();
    let messages = request.messages.iter().zip(&texts).enumerate();
    let offers = messages
        .map(|(index, (message, texts))| Offer::new(message, texts, topic.wanted(audience, index)));
    let offers: Vec<_> = offers.collect();
    let leaving = request.messages.iter().zip(&offers);
    let bytes: i64 = leaving.map(|(message, offer)| topic.outbox_bytes(message, offer)).sum();
    if bytes > 0 {
        outbox::check(tx, &request.topic.account, bytes)?;
    }
    if !signed_well_enough(&topic, signed, &offers) {
        let drafts = request.messages.iter().zip(&offers);
        return Ok(Outcome::ToSign(
            drafts.map(|(message, offer)| draft(tx, &topic, message, offer)).collect(),
        ));
    }
    let mut receipts = Vec::with_capacity(request.messages.len());
    for (index, (message, offer)) in request.messages.iter().zip(&offers).enumerate() {
        receipts.push(publish_one(tx, &topic, request, message, offer, signed.get(index))?);
    }
    Ok(Outcome::Published(receipts))
}

fn check(topic: &Fanout, request: &Request) -> Result<(), Refusal> {
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

/// Whether every message that needs a signature has one, of the version that the topic wants now.
fn signed_well_enough(topic: &Fanout, signed: &[Signed], offers: &[Offer<'_>]) -> bool {
    let version = topic.attributes.signature_version();
    offers.iter().enumerate().all(|(index, offer)| {
        let signature = signed.get(index).filter(|it| it.draft.version == version);
        signature.is_some_and(|it| it.signature.is_some()) || !topic.needs_signature(offer)
    })
}

fn draft(tx: &mut Txn<'_>, topic: &Fanout, message: &Published, offer: &Offer<'_>) -> Draft {
    let (id, published_at) = (tx.fresh_id(), tx.wall_now());
    let text = topic.needs_signature(offer).then(|| {
        let texts = message.texts();
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
    topic: &Fanout,
    request: &Request,
    message: &Published,
    offer: &Offer<'_>,
    signed: Option<&Signed>,
) -> Result<Receipt, Refusal> {
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
    topic.deliver(tx, &publication, offer)?;
    let sequence_number = topic.attributes.is_fifo().then(|| fifo::sequence_number(sequence));
    Ok(Receipt { id, sequence_number })
}

/// Stands for a deduplication id within its scope.
fn deduplication_digest(topic: &Fanout, message: &Published, id: &str) -> [u8; 16] {
    let group = match topic.attributes.fifo_throughput_scope() {
        FifoThroughputScope::Topic => None,
        FifoThroughputScope::MessageGroup => message.group.as_deref(),
    };
    fifo::deduplication_digest(group, id)
}
