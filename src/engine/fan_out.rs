//! Fan-out: one message of a topic to its subscriptions.
//!
//! The transaction of the publication sends the message to queues, adds deliveries to other servers to the outbox, and
//! captures notifications for phones, devices, mailboxes and streams. So all of it has happened, or nothing, when the
//! publisher gets its response. If a topic has more subscriptions than one transaction should serve, background work
//! serves the rest in pages; the row of the publication contains the cursor.
//!
//! Filtering a long message can take longer than other jobs should wait. Then filters are evaluated before the transaction,
//! on a snapshot of the topic from the same request. Only subscriptions in that snapshot get the message, and only
//! if they still exist.

use super::capture::{Captured, capture};
use super::topic_snapshot::{Subscriber, TopicSnapshot, candidate};
use super::topic_to_queue::{
    Destination, ForQueue, QueueContent, UndeliveredMessage, give_up, put,
};
use crate::domain::address::QueueAddress;
use crate::domain::limits::MESSAGE_ATTRIBUTES;
use crate::domain::message_attributes::MessageAttributes;
use crate::domain::message_structure::MessageTexts;
use crate::domain::namespace::Namespace;
use crate::domain::notification::{Envelope, Notification, unsubscribe_url};
use crate::domain::sns_endpoint::Protocol;
use crate::domain::sns_message::Published;
use crate::domain::topic_address::TopicAddress;
use crate::domain::{Refusal, fifo};
use crate::store::{DeliveryStatus, Effect, Payer, Payload, Publication, Recipient, Topic, Txn};
use std::cell::OnceCell;
use std::sync::Arc;
use uuid::Uuid;

/// Maximum deliveries of one publication in one transaction.
const DELIVERIES: usize = 200;
/// Maximum bytes that one transaction copies for one publication. Large messages reach it before `DELIVERIES`.
const BYTES: usize = 8 * 1024 * 1024;

/// Delivers a message to a page of its recipients. Stores the publication if recipients are left, or if the outbox or the
/// archive needs it.
pub(super) fn deliver(
    tx: &mut Txn<'_>,
    topic: &TopicSnapshot,
    publication: &Publication,
    texts: &MessageTexts<'_>,
    recipients: &[&Subscriber],
) -> Result<(), Refusal> {
    let mut fan_out = FanOut::new(publication, texts, &topic.address, &topic.arn);
    let cursor = fan_out.serve(tx, recipients)?.or(topic.more_after);
    fan_out.report(tx);
    if cursor.is_some() {
        tx.effect(Effect::Work);
    }
    if cursor.is_some() || fan_out.is_in_outbox || publication.archived {
        let payer = Payer { account: &topic.address.account, deliveries: topic.confirmed };
        tx.insert_publication(publication, cursor, payer)?;
    }
    Ok(())
}

/// What a step of a fan-out did.
#[derive(Debug)]
pub enum Step {
    /// There was nothing to do.
    Idle,
    /// A page was served, and there may be more.
    Served,
    /// The page has to be filtered outside of the transaction, and passed to the next step.
    ToFilter(Page),
}

/// A page of a fan-out: the message, and the subscriptions after one of them.
#[derive(Debug, Clone)]
pub struct Page {
    publication: i64,
    published: Published,
    after: i64,
    topic: Arc<TopicSnapshot>,
}

/// A page with the ids of those subscriptions whose filters let the message through.
#[derive(Debug)]
pub struct FilteredPage {
    page: Page,
    accepting: Vec<Vec<i64>>,
}

impl Page {
    /// Evaluates the filters.
    pub fn filter(self) -> FilteredPage {
        FilteredPage {
            accepting: self.topic.filter(std::slice::from_ref(&self.published)),
            page: self,
        }
    }
}

/// Continues the oldest fan-out that is not done. `filtered`: the page that the last step has returned, filtered.
pub fn step(tx: &mut Txn<'_>, filtered: Option<&FilteredPage>) -> Result<Step, Refusal> {
    let Some((publication, after)) = tx.unfinished_publication()? else { return Ok(Step::Idle) };
    let filtered =
        filtered.filter(|it| (it.page.publication, it.page.after) == (publication.id, after));
    let published = &publication.published;
    let mut cursor = None;
    if let Some(topic) = tx.topic_by_id(publication.topic)? {
        let same = filtered.filter(|it| it.page.topic.version == topic.version);
        let topic = if let Some(same) = same {
            Arc::clone(&same.page.topic)
        } else {
            let mut topic = TopicSnapshot::read(tx, topic, after)?;
            topic.keep_subscribed_before(publication.id);
            Arc::new(topic)
        };
        if filtered.is_none() && topic.takes_long_to_filter(std::slice::from_ref(published)) {
            let (publication, published) = (publication.id, published.clone());
            return Ok(Step::ToFilter(Page { publication, published, after, topic }));
        }
        let texts = published.texts();
        let accepting = filtered.and_then(|it| it.accepting.first()).map(Vec::as_slice);
        let recipients = topic.recipients(published, &texts, accepting);
        let mut fan_out = FanOut::new(&publication, &texts, &topic.address, &topic.arn);
        cursor = fan_out.serve(tx, &recipients)?.or(topic.more_after);
        fan_out.report(tx);
    }
    tx.set_publication_cursor(publication.id, cursor)?;
    if cursor.is_none() {
        tx.drop_publication_if_done(publication.id)?;
    }
    Ok(Step::Served)
}

/// Replays one archived message to one subscription.
pub(super) fn replay(
    tx: &mut Txn<'_>,
    topic: &Topic,
    subscriber: &Subscriber,
    publication: &Publication,
) -> Result<(), Refusal> {
    let arn = topic.address.arn();
    let texts = publication.published.texts();
    if !subscriber.accepts(&candidate(&publication.published, &texts)) {
        return Ok(());
    }
    let mut fan_out = FanOut::new(publication, &texts, &topic.address, &arn);
    fan_out.replayed = true;
    fan_out.serve(tx, &[subscriber])?;
    fan_out.report(tx);
    Ok(())
}

/// One message on its way to subscriptions.
struct FanOut<'w> {
    publication: &'w Publication,
    texts: &'w MessageTexts<'w>,
    topic_arn: &'w str,
    /// Account of the topic.
    account: &'w str,
    fifo: bool,
    replayed: bool,
    /// Whether the outbox needs the publication.
    is_in_outbox: bool,
    /// The number of successes by protocol.
    delivered: Vec<(Protocol, u64)>,
    /// The content for queues with raw delivery, or the reason why every queue rejects it.
    raw: OnceCell<Result<QueueContent, String>>,
    /// The envelope for other queues, without the link of each subscription.
    envelope: OnceCell<Envelope>,
}

impl<'w> FanOut<'w> {
    fn new(
        publication: &'w Publication,
        texts: &'w MessageTexts<'w>,
        topic: &'w TopicAddress,
        topic_arn: &'w str,
    ) -> Self {
        Self {
            publication,
            texts,
            topic_arn,
            account: &topic.account,
            fifo: topic.is_fifo(),
            replayed: false,
            is_in_outbox: false,
            delivered: Vec::new(),
            raw: OnceCell::new(),
            envelope: OnceCell::new(),
        }
    }

    /// Delivers to a page of recipients in their order. Returns the last one if there are more. A FIFO topic has few
    /// subscriptions, which are all served at once, because the next message must not arrive before this one.
    fn serve(
        &mut self,
        tx: &mut Txn<'_>,
        recipients: &[&Subscriber],
    ) -> Result<Option<i64>, Refusal> {
        let size = self.publication.published.message.len() + 1_024;
        let most = DELIVERIES.min(BYTES / size).max(1);
        let mut left = if self.fifo { usize::MAX } else { most };
        let mut last = None;
        let published_at = self.publication.published_at;
        let is_over = |to: &Subscriber| to.until.is_some_and(|until| published_at > until);
        for to in recipients.iter().filter(|to| !is_over(to)) {
            if left == 0 {
                return Ok(last);
            }
            self.deliver(tx, to)?;
            left -= 1;
            last = Some(to.id);
        }
        Ok(None)
    }

    fn deliver(&mut self, tx: &mut Txn<'_>, to: &Subscriber) -> Result<(), Refusal> {
        match &to.destination {
            Some(destination) => {
                self.is_in_outbox = true;
                let recipient = Recipient {
                    subscription: to.id,
                    account: &to.account,
                    destination,
                    payer: self.account,
                };
                let payload = Payload::Notification(self.publication.id);
                Ok(tx.insert_delivery(&recipient, &payload)?)
            }
            None if to.protocol == Protocol::Sqs => self.put_into_queue(tx, to),
            None => self.capture(tx, to),
        }
    }

    /// Returns the text for a subscriber. For a device this is the text of its platform, if there is one.
    fn text(&self, to: &Subscriber) -> &str {
        match &to.platform {
            Some(platform) => self.texts.for_protocol(platform),
            None => self.texts.for_protocol(to.protocol.name()),
        }
    }

    fn envelope(&self, to: &Subscriber) -> String {
        let url = unsubscribe_url(&self.publication.base_url, &to.arn);
        if to.protocol == Protocol::Sqs {
            return self.envelope.get_or_init(|| self.envelope_for_all(to)).with_link(&url);
        }
        self.envelope_for_all(to).with_link(&url)
    }

    /// Returns the envelope for all subscribers that get the same text as this one.
    fn envelope_for_all(&self, to: &Subscriber) -> Envelope {
        let publication = self.publication;
        let sequence = self.fifo.then(|| fifo::sequence_number(publication.id));
        let notification = Notification {
            message_id: publication.message_id,
            sequence_number: sequence.as_deref(),
            topic_arn: self.topic_arn,
            subject: publication.published.subject.as_deref(),
            message: self.text(to),
            published_at: publication.published_at,
            attributes: &publication.published.attributes,
            subscription_arn: &to.arn,
            replayed: self.replayed,
        };
        Envelope::new(&notification, publication.signature.as_ref())
    }

    /// Returns the content for a queue, or the reason why every queue rejects it.
    fn queue_content(&self, to: &Subscriber) -> Result<QueueContent, String> {
        if !to.raw {
            return Ok(QueueContent::envelope(self.envelope(to)));
        }
        let attributes = &self.publication.published.attributes;
        let raw = || QueueContent::new(self.text(to).to_owned(), attributes);
        self.raw.get_or_init(raw).clone()
    }

    fn put_into_queue(&mut self, tx: &mut Txn<'_>, to: &Subscriber) -> Result<(), Refusal> {
        let failure = match &to.queue {
            None => Some("The endpoint is not the ARN of a queue.".to_owned()),
            Some(queue) => {
                let message = ForQueue {
                    topic_arn: self.topic_arn,
                    content: self.queue_content(to),
                    group: self.group_for(queue),
                    deduplication_id: self.publication.published.deduplication_id.as_deref(),
                    trace_header: self.publication.trace_header.as_deref(),
                };
                put(tx, queue, message)?.err()
            }
        };
        let Some(reason) = failure else {
            self.arrived(tx, to);
            return Ok(());
        };
        let attributes = &self.publication.published.attributes;
        // A dead-letter queue has the same limit of message attributes as other queues.
        if to.raw && attributes.len() <= MESSAGE_ATTRIBUTES {
            self.give_up(tx, to, &reason, self.text(to).to_owned(), attributes.clone())
        } else {
            self.give_up(tx, to, &reason, self.envelope(to), MessageAttributes::new())
        }
    }

    /// Sends a message that cannot be delivered to the dead-letter queue of the subscription.
    fn give_up(
        &self,
        tx: &mut Txn<'_>,
        to: &Subscriber,
        reason: &str,
        body: String,
        attributes: MessageAttributes,
    ) -> Result<(), Refusal> {
        let dead_letter_queue = to.dead_letter_queue.as_ref();
        let of_queue = Some(&self.publication.published).filter(|_| to.protocol == Protocol::Sqs);
        let undelivered = UndeliveredMessage {
            message_id: Some(self.publication.message_id),
            group: of_queue.and(dead_letter_queue).and_then(|queue| self.group_for(queue)),
            deduplication_id: of_queue.and_then(|published| published.deduplication_id.as_deref()),
            body,
            attributes,
            reason,
            attempts: 1,
        };
        let destination = Destination {
            arn: &to.arn,
            topic_arn: self.topic_arn,
            protocol: to.protocol,
            endpoint: &to.endpoint,
            dead_letter_queue,
        };
        give_up(tx, &destination, undelivered)
    }

    /// Returns the MessageGroupId that a queue gets with the message.
    // Rule (Publish, PublishBatch): a standard queue gets the MessageGroupId from a standard topic, but not from a
    //   FIFO topic.
    // Source: recorded
    // Test: tests/scenarios/fifo_topics.txt#A standard queue gets neither group nor deduplication id
    fn group_for(&self, queue: &QueueAddress) -> Option<&str> {
        let group = self.publication.published.group.as_deref();
        group.filter(|_| !self.fifo || queue.is_fifo())
    }

    /// Captures a message for a phone, a device, a mailbox or a stream.
    fn capture(&mut self, tx: &mut Txn<'_>, to: &Subscriber) -> Result<(), Refusal> {
        let published = &self.publication.published;
        let captured = Captured {
            message_id: self.publication.message_id,
            topic_arn: Some(self.topic_arn),
            subscription_arn: Some(&to.arn),
            target: &to.endpoint,
            subject: published.subject.as_deref(),
            message: self.text(to),
            structured: published.structured,
            attributes: &published.attributes,
        };
        match capture(tx, Namespace::new(&to.account, &to.region), to.protocol, &captured)? {
            Ok(()) => {
                self.arrived(tx, to);
                Ok(())
            }
            Err(reason) => {
                self.give_up(tx, to, &reason, self.envelope(to), MessageAttributes::new())
            }
        }
    }

    fn arrived(&mut self, tx: &mut Txn<'_>, to: &Subscriber) {
        match self.delivered.iter_mut().find(|(protocol, _)| *protocol == to.protocol) {
            Some((_, count)) => *count += 1,
            None => self.delivered.push((to.protocol, 1)),
        }
        if is_sampled(self.publication.message_id, to.success_sample_rate) {
            tx.effect(Effect::DeliveryStatus(Box::new(DeliveryStatus {
                subscription_arn: to.arn.clone(),
                message_id: Some(self.publication.message_id),
                protocol: to.protocol,
                endpoint: to.endpoint.clone(),
                attempts: 1,
                failure: None,
                dead_letter_queue: None,
            })));
        }
    }

    /// Reports the number of deliveries.
    fn report(&self, tx: &mut Txn<'_>) {
        for (protocol, count) in &self.delivered {
            tx.effect(Effect::Delivered { protocol: *protocol, success: true, count: *count });
        }
    }
}

/// Returns whether the successes of this message are logged, at this percentage. Ids are random, and a message is logged for
/// all of its subscriptions or for none.
pub fn is_sampled(message_id: Uuid, rate: u8) -> bool {
    message_id.as_u128() % 100 < u128::from(rate)
}
