//! The messages that an endpoint gets when it is subscribed, and when it was unsubscribed by a link.

use uuid::Uuid;

use super::printed::Printed;
use super::signature::{Signature, string_to_sign};
use crate::domain::timestamp::iso_8601;

/// Why an endpoint should visit a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfirmationKind {
    /// `SubscriptionConfirmation`: visiting the link starts the subscription.
    Subscription,
    /// `UnsubscribeConfirmation`: the subscription has ended, and visiting the link restores it.
    Unsubscribe,
}

impl ConfirmationKind {
    /// Returns the `Type`, which is also the `x-amz-sns-message-type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscription => "SubscriptionConfirmation",
            Self::Unsubscribe => "UnsubscribeConfirmation",
        }
    }
}

/// A message with a link that the endpoint should visit.
#[derive(Debug, Clone, Copy)]
pub struct Confirmation<'a> {
    /// The reason of the message.
    pub kind: ConfirmationKind,
    /// MessageId of this message.
    pub message_id: Uuid,
    /// The token in the link, which ConfirmSubscription accepts.
    pub token: &'a str,
    /// The topic.
    pub topic_arn: &'a str,
    /// The subscription, mentioned only in an UnsubscribeConfirmation.
    pub subscription_arn: &'a str,
    /// The link.
    pub subscribe_url: &'a str,
    /// When it was created, in Unix milliseconds.
    pub sent_at: i64,
}

impl Confirmation<'_> {
    /// Returns `Message`: two sentences for human readers.
    pub fn message(&self) -> String {
        match self.kind {
            ConfirmationKind::Subscription => format!(
                "You have chosen to subscribe to the topic {}.\nTo confirm the subscription, \
                 visit the SubscribeURL included in this message.",
                self.topic_arn
            ),
            ConfirmationKind::Unsubscribe => format!(
                "You have chosen to deactivate subscription {}.\nTo cancel this operation and \
                 restore the subscription, visit the SubscribeURL included in this message.",
                self.subscription_arn
            ),
        }
    }

    /// Returns the string to sign.
    pub fn string_to_sign(&self) -> String {
        string_to_sign(&[
            ("Message", &self.message()),
            ("MessageId", &self.message_id.to_string()),
            ("SubscribeURL", self.subscribe_url),
            ("Timestamp", &iso_8601(self.sent_at)),
            ("Token", self.token),
            ("TopicArn", self.topic_arn),
            ("Type", self.kind.as_str()),
        ])
    }

    /// Returns the JSON for HTTP endpoints and email-json.
    pub fn envelope(&self, signature: &Signature) -> String {
        let mut json = Printed::with_capacity(3_000);
        json.text("Type", self.kind.as_str());
        json.text("MessageId", &self.message_id.to_string());
        json.text("Token", self.token);
        json.text("TopicArn", self.topic_arn);
        json.text("Message", &self.message());
        json.text("SubscribeURL", self.subscribe_url);
        json.text("Timestamp", &iso_8601(self.sent_at));
        json.signature(signature);
        json.finish()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::{ID, SUBSCRIPTION, TIME, TOPIC, signature};
    use super::*;

    pub(in crate::domain::notification) fn confirmation() -> Confirmation<'static> {
        Confirmation {
            kind: ConfirmationKind::Subscription,
            message_id: ID,
            token: "2336412f37",
            topic_arn: TOPIC,
            subscription_arn: SUBSCRIPTION,
            subscribe_url: "https://sns.us-west-2.amazonaws.com/?Token=2336412f37",
            sent_at: TIME,
        }
    }

    #[test]
    fn a_confirmation_is_printed_as_aws_prints_it() {
        assert_eq!(
            confirmation().envelope(&signature()),
            r#"{
  "Type" : "SubscriptionConfirmation",
  "MessageId" : "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
  "Token" : "2336412f37",
  "TopicArn" : "arn:aws:sns:us-west-2:123456789012:MyTopic",
  "Message" : "You have chosen to subscribe to the topic arn:aws:sns:us-west-2:123456789012:MyTopic.\nTo confirm the subscription, visit the SubscribeURL included in this message.",
  "SubscribeURL" : "https://sns.us-west-2.amazonaws.com/?Token=2336412f37",
  "Timestamp" : "2012-04-25T21:49:25.719Z",
  "SignatureVersion" : "1",
  "Signature" : "EXAMPLEw6JRN==",
  "SigningCertURL" : "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ec.pem"
}"#
        );
    }

    #[test]
    fn the_end_of_a_subscription_names_it() {
        let ended = Confirmation { kind: ConfirmationKind::Unsubscribe, ..confirmation() };
        let message = "You have chosen to deactivate subscription arn:aws:sns:us-west-2:\
                       123456789012:MyTopic:c9135db0-26c4-47ec-8998-413945fb5a96.\nTo cancel this \
                       operation and restore the subscription, visit the SubscribeURL included in \
                       this message.";
        let shown: serde_json::Value = serde_json::from_str(&ended.envelope(&signature())).unwrap();
        assert_eq!(shown["Message"], message);
        assert_eq!(shown["Type"], "UnsubscribeConfirmation");
        assert_eq!(
            ended.string_to_sign(),
            format!(
                "Message\n{message}\nMessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\n\
                 SubscribeURL\nhttps://sns.us-west-2.amazonaws.com/?Token=2336412f37\nTimestamp\n\
                 2012-04-25T21:49:25.719Z\nToken\n2336412f37\nTopicArn\n{TOPIC}\nType\n\
                 UnsubscribeConfirmation\n"
            )
        );
    }
}
