//! The requests of scenarios about topics.
//!
//! ```text
//! topic t signature=2 tag.KEY=VALUE       attributes by short names or AWS's; of NAME.fifo: FIFO
//! topic-set t display=x          topic-attributes t Owner -> Owner=…       topic-delete t
//! subscribe t sqs:q raw=true dlq=d filter={…} as s     -> ok | same | pending
//! subscribe t https://x as h     by URL; else by protocol: email:a@b, sms:+1, lambda:f
//! subscription-set s raw=false   subscription s Endpoint -> Endpoint=…
//! subscriptions t                -> s h:pending
//! unsubscribe s
//! publish t a subject=s attr.N=String:v group=g dedup=d structure=json    -> ok | same id=b seq=b
//! publish-batch t a entry=first | b group=g                              -> ok | error …
//! answers https://x 503          from here on
//! letters                        -> a to=https://x | SubscriptionConfirmation to=https://y | nothing
//! attempts                       -> 3, since the last time
//! confirm t https://x protect=true      by the token that it got last, in the caller's name
//! visit https://x subscribe      the link that it got last, or unsubscribe, without a signature
//! many t m 1205 raw=true         subscribes new queues m0, m1, …
//! total m 1205                   -> 1205 in queues that have 0 to 1
//! ```
//!
//! Of an enveloped message, and of letters (outbound deliveries), these are compared too: `envelope` (`signed`: by
//! which version, `unsigned`), `nid` and `nseq` (as `id` and `seq` of what was published), `subject`,
//! `at` (Timestamp), `replayed`, `nattr.NAME`, and of letters `raw`, `type` (the content's), `to`.
//! `topic(t)`, `sub(s)` and `at(+10s)` stand for two ARNs and a timestamp.

use super::{
    Conversation, Item, Verdict, compare, compare_items, long, milliseconds, pairs, sorted,
};
use crate::gateway::{Answer, EPOCH, Reply, sns};
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use squab::domain::address::has_fifo_suffix;
use squab::domain::delivery_outcome::Outcome;
use squab::runtime::transport::OutboundMessage;
use squab::wire::Protocol;
use std::collections::HashMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What is known of topics besides what is known of queues.
#[derive(Debug, Default)]
pub struct Topics {
    /// ARNs of subscriptions by their names. One that has several is called by its first.
    subscriptions: IndexMap<String, String>,
    /// By endpoint: the token, and the links to subscribe and to unsubscribe.
    got: HashMap<String, HashMap<&'static str, String>>,
    attempts: u64,
}

/// Whether a request speaks of topics.
pub fn is_verb(verb: &str) -> bool {
    let verbs = "topic topic-set topic-attributes topic-delete subscribe subscription \
                 subscription-set subscriptions unsubscribe publish publish-batch answers letters \
                 attempts confirm visit many total";
    verbs.split_whitespace().any(|known| known == verb)
}

impl Conversation {
    pub async fn say_of_topics(
        &mut self,
        verb: &str,
        name: &str,
        arguments: &str,
        expected: &str,
    ) -> Verdict {
        match verb {
            "topic" => self.create_topic(name, arguments, expected).await,
            "topic-set" => {
                let input = json!({"TopicArn": self.topic_arn(name)});
                self.set_each("SetTopicAttributes", input, arguments, expected).await
            }
            "topic-attributes" => {
                let input = json!({"TopicArn": self.topic_arn(name)});
                self.show("GetTopicAttributes", input, arguments, expected).await
            }
            "topic-delete" => {
                let input = json!({"TopicArn": self.topic_arn(name)});
                self.plain_sns("DeleteTopic", input, expected).await
            }
            "subscribe" => self.subscribe(name, arguments, expected).await,
            "subscription" => {
                let input = json!({"SubscriptionArn": self.subscription_arn(name)});
                self.show("GetSubscriptionAttributes", input, arguments, expected).await
            }
            "subscription-set" => {
                let input = json!({"SubscriptionArn": self.subscription_arn(name)});
                self.set_each("SetSubscriptionAttributes", input, arguments, expected).await
            }
            "subscriptions" => self.list_subscriptions(name, expected).await,
            "unsubscribe" => {
                let input = json!({"SubscriptionArn": self.subscription_arn(name)});
                self.plain_sns("Unsubscribe", input, expected).await
            }
            "publish" => self.publish(name, arguments, expected).await,
            "publish-batch" => self.publish_batch(name, arguments, expected).await,
            "answers" => {
                let status = arguments.parse().expect("a status");
                self.service.endpoints.answer(name, Outcome::of_http_status(status));
                Ok(())
            }
            "letters" => {
                let mut letters = self.service.endpoints.take();
                // Each endpoint has its own order, and they have none among them.
                letters.sort_by_cached_key(|letter| addressee(letter).to_owned());
                let mut got: Vec<_> = letters.iter().map(|letter| self.letter(letter)).collect();
                if got.is_empty() {
                    got.push(Item::bare("nothing".to_owned()));
                }
                compare_items(&got, expected)
            }
            "attempts" => {
                let now = self.service.endpoints.attempts();
                let new = now - std::mem::replace(&mut self.topics.attempts, now);
                compare(&new.to_string(), expected)
            }
            "confirm" => self.confirm(name, arguments, expected).await,
            "visit" => {
                let link = self.topics.got[name][arguments].clone();
                let answer = self.service.answer_at_once(sns::visit(&link)).await;
                let operation = match arguments {
                    "subscribe" => "ConfirmSubscription",
                    _ => "Unsubscribe",
                };
                let reply = reply(&answer, operation);
                compare(&self.told(super::outcome(reply)), expected)
            }
            "many" => self.subscribe_many(name, arguments, expected).await,
            "total" => self.total(name, arguments.parse().unwrap(), expected).await,
            unknown => unreachable!("{unknown}"),
        }
    }

    async fn plain_sns(&self, operation: &str, input: Value, expected: &str) -> Verdict {
        let answer = self.service.ask_sns(&self.caller, operation, &input).await;
        compare(&self.told(super::outcome(answer)), expected)
    }

    async fn create_topic(&mut self, name: &str, arguments: &str, expected: &str) -> Verdict {
        let (mut attributes, tags) = self.topic_attributes(arguments);
        if has_fifo_suffix(name) {
            attributes.entry("FifoTopic").or_insert_with(|| "true".into());
        }
        let tags: Vec<_> =
            tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        let mut input = json!({"Name": name, "Attributes": attributes});
        if !tags.is_empty() {
            input["Tags"] = tags.into();
        }
        let answer = self.service.ask_sns(&self.caller, "CreateTopic", &input).await;
        if let Ok(answer) = &answer {
            assert_eq!(answer["TopicArn"], self.topic_arn(name));
        }
        compare(&super::outcome(answer), expected)
    }

    fn topic_attributes(&self, arguments: &str) -> (Map<String, Value>, Map<String, Value>) {
        let (mut attributes, mut tags) = (Map::new(), Map::new());
        for (name, value) in pairs(arguments) {
            if let Some(key) = name.strip_prefix("tag.") {
                tags.insert(key.into(), value.into());
                continue;
            }
            let (name, value) = match name {
                "display" => ("DisplayName", value.to_owned()),
                "signature" => ("SignatureVersion", value.to_owned()),
                "max-size" => ("MaximumMessageSize", value.to_owned()),
                "content-dedup" => ("ContentBasedDeduplication", value.to_owned()),
                "scope" => ("FifoThroughputScope", value.to_owned()),
                "archive" if value == "none" => ("ArchivePolicy", "{}".to_owned()),
                "archive" => {
                    ("ArchivePolicy", format!("{{\"MessageRetentionPeriod\":\"{value}\"}}"))
                }
                "raw" => ("RawMessageDelivery", value.to_owned()),
                "filter" => ("FilterPolicy", value.to_owned()),
                "filter-scope" => ("FilterPolicyScope", value.to_owned()),
                "dlq" if value.is_empty() => ("RedrivePolicy", String::new()),
                "dlq" => {
                    let arn = self.arn(value);
                    ("RedrivePolicy", format!("{{\"deadLetterTargetArn\":\"{arn}\"}}"))
                }
                // From, or from and until.
                "replay" => {
                    let (from, until) = value.split_once("..").unwrap_or((value, ""));
                    let mut policy =
                        json!({"PointType": "Timestamp", "StartingPoint": timestamp(from)});
                    if !until.is_empty() {
                        policy["EndingPoint"] = timestamp(until).into();
                    }
                    ("ReplayPolicy", policy.to_string())
                }
                name => (name, value.to_owned()),
            };
            attributes.insert(name.into(), value.into());
        }
        (attributes, tags)
    }

    /// Sets attributes one after the other, and returns the error of the first that cannot be set.
    async fn set_each(
        &self,
        operation: &str,
        mut input: Value,
        arguments: &str,
        expected: &str,
    ) -> Verdict {
        for (name, value) in self.topic_attributes(arguments).0 {
            input["AttributeName"] = name.into();
            input["AttributeValue"] = value;
            let answer = self.service.ask_sns(&self.caller, operation, &input).await;
            if let Err(failure) = answer {
                return compare(&self.failure(&failure), expected);
            }
        }
        compare("ok", expected)
    }

    /// Shows some attributes, or all if none is named.
    async fn show(&self, operation: &str, input: Value, names: &str, expected: &str) -> Verdict {
        let names: Vec<_> = names.split_whitespace().collect();
        let attributes = match self.service.ask_sns(&self.caller, operation, &input).await {
            Err(failure) => return compare(&self.failure(&failure), expected),
            Ok(answer) => answer["Attributes"].as_object().unwrap().clone(),
        };
        let shown = attributes
            .iter()
            .filter(|(name, _)| names.is_empty() || names.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()));
        let text = sorted(shown.collect());
        let text = if text.is_empty() { "nothing".to_owned() } else { text };
        compare(&text, &sorted(expected.split_whitespace().map(str::to_owned).collect()))
    }

    async fn subscribe(&mut self, topic: &str, arguments: &str, expected: &str) -> Verdict {
        let (arguments, name) = match arguments.split_once(" as ") {
            Some((arguments, name)) => (arguments, Some(name.trim())),
            None => (arguments, None),
        };
        let (endpoint, attributes) = arguments.split_once(' ').unwrap_or((arguments, ""));
        let (protocol, rest) = endpoint.split_once(':').expect("PROTOCOL:ENDPOINT");
        let endpoint = match protocol {
            "http" | "https" => endpoint.to_owned(),
            "sqs" => self.arn(rest),
            "lambda" => format!("arn:aws:lambda:us-east-1:000000000000:function:{rest}"),
            _ => rest.to_owned(),
        };
        let input = json!({
            "TopicArn": self.topic_arn(topic),
            "Protocol": protocol,
            "Endpoint": long(&endpoint),
            "Attributes": self.topic_attributes(attributes).0,
            "ReturnSubscriptionArn": name.map(|_| true),
        });
        let arn = match self.service.ask_sns(&self.caller, "Subscribe", &input).await {
            Err(failure) => return compare(&self.failure(&failure), expected),
            Ok(answer) => answer["SubscriptionArn"].as_str().unwrap().to_owned(),
        };
        if arn == "pending confirmation" {
            return compare("pending", expected);
        }
        let known = self.topics.subscriptions.values().any(|known| *known == arn);
        let name = name.unwrap_or(&endpoint).to_owned();
        self.topics.subscriptions.insert(name, arn);
        compare(if known { "same" } else { "ok" }, expected)
    }

    async fn list_subscriptions(&self, topic: &str, expected: &str) -> Verdict {
        let mut input = json!({"TopicArn": self.topic_arn(topic)});
        let mut shown = Vec::new();
        loop {
            let answer = match self
                .service
                .ask_sns(&self.caller, "ListSubscriptionsByTopic", &input)
                .await
            {
                Err(failure) => return compare(&self.failure(&failure), expected),
                Ok(answer) => answer,
            };
            for one in answer["Subscriptions"].as_array().unwrap() {
                let endpoint = one["Endpoint"].as_str().unwrap();
                let arn = one["SubscriptionArn"].as_str().unwrap();
                shown.push(match arn {
                    "PendingConfirmation" => format!("{endpoint}:pending"),
                    arn => self.subscription_name(arn),
                });
            }
            match answer["NextToken"].as_str() {
                Some(token) => input["NextToken"] = token.into(),
                None => break,
            }
        }
        let text = if shown.is_empty() { "nothing".to_owned() } else { sorted(shown) };
        compare(&text, &sorted(expected.split_whitespace().map(str::to_owned).collect()))
    }

    /// A message to publish, and its label.
    fn publication(text: &str) -> (Map<String, Value>, String) {
        let (body, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let (own, common): (Vec<_>, Vec<_>) = rest.split_whitespace().partition(|word| {
            word.starts_with("subject=")
                || word.starts_with("structure=")
                || word.starts_with("as=")
        });
        let (mut message, mut label) = Self::message(&format!("{body} {}", common.join(" ")));
        if let Some(body) = message.remove("MessageBody") {
            message.insert("Message".into(), body);
        }
        for (name, value) in pairs(&own.join(" ")) {
            match name {
                "subject" => drop(message.insert("Subject".into(), long(value).into())),
                "structure" => drop(message.insert("MessageStructure".into(), value.into())),
                _ => value.clone_into(&mut label),
            }
        }
        (message, label)
    }

    async fn publish(&mut self, topic: &str, message: &str, expected: &str) -> Verdict {
        let (mut input, label) = Self::publication(message);
        input.insert("TopicArn".into(), self.topic_arn(topic).into());
        let answer = self.service.ask_sns(&self.caller, "Publish", &input.into()).await;
        let got = match answer {
            Err(failure) => vec![Item::bare(self.failure(&failure))],
            Ok(answer) => vec![self.sent(&self.topic_arn(topic), &label, &answer)],
        };
        compare_items(&got, expected)
    }

    async fn publish_batch(&mut self, topic: &str, messages: &str, expected: &str) -> Verdict {
        let mut entries = Vec::new();
        let mut labels = Vec::new();
        for (index, message) in messages.split('|').enumerate().filter(|(_, m)| !m.is_empty()) {
            let (mut entry, label) = Self::publication(message);
            entry.entry("Id").or_insert_with(|| format!("e{index}").into());
            entries.push(Value::Object(entry));
            labels.push(label);
        }
        let ids: Vec<Value> = entries.iter().map(|entry| entry["Id"].clone()).collect();
        let arn = self.topic_arn(topic);
        let input = json!({"TopicArn": arn, "PublishBatchRequestEntries": entries});
        let answer = self.service.ask_sns(&self.caller, "PublishBatch", &input).await;
        let got =
            self.entries(answer, &ids, |this, index, entry| this.sent(&arn, &labels[index], entry));
        compare_items(&got, expected)
    }

    async fn confirm(&mut self, topic: &str, arguments: &str, expected: &str) -> Verdict {
        let (endpoint, rest) = arguments.split_once(' ').unwrap_or((arguments, ""));
        let token = self.topics.got.get(endpoint).map_or(endpoint, |got| got["token"].as_str());
        let mut input = json!({"TopicArn": self.topic_arn(topic), "Token": token});
        if let Some(("protect", value)) = pairs(rest).next() {
            input["AuthenticateOnUnsubscribe"] = value.into();
        }
        let answer = self.service.ask_sns(&self.caller, "ConfirmSubscription", &input).await;
        compare(&self.told(super::outcome(answer)), expected)
    }

    /// What an endpoint got; what is in it is remembered.
    fn letter(&mut self, letter: &OutboundMessage) -> Item {
        let to = addressee(letter).to_owned();
        let body = match letter {
            OutboundMessage::Post(post) => String::from_utf8(post.body.to_vec()).unwrap(),
            OutboundMessage::Mail { text, .. } => text.clone(),
            OutboundMessage::Invoke { event, .. } => {
                let event: Value = serde_json::from_slice(event).unwrap();
                event["Records"][0]["Sns"].to_string()
            }
        };
        let envelope: Value = serde_json::from_str(&body).unwrap_or_default();
        let got = self.topics.got.entry(to.clone()).or_default();
        for (name, member) in
            [("token", "Token"), ("subscribe", "SubscribeURL"), ("unsubscribe", "UnsubscribeURL")]
        {
            if let Some(text) = envelope[member].as_str() {
                got.insert(name, text.to_owned());
            }
        }
        let head = match envelope["Type"].as_str() {
            Some("Notification") => envelope["Message"].as_str().unwrap().to_owned(),
            Some(kind) => kind.to_owned(),
            None => body.trim_end().lines().next().unwrap_or_default().to_owned(),
        };
        let mut item = Item::bare(super::short(&head));
        item.pair("to", Some(to));
        self.pairs_of_envelope(&mut item, &envelope);
        if let OutboundMessage::Post(post) = letter {
            item.pair("raw", Some(post.raw.to_string()));
            item.pair("type", Some(post.content_type.clone()));
        }
        item
    }

    /// Adds the members of an envelope to an item, or `envelope=none` for any other text.
    pub fn pairs_of_envelope(&self, item: &mut Item, envelope: &Value) {
        let text = |name: &str| envelope[name].as_str().map(str::to_owned);
        let label = |id: String| self.labels.get(&id).cloned().unwrap_or_else(|| "new".into());
        let signed = match envelope["SignatureVersion"].as_str() {
            Some(version) => Some(version.to_owned()),
            None => envelope["Type"].is_string().then(|| "unsigned".to_owned()),
        };
        item.pair("envelope", signed);
        item.pair("nid", text("MessageId").map(label));
        item.pair("nseq", text("SequenceNumber").map(label));
        item.pair("subject", text("Subject"));
        item.pair("replayed", envelope.get("Replayed").map(Value::to_string));
        item.pair(
            "at",
            text("Timestamp").map(|at| {
                let at = OffsetDateTime::parse(&at, &Rfc3339).unwrap();
                super::since_epoch(i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap())
            }),
        );
        for (name, value) in envelope["MessageAttributes"].as_object().into_iter().flatten() {
            let [kind, given] = ["Type", "Value"].map(|name| value[name].as_str().unwrap());
            item.pair(&format!("nattr.{name}"), Some(format!("{kind}:{given}")));
        }
    }

    async fn subscribe_many(&mut self, topic: &str, arguments: &str, expected: &str) -> Verdict {
        let mut words = arguments.splitn(3, ' ');
        let queues = words.next().unwrap();
        let number: usize = words.next().unwrap().parse().unwrap();
        let attributes = self.topic_attributes(words.next().unwrap_or_default()).0;
        for index in 0..number {
            let queue = format!("{queues}{index}");
            let input = json!({"QueueName": queue});
            self.service.ask(&self.caller, "CreateQueue", &input).await.unwrap();
            let input = json!({
                "TopicArn": self.topic_arn(topic), "Protocol": "sqs",
                "Endpoint": self.arn(&queue), "Attributes": attributes,
            });
            let answer = self.service.ask_sns(&self.caller, "Subscribe", &input).await;
            if let Err(failure) = answer {
                let text = format!("{index}, then {}", self.failure(&failure));
                return compare(&text, expected);
            }
        }
        compare("ok", expected)
    }

    /// How many messages are in queues, and how many the emptiest and the fullest has.
    async fn total(&self, queues: &str, number: usize, expected: &str) -> Verdict {
        let mut counts = Vec::new();
        for index in 0..number {
            let url = self.url(&format!("{queues}{index}"));
            let input = json!({
                "QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"],
            });
            let answer =
                self.service.ask(&self.caller, "GetQueueAttributes", &input).await.unwrap();
            let count = &answer["Attributes"]["ApproximateNumberOfMessages"];
            counts.push(count.as_str().unwrap().parse::<usize>().unwrap());
        }
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        let total: usize = counts.iter().sum();
        compare(&format!("{total} in queues that have {least} to {most}"), expected)
    }

    /// The ARN of a topic of the caller; what is an ARN already stays as it is.
    pub fn topic_arn(&self, topic: &str) -> String {
        if topic.contains(':') {
            return topic.to_owned();
        }
        let (account, region) = (&self.caller.account, &self.caller.region);
        format!("arn:aws:sns:{region}:{account}:{topic}")
    }

    /// The ARN of a subscription by its name; what names none stays as it is.
    pub fn subscription_arn(&self, name: &str) -> String {
        self.topics.subscriptions.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    fn subscription_name(&self, arn: &str) -> String {
        let mut known = self.topics.subscriptions.iter();
        known.find(|(_, known)| *known == arn).map_or(arn, |(name, _)| name).to_owned()
    }
}

/// The timestamp of a moment since the beginning; what is none stays as it is.
pub fn timestamp(moment: &str) -> String {
    let Some(since) = moment.strip_prefix('+') else { return moment.to_owned() };
    squab::domain::timestamp::iso_8601(EPOCH + milliseconds(since))
}

fn reply(answer: &Answer, operation: &str) -> Reply {
    answer.reply(Protocol::Query, |answer| sns::output(answer, operation))
}

fn addressee(letter: &OutboundMessage) -> &str {
    match letter {
        OutboundMessage::Post(post) => &post.url,
        OutboundMessage::Mail { to, .. } => to,
        OutboundMessage::Invoke { function_arn, .. } => function_arn,
    }
}
