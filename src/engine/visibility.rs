//! Change how long a received message stays hidden.

use super::delete::expired;
use super::places;
use crate::domain::Refusal;
use crate::domain::limits::VISIBILITY_TIMEOUT;
use crate::domain::receipt::Receipt;
use crate::store::{Effect, Message, Place, Queue, Txn};

/// Hides the message that a receipt names for `timeout` seconds from now; 0 shows it at once.
pub fn change_visibility(
    tx: &mut Txn<'_>,
    queue: &Queue,
    receipt: Receipt,
    handle: &str,
    timeout: i64,
) -> Result<(), Refusal> {
    let message = tx.message(queue.backlog, receipt.sequence)?;
    let now = tx.now();
    let in_flight = |message: &Message| {
        message.place == Place::InFlight
            && message.rank > now
            && !places::is_expired(queue, message, now)
    };
    let mut message = match message {
        Some(message) if in_flight(&message) => message,
        Some(_) if queue.attributes.fifo => return Err(expired(handle)),
        _ => {
            return Err(Refusal::invalid_value(
                handle,
                "ReceiptHandle",
                "Message does not exist or is not available for visibility timeout change.",
            ));
        }
    };
    if queue.attributes.fifo && message.receive_count != receipt.receive {
        return Err(expired(handle));
    }
    let until = now + timeout * 1_000;
    if until - message.received_at > VISIBILITY_TIMEOUT.end() * 1_000 {
        return Err(Refusal::invalid_value(
            timeout,
            "VisibilityTimeout",
            "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
        ));
    }
    if timeout == 0 {
        return places::release(tx, queue, &mut message);
    }
    message.rank = until;
    tx.update_message(queue.backlog, Place::InFlight, &message)?;
    tx.effect(Effect::Due { queue: queue.id, at: until });
    Ok(())
}
