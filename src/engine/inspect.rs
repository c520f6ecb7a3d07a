//! Inspection without changes: the messages of a queue, captured messages, and the token of a subscription.
//! Nothing here writes.

use super::access::Access;
use super::{places, queues};
use crate::domain::Refusal;
use crate::domain::address::QueueAddress;
use crate::domain::topic_address::SubscriptionArn;
use crate::engine::receive::{Delivery, receipt_of};
use crate::store::{CapturedMessage, Message, Place, Queue, Txn};
use std::collections::HashMap;

/// Messages of a queue that one transaction checks, returned or not.
const LOOKED_AT: i64 = 200;
/// Captured messages that one transaction reads.
const CAPTURED: i64 = 20;

/// Which messages are requested in addition to receivable ones.
#[derive(Debug, Clone, Copy, Default)]
pub struct Show {
    /// Messages in flight, and messages of a FIFO queue that wait for an earlier message of their group.
    pub invisible: bool,
    /// Delayed messages.
    pub delayed: bool,
}

/// A stored message.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The message in the form of a received one.
    pub delivery: Delivery,
    /// Whether a receive could return it.
    pub visible: bool,
    /// Whether its delay has not passed.
    pub delayed: bool,
}

/// Some messages of a queue, oldest first.
#[derive(Debug, Default)]
pub struct Page {
    /// The messages.
    pub seen: Vec<Seen>,
    /// The sequence after which there may be more.
    pub next: Option<i64>,
    /// The number of checked messages.
    pub looked_at: usize,
    /// The state of the groups of this page, for the next page.
    pub groups: Groups,
}

/// The groups of a FIFO queue, each with whether its later messages wait for an earlier one.
#[derive(Debug, Clone, Default)]
pub struct Groups(HashMap<i64, bool>);

impl Groups {
    /// Returns whether a message waits for an earlier one of its group. Messages are passed in the order of their
    /// sequences. If `begins_late`, earlier messages were not checked, and their effect is read from the row of
    /// the group.
    fn is_blocked(
        &mut self,
        tx: &mut Txn<'_>,
        queue: &Queue,
        message: &Message,
        hidden: bool,
        begins_late: bool,
    ) -> Result<bool, Refusal> {
        if !queue.attributes.fifo {
            return Ok(false);
        }
        let is_blocked = match self.0.get(&message.group) {
            Some(is_blocked) => *is_blocked,
            None if !begins_late => false,
            None => {
                places::group_of(tx, message)?.is_some_and(|group| group.blocks(message.sequence))
            }
        };
        self.0.insert(message.group, is_blocked || hidden);
        Ok(is_blocked)
    }
}

/// The cursor of an inspection of a queue.
#[derive(Debug, Clone, Default)]
pub struct Begin {
    /// The sequence after which to continue.
    pub after: i64,
    /// Whether earlier messages were not checked.
    pub begins_late: bool,
    /// The groups of the previous page.
    pub groups: Groups,
}

/// Returns messages of a queue, up to `bytes` of content or `limit` messages.
pub fn peek(
    tx: &mut Txn<'_>,
    access: &Access,
    address: &QueueAddress,
    begin: Begin,
    show: Show,
    limit: usize,
    bytes: usize,
) -> Result<Page, Refusal> {
    let queue = queues::find(tx, access, address)?;
    let Begin { after, begins_late, mut groups } = begin;
    let (mut page, mut left, now) = (Page::default(), bytes, tx.now());
    let messages = tx.messages_between(queue.backlog, after, i64::MAX, LOOKED_AT)?;
    let all_read = (messages.len() as i64) < LOOKED_AT;
    let mut last = after;
    for message in messages {
        if page.seen.len() == limit || left == 0 {
            page.next = Some(last);
            page.groups = groups;
            return Ok(page);
        }
        last = message.sequence;
        page.looked_at += 1;
        if places::is_expired(&queue, &message, now) {
            continue;
        }
        // Due messages count as ready, whether or not they have been moved to their line.
        let waits = message.rank > now;
        let delayed = message.place == Place::Delayed && waits;
        let in_flight = message.place == Place::InFlight && waits;
        let hidden = delayed || in_flight;
        let blocked = groups.is_blocked(tx, &queue, &message, hidden, begins_late)?;
        let invisible = in_flight || (blocked && !delayed);
        if (delayed && !show.delayed) || (invisible && !show.invisible) {
            continue;
        }
        let content = tx.content(queue.backlog, &message)?;
        let size = content.body.len() + content.attributes.as_ref().map_or(0, Vec::len);
        left = left.saturating_sub(size);
        let delivery = Delivery {
            receipt: receipt_of(&queue, &message),
            handle: String::new(),
            group: places::group_of(tx, &message)?.map(|group| group.name),
            former_turn: 0,
            content,
            message,
        };
        page.seen.push(Seen { delivery, visible: !delayed && !invisible, delayed });
    }
    page.next = (!all_read).then_some(last);
    page.groups = groups;
    Ok(page)
}

/// Returns the latest captured messages of a protocol before an ID, latest first, optionally of one target. An
/// empty result means that there are no more.
pub fn captured(
    tx: &mut Txn<'_>,
    place: (&str, &str),
    protocol: &str,
    target: Option<&str>,
    before: i64,
) -> Result<Vec<CapturedMessage>, Refusal> {
    Ok(tx.captured_messages(place, protocol, target, before, CAPTURED)?)
}

/// Returns the token of a subscription, confirmed or not. Returns `None` if it never needed a confirmation, if it
/// belongs to another account, or if it is a mailbox and mail is private.
pub fn subscription_token(
    tx: &mut Txn<'_>,
    account: Option<&str>,
    arn: &SubscriptionArn,
    mail_is_private: bool,
) -> Result<Option<String>, Refusal> {
    let found = tx.subscription(&arn.id)?.filter(|found| found.topic_arn == arn.topic.arn());
    let found = found.filter(|found| account.is_none_or(|account| found.account == account));
    let found = found.filter(|found| !(mail_is_private && found.protocol.is_mail()));
    Ok(found.and_then(|found| found.token))
}
