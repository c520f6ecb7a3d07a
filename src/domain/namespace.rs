//! A namespace: one account in one region. Names of queues, topics and settings are unique within it.

/// An account and a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Namespace<'n> {
    /// The account, 12 digits.
    pub account: &'n str,
    /// The region, such as `us-east-1`.
    pub region: &'n str,
}

impl<'n> Namespace<'n> {
    /// Returns the namespace of an account and a region.
    pub const fn new(account: &'n str, region: &'n str) -> Self {
        Self { account, region }
    }
}
