//! Squab: Amazon SQS in one small program, with its state in SQLite.
//!
//! Dependencies point one way:
//!
//! ```text
//! main → server → { wire, auth, api } → engine → { store, domain }        runtime → engine
//! ```
//!
//! - `domain` holds values and rules without I/O; it knows neither HTTP nor SQL.
//! - `store` reads and writes rows inside transactions; it knows no rule of SQS.
//! - `engine` holds the verbs of a queue service, each over one transaction: read, decide, write.
//! - `runtime` holds what lives long: the clock, waiting receivers, deadlines, background work, and
//!   what carries deliveries out of the process.
//! - `wire` holds the AWS protocols as serde codecs; it knows no operation.
//! - `auth` verifies signatures; pure, time is an argument.
//! - `api` is the table of operations, the table of errors and one file per AWS operation.
//! - `server` is the shell of the process: listeners, the gateway, health, metrics.

pub mod api;
pub mod auth;
pub mod config;
pub mod domain;
pub mod engine;
pub mod runtime;
pub mod server;
pub mod store;
pub mod wire;
