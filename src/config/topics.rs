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

use indexmap::IndexMap;

use super::declaration::{Attributes, Resource, SHARED_KEYS};
use super::file::{Entry, Fault, Origin};
use crate::domain::{subscription_attributes, topic_attributes};

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

/// The key of a topic that queues have not.
const KEYS: [&str; 1] = ["subscriptions"];

/// The keys of a subscription that are not attributes.
const SUBSCRIPTION_KEYS: [&str; 4] = ["queue", "protocol", "endpoint", "attributes"];

/// Reads `[topics.…]`.
pub(super) fn parse(entries: &[Entry<'_, '_>]) -> Result<Vec<DeclaredTopic>, Fault> {
    entries.iter().map(parse_topic).collect()
}

fn parse_topic(declared: &Entry<'_, '_>) -> Result<DeclaredTopic, Fault> {
    let name = &declared.key;
    let mut resource = Resource::new(Attributes {
        of: format!("topic `{name}`"),
        suggestions: topic_attributes::SETTABLE
            .into_iter()
            .chain(SHARED_KEYS)
            .chain(KEYS)
            .collect(),
        is_known: topic_attributes::is_settable,
        given: IndexMap::new(),
    });
    let mut subscriptions = Vec::new();
    for entry in declared.entries_of_resource("topics")? {
        match entry.key.as_str() {
            "subscriptions" => subscriptions = parse_subscriptions(name, &entry)?,
            _ => resource.read(&entry)?,
        }
    }
    Ok(DeclaredTopic {
        name: name.clone(),
        origin: declared.origin(),
        account: resource.account.take(),
        region: resource.region.take(),
        tags: std::mem::take(&mut resource.tags),
        attributes: resource.attributes(name, "FifoTopic"),
        subscriptions,
    })
}

fn parse_subscriptions(
    topic: &str,
    declared: &Entry<'_, '_>,
) -> Result<Vec<DeclaredSubscription>, Fault> {
    let elements = declared.elements().ok_or_else(|| {
        declared.fault_of_value(format!(
            "write [[topics.{topic:?}.subscriptions]] with two brackets: it is a list"
        ))
    })?;
    elements.map(|element| parse_subscription(topic, &element)).collect()
}

fn parse_subscription(
    topic: &str,
    declared: &Entry<'_, '_>,
) -> Result<DeclaredSubscription, Fault> {
    let of = format!("a subscription of topic `{topic}`");
    let known = subscription_attributes::SETTABLE;
    let (mut queue, mut protocol, mut endpoint) = (None, None, None);
    let mut attributes = Attributes {
        of: of.clone(),
        suggestions: known.into_iter().chain(SUBSCRIPTION_KEYS).collect(),
        is_known: |name| subscription_attributes::SETTABLE.contains(&name),
        given: IndexMap::new(),
    };
    for entry in declared.entries()? {
        match entry.key.as_str() {
            "queue" => queue = Some(entry.string()?),
            "protocol" => protocol = Some(entry.string()?),
            "endpoint" => endpoint = Some(entry.string()?),
            _ => attributes.read(&entry)?,
        }
    }
    let target = match (queue, protocol, endpoint) {
        (Some(name), None, None) => Target::Queue(name),
        (None, Some(protocol), Some(endpoint)) => Target::Endpoint { protocol, endpoint },
        (Some(_), ..) => {
            return Err(declared.fault_of_value(format!(
                "{of} has a `queue` and a `protocol` or `endpoint`: give one"
            )));
        }
        _ => {
            return Err(declared.fault_of_value(format!(
                "{of} needs a `queue`, or a `protocol` and an `endpoint`"
            )));
        }
    };
    Ok(DeclaredSubscription { target, attributes: attributes.given })
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
            (
                "[topics.t.fifo]\n",
                1,
                "write [topics.\"t.fifo\"] in quotes, because the name contains a dot",
            ),
            ("topics = 1\n", 1, "`topics` must be a table"),
        ] {
            assert_eq!(fault(text), (line, message.to_owned()));
        }
    }
}
