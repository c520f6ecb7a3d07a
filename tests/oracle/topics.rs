//! Topics: the subscriptions and their filters, and what each of them must receive, also by replaying the
//! archive.

use super::letters::{Letter, Patience};
use super::queues::{Message, Sent};
use super::{Complaint, DEDUPLICATION_MS, Oracle, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};
use squab::domain::address::has_fifo_suffix;
use std::collections::{BTreeMap, HashMap};

#[derive(Debug, Default)]
pub struct Topic {
    pub arn: String,
    pub fifo: bool,
    pub content_deduplication: bool,
    /// Deduplication per message group.
    pub scoped: bool,
    pub subscriptions: Vec<Subscription>,
    pub deduplication: HashMap<Deduplication, (Sent, i64)>,
    pub newest: Option<String>,
    /// Start of the archive in Unix milliseconds, and its retention in days.
    pub archive: Option<(i64, i64)>,
    /// The archived messages in the order of publication.
    pub archived: Vec<Archived>,
}

/// A message in the archive of its topic.
#[derive(Debug, Clone)]
pub struct Archived {
    pub at: i64,
    message: Published,
    told: Sent,
}

/// What makes a message a duplicate: its group, if that is in scope, and its deduplication ID.
pub type Deduplication = (Option<String>, String);

/// A confirmed subscription.
#[derive(Debug, Clone)]
pub struct Subscription {
    pub arn: String,
    /// Name of a queue, or a URL.
    pub endpoint: String,
    pub raw: bool,
    pub filter: Filter,
    /// The dead-letter queue.
    pub dead_letters: Option<String>,
    /// The retry policy of an HTTP endpoint.
    pub patience: Patience,
    /// The time after which it gets no more messages, because its replay had an end.
    pub until: Option<i64>,
}

/// The filter policy of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    All,
    /// The attribute `kind` with one of these values.
    Kind(Vec<&'static str>),
    /// An attribute `kind` with another value.
    AnythingBut(&'static str),
    /// No attribute `kind`, but others.
    NoKind,
    /// A body with a property `kind` of one of these values.
    InBody(Vec<&'static str>),
    /// The attribute `number` with at least this value.
    AtLeast(i64),
    /// This kind, or at least this number.
    Either(&'static str, i64),
}

/// A message for a topic.
#[derive(Debug, Clone, Default)]
pub struct Published {
    pub text: String,
    pub subject: Option<String>,
    /// The attributes `kind` and `number`.
    pub kind: Option<&'static str>,
    pub number: Option<i64>,
    /// The property `kind` of the text.
    pub in_body: Option<&'static str>,
    pub group: Option<String>,
    /// As it must be in effect.
    pub deduplication_id: Option<String>,
}

impl Filter {
    fn lets_pass(&self, message: &Published) -> bool {
        match self {
            Self::All => true,
            Self::Kind(kinds) => message.kind.is_some_and(|kind| kinds.contains(&kind)),
            Self::AnythingBut(other) => message.kind.is_some_and(|kind| kind != *other),
            Self::NoKind => message.kind.is_none() && message.number.is_some(),
            Self::InBody(kinds) => message.in_body.is_some_and(|kind| kinds.contains(&kind)),
            Self::AtLeast(least) => message.number.is_some_and(|number| number >= *least),
            Self::Either(kind, least) => {
                message.kind == Some(*kind) || message.number.is_some_and(|number| number >= *least)
            }
        }
    }
}

impl Published {
    /// Returns the names, types and values of its attributes.
    pub fn attributes(&self) -> BTreeMap<String, (String, String)> {
        let kind = self.kind.map(|kind| ("kind".into(), ("String".into(), kind.into())));
        let number = self.number.map(|n| ("number".into(), ("Number".into(), n.to_string())));
        kind.into_iter().chain(number).collect()
    }
}

/// Returns attributes as one text.
pub fn shown(attributes: &BTreeMap<String, (String, String)>) -> String {
    let show = |(name, (data_type, value))| format!("{name}:{data_type}={value} ");
    attributes.iter().map(|(name, of)| (name, of.clone())).map(show).collect()
}

/// Returns the SHA-256 in lower-case hexadecimal.
pub fn hash(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// Returns a body in the form of the oracle: an envelope reduced to its message, any other body unchanged.
pub fn read(body: &str) -> String {
    let envelope: Value = serde_json::from_str(body).unwrap_or_default();
    if envelope["Type"] != "Notification" {
        return body.to_owned();
    }
    let text = |member: &str| envelope[member].as_str().unwrap_or("none").to_owned();
    let attributes = envelope["MessageAttributes"].as_object().into_iter().flatten();
    let attribute = |(name, of): (&String, &Value)| {
        let text = |member: &str| of[member].as_str().unwrap_or("none").to_owned();
        (name.clone(), (text("Type"), text("Value")))
    };
    in_envelope(
        &text("TopicArn"),
        &text("MessageId"),
        &text("SequenceNumber"),
        &text("Subject"),
        &attributes.map(attribute).collect(),
        &text("Replayed"),
        &text("Message"),
    )
}

fn in_envelope(
    topic: &str,
    id: &str,
    sequence_number: &str,
    subject: &str,
    attributes: &BTreeMap<String, (String, String)>,
    replayed: &str,
    text: &str,
) -> String {
    let attributes = shown(attributes);
    format!("<{topic} {id} {sequence_number} {subject} {attributes}replayed:{replayed}> {text}")
}

impl Oracle {
    pub fn topic(&mut self, name: &str) -> &mut Topic {
        self.topics.get_mut(name).expect("a topic that exists")
    }

    /// Records a published message and its response: it must reach all matching subscriptions.
    pub fn published(
        &mut self,
        name: &str,
        message: &Published,
        told: &Sent,
    ) -> Result<(), Complaint> {
        let now = self.now;
        let topic = self.topic(name);
        ensure(topic.fifo == told.sequence_number.is_some(), || format!("{told:?} of {name}"))?;
        if let Some(id) = message.deduplication_id.as_ref().filter(|_| topic.fifo) {
            let key = (message.group.clone().filter(|_| topic.scoped), id.clone());
            let known = topic.deduplication.get(&key).filter(|(_, until)| *until > now);
            if let Some((first, _)) = known {
                return ensure(first == told, || {
                    format!("a duplicate is answered with {told:?} instead of {first:?}")
                });
            }
            let known = topic.deduplication.values().find(|(first, _)| first == told);
            ensure(known.is_none(), || format!("{told:?} is no duplicate"))?;
            ensure(topic.newest < told.sequence_number, || {
                format!("{told:?} after {:?}", topic.newest)
            })?;
            topic.newest.clone_from(&told.sequence_number);
            topic.deduplication.insert(key, (told.clone(), now + DEDUPLICATION_MS));
        }
        if topic.archive.is_some() {
            let (message, told) = (message.clone(), told.clone());
            topic.archived.push(Archived { at: now, message, told });
        }
        let envelope = topic.envelope(message, told, "none");
        let is_over = |one: &Subscription| one.until.is_some_and(|until| now > until);
        let wanting = |one: &&Subscription| one.filter.lets_pass(message) && !is_over(one);
        let subscriptions: Vec<_> = topic.subscriptions.iter().filter(wanting).cloned().collect();
        for to in subscriptions {
            self.deliver(&to, message, &envelope);
        }
        Ok(())
    }

    /// Starts or ends an archive, or changes its retention.
    pub fn set_archive(&mut self, name: &str, days: Option<i64>) {
        let now = self.now;
        let topic = self.topic(name);
        let since = topic.archive.map_or(now, |(since, _)| since);
        topic.archive = days.map(|days| (since, days));
        if days.is_none() {
            topic.archived.clear();
        }
    }

    /// Returns the number of messages in the archive of a topic.
    pub fn archived(&mut self, name: &str) -> usize {
        const DAY_MS: i64 = 86_400_000;
        let now = self.now;
        let topic = self.topic(name);
        let Some((_, days)) = topic.archive else { return 0 };
        topic.archived.retain(|one| one.at >= now - days * DAY_MS);
        topic.archived.len()
    }

    /// Replays to a subscription the matching archived messages between two times, both included, and ends it
    /// for messages after the second time.
    pub fn replayed(&mut self, name: &str, to: &Subscription, from: i64, until: Option<i64>) {
        self.archived(name);
        let topic = self.topic(name);
        let Some((since, _)) = topic.archive else { return };
        let is_meant = |one: &&Archived| {
            one.at >= from.max(since)
                && until.is_none_or(|until| one.at <= until)
                && to.filter.lets_pass(&one.message)
        };
        let archived: Vec<_> = topic.archived.iter().filter(is_meant).cloned().collect();
        let replaying = topic.subscriptions.iter_mut().filter(|one| one.arn == to.arn);
        replaying.for_each(|one| one.until = until);
        for Archived { message, told, .. } in archived {
            let envelope = self.topics[name].envelope(&message, &told, "true");
            self.deliver(to, &message, &envelope);
        }
    }

    fn deliver(&mut self, to: &Subscription, message: &Published, envelope: &str) {
        let body = if to.raw { message.text.clone() } else { envelope.to_owned() };
        if to.endpoint.starts_with("http") {
            self.letters.push(Letter::new(to.arn.clone(), body, self.now));
            return;
        }
        let attributes = if to.raw { shown(&message.attributes()) } else { String::new() };
        let arriving = Message {
            attributes: Some(attributes),
            group: message.group.clone(),
            deduplication_id: message.deduplication_id.clone(),
            ..Message::arriving(body, self.now, 0)
        };
        // A FIFO topic passes its message groups on to FIFO queues only.
        let topic_is_fifo = message.deduplication_id.is_some();
        let ungrouped = |name: &str| topic_is_fifo && !has_fifo_suffix(name);
        let to_queue = |name: &str| {
            let group = arriving.group.clone().filter(|_| !ungrouped(name));
            Message { group, ..arriving.clone() }
        };
        if self.arrive(&to.endpoint, to_queue(&to.endpoint)) {
            return;
        }
        if let Some(dead) = &to.dead_letters {
            self.arrive(dead, to_queue(dead));
        }
    }
}

impl Topic {
    fn envelope(&self, message: &Published, told: &Sent, replayed: &str) -> String {
        in_envelope(
            &self.arn,
            &told.id,
            told.sequence_number.as_deref().unwrap_or("none"),
            message.subject.as_deref().unwrap_or("none"),
            &message.attributes(),
            replayed,
            &message.text,
        )
    }
}
