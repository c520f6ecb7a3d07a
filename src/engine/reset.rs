//! Forgetting everything of a service at once, as test suites want it between two tests.
//!
//! What exists when a reset begins goes in pages, each a transaction of its own; what is made
//! meanwhile stays. Messages and subscriptions follow in the background, as after a deletion.

use super::PAGE;
use crate::domain::Refusal;
use crate::store::{Effect, Txn};

/// What a reset is to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The last id that it concerns: see [`boundary`].
    pub boundary: i64,
    /// The account that it concerns, 12 digits; `None` for all.
    pub account: Option<String>,
}

/// The last thing that a reset which begins now is to remove.
pub fn boundary(tx: &mut Txn<'_>) -> Result<i64, Refusal> {
    Ok(tx.next_sequence()?)
}

/// Removes a page of queues. Returns whether there is more.
pub fn queues(tx: &mut Txn<'_>, scope: &Scope) -> Result<bool, Refusal> {
    let account = scope.account.as_deref();
    let page = tx.queues_to_reset(account, scope.boundary, PAGE)?;
    if page.is_empty() {
        tx.forget_queue_history(account)?;
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

/// Removes a page of topics, archives or not, then of platform applications, then of what was captured,
/// then what was set for SMS. Returns whether there is more.
pub fn topics(tx: &mut Txn<'_>, scope: &Scope) -> Result<bool, Refusal> {
    let account = scope.account.as_deref();
    let mut found = false;
    for id in tx.topic_ids(account, scope.boundary, PAGE)? {
        if let Some(topic) = tx.topic_by_id(id)? {
            tx.remove_resource_tags(&topic.address.arn())?;
            tx.delete_topic_row(&topic)?;
            found = true;
        }
    }
    for id in tx.platform_application_ids(account, scope.boundary, PAGE)? {
        tx.delete_platform_application_row(id)?;
        found = true;
    }
    if found {
        tx.effect(Effect::Work);
        return Ok(true);
    }
    if tx.forget_captured(account, PAGE)? {
        return Ok(true);
    }
    tx.forget_sms(account)?;
    Ok(false)
}
