//! Attacks on a server, each on one promise of docs/security.md.
//!
//! `tests/security_promises.rs` starts a server for each attack; `examples/overload_bench` runs them against any server:
//!
//! ```sh
//! cargo run --example overload_bench -- --break-in --server target/debug/squab
//! cargo run --example overload_bench -- --url http://localhost:4566 --log squab.log --credentials keys.toml
//! ```
//!
//! To add an attack: a file here with a function `run(&Target, &mut Report)`, and an entry of
//! [`ATTACKS`], which says how a server is started for it, keys included ([`Target::signed`]). An attack makes attempts, each with a verdict, and compares them with a control: the
//! same request without what is hostile about it, which must succeed, or the attempt says nothing.
//! Attacks create queues and topics whose names begin with `attack-`, delete them, and change
//! nothing else, so that anyone can run them against a server in use.

mod early_rejection;
mod foreign_hosts;
mod foreign_pages;
mod forwarded_headers;
mod frame;
mod hanging_endpoints;
mod metadata_endpoints;
mod other_accounts;
mod own_deliveries;
mod secrets_in_logs;
mod start;
mod traces;
mod unsigned_parts;
mod unsigned_unsubscribe;
mod whole_server;

pub use frame::{Attack, Target, Verdict, keys};
use frame::{OPEN, Setup};
pub use start::Started;

const ONE_KEY: &str =
    "[[credential]]\naccess_key_id = \"AKIAATTACK\"\nsecret_access_key = \"attack\"\n";

const TWO_ACCOUNTS: &str = r#"
[[credential]]
access_key_id = "AKIAATTACKED"
secret_access_key = "attacked"
account = "111111111111"

[[credential]]
access_key_id = "AKIAATTACK"
secret_access_key = "attack"
account = "222222222222"
"#;

const TWO_ROLES: &str = r#"
[[credential]]
access_key_id = "AKIAATTACK"
secret_access_key = "attack"
role = "operate"

[[credential]]
access_key_id = "AKIAVIEWER"
secret_access_key = "attack"
role = "view"
"#;

/// A server that verifies every request.
const STRICT: Setup = Setup { arguments: &["--auth", "strict"], credentials: ONE_KEY, ..OPEN };

/// All attacks, in the order in which they are run.
pub const ATTACKS: &[Attack] = &[
    Attack {
        name: "foreign-pages",
        promise: "A web page of another site cannot send a request that the server carries out.",
        server: OPEN,
        run: foreign_pages::run,
    },
    Attack {
        name: "foreign-pages-signed",
        promise: "A web page of another site cannot use a request that someone else has signed.",
        server: Setup { arguments: &["--auth", "strict"], credentials: ONE_KEY, ..OPEN },
        run: foreign_pages::run_signed,
    },
    Attack {
        name: "foreign-hosts",
        promise: "A browser cannot call the server by a name that is not the server's own.",
        server: OPEN,
        run: foreign_hosts::run,
    },
    Attack {
        name: "forwarded-headers",
        promise: "Only a scheme and a host with an optional port get from a request into URLs.",
        server: Setup { arguments: &["--trust-forwarded"], ..OPEN },
        run: forwarded_headers::run,
    },
    Attack {
        name: "secrets-in-logs",
        promise: "No password and no query of an endpoint's URL reaches the log.",
        server: Setup { arguments: &["--log-level", "trace"], ..OPEN },
        run: secrets_in_logs::run,
    },
    Attack {
        name: "other-accounts",
        promise: "A key of one account cannot use, see or change what another account has.",
        server: Setup { arguments: &["--auth", "strict"], credentials: TWO_ACCOUNTS, ..OPEN },
        run: other_accounts::run,
    },
    Attack {
        name: "other-accounts-known-keys",
        promise: "Nor can it where only known keys are verified.",
        server: Setup {
            arguments: &["--auth", "known-keys", "--allow-anonymous"],
            credentials: TWO_ACCOUNTS,
            ..OPEN
        },
        run: other_accounts::run,
    },
    Attack {
        name: "whole-server",
        promise: "What concerns the whole server needs a key with the role admin, and a viewer changes nothing.",
        server: Setup {
            arguments: &["--auth", "strict", "--compat", "localstack", "--config-updates"],
            credentials: TWO_ROLES,
            ..OPEN
        },
        run: whole_server::run,
    },
    Attack {
        name: "own-deliveries",
        promise: "A delivery of SNS to the server itself is not carried out.",
        server: OPEN,
        run: own_deliveries::run,
    },
    Attack {
        name: "hanging-endpoints",
        promise: "Endpoints of one account that hang do not delay deliveries of another.",
        server: OPEN,
        run: hanging_endpoints::run,
    },
    Attack {
        name: "metadata-endpoints",
        promise: "With keys, no subscription makes the server call a metadata service.",
        server: Setup { arguments: &["--auth", "strict"], credentials: ONE_KEY, ..OPEN },
        run: metadata_endpoints::run,
    },
    Attack {
        name: "unsigned-parts",
        promise: "No unsigned part of a request selects what it does.",
        server: STRICT,
        run: unsigned_parts::run,
    },
    Attack {
        name: "unsigned-unsubscribe",
        promise: "Without a signature only subscriptions end whose messages have a link for it.",
        server: STRICT,
        run: unsigned_unsubscribe::run,
    },
    Attack {
        name: "early-rejection",
        promise: "With `strict`, a request that cannot be verified is answered before its body.",
        server: STRICT,
        run: early_rejection::run,
    },
    Attack {
        name: "traces",
        promise: "Changes and rejected signatures are logged, within limits and without secrets.",
        server: STRICT,
        run: traces::run,
    },
];
