//! The AWS operations: one file each, in one table, with one table of errors.
//!
//! An operation takes a [`Context`] and its input, validates, calls the engine inside a
//! transaction, and returns its output. It knows neither HTTP nor which protocol was spoken.

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
use crate::domain::topic_address::TopicAddress;
use crate::engine::access::Access;
use crate::engine::{queues, topics};
use crate::runtime::Runtime;
use crate::runtime::memory::Charge;
use crate::store::{Queue, Topic, Txn};
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

/// Options in which Squab follows another server, or its configuration.
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

/// The caller of an operation, and what the caller may do.
#[derive(Debug)]
pub struct Caller {
    /// The account, 12 digits. It is the SenderId of messages, too.
    pub account: String,
    /// The region that the call is signed for.
    pub region: String,
    /// The caller's IAM ARN.
    pub arn: String,
    /// The user or role of the account.
    pub principal: Principal,
    /// Roles count only where accounts are isolated.
    pub role: Role,
    /// The queues and topics that the caller may use.
    pub access: Access,
    /// The access key id that signs the call, known or not; none for a link in a message.
    pub key_id: Option<String>,
    /// Whether the key is a temporary one that this server has issued.
    pub in_session: bool,
}

impl Caller {
    /// Returns account and region.
    pub fn place(&self) -> (&str, &str) {
        (&self.account, &self.region)
    }

    /// Returns whether the call is signed, well or not.
    pub fn is_signed(&self) -> bool {
        self.key_id.is_some()
    }
}

/// A call without its input: the server that it reaches, its caller, and what its HTTP request says.
#[derive(Debug, Clone)]
pub struct Context {
    /// The service below.
    pub runtime: Arc<Runtime>,
    /// Which 60-second rules hold.
    pub cool_downs: CoolDowns,
    /// Options in which Squab follows another server.
    pub conventions: Arc<Conventions>,
    /// Whether all callers are in one region.
    pub one_region: bool,
    /// The caller.
    pub caller: Arc<Caller>,
    /// The accounts of access keys that are not known.
    pub accounts: Arc<Accounts>,
    /// Known keys, among which temporary ones are issued.
    pub credentials: Arc<Credentials>,
    /// When the call arrived, in Unix milliseconds of real time. Keys expire by it, whatever the clock
    /// of the queues shows.
    pub received_at_ms: i64,
    /// Scheme and authority with which queue URLs and links begin, for instance
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
    /// Returns the address of the queue that a request means: by its QueueUrl, else by its path.
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

    /// Returns the address of the queue that a request is about to use, see [`Self::queue`]. Where queues
    /// are made when they are first used, it is made now.
    pub async fn queue_in_use(&self, queue_url: Option<&str>) -> Result<QueueAddress, Refusal> {
        let address = self.queue(queue_url)?;
        self.make_if_wanted(&address).await?;
        Ok(address)
    }

    /// Makes a queue of the caller's own that does not exist, where queues are made when they are first
    /// used.
    pub async fn make_if_wanted(&self, address: &QueueAddress) -> Result<(), Refusal> {
        let Caller { access, role, .. } = &*self.caller;
        let may_make =
            !access.is_limited() || (access.is_owner(&address.account) && *role >= Role::Operate);
        if self.conventions.auto_create.is_none() || !may_make {
            return Ok(());
        }
        let (conventions, address) = (Arc::clone(&self.conventions), address.clone());
        self.run(move |tx, _| match &conventions.auto_create {
            Some(template) => queues::ensure(tx, &address, template),
            None => Ok(()),
        })
        .await
    }

    /// Returns the URL of a queue as callers see it.
    pub fn queue_url(&self, address: &QueueAddress) -> String {
        let base = self.conventions.url_base.as_deref().unwrap_or(&self.base_url);
        address.url(base, self.conventions.url_form)
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

/// Returns a parameter that must be given and not be empty.
pub fn required<'a>(value: Option<&'a str>, parameter: &str) -> Result<&'a str, Refusal> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| Refusal::missing(parameter))
}
