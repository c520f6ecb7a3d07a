//! Flags, environment and file together, and what the tests of this module share.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use clap::Args;
use indexmap::IndexMap;

use super::environment::{ENVIRONMENT_PREFIX, shouted};
use super::flags::Sources;
use super::*;
use crate::domain::endpoint_rules::EndpointRules;

/// The line and the sentence with which a file is refused.
pub(in crate::config) fn fault(text: &str) -> (usize, String) {
    let fault = file::parse(text).unwrap_err();
    (fault.line, fault.message)
}

pub(in crate::config) fn map(pairs: &[(&str, &str)]) -> IndexMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn load_with(
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Result<Invocation, ConfigError> {
    load(
        std::iter::once("squab").chain(arguments.iter().copied()).map(OsString::from),
        environment.iter().map(|(name, value)| (name.into(), value.into())),
    )
}

pub(crate) fn settings(arguments: &[&str], environment: &[(&str, &str)]) -> Settings {
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
    let listen = ["--listen", "0.0.0.0:1", "--listen", "0.0.0.0:2,[::]:3", "--allow-anonymous"];
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
            ("SQUAB_ALLOW_ANONYMOUS", "1"),
            ("SQUAB_ALLOWED_HOSTS", "Queues,*.example"),
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
            ("SQUAB_INIT_DIR", "/"),
            ("SQUAB_ONE_REGION", "1"),
            ("SQUAB_LATENCY", "50-200"),
            ("SQUAB_RELAXED_LIMITS", "1"),
            ("SQUAB_AUTO_CREATE_QUEUES", "1"),
            ("SQUAB_ACCOUNT", "123456789012"),
            ("SQUAB_ALLOW_ENDPOINTS", "public, 10.1.0.0/16"),
            ("SQUAB_DENY_ENDPOINTS", "*.Bad.example"),
            ("SQUAB_MAX_CAPTURED_BYTES", "8"),
            ("SQUAB_MAX_OUTBOX_BYTES", "9"),
            ("SQUAB_OPEN_METRICS", "true"),
        ],
    );
    let rules = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let expected = Settings {
        listen: vec!["0.0.0.0:1".to_owned(), "0.0.0.0:2".to_owned()],
        allow_anonymous: true,
        storage: Storage::Directory { path: "/d".into(), durability: Durability::Process },
        disk_reserve: None,
        secure_delete: false,
        auth: AuthMode::KnownKeys,
        open_metrics: true,
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
        endpoint_rules: EndpointRules {
            allow: rules(&["public", "10.1.0.0/16"]),
            deny: rules(&["*.bad.example", "metadata"]),
        },
        max_captured_bytes: 8,
        max_outbox_bytes: 9,
        mail_relay: None,
        compat: None,
        sqs_endpoint_strategy: EndpointStrategy::Path,
        external_host: "h:1".to_owned(),
        unlimited_receives: true,
        one_region: true,
        parity_access_keys: true,
        cors_allowed_origins: vec!["http://a".to_owned(), "http://b".to_owned()],
        allowed_hosts: vec!["queues".to_owned(), "*.example".to_owned()],
        config_updates: true,
        diagnose: true,
        init_dir: Some("/".into()),
        latency_ms: 50..=200,
        relaxed_limits: true,
        auto_create_queues: Some(IndexMap::new()),
        account: "123456789012".to_owned(),
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
         config_updates = true\ndiagnose = true\ninit_dir = '/'\nlatency = '50-200'\n\
         relaxed_limits = true\nauto_create_queues = true\naccount = '123456789012'\n\
         one_region = true\nallow_anonymous = true\nallowed_hosts = ['Queues', '*.example']\n\
         allow_endpoints = ['public', '10.1.0.0/16']\ndeny_endpoints = '*.bad.example'\n\
         max_captured_bytes = 8\nmax_outbox_bytes = 9\nopen_metrics = true\n",
    );
    assert_eq!(settings(&["--config", file.path().to_str().unwrap()], &[]), expected);
}

#[test]
fn the_default_host_of_queue_urls_has_the_port_that_is_listened_on() {
    let host = |arguments: &[&str]| settings(arguments, &[]).external_host;
    assert_eq!(host(&[]), "localhost.localstack.cloud:4566");
    assert_eq!(
        host(&["--listen", "127.0.0.1:7000,127.0.0.1:8000"]),
        "localhost.localstack.cloud:7000"
    );
    assert_eq!(host(&["--compat", "elasticmq"]), "localhost.localstack.cloud:9324");
    let listen = [("SQUAB_COMPAT", "localstack"), ("GATEWAY_LISTEN", ":7000")];
    assert_eq!(settings(&[], &listen).external_host, "localhost.localstack.cloud:7000");
    let chosen = settings(&["--listen", "127.0.0.1:0"], &[]).with_port(7_001);
    assert_eq!(chosen.external_host, "localhost.localstack.cloud:7001");
    assert_eq!(chosen.listen, ["127.0.0.1:7001"]);
}

#[test]
fn metrics_name_queues_to_everyone_only_without_verification_or_where_that_is_said() {
    let open = |arguments: &[&str]| settings(arguments, &[]).open_metrics;
    assert!(open(&[]));
    assert!(!open(&["--auth", "strict"]));
    assert!(!open(&["--auth", "known-keys", "--credentials", "c"]));
    assert!(open(&["--auth", "strict", "--open-metrics"]));
    assert!(!open(&["--open-metrics=false"]));
}

#[test]
fn a_misspelt_word_in_rules_for_endpoints_is_refused() {
    for (flag, word, meant) in [
        ("--deny-endpoints", "privat", "private"),
        ("--deny-endpoints", "10.0.0.0/8,metadta", "metadata"),
        ("--allow-endpoints", "Publick", "public"),
    ] {
        let refused = refusal(&[flag, word], &[]);
        assert!(refused.ends_with(&format!("did you mean `{meant}`?")), "{refused}");
    }
    assert!(refusal(&["--deny-endpoints", "hooks"], &[]).contains("final dot, `hooks.`"));
}

#[test]
fn what_knows_one_region_only_is_stood_in_for_with_one() {
    for (arguments, region, one_region) in [
        (&["--compat", "elasticmq"][..], "elasticmq", true),
        (&["--compat", "goaws"], "local", true),
        (&["--compat", "elasticmq", "--region", "r", "--one-region=false"], "r", false),
        (&["--compat", "localstack"], "us-east-1", false),
        (&[], "us-east-1", false),
    ] {
        let settings = settings(arguments, &[]);
        assert_eq!((settings.region.as_str(), settings.one_region), (region, one_region));
    }
}

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

#[test]
fn an_ephemeral_server_needs_no_directory_even_when_one_is_named() {
    let image = [("SQUAB_DATA", "/data"), ("SQUAB_DURABILITY", "full")];
    assert_eq!(settings(&["--ephemeral"], &image).storage, Storage::Ephemeral);
}

#[test]
fn unsigned_calls_from_other_machines_must_be_allowed() {
    let key = [("SQUAB_ACCESS_KEY_ID", "AKIA1"), ("SQUAB_SECRET_ACCESS_KEY", "hush")];
    for listen in ["0.0.0.0:4566", "[::]:4566", "10.1.2.3:1", "queues.example:1", "0:1"] {
        let listen = ["--listen", listen];
        for (mode, who) in [
            ("off", "everyone who reaches it can do everything"),
            ("known-keys", "everyone who reaches it can call with an unknown key or without one"),
        ] {
            let mode = ["--auth", mode];
            let said = refusal(&[listen, mode].concat(), &key);
            let expected = format!(
                "listen: other machines can reach {}, and with auth = {} {who}. ",
                listen[1], mode[1]
            );
            assert!(said.starts_with(&expected), "{said}");
            assert!(said.contains("--allow-anonymous (SQUAB_ALLOW_ANONYMOUS=true)"), "{said}");
            for allowed in [&["--allow-anonymous"][..], &["--compat", "moto"]] {
                let arguments = [&listen[..], &mode, allowed].concat();
                let warnings = load_with(&arguments, &key).unwrap().warnings;
                assert!(warnings[0].contains(who), "{warnings:?}");
            }
        }
        assert!(load_with(&listen, &key).unwrap().warnings.is_empty());
    }
    let mixed = ["--listen", "127.0.0.1:1,0.0.0.0:2", "--compat", "goaws", "--allow-anonymous=0"];
    assert!(refusal(&mixed, &[]).starts_with("listen: other machines can reach 0.0.0.0:2, "));
    for listen in ["127.0.0.1:0", "127.1.2.3:1", "localhost:1", "[::1]:1", "queues.localhost:1"] {
        assert!(load_with(&["--listen", listen], &[]).unwrap().warnings.is_empty(), "{listen}");
    }
}

#[test]
fn errors_do_not_quote_passwords_and_queries() {
    for arguments in [
        ["--lambda-url", "http://user:hush@host"],
        ["--lambda-url", "f=http://host/?hush"],
        ["--lambda-url", "f=user:hush@host"],
        ["--public-url", "https://user:hush@host/?hush"],
        ["--sns-cert-url-host", "user:hush@host?hush"],
    ] {
        let said = refusal(&arguments, &[]);
        assert!(!said.contains("hush"), "{said}");
    }
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
        "SQUAB_ACCESS_KEY_ID in the environment: not set, but SQUAB_SECRET_ACCESS_KEY is: set both"
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
    let expected = "the environment variable SQUAB_LISTENS is not a setting of Squab and is ignored; \
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
        (["--listen", "4566"], "listen: `4566` is not an address and port such as 0.0.0.0:4566"),
        (["--max-connections", "0"], "max_connections: must be at least 1"),
        (
            ["--latency", "200-50"],
            "latency: `200-50` is neither milliseconds nor a range of them such as 50-200, up to \
             600000",
        ),
        (
            ["--public-url", "queues.example"],
            "public_url: `queues.example` is not a base such as https://queues.example.com",
        ),
        (
            ["--allowed-hosts", "queues.example:80"],
            "allowed_hosts: `queues.example:80` is not a host name such as queues.example.com",
        ),
        (
            ["--log-level", "infoo"],
            "log_level: `infoo` is not a level (error, warn, info, debug, trace) or a list of \
             directives such as `info,squab::runtime=debug`; did you mean `info`?",
        ),
        (
            ["--log-level", "squab=warn, verbose"],
            "log_level: `verbose` is not a level (error, warn, info, debug, trace) or a list of \
             directives such as `info,squab::runtime=debug`",
        ),
        (["--init-dir", "/no/such"], "init_dir: `/no/such` is not a directory"),
        (
            ["--mail-relay", "mail.example"],
            "mail_relay: `mail.example` is not a URL such as smtp://host:25 or \
             smtps://user:password@host",
        ),
        (
            ["--mail-relay", "http://user:hush@mail.example"],
            "mail_relay: `http://mail.example` is not a URL such as smtp://host:25 or \
             smtps://user:password@host",
        ),
    ] {
        assert_eq!(refusal(&arguments, &[]), expected);
    }
    let said = refusal(&["--log-level", "squab=loud"], &[]);
    assert!(said.starts_with("log_level: `squab=loud` is neither a level nor"), "{said}");
}

#[test]
fn a_log_level_is_a_level_in_any_case_or_a_list_of_directives() {
    for level in ["off", "WARN", "info,squab::runtime=debug", "info,squab::runtime"] {
        assert_eq!(settings(&["--log-level", level], &[]).log_level, level);
    }
}

#[test]
fn an_allowed_origin_is_a_scheme_and_a_host() {
    let origins = "*,http://localhost:3000,tauri://localhost,chrome-extension://abc";
    let settings = settings(&["--cors-allowed-origins", origins], &[]);
    assert_eq!(settings.cors_allowed_origins, origins.split(',').collect::<Vec<_>>());
    for origin in ["localhost:3000", "/x", "http://", "http://localhost:3000/", "http://a b"] {
        assert_eq!(
            refusal(&["--cors-allowed-origins", origin], &[]),
            format!(
                "cors_allowed_origins: `{origin}` is not an origin such as http://localhost:3000"
            )
        );
    }
}

/// The page lists each setting with its three names, and no other.
#[test]
fn the_page_of_settings_is_true() {
    let page = include_str!("../../docs/configuration.md");
    let documented: Vec<Vec<String>> = page
        .lines()
        .filter(|line| line.starts_with("| `--"))
        .map(|line| line.split('|').skip(1).take(3).map(|cell| cell.trim().to_owned()).collect())
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
    assert_eq!(documented, known);
}

#[test]
fn health_reads_the_same_settings() {
    let invocation = load_with(&["health"], &[("SQUAB_LISTEN", "0.0.0.0:9324")]).unwrap();
    assert_eq!(invocation.action, Action::Health);
    assert_eq!(invocation.settings.listen, ["0.0.0.0:9324"]);
}
