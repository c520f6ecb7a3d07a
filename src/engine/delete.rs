//! Delete one received message.

use super::places;
use crate::domain::Refusal;
use crate::domain::receipt::Receipt;
use crate::store::{Place, Queue, Txn};

/// Deletes the message that a receipt names. Deleting again succeeds, and so does a receipt of an
/// earlier receive on a standard queue, which deletes nothing. On a FIFO queue a receipt is dead
/// once its visibility timeout has passed; `handle` is for that sentence.
pub fn delete(
    tx: &mut Txn<'_>,
    queue: &Queue,
    receipt: Receipt,
    handle: &str,
) -> Result<(), Refusal> {
    let Some(message) = tx.message(queue.backlog, receipt.sequence)? else { return Ok(()) };
    let is_latest = message.receive_count == receipt.receive;
    if queue.attributes.fifo {
        let in_flight = message.place == Place::InFlight && message.rank > tx.now();
        if !(is_latest && in_flight) {
            return Err(expired(handle));
        }
    } else if !is_latest {
        return Ok(());
    }
    places::discard(tx, queue, &message)
}

/// A receipt whose visibility timeout has passed, on a FIFO queue.
pub fn expired(handle: &str) -> Refusal {
    Refusal::invalid_value(handle, "ReceiptHandle", "The receipt handle has expired.")
}
