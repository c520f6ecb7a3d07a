//! The JSON with which fauxqs begins.

use serde_json::Value;

use super::{DeclaredQueue, Imported, Object, take_redrive_policy, topic};
use crate::config::file::Fault;
use crate::config::{DeclaredSubscription, Target};

const KEYS: [&str; 5] = ["queues", "topics", "subscriptions", "buckets", "region"];

/// Reads JSON.
pub(super) fn parse(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text)
        .map_err(|error| Fault { line: error.line(), message: error.to_string() })
}

const RESOURCE_KEYS: [&str; 4] = ["name", "region", "attributes", "tags"];

/// Reads the whole file.
pub(super) fn read(root: &Object<'_>) -> Imported {
    let mut imported = Imported::default();
    let root = Object { at: String::new(), ..*root }.knowing(&KEYS);
    imported.options.region = root.text("region");
    if !root.array("buckets").is_empty() {
        root.warn("buckets are not supported".to_owned());
    }
    for given in root.objects("queues", &RESOURCE_KEYS) {
        let Some(name) = given.name("name") else { continue };
        let mut declared = DeclaredQueue::named(&name);
        declared.region = given.text("region");
        declared.attributes = given.texts("attributes");
        declared.tags = given.texts("tags");
        if name.strip_suffix(".fifo").is_some() {
            declared.attributes.entry("FifoQueue".to_owned()).or_insert_with(|| "true".into());
        }
        take_redrive_policy(&mut declared);
        imported.queues.push(declared);
    }
    for given in root.objects("topics", &RESOURCE_KEYS) {
        let Some(name) = given.name("name") else { continue };
        let mut declared = topic(&name);
        declared.region = given.text("region");
        declared.attributes.extend(given.texts("attributes"));
        declared.tags = given.texts("tags");
        imported.topics.push(declared);
    }
    for given in root.objects("subscriptions", &["topic", "queue", "region", "attributes"]) {
        let topic = given.name("topic");
        let Some((name, queue)) = topic.zip(given.name("queue")) else { continue };
        let region = given.text("region");
        let of_topic = imported
            .topics
            .iter_mut()
            .find(|topic| topic.name == name && (region.is_none() || topic.region == region));
        match of_topic {
            None => given.warn(format!("a subscription of {queue}: there is no topic `{name}`")),
            Some(topic) => topic.subscriptions.push(DeclaredSubscription {
                target: Target::Queue(queue),
                attributes: given.texts("attributes"),
            }),
        }
    }
    imported
}
