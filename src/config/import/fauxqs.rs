//! The JSON with which fauxqs begins.

use serde_json::Value;

use super::{DeclaredQueue, Imported, Object, take_redrive_policy, topic};
use crate::config::file::Fault;
use crate::config::{DeclaredSubscription, Target};

/// Reads JSON.
pub(super) fn parse(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text)
        .map_err(|error| Fault { line: error.line(), message: error.to_string() })
}

/// Reads the whole file.
pub(super) fn read(root: &Value) -> Imported {
    let mut imported = Imported::default();
    let mut told = Vec::new();
    let root = Object::of("", root, &mut told);
    root.knows(&["queues", "topics", "subscriptions", "buckets", "region"], &mut told);
    imported.options.region = root.text("region");
    if !root.array("buckets").is_empty() {
        told.push("buckets are not supported".to_owned());
    }
    let keys = ["name", "region", "attributes", "tags"];
    for value in root.array("queues") {
        let given = Object::of("queues", value, &mut told);
        given.knows(&keys, &mut told);
        let Some(name) = given.name("name", &mut told) else { continue };
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
    for value in root.array("topics") {
        let given = Object::of("topics", value, &mut told);
        given.knows(&keys, &mut told);
        let Some(name) = given.name("name", &mut told) else { continue };
        let mut declared = topic(&name);
        declared.region = given.text("region");
        declared.attributes.extend(given.texts("attributes"));
        declared.tags = given.texts("tags");
        imported.topics.push(declared);
    }
    for value in root.array("subscriptions") {
        let given = Object::of("subscriptions", value, &mut told);
        given.knows(&["topic", "queue", "region", "attributes"], &mut told);
        let topic = given.name("topic", &mut told);
        let Some((name, queue)) = topic.zip(given.name("queue", &mut told)) else { continue };
        let region = given.text("region");
        let of_topic = imported
            .topics
            .iter_mut()
            .find(|topic| topic.name == name && (region.is_none() || topic.region == region));
        match of_topic {
            None => told.push(format!("a subscription of {queue}: there is no topic `{name}`")),
            Some(topic) => topic.subscriptions.push(DeclaredSubscription {
                target: Target::Queue(queue),
                attributes: given.texts("attributes"),
            }),
        }
    }
    imported.warnings = told;
    imported
}
