//! Squab: an Amazon SQS and SNS server in one small program, with its state in SQLite.
//!
//! Dependencies point one way (`tests/tidy.rs` enforces the edges):
//!
//! ```text
//! main → server → { wire, auth, api } → engine → { store, domain }        runtime → engine
//! ```
//!
//! - `domain` contains values and rules without I/O; it knows neither HTTP nor SQL.
//! - `store` reads and writes rows in transactions; it knows no rule of SQS or SNS.
//! - `engine` contains the verbs of the services, each over one transaction: read, decide, write.
//! - `runtime` contains what outlives a request: the clock, waiters, deadlines, background work, and
//!   outbound deliveries.
//! - `wire` contains the AWS protocols as serde codecs; it knows no operation.
//! - `auth` verifies signatures; it is pure, and time is an argument.
//! - `api` contains the table of operations, the table of errors and one file per AWS operation.
//! - `config` reads flags, the environment and files.
//! - `server` is the shell of the process: listeners, the gateway, health, metrics.

#[macro_use]
mod fault;

pub mod api;
pub mod auth;
pub mod config;
pub mod domain;
pub mod engine;
pub mod runtime;
pub mod server;
pub mod store;
pub mod wire;
