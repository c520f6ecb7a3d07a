//! Send: deduplicate, store, put into line; and the same in queues to which a queue forwards.

use super::places;
use crate::domain::address::QueueAddress;
use crate::domain::limits::DEDUPLICATION_INTERVAL_MS;
use crate::domain::queue_attributes::DeduplicationScope;
use crate::domain::{Refusal, fifo};
use crate::store::{Content, Duplicate, Forwards, Message, Place, Queue, Txn};
use std::sync::Arc;
use uuid::Uuid;

/// A message whose form has been checked.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// What is stored unchanged. On FIFO queues the deduplication id is always there.
    pub content: Content,
    /// DelaySeconds; `None` for the queue's.
    pub delay_seconds: Option<i64>,
    /// MessageGroupId; on FIFO queues always there.
    pub group: Option<String>,
}

/// What became of a message that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// MessageId; of the first message if this one is a duplicate.
    pub id: Uuid,
    /// Sequence, likewise.
    pub sequence: i64,
}

/// Accepts a message for a queue and for the queues to which it forwards: one step, so that there
/// is no circle. Returns what became of it in the queue to which it goes; that is the one which was
/// named, if the one that is to have it instead does not exist.
pub fn send(tx: &mut Txn<'_>, queue: &Queue, outgoing: &Outgoing) -> Result<Sent, Refusal> {
    let Forwards { copy_to, move_to } = &queue.forwards;
    if let Some(copied) = neighbour(tx, queue, copy_to.as_deref())? {
        accept(tx, &copied, outgoing)?;
    }
    match neighbour(tx, queue, move_to.as_deref())? {
        Some(moved) => accept(tx, &moved, outgoing),
        None => accept(tx, queue, outgoing),
    }
}

/// The queue of a name beside this one, if it exists and can take what this one takes.
fn neighbour(
    tx: &mut Txn<'_>,
    queue: &Queue,
    name: Option<&str>,
) -> Result<Option<Arc<Queue>>, Refusal> {
    let Some(name) = name else { return Ok(None) };
    let address = QueueAddress { name: name.to_owned(), ..queue.address.clone() };
    let found = tx.queue(&address)?;
    Ok(found.filter(|found| found.attributes.fifo == queue.attributes.fifo))
}

// Rule (SendMessage, SendMessageBatch): for five minutes the first message of a deduplication id
//   wins, also after it was received and deleted.
// Source: recorded
// Test: tests/scenarios/fifo_deduplication.txt#For five minutes the first send of an id wins

// Rule (SendMessage, SendMessageBatch): a duplicate does not extend the five minutes.
// Source: inferred
// Test: tests/scenarios/fifo_deduplication.txt#The interval began at the first send

// Rule (SendMessage, SendMessageBatch): a duplicate is answered with the MessageId and the SequenceNumber of the
//   first message.
// Source: inferred, AWS answers so for FIFO topics
// Test: tests/scenarios/fifo_deduplication.txt#For five minutes the first send of an id wins

/// Accepts a message, or recognises it as a duplicate of one accepted less than five minutes ago.
fn accept(tx: &mut Txn<'_>, queue: &Queue, outgoing: &Outgoing) -> Result<Sent, Refusal> {
    let sequence = tx.next_sequence()?;
    let id = tx.fresh_id();
    let now = tx.now();
    if let Some(digest) = deduplication_digest(queue, outgoing) {
        let expires_at = now + DEDUPLICATION_INTERVAL_MS;
        let this = Duplicate { id, sequence };
        if let Some(first) = tx.remember_deduplication(queue.backlog, &digest, &this, expires_at)? {
            return Ok(Sent { id: first.id, sequence: first.sequence });
        }
    }
    // On a FIFO queue the delay is the queue's alone, or a message could overtake another.
    let own_delay = outgoing.delay_seconds.filter(|_| !queue.attributes.fifo);
    let delay_ms = own_delay.unwrap_or_else(|| queue.attributes.delay_seconds.into()) * 1_000;
    let (place, rank) =
        if delay_ms > 0 { (Place::Delayed, now + delay_ms) } else { (Place::Line(0), sequence) };
    places::arrive(
        tx,
        queue,
        outgoing.group.as_deref(),
        &mut Message {
            sequence,
            place,
            rank,
            group: 0,
            content: 0,
            id,
            sent_at: now,
            receive_count: 0,
            received_at: now,
            first_received_at: now,
            dead_letter_source: None,
            received_elsewhere: 0,
        },
        &outgoing.content,
    )?;
    Ok(Sent { id, sequence })
}

// Rule (SendMessage, SendMessageBatch, SetQueueAttributes): the DeduplicationScope that a queue was
//   created with keeps applying after the attribute was changed.
// Source: recorded
// Test: tests/scenarios/fifo_deduplication.txt#The scope at creation keeps applying

fn deduplication_digest(queue: &Queue, outgoing: &Outgoing) -> Option<[u8; 16]> {
    if !queue.attributes.fifo {
        return None;
    }
    let id = outgoing.content.deduplication_id.as_deref()?;
    let group = match queue.deduplication_scope {
        DeduplicationScope::Queue => None,
        DeduplicationScope::MessageGroup => Some(outgoing.group.as_deref().unwrap_or_default()),
    };
    Some(fifo::deduplication_digest(group, id))
}
