//! The limits of SQS, SNS and STS, each with its unit and, if AWS documents it, the page.

use std::ops::RangeInclusive;

/// Whether AWS's limits on the size of a request apply. Some programs were written for servers
/// without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Limits {
    /// They apply.
    #[default]
    Aws,
    /// Only the cost of a request is limited.
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
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>
pub const QUEUE_NAME_LENGTH: RangeInclusive<usize> = 1..=80;
/// Largest message, and largest sum of a batch: body plus names, types and values of attributes.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub const MESSAGE_BYTES: usize = 1_048_576;
/// MaximumMessageSize that a queue may set, in bytes.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>
pub const MAXIMUM_MESSAGE_SIZE: RangeInclusive<u32> = 1_024..=1_048_576;
/// Entries of a batch request.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub const BATCH_ENTRIES: usize = 10;
/// Length of a batch entry's Id.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub const BATCH_ENTRY_ID_LENGTH: RangeInclusive<usize> = 1..=80;
/// Attributes that a message may have.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub const MESSAGE_ATTRIBUTES: usize = 10;
/// Length of a message attribute's name or data type in characters.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>
pub const MESSAGE_ATTRIBUTE_NAME_LENGTH: usize = 256;
/// Length of MessageGroupId, MessageDeduplicationId and ReceiveRequestAttemptId.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
pub const FIFO_ID_LENGTH: RangeInclusive<usize> = 1..=128;
/// VisibilityTimeout in seconds.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>
pub const VISIBILITY_TIMEOUT: RangeInclusive<i64> = 0..=43_200;
/// DelaySeconds.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>
pub const DELAY_SECONDS: RangeInclusive<i64> = 0..=900;
/// WaitTimeSeconds and ReceiveMessageWaitTimeSeconds.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>
pub const WAIT_TIME_SECONDS: RangeInclusive<i64> = 0..=20;
/// MessageRetentionPeriod in seconds.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>
pub const MESSAGE_RETENTION_PERIOD: RangeInclusive<i64> = 60..=1_209_600;
/// KmsDataKeyReusePeriodSeconds.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>
pub const KMS_DATA_KEY_REUSE_PERIOD: RangeInclusive<i64> = 60..=86_400;
/// Messages that one receive may return.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>
pub const RECEIVED_MESSAGES: RangeInclusive<i64> = 1..=10;
/// Messages that one receive returns if the limit above is lifted; not a rule of AWS.
pub const UNLIMITED_RECEIVE: i64 = 1_000;
/// Bytes of content that one receive returns: ten messages of the largest size with the encoding of
/// their attributes. So it limits a receive only if the limit on the number of messages is lifted.
pub const RECEIVED_BYTES: usize = 10 * (MESSAGE_BYTES + 1_024);
/// Messages of one queue that may be in flight.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html>
pub const IN_FLIGHT_MESSAGES: i64 = 120_000;
/// Tags of a queue, of a topic, or of a session.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html>
pub const TAGS: usize = 50;
/// Length of a tag's key in characters.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html>
pub const TAG_KEY_LENGTH: RangeInclusive<usize> = 1..=128;
/// Length of a tag's value in characters.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html>
pub const TAG_VALUE_LENGTH: usize = 256;
/// Policy in bytes.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html>
pub const POLICY_BYTES: usize = 8_192;
/// MaxResults of ListQueues and ListDeadLetterSourceQueues.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html>
pub const LIST_RESULTS: RangeInclusive<i64> = 1..=1_000;
/// Milliseconds for which a deduplication ID or a receive attempt is remembered: five minutes.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
pub const DEDUPLICATION_INTERVAL_MS: i64 = 300_000;
/// Milliseconds between two purges of a queue, and between deleting and creating it again.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html>
pub const QUEUE_COOL_DOWN_MS: i64 = 60_000;
/// maxReceiveCount of a redrive policy.
pub const MAX_RECEIVE_COUNT: RangeInclusive<i64> = 1..=1_000;
/// MaxNumberOfMessagesPerSecond of a message move task.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>
pub const MOVE_TASK_RATE: RangeInclusive<i64> = 1..=500;
/// MaxResults of ListMessageMoveTasks.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html>
pub const MOVE_TASK_RESULTS: RangeInclusive<i64> = 1..=10;
/// Statements of a policy.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html>
pub const POLICY_STATEMENTS: usize = 20;
/// Principals of a policy.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html>
pub const POLICY_PRINCIPALS: usize = 50;
/// Conditions of a policy.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html>
pub const POLICY_CONDITIONS: usize = 10;
/// Actions in one AddPermission.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html>
pub const PERMISSION_ACTIONS: usize = 7;
/// Length of a permission's label.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html>
pub const PERMISSION_LABEL_LENGTH: RangeInclusive<usize> = 1..=80;
/// sourceQueueArns of a RedriveAllowPolicy with byQueue.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>
pub const REDRIVE_SOURCES: RangeInclusive<usize> = 1..=10;
/// Length of a topic's name.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>
pub const TOPIC_NAME_LENGTH: RangeInclusive<usize> = 1..=256;
/// DisplayName of a topic in characters.
pub const DISPLAY_NAME_LENGTH: usize = 100;
/// Bytes of a published message, including attributes, unless the topic sets MaximumMessageSize.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
pub const PUBLISH_BYTES: usize = 262_144;
/// MaximumMessageSize of a topic in bytes.
pub const TOPIC_MAXIMUM_MESSAGE_SIZE: RangeInclusive<usize> = 1_024..=1_048_576;
/// MessageRetentionPeriod of an archive policy in days.
pub const TOPIC_ARCHIVE_DAYS: RangeInclusive<i64> = 1..=365;
/// ResourceArn of the operations on the tags of a topic, in characters.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/api/API_TagResource.html>
pub const RESOURCE_ARN_LENGTH: RangeInclusive<usize> = 1..=1_011;
/// Subject of a message in characters.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
pub const SUBJECT_LENGTH: RangeInclusive<usize> = 1..=100;
/// Subscriptions of a FIFO topic, and of a topic that accepts messages larger than [`PUBLISH_BYTES`].
///
/// Source: <https://docs.aws.amazon.com/general/latest/gr/sns.html>
pub const FEW_SUBSCRIPTIONS: i64 = 100;
/// Bytes of an attribute of a topic or a subscription without a limit of its own. AWS documents none;
/// this is larger than any meaningful value.
pub const SNS_ATTRIBUTE_BYTES: usize = 65_536;
/// Bytes of an endpoint. AWS documents no limit; this is longer than any working URL.
pub const ENDPOINT_BYTES: usize = 8_192;
/// Milliseconds for which a confirmation token is valid: two days.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html>
pub const SUBSCRIPTION_TOKEN_MS: i64 = 2 * 24 * 3_600 * 1_000;
/// Entries per page of the list operations of SNS.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptions.html>
pub const SNS_PAGE: i64 = 100;
/// DataProtectionPolicy in characters.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/api/API_PutDataProtectionPolicy.html>
pub const DATA_PROTECTION_POLICY_LENGTH: usize = 30_720;
/// Filter policies per topic.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html>
pub const FILTER_POLICIES: i64 = 200;
/// Bytes of a subscription's FilterPolicy.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html>
pub const FILTER_POLICY_BYTES: usize = 262_144;
/// Keys of a FilterPolicy.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html>
pub const FILTER_POLICY_KEYS: usize = 5;
/// Complexity of a FilterPolicy: the product of the numbers of conditions per key, times their levels.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html>
pub const FILTER_POLICY_COMPLEXITY: usize = 150;
/// Length of a platform application's name in characters.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/api/API_CreatePlatformApplication.html>
pub const PLATFORM_APPLICATION_NAME_LENGTH: usize = 256;
/// CustomUserData of an endpoint in bytes.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/api/API_SetEndpointAttributes.html>
pub const CUSTOM_USER_DATA_BYTES: usize = 2_048;
/// Digits of a phone number in E.164 format, including the country code.
pub const E164_DIGITS: RangeInclusive<usize> = 3..=15;
/// Characters of an SMS message.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
pub const SMS_CHARACTERS: usize = 1_600;
/// Milliseconds between two opt-ins of a phone number.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/api/API_OptInPhoneNumber.html>
pub const OPT_IN_AGAIN_MS: i64 = 30 * 24 * 3_600 * 1_000;
/// Phone numbers in the SMS sandbox of an account.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/dg/sns-sms-sandbox.html>
pub const SANDBOX_NUMBERS: i64 = 10;
/// DurationSeconds of AssumeRole.
///
/// Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
pub const ROLE_SESSION_S: RangeInclusive<i64> = 900..=43_200;
/// DurationSeconds of GetSessionToken.
///
/// Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>
pub const SESSION_S: RangeInclusive<i64> = 900..=129_600;
/// Maximum seconds of a session of an account's root user, and of a role assumed by a role.
///
/// Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>
pub const SHORT_SESSION_S: i64 = 3_600;
