//! DeleteMessage: deletes one received message.

use super::places;
use crate::domain::Refusal;
use crate::domain::receipt::Receipt;
use crate::store::{Place, Queue, Txn};

// Rule (DeleteMessage, DeleteMessageBatch): on a standard queue any receipt handle of a message
//   deletes it, also an older one after the message was received again.
// Source: inferred, other projects verified it on AWS; the documentation says that it may not
// Test: tests/scenarios/visibility.txt#An older handle deletes

// Rule (DeleteMessage, DeleteMessageBatch): on a FIFO queue a receipt handle is dead once its
//   visibility timeout has passed.
// Source: recorded
// Test: tests/scenarios/fifo_handles.txt#On FIFO queues a handle dies with the visibility timeout

// Rule (DeleteMessage, DeleteMessageBatch): deleting a message again succeeds.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
// Test: tests/scenarios/visibility.txt#A received message is hidden until it is deleted

/// Deletes the message that a receipt handle names. Deleting again succeeds. On a standard queue the
/// receipt handle can be of any receive; on a FIFO queue it is invalid once its visibility timeout has
/// passed. `handle` is quoted in that error.
pub fn delete(
    tx: &mut Txn<'_>,
    queue: &Queue,
    receipt: Receipt,
    handle: &str,
) -> Result<(), Refusal> {
    let Some(message) = tx.message(queue.backlog, receipt.sequence)? else { return Ok(()) };
    if queue.attributes.fifo {
        let is_latest = message.receive_count == receipt.receive;
        let in_flight = message.place == Place::InFlight && message.rank > tx.now();
        if !(is_latest && (in_flight || fault!("fifo-delete-after-the-timeout"))) {
            return Err(expired(handle));
        }
    }
    places::discard(tx, queue, &message)
}

/// Returns the error for a receipt handle of a FIFO queue whose visibility timeout has passed.
pub fn expired(handle: &str) -> Refusal {
    Refusal::invalid_value(handle, "ReceiptHandle", "The receipt handle has expired.")
}
