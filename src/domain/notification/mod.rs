//! What subscribers get: the texts of notifications and of confirmations.
//!
//! AWS page: "Parsing Amazon SNS message formats"; the order of members was recorded from AWS.

mod confirmation;
mod email;
mod lambda;
mod printed;
mod signature;
mod urls;

pub use confirmation::{Confirmation, ConfirmationKind};
pub use email::{CONFIRMATION_SUBJECT, NOTIFICATION_SUBJECT};
pub use signature::{Signature, SignatureVersion};
pub use urls::{certificate_url, subscribe_url, unsubscribe_url};

use printed::Printed;
use signature::string_to_sign;
use uuid::Uuid;

use super::message_attributes::{self, MessageAttributes};
use super::timestamp::iso_8601;

/// A published message on its way to one subscription.
#[derive(Debug, Clone, Copy)]
pub struct Notification<'a> {
    /// What Publish answered.
    pub message_id: Uuid,
    /// What Publish answered, on FIFO topics only.
    pub sequence_number: Option<&'a str>,
    /// The topic.
    pub topic_arn: &'a str,
    /// As published.
    pub subject: Option<&'a str>,
    /// The text for the subscription's protocol.
    pub message: &'a str,
    /// When it was published, Unix milliseconds.
    pub published_at: i64,
    /// As published.
    pub attributes: &'a MessageAttributes,
    /// The subscription.
    pub subscription_arn: &'a str,
    /// Whether it comes from the topic's archive.
    pub replayed: bool,
}

impl Notification<'_> {
    /// `Type` of a notification, and its `x-amz-sns-message-type`.
    pub const TYPE: &'static str = "Notification";

    /// Whether it carries a signature: those of FIFO topics do not.
    pub fn is_signed(&self) -> bool {
        self.sequence_number.is_none()
    }

    /// What its signature signs. It is the same for every subscription that gets the same text.
    pub fn string_to_sign(&self) -> String {
        let message_id = self.message_id.to_string();
        let timestamp = iso_8601(self.published_at);
        let mut members = Vec::with_capacity(6);
        members.push(("Message", self.message));
        members.push(("MessageId", &message_id));
        members.extend(self.subject.map(|subject| ("Subject", subject)));
        members.push(("Timestamp", &timestamp));
        members.push(("TopicArn", self.topic_arn));
        members.push(("Type", Self::TYPE));
        string_to_sign(&members)
    }

    /// Returns the JSON that queues without raw delivery, HTTP endpoints and email-json get.
    pub fn envelope(&self, signature: Option<&Signature>, unsubscribe_url: &str) -> String {
        Envelope::new(self, signature).with_link(unsubscribe_url)
    }
}

/// The JSON of a notification without the link of a subscription, which is all that differs between subscriptions that get
/// the same text.
#[derive(Debug)]
pub struct Envelope {
    before_link: String,
    after_link: String,
}

impl Envelope {
    /// Prints a notification. Members that have no value are left out.
    pub fn new(notification: &Notification<'_>, signature: Option<&Signature>) -> Self {
        let attributes = message_attributes::size(notification.attributes);
        let mut json = Printed::with_capacity(1_500 + notification.message.len());
        json.text("Type", Notification::TYPE);
        json.text("MessageId", &notification.message_id.to_string());
        if let Some(number) = notification.sequence_number {
            json.text("SequenceNumber", number);
        }
        json.text("TopicArn", notification.topic_arn);
        if let Some(subject) = notification.subject {
            json.text("Subject", subject);
        }
        json.text("Message", notification.message);
        json.text("Timestamp", &iso_8601(notification.published_at));
        if let Some(signature) = signature {
            json.signature(signature);
        }
        let mut rest = json.split_at_member("UnsubscribeURL", 2 * attributes);
        if !notification.attributes.is_empty() {
            rest.attributes(notification.attributes);
        }
        if notification.replayed {
            // AWS documents the name only. Every other member is a text, so this one is.
            rest.text("Replayed", "true");
        }
        Self { before_link: json.unfinished(), after_link: rest.finish() }
    }

    /// Returns the JSON with the link with which a subscription ends.
    pub fn with_link(&self, unsubscribe_url: &str) -> String {
        [&self.before_link, &*printed::quoted(unsubscribe_url), &self.after_link].concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::message_attributes::{AttributeValue, MessageAttribute};

    pub(super) const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:MyTopic";
    pub(super) const SUBSCRIPTION: &str =
        "arn:aws:sns:us-west-2:123456789012:MyTopic:c9135db0-26c4-47ec-8998-413945fb5a96";
    pub(super) const UNSUBSCRIBE: &str = "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe&\
                                          SubscriptionArn=arn:aws:sns:us-west-2:123456789012:\
                                          MyTopic:c9135db0-26c4-47ec-8998-413945fb5a96";
    pub(super) const ID: Uuid = Uuid::from_u128(0x22b8_0b92_fdea_4c2c_8f9d_bdfb_0c7b_f324);
    pub(super) const TIME: i64 = 1_335_390_565_719;

    static NO_ATTRIBUTES: MessageAttributes = MessageAttributes::new();

    pub(super) fn notification() -> Notification<'static> {
        Notification {
            message_id: ID,
            sequence_number: None,
            topic_arn: TOPIC,
            subject: Some("My First Message"),
            message: "Hello world!",
            published_at: TIME,
            attributes: &NO_ATTRIBUTES,
            subscription_arn: SUBSCRIPTION,
            replayed: false,
        }
    }

    pub(super) fn signature() -> Signature {
        Signature {
            version: SignatureVersion::V1,
            base64: "EXAMPLEw6JRN==".into(),
            cert_url: "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ec.pem"
                .into(),
        }
    }

    pub(super) fn attributes() -> MessageAttributes {
        let text = AttributeValue::Text("an-attribute-\"value\"".into());
        let bytes = AttributeValue::Binary(vec![2, 3, 4]);
        MessageAttributes::from([
            ("a-key".into(), MessageAttribute { data_type: "String".into(), value: text }),
            ("b.key".into(), MessageAttribute { data_type: "Binary".into(), value: bytes }),
        ])
    }

    #[test]
    fn links_are_not_encoded() {
        let base = "https://sns.us-west-2.amazonaws.com";
        assert_eq!(unsubscribe_url(base, SUBSCRIPTION), UNSUBSCRIBE);
        assert_eq!(
            subscribe_url(base, TOPIC, "2336412f37"),
            "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:\
             us-west-2:123456789012:MyTopic&Token=2336412f37"
        );
        assert_eq!(
            certificate_url(base, "SimpleNotificationService-f3ec.pem"),
            signature().cert_url
        );
    }

    #[test]
    fn an_envelope_is_printed_as_aws_prints_it() {
        assert_eq!(
            notification().envelope(Some(&signature()), UNSUBSCRIBE),
            r#"{
  "Type" : "Notification",
  "MessageId" : "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
  "TopicArn" : "arn:aws:sns:us-west-2:123456789012:MyTopic",
  "Subject" : "My First Message",
  "Message" : "Hello world!",
  "Timestamp" : "2012-04-25T21:49:25.719Z",
  "SignatureVersion" : "1",
  "Signature" : "EXAMPLEw6JRN==",
  "SigningCertURL" : "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ec.pem",
  "UnsubscribeURL" : "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-west-2:123456789012:MyTopic:c9135db0-26c4-47ec-8998-413945fb5a96"
}"#
        );
    }

    #[test]
    fn an_envelope_of_a_fifo_topic_has_a_number_and_no_signature() {
        let notification = Notification {
            sequence_number: Some("10000000000000003000"),
            subject: None,
            message: "ö\n\"",
            attributes: &attributes(),
            replayed: true,
            ..notification()
        };
        assert!(!notification.is_signed());
        assert_eq!(
            notification.envelope(None, UNSUBSCRIBE),
            r#"{
  "Type" : "Notification",
  "MessageId" : "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
  "SequenceNumber" : "10000000000000003000",
  "TopicArn" : "arn:aws:sns:us-west-2:123456789012:MyTopic",
  "Message" : "ö\n\"",
  "Timestamp" : "2012-04-25T21:49:25.719Z",
  "UnsubscribeURL" : "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-west-2:123456789012:MyTopic:c9135db0-26c4-47ec-8998-413945fb5a96",
  "MessageAttributes" : {
    "a-key" : {"Type":"String","Value":"an-attribute-\"value\""},
    "b.key" : {"Type":"Binary","Value":"AgME"}
  },
  "Replayed" : "true"
}"#
        );
    }

    #[test]
    fn the_subject_is_signed_when_there_is_one() {
        let without = Notification { subject: None, message: "a\nb", ..notification() };
        assert!(without.is_signed());
        assert_eq!(
            notification().string_to_sign(),
            "Message\nHello world!\nMessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\nSubject\n\
             My First Message\nTimestamp\n2012-04-25T21:49:25.719Z\nTopicArn\n\
             arn:aws:sns:us-west-2:123456789012:MyTopic\nType\nNotification\n"
        );
        assert_eq!(
            without.string_to_sign(),
            "Message\na\nb\nMessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\nTimestamp\n\
             2012-04-25T21:49:25.719Z\nTopicArn\narn:aws:sns:us-west-2:123456789012:MyTopic\nType\n\
             Notification\n"
        );
    }

    fn any_attributes() -> impl Strategy<Value = MessageAttributes> {
        let value = prop_oneof![
            any::<String>().prop_map(AttributeValue::Text),
            any::<Vec<u8>>().prop_map(AttributeValue::Binary),
        ];
        let attribute = (any::<String>(), value)
            .prop_map(|(data_type, value)| MessageAttribute { data_type, value });
        prop::collection::btree_map(any::<String>(), attribute, 0..4)
    }

    proptest! {
        #[test]
        fn every_envelope_says_what_went_in(
            number in prop::option::of("[0-9]{20}"),
            subject in prop::option::of(any::<String>()),
            message in any::<String>(),
            attributes in any_attributes(),
            signed in any::<bool>(),
            replayed in any::<bool>(),
        ) {
            let notification = Notification {
                sequence_number: number.as_deref(),
                subject: subject.as_deref(),
                message: &message,
                attributes: &attributes,
                replayed,
                ..notification()
            };
            let signature = signed.then(signature);
            let text = notification.envelope(signature.as_ref(), UNSUBSCRIBE);
            let shown: serde_json::Map<String, Value> = attributes
                .iter()
                .map(|(name, attribute)| {
                    let value = printed::shown(attribute);
                    (name.clone(), json!({ "Type": attribute.data_type, "Value": value }))
                })
                .collect();
            let mut expected = json!({
                "Type": "Notification",
                "MessageId": ID.to_string(),
                "SequenceNumber": number,
                "TopicArn": TOPIC,
                "Subject": subject,
                "Message": message,
                "Timestamp": "2012-04-25T21:49:25.719Z",
                "SignatureVersion": signature.as_ref().map(|s| s.version.as_str()),
                "Signature": signature.as_ref().map(|s| &s.base64),
                "SigningCertURL": signature.as_ref().map(|s| &s.cert_url),
                "UnsubscribeURL": UNSUBSCRIBE,
                "MessageAttributes": (!shown.is_empty()).then_some(shown),
                "Replayed": replayed.then_some("true"),
            });
            expected.as_object_mut().unwrap().retain(|_, member| !member.is_null());
            // As text: so the order of members is compared too.
            let parsed: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(parsed.to_string(), expected.to_string());
        }
    }
}
