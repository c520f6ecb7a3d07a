//! The AWS operations: one file each, in one table, with one table of errors.
//!
//! An operation takes a [`Context`] and its input, validates, calls the engine inside a
//! transaction, and returns its output. It knows neither HTTP nor which protocol was spoken.

pub mod error;
pub mod operations;
pub mod sqs;

use crate::domain::Refusal;
use crate::domain::address::QueueAddress;
use crate::runtime::Runtime;
use std::sync::Arc;

/// AWS rules that a test suite may not want to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CoolDowns {
    /// A queue may be purged once a minute.
    pub purge: bool,
    /// The name of a deleted queue is taken for a minute.
    pub recreate: bool,
}

/// Who asks, from where, and what with.
#[derive(Debug, Clone)]
pub struct Context {
    /// The service below.
    pub runtime: Arc<Runtime>,
    /// Which 60-second rules hold.
    pub cool_downs: CoolDowns,
    /// Account of the caller, 12 digits.
    pub account: String,
    /// Region that the caller signs for.
    pub region: String,
    /// SenderId of messages that the caller sends.
    pub sender_id: String,
    /// Scheme and authority with which queue URLs begin, for instance `http://localhost:4566`.
    pub base_url: String,
    /// The path to which the request was sent: on a queue's own path it names the queue.
    pub path: String,
    /// X-Amzn-Trace-Id
    pub trace_header: Option<String>,
}

impl Context {
    /// The queue that a request means: by its QueueUrl, else by the path it was sent to.
    pub fn queue(&self, queue_url: Option<&str>) -> Result<QueueAddress, Refusal> {
        match queue_url.filter(|url| !url.is_empty()) {
            Some(url) => QueueAddress::from_url(url, &self.account, &self.region),
            None => QueueAddress::from_path(&self.path, &self.account, &self.region)
                .ok_or_else(|| Refusal::missing("QueueUrl")),
        }
    }

    /// The queue of a name in the caller's account and region.
    pub fn queue_named(&self, name: &str) -> QueueAddress {
        QueueAddress {
            account: self.account.clone(),
            region: self.region.clone(),
            name: name.to_owned(),
        }
    }
}

/// A parameter that must be there and not be empty.
pub fn required<'a>(value: Option<&'a str>, parameter: &str) -> Result<&'a str, Refusal> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| Refusal::missing(parameter))
}
