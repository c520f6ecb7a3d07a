//! The settings of the program: flags, environment, file, defaults, in this order of precedence.
//!
//! Each setting is one field of [`Options`]: the flag `--max-body-bytes`, the environment variable
//! `SQUAB_MAX_BODY_BYTES` and the key `max_body_bytes` of the file are all made from its name and
//! read by the same parsers, so that none can be forgotten. [`load`] resolves them into
//! [`Settings`], which is all that the rest of the program sees.
//!
//! Nothing here reads the process's environment or arguments: both are inputs. Secrets come from
//! the environment or from the credentials file, never from the command line, and are shown by
//! no `Debug`.

mod document;
mod file;
mod import;
mod localstack;
mod queues;
mod suggestion;
mod topics;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, FromArgMatches, Parser, ValueEnum};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

pub use document::Document;
use file::File;
pub use queues::DeclaredQueue;
pub(crate) use suggestion::did_you_mean;
pub use topics::{DeclaredSubscription, DeclaredTopic, Target};

/// What every variable of Squab's in the environment begins with.
const ENVIRONMENT_PREFIX: &str = "SQUAB_";
/// The variable with the id of the one key that the environment may give.
const ACCESS_KEY_ID: &str = "SQUAB_ACCESS_KEY_ID";
/// The variable with the secret of the one key that the environment may give.
const SECRET_ACCESS_KEY: &str = "SQUAB_SECRET_ACCESS_KEY";

const AFTER_HELP: &str = "\
Every option can also be given in the environment (--max-body-bytes as SQUAB_MAX_BODY_BYTES) and, \
but for --config, in the file (max_body_bytes = …). Flags win over the environment, the \
environment over the file. SQUAB_ACCESS_KEY_ID and SQUAB_SECRET_ACCESS_KEY add one key to those of \
the credentials file.\n\n\
`squab awslocal sqs create-queue …` calls a server with the verbs of the AWS CLI for sqs, sns and \
sts; so does the program when it is called by the name awslocal or aws.";

/// Amazon SQS and SNS in one small program, with its state in SQLite.
#[derive(Debug, Parser)]
#[command(name = "squab", version, args_conflicts_with_subcommands = true)]
#[command(after_help = AFTER_HELP)]
struct CommandLine {
    #[command(subcommand)]
    subcommand: Option<Subcommand>,
    #[command(flatten)]
    sources: Sources,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
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
struct Sources {
    /// A TOML file with settings, and with queues and topics that are to exist at start
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

/// The settings as one source gives them: what it does not mention is `None`.
///
/// The first line of each comment is also what `--help` says.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default)]
struct Options {
    /// Address and port to listen on; repeatable, or a list with commas [default: 127.0.0.1:4566]
    #[arg(long, value_name = "ADDRESS:PORT", value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_many")]
    listen: Option<Vec<String>>,

    /// Directory that holds the state; made when it is missing [default: ./data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Keep the state in memory only; wins over --data and --durability [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ephemeral: Option<bool>,

    /// What an answer promises: to survive a power cut, or a crash of the program [default: full]
    #[arg(long, value_name = "LEVEL")]
    durability: Option<Durability>,

    /// Which signatures are verified [default: strict when keys are configured, else off]
    #[arg(long, value_name = "MODE")]
    auth: Option<AuthMode>,

    /// File with the access keys that may sign requests
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,

    /// Region of requests that do not say theirs [default: us-east-1]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// How log lines on stderr are written [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,

    /// What is logged: error, warn, info, debug, trace, or directives per module [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,

    /// Connections open at once; further ones take the places of idle ones [default: 10000]
    #[arg(long, value_name = "N")]
    max_connections: Option<usize>,

    /// Largest body of a request in bytes [default: 8388608]
    #[arg(long, value_name = "BYTES")]
    max_body_bytes: Option<usize>,

    /// Seconds until the head of the next request must have arrived [default: 100]
    #[arg(long, value_name = "SECONDS")]
    header_timeout: Option<u32>,

    /// Seconds that running requests get to finish after SIGTERM or SIGINT [default: 8]
    #[arg(long, value_name = "SECONDS")]
    shutdown_grace: Option<u32>,

    /// Refuse a second PurgeQueue within 60 s, as AWS does [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    delay_purge_retry: Option<bool>,

    /// Refuse to create a queue deleted less than 60 s ago, as AWS does [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    delay_recently_deleted: Option<bool>,

    /// Base of queue URLs and of links in messages [default: the scheme and host of the request]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,

    /// Believe X-Forwarded-Proto and X-Forwarded-Host of a proxy in front [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    trust_forwarded: Option<bool>,

    /// Host, or base URL, of the certificate of SNS signatures [default: as queue URLs]
    #[arg(long, value_name = "HOST")]
    sns_cert_url_host: Option<String>,

    /// URL of a function for lambda subscriptions, by its ARN, its name, or * for all; repeatable
    #[arg(long, value_name = "FUNCTION=URL", value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_many")]
    lambda_url: Option<Vec<String>>,

    /// Relay for email subscriptions: smtp://host:25, smtps://host [default: mail is only captured]
    #[arg(long, value_name = "URL")]
    mail_relay: Option<String>,

    /// Sender of mail [default: no-reply@sns.amazonaws.com]
    #[arg(long, value_name = "ADDRESS")]
    mail_from: Option<String>,

    /// Stand in for this server: its variables, addresses, hooks and first lines [default: none]
    #[arg(long, value_name = "SERVER")]
    compat: Option<Compat>,

    /// How queue URLs are written; all forms are read [default: dynamic]
    #[arg(long, value_name = "FORM")]
    sqs_endpoint_strategy: Option<EndpointStrategy>,

    /// Host in queue URLs that do not follow the request [default: localhost.localstack.cloud:4566]
    #[arg(long, value_name = "HOST:PORT")]
    external_host: Option<String>,

    /// Give a receiver as many messages as it asks for, not ten at most [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    unlimited_receives: Option<bool>,

    /// Read the account out of AKIA and ASIA keys as AWS does [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    parity_access_keys: Option<bool>,

    /// Origin whose pages may call from a browser, or *; repeatable [default: none]
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_many")]
    cors_allowed_origins: Option<Vec<String>>,

    /// Let /_localstack/config show and change settings [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    config_updates: Option<bool>,

    /// Serve /_localstack/diagnose [default: false]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    diagnose: Option<bool>,

    /// Directory with boot.d, start.d, ready.d and shutdown.d, whose scripts are run [default: none]
    #[arg(long, value_name = "DIR")]
    init_dir: Option<PathBuf>,

    /// A file of another server to take queues, topics and addresses from; repeatable
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_many")]
    import: Option<Vec<String>>,
}

impl Options {
    /// These options, and where they say nothing those of `below`.
    fn over(self, below: Self) -> Self {
        Self {
            listen: self.listen.or(below.listen),
            data: self.data.or(below.data),
            ephemeral: self.ephemeral.or(below.ephemeral),
            durability: self.durability.or(below.durability),
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
            mail_relay: self.mail_relay.or(below.mail_relay),
            mail_from: self.mail_from.or(below.mail_from),
            compat: self.compat.or(below.compat),
            sqs_endpoint_strategy: self.sqs_endpoint_strategy.or(below.sqs_endpoint_strategy),
            external_host: self.external_host.or(below.external_host),
            unlimited_receives: self.unlimited_receives.or(below.unlimited_receives),
            parity_access_keys: self.parity_access_keys.or(below.parity_access_keys),
            cors_allowed_origins: self.cors_allowed_origins.or(below.cors_allowed_origins),
            config_updates: self.config_updates.or(below.config_updates),
            diagnose: self.diagnose.or(below.diagnose),
            init_dir: self.init_dir.or(below.init_dir),
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

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// A power cut: the state is synced to the disk before the answer
    #[default]
    Full,
    /// A crash of the program, but not of the machine
    Process,
}

/// Which requests must carry a valid signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthMode {
    /// None: signatures are read for their account and region only
    Off,
    /// Those signed with a configured key; other keys pass
    KnownKeys,
    /// All
    Strict,
}

/// A server that Squab stands in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compat {
    /// LocalStack: port 4566, its variables of the environment, its hooks
    Localstack,
    /// ElasticMQ: port 9324, /opt/elasticmq.conf, the line that it starts with
    Elasticmq,
    /// goaws: port 4100, /conf/goaws.yaml
    Goaws,
}

/// How queue URLs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointStrategy {
    /// http://sqs.REGION.HOST/ACCOUNT/NAME
    Standard,
    /// http://REGION.queue.HOST/ACCOUNT/NAME
    Domain,
    /// http://HOST/queue/REGION/ACCOUNT/NAME
    Path,
    /// With the host of the request: http://HOST/ACCOUNT/NAME
    #[default]
    Dynamic,
    /// http://HOST/ACCOUNT/NAME
    Off,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

macro_rules! display_as_value {
    ($($type:ty),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
            }
        }
    )*};
}
display_as_value!(Durability, AuthMode, LogFormat, Compat, EndpointStrategy);

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
    /// Where the state lives; default the directory `./data`.
    pub storage: Storage,
    /// Default [`AuthMode::Strict`] with a credentials file or a key in the environment, else
    /// [`AuthMode::Off`].
    pub auth: AuthMode,
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
    /// Whether X-Forwarded-Proto and X-Forwarded-Host are believed; default false.
    pub trust_forwarded: bool,
    /// Base of the URL of the certificate, without a slash at the end; default none, which means
    /// the base of links.
    pub cert_base_url: Option<String>,
    /// URLs of functions by ARN, by name, or by `*`; default none.
    pub lambda_urls: BTreeMap<String, String>,
    /// The relay for mail; default none: mail is captured, and nothing is sent.
    pub mail_relay: Option<MailRelay>,
    /// Which server Squab stands in for; default none.
    pub compat: Option<Compat>,
    /// Default [`EndpointStrategy::Dynamic`].
    pub sqs_endpoint_strategy: EndpointStrategy,
    /// `HOST` or `HOST:PORT` in queue URLs of the other strategies; default
    /// `localhost.localstack.cloud:4566`.
    pub external_host: String,
    /// Whether a receive may ask for more than ten messages; default false.
    pub unlimited_receives: bool,
    /// Whether the account of AKIA and ASIA keys is read out of them; default false.
    pub parity_access_keys: bool,
    /// Origins whose pages may call from a browser; default none.
    pub cors_allowed_origins: Vec<String>,
    /// Whether `/_localstack/config` is there; default false.
    pub config_updates: bool,
    /// Whether `/_localstack/diagnose` is there; default false.
    pub diagnose: bool,
    /// Directory with the scripts of each stage; default none, and `/etc/localstack/init` in place
    /// of LocalStack.
    pub init_dir: Option<PathBuf>,
    /// Queues that are to exist at start, each after the dead-letter queue that it names; default
    /// none.
    pub queues: Vec<DeclaredQueue>,
    /// Topics that are to exist at start, made after the queues; default none.
    pub topics: Vec<DeclaredTopic>,
}

/// What the program was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Serve until told to stop.
    Serve,
    /// Ask a running server for its health.
    Health,
    /// Print something about the program.
    Print(Document),
}

/// The program's arguments and environment, understood.
#[derive(Debug)]
pub struct Invocation {
    /// What to do.
    pub action: Action,
    /// With which settings.
    pub settings: Settings,
    /// Sentences to log once logging works, such as unknown variables of the environment.
    pub warnings: Vec<String>,
}

/// Why the settings cannot be used; each reads as a sentence for whoever started the program.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Arguments that clap refuses; also `--help` and `--version`, which are no failure.
    #[error(transparent)]
    Arguments(#[from] clap::Error),
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file of `--config`.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file can be read but not used.
    #[error("{}:{line}: {message}", path.display())]
    File {
        /// The file of `--config`.
        path: PathBuf,
        /// The line to blame, counted from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// A variable of the environment cannot be used.
    #[error("{variable} in the environment: {message}")]
    Environment {
        /// Its name.
        variable: String,
        /// What is wrong with it; never quotes a secret.
        message: String,
    },
    /// A value is understood but makes no sense.
    #[error("{setting}: {message}")]
    Value {
        /// The setting as the file spells it.
        setting: &'static str,
        /// What is wrong with it.
        message: String,
    },
}

/// Understands the arguments (the program's name first) and the environment, and reads the file
/// that they name.
pub fn load(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Invocation, ConfigError> {
    let command_line = CommandLine::try_parse_from(arguments)?;
    let (action, flags) = match command_line.subcommand {
        None => (Action::Serve, command_line.sources),
        Some(Subcommand::Serve(sources)) => (Action::Serve, *sources),
        Some(Subcommand::Health(sources)) => (Action::Health, *sources),
        Some(Subcommand::Completions { shell }) => return print(Document::Completions(shell)),
        Some(Subcommand::Man) => return print(Document::Manual),
    };
    let variables: Vec<_> = environment.into_iter().collect();
    let mut environment = Environment::read(variables.iter().cloned())?;
    let file = match flags.config.or(environment.sources.config) {
        None => File::default(),
        Some(path) => {
            let text = read_file(&path)?;
            file::parse(&text).map_err(|fault| fault.of(path))?
        }
    };
    let File { options, mut queues, mut topics } = file;
    let own = flags.options.over(environment.sources.options);
    let compat = own.compat.or(options.compat);
    let theirs = if compat == Some(Compat::Localstack) {
        let (theirs, mut warnings) = localstack::read(&variables)?;
        environment.warnings.append(&mut warnings);
        theirs
    } else {
        Options::default()
    };
    let mut options = own.over(theirs).over(options);
    for path in imports(&options) {
        let text = read_file(&path)?;
        let mut imported = import::parse(&path, &text).map_err(|fault| fault.of(path))?;
        environment.warnings.append(&mut imported.warnings);
        options = options.over(imported.options);
        // What the own file says of a queue or topic is all that is said of it.
        imported.queues.retain(|new| queues.iter().all(|queue| queue.name != new.name));
        imported.topics.retain(|new| topics.iter().all(|topic| topic.name != new.name));
        queues.append(&mut imported.queues);
        topics.append(&mut imported.topics);
    }
    let settings = Settings { queues, topics, ..resolve(options, environment.access_key)? };
    Ok(Invocation { action, settings, warnings: environment.warnings })
}

/// Neither environment nor file matters to what is printed.
fn print(document: Document) -> Result<Invocation, ConfigError> {
    let settings = resolve(Options::default(), None)?;
    Ok(Invocation { action: Action::Print(document), settings, warnings: Vec::new() })
}

fn read_file(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}

/// The files of other servers: those that are named, else the one that stands where the container
/// of the other server has it.
fn imports(options: &Options) -> Vec<PathBuf> {
    if let Some(named) = &options.import {
        let named = named.iter().map(|path| path.trim()).filter(|path| !path.is_empty());
        return named.map(PathBuf::from).collect();
    }
    let usual = match options.compat {
        Some(Compat::Elasticmq) => "/opt/elasticmq.conf",
        Some(Compat::Goaws) => "/conf/goaws.yaml",
        Some(Compat::Localstack) | None => return Vec::new(),
    };
    Some(PathBuf::from(usual)).filter(|path| path.is_file()).into_iter().collect()
}

/// What the environment says.
struct Environment {
    sources: Sources,
    access_key: Option<AccessKey>,
    warnings: Vec<String>,
}

impl Environment {
    /// A variable with an empty value counts as unset: templates of containers leave such behind.
    fn read(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut given: BTreeMap<String, OsString> = variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, value)| name.starts_with(ENVIRONMENT_PREFIX) && !value.is_empty())
            .collect();
        let access_key = access_key(given.remove(ACCESS_KEY_ID), given.remove(SECRET_ACCESS_KEY))?;

        let command = Sources::augment_args(clap::Command::new("squab").no_binary_name(true));
        let mut sources = Sources::default();
        let mut known = vec![ACCESS_KEY_ID.to_owned(), SECRET_ACCESS_KEY.to_owned()];
        for argument in command.get_arguments() {
            let Some(flag) = argument.get_long() else { continue };
            let variable = format!("{ENVIRONMENT_PREFIX}{}", shouted(flag));
            if let Some(value) = given.remove(&variable) {
                let one = parse_variable(&command, flag, &value).map_err(|error| {
                    ConfigError::Environment { variable: variable.clone(), message: said(&error) }
                })?;
                sources.config = one.config.or(sources.config);
                sources.options = one.options.over(sources.options);
            }
            known.push(variable);
        }
        let warnings = given
            .into_keys()
            .filter(|name| !is_kubernetes_service_link(name))
            .map(|name| {
                let hint = did_you_mean(&name, known.iter().map(String::as_str));
                format!("{name} in the environment is no setting of Squab and is ignored{hint}")
            })
            .collect();
        Ok(Self { sources, access_key, warnings })
    }
}

/// `max-body-bytes` as `MAX_BODY_BYTES`.
fn shouted(flag: &str) -> String {
    flag.to_ascii_uppercase().replace('-', "_")
}

/// Reads a variable exactly as its flag would be read.
fn parse_variable(
    command: &clap::Command,
    flag: &str,
    value: &OsStr,
) -> Result<Sources, clap::Error> {
    let mut argument = OsString::from(format!("--{flag}="));
    argument.push(value);
    Sources::from_arg_matches(&command.clone().try_get_matches_from([argument])?)
}

/// clap's sentence without what only fits a terminal.
fn said(error: &clap::Error) -> String {
    let text = error.to_string();
    let sentence = text.trim_start_matches("error: ");
    sentence.split("\n\nFor more information").next().unwrap_or(sentence).trim_end().to_owned()
}

/// Variables that Kubernetes gives to every pod beside a Service named `squab`: nobody's mistake.
fn is_kubernetes_service_link(name: &str) -> bool {
    let rest = name.strip_prefix(ENVIRONMENT_PREFIX).unwrap_or_default();
    rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_")
}

fn access_key(
    id: Option<OsString>,
    secret: Option<OsString>,
) -> Result<Option<AccessKey>, ConfigError> {
    let text = |variable: &str, value: OsString| {
        value.into_string().map_err(|_| ConfigError::Environment {
            variable: variable.to_owned(),
            message: "not UTF-8".to_owned(),
        })
    };
    let missing = |variable: &str, other: &str| ConfigError::Environment {
        variable: variable.to_owned(),
        message: format!("missing, while {other} is set"),
    };
    match (id, secret) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => Ok(Some(AccessKey {
            id: text(ACCESS_KEY_ID, id)?,
            secret: text(SECRET_ACCESS_KEY, secret)?,
        })),
        (Some(_), None) => Err(missing(SECRET_ACCESS_KEY, ACCESS_KEY_ID)),
        (None, Some(_)) => Err(missing(ACCESS_KEY_ID, SECRET_ACCESS_KEY)),
    }
}

fn resolve(options: Options, access_key: Option<AccessKey>) -> Result<Settings, ConfigError> {
    let has_keys = access_key.is_some() || options.credentials.is_some();
    let compat = options.compat;
    // Those servers keep nothing unless they are told to.
    let is_ephemeral = compat.is_some() && options.data.is_none();
    let storage = if options.ephemeral.unwrap_or(is_ephemeral) {
        Storage::Ephemeral
    } else {
        Storage::Directory {
            path: options.data.unwrap_or_else(|| default_data(compat)),
            durability: options.durability.unwrap_or_default(),
        }
    };
    Ok(Settings {
        listen: addresses(options.listen, compat)?,
        storage,
        auth: options.auth.unwrap_or(if has_keys { AuthMode::Strict } else { AuthMode::Off }),
        credentials_file: options.credentials,
        access_key,
        region: options.region.unwrap_or_else(|| "us-east-1".to_owned()),
        log_format: options.log_format.unwrap_or_default(),
        log_level: log_level(options.log_level)?,
        max_connections: at_least_one("max_connections", options.max_connections, 10_000)?,
        max_body_bytes: at_least_one("max_body_bytes", options.max_body_bytes, 8 * 1024 * 1024)?,
        header_timeout: Duration::from_secs(u64::from(at_least_one(
            "header_timeout",
            options.header_timeout,
            100,
        )?)),
        shutdown_grace: Duration::from_secs(u64::from(options.shutdown_grace.unwrap_or(8))),
        delay_purge_retry: options.delay_purge_retry.unwrap_or(false),
        delay_recently_deleted: options.delay_recently_deleted.unwrap_or(false),
        public_url: options.public_url.map(public_url).transpose()?,
        trust_forwarded: options.trust_forwarded.unwrap_or(false),
        cert_base_url: options.sns_cert_url_host.map(cert_base_url).transpose()?,
        lambda_urls: lambda_urls(options.lambda_url.unwrap_or_default())?,
        mail_relay: options.mail_relay.map(|url| MailRelay {
            url,
            from: options.mail_from.unwrap_or_else(|| "no-reply@sns.amazonaws.com".to_owned()),
        }),
        compat,
        sqs_endpoint_strategy: options.sqs_endpoint_strategy.unwrap_or_default(),
        external_host: external_host(options.external_host)?,
        unlimited_receives: options.unlimited_receives.unwrap_or(false),
        parity_access_keys: options.parity_access_keys.unwrap_or(false),
        cors_allowed_origins: options.cors_allowed_origins.unwrap_or_default(),
        config_updates: options.config_updates.unwrap_or(false),
        diagnose: options.diagnose.unwrap_or(false),
        init_dir: options.init_dir.or_else(|| {
            (compat == Some(Compat::Localstack)).then(|| PathBuf::from("/etc/localstack/init"))
        }),
        queues: Vec::new(),
        topics: Vec::new(),
    })
}

/// The volume of LocalStack's container, where there is one.
fn default_data(compat: Option<Compat>) -> PathBuf {
    let volume = Path::new("/var/lib/localstack");
    if compat == Some(Compat::Localstack) && volume.is_dir() {
        return volume.to_owned();
    }
    PathBuf::from("./data")
}

fn default_address(compat: Option<Compat>) -> &'static str {
    match compat {
        None => "127.0.0.1:4566",
        Some(Compat::Localstack) => "0.0.0.0:4566",
        Some(Compat::Elasticmq) => "0.0.0.0:9324",
        Some(Compat::Goaws) => "0.0.0.0:4100",
    }
}

fn addresses(
    given: Option<Vec<String>>,
    compat: Option<Compat>,
) -> Result<Vec<String>, ConfigError> {
    let Some(given) = given else { return Ok(vec![default_address(compat).to_owned()]) };
    let addresses: Vec<String> =
        given.iter().map(|address| address.trim().to_owned()).filter(|a| !a.is_empty()).collect();
    let refuse = |message: String| ConfigError::Value { setting: "listen", message };
    if addresses.is_empty() {
        return Err(refuse("no address given".to_owned()));
    }
    for address in &addresses {
        let is_complete = address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !is_complete {
            return Err(refuse(format!(
                "`{address}` is not an address and port such as 0.0.0.0:4566"
            )));
        }
    }
    Ok(addresses)
}

fn log_level(given: Option<String>) -> Result<String, ConfigError> {
    let level = given.unwrap_or_else(|| "info".to_owned());
    match tracing_subscriber::EnvFilter::builder().parse(&level) {
        Ok(_) => Ok(level),
        Err(error) => Err(ConfigError::Value {
            setting: "log_level",
            message: format!("`{level}` is neither a level nor a list of directives: {error}"),
        }),
    }
}

fn at_least_one<N: Default + PartialEq>(
    setting: &'static str,
    given: Option<N>,
    default: N,
) -> Result<N, ConfigError> {
    let value = given.unwrap_or(default);
    if value == N::default() {
        return Err(ConfigError::Value { setting, message: "must be at least 1".to_owned() });
    }
    Ok(value)
}

fn public_url(given: String) -> Result<String, ConfigError> {
    base_url("public_url", &given)
}

fn external_host(given: Option<String>) -> Result<String, ConfigError> {
    let host = given.unwrap_or_else(|| "localhost.localstack.cloud:4566".to_owned());
    match host.parse::<hyper::http::uri::Authority>() {
        Ok(_) => Ok(host),
        Err(_) => Err(ConfigError::Value {
            setting: "external_host",
            message: format!("`{host}` is not a host such as queues.example.com:4566"),
        }),
    }
}

/// A host alone means https, which is what verifiers insist on.
fn cert_base_url(given: String) -> Result<String, ConfigError> {
    let url = if given.contains("://") { given } else { format!("https://{given}") };
    base_url("sns_cert_url_host", &url)
}

fn lambda_urls(given: Vec<String>) -> Result<BTreeMap<String, String>, ConfigError> {
    let pairs = given.into_iter().filter(|pair| !pair.trim().is_empty());
    pairs
        .map(|pair| match pair.split_once('=') {
            Some((function, url)) if !function.trim().is_empty() => {
                Ok((function.trim().to_owned(), base_url("lambda_url", url.trim())?))
            }
            _ => Err(ConfigError::Value {
                setting: "lambda_url",
                message: format!("`{pair}` is not a function and its URL, function=http://host"),
            }),
        })
        .collect()
}

fn base_url(setting: &'static str, given: &str) -> Result<String, ConfigError> {
    let url = given.trim_end_matches('/');
    let is_base = url.parse::<hyper::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some()
            && uri.query().is_none()
    });
    if !is_base {
        return Err(ConfigError::Value {
            setting,
            message: format!("`{given}` is not a base such as https://queues.example.com"),
        });
    }
    Ok(url.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn where_notifications_go_is_configured() {
        let settings = load_with(
            &["--lambda-url", "f=http://localhost:9000/,*=http://other"],
            &[
                ("SQUAB_SNS_CERT_URL_HOST", "sns.us-east-1.amazonaws.com"),
                ("SQUAB_MAIL_RELAY", "smtp://user:secret@relay"),
            ],
        )
        .unwrap()
        .settings;
        assert_eq!(settings.cert_base_url.as_deref(), Some("https://sns.us-east-1.amazonaws.com"));
        let urls: Vec<_> = settings.lambda_urls.values().map(String::as_str).collect();
        assert_eq!(urls, ["http://other", "http://localhost:9000"]);
        assert!(!format!("{settings:?}").contains("secret"));
        assert!(load_with(&["--lambda-url", "http://localhost"], &[]).is_err());
    }

    pub(in crate::config) fn load_with(
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Invocation, ConfigError> {
        load(
            std::iter::once("squab").chain(arguments.iter().copied()).map(OsString::from),
            environment.iter().map(|(name, value)| (name.into(), value.into())),
        )
    }

    pub(in crate::config) fn settings(
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Settings {
        load_with(arguments, environment).unwrap().settings
    }

    fn refusal(arguments: &[&str], environment: &[(&str, &str)]) -> String {
        load_with(arguments, environment).unwrap_err().to_string()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn bare_squab_serves_on_the_loopback_address_from_a_directory_without_verification() {
        let invocation = load_with(&[], &[]).unwrap();
        assert_eq!(invocation.action, Action::Serve);
        let settings = invocation.settings;
        assert_eq!(settings.listen, ["127.0.0.1:4566"]);
        let storage = Storage::Directory { path: "./data".into(), durability: Durability::Full };
        assert_eq!(settings.storage, storage);
        assert_eq!(settings.auth, AuthMode::Off);
    }

    #[test]
    fn options_may_stand_with_or_without_the_serve_command() {
        let expected = ["0.0.0.0:1", "0.0.0.0:2", "[::]:3"];
        let listen = ["--listen", "0.0.0.0:1", "--listen", "0.0.0.0:2,[::]:3"];
        assert_eq!(settings(&listen, &[]).listen, expected);
        let mut served = vec!["serve"];
        served.extend(listen);
        assert_eq!(settings(&served, &[]).listen, expected);
    }

    #[test]
    fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
        let file = file("region = 'file'\nmax_body_bytes = 3\nlog_level = 'warn'\n");
        let path = file.path().to_str().unwrap();
        let environment =
            [("SQUAB_CONFIG", path), ("SQUAB_REGION", "env"), ("SQUAB_MAX_BODY_BYTES", "2")];
        let settings = settings(&["--region", "flag"], &environment);
        assert_eq!(settings.region, "flag");
        assert_eq!(settings.max_body_bytes, 2);
        assert_eq!(settings.log_level, "warn");
        assert_eq!(settings.max_connections, 10_000);
    }

    /// A field forgotten in `Options::over` would lose what the environment or the file says.
    #[test]
    fn every_option_arrives_from_the_environment_and_from_the_file() {
        let by_environment = settings(
            &[],
            &[
                ("SQUAB_LISTEN", "0.0.0.0:1,0.0.0.0:2"),
                ("SQUAB_DATA", "/d"),
                ("SQUAB_EPHEMERAL", "0"),
                ("SQUAB_DURABILITY", "process"),
                ("SQUAB_AUTH", "known-keys"),
                ("SQUAB_CREDENTIALS", "/c"),
                ("SQUAB_REGION", "r"),
                ("SQUAB_LOG_FORMAT", "json"),
                ("SQUAB_LOG_LEVEL", "squab=debug"),
                ("SQUAB_MAX_CONNECTIONS", "5"),
                ("SQUAB_MAX_BODY_BYTES", "6"),
                ("SQUAB_HEADER_TIMEOUT", "7"),
                ("SQUAB_SHUTDOWN_GRACE", "0"),
                ("SQUAB_DELAY_PURGE_RETRY", "yes"),
                ("SQUAB_DELAY_RECENTLY_DELETED", "1"),
                ("SQUAB_PUBLIC_URL", "https://q.example/"),
                ("SQUAB_TRUST_FORWARDED", "true"),
                ("SQUAB_SQS_ENDPOINT_STRATEGY", "path"),
                ("SQUAB_EXTERNAL_HOST", "h:1"),
                ("SQUAB_UNLIMITED_RECEIVES", "1"),
                ("SQUAB_PARITY_ACCESS_KEYS", "1"),
                ("SQUAB_CORS_ALLOWED_ORIGINS", "http://a,http://b"),
                ("SQUAB_CONFIG_UPDATES", "1"),
                ("SQUAB_DIAGNOSE", "1"),
                ("SQUAB_INIT_DIR", "/i"),
            ],
        );
        let expected = Settings {
            listen: vec!["0.0.0.0:1".to_owned(), "0.0.0.0:2".to_owned()],
            storage: Storage::Directory { path: "/d".into(), durability: Durability::Process },
            auth: AuthMode::KnownKeys,
            credentials_file: Some("/c".into()),
            access_key: None,
            region: "r".to_owned(),
            log_format: LogFormat::Json,
            log_level: "squab=debug".to_owned(),
            max_connections: 5,
            max_body_bytes: 6,
            header_timeout: Duration::from_secs(7),
            shutdown_grace: Duration::ZERO,
            delay_purge_retry: true,
            delay_recently_deleted: true,
            public_url: Some("https://q.example".to_owned()),
            trust_forwarded: true,
            cert_base_url: None,
            lambda_urls: BTreeMap::new(),
            mail_relay: None,
            compat: None,
            sqs_endpoint_strategy: EndpointStrategy::Path,
            external_host: "h:1".to_owned(),
            unlimited_receives: true,
            parity_access_keys: true,
            cors_allowed_origins: vec!["http://a".to_owned(), "http://b".to_owned()],
            config_updates: true,
            diagnose: true,
            init_dir: Some("/i".into()),
            queues: Vec::new(),
            topics: Vec::new(),
        };
        assert_eq!(by_environment, expected);

        let file = file(
            "listen = ['0.0.0.0:1', '0.0.0.0:2']\ndata = '/d'\nephemeral = false\n\
             durability = 'process'\nauth = 'known-keys'\ncredentials = '/c'\nregion = 'r'\n\
             log_format = 'json'\nlog_level = 'squab=debug'\nmax_connections = 5\n\
             max_body_bytes = 6\nheader_timeout = 7\nshutdown_grace = 0\n\
             delay_purge_retry = true\ndelay_recently_deleted = true\n\
             public_url = 'https://q.example/'\ntrust_forwarded = true\n\
             sqs_endpoint_strategy = 'path'\nexternal_host = 'h:1'\nunlimited_receives = true\n\
             parity_access_keys = true\ncors_allowed_origins = 'http://a,http://b'\n\
             config_updates = true\ndiagnose = true\ninit_dir = '/i'\n",
        );
        assert_eq!(settings(&["--config", file.path().to_str().unwrap()], &[]), expected);
    }

    #[test]
    fn an_ephemeral_server_needs_no_directory_even_when_one_is_named() {
        let image = [("SQUAB_DATA", "/data"), ("SQUAB_DURABILITY", "full")];
        assert_eq!(settings(&["--ephemeral"], &image).storage, Storage::Ephemeral);
    }

    #[test]
    fn keys_make_verification_strict_unless_a_mode_is_named() {
        let key = [("SQUAB_ACCESS_KEY_ID", "AKIA1"), ("SQUAB_SECRET_ACCESS_KEY", "hush")];
        assert_eq!(settings(&[], &key).auth, AuthMode::Strict);
        assert_eq!(settings(&["--credentials", "/keys"], &[]).auth, AuthMode::Strict);
        assert_eq!(settings(&["--auth", "off"], &key).auth, AuthMode::Off);
    }

    #[test]
    fn half_a_key_is_refused_and_its_secret_not_told() {
        let said = refusal(&[], &[("SQUAB_SECRET_ACCESS_KEY", "hush")]);
        assert_eq!(
            said,
            "SQUAB_ACCESS_KEY_ID in the environment: missing, while SQUAB_SECRET_ACCESS_KEY is set"
        );
    }

    #[test]
    fn debug_output_tells_the_id_of_a_key_but_not_its_secret() {
        let key = [("SQUAB_ACCESS_KEY_ID", "AKIA1"), ("SQUAB_SECRET_ACCESS_KEY", "hush")];
        let invocation = load_with(&[], &key).unwrap();
        let shown = format!("{invocation:?} {invocation:#?}");
        assert!(shown.contains("AKIA1"));
        assert!(!shown.contains("hush"));
    }

    #[test]
    fn a_secret_on_the_command_line_is_no_option() {
        assert!(load_with(&["--secret-access-key", "hush"], &[]).is_err());
    }

    #[test]
    fn an_unknown_variable_is_told_with_what_was_meant() {
        let warnings = load_with(&[], &[("SQUAB_LISTENS", "x"), ("OTHER", "y")]).unwrap().warnings;
        let expected = "SQUAB_LISTENS in the environment is no setting of Squab and is ignored; \
                        did you mean `SQUAB_LISTEN`?";
        assert_eq!(warnings, [expected]);
    }

    #[test]
    fn the_variables_that_kubernetes_adds_are_no_mistake() {
        let links = [
            ("SQUAB_PORT", "tcp://10.0.0.1:4566"),
            ("SQUAB_PORT_4566_TCP_ADDR", "10.0.0.1"),
            ("SQUAB_SERVICE_HOST", "10.0.0.1"),
        ];
        assert!(load_with(&[], &links).unwrap().warnings.is_empty());
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let settings = settings(&[], &[("SQUAB_LISTEN", ""), ("SQUAB_ACCESS_KEY_ID", "")]);
        assert_eq!(settings.listen, ["127.0.0.1:4566"]);
    }

    #[test]
    fn a_bad_variable_is_named_with_the_values_that_would_do() {
        let said = refusal(&[], &[("SQUAB_DURABILITY", "fulll")]);
        assert!(said.starts_with("SQUAB_DURABILITY in the environment: invalid value 'fulll'"));
        assert!(said.contains("full, process"), "{said}");
        assert!(!said.contains("--help"), "{said}");
    }

    #[test]
    fn an_unknown_key_of_the_file_is_an_error_with_its_line_and_what_was_meant() {
        let file = file("region = 'r'\n\nmax-body-bytes = 1\n");
        let path = file.path().to_str().unwrap();
        assert_eq!(
            refusal(&["--config", path], &[]),
            format!("{path}:3: unknown key `max-body-bytes`; did you mean `max_body_bytes`?")
        );
    }

    #[test]
    fn values_without_sense_are_refused_with_a_reason() {
        for (arguments, expected) in [
            (
                ["--listen", "4566"],
                "listen: `4566` is not an address and port such as 0.0.0.0:4566",
            ),
            (["--max-connections", "0"], "max_connections: must be at least 1"),
            (
                ["--public-url", "queues.example"],
                "public_url: `queues.example` is not a base such as https://queues.example.com",
            ),
        ] {
            assert_eq!(refusal(&arguments, &[]), expected);
        }
        let said = refusal(&["--log-level", "squab=loud"], &[]);
        assert!(said.starts_with("log_level: `squab=loud` is neither a level nor"), "{said}");
    }

    /// The page tells every setting by its three names, and none that is not there.
    #[test]
    fn the_page_of_settings_is_true() {
        let page = include_str!("../../docs/configuration.md");
        let told: Vec<Vec<String>> = page
            .lines()
            .filter(|line| line.starts_with("| `--"))
            .map(|line| {
                line.split('|').skip(1).take(3).map(|cell| cell.trim().to_owned()).collect()
            })
            .collect();
        let command = Sources::augment_args(clap::Command::new("squab"));
        let known: Vec<_> = command
            .get_arguments()
            .filter_map(|argument| {
                let flag = argument.get_long()?;
                let key = match argument.get_id().as_str() {
                    "config" => String::new(),
                    key => format!("`{key}`"),
                };
                let variable = format!("{ENVIRONMENT_PREFIX}{}", shouted(flag));
                Some(vec![format!("`--{flag}`"), format!("`{variable}`"), key])
            })
            .collect();
        assert_eq!(told, known);
    }

    #[test]
    fn health_reads_the_same_settings() {
        let invocation = load_with(&["health"], &[("SQUAB_LISTEN", "0.0.0.0:9324")]).unwrap();
        assert_eq!(invocation.action, Action::Health);
        assert_eq!(invocation.settings.listen, ["0.0.0.0:9324"]);
    }
}
