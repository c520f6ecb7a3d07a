//! Compares the state of a server with the responses that clients got.

use super::{Act, Event, QUEUE_ARNS, QUEUES, group_and_number, homes, is_fifo, name_of, url};
use crate::process::Connection;
use rusqlite::{Connection as File, Row};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

/// What is known about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    NotBegun,
    Perhaps,
    Surely,
}

/// At the end, every started call may have taken effect, and every acknowledged call has.
pub fn by_the_end(event: &Event) -> Known {
    if event.told.is_some() { Known::Surely } else { Known::Perhaps }
}

/// A stored message.
#[derive(Debug)]
pub struct Found {
    pub queue: &'static str,
    pub name: String,
    pub receive_count: u64,
}

/// One copy of a message, with all calls about it.
struct Life<'e> {
    name: &'e str,
    home: &'static [&'static str],
    events: Vec<&'e Event>,
}

impl Life<'_> {
    fn of(&self, act: Act) -> impl Iterator<Item = &Event> {
        self.events.iter().copied().filter(move |event| event.act == act)
    }

    fn receives(&self) -> impl Iterator<Item = (&Event, u64)> {
        self.events.iter().filter_map(|event| match event.act {
            Act::Received(count) => Some((*event, count)),
            _ => None,
        })
    }
}

/// Returns the copies by name and queue, ordered by name.
fn lives(events: &[Event]) -> Vec<Life<'_>> {
    let mut of_name: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in events {
        of_name.entry(&event.name).or_default().push(event);
    }
    let mut lives = Vec::new();
    for (name, events) in of_name {
        let sent = events.iter().find(|event| event.act == Act::Sent);
        let sent = sent.unwrap_or_else(|| panic!("{name} was received, and never sent"));
        for home in homes(&sent.place) {
            let concerns =
                |event: &&&Event| event.act == Act::Sent || home.contains(&event.place.as_str());
            let events = events.iter().filter(concerns).copied().collect();
            lives.push(Life { name, home, events });
        }
    }
    lives
}

/// The disagreements.
#[derive(Debug, Default)]
pub struct Verdict<'e> {
    /// Acknowledged calls without effect, each with a description.
    pub undone: Vec<(&'e Event, String)>,
    /// Faults that no crash can cause.
    pub wrong: Vec<String>,
    /// Sends whose message exists.
    pub there: Vec<&'e Event>,
}

/// Compares the stored messages with the calls.
pub fn judge<'e>(
    events: &'e [Event],
    found: &[Found],
    known: impl Fn(&Event) -> Known,
) -> Verdict<'e> {
    let mut verdict = Verdict::default();
    let mut places: HashMap<(&str, &str), Vec<&Found>> = HashMap::new();
    for message in found {
        places.entry((message.name.as_str(), message.queue)).or_default().push(message);
    }
    for life in lives(events) {
        let there: Vec<_> = life
            .home
            .iter()
            .filter_map(|queue| places.remove(&(life.name, *queue)))
            .flatten()
            .collect();
        let most_known = |act| life.of(act).map(&known).max().unwrap_or(Known::NotBegun);
        let (sent, deleted) = (most_known(Act::Sent), most_known(Act::Deleted));
        let asked = |act| {
            let mut asked = life.events.iter().copied().filter(|event| event.act == act);
            asked.find(|event| known(event) == Known::Surely)
        };
        if there.len() > 1 || (sent == Known::NotBegun && !there.is_empty()) {
            verdict.wrong.push(format!("{} is there: {there:?}, sent: {sent:?}", life.name));
        }
        match (there.first(), asked(Act::Sent), asked(Act::Deleted)) {
            (None, Some(event), _) if deleted == Known::NotBegun => {
                verdict.undone.push((event, format!("{} is lost from {:?}", life.name, life.home)));
            }
            (Some(message), _, Some(event)) => {
                verdict.undone.push((event, format!("deleted, and back: {message:?}")));
            }
            _ => {}
        }
        if let Some(message) = there.first() {
            verdict.there.extend(life.events.iter().filter(|event| event.act == Act::Sent));
            for event in &life.events {
                if let Act::Received(count) = event.act
                    && event.place == message.queue
                    && known(event) == Known::Surely
                    && message.receive_count < count
                {
                    verdict.undone.push((event, format!("received {count} times: {message:?}")));
                }
            }
        }
    }
    for messages in places.values() {
        verdict.wrong.push(format!("not sent here: {messages:?}"));
    }
    verdict.wrong.extend(out_of_order(found));
    verdict
}

/// Returns messages of FIFO queues that precede an earlier one of their group. The stored messages are in the
/// order in which they will be received.
fn out_of_order(found: &[Found]) -> Vec<String> {
    let mut last: HashMap<(&str, String), usize> = HashMap::new();
    let mut wrong = Vec::new();
    for message in found.iter().filter(|message| is_fifo(message.queue)) {
        let (group, number) = group_and_number(&message.name);
        if let Some(before) = last.insert((message.queue, group), number)
            && before > number
        {
            wrong.push(format!("{before} stands before {message:?}"));
        }
    }
    wrong
}

/// Returns impossible responses, whatever the final state: messages received after their deletion, and
/// messages of a FIFO group received before an earlier one was deleted.
pub fn contradictions(events: &[Event]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut groups: HashMap<(&str, String), Vec<Life<'_>>> = HashMap::new();
    for life in lives(events) {
        let deleted = life.of(Act::Deleted).filter_map(|delete| delete.told).min();
        for (receive, _) in life.receives() {
            if deleted.is_some_and(|told| told < receive.begun) {
                wrong.push(format!("{receive:?} came after it had been deleted"));
            }
        }
        if let [queue] = life.home
            && is_fifo(queue)
        {
            groups.entry((queue, group_and_number(life.name).0)).or_default().push(life);
        }
    }
    for group in groups.values() {
        for life in group {
            for (receive, _) in life.receives() {
                let number = |life: &Life<'_>| group_and_number(life.name).1;
                let overtaken =
                    group.iter().filter(|other| number(other) < number(life)).find(|other| {
                        let sent = other.of(Act::Sent).filter_map(|send| send.told).min();
                        let was_there = sent.is_some_and(|told| told < receive.begun);
                        let gone =
                            other.of(Act::Deleted).any(|delete| Some(delete.begun) < receive.told);
                        let beside =
                            other.receives().any(|(beside, _)| beside.begun == receive.begun);
                        was_there && !gone && !beside
                    });
                if let Some(overtaken) = overtaken {
                    wrong.push(format!("{receive:?} overtook {}", overtaken.name));
                }
            }
        }
    }
    wrong
}

/// Returns all stored messages as the server shows them, oldest first in each queue, and checks the counters
/// of each queue.
pub fn everything(connection: &mut Connection) -> Vec<Found> {
    // A crash may have happened before the queues were created.
    let listed = connection.ok("ListQueues", &json!({})).to_string();
    let exists = |queue: &&str| listed.contains(&format!("/{queue}\""));
    let tasks = json!({"SourceArn": format!("{QUEUE_ARNS}:q-dead")});
    // A task that continues after a restart moves messages while they are read.
    while exists(&"q-dead")
        && connection.ok("ListMessageMoveTasks", &tasks).to_string().contains("RUNNING")
    {}
    let mut all = Vec::new();
    for queue in QUEUES.into_iter().filter(exists) {
        let mut shown = [0_usize; 3];
        let mut after = String::new();
        loop {
            for message in page(connection, queue, &after) {
                let attribute =
                    |name: &str| message["Attributes"][name].as_str().unwrap().to_owned();
                let place = match (attribute("IsVisible").as_str(), attribute("IsDelayed").as_str())
                {
                    ("true", _) => 0,
                    (_, "true") => 2,
                    _ => 1,
                };
                shown[place] += 1;
                let receive_count = attribute("ApproximateReceiveCount").parse().unwrap();
                let name = name_of(message["Body"].as_str().unwrap());
                all.push(Found { queue, name, receive_count });
            }
            match connection.header("x-squab-next-after") {
                Some(next) => next.clone_into(&mut after),
                None => break,
            }
        }
        let asked = json!({"QueueUrl": url(queue), "AttributeNames": ["All"]});
        let attributes = connection.ok("GetQueueAttributes", &asked);
        let counted: [usize; 3] = ["", "NotVisible", "Delayed"].map(|which| {
            let name = format!("ApproximateNumberOfMessages{which}");
            attributes["Attributes"][name].as_str().unwrap().parse().unwrap()
        });
        if is_fifo(queue) {
            // Messages that wait for earlier ones of their group are shown as invisible, and are
            // counted as visible.
            assert!(counted[1] <= shown[1], "{queue}: in flight {counted:?}, invisible {shown:?}");
            let hidden = |of: [usize; 3]| (of[0] + of[1], of[2]);
            assert_eq!(
                hidden(counted),
                hidden(shown),
                "the counters of {queue}, and what it shows"
            );
            continue;
        }
        assert_eq!(counted, shown, "the counters of {queue}, and what it shows");
    }
    all
}

fn page(connection: &mut Connection, queue: &str, after: &str) -> Vec<Value> {
    let request = format!(
        "GET /_aws/sqs/messages?QueueUrl={}&ShowInvisible=true&ShowDelayed=true&After={after} \
         HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-amz-json-1.0\r\n\r\n",
        url(queue)
    );
    connection.write(request.as_bytes()).unwrap();
    let (status, text) = connection.read().unwrap();
    assert_eq!(status, 200, "{text}");
    let mut output: Value = serde_json::from_str(&text).unwrap();
    match output["Messages"].take() {
        Value::Array(messages) => messages,
        _ => Vec::new(),
    }
}

/// The invariants between the rows of a closed database, each with a query for the rows that violate it.
const INVARIANTS: [(&str, &str); 9] = [
    (
        "the file is sound",
        "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    ),
    (
        "counters count what is there",
        "SELECT id || ': ' || ready || ' ' || in_flight || ' ' || delayed FROM backlogs b
         WHERE discarded = 0 AND (ready, in_flight, delayed) <> (
             SELECT count(*) FILTER (WHERE place >= 0), count(*) FILTER (WHERE place IN (-3, -1)),
                    count(*) FILTER (WHERE place IN (-4, -2))
             FROM messages WHERE backlog = b.id)",
    ),
    (
        "messages are in backlogs",
        "SELECT sequence FROM messages WHERE backlog NOT IN (SELECT id FROM backlogs)",
    ),
    (
        "message groups count what is there",
        "SELECT name || ': ' || size || ' ' || in_flight FROM message_groups g
         WHERE (size, in_flight) <> (
             SELECT count(*), count(*) FILTER (WHERE place IN (-3, -1))
             FROM messages WHERE backlog = g.backlog AND message_group = g.id)",
    ),
    (
        "messages are in message groups",
        "SELECT sequence FROM messages m WHERE message_group <> 0 AND NOT EXISTS (
             SELECT 1 FROM message_groups WHERE id = m.message_group AND backlog = m.backlog)",
    ),
    (
        "contents belong to one message each",
        "SELECT id FROM contents c
         WHERE 1 <> (SELECT count(*) FROM messages WHERE content = c.id)
         UNION ALL
         SELECT content FROM messages
         WHERE content <> 0 AND content NOT IN (SELECT id FROM contents)",
    ),
    (
        "sequences are not used twice",
        "SELECT last FROM sequence WHERE last < (SELECT max(sequence) FROM messages)",
    ),
    (
        "publications stay for as long as they are needed",
        "SELECT id FROM deliveries
         WHERE publication NOT NULL AND publication NOT IN (SELECT id FROM publications)
         UNION ALL
         SELECT id FROM publications p WHERE archived = 0 AND cursor IS NULL
             AND NOT EXISTS (SELECT 1 FROM deliveries WHERE publication = p.id)",
    ),
    (
        "what accounts have is counted",
        "SELECT account FROM account_usage u
         WHERE captured <> (
             SELECT coalesce(sum(octet_length(target) + octet_length(message) + 128), 0)
             FROM captured_messages WHERE account = u.account)
         OR outbox <> (
             SELECT coalesce(sum(iif(kind = 0, 256, 1024)), 0)
             FROM deliveries WHERE account = u.account) + (
             SELECT coalesce(sum(bytes + reserved), 0)
             FROM publications WHERE account = u.account)",
    ),
];

/// Returns the violated invariants in the database of a stopped server.
pub fn broken_invariants(data: &Path) -> Vec<String> {
    let file = File::open(data.join("squab.db")).unwrap();
    let mut broken = Vec::new();
    for (invariant, query) in INVARIANTS {
        let shown = |row: &Row<'_>| row.get::<_, rusqlite::types::Value>(0);
        let mut statement = file.prepare(query).unwrap();
        for row in statement.query_map([], shown).unwrap() {
            broken.push(format!("{invariant}, but: {row:?}"));
        }
    }
    broken
}

/// Returns the names of messages with pending HTTP deliveries.
pub fn outbox(data: &Path) -> HashSet<String> {
    let file = File::open(data.join("squab.db")).unwrap();
    let query = "SELECT message FROM deliveries JOIN publications ON publication = publications.id";
    let mut statement = file.prepare(query).unwrap();
    let messages = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    messages.map(|message| name_of(&message.unwrap())).collect()
}
