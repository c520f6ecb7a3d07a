//! `elasticmq.conf`.

use serde_json::Map;

use indexmap::IndexMap;

use super::{DeclaredQueue, Imported, Object};

const QUEUE_KEYS: [&str; 9] = [
    "defaultVisibilityTimeout",
    "delay",
    "receiveMessageWait",
    "fifo",
    "contentBasedDeduplication",
    "deadLettersQueue",
    "copyTo",
    "moveTo",
    "tags",
];

/// The keys of a template. The name of a queue made from it decides whether it is FIFO.
const TEMPLATE_KEYS: [&str; 5] = [
    "defaultVisibilityTimeout",
    "delay",
    "receiveMessageWait",
    "fifo",
    "contentBasedDeduplication",
];

/// The keys of the file. Some of them configure only ElasticMQ's own machinery.
const KEYS: [&str; 11] = [
    "node-address",
    "generate-node-address",
    "rest-sqs",
    "rest-stats",
    "queues",
    "auto-create-queues",
    "queues-storage",
    "messages-storage",
    "aws",
    "akka",
    "pekko",
];

const STORAGES: [(&str, &[&str]); 2] = [
    ("queues-storage", &["enabled", "path"]),
    (
        "messages-storage",
        &["enabled", "driver-class", "uri", "username", "password", "prune-data-on-init"],
    ),
];

/// Reads the whole file.
pub(super) fn read(root: &Object<'_>) -> Imported {
    let mut imported = Imported::default();
    let root = Object { at: String::new(), ..*root }.knowing(&KEYS);
    addresses(&root, &mut imported);
    for (storage, keys) in STORAGES {
        if root.object(storage, keys).truth("enabled") {
            imported.options.ephemeral = Some(false);
        }
    }
    let auto = root.object("auto-create-queues", &["enabled", "template"]);
    if auto.truth("enabled") {
        imported.options.auto_create_queues = Some(true);
        let template = auto.object("template", &TEMPLATE_KEYS);
        imported.queue_template = attributes(&template);
        if template.truth("contentBasedDeduplication") {
            let name = "ContentBasedDeduplication".to_owned();
            imported.queue_template.insert(name, "true".to_owned());
        }
    }
    let aws = root.object("aws", &["region", "accountId"]);
    imported.options.region = aws.text("region");
    imported.options.account = aws.account("accountId", "aws.accountId");
    read_queues(&root, &mut imported);
    imported
}

fn addresses(root: &Object<'_>, imported: &mut Imported) {
    let rest = root.object("rest-sqs", &["enabled", "bind-port", "bind-hostname", "sqs-limits"]);
    let port = rest.text("bind-port").unwrap_or_else(|| "9324".to_owned());
    let host = rest.text("bind-hostname").unwrap_or_else(|| "0.0.0.0".to_owned());
    if rest.members.is_some() {
        imported.options.listen = Some(vec![format!("{host}:{port}")]);
    }
    if rest.text("sqs-limits").as_deref() == Some("relaxed") {
        imported.options.relaxed_limits = Some(true);
    }
    let node = root.object("node-address", &["protocol", "host", "port", "context-path"]);
    let path = node.text("context-path").unwrap_or_default();
    let path = path.trim_matches('/');
    match node.text("host") {
        Some(host) if host != "*" && !root.truth("generate-node-address") => {
            let protocol = node.text("protocol").unwrap_or_else(|| "http".to_owned());
            let port = node.text("port").unwrap_or_else(|| "9324".to_owned());
            let slash = if path.is_empty() { "" } else { "/" };
            imported.options.public_url = Some(format!("{protocol}://{host}:{port}{slash}{path}"));
        }
        _ if !path.is_empty() => {
            let reason = "is written into queue URLs only where node-address.host is a name";
            node.warn(format!("node-address.context-path {reason}"));
        }
        _ => {}
    }
}

fn read_queues(root: &Object<'_>, imported: &mut Imported) {
    let queues = Object::of("queues".to_owned(), root.get("queues"), root.warnings);
    for name in queues.members.into_iter().flat_map(Map::keys) {
        let given = queues.object(name, &QUEUE_KEYS);
        let fifo = given.truth("fifo") || name.strip_suffix(".fifo").is_some();
        let suffix = if fifo && name.strip_suffix(".fifo").is_none() { ".fifo" } else { "" };
        let mut declared = DeclaredQueue::named(&format!("{name}{suffix}"));
        declared.attributes = attributes(&given);
        if fifo {
            declared.attributes.insert("FifoQueue".to_owned(), "true".to_owned());
            if given.truth("contentBasedDeduplication") {
                declared.attributes.insert("ContentBasedDeduplication".to_owned(), "true".into());
            }
        }
        let full = |target: String| {
            let ends = target.strip_suffix(".fifo").is_some();
            if fifo && !ends { format!("{target}.fifo") } else { target }
        };
        declared.copy_to = given.text("copyTo").map(full);
        declared.move_to = given.text("moveTo").map(full);
        declared.tags = given.texts("tags");
        let dead = given.object("deadLettersQueue", &["name", "maxReceiveCount"]);
        let count = dead.text("maxReceiveCount").and_then(|count| count.parse().ok());
        // The name of a FIFO queue may be written without its end here, too.
        declared.dead_letter_queue = dead.text("name").map(full).zip(count);
        if dead.members.is_some() && declared.dead_letter_queue.is_none() {
            dead.warn(format!("{} needs a name and a maxReceiveCount; it is ignored", dead.at));
        }
        imported.queues.push(declared);
    }
}

/// The attributes that are durations.
fn attributes(given: &Object<'_>) -> IndexMap<String, String> {
    let mut attributes = IndexMap::new();
    for (key, attribute) in [
        ("defaultVisibilityTimeout", "VisibilityTimeout"),
        ("delay", "DelaySeconds"),
        ("receiveMessageWait", "ReceiveMessageWaitTimeSeconds"),
    ] {
        let Some(text) = given.text(key) else { continue };
        match seconds(&text) {
            Some(seconds) => {
                attributes.insert(attribute.to_owned(), seconds.to_string());
            }
            None => given.warn(format!("{}: {key}: `{text}` is no duration", given.at)),
        }
    }
    attributes
}

/// Whole seconds of a duration such as `10 seconds` or `1.5m`; without a unit it is milliseconds.
fn seconds(text: &str) -> Option<u64> {
    let is_digit = |letter: char| letter.is_ascii_digit() || letter == '.';
    let digits = text.find(|letter| !is_digit(letter)).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let unit_ms = match unit.trim() {
        "" | "ms" | "millis" | "millisecond" | "milliseconds" => 1.0,
        "s" | "second" | "seconds" => 1_000.0,
        "m" | "minute" | "minutes" => 60_000.0,
        "h" | "hour" | "hours" => 3_600_000.0,
        "d" | "day" | "days" => 86_400_000.0,
        _ => return None,
    };
    Some((number * unit_ms / 1_000.0) as u64)
}
