//! Dead-letter rules: RedrivePolicy and RedriveAllowPolicy.
//!
//! Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>.
//! The engine looks the target up; [`check_target`] then decides whether it is valid.

use super::address::QueueAddress;
use super::json_object::JsonObject;
use super::limits::{MAX_RECEIVE_COUNT, REDRIVE_SOURCES};
use super::{Kind, Refusal};
use serde_json::Value;

/// A queue's RedrivePolicy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedrivePolicy {
    /// The JSON as given, which errors quote. [`RedrivePolicy::shown`] is what is returned.
    pub text: String,
    /// `deadLetterTargetArn`
    pub dead_letter_target_arn: String,
    /// `maxReceiveCount`, 1…1000
    pub max_receive_count: u32,
}

impl RedrivePolicy {
    // Rule (CreateQueue, SetQueueAttributes): maxReceiveCount is 1 to 1000, as a number or as text; otherwise
    //   InvalidParameterValue, "Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000 both inclusive."
    // Source: inferred, the range is in the service model and the text is from memory
    // Test: tests/scenarios/redrive_policies.txt
    //
    // Rule (CreateQueue, SetQueueAttributes): a RedrivePolicy without deadLetterTargetArn or maxReceiveCount is
    //   refused with InvalidParameterValue, "Redrive policy does not contain mandatory attribute: …".
    // Source: reported, ansible-collections/community.aws#2321
    // Test: tests/scenarios/redrive_policies.txt
    //
    // Rule (CreateQueue, SetQueueAttributes): what is missing from a RedrivePolicy is named before a member that it
    //   must not have, and of two that are missing maxReceiveCount.
    // Source: reported, crossplane-contrib/provider-aws#444
    // Test: src/domain/redrive.rs::a_malformed_redrive_policy_is_quoted_with_the_reason
    //
    /// Reads the attribute. Refused with InvalidParameterValue.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = |reason: &str| refuse(text, reason);
        let Some(mut policy) = JsonObject::parse_strictly(text) else {
            return Err(refuse("Redrive policy is not a valid JSON map."));
        };
        let mut mandatory = |name: &str| {
            policy.take(name).ok_or_else(|| {
                refuse(&format!("Redrive policy does not contain mandatory attribute: {name}."))
            })
        };
        let count = mandatory(COUNT)?;
        let target = mandatory(TARGET)?;
        if policy.unknown().is_some() {
            let reason = format!("Only following attributes are supported: [{TARGET}, {COUNT}].");
            return Err(refuse(&reason));
        }
        let Some(max_receive_count) = receive_count(&count) else {
            let count = count.as_str().map_or_else(|| count.to_string(), str::to_owned);
            return Err(refuse(&format!(
                "Invalid value for maxReceiveCount: {count}, valid values are from {} to {} both \
                 inclusive.",
                MAX_RECEIVE_COUNT.start(),
                MAX_RECEIVE_COUNT.end()
            )));
        };
        match target.as_str().filter(|arn| QueueAddress::from_arn(arn).is_some()) {
            None => Err(refuse(NO_TARGET)),
            Some(arn) => Ok(Self {
                text: text.to_owned(),
                dead_letter_target_arn: arn.to_owned(),
                max_receive_count,
            }),
        }
    }

    /// The JSON as GetQueueAttributes shows it, however it was written: the target first, and the
    /// count as a number.
    pub fn shown(&self) -> String {
        let target = Value::from(self.dead_letter_target_arn.as_str());
        format!("{{\"{TARGET}\":{target},\"{COUNT}\":{}}}", self.max_receive_count)
    }

    /// The dead-letter queue.
    pub fn target(&self) -> Option<QueueAddress> {
        QueueAddress::from_arn(&self.dead_letter_target_arn)
    }

    /// Whether two policies ask for the same, however they are written.
    pub fn means_same(&self, other: &Self) -> bool {
        self.dead_letter_target_arn == other.dead_letter_target_arn
            && self.max_receive_count == other.max_receive_count
    }
}

/// A queue's RedriveAllowPolicy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedriveAllowPolicy {
    /// The JSON as it was given: it is echoed unchanged.
    pub text: String,
    /// Who may name this queue as a dead-letter queue.
    pub permission: RedrivePermission,
}

/// `redrivePermission`, with the `sourceQueueArns` of `byQueue`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedrivePermission {
    /// `allowAll`
    AllowAll,
    /// `denyAll`
    DenyAll,
    /// `byQueue`
    ByQueue(Vec<String>),
}

impl RedriveAllowPolicy {
    /// Reads the attribute. Refused with InvalidAttributeValue.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        match permission(text) {
            Some(permission) => Ok(Self { text: text.to_owned(), permission }),
            None => Err(Refusal::new(
                Kind::InvalidAttributeValue,
                "Invalid value for the parameter RedriveAllowPolicy.",
            )),
        }
    }

    /// Whether the queue of this ARN may use the policy's queue as its dead-letter queue.
    pub fn permits(&self, source_arn: &str) -> bool {
        match &self.permission {
            RedrivePermission::AllowAll => true,
            RedrivePermission::DenyAll => false,
            RedrivePermission::ByQueue(sources) => sources.iter().any(|arn| arn == source_arn),
        }
    }
}

// Rule (CreateQueue, SetQueueAttributes): the dead-letter queue exists; otherwise InvalidParameterValue,
//   "Dead letter target does not exist."
// Source: reported, serverless/serverless#5215
// Test: tests/scenarios/redrive_policies.txt
//
// Rule (CreateQueue, SetQueueAttributes): the dead-letter queue of a FIFO queue is a FIFO queue, and that of a
//   standard queue a standard queue.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
// Test: tests/scenarios/redrive_policies.txt
//
// Rule (CreateQueue, SetQueueAttributes): the dead-letter queue is of the same account and Region.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
// Test: tests/scenarios/addresses.txt#A dead-letter queue is one of the same account and region.
//
// Rule (CreateQueue, SetQueueAttributes): a RedriveAllowPolicy of the dead-letter queue decides which queues may
//   name it.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
// Test: tests/scenarios/redrive_policies.txt#Who may be a source is enforced.
//
/// Checks that a queue may have this RedrivePolicy. The target is what was found under the policy's
/// ARN: its address, whether it is FIFO, and its RedriveAllowPolicy.
///
/// Refused with InvalidParameterValue.
pub fn check_target(
    source: &QueueAddress,
    source_fifo: bool,
    policy: &RedrivePolicy,
    target: Option<(&QueueAddress, bool, Option<&RedriveAllowPolicy>)>,
) -> Result<(), Refusal> {
    let refuse = |reason| Err(refuse(&policy.text, reason));
    // A wrong owner is reported before the existence of the queue.
    if policy.target().is_some_and(|target| target.account != source.account) {
        return refuse("Dead-letter target owner should be same as the source.");
    }
    let Some((target, target_fifo, allow)) = target else { return refuse(NO_TARGET) };
    if target.region != source.region {
        return refuse(NO_TARGET);
    }
    if target_fifo != source_fifo {
        return refuse("Dead-letter queue must be same type of queue as the source.");
    }
    if allow.is_some_and(|allow| !allow.permits(&source.arn())) {
        return refuse("Dead-letter target does not allow the source queue to use it.");
    }
    Ok(())
}

// Rule (ReceiveMessage): SQS itself moves dead letters: the Policy of the dead-letter queue is not evaluated, and a Deny in
//   it stops nothing. RedriveAllowPolicy governs which queues may use it.
// Source: inferred, AWS documents the redrive allow policy as the permission of a source queue and no other
// Test: tests/isolation.rs::a_deny_of_a_dead_letter_queue_does_not_stop_its_source
//
// Rule (ReceiveMessage): a message that was received maxReceiveCount times moves to the dead-letter queue at the next
//   attempt to receive it, with its MessageId, body and attributes.
// Source: recorded
// Test: tests/recorded/sqs.jsonl#sqs-dlq-received-from-dlq-after-move
//
/// Returns whether a message that was received this often is moved instead of being received again.
pub fn to_dead_letter(received_count: i64, max_receive_count: u32) -> bool {
    received_count >= i64::from(max_receive_count)
}

const TARGET: &str = "deadLetterTargetArn";
const COUNT: &str = "maxReceiveCount";
const NO_TARGET: &str = "Dead letter target does not exist.";

fn refuse(text: &str, reason: &str) -> Refusal {
    Refusal::invalid_value(text, "RedrivePolicy", reason)
}

/// A maxReceiveCount within its range, as a number or as text.
fn receive_count(value: &Value) -> Option<u32> {
    let count = match value {
        Value::String(text) => text.parse().ok()?,
        value => value.as_i64()?,
    };
    MAX_RECEIVE_COUNT.contains(&count).then_some(count as u32)
}

fn permission(text: &str) -> Option<RedrivePermission> {
    let mut policy = JsonObject::parse_strictly(text)?;
    let permission = policy.take_text("redrivePermission")?;
    let sources = policy.take("sourceQueueArns");
    if policy.unknown().is_some() {
        return None;
    }
    match (permission.as_str(), sources) {
        ("allowAll", None) => Some(RedrivePermission::AllowAll),
        ("denyAll", None) => Some(RedrivePermission::DenyAll),
        ("byQueue", Some(sources)) => {
            let sources: Vec<String> = serde_json::from_value(sources).ok()?;
            let are_queues = sources.iter().all(|arn| QueueAddress::from_arn(arn).is_some());
            (REDRIVE_SOURCES.contains(&sources.len()) && are_queues)
                .then_some(RedrivePermission::ByQueue(sources))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ARN: &str = "arn:aws:sqs:eu-west-1:000000000000:dlq";

    fn policy() -> RedrivePolicy {
        let text = format!(r#"{{"deadLetterTargetArn":"{ARN}","maxReceiveCount":3}}"#);
        RedrivePolicy::parse(&text).unwrap()
    }

    fn allow(text: &str) -> RedriveAllowPolicy {
        RedriveAllowPolicy::parse(text).unwrap()
    }

    #[test]
    fn the_count_is_a_number_or_text_and_shown_as_a_number() {
        for count in ["1000", "\"1000\""] {
            let text =
                format!("{{ \"maxReceiveCount\" : {count}, \"deadLetterTargetArn\":\"{ARN}\"}}");
            let policy = RedrivePolicy::parse(&text).unwrap();
            assert_eq!(policy.max_receive_count, 1000);
            assert_eq!(policy.dead_letter_target_arn, ARN);
            assert_eq!(policy.text, text);
            let shown = format!("{{\"deadLetterTargetArn\":\"{ARN}\",\"maxReceiveCount\":1000}}");
            assert_eq!(policy.shown(), shown);
        }
    }

    #[test]
    fn a_malformed_redrive_policy_is_quoted_with_the_reason() {
        let counted = |count: &str| {
            (
                format!(r#"{{"deadLetterTargetArn":"{ARN}","maxReceiveCount":{count}}}"#),
                format!(
                    "Invalid value for maxReceiveCount: {}, valid values are from 1 to 1000 both \
                     inclusive.",
                    count.trim_matches('"')
                ),
            )
        };
        let other = |text: &str, reason: &str| (text.to_owned(), reason.to_owned());
        for (text, reason) in [
            other("", "Redrive policy is not a valid JSON map."),
            other("[]", "Redrive policy is not a valid JSON map."),
            other(
                r#"{"DeadLetterTargetArn":"x"}"#,
                "Redrive policy does not contain mandatory attribute: maxReceiveCount.",
            ),
            other(
                r#"{"deadLetterQueueARN":"x","maxReceiveCount":5}"#,
                "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.",
            ),
            other(
                r#"{"maxReceiveCount":"1"}"#,
                "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.",
            ),
            other(
                &format!(r#"{{"deadLetterTargetArn":"{ARN}"}}"#),
                "Redrive policy does not contain mandatory attribute: maxReceiveCount.",
            ),
            other(
                &format!(r#"{{"deadLetterTargetArn":"{ARN}","maxReceiveCount":1,"x":1}}"#),
                "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].",
            ),
            other(
                r#"{"deadLetterTargetArn":"dlq","maxReceiveCount":1}"#,
                "Dead letter target does not exist.",
            ),
            counted("0"),
            counted("1001"),
            counted("-1"),
            counted("1.5"),
            counted("\"a\""),
        ] {
            assert_eq!(
                RedrivePolicy::parse(&text).unwrap_err(),
                Refusal::invalid(format!(
                    "Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}"
                ))
            );
        }
    }

    #[test]
    fn a_target_must_fit_its_source() {
        let queue = |region: &str, name: &str| QueueAddress {
            account: "000000000000".into(),
            region: region.into(),
            name: name.into(),
        };
        let (source, dlq) = (queue("eu-west-1", "q"), queue("eu-west-1", "dlq"));
        let stranger = QueueAddress { account: "111111111111".into(), ..source.clone() };
        let abroad = queue("eu-west-2", "q");
        let policy = policy();
        let by_queue = |arn: String| {
            allow(&format!(r#"{{"redrivePermission":"byQueue","sourceQueueArns":["{arn}"]}}"#))
        };
        let ours = by_queue(source.arn());
        let others = by_queue(abroad.arn());
        let deny = allow(r#"{"redrivePermission":"denyAll"}"#);
        let reason = |source: &QueueAddress, target| {
            check_target(source, false, &policy, target).err().map(|refusal| {
                let start = format!(
                    "Value {} for parameter RedrivePolicy is invalid. Reason: ",
                    policy.text
                );
                refusal.message.strip_prefix(&start).unwrap().to_owned()
            })
        };
        assert_eq!(reason(&source, Some((&dlq, false, None))), None);
        assert_eq!(reason(&source, Some((&dlq, false, Some(&ours)))), None);
        for refused in [&deny, &others] {
            assert_eq!(
                reason(&source, Some((&dlq, false, Some(refused)))).as_deref(),
                Some("Dead-letter target does not allow the source queue to use it.")
            );
        }
        assert_eq!(
            reason(&source, Some((&dlq, true, None))).as_deref(),
            Some("Dead-letter queue must be same type of queue as the source.")
        );
        let missing = Some("Dead letter target does not exist.");
        assert_eq!(reason(&source, None).as_deref(), missing);
        assert_eq!(reason(&abroad, Some((&dlq, false, None))).as_deref(), missing);
        assert_eq!(
            reason(&stranger, None).as_deref(),
            Some("Dead-letter target owner should be same as the source.")
        );
    }

    #[test]
    fn a_malformed_allow_policy_is_refused() {
        let arns = |count| vec![format!("\"{ARN}\""); count].join(",");
        assert!(allow(r#"{"redrivePermission":"allowAll"}"#).permits("any"));
        let sources = |count| {
            let arns = arns(count);
            format!(r#"{{"redrivePermission":"byQueue","sourceQueueArns":[{arns}]}}"#)
        };
        assert!(allow(&sources(10)).permits(ARN));
        for text in [
            "",
            "null",
            "{}",
            r#"{"redrivePermission":"x"}"#,
            r#"{"redrivePermission":"byQueue"}"#,
            r#"{"redrivePermission":"allowAll","x":1}"#,
            r#"{"redrivePermission":"byQueue","sourceQueueArns":["q"]}"#,
            &format!(r#"{{"redrivePermission":"denyAll","sourceQueueArns":[{}]}}"#, arns(1)),
            &sources(0),
            &sources(11),
        ] {
            let refusal = RedriveAllowPolicy::parse(text).unwrap_err();
            assert_eq!(refusal.kind, Kind::InvalidAttributeValue, "{text}");
            assert_eq!(refusal.message, "Invalid value for the parameter RedriveAllowPolicy.");
        }
    }

    #[test]
    fn a_message_moves_when_it_was_received_as_often_as_allowed() {
        assert!(!to_dead_letter(0, 1));
        assert!(to_dead_letter(1, 1));
        assert!(to_dead_letter(5, 3));
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in ".*", value in "[\\[\\]{}a-z0-9\",:.-]*") {
            let _ = RedrivePolicy::parse(&text);
            let _ = RedriveAllowPolicy::parse(&text);
            let nested = format!(r#"{{"maxReceiveCount":{value},"deadLetterTargetArn":"{ARN}"}}"#);
            let _ = RedrivePolicy::parse(&nested);
        }
    }
}
