//! The states of a message. Every change of state goes through here, so that the rows of message
//! groups always agree with the messages.
//!
//! ```text
//!  send ──► Line ──take──► InFlight ──leave──► (deleted, dead-lettered, moved)
//!    └► Delayed ─release─► Line ◄──release──┘
//! ```
//!
//! A *line* is the ready queue of one message group. A message is *hidden* while it is in flight or
//! delayed. The row of a FIFO group records its earliest hidden message (`first_hidden`). It has a
//! `head` only if the first message of its line precedes that one, so that a receive never visits a
//! group from which it can receive nothing.

use crate::domain::Refusal;
use crate::domain::limits::IN_FLIGHT_MESSAGES;
use crate::store::{Content, Effect, Message, MessageGroup, Place, Queue, Txn};

/// Receives after which a standard queue returns a message to the back instead of the front: a
/// message that no consumer can process must not block the others.
const RECEIVES_BEFORE_THE_BACK: i64 = 3;

/// Adds a message to a queue, ready or delayed, and to its group. Sets `message.group` and
/// `message.content`.
pub fn arrive(
    tx: &mut Txn<'_>,
    queue: &Queue,
    group_name: Option<&str>,
    message: &mut Message,
    content: &Content,
) -> Result<(), Refusal> {
    let mut group = match group_name {
        None => None,
        Some(name) => Some(match tx.message_group(queue.backlog, name)? {
            Some(group) => group,
            None => new_group(tx, queue.backlog, name)?,
        }),
    };
    message.group = group.as_ref().map_or(0, |group| group.id);
    let ready = message.place != Place::Delayed;
    if ready {
        message.place = Place::Line(message.group);
        tx.effect(Effect::Ready { queue: queue.id, count: 1 });
    } else {
        tx.effect(Effect::Due { queue: queue.id, at: message.rank });
    }
    tx.insert_message(queue, message, content)?;
    if let Some(group) = &mut group {
        if group.size == 0 {
            group.turn = message.sequence;
        }
        group.size += 1;
        group.last_sent_at = tx.now();
        if !ready {
            note_hidden(queue, group, message);
        } else if !group.blocks(message.sequence) {
            let head = group.head.map_or(message.rank, |head| head.min(message.rank));
            set_head(queue, group, Some(head));
        }
        tx.put_message_group(group);
    }
    Ok(())
}

fn new_group(tx: &mut Txn<'_>, backlog: i64, name: &str) -> Result<MessageGroup, Refusal> {
    Ok(MessageGroup {
        id: tx.next_sequence()?,
        backlog,
        name: name.to_owned(),
        head: None,
        size: 0,
        in_flight: 0,
        last_sent_at: tx.now(),
        turn: 0,
        first_hidden: None,
    })
}

// Rule (ReceiveMessage): a message of a FIFO queue is returned only if no earlier message of its
//   group is in flight or delayed; messages that precede these can be received.
// Source: recorded
// Test: tests/scenarios/fifo_order.txt#Releasing the first of two makes it receivable, tests/scenarios/fifo_order.txt#Extending one of three messages in flight hides the later ones

/// Records that a message of a group is now hidden. On a standard queue it blocks no other.
fn note_hidden(queue: &Queue, group: &mut MessageGroup, message: &Message) {
    if queue.attributes.fifo && !fault!("hidden-message-blocks-none") {
        let first =
            group.first_hidden.map_or(message.sequence, |first| first.min(message.sequence));
        group.first_hidden = Some(first);
    }
}

/// Records that a message of a group is no longer hidden, or was deleted. Its row must already be
/// up to date.
fn note_shown(
    tx: &mut Txn<'_>,
    queue: &Queue,
    group: &mut MessageGroup,
    message: &Message,
) -> Result<(), Refusal> {
    if group.first_hidden == Some(message.sequence) {
        let none_left = group.in_flight == 0 && tx.counts(queue.backlog)?.delayed == 0;
        group.first_hidden = if none_left { None } else { tx.first_hidden(group.id)? };
    }
    Ok(())
}

/// Sets the message of a group that can be received next. Groups of a standard queue are served in
/// the order of these messages, groups of a FIFO queue in the order of their turns.
fn set_head(queue: &Queue, group: &mut MessageGroup, head: Option<i64>) {
    group.head = head;
    if let Some(head) = head
        && !queue.attributes.fifo
    {
        group.turn = head;
    }
}

/// Puts a ready message in flight until `until`, in Unix milliseconds. The caller passes its group,
/// and calls [`close`] or [`close_served`] after the last message.
pub fn take(
    tx: &mut Txn<'_>,
    queue: &Queue,
    group: Option<&mut MessageGroup>,
    message: &mut Message,
    until: i64,
) -> Result<(), Refusal> {
    let from = message.place;
    message.place = Place::InFlight;
    message.rank = until - i64::from(fault!("redelivery-early")) * 1_000;
    message.received_at = tx.now();
    if message.receive_count == 0 {
        message.first_received_at = message.received_at;
    }
    message.receive_count += 1;
    tx.update_message(queue, from, message)?;
    tx.effect(Effect::Due { queue: queue.id, at: until });
    if let Some(group) = group {
        group.in_flight += 1;
        note_hidden(queue, group, message);
    }
    Ok(())
}

/// Hides a received message until `until`, in Unix milliseconds, whether it is in flight or, on a
/// standard queue, ready again. This does not count as a receive.
pub fn hide(
    tx: &mut Txn<'_>,
    queue: &Queue,
    message: &mut Message,
    until: i64,
) -> Result<(), Refusal> {
    let from = message.place;
    message.place = Place::InFlight;
    message.rank = until;
    tx.update_message(queue, from, message)?;
    tx.effect(Effect::Due { queue: queue.id, at: until });
    if from != Place::InFlight
        && let Some(mut group) = group_of(tx, message)?
    {
        group.in_flight += 1;
        close(tx, queue, &mut group)?;
    }
    Ok(())
}

/// Removes a message and its content from its queue. The caller passes its group and calls
/// [`close`].
pub fn leave(
    tx: &mut Txn<'_>,
    queue: &Queue,
    group: Option<&mut MessageGroup>,
    message: &Message,
) -> Result<(), Refusal> {
    tx.remove_message(queue.backlog, message)?;
    if let Some(group) = group {
        group.size -= 1;
        if message.place == Place::InFlight {
            group.in_flight -= 1;
        }
        note_shown(tx, queue, group, message)?;
    }
    if message.place == Place::InFlight {
        tell_of_room(tx, queue)?;
    }
    Ok(())
}

/// Notifies a waiter if the number of messages in flight has just fallen below its limit.
fn tell_of_room(tx: &mut Txn<'_>, queue: &Queue) -> Result<(), Refusal> {
    if tx.counts(queue.backlog)?.in_flight + 1 >= IN_FLIGHT_MESSAGES {
        tx.effect(Effect::Ready { queue: queue.id, count: 1 });
    }
    Ok(())
}

/// Updates the row of a group after changes to its messages.
pub fn close(tx: &mut Txn<'_>, queue: &Queue, group: &mut MessageGroup) -> Result<(), Refusal> {
    let was_blocked = group.head.is_none();
    let in_line = group.size > group.in_flight;
    let first = if in_line { tx.line_head(queue.backlog, group.id)? } else { None };
    set_head(queue, group, first.filter(|first| !group.blocks(*first)));
    if was_blocked && group.head.is_some() && !fault!("freed-group-wakes-no-waiter") {
        tx.effect(Effect::Ready { queue: queue.id, count: 1 });
    }
    tx.put_message_group(group);
    Ok(())
}

// Rule (ReceiveMessage): a receive that returns messages of a FIFO group moves the group behind all
//   waiting groups, and this order is kept when the messages become visible again.
// Source: recorded
// Test: tests/scenarios/fifo_order.txt#A served group moves behind the waiting groups

/// Does the same as [`close`] after a receive has taken messages from the front of the group's line.
/// The remaining messages of a FIFO group come after the taken ones, so the group is blocked.
pub fn close_served(
    tx: &mut Txn<'_>,
    queue: &Queue,
    group: &mut MessageGroup,
) -> Result<(), Refusal> {
    if !queue.attributes.fifo {
        return close(tx, queue, group);
    }
    group.head = None;
    group.turn = tx.next_sequence()?;
    tx.put_message_group(group);
    Ok(())
}

/// Restores the turn that a FIFO group had before a receive that is undone.
pub fn restore_turn(tx: &mut Txn<'_>, message: &Message, turn: i64) -> Result<(), Refusal> {
    if let Some(mut group) = group_of(tx, message)? {
        group.turn = turn;
        tx.put_message_group(&group);
    }
    Ok(())
}

/// Returns the group of a message, if it has one.
pub fn group_of(tx: &mut Txn<'_>, message: &Message) -> Result<Option<MessageGroup>, Refusal> {
    Ok(match message.group {
        0 => None,
        id => Some(tx.message_group_by_id(id)?),
    })
}

/// Removes a message from its queue, and updates its group.
pub fn discard(tx: &mut Txn<'_>, queue: &Queue, message: &Message) -> Result<(), Refusal> {
    let mut group = group_of(tx, message)?;
    leave(tx, queue, group.as_mut(), message)?;
    if let Some(group) = &mut group {
        close(tx, queue, group)?;
    }
    Ok(())
}

/// Makes a message that was in flight or delayed ready.
pub fn release(tx: &mut Txn<'_>, queue: &Queue, message: &mut Message) -> Result<(), Refusal> {
    let from = message.place;
    let keeps_order = queue.attributes.fifo && !fault!("fifo-order-after-release");
    let to_the_back = !keeps_order && message.receive_count >= RECEIVES_BEFORE_THE_BACK;
    message.rank = if to_the_back { tx.next_sequence()? } else { message.sequence };
    message.place = Place::Line(message.group);
    tx.update_message(queue, from, message)?;
    match group_of(tx, message)? {
        None => tx.effect(Effect::Ready { queue: queue.id, count: 1 }),
        Some(mut group) => {
            if from == Place::InFlight {
                group.in_flight -= 1;
            }
            note_shown(tx, queue, &mut group, message)?;
            if !queue.attributes.fifo {
                tx.effect(Effect::Ready { queue: queue.id, count: 1 });
            }
            close(tx, queue, &mut group)?;
        }
    }
    if from == Place::InFlight && queue.attributes.fifo {
        tell_of_room(tx, queue)?;
    }
    Ok(())
}

/// Makes a page of due messages ready. Returns whether there may be more.
pub fn settle(tx: &mut Txn<'_>, queue: &Queue) -> Result<bool, Refusal> {
    let counts = tx.counts(queue.backlog)?;
    let mut more = false;
    for (place, count) in [(Place::InFlight, counts.in_flight), (Place::Delayed, counts.delayed)] {
        if count == 0 {
            continue;
        }
        let due = tx.due(queue, place, super::PAGE)?;
        more |= due.len() as i64 == super::PAGE;
        for mut message in due {
            release(tx, queue, &mut message)?;
        }
    }
    Ok(more)
}

/// Returns when the retention period of a message ends, in Unix milliseconds.
pub fn expires_at(queue: &Queue, message: &Message) -> i64 {
    let since =
        if fault!("retention-from-the-receive") { message.received_at } else { message.sent_at };
    since + i64::from(queue.attributes.message_retention_period) * 1_000
}

/// Returns whether the retention period of a message has passed.
pub fn is_expired(queue: &Queue, message: &Message, now: i64) -> bool {
    now >= expires_at(queue, message)
}

/// Delays a message that was never received until `message.rank`, in Unix milliseconds.
pub fn delay(tx: &mut Txn<'_>, queue: &Queue, mut message: Message) -> Result<(), Refusal> {
    let from = message.place;
    message.place = Place::Delayed;
    tx.update_message(queue, from, &message)?;
    tx.effect(Effect::Due { queue: queue.id, at: message.rank });
    if let Some(mut group) = group_of(tx, &message)? {
        note_hidden(queue, &mut group, &message);
        close(tx, queue, &mut group)?;
    }
    Ok(())
}
