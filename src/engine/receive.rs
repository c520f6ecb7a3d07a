//! Receive: makes due messages ready, chooses message groups by turn, and puts messages in flight.
//!
//! Standard queues return the oldest messages first, and quiet message groups before noisy ones. FIFO queues
//! return as many as possible of the group whose turn it is, then of others.

use super::access::Access;
use super::{dead_letter, places, sweep};
use crate::domain::fairness::{NOISY_GROUPS, is_noisy};
use crate::domain::limits::{
    DEDUPLICATION_INTERVAL_MS, IN_FLIGHT_MESSAGES, RECEIVED_BYTES, RECEIVED_MESSAGES,
};
use crate::domain::receipt::Receipt;
use crate::domain::redrive::to_dead_letter;
use crate::domain::{Kind, Refusal};
use crate::store::{Content, Counts, Message, MessageGroup, Place, Queue, Txn};
use std::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::Arc;

/// Messages that one transaction checks, most of which it may have to move or delete; at least as many as
/// requested.
const CANDIDATES: usize = 100;
/// Messages whose contents are read at once, and are in memory whether they are received or not.
const PAGE: usize = *RECEIVED_MESSAGES.end() as usize;

/// The parameters of a receive.
#[derive(Debug, Clone)]
pub struct Request {
    /// The permissions of the caller.
    pub access: Access,
    /// MaxNumberOfMessages
    pub max: usize,
    /// VisibilityTimeout in seconds; `None` for the queue's default.
    pub visibility_timeout: Option<i64>,
    /// ReceiveRequestAttemptId, on FIFO queues.
    pub attempt_id: Option<String>,
    /// Whether this is a long poll: then the in-flight limit of a standard queue is a reason to wait, not an
    /// error.
    pub may_wait: bool,
    /// `false` only checks whether any message is available.
    pub may_take: bool,
    /// Maximum bytes of the response.
    pub room: usize,
    /// Returns the maximum bytes of a message in the response.
    pub weigh: fn(&Content) -> usize,
}

/// The result of a receive.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// The messages, now in flight.
    pub messages: Vec<Delivery>,
    /// Their maximum bytes in the response.
    pub weight: usize,
    /// Whether messages are available, if none were to be received. The other fields are empty then.
    pub left: bool,
    /// Whether there may be messages beyond the checked ones.
    pub more: bool,
    /// If nothing was received because the first message does not fit: the bytes that it needs.
    pub needs_room: Option<usize>,
    /// If nothing was found: when the next message becomes ready by itself, in Unix milliseconds.
    pub next_due: Option<i64>,
}

/// A received message.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The content of its receipt handle.
    pub receipt: Receipt,
    /// ReceiptHandle; empty if the message was not received.
    pub handle: String,
    /// The part that changes, in its current state.
    pub message: Message,
    /// The part that does not change.
    pub content: Content,
    /// MessageGroupId
    pub group: Option<String>,
    /// The previous turn of its group.
    pub former_turn: i64,
}

// Rule (ReceiveMessage): at the limit of messages in flight, a short poll of a standard queue is rejected
//   with OverLimit, status 403; a long poll, and any poll of a FIFO queue, returns nothing.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
// Test: tests/scenarios/in_flight_limit.txt#A short poll of a full standard queue is rejected

// Rule (ReceiveMessage): with VisibilityTimeout 0 a message is visible again at once, and the receive
//   counts.
// Source: recorded
// Test: tests/scenarios/visibility.txt#The timeout of one receive
//
// Rule (ReceiveMessage): a ReceiveRequestAttemptId of a standard queue is accepted and ignored.
// Source: reported, awspring/spring-cloud-aws#529
// Test: tests/scenarios/attributes_of_messages.txt#A standard queue ignores a receive attempt's id.

/// Receives messages.
pub fn receive(tx: &mut Txn<'_>, queue: &Queue, request: &Request) -> Result<Received, Refusal> {
    let timeout =
        request.visibility_timeout.unwrap_or_else(|| queue.attributes.visibility_timeout.into());
    let until = tx.now() + timeout * 1_000;
    let attempt_id = request.attempt_id.as_deref().filter(|_| queue.attributes.fifo);
    if let Some(attempt) = attempt_id
        && let Some(repeated) = repeat(tx, queue, attempt, until, request)?
    {
        return Ok(repeated);
    }
    let mut more = places::settle(tx, queue)?;
    let Counts { ready, in_flight, .. } = tx.counts(queue.backlog)?;
    if ready > 0 && !request.may_take {
        return Ok(Received { left: true, ..Received::default() });
    }
    let room = usize::try_from(IN_FLIGHT_MESSAGES - in_flight).unwrap_or(0)
        + usize::from(fault!("in-flight-limit-exceeded"));
    if room == 0 && !queue.attributes.fifo && !request.may_wait {
        return Err(Refusal::new(
            Kind::OverLimit,
            "Too many messages have been received without being deleted.\nPlease delete your \
             received messages or let them timeout before receiving more.",
        ));
    }
    let mut taken = Taking {
        queue,
        until,
        wanted: if ready > 0 { request.max.min(room) } else { 0 },
        in_flight,
        candidates: CANDIDATES.max(request.max),
        bytes: RECEIVED_BYTES,
        room: request.room,
        weigh: request.weigh,
        does_not_fit: None,
        dead_letter_queue: OnceCell::new(),
        messages: Vec::new(),
    };
    more |= taken.run(tx)?;
    let (messages, weight) = (taken.messages, request.room - taken.room);
    let needs_room = taken.does_not_fit.filter(|_| messages.is_empty());
    // Messages that expired in flight and were not swept yet no longer block their group.
    if messages.is_empty() && sweep::may_be_locked(tx, queue)? {
        more |= sweep::expire_page(tx, queue)? > 0;
    }
    if let Some(attempt) = attempt_id
        && !messages.is_empty()
    {
        remember(tx, queue, attempt, &messages)?;
    }
    let next_due =
        if messages.is_empty() && request.may_wait { sweep::next_due(tx, queue)? } else { None };
    Ok(Received { messages, weight, left: false, more, needs_room, next_due })
}

/// Undoes a receive whose client has disconnected: its messages become visible again, and its attempt ID is
/// forgotten.
pub fn give_back(
    tx: &mut Txn<'_>,
    unwanted: &[Delivery],
    attempt_id: Option<&str>,
) -> Result<(), Refusal> {
    for Delivery { receipt, former_turn, .. } in unwanted {
        let Some(queue) = tx.queue_by_id(receipt.queue)? else { continue };
        let Some(mut message) = tx.message(queue.backlog, receipt.sequence)? else { continue };
        if message.place == Place::InFlight && message.receive_count == receipt.receive {
            message.receive_count -= 1;
            places::release(tx, &queue, &mut message)?;
            if queue.attributes.fifo {
                places::restore_turn(tx, &message, *former_turn)?;
            }
            if let Some(attempt) = attempt_id {
                tx.forget_receive_attempt(queue.backlog, attempt)?;
            }
        }
    }
    Ok(())
}

/// A running receive.
struct Taking<'q> {
    queue: &'q Queue,
    until: i64,
    wanted: usize,
    in_flight: i64,
    candidates: usize,
    /// Bytes of content that it may still return.
    bytes: usize,
    /// Remaining bytes of the response.
    room: usize,
    weigh: fn(&Content) -> usize,
    /// The bytes of the first message that does not fit, which ends the receive.
    does_not_fit: Option<usize>,
    /// The dead-letter queue, looked up for the first message that moves there.
    dead_letter_queue: OnceCell<Option<Arc<Queue>>>,
    messages: Vec<Delivery>,
}

/// The group whose turn it is, and how many of its messages may be received before the next turn is chosen.
struct Turn {
    group: Option<MessageGroup>,
    limit: usize,
    /// Messages with at least this rank are blocked.
    before: i64,
}

impl Turn {
    fn of(group: Option<MessageGroup>, limit: usize) -> Self {
        let before = group.as_ref().and_then(|group| group.first_hidden).unwrap_or(i64::MAX);
        Self { group, limit, before }
    }
}

impl Taking<'_> {
    /// Returns whether it stopped because it had checked enough messages.
    fn run(&mut self, tx: &mut Txn<'_>) -> Result<bool, Refusal> {
        let mut turns = VecDeque::new();
        while self.wants_more() {
            if self.candidates == 0 {
                return Ok(true);
            }
            if turns.is_empty() {
                turns = self.next_turns(tx)?;
            }
            let Some(mut turn) = turns.pop_front() else { break };
            let taken = self.messages.len();
            if !self.take_turn(tx, &mut turn)? {
                break;
            }
            match &mut turn.group {
                None => {}
                Some(group) if self.messages.len() > taken => {
                    places::close_served(tx, self.queue, group)?;
                }
                Some(group) => places::close(tx, self.queue, group)?,
            }
        }
        Ok(false)
    }

    fn wants_more(&self) -> bool {
        self.messages.len() < self.wanted && self.does_not_fit.is_none()
    }

    // Rule (ReceiveMessage): a receive returns as many messages as possible of one FIFO group, then of others,
    //   and the messages of a group are returned in their order.
    // Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
    // Test: tests/scenarios/fifo_order.txt#A batch takes as many as it can of one group

    /// Receives from one line. Returns whether it had any message.
    fn take_turn(&mut self, tx: &mut Txn<'_>, turn: &mut Turn) -> Result<bool, Refusal> {
        let place = turn.group.as_ref().map_or(0, |group| group.id);
        let mut any = false;
        loop {
            let room = self.wanted - self.messages.len();
            // If not everything may fit, large contents that would not be returned are not read.
            let page = if self.room < RECEIVED_BYTES { 1 } else { PAGE };
            let limit = turn.limit.min(room).min(self.candidates).min(page);
            let line = tx.line(self.queue.backlog, place, turn.before, limit as i64)?;
            let looked_at = line.len();
            any |= looked_at > 0;
            self.candidates -= looked_at;
            for (message, content) in line {
                self.deal_with(tx, turn, message, content)?;
            }
            // Expired messages and dead letters allow more messages of a FIFO group, and this is the
            // last chance for them: the received messages block later ones.
            let all_seen = looked_at < limit || self.candidates == 0;
            if !self.queue.attributes.fifo || all_seen || !self.wants_more() {
                return Ok(any);
            }
        }
    }

    /// Returns the next turns. On a FIFO queue these are several groups at once, because receiving from one does
    /// not affect the others. On a standard queue it may make a quiet group noisy.
    fn next_turns(&self, tx: &mut Txn<'_>) -> Result<VecDeque<Turn>, Refusal> {
        let wanted = self.wanted - self.messages.len();
        if self.queue.attributes.fifo {
            let groups = tx.ready_groups(self.queue.backlog, wanted as i64)?;
            let turn = |group| Turn::of(Some(group), wanted);
            return Ok(groups.into_iter().map(turn).collect());
        }
        let mut groups = tx.ready_groups(self.queue.backlog, NOISY_GROUPS as i64 + 1)?;
        if groups.is_empty() {
            return Ok(VecDeque::from([Turn::of(None, wanted)]));
        }
        let now = tx.now();
        let quiet = groups
            .iter()
            .position(|group| !is_noisy(group.in_flight, self.in_flight, group.last_sent_at, now));
        let ungrouped_head = tx.line_head(self.queue.backlog, 0)?;
        let quiet_head = quiet.and_then(|index| groups[index].head);
        let ungrouped_first =
            ungrouped_head.is_some_and(|head| quiet_head.is_none_or(|of_group| head < of_group));
        let group = match quiet {
            _ if ungrouped_first => None,
            Some(index) => Some(groups.swap_remove(index)),
            None => groups.into_iter().min_by_key(|group| group.in_flight),
        };
        Ok(VecDeque::from([Turn::of(group, 1)]))
    }

    fn deal_with(
        &mut self,
        tx: &mut Txn<'_>,
        turn: &mut Turn,
        mut message: Message,
        content: Content,
    ) -> Result<(), Refusal> {
        if self.does_not_fit.is_some() {
            return Ok(());
        }
        if places::is_expired(self.queue, &message, tx.now()) {
            places::leave(tx, self.queue, turn.group.as_mut(), &message)?;
            return Ok(());
        }
        if let Some(target) = self.dead_letter_target(tx, &message)? {
            places::leave(tx, self.queue, turn.group.as_mut(), &message)?;
            let Some(group) = &mut turn.group else {
                return dead_letter::arrive(tx, self.queue, target, None, message, content);
            };
            // A queue may be its own dead-letter queue: then the message arrives in this group.
            tx.put_message_group(group);
            dead_letter::arrive(tx, self.queue, target, Some(&group.name), message, content)?;
            *group = tx.message_group_by_id(group.id)?;
            return Ok(());
        }
        if !self.fits(&content) {
            return Ok(());
        }
        places::take(tx, self.queue, turn.group.as_mut(), &mut message, self.until)?;
        self.in_flight += 1;
        let receipt = receipt_of(self.queue, &message);
        self.messages.push(Delivery {
            receipt,
            handle: tx.ensure_receipt_key()?.handle(receipt),
            content,
            group: turn.group.as_ref().map(|group| group.name.clone()),
            former_turn: turn.group.as_ref().map_or(0, |group| group.turn),
            message,
        });
        Ok(())
    }

    /// Reserves bytes of the response for a message, if enough are left.
    fn fits(&mut self, content: &Content) -> bool {
        let (size, weight) = (content.size(), (self.weigh)(content));
        if size > self.bytes || weight > self.room {
            self.does_not_fit = Some(weight);
            return false;
        }
        self.bytes -= size;
        self.room -= weight;
        true
    }

    // Rule (ReceiveMessage): if the dead-letter queue is deleted, messages stay and are returned.
    // Source: inferred
    // Test: tests/scenarios/dead_letters.txt#If the dead-letter queue was deleted

    /// Returns the dead-letter queue for a message that was received too often. If it was deleted, the message
    /// stays.
    fn dead_letter_target(
        &self,
        tx: &mut Txn<'_>,
        message: &Message,
    ) -> Result<Option<&Queue>, Refusal> {
        let Some(policy) = &self.queue.attributes.redrive_policy else { return Ok(None) };
        let received_here = message.receive_count - message.received_elsewhere;
        let most = policy.max_receive_count + u32::from(fault!("dead-letter-late"));
        if !to_dead_letter(received_here, most) {
            return Ok(None);
        }
        if let Some(known) = self.dead_letter_queue.get() {
            return Ok(known.as_deref());
        }
        let target = dead_letter::target(tx, self.queue)?;
        Ok(self.dead_letter_queue.get_or_init(|| target).as_deref())
    }
}

/// Returns the receipt handle content for the latest receive of a message.
pub fn receipt_of(queue: &Queue, message: &Message) -> Receipt {
    Receipt { queue: queue.id, sequence: message.sequence, receive: message.receive_count }
}

/// A recorded attempt: for each message its sequence, its receive, and the end of its timeout, which earlier
/// versions compared.
const RECORD_BYTES: usize = 24;

fn remember(
    tx: &mut Txn<'_>,
    queue: &Queue,
    attempt: &str,
    messages: &[Delivery],
) -> Result<(), Refusal> {
    let mut record = Vec::with_capacity(messages.len() * RECORD_BYTES);
    for delivery in messages {
        for number in
            [delivery.message.sequence, delivery.message.receive_count, delivery.message.rank]
        {
            record.extend_from_slice(&number.to_be_bytes());
        }
    }
    let expires_at = tx.now() + DEDUPLICATION_INTERVAL_MS;
    tx.remember_receive_attempt(queue.backlog, attempt, &record, expires_at)?;
    Ok(())
}

/// The state of a message since the receive of an attempt, or its last repetition.
enum Fate {
    /// It is in flight, unchanged.
    Unchanged(Box<Message>),
    /// Its visibility timeout passed.
    TimedOut,
    /// It was deleted, or its visibility was changed.
    Changed,
}

// Rule (ReceiveMessage): within five minutes and the visibility timeout a receive with the same
//   ReceiveRequestAttemptId returns the same messages and receipt handles, and restarts their timeout.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
// Test: tests/scenarios/fifo_attempts.txt#A receive repeated with its attempt ID returns the same messages and receipt handles

// Rule (ReceiveMessage): once a message of the receive was deleted or its visibility was changed, its
//   ReceiveRequestAttemptId is rejected for the rest of the five minutes.
// Source: reported, awslabs/amazon-sqs-java-messaging-lib#101
// Test: tests/scenarios/fifo_attempts.txt#After a deletion, tests/scenarios/fifo_attempts.txt#After a change of visibility,
//   tests/scenarios/fifo_attempts.txt#A change counts

// Rule (ReceiveMessage): when the visibility timeout has just passed, and after five minutes, the same
//   ReceiveRequestAttemptId starts a new receive.
// Source: inferred, the same messages are documented for the time of the timeout only
// Test: tests/scenarios/fifo_attempts.txt#After the timeout it is a new receive, tests/scenarios/fifo_attempts.txt#Five minutes after the receive

/// Returns the messages of an earlier receive with the same attempt ID, with a new timeout. Returns `None` for
/// a new receive.
fn repeat(
    tx: &mut Txn<'_>,
    queue: &Queue,
    attempt: &str,
    until: i64,
    request: &Request,
) -> Result<Option<Received>, Refusal> {
    let Some(record) = tx.receive_attempt(queue.backlog, attempt)? else { return Ok(None) };
    let mut messages = Vec::with_capacity(record.len() / RECORD_BYTES);
    let mut timed_out = false;
    for entry in record.chunks_exact(RECORD_BYTES) {
        match fate(tx, queue, entry)? {
            Fate::Unchanged(message) => messages.push(*message),
            Fate::TimedOut => timed_out = true,
            Fate::Changed => return Err(not_retryable(attempt)),
        }
    }
    if timed_out {
        return Ok(None);
    }
    let mut contents = Vec::with_capacity(messages.len());
    for message in &messages {
        contents.push(tx.content(queue.backlog, message)?);
    }
    let weight = contents.iter().map(request.weigh).sum();
    if weight > request.room {
        return Ok(Some(Received { needs_room: Some(weight), ..Received::default() }));
    }
    let mut deliveries = Vec::with_capacity(messages.len());
    for (mut message, content) in messages.into_iter().zip(contents) {
        places::hide(tx, queue, &mut message, until)?;
        let group = places::group_of(tx, &message)?;
        let receipt = receipt_of(queue, &message);
        deliveries.push(Delivery {
            receipt,
            handle: tx.ensure_receipt_key()?.handle(receipt),
            content,
            former_turn: group.as_ref().map_or(0, |group| group.turn),
            group: group.map(|group| group.name),
            message,
        });
    }
    remember(tx, queue, attempt, &deliveries)?;
    Ok(Some(Received { messages: deliveries, weight, ..Received::default() }))
}

/// Reads one entry of a record, and the state of its message.
fn fate(tx: &mut Txn<'_>, queue: &Queue, entry: &[u8]) -> Result<Fate, Refusal> {
    let [sequence, receive] = [0, 8].map(|at| {
        let mut number = [0; 8];
        number.copy_from_slice(&entry[at..at + 8]);
        i64::from_be_bytes(number)
    });
    let now = tx.now();
    let Some(message) = tx.message(queue.backlog, sequence)? else { return Ok(Fate::Changed) };
    if places::is_expired(queue, &message, now) {
        // As if it had been swept.
        return Ok(Fate::Changed);
    }
    if !fault!("attempt-id-ignores-changes")
        && tx.is_changed_receive(queue.backlog, sequence, receive)?
    {
        return Ok(Fate::Changed);
    }
    let in_flight = message.place == Place::InFlight && message.rank > now;
    Ok(if in_flight && message.receive_count == receive {
        Fate::Unchanged(Box::new(message))
    } else {
        Fate::TimedOut
    })
}

fn not_retryable(attempt: &str) -> Refusal {
    Refusal::invalid_value(
        attempt,
        "ReceiveRequestAttemptId",
        "The receiveRequestAttemptId is not valid anymore since the receive call is not retryable.",
    )
}
