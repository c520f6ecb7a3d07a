//! The AWS operations: one file each, in one table, with one table of errors.
//!
//! An operation takes a [`Context`] and its input, validates, calls the engine inside a
//! transaction, and returns its output. It knows neither HTTP nor which protocol was spoken.

pub mod constraints;
pub mod error;
pub mod operations;
pub mod sns;
pub mod sqs;
pub mod sts;

use crate::auth::account::Accounts;
use crate::auth::{Credentials, Principal, Role};
use crate::domain::Refusal;
use crate::domain::address::{QueueAddress, UrlForm};
use crate::domain::limits::Limits;
use crate::engine::access::Access;
use crate::engine::queues;
use crate::runtime::Runtime;
use crate::runtime::memory::Charge;
use indexmap::IndexMap;
use std::sync::Arc;

/// AWS rules that a test suite may not want to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CoolDowns {
    /// A queue may be purged once a minute.
    pub purge: bool,
    /// The name of a deleted queue is taken for a minute.
    pub recreate: bool,
}

/// In what Squab follows another server, or what somebody has configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conventions {
    /// How queue URLs are written.
    pub url_form: UrlForm,
    /// What they begin with, without a slash at the end; `None` means the address that the caller
    /// has used.
    pub url_base: Option<String>,
    /// Whether a receive may ask for more than ten messages.
    pub unlimited_receives: bool,
    /// Whether AWS's limits on requests of SQS hold.
    pub limits: Limits,
    /// Attributes of queues that are made when they are first used; `None` where queues are made by
    /// CreateQueue alone.
    pub auto_create: Option<IndexMap<String, String>>,
    /// Whether MaxNumberOfMessages may be -1, and headers put something in place of parameters.
    pub receive_overrides: bool,
}

/// What headers of a request put in place of parameters of ReceiveMessage, as users of LocalStack
/// know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReceiveOverrides {
    /// `x-localstack-sqs-override-message-count`: MaxNumberOfMessages, as many as are wanted.
    pub message_count: Option<i64>,
    /// `x-localstack-sqs-override-wait-time-seconds`: WaitTimeSeconds.
    pub wait_time_seconds: Option<i64>,
}

/// Who asks, from where, and what with.
#[derive(Debug, Clone)]
pub struct Context {
    /// The service below.
    pub runtime: Arc<Runtime>,
    /// Which 60-second rules hold.
    pub cool_downs: CoolDowns,
    /// What else is as somebody wants it.
    pub conventions: Arc<Conventions>,
    /// Account of the caller, 12 digits.
    pub account: String,
    /// Region that the caller signs for.
    pub region: String,
    /// Whether there is no other.
    pub one_region: bool,
    /// IAM ARN of the caller.
    pub caller_arn: String,
    /// Who of the account calls.
    pub principal: Principal,
    /// What the caller may do. Roles count only where accounts are isolated.
    pub role: Role,
    /// Which queues and topics the caller may use.
    pub access: Access,
    /// The access key id that the caller signs with, known or not.
    pub key_id: Option<String>,
    /// Whether the caller's key is a temporary one that this server has issued.
    pub in_session: bool,
    /// Where callers belong whose key is not known.
    pub accounts: Arc<Accounts>,
    /// Keys that are known, and where temporary ones are issued.
    pub credentials: Arc<Credentials>,
    /// When the call arrived, in Unix milliseconds of real time. Keys end by it, whatever the clock
    /// of the queues shows.
    pub received_at_ms: i64,
    /// Whether the call is signed, well or not: by somebody, that is, and not by a link.
    pub signed: bool,
    /// SenderId of messages that the caller sends.
    pub sender_id: String,
    /// Scheme and authority with which queue URLs and links begin, for instance
    /// `http://localhost:4566`.
    pub base_url: String,
    /// The path to which the request was sent: on a queue's own path it names the queue.
    pub path: String,
    /// X-Amzn-Trace-Id
    pub trace_header: Option<String>,
    /// Headers that change a receive.
    pub receive_overrides: ReceiveOverrides,
    /// What the answer is charged of the memory that all requests share.
    pub charge: Arc<Charge>,
}

impl Context {
    // Rule (every SQS operation): a QueueUrl from which no account and name can be read is the one of
    //   a queue that does not exist.
    // Source: inferred, other projects found it at AWS for `http://whatever`
    // Test: tests/recorded/sqs-protocol.jsonl#sqs-queue-url-of-a-host-alone, tests/scenarios/addresses.txt#A URL without account
    //
    /// The queue that a request means: by its QueueUrl, else by the path of the request.
    pub fn queue(&self, queue_url: Option<&str>) -> Result<QueueAddress, Refusal> {
        let mut address = match queue_url.filter(|url| !url.is_empty()) {
            Some(url) => QueueAddress::from_url(url, &self.account, &self.region)
                .ok_or_else(Refusal::no_such_queue)?,
            None => QueueAddress::from_path(&self.path, &self.account, &self.region)
                .ok_or_else(|| Refusal::missing("QueueUrl"))?,
        };
        if self.one_region {
            address.region.clone_from(&self.region);
        }
        Ok(address)
    }

    /// The queue that a request is about to use, see [`Self::queue`]: made now, where queues are
    /// made when they are first used.
    pub async fn queue_in_use(&self, queue_url: Option<&str>) -> Result<QueueAddress, Refusal> {
        let address = self.queue(queue_url)?;
        self.make_if_wanted(&address).await?;
        Ok(address)
    }

    /// Makes a queue of the caller's own that is not there, where queues are made when they are first
    /// used.
    pub async fn make_if_wanted(&self, address: &QueueAddress) -> Result<(), Refusal> {
        let may_make = !self.access.is_limited()
            || (self.access.is_owner(&address.account) && self.role >= Role::Operate);
        if self.conventions.auto_create.is_none() || !may_make {
            return Ok(());
        }
        let (conventions, address) = (Arc::clone(&self.conventions), address.clone());
        self.runtime
            .run(move |tx| match &conventions.auto_create {
                Some(template) => queues::ensure(tx, &address, template),
                None => Ok(()),
            })
            .await
    }

    /// The URL of a queue, as it is told to the caller.
    pub fn queue_url(&self, address: &QueueAddress) -> String {
        let base = self.conventions.url_base.as_deref().unwrap_or(&self.base_url);
        address.url(base, self.conventions.url_form)
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
