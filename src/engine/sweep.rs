//! Sweeping: removes expired rows in pages, whether or not a client requests them.

use super::{PAGE, places, subscriptions};
use crate::domain::Refusal;
use crate::domain::limits::{DEDUPLICATION_INTERVAL_MS, OPT_IN_AGAIN_MS, QUEUE_COOL_DOWN_MS};
use crate::store::{DeduplicationKey, Queue, Txn};

/// Queues that one step checks.
const QUEUES: i64 = 50;
/// How long the row of an empty message group is kept, in milliseconds: many groups get another message
/// soon, which then costs less.
const IDLE_GROUPS_MS: i64 = 10_000;
/// How long an ended move task is still listed, in milliseconds.
const ENDED_TASKS_MS: i64 = 30 * 24 * 3_600_000;

/// Removes a page of a discarded backlog. Returns whether there may be more.
pub fn empty_discarded(tx: &mut Txn<'_>) -> Result<bool, Refusal> {
    let Some(backlog) = tx.discarded_backlog()? else { return Ok(false) };
    tx.empty_backlog(backlog, PAGE)?;
    Ok(true)
}

/// Deletes a page of expired records. Returns whether there may be more.
pub fn forget(tx: &mut Txn<'_>) -> Result<bool, Refusal> {
    let limit = PAGE;
    let now = tx.now();
    let forgotten = [
        tx.forget_receive_attempts(limit)?,
        tx.forget_deleted_queues(now - QUEUE_COOL_DOWN_MS, limit)?,
        tx.forget_move_tasks(now - ENDED_TASKS_MS, limit)?,
        tx.forget_ended_subscriptions(limit)?,
        subscriptions::forget_unconfirmed(tx, limit)?,
        tx.forget_opt_ins(now - OPT_IN_AGAIN_MS, limit)?,
    ];
    Ok(forgotten.iter().any(|number| *number as i64 == limit))
}

/// Deletes the expired ones of a page of deduplication records after `after`. Returns the cursor of the
/// next page.
pub fn forget_deduplication(
    tx: &mut Txn<'_>,
    after: &DeduplicationKey,
) -> Result<Option<DeduplicationKey>, Refusal> {
    Ok(tx.forget_deduplication(after, PAGE * 3)?)
}

/// Deletes the empty ones of a page of message groups whose IDs follow `after`. Returns the cursor of the
/// next page.
pub fn forget_idle_groups(tx: &mut Txn<'_>, after: i64) -> Result<Option<i64>, Refusal> {
    let idle_since = tx.now() - IDLE_GROUPS_MS;
    Ok(tx.forget_message_groups(after, idle_since, PAGE * 3)?)
}

/// Milliseconds between two sweeps: records are kept for five minutes, messages for at least a
/// minute.
pub const INTERVAL_MS: i64 = DEDUPLICATION_INTERVAL_MS / 10;

/// Milliseconds between two rounds through all deduplication records: each is checked once or twice
/// in its life.
pub const ROUND_MS: i64 = DEDUPLICATION_INTERVAL_MS;

/// Removes expired messages of a page of queues whose IDs follow `after`. Returns the cursor of the next
/// page.
pub fn expire(tx: &mut Txn<'_>, after: i64) -> Result<Option<i64>, Refusal> {
    let mut last = after;
    for queue in tx.queues_after(after, QUEUES)? {
        if expire_in(tx, &queue)? {
            return Ok(Some(last));
        }
        last = queue.id;
    }
    Ok((last != after).then_some(last))
}

/// Removes a page of expired messages of one queue. Returns whether there may be more.
pub fn expire_in(tx: &mut Txn<'_>, queue: &Queue) -> Result<bool, Refusal> {
    Ok(expire_page(tx, queue)? == PAGE)
}

/// Removes a page of expired messages of one queue. Returns their number.
pub fn expire_page(tx: &mut Txn<'_>, queue: &Queue) -> Result<i64, Refusal> {
    let now = tx.now();
    let first = tx.oldest_messages(queue.backlog, 1)?;
    if !first.iter().any(|message| places::is_expired(queue, message, now)) {
        return Ok(0);
    }
    let page = tx.oldest_messages(queue.backlog, PAGE)?;
    let expired: Vec<_> =
        page.iter().take_while(|message| places::is_expired(queue, message, now)).collect();
    for message in &expired {
        places::discard(tx, queue, message)?;
    }
    Ok(expired.len() as i64)
}

/// Returns whether a FIFO queue may have messages that are blocked only by earlier messages of their
/// groups, which are in flight or delayed.
pub fn may_be_locked(tx: &mut Txn<'_>, queue: &Queue) -> Result<bool, Refusal> {
    let counts = tx.counts(queue.backlog)?;
    Ok(queue.attributes.fifo && counts.ready > 0 && counts.in_flight + counts.delayed > 0)
}

/// Returns when the next message becomes ready by itself, in Unix milliseconds: when a timeout or a delay
/// ends, or when a message expires that blocks later ones of its group.
pub fn next_due(tx: &mut Txn<'_>, queue: &Queue) -> Result<Option<i64>, Refusal> {
    let mut next = tx.next_due(queue)?;
    if may_be_locked(tx, queue)?
        && let Some(oldest) = tx.oldest_messages(queue.backlog, 1)?.first()
    {
        let expires_at = places::expires_at(queue, oldest);
        next = Some(next.map_or(expires_at, |due| due.min(expires_at)));
    }
    Ok(next)
}

/// Makes a page of due messages ready. Returns whether there may be more.
pub fn settle(tx: &mut Txn<'_>, queue: &Queue) -> Result<bool, Refusal> {
    let more = may_be_locked(tx, queue)? && expire_in(tx, queue)?;
    Ok(places::settle(tx, queue)? || more)
}
