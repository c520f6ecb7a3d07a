//! All integration tests in one program, so that cargo links the crate once and compiles shared code
//! once. `cargo test --test it NAME::` runs the tests of tests/NAME.rs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and what it prints is seen when it fails"
)]

#[allow(dead_code, reason = "the siege example uses all of it")]
mod attacks;
mod clock_steps;
mod compat_modes;
mod conservation;
mod corpora;
mod crash;
mod deliveries;
mod devices;
mod disk;
mod documents;
mod endpoint;
mod full_disk;
mod gateway;
mod golden;
mod hostile;
mod inspection;
mod isolation;
mod latency;
mod localstack;
mod oracle;
mod post_office;
mod power;
mod process;
mod program;
mod promises;
mod query;
mod recorded;
mod scenarios;
mod selection;
mod signatures;
mod simulation;
mod store;
mod sts;
mod testcontainers;
mod tidy;
mod upgrades;
mod witness;
