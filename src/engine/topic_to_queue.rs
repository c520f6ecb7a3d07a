//! Messages of topics on their way into queues, and into the dead-letter queues of subscriptions.

use super::access::may_deliver;
use super::send::{Outgoing, send};
use crate::domain::address::QueueAddress;
use crate::domain::message_attributes::{self, MessageAttributes};
use crate::domain::sns_endpoint::Protocol;
use crate::domain::{Refusal, message_body};
use crate::store::{Content, DeliveryStatus, Effect, Txn};
use uuid::Uuid;

/// SenderId of messages that come from a topic: an identity of the service.
const SENDER_ID: &str = "AIDASQUABSNSDELIVERY1";

/// Body and attributes of a message that every queue takes, if it is not too long for it.
#[derive(Debug, Clone)]
pub(super) struct QueueContent {
    body: String,
    /// In their stored form, if there are any.
    attributes: Option<Vec<u8>>,
    attributes_size: usize,
}

impl QueueContent {
    /// Checks body and attributes by the rules of SQS. The error is a reason.
    pub fn new(body: String, attributes: &MessageAttributes) -> Result<Self, String> {
        message_attributes::validate(attributes)
            .and_then(|()| message_body::check(Some(&body)).map(drop))
            .map_err(|refusal| refusal.message.into_owned())?;
        let encoded = (!attributes.is_empty()).then(|| message_attributes::encode(attributes));
        Ok(Self {
            attributes_size: message_attributes::size(attributes),
            attributes: encoded,
            body,
        })
    }

    /// Returns an envelope as the body. It is JSON, which escapes all characters that a queue refuses.
    pub fn envelope(body: String) -> Self {
        Self { body, attributes: None, attributes_size: 0 }
    }
}

/// A message for a queue.
#[derive(Debug)]
pub(super) struct ForQueue<'m> {
    /// ARN of the topic.
    pub topic_arn: &'m str,
    /// Body and attributes, or why no queue takes them.
    pub content: Result<QueueContent, String>,
    /// MessageGroupId
    pub group: Option<&'m str>,
    /// MessageDeduplicationId, for a FIFO queue.
    pub deduplication_id: Option<&'m str>,
    /// X-Ray's header.
    pub trace_header: Option<&'m str>,
}

/// Puts a message into a queue by the rules of SQS. The inner error is the reason why that is impossible.
pub(super) fn put(
    tx: &mut Txn<'_>,
    address: &QueueAddress,
    message: ForQueue<'_>,
) -> Result<Result<(), String>, Refusal> {
    let ForQueue { topic_arn, content, group, deduplication_id, trace_header } = message;
    let Some(queue) = tx.queue(address)? else {
        return Ok(Err(format!("The queue {} does not exist.", address.arn())));
    };
    if !may_deliver(tx, topic_arn, &queue) {
        return Ok(Err(format!(
            "The policy of the queue {} does not allow sns.amazonaws.com to send to it.",
            address.arn()
        )));
    }
    let QueueContent { body, attributes, attributes_size } = match content {
        Ok(content) => content,
        Err(reason) => return Ok(Err(reason)),
    };
    let size = body.len() + attributes_size;
    if let Err(refusal) =
        message_body::check_size(size, queue.attributes.maximum_message_size, false)
    {
        return Ok(Err(refusal.message.into_owned()));
    }
    let fifo = queue.attributes.fifo;
    let outgoing = Outgoing {
        content: Content {
            attributes,
            deduplication_id: deduplication_id.filter(|_| fifo).map(str::to_owned),
            body,
            sender_id: SENDER_ID.to_owned(),
            trace_header: trace_header.map(str::to_owned),
        },
        delay_seconds: None,
        group: group.map(str::to_owned),
    };
    send(tx, &queue, &outgoing)?;
    Ok(Ok(()))
}

/// Where a message should have gone.
#[derive(Debug)]
pub struct Destination<'d> {
    /// ARN of the subscription.
    pub arn: &'d str,
    /// ARN of the topic.
    pub topic_arn: &'d str,
    /// How it should have gone there.
    pub protocol: Protocol,
    /// Its endpoint.
    pub endpoint: &'d str,
    /// The queue for what does not arrive.
    pub dead_letter_queue: Option<&'d QueueAddress>,
}

/// A message that does not arrive.
#[derive(Debug)]
pub struct Undelivered<'u> {
    /// MessageId, if it is a message of a topic.
    pub message_id: Option<Uuid>,
    /// MessageGroupId
    pub group: Option<&'u str>,
    /// The deduplication id that a FIFO topic has gone by.
    pub deduplication_id: Option<&'u str>,
    /// What the endpoint would have got.
    pub body: String,
    /// What was published beside a raw body; none beside an envelope.
    pub attributes: MessageAttributes,
    /// Why it does not arrive.
    pub reason: &'u str,
    /// Attempts that were made.
    pub attempts: u32,
}

/// Puts a message that does not arrive into the dead-letter queue, if there is one, and reports it.
// Rule (deliveries): the copy in a dead-letter queue is what the endpoint would have got. It has only the
//   attributes that the publisher sent, and in an envelope none.
// Source: recorded
// Test: tests/scenarios/topic_dead_letters.txt#The dead letter is the notification as the endpoint would have received it
pub fn give_up(
    tx: &mut Txn<'_>,
    to: &Destination<'_>,
    undelivered: Undelivered<'_>,
) -> Result<(), Refusal> {
    let mut dead_letter_queue = None;
    let mut failure = undelivered.reason.to_owned();
    if let Some(queue) = to.dead_letter_queue {
        let Undelivered { body, attributes, group, deduplication_id, .. } = undelivered;
        let message = ForQueue {
            topic_arn: to.topic_arn,
            content: QueueContent::new(body, &attributes),
            group,
            deduplication_id,
            trace_header: None,
        };
        match put(tx, queue, message)? {
            Ok(()) => dead_letter_queue = Some(queue.arn()),
            Err(reason) => failure = format!("{failure} And the dead-letter queue: {reason}"),
        }
    }
    tx.effect(Effect::Delivered { protocol: to.protocol, success: false, count: 1 });
    tx.effect(Effect::DeliveryStatus(Box::new(DeliveryStatus {
        subscription_arn: to.arn.to_owned(),
        message_id: undelivered.message_id,
        protocol: to.protocol,
        endpoint: to.endpoint.to_owned(),
        attempts: undelivered.attempts,
        failure: Some(failure),
        dead_letter_queue,
    })));
    Ok(())
}
