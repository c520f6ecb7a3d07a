//! Queues: what was sent to each, in the order of arrival, and what may happen to it.

use super::{Complaint, DEDUPLICATION_MS, Oracle, ensure};
use std::collections::{HashMap, HashSet};

/// Milliseconds for which a message can stay in flight after its receive: twelve hours.
const HIDDEN_MS: i64 = 43_200_000;
/// Maximum messages in flight per queue.
const MOST_IN_FLIGHT: usize = 120_000;
/// Messages that a receive checks in any case.
const SHORT: usize = 60;
/// Messages in flight that a receive counts in any case.
const COUNTED: usize = 95;
/// Fair queues: a group with fewer messages in flight is not a noisy neighbor.
const NOISE: usize = 30;
/// Fair queues: a group without a send for this long is not a noisy neighbor.
const QUIET_MS: i64 = 300_000;

/// Times in seconds.
#[derive(Debug, Clone, Default)]
#[allow(clippy::struct_excessive_bools, reason = "these are attributes of AWS's")]
pub struct Attributes {
    pub fifo: bool,
    pub visibility: i64,
    pub delay: i64,
    pub retention: i64,
    pub content_deduplication: bool,
    /// Deduplication per message group.
    pub scoped: bool,
    /// High throughput: per message group.
    pub fast: bool,
    /// Dead-letter queue and maxReceiveCount.
    pub dead_letters: Option<(String, i64)>,
}

#[derive(Debug)]
pub struct Queue {
    pub attributes: Attributes,
    /// In the order of arrival.
    pub messages: Vec<Message>,
    /// By scope and ID: the first message, if known, and the end of its interval.
    deduplication: HashMap<(String, String), (Option<Sent>, i64)>,
    /// Deduplication per message group, as set at creation.
    scoped_at_creation: bool,
    /// By ReceiveRequestAttemptId: the time and the returned messages.
    attempts: HashMap<String, (i64, Vec<Returned>)>,
    /// The turns of FIFO groups; those with a greater number come later. `None` if unknown: messages have
    /// arrived in an unknown order, or have expired and may still be there.
    turns: HashMap<String, Option<u64>>,
    last_turn: u64,
    /// When the last message of each group arrived.
    last_of_group: HashMap<String, i64>,
    /// Messages that count as in flight and do not exist, so that the limit is near.
    pub elsewhere: usize,
}

/// What an attempt returned: message, receipt handle, and whether its visibility was changed since.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Returned {
    id: String,
    handle: String,
    is_changed: bool,
}

/// What a receive with the ID of an earlier attempt must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Return the same messages.
    Same,
    /// Receive other messages.
    Anew,
    /// Be rejected: a message was deleted or changed.
    Refused,
    /// Undocumented by AWS.
    Open,
}

/// The response of the service to an accepted message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub id: String,
    pub sequence_number: Option<String>,
}

/// A message that a client sends.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    pub body: String,
    pub group: Option<String>,
    /// As it must be in effect.
    pub deduplication_id: Option<String>,
    /// Seconds
    pub delay: Option<i64>,
}

#[derive(Debug, Clone)]
pub struct Message {
    pub body: String,
    /// Message attributes; `None` if unknown.
    pub attributes: Option<String>,
    pub group: Option<String>,
    /// `None` if it is unknown.
    pub deduplication_id: Option<String>,
    /// The ID of a message that comes from a topic or was moved is unknown until the message is first
    /// seen.
    pub id: Option<String>,
    pub sequence_number: Option<String>,
    /// An ID that it must no longer have.
    pub former_id: Option<String>,
    pub sent_at: i64,
    pub ready_at: i64,
    pub hidden_until: i64,
    pub received_at: i64,
    pub receives: i64,
    /// Receives in other queues.
    pub receives_elsewhere: i64,
    pub first_received_at: Option<i64>,
    /// Receipt handles since it arrived in this queue.
    pub handles: Vec<String>,
    /// The queue from which it became a dead letter.
    pub source: Option<String>,
}

/// A stored message as seen without receiving it. Body and group are given for messages whose ID the
/// oracle does not know.
#[derive(Debug, Clone)]
pub struct Seen {
    pub id: String,
    pub sent_at: i64,
    pub unknown: Option<(String, Option<String>)>,
}

/// A message as a receive returned it.
#[derive(Debug, Clone)]
pub struct Received {
    pub body: String,
    pub attributes: String,
    pub handle: String,
    pub told: Sent,
    pub group: Option<String>,
    pub deduplication_id: Option<String>,
    pub receives: i64,
    pub sent_at: i64,
    pub first_received_at: i64,
    pub source: Option<String>,
}

/// Success, or the code of the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Succeeds,
    Refused(&'static str),
}

const REFUSED: Verdict = Verdict::Refused("InvalidParameterValue");

impl Message {
    pub fn is(&self, id: &str) -> bool {
        self.id.as_deref() == Some(id)
    }

    fn is_in_flight(&self, now: i64) -> bool {
        self.hidden_until > now
    }

    pub fn is_visible(&self, now: i64) -> bool {
        self.ready_at <= now && !self.is_in_flight(now)
    }

    fn is_latest(&self, handle: &str) -> bool {
        self.handles.last().is_some_and(|latest| latest == handle)
    }

    /// Returns a message that arrives in a queue now.
    pub fn arriving(body: String, now: i64, delay: i64) -> Self {
        Self {
            body,
            attributes: None,
            group: None,
            deduplication_id: None,
            id: None,
            sequence_number: None,
            former_id: None,
            sent_at: now,
            ready_at: now + delay * 1_000,
            hidden_until: 0,
            received_at: 0,
            receives: 0,
            receives_elsewhere: 0,
            first_received_at: None,
            handles: Vec::new(),
            source: None,
        }
    }
}

impl Oracle {
    pub fn create(&mut self, name: &str, attributes: Attributes) {
        let (deduplication, attempts) = (HashMap::new(), HashMap::new());
        let last_of_group = HashMap::new();
        let queue = Queue {
            scoped_at_creation: attributes.scoped,
            attributes,
            messages: Vec::new(),
            deduplication,
            attempts,
            turns: HashMap::new(),
            last_turn: 0,
            last_of_group,
            elsewhere: 0,
        };
        self.queues.insert(name.to_owned(), queue);
    }

    pub fn delete(&mut self, name: &str) {
        self.queues.remove(name);
        self.tasks.remove(name);
    }

    pub fn queue(&mut self, name: &str) -> &mut Queue {
        self.queues.get_mut(name).expect("a queue that exists")
    }

    /// Changes the attributes of a queue.
    pub fn set(&mut self, name: &str, attributes: Attributes) {
        let queue = self.queue(name);
        if attributes.fifo && attributes.delay != queue.attributes.delay {
            let waiting = |message: &&mut Message| message.receives == 0;
            for message in queue.messages.iter_mut().filter(waiting) {
                message.ready_at = message.sent_at + attributes.delay * 1_000;
            }
        }
        queue.attributes = attributes;
        self.pass(0);
    }

    pub fn purge(&mut self, name: &str) {
        let queue = self.queue(name);
        queue.messages.clear();
        queue.deduplication.clear();
        queue.attempts.clear();
        queue.elsewhere = 0;
    }

    /// Records a sent message and its response.
    pub fn sent(&mut self, name: &str, message: &Outgoing, told: Sent) -> Result<(), Complaint> {
        let now = self.now;
        let queue = self.queue(name);
        ensure(queue.attributes.fifo == told.sequence_number.is_some(), || {
            format!("{told:?} of a queue that is FIFO: {}", queue.attributes.fifo)
        })?;
        if let (Some(id), Some(group)) = (&message.deduplication_id, &message.group) {
            match queue.first_of(group, id, now) {
                Some(Some(first)) => {
                    return ensure(*first == told, || {
                        format!("a duplicate is answered with {told:?} instead of {first:?}")
                    });
                }
                // The first message came from a topic, so its ID is unknown.
                Some(first @ None) => {
                    *first = Some(told);
                    return Ok(());
                }
                None => {}
            }
            queue.check_new(&told)?;
            queue.remember(group, id, Some(told.clone()), now);
        }
        ensure(!queue.messages.iter().any(|known| known.is(&told.id)), || {
            format!("the id of {told:?} is one of another message")
        })?;
        let delay = message.delay.filter(|_| !queue.attributes.fifo);
        let delay = delay.unwrap_or(queue.attributes.delay);
        let arriving = Message {
            attributes: Some(String::new()),
            group: message.group.clone(),
            deduplication_id: message.deduplication_id.clone(),
            id: Some(told.id),
            sequence_number: told.sequence_number,
            ..Message::arriving(message.body.clone(), now, delay)
        };
        queue.put(arriving, now);
        Ok(())
    }

    /// Adds a message from a topic to a queue. Returns whether the queue exists.
    pub fn arrive(&mut self, name: &str, message: Message) -> bool {
        let now = self.now;
        let Some(queue) = self.queues.get_mut(name) else { return false };
        let mut message = message;
        if !queue.attributes.fifo {
            message.deduplication_id = None;
        }
        if let (Some(id), Some(group)) = (&message.deduplication_id, &message.group) {
            if queue.first_of(group, id, now).is_some() {
                return true;
            }
            queue.remember(group, id, None, now);
        }
        message.sent_at = now;
        message.ready_at = now + queue.attributes.delay * 1_000;
        queue.put(message, now);
        true
    }

    /// Checks the content of a queue: exactly the expected messages are there. Expired ones may still be
    /// there.
    pub fn saw(&mut self, name: &str, seen: &[Seen]) -> Result<(), Complaint> {
        let now = self.now;
        let queue = self.queue(name);
        let kept_ms = queue.attributes.retention * 1_000;
        let mut there = HashSet::new();
        for one in seen.iter().filter(|one| now < one.sent_at + kept_ms) {
            ensure(there.insert(one.id.as_str()), || format!("{name} has {one:?} twice"))?;
            if queue.messages.iter().any(|message| message.is(&one.id)) {
                continue;
            }
            let (body, group) = one.unknown.clone().unwrap_or_default();
            let is_it = |message: &&mut Message| {
                message.id.is_none() && message.body == body && message.group == group
            };
            let Some(message) = queue.messages.iter_mut().find(is_it) else {
                return Err(format!("{name} has {one:?}, which should not be there"));
            };
            ensure(message.former_id.as_ref() != Some(&one.id), || {
                format!("{one:?} has been moved and kept its id")
            })?;
            message.id = Some(one.id.clone());
        }
        let missing =
            |message: &&Message| !message.id.as_ref().is_some_and(|id| there.contains(id.as_str()));
        match queue.messages.iter().find(missing) {
            Some(lost) => Err(format!("{name} has lost {lost:?}")),
            None => Ok(()),
        }
    }

    /// Checks the messages that a receive returned. `gone` are the messages that moved to the dead-letter queue
    /// meanwhile; the service chooses which of several a full receive moves.
    pub fn received(
        &mut self,
        name: &str,
        max: usize,
        visibility: Option<i64>,
        messages: &[Received],
        gone: &HashSet<String>,
    ) -> Result<(), Complaint> {
        let now = self.now;
        let target = self.queues[name].attributes.dead_letters.clone();
        let target = target.filter(|(target, _)| self.queues.contains_key(target));
        let queue = self.queue(name);
        let timeout = visibility.unwrap_or(queue.attributes.visibility) * 1_000;
        let max = max.min(queue.room(now));
        ensure(messages.len() <= max, || format!("{} of {max}", messages.len()))?;
        let is_too_old = |message: &Message| {
            let here = message.receives - message.receives_elsewhere;
            target.as_ref().is_some_and(|(_, max)| here >= *max)
        };
        let at = |id: &Option<String>| messages.iter().any(|one| Some(&one.told.id) == id.as_ref());
        // The new state of each message.
        let mut moved = Vec::new();
        let mut left = Vec::new();
        // The first remaining message of each group.
        let mut stays: HashMap<&Option<String>, &str> = HashMap::new();
        for message in &queue.messages {
            let body = &message.body;
            let returned = at(&message.id);
            let gone = message.id.as_ref().is_some_and(|id| gone.contains(id));
            let blocked = queue.attributes.fifo && queue.has_hidden_before(message, now);
            if returned || gone {
                ensure(message.is_visible(now), || format!("{body} is hidden or delayed"))?;
                ensure(!blocked, || format!("a hidden message of its group blocks {body}"))?;
                let before = stays.get(&message.group).filter(|_| queue.attributes.fifo);
                ensure(before.is_none(), || {
                    format!("{body} overtook {} of its group", before.unwrap_or(&"nothing"))
                })?;
                ensure(!returned || !gone, || format!("{body} is in two places"))?;
                ensure(!returned || !is_too_old(message), || format!("{body} is a dead letter"))?;
                ensure(!gone || is_too_old(message), || {
                    format!("{body} is no dead letter after {} receives", message.receives)
                })?;
            } else {
                stays.entry(&message.group).or_insert(body);
                if message.is_visible(now) && !blocked {
                    left.push(body.clone());
                }
            }
            if gone {
                moved.extend(message.id.clone());
            }
        }
        // A receive may check only a part of a long queue, but must not return nothing.
        let is_long = queue.messages.len() > SHORT;
        let is_enough = messages.len() == max || (is_long && !messages.is_empty());
        ensure(is_enough || left.is_empty(), || format!("{left:?} could have been returned"))?;
        if queue.attributes.fifo {
            queue.check_order(messages)?;
            let may_come = |message: &Message| {
                message.is_visible(now)
                    && !is_too_old(message)
                    && !queue.has_hidden_before(message, now)
            };
            queue.check_turns(messages, may_come)?;
            queue.serve(messages);
        } else if queue.messages.len() <= COUNTED {
            let may_come = |message: &Message| {
                message.is_visible(now)
                    && !is_too_old(message)
                    && !message.id.as_ref().is_some_and(|id| gone.contains(id))
            };
            queue.check_fairness(messages, may_come, now)?;
        }
        for received in messages {
            queue.take(received, now, now + timeout)?;
        }
        if let Some((target, _)) = target {
            for id in moved {
                self.bury(name, &target, &id);
            }
        }
        Ok(())
    }

    /// Records what an attempt returned.
    pub fn attempted(&mut self, name: &str, attempt: &str, messages: &[Received]) {
        let now = self.now;
        let queue = self.queue(name);
        let returned = messages.iter().filter_map(|one| queue.returned(&one.told.id)).collect();
        queue.attempts.insert(attempt.to_owned(), (now, returned));
    }

    /// Returns what a receive with this attempt ID must do. After five minutes that is open.
    pub fn repeats(&mut self, name: &str, attempt: &str) -> Retry {
        let now = self.now;
        let queue = self.queue(name);
        let Some((at, returned)) = queue.attempts.get(attempt) else { return Retry::Anew };
        if now >= at + DEDUPLICATION_MS {
            return Retry::Open;
        }
        let retry = |one: &Returned| {
            let Some(message) = queue.messages.iter().find(|message| message.is(&one.id)) else {
                return Retry::Refused;
            };
            let is_latest = message.handles.last() == Some(&one.handle);
            match one.is_changed {
                true => Retry::Refused,
                false if is_latest && message.is_in_flight(now) => Retry::Same,
                false => Retry::Anew,
            }
        };
        let all: Vec<_> = returned.iter().map(retry).collect();
        match all {
            _ if all.contains(&Retry::Refused) => Retry::Refused,
            _ if all.contains(&Retry::Anew) || all.is_empty() => Retry::Anew,
            _ => Retry::Same,
        }
    }

    /// Checks the messages that a receive with the ID of an earlier attempt has returned.
    pub fn repeated(
        &mut self,
        name: &str,
        attempt: &str,
        visibility: Option<i64>,
        messages: &[Received],
    ) -> Result<(), Complaint> {
        let now = self.now;
        let queue = self.queue(name);
        let until = now + visibility.unwrap_or(queue.attributes.visibility) * 1_000;
        let (_, first) = queue.attempts.get(attempt).expect("an attempt");
        let mut again: Vec<_> = messages.iter().map(|one| (&one.told.id, &one.handle)).collect();
        let mut wanted: Vec<_> = first.iter().map(|one| (&one.id, &one.handle)).collect();
        again.sort();
        wanted.sort();
        ensure(again == wanted, || format!("an attempt returned {again:?}, first {wanted:?}"))?;
        for received in messages {
            let message = queue.find(&received.told.id).expect("a message that was returned");
            message.hidden_until = until;
            message.check(received)?;
        }
        Ok(())
    }

    fn bury(&mut self, source: &str, target: &str, id: &str) {
        let now = self.now;
        let mut message = self.queue(source).remove(id).expect("a message that was there");
        message.source = Some(source.to_owned());
        message.handles.clear();
        message.ready_at = 0;
        message.hidden_until = 0;
        message.receives_elsewhere = message.receives;
        if self.queues[source].attributes.fifo {
            message.sent_at = now;
            message.sequence_number = None;
            message.deduplication_id.clone_from(&message.id);
        }
        self.queue(target).put_with_others(message, now);
        self.pass(0);
    }

    /// Returns whether a delete with this receipt handle succeeds.
    pub fn deleted(&mut self, name: &str, id: &str, handle: &str) -> Verdict {
        let now = self.now;
        let Some(queue) = self.queues.get_mut(name) else {
            return Verdict::Refused("NonExistentQueue");
        };
        let fifo = queue.attributes.fifo;
        let Some(message) = queue.named(id, handle) else { return Verdict::Succeeds };
        if fifo && !(message.is_latest(handle) && message.is_in_flight(now)) {
            return REFUSED;
        }
        queue.remove(id);
        Verdict::Succeeds
    }

    /// Returns whether a visibility change with this receipt handle succeeds.
    pub fn changed(&mut self, name: &str, id: &str, handle: &str, timeout: i64) -> Verdict {
        let now = self.now;
        let Some(queue) = self.queues.get_mut(name) else {
            return Verdict::Refused("NonExistentQueue");
        };
        let fifo = queue.attributes.fifo;
        let Some(message) = queue.named(id, handle) else { return REFUSED };
        let is_in_flight = message.is_in_flight(now);
        if fifo && !(message.is_latest(handle) && is_in_flight) {
            return REFUSED;
        }
        // A timeout of 0 for a visible message changes nothing.
        if timeout == 0 && !is_in_flight {
            return Verdict::Succeeds;
        }
        let until = now + timeout * 1_000;
        if until - message.received_at > HIDDEN_MS {
            return REFUSED;
        }
        message.hidden_until = until;
        let returned = queue.attempts.values_mut().flat_map(|(_, returned)| returned);
        for one in returned.filter(|one| one.id == id && one.handle == handle) {
            one.is_changed = true;
        }
        Verdict::Succeeds
    }

    /// Returns what an unlimited receive would have to return, except for the limit of messages in flight.
    pub fn receivable(&self, name: &str) -> Vec<&str> {
        let queue = &self.queues[name];
        let mut receivable = queue.receivable(self.now);
        receivable.truncate(queue.room(self.now));
        receivable
    }

    /// Returns how many more messages of a queue may be in flight.
    pub fn room(&self, name: &str) -> usize {
        self.queues[name].room(self.now)
    }

    /// Adds imaginary messages in flight until only `room` more are allowed. Returns their number.
    pub fn leave_room(&mut self, name: &str, room: usize) -> usize {
        let now = self.now;
        let queue = self.queue(name);
        queue.elsewhere = 0;
        queue.elsewhere = queue.room(now).saturating_sub(room);
        queue.elsewhere
    }

    /// Returns the milliseconds until the next hidden message becomes visible.
    pub fn next_due(&self, name: &str) -> Option<i64> {
        let messages = self.queues[name].messages.iter();
        let due = messages.map(|message| message.hidden_until.max(message.ready_at) - self.now);
        due.filter(|ms| *ms > 0).min()
    }

    /// Visible, in flight, delayed.
    pub fn counts(&self, name: &str) -> [usize; 3] {
        let messages = &self.queues[name].messages;
        let in_flight = messages.iter().filter(|message| message.is_in_flight(self.now)).count();
        let visible = messages.iter().filter(|message| message.is_visible(self.now)).count();
        [visible, in_flight, messages.len() - visible - in_flight]
    }
}

impl Queue {
    fn scope(&self, group: &str, id: &str) -> (String, String) {
        let scope = if self.scoped_at_creation { format!("group {group}") } else { "queue".into() };
        (scope, id.to_owned())
    }

    /// Returns the first message of which a send with this deduplication ID would be a duplicate, if known.
    pub fn first_of(&mut self, group: &str, id: &str, now: i64) -> Option<&mut Option<Sent>> {
        let scope = self.scope(group, id);
        let (sent, until) = self.deduplication.get_mut(&scope)?;
        (*until > now).then_some(sent)
    }

    fn remember(&mut self, group: &str, id: &str, sent: Option<Sent>, now: i64) {
        let scope = self.scope(group, id);
        self.deduplication.insert(scope, (sent, now + DEDUPLICATION_MS));
    }

    /// Checks that a new message has a new ID, and a greater sequence number than all before.
    fn check_new(&self, told: &Sent) -> Result<(), Complaint> {
        let known = self.deduplication.values().find(|(sent, _)| sent.as_ref() == Some(told));
        ensure(known.is_none(), || format!("{told:?} is no duplicate"))?;
        let newest = self.messages.iter().filter_map(|message| message.sequence_number.as_ref());
        let newest = newest.max();
        ensure(newest < told.sequence_number.as_ref(), || format!("{told:?} after {newest:?}"))
    }

    /// Removes expired messages. Returns whether a client holds the receipt handle of one.
    pub fn expire(&mut self, now: i64) -> bool {
        let kept_ms = self.attributes.retention * 1_000;
        let mut was_received = false;
        let turns = &mut self.turns;
        self.messages.retain(|message| {
            let stays = now < message.sent_at + kept_ms;
            was_received |= !stays && message.receives > 0;
            // It may still be there when the next message of its group arrives.
            if let Some(group) = message.group.as_ref().filter(|_| !stays) {
                turns.insert(group.clone(), None);
            }
            stays
        });
        was_received
    }

    pub fn find(&mut self, id: &str) -> Option<&mut Message> {
        self.messages.iter_mut().find(|message| message.is(id))
    }

    fn named(&mut self, id: &str, handle: &str) -> Option<&mut Message> {
        self.find(id).filter(|message| message.handles.iter().any(|known| known == handle))
    }

    fn returned(&self, id: &str) -> Option<Returned> {
        let message = self.messages.iter().find(|message| message.is(id))?;
        let handle = message.handles.last()?.clone();
        Some(Returned { id: id.to_owned(), handle, is_changed: false })
    }

    fn in_flight(&self, now: i64) -> usize {
        let in_flight = self.messages.iter().filter(|message| message.is_in_flight(now));
        in_flight.count() + self.elsewhere
    }

    fn room(&self, now: i64) -> usize {
        MOST_IN_FLIGHT.saturating_sub(self.in_flight(now))
    }

    /// Returns whether an earlier message of its group is in flight or delayed.
    fn has_hidden_before(&self, message: &Message, now: i64) -> bool {
        let of_group = self.messages.iter().filter(|other| other.group == message.group);
        of_group.take_while(|other| !std::ptr::eq(*other, message)).any(|one| !one.is_visible(now))
    }

    /// Adds a message. The first message of a group puts the group behind the others.
    pub fn put(&mut self, message: Message, now: i64) {
        if let Some(group) = &message.group {
            self.last_of_group.insert(group.clone(), now);
            let is_first = !self.messages.iter().any(|other| other.group == message.group);
            if is_first && self.turns.get(group) != Some(&None) {
                self.last_turn += 1;
                self.turns.insert(group.clone(), Some(self.last_turn));
            }
        }
        self.messages.push(message);
    }

    /// Adds a message that arrived with others in an unknown order.
    pub fn put_with_others(&mut self, message: Message, now: i64) {
        if let Some(group) = message.group.clone()
            && !self.messages.iter().any(|other| other.group == message.group)
        {
            self.turns.insert(group, None);
        }
        self.put(message, now);
    }

    /// Returns what an unlimited receive would have to return.
    fn receivable(&self, now: i64) -> Vec<&str> {
        let fifo = self.attributes.fifo;
        let may_come = |message: &&Message| {
            message.is_visible(now) && !(fifo && self.has_hidden_before(message, now))
        };
        self.messages.iter().filter(may_come).map(|message| message.body.as_str()).collect()
    }

    /// Checks that messages of other groups come before those of a group with thirty messages in flight that are
    /// more than a tenth of all; among such groups the one with the fewest comes first.
    fn check_fairness(
        &self,
        messages: &[Received],
        may_come: impl Fn(&Message) -> bool,
        now: i64,
    ) -> Result<(), Complaint> {
        let mut in_flight: HashMap<&str, usize> = HashMap::new();
        let mut total = self.in_flight(now);
        for message in self.messages.iter().filter(|message| message.is_in_flight(now)) {
            if let Some(group) = &message.group {
                *in_flight.entry(group).or_default() += 1;
            }
        }
        let mut waiting: Vec<_> = self.messages.iter().filter(|one| may_come(one)).collect();
        for received in messages {
            let noise = |group: &Option<String>| {
                let group = group.as_deref()?;
                let held = in_flight.get(group).copied().unwrap_or_default();
                let is_sent_to =
                    self.last_of_group.get(group).is_some_and(|at| now < at + QUIET_MS);
                (held >= NOISE && held * 10 > total && is_sent_to).then_some(held)
            };
            waiting.retain(|message| !message.is(&received.told.id));
            if let Some(held) = noise(&received.group) {
                let first = waiting.iter().find(|one| noise(&one.group).is_none_or(|of| of < held));
                ensure(first.is_none(), || {
                    format!("{} of a noisy neighbour before {first:?}", received.body)
                })?;
            }
            total += 1;
            if let Some(group) = &received.group {
                *in_flight.entry(group).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Checks that groups are served in the order of their turns.
    fn check_turns(
        &self,
        messages: &[Received],
        may_come: impl Fn(&Message) -> bool,
    ) -> Result<(), Complaint> {
        let mut served: Vec<&String> =
            messages.iter().filter_map(|one| one.group.as_ref()).collect();
        served.dedup();
        let mut last = None;
        for group in &served {
            let Some(turn) = self.turns.get(*group).copied().flatten() else { continue };
            ensure(last < Some(turn), || format!("{group} is served late: {:?}", self.turns))?;
            last = Some(turn);
        }
        let waiting = self.messages.iter().filter(|message| may_come(message));
        for group in waiting.filter_map(|message| message.group.as_ref()) {
            let turn = self.turns.get(group).copied().flatten();
            let is_passed_over = turn.is_some() && turn < last && !served.contains(&group);
            ensure(!is_passed_over, || format!("{group} is passed over: {:?}", self.turns))?;
        }
        Ok(())
    }

    /// Moves served groups behind the others.
    fn serve(&mut self, messages: &[Received]) {
        let mut served: Vec<&String> =
            messages.iter().filter_map(|one| one.group.as_ref()).collect();
        served.dedup();
        for group in served {
            self.last_turn += 1;
            self.turns.insert(group.clone(), Some(self.last_turn));
        }
    }

    /// Checks that messages of one group come in order and together.
    fn check_order(&self, messages: &[Received]) -> Result<(), Complaint> {
        let place = |one: &Received| self.messages.iter().position(|known| known.is(&one.told.id));
        for (first, second) in messages.iter().zip(messages.iter().skip(1)) {
            let in_order = first.group != second.group || place(first) < place(second);
            ensure(in_order, || format!("{} before {}", first.body, second.body))?;
            let (one, other) = (&first.told.sequence_number, &second.told.sequence_number);
            let numbered = first.group != second.group || one < other;
            ensure(numbered, || format!("in one group {one:?} before {other:?}"))?;
        }
        let mut groups: Vec<_> = messages.iter().map(|message| &message.group).collect();
        groups.dedup();
        let runs = groups.len();
        groups.sort();
        groups.dedup();
        ensure(runs == groups.len(), || "a group's messages are not together".into())
    }

    fn take(&mut self, received: &Received, now: i64, until: i64) -> Result<(), Complaint> {
        let found = self.find(&received.told.id);
        let message = found.ok_or_else(|| format!("{received:?} should not exist"))?;
        message.receives += 1;
        message.received_at = now;
        message.hidden_until = until;
        message.first_received_at.get_or_insert(now);
        let is_new = !message.handles.contains(&received.handle);
        ensure(is_new, || format!("{} was given out with an old handle", received.body))?;
        message.handles.push(received.handle.clone());
        let number = &mut message.sequence_number;
        *number = number.take().or_else(|| received.told.sequence_number.clone());
        message.check(received)
    }

    pub fn remove(&mut self, id: &str) -> Option<Message> {
        let index = self.messages.iter().position(|message| message.is(id))?;
        Some(self.messages.remove(index))
    }
}

impl Message {
    /// Checks the members of a received message.
    fn check(&self, received: &Received) -> Result<(), Complaint> {
        let body = &self.body;
        let wanted = (
            body,
            &self.group,
            self.receives,
            self.sent_at,
            self.first_received_at,
            &self.sequence_number,
            &self.source,
        );
        let got = (
            &received.body,
            &received.group,
            received.receives,
            received.sent_at,
            Some(received.first_received_at),
            &received.told.sequence_number,
            &received.source,
        );
        ensure(wanted == got, || format!("{body} is {got:?} instead of {wanted:?}"))?;
        let attributes = self.attributes.as_ref().is_none_or(|known| *known == received.attributes);
        ensure(attributes, || {
            format!("{body} has {:?} instead of {:?}", received.attributes, self.attributes)
        })?;
        let id = &self.deduplication_id;
        ensure(id.is_none() || *id == received.deduplication_id, || {
            format!("{body} has {:?} instead of {id:?}", received.deduplication_id)
        })
    }
}
