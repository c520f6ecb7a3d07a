//! Moving a message to the dead-letter queue of its queue.

use super::places;
use crate::domain::Refusal;
use crate::domain::redrive::RedrivePolicy;
use crate::store::{Content, Message, Place, Queue, Txn};
use std::sync::Arc;

/// Returns the dead-letter queue that a queue's redrive policy names, if it exists.
pub fn target(tx: &mut Txn<'_>, queue: &Queue) -> Result<Option<Arc<Queue>>, Refusal> {
    let address = queue.attributes.redrive_policy.as_ref().and_then(RedrivePolicy::target);
    match address {
        None => Ok(None),
        Some(address) => Ok(tx.queue(&address)?),
    }
}

// Rule (ReceiveMessage, SetQueueAttributes): maxReceiveCount counts receives from one queue: a dead
//   letter can be received as often as the redrive policy of its new queue says, whatever its earlier
//   receives, although ApproximateReceiveCount continues.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
//   ("the number of times a message is delivered to the source queue")
// Test: tests/scenarios/dead_letters.txt#A chain: each queue counts its own receives

// Rule (ReceiveMessage): a dead letter keeps its MessageId, body, attributes and receive count, and
//   its DeadLetterQueueSourceArn is the ARN of its previous queue.
// Source: recorded
// Test: tests/scenarios/dead_letters.txt#A message received as often as allowed moves at the next attempt

// Rule (ReceiveMessage): a dead letter of a FIFO queue keeps its group; its MessageId becomes its
//   deduplication ID, and its retention period starts again.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
// Test: tests/scenarios/dead_letters_fifo.txt#A FIFO dead-letter queue keeps group and id

/// Adds a message that was removed from `source` to the dead-letter queue `target`.
///
/// Its ID, content, group and receive count stay. On a standard queue the time of its send, from
/// which retention counts, stays too. On a FIFO queue it gets a new time and a new position, and its
/// own ID becomes its deduplication ID.
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
    message.received_elsewhere = message.receive_count;
    places::arrive(tx, target, group, &mut message, &content)
}
