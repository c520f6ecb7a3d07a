//! ChangeMessageVisibility: changes how long a received message stays in flight.

use super::delete::expired;
use super::places;
use crate::domain::Refusal;
use crate::domain::limits::{DEDUPLICATION_INTERVAL_MS, VISIBILITY_TIMEOUT};
use crate::domain::receipt::Receipt;
use crate::store::{Place, Queue, Txn};

// Rule (ChangeMessageVisibility, ChangeMessageVisibilityBatch): on a standard queue a call succeeds when
//   the timeout has passed and the message was not received again.
// Source: recorded
// Test: tests/scenarios/visibility.txt#A message whose timeout has passed is hidden again

// Rule (ChangeMessageVisibility, ChangeMessageVisibilityBatch): on a standard queue any receipt handle of a
//   message changes its visibility, also an older one after the message was received again.
// Source: inferred, other projects verified it on AWS
// Test: tests/scenarios/visibility.txt#An older handle changes the visibility

// Rule (ChangeMessageVisibility, ChangeMessageVisibilityBatch): a message whose timeout has passed is
//   hidden again for the given time, and 0 changes nothing; neither counts as a receive.
// Source: inferred, the new timeout counts from the call
// Test: tests/scenarios/visibility.txt#A message whose timeout has passed is hidden again

// Rule (ChangeMessageVisibility, ChangeMessageVisibilityBatch): on a FIFO queue a receipt handle is
//   invalid once its visibility timeout has passed.
// Source: recorded
// Test: tests/scenarios/fifo_handles.txt#On FIFO queues a handle dies with the visibility timeout

// Rule (ChangeMessageVisibility, ChangeMessageVisibilityBatch): a message is visible at the latest twelve
//   hours after its last receive.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
// Test: tests/scenarios/visibility.txt#Twelve hours since the receive are the limit
//
// Rule (ChangeMessageVisibility): a later time is InvalidParameterValue, "Value 43200 for parameter VisibilityTimeout
//   is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]".
// Source: reported, localstack/localstack#3956
// Test: tests/scenarios/visibility.txt#Twelve hours since the receive are the limit

/// Hides the message that a receipt handle names for `timeout` seconds from now; 0 makes it visible at
/// once.
pub fn change_visibility(
    tx: &mut Txn<'_>,
    queue: &Queue,
    receipt: Receipt,
    handle: &str,
    timeout: i64,
) -> Result<(), Refusal> {
    let now = tx.now();
    let Some(mut message) = tx.message(queue.backlog, receipt.sequence)? else {
        return Err(not_available(handle));
    };
    let is_too_old = places::is_expired(queue, &message, now);
    let in_flight = message.place == Place::InFlight && message.rank > now;
    if queue.attributes.fifo {
        if is_too_old || !in_flight || message.receive_count != receipt.receive {
            return Err(expired(handle));
        }
    } else if is_too_old {
        return Err(not_available(handle));
    }
    if timeout == 0 && !in_flight {
        return Ok(());
    }
    let until = now + timeout * 1_000;
    if until - message.received_at > VISIBILITY_TIMEOUT.end() * 1_000 {
        return Err(Refusal::invalid_value(
            timeout,
            "VisibilityTimeout",
            "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
        ));
    }
    if queue.attributes.fifo {
        let expires_at = now + DEDUPLICATION_INTERVAL_MS;
        tx.note_changed_receive(queue.backlog, receipt.sequence, receipt.receive, expires_at)?;
    }
    if timeout == 0 {
        return places::release(tx, queue, &mut message);
    }
    places::hide(tx, queue, &mut message, until)
}

/// Returns the error for a receipt handle whose message no longer exists.
fn not_available(handle: &str) -> Refusal {
    Refusal::invalid_value(
        handle,
        "ReceiptHandle",
        "Message does not exist or is not available for visibility timeout change.",
    )
}
