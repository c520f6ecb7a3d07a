//! Sweeping: what has expired is removed in pages, whether or not a client asks for it.

use super::{PAGE, places, subscriptions};
use crate::domain::Refusal;
use crate::domain::limits::{DEDUPLICATION_INTERVAL_MS, OPT_IN_AGAIN_MS, QUEUE_COOL_DOWN_MS};
use crate::store::{DeduplicationKey, Queue, Txn};

/// Queues that one step looks at.
const QUEUES: i64 = 50;
/// How long a message group without messages is still known, in milliseconds: many are sent to
/// again soon, and then cost less.
const IDLE_GROUPS_MS: i64 = 10_000;
/// How long an ended move task is still listed, in milliseconds.
const ENDED_TASKS_MS: i64 = 30 * 24 * 3_600_000;

/// Removes a page of a discarded backlog. Returns whether there is more to do.
pub fn empty_discarded(tx: &mut Txn<'_>) -> Result<bool, Refusal> {
    let Some(backlog) = tx.discarded_backlog()? else { return Ok(false) };
    tx.empty_backlog(backlog, PAGE)?;
    Ok(true)
}

/// Forgets a page of records that are out of date. Returns whether there may be more.
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

/// Forgets what is out of date of a page of deduplication records, those that follow `after`. Tells
/// where to go on.
pub fn forget_deduplication(
    tx: &mut Txn<'_>,
    after: &DeduplicationKey,
) -> Result<Option<DeduplicationKey>, Refusal> {
    Ok(tx.forget_deduplication(after, PAGE * 3)?)
}

/// Forgets those of a page of message groups that have no messages any more, those that follow
/// `after`, by id. Returns where to go on.
pub fn forget_idle_groups(tx: &mut Txn<'_>, after: i64) -> Result<Option<i64>, Refusal> {
    let idle_since = tx.now() - IDLE_GROUPS_MS;
    Ok(tx.forget_message_groups(after, idle_since, PAGE * 3)?)
}

/// Milliseconds between two sweeps: records are kept for five minutes, messages for a minute at
/// least.
pub const INTERVAL_MS: i64 = DEDUPLICATION_INTERVAL_MS / 10;

/// Milliseconds between two rounds through all records of deduplication: each is looked at once or
/// twice in its life.
pub const ROUND_MS: i64 = DEDUPLICATION_INTERVAL_MS;

/// Expires messages of the queues that follow `after`, by id. Returns where to go on.
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

/// Removes a page of messages of one queue whose retention period has passed. Returns whether there
/// may be more.
pub fn expire_in(tx: &mut Txn<'_>, queue: &Queue) -> Result<bool, Refusal> {
    Ok(expire_page(tx, queue)? == PAGE)
}

/// Does the same. Returns how many messages these were.
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

/// Returns whether a FIFO queue may have messages that only wait for earlier ones of their groups,
/// which are in flight or delayed.
pub fn may_be_locked(tx: &mut Txn<'_>, queue: &Queue) -> Result<bool, Refusal> {
    let counts = tx.counts(queue.backlog)?;
    Ok(queue.attributes.fifo && counts.ready > 0 && counts.in_flight + counts.delayed > 0)
}

/// Returns when time alone will make a message ready, in Unix milliseconds: when a timeout or a delay
/// ends, or when a message expires that keeps later ones of its group from being received.
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

/// Makes a page of messages ready whose time that is. Returns whether there may be more.
pub fn settle(tx: &mut Txn<'_>, queue: &Queue) -> Result<bool, Refusal> {
    let more = may_be_locked(tx, queue)? && expire_in(tx, queue)?;
    Ok(places::settle(tx, queue)? || more)
}
