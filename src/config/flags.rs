//! The flags, which are the variables and the keys of the file, too.
//!
//! Each setting is one row of [`Options`]; its name makes the flag, the variable and the key.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser};
use serde::{Deserialize, Deserializer};

use super::choices::{Compat, EndpointStrategy, LogFormat};
use super::{AuthMode, Durability};

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
    /// A TOML file with settings, and with queues and topics to create at startup
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub options: Options,
}

/// Makes [`Options`] of one row for each setting: its help, its name, its type, and what the help calls a value.
///
/// `switch` is a flag without a value, or with `=true` or `=false`. `list` is repeatable, or a list with commas.
macro_rules! options {
    (@ [$($name:ident { $($field:tt)* })*]) => {
        /// The settings as one source gives them: one that it does not mention is `None`.
        #[derive(Debug, Clone, Default, Args, Deserialize)]
        #[serde(default)]
        pub(super) struct Options {
            $($($field)*)*
        }

        impl Options {
            /// Returns these options, with those of `below` for settings that they do not mention.
            pub fn over(self, below: Self) -> Self {
                Self { $($name: self.$name.or(below.$name),)* }
            }
        }
    };
    (@ [$($done:tt)*] $(#[$help:meta])* $name:ident: switch; $($rest:tt)*) => {
        options! { @ [$($done)* $name {
            $(#[$help])*
            #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
            #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
            pub $name: Option<bool>,
        }] $($rest)* }
    };
    (@ [$($done:tt)*] $(#[$help:meta])* $name:ident: list $value:literal; $($rest:tt)*) => {
        options! { @ [$($done)* $name {
            $(#[$help])*
            #[arg(long, value_name = $value, value_delimiter = ',')]
            #[serde(deserialize_with = "one_or_many")]
            pub $name: Option<Vec<String>>,
        }] $($rest)* }
    };
    (@ [$($done:tt)*] $(#[$help:meta])* $name:ident: text_or_number $value:literal; $($rest:tt)*) => {
        options! { @ [$($done)* $name {
            $(#[$help])*
            #[arg(long, value_name = $value)]
            #[serde(deserialize_with = "text_or_number")]
            pub $name: Option<String>,
        }] $($rest)* }
    };
    (@ [$($done:tt)*] $(#[$help:meta])* $name:ident: $type:ident $value:literal; $($rest:tt)*) => {
        options! { @ [$($done)* $name {
            $(#[$help])*
            #[arg(long, value_name = $value)]
            pub $name: Option<$type>,
        }] $($rest)* }
    };
    ($($rows:tt)*) => { options! { @ [] $($rows)* } };
}

options! {
    /// Address and port to listen on; repeatable, or a list with commas [default: 127.0.0.1:4566]
    listen: list "ADDRESS:PORT";
    /// Allow listening where other machines can call without a signature; implied by --compat [default: false]
    allow_anonymous: switch;
    /// Name queues in /metrics to callers who do not sign [default: true without keys, else false]
    open_metrics: switch;
    /// Directory of the state; created if missing [default: ./data]
    data: PathBuf "DIR";
    /// Keep the state in memory only; overrides --data and --durability [default: false]
    ephemeral: switch;
    /// What an acknowledged change survives: a power cut (full), or a crash of the program (process) [default: full]
    durability: Durability "LEVEL";
    /// Bytes of the volume to keep free: with less, sends are rejected [default: 64 MiB, or a tenth of a small volume]
    disk_reserve: u64 "BYTES";
    /// Overwrite deleted messages in the database file, which costs time [default: false]
    secure_delete: switch;
    /// Which signatures are verified [default: strict when keys are configured, else off]
    auth: AuthMode "MODE";
    /// File with the access keys that may sign requests
    credentials: PathBuf "FILE";
    /// Region of requests that name none [default: us-east-1]
    region: String "REGION";
    /// How log lines on stderr are written [default: text]
    log_format: LogFormat "FORMAT";
    /// What is logged: error, warn, info, debug, trace, or directives per module [default: info]
    log_level: String "LEVEL";
    /// Connections open at once; a new one evicts one that waits for its client [default: 10000]
    max_connections: usize "N";
    /// Largest body of a request in bytes [default: 8388608]
    max_body_bytes: usize "BYTES";
    /// Seconds until the head of the next request must have arrived [default: 100]
    header_timeout: u32 "SECONDS";
    /// Seconds that running requests get to finish after SIGTERM or SIGINT [default: 8]
    shutdown_grace: u32 "SECONDS";
    /// Reject a second PurgeQueue within 60 s, as AWS does [default: false]
    delay_purge_retry: switch;
    /// Reject the creation of a queue deleted less than 60 s ago, as AWS does [default: false]
    delay_recently_deleted: switch;
    /// Base of queue URLs and of links in messages [default: the scheme and host of the request]
    public_url: String "URL";
    /// Trust X-Forwarded-Proto, X-Forwarded-Host and Forwarded of a proxy [default: false]
    trust_forwarded: switch;
    /// Host, or base URL, of the certificate of SNS signatures [default: as queue URLs]
    sns_cert_url_host: String "HOST";
    /// URL of a function for lambda subscriptions, by its ARN, its name, or * for all; repeatable
    lambda_url: list "FUNCTION=URL";
    /// Connect to these only: network, host, loopback, private, metadata, public; repeatable [default: all]
    allow_endpoints: list "WHERE";
    /// Never connect to these endpoints, for example metadata; repeatable [default: metadata, with keys]
    deny_endpoints: list "WHERE";
    /// Bytes of captured messages of an account; the oldest are deleted [default: 67108864]
    max_captured_bytes: u64 "BYTES";
    /// Bytes that may wait for endpoints of an account's topics [default: 1073741824]
    max_outbox_bytes: u64 "BYTES";
    /// Relay for email subscriptions: smtp://host:25, smtps://host [default: mail is only captured]
    mail_relay: String "URL";
    /// Sender of mail [default: no-reply@sns.amazonaws.com]
    mail_from: String "ADDRESS";
    /// Replace this server: read its variables, use its port, run its hooks, print its startup lines [default: none]
    compat: Compat "SERVER";
    /// How queue URLs are written; all forms are read [default: dynamic]
    sqs_endpoint_strategy: EndpointStrategy "FORM";
    /// Host in queue URLs that do not follow the request [default: localhost.localstack.cloud:PORT]
    external_host: String "HOST:PORT";
    /// Allow receives of more than ten messages [default: false]
    unlimited_receives: switch;
    /// Accept larger batches, larger messages and longer waits than AWS; implies --unlimited-receives [default: false]
    relaxed_limits: switch;
    /// Create a queue when it is first used [default: false]
    auto_create_queues: switch;
    /// Account of callers whose access key id names none [default: 000000000000]
    account: String "12 DIGITS";
    /// Put all callers into --region [default: true with --compat elasticmq and goaws]
    one_region: switch;
    /// Derive the account from AKIA and ASIA keys as AWS does [default: false]
    parity_access_keys: switch;
    /// Origin whose pages may call from a browser, or *; repeatable [default: none]
    cors_allowed_origins: list "ORIGIN";
    /// Name by which browsers may call this server, *.NAME, or *; repeatable [default: none]
    allowed_hosts: list "HOST";
    /// Let /_localstack/config show and change settings [default: false]
    config_updates: switch;
    /// Serve /_localstack/diagnose [default: false]
    diagnose: switch;
    /// Directory with boot.d, start.d, ready.d and shutdown.d, whose scripts are run [default: none]
    init_dir: PathBuf "DIR";
    /// Delay of each response in milliseconds, or a range: 50, 50-200 [default: 0]
    latency: text_or_number "MS";
    /// A file of another server to take queues, topics and addresses from; repeatable
    import: list "FILE";
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
