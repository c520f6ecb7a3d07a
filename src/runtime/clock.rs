//! The clocks of the process, and the clock that tests set.
//!
//! Deadlines follow the time since boot, including suspension, so that setting the wall clock moves
//! none of them. Timestamps that clients see follow the wall clock.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

/// The smallest difference between the wall clock and the elapsed time that counts as a step, in
/// microseconds. A smaller one is drift, which deadlines follow.
const STEP_US: i64 = 500_000;
/// Differences below this result from reading two clocks one after the other.
const NOISE_US: i64 = 500;
/// Shortest time between two comparisons of the wall clock with the elapsed time.
const COMPARISON_US: i64 = 100_000;
/// Longest time between the readings of both clocks for which a comparison is valid.
const READING_US: i64 = 100;
/// Longest sleep without reading the clock: timers stop while the machine is suspended.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// A source of time on which tasks can wait. All deadlines in the process use one clock.
pub trait Clock: Debug + Send + Sync {
    /// Returns the time that deadlines follow, in Unix milliseconds.
    fn now_ms(&self) -> i64;

    /// Completes when it is `at` or later.
    fn sleep_until(&self, at: i64) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Converts a time of this clock to the timestamp that clients see, in Unix milliseconds, according
    /// to the wall clock as it is set now.
    fn shown(&self, at: i64) -> i64 {
        at
    }

    /// Moves the clock forward to `newest`, in Unix milliseconds, if it is behind.
    fn continue_from(&self, newest: i64) {
        let _ = newest;
    }
}

/// The wall clock of the machine, against which signatures are checked. It can be set.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        wall_us() / 1_000
    }

    fn sleep_until(&self, at: i64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let wait = u64::try_from(at - self.now_ms()).unwrap_or(0);
        Box::pin(tokio::time::sleep(Duration::from_millis(wait)))
    }
}

/// The clock of deadlines: the wall clock at the start of the process plus the time since then,
/// including suspension.
///
/// Linux slews both clocks alike, so slow corrections by a time daemon need no code. Small steps are
/// followed here.
#[derive(Debug, Clone)]
pub struct ProcessClock(Arc<Timeline>);

impl ProcessClock {
    /// Returns a clock that starts at the current wall clock.
    pub fn start() -> Self {
        Self(Arc::new(Timeline::beginning(wall_us(), boot_us())))
    }
}

impl Clock for ProcessClock {
    fn now_ms(&self) -> i64 {
        let boot = boot_us();
        if self.0.is_comparison_due(boot) {
            compare(&self.0);
        }
        self.0.at(boot) / 1_000
    }

    fn sleep_until(&self, at: i64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let clock = self.clone();
        Box::pin(async move {
            loop {
                let wait = Duration::from_millis(u64::try_from(at - clock.now_ms()).unwrap_or(0));
                tokio::time::sleep(wait.min(LONGEST_SLEEP)).await;
                if clock.now_ms() >= at {
                    return;
                }
            }
        })
    }

    fn shown(&self, at: i64) -> i64 {
        at + self.0.ahead_us.load(Ordering::Relaxed) / 1_000
    }

    fn continue_from(&self, newest: i64) {
        let behind = newest * 1_000 - self.0.at(boot_us());
        if behind >= STEP_US {
            self.0.skip(behind);
            tracing::warn!(
                seconds = behind / 1_000_000,
                "the wall clock is behind the newest time in the database: deadlines go on from there"
            );
        }
    }
}

/// Compares the clocks, if both could be read within a short time.
fn compare(timeline: &Timeline) {
    let boot = boot_us();
    let wall = wall_us();
    if boot_us() - boot > READING_US {
        return;
    }
    if let Some(step) = timeline.compare(wall, boot) {
        tracing::warn!(
            seconds = step / 1_000_000,
            "the wall clock was set: deadlines keep to the time that has passed"
        );
    }
}

/// Converts the time since boot to the time of deadlines. All values are microseconds.
#[derive(Debug)]
struct Timeline {
    /// The time of deadlines minus the time since boot.
    offset_us: AtomicI64,
    /// How far the wall clock is ahead of the time of deadlines.
    ahead_us: AtomicI64,
    /// Time since boot of the last comparison.
    compared_at: AtomicI64,
}

impl Timeline {
    fn beginning(wall: i64, boot: i64) -> Self {
        Self {
            offset_us: AtomicI64::new(wall - boot),
            ahead_us: AtomicI64::new(0),
            compared_at: AtomicI64::new(boot),
        }
    }

    fn at(&self, boot: i64) -> i64 {
        boot + self.offset_us.load(Ordering::Relaxed)
    }

    /// Returns whether the caller should compare the clocks. Returns `true` to one of several concurrent
    /// callers.
    fn is_comparison_due(&self, boot: i64) -> bool {
        let last = self.compared_at.load(Ordering::Relaxed);
        boot - last >= COMPARISON_US
            && self
                .compared_at
                .compare_exchange(last, boot, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Follows drift. Returns the size of the step if the wall clock was set.
    fn compare(&self, wall: i64, boot: i64) -> Option<i64> {
        let expected = self.at(boot) + self.ahead_us.load(Ordering::Relaxed);
        let difference = wall - expected;
        if difference.abs() >= STEP_US {
            self.ahead_us.fetch_add(difference, Ordering::Relaxed);
            return Some(difference);
        }
        if difference.abs() >= NOISE_US {
            self.offset_us.fetch_add(difference, Ordering::Relaxed);
        }
        None
    }

    /// Moves the time of deadlines, but not the timestamps that clients see.
    fn skip(&self, us: i64) {
        self.offset_us.fetch_add(us, Ordering::Relaxed);
        self.ahead_us.fetch_sub(us, Ordering::Relaxed);
    }
}

#[expect(clippy::disallowed_methods, reason = "all other code uses this clock")]
fn wall_us() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX))
}

/// Returns the microseconds since boot, including suspension.
fn boot_us() -> i64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = ClockId::Boottime;
    // On other systems this clock continues during suspension, or there is no better one.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = ClockId::Monotonic;
    let time = clock_gettime(clock);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}

/// A clock that tests advance.
#[derive(Debug)]
pub struct ManualClock(watch::Sender<i64>);

impl ManualClock {
    /// Returns a clock that is set to `now`, in Unix milliseconds.
    pub fn at(now: i64) -> Self {
        Self(watch::Sender::new(now))
    }

    /// Advances the clock.
    pub fn advance(&self, milliseconds: i64) {
        self.0.send_modify(|now| *now += milliseconds);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        *self.0.borrow()
    }

    fn sleep_until(&self, at: i64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut now = self.0.subscribe();
        Box::pin(async move {
            if now.wait_for(|now| *now >= at).await.is_err() {
                // The clock was dropped, so that time never comes.
                std::future::pending::<()>().await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: i64 = 1_800_000_000_000_000;
    const SECOND: i64 = 1_000_000;
    const HOUR: i64 = 3_600 * SECOND;

    fn ahead(timeline: &Timeline) -> i64 {
        timeline.ahead_us.load(Ordering::Relaxed)
    }

    #[test]
    fn a_step_of_the_wall_clock_changes_what_is_shown_and_no_deadline() {
        for step in [HOUR, -HOUR, 400 * 24 * HOUR, -SECOND] {
            let timeline = Timeline::beginning(WALL, 77 * SECOND);
            let boot = 80 * SECOND;
            assert_eq!(timeline.compare(WALL + 3 * SECOND + step, boot), Some(step));
            assert_eq!(timeline.at(boot), WALL + 3 * SECOND);
            assert_eq!(ahead(&timeline), step);
            // It is reported once.
            assert_eq!(timeline.compare(WALL + 4 * SECOND + step, boot + SECOND), None);
        }
    }

    #[test]
    fn drift_is_followed_and_noise_is_not() {
        let timeline = Timeline::beginning(WALL, 0);
        assert_eq!(timeline.compare(WALL + SECOND + 20_000, SECOND), None);
        assert_eq!((timeline.at(SECOND), ahead(&timeline)), (WALL + SECOND + 20_000, 0));
        assert_eq!(timeline.compare(WALL + 2 * SECOND + 20_100, 2 * SECOND), None);
        assert_eq!(timeline.at(2 * SECOND), WALL + 2 * SECOND + 20_000);
    }

    #[test]
    fn time_that_goes_on_from_the_newest_stored_one_is_shown_by_the_wall_clock() {
        let timeline = Timeline::beginning(WALL, 0);
        timeline.skip(HOUR);
        assert_eq!(timeline.at(SECOND), WALL + HOUR + SECOND);
        assert_eq!(timeline.at(SECOND) + ahead(&timeline), WALL + SECOND);
        assert_eq!(timeline.compare(WALL + SECOND, SECOND), None);
    }
}
