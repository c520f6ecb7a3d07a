//! Replay: archived messages of a FIFO topic, once more, to one subscription.
//!
//! AWS page: "Message archiving and replay for FIFO topics". A replay goes on in pages and ends with
//! the archive, or where its policy says. What is published meanwhile is archived too, so the replay
//! comes to it; what is published later is delivered as usual, unless the policy has an end: behind
//! that the subscription gets nothing any more.

use super::{PAGE, fan_out};
use crate::domain::Refusal;
use crate::domain::replay_policy::ReplayPolicy;
use crate::store::{Effect, Replay, Subscription, SubscriptionState, Topic, Txn};

const PENDING: &str = "Pending";
const IN_PROGRESS: &str = "In progress";
const COMPLETED: &str = "Completed";

/// Begins the replay that the subscription's ReplayPolicy asks for, or ends the one that it no
/// longer asks for. That of a subscription which waits for its confirmation begins with that. The
/// caller writes the subscription.
pub fn begin(
    tx: &mut Txn<'_>,
    topic: &Topic,
    subscription: &mut Subscription,
) -> Result<(), Refusal> {
    let Some(text) = subscription.attributes.replay_policy() else {
        subscription.replay = None;
        return Ok(());
    };
    let refuse = |reason: &str| Refusal::invalid_parameter(format_args!("ReplayPolicy: {reason}"));
    let policy = ReplayPolicy::parse(text).map_err(|reason| refuse(&reason))?;
    let Some(since) = topic.archive_since else {
        return Err(refuse("the topic has no message archive"));
    };
    if policy.from > tx.now() {
        return Err(refuse("StartingPoint is in the future"));
    }
    let is_confirmed = subscription.state == SubscriptionState::Confirmed;
    subscription.replay = is_confirmed.then(|| Replay {
        status: PENDING.to_owned(),
        cursor: Some(0),
        from: policy.from.max(since),
        until: policy.until,
    });
    if is_confirmed {
        tx.effect(Effect::Work);
    }
    Ok(())
}

/// Replays a page of one subscription, those after an id first. Tells which one it was, if any.
pub fn step(tx: &mut Txn<'_>, after: i64) -> Result<Option<i64>, Refusal> {
    let next = tx.subscriptions_replaying(after, 1)?.into_iter().next();
    let Some(mut subscription) = next else { return Ok(None) };
    let Some((replay, cursor)) =
        subscription.replay.clone().and_then(|replay| replay.cursor.map(|at| (replay, at)))
    else {
        return Ok(Some(subscription.id));
    };
    let topic = tx.topic_by_id(subscription.topic)?;
    let page = tx.archived_publications(subscription.topic, cursor, PAGE)?;
    let mut ended = page.is_empty();
    let mut reached = cursor;
    if let Some(topic) = &topic {
        for publication in &page {
            if replay.until.is_some_and(|until| publication.published_at > until) {
                ended = true;
                break;
            }
            if publication.published_at >= replay.from {
                fan_out::replay(tx, topic, &subscription, publication)?;
            }
            reached = publication.id;
        }
    }
    let has_archive = topic.as_ref().is_some_and(|topic| topic.archive_since.is_some());
    ended |= !has_archive;
    let status = if ended { COMPLETED } else { IN_PROGRESS };
    let cursor = (!ended).then_some(reached);
    subscription.replay = Some(Replay { status: status.to_owned(), cursor, ..replay });
    tx.update_subscription(&subscription)?;
    if let Some(topic) = topic.filter(|_| ended) {
        // From now on it gets what is published.
        tx.update_topic(&topic)?;
    }
    Ok(Some(subscription.id))
}

/// Removes a page of archived messages that are older than their topic keeps them, or than its
/// archive. Tells where to go on.
pub fn expire_archives(tx: &mut Txn<'_>, after: i64) -> Result<Option<i64>, Refusal> {
    const DAY_MS: i64 = 24 * 3_600 * 1_000;
    let Some(id) = tx.next_archived_topic(after)? else { return Ok(None) };
    // What a deleted topic had goes with it.
    let Some(topic) = tx.topic_by_id(id)? else { return Ok(Some(id)) };
    let oldest = match (topic.archive_since, topic.attributes.archive_days()) {
        (Some(since), Some(days)) => since.max(tx.now() - days * DAY_MS),
        _ => i64::MAX,
    };
    let page = tx.oldest_archived(topic.id, PAGE)?;
    let expired = page.iter().take_while(|(_, published_at)| *published_at < oldest);
    let mut number = 0;
    for (id, _) in expired {
        tx.unarchive(*id)?;
        number += 1;
    }
    Ok(Some(if number == PAGE { after } else { topic.id }))
}
