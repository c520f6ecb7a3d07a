//! Log lines about failures of the server itself, such as a database that cannot be written.
//!
//! Where the storage has failed, every call fails. So the first failure is logged, and while it repeats
//! one line a minute with the number of those that were left out.

use crate::domain::Refusal;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Time between two lines about the same failure.
const INTERVAL: Duration = Duration::from_mins(1);
/// Failures that are logged separately. Causes may name a message, say, so nothing else bounds them.
const MOST: usize = 64;

static FAILURES: Mutex<Failures> = Mutex::new(Failures(BTreeMap::new()));

/// Logs a failure at level `error`, unless it was logged less than a minute ago. `what` says what has
/// failed; a refusal without an internal cause is logged with its own sentence.
pub fn report(what: &'static str, refusal: &Refusal, request_id: Option<&str>) {
    let cause = refusal.internal.as_deref().unwrap_or(&refusal.message);
    let mut failures = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    let admitted = failures.admit(what, cause, Instant::now());
    drop(failures);
    if let Some(left_out) = admitted {
        tracing::error!(request_id, cause, left_out, "{what}");
    }
}

/// When each failure was logged last, and how often it was left out since then.
struct Failures(BTreeMap<(&'static str, String), (Instant, u64)>);

impl Failures {
    /// Returns how many lines were left out before this one, or `None` if this one is left out too.
    fn admit(&mut self, what: &'static str, cause: &str, now: Instant) -> Option<u64> {
        let mut key = (what, cause.to_owned());
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            self.0.retain(|_, (logged, _)| now.duration_since(*logged) < INTERVAL);
            if self.0.len() >= MOST {
                key.1.clear();
            }
        }
        let known = self.0.get_mut(&key);
        let Some((logged, left_out)) = known else {
            self.0.insert(key, (now, 0));
            return Some(0);
        };
        if now.duration_since(*logged) < INTERVAL {
            *left_out += 1;
            return None;
        }
        *logged = now;
        Some(std::mem::take(left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_repeats_is_logged_once_a_minute_with_the_number_left_out() {
        let mut failures = Failures(BTreeMap::new());
        let start = Instant::now();
        assert_eq!(failures.admit("a call failed", "no disk", start), Some(0));
        for _ in 0..1_000 {
            assert_eq!(failures.admit("a call failed", "no disk", start), None);
        }
        assert_eq!(failures.admit("a call failed", "damaged", start), Some(0));
        assert_eq!(failures.admit("background work failed", "no disk", start), Some(0));
        assert_eq!(failures.admit("a call failed", "no disk", start + INTERVAL), Some(1_000));
        assert_eq!(failures.admit("a call failed", "no disk", start + INTERVAL), None);
    }

    #[test]
    fn causes_without_end_are_one_failure() {
        let mut failures = Failures(BTreeMap::new());
        let start = Instant::now();
        let mut log = |range: std::ops::Range<usize>, at| {
            range.filter_map(|n| failures.admit("a call failed", &n.to_string(), at)).count()
        };
        assert_eq!(log(0..10_000, start), MOST + 1);
        assert_eq!(log(10_000..10_001, start + INTERVAL), 1);
        assert!(failures.0.len() <= MOST + 1);
    }
}
