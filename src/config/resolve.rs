//! From options to settings: defaults, and what a value must be.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use indexmap::IndexMap;
use tracing::level_filters::LevelFilter;

use super::AuthMode;
use super::ConfigError;
use super::choices::Compat;
use super::flags::Options;
use super::settings::{AccessKey, MailRelay, Settings, Storage};
use super::suggestion::did_you_mean;
use crate::auth::account::DEFAULT_ACCOUNT;
use crate::domain::address::is_account;
use crate::domain::endpoint_rules::{EndpointRules, KINDS, Rule};
use crate::domain::host::Authority;
use crate::domain::sns_endpoint::without_secrets;
use crate::store::AccountLimits;

fn refused(setting: &'static str, message: impl Into<String>) -> ConfigError {
    ConfigError::Value { setting, message: message.into() }
}

/// The levels of the log.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// Milliseconds by which responses can be delayed: ten minutes.
pub const LONGEST_LATENCY_MS: u32 = 600_000;

/// Returns the settings of these options, without queues and topics.
pub(super) fn resolve(
    options: Options,
    access_key: Option<AccessKey>,
) -> Result<Settings, ConfigError> {
    let has_keys = access_key.is_some() || options.credentials.is_some();
    let compat = options.compat;
    let limits = AccountLimits::default();
    let relaxed_limits = options.relaxed_limits.unwrap_or(false);
    // Those servers keep their state in memory by default.
    let is_ephemeral = compat.is_some() && options.data.is_none();
    let storage = if options.ephemeral.unwrap_or(is_ephemeral) {
        Storage::Ephemeral
    } else {
        Storage::Directory {
            path: options.data.unwrap_or_else(|| default_data(compat)),
            durability: options.durability.unwrap_or_default(),
        }
    };
    let listen = addresses(options.listen, compat)?;
    let auth = options.auth.unwrap_or(if has_keys { AuthMode::Strict } else { AuthMode::Off });
    Ok(Settings {
        external_host: external_host(options.external_host, &listen)?,
        listen,
        allow_anonymous: options.allow_anonymous.unwrap_or(compat.is_some()),
        storage,
        disk_reserve: options.disk_reserve,
        secure_delete: options.secure_delete.unwrap_or(false),
        auth,
        open_metrics: options.open_metrics.unwrap_or(auth == AuthMode::Off),
        credentials_file: options.credentials,
        access_key,
        region: options.region.unwrap_or_else(|| default_region(compat).to_owned()),
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
        endpoint_rules: endpoint_rules(options.allow_endpoints, options.deny_endpoints, has_keys)?,
        max_captured_bytes: at_least_one(
            "max_captured_bytes",
            options.max_captured_bytes,
            limits.captured as u64,
        )?,
        max_outbox_bytes: at_least_one(
            "max_outbox_bytes",
            options.max_outbox_bytes,
            limits.outbox as u64,
        )?,
        mail_relay: options.mail_relay.map(|url| mail_relay(url, options.mail_from)).transpose()?,
        compat,
        sqs_endpoint_strategy: options.sqs_endpoint_strategy.unwrap_or_default(),
        unlimited_receives: options.unlimited_receives.unwrap_or(false) || relaxed_limits,
        relaxed_limits,
        auto_create_queues: options.auto_create_queues.unwrap_or(false).then(IndexMap::new),
        account: account(options.account, compat)?,
        one_region: options
            .one_region
            .unwrap_or(matches!(compat, Some(Compat::Elasticmq | Compat::Goaws))),
        parity_access_keys: options.parity_access_keys.unwrap_or(false),
        cors_allowed_origins: allowed_origins(options.cors_allowed_origins.unwrap_or_default())?,
        allowed_hosts: allowed_hosts(options.allowed_hosts.unwrap_or_default())?,
        config_updates: options.config_updates.unwrap_or(false),
        diagnose: options.diagnose.unwrap_or(false),
        init_dir: init_dir(options.init_dir, compat)?,
        latency_ms: latency(options.latency.as_deref())?,
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

/// What ARNs have where nothing is configured.
fn default_region(compat: Option<Compat>) -> &'static str {
    match compat {
        Some(Compat::Elasticmq) => "elasticmq",
        Some(Compat::Goaws) => "local",
        Some(Compat::Localstack | Compat::Moto) | None => "us-east-1",
    }
}

fn account(given: Option<String>, compat: Option<Compat>) -> Result<String, ConfigError> {
    let usual = if compat == Some(Compat::Moto) { "123456789012" } else { DEFAULT_ACCOUNT };
    let account = given.unwrap_or_else(|| usual.to_owned());
    if is_account(&account) {
        return Ok(account);
    }
    Err(refused("account", format!("`{account}` is not 12 digits")))
}

fn default_address(compat: Option<Compat>) -> &'static str {
    match compat {
        None => "127.0.0.1:4566",
        Some(Compat::Localstack) => "0.0.0.0:4566",
        Some(Compat::Elasticmq) => "0.0.0.0:9324",
        Some(Compat::Goaws) => "0.0.0.0:4100",
        Some(Compat::Moto) => "127.0.0.1:5000",
    }
}

fn addresses(
    given: Option<Vec<String>>,
    compat: Option<Compat>,
) -> Result<Vec<String>, ConfigError> {
    let Some(given) = given else { return Ok(vec![default_address(compat).to_owned()]) };
    let addresses: Vec<String> =
        given.iter().map(|address| address.trim().to_owned()).filter(|a| !a.is_empty()).collect();
    if addresses.is_empty() {
        return Err(refused("listen", "no address given"));
    }
    for address in &addresses {
        let is_complete = address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !is_complete {
            let message = format!("`{address}` is not an address and port such as 0.0.0.0:4566");
            return Err(refused("listen", message));
        }
    }
    Ok(addresses)
}

/// Returns what to log about addresses that other machines can reach while unsigned calls pass, if
/// there are any. Refused where that is not allowed: it must be meant, because a mistake opens every
/// queue to everyone on the network.
pub(super) fn check_exposure(settings: &Settings) -> Result<Option<String>, ConfigError> {
    let is_exposed =
        |address: &&String| !Authority::parse(address).is_some_and(|address| address.is_loopback());
    let exposed: Vec<_> = settings.listen.iter().filter(is_exposed).map(String::as_str).collect();
    let who = match settings.auth {
        AuthMode::Strict => return Ok(None),
        _ if exposed.is_empty() => return Ok(None),
        AuthMode::Off => "everyone who reaches it can do everything",
        AuthMode::KnownKeys => {
            "everyone who reaches it can call with an unknown key or without one"
        }
    };
    let exposure = format!(
        "other machines can reach {}, and with auth = {} {who}",
        exposed.join(", "),
        settings.auth
    );
    if settings.allow_anonymous {
        return Ok(Some(exposure));
    }
    Err(refused(
        "listen",
        format!(
            "{exposure}. Configure keys and verify all signatures (--credentials FILE, or \
             SQUAB_ACCESS_KEY_ID and SQUAB_SECRET_ACCESS_KEY, with --auth strict), or listen on \
             127.0.0.1, or allow it with --allow-anonymous (SQUAB_ALLOW_ANONYMOUS=true)"
        ),
    ))
}

/// Host names without ports, `*.example.com` for all names below one, or `*`.
fn allowed_hosts(given: Vec<String>) -> Result<Vec<String>, ConfigError> {
    let names = given.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let domain = name.strip_prefix("*.").unwrap_or(name);
            if name == "*" || Authority::parse(domain).is_some_and(|host| host.host() == domain) {
                return Ok(name.to_ascii_lowercase());
            }
            Err(refused(
                "allowed_hosts",
                format!("`{name}` is not a host name such as queues.example.com"),
            ))
        })
        .collect()
}

/// With keys there are callers who are not the operators of the server.
fn endpoint_rules(
    allow: Option<Vec<String>>,
    deny: Option<Vec<String>>,
    has_keys: bool,
) -> Result<EndpointRules, ConfigError> {
    let read = |setting, given: Option<Vec<String>>| {
        let given = given.unwrap_or_default();
        let texts = given.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
        let rules = texts.map(|text| {
            text.parse::<Rule>().map_err(|message| {
                let hint = did_you_mean(text, KINDS.map(|(word, _)| word));
                ConfigError::Value { setting, message: format!("{message}{hint}") }
            })
        });
        rules.collect::<Result<Vec<_>, _>>()
    };
    let rules = EndpointRules {
        allow: read("allow_endpoints", allow)?,
        deny: read("deny_endpoints", deny)?,
    };
    Ok(if has_keys { rules.for_callers() } else { rules })
}

fn log_level(given: Option<String>) -> Result<String, ConfigError> {
    let level = given.unwrap_or_else(|| "info".to_owned());
    // EnvFilter reads every other word as the name of a module and logs nothing else. Fields of spans, in
    // braces, may be such words.
    let is_misspelled =
        |word: &&str| !word.contains(['=', ':', '[']) && LevelFilter::from_str(word).is_err();
    let mut words = level.split(',').map(str::trim).filter(|_| !level.contains('{'));
    if let Some(word) = words.find(is_misspelled) {
        let hint = did_you_mean(word, LEVELS);
        let message = format!(
            "`{word}` is not a level ({}) or a list of directives such as \
             `info,squab::runtime=debug`{hint}",
            LEVELS.join(", ")
        );
        return Err(refused("log_level", message));
    }
    match tracing_subscriber::EnvFilter::builder().parse(&level) {
        Ok(_) => Ok(level),
        Err(error) => Err(refused(
            "log_level",
            format!("`{level}` is neither a level nor a list of directives: {error}"),
        )),
    }
}

/// Returns the directory of the init scripts. The default of `--compat localstack` need not exist.
fn init_dir(
    given: Option<PathBuf>,
    compat: Option<Compat>,
) -> Result<Option<PathBuf>, ConfigError> {
    let Some(directory) = given else {
        let is_localstack = compat == Some(Compat::Localstack);
        return Ok(is_localstack.then(|| PathBuf::from("/etc/localstack/init")));
    };
    if directory.is_dir() {
        return Ok(Some(directory));
    }
    Err(refused("init_dir", format!("`{}` is not a directory", directory.display())))
}

/// Returns the allowed origins: a scheme and a host each, or `*`. Pages of desktop applications and of
/// extensions have schemes other than http and https.
fn allowed_origins(given: Vec<String>) -> Result<Vec<String>, ConfigError> {
    let is_origin = |origin: &str| {
        origin == "*" || origin.parse::<hyper::Uri>().is_ok_and(|uri| {
            let parts = (uri.scheme_str(), uri.authority());
            matches!(parts, (Some(scheme), Some(host)) if origin == format!("{scheme}://{host}"))
        })
    };
    let origins = given.iter().map(|origin| origin.trim()).filter(|origin| !origin.is_empty());
    origins
        .map(|origin| {
            if is_origin(origin) {
                return Ok(origin.to_owned());
            }
            let message = format!("`{origin}` is not an origin such as http://localhost:3000");
            Err(refused("cors_allowed_origins", message))
        })
        .collect()
}

fn mail_relay(url: String, from: Option<String>) -> Result<MailRelay, ConfigError> {
    let is_relay = url.parse::<hyper::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("smtp" | "smtps")) && uri.host().is_some()
    });
    if !is_relay {
        let message = format!(
            "`{}` is not a URL such as smtp://host:25 or smtps://user:password@host",
            quotable(&url)
        );
        return Err(refused("mail_relay", message));
    }
    let from = from.unwrap_or_else(|| "no-reply@sns.amazonaws.com".to_owned());
    Ok(MailRelay { url, from })
}

fn at_least_one<N: Default + PartialEq>(
    setting: &'static str,
    given: Option<N>,
    default: N,
) -> Result<N, ConfigError> {
    let value = given.unwrap_or(default);
    if value == N::default() {
        return Err(refused(setting, "must be at least 1"));
    }
    Ok(value)
}

fn public_url(given: String) -> Result<String, ConfigError> {
    base_url("public_url", &given)
}

// Rule (CreateQueue, GetQueueUrl, ListQueues): where queue URLs do not follow the request, they have the
//   port of the first address that is listened on, unless the host is given with a port.
// Source: documented, https://docs.localstack.cloud/aws/capabilities/config/configuration/
// Test: src/config/tests.rs::the_default_host_of_queue_urls_has_the_port_that_is_listened_on
fn external_host(given: Option<String>, listen: &[String]) -> Result<String, ConfigError> {
    let port = || listen.first().and_then(|address| address.rsplit_once(':')).map(|(_, port)| port);
    let host =
        given.unwrap_or_else(|| format!("localhost.localstack.cloud:{}", port().unwrap_or("4566")));
    match host.parse::<hyper::http::uri::Authority>() {
        Ok(_) => Ok(host),
        Err(_) => Err(refused(
            "external_host",
            format!("`{host}` is not a host such as queues.example.com:4566"),
        )),
    }
}

/// `50` or `50-200`.
fn latency(given: Option<&str>) -> Result<RangeInclusive<u32>, ConfigError> {
    let Some(given) = given else { return Ok(0..=0) };
    let (least, most) = given.split_once('-').unwrap_or((given, given));
    match (least.trim().parse(), most.trim().parse()) {
        (Ok(least), Ok(most)) if least <= most && most <= LONGEST_LATENCY_MS => Ok(least..=most),
        _ => Err(refused(
            "latency",
            format!(
                "`{given}` is neither milliseconds nor a range of them such as 50-200, up to \
                 {LONGEST_LATENCY_MS}"
            ),
        )),
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
            _ => Err(refused(
                "lambda_url",
                format!(
                    "`{}` is not a function and its URL, function=http://host",
                    quotable(&pair)
                ),
            )),
        })
        .collect()
}

/// Returns a URL as an error may quote it: without password and query, also where it has no scheme.
fn quotable(url: &str) -> Cow<'_, str> {
    if !url.contains("://") && url.contains(['@', '?']) {
        return "…".into();
    }
    without_secrets(url)
}

fn base_url(setting: &'static str, given: &str) -> Result<String, ConfigError> {
    let url = given.trim_end_matches('/');
    let is_base = url.parse::<hyper::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some()
            && uri.query().is_none()
    });
    if !is_base {
        return Err(refused(
            setting,
            format!("`{}` is not a base such as https://queues.example.com", quotable(given)),
        ));
    }
    Ok(url.to_owned())
}
