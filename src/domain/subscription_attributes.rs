//! The attributes of a subscription: which can be set, and how they are returned.
//!
//! They are stored as the given texts, by AWS's names, because clients compare them as texts.
//!
//! Sources: <https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html>,
//! <https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html>,
//! <https://docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html>

use super::Refusal;
use super::address::{QueueAddress, has_fifo_suffix};
use super::delivery_policy::SubscriptionDeliveryPolicy;
use super::filter_policy::{FilterPolicy, Scope};
use super::json_object::JsonObject;
use super::limits::SNS_ATTRIBUTE_BYTES;
use super::sns_endpoint::Protocol;
use super::topic_address::TopicAddress;
use super::topic_attributes::{UNKNOWN_ATTRIBUTE, in_attributes, parse_bool};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The set attributes of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubscriptionAttributes(IndexMap<String, String>);

/// The context on which the rules for attributes depend.
#[derive(Debug, Clone, Copy)]
pub struct Subscribed<'a> {
    /// The topic.
    pub topic: &'a TopicAddress,
    /// The protocol of the endpoint.
    pub protocol: Protocol,
    /// The endpoint.
    pub endpoint: &'a str,
}

/// The attributes that Subscribe accepts.
pub const SETTABLE: [&str; 7] = [
    "RawMessageDelivery",
    "FilterPolicy",
    "FilterPolicyScope",
    "DeliveryPolicy",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
];

impl SubscriptionAttributes {
    /// Checks the attributes given to Subscribe.
    // Rule (Subscribe): errors about attributes begin with "Attributes Reason: ", those of SetSubscriptionAttributes do not.
    // Source: recorded
    // Test: tests/recorded/sns-filters.jsonl#sns-filter-invalid-json-on-subscribe, tests/recorded/sns-filters.jsonl#sns-filter-invalid-json
    pub fn create(
        subscribed: Subscribed<'_>,
        given: &IndexMap<String, String>,
    ) -> Result<Self, Refusal> {
        let mut attributes = Self::default();
        // The scope decides how a policy is parsed, whatever the order of the attributes.
        if let Some(scope) = given.get("FilterPolicyScope") {
            let name = "FilterPolicyScope";
            attributes.set(subscribed, name, scope).map_err(|why| in_attributes(name, why))?;
        }
        for (name, value) in given {
            attributes.set(subscribed, name, value).map_err(|why| in_attributes(name, why))?;
        }
        if subscribed.protocol == Protocol::Firehose
            && attributes.get("SubscriptionRoleArn").is_none()
        {
            return Err(Refusal::invalid_parameter_because(
                "Attributes",
                "SubscriptionRoleArn is required for the firehose protocol",
            ));
        }
        Ok(attributes)
    }

    /// Changes one attribute; an empty value removes it.
    ///
    /// Rejects with InvalidParameter: `AttributeName` for an attribute that cannot be set.
    pub fn set(
        &mut self,
        subscribed: Subscribed<'_>,
        name: &str,
        value: &str,
    ) -> Result<(), Refusal> {
        let refuse = |reason: &str| Refusal::invalid_parameter(format_args!("{name}: {reason}"));
        if name != "FilterPolicy" && value.len() > SNS_ATTRIBUTE_BYTES {
            return Err(refuse("The value is too long."));
        }
        match name {
            "RawMessageDelivery" => {
                let raw = parse_bool(value).ok_or_else(|| {
                    refuse(&format!("Invalid value [{value}]. Must be true or false."))
                })?;
                if !subscribed.protocol.can_be_raw() {
                    return Err(Refusal::invalid_parameter(format_args!(
                        "Delivery protocol [{}] does not support raw message delivery.",
                        subscribed.protocol.name()
                    )));
                }
                self.0.insert(name.to_owned(), raw.to_string());
                return Ok(());
            }
            // Rule (Subscribe, SetSubscriptionAttributes): another scope is InvalidParameter, "FilterPolicyScope: Invalid
            //   value [x]. Please use either MessageBody or MessageAttributes".
            // Source: reported, aws/aws-cdk#23108
            // Test: src/domain/subscription_attributes.rs::refusals_are_those_of_aws
            "FilterPolicyScope" => {
                let scope = scope_named(value).ok_or_else(|| {
                    refuse(&format!(
                        "Invalid value [{value}]. Please use either MessageBody or \
                         MessageAttributes"
                    ))
                })?;
                // An existing policy must be valid in its new scope.
                if let Some(policy) = self.get("FilterPolicy") {
                    parse_filter(policy, scope)?;
                }
            }
            "FilterPolicy" | "DeliveryPolicy" if value.is_empty() => {}
            // Rule (Subscribe, SetSubscriptionAttributes): the filter policy {} removes the policy, as the empty string does;
            //   empty objects within a policy are rejected.
            // Source: documented, https://docs.aws.amazon.com/sns/latest/dg/message-filtering-apply.html
            // Test: tests/scenarios/filters.txt#An empty policy is none
            "FilterPolicy" => {
                if parse_filter(value, self.filter_scope())?.is_none() {
                    self.0.shift_remove(name);
                    return Ok(());
                }
            }
            // Rule (Subscribe, SetSubscriptionAttributes): a delivery policy is checked, stored and returned whatever the
            //   protocol; only deliveries to http and https use it.
            // Source: reported, hashicorp/terraform-provider-aws#3289
            // Test: tests/scenarios/subscriptions.txt#A delivery policy is kept whatever the protocol
            "DeliveryPolicy" => {
                SubscriptionDeliveryPolicy::parse(value).map_err(|reason| refuse(&reason))?;
            }
            "RedrivePolicy" => {
                check_redrive_policy(subscribed, value).map_err(|reason| refuse(&reason))?;
            }
            "ReplayPolicy" if subscribed.topic.is_fifo() => {}
            "SubscriptionRoleArn" if subscribed.protocol == Protocol::Firehose => {}
            _ => return Err(Refusal::invalid_parameter(UNKNOWN_ATTRIBUTE)),
        }
        if value.is_empty() {
            self.0.shift_remove(name);
        } else {
            self.0.insert(name.to_owned(), value.to_owned());
        }
        Ok(())
    }

    /// Removes one attribute, for a SetSubscriptionAttributes without a value.
    ///
    /// Rejects like an empty value, except for RedrivePolicy.
    // Rule (SetSubscriptionAttributes): a redrive policy is removed by a call without a value; the empty string is rejected.
    // Source: reported, https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/sns/topic_subscription.go
    // Test: tests/scenarios/subscriptions.txt#A redrive policy is removed by no value
    pub fn clear(&mut self, subscribed: Subscribed<'_>, name: &str) -> Result<(), Refusal> {
        if name == "RedrivePolicy" {
            self.0.shift_remove(name);
            return Ok(());
        }
        self.set(subscribed, name, "")
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns the bytes of all values.
    pub fn bytes(&self) -> usize {
        self.0.values().map(String::len).sum()
    }

    /// Returns whether these attributes, from another Subscribe of the same endpoint, contradict the current ones.
    /// Missing attributes and defaults do not.
    pub fn differ_from_given(&self, given: &Self) -> bool {
        given.0.iter().any(|(name, value)| {
            let default = match name.as_str() {
                "RawMessageDelivery" => "false",
                "FilterPolicyScope" => "MessageAttributes",
                _ => "",
            };
            self.get(name).unwrap_or(default) != value
        })
    }

    /// RawMessageDelivery
    pub fn is_raw(&self) -> bool {
        self.get("RawMessageDelivery") == Some("true")
    }

    fn filter_scope(&self) -> Scope {
        self.get("FilterPolicyScope").and_then(scope_named).unwrap_or(Scope::MessageAttributes)
    }

    /// Returns the compiled filter. It was checked when it was set.
    pub fn filter(&self) -> Option<FilterPolicy> {
        FilterPolicy::parse(self.get("FilterPolicy")?, self.filter_scope()).ok()?
    }

    /// Returns whether there is a filter policy.
    pub fn has_filter(&self) -> bool {
        self.get("FilterPolicy").is_some()
    }

    /// Returns the dead-letter queue.
    pub fn dead_letter_queue(&self) -> Option<QueueAddress> {
        let mut policy = JsonObject::parse(self.get("RedrivePolicy")?).ok()?;
        QueueAddress::from_arn(&policy.take_text("deadLetterTargetArn")?)
    }

    /// Returns the delivery policy of the subscription itself.
    pub fn delivery_policy(&self) -> Option<SubscriptionDeliveryPolicy> {
        SubscriptionDeliveryPolicy::parse(self.get("DeliveryPolicy")?).ok()
    }

    /// Returns the given ReplayPolicy.
    pub fn replay_policy(&self) -> Option<&str> {
        self.get("ReplayPolicy")
    }

    /// Returns the attributes for GetSubscriptionAttributes.
    // Rule (GetSubscriptionAttributes): FilterPolicyScope is returned only while there is a filter policy. A scope that was
    //   set alone is stored.
    // Source: recorded
    // Test: tests/recorded/sns-filters.jsonl#sns-filter-scope-alone-is-not-shown, tests/scenarios/filters.txt#A scope without a policy is remembered and not shown
    pub fn shown(&self) -> IndexMap<String, String> {
        let mut shown = self.0.clone();
        shown.entry("RawMessageDelivery".to_owned()).or_insert_with(|| "false".to_owned());
        if self.has_filter() {
            let scope = shown.entry("FilterPolicyScope".to_owned());
            scope.or_insert_with(|| "MessageAttributes".to_owned());
        } else {
            shown.shift_remove("FilterPolicyScope");
        }
        if let Some(policy) = self.delivery_policy() {
            shown.insert("DeliveryPolicy".to_owned(), policy.shown());
        }
        shown
    }
}

fn scope_named(name: &str) -> Option<Scope> {
    match name {
        "MessageAttributes" => Some(Scope::MessageAttributes),
        "MessageBody" => Some(Scope::MessageBody),
        _ => None,
    }
}

fn parse_filter(text: &str, scope: Scope) -> Result<Option<FilterPolicy>, Refusal> {
    FilterPolicy::parse(text, scope).map_err(Refusal::invalid_parameter)
}

/// Checks a redrive policy, which names a queue of the topic's account and region: a FIFO queue if a FIFO queue
/// subscribes, a standard queue if the topic is standard. Does not check whether the queue exists.
// Rule (Subscribe, SetSubscriptionAttributes): a redrive policy has no member except deadLetterTargetArn; otherwise
//   "RedrivePolicy: invalid JSON. Attribute maxReceiveCount is unknown."
// Source: reported, cloudposse/terraform-aws-sns-topic#48
// Test: src/domain/subscription_attributes.rs::refusals_are_those_of_aws
// Rule (Subscribe, SetSubscriptionAttributes): the dead-letter queue of a subscription is of the topic's account and Region, and
//   that of a FIFO queue is a FIFO queue.
// Source: documented, https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
// Test: tests/scenarios/topic_dead_letters.txt
fn check_redrive_policy(subscribed: Subscribed<'_>, text: &str) -> Result<(), String> {
    let topic = subscribed.topic;
    let mut policy = JsonObject::parse(text)?;
    let target = policy.take_text("deadLetterTargetArn");
    policy.refuse_unknown()?;
    let target = target.as_deref().and_then(QueueAddress::from_arn);
    let target = target.ok_or("deadLetterTargetArn is an invalid arn")?;
    if target.account != topic.account || target.region != topic.region {
        return Err(
            "deadLetterTargetArn must be in the same account and region as the topic".to_owned()
        );
    }
    match (topic.is_fifo(), target.is_fifo()) {
        (false, true) => {
            Err("deadLetterTargetArn must be a standard queue for this topic".to_owned())
        }
        (true, false) if has_fifo_suffix(subscribed.endpoint) => {
            Err("must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> TopicAddress {
        TopicAddress {
            account: "000000000000".into(),
            region: "us-east-1".into(),
            name: "t".into(),
        }
    }

    fn create(
        protocol: Protocol,
        pairs: &[(&str, &str)],
    ) -> Result<SubscriptionAttributes, String> {
        let given = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let subscribed = Subscribed { topic: &topic(), protocol, endpoint: "" };
        SubscriptionAttributes::create(subscribed, &given.collect())
            .map_err(|refusal| refusal.message.into_owned())
    }

    #[test]
    fn a_scope_appears_with_the_first_filter() {
        let shown = create(Protocol::Sqs, &[("FilterPolicy", r#"{"a": ["b"]}"#)]).unwrap().shown();
        assert_eq!(shown["FilterPolicy"], r#"{"a": ["b"]}"#);
        assert_eq!(shown["FilterPolicyScope"], "MessageAttributes");
        assert_eq!(shown["RawMessageDelivery"], "false");
    }

    #[test]
    fn a_filter_is_read_in_the_scope_that_comes_with_it() {
        let nested = r#"{"a":{"b":["c"]}}"#;
        let pairs = [("FilterPolicy", nested), ("FilterPolicyScope", "MessageBody")];
        assert!(create(Protocol::Sqs, &pairs).is_ok());
        assert!(create(Protocol::Sqs, &pairs[..1]).is_err());
    }

    #[test]
    fn refusals_are_those_of_aws() {
        let because = |reason: &str| Err(format!("Invalid parameter: Attributes Reason: {reason}"));
        for (protocol, name, value, reason) in [
            (
                Protocol::Sqs,
                "RawMessageDelivery",
                "x",
                "RawMessageDelivery: Invalid value [x]. Must be true or false.",
            ),
            (
                Protocol::Lambda,
                "RawMessageDelivery",
                "false",
                "Delivery protocol [lambda] does not support raw message delivery.",
            ),
            (
                Protocol::Sqs,
                "FilterPolicyScope",
                "x",
                "FilterPolicyScope: Invalid value [x]. Please use either MessageBody or MessageAttributes",
            ),
            (
                Protocol::Sqs,
                "RedrivePolicy",
                r#"{"maxReceiveCount":1}"#,
                "RedrivePolicy: invalid JSON. Attribute maxReceiveCount is unknown.",
            ),
            (
                Protocol::Sqs,
                "RedrivePolicy",
                r#"{"deadLetterTargetArn":"q"}"#,
                "RedrivePolicy: deadLetterTargetArn is an invalid arn",
            ),
            (Protocol::Sqs, "Whatever", "x", "Unknown attribute Whatever"),
        ] {
            assert_eq!(create(protocol, &[(name, value)]), because(reason));
        }
    }

    #[test]
    fn a_repeated_subscription_may_say_less_or_the_defaults() {
        let first = create(Protocol::Sqs, &[("RawMessageDelivery", "True")]).unwrap();
        let differs = |pairs: &[(&str, &str)]| {
            first.differ_from_given(&create(Protocol::Sqs, pairs).unwrap())
        };
        assert!(!differs(&[]) && !differs(&[("RawMessageDelivery", "true")]));
        assert!(!differs(&[("FilterPolicyScope", "MessageAttributes")]));
        assert!(differs(&[("RawMessageDelivery", "false"), ("FilterPolicyScope", "MessageBody")]));
    }

    #[test]
    fn the_empty_text_removes_a_policy() {
        let subscribed = Subscribed { topic: &topic(), protocol: Protocol::Sqs, endpoint: "" };
        let mut attributes = create(Protocol::Sqs, &[("FilterPolicy", r#"{"a":["b"]}"#)]).unwrap();
        attributes.set(subscribed, "FilterPolicy", "").unwrap();
        assert!(attributes.filter().is_none());
    }
}
