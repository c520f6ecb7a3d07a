//! Forgetting everything of a service at once, as test suites want it between two tests.
//!
//! What exists when a reset begins goes in pages, each a transaction of its own; what is made
//! meanwhile stays. Messages and subscriptions follow in the background, as after a deletion.

use super::PAGE;
use crate::domain::Refusal;
use crate::store::{Effect, Txn};

/// The last thing that a reset which begins now is to remove.
pub fn boundary(tx: &mut Txn<'_>) -> Result<i64, Refusal> {
    Ok(tx.next_sequence()?)
}

/// Removes a page of the queues of all accounts up to a boundary. Tells whether there is more.
pub fn queues(tx: &mut Txn<'_>, boundary: i64) -> Result<bool, Refusal> {
    let mut page = tx.queues_after(0, PAGE)?;
    page.retain(|queue| queue.id <= boundary);
    if page.is_empty() {
        tx.forget_queue_history()?;
        return Ok(false);
    }
    for queue in page {
        tx.delete_queue_row(&queue)?;
        tx.discard_backlog(queue.backlog)?;
        tx.effect(Effect::Gone { queue: queue.id });
    }
    tx.effect(Effect::Work);
    Ok(true)
}

/// Removes a page of the topics of all accounts up to a boundary, archives or not, then of platform
/// applications, then of what was captured, then what was set for SMS. Tells whether there is more.
pub fn topics(tx: &mut Txn<'_>, boundary: i64) -> Result<bool, Refusal> {
    let mut found = false;
    for id in tx.topic_ids(boundary, PAGE)? {
        if let Some(topic) = tx.topic_by_id(id)? {
            tx.remove_resource_tags(&topic.address.arn())?;
            tx.delete_topic_row(&topic)?;
            found = true;
        }
    }
    for id in tx.platform_application_ids(boundary, PAGE)? {
        tx.delete_platform_application_row(id)?;
        found = true;
    }
    if found {
        tx.effect(Effect::Work);
        return Ok(true);
    }
    if tx.forget_captured(PAGE)? {
        return Ok(true);
    }
    tx.forget_sms()?;
    Ok(false)
}
