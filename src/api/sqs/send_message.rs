//! SendMessage and SendMessageBatch.
//!
//! AWS: API_SendMessage, API_SendMessageBatch.

use super::shapes::{MessageAttributeValue, in_range};
use crate::api::batch::{self, Form};
use crate::api::prelude::*;
use crate::api::required;
use crate::domain::batch::check_total;
use crate::domain::limits::{DELAY_SECONDS, Limits};
use crate::domain::message_attributes::{
    self, AWS_TRACE_HEADER, AttributeValue, MessageAttributes, md5_of_body, md5_of_encoded,
};
use crate::domain::queue_attributes::QueueAttributes;
use crate::domain::{Kind, fifo, message_body};
use crate::engine::send::{OutgoingMessage, Sent, send};
use crate::store::Content;
use std::collections::BTreeMap;

/// A message to send: the input of SendMessage, and but for the QueueUrl an entry of a batch.
#[apply(input)]
pub struct Message {
    pub queue_url: Option<String>,
    pub id: Option<String>,
    pub message_body: Option<String>,
    pub delay_seconds: Option<i64>,
    pub message_attributes: Option<BTreeMap<String, MessageAttributeValue>>,
    pub message_system_attributes: Option<BTreeMap<String, MessageAttributeValue>>,
    pub message_deduplication_id: Option<String>,
    pub message_group_id: Option<String>,
}

/// The input of SendMessageBatch.
#[apply(input)]
pub struct BatchInput {
    pub queue_url: Option<String>,
    pub entries: Option<Vec<Message>>,
}

/// A message that was sent: the output of SendMessage, and with its Id an entry of a batch.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    pub md5_of_message_body: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    pub md5_of_message_attributes: Option<String>,
    #[serde(rename = "MD5OfMessageSystemAttributes", skip_serializing_if = "Option::is_none")]
    pub md5_of_message_system_attributes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence_number: Option<String>,
}

const BATCH: Form<Message> = Form {
    entry_type: "SendMessageBatchRequestEntry",
    id: |entry| entry.id.as_deref(),
    required: ("MessageBody", |entry| entry.message_body.as_deref().filter(|it| !it.is_empty())),
};

/// Sends one message.
pub async fn send_message(cx: &Context, input: Message) -> Result<Output, Refusal> {
    let address = cx.queue_in_use(input.queue_url.as_deref()).await?;
    required(input.message_body.as_deref(), "MessageBody")?;
    let mut prepared =
        refuse_lists("SendMessage", &input).and_then(|()| PreparedMessage::new(cx, input));
    let (sent, fifo, sums) = cx
        .on_queue(address, move |tx, queue| {
            let message = prepared.as_mut().map_err(|refusal| refusal.clone())?;
            message.check_ids(&queue.attributes)?;
            message.check_type(&queue.attributes)?;
            message.check_size(&queue.attributes, false)?;
            let sent = message.send(tx, &queue)?;
            Ok((sent, queue.attributes.fifo, message.sums.clone()))
        })
        .await?;
    Ok(sums.output(None, sent, fifo))
}

// Rule (SendMessageBatch): an entry that has a bad attribute fails by itself.
// Source: inferred, an entry that is too long does
// Test: tests/scenarios/batches.txt#Each entry succeeds or fails separately
//
// Rule (SendMessageBatch): an entry that is too long fails by itself; on a FIFO queue one entry without a
//   group or a deduplication id refuses the request.
// Source: recorded
// Test: tests/scenarios/batches.txt#Each entry succeeds or fails separately, tests/scenarios/batches.txt#A FIFO batch keeps its order
//
/// Sends up to ten messages; each succeeds or fails by itself, unless a required member is missing: one entry
/// without its Id, body, or the ids that a FIFO queue requires refuses all of them.
pub async fn send_message_batch(
    cx: &Context,
    input: BatchInput,
) -> Result<batch::Output<Output>, Refusal> {
    let address = cx.queue_in_use(input.queue_url.as_deref()).await?;
    let entries = BATCH.entries(cx, input.entries)?;
    entries.iter().try_for_each(|(_, entry)| refuse_lists("SendMessageBatch", entry))?;
    let limits = cx.compat_options.limits;
    let total = entries.iter().map(|(_, entry)| size_as_given(entry)).sum();
    let prepare = |(id, entry)| (id, PreparedMessage::new(cx, entry));
    let mut prepared: Vec<_> = entries.into_iter().map(prepare).collect();
    cx.on_queue(address, move |tx, queue| {
        check_total(total, limits.batch_bytes())?;
        for message in prepared.iter().flat_map(|(_, message)| message) {
            message.check_ids(&queue.attributes).map_err(as_invalid_value)?;
        }
        batch::run(&mut prepared, |id, message| {
            let message = message.as_mut().map_err(|refusal| refusal.clone())?;
            message.check_in_batch(&queue.attributes)?;
            let sent = message.send(tx, &queue)?;
            Ok(message.sums.clone().output(Some(id.to_owned()), sent, queue.attributes.fifo))
        })
    })
    .await
}

/// The size of an entry before anything about it has been checked.
fn size_as_given(entry: &Message) -> usize {
    let attributes = entry.message_attributes.iter().flatten().map(|(name, value)| {
        name.len()
            + value.data_type.as_ref().map_or(0, String::len)
            + value.string_value.as_ref().map_or(0, String::len)
            + value.binary_value.as_ref().map_or(0, |blob| blob.0.len())
    });
    entry.message_body.as_ref().map_or(0, String::len) + attributes.sum::<usize>()
}

/// The MD5 sums of a message.
#[derive(Debug, Clone)]
struct Sums {
    body: String,
    attributes: Option<String>,
    system_attributes: Option<String>,
}

impl Sums {
    fn output(self, id: Option<String>, sent: Sent, fifo: bool) -> Output {
        Output {
            id,
            message_id: sent.id.to_string(),
            md5_of_message_body: self.body,
            md5_of_message_attributes: self.attributes,
            md5_of_message_system_attributes: self.system_attributes,
            sequence_number: fifo.then(|| fifo::sequence_number(sent.sequence)),
        }
    }
}

/// A message after the checks that do not need its queue.
struct PreparedMessage {
    outgoing: OutgoingMessage,
    explicit_deduplication_id: Option<String>,
    size: usize,
    limits: Limits,
    sums: Sums,
}

impl PreparedMessage {
    // Rule (SendMessage, SendMessageBatch): DelaySeconds outside 0 to 900 is InvalidParameterValue, "Value 901 for
    //   parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
    // Source: reported, aws-samples/amazon-sqs-dlq-replay-backoff#8
    // Test: tests/scenarios/delay.txt#A delay is up to 15 minutes
    fn new(cx: &Context, message: Message) -> Result<Self, Refusal> {
        message_body::check(message.message_body.as_deref())?;
        let body = message.message_body.unwrap_or_default();
        let reason = "DelaySeconds must be >= 0 and <= 900.";
        in_range(message.delay_seconds, &DELAY_SECONDS, "DelaySeconds", reason)?;
        if let Some(group) = &message.message_group_id {
            fifo::check_message_group_id(group)?;
        }
        if let Some(id) = &message.message_deduplication_id {
            fifo::check_message_deduplication_id(id)?;
        }
        let attributes = given(message.message_attributes);
        let attributes = message_attributes::check(attributes)?;
        let system = given(message.message_system_attributes);
        let system = message_attributes::check_system(system)?;
        let sum = |attributes: &MessageAttributes| {
            let encoded = message_attributes::encode(attributes);
            (!attributes.is_empty()).then_some(encoded)
        };
        let encoded = sum(&attributes);
        let sums = Sums {
            body: md5_of_body(&body),
            attributes: encoded.as_deref().map(md5_of_encoded),
            system_attributes: sum(&system).as_deref().map(md5_of_encoded),
        };
        let trace_header = match system.get(AWS_TRACE_HEADER).map(|attribute| &attribute.value) {
            Some(AttributeValue::Text(text)) => Some(text.clone()),
            _ => cx.trace_header.clone(),
        };
        Ok(Self {
            size: body.len() + message_attributes::size(&attributes),
            limits: cx.compat_options.limits,
            outgoing: OutgoingMessage {
                content: Content {
                    body,
                    attributes: encoded,
                    sender_id: cx.caller.account.clone(),
                    trace_header,
                    deduplication_id: None,
                },
                delay_seconds: message.delay_seconds,
                group: message.message_group_id,
            },
            explicit_deduplication_id: message.message_deduplication_id,
            sums,
        })
    }

    /// Checks the ids that a message to a FIFO queue needs.
    fn check_ids(&self, queue: &QueueAttributes) -> Result<(), Refusal> {
        if !queue.fifo {
            return Ok(());
        }
        // Rule (SendMessage): a message without a message group is MissingParameter on a FIFO queue, "The request must
        //   contain the parameter MessageGroupId."
        // Source: reported, php-enqueue/sqs#2
        // Test: tests/golden/SendMessage.txt
        if self.outgoing.group.is_none() {
            return Err(Refusal::missing("MessageGroupId"));
        }
        if self.explicit_deduplication_id.is_none() && !queue.content_based_deduplication {
            return Err(fifo::no_deduplication_id());
        }
        Ok(())
    }

    /// Refuses parameters that only the other type of queue takes.
    fn check_type(&self, queue: &QueueAttributes) -> Result<(), Refusal> {
        match (&self.explicit_deduplication_id, self.outgoing.delay_seconds) {
            (Some(id), _) if !queue.fifo => {
                Err(fifo::not_for_this_type(id, "MessageDeduplicationId"))
            }
            (_, Some(seconds)) if queue.fifo && seconds > 0 => {
                Err(fifo::not_for_this_type(seconds, "DelaySeconds"))
            }
            _ => Ok(()),
        }
    }

    fn check_size(&self, queue: &QueueAttributes, in_batch: bool) -> Result<(), Refusal> {
        let maximum = self.limits.message_bytes(queue.maximum_message_size);
        message_body::check_size(self.size, maximum, in_batch)
    }

    /// Checks what concerns one entry of a batch alone.
    fn check_in_batch(&self, queue: &QueueAttributes) -> Result<(), Refusal> {
        self.check_type(queue).map_err(|_| fifo::not_for_this_type_in_batch())?;
        self.check_size(queue, true)
    }

    fn send(&mut self, tx: &mut Txn<'_>, queue: &Queue) -> Result<Sent, Refusal> {
        if queue.attributes.fifo {
            self.outgoing.content.deduplication_id = Some(fifo::deduplication_id(
                self.explicit_deduplication_id.as_deref(),
                queue.attributes.content_based_deduplication,
                &self.outgoing.content.body,
            )?);
        }
        send(tx, queue, &self.outgoing)
    }
}

/// Refuses lists of values in the attributes of a message.
fn refuse_lists(operation: &str, message: &Message) -> Result<(), Refusal> {
    let own = message.message_attributes.iter().flatten();
    let mut all = own.chain(message.message_system_attributes.iter().flatten());
    if all.any(|(_, value)| value.has_list_values()) {
        return Err(message_attributes::lists_not_supported(operation));
    }
    Ok(())
}

/// Returns attributes as the rules read them.
fn given(
    attributes: Option<BTreeMap<String, MessageAttributeValue>>,
) -> impl Iterator<Item = (String, message_attributes::AttributeInput)> {
    attributes.into_iter().flatten().map(|(name, value)| (name, value.into()))
}

/// Returns the error of a batch entry without a parameter that FIFO queues require: an invalid value, as AWS has it.
fn as_invalid_value(refusal: Refusal) -> Refusal {
    Refusal { kind: Kind::InvalidParameterValue, ..refusal }
}
