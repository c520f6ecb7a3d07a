//! The source of IDs. Confirmation tokens and the ARNs of subscriptions contain IDs, and knowing one is
//! enough to use it, so an ID must not be predictable from earlier IDs or from the time.

use chacha20::ChaCha12Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};
use std::fmt;
use uuid::Uuid;

/// An endless supply of random IDs.
pub struct Ids(Source);

enum Source {
    /// A cryptographic generator with a key from the operating system: one system call for all IDs.
    /// Twelve rounds are what `rand` uses for its default generator.
    Secret(Box<ChaCha12Rng>),
    /// Reproducible, for tests and simulations.
    Seeded(fastrand::Rng),
}

// Rule (every operation): IDs, tokens and keys are random, and cannot be predicted from others.
// Source: inferred, a confirmation token or the ARN of a subscription is enough to use it
// Test: src/store/ids.rs::unpredictable_ids_share_nothing
//
impl Ids {
    /// Returns unpredictable IDs, from a cryptographic generator with a key from the operating system.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness.
    pub fn unpredictable() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self(Source::Secret(Box::new(ChaCha12Rng::from_seed(key)))))
    }

    /// Returns the same IDs for the same seed, for tests and simulations only.
    pub fn with_seed(seed: u64) -> Self {
        Self(Source::Seeded(fastrand::Rng::with_seed(seed)))
    }

    /// Returns the next ID: a random UUID.
    pub fn fresh(&mut self) -> Uuid {
        let bytes = match &mut self.0 {
            Source::Secret(generator) => {
                let mut bytes = [0; 16];
                generator.fill_bytes(&mut bytes);
                bytes
            }
            Source::Seeded(generator) => generator.u128(..).to_be_bytes(),
        };
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

impl fmt::Debug for Ids {
    /// Omits the state, which would reveal all future IDs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ids").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn unpredictable_ids_share_nothing() {
        let mut ids = Ids::unpredictable().unwrap();
        let drawn: HashSet<Uuid> = (0..1_000).map(|_| ids.fresh()).collect();
        assert_eq!(drawn.len(), 1_000);
        assert!(drawn.iter().all(|id| id.get_version_num() == 4));
        let mut others = Ids::unpredictable().unwrap();
        assert!((0..1_000).all(|_| !drawn.contains(&others.fresh())));
        assert_eq!(format!("{ids:?}"), "Ids { .. }");
    }

    #[test]
    fn a_seed_repeats_its_ids() {
        let draw = |seed| {
            let mut ids = Ids::with_seed(seed);
            [ids.fresh(), ids.fresh()]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
