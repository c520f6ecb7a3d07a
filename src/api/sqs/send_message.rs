//! SendMessage and SendMessageBatch.
//!
//! AWS: API_SendMessage, API_SendMessageBatch.

use super::shapes::{BatchOutput, MessageAttributeValue};
use crate::api::Context;
use crate::domain::limits::{DELAY_SECONDS, Limits};
use crate::domain::message_attributes::{
    self, AWS_TRACE_HEADER, AttributeValue, MessageAttributes, md5_of_body, md5_of_encoded,
};
use crate::domain::queue_attributes::QueueAttributes;
use crate::domain::{Kind, Refusal, batch, fifo, message_body};
use crate::engine::queues;
use crate::engine::send::{Outgoing, Sent, send};
use crate::store::{Content, Queue, Txn};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A message to send: the input of SendMessage, and but for the QueueUrl an entry of a batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
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
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct BatchInput {
    pub queue_url: Option<String>,
    pub entries: Option<Vec<Message>>,
}

/// What became of a message: the output of SendMessage, and with its Id an entry of a batch.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
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

/// Sends one message.
pub async fn send_message(cx: &Context, input: Message) -> Result<Output, Refusal> {
    let address = cx.queue_in_use(input.queue_url.as_deref()).await?;
    if input.message_body.as_deref().is_none_or(str::is_empty) {
        return Err(Refusal::missing("MessageBody"));
    }
    let mut prepared = Prepared::new(cx, input);
    let (sent, fifo, prepared) = cx
        .runtime
        .run(move |tx| {
            let queue = queues::find(tx, &address)?;
            let message = prepared.as_mut().map_err(|refusal| refusal.clone())?;
            check_for_fifo(&queue.attributes, message, false)?;
            let sent = message.send(tx, &queue, false)?;
            Ok((sent, queue.attributes.fifo, message.sums.clone()))
        })
        .await?;
    Ok(prepared.output(None, sent, fifo))
}

/// Sends up to ten messages; each succeeds or fails by itself.
pub async fn send_message_batch(
    cx: &Context,
    input: BatchInput,
) -> Result<BatchOutput<Output>, Refusal> {
    let address = cx.queue_in_use(input.queue_url.as_deref()).await?;
    let entries = input.entries.unwrap_or_default();
    batch::check_entries(
        "SendMessageBatchRequestEntry",
        cx.conventions.limits.batch_entries(),
        entries.iter().map(|entry| entry.id.as_deref()),
    )?;
    let total = entries.iter().map(size_as_given).sum();
    let limits = cx.conventions.limits;
    let ids: Vec<String> =
        entries.iter().map(|entry| entry.id.clone().unwrap_or_default()).collect();
    let mut prepared: Vec<_> = entries.into_iter().map(|entry| Prepared::new(cx, entry)).collect();
    let (outcomes, fifo) = cx
        .runtime
        .run(move |tx| {
            let queue = queues::find(tx, &address)?;
            batch::check_total(total, limits.batch_bytes())?;
            for message in prepared.iter().flatten() {
                check_for_fifo(&queue.attributes, message, true)?;
            }
            let outcomes: Result<Vec<_>, Refusal> = prepared
                .iter_mut()
                .map(|message| match message {
                    Err(refusal) => Ok(Err(refusal.clone())),
                    Ok(message) => match message.check_size(&queue.attributes, true) {
                        Err(refusal) => Ok(Err(refusal)),
                        Ok(()) => message
                            .send(tx, &queue, true)
                            .map(|sent| Ok((sent, message.sums.clone()))),
                    },
                })
                .collect();
            Ok((outcomes?, queue.attributes.fifo))
        })
        .await?;
    Ok(BatchOutput::new(ids.into_iter().zip(outcomes).map(|(id, outcome)| {
        let entry = outcome.map(|(sent, sums)| sums.output(Some(id.clone()), sent, fifo));
        (id, entry)
    })))
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

/// A message whose form has been checked as far as that is possible without its queue.
struct Prepared {
    outgoing: Outgoing,
    explicit_deduplication_id: Option<String>,
    size: usize,
    limits: Limits,
    sums: Sums,
}

impl Prepared {
    fn new(cx: &Context, message: Message) -> Result<Self, Refusal> {
        message_body::check(message.message_body.as_deref())?;
        let body = message.message_body.unwrap_or_default();
        if let Some(seconds) = message.delay_seconds
            && !DELAY_SECONDS.contains(&seconds)
        {
            return Err(Refusal::invalid_value(
                seconds,
                "DelaySeconds",
                "DelaySeconds must be >= 0 and <= 900.",
            ));
        }
        if let Some(group) = &message.message_group_id {
            fifo::check_message_group_id(group)?;
        }
        if let Some(id) = &message.message_deduplication_id {
            fifo::check_message_deduplication_id(id)?;
        }
        let attributes = given(message.message_attributes, message_attributes::check)?;
        let system = given(message.message_system_attributes, message_attributes::check_system)?;
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
            limits: cx.conventions.limits,
            outgoing: Outgoing {
                content: Content {
                    body,
                    attributes: encoded,
                    sender_id: cx.sender_id.clone(),
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

    fn check_size(&self, queue: &QueueAttributes, in_batch: bool) -> Result<(), Refusal> {
        let maximum = self.limits.message_bytes(queue.maximum_message_size);
        message_body::check_size(self.size, maximum, in_batch)
    }

    fn send(&mut self, tx: &mut Txn<'_>, queue: &Queue, in_batch: bool) -> Result<Sent, Refusal> {
        self.check_size(&queue.attributes, in_batch)?;
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

fn given(
    attributes: Option<BTreeMap<String, MessageAttributeValue>>,
    check: impl FnOnce(Vec<(String, message_attributes::Given)>) -> Result<MessageAttributes, Refusal>,
) -> Result<MessageAttributes, Refusal> {
    let Some(attributes) = attributes else { return Ok(MessageAttributes::new()) };
    check(attributes.into_iter().map(|(name, value)| (name, value.into())).collect())
}

/// What only FIFO queues ask for, and what they refuse. In a batch a refusal here is one of the
/// whole request, and a missing group is an invalid value rather than a missing parameter.
fn check_for_fifo(
    queue: &QueueAttributes,
    message: &Prepared,
    in_batch: bool,
) -> Result<(), Refusal> {
    let deduplication_id = message.explicit_deduplication_id.as_deref();
    if !queue.fifo {
        return match deduplication_id {
            None => Ok(()),
            Some(id) => Err(fifo::not_for_this_type(id, "MessageDeduplicationId")),
        };
    }
    if message.outgoing.group.is_none() {
        let missing = Refusal::missing("MessageGroupId");
        let kind = if in_batch { Kind::InvalidParameterValue } else { missing.kind };
        return Err(Refusal { kind, ..missing });
    }
    if deduplication_id.is_none() && !queue.content_based_deduplication {
        fifo::deduplication_id(None, false, "")?;
    }
    match message.outgoing.delay_seconds {
        Some(seconds) if seconds > 0 => Err(fifo::not_for_this_type(seconds, "DelaySeconds")),
        _ => Ok(()),
    }
}
