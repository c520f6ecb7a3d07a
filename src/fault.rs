//! Seeded faults: each breaks one rule, and the simulation must notice it (docs/simulation.md).
//!
//! `fault!("name")` returns whether the fault acts. It is the constant `false` unless the feature `faults` is on,
//! which only `tests/faults/run` uses; then the environment variable `SQUAB_FAULT` names the fault that acts.

#[cfg(not(feature = "faults"))]
macro_rules! fault {
    ($name:literal) => {
        false
    };
}

#[cfg(feature = "faults")]
macro_rules! fault {
    ($name:literal) => {
        $crate::fault::acts($name)
    };
}

#[cfg(all(feature = "faults", not(debug_assertions)))]
compile_error!("the feature `faults` breaks Squab on purpose: it is for tests only");

/// Returns whether `SQUAB_FAULT` names this fault.
#[cfg(feature = "faults")]
pub fn acts(name: &str) -> bool {
    static CHOSEN: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("SQUAB_FAULT").ok());
    CHOSEN.as_deref() == Some(name)
}
