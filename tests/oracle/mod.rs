//! What a queue service must answer, written down a second time in the plainest way: lists of
//! messages that are searched from end to end. It is told what the service has answered, and
//! complains if no right service could have answered that.
//!
//! Messages are known by their bodies, of which no two are alike in one queue.

use std::collections::{BTreeMap, HashMap};

const DEDUPLICATION_MS: i64 = 300_000;

/// Why an answer cannot be right.
pub type Complaint = String;

/// All queues, by name. Times are Unix milliseconds.
#[derive(Debug, Default)]
pub struct Oracle {
    pub now: i64,
    pub queues: BTreeMap<String, Queue>,
}

/// Times in seconds.
#[derive(Debug, Clone)]
pub struct Attributes {
    pub fifo: bool,
    pub visibility: i64,
    pub delay: i64,
    pub retention: i64,
    pub content_deduplication: bool,
    /// Deduplication per message group.
    pub scoped: bool,
    /// Dead-letter queue and maxReceiveCount.
    pub dead_letters: Option<(String, i64)>,
}

#[derive(Debug)]
pub struct Queue {
    pub attributes: Attributes,
    /// Older queues of the same name, whose handles are of no use here.
    pub incarnation: u32,
    /// In the order of arrival.
    pub messages: Vec<Message>,
    /// By scope and id: what was sent first, and until when that counts.
    deduplication: HashMap<(String, String), (Sent, i64)>,
}

/// What the service told of a message that it accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub id: String,
    pub sequence_number: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Message {
    pub body: String,
    pub group: Option<String>,
    /// Not known of one that a move task has made anew.
    told: Option<Sent>,
    sent_at: i64,
    ready_at: i64,
    hidden_until: i64,
    receives: i64,
    first_received_at: Option<i64>,
    /// Of its receives since it came to this queue.
    handles: Vec<String>,
    source: Option<String>,
}

/// A message as a receive returned it.
#[derive(Debug, Clone)]
pub struct Received {
    pub body: String,
    pub handle: String,
    pub told: Sent,
    pub group: Option<String>,
    pub receives: i64,
    pub sent_at: i64,
    pub first_received_at: i64,
}

impl Message {
    fn is_named(&self, body: &str, handle: &str) -> bool {
        self.body == body && self.handles.iter().any(|known| known == handle)
    }

    fn is_in_flight(&self, now: i64) -> bool {
        self.hidden_until > now
    }

    fn is_visible(&self, now: i64) -> bool {
        self.ready_at <= now && !self.is_in_flight(now)
    }
}

fn ensure(condition: bool, complaint: impl FnOnce() -> Complaint) -> Result<(), Complaint> {
    if condition { Ok(()) } else { Err(complaint()) }
}

impl Oracle {
    pub fn create(&mut self, name: &str, attributes: Attributes, incarnation: u32) {
        let deduplication = HashMap::new();
        let queue = Queue { attributes, incarnation, messages: Vec::new(), deduplication };
        self.queues.insert(name.to_owned(), queue);
    }

    fn queue(&mut self, name: &str) -> &mut Queue {
        self.queues.get_mut(name).expect("a queue that exists")
    }

    /// Time passes; what is too old is gone. Tells whether somebody holds a handle of that.
    pub fn pass(&mut self, milliseconds: i64) -> bool {
        self.now += milliseconds;
        let now = self.now;
        let mut was_received = false;
        for queue in self.queues.values_mut() {
            let kept_ms = queue.attributes.retention * 1_000;
            queue.messages.retain(|message| {
                let stays = now < message.sent_at + kept_ms;
                was_received |= !stays && message.receives > 0;
                stays
            });
        }
        was_received
    }

    /// The queue's attributes are others now.
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

    /// What a send of this deduplication id would be a duplicate of.
    pub fn duplicate(&self, name: &str, group: &str, id: &str) -> Option<&Sent> {
        let queue = &self.queues[name];
        let (sent, until) = queue.deduplication.get(&queue.scope(group, id))?;
        (*until > self.now).then_some(sent)
    }

    pub fn sent(
        &mut self,
        name: &str,
        body: &str,
        group: Option<&str>,
        deduplication_id: Option<&str>,
        delay: Option<i64>,
        told: Sent,
    ) -> Result<(), Complaint> {
        let now = self.now;
        if let Some(id) = deduplication_id {
            let group = group.expect("a group");
            if let Some(first) = self.duplicate(name, group, id) {
                return ensure(*first == told, || format!("{told:?} instead of {first:?}"));
            }
            let queue = self.queue(name);
            let known = queue.deduplication.values().find(|(sent, _)| *sent == told);
            ensure(known.is_none(), || format!("{told:?} is no duplicate"))?;
            let newest = queue.messages.iter().filter_map(|message| message.told.as_ref());
            let newest = newest.filter_map(|told| told.sequence_number.clone()).max();
            ensure(newest < told.sequence_number, || format!("{told:?} after {newest:?}"))?;
            let key = queue.scope(group, id);
            queue.deduplication.insert(key, (told.clone(), now + DEDUPLICATION_MS));
        }
        let queue = self.queue(name);
        let delay = delay.filter(|_| !queue.attributes.fifo).unwrap_or(queue.attributes.delay);
        queue.messages.push(Message {
            body: body.to_owned(),
            group: group.map(str::to_owned),
            told: Some(told),
            sent_at: now,
            ready_at: now + delay * 1_000,
            hidden_until: 0,
            receives: 0,
            first_received_at: None,
            handles: Vec::new(),
            source: None,
        });
        Ok(())
    }

    /// A receive returned these. `in_dead_letters` tells whether a message is in the dead-letter
    /// queue now: which of several a full receive has moved is up to the service.
    pub fn received(
        &mut self,
        name: &str,
        max: usize,
        visibility: Option<i64>,
        messages: &[Received],
        in_dead_letters: impl Fn(&str) -> bool,
    ) -> Result<(), Complaint> {
        let now = self.now;
        let target = self.queues[name].attributes.dead_letters.clone();
        let target = target.filter(|(target, _)| self.queues.contains_key(target));
        let queue = self.queue(name);
        let timeout = visibility.unwrap_or(queue.attributes.visibility) * 1_000;
        ensure(messages.len() <= max, || format!("{} of {max}", messages.len()))?;
        let is_too_old =
            |message: &Message| target.as_ref().is_some_and(|(_, max)| message.receives >= *max);
        let at = |body: &str| messages.iter().position(|message| message.body == body);
        // What became of each message that was there.
        let mut moved = Vec::new();
        let mut left = Vec::new();
        let mut ended_groups: Vec<Option<String>> = Vec::new();
        let locked = queue.locked_groups(now);
        for message in &queue.messages {
            let body = &message.body;
            let returned = at(body);
            let gone = is_too_old(message) && message.is_visible(now) && in_dead_letters(body);
            let blocked = queue.attributes.fifo && locked.contains(&message.group);
            if returned.is_some() || gone {
                ensure(message.is_visible(now), || format!("{body} is hidden or delayed"))?;
                ensure(!blocked, || format!("the group of {body} is locked"))?;
                let overtook = queue.attributes.fifo && ended_groups.contains(&message.group);
                ensure(!overtook, || format!("{body} overtook others of its group"))?;
                ensure(returned.is_none() || !gone, || format!("{body} is in two places"))?;
                ensure(returned.is_none() || !is_too_old(message), || {
                    format!("{body} is a dead letter")
                })?;
            } else {
                ended_groups.push(message.group.clone());
                if message.is_visible(now)
                    && !blocked
                    && !(queue.attributes.fifo && queue.has_hidden_before(message, now))
                {
                    left.push(body.clone());
                }
            }
            if gone {
                moved.push(body.clone());
            }
        }
        ensure(messages.len() == max || left.is_empty(), || {
            format!("{left:?} could have been returned")
        })?;
        if queue.attributes.fifo {
            queue.check_order(messages)?;
        }
        for received in messages {
            queue.take(received, now, now + timeout)?;
        }
        if let Some((target, _)) = target {
            for body in moved {
                self.bury(name, &target, &body);
            }
        }
        Ok(())
    }

    fn bury(&mut self, source: &str, target: &str, body: &str) {
        let now = self.now;
        let mut message = self.queue(source).remove(body).expect("a message that was there");
        message.source = Some(source.to_owned());
        message.handles.clear();
        message.ready_at = 0;
        message.hidden_until = 0;
        if self.queues[source].attributes.fifo {
            message.sent_at = now;
            let id = message.told.map(|told| told.id);
            message.told = id.map(|id| Sent { id, sequence_number: None });
        }
        self.queue(target).messages.push(message);
        self.pass(0);
    }

    /// A move task has brought everything that could be received back to where it came from.
    pub fn moved_back(&mut self, name: &str) {
        let now = self.now;
        let queue = self.queue(name);
        let (moving, staying) =
            queue.messages.drain(..).partition(|message| message.is_visible(now));
        queue.messages = staying;
        let moving: Vec<Message> = moving;
        for message in moving {
            let source = message.source.expect("a message that has come from somewhere");
            let queue = self.queue(&source);
            queue.messages.push(Message {
                told: None,
                sent_at: now,
                ready_at: now + queue.attributes.delay * 1_000,
                hidden_until: 0,
                receives: 0,
                first_received_at: None,
                handles: Vec::new(),
                source: None,
                ..message
            });
        }
    }

    /// Whether a delete with this handle succeeds.
    pub fn deleted(&mut self, name: &str, body: &str, handle: &str) -> bool {
        let now = self.now;
        let queue = self.queue(name);
        let found = queue.messages.iter().find(|message| message.is_named(body, handle));
        let Some(message) = found else { return true };
        let is_latest = message.handles.last().is_some_and(|latest| latest == handle);
        let may = is_latest && (!queue.attributes.fifo || message.is_in_flight(now));
        if may {
            queue.remove(body);
        }
        may || !queue.attributes.fifo
    }

    /// Whether a change of visibility with this handle succeeds.
    pub fn changed(&mut self, name: &str, body: &str, handle: &str, timeout: i64) -> bool {
        let now = self.now;
        let queue = self.queue(name);
        let fifo = queue.attributes.fifo;
        let found = queue.messages.iter_mut().find(|message| message.is_named(body, handle));
        let Some(message) = found.filter(|message| message.is_in_flight(now)) else {
            return false;
        };
        if fifo && message.handles.last().is_none_or(|latest| latest != handle) {
            return false;
        }
        message.hidden_until = now + timeout * 1_000;
        true
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
        let scope = if self.attributes.scoped { format!("group {group}") } else { "queue".into() };
        (scope, id.to_owned())
    }

    fn locked_groups(&self, now: i64) -> Vec<Option<String>> {
        let in_flight = self.messages.iter().filter(|message| message.is_in_flight(now));
        in_flight.map(|message| message.group.clone()).collect()
    }

    /// Whether a message that cannot be received now stands before this one in its group.
    fn has_hidden_before(&self, message: &Message, now: i64) -> bool {
        let of_group = self.messages.iter().filter(|other| other.group == message.group);
        of_group.take_while(|other| other.body != message.body).any(|other| !other.is_visible(now))
    }

    /// Messages of one group come in order, and all together.
    fn check_order(&self, messages: &[Received]) -> Result<(), Complaint> {
        let place = |body: &str| self.messages.iter().position(|message| message.body == body);
        for (first, second) in messages.iter().zip(messages.iter().skip(1)) {
            let in_order = first.group != second.group || place(&first.body) < place(&second.body);
            ensure(in_order, || format!("{} before {}", first.body, second.body))?;
        }
        let mut groups: Vec<_> = messages.iter().map(|message| &message.group).collect();
        groups.dedup();
        let runs = groups.len();
        groups.sort();
        groups.dedup();
        ensure(runs == groups.len(), || "a group's messages are not together".into())
    }

    fn take(&mut self, received: &Received, now: i64, until: i64) -> Result<(), Complaint> {
        let body = &received.body;
        let found = self.messages.iter_mut().find(|message| message.body == *body);
        let message = found.ok_or_else(|| format!("{body} should not exist"))?;
        message.receives += 1;
        message.hidden_until = until;
        let first = *message.first_received_at.get_or_insert(now);
        message.handles.push(received.handle.clone());
        let told = message.told.get_or_insert_with(|| received.told.clone());
        told.sequence_number =
            told.sequence_number.take().or_else(|| received.told.sequence_number.clone());
        let wanted = (&message.group, message.receives, message.sent_at, first, &*told);
        let got = (
            &received.group,
            received.receives,
            received.sent_at,
            received.first_received_at,
            &received.told,
        );
        ensure(wanted == got, || format!("{body} is {got:?} instead of {wanted:?}"))
    }

    fn remove(&mut self, body: &str) -> Option<Message> {
        let index = self.messages.iter().position(|message| message.body == body)?;
        Some(self.messages.remove(index))
    }
}
