//! Dead-letter rules: RedrivePolicy and RedriveAllowPolicy.

/// A queue's RedrivePolicy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedrivePolicy {
    /// The JSON as it was given: it is echoed unchanged.
    pub text: String,
    /// `deadLetterTargetArn`
    pub dead_letter_target_arn: String,
    /// `maxReceiveCount`, 1…1000
    pub max_receive_count: u32,
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
