//! Looking without touching: messages of a queue where they stand, messages that were captured, and
//! the token of a subscription. Nothing here writes.

use super::access::Access;
use super::{places, queues};
use crate::domain::Refusal;
use crate::domain::address::QueueAddress;
use crate::domain::topic_address::SubscriptionArn;
use crate::engine::receive::{Delivery, receipt_of};
use crate::store::{CapturedMessage, Message, Place, Queue, Txn};
use std::collections::HashMap;

/// Messages of a queue that one transaction looks at, shown or not.
const LOOKED_AT: i64 = 200;
/// Captured messages that one transaction reads.
const CAPTURED: i64 = 20;

/// Which messages are asked for, beyond those that a receive could return.
#[derive(Debug, Clone, Copy, Default)]
pub struct Show {
    /// Those that were received and neither deleted nor became visible again, and those of a FIFO
    /// queue that have to wait for an earlier message of their group.
    pub invisible: bool,
    /// Those whose delay has not passed.
    pub delayed: bool,
}

/// A message as it stands in its queue.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The message, as if it had been received.
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
    /// How many were looked at.
    pub looked_at: usize,
    /// What the next page has to know of the groups of this one.
    pub groups: Groups,
}

/// Groups of a FIFO queue, each with whether its further messages have to wait for an earlier one.
#[derive(Debug, Clone, Default)]
pub struct Groups(HashMap<i64, bool>);

impl Groups {
    /// Returns whether a message, which is hidden itself or not, has to wait for an earlier one of
    /// its group. Messages come in the order of their sequences, after some that were not looked at
    /// if `begins_late`: what these do is taken from the group's row.
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

/// From where a look at a queue goes on.
#[derive(Debug, Clone, Default)]
pub struct Begin {
    /// The sequence after which the messages are meant.
    pub after: i64,
    /// Whether there are messages before these that this look has not seen.
    pub begins_late: bool,
    /// What the page before has found.
    pub groups: Groups,
}

/// Looks at messages of a queue, until their contents are `bytes` long or there are `limit` of them.
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
        // What is due is ready, whether or not it has been put into its line.
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

/// Some of the latest messages that were captured for a protocol before an id, the latest first,
/// those of one target if it is given. None are left when there are none.
pub fn captured(
    tx: &mut Txn<'_>,
    place: (&str, &str),
    protocol: &str,
    target: Option<&str>,
    before: i64,
) -> Result<Vec<CapturedMessage>, Refusal> {
    Ok(tx.captured_messages(place, protocol, target, before, CAPTURED)?)
}

/// Returns what confirms a subscription, confirmed or not; none if there never was such a question, if the
/// subscription is of another account than the one given, or if the question went to a mailbox and mail is
/// private.
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
