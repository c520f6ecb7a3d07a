//! The event with which a function is invoked.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>. Its members are spelled `…Url`,
//! unlike those of the envelope, and are always present.

use serde_json::{Map, Value, json};

use super::printed::shown;
use super::{Notification, Signature};
use crate::domain::timestamp::iso_8601;

impl Notification<'_> {
    /// Returns the JSON of the event on one line.
    pub fn lambda_event(&self, signature: &Signature, unsubscribe_url: &str) -> String {
        let attributes: Map<String, Value> = self
            .attributes
            .iter()
            .map(|(name, attribute)| {
                (name.clone(), json!({ "Type": attribute.data_type, "Value": shown(attribute) }))
            })
            .collect();
        let event = json!({
            "Records": [{
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": self.subscription_arn,
                "Sns": {
                    "Type": Self::TYPE,
                    "MessageId": self.message_id.to_string(),
                    "TopicArn": self.topic_arn,
                    "Subject": self.subject,
                    "Message": self.message,
                    "Timestamp": iso_8601(self.published_at),
                    "SignatureVersion": signature.version.as_str(),
                    "Signature": signature.base64,
                    "SigningCertUrl": signature.cert_url,
                    "UnsubscribeUrl": unsubscribe_url,
                    "MessageAttributes": attributes,
                },
            }],
        });
        event.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{UNSUBSCRIBE, attributes, notification, signature};
    use super::*;

    #[test]
    fn an_event_has_all_members_in_the_spelling_of_lambda() {
        let plain = Notification { subject: None, ..notification() };
        assert_eq!(
            plain.lambda_event(&signature(), UNSUBSCRIBE),
            concat!(
                r#"{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","#,
                r#""EventSubscriptionArn":"arn:aws:sns:us-west-2:123456789012:MyTopic:"#,
                r#"c9135db0-26c4-47ec-8998-413945fb5a96","Sns":{"Type":"Notification","#,
                r#""MessageId":"22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324","#,
                r#""TopicArn":"arn:aws:sns:us-west-2:123456789012:MyTopic","Subject":null,"#,
                r#""Message":"Hello world!","Timestamp":"2012-04-25T21:49:25.719Z","#,
                r#""SignatureVersion":"1","Signature":"EXAMPLEw6JRN==","#,
                r#""SigningCertUrl":"https://sns.us-west-2.amazonaws.com/"#,
                r#"SimpleNotificationService-f3ec.pem","#,
                r#""UnsubscribeUrl":"https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe&"#,
                r#"SubscriptionArn=arn:aws:sns:us-west-2:123456789012:MyTopic:"#,
                r#"c9135db0-26c4-47ec-8998-413945fb5a96","MessageAttributes":{}}}]}"#,
            )
        );
    }

    #[test]
    fn an_event_carries_subject_and_attributes() {
        let attributes = attributes();
        let full = Notification { attributes: &attributes, ..notification() };
        let event: Value =
            serde_json::from_str(&full.lambda_event(&signature(), UNSUBSCRIBE)).unwrap();
        let sns = &event["Records"][0]["Sns"];
        assert_eq!(sns["Subject"], "My First Message");
        assert_eq!(sns["MessageAttributes"]["b.key"], json!({"Type": "Binary", "Value": "AgME"}));
    }
}
