//! Queues: create, find, change, purge, delete, and message counts.

use super::access::Access;
use super::{PAGE, places, sweep};
use crate::domain::address::{QueueAddress, QueueName, has_fifo_suffix};
use crate::domain::limits::QUEUE_COOL_DOWN_MS;
use crate::domain::queue_attributes::{AttributeName, QueueAttributes};
use crate::domain::redrive::check_target;
use crate::domain::{Kind, Refusal};
use crate::store::{Counts, Effect, Forwards, Message, Place, Queue, Txn};
use indexmap::IndexMap;
use std::collections::HashMap;
use std::sync::Arc;

/// Attributes that only FIFO queues have.
const FIFO_ATTRIBUTES: [&str; 4] =
    ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"];

/// Returns the queue at an address, if it exists. Rejects callers that may not use it.
pub fn look(
    tx: &mut Txn<'_>,
    access: &Access,
    address: &QueueAddress,
) -> Result<Option<Arc<Queue>>, Refusal> {
    let queue = tx.queue(address)?;
    let policy = queue.as_ref().and_then(|queue| queue.attributes.policy.as_deref());
    access.check(&address.account, || address.arn(), policy)?;
    Ok(queue)
}

/// Returns the queue at an address. Rejects callers that may not use it.
pub fn find(
    tx: &mut Txn<'_>,
    access: &Access,
    address: &QueueAddress,
) -> Result<Arc<Queue>, Refusal> {
    look(tx, access, address)?.ok_or_else(Refusal::no_such_queue)
}

/// Creates the queue of an address from a template, unless it exists. FIFO attributes of the template apply only
/// to names with the FIFO suffix.
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
    create(tx, &Access::everything(), address, &attributes, &IndexMap::new(), false).map(drop)
}

/// Sets the queues to which sent messages also go, or go instead. They must have the same type, FIFO or
/// standard; they need not exist yet.
pub fn forward(
    tx: &mut Txn<'_>,
    address: &QueueAddress,
    forwards: &Forwards,
) -> Result<(), Refusal> {
    let mut queue = Arc::unwrap_or_clone(find(tx, &Access::everything(), address)?);
    for name in forwards.copy_to.iter().chain(&forwards.move_to) {
        QueueName::new(name, queue.attributes.fifo)?;
    }
    if queue.forwards != *forwards {
        queue.forwards.clone_from(forwards);
        tx.update_queue(&queue)?;
    }
    Ok(())
}

// Rule (CreateQueue, CreateTopic): creating an existing queue or topic is rejected if its policy denies the call, which
//   would reveal its existence and attributes.
// Source: inferred, an explicit Deny of the resource's policy overrides every Allow
// Test: tests/isolation.rs::what_denies_an_owner_everything_shows_no_resource_either
//
/// Creates a queue, or returns the existing one if it has the given attributes and tags. `cool_down` says whether
/// a name is blocked for a minute after its queue was deleted.
pub fn create(
    tx: &mut Txn<'_>,
    access: &Access,
    address: &QueueAddress,
    given: &IndexMap<String, String>,
    tags: &IndexMap<String, String>,
    cool_down: bool,
) -> Result<Arc<Queue>, Refusal> {
    let existing = look(tx, access, address)?;
    let attributes = QueueAttributes::create(has_fifo_suffix(&address.name), given)?;
    if let Some(existing) = existing {
        check_same(tx, &existing, given, tags)?;
        return Ok(existing);
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
        deduplication_scope: attributes.deduplication_scope,
        attributes,
        forwards: Forwards::default(),
    };
    tx.insert_queue(&queue)?;
    for (key, value) in tags {
        tx.set_tag(queue.id, key, value)?;
    }
    Ok(Arc::new(queue))
}

// Rule (CreateQueue): an existing queue must have the given tags, also if it has none; the error is
//   QueueAlreadyExists.
// Source: reported, Bogdanp/dramatiq_sqs#13
// Test: tests/scenarios/queues.txt#Creating an existing queue succeeds if the given attributes match the current ones

/// Checks that an existing queue has the given attributes and tags. It may have others.
fn check_same(
    tx: &mut Txn<'_>,
    existing: &Queue,
    given: &IndexMap<String, String>,
    tags: &IndexMap<String, String>,
) -> Result<(), Refusal> {
    if let Some(name) = existing.attributes.first_difference(given) {
        return Err(Refusal::new(
            Kind::QueueNameExists,
            format!(
                "A queue already exists with the same name and a different value for attribute \
                 {name}"
            ),
        ));
    }
    let present: HashMap<String, String> =
        if tags.is_empty() { HashMap::new() } else { tx.tags(existing.id)?.into_iter().collect() };
    if tags.iter().any(|(key, value)| present.get(key) != Some(value)) {
        return Err(Refusal::new(
            Kind::QueueNameExists,
            "A queue already exists with the same name and different tags",
        ));
    }
    Ok(())
}

// Rule (SetQueueAttributes): on a FIFO queue a changed DelaySeconds also applies to stored messages that were
//   never received; on a standard queue it applies to later messages only.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
// Test: tests/scenarios/fifo_delay.txt#A changed delay concerns messages that are there, tests/scenarios/delay.txt#On a standard queue a changed delay concerns later messages only

/// Changes all given attributes or none. Returns the work that must follow in pages, see [`retime`]: the delay of a
/// FIFO queue also applies to stored messages.
pub fn set_attributes(
    tx: &mut Txn<'_>,
    access: &Access,
    address: &QueueAddress,
    given: &IndexMap<String, String>,
) -> Result<Option<Retiming>, Refusal> {
    let mut queue = Arc::unwrap_or_clone(find(tx, access, address)?);
    let before = queue.attributes.clone();
    queue.attributes.set(given)?;
    if queue.attributes.redrive_policy != before.redrive_policy {
        check_redrive_target(tx, address, &queue.attributes)?;
    }
    queue.modified_at = tx.now();
    tx.update_queue(&queue)?;
    // The same delay again may be the retry of an interrupted change.
    let retimes = queue.attributes.fifo && given.contains_key(AttributeName::DelaySeconds.as_str());
    let longer = queue.attributes.delay_seconds > before.delay_seconds;
    Ok(retimes.then_some(Retiming { queue: queue.id, longer, cursor: None, is_last: false }))
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

/// The progress of a changed delay through the messages of a FIFO queue. A longer delay starts with the youngest
/// message and a shorter one with the oldest, so that no message overtakes another meanwhile. A second pass runs in
/// the opposite direction, for messages left over from an interrupted earlier change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retiming {
    queue: i64,
    longer: bool,
    /// The sequence of the last processed message.
    cursor: Option<i64>,
    is_last: bool,
}

impl Retiming {
    /// Returns the next page of messages.
    fn page(&self, tx: &mut Txn<'_>, queue: &Queue) -> Result<Vec<Message>, Refusal> {
        if self.longer {
            return Ok(tx.latest_messages(queue.backlog, self.cursor.unwrap_or(i64::MAX), PAGE)?);
        }
        let after = match self.cursor {
            Some(cursor) => cursor,
            None => match tx.first_delayed(queue)? {
                Some(first) => first - 1,
                None => return Ok(Vec::new()),
            },
        };
        Ok(tx.messages_between(queue.backlog, after, i64::MAX, PAGE)?)
    }

    /// Returns the second pass.
    fn back(self) -> Option<Self> {
        (!self.is_last).then_some(Self {
            longer: !self.longer,
            cursor: None,
            is_last: true,
            ..self
        })
    }
}

/// Applies the delay to a page of messages. Returns the remaining work.
pub fn retime(tx: &mut Txn<'_>, retiming: Retiming) -> Result<Option<Retiming>, Refusal> {
    let Some(queue) = tx.queue_by_id(retiming.queue)? else { return Ok(None) };
    let page = retiming.page(tx, &queue)?;
    let Some(last) = page.last().map(|message| message.sequence) else {
        return Ok(retiming.back());
    };
    let delay_ms = i64::from(queue.attributes.delay_seconds) * 1_000;
    for message in page {
        let ready_at = message.sent_at + delay_ms;
        if retiming.longer && ready_at <= tx.now() {
            return Ok(retiming.back());
        }
        let is_changed = match message.place {
            Place::Delayed => message.rank != ready_at,
            Place::Line(_) => message.receive_count == 0 && ready_at > tx.now(),
            Place::InFlight => false,
        };
        if is_changed {
            places::delay(tx, &queue, Message { rank: ready_at, ..message })?;
        }
    }
    Ok(Some(Retiming { cursor: Some(last), ..retiming }))
}

// Rule (PurgeQueue): a purge deletes all messages, those in flight and delayed included.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html
// Test: tests/scenarios/purge.txt#A purge deletes visible
//
// Rule (PurgeQueue): a purge forgets deduplication IDs: an ID that was used before is accepted.
// Source: recorded
// Test: tests/scenarios/purge.txt#On a FIFO queue it unlocks the groups and forgets deduplication ids

// Rule (PurgeQueue, ReceiveMessage): a purge also forgets receive attempts; the same attempt ID starts a new
//   receive.
// Source: inferred, a purge forgets deduplication IDs too
// Test: tests/scenarios/purge.txt#It forgets receive attempts as well

// Rule (PurgeQueue): a second purge of a queue within 60 seconds is rejected with
//   PurgeQueueInProgress, status 403.
// Source: recorded
// Test: tests/recorded/sqs.jsonl#sqs-purge-twice

/// Discards all messages, deduplication IDs and receive attempts, which belong to the backlog. `cool_down` says
/// whether a purge must be a minute after the previous one.
pub fn purge(
    tx: &mut Txn<'_>,
    access: &Access,
    address: &QueueAddress,
    cool_down: bool,
) -> Result<(), Refusal> {
    let mut queue = Arc::unwrap_or_clone(find(tx, access, address)?);
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

/// Deletes a queue with all its messages.
pub fn delete(tx: &mut Txn<'_>, access: &Access, address: &QueueAddress) -> Result<(), Refusal> {
    let queue = find(tx, access, address)?;
    tx.delete_queue_row(&queue)?;
    tx.discard_backlog(queue.backlog)?;
    tx.remember_deleted_queue(address)?;
    tx.effect(Effect::Gone { queue: queue.id });
    tx.effect(Effect::Work);
    Ok(())
}

/// Returns the current number of messages in each state.
pub fn counts(tx: &mut Txn<'_>, queue: &Queue) -> Result<Counts, Refusal> {
    sweep::expire_in(tx, queue)?;
    let more = places::settle(tx, queue)?;
    let mut counts = tx.counts(queue.backlog)?;
    if more {
        let in_flight = tx.count_due(queue, Place::InFlight)?;
        let delayed = tx.count_due(queue, Place::Delayed)?;
        counts.in_flight -= in_flight;
        counts.delayed -= delayed;
        counts.ready += in_flight + delayed;
    }
    Ok(counts)
}
