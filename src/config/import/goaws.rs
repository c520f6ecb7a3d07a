//! `goaws.yaml`.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value};

use super::{Imported, Object, take_redrive_policy, text, topic};
use crate::config::file::Fault;
use crate::config::{DeclaredQueue, DeclaredSubscription, Target};

/// Sequences and mappings within each other that are read.
const DEPTH: usize = 32;

const ENVIRONMENT_KEYS: [&str; 15] = [
    "Host",
    "Port",
    "SqsPort",
    "SnsPort",
    "Region",
    "AccountId",
    "AccountID",
    "LogToFile",
    "LogFile",
    "EnableDuplicates",
    "QueueAttributeDefaults",
    "Queues",
    "Topics",
    "RandomLatency",
    "LogMessages",
];
static QUEUE_KEYS: [&str; 6] = [
    "Name",
    "VisibilityTimeout",
    "ReceiveMessageWaitTimeSeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "RedrivePolicy",
];
const SUBSCRIPTION_KEYS: [&str; 6] =
    ["QueueName", "Raw", "FilterPolicy", "Protocol", "EndPoint", "TopicArn"];

/// Reads YAML as what JSON can say.
pub(super) fn parse(text: &str) -> Result<Value, Fault> {
    let documents =
        Yaml::load_from_str(text).map_err(|error| Fault { line: 1, message: error.to_string() })?;
    Ok(documents.first().map_or(Value::Null, |document| json(document, DEPTH)))
}

fn json(yaml: &Yaml<'_>, depth: usize) -> Value {
    let Some(deeper) = depth.checked_sub(1) else { return Value::Null };
    match yaml {
        Yaml::Value(Scalar::Boolean(truth)) => (*truth).into(),
        Yaml::Value(Scalar::Integer(number)) => (*number).into(),
        Yaml::Value(Scalar::FloatingPoint(number)) => number.into_inner().into(),
        Yaml::Value(Scalar::String(text)) => text.as_ref().into(),
        Yaml::Sequence(values) => values.iter().map(|value| json(value, deeper)).collect(),
        Yaml::Mapping(members) => {
            let members = members
                .iter()
                .filter_map(|(key, value)| Some((text(&json(key, deeper))?, json(value, deeper))));
            Value::Object(members.collect::<Map<_, _>>())
        }
        _ => Value::Null,
    }
}

/// Reads the environment `Local`, or the first where there is none of this name.
pub(super) fn read(root: &Object<'_>) -> Imported {
    let mut imported = Imported::default();
    let mut environments = root.members.into_iter().flat_map(Map::keys);
    let first = environments.next();
    let Some(name) = environments.find(|name| *name == "Local").or(first) else {
        return imported;
    };
    let local = root.object(name, &ENVIRONMENT_KEYS);
    addresses(&local, &mut imported);
    imported.options.region = local.text("Region");
    if local.truth("LogToFile") {
        local.warn(format!("{name}: LogToFile is ignored: the log goes to standard error"));
    }
    for key in ["AccountId", "AccountID"] {
        let account = local.account(key, &format!("{name}: {key}"));
        imported.options.account = account.or(imported.options.account);
    }
    let latency = local.object("RandomLatency", &["Min", "Max"]);
    if let Some(most) = latency.text("Max") {
        let least = latency.text("Min").unwrap_or_else(|| "0".to_owned());
        imported.options.latency = Some(format!("{least}-{most}"));
    }
    let defaults = local.object("QueueAttributeDefaults", &QUEUE_KEYS[1..5]);
    for given in local.objects("Queues", &QUEUE_KEYS) {
        let Some(name) = given.name("Name") else { continue };
        let mut declared = named(&name, &defaults);
        for key in &QUEUE_KEYS[1..] {
            if let Some(value) = given.text(key) {
                declared.attributes.insert((*key).to_owned(), value);
            }
        }
        take_redrive_policy(&mut declared);
        imported.queues.push(declared);
    }
    for given in local.objects("Topics", &["Name", "Subscriptions"]) {
        let Some(name) = given.name("Name") else { continue };
        let mut declared = topic(&name);
        for value in given.array("Subscriptions") {
            let at = format!("the subscriptions of {name}");
            let given = Object::of(at, value, local.warnings).knowing(&SUBSCRIPTION_KEYS);
            match subscription(&given, &defaults, &mut imported) {
                Some(subscription) => declared.subscriptions.push(subscription),
                None => given.warn(format!(
                    "one of {} has no QueueName, nor Protocol and EndPoint, and is ignored",
                    given.at
                )),
            }
        }
        imported.topics.push(declared);
    }
    imported
}

fn addresses(local: &Object<'_>, imported: &mut Imported) {
    let ports: Vec<_> =
        ["Port", "SqsPort", "SnsPort"].iter().filter_map(|key| local.text(key)).collect();
    if !ports.is_empty() {
        let listen = ports.iter().map(|port| format!("0.0.0.0:{port}"));
        imported.options.listen = Some(listen.collect());
    }
    if let Some(host) = local.text("Host").filter(|host| host != "localhost") {
        let port = ports.first().map_or("4100", String::as_str);
        imported.options.public_url = Some(format!("http://{host}:{port}"));
    }
}

/// A queue of which only the name is known, with what is said of all.
fn named(name: &str, defaults: &Object<'_>) -> DeclaredQueue {
    let mut declared = DeclaredQueue::named(name);
    for key in &QUEUE_KEYS[1..5] {
        if let Some(value) = defaults.text(key) {
            declared.attributes.insert((*key).to_owned(), value);
        }
    }
    if name.strip_suffix(".fifo").is_some() {
        declared.attributes.insert("FifoQueue".to_owned(), "true".to_owned());
    }
    declared
}

/// Reads a subscription. A queue that only the subscription names is declared, too.
fn subscription(
    given: &Object<'_>,
    defaults: &Object<'_>,
    imported: &mut Imported,
) -> Option<DeclaredSubscription> {
    let target = match given.text("QueueName") {
        Some(name) => {
            if imported.queues.iter().all(|queue| queue.name != name) {
                imported.queues.push(named(&name, defaults));
            }
            Target::Queue(name)
        }
        None => Target::Endpoint {
            protocol: given.text("Protocol")?,
            endpoint: given.text("EndPoint")?,
        },
    };
    let attributes = [("Raw", "RawMessageDelivery"), ("FilterPolicy", "FilterPolicy")];
    let attributes = attributes.into_iter().filter_map(|(key, attribute)| {
        Some((attribute.to_owned(), given.text(key).filter(|value| !value.is_empty())?))
    });
    Some(DeclaredSubscription { target, attributes: attributes.collect() })
}
