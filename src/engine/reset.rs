//! Reset: removes everything of a service, for test suites that start from an empty server.
//!
//! A reset removes the resources that exist when it starts, in pages, each in its own transaction.
//! Resources created meanwhile stay. Background work removes messages and subscriptions, as after a
//! deletion.

use super::PAGE;
use crate::domain::Refusal;
use crate::store::{Effect, Txn};

/// What a reset removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The last sequence number that it removes: see [`boundary`].
    pub boundary: i64,
    /// The account to reset, 12 digits; `None` for all.
    pub account: Option<String>,
}

/// Returns the last sequence number that a reset starting now removes.
pub fn boundary(tx: &mut Txn<'_>) -> Result<i64, Refusal> {
    Ok(tx.next_sequence()?)
}

/// Removes a page of queues. Returns whether there are more.
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

/// Removes a page of topics, with or without archive, then of platform applications, then of captured
/// notifications, then the SMS settings. Returns whether there is more.
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
