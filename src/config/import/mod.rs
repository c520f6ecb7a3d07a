//! Files of other servers, read as settings and declarations of Squab: `elasticmq.conf`,
//! `goaws.yaml`, and the JSON with which fauxqs begins.
//!
//! A setting that Squab does not support and an unknown key get a warning: nothing is ignored silently.

mod elasticmq;
mod fauxqs;
mod goaws;
mod hocon;

use std::cell::RefCell;
use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::file::{Fault, Source};
use super::queues::dead_letter_queues_first;
use super::suggestion::did_you_mean;
use super::{DeclaredQueue, DeclaredTopic, Options, Origin};
use crate::domain::address::is_account;

/// What such a file says.
#[derive(Debug, Default)]
pub(super) struct Imported {
    pub options: Options,
    /// In an order in which they can be created.
    pub queues: Vec<DeclaredQueue>,
    pub topics: Vec<DeclaredTopic>,
    /// Attributes of queues that are made when they are first used.
    pub queue_template: IndexMap<String, String>,
    pub warnings: Vec<String>,
}

/// A variable of the environment by its name, for files that refer to them.
type Variable<'v> = &'v dyn Fn(&str) -> Option<String>;

/// Reads a file; the end of its name says whose it is.
pub(super) fn parse(path: &Path, text: &str, variable: Variable<'_>) -> Result<Imported, Fault> {
    let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
    let (value, read): (_, fn(&Object<'_>) -> Imported) = match suffix {
        "conf" | "hocon" => (hocon::parse(text, variable)?, elasticmq::read),
        "yaml" | "yml" => (goaws::parse(text)?, goaws::read),
        "json" => (fauxqs::parse(text)?, fauxqs::read),
        _ => {
            let message = "the name must end with .conf (ElasticMQ), .yaml (goaws) or .json \
                           (fauxqs)";
            return Err(Fault { line: 1, message: message.to_owned() });
        }
    };
    let warnings = RefCell::default();
    let mut imported = read(&Object::of(String::new(), &value, &warnings));
    let queues = std::mem::take(&mut imported.queues);
    let declared = queues.into_iter().map(|queue| (queue.name.clone(), (0, queue)));
    imported.queues = dead_letter_queues_first(Source(text), declared.collect())?;
    let name = path.display();
    let warnings = warnings.into_inner().into_iter();
    imported.warnings = warnings.map(|warning| format!("{name}: {warning}")).collect();
    Ok(imported)
}

/// A topic of which only the name is known.
fn topic(name: &str) -> DeclaredTopic {
    let mut attributes = IndexMap::new();
    if name.strip_suffix(".fifo").is_some() {
        attributes.insert("FifoTopic".to_owned(), "true".to_owned());
    }
    DeclaredTopic {
        name: name.to_owned(),
        origin: Origin::default(),
        account: None,
        region: None,
        attributes,
        tags: IndexMap::new(),
        subscriptions: Vec::new(),
    }
}

/// An object of a file, and where it stands.
struct Object<'v> {
    /// Keys with dots between them; empty for the file itself.
    at: String,
    members: Option<&'v Map<String, Value>>,
    /// The warnings about the file.
    warnings: &'v RefCell<Vec<String>>,
}

impl<'v> Object<'v> {
    /// Returns a value as an object. Anything else counts as an empty one, with a warning.
    fn of(at: String, value: &'v Value, warnings: &'v RefCell<Vec<String>>) -> Self {
        let object = Self { at, members: value.as_object(), warnings };
        if object.members.is_none() && !value.is_null() {
            object.warn(format!("`{}` is not an object and is ignored", object.at));
        }
        object
    }

    /// Returns the object of a key. Its own keys that are not known get a warning.
    fn object(&self, key: &str, known: &[&str]) -> Self {
        Self::of(self.at_key(key), self.get(key), self.warnings).knowing(known)
    }

    /// Returns the objects of a list, which stand at the path of the list. Their keys that are not known get a
    /// warning.
    fn objects(&self, key: &str, known: &'static [&'static str]) -> impl Iterator<Item = Self> {
        let (at, warnings) = (self.at_key(key), self.warnings);
        let objects = self.array(key).iter();
        objects.map(move |value| Self::of(at.clone(), value, warnings).knowing(known))
    }

    fn at_key(&self, key: &str) -> String {
        if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) }
    }

    fn warn(&self, warning: String) {
        self.warnings.borrow_mut().push(warning);
    }

    /// Returns the object, after warnings about keys that are not known.
    fn knowing(self, known: &[&str]) -> Self {
        for key in self.members.into_iter().flat_map(Map::keys) {
            if !known.contains(&key.as_str()) {
                let hint = did_you_mean(key, known.iter().copied());
                let at =
                    if self.at.is_empty() { String::new() } else { format!(" of {}", self.at) };
                self.warn(format!("unknown key `{key}`{at} is ignored{hint}"));
            }
        }
        self
    }

    /// The value of a key; null when it is not there.
    fn get(&self, key: &str) -> &'v Value {
        const NOTHING: &Value = &Value::Null;
        self.members.and_then(|members| members.get(key)).unwrap_or(NOTHING)
    }

    fn text(&self, key: &str) -> Option<String> {
        text(self.get(key))
    }

    fn truth(&self, key: &str) -> bool {
        match self.get(key) {
            Value::Bool(truth) => *truth,
            Value::String(text) => matches!(text.as_str(), "true" | "on" | "yes"),
            _ => false,
        }
    }

    fn array(&self, key: &str) -> &'v [Value] {
        self.get(key).as_array().map_or(&[], Vec::as_slice)
    }

    /// The texts of an object of simple values.
    fn texts(&self, key: &str) -> IndexMap<String, String> {
        let members = self.get(key).as_object().into_iter().flatten();
        members.filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect()
    }

    /// Returns a name, without which nothing can be made; if it is missing, there is a warning.
    fn name(&self, key: &str) -> Option<String> {
        let name = self.text(key);
        if name.is_none() {
            self.warn(format!("an entry of {} has no {key} and is ignored", self.at));
        }
        name
    }

    /// Returns an account. One that is not 12 digits gets a warning, in which it is called `what`.
    fn account(&self, key: &str, what: &str) -> Option<String> {
        let account = self.text(key)?;
        if is_account(&account) {
            return Some(account);
        }
        self.warn(format!("{what} `{account}` is ignored: it is not 12 digits"));
        None
    }
}

/// A simple value, or an object as JSON: policies are texts at AWS.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Gives the dead-letter queue that a RedrivePolicy names; it is one of the same file.
fn take_redrive_policy(queue: &mut DeclaredQueue) {
    let Some(policy) = queue.attributes.get("RedrivePolicy") else { return };
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return };
    let target = policy["deadLetterTargetArn"].as_str().and_then(|arn| arn.rsplit(':').next());
    let count = match &policy["maxReceiveCount"] {
        Value::String(text) => text.parse().ok(),
        number => number.as_u64().and_then(|count| u32::try_from(count).ok()),
    };
    if let (Some(target), Some(count)) = (target, count) {
        queue.dead_letter_queue = Some((target.to_owned(), count));
        queue.attributes.shift_remove("RedrivePolicy");
    }
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::*;
    fn read(name: &str, text: &str) -> Imported {
        let variable = |name: &str| (name == "PORT_OF_QUEUES").then(|| "9326".to_owned());
        parse(Path::new(name), text, &variable).unwrap()
    }

    fn names(imported: &Imported) -> Vec<&str> {
        imported.queues.iter().map(|queue| queue.name.as_str()).collect()
    }

    const ELASTICMQ: &str = r#"
include classpath("application.conf")
// where we are
node-address { protocol = https, host = "queues.example", port = 9325, context-path = "/sqs" }
rest-sqs { enabled = true, bind-port = 9325, bind-port = ${?PORT_OF_QUEUES}
  bind-hostname = "0.0.0.0"
  bind-hostname = ${?NOBODY_SAYS_IT}
  sqs-limits = relaxed }
generate-node-address = false
queues {
  orders { defaultVisibilityTimeout = 10 seconds, delay = 5s # soon
    receiveMessageWait = 0 seconds
    deadLettersQueue { name = "orders-dead", maxReceiveCount = 3 }
    tags { team = shop, "a.b" = "x y" } }
  orders-dead { }
  steps { fifo = true, contentBasedDeduplication = true, copyTo = "audit" }
  "dotted.name" { delay = 1 minute, moveTo = orders, deadLettersQueue { name = orders-dead } }
}
auto-create-queues { enabled = true
  template { delay = 3 seconds, fifo = false, contentBasedDeduplication = true, colour = red } }
queues.late { delay = 2500 ms, receiveMessageWait = 0.1m, defaultVisibilityTimeout = 3 years }
rest-stat.enabled = true
aws { region = us-west-2, accountId = 123456789012 }
"#;

    #[test]
    fn elasticmq_conf_declares_queues_and_addresses() {
        let imported = read("elasticmq.conf", ELASTICMQ);
        assert_eq!(
            names(&imported),
            ["orders-dead", "orders", "steps.fifo", "dotted.name", "late"]
        );
        let orders = &imported.queues[1];
        assert_eq!(orders.dead_letter_queue, Some(("orders-dead".to_owned(), 3)));
        assert_eq!(orders.attributes["VisibilityTimeout"], "10");
        assert_eq!(orders.attributes["DelaySeconds"], "5");
        assert_eq!(orders.tags["a.b"], "x y");
        let steps = &imported.queues[2].attributes;
        assert_eq!(steps["FifoQueue"], "true");
        assert_eq!(steps["ContentBasedDeduplication"], "true");
        assert_eq!(imported.queues[3].attributes["DelaySeconds"], "60");
        let late = &imported.queues[4].attributes;
        assert_eq!(late["DelaySeconds"], "2");
        assert_eq!(late["ReceiveMessageWaitTimeSeconds"], "6");
        let options = imported.options;
        assert_eq!(options.listen.unwrap(), ["0.0.0.0:9326"]);
        assert_eq!(options.public_url.as_deref(), Some("https://queues.example:9325/sqs"));
        assert_eq!(options.relaxed_limits, Some(true));
        assert_eq!(options.region.as_deref(), Some("us-west-2"));
        assert_eq!(options.account.as_deref(), Some("123456789012"));
        assert_eq!(options.auto_create_queues, Some(true));
        assert_eq!(imported.queues[2].copy_to.as_deref(), Some("audit.fifo"));
        assert_eq!(imported.queues[3].move_to.as_deref(), Some("orders"));
        let template = &imported.queue_template;
        assert_eq!(template["DelaySeconds"], "3");
        assert_eq!(template["ContentBasedDeduplication"], "true");
        let warnings = imported.warnings.join("\n");
        assert!(
            warnings.contains("`rest-stat` is ignored; did you mean `rest-stats`?"),
            "{warnings}"
        );
        assert!(warnings.contains("`colour` of auto-create-queues.template"), "{warnings}");
        assert!(warnings.contains("dotted.name.deadLettersQueue needs a name and"), "{warnings}");
        assert!(warnings.contains("`3 years` is no duration"), "{warnings}");
        assert_eq!(imported.warnings.len(), 4, "{warnings}");
    }

    #[test]
    fn goaws_yaml_declares_queues_topics_and_subscriptions() {
        let imported = read(
            "goaws.yaml",
            r#"
Local:
  Host: localhost
  Port: 4100
  Region: us-east-1
  AccountId: queue
  QueueAttributeDefaults:
    VisibilityTimeout: 20
  Queues:
    - Name: orders
      ReceiveMessageWaitTimeSeconds: 5
      RedrivePolicy: '{"maxReceiveCount": "3", "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}'
    - Name: dead
      Visibility: 3
    - VisibilityTimeout: 3
  Topics:
    - Name: events
      Subscriptions:
        - QueueName: made
          Raw: true
          FilterPolicy: '{"kind": ["order"]}'
        - Protocol: http
          EndPoint: http://localhost:1/x
  RandomLatency: { Min: 1, Max: 2 }
Other: {}
"#,
        );
        assert_eq!(names(&imported), ["dead", "orders", "made"]);
        assert_eq!(imported.queues[1].attributes["VisibilityTimeout"], "20");
        assert_eq!(imported.queues[1].dead_letter_queue, Some(("dead".to_owned(), 3)));
        assert_eq!(imported.queues[2].attributes["VisibilityTimeout"], "20");
        let subscriptions = &imported.topics[0].subscriptions;
        assert_eq!(subscriptions[0].target, Target::Queue("made".to_owned()));
        assert_eq!(subscriptions[0].attributes["RawMessageDelivery"], "true");
        assert_eq!(subscriptions[0].attributes["FilterPolicy"], r#"{"kind": ["order"]}"#);
        assert!(
            matches!(&subscriptions[1].target, Target::Endpoint { protocol, .. } if protocol == "http")
        );
        assert_eq!(imported.options.listen.unwrap(), ["0.0.0.0:4100"]);
        let warnings = imported.warnings.join("\n");
        assert!(warnings.contains("did you mean `VisibilityTimeout`?"), "{warnings}");
        assert!(warnings.contains("AccountId `queue`"), "{warnings}");
        assert!(warnings.contains("an entry of Local.Queues has no Name"), "{warnings}");
        assert_eq!(imported.options.latency.as_deref(), Some("1-2"));
        assert_eq!(imported.options.public_url, None);
        let elsewhere = "Local:\n  Host: queues\n  AccountId: '123456789012'\n  Topics: [{Name: t, Subscriptions: [{Raw: true}]}]\n";
        let elsewhere = read("goaws.yml", elsewhere);
        assert_eq!(elsewhere.options.public_url.as_deref(), Some("http://queues:4100"));
        assert_eq!(elsewhere.options.account.as_deref(), Some("123456789012"));
        assert!(elsewhere.warnings[0].contains("no QueueName"), "{:?}", elsewhere.warnings);
    }

    #[test]
    fn fauxqs_json_declares_all_of_it() {
        let imported = read(
            "init.json",
            r#"{
              "queues": [
                {"name": "q", "region": "eu-west-1", "tags": {"a": "b"}, "attributes":
                  {"VisibilityTimeout": "5", "RedrivePolicy": {"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:000000000000:d", "maxReceiveCount": 2}}},
                {"name": "d", "region": "eu-west-1"}, {"name": "f.fifo"}],
              "topics": [{"name": "t", "region": "eu-west-1"}],
              "subscriptions": [{"topic": "t", "queue": "q", "region": "eu-west-1", "attributes": {"RawMessageDelivery": "true"}},
                {"topic": "none", "queue": "q"}],
              "buckets": ["b"]
            }"#,
        );
        assert_eq!(names(&imported), ["d", "q", "f.fifo"]);
        assert_eq!(imported.queues[1].dead_letter_queue, Some(("d".to_owned(), 2)));
        assert_eq!(imported.queues[1].region.as_deref(), Some("eu-west-1"));
        assert_eq!(imported.queues[2].attributes["FifoQueue"], "true");
        assert_eq!(imported.topics[0].subscriptions.len(), 1);
        let warnings = imported.warnings.join("\n");
        assert!(warnings.contains("buckets are not supported"), "{warnings}");
        assert!(warnings.contains("no topic `none`"), "{warnings}");
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        let fault = |name: &str, text: &str| parse(Path::new(name), text, &|_| None).unwrap_err();
        assert_eq!(fault("x.conf", "a = 1\nqueues {\n").line, 3);
        assert_eq!(fault("x.json", "{\n  \"queues\": [,]\n}").line, 2);
        assert!(fault("x.yaml", "a: [\n").line >= 1);
        assert!(fault("x.conf", "a = 1\nb = ${NOBODY}\n").message.contains("`NOBODY`"));
        assert!(fault("x.txt", "").message.contains(".conf (ElasticMQ)"));
        let circle = "queues { a { deadLettersQueue { name = b, maxReceiveCount = 1 } }\n\
                      b { deadLettersQueue { name = a, maxReceiveCount = 1 } } }";
        assert!(fault("x.conf", circle).message.contains("in a circle: a → b → a"));
    }
}
