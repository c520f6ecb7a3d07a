//! The topics that the file declares, with their subscriptions, to exist when the server is ready.
//!
//! ```toml
//! [topics.events]
//! attributes = { DisplayName = "Events" }
//! tags = { team = "shop" }
//!
//! [[topics.events.subscriptions]]
//! queue = "orders"
//! attributes = { RawMessageDelivery = true, FilterPolicy = '{"kind": ["order"]}' }
//!
//! [[topics.events.subscriptions]]
//! protocol = "https"
//! endpoint = "https://shop.example/events"
//! ```
//!
//! Only the shape is decided here. Names, attributes and their values are AWS's rules, applied when
//! the topics are created.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{Fault, Origin, Source, account, as_table, string, text};
use super::suggestion::did_you_mean;

/// A topic that is to exist at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredTopic {
    /// The name, with `.fifo` for a FIFO topic.
    pub name: String,
    /// Where it is declared.
    pub origin: Origin,
    /// 12 digits; the default account when `None`.
    pub account: Option<String>,
    /// The region of the settings when `None`.
    pub region: Option<String>,
    /// Attributes as CreateTopic takes them. `FifoTopic` is there whenever the name ends in
    /// `.fifo`.
    pub attributes: IndexMap<String, String>,
    /// Tags as CreateTopic takes them.
    pub tags: IndexMap<String, String>,
    /// Its subscriptions; others that it may have are left alone.
    pub subscriptions: Vec<DeclaredSubscription>,
}

/// A subscription that is to exist at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredSubscription {
    /// Where messages go.
    pub target: Target,
    /// Attributes as Subscribe takes them.
    pub attributes: IndexMap<String, String>,
}

/// Where a declared subscription sends its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A queue of the topic's account and region, by its name. It must exist, or be declared.
    Queue(String),
    /// Protocol and endpoint as Subscribe takes them.
    Endpoint {
        /// `http`, `https`, `email` and so on.
        protocol: String,
        /// A URL, an address, an ARN: what the protocol says.
        endpoint: String,
    },
}

/// The settable attributes of topics but for those of delivery status logging, which begin with a
/// protocol.
const TOPIC_ATTRIBUTES: [&str; 11] = [
    "DisplayName",
    "Policy",
    "DeliveryPolicy",
    "FifoTopic",
    "ContentBasedDeduplication",
    "FifoThroughputScope",
    "ArchivePolicy",
    "SignatureVersion",
    "TracingConfig",
    "KmsMasterKeyId",
    "MaximumMessageSize",
];

/// What follows the protocol in the names of the attributes of delivery status logging.
const FEEDBACK: [&str; 3] =
    ["SuccessFeedbackRoleArn", "FailureFeedbackRoleArn", "SuccessFeedbackSampleRate"];

/// The keys of a topic that are not attributes.
const TOPIC_KEYS: [&str; 5] = ["attributes", "tags", "subscriptions", "account", "region"];

/// The settable attributes of subscriptions, as the API reference of Subscribe names them.
const SUBSCRIPTION_ATTRIBUTES: [&str; 7] = [
    "RawMessageDelivery",
    "FilterPolicy",
    "FilterPolicyScope",
    "DeliveryPolicy",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
];

/// The keys of a subscription that are not attributes.
const SUBSCRIPTION_KEYS: [&str; 4] = ["queue", "protocol", "endpoint", "attributes"];

type Key<'i> = Spanned<Cow<'i, str>>;

/// Reads `[topics.…]`.
pub(super) fn parse(source: Source<'_>, table: &DeTable<'_>) -> Result<Vec<DeclaredTopic>, Fault> {
    let parse = |(name, value): (&Key<'_>, _)| {
        let mut topic = parse_topic(source, name.get_ref(), value)?;
        topic.origin.line = Some(source.line(name.span().start));
        Ok(topic)
    };
    table.iter().map(parse).collect()
}

fn parse_topic(
    source: Source<'_>,
    name: &str,
    value: &Spanned<DeValue<'_>>,
) -> Result<DeclaredTopic, Fault> {
    let mut topic = DeclaredTopic {
        name: name.to_owned(),
        origin: Origin::default(),
        account: None,
        region: None,
        attributes: IndexMap::new(),
        tags: IndexMap::new(),
        subscriptions: Vec::new(),
    };
    let of = format!("topic `{name}`");
    let attribute = |attributes: &mut _, key: &_, value: &_| {
        let named = key_of(key);
        let is_known = TOPIC_ATTRIBUTES.contains(&named)
            || FEEDBACK.iter().any(|suffix| named.ends_with(suffix));
        let known = TOPIC_ATTRIBUTES.iter().chain(&TOPIC_KEYS).copied();
        insert_attribute(source, attributes, is_known, &of, known, key, value)
    };
    for (key, value) in as_table(source, &format!("topics.{name}"), value)? {
        match key.get_ref().as_ref() {
            "attributes" => {
                for (key, value) in as_table(source, "attributes", value)? {
                    attribute(&mut topic.attributes, key, value)?;
                }
            }
            "tags" => {
                for (tag, value) in as_table(source, "tags", value)? {
                    topic.tags.insert(tag.get_ref().to_string(), text(source, tag, value)?);
                }
            }
            "subscriptions" => topic.subscriptions = parse_subscriptions(source, name, value)?,
            "account" => topic.account = Some(account(source, key, value)?),
            "region" => topic.region = Some(string(source, key, value)?),
            "fifo" if value.get_ref().is_table() => {
                return Err(source.fault(
                    key.span().start,
                    format!("write [topics.\"{name}.fifo\"] with quotes: the name has a dot"),
                ));
            }
            _ => attribute(&mut topic.attributes, key, value)?,
        }
    }
    if name.strip_suffix(".fifo").is_some() {
        // CreateTopic wants it said; here the name says it.
        topic.attributes.entry("FifoTopic".to_owned()).or_insert_with(|| "true".to_owned());
    }
    Ok(topic)
}

fn parse_subscriptions(
    source: Source<'_>,
    topic: &str,
    value: &Spanned<DeValue<'_>>,
) -> Result<Vec<DeclaredSubscription>, Fault> {
    let DeValue::Array(subscriptions) = value.get_ref() else {
        return Err(source.fault(
            value.span().start,
            format!("write [[topics.{topic:?}.subscriptions]] with two brackets: it is a list"),
        ));
    };
    subscriptions.iter().map(|value| parse_subscription(source, topic, value)).collect()
}

fn parse_subscription(
    source: Source<'_>,
    topic: &str,
    value: &Spanned<DeValue<'_>>,
) -> Result<DeclaredSubscription, Fault> {
    let of = format!("a subscription of topic `{topic}`");
    let (mut queue, mut protocol, mut endpoint) = (None, None, None);
    let mut attributes = IndexMap::new();
    let attribute = |attributes: &mut _, key: &_, value: &_| {
        let is_known = SUBSCRIPTION_ATTRIBUTES.contains(&key_of(key));
        let known = SUBSCRIPTION_ATTRIBUTES.iter().chain(&SUBSCRIPTION_KEYS).copied();
        insert_attribute(source, attributes, is_known, &of, known, key, value)
    };
    for (key, value) in as_table(source, "subscriptions", value)? {
        match key.get_ref().as_ref() {
            "queue" => queue = Some(string(source, key, value)?),
            "protocol" => protocol = Some(string(source, key, value)?),
            "endpoint" => endpoint = Some(string(source, key, value)?),
            "attributes" => {
                for (key, value) in as_table(source, "attributes", value)? {
                    attribute(&mut attributes, key, value)?;
                }
            }
            _ => attribute(&mut attributes, key, value)?,
        }
    }
    let target = match (queue, protocol, endpoint) {
        (Some(name), None, None) => Target::Queue(name),
        (None, Some(protocol), Some(endpoint)) => Target::Endpoint { protocol, endpoint },
        (Some(_), ..) => {
            let message = format!("{of} has a `queue` and a `protocol` or `endpoint`: give one");
            return Err(source.fault(value.span().start, message));
        }
        _ => {
            let message = format!("{of} needs a `queue`, or a `protocol` and an `endpoint`");
            return Err(source.fault(value.span().start, message));
        }
    };
    Ok(DeclaredSubscription { target, attributes })
}

fn key_of<'k>(key: &'k Key<'_>) -> &'k str {
    key.get_ref().as_ref()
}

fn insert_attribute<'a>(
    source: Source<'_>,
    attributes: &mut IndexMap<String, String>,
    is_known: bool,
    of: &str,
    known: impl Iterator<Item = &'a str>,
    key: &Key<'_>,
    value: &Spanned<DeValue<'_>>,
) -> Result<(), Fault> {
    let name = key_of(key);
    let at = key.span().start;
    if !is_known {
        let hint = did_you_mean(name, known);
        return Err(source.fault(at, format!("unknown key `{name}` of {of}{hint}")));
    }
    let value = match value.get_ref() {
        // A policy may be written as TOML.
        DeValue::Table(_) | DeValue::Array(_) => json(value.get_ref()).to_string(),
        _ => text(source, key, value)?,
    };
    if attributes.insert(name.to_owned(), value).is_some() {
        return Err(source.fault(at, format!("`{name}` is given twice")));
    }
    Ok(())
}

/// The JSON that a TOML value stands for. The parser bounds how deep it is.
fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Integer(number) if number.radix() == 10 => {
            number.as_str().parse::<i64>().map_or(Value::Null, Value::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Array(values) => values.iter().map(|value| json(value.get_ref())).collect(),
        DeValue::Table(table) => Value::Object(
            table
                .iter()
                .map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref())))
                .collect(),
        ),
        DeValue::Integer(_) | DeValue::Datetime(_) => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::super::tests::{fault, map};
    use super::*;

    fn topics(text: &str) -> Vec<DeclaredTopic> {
        file::parse(text).unwrap().topics
    }

    #[test]
    fn topics_have_attributes_tags_and_subscriptions_of_both_kinds() {
        let topics = topics(
            "[topics.events]\n\
             attributes = { DisplayName = 'Events', HTTPSuccessFeedbackSampleRate = 5 }\n\
             tags = { team = 'shop' }\n\
             [[topics.events.subscriptions]]\n\
             queue = 'orders'\n\
             RawMessageDelivery = true\n\
             FilterPolicy = { kind = ['order', { prefix = 'x' }], n = [{ numeric = ['>', 1] }] }\n\
             [[topics.events.subscriptions]]\n\
             protocol = 'https'\n\
             endpoint = 'https://shop.example/'\n\
             [topics.'steps.fifo']\n",
        );
        let policy = r#"{"kind":["order",{"prefix":"x"}],"n":[{"numeric":[">",1]}]}"#;
        let expected = DeclaredTopic {
            name: "events".to_owned(),
            origin: Origin { line: Some(1), ..Origin::default() },
            account: None,
            region: None,
            attributes: map(&[("DisplayName", "Events"), ("HTTPSuccessFeedbackSampleRate", "5")]),
            tags: map(&[("team", "shop")]),
            subscriptions: vec![
                DeclaredSubscription {
                    target: Target::Queue("orders".to_owned()),
                    attributes: map(&[("RawMessageDelivery", "true"), ("FilterPolicy", policy)]),
                },
                DeclaredSubscription {
                    target: Target::Endpoint {
                        protocol: "https".to_owned(),
                        endpoint: "https://shop.example/".to_owned(),
                    },
                    attributes: map(&[]),
                },
            ],
        };
        assert_eq!(topics[0], expected);
        assert_eq!(topics[1].attributes, map(&[("FifoTopic", "true")]));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_line() {
        for (text, line, message) in [
            (
                "[topics.t]\ndisplay_name = 'x'\n",
                2,
                "unknown key `display_name` of topic `t`; did you mean `DisplayName`?",
            ),
            (
                "[[topics.t.subscriptions]]\nqueue = 'q'\nraw = true\n",
                3,
                "unknown key `raw` of a subscription of topic `t`; did you mean `RawMessageDelivery`?",
            ),
            (
                "[[topics.t.subscriptions]]\nqueue = 'q'\nFilterPolicies = '{}'\n",
                3,
                "unknown key `FilterPolicies` of a subscription of topic `t`; did you mean \
                 `FilterPolicy`?",
            ),
            (
                "[[topics.t.subscriptions]]\nprotocol = 'https'\n",
                1,
                "a subscription of topic `t` needs a `queue`, or a `protocol` and an `endpoint`",
            ),
            (
                "[[topics.t.subscriptions]]\nqueue = 'q'\nendpoint = 'x'\n",
                1,
                "a subscription of topic `t` has a `queue` and a `protocol` or `endpoint`: give \
                 one",
            ),
            (
                "[topics.t.subscriptions]\nqueue = 'q'\n",
                1,
                "write [[topics.\"t\".subscriptions]] with two brackets: it is a list",
            ),
            ("[topics.t.fifo]\n", 1, "write [topics.\"t.fifo\"] with quotes: the name has a dot"),
            ("topics = 1\n", 1, "`topics` must be a table"),
        ] {
            assert_eq!(fault(text), (line, message.to_owned()));
        }
    }
}
