//! LocalStack's variables of the environment, as settings of Squab.
//!
//! Those whose names begin with `SQS_` or `SNS_` are always read. The others are read with `--compat
//! localstack` only, because `DEBUG=1` may be meant for another program; without the mode a warning
//! names those that are set. Squab's own variables and the flags win over all of them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::suggestion::did_you_mean;
use super::{ConfigError, EndpointStrategy, Options, Settings};

/// What any variable may begin with, to be meant for the container and nothing else.
const PREFIX: &str = "LOCALSTACK_";
/// Names that begin so without having the prefix.
const NOT_PREFIXED: [&str; 2] = ["LOCALSTACK_HOST", "LOCALSTACK_HOSTNAME"];
/// What one address and one port are when a variable leaves them out.
const ADDRESS: &str = "0.0.0.0";
const PORT: &str = "4566";

/// Variables that change nothing here.
const WITHOUT_EFFECT: [&str; 8] = [
    "SQS_DISABLE_CLOUDWATCH_METRICS",
    "SQS_CLOUDWATCH_METRICS_REPORT_INTERVAL",
    "EAGER_SERVICE_LOADING",
    "ALLOW_NONSTANDARD_REGIONS",
    "LOCALSTACK_AUTH_TOKEN",
    "AUTH_TOKEN",
    "LOCALSTACK_API_KEY",
    "API_KEY",
];

/// The names that are read, for hints.
const NAMES: [&str; 21] = [
    "SERVICES",
    "DEBUG",
    "LS_LOG",
    "PERSISTENCE",
    "LOCALSTACK_HOST",
    "GATEWAY_LISTEN",
    "SQS_ENDPOINT_STRATEGY",
    "SQS_DELAY_PURGE_RETRY",
    "SQS_DELAY_RECENTLY_DELETED",
    "SQS_ENABLE_MESSAGE_RETENTION_PERIOD",
    "SQS_DISABLE_MAX_NUMBER_OF_MESSAGE_LIMIT",
    "SNS_CERT_URL_HOST",
    "SNS_SES_SENDER_ADDRESS",
    "PARITY_AWS_ACCESS_KEY_ID",
    "EXTRA_CORS_ALLOWED_ORIGINS",
    "DISABLE_CORS_CHECKS",
    "ENABLE_CONFIG_UPDATES",
    "HOSTNAME_EXTERNAL",
    "DEFAULT_REGION",
    "EDGE_PORT",
    "DATA_DIR",
];

/// What the names of variables begin with that are read in every mode.
const ALWAYS_READ: [&str; 2] = ["SQS_", "SNS_"];

/// Returns what these variables say where Squab stands in for LocalStack, and sentences to log.
pub(super) fn read(
    variables: &[(OsString, OsString)],
) -> Result<(Options, Vec<String>), ConfigError> {
    let given = Variables::read(variables);
    let mut warnings = given.warnings();
    warnings.extend(given.unknown_warnings(|_| true));
    let debug = given.flag("DEBUG")?.unwrap_or(false);
    let data = given.path("DATA_DIR");
    let persistent = given.flag("PERSISTENCE")?.or(data.is_some().then_some(true));
    let options = Options {
        listen: given.names_address().then(|| given.listen()),
        data,
        ephemeral: persistent.map(|persistent| !persistent),
        region: given.text("DEFAULT_REGION"),
        log_level: given.log_level(debug).unwrap_or_else(|error| {
            // Other programs have levels of their own under this name.
            warnings.push(format!("{error}; it is ignored"));
            None
        }),
        external_host: given.host(),
        parity_access_keys: given.flag("PARITY_AWS_ACCESS_KEY_ID")?,
        cors_allowed_origins: given.origins()?,
        config_updates: given.flag("ENABLE_CONFIG_UPDATES")?,
        diagnose: given.flag("DEBUG")?,
        ..given.of_services(&mut warnings)?
    };
    Ok((options, warnings))
}

/// Returns what the variables say that are read in every mode, and sentences to log, where Squab
/// does not stand in for LocalStack.
pub(super) fn read_always(
    variables: &[(OsString, OsString)],
) -> Result<(Options, Vec<String>), ConfigError> {
    let given = Variables::read(variables);
    // An application has variables of its own that begin so: only a likely mistake is worth a warning.
    let mut warnings = given.unknown_warnings(|hint| !hint.is_empty());
    let ignored: Vec<_> = NAMES
        .into_iter()
        .filter(|name| !is_always_read(name) && given.get(name).is_some())
        .collect();
    if !ignored.is_empty() {
        warnings.push(format!(
            "ignored, because --compat localstack is not set: LocalStack's variables {}",
            ignored.join(", ")
        ));
    }
    let options = given.of_services(&mut warnings)?;
    Ok((options, warnings))
}

fn is_always_read(name: &str) -> bool {
    ALWAYS_READ.iter().any(|beginning| name.starts_with(beginning))
}

/// Sets one of these variables while the server runs; an empty value unsets it. Returns whether it is
/// one of those that have their effect at once: what the others say is read at the start only.
pub fn change(settings: &mut Settings, variable: &str, value: &str) -> Result<bool, ConfigError> {
    let given = Variables::read(&[(variable.into(), value.into())]);
    match variable.strip_prefix(PREFIX).unwrap_or(variable) {
        "DEBUG" => {
            settings.diagnose = given.flag("DEBUG")?.unwrap_or(false);
            let level = if settings.diagnose { "debug" } else { "info" };
            level.clone_into(&mut settings.log_level);
        }
        "LS_LOG" => {
            let level = given.log_level(settings.diagnose)?;
            settings.log_level = level.unwrap_or_else(|| "info".to_owned());
        }
        "SQS_ENDPOINT_STRATEGY" => {
            settings.sqs_endpoint_strategy = given.strategy()?.unwrap_or_default();
        }
        name => {
            let setting = match name {
                "SQS_DELAY_PURGE_RETRY" => &mut settings.delay_purge_retry,
                "SQS_DELAY_RECENTLY_DELETED" => &mut settings.delay_recently_deleted,
                "SQS_DISABLE_MAX_NUMBER_OF_MESSAGE_LIMIT" => &mut settings.unlimited_receives,
                _ => return Ok(false),
            };
            *setting = given.flag(name)?.unwrap_or(false);
        }
    }
    Ok(true)
}

/// Variables by their names without the prefix; empty ones count as unset.
struct Variables(BTreeMap<String, String>);

impl Variables {
    fn read(variables: &[(OsString, OsString)]) -> Self {
        let texts = variables.iter().filter_map(|(name, value)| {
            let (name, value) = (name.to_str()?, value.to_str()?.trim());
            (!value.is_empty()).then(|| (name.to_owned(), value.to_owned()))
        });
        let has_prefix = |(name, _): &(String, String)| {
            name.starts_with(PREFIX) && !NOT_PREFIXED.contains(&name.as_str())
        };
        let (prefixed, plain): (Vec<_>, Vec<_>) = texts.partition(has_prefix);
        let prefixed =
            prefixed.into_iter().map(|(name, value)| (name[PREFIX.len()..].to_owned(), value));
        Self(plain.into_iter().chain(prefixed).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    fn list(&self, name: &str) -> Option<Vec<String>> {
        let items = self.get(name)?.split(',').map(str::trim).filter(|item| !item.is_empty());
        Some(items.map(str::to_owned).collect())
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, ConfigError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(Some(true)),
            "0" | "false" | "no" | "off" => Ok(Some(false)),
            _ => Err(unusable(name, format!("`{value}` is neither 1 nor 0"))),
        }
    }

    /// Origins beside those of this machine; all where the checks are switched off.
    fn origins(&self) -> Result<Option<Vec<String>>, ConfigError> {
        if self.flag("DISABLE_CORS_CHECKS")? == Some(true) {
            return Ok(Some(vec!["*".to_owned()]));
        }
        Ok(self.list("EXTRA_CORS_ALLOWED_ORIGINS"))
    }

    fn names_address(&self) -> bool {
        self.get("EDGE_PORT").or_else(|| self.get("GATEWAY_LISTEN")).is_some()
    }

    /// GATEWAY_LISTEN: addresses, ports, or both; EDGE_PORT: a port.
    fn listen(&self) -> Vec<String> {
        let port = self.get("EDGE_PORT").unwrap_or(PORT);
        let Some(addresses) = self.list("GATEWAY_LISTEN") else {
            return vec![format!("{ADDRESS}:{port}")];
        };
        addresses
            .into_iter()
            .map(|address| {
                if address.bytes().all(|byte| byte.is_ascii_digit()) {
                    return format!("{ADDRESS}:{address}");
                }
                let address = match address.strip_prefix(':') {
                    Some(port) => format!("{ADDRESS}:{port}"),
                    None => address,
                };
                let has_port = address.rsplit_once(':').is_some_and(|(host, port)| {
                    !host.is_empty() && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
                });
                if has_port { address } else { format!("{address}:{port}") }
            })
            .collect()
    }

    /// LOCALSTACK_HOST, or what came before it. Without a port it gets the one that is listened on.
    fn host(&self) -> Option<String> {
        let host = self.get("LOCALSTACK_HOST").or_else(|| self.get("HOSTNAME_EXTERNAL"))?;
        if host.contains(':') {
            return Some(host.to_owned());
        }
        let listen = self.listen();
        let port = listen.first().and_then(|address| address.rsplit_once(':'));
        Some(format!("{host}:{}", port.map_or(PORT, |(_, port)| port)))
    }

    fn strategy(&self) -> Result<Option<EndpointStrategy>, ConfigError> {
        use clap::ValueEnum as _;
        let Some(value) = self.get("SQS_ENDPOINT_STRATEGY") else { return Ok(None) };
        EndpointStrategy::from_str(value, true).map(Some).map_err(|_| {
            let known = "standard, domain, path, dynamic, off";
            unusable("SQS_ENDPOINT_STRATEGY", format!("`{value}` is none of {known}"))
        })
    }

    fn log_level(&self, debug: bool) -> Result<Option<String>, ConfigError> {
        let level = match self.get("LS_LOG").map(str::to_ascii_lowercase).as_deref() {
            None if debug => "debug",
            None => return Ok(None),
            Some("trace" | "trace-internal") => "trace",
            Some("debug") => "debug",
            Some("info") => "info",
            Some("warn" | "warning") => "warn",
            Some("error" | "critical" | "fatal") => "error",
            Some(other) => {
                return Err(unusable("LS_LOG", format!("`{other}` is no level of a log")));
            }
        };
        Ok(Some(level.to_owned()))
    }

    /// What the variables say that are read in every mode.
    fn of_services(&self, warnings: &mut Vec<String>) -> Result<Options, ConfigError> {
        if self.flag("SQS_ENABLE_MESSAGE_RETENTION_PERIOD")? == Some(false) {
            warnings.push(
                "SQS_ENABLE_MESSAGE_RETENTION_PERIOD=0 has no effect: messages always end with \
                 their retention period"
                    .to_owned(),
            );
        }
        Ok(Options {
            delay_purge_retry: self.flag("SQS_DELAY_PURGE_RETRY")?,
            delay_recently_deleted: self.flag("SQS_DELAY_RECENTLY_DELETED")?,
            unlimited_receives: self.flag("SQS_DISABLE_MAX_NUMBER_OF_MESSAGE_LIMIT")?,
            sns_cert_url_host: self.text("SNS_CERT_URL_HOST"),
            mail_from: self.text("SNS_SES_SENDER_ADDRESS"),
            sqs_endpoint_strategy: self.strategy()?,
            ..Options::default()
        })
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for service in self.list("SERVICES").into_iter().flatten() {
            let name = service.split(':').next().unwrap_or_default().to_ascii_lowercase();
            if !matches!(name.as_str(), "sqs" | "sns" | "sts") {
                warnings.push(format!(
                    "SERVICES names {name}, which Squab does not support; it supports sqs, sns and sts"
                ));
            }
        }
        warnings
    }

    /// Warns of unknown variables whose names begin with `SQS_` or `SNS_`, if the hint at what was
    /// meant makes them worth it.
    fn unknown_warnings(&self, is_worth_it: impl Fn(&str) -> bool) -> Vec<String> {
        let is_known = |name: &str| NAMES.contains(&name) || WITHOUT_EFFECT.contains(&name);
        let unknown = self.0.keys().filter(|name| is_always_read(name) && !is_known(name));
        unknown
            .map(|name| (name, did_you_mean(name, NAMES)))
            .filter(|(_, hint)| is_worth_it(hint))
            .map(|(name, hint)| {
                format!("the environment variable {name} is not supported and is ignored{hint}")
            })
            .collect()
    }
}

fn unusable(variable: &str, message: String) -> ConfigError {
    ConfigError::Environment { variable: variable.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{load_with, settings};
    use super::super::{EndpointStrategy, Storage};

    const COMPAT: (&str, &str) = ("SQUAB_COMPAT", "localstack");

    #[test]
    fn without_the_mode_most_are_ignored_and_a_warning_names_the_mode() {
        let stray = [("DEBUG", "1"), ("EDGE_PORT", "1"), ("LOCALSTACK_DATA_DIR", "/d"), ("X", "y")];
        for arguments in [&[][..], &["--compat", "moto"]] {
            let invocation = load_with(arguments, &stray).unwrap();
            assert_eq!(invocation.settings, settings(arguments, &[]));
            assert_eq!(
                invocation.warnings,
                ["ignored, because --compat localstack is not set: LocalStack's variables \
                  DEBUG, EDGE_PORT, DATA_DIR"]
            );
        }
        let harmless = [("LOCALSTACK_AUTH_TOKEN", "t"), ("API_KEY", "k"), ("LOCALSTACK_X", "x")];
        assert!(load_with(&[], &harmless).unwrap().warnings.is_empty());
    }

    #[test]
    fn those_of_sqs_and_sns_are_read_in_every_mode() {
        let variables = [
            ("SQS_ENDPOINT_STRATEGY", "path"),
            ("SQS_DELAY_PURGE_RETRY", "1"),
            ("LOCALSTACK_SQS_DELAY_RECENTLY_DELETED", "1"),
            ("SQS_DISABLE_MAX_NUMBER_OF_MESSAGE_LIMIT", "1"),
            ("SNS_CERT_URL_HOST", "sns.us-east-1.amazonaws.com"),
            ("SQS_DISABLE_CLOUDWATCH_METRICS", "1"),
            // An application's own, and one that is misspelt.
            ("SQS_QUEUE_URL", "http://localhost:4566/000000000000/q"),
            ("SQS_ENDPOINT_STRATEGI", "off"),
        ];
        for arguments in [&[][..], &["--compat", "elasticmq"]] {
            let invocation = load_with(arguments, &variables).unwrap();
            let settings = invocation.settings;
            assert_eq!(settings.sqs_endpoint_strategy, EndpointStrategy::Path);
            assert!(settings.delay_purge_retry && settings.delay_recently_deleted);
            assert!(settings.unlimited_receives);
            assert_eq!(
                settings.cert_base_url.as_deref(),
                Some("https://sns.us-east-1.amazonaws.com")
            );
            assert_eq!(
                invocation.warnings[0],
                "the environment variable SQS_ENDPOINT_STRATEGI is not supported and is ignored; did you \
                 mean `SQS_ENDPOINT_STRATEGY`?"
            );
        }
        let own = [("SQS_ENDPOINT_STRATEGY", "path"), ("SQUAB_SQS_ENDPOINT_STRATEGY", "off")];
        assert_eq!(settings(&[], &own).sqs_endpoint_strategy, EndpointStrategy::Off);
        let refusal = load_with(&[], &[("SQS_DELAY_PURGE_RETRY", "maybe")]).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "SQS_DELAY_PURGE_RETRY in the environment: `maybe` is neither 1 nor 0"
        );
    }

    #[test]
    fn with_the_mode_alone_it_starts_as_the_container_does() {
        let settings = settings(&["--compat", "localstack"], &[]);
        assert_eq!(settings.listen, ["0.0.0.0:4566"]);
        assert_eq!(settings.storage, Storage::Ephemeral);
        assert_eq!(settings.sqs_endpoint_strategy, EndpointStrategy::Dynamic);
        assert_eq!(settings.init_dir.unwrap().to_str(), Some("/etc/localstack/init"));
    }

    #[test]
    fn they_have_the_effect_that_they_have_there() {
        let settings = settings(
            &[],
            &[
                COMPAT,
                ("GATEWAY_LISTEN", "127.0.0.1:4567, 4568,:4569,[::]"),
                ("LOCALSTACK_PERSISTENCE", "1"),
                ("DATA_DIR", "/d"),
                ("DEFAULT_REGION", "eu-west-1"),
                ("DEBUG", "1"),
                ("LS_LOG", "WARNING"),
                ("LOCALSTACK_HOST", "queues"),
                ("SQS_ENDPOINT_STRATEGY", "standard"),
                ("LOCALSTACK_SQS_DELAY_PURGE_RETRY", "true"),
                ("SQS_DELAY_RECENTLY_DELETED", "1"),
                ("SQS_DISABLE_MAX_NUMBER_OF_MESSAGE_LIMIT", "1"),
                ("SNS_CERT_URL_HOST", "sns.us-east-1.amazonaws.com"),
                ("PARITY_AWS_ACCESS_KEY_ID", "1"),
                ("EXTRA_CORS_ALLOWED_ORIGINS", "http://a, http://b"),
                ("ENABLE_CONFIG_UPDATES", "1"),
            ],
        );
        assert_eq!(
            settings.listen,
            ["127.0.0.1:4567", "0.0.0.0:4568", "0.0.0.0:4569", "[::]:4566"]
        );
        let Storage::Directory { path, .. } = settings.storage else { unreachable!() };
        assert_eq!(path.to_str(), Some("/d"));
        assert_eq!(settings.region, "eu-west-1");
        assert_eq!(settings.log_level, "warn");
        assert_eq!(settings.external_host, "queues:4567");
        assert_eq!(settings.sqs_endpoint_strategy, EndpointStrategy::Standard);
        assert!(settings.delay_purge_retry && settings.delay_recently_deleted);
        assert!(settings.unlimited_receives && settings.parity_access_keys);
        assert!(settings.config_updates && settings.diagnose);
        assert_eq!(settings.cors_allowed_origins, ["http://a", "http://b"]);
    }

    #[test]
    fn without_the_checks_pages_of_all_origins_may_call() {
        let checks = |value| settings(&[], &[COMPAT, ("DISABLE_CORS_CHECKS", value)]);
        assert_eq!(checks("1").cors_allowed_origins, ["*"]);
        assert!(checks("0").cors_allowed_origins.is_empty());
    }

    #[test]
    fn the_own_variables_win_and_flags_win_over_all() {
        let environment = [
            COMPAT,
            ("EDGE_PORT", "1"),
            ("SQUAB_LISTEN", "127.0.0.1:2"),
            ("DEFAULT_REGION", "there"),
            ("SQUAB_REGION", "here"),
            ("PERSISTENCE", "1"),
        ];
        let settings = settings(&["--region", "flag", "--ephemeral"], &environment);
        assert_eq!(settings.listen, ["127.0.0.1:2"]);
        assert_eq!(settings.region, "flag");
        assert_eq!(settings.storage, Storage::Ephemeral);
        // No directory was asked for, but persistence was.
        let storage = super::super::tests::settings(&[], &environment).storage;
        assert!(matches!(storage, Storage::Directory { .. }));
    }

    #[test]
    fn every_variable_is_on_the_page() {
        let page = include_str!("../../docs/compatibility.md");
        for name in super::NAMES.iter().chain(&super::WITHOUT_EFFECT) {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn what_is_not_served_or_not_known_is_told() {
        let warnings = load_with(
            &[],
            &[
                COMPAT,
                ("SERVICES", "sqs,s3:4572"),
                ("SQS_ENDPOINT_STRATEGI", "path"),
                ("LS_LOG", "loud"),
                ("GATEWAY_LISTEN", "127.0.0.1"),
            ],
        )
        .unwrap()
        .warnings;
        assert_eq!(
            warnings,
            [
                "SERVICES names s3, which Squab does not support; it supports sqs, sns and sts",
                "the environment variable SQS_ENDPOINT_STRATEGI is not supported and is ignored; did you \
                 mean `SQS_ENDPOINT_STRATEGY`?",
                "LS_LOG in the environment: `loud` is no level of a log; it is ignored",
            ]
        );
        let refusal = load_with(&[], &[COMPAT, ("DEBUG", "maybe")]).unwrap_err();
        assert_eq!(refusal.to_string(), "DEBUG in the environment: `maybe` is neither 1 nor 0");
    }
}
