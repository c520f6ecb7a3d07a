//! Names and ARNs of topics and subscriptions.

use super::Refusal;
use super::address::{FIFO_SUFFIX, has_fifo_suffix, is_account, is_name_byte, partition};
use super::arn::Arn;
use super::limits::TOPIC_NAME_LENGTH;
use uuid::Uuid;

/// The address of a topic, which may not exist.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TopicAddress {
    /// The twelve digits of the owner's account.
    pub account: String,
    /// The region, such as `eu-west-1`.
    pub region: String,
    /// The topic's name, `.fifo` included.
    pub name: String,
}

impl TopicAddress {
    /// `arn:<partition>:sns:<region>:<account>:<name>`
    pub fn arn(&self) -> String {
        let Self { account, region, name } = self;
        format!("arn:{}:sns:{region}:{account}:{name}", partition(region))
    }

    /// Returns whether the name is that of a FIFO topic.
    pub fn is_fifo(&self) -> bool {
        has_fifo_suffix(&self.name)
    }

    /// The topic that a parameter of this name gives as an ARN, for a caller in this region.
    ///
    /// Refused with InvalidParameter when it is no ARN, or one of another region or service.
    // Rule (every SNS operation): a topic of another region is InvalidParameter, not NotFound.
    // Source: recorded
    // Test: tests/recorded/sns.jsonl#sns-other-region-Publish, tests/recorded/sns.jsonl#sns-other-region-GetTopicAttributes
    pub fn from_arn(parameter: &str, arn: &str, region: &str) -> Result<Self, Refusal> {
        let arn = Arn::of_parameter(parameter, arn)?;
        let is_topic = arn.service == "sns"
            && arn.region == region
            && is_account(arn.account)
            && !arn.resource.is_empty()
            && !arn.resource.contains(':');
        if !is_topic {
            return Err(Refusal::invalid_parameter(parameter));
        }
        Ok(Self {
            account: arn.account.to_owned(),
            region: region.to_owned(),
            name: arn.resource.to_owned(),
        })
    }
}

/// The ARN of a subscription: that of its topic and a UUID.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubscriptionArn {
    /// Its topic.
    pub topic: TopicAddress,
    /// The unique part of the ARN.
    pub id: Uuid,
}

impl SubscriptionArn {
    /// Reads the parameter SubscriptionArn. `None`: well-formed, but of no subscription.
    ///
    /// Refused with InvalidParameter when it is no ARN, or one of another region or service; in other
    /// words when nothing follows the topic's name.
    pub fn parse(arn: &str, region: &str) -> Result<Option<Self>, Refusal> {
        let resource = Arn::of_parameter("SubscriptionArn", arn)?.resource;
        let Some((_, id)) = resource.split_once(':') else {
            return Err(Refusal::invalid_parameter("SubscriptionId"));
        };
        let topic_arn = &arn[..arn.len() - id.len() - 1];
        let topic = TopicAddress::from_arn("SubscriptionArn", topic_arn, region)?;
        Ok(Uuid::try_parse(id).ok().map(|id| Self { topic, id }))
    }
}

/// Checks the name given to CreateTopic; `fifo` is the attribute FifoTopic.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>
// Rule (CreateTopic): the name of a FIFO topic must end in .fifo, and that of a standard topic must not; the error is
//   that of any bad name.
// Source: reported, aws/aws-cdk#12386
// Test: tests/recorded/sns-topics.jsonl#sns-fifo-topic-without-the-suffix, tests/scenarios/topics.txt#Names
pub fn check_topic_name(name: &str, fifo: bool) -> Result<(), Refusal> {
    let stem = if fifo { name.strip_suffix(FIFO_SUFFIX).unwrap_or_default() } else { name };
    let fits = TOPIC_NAME_LENGTH.contains(&name.len())
        && !stem.is_empty()
        && stem.bytes().all(is_name_byte);
    if fits { Ok(()) } else { Err(Refusal::invalid_parameter("Topic Name")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> TopicAddress {
        TopicAddress {
            account: "123456789012".into(),
            region: "eu-west-1".into(),
            name: name.into(),
        }
    }

    #[test]
    fn arns_are_read_as_they_are_written() {
        for name in ["t", "a-b_c.fifo"] {
            let address = topic(name);
            assert_eq!(
                TopicAddress::from_arn("TopicArn", &address.arn(), "eu-west-1"),
                Ok(address)
            );
        }
    }

    #[test]
    fn refusals_say_what_is_wrong_with_an_arn() {
        for (arn, message) in [
            ("x", "TopicArn Reason: An ARN must have at least 6 elements, not 1"),
            (
                "arn:aws:sns:us-east-1:r",
                "TopicArn Reason: An ARN must have at least 6 elements, not 5",
            ),
            ("arn:aws:sns:us-east-1:123456789012:t", "TopicArn"),
            ("arn:aws:sqs:eu-west-1:123456789012:t", "TopicArn"),
            ("arn:aws:sns:eu-west-1:123456789012:t:u", "TopicArn"),
            ("arn:aws:sns:eu-west-1:me:t", "TopicArn"),
        ] {
            let refusal = TopicAddress::from_arn("TopicArn", arn, "eu-west-1").unwrap_err();
            assert_eq!(refusal.message, format!("Invalid parameter: {message}"), "{arn}");
        }
    }

    #[test]
    fn a_subscription_is_a_topic_and_a_uuid() {
        let id = Uuid::from_u128(7);
        let arn = format!("{}:{id}", topic("t").arn());
        let parsed = SubscriptionArn::parse(&arn, "eu-west-1").unwrap().unwrap();
        assert_eq!(parsed, SubscriptionArn { topic: topic("t"), id });
        assert_eq!(
            SubscriptionArn::parse(&format!("{}:x", topic("t").arn()), "eu-west-1"),
            Ok(None)
        );
        assert_eq!(SubscriptionArn::parse(&format!("{arn}:y"), "eu-west-1"), Ok(None));
        for (arn, message) in [
            (
                "pending confirmation",
                "SubscriptionArn Reason: An ARN must have at least 6 elements, not 1",
            ),
            (&topic("t").arn(), "SubscriptionId"),
        ] {
            let refusal = SubscriptionArn::parse(arn, "eu-west-1").unwrap_err();
            assert_eq!(refusal.message, format!("Invalid parameter: {message}"));
        }
    }

    #[test]
    fn names_are_checked_by_type_of_topic() {
        for (name, fifo) in [("t", false), ("A-z_0", false), ("t.fifo", true)] {
            assert_eq!(check_topic_name(name, fifo), Ok(()), "{name}");
        }
        for (name, fifo) in
            [("", false), ("t.fifo", false), ("a b", false), (".fifo", true), ("t", true)]
        {
            let refusal = check_topic_name(name, fifo).unwrap_err();
            assert_eq!(refusal.message, "Invalid parameter: Topic Name", "{name}");
        }
        assert!(check_topic_name(&"a".repeat(256), false).is_ok());
        assert!(check_topic_name(&"a".repeat(257), false).is_err());
    }
}
