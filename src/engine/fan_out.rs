//! Fan-out: one message of a topic to its subscriptions.
//!
//! Queues get theirs in the transaction of the publication; whatever has to leave the process goes
//! into the outbox in the same transaction; phones, devices, mailboxes and streams are captured.
//! So either everything has happened when the publisher is answered, or nothing. A topic with more
//! subscriptions than one transaction should serve is served in pages by background work, which
//! the row of the publication remembers.
//!
//! Filters are compiled once for each version of a topic and kept in [`Fanouts`]. A topic's version
//! is another random number after each change, so what is kept can be old, but never wrong.
//!
//! A long message may take filters longer than other jobs should wait. Then they are asked before
//! the transaction, and what they said ([`Audience`]) holds if the topic has not changed meanwhile.

use super::access::{Access, may_deliver};
use super::capture::{Captured, capture};
use super::send::{Outgoing, send};
use crate::domain::address::QueueAddress;
use crate::domain::filter_policy::{Candidate, FilterPolicy};
use crate::domain::limits::MESSAGE_ATTRIBUTES;
use crate::domain::message_attributes::{self, MessageAttributes};
use crate::domain::message_structure::MessageTexts;
use crate::domain::notification::{Notification, unsubscribe_url};
use crate::domain::platform::EndpointAddress;
use crate::domain::policy::Policy;
use crate::domain::sns_endpoint::Protocol;
use crate::domain::sns_message::Published;
use crate::domain::topic_address::TopicAddress;
use crate::domain::topic_attributes::TopicAttributes;
use crate::domain::{Refusal, message_body};
use crate::store::{
    Content, DELIVERY_BYTES, DeliveryStatus, Effect, Payer, Payload, Publication, Recipient,
    Replay, Subscription, SubscriptionState, Topic, Txn, outbox_bytes,
};
use foldhash::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// Subscriptions that a publication looks at before it leaves the rest to background work.
const SUBSCRIPTIONS: usize = 1_000;
/// Bytes of their filters and endpoints, of which they are fewer if these are long.
const TEXTS: usize = 8 * 1024 * 1024;
/// Subscriptions that are read at once.
const PAGE: i64 = 100;
/// Deliveries that one transaction makes for one publication.
const DELIVERIES: usize = 200;
/// Bytes that one transaction copies for one publication, which a fan-out of large messages reaches
/// first.
const BYTES: usize = 8 * 1024 * 1024;
/// Topics whose subscriptions are kept compiled.
const TOPICS: usize = 1_000;
/// Bytes of the filters and endpoints of these, which are a few times as long compiled.
const KEPT: usize = 64 * 1024 * 1024;
/// What filters may be asked in a transaction: bytes of messages, times filters.
const ASKED: usize = 512 * 1024;
/// How many filters may take as long as it takes to take a message apart. Most are quicker.
const FILTERS_PER_PARSE: usize = 16;
/// How often filters are asked before the transaction, while the topic changes each time.
const ATTEMPTS: u8 = 3;
/// SenderId of messages that come from a topic: an identity of the service.
const SENDER_ID: &str = "AIDASQUABSNSDELIVERY1";

/// A topic with those of its subscriptions that a publication looks at first, ready to be used.
#[derive(Debug)]
pub struct Fanout {
    /// Id of the topic.
    pub id: i64,
    version: i64,
    /// Account, region and name.
    pub address: TopicAddress,
    /// The topic's ARN.
    pub arn: String,
    /// Settable attributes.
    pub attributes: TopicAttributes,
    /// The access policy, if it is not the default one.
    policy: Option<Policy>,
    subscriptions: Vec<Subscriber>,
    /// How many of them have a filter.
    filters: usize,
    /// The last subscription that was looked at, if there may be more than these.
    more_after: Option<i64>,
    /// How many subscriptions the topic has in all that are confirmed.
    confirmed: i64,
    /// Bytes of their filters and endpoints.
    texts: usize,
}

/// A confirmed subscription with its filter compiled.
#[derive(Debug)]
struct Subscriber {
    id: i64,
    arn: String,
    account: String,
    region: String,
    protocol: Protocol,
    endpoint: String,
    /// Whose slots its deliveries take, if they leave the process.
    destination: Option<String>,
    queue: Option<QueueAddress>,
    /// The push service, if the endpoint is a device.
    platform: Option<String>,
    raw: bool,
    filter: Option<FilterPolicy>,
    dead_letter_queue: Option<QueueAddress>,
    /// Of how many successes in a hundred the log is to tell.
    success_sample_rate: u8,
    /// Unix milliseconds after which nothing that is published comes: where its replay was to end.
    until: Option<i64>,
}

impl Subscriber {
    fn new(subscription: &Subscription, topic: &TopicAttributes) -> Self {
        let queue = (subscription.protocol == Protocol::Sqs)
            .then(|| QueueAddress::from_arn(&subscription.endpoint))
            .flatten();
        let device = (subscription.protocol == Protocol::Application)
            .then(|| EndpointAddress::read(&subscription.endpoint))
            .flatten();
        let feedback = subscription.protocol.feedback_name();
        Self {
            id: subscription.id,
            arn: subscription.arn(),
            account: subscription.account.clone(),
            region: subscription.region.clone(),
            protocol: subscription.protocol,
            endpoint: subscription.endpoint.clone(),
            destination: leaves(subscription.protocol)
                .then(|| subscription.protocol.destination(&subscription.endpoint).into_owned()),
            queue,
            platform: device.map(|device| device.application.platform),
            raw: subscription.attributes.is_raw(),
            filter: subscription.attributes.filter(),
            dead_letter_queue: subscription.attributes.dead_letter_queue(),
            success_sample_rate: feedback.map_or(0, |name| topic.success_sample_rate(name)),
            until: subscription.replay.as_ref().and_then(|replay| replay.until),
        }
    }

    fn needs_signature(&self) -> bool {
        self.protocol == Protocol::Sqs && !self.raw
    }
}

/// Whether messages by a protocol leave the process, by way of the outbox.
fn leaves(protocol: Protocol) -> bool {
    match protocol {
        Protocol::Http
        | Protocol::Https
        | Protocol::Lambda
        | Protocol::Email
        | Protocol::EmailJson => true,
        Protocol::Sqs | Protocol::Sms | Protocol::Application | Protocol::Firehose => false,
    }
}

/// What filters said of some messages outside of a transaction.
#[derive(Debug)]
pub struct Audience {
    /// Of the topic whose filters were asked.
    version: i64,
    /// By message and subscription: who wants it.
    wanted: Vec<Vec<bool>>,
    attempt: u8,
}

/// A message, and how it is found out who wants it.
pub struct Offer<'o> {
    candidate: Candidate<'o>,
    /// By subscription, if the filters have been asked.
    wanted: Option<&'o [bool]>,
}

impl<'o> Offer<'o> {
    /// A message of which this is known, with its texts. Of a structured message filters look at the
    /// text for queues.
    pub fn new(
        published: &'o Published,
        texts: &'o MessageTexts<'_>,
        wanted: Option<&'o [bool]>,
    ) -> Self {
        let text = texts.for_protocol(Protocol::Sqs.name());
        Self { candidate: Candidate::new(text, &published.attributes), wanted }
    }

    /// Whether a subscription wants it, the one at this place among those that were asked.
    fn is_wanted_by(&self, index: usize, one: &Subscriber) -> bool {
        let known = self.wanted.and_then(|wanted| wanted.get(index).copied());
        known.unwrap_or_else(|| one.filter.as_ref().is_none_or(|it| it.matches(&self.candidate)))
    }
}

/// Compiled subscriptions of the topics that messages are published to.
#[derive(Debug, Default)]
pub struct Fanouts(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_topic: HashMap<TopicAddress, Arc<Fanout>>,
    texts: usize,
}

impl Kept {
    /// Where there is too much, everything goes: what is published to comes back.
    fn keep(&mut self, fanout: &Arc<Fanout>) {
        self.forget(&fanout.address);
        if self.by_topic.len() >= TOPICS || self.texts + fanout.texts > KEPT {
            *self = Self::default();
        }
        self.texts += fanout.texts;
        self.by_topic.insert(fanout.address.clone(), Arc::clone(fanout));
    }

    fn forget(&mut self, topic: &TopicAddress) {
        if let Some(fanout) = self.by_topic.remove(topic) {
            self.texts -= fanout.texts;
        }
    }
}

impl Fanouts {
    /// The topic at an address. Refused where the call may not use it.
    pub fn find(
        &self,
        tx: &mut Txn<'_>,
        access: &Access,
        address: &TopicAddress,
    ) -> Result<Arc<Fanout>, Refusal> {
        let fanout = self.look(tx, address)?;
        let policy = fanout.as_ref().and_then(|fanout| fanout.policy.as_ref());
        access.check(&address.account, || address.arn(), policy)?;
        fanout.ok_or_else(|| Refusal::not_found("Topic"))
    }

    fn look(
        &self,
        tx: &mut Txn<'_>,
        address: &TopicAddress,
    ) -> Result<Option<Arc<Fanout>>, Refusal> {
        let Some((id, version)) = tx.topic_version(address)? else { return Ok(None) };
        if let Some(known) = self.latest(address).filter(|known| known.version == version) {
            return Ok(Some(known));
        }
        let Some(topic) = tx.topic_by_id(id)? else { return Ok(None) };
        let fanout = Arc::new(compile(tx, topic, 0)?);
        self.kept().keep(&fanout);
        Ok(Some(fanout))
    }

    /// The topic at an address as it was when it was last looked for. It may have changed since.
    pub fn latest(&self, address: &TopicAddress) -> Option<Arc<Fanout>> {
        self.kept().by_topic.get(address).cloned()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether no topic's filters would take long over these messages, as most messages are short.
pub fn are_soon_asked(messages: &[Published]) -> bool {
    !take_long(SUBSCRIPTIONS, messages)
}

fn take_long(filters: usize, messages: &[Published]) -> bool {
    let bytes: usize = messages.iter().map(Published::size).sum();
    bytes.saturating_mul(filters + FILTERS_PER_PARSE) > ASKED
}

/// A topic with those of its subscriptions after one of them that a publication looks at next.
fn compile(tx: &mut Txn<'_>, topic: Topic, after: i64) -> Result<Fanout, Refusal> {
    let (page, more_after) = page(tx, &topic, after)?;
    let subscriptions = subscribers(&page, &topic.attributes);
    Ok(Fanout {
        texts: page.iter().map(texts).sum(),
        more_after,
        id: topic.id,
        version: topic.version,
        arn: topic.address.arn(),
        filters: subscriptions.iter().filter(|one| one.filter.is_some()).count(),
        confirmed: topic.confirmed,
        subscriptions,
        policy: topic.attributes.own_policy().map(Policy::read),
        address: topic.address,
        attributes: topic.attributes,
    })
}

/// The subscriptions of a topic after one of them that a publication looks at next, and where to go
/// on, if that may not have been all. Of FIFO topics that is all.
fn page(
    tx: &mut Txn<'_>,
    topic: &Topic,
    after: i64,
) -> Result<(Vec<Subscription>, Option<i64>), Refusal> {
    let (mut page, mut last, mut bytes) = (Vec::new(), after, 0);
    loop {
        let more = tx.subscriptions_of_topic(topic.id, last, PAGE)?;
        let is_end = (more.len() as i64) < PAGE;
        bytes += more.iter().map(texts).sum::<usize>();
        page.extend(more);
        last = page.last().map_or(last, |last| last.id);
        let is_long = bytes >= TEXTS && !topic.attributes.is_fifo();
        if is_end || is_long || page.len() >= SUBSCRIPTIONS {
            return Ok((page, Some(last).filter(|_| !is_end)));
        }
    }
}

/// Bytes of what a subscription has of any length.
fn texts(subscription: &Subscription) -> usize {
    subscription.endpoint.len() + subscription.attributes.bytes()
}

/// Returns those who get what is published now. A subscription with a replay going on does not: the replay brings
/// the message in its order. Without an archive it would not.
fn subscribers(page: &[Subscription], topic: &TopicAttributes) -> Vec<Subscriber> {
    let has_archive = topic.archive_days().is_some();
    let waits = |one: &&Subscription| one.replay.as_ref().is_some_and(Replay::is_going_on);
    let confirmed = page.iter().filter(|one| one.state == SubscriptionState::Confirmed);
    let present = confirmed.filter(|one| !has_archive || !waits(one));
    present.map(|one| Subscriber::new(one, topic)).collect()
}

impl Fanout {
    /// Whether a queue would get this message in an envelope, which has a signature unless the
    /// topic is FIFO.
    pub fn needs_signature(&self, offer: &Offer<'_>) -> bool {
        let mut subscribers = self.subscriptions.iter().enumerate();
        !self.attributes.is_fifo()
            && (self.more_after.is_some()
                || subscribers
                    .any(|(index, one)| one.needs_signature() && offer.is_wanted_by(index, one)))
    }

    /// Returns the bytes that a message takes in the outbox: 0 if it does not leave the process.
    /// Subscriptions that this transaction does not look at count as if each got it.
    pub fn outbox_bytes(&self, message: &Published, offer: &Offer<'_>) -> i64 {
        let subscribers = self.subscriptions.iter().enumerate();
        let leaving = subscribers.filter(|(_, one)| one.destination.is_some());
        let wanted = leaving.filter(|(index, one)| offer.is_wanted_by(*index, one));
        let deliveries = match self.more_after {
            Some(_) => self.confirmed,
            None => wanted.count() as i64,
        };
        if deliveries == 0 { 0 } else { outbox_bytes(message) + deliveries * DELIVERY_BYTES }
    }

    /// Whether its filters would take longer over these messages than other jobs should wait.
    pub fn takes_long(&self, messages: &[Published]) -> bool {
        self.filters > 0 && take_long(self.filters, messages)
    }

    /// Asks the filters who wants these messages. `before`: what they said last, when the topic had
    /// another version.
    pub fn ask(&self, messages: &[Published], before: Option<&Audience>) -> Audience {
        let wanted = messages.iter().map(|message| {
            let texts = message.texts();
            let offer = Offer::new(message, &texts, None);
            let subscribers = self.subscriptions.iter().enumerate();
            subscribers.map(|(index, one)| offer.is_wanted_by(index, one)).collect()
        });
        Audience {
            version: self.version,
            wanted: wanted.collect(),
            attempt: before.map_or(1, |before| before.attempt + 1),
        }
    }

    /// Whether the filters should be asked before these messages are brought to anybody. Where a topic
    /// does not stop changing they are asked in the transaction in the end.
    pub fn is_to_be_asked(&self, audience: Option<&Audience>, messages: &[Published]) -> bool {
        let is_enough = |it: &Audience| it.version == self.version || it.attempt >= ATTEMPTS;
        !audience.is_some_and(is_enough) && self.takes_long(messages)
    }

    /// What an audience says of the message with this number, if it is one of this version.
    pub fn wanted<'a>(&self, audience: Option<&'a Audience>, index: usize) -> Option<&'a [bool]> {
        let audience = audience.filter(|it| it.version == self.version)?;
        audience.wanted.get(index).map(Vec::as_slice)
    }

    /// Brings a message to the subscriptions, as far as one transaction should; what is left, and
    /// what the outbox and the archive need, is remembered.
    pub fn deliver(
        &self,
        tx: &mut Txn<'_>,
        publication: &Publication,
        offer: &Offer<'_>,
    ) -> Result<(), Refusal> {
        let mut work = Work::new(publication, &self.arn, &self.address.account, &self.attributes);
        let cursor = work.serve(tx, &self.subscriptions, offer)?.or(self.more_after);
        work.tell(tx);
        if cursor.is_some() {
            tx.effect(Effect::Work);
        }
        if cursor.is_some() || work.is_in_outbox || publication.archived {
            let payer = Payer { account: &self.address.account, deliveries: self.confirmed };
            tx.insert_publication(publication, cursor, payer)?;
        }
        Ok(())
    }
}

/// What became of a step of a fan-out.
#[derive(Debug)]
pub enum Step {
    /// There was nothing to do.
    Idle,
    /// A page was served, and there may be more.
    Served,
    /// Filters are to be asked about a page, and what they say brought back.
    ToAsk(Box<Page>),
}

/// A page of a fan-out: the message, and the subscriptions after one of them.
#[derive(Debug)]
pub struct Page {
    publication: i64,
    published: Published,
    after: i64,
    topic: Fanout,
}

/// A page of a fan-out with what its filters said.
#[derive(Debug)]
pub struct AskedPage {
    page: Page,
    audience: Audience,
}

impl Page {
    /// Asks the filters. `before`: what was asked last.
    pub fn ask(self, before: Option<&AskedPage>) -> AskedPage {
        let before = before.filter(|it| it.is_at(self.publication, self.after));
        let messages = std::slice::from_ref(&self.published);
        AskedPage { audience: self.topic.ask(messages, before.map(|it| &it.audience)), page: self }
    }
}

impl AskedPage {
    fn is_at(&self, publication: i64, after: i64) -> bool {
        (self.page.publication, self.page.after) == (publication, after)
    }
}

/// Goes on with the oldest fan-out that is not done. `asked`: the page that an earlier step has asked
/// for, with what its filters said.
pub fn step(tx: &mut Txn<'_>, asked: Option<&AskedPage>) -> Result<Step, Refusal> {
    let Some((publication, after)) = tx.unfinished_publication()? else { return Ok(Step::Idle) };
    let topic = tx.topic_by_id(publication.topic)?;
    let mut cursor = None;
    if let Some(topic) = topic {
        let asked = asked.filter(|it| it.is_at(publication.id, after));
        let audience = asked.map(|it| &it.audience);
        let compiled;
        let topic = if let Some(same) = asked.filter(|it| it.page.topic.version == topic.version) {
            &same.page.topic
        } else {
            let mut topic = compile(tx, topic, after)?;
            // Ids are in one line: who has subscribed since does not get what was published before.
            topic.subscriptions.retain(|subscription| subscription.id < publication.id);
            if topic.is_to_be_asked(audience, std::slice::from_ref(&publication.published)) {
                let Publication { id, published, .. } = publication;
                return Ok(Step::ToAsk(Box::new(Page {
                    publication: id,
                    published,
                    after,
                    topic,
                })));
            }
            compiled = topic;
            &compiled
        };
        let mut work =
            Work::new(&publication, &topic.arn, &topic.address.account, &topic.attributes);
        let texts = publication.published.texts();
        let offer = Offer::new(&publication.published, &texts, topic.wanted(audience, 0));
        cursor = work.serve(tx, &topic.subscriptions, &offer)?.or(topic.more_after);
        work.tell(tx);
    }
    tx.set_publication_cursor(publication.id, cursor)?;
    if cursor.is_none() {
        tx.drop_publication_if_done(publication.id)?;
    }
    Ok(Step::Served)
}

/// Replays one archived message to one subscription.
pub fn replay(
    tx: &mut Txn<'_>,
    topic: &Topic,
    subscription: &Subscription,
    publication: &Publication,
) -> Result<(), Refusal> {
    let arn = topic.address.arn();
    let mut work = Work::new(publication, &arn, &topic.address.account, &topic.attributes);
    work.replayed = true;
    let texts = publication.published.texts();
    let offer = Offer::new(&publication.published, &texts, None);
    work.serve(tx, &[Subscriber::new(subscription, &topic.attributes)], &offer)?;
    work.tell(tx);
    Ok(())
}

/// One message on its way to subscriptions.
struct Work<'w> {
    publication: &'w Publication,
    topic_arn: &'w str,
    /// Account of the topic.
    account: &'w str,
    texts: MessageTexts<'w>,
    fifo: bool,
    replayed: bool,
    /// Whether the outbox needs the publication.
    is_in_outbox: bool,
    /// By protocol: what arrived.
    delivered: Vec<(Protocol, u64)>,
}

impl<'w> Work<'w> {
    fn new(
        publication: &'w Publication,
        topic_arn: &'w str,
        account: &'w str,
        topic: &TopicAttributes,
    ) -> Self {
        Self {
            publication,
            topic_arn,
            account,
            texts: publication.published.texts(),
            fifo: topic.is_fifo(),
            replayed: false,
            is_in_outbox: false,
            delivered: Vec::new(),
        }
    }

    /// Serves subscriptions in their order. Returns after which one it stopped, if there is more to
    /// do than one transaction should. FIFO topics have few subscriptions, and are served at once:
    /// the next message must not come before this one.
    fn serve(
        &mut self,
        tx: &mut Txn<'_>,
        subscribers: &[Subscriber],
        offer: &Offer<'_>,
    ) -> Result<Option<i64>, Refusal> {
        let published = &self.publication.published;
        let size = published.message.len() + 1_024;
        let most = DELIVERIES.min(BYTES / size).max(1);
        let mut left = if self.fifo { usize::MAX } else { most };
        let mut last = None;
        let published_at = self.publication.published_at;
        let is_over = |one: &Subscriber| one.until.is_some_and(|until| published_at > until);
        for (index, subscriber) in subscribers.iter().enumerate() {
            if is_over(subscriber) || !offer.is_wanted_by(index, subscriber) {
                continue;
            }
            if left == 0 {
                return Ok(last);
            }
            self.deliver(tx, subscriber)?;
            left -= 1;
            last = Some(subscriber.id);
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

    /// The text for a subscriber: for a device that of its platform, if there is one.
    fn text(&self, to: &Subscriber) -> &str {
        match &to.platform {
            Some(platform) => self.texts.for_protocol(platform),
            None => self.texts.for_protocol(to.protocol.name()),
        }
    }

    fn envelope(&self, to: &Subscriber) -> String {
        let publication = self.publication;
        let published = &publication.published;
        let sequence = self.fifo.then(|| crate::domain::fifo::sequence_number(publication.id));
        Notification {
            message_id: publication.message_id,
            sequence_number: sequence.as_deref(),
            topic_arn: self.topic_arn,
            subject: published.subject.as_deref(),
            message: self.text(to),
            published_at: publication.published_at,
            attributes: &published.attributes,
            subscription_arn: &to.arn,
            replayed: self.replayed,
        }
        .envelope(publication.signature.as_ref(), &unsubscribe_url(&publication.base_url, &to.arn))
    }

    fn put_into_queue(&mut self, tx: &mut Txn<'_>, to: &Subscriber) -> Result<(), Refusal> {
        let none = MessageAttributes::new();
        let attributes = if to.raw { &self.publication.published.attributes } else { &none };
        let body = || if to.raw { self.text(to).to_owned() } else { self.envelope(to) };
        let failure = match &to.queue {
            None => Some("The endpoint is not the ARN of a queue.".to_owned()),
            Some(queue) => self.put(tx, &to.account, queue, body(), attributes)?.err(),
        };
        match failure {
            None => {
                self.arrived(tx, to);
                Ok(())
            }
            // No queue takes so many attributes beside the body, the dead-letter queue neither.
            Some(reason) if attributes.len() > MESSAGE_ATTRIBUTES => {
                self.give_up(tx, to, &reason, self.envelope(to), none)
            }
            Some(reason) => self.give_up(tx, to, &reason, body(), attributes.clone()),
        }
    }

    /// What no attempt can bring to a subscriber.
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
        let undelivered = Undelivered {
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
            account: &to.account,
            protocol: to.protocol,
            endpoint: &to.endpoint,
            dead_letter_queue,
        };
        give_up(tx, &destination, undelivered)
    }

    /// The MessageGroupId that a queue gets with the message.
    // Rule (Publish, PublishBatch): a standard queue gets the MessageGroupId from a standard topic, but not from a
    //   FIFO topic.
    // Source: recorded
    // Test: tests/scenarios/fifo_topics.txt#A standard queue gets neither group nor deduplication id
    fn group_for(&self, queue: &QueueAddress) -> Option<&str> {
        let group = self.publication.published.group.as_deref();
        group.filter(|_| !self.fifo || queue.is_fifo())
    }

    /// Puts a message into a queue on behalf of an account. The inner error says why that cannot be.
    fn put(
        &self,
        tx: &mut Txn<'_>,
        account: &str,
        queue: &QueueAddress,
        body: String,
        attributes: &MessageAttributes,
    ) -> Result<Result<(), String>, Refusal> {
        let published = &self.publication.published;
        let message = ForQueue {
            account,
            body,
            attributes,
            group: self.group_for(queue),
            deduplication_id: published.deduplication_id.as_deref(),
            trace_header: self.publication.trace_header.as_deref(),
        };
        put(tx, queue, message)
    }

    /// Keeps what would have left for a phone, a device, a mailbox or a stream.
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
        let place = (to.account.as_str(), to.region.as_str());
        match capture(tx, place, to.protocol, &captured)? {
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

    /// Reports what arrived.
    fn tell(&self, tx: &mut Txn<'_>) {
        for (protocol, count) in &self.delivered {
            tx.effect(Effect::Delivered { protocol: *protocol, success: true, count: *count });
        }
    }
}

/// Whether this success is to be logged, one of so many in a hundred. Ids are random, and the same message is logged
/// for all of its subscriptions or for none.
pub fn is_sampled(message_id: Uuid, rate: u8) -> bool {
    message_id.as_u128() % 100 < u128::from(rate)
}

/// Where a message should have gone.
#[derive(Debug)]
pub struct Destination<'d> {
    /// ARN of the subscription.
    pub arn: &'d str,
    /// Account of the subscription.
    pub account: &'d str,
    /// How it should have gone there.
    pub protocol: Protocol,
    /// Its endpoint.
    pub endpoint: &'d str,
    /// The queue for what does not arrive.
    pub dead_letter_queue: Option<&'d QueueAddress>,
}

/// A message that does not arrive.
#[derive(Debug)]
pub struct Undelivered<'u> {
    /// MessageId, if it is a message of a topic.
    pub message_id: Option<Uuid>,
    /// MessageGroupId
    pub group: Option<&'u str>,
    /// The deduplication id that a FIFO topic has gone by.
    pub deduplication_id: Option<&'u str>,
    /// What the endpoint would have got.
    pub body: String,
    /// What was published beside a raw body; none beside an envelope.
    pub attributes: MessageAttributes,
    /// Why it does not arrive.
    pub reason: &'u str,
    /// Attempts that were made.
    pub attempts: u32,
}

/// Puts a message that does not arrive into the dead-letter queue, if there is one, and reports it.
// Rule (deliveries): the copy in a dead-letter queue is what the endpoint would have got. It has only the
//   attributes that the publisher sent, and in an envelope none.
// Source: recorded
// Test: tests/scenarios/topic_dead_letters.txt#The dead letter is the notification as the endpoint would have received it. The subscription stays
pub fn give_up(
    tx: &mut Txn<'_>,
    to: &Destination<'_>,
    undelivered: Undelivered<'_>,
) -> Result<(), Refusal> {
    let mut dead_letter_queue = None;
    let mut failure = undelivered.reason.to_owned();
    if let Some(queue) = to.dead_letter_queue {
        let Undelivered { body, attributes, group, deduplication_id, .. } = undelivered;
        let message = ForQueue {
            account: to.account,
            body,
            attributes: &attributes,
            group,
            deduplication_id,
            trace_header: None,
        };
        match put(tx, queue, message)? {
            Ok(()) => dead_letter_queue = Some(queue.arn()),
            Err(reason) => failure = format!("{failure} And the dead-letter queue: {reason}"),
        }
    }
    tx.effect(Effect::Delivered { protocol: to.protocol, success: false, count: 1 });
    tx.effect(Effect::DeliveryStatus(Box::new(DeliveryStatus {
        subscription_arn: to.arn.to_owned(),
        message_id: undelivered.message_id,
        protocol: to.protocol,
        endpoint: to.endpoint.to_owned(),
        attempts: undelivered.attempts,
        failure: Some(failure),
        dead_letter_queue,
    })));
    Ok(())
}

/// A message for a queue.
#[derive(Debug)]
pub(super) struct ForQueue<'m> {
    /// The account of the subscription, on whose behalf it comes.
    pub account: &'m str,
    /// MessageBody
    pub body: String,
    /// MessageAttributes
    pub attributes: &'m MessageAttributes,
    /// MessageGroupId
    pub group: Option<&'m str>,
    /// MessageDeduplicationId, for a FIFO queue.
    pub deduplication_id: Option<&'m str>,
    /// X-Ray's header.
    pub trace_header: Option<&'m str>,
}

/// Puts a message into a queue by the rules of SQS. The inner error says why that cannot be.
pub(super) fn put(
    tx: &mut Txn<'_>,
    address: &QueueAddress,
    message: ForQueue<'_>,
) -> Result<Result<(), String>, Refusal> {
    let ForQueue { account, body, attributes, group, deduplication_id, trace_header } = message;
    let Some(queue) = tx.queue(address)? else {
        return Ok(Err(format!("The queue {} does not exist.", address.arn())));
    };
    if !may_deliver(tx, account, &queue) {
        return Ok(Err(format!(
            "The policy of the queue {} does not allow sns.amazonaws.com to send to it.",
            address.arn()
        )));
    }
    let checked = message_attributes::validate(attributes)
        .and_then(|()| message_body::check(Some(&body)).map(drop))
        .and_then(|()| {
            let size = body.len() + message_attributes::size(attributes);
            message_body::check_size(size, queue.attributes.maximum_message_size, false)
        });
    if let Err(refusal) = checked {
        return Ok(Err(refusal.message.into_owned()));
    }
    let fifo = queue.attributes.fifo;
    let outgoing = Outgoing {
        content: Content {
            attributes: (!attributes.is_empty()).then(|| message_attributes::encode(attributes)),
            deduplication_id: deduplication_id.filter(|_| fifo).map(str::to_owned),
            body,
            sender_id: SENDER_ID.to_owned(),
            trace_header: trace_header.map(str::to_owned),
        },
        delay_seconds: None,
        group: group.map(str::to_owned),
    };
    send(tx, &queue, &outgoing)?;
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(id: i64) -> TopicAddress {
        TopicAddress {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            name: format!("t{id}"),
        }
    }

    fn fanout(id: i64, texts: usize) -> Arc<Fanout> {
        let address = address(id);
        Arc::new(Fanout {
            id,
            version: 1,
            arn: address.arn(),
            address,
            attributes: TopicAttributes::default(),
            policy: None,
            subscriptions: Vec::new(),
            filters: 0,
            more_after: None,
            confirmed: 0,
            texts,
        })
    }

    #[test]
    fn what_is_kept_compiled_is_bounded_by_its_length_and_by_its_number() {
        let mut kept = Kept::default();
        for id in 0..100 {
            // Those of one topic count once, however often they change.
            kept.keep(&fanout(id % 10, KEPT / 4));
            let texts: usize = kept.by_topic.values().map(|known| known.texts).sum();
            assert_eq!(kept.texts, texts);
            assert!(texts <= KEPT);
            assert!(kept.by_topic.contains_key(&address(id % 10)));
        }
        for id in 0..3 * TOPICS as i64 {
            kept.keep(&fanout(id, 1));
            assert!(kept.by_topic.len() <= TOPICS);
        }
    }
}
