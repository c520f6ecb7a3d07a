//! Queues: create, find, change, purge, delete, and how much they hold.

use super::{PAGE, places, sweep};
use crate::domain::address::{QueueAddress, QueueName, has_fifo_suffix};
use crate::domain::limits::QUEUE_COOL_DOWN_MS;
use crate::domain::queue_attributes::QueueAttributes;
use crate::domain::redrive::check_target;
use crate::domain::{Kind, Refusal};
use crate::store::{Counts, Effect, Forwards, Message, Place, Queue, Txn};
use indexmap::IndexMap;
use std::sync::Arc;

/// Attributes that only FIFO queues have.
const FIFO_ATTRIBUTES: [&str; 4] =
    ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"];

/// The queue at an address.
pub fn find(tx: &mut Txn<'_>, address: &QueueAddress) -> Result<Arc<Queue>, Refusal> {
    tx.queue(address)?.ok_or_else(Refusal::no_such_queue)
}

/// Makes the queue of an address from a template unless it is there. What a template says of FIFO
/// queues is for names that end as theirs do.
pub fn ensure(
    tx: &mut Txn<'_>,
    address: &QueueAddress,
    template: &IndexMap<String, String>,
) -> Result<(), Refusal> {
    if tx.queue(address)?.is_some() {
        return Ok(());
    }
    let fifo = has_fifo_suffix(&address.name);
    QueueName::new(&address.name, fifo)?;
    let mut attributes = template.clone();
    if fifo {
        attributes.insert("FifoQueue".to_owned(), "true".to_owned());
    } else {
        attributes.retain(|name, _| !FIFO_ATTRIBUTES.contains(&name.as_str()));
    }
    create(tx, address, &attributes, &IndexMap::new(), false).map(drop)
}

/// Has what is sent to a queue go to others, too or instead. They are of the same kind, FIFO or
/// not; they need not exist yet.
pub fn forward(
    tx: &mut Txn<'_>,
    address: &QueueAddress,
    forwards: &Forwards,
) -> Result<(), Refusal> {
    let mut queue = Arc::unwrap_or_clone(find(tx, address)?);
    for name in forwards.copy_to.iter().chain(&forwards.move_to) {
        QueueName::new(name, queue.attributes.fifo)?;
    }
    if queue.forwards != *forwards {
        queue.forwards.clone_from(forwards);
        tx.update_queue(&queue)?;
    }
    Ok(())
}

/// Makes a queue, or finds the one that is already there with the given attributes equal.
/// `cool_down`: whether a name must rest for a minute after its queue was deleted.
pub fn create(
    tx: &mut Txn<'_>,
    address: &QueueAddress,
    given: &IndexMap<String, String>,
    tags: &IndexMap<String, String>,
    cool_down: bool,
) -> Result<Arc<Queue>, Refusal> {
    let attributes = QueueAttributes::create(has_fifo_suffix(&address.name), given)?;
    if let Some(existing) = tx.queue(address)? {
        return match existing.attributes.first_difference(given) {
            None => Ok(existing),
            Some(name) => Err(Refusal::new(
                Kind::QueueNameExists,
                format!(
                    "A queue already exists with the same name and a different value for \
                     attribute {name}"
                ),
            )),
        };
    }
    if cool_down
        && let Some(deleted_at) = tx.queue_deleted_at(address)?
        && tx.now() < deleted_at + QUEUE_COOL_DOWN_MS
    {
        return Err(Refusal::new(
            Kind::QueueDeletedRecently,
            "You must wait 60 seconds after deleting a queue before you can create another with \
             the same name.",
        ));
    }
    check_redrive_target(tx, address, &attributes)?;
    let now = tx.now();
    let queue = Queue {
        id: tx.next_sequence()?,
        address: address.clone(),
        backlog: tx.insert_backlog()?,
        created_at: now,
        modified_at: now,
        purged_at: None,
        attributes,
        forwards: Forwards::default(),
    };
    tx.insert_queue(&queue)?;
    for (key, value) in tags {
        tx.set_tag(queue.id, key, value)?;
    }
    Ok(Arc::new(queue))
}

/// Changes attributes, all of them or none. Tells what must follow page by page, see [`retime`].
pub fn set_attributes(
    tx: &mut Txn<'_>,
    address: &QueueAddress,
    given: &IndexMap<String, String>,
) -> Result<Option<Retiming>, Refusal> {
    let mut queue = Arc::unwrap_or_clone(find(tx, address)?);
    let before = queue.attributes.clone();
    queue.attributes.set(given)?;
    if queue.attributes.redrive_policy != before.redrive_policy {
        check_redrive_target(tx, address, &queue.attributes)?;
    }
    queue.modified_at = tx.now();
    tx.update_queue(&queue)?;
    // AWS: the delay of a FIFO queue is retroactive, that of a standard queue is not.
    let (old, new) = (before.delay_seconds, queue.attributes.delay_seconds);
    if !queue.attributes.fifo || old == new {
        return Ok(None);
    }
    if new > old {
        return Ok(Some(Retiming { queue: queue.id, longer: true, cursor: i64::MAX }));
    }
    let first = tx.first_delayed(queue.backlog)?;
    Ok(first.map(|sequence| Retiming { queue: queue.id, longer: false, cursor: sequence - 1 }))
}

fn check_redrive_target(
    tx: &mut Txn<'_>,
    source: &QueueAddress,
    attributes: &QueueAttributes,
) -> Result<(), Refusal> {
    let Some(policy) = &attributes.redrive_policy else { return Ok(()) };
    let target = match policy.target() {
        None => None,
        Some(address) => tx.queue(&address)?,
    };
    let target = target.as_ref().map(|target| {
        (&target.address, target.attributes.fifo, target.attributes.redrive_allow_policy.as_ref())
    });
    check_target(source, attributes.fifo, policy, target)
}

/// A changed delay of a FIFO queue on its way through the messages that it concerns. A longer
/// delay begins with the youngest message and a shorter one with the oldest, so that no message
/// overtakes another meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retiming {
    queue: i64,
    longer: bool,
    cursor: i64,
}

/// Applies a changed delay to a page of messages. Tells how to go on.
pub fn retime(tx: &mut Txn<'_>, retiming: Retiming) -> Result<Option<Retiming>, Refusal> {
    let Some(queue) = tx.queue_by_id(retiming.queue)? else { return Ok(None) };
    let page = if retiming.longer {
        tx.latest_messages(queue.backlog, retiming.cursor, PAGE)?
    } else {
        tx.messages_between(queue.backlog, retiming.cursor, i64::MAX, PAGE)?
    };
    let Some(last) = page.last().map(|message| message.sequence) else { return Ok(None) };
    let delay_ms = i64::from(queue.attributes.delay_seconds) * 1_000;
    for message in page {
        let ready_at = message.sent_at + delay_ms;
        if retiming.longer && ready_at <= tx.now() {
            return Ok(None);
        }
        let is_waiting = message.place == Place::Delayed
            || (message.receive_count == 0 && message.place != Place::InFlight);
        if is_waiting {
            places::delay(tx, &queue, Message { rank: ready_at, ..message })?;
        }
    }
    Ok(Some(Retiming { cursor: last, ..retiming }))
}

/// Throws all messages away. `cool_down`: whether a purge must rest for a minute.
pub fn purge(tx: &mut Txn<'_>, address: &QueueAddress, cool_down: bool) -> Result<(), Refusal> {
    let mut queue = Arc::unwrap_or_clone(find(tx, address)?);
    let now = tx.now();
    if cool_down && queue.purged_at.is_some_and(|at| now < at + QUEUE_COOL_DOWN_MS) {
        return Err(Refusal::new(
            Kind::PurgeQueueInProgress,
            format!(
                "Only one PurgeQueue operation on {} is allowed every 60 seconds.",
                address.name
            ),
        ));
    }
    tx.discard_backlog(queue.backlog)?;
    queue.backlog = tx.insert_backlog()?;
    queue.purged_at = Some(now);
    tx.update_queue(&queue)?;
    tx.effect(Effect::Work);
    Ok(())
}

/// Deletes a queue with all that it holds.
pub fn delete(tx: &mut Txn<'_>, address: &QueueAddress) -> Result<(), Refusal> {
    let queue = find(tx, address)?;
    tx.delete_queue_row(&queue)?;
    tx.discard_backlog(queue.backlog)?;
    tx.remember_deleted_queue(address)?;
    tx.effect(Effect::Gone { queue: queue.id });
    tx.effect(Effect::Work);
    Ok(())
}

/// How many messages a queue shows, as of now.
pub fn counts(tx: &mut Txn<'_>, queue: &Queue) -> Result<Counts, Refusal> {
    sweep::expire_in(tx, queue)?;
    let more = places::settle(tx, queue)?;
    let mut counts = tx.counts(queue.backlog)?;
    if more {
        let in_flight = tx.count_due(queue.backlog, Place::InFlight)?;
        let delayed = tx.count_due(queue.backlog, Place::Delayed)?;
        counts.in_flight -= in_flight;
        counts.delayed -= delayed;
        counts.ready += in_flight + delayed;
    }
    Ok(counts)
}
