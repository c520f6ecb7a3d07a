//! Fair queues: which message groups of a standard queue are noisy neighbors.
//!
//! Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html>.
//! A message group is a tenant. It is noisy while it has a large share of the messages in flight;
//! messages of quiet tenants are returned first. AWS also measures the share of processing time, which
//! Squab does not.

/// Messages in flight below which a group is never noisy.
const FEW_IN_FLIGHT: i64 = 30;
/// Milliseconds without a send after which a group is quiet again.
const QUIET_AFTER_MS: i64 = 300_000;

/// Upper bound of noisy groups at one time: each holds more than a tenth of the messages in flight.
pub const NOISY_GROUPS: usize = 9;

// Rule (ReceiveMessage): on a standard queue messages of quiet groups are returned before those of a group
//   with at least 30 messages in flight, more than a tenth of all in flight, and a send in the last five
//   minutes; among such groups the one with the fewest messages in flight is served first.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
// Test: tests/scenarios/fair_queues.txt#A group that keeps many messages in flight is a noisy neighbour

/// Returns whether a group is a noisy neighbor. Times are Unix milliseconds.
pub fn is_noisy(group_in_flight: i64, queue_in_flight: i64, last_sent_at: i64, now: i64) -> bool {
    group_in_flight >= FEW_IN_FLIGHT
        && group_in_flight * 10 > queue_in_flight
        && now - last_sent_at < QUIET_AFTER_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noisy_means_many_and_more_than_a_tenth() {
        assert!(is_noisy(30, 30, 0, 0));
        assert!(!is_noisy(29, 29, 0, 0), "few in flight");
        assert!(!is_noisy(30, 300, 0, 0), "exactly a tenth");
        assert!(is_noisy(31, 300, 0, 0));
        assert!(!is_noisy(31, 31, 0, QUIET_AFTER_MS), "no send for five minutes");
    }
}
