//! The settings as the rest of the program sees them, resolved.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;

use super::choices::{Compat, EndpointStrategy, LogFormat};
use super::queues::DeclaredQueue;
use super::topics::DeclaredTopic;
use super::{AuthMode, Durability};
use crate::domain::endpoint_rules::EndpointRules;

/// Where the state lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In a directory.
    Directory {
        /// The directory; default `./data`, below the working directory, as database servers that
        /// are started by hand have it. The container image uses `/data`.
        path: PathBuf,
        /// Default [`Durability::Full`].
        durability: Durability,
    },
    /// In memory, gone with the process.
    Ephemeral,
}

/// One key from the environment.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// The access key id; not a secret.
    pub id: String,
    /// The secret access key.
    pub secret: String,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// By which way mail leaves.
#[derive(Clone, PartialEq, Eq)]
pub struct MailRelay {
    /// `smtp://host:port` or `smtps://host:port`, with a user and a password where needed.
    pub url: String,
    /// The sender's address.
    pub from: String,
}

impl fmt::Debug for MailRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailRelay").field("from", &self.from).finish_non_exhaustive()
    }
}

/// The resolved settings, which the rest of the program reads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// Each `HOST:PORT` to listen on; default `127.0.0.1:4566`. Port 0 lets the system choose.
    pub listen: Vec<String>,
    /// Whether calls without a verified signature may come from other machines; default false, and
    /// true in place of another server.
    pub allow_anonymous: bool,
    /// Where the state lives; default the directory `./data`.
    pub storage: Storage,
    /// Bytes of the volume that no message may use; default none: 64 MiB, or a tenth of a small volume.
    pub disk_reserve: Option<u64>,
    /// Whether deleted messages are overwritten in the database file; default false.
    pub secure_delete: bool,
    /// Default [`AuthMode::Strict`] with a credentials file or a key in the environment, else
    /// [`AuthMode::Off`].
    pub auth: AuthMode,
    /// Whether `/metrics` names queues to callers who do not sign; default only with
    /// [`AuthMode::Off`].
    pub open_metrics: bool,
    /// File with access keys; default none.
    pub credentials_file: Option<PathBuf>,
    /// The key of `SQUAB_ACCESS_KEY_ID` and `SQUAB_SECRET_ACCESS_KEY`; default none.
    pub access_key: Option<AccessKey>,
    /// Region of unsigned requests; default `us-east-1`.
    pub region: String,
    /// Default [`LogFormat::Text`].
    pub log_format: LogFormat,
    /// A level, or directives as `tracing_subscriber::EnvFilter` reads them; default `info`.
    pub log_level: String,
    /// Connections open at once on all addresses together; default 10,000. A waiting receiver
    /// holds one.
    pub max_connections: usize,
    /// Largest body of a request in bytes; default 8 MiB: a message or batch of 1 MiB grows up to
    /// sixfold when JSON escapes every byte, and what surrounds it needs some room.
    pub max_body_bytes: usize,
    /// Time until the head of the next request must have arrived, idling between two requests
    /// included; default 100 s, more than the 90 s after which common clients themselves close
    /// an idle connection, so that no request meets a closing one.
    pub header_timeout: Duration,
    /// Time that running requests get to finish at shutdown; default 8 s, less than the 10 s after
    /// which `docker stop` kills.
    pub shutdown_grace: Duration,
    /// Whether a second PurgeQueue within 60 s is refused, as AWS does; default false.
    pub delay_purge_retry: bool,
    /// Whether CreateQueue within 60 s of DeleteQueue is refused, as AWS does; default false.
    pub delay_recently_deleted: bool,
    /// Base of queue URLs and of links in messages, `http://host:port`, without a slash at the end; default none, which
    /// means the scheme and host of each request.
    pub public_url: Option<String>,
    /// Whether X-Forwarded-Proto, X-Forwarded-Host and Forwarded are believed; default false.
    pub trust_forwarded: bool,
    /// Base of the URL of the certificate, without a slash at the end; default none, which means
    /// the base of links.
    pub cert_base_url: Option<String>,
    /// URLs of functions by ARN, by name, or by `*`; default none.
    pub lambda_urls: BTreeMap<String, String>,
    /// Which http and https endpoints the server connects to; default all, and with keys all but
    /// link-local and metadata addresses.
    pub endpoint_rules: EndpointRules,
    /// Bytes of captured messages that an account may have; default 64 MiB. The oldest are deleted.
    pub max_captured_bytes: u64,
    /// Bytes that may wait in the outbox of an account; default 1 GiB.
    pub max_outbox_bytes: u64,
    /// The relay for mail; default none: mail is captured, and nothing is sent.
    pub mail_relay: Option<MailRelay>,
    /// Which server Squab stands in for; default none.
    pub compat: Option<Compat>,
    /// Default [`EndpointStrategy::Dynamic`].
    pub sqs_endpoint_strategy: EndpointStrategy,
    /// `HOST` or `HOST:PORT` in queue URLs of the other strategies; default
    /// `localhost.localstack.cloud` with the port of the first address in `listen`.
    pub external_host: String,
    /// Whether a receive may ask for more than ten messages; default false.
    pub unlimited_receives: bool,
    /// Whether requests may bring more than AWS lets them; default false.
    pub relaxed_limits: bool,
    /// Attributes of queues that are made when they are first used; default none, which means that
    /// queues are made by CreateQueue alone.
    pub auto_create_queues: Option<IndexMap<String, String>>,
    /// Account of callers whose access key id names none; default 000000000000.
    pub account: String,
    /// Whether all callers are in the region above, whatever they sign for; default true in place of
    /// ElasticMQ and goaws, which know one region only, else false.
    pub one_region: bool,
    /// Whether the account of AKIA and ASIA keys is read out of them; default false.
    pub parity_access_keys: bool,
    /// Origins whose pages may call from a browser; default none.
    pub cors_allowed_origins: Vec<String>,
    /// Further names by which browsers may call this server, in small letters: host names without
    /// ports, `*.example.com` for all names below one, or `*`; default none.
    pub allowed_hosts: Vec<String>,
    /// Whether `/_localstack/config` is there; default false.
    pub config_updates: bool,
    /// Whether `/_localstack/diagnose` is there; default false.
    pub diagnose: bool,
    /// Directory with the scripts of each stage; default none, and `/etc/localstack/init` in place
    /// of LocalStack.
    pub init_dir: Option<PathBuf>,
    /// Milliseconds from which and to which answers are delayed; default 0, 600,000 at most.
    pub latency_ms: RangeInclusive<u32>,
    /// Queues that are to exist at start, each after the dead-letter queue that it names; default
    /// none.
    pub queues: Vec<DeclaredQueue>,
    /// Topics that are to exist at start, made after the queues; default none.
    pub topics: Vec<DeclaredTopic>,
}

impl Settings {
    /// Returns these settings with the port that the system has chosen, if the first port to listen on
    /// is 0.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        for address in self.listen.first_mut().into_iter().chain([&mut self.external_host]) {
            if let Some(host) = address.strip_suffix(":0") {
                *address = format!("{host}:{port}");
            }
        }
        self
    }
}
