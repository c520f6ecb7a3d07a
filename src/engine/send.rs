//! Send: deduplicates and stores a message, and does the same in queues to which the queue forwards.

use super::places;
use crate::domain::address::QueueAddress;
use crate::domain::limits::DEDUPLICATION_INTERVAL_MS;
use crate::domain::queue_attributes::DeduplicationScope;
use crate::domain::{Refusal, fifo};
use crate::store::{Content, Duplicate, Forwards, Message, Place, Queue, Txn};
use std::sync::Arc;
use uuid::Uuid;

/// A validated message.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The part that never changes. On FIFO queues it always has a deduplication ID.
    pub content: Content,
    /// DelaySeconds; `None` for the queue's default.
    pub delay_seconds: Option<i64>,
    /// MessageGroupId; always present on FIFO queues.
    pub group: Option<String>,
}

/// The result of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// MessageId; for a duplicate, that of the first message.
    pub id: Uuid,
    /// Sequence number; for a duplicate, that of the first message.
    pub sequence: i64,
}

/// Accepts a message for a queue and for the queues to which it forwards. Forwarding follows one hop
/// only, so cycles are impossible. Returns the result for the destination queue, or for the named queue
/// if the destination does not exist.
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

/// Returns the queue of a name in the same account and region, if it exists and has the same type.
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

// Rule (SendMessage, SendMessageBatch): for five minutes only the first message with a deduplication ID
//   is accepted, also after it was received and deleted.
// Source: recorded
// Test: tests/scenarios/fifo_deduplication.txt#For five minutes the first send of an id wins

// Rule (SendMessage, SendMessageBatch): a duplicate does not extend the five minutes.
// Source: inferred
// Test: tests/scenarios/fifo_deduplication.txt#The interval began at the first send

// Rule (SendMessage, SendMessageBatch): a duplicate returns the MessageId and the SequenceNumber of the
//   first message.
// Source: inferred, AWS does so for FIFO topics
// Test: tests/scenarios/fifo_deduplication.txt#For five minutes the first send of an id wins

/// Accepts a message, or recognizes it as a duplicate of one accepted less than five minutes ago.
fn accept(tx: &mut Txn<'_>, queue: &Queue, outgoing: &Outgoing) -> Result<Sent, Refusal> {
    let sequence = tx.next_sequence()?;
    let id = tx.fresh_id();
    let now = tx.now();
    if let Some(digest) = deduplication_digest(queue, outgoing) {
        let early = i64::from(fault!("deduplication-ends-early"));
        let expires_at = now + DEDUPLICATION_INTERVAL_MS - early * 1_000;
        let this = Duplicate { id, sequence };
        if let Some(first) = tx.remember_deduplication(queue.backlog, &digest, &this, expires_at)? {
            return Ok(Sent { id: first.id, sequence: first.sequence });
        }
    }
    // FIFO queues have no delay per message: a message could overtake another.
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

// Rule (SendMessage, SendMessageBatch, SetQueueAttributes): the DeduplicationScope with which a queue was
//   created stays in effect after the attribute was changed.
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
