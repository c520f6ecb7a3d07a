//! The attributes of a queue: defaults, ranges, refusals, and how they are shown.
//!
//! All values travel as text. AWS pages: API_CreateQueue, API_SetQueueAttributes,
//! API_GetQueueAttributes. Whether a RedrivePolicy's target exists is not known here: see
//! [`check_target`](super::redrive::check_target).

use std::ops::RangeInclusive;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::address::bad_name;
use super::policy::{self, Policy};
use super::redrive::{RedriveAllowPolicy, RedrivePolicy};
use super::{Kind, Refusal, limits};

/// Where a deduplication id must be unique: DeduplicationScope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, EnumString, IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum DeduplicationScope {
    /// `queue`
    #[default]
    Queue,
    /// `messageGroup`
    MessageGroup,
}

/// What a FIFO queue's throughput quota counts: FifoThroughputLimit. Squab has no such quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, EnumString, IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum FifoThroughputLimit {
    /// `perQueue`
    #[default]
    PerQueue,
    /// `perMessageGroupId`
    PerMessageGroupId,
}

/// The settable attributes of one queue, with their current values. Times are in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct QueueAttributes {
    pub fifo: bool,
    pub visibility_timeout: u32,
    pub delay_seconds: u32,
    pub maximum_message_size: u32,
    pub message_retention_period: u32,
    pub receive_message_wait_time_seconds: u32,
    pub content_based_deduplication: bool,
    pub deduplication_scope: DeduplicationScope,
    pub fifo_throughput_limit: FifoThroughputLimit,
    pub sqs_managed_sse_enabled: bool,
    pub kms_master_key_id: Option<String>,
    pub kms_data_key_reuse_period_seconds: Option<u32>,
    pub policy: Option<Arc<Policy>>,
    pub redrive_policy: Option<RedrivePolicy>,
    pub redrive_allow_policy: Option<RedriveAllowPolicy>,
}

/// The name of an attribute of a queue, in the order in which attributes are shown. Read-only are QueueArn, the timestamps and the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum AttributeName {
    VisibilityTimeout,
    DelaySeconds,
    MaximumMessageSize,
    MessageRetentionPeriod,
    ReceiveMessageWaitTimeSeconds,
    SqsManagedSseEnabled,
    KmsMasterKeyId,
    KmsDataKeyReusePeriodSeconds,
    Policy,
    RedrivePolicy,
    RedriveAllowPolicy,
    FifoQueue,
    ContentBasedDeduplication,
    DeduplicationScope,
    FifoThroughputLimit,
    QueueArn,
    CreatedTimestamp,
    LastModifiedTimestamp,
    ApproximateNumberOfMessages,
    ApproximateNumberOfMessagesNotVisible,
    ApproximateNumberOfMessagesDelayed,
}

impl AttributeName {
    /// Returns the name as AWS writes it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the names of the attributes that CreateQueue takes.
    pub fn settable() -> impl Iterator<Item = &'static str> {
        let all = Self::VARIANTS.iter().copied();
        all.take_while(|name| *name != Self::QueueArn).map(Self::as_str)
    }

    /// Returns the attribute of this name. Names are case-sensitive.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// Returns whether this is the name of an attribute of some queue, or `All`.
pub fn is_known_name(name: &str) -> bool {
    name == "All" || AttributeName::parse(name).is_some()
}

/// The attributes that a standard queue does not have.
const ONLY_OF_FIFO: [AttributeName; 4] = [
    AttributeName::FifoQueue,
    AttributeName::ContentBasedDeduplication,
    AttributeName::DeduplicationScope,
    AttributeName::FifoThroughputLimit,
];

// Rule (CreateQueue, SetQueueAttributes, GetQueueAttributes): an unknown name, or a read-only one in a
//   request that sets attributes, is InvalidAttributeName, "Unknown Attribute Foo."
// Source: reported, aws/aws-sdk-ruby#1350
// Test: src/domain/queue_attributes.rs::names_out_of_place_are_unknown, tests/scenarios/queues.txt#What a new queue shows
//
/// Returns the refusal of a name that is unknown, or has no place where it was given.
pub fn unknown_attribute(name: &str) -> Refusal {
    Refusal::new(Kind::InvalidAttributeName, format!("Unknown Attribute {name}."))
}

// Rule (CreateQueue): FifoQueue can only be true, in any case of its letters; FifoQueue=false is
//   InvalidAttributeName, "Unknown Attribute FifoQueue."
// Source: recorded
// Test: src/domain/queue_attributes.rs::names_out_of_place_are_unknown
//
/// Returns whether the attributes given to CreateQueue ask for a FIFO queue. FifoQueue may only be true,
/// in any case of its letters; a standard queue has no such attribute.
pub fn asks_for_fifo(given: &IndexMap<String, String>) -> Result<bool, Refusal> {
    let name = AttributeName::FifoQueue;
    match given.get(name.as_str()).map(|value| boolean(name, value)) {
        None => Ok(false),
        Some(Ok(true)) => Ok(true),
        Some(Ok(false)) => Err(unknown_attribute(name.as_str())),
        Some(Err(refusal)) => Err(refusal),
    }
}

impl QueueAttributes {
    // Rule (CreateQueue): a new queue hides messages for 30 seconds, delays none, takes messages of 1
    //   MiB, keeps them for four days, and has SSE-SQS switched on.
    // Source: recorded
    // Test: src/domain/queue_attributes.rs::new_queues_show_what_aws_shows
    //
    /// Returns the attributes of a queue that was created without any.
    pub fn defaults(fifo: bool) -> Self {
        Self {
            fifo,
            visibility_timeout: 30,
            delay_seconds: 0,
            maximum_message_size: *limits::MAXIMUM_MESSAGE_SIZE.end(),
            message_retention_period: 345_600,
            receive_message_wait_time_seconds: 0,
            content_based_deduplication: false,
            deduplication_scope: DeduplicationScope::default(),
            fifo_throughput_limit: FifoThroughputLimit::default(),
            sqs_managed_sse_enabled: true,
            kms_master_key_id: None,
            kms_data_key_reuse_period_seconds: None,
            policy: None,
            redrive_policy: None,
            redrive_allow_policy: None,
        }
    }

    /// Returns the attributes of a new queue; `fifo_name` says whether its name ends with `.fifo`.
    ///
    /// Refused with InvalidAttributeName, InvalidAttributeValue, or InvalidParameterValue for a
    /// RedrivePolicy and for a name that does not fit FifoQueue.
    pub fn create(fifo_name: bool, given: &IndexMap<String, String>) -> Result<Self, Refusal> {
        let fifo = asks_for_fifo(given)?;
        if fifo != fifo_name {
            return Err(bad_name(fifo));
        }
        let mut attributes = Self::defaults(fifo);
        for (name, value) in given {
            attributes.assign(name, value)?;
        }
        attributes.apply_dependencies(given)?;
        Ok(attributes)
    }

    // Rule (SetQueueAttributes): all attributes of a request are set, or none when one is refused.
    // Source: inferred
    // Test: tests/scenarios/queues.txt#All or nothing
    //
    // Rule (SetQueueAttributes): an empty text removes KmsMasterKeyId, Policy, RedrivePolicy or
    //   RedriveAllowPolicy.
    // Source: reported, https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/sqs/attribute_funcs.go
    // Test: src/domain/queue_attributes.rs::documents_are_shown_and_removed_by_an_empty_text
    //
    /// Sets all of these attributes, or none of them when one is refused. An empty text removes
    /// KmsMasterKeyId, Policy, RedrivePolicy or RedriveAllowPolicy.
    ///
    /// Refused as in [`create`](Self::create), and with MissingParameter when nothing is given.
    pub fn set(&mut self, given: &IndexMap<String, String>) -> Result<(), Refusal> {
        if given.is_empty() {
            return Err(Refusal::missing("Attribute.Name"));
        }
        let mut attributes = self.clone();
        for (name, value) in given {
            attributes.assign(name, value)?;
        }
        attributes.apply_dependencies(given)?;
        *self = attributes;
        Ok(())
    }

    // Rule (CreateQueue): of a queue that exists only the attributes given are compared, with their
    //   current values; a difference is QueueAlreadyExists.
    // Source: recorded
    // Test: src/domain/queue_attributes.rs::only_given_attributes_are_compared_with_current_values
    //
    /// Returns the first of the given attributes whose value is not the current one. Attributes that were
    /// not given do not matter, nor does the spelling of numbers and JSON. A value that no queue can
    /// have is a difference.
    pub fn first_difference(&self, given: &IndexMap<String, String>) -> Option<String> {
        given.iter().find(|(name, value)| !self.has(name, value)).map(|(name, _)| name.clone())
    }

    fn has(&self, name: &str, value: &str) -> bool {
        if name == AttributeName::FifoQueue.as_str() {
            return boolean(AttributeName::FifoQueue, value) == Ok(self.fifo);
        }
        let mut other = self.clone();
        if other.assign(name, value).is_err() {
            return false;
        }
        let json = |policy: &Option<Arc<Policy>>| {
            policy.as_ref().and_then(|policy| serde_json::from_str::<Value>(policy.text()).ok())
        };
        match AttributeName::parse(name) {
            Some(AttributeName::Policy) => json(&self.policy) == json(&other.policy),
            Some(AttributeName::RedrivePolicy) => {
                match (&self.redrive_policy, &other.redrive_policy) {
                    (Some(current), Some(given)) => current.means_same(given),
                    (current, given) => current.is_none() && given.is_none(),
                }
            }
            Some(AttributeName::RedriveAllowPolicy) => {
                let permission = |policy: &Option<RedriveAllowPolicy>| {
                    policy.as_ref().map(|policy| policy.permission.clone())
                };
                permission(&self.redrive_allow_policy) == permission(&other.redrive_allow_policy)
            }
            Some(AttributeName::KmsDataKeyReusePeriodSeconds) => {
                self.reuse_period() == other.reuse_period()
            }
            _ => *self == other,
        }
    }

    // Rule (GetQueueAttributes): attributes without a value are left out, whether they are asked for by
    //   name or with All.
    // Source: recorded
    // Test: tests/scenarios/queues.txt#What a new queue shows, tests/scenarios/queues.txt#Encryption: setting a key disables SSE-SQS
    //
    /// Returns the attributes as GetQueueAttributes shows them for `All`, without the read-only ones.
    /// Those that have no value, or none for this type of queue, are left out. A queue created
    /// with what is shown has the same attributes.
    pub fn shown(&self) -> Vec<(&'static str, String)> {
        AttributeName::VARIANTS
            .iter()
            .filter_map(|name| self.value(*name).map(|value| (name.as_str(), value)))
            .collect()
    }

    // Rule (GetQueueAttributes): a standard queue asked by name for an attribute of FIFO queues answers
    //   InvalidAttributeName, "Unknown Attribute FifoQueue."
    // Source: reported, aws/aws-sdk-ruby#1350
    // Test: tests/scenarios/queues.txt#The type of a queue never changes.
    //
    /// Checks the names that GetQueueAttributes asks for. Refused with InvalidAttributeName when the
    /// queue cannot have the attribute.
    pub fn check_names<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<(), Refusal> {
        let is_known = |name: &str| match AttributeName::parse(name) {
            Some(attribute) => self.fifo || !ONLY_OF_FIFO.contains(&attribute),
            None => name == "All",
        };
        match names.into_iter().find(|name| !is_known(name)) {
            None => Ok(()),
            Some(name) => Err(unknown_attribute(name)),
        }
    }

    /// Returns the value of one settable attribute as it is shown; none for the read-only ones.
    pub fn value(&self, name: AttributeName) -> Option<String> {
        let of_fifo = |value: &str| self.fifo.then(|| value.to_owned());
        match name {
            AttributeName::VisibilityTimeout => Some(self.visibility_timeout.to_string()),
            AttributeName::DelaySeconds => Some(self.delay_seconds.to_string()),
            AttributeName::MaximumMessageSize => Some(self.maximum_message_size.to_string()),
            AttributeName::MessageRetentionPeriod => {
                Some(self.message_retention_period.to_string())
            }
            AttributeName::ReceiveMessageWaitTimeSeconds => {
                Some(self.receive_message_wait_time_seconds.to_string())
            }
            AttributeName::SqsManagedSseEnabled => Some(self.sqs_managed_sse_enabled.to_string()),
            AttributeName::KmsMasterKeyId => self.kms_master_key_id.clone(),
            AttributeName::KmsDataKeyReusePeriodSeconds => {
                self.reuse_period().map(|period| period.to_string())
            }
            AttributeName::Policy => self.policy.as_ref().map(|policy| policy.text().to_owned()),
            AttributeName::RedrivePolicy => self.redrive_policy.as_ref().map(RedrivePolicy::shown),
            AttributeName::RedriveAllowPolicy => {
                self.redrive_allow_policy.as_ref().map(|policy| policy.text.clone())
            }
            AttributeName::FifoQueue => of_fifo("true"),
            AttributeName::ContentBasedDeduplication => {
                self.fifo.then(|| self.content_based_deduplication.to_string())
            }
            AttributeName::DeduplicationScope => of_fifo(self.deduplication_scope.into()),
            AttributeName::FifoThroughputLimit => of_fifo(self.fifo_throughput_limit.into()),
            // The others are read-only.
            _ => None,
        }
    }

    /// Without a key there is no reuse of a key.
    fn reuse_period(&self) -> Option<u32> {
        self.kms_master_key_id.as_ref().and(self.kms_data_key_reuse_period_seconds)
    }

    /// Takes over one value, as far as it can be judged by itself.
    fn assign(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let attribute = AttributeName::parse(name).ok_or_else(|| unknown_attribute(name))?;
        if value.len() > limits::POLICY_BYTES && attribute != AttributeName::Policy {
            return Err(invalid(attribute));
        }
        let seconds = |range| integer(attribute, value, range);
        match attribute {
            AttributeName::VisibilityTimeout => {
                self.visibility_timeout = seconds(limits::VISIBILITY_TIMEOUT)?;
            }
            AttributeName::DelaySeconds => self.delay_seconds = seconds(limits::DELAY_SECONDS)?,
            AttributeName::MessageRetentionPeriod => {
                self.message_retention_period = seconds(limits::MESSAGE_RETENTION_PERIOD)?;
            }
            AttributeName::ReceiveMessageWaitTimeSeconds => {
                self.receive_message_wait_time_seconds = seconds(limits::WAIT_TIME_SECONDS)?;
            }
            AttributeName::KmsDataKeyReusePeriodSeconds => {
                self.kms_data_key_reuse_period_seconds =
                    Some(seconds(limits::KMS_DATA_KEY_REUSE_PERIOD)?);
            }
            AttributeName::MaximumMessageSize => {
                let (least, most) = limits::MAXIMUM_MESSAGE_SIZE.into_inner();
                self.maximum_message_size =
                    integer(attribute, value, i64::from(least)..=i64::from(most))?;
            }
            AttributeName::SqsManagedSseEnabled => {
                self.sqs_managed_sse_enabled = boolean(attribute, value)?;
            }
            AttributeName::KmsMasterKeyId => {
                self.kms_master_key_id = unless_empty(value, |key| Ok(key.to_owned()))?;
            }
            AttributeName::Policy => {
                self.policy = unless_empty(value, |text| {
                    policy::queue::check(text).map(|()| Arc::new(Policy::read(text)))
                })?;
            }
            AttributeName::RedrivePolicy => {
                self.redrive_policy = unless_empty(value, RedrivePolicy::parse)?;
            }
            AttributeName::RedriveAllowPolicy => {
                self.redrive_allow_policy = unless_empty(value, RedriveAllowPolicy::parse)?;
            }
            AttributeName::ContentBasedDeduplication if self.fifo => {
                self.content_based_deduplication = boolean(attribute, value)?;
            }
            AttributeName::DeduplicationScope if self.fifo => {
                self.deduplication_scope = value.parse().map_err(|_| invalid(attribute))?;
            }
            AttributeName::FifoThroughputLimit if self.fifo => {
                self.fifo_throughput_limit = value.parse().map_err(|_| invalid(attribute))?;
            }
            AttributeName::FifoQueue if self.fifo => keep_fifo(value)?,
            AttributeName::DeduplicationScope | AttributeName::FifoThroughputLimit => {
                return Err(only_for_fifo(attribute));
            }
            // The others are read-only, or of FIFO queues.
            _ => return Err(unknown_attribute(name)),
        }
        Ok(())
    }

    // Rule (CreateQueue, SetQueueAttributes): FifoThroughputLimit=perMessageGroupId needs
    //   DeduplicationScope=messageGroup.
    // Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
    // Test: src/domain/queue_attributes.rs::throughput_per_group_needs_deduplication_per_group
    //
    // Rule (CreateQueue, SetQueueAttributes): a KMS key switches SSE-SQS off, and its removal does not
    //   switch it on.
    // Source: recorded
    // Test: src/domain/queue_attributes.rs::a_kms_key_replaces_the_managed_encryption
    //
    // Rule (CreateQueue, SetQueueAttributes): a KMS key together with SqsManagedSseEnabled=true is
    //   refused.
    // Source: inferred, AWS documents that a queue has one kind of encryption only; the sentence is not proven
    // Test: src/domain/queue_attributes.rs::two_kinds_of_encryption_at_once_are_refused
    //
    /// Applies the rules between attributes, after all given values were taken over.
    fn apply_dependencies(&mut self, given: &IndexMap<String, String>) -> Result<(), Refusal> {
        if self.fifo_throughput_limit == FifoThroughputLimit::PerMessageGroupId
            && self.deduplication_scope != DeduplicationScope::MessageGroup
        {
            return Err(Refusal::new(
                Kind::InvalidAttributeValue,
                "The perMessageGroupId value is allowed only when the value for \
                 DeduplicationScope is messageGroup.",
            ));
        }
        if self.kms_master_key_id.is_none() {
            self.kms_data_key_reuse_period_seconds = None;
            return Ok(());
        }
        let asks_for_managed_sse = self.sqs_managed_sse_enabled
            && given.contains_key(AttributeName::SqsManagedSseEnabled.as_str());
        if asks_for_managed_sse {
            return Err(Refusal::new(
                Kind::InvalidAttributeName,
                "You can use one type of server-side encryption (SSE) at one time. You can either \
                 enable KMS SSE or SQS SSE.",
            ));
        }
        self.sqs_managed_sse_enabled = false;
        self.kms_data_key_reuse_period_seconds.get_or_insert(DEFAULT_KEY_REUSE_SECONDS);
        Ok(())
    }
}

const DEFAULT_KEY_REUSE_SECONDS: u32 = 300;

// Rule (SetQueueAttributes): FifoQueue=true changes nothing on a FIFO queue, FifoQueue=false is InvalidAttributeValue,
//   "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
// Source: recorded
// Test: tests/scenarios/queues.txt#The type of a queue never changes.
fn keep_fifo(value: &str) -> Result<(), Refusal> {
    if boolean(AttributeName::FifoQueue, value)? {
        return Ok(());
    }
    let mut refusal = invalid(AttributeName::FifoQueue);
    refusal.message.to_mut().push_str(" Reason: Modifying queue type is not supported.");
    Err(refusal)
}

// Rule (CreateQueue, SetQueueAttributes): DeduplicationScope and FifoThroughputLimit of a standard queue are
//   InvalidAttributeName, "You can specify the DeduplicationScope only when FifoQueue is set to true."
// Source: recorded
// Test: tests/scenarios/queues.txt#The type of a queue never changes.
fn only_for_fifo(attribute: AttributeName) -> Refusal {
    let name = attribute.as_str();
    Refusal::new(
        Kind::InvalidAttributeName,
        format!("You can specify the {name} only when FifoQueue is set to true."),
    )
}

fn invalid(attribute: AttributeName) -> Refusal {
    Refusal::new(
        Kind::InvalidAttributeValue,
        format!("Invalid value for the parameter {}.", attribute.as_str()),
    )
}

// Rule (CreateQueue, SetQueueAttributes): a number outside the range of its attribute is
//   InvalidAttributeValue.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
// Test: src/domain/queue_attributes.rs::values_must_be_within_their_range
//
fn integer(
    attribute: AttributeName,
    value: &str,
    range: RangeInclusive<i64>,
) -> Result<u32, Refusal> {
    let value = value.parse().ok().filter(|value| range.contains(value));
    value.and_then(|value| u32::try_from(value).ok()).ok_or_else(|| invalid(attribute))
}

fn boolean(attribute: AttributeName, value: &str) -> Result<bool, Refusal> {
    if value.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if value.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(invalid(attribute))
    }
}

fn unless_empty<T>(
    value: &str,
    read: impl FnOnce(&str) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    if value.is_empty() { Ok(None) } else { read(value).map(Some) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn given<const N: usize>(pairs: [(&str, &str); N]) -> IndexMap<String, String> {
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn standard() -> QueueAttributes {
        QueueAttributes::create(false, &given([])).unwrap()
    }

    fn fifo() -> QueueAttributes {
        QueueAttributes::create(true, &given([("FifoQueue", "True")])).unwrap()
    }

    /// Sets the attributes and tells how the queue is shown afterwards, by name.
    fn set<const N: usize>(queue: &mut QueueAttributes, pairs: [(&str, &str); N]) -> String {
        queue.set(&given(pairs)).unwrap();
        shown(queue)
    }

    fn shown(queue: &QueueAttributes) -> String {
        let mut shown = queue.shown();
        shown.sort_unstable();
        shown.iter().flat_map(|(name, value)| [name, "=", value, "\n"]).collect()
    }

    fn refused<const N: usize>(
        queue: &QueueAttributes,
        pairs: [(&str, &str); N],
    ) -> (Kind, String) {
        let mut changed = queue.clone();
        let refusal = changed.set(&given(pairs)).unwrap_err();
        assert_eq!(changed, *queue);
        (refusal.kind, refusal.message.into_owned())
    }

    const NEW_STANDARD_QUEUE: &str = "DelaySeconds=0\nMaximumMessageSize=1048576\n\
        MessageRetentionPeriod=345600\nReceiveMessageWaitTimeSeconds=0\n\
        SqsManagedSseEnabled=true\nVisibilityTimeout=30\n";

    #[test]
    fn new_queues_show_what_aws_shows() {
        assert_eq!(shown(&standard()), NEW_STANDARD_QUEUE);
        let fifo = QueueAttributes::create(
            true,
            &given([
                ("FifoQueue", "true"),
                ("SqsManagedSseEnabled", "true"),
                ("ContentBasedDeduplication", "true"),
            ]),
        );
        assert_eq!(
            shown(&fifo.unwrap()),
            "ContentBasedDeduplication=true\nDeduplicationScope=queue\nDelaySeconds=0\n\
             FifoQueue=true\nFifoThroughputLimit=perQueue\nMaximumMessageSize=1048576\n\
             MessageRetentionPeriod=345600\nReceiveMessageWaitTimeSeconds=0\n\
             SqsManagedSseEnabled=true\nVisibilityTimeout=30\n"
        );
    }

    #[test]
    fn content_based_deduplication_can_be_switched_both_ways() {
        let mut queue = fifo();
        for value in ["true", "false"] {
            let shown = set(&mut queue, [("ContentBasedDeduplication", value)]);
            assert!(shown.contains(&format!("ContentBasedDeduplication={value}\n")));
        }
    }

    #[test]
    fn a_kms_key_replaces_the_managed_encryption() {
        let mut queue = standard();
        let both = [("KmsMasterKeyId", "testKeyId"), ("KmsDataKeyReusePeriodSeconds", "6000")];
        let with_key = set(&mut queue, both);
        assert_eq!(
            with_key,
            "DelaySeconds=0\nKmsDataKeyReusePeriodSeconds=6000\nKmsMasterKeyId=testKeyId\n\
             MaximumMessageSize=1048576\nMessageRetentionPeriod=345600\n\
             ReceiveMessageWaitTimeSeconds=0\nSqsManagedSseEnabled=false\nVisibilityTimeout=30\n"
        );
        let mut same = standard();
        let all_three = [both[0], both[1], ("SqsManagedSseEnabled", "false")];
        assert_eq!(set(&mut same, all_three), with_key);

        let removed =
            set(&mut queue, [("KmsMasterKeyId", ""), ("KmsDataKeyReusePeriodSeconds", "300")]);
        assert_eq!(
            removed,
            NEW_STANDARD_QUEUE.replace("SqsManagedSseEnabled=true", "SqsManagedSseEnabled=false")
        );
        assert_eq!(set(&mut queue, [("SqsManagedSseEnabled", "true")]), NEW_STANDARD_QUEUE);
        let without_period = set(&mut queue, [("KmsMasterKeyId", "k")]);
        assert!(without_period.contains("KmsDataKeyReusePeriodSeconds=300\n"));
    }

    #[test]
    fn two_kinds_of_encryption_at_once_are_refused() {
        let expected = (
            Kind::InvalidAttributeName,
            "You can use one type of server-side encryption (SSE) at one time. You can either \
             enable KMS SSE or SQS SSE."
                .to_owned(),
        );
        let both = [("SqsManagedSseEnabled", "true"), ("KmsMasterKeyId", "k")];
        assert_eq!(refused(&standard(), both), expected);
        let mut queue = standard();
        set(&mut queue, [("KmsMasterKeyId", "k")]);
        assert_eq!(refused(&queue, [("SqsManagedSseEnabled", "true")]), expected);
        let switched = set(&mut queue, [("SqsManagedSseEnabled", "true"), ("KmsMasterKeyId", "")]);
        assert_eq!(switched, NEW_STANDARD_QUEUE);
    }

    #[test]
    fn values_must_be_within_their_range() {
        for (name, least, most) in [
            ("VisibilityTimeout", 0, 43_200),
            ("DelaySeconds", 0, 900),
            ("MaximumMessageSize", 1_024, 1_048_576),
            ("MessageRetentionPeriod", 60, 1_209_600),
            ("ReceiveMessageWaitTimeSeconds", 0, 20),
            ("KmsDataKeyReusePeriodSeconds", 60, 86_400),
        ] {
            let mut queue = standard();
            set(&mut queue, [("KmsMasterKeyId", "k")]);
            for value in [least, most] {
                let shown = set(&mut queue, [(name, &value.to_string())]);
                assert!(shown.contains(&format!("{name}={value}\n")), "{shown}");
            }
            for value in
                [(least - 1).to_string(), (most + 1).to_string(), String::new(), "x".into()]
            {
                let message = format!("Invalid value for the parameter {name}.");
                let expected = (Kind::InvalidAttributeValue, message);
                assert_eq!(refused(&queue, [("DelaySeconds", "1"), (name, &value)]), expected);
            }
        }
        for name in ["SqsManagedSseEnabled", "ContentBasedDeduplication", "DeduplicationScope"] {
            assert_eq!(refused(&fifo(), [(name, "yes")]).0, Kind::InvalidAttributeValue);
        }
    }

    #[test]
    fn names_out_of_place_are_unknown() {
        let unknown =
            |name: &str| (Kind::InvalidAttributeName, format!("Unknown Attribute {name}."));
        for name in [
            "Foo",
            "All",
            "visibilityTimeout",
            "QueueArn",
            "ApproximateNumberOfMessages",
            "FifoQueue",
            "ContentBasedDeduplication",
        ] {
            assert_eq!(refused(&standard(), [(name, "true")]), unknown(name));
        }
        assert_eq!(refused(&fifo(), [("FifoQueue", "x")]).0, Kind::InvalidAttributeValue);
        let refusal = QueueAttributes::create(false, &given([("FifoQueue", "false")])).unwrap_err();
        assert_eq!((refusal.kind, refusal.message.into_owned()), unknown("FifoQueue"));
        assert!(QueueAttributes::create(false, &given([("FifoQueue", "x")])).is_err());
        assert_eq!(refused(&standard(), []).1, Refusal::missing("Attribute.Name").message);
        assert!(is_known_name("All") && is_known_name("QueueArn") && !is_known_name("Foo"));
    }

    #[test]
    fn name_and_fifo_queue_must_agree() {
        let refusal = QueueAttributes::create(true, &given([])).unwrap_err();
        assert!(refusal.message.starts_with("Can only include"));
        let refusal = QueueAttributes::create(false, &given([("FifoQueue", "true")])).unwrap_err();
        assert!(refusal.message.contains("must end with .fifo suffix"));
    }

    #[test]
    fn throughput_per_group_needs_deduplication_per_group() {
        let expected = (
            Kind::InvalidAttributeValue,
            "The perMessageGroupId value is allowed only when the value for DeduplicationScope is \
             messageGroup."
                .to_owned(),
        );
        let mut queue = fifo();
        assert_eq!(refused(&queue, [("FifoThroughputLimit", "perMessageGroupId")]), expected);
        let both =
            [("FifoThroughputLimit", "perMessageGroupId"), ("DeduplicationScope", "messageGroup")];
        let shown = set(&mut queue, both);
        assert!(shown.contains("DeduplicationScope=messageGroup\n"));
        assert!(shown.contains("FifoThroughputLimit=perMessageGroupId\n"));
        assert_eq!(refused(&queue, [("DeduplicationScope", "queue")]), expected);
        let back =
            set(&mut queue, [("DeduplicationScope", "queue"), ("FifoThroughputLimit", "perQueue")]);
        assert_eq!(back, self::shown(&fifo()));
    }

    #[test]
    fn documents_are_shown_and_removed_by_an_empty_text() {
        let redrive = r#"{"maxReceiveCount": "3", "deadLetterTargetArn":"arn:aws:sqs:eu-west-1:000000000000:d"}"#;
        let as_shown =
            r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:000000000000:d","maxReceiveCount":3}"#;
        let allow = r#"{ "redrivePermission": "denyAll" }"#;
        let policy = r#"{ "Statement": [] }"#;
        let mut queue = standard();
        let documents =
            [("RedrivePolicy", redrive), ("RedriveAllowPolicy", allow), ("Policy", policy)];
        let with_documents = set(&mut queue, documents);
        // The others are echoed as they were given.
        for (name, text) in [("RedrivePolicy", as_shown), documents[1], documents[2]] {
            assert!(with_documents.contains(&format!("{name}={text}\n")));
        }
        let none = [("RedrivePolicy", ""), ("RedriveAllowPolicy", ""), ("Policy", "")];
        assert_eq!(set(&mut queue, none), NEW_STANDARD_QUEUE);
        assert_eq!(
            refused(&queue, [("Policy", "x")]),
            (Kind::InvalidAttributeValue, "Invalid value for the parameter Policy.".to_owned())
        );
        assert_eq!(refused(&queue, [("RedrivePolicy", "x")]).0, Kind::InvalidParameterValue);
    }

    #[test]
    fn only_given_attributes_are_compared_with_current_values() {
        let original = given([("ReceiveMessageWaitTimeSeconds", "1"), ("DelaySeconds", "1")]);
        let mut queue = QueueAttributes::create(false, &original).unwrap();
        let difference =
            |queue: &QueueAttributes, given: &_| queue.first_difference(given).unwrap_or_default();
        assert_eq!(difference(&queue, &given([])), "");
        assert_eq!(difference(&queue, &given([("DelaySeconds", "1")])), "");
        assert_eq!(difference(&queue, &original), "");
        let other = given([("ReceiveMessageWaitTimeSeconds", "1"), ("DelaySeconds", "2")]);
        assert_eq!(difference(&queue, &other), "DelaySeconds");
        set(&mut queue, [("DelaySeconds", "2")]);
        assert_eq!(difference(&queue, &original), "DelaySeconds");
        assert_eq!(difference(&queue, &other), "");
    }

    #[test]
    fn spelling_makes_no_difference() {
        let arn = "arn:aws:sqs:eu-west-1:000000000000:d";
        let mut queue = fifo();
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny"}]}"#;
        let redrive = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":3}}"#);
        let allow = r#"{"redrivePermission":"denyAll"}"#;
        let current = [
            ("Policy", policy),
            ("RedrivePolicy", &redrive),
            ("RedriveAllowPolicy", allow),
            ("KmsMasterKeyId", "k"),
        ];
        set(&mut queue, current);
        assert_eq!(queue.first_difference(&given(current)), None);
        let redrive = format!(r#"{{ "maxReceiveCount": "3", "deadLetterTargetArn": "{arn}" }}"#);
        let respelled = given([
            ("FifoQueue", "TRUE"),
            ("VisibilityTimeout", "030"),
            ("ContentBasedDeduplication", "False"),
            ("Policy", r#"{ "Statement":[{"Effect":"Deny"}], "Version":"2012-10-17" }"#),
            ("RedrivePolicy", &redrive),
            ("RedriveAllowPolicy", r#"{ "redrivePermission" : "denyAll" }"#),
            ("KmsDataKeyReusePeriodSeconds", "300"),
        ]);
        assert_eq!(queue.first_difference(&respelled), None);
        for (name, value) in [
            ("Policy", r#"{"Statement":[{"Effect":"Allow"}]}"#),
            ("RedrivePolicy", &redrive.replace('3', "4")),
            ("RedrivePolicy", ""),
            ("RedriveAllowPolicy", ""),
            ("KmsDataKeyReusePeriodSeconds", "60"),
            ("KmsMasterKeyId", "l"),
            ("FifoQueue", "false"),
            ("Foo", "x"),
        ] {
            assert_eq!(queue.first_difference(&given([(name, value)])).as_deref(), Some(name));
        }
        let without_key = given([("KmsDataKeyReusePeriodSeconds", "60"), ("KmsMasterKeyId", "")]);
        assert_eq!(standard().first_difference(&without_key), None);
    }

    proptest! {
        #[test]
        fn any_values_are_taken_or_refused(
            values in prop::collection::vec(
                (prop::sample::select(AttributeName::VARIANTS), "true|[0-9]{0,5}|.{0,9}"),
                1..6,
            ),
            fifo in any::<bool>(),
        ) {
            let given: IndexMap<_, _> = values
                .into_iter()
                .map(|(name, value)| (name.as_str().to_owned(), value))
                .collect();
            if let Ok(created) = QueueAttributes::create(fifo, &given) {
                let shown: IndexMap<_, _> = created
                    .shown()
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect();
                prop_assert_eq!(&QueueAttributes::create(fifo, &shown)?, &created);
                prop_assert_eq!(created.first_difference(&shown), None);
                let mut set = QueueAttributes::defaults(fifo);
                if !given.is_empty() {
                    prop_assert_eq!(set.set(&given), Ok(()));
                    prop_assert_eq!(set, created);
                }
            }
        }
    }
}
