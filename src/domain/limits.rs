//! The numbers of SQS, SNS and STS, each with the unit in its name or type and the AWS page that states it.
//!
//! Pages: "Amazon SQS message quotas", "Amazon SQS queue quotas" and the API references.

use std::ops::RangeInclusive;

/// Whether AWS's limits on what one request may bring hold. Some programs were written for a
/// server that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Limits {
    /// They hold.
    #[default]
    Aws,
    /// Only what one request can cost is limited.
    Relaxed,
}

impl Limits {
    /// Entries of a batch request.
    pub const fn batch_entries(self) -> usize {
        match self {
            Self::Aws => BATCH_ENTRIES,
            Self::Relaxed => 1_000,
        }
    }

    /// Bytes of all messages of a batch.
    pub const fn batch_bytes(self) -> usize {
        match self {
            Self::Aws => MESSAGE_BYTES,
            Self::Relaxed => usize::MAX,
        }
    }

    /// Bytes of a message for a queue with this MaximumMessageSize.
    pub const fn message_bytes(self, maximum_message_size: u32) -> u32 {
        match self {
            Self::Aws => maximum_message_size,
            Self::Relaxed => u32::MAX,
        }
    }

    /// WaitTimeSeconds of a receive.
    pub const fn wait_time_seconds(self) -> RangeInclusive<i64> {
        match self {
            Self::Aws => WAIT_TIME_SECONDS,
            Self::Relaxed => 0..=3_600,
        }
    }
}

/// Length of a queue's name in characters, `.fifo` included.
pub const QUEUE_NAME_LENGTH: RangeInclusive<usize> = 1..=80;
/// Largest message, and largest sum of a batch: body plus names, types and values of attributes.
pub const MESSAGE_BYTES: usize = 1_048_576;
/// MaximumMessageSize that a queue may set, in bytes.
pub const MAXIMUM_MESSAGE_SIZE: RangeInclusive<u32> = 1_024..=1_048_576;
/// Entries of a batch request.
pub const BATCH_ENTRIES: usize = 10;
/// Length of a batch entry's Id.
pub const BATCH_ENTRY_ID_LENGTH: RangeInclusive<usize> = 1..=80;
/// Attributes that a message may have.
pub const MESSAGE_ATTRIBUTES: usize = 10;
/// Length of a message attribute's name or data type in characters.
pub const MESSAGE_ATTRIBUTE_NAME_LENGTH: usize = 256;
/// Length of MessageGroupId, MessageDeduplicationId and ReceiveRequestAttemptId.
pub const FIFO_ID_LENGTH: RangeInclusive<usize> = 1..=128;
/// VisibilityTimeout in seconds.
pub const VISIBILITY_TIMEOUT: RangeInclusive<i64> = 0..=43_200;
/// DelaySeconds.
pub const DELAY_SECONDS: RangeInclusive<i64> = 0..=900;
/// WaitTimeSeconds and ReceiveMessageWaitTimeSeconds.
pub const WAIT_TIME_SECONDS: RangeInclusive<i64> = 0..=20;
/// MessageRetentionPeriod in seconds.
pub const MESSAGE_RETENTION_PERIOD: RangeInclusive<i64> = 60..=1_209_600;
/// KmsDataKeyReusePeriodSeconds.
pub const KMS_DATA_KEY_REUSE_PERIOD: RangeInclusive<i64> = 60..=86_400;
/// Messages that one receive may return.
pub const RECEIVED_MESSAGES: RangeInclusive<i64> = 1..=10;
/// Messages that one receive returns where the limit above is lifted: no rule of AWS.
pub const UNLIMITED_RECEIVE: i64 = 1_000;
/// Bytes of content that one receive returns: what ten of the largest messages come to with what
/// is around their attributes, so it is no limit but where the one of their number is lifted.
pub const RECEIVED_BYTES: usize = 10 * (MESSAGE_BYTES + 1_024);
/// Messages of one queue that may be in flight.
pub const IN_FLIGHT_MESSAGES: i64 = 120_000;
/// Tags of a queue, of a topic, or of a session.
pub const TAGS: usize = 50;
/// Length of a tag's key in characters.
pub const TAG_KEY_LENGTH: RangeInclusive<usize> = 1..=128;
/// Length of a tag's value in characters.
pub const TAG_VALUE_LENGTH: usize = 256;
/// Policy in bytes.
pub const POLICY_BYTES: usize = 8_192;
/// MaxResults of ListQueues and ListDeadLetterSourceQueues.
pub const LIST_RESULTS: RangeInclusive<i64> = 1..=1_000;
/// Five minutes, in milliseconds, in which a deduplication id or a receive attempt is remembered.
pub const DEDUPLICATION_INTERVAL_MS: i64 = 300_000;
/// Milliseconds between two purges of a queue, and between deleting and creating it again.
pub const QUEUE_COOL_DOWN_MS: i64 = 60_000;
/// maxReceiveCount of a redrive policy.
pub const MAX_RECEIVE_COUNT: RangeInclusive<i64> = 1..=1_000;
/// MaxNumberOfMessagesPerSecond of a message move task.
pub const MOVE_TASK_RATE: RangeInclusive<i64> = 1..=500;
/// MaxResults of ListMessageMoveTasks.
pub const MOVE_TASK_RESULTS: RangeInclusive<i64> = 1..=10;
/// Statements of a policy.
pub const POLICY_STATEMENTS: usize = 20;
/// Principals of a policy.
pub const POLICY_PRINCIPALS: usize = 50;
/// Conditions of a policy.
pub const POLICY_CONDITIONS: usize = 10;
/// Actions that one AddPermission may name.
pub const PERMISSION_ACTIONS: usize = 7;
/// Length of a permission's label.
pub const PERMISSION_LABEL_LENGTH: RangeInclusive<usize> = 1..=80;
/// sourceQueueArns of a RedriveAllowPolicy with byQueue.
pub const REDRIVE_SOURCES: RangeInclusive<usize> = 1..=10;
/// Length of a topic's name.
pub const TOPIC_NAME_LENGTH: RangeInclusive<usize> = 1..=256;
/// DisplayName of a topic in characters.
pub const DISPLAY_NAME_LENGTH: usize = 100;
/// Bytes of a message that is published, attributes included, unless its topic says otherwise.
pub const PUBLISH_BYTES: usize = 262_144;
/// MaximumMessageSize of a topic in bytes.
pub const TOPIC_MAXIMUM_MESSAGE_SIZE: RangeInclusive<usize> = 1_024..=1_048_576;
/// MessageRetentionPeriod of an archive policy in days.
pub const TOPIC_ARCHIVE_DAYS: RangeInclusive<i64> = 1..=365;
/// ResourceArn of the operations on the tags of a topic, in characters.
pub const RESOURCE_ARN_LENGTH: RangeInclusive<usize> = 1..=1_011;
/// Subject of a message in characters.
pub const SUBJECT_LENGTH: RangeInclusive<usize> = 1..=100;
/// Subscriptions of a topic whose messages may be larger than [`PUBLISH_BYTES`], and of a FIFO topic.
pub const FEW_SUBSCRIPTIONS: i64 = 100;
/// Bytes of an attribute of a topic, or of a subscription but for its filter, that has no limit of
/// its own. AWS documents none; this is more than anything that it could mean.
pub const SNS_ATTRIBUTE_BYTES: usize = 65_536;
/// Bytes of an endpoint. AWS's limit is not documented; this is longer than any URL that works.
pub const ENDPOINT_BYTES: usize = 8_192;
/// Milliseconds for which the token of a subscription can confirm it: two days.
pub const SUBSCRIPTION_TOKEN_MS: i64 = 2 * 24 * 3_600 * 1_000;
/// Entries on a page of a list of SNS.
pub const SNS_PAGE: i64 = 100;
/// DataProtectionPolicy in characters.
pub const DATA_PROTECTION_POLICY_LENGTH: usize = 30_720;
/// Filter policies of a topic's subscriptions. Page "Filter policy constraints in Amazon SNS", as the
/// three below.
pub const FILTER_POLICIES: i64 = 200;
/// Bytes of a subscription's FilterPolicy.
pub const FILTER_POLICY_BYTES: usize = 262_144;
/// Keys of a FilterPolicy.
pub const FILTER_POLICY_KEYS: usize = 5;
/// Complexity of a FilterPolicy: the product of the numbers of its conditions and their levels.
pub const FILTER_POLICY_COMPLEXITY: usize = 150;
/// Length of a platform application's name in characters. Page API_CreatePlatformApplication.
pub const PLATFORM_APPLICATION_NAME_LENGTH: usize = 256;
/// CustomUserData of an endpoint in bytes. Page API_SetEndpointAttributes.
pub const CUSTOM_USER_DATA_BYTES: usize = 2_048;
/// Digits of a phone number in E.164 form, country code included.
pub const E164_DIGITS: RangeInclusive<usize> = 3..=15;
/// Characters that one Publish may send to a phone. Page API_Publish.
pub const SMS_CHARACTERS: usize = 1_600;
/// Milliseconds for which a phone number cannot be opted in again. Page API_OptInPhoneNumber.
pub const OPT_IN_AGAIN_MS: i64 = 30 * 24 * 3_600 * 1_000;
/// Phone numbers in the SMS sandbox of an account. Page "Using the Amazon SNS SMS sandbox".
pub const SANDBOX_NUMBERS: i64 = 10;
/// DurationSeconds of AssumeRole. Page API_AssumeRole of STS.
pub const ROLE_SESSION_S: RangeInclusive<i64> = 900..=43_200;
/// DurationSeconds of GetSessionToken. Page API_GetSessionToken of STS.
pub const SESSION_S: RangeInclusive<i64> = 900..=129_600;
/// Seconds that a session of an account's owner lasts at most, and one of a role that a role has
/// assumed.
pub const SHORT_SESSION_S: i64 = 3_600;
