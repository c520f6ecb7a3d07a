//! The attributes of a queue: defaults, ranges, refusals, and how they are shown.

use super::redrive::{RedriveAllowPolicy, RedrivePolicy};

/// Where a deduplication id must be unique: DeduplicationScope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeduplicationScope {
    /// `queue`
    #[default]
    Queue,
    /// `messageGroup`
    MessageGroup,
}

/// What a FIFO queue's throughput quota counts: FifoThroughputLimit. Squab has no such quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
    pub policy: Option<String>,
    pub redrive_policy: Option<RedrivePolicy>,
    pub redrive_allow_policy: Option<RedriveAllowPolicy>,
}
