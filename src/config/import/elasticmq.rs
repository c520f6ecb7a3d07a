//! `elasticmq.conf`.

use serde_json::Value;

use super::{Imported, Object, queue};
use crate::config::EndpointStrategy;

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
    if auto.truth("enabled") {
        told.push("auto-create-queues is not supported: queues must be made".to_owned());
    }
    let aws = Object::of("aws", root.get("aws"), &mut told);
    aws.knows(&["region", "accountId"], &mut told);
    imported.options.region = aws.text("region");
    if aws.text("accountId").is_some_and(|account| account != "000000000000") {
        told.push(
            "aws.accountId is ignored: the account is that of the caller's access key, \
             000000000000 for all that are not 12 digits"
                .to_owned(),
        );
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
        imported.options.unlimited_receives = Some(true);
    }
    let node = Object::of("node-address", root.get("node-address"), told);
    node.knows(&["protocol", "host", "port", "context-path"], told);
    if node.text("context-path").is_some_and(|path| !path.is_empty()) {
        told.push("node-address.context-path is read in queue URLs and not written".to_owned());
    }
    match node.text("host") {
        Some(host) if host != "*" && !root.truth("generate-node-address") => {
            let port = node.text("port").unwrap_or_else(|| "9324".to_owned());
            imported.options.external_host = Some(format!("{host}:{port}"));
            imported.options.sqs_endpoint_strategy = Some(EndpointStrategy::Off);
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
        let mut declared = queue(&format!("{name}{suffix}"));
        for (key, attribute) in [
            ("defaultVisibilityTimeout", "VisibilityTimeout"),
            ("delay", "DelaySeconds"),
            ("receiveMessageWait", "ReceiveMessageWaitTimeSeconds"),
        ] {
            let Some(text) = given.text(key) else { continue };
            match seconds(&text) {
                Some(seconds) => {
                    declared.attributes.insert(attribute.to_owned(), seconds.to_string());
                }
                None => told.push(format!("queues.{name}: {key}: `{text}` is no duration")),
            }
        }
        if fifo {
            declared.attributes.insert("FifoQueue".to_owned(), "true".to_owned());
            if given.truth("contentBasedDeduplication") {
                declared.attributes.insert("ContentBasedDeduplication".to_owned(), "true".into());
            }
        }
        for unsupported in ["copyTo", "moveTo"] {
            if given.text(unsupported).is_some() {
                told.push(format!("queues.{name}: {unsupported} is not supported"));
            }
        }
        declared.tags = given.texts("tags");
        let at = format!("queues.{name}.deadLettersQueue");
        let dead = Object::of(at, given.get("deadLettersQueue"), told);
        dead.knows(&["name", "maxReceiveCount"], told);
        let count = dead.text("maxReceiveCount").and_then(|count| count.parse().ok());
        declared.dead_letter_queue = dead.text("name").zip(count);
        imported.queues.push(declared);
    }
    // The name of a FIFO queue may be written without its end here, too.
    let names: Vec<_> = imported.queues.iter().map(|queue| queue.name.clone()).collect();
    for queue in &mut imported.queues {
        if let Some((target, _)) = &mut queue.dead_letter_queue
            && !names.contains(target)
            && names.contains(&format!("{target}.fifo"))
        {
            target.push_str(".fifo");
        }
    }
}

/// Whole seconds of a duration such as `10 seconds` or `5s`; without a unit it is milliseconds.
fn seconds(text: &str) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim();
    match unit {
        "" | "ms" | "millis" | "millisecond" | "milliseconds" => Some(number / 1_000),
        "s" | "second" | "seconds" => Some(number),
        "m" | "minute" | "minutes" => number.checked_mul(60),
        "h" | "hour" | "hours" => number.checked_mul(3_600),
        "d" | "day" | "days" => number.checked_mul(86_400),
        _ => None,
    }
}
