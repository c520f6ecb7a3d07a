//! How messages change places. Every change goes through here, so that the rows of message groups
//! always agree with the messages.
//!
//! ```text
//!  send ──► Line ──take──► InFlight ──leave──► (deleted, dead-lettered, moved)
//!    └► Delayed ─release─► Line ◄──release──┘
//! ```

use crate::domain::Refusal;
use crate::domain::limits::IN_FLIGHT_MESSAGES;
use crate::store::{Content, Effect, Message, MessageGroup, Place, Queue, Txn};

/// Receives after which a standard queue no longer puts a message back at the front: a message
/// that nobody manages to process must not keep the others from being tried.
const RECEIVES_BEFORE_THE_BACK: i64 = 3;

/// Puts a message into a queue, in a line or under a delay, and into its group.
/// `message.group` and `message.content` are set here.
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
    tx.insert_message(queue.backlog, message, content)?;
    if let Some(group) = &mut group {
        group.size += 1;
        group.last_sent_at = tx.now();
        let locked = queue.attributes.fifo && group.in_flight > 0;
        if ready && !locked {
            group.head = Some(group.head.map_or(message.rank, |head| head.min(message.rank)));
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
    })
}

/// Hides a message of a line until a time. The caller has its group at hand and closes it when
/// it has taken what it wants: see [`close`].
pub fn take(
    tx: &mut Txn<'_>,
    queue: &Queue,
    group: Option<&mut MessageGroup>,
    message: &mut Message,
    until: i64,
) -> Result<(), Refusal> {
    let from = message.place;
    message.place = Place::InFlight;
    message.rank = until;
    message.received_at = tx.now();
    if message.receive_count == 0 {
        message.first_received_at = message.received_at;
    }
    message.receive_count += 1;
    tx.update_message(queue.backlog, from, message)?;
    tx.effect(Effect::Due { queue: queue.id, at: until });
    if let Some(group) = group {
        group.in_flight += 1;
    }
    Ok(())
}

/// Takes a message out of its queue, content and all; the caller has its group at hand and closes
/// it.
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
    }
    if message.place == Place::InFlight {
        tell_of_room(tx, queue)?;
    }
    Ok(())
}

/// After a message was in flight: if as many were as may be, somebody may wait for just that.
fn tell_of_room(tx: &mut Txn<'_>, queue: &Queue) -> Result<(), Refusal> {
    if tx.counts(queue.backlog)?.in_flight + 1 >= IN_FLIGHT_MESSAGES {
        tx.effect(Effect::Ready { queue: queue.id, count: 1 });
    }
    Ok(())
}

/// Makes the row of a group agree with what was done to its messages.
pub fn close(tx: &mut Txn<'_>, queue: &Queue, group: &mut MessageGroup) -> Result<(), Refusal> {
    let was_blocked = group.head.is_none();
    let locked = queue.attributes.fifo && group.in_flight > 0;
    group.head =
        if locked || group.size == 0 { None } else { tx.line_head(queue.backlog, group.id)? };
    if was_blocked && group.head.is_some() {
        tx.effect(Effect::Ready { queue: queue.id, count: 1 });
    }
    tx.put_message_group(group);
    Ok(())
}

/// The group of a message, if it has one.
pub fn group_of(tx: &mut Txn<'_>, message: &Message) -> Result<Option<MessageGroup>, Refusal> {
    Ok(match message.group {
        0 => None,
        id => Some(tx.message_group_by_id(id)?),
    })
}

/// Takes a message out of its queue, and closes its group.
pub fn discard(tx: &mut Txn<'_>, queue: &Queue, message: &Message) -> Result<(), Refusal> {
    let mut group = group_of(tx, message)?;
    leave(tx, queue, group.as_mut(), message)?;
    if let Some(group) = &mut group {
        close(tx, queue, group)?;
    }
    Ok(())
}

/// Puts a message that was in flight or delayed (back) into its line.
pub fn release(tx: &mut Txn<'_>, queue: &Queue, message: &mut Message) -> Result<(), Refusal> {
    let from = message.place;
    let to_the_back = !queue.attributes.fifo && message.receive_count >= RECEIVES_BEFORE_THE_BACK;
    message.rank = if to_the_back { tx.next_sequence()? } else { message.sequence };
    message.place = Place::Line(message.group);
    tx.update_message(queue.backlog, from, message)?;
    match group_of(tx, message)? {
        None => tx.effect(Effect::Ready { queue: queue.id, count: 1 }),
        Some(mut group) => {
            if from == Place::InFlight {
                group.in_flight -= 1;
            }
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

/// Releases messages whose time has come, a page of them. Tells whether there may be more.
pub fn settle(tx: &mut Txn<'_>, queue: &Queue) -> Result<bool, Refusal> {
    let counts = tx.counts(queue.backlog)?;
    let mut more = false;
    for (place, count) in [(Place::InFlight, counts.in_flight), (Place::Delayed, counts.delayed)] {
        if count == 0 {
            continue;
        }
        let due = tx.due(queue.backlog, place, super::PAGE)?;
        more |= due.len() as i64 == super::PAGE;
        for mut message in due {
            release(tx, queue, &mut message)?;
        }
    }
    Ok(more)
}

/// When the retention period of a message has passed, in Unix milliseconds.
pub fn expires_at(queue: &Queue, message: &Message) -> i64 {
    message.sent_at + i64::from(queue.attributes.message_retention_period) * 1_000
}

/// Whether the retention period of a message has passed.
pub fn is_expired(queue: &Queue, message: &Message, now: i64) -> bool {
    now >= expires_at(queue, message)
}

/// Puts a message that nobody has received under a delay until `message.rank`.
pub fn delay(tx: &mut Txn<'_>, queue: &Queue, mut message: Message) -> Result<(), Refusal> {
    let from = message.place;
    message.place = Place::Delayed;
    tx.update_message(queue.backlog, from, &message)?;
    tx.effect(Effect::Due { queue: queue.id, at: message.rank });
    if let Some(mut group) = group_of(tx, &message)? {
        close(tx, queue, &mut group)?;
    }
    Ok(())
}
