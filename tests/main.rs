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

#[allow(dead_code, reason = "the overload_bench example uses all of it")]
mod attacks;
mod cli;
mod clock_steps;
mod compat_modes;
mod completions_and_man;
mod crash;
mod crash_history;
mod deliveries;
mod disk;
mod endpoint;
mod fake_transport;
mod fan_out_property;
mod full_disk;
mod fuzz_corpora;
mod gateway;
mod golden;
mod injected_latency;
mod inspection;
mod isolation;
mod localstack;
mod malformed_input;
mod mobile_push_and_sms;
mod oracle;
mod power;
mod process;
mod query;
mod recorded;
mod scenarios;
mod security_promises;
mod selection;
mod signatures;
mod simulation;
mod store;
mod sts;
mod testcontainers;
mod tidy;
mod upgrades;
