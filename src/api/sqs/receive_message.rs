//! ReceiveMessage.
//!
//! AWS: API_ReceiveMessage.

use super::shapes::{MessageAttributeValue, in_range};
use crate::api::prelude::*;
use crate::domain::limits::{Limits, RECEIVED_MESSAGES, UNLIMITED_RECEIVE, VISIBILITY_TIMEOUT};
use crate::domain::message_attributes::{self, NameFilter, md5, md5_of_body, md5_of_encoded};
use crate::domain::{fifo, queue_attributes};
use crate::engine::receive::{ReceivedMessage, Request};
use crate::runtime::clock::Clock;
use crate::store::Content;
use crate::wire::longest_encoded;
use std::collections::BTreeMap;

/// The input of ReceiveMessage.
#[apply(input)]
pub struct Input {
    pub queue_url: Option<String>,
    pub attribute_names: Option<Vec<String>>,
    pub message_system_attribute_names: Option<Vec<String>>,
    pub message_attribute_names: Option<Vec<String>>,
    pub max_number_of_messages: Option<i64>,
    pub visibility_timeout: Option<i64>,
    pub wait_time_seconds: Option<i64>,
    pub receive_request_attempt_id: Option<String>,
}

/// The output of ReceiveMessage.
#[apply(output)]
pub struct Output {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
}

/// A received message. Empty maps, and maps that were not requested, are left out.
#[apply(output)]
pub struct Message {
    pub message_id: String,
    pub receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    pub md5_of_body: String,
    pub body: String,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub attributes: IndexMap<&'static str, String>,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    pub md5_of_message_attributes: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub message_attributes: BTreeMap<String, MessageAttributeValue>,
}

/// Receives messages. A long poll waits for the first one.
pub async fn receive_message(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let address = cx.queue_in_use(input.queue_url.as_deref()).await?;
    let names = input
        .attribute_names
        .iter()
        .flatten()
        .chain(input.message_system_attribute_names.iter().flatten());
    let most = most_messages(cx, input.max_number_of_messages);
    let checked = check(&input, cx.compat_options.limits, most.is_none())
        .and_then(|()| SystemAttributes::named(names));
    let requested = match checked {
        Ok(requested) => requested,
        // A missing queue is reported before an invalid parameter.
        Err(refusal) => {
            cx.on_queue(address, |_, _| Ok(())).await?;
            return Err(refusal);
        }
    };
    let request = Request {
        access: cx.caller.access.clone(),
        max: most.or(input.max_number_of_messages).map_or(1, |max| max as usize),
        visibility_timeout: input.visibility_timeout,
        attempt_id: input.receive_request_attempt_id,
        may_wait: false,
        may_receive: true,
        response_bytes: 0,
        encoded_size_bound,
    };
    let filter = NameFilter::new(input.message_attribute_names.iter().flatten());
    let received = match cx.receive_overrides.wait_time_seconds {
        // With LocalStack's header a receive waits for all messages that it wants.
        Some(seconds) => cx.runtime.collect(address, request, seconds, &cx.charge).await?,
        None => cx.runtime.receive(address, request, input.wait_time_seconds, &cx.charge).await?,
    };
    let clock = cx.runtime.clock().as_ref();
    let messages =
        received.into_iter().map(|received| shape(shown(received, clock), &requested, &filter));
    Ok(Output { messages: messages.collect() })
}

/// Returns the requested number of messages if AWS's limit of ten does not apply: by a header, by -1 for
/// all, or by configuration. They must fit one response and one transaction.
fn most_messages(cx: &Context, given: Option<i64>) -> Option<i64> {
    let wanted = match (cx.receive_overrides.message_count, given) {
        (Some(count), _) => count,
        (None, Some(-1)) if cx.compat_options.receive_overrides => -1,
        (None, Some(count)) if cx.compat_options.unlimited_receives && count > 0 => count,
        (None, _) => return None,
    };
    let all = if wanted < 0 { UNLIMITED_RECEIVE } else { wanted };
    Some(all.clamp(1, UNLIMITED_RECEIVE))
}

fn check(input: &Input, limits: Limits, limited: bool) -> Result<(), Refusal> {
    if limited {
        let reason = "Must be between 1 and 10, if provided.";
        in_range(input.max_number_of_messages, &RECEIVED_MESSAGES, "MaxNumberOfMessages", reason)?;
    }
    let (waits, hides) = (input.wait_time_seconds, input.visibility_timeout);
    let reason = "Must be >= 0 and <= 20, if provided.";
    in_range(waits, &limits.wait_time_seconds(), "WaitTimeSeconds", reason)?;
    let reason = "Must be >= 0 and <= 43200, if provided.";
    in_range(hides, &VISIBILITY_TIMEOUT, "VisibilityTimeout", reason)?;
    match &input.receive_request_attempt_id {
        Some(id) => fifo::check_receive_request_attempt_id(id),
        None => Ok(()),
    }
}

/// Returns an upper bound of the bytes of a message in a response of any protocol.
pub fn encoded_size_bound(content: &Content) -> usize {
    // Element names, and members of bounded length: IDs, digests, times, the group.
    const REST: usize = 2 * 1024;
    // Names of elements around ten attributes.
    const AROUND_ATTRIBUTES: usize = 1_280;
    // The length of `&quot;`.
    const LONGEST_ESCAPE: usize = 6;
    let texts = [Some(&content.body), content.trace_header.as_ref()];
    let texts: usize = texts.into_iter().flatten().map(|text| longest_encoded(text)).sum();
    let attributes = content.attributes.as_ref();
    REST + texts + attributes.map_or(0, |them| AROUND_ATTRIBUTES + LONGEST_ESCAPE * them.len())
}

/// Returns the value of a system attribute of a message, if it has one.
type SystemAttribute = fn(&ReceivedMessage) -> Option<String>;

/// The system attributes, in the order of the response.
const SYSTEM_ATTRIBUTES: &[(&str, SystemAttribute)] = &[
    ("SenderId", |received| Some(received.content.sender_id.clone())),
    ("SentTimestamp", |received| Some(received.message.sent_at.to_string())),
    ("ApproximateReceiveCount", |received| Some(received.message.receive_count.to_string())),
    ("ApproximateFirstReceiveTimestamp", |received| {
        let was_received = received.message.receive_count > 0;
        was_received.then(|| received.message.first_received_at.to_string())
    }),
    // All messages of FIFO queues have a deduplication ID, and no others.
    ("SequenceNumber", |received| {
        let is_fifo = received.content.deduplication_id.is_some();
        is_fifo.then(|| fifo::sequence_number(received.message.sequence))
    }),
    ("MessageDeduplicationId", |received| received.content.deduplication_id.clone()),
    ("MessageGroupId", |received| received.group.clone()),
    ("AWSTraceHeader", |received| received.content.trace_header.clone()),
    ("DeadLetterQueueSourceArn", |received| received.message.dead_letter_source.clone()),
];

/// The requested system attributes, one bit each in the order of the table.
struct SystemAttributes(u16);

impl SystemAttributes {
    fn named<'a>(names: impl Iterator<Item = &'a String>) -> Result<Self, Refusal> {
        let mut requested = 0;
        for name in names {
            if name == "All" {
                requested = u16::MAX;
            } else if let Some(index) =
                SYSTEM_ATTRIBUTES.iter().position(|(known, _)| known == name)
            {
                requested |= 1 << index;
            } else if !queue_attributes::is_known_name(name) {
                // By the model AttributeNames may also contain attributes of queues; they have no effect.
                return Err(queue_attributes::unknown_attribute(name));
            }
        }
        Ok(Self(requested))
    }

    fn of(&self, received: &ReceivedMessage) -> IndexMap<&'static str, String> {
        let requested =
            SYSTEM_ATTRIBUTES.iter().enumerate().filter(|(i, _)| self.0 & (1 << i) != 0);
        requested.filter_map(|(_, (name, value))| Some((*name, value(received)?))).collect()
    }
}

/// Replaces the times of a message by those that clients see.
fn shown(mut received: ReceivedMessage, clock: &dyn Clock) -> ReceivedMessage {
    let message = &mut received.message;
    message.sent_at = clock.shown(message.sent_at);
    message.first_received_at = clock.shown(message.first_received_at);
    received
}

/// Returns a message with all of its attributes.
pub fn describe(received: ReceivedMessage, clock: &dyn Clock) -> Message {
    shape(shown(received, clock), &SystemAttributes(u16::MAX), &NameFilter::new(["All"]))
}

fn shape(received: ReceivedMessage, requested: &SystemAttributes, filter: &NameFilter) -> Message {
    let attributes = requested.of(&received);
    let (md5_of_message_attributes, message_attributes) =
        match received.content.attributes.as_deref() {
            Some(encoded) if !filter.is_empty() => select(encoded, filter),
            _ => (None, BTreeMap::new()),
        };
    Message {
        message_id: received.message.id.to_string(),
        receipt_handle: received.handle,
        md5_of_body: md5_of_body(&received.content.body),
        body: received.content.body,
        attributes,
        md5_of_message_attributes,
        message_attributes,
    }
}

/// The attributes that the filter lets through, and the sum over just these.
fn select(
    encoded: &[u8],
    filter: &NameFilter,
) -> (Option<String>, BTreeMap<String, MessageAttributeValue>) {
    let mut attributes = message_attributes::decode(encoded).unwrap_or_default();
    let sum = if filter.matches_all() {
        md5_of_encoded(encoded)
    } else {
        attributes.retain(|name, _| filter.matches(name));
        md5(&attributes)
    };
    let sum = (!attributes.is_empty()).then_some(sum);
    (sum, attributes.into_iter().map(|(name, attribute)| (name, attribute.into())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::sqs::dialect::SQS;
    use crate::domain::message_attributes::{AttributeValue, MessageAttribute, encode};
    use crate::domain::receipt::{HANDLE_LENGTH, Receipt};
    use crate::runtime::clock::ManualClock;
    use crate::store::MessageState;
    use crate::wire::{json, xml};
    use proptest::prelude::*;

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            "[\"&<>'\\\\\t\r\n\u{1}\u{7f}\u{fffe}é😀a]{0,300}",
            ".{0,300}",
            (1..20_000_usize).prop_map(|count| "\"".repeat(count)),
        ]
    }

    fn received() -> impl Strategy<Value = ReceivedMessage> {
        let value = prop_oneof![
            texts().prop_map(AttributeValue::Text),
            prop::collection::vec(any::<u8>(), 1..300).prop_map(AttributeValue::Binary),
        ];
        let attribute = ("[A-Za-z.]{1,250}", value)
            .prop_map(|(data_type, value)| MessageAttribute { data_type, value });
        let attributes = prop::collection::btree_map("[a-z]{1,256}", attribute, 0..=10);
        let ids = "[!-~]{128}";
        (texts(), attributes, prop::option::of(texts()), ids, ids).prop_map(
            |(body, attributes, trace_header, deduplication_id, group)| ReceivedMessage {
                former_turn: 0,
                receipt: Receipt { queue: i64::MAX, sequence: i64::MAX, receive: i64::MAX },
                handle: "A".repeat(HANDLE_LENGTH),
                message: crate::store::Message {
                    sequence: i64::MAX,
                    state: MessageState::InFlight,
                    sort_key: i64::MAX,
                    group: 1,
                    content: 0,
                    id: uuid::Uuid::max(),
                    sent_at: i64::MAX,
                    receive_count: i64::MAX,
                    received_at: i64::MAX,
                    first_received_at: i64::MAX,
                    dead_letter_source: Some(format!("arn:aws:sqs:{}", "x".repeat(150))),
                    received_elsewhere: 0,
                },
                content: Content {
                    body,
                    attributes: (!attributes.is_empty())
                        .then(|| encode(&attributes.into_iter().collect())),
                    sender_id: "AIDA".repeat(30),
                    trace_header,
                    deduplication_id: Some(deduplication_id),
                },
                group: Some(group),
            },
        )
    }

    proptest! {
        /// The response of a receive is never longer than the bytes that the receive has reserved for its messages.
        #[test]
        fn no_response_is_longer_than_the_bound_of_its_messages(
            received in prop::collection::vec(received(), 1..4),
        ) {
            let size_bound: usize = received.iter().map(|one| encoded_size_bound(&one.content)).sum();
            let output = Output { messages: received.into_iter().map(|it| describe(it, &ManualClock::at(0))).collect() };
            prop_assert!(json::encode(&output).len() <= size_bound);
            let xml = xml::response("ReceiveMessage", "id", &SQS, Some(&output));
            prop_assert!(xml.len() <= size_bound, "{} of {size_bound}", xml.len());
        }
    }
}
