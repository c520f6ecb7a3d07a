//! Every test of the whole server, in one program: cargo links the crate once, and what tests share
//! is compiled once. `cargo test --test it NAME::` runs the tests of tests/NAME.rs.

#[path = "attacks.rs"]
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
mod query;
mod recorded;
mod scenarios;
mod selection;
mod signatures;
mod simulation;
mod store;
mod sts;
mod testcontainers;
mod upgrades;
mod witness;
