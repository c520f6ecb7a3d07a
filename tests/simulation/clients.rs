//! What clients send, and what they hold.

use crate::oracle::{
    Attributes, Filter, Outgoing, Published, Queue, Received, Sent, hash, read, shown,
};
use fastrand::Rng;
use serde_json::{Value, json};

const KINDS: [&str; 3] = ["a", "b", "c"];

/// A receipt handle of a client.
#[derive(Debug, Clone)]
pub struct Held {
    pub queue: String,
    /// How often a queue of this name had been created.
    pub incarnation: u32,
    pub id: String,
    pub handle: String,
}

/// Returns a message for a queue. `name` is unique; now and then a client of a FIFO queue repeats an earlier
/// message.
pub fn message(random: &mut Rng, name: &str, queue: &Queue, grouped: bool) -> (Outgoing, Value) {
    let Attributes { fifo, content_deduplication, .. } = queue.attributes;
    let mut body = name.to_owned();
    let group = (fifo || grouped).then(|| format!("g{}", random.u32(..5)));
    let mut input = json!({});
    let mut deduplication_id = None;
    if fifo && content_deduplication && random.bool() {
        if random.bool()
            && let Some(again) = random.choice(&queue.messages)
        {
            body.clone_from(&again.body);
        }
        deduplication_id = Some(hash(&body));
    } else if fifo {
        let is_few = random.u32(..3) == 0;
        let id = if is_few { format!("d{}", random.u32(..6)) } else { format!("d-{body}") };
        input["MessageDeduplicationId"] = json!(id);
        deduplication_id = Some(id);
    }
    let delay = match random.u32(..4) {
        0 if !fifo => Some(random.i64(0..20)),
        1 => Some(0),
        _ => None,
    };
    input["MessageBody"] = json!(body);
    if let Some(group) = &group {
        input["MessageGroupId"] = json!(group);
    }
    if let Some(delay) = delay {
        input["DelaySeconds"] = json!(delay);
    }
    (Outgoing { body, group, deduplication_id, delay }, input)
}

/// Returns one of many different messages, most of which are in one group, if they have groups.
pub fn message_of_crowd(
    random: &mut Rng,
    name: &str,
    queue: &Queue,
    grouped: bool,
) -> (Outgoing, Value) {
    let is_fifo = queue.attributes.fifo;
    let group = if random.u32(..5) > 0 { 0 } else { random.u32(..5) };
    let group = (is_fifo || grouped).then(|| format!("g{group}"));
    let deduplication_id = is_fifo.then(|| format!("d-{name}"));
    let mut input = json!({"MessageBody": name});
    if let Some(group) = &group {
        input["MessageGroupId"] = json!(group);
    }
    if let Some(id) = &deduplication_id {
        input["MessageDeduplicationId"] = json!(id);
    }
    (Outgoing { body: name.to_owned(), group, deduplication_id, delay: None }, input)
}

/// Returns a message for a topic.
pub fn publication(
    random: &mut Rng,
    name: &str,
    fifo: bool,
    content_deduplication: bool,
) -> (Published, Value) {
    let some = |random: &mut Rng| random.choice(KINDS).filter(|_| random.bool());
    let kind = some(random);
    let in_body = some(random);
    let number = (random.u32(..3) == 0).then(|| random.i64(0..4));
    let subject = (random.u32(..4) == 0).then(|| format!("about {name}"));
    let text = in_body
        .map_or_else(|| name.to_owned(), |kind| json!({"kind": kind, "name": name}).to_string());
    let mut attributes = json!({});
    if let Some(kind) = kind {
        attributes["kind"] = json!({"DataType": "String", "StringValue": kind});
    }
    if let Some(number) = number {
        attributes["number"] = json!({"DataType": "Number", "StringValue": number.to_string()});
    }
    let mut input = json!({"Message": text, "MessageAttributes": attributes});
    if let Some(subject) = &subject {
        input["Subject"] = json!(subject);
    }
    let group = (fifo || random.u32(..4) == 0).then(|| format!("g{}", random.u32(..5)));
    if let Some(group) = &group {
        input["MessageGroupId"] = json!(group);
    }
    let mut deduplication_id = None;
    if fifo && content_deduplication && random.bool() {
        deduplication_id = Some(hash(&text));
    } else if fifo {
        let is_few = random.u32(..3) == 0;
        let id = if is_few { format!("d{}", random.u32(..6)) } else { format!("d-{name}") };
        input["MessageDeduplicationId"] = json!(id);
        deduplication_id = Some(id);
    }
    (Published { text, subject, kind, number, in_body, group, deduplication_id }, input)
}

/// Returns a filter.
pub fn filter(random: &mut Rng) -> Filter {
    let kind = random.choice(KINDS).unwrap();
    let kinds = KINDS[random.usize(..2)..].to_vec();
    match random.u32(..9) {
        0..3 => Filter::All,
        3 => Filter::Kind(kinds),
        4 => Filter::AnythingBut(kind),
        5 => Filter::NoKind,
        6 => Filter::InBody(kinds),
        7 => Filter::AtLeast(random.i64(0..4)),
        _ => Filter::Either(kind, random.i64(1..4)),
    }
}

/// Returns the scope and the policy of a filter.
pub fn policy(filter: &Filter) -> (&'static str, String) {
    let scope = match filter {
        Filter::InBody(_) => "MessageBody",
        _ => "MessageAttributes",
    };
    let policy = match filter {
        Filter::All => return (scope, String::new()),
        Filter::Kind(kinds) | Filter::InBody(kinds) => json!({ "kind": kinds }),
        Filter::AnythingBut(kind) => json!({"kind": [{"anything-but": [kind]}]}),
        Filter::NoKind => json!({"kind": [{"exists": false}]}),
        Filter::AtLeast(least) => json!({"number": [{"numeric": [">=", least]}]}),
        Filter::Either(kind, least) => {
            json!({"$or": [{"kind": [kind]}, {"number": [{"numeric": [">=", least]}]}]})
        }
    };
    (scope, policy.to_string())
}

/// Returns what a response says about a sent message.
pub fn told(answer: &Value, attributes: &Value) -> Sent {
    Sent {
        id: answer["MessageId"].as_str().unwrap().to_owned(),
        sequence_number: attributes["SequenceNumber"].as_str().map(str::to_owned),
    }
}

/// Returns the messages in the response of a receive.
pub fn received(answer: &Value) -> Vec<Received> {
    answer["Messages"].as_array().into_iter().flatten().map(received_one).collect()
}

fn received_one(message: &Value) -> Received {
    let attributes = &message["Attributes"];
    let text = |name: &str| attributes[name].as_str().map(str::to_owned);
    let number = |name: &str| attributes[name].as_str().unwrap().parse().unwrap();
    let own = message["MessageAttributes"].as_object().into_iter().flatten();
    let own = own.map(|(name, of)| {
        let text = |member: &str| of[member].as_str().unwrap_or("none").to_owned();
        (name.clone(), (text("DataType"), text("StringValue")))
    });
    Received {
        body: read(message["Body"].as_str().unwrap()),
        attributes: shown(&own.collect()),
        handle: message["ReceiptHandle"].as_str().unwrap().to_owned(),
        told: told(message, attributes),
        group: text("MessageGroupId"),
        deduplication_id: text("MessageDeduplicationId"),
        receives: number("ApproximateReceiveCount"),
        sent_at: number("SentTimestamp"),
        first_received_at: number("ApproximateFirstReceiveTimestamp"),
        source: text("DeadLetterQueueSourceArn")
            .map(|arn| arn.rsplit(':').next().unwrap().to_owned()),
    }
}
