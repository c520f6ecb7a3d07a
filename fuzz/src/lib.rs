//! What the fuzzer calls, and what must hold for every input.
//!
//! Each module has one function `target`, which takes any bytes and panics where something does
//! not hold. The fuzzer calls it through `fuzz_targets/`; Squab's own tests call it with every
//! file of `corpus/` (`tests/fuzz_corpora.rs`), so that targets and findings do not rot.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a finding is a panic")]

pub mod authorization;
pub mod config;
pub mod delivery_policy;
pub mod filter_policy;
pub mod gateway;
pub mod json;
pub mod policy;
pub mod presigned;
pub mod query;
pub mod receipt;

/// The service in this process, as Squab's tests have it.
#[allow(dead_code, clippy::duplicate_mod, reason = "the tests have it too, and use all of it")]
#[path = "../../tests/gateway/mod.rs"]
mod service;

/// What stands before the first line break, and what stands after it.
fn halves(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}
