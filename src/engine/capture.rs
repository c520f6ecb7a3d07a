//! Captured notifications: messages to phones, devices, mailboxes and streams, stored for inspection
//! instead of being delivered.

use super::{platform, sms};
use crate::domain::Refusal;
use crate::domain::message_attributes::{AttributeValue, MessageAttributes};
use crate::domain::sns_endpoint::Protocol;
use crate::domain::sns_message::Published;
use crate::store::Txn;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A message to an endpoint that Squab cannot reach.
#[derive(Debug)]
pub struct Captured<'c> {
    /// MessageId
    pub message_id: Uuid,
    /// The topic, if it came from one.
    pub topic_arn: Option<&'c str>,
    /// The subscription, if it came from a topic.
    pub subscription_arn: Option<&'c str>,
    /// The phone number, the ARN or the address.
    pub target: &'c str,
    /// Subject
    pub subject: Option<&'c str>,
    /// The text for the protocol.
    pub message: &'c str,
    /// Whether MessageStructure was `json`.
    pub structured: bool,
    /// MessageAttributes
    pub attributes: &'c MessageAttributes,
}

impl<'c> Captured<'c> {
    /// Returns a message that was published to `target` directly, with this text for its protocol.
    pub fn direct(id: Uuid, target: &'c str, text: &'c str, published: &'c Published) -> Self {
        Self {
            message_id: id,
            topic_arn: None,
            subscription_arn: None,
            target,
            subject: published.subject.as_deref(),
            message: text,
            structured: published.structured,
            attributes: &published.attributes,
        }
    }
}

/// Stores a message for an account and region. The inner error says why AWS would not have delivered
/// it.
pub fn capture(
    tx: &mut Txn<'_>,
    place: (&str, &str),
    protocol: Protocol,
    captured: &Captured<'_>,
) -> Result<Result<(), String>, Refusal> {
    let obstacle = match protocol {
        Protocol::Application => platform::why_not(tx, captured.target)?,
        Protocol::Sms => sms::why_not(tx, place, captured.target)?,
        _ => None,
    };
    match obstacle {
        Some(reason) => Ok(Err(reason)),
        None => keep(tx, place, protocol, captured).map(Ok),
    }
}

/// Stores a message that AWS would have delivered.
pub fn keep(
    tx: &mut Txn<'_>,
    place: (&str, &str),
    protocol: Protocol,
    captured: &Captured<'_>,
) -> Result<(), Refusal> {
    let of_target = match protocol {
        Protocol::Sms => "PhoneNumber",
        Protocol::Application => "TargetArn",
        _ => "Endpoint",
    };
    let message = json!({
        of_target: captured.target,
        "TopicArn": captured.topic_arn,
        "SubscriptionArn": captured.subscription_arn,
        "MessageId": captured.message_id.to_string(),
        "Message": captured.message,
        "MessageAttributes": attributes(captured.attributes),
        "MessageStructure": captured.structured.then_some("json"),
        "Subject": captured.subject,
    });
    // Both email protocols deliver to the same mailbox.
    let kept_as = if protocol == Protocol::EmailJson { Protocol::Email } else { protocol };
    Ok(tx.capture_message(place, kept_as.name(), captured.target, &message.to_string())?)
}

/// Returns message attributes in the format of Publish.
fn attributes(attributes: &MessageAttributes) -> Map<String, Value> {
    let shown = attributes.iter().map(|(name, attribute)| {
        let (kind, value) = match &attribute.value {
            AttributeValue::Text(text) => ("StringValue", text.clone()),
            AttributeValue::Binary(bytes) => ("BinaryValue", STANDARD.encode(bytes)),
        };
        (name.clone(), json!({ "DataType": attribute.data_type, kind: value }))
    });
    shown.collect()
}
