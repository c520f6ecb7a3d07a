//! Moving a message to the dead-letter queue of its queue.

use super::places;
use crate::domain::Refusal;
use crate::domain::redrive::RedrivePolicy;
use crate::store::{Content, Message, Place, Queue, Txn};
use std::sync::Arc;

/// The dead-letter queue that a queue's redrive policy names, if it exists.
pub fn target(tx: &mut Txn<'_>, queue: &Queue) -> Result<Option<Arc<Queue>>, Refusal> {
    let address = queue.attributes.redrive_policy.as_ref().and_then(RedrivePolicy::target);
    match address {
        None => Ok(None),
        Some(address) => Ok(tx.queue(&address)?),
    }
}

/// Puts a message that has left `source` into `target`.
///
/// Its id, content, group and receive count stay. On a standard queue so does the time of its
/// send, from which retention counts; on a FIFO queue it is sent anew as far as time and order
/// go, and its own id becomes its deduplication id.
pub fn arrive(
    tx: &mut Txn<'_>,
    source: &Queue,
    target: &Queue,
    group: Option<&str>,
    mut message: Message,
    mut content: Content,
) -> Result<(), Refusal> {
    if target.attributes.fifo {
        message.sequence = tx.next_sequence()?;
        message.sent_at = tx.now();
        content.deduplication_id = Some(message.id.to_string());
    }
    message.place = Place::Line(0);
    message.rank = message.sequence;
    message.dead_letter_source = Some(source.address.arn());
    places::arrive(tx, target, group, &mut message, &content)
}
