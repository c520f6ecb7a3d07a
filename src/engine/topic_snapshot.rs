//! Topics with their subscriptions, compiled for publications.
//!
//! Filters are compiled once for each version of a topic and kept in a [`TopicCache`]. A topic gets another random version
//! with each change, so a cached snapshot can be old, but is then not used.

use super::access::Access;
use crate::domain::Refusal;
use crate::domain::address::QueueAddress;
use crate::domain::filter_policy::{Candidate, FilterPolicy, Scope};
use crate::domain::message_structure::MessageTexts;
use crate::domain::platform::EndpointAddress;
use crate::domain::policy::Policy;
use crate::domain::sns_endpoint::Protocol;
use crate::domain::sns_message::Published;
use crate::domain::topic_address::TopicAddress;
use crate::domain::topic_attributes::TopicAttributes;
use crate::store::{
    DELIVERY_BYTES, Replay, Subscription, SubscriptionState, Topic, Txn, outbox_bytes,
};
use foldhash::HashMap;
use parking_lot::Mutex;
use std::sync::Arc;

/// Subscriptions that a publication looks at before it leaves the rest to background work.
const SUBSCRIPTIONS: usize = 1_000;
/// Bytes of filters and endpoints after which a publication leaves the rest to background work, too.
const TEXTS: usize = 8 * 1024 * 1024;
/// Subscriptions that are read at once.
const PAGE: i64 = 100;
/// Topics that are cached.
const CACHED_TOPICS: usize = 1_000;
/// Bytes of the filters and endpoints of cached topics, which are a few times as long compiled.
const CACHED_TEXTS: usize = 64 * 1024 * 1024;
/// The most work that filters may be in a transaction: bytes of messages, times the costs of the filters.
pub(super) const FILTERING_IN_TRANSACTION: usize = 512 * 1024;
/// What parsing a message costs, compared with evaluating a policy of equalities.
const PARSING_COST: usize = 16;

/// A topic with those of its subscriptions that a publication looks at first.
#[derive(Debug)]
pub struct TopicSnapshot {
    /// Id of the topic.
    pub id: i64,
    pub(super) version: i64,
    /// Account, region and name.
    pub address: TopicAddress,
    /// The topic's ARN.
    pub arn: String,
    /// Settable attributes.
    pub attributes: TopicAttributes,
    /// The access policy, if it is not the default one.
    policy: Option<Policy>,
    subscriptions: Vec<Subscriber>,
    /// The last subscription in here, if the topic may have more.
    pub(super) more_after: Option<i64>,
    /// The number of confirmed subscriptions that the topic has in all.
    pub(super) confirmed: i64,
    /// What the filters of each scope cost, with the parsing of a message for them; 0 if there are none.
    body_filters_cost: usize,
    attribute_filters_cost: usize,
    /// Bytes of the filters and endpoints of the subscriptions.
    texts: usize,
}

/// A confirmed subscription with its filter compiled.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub id: i64,
    pub arn: String,
    pub account: String,
    pub region: String,
    pub protocol: Protocol,
    pub endpoint: String,
    /// Whose slots its deliveries take, if they leave the process.
    pub destination: Option<String>,
    pub queue: Option<QueueAddress>,
    /// The push service, if the endpoint is a device.
    pub platform: Option<String>,
    pub raw: bool,
    filter: Option<FilterPolicy>,
    pub dead_letter_queue: Option<QueueAddress>,
    /// The percentage of successes that are logged.
    pub success_sample_rate: u8,
    /// Unix milliseconds: messages that are published later are not delivered, because the replay was to end there.
    pub until: Option<i64>,
}

impl Subscriber {
    pub fn new(subscription: &Subscription, topic: &TopicAttributes) -> Self {
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

    /// Returns whether the filter lets the message through.
    pub fn accepts(&self, message: &Candidate<'_>) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(message))
    }

    /// Returns what the filter costs for a message, in the unit of [`FILTERING_IN_TRANSACTION`].
    pub fn filtering_cost(&self, message: &Published) -> usize {
        let Some(filter) = &self.filter else { return 0 };
        let body = message.message.len();
        let bytes = match filter.scope() {
            Scope::MessageBody => body,
            Scope::MessageAttributes => message.size() - body,
        };
        bytes.saturating_mul(PARSING_COST + filter.cost())
    }
}

/// Returns a message for filters to see. Of a structured message that is the text for queues.
pub(super) fn candidate<'m>(message: &'m Published, texts: &'m MessageTexts<'_>) -> Candidate<'m> {
    Candidate::new(texts.for_protocol(Protocol::Sqs.name()), &message.attributes)
}

/// Returns whether messages by a protocol leave the process, by way of the outbox.
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

/// Snapshots of the topics that messages are published to.
#[derive(Debug, Default)]
pub struct TopicCache(Mutex<Cached>);

#[derive(Debug, Default)]
struct Cached {
    by_topic: HashMap<TopicAddress, Arc<TopicSnapshot>>,
    texts: usize,
}

impl Cached {
    /// Adds a snapshot. A full cache is emptied first: topics in use come back.
    fn insert(&mut self, topic: &Arc<TopicSnapshot>) {
        if let Some(old) = self.by_topic.remove(&topic.address) {
            self.texts -= old.texts;
        }
        if self.by_topic.len() >= CACHED_TOPICS || self.texts + topic.texts > CACHED_TEXTS {
            *self = Self::default();
        }
        self.texts += topic.texts;
        self.by_topic.insert(topic.address.clone(), Arc::clone(topic));
    }
}

impl TopicCache {
    /// Returns the topic at an address. Refused where the call may not use it.
    pub fn find(
        &self,
        tx: &mut Txn<'_>,
        access: &Access,
        address: &TopicAddress,
    ) -> Result<Arc<TopicSnapshot>, Refusal> {
        let topic = self.get(tx, address)?;
        let policy = topic.as_ref().and_then(|topic| topic.policy.as_ref());
        access.check(&address.account, || address.arn(), policy)?;
        topic.ok_or_else(|| Refusal::not_found("Topic"))
    }

    fn get(
        &self,
        tx: &mut Txn<'_>,
        address: &TopicAddress,
    ) -> Result<Option<Arc<TopicSnapshot>>, Refusal> {
        let Some((id, version)) = tx.topic_version(address)? else { return Ok(None) };
        let known = self.0.lock().by_topic.get(address).cloned();
        if let Some(known) = known.filter(|known| known.version == version) {
            return Ok(Some(known));
        }
        let Some(topic) = tx.topic_by_id(id)? else { return Ok(None) };
        let topic = Arc::new(TopicSnapshot::read(tx, topic, 0)?);
        self.0.lock().insert(&topic);
        Ok(Some(topic))
    }
}

impl TopicSnapshot {
    /// Returns a topic with its next subscriptions after one of them.
    pub(super) fn read(tx: &mut Txn<'_>, topic: Topic, after: i64) -> Result<Self, Refusal> {
        let (page, more_after) = page(tx, &topic, after)?;
        let subscriptions = subscribers(&page, &topic.attributes);
        Ok(Self {
            body_filters_cost: filters_cost(&subscriptions, Scope::MessageBody),
            attribute_filters_cost: filters_cost(&subscriptions, Scope::MessageAttributes),
            texts: page.iter().map(texts).sum(),
            more_after,
            id: topic.id,
            version: topic.version,
            arn: topic.address.arn(),
            confirmed: topic.confirmed,
            subscriptions,
            policy: topic.attributes.own_policy().map(Policy::read),
            address: topic.address,
            attributes: topic.attributes,
        })
    }

    /// Removes the subscriptions that are younger than a publication.
    pub(super) fn keep_subscribed_before(&mut self, publication: i64) {
        // Ids of both come from one sequence.
        self.subscriptions
            .retain(|it| it.id < publication && !fault!("fan-out-ends-with-its-first-page"));
    }

    /// Returns whether the filters would take longer over these messages than other jobs should wait for a transaction.
    pub(super) fn takes_long_to_filter(&self, messages: &[Published]) -> bool {
        let bodies: usize = messages.iter().map(|one| one.message.len()).sum();
        let all: usize = messages.iter().map(Published::size).sum();
        let work = bodies.saturating_mul(self.body_filters_cost);
        work.saturating_add((all - bodies).saturating_mul(self.attribute_filters_cost))
            > FILTERING_IN_TRANSACTION
    }

    /// Returns, for each message, the ids of the subscriptions whose filters let it through.
    pub fn filter(&self, messages: &[Published]) -> Vec<Vec<i64>> {
        let accepting = messages.iter().map(|message| {
            let recipients = self.recipients(message, &message.texts(), None);
            recipients.iter().map(|subscriber| subscriber.id).collect()
        });
        accepting.collect()
    }

    /// Returns the subscriptions that get a message with these texts, in their order. `accepting`: what [`Self::filter`]
    /// has returned for it.
    pub(super) fn recipients(
        &self,
        message: &Published,
        texts: &MessageTexts<'_>,
        accepting: Option<&[i64]>,
    ) -> Vec<&Subscriber> {
        let candidate = candidate(message, texts);
        let accepts = |one: &&Subscriber| match accepting {
            Some(ids) => ids.binary_search(&one.id).is_ok(),
            None => one.accepts(&candidate),
        };
        self.subscriptions.iter().filter(accepts).collect()
    }

    /// Returns whether one of the recipients is a queue that gets the message in an envelope, which has a signature unless
    /// the topic is FIFO. Recipients that are not known yet may be.
    pub(super) fn needs_signature(&self, recipients: &[&Subscriber]) -> bool {
        let is_signed = |to: &&Subscriber| to.protocol == Protocol::Sqs && !to.raw;
        !self.attributes.is_fifo()
            && (self.more_after.is_some() || recipients.iter().any(is_signed))
    }

    /// Returns the bytes that a message takes in the outbox: 0 if it does not leave the process. Subscriptions that are not
    /// in here count as if each got it.
    pub(super) fn outbox_bytes(&self, message: &Published, recipients: &[&Subscriber]) -> i64 {
        let deliveries = match self.more_after {
            Some(_) => self.confirmed,
            None => recipients.iter().filter(|to| to.destination.is_some()).count() as i64,
        };
        if deliveries == 0 { 0 } else { outbox_bytes(message) + deliveries * DELIVERY_BYTES }
    }
}

/// Returns the subscriptions of a topic after one of them, and the last one if there may be more. Of a FIFO topic it returns
/// all.
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

/// Returns the bytes of the filter and the endpoint of a subscription.
fn texts(subscription: &Subscription) -> usize {
    subscription.endpoint.len() + subscription.attributes.bytes()
}

/// Returns the subscriptions that get what is published now. One with a replay going on gets the message from the replay
/// instead, in its order, if the topic has an archive.
fn subscribers(page: &[Subscription], topic: &TopicAttributes) -> Vec<Subscriber> {
    let has_archive = topic.archive_days().is_some();
    let waits = |one: &&Subscription| one.replay.as_ref().is_some_and(Replay::is_going_on);
    let confirmed = page.iter().filter(|one| one.state == SubscriptionState::Confirmed);
    let present = confirmed.filter(|one| !has_archive || !waits(one));
    present.map(|one| Subscriber::new(one, topic)).collect()
}

fn filters_cost(subscriptions: &[Subscriber], scope: Scope) -> usize {
    let filters = subscriptions.iter().filter_map(|one| one.filter.as_ref());
    match filters.filter(|it| it.scope() == scope).map(FilterPolicy::cost).sum() {
        0 => 0,
        cost => PARSING_COST + cost,
    }
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

    fn topic(id: i64, texts: usize) -> Arc<TopicSnapshot> {
        let address = address(id);
        Arc::new(TopicSnapshot {
            id,
            version: 1,
            arn: address.arn(),
            address,
            attributes: TopicAttributes::default(),
            policy: None,
            subscriptions: Vec::new(),
            more_after: None,
            confirmed: 0,
            body_filters_cost: 0,
            attribute_filters_cost: 0,
            texts,
        })
    }

    #[test]
    fn the_cache_is_bounded_by_length_and_by_number() {
        let mut cached = Cached::default();
        for id in 0..100 {
            // Those of one topic count once, however often they change.
            cached.insert(&topic(id % 10, CACHED_TEXTS / 4));
            let texts: usize = cached.by_topic.values().map(|known| known.texts).sum();
            assert_eq!(cached.texts, texts);
            assert!(texts <= CACHED_TEXTS);
            assert!(cached.by_topic.contains_key(&address(id % 10)));
        }
        for id in 0..3 * CACHED_TOPICS as i64 {
            cached.insert(&topic(id, 1));
            assert!(cached.by_topic.len() <= CACHED_TOPICS);
        }
    }
}
