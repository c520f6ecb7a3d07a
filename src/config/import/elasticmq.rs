//! `elasticmq.conf`.

use serde_json::Value;

use indexmap::IndexMap;

use super::{DeclaredQueue, Imported, Object};
use crate::domain::address::is_account;

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

/// What a template may hold. It makes a queue whose name tells whether it is FIFO.
const TEMPLATE_KEYS: [&str; 5] = [
    "defaultVisibilityTimeout",
    "delay",
    "receiveMessageWait",
    "fifo",
    "contentBasedDeduplication",
];

/// Reads the whole file.
pub(super) fn read(root: &Value) -> Imported {
    let mut imported = Imported::default();
    let mut told = Vec::new();
    let root = Object::of("", root, &mut told);
    root.knows(
        &[
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
        ],
        &mut told,
    );
    addresses(&root, &mut imported, &mut told);
    for (storage, keys) in [
        ("queues-storage", &["enabled", "path"][..]),
        (
            "messages-storage",
            &["enabled", "driver-class", "uri", "username", "password", "prune-data-on-init"],
        ),
    ] {
        let object = Object::of(storage, root.get(storage), &mut told);
        object.knows(keys, &mut told);
        if object.truth("enabled") {
            imported.options.ephemeral = Some(false);
        }
    }
    let auto = Object::of("auto-create-queues", root.get("auto-create-queues"), &mut told);
    auto.knows(&["enabled", "template"], &mut told);
    if auto.truth("enabled") {
        imported.options.auto_create_queues = Some(true);
        let template = auto.get("template");
        let template = Object::of("auto-create-queues.template", template, &mut told);
        template.knows(&TEMPLATE_KEYS, &mut told);
        imported.queue_template = attributes(&template, &mut told);
        if template.truth("contentBasedDeduplication") {
            let name = "ContentBasedDeduplication".to_owned();
            imported.queue_template.insert(name, "true".to_owned());
        }
    }
    let aws = Object::of("aws", root.get("aws"), &mut told);
    aws.knows(&["region", "accountId"], &mut told);
    imported.options.region = aws.text("region");
    match aws.text("accountId") {
        Some(account) if !is_account(&account) => {
            told.push(format!("aws.accountId `{account}` is ignored: it is not 12 digits"));
        }
        account => imported.options.account = account,
    }
    read_queues(&root, &mut imported, &mut told);
    imported.warnings = told;
    imported
}

fn addresses(root: &Object<'_>, imported: &mut Imported, told: &mut Vec<String>) {
    let rest = Object::of("rest-sqs", root.get("rest-sqs"), told);
    rest.knows(&["enabled", "bind-port", "bind-hostname", "sqs-limits"], told);
    let port = rest.text("bind-port").unwrap_or_else(|| "9324".to_owned());
    let host = rest.text("bind-hostname").unwrap_or_else(|| "0.0.0.0".to_owned());
    if rest.members.is_some() {
        imported.options.listen = Some(vec![format!("{host}:{port}")]);
    }
    if rest.text("sqs-limits").as_deref() == Some("relaxed") {
        imported.options.relaxed_limits = Some(true);
    }
    let node = Object::of("node-address", root.get("node-address"), told);
    node.knows(&["protocol", "host", "port", "context-path"], told);
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
            told.push(format!("node-address.context-path {reason}"));
        }
        _ => {}
    }
}

fn read_queues(root: &Object<'_>, imported: &mut Imported, told: &mut Vec<String>) {
    for (name, value) in root.get("queues").as_object().into_iter().flatten() {
        let given = Object::of(format!("queues.{name}"), value, told);
        given.knows(&QUEUE_KEYS, told);
        let fifo = given.truth("fifo") || name.strip_suffix(".fifo").is_some();
        let suffix = if fifo && name.strip_suffix(".fifo").is_none() { ".fifo" } else { "" };
        let mut declared = DeclaredQueue::named(&format!("{name}{suffix}"));
        declared.attributes = attributes(&given, told);
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
        let at = format!("queues.{name}.deadLettersQueue");
        let dead = Object::of(at, given.get("deadLettersQueue"), told);
        dead.knows(&["name", "maxReceiveCount"], told);
        let count = dead.text("maxReceiveCount").and_then(|count| count.parse().ok());
        // The name of a FIFO queue may be written without its end here, too.
        declared.dead_letter_queue = dead.text("name").map(full).zip(count);
        if dead.members.is_some() && declared.dead_letter_queue.is_none() {
            told.push(format!("{} needs a name and a maxReceiveCount; it is ignored", dead.at));
        }
        imported.queues.push(declared);
    }
}

/// The attributes that are durations.
fn attributes(given: &Object<'_>, told: &mut Vec<String>) -> IndexMap<String, String> {
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
            None => told.push(format!("{}: {key}: `{text}` is no duration", given.at)),
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
