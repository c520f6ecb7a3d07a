//! The flags, which are the variables and the keys of the file, too.
//!
//! Each setting is one field of [`Options`]; its name makes the flag, the variable and the key.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser};
use serde::{Deserialize, Deserializer};

use super::choices::{AuthMode, Compat, Durability, EndpointStrategy, LogFormat};

const AFTER_HELP: &str = "\
Every option can also be given in the environment (--max-body-bytes as SQUAB_MAX_BODY_BYTES) and, \
but for --config, in the file (max_body_bytes = …). Flags win over the environment, the \
environment over the file. SQUAB_ACCESS_KEY_ID and SQUAB_SECRET_ACCESS_KEY add one key to those of \
the credentials file.";

/// Amazon SQS and SNS in one small program, with its state in SQLite.
#[derive(Debug, Parser)]
#[command(name = "squab", version, args_conflicts_with_subcommands = true)]
#[command(after_help = AFTER_HELP)]
pub(super) struct CommandLine {
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,
    /// Check the database in the data directory, and exit with status 0 if it is sound, else 1
    #[arg(long)]
    pub check: bool,
    #[command(flatten)]
    pub sources: Sources,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Subcommand {
    /// Serve; what `squab` does when no command is named
    #[command(after_help = AFTER_HELP)]
    Serve(Box<Sources>),
    /// Ask the server that these settings describe whether it is healthy: exit status 0 or 1
    #[command(after_help = AFTER_HELP)]
    Health(Box<Sources>),
    /// Print completions for a shell
    Completions {
        /// The shell that is to complete
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Debug, Clone, Default, Args)]
pub(super) struct Sources {
    /// A TOML file with settings, and with queues and topics that are to exist at start
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub options: Options,
}

/// The settings as one source gives them: what it does not mention is `None`.
///
/// The first line of each comment is also what `--help` says.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default)]
pub(super) struct Options {
    /// Address and port to listen on; repeatable, or a list with commas [default: 127.0.0.1:4566]
    #[arg(long, value_name = "ADDRESS:PORT", value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_many")]
    pub listen: Option<Vec<String>>,

    /// Listen where other machines can call unsigned; implied by --compat [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub allow_anonymous: Option<bool>,

    /// Name queues in /metrics to callers who do not sign [default: true without keys, else false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub open_metrics: Option<bool>,

    /// Directory that holds the state; made when it is missing [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Keep the state in memory only; wins over --data and --durability [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub ephemeral: Option<bool>,

    /// What an answer promises: to survive a power cut, or a crash of the program [default: full]
    #[arg(long, value_name = "LEVEL")]
    pub durability: Option<Durability>,

    /// Bytes of the volume that no message may use [default: 64 MiB, or a tenth of a small volume]
    #[arg(long, value_name = "BYTES")]
    pub disk_reserve: Option<u64>,

    /// Overwrite deleted messages in the database file, which costs time [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub secure_delete: Option<bool>,

    /// Which signatures are verified [default: strict when keys are configured, else off]
    #[arg(long, value_name = "MODE")]
    pub auth: Option<AuthMode>,

    /// File with the access keys that may sign requests
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,

    /// Region of requests that do not say theirs [default: us-east-1]
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,

    /// How log lines on stderr are written [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// What is logged: error, warn, info, debug, trace, or directives per module [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,

    /// Connections open at once; further ones take the places of idle ones [default: 10000]
    #[arg(long, value_name = "N")]
    pub max_connections: Option<usize>,

    /// Largest body of a request in bytes [default: 8388608]
    #[arg(long, value_name = "BYTES")]
    pub max_body_bytes: Option<usize>,

    /// Seconds until the head of the next request must have arrived [default: 100]
    #[arg(long, value_name = "SECONDS")]
    pub header_timeout: Option<u32>,

    /// Seconds that running requests get to finish after SIGTERM or SIGINT [default: 8]
    #[arg(long, value_name = "SECONDS")]
    pub shutdown_grace: Option<u32>,

    /// Refuse a second PurgeQueue within 60 s, as AWS does [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub delay_purge_retry: Option<bool>,

    /// Refuse to create a queue deleted less than 60 s ago, as AWS does [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub delay_recently_deleted: Option<bool>,

    /// Base of queue URLs and of links in messages [default: the scheme and host of the request]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,

    /// Believe X-Forwarded-Proto, X-Forwarded-Host and Forwarded of a proxy [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub trust_forwarded: Option<bool>,

    /// Host, or base URL, of the certificate of SNS signatures [default: as queue URLs]
    #[arg(long, value_name = "HOST")]
    pub sns_cert_url_host: Option<String>,

    /// URL of a function for lambda subscriptions, by its ARN, its name, or * for all; repeatable
    #[arg(long, value_name = "FUNCTION=URL", value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_many")]
    pub lambda_url: Option<Vec<String>>,

    /// Connect to these only: network, host, loopback, private, metadata, public; repeatable [default: all]
    #[arg(long, value_name = "WHERE", value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_many")]
    pub allow_endpoints: Option<Vec<String>>,

    /// Never connect to these endpoints, metadata among them; repeatable [default: metadata, with keys]
    #[arg(long, value_name = "WHERE", value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_many")]
    pub deny_endpoints: Option<Vec<String>>,

    /// Bytes of captured messages of an account; the oldest make room [default: 67108864]
    #[arg(long, value_name = "BYTES")]
    pub max_captured_bytes: Option<u64>,

    /// Bytes that may wait for endpoints of an account's topics [default: 1073741824]
    #[arg(long, value_name = "BYTES")]
    pub max_outbox_bytes: Option<u64>,

    /// Relay for email subscriptions: smtp://host:25, smtps://host [default: mail is only captured]
    #[arg(long, value_name = "URL")]
    pub mail_relay: Option<String>,

    /// Sender of mail [default: no-reply@sns.amazonaws.com]
    #[arg(long, value_name = "ADDRESS")]
    pub mail_from: Option<String>,

    /// Stand in for this server: its variables, addresses, hooks and first lines [default: none]
    #[arg(long, value_name = "SERVER")]
    pub compat: Option<Compat>,

    /// How queue URLs are written; all forms are read [default: dynamic]
    #[arg(long, value_name = "FORM")]
    pub sqs_endpoint_strategy: Option<EndpointStrategy>,

    /// Host in queue URLs that do not follow the request [default: localhost.localstack.cloud:PORT]
    #[arg(long, value_name = "HOST:PORT")]
    pub external_host: Option<String>,

    /// Give a receiver as many messages as it asks for, not ten at most [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub unlimited_receives: Option<bool>,

    /// Take larger batches, messages and waits than AWS; implies --unlimited-receives [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub relaxed_limits: Option<bool>,

    /// Make a queue when it is first used [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub auto_create_queues: Option<bool>,

    /// Account of callers whose access key id names none [default: 000000000000]
    #[arg(long, value_name = "12 DIGITS")]
    pub account: Option<String>,

    /// Have one region, --region, whatever callers sign for [default: as what it stands in for]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub one_region: Option<bool>,

    /// Read the account out of AKIA and ASIA keys as AWS does [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub parity_access_keys: Option<bool>,

    /// Origin whose pages may call from a browser, or *; repeatable [default: none]
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_many")]
    pub cors_allowed_origins: Option<Vec<String>>,

    /// Name by which browsers may call this server, *.NAME, or *; repeatable [default: none]
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_many")]
    pub allowed_hosts: Option<Vec<String>>,

    /// Let /_localstack/config show and change settings [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub config_updates: Option<bool>,

    /// Serve /_localstack/diagnose [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub diagnose: Option<bool>,

    /// Directory with boot.d, start.d, ready.d and shutdown.d, whose scripts are run [default: none]
    #[arg(long, value_name = "DIR")]
    pub init_dir: Option<PathBuf>,

    /// Milliseconds by which each answer is delayed, or from which to which: 50, 50-200 [default: 0]
    #[arg(long, value_name = "MS")]
    #[serde(deserialize_with = "text_or_number")]
    pub latency: Option<String>,

    /// A file of another server to take queues, topics and addresses from; repeatable
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_many")]
    pub import: Option<Vec<String>>,
}

impl Options {
    /// These options, and where they say nothing those of `below`.
    pub fn over(self, below: Self) -> Self {
        Self {
            listen: self.listen.or(below.listen),
            allow_anonymous: self.allow_anonymous.or(below.allow_anonymous),
            open_metrics: self.open_metrics.or(below.open_metrics),
            data: self.data.or(below.data),
            ephemeral: self.ephemeral.or(below.ephemeral),
            durability: self.durability.or(below.durability),
            disk_reserve: self.disk_reserve.or(below.disk_reserve),
            secure_delete: self.secure_delete.or(below.secure_delete),
            auth: self.auth.or(below.auth),
            credentials: self.credentials.or(below.credentials),
            region: self.region.or(below.region),
            log_format: self.log_format.or(below.log_format),
            log_level: self.log_level.or(below.log_level),
            max_connections: self.max_connections.or(below.max_connections),
            max_body_bytes: self.max_body_bytes.or(below.max_body_bytes),
            header_timeout: self.header_timeout.or(below.header_timeout),
            shutdown_grace: self.shutdown_grace.or(below.shutdown_grace),
            delay_purge_retry: self.delay_purge_retry.or(below.delay_purge_retry),
            delay_recently_deleted: self.delay_recently_deleted.or(below.delay_recently_deleted),
            public_url: self.public_url.or(below.public_url),
            trust_forwarded: self.trust_forwarded.or(below.trust_forwarded),
            sns_cert_url_host: self.sns_cert_url_host.or(below.sns_cert_url_host),
            lambda_url: self.lambda_url.or(below.lambda_url),
            allow_endpoints: self.allow_endpoints.or(below.allow_endpoints),
            deny_endpoints: self.deny_endpoints.or(below.deny_endpoints),
            max_captured_bytes: self.max_captured_bytes.or(below.max_captured_bytes),
            max_outbox_bytes: self.max_outbox_bytes.or(below.max_outbox_bytes),
            mail_relay: self.mail_relay.or(below.mail_relay),
            mail_from: self.mail_from.or(below.mail_from),
            compat: self.compat.or(below.compat),
            sqs_endpoint_strategy: self.sqs_endpoint_strategy.or(below.sqs_endpoint_strategy),
            external_host: self.external_host.or(below.external_host),
            unlimited_receives: self.unlimited_receives.or(below.unlimited_receives),
            relaxed_limits: self.relaxed_limits.or(below.relaxed_limits),
            auto_create_queues: self.auto_create_queues.or(below.auto_create_queues),
            account: self.account.or(below.account),
            one_region: self.one_region.or(below.one_region),
            parity_access_keys: self.parity_access_keys.or(below.parity_access_keys),
            cors_allowed_origins: self.cors_allowed_origins.or(below.cors_allowed_origins),
            allowed_hosts: self.allowed_hosts.or(below.allowed_hosts),
            config_updates: self.config_updates.or(below.config_updates),
            diagnose: self.diagnose.or(below.diagnose),
            init_dir: self.init_dir.or(below.init_dir),
            latency: self.latency.or(below.latency),
            import: self.import.or(below.import),
        }
    }
}

/// `listen = "…"` as well as `listen = ["…", "…"]`.
fn one_or_many<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text or a list of texts")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(Some(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => one.split(',').map(str::to_owned).collect(),
        OneOrMany::Many(many) => many,
    }))
}

/// `latency = 50` as well as `latency = "50-200"`.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text or a whole number")]
    enum TextOrNumber {
        Text(String),
        Number(u64),
    }
    Ok(Some(match TextOrNumber::deserialize(deserializer)? {
        TextOrNumber::Text(text) => text,
        TextOrNumber::Number(number) => number.to_string(),
    }))
}
