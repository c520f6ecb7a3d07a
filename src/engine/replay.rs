//! Replay: delivers archived messages of a FIFO topic to one subscription again.
//!
//! Source: <https://docs.aws.amazon.com/sns/latest/dg/fifo-message-archiving-replay.html>. A replay
//! proceeds in pages and ends with the archive, or at the end that its policy names. Messages published
//! meanwhile are archived too, so the replay reaches them. Messages published later are delivered as
//! usual, unless the policy has an end: after it the subscription gets no more messages.

use super::topic_snapshot::{FILTERING_IN_TRANSACTION, Subscriber};
use super::{PAGE, fan_out};
use crate::domain::Refusal;
use crate::domain::replay_policy::ReplayPolicy;
use crate::store::{Effect, Replay, Subscription, SubscriptionState, Topic, Txn};

const PENDING: &str = "Pending";
const IN_PROGRESS: &str = "In progress";
const COMPLETED: &str = "Completed";

/// Starts the replay that the subscription's ReplayPolicy requests, or ends the one that it no longer
/// requests. The replay of a pending subscription starts with its confirmation. The caller writes the
/// subscription.
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

/// Replays a page for one subscription, preferring subscriptions after an ID. Returns which one it was, if
/// any.
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
        let subscriber = Subscriber::new(&subscription, &topic.attributes);
        let mut filtering_cost = 0;
        let skipped = usize::from(fault!("replay-skips-one-after-a-page") && cursor > 0);
        for publication in page.iter().skip(skipped) {
            if replay.until.is_some_and(|until| publication.published_at > until) {
                ended = true;
                break;
            }
            if publication.published_at >= replay.from {
                fan_out::replay(tx, topic, &subscriber, publication)?;
                filtering_cost += subscriber.filtering_cost(&publication.published);
            }
            reached = publication.id;
            if filtering_cost > FILTERING_IN_TRANSACTION {
                break;
            }
        }
    }
    let has_archive = topic.as_ref().is_some_and(|topic| topic.archive_since.is_some());
    ended |= !has_archive;
    let status = if ended { COMPLETED } else { IN_PROGRESS };
    let cursor = (!ended).then_some(reached);
    subscription.replay = Some(Replay { status: status.to_owned(), cursor, ..replay });
    tx.update_subscription(&subscription)?;
    if let Some(topic) = topic.filter(|_| ended) {
        // From now on the subscription gets published messages.
        tx.update_topic(&topic)?;
    }
    Ok(Some(subscription.id))
}

/// Removes a page of archived messages that exceed their topic's retention, or that precede its current
/// archive. Returns the cursor of the next page.
pub fn expire_archives(tx: &mut Txn<'_>, after: i64) -> Result<Option<i64>, Refusal> {
    const DAY_MS: i64 = 24 * 3_600 * 1_000;
    let Some(id) = tx.next_archived_topic(after)? else { return Ok(None) };
    // The archive of a deleted topic is deleted with it.
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
