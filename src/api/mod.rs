//! The AWS operations: one file each, in one table, with one table of errors.
//!
//! An operation gets a [`Context`] and its input, validates, calls the engine inside a transaction, and
//! returns its output. It knows neither HTTP nor the protocol of the request.

#[allow(missing_docs, reason = "members have AWS's own names")]
mod batch;
pub mod constraints;
pub mod error;
pub mod operations;
mod page;
#[allow(missing_docs, reason = "members have AWS's own names")]
pub mod sns;
#[allow(missing_docs, reason = "members have AWS's own names")]
pub mod sqs;
#[allow(missing_docs, reason = "members have AWS's own names")]
pub mod sts;

macro_rules_attribute::attribute_alias! {
    // The input of an operation, or a part of one. Its members are named as in AWS JSON.
    #[apply(input)] = #[derive(Debug, ::serde::Deserialize)] #[serde(rename_all = "PascalCase")];
    // The output of an operation, or a part of one.
    #[apply(output)] = #[derive(Debug, ::serde::Serialize)] #[serde(rename_all = "PascalCase")];
}

/// Imports of nearly every operation.
mod prelude {
    pub(super) use super::Context;
    pub(super) use super::{input, output};
    pub(super) use crate::domain::Refusal;
    pub(super) use crate::store::{Queue, Txn};
    pub(super) use indexmap::IndexMap;
    pub(super) use macro_rules_attribute::apply;
    pub(super) use serde::{Deserialize, Serialize};
}

use crate::auth::account::Accounts;
use crate::auth::{Credentials, Principal, Role};
use crate::domain::Refusal;
use crate::domain::address::{QueueAddress, UrlForm};
use crate::domain::limits::Limits;
use crate::domain::namespace::Namespace;
use crate::domain::topic_address::TopicAddress;
use crate::engine::access::Access;
use crate::engine::{queues, topics};
use crate::runtime::Runtime;
use crate::runtime::memory::Charge;
use crate::store::{Queue, Topic, Txn};
use indexmap::IndexMap;
use std::sync::Arc;

/// AWS's waiting times that a test suite may switch off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CoolDowns {
    /// A queue may be purged once a minute.
    pub purge: bool,
    /// The name of a deleted queue cannot be used for a minute.
    pub recreate: bool,
}

/// Options in which Squab follows another server, or its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompatOptions {
    /// The format of queue URLs.
    pub url_form: UrlForm,
    /// The beginning of queue URLs, without a slash at the end; `None` for the address that the caller used.
    pub url_base: Option<String>,
    /// Whether a receive may request more than ten messages.
    pub unlimited_receives: bool,
    /// The limits on SQS requests.
    pub limits: Limits,
    /// Attributes of queues that are created on first use; `None` if only CreateQueue creates queues.
    pub auto_create: Option<IndexMap<String, String>>,
    /// Whether MaxNumberOfMessages may be -1, and headers may replace parameters of a receive.
    pub receive_overrides: bool,
}

/// Values of LocalStack's request headers that replace parameters of ReceiveMessage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReceiveOverrides {
    /// `x-localstack-sqs-override-message-count`: MaxNumberOfMessages, without an upper limit.
    pub message_count: Option<i64>,
    /// `x-localstack-sqs-override-wait-time-seconds`: WaitTimeSeconds.
    pub wait_time_seconds: Option<i64>,
}

/// The caller of an operation, and what the caller may do.
#[derive(Debug)]
pub struct Caller {
    /// The account, 12 digits; also the SenderId of messages.
    pub account: String,
    /// The region for which the request is signed.
    pub region: String,
    /// The caller's IAM ARN.
    pub arn: String,
    /// The user or role of the account.
    pub principal: Principal,
    /// The role, which only matters if accounts are isolated.
    pub role: Role,
    /// The queues and topics that the caller may use.
    pub access: Access,
    /// The access key ID that signs the request, known or not; `None` for a link in a message.
    pub key_id: Option<String>,
    /// Whether the key is a temporary one that this server has issued.
    pub in_session: bool,
}

impl Caller {
    /// Returns the account and region of the call.
    pub fn namespace(&self) -> Namespace<'_> {
        Namespace::new(&self.account, &self.region)
    }

    /// Returns whether the request has a signature, valid or not.
    pub fn is_signed(&self) -> bool {
        self.key_id.is_some()
    }
}

/// A request without its input: the server, the caller, and details of the HTTP request.
#[derive(Debug, Clone)]
pub struct Context {
    /// The service below.
    pub runtime: Arc<Runtime>,
    /// The 60-second rules that apply.
    pub cool_downs: CoolDowns,
    /// Options in which Squab follows another server.
    pub compat_options: Arc<CompatOptions>,
    /// Whether all callers are in one region.
    pub one_region: bool,
    /// The caller.
    pub caller: Arc<Caller>,
    /// The accounts of unknown access keys.
    pub accounts: Arc<Accounts>,
    /// The known access keys. Operations may add temporary ones.
    pub credentials: Arc<Credentials>,
    /// When the request arrived, in Unix milliseconds of real time. Keys expire by it, not by the clock of
    /// the queues.
    pub received_at_ms: i64,
    /// Scheme and authority of queue URLs and links, for instance
    /// `http://localhost:4566`.
    pub base_url: String,
    /// The path of the request: on a queue's own path it names the queue.
    pub path: String,
    /// X-Amzn-Trace-Id
    pub trace_header: Option<String>,
    /// Headers that change a receive.
    pub receive_overrides: ReceiveOverrides,
    /// What the answer is charged of the memory that all requests share.
    pub charge: Arc<Charge>,
}

impl Context {
    /// Runs `work` in a transaction. It may run twice, and must not have effects of its own.
    pub async fn run<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&mut Txn<'_>, &Caller) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let caller = Arc::clone(&self.caller);
        self.runtime.run(move |tx| work(tx, &caller)).await
    }

    /// Runs `work` in a transaction on a queue, which must exist and be one that the caller may use.
    pub async fn on_queue<T: Send + 'static>(
        &self,
        address: QueueAddress,
        mut work: impl FnMut(&mut Txn<'_>, Arc<Queue>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.run(move |tx, caller| {
            let queue = queues::find(tx, &caller.access, &address)?;
            work(tx, queue)
        })
        .await
    }

    /// Runs `work` in a transaction on a topic, which must exist and be one that the caller may use.
    pub async fn on_topic<T: Send + 'static>(
        &self,
        address: TopicAddress,
        mut work: impl FnMut(&mut Txn<'_>, Topic) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.run(move |tx, caller| {
            let topic = topics::find(tx, &caller.access, &address)?;
            work(tx, topic)
        })
        .await
    }

    // Rule (every SQS operation): a QueueUrl from which no account and name can be read is the one of
    //   a queue that does not exist.
    // Source: inferred, other projects found it at AWS for `http://whatever`
    // Test: tests/recorded/sqs-protocol.jsonl#sqs-queue-url-of-a-host-alone, tests/scenarios/addresses.txt#A URL without account
    //
    /// Returns the address of the queue that a request names: by its QueueUrl, else by its path.
    pub fn queue(&self, queue_url: Option<&str>) -> Result<QueueAddress, Refusal> {
        let mut address = match queue_url.filter(|url| !url.is_empty()) {
            Some(url) => QueueAddress::from_url(url, &self.caller.account, &self.caller.region)
                .ok_or_else(Refusal::no_such_queue)?,
            None => QueueAddress::from_path(&self.path, &self.caller.account, &self.caller.region)
                .ok_or_else(|| Refusal::missing("QueueUrl"))?,
        };
        if self.one_region {
            address.region.clone_from(&self.caller.region);
        }
        Ok(address)
    }

    /// Returns the same address as [`Self::queue`]. Creates the queue if queues are created on first use.
    pub async fn queue_in_use(&self, queue_url: Option<&str>) -> Result<QueueAddress, Refusal> {
        let address = self.queue(queue_url)?;
        self.create_on_first_use(&address).await?;
        Ok(address)
    }

    /// Creates a missing queue of the caller's account if queues are created on first use.
    pub async fn create_on_first_use(&self, address: &QueueAddress) -> Result<(), Refusal> {
        let Caller { access, role, .. } = &*self.caller;
        let may_create =
            !access.is_limited() || (access.is_owner(&address.account) && *role >= Role::Operate);
        if self.compat_options.auto_create.is_none() || !may_create {
            return Ok(());
        }
        let (compat_options, address) = (Arc::clone(&self.compat_options), address.clone());
        self.run(move |tx, _| match &compat_options.auto_create {
            Some(template) => queues::ensure(tx, &address, template),
            None => Ok(()),
        })
        .await
    }

    /// Returns the URL of a queue for the caller.
    pub fn queue_url(&self, address: &QueueAddress) -> String {
        let base = self.compat_options.url_base.as_deref().unwrap_or(&self.base_url);
        address.url(base, self.compat_options.url_form)
    }

    /// Returns the address of a queue of this name in the caller's account and region.
    pub fn queue_named(&self, name: &str) -> QueueAddress {
        QueueAddress {
            account: self.caller.account.clone(),
            region: self.caller.region.clone(),
            name: name.to_owned(),
        }
    }
}

/// Returns a required parameter. Rejects with MissingParameter if it is missing or empty.
pub fn required<'a>(value: Option<&'a str>, parameter: &str) -> Result<&'a str, Refusal> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| Refusal::missing(parameter))
}
