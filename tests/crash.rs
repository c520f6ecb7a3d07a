//! kill -9 under load, on the real program: what clients were told is true after the restart.
//!
//! Several clients send, receive and delete over connections of their own. At a random moment,
//! counted in acknowledged calls and not in time, the process is killed and started again on the
//! same data. A call whose answer did not arrive may have happened or not; every other has.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod endpoint;
mod gateway;
mod process;

use endpoint::Endpoint;
use gateway::{ARNS, Service, settings};
use process::{Connection, Server, squab};
use serde_json::{Value, json};
use squab::runtime::clock::{Clock, SystemClock};
use squab::store::{Durability, Location, Sqlite};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::mpsc;

const ROUNDS: usize = 4;
const CLIENTS: usize = 4;
/// Messages that each client keeps in the queue on average.
const BACKLOG: usize = 5;
/// As it is told by the in-process reader, which must outlast every visibility timeout.
const LATER_MS: i64 = 60 * 60 * 1_000;

/// What the clients know of the messages of one queue, by body.
#[derive(Debug, Default)]
struct Known {
    /// Sends that were answered, with the MessageId of the answer.
    sent: HashMap<String, String>,
    /// Sends whose answer did not arrive.
    perhaps_sent: HashSet<String>,
    /// Deletes that were answered.
    deleted: HashSet<String>,
    /// Deletes whose answer did not arrive.
    perhaps_deleted: HashSet<String>,
}

impl Known {
    fn extend(&mut self, other: Self) {
        self.sent.extend(other.sent);
        self.perhaps_sent.extend(other.perhaps_sent);
        self.deleted.extend(other.deleted);
        self.perhaps_deleted.extend(other.perhaps_deleted);
    }
}

/// One client until the connection breaks. Each acknowledged call is told to `acknowledged`.
fn work(
    mut connection: Connection,
    queue_url: &str,
    fifo: bool,
    name: &str,
    acknowledged: &mpsc::Sender<()>,
) -> Known {
    let mut known = Known::default();
    for number in 0.. {
        let body = format!("{name}-{number}");
        let mut message = json!({"QueueUrl": queue_url, "MessageBody": body});
        if fifo {
            message["MessageGroupId"] = json!(format!("{name}-{}", number % 3));
            message["MessageDeduplicationId"] = json!(body);
        }
        let Ok((status, answer)) = connection.call("SendMessage", &message) else {
            known.perhaps_sent.insert(body);
            return known;
        };
        assert_eq!(status, 200, "{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        known.sent.insert(body, answer["MessageId"].as_str().unwrap().to_owned());
        // An error means that enough was acknowledged.
        let _ = acknowledged.send(());
        if number < BACKLOG {
            continue;
        }
        let receive = json!({"QueueUrl": queue_url, "VisibilityTimeout": 600});
        let Ok((status, answer)) = connection.call("ReceiveMessage", &receive) else {
            return known;
        };
        assert_eq!(status, 200, "{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        for message in answer["Messages"].as_array().into_iter().flatten() {
            let body = message["Body"].as_str().unwrap().to_owned();
            let handle = &message["ReceiptHandle"];
            let delete = json!({"QueueUrl": queue_url, "ReceiptHandle": handle});
            let Ok((status, answer)) = connection.call("DeleteMessage", &delete) else {
                known.perhaps_deleted.insert(body);
                return known;
            };
            assert_eq!(status, 200, "{answer}");
            known.deleted.insert(body);
            let _ = acknowledged.send(());
        }
    }
    known
}

/// Lets clients work until so many calls were acknowledged, then kills the server.
fn round(server: Server, urls: &[String; 2], round: usize, calls: usize) -> [Known; 2] {
    let (acknowledged, acknowledgements) = mpsc::channel();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let connection = server.connect();
            let url = urls[client % 2].clone();
            let acknowledged = acknowledged.clone();
            std::thread::spawn(move || {
                work(connection, &url, client % 2 == 1, &format!("{round}-{client}"), &acknowledged)
            })
        })
        .collect();
    for _ in 0..calls {
        acknowledgements.recv().unwrap();
    }
    server.kill();
    let mut known = [Known::default(), Known::default()];
    for (client, thread) in clients.into_iter().enumerate() {
        known[client % 2].extend(thread.join().unwrap());
    }
    known
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let seed = fastrand::Rng::new().get_seed();
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let data = tempfile::tempdir().unwrap();
    let arguments = ["--data", data.path().to_str().unwrap(), "--durability", "full"];
    let mut server = Server::start(&mut squab(&arguments));
    let mut connection = server.connect();
    let urls = [
        json!({"QueueName": "q"}),
        json!({"QueueName": "q.fifo", "Attributes": {"FifoQueue": "true"}}),
    ]
    .map(|input| connection.ok("CreateQueue", &input)["QueueUrl"].as_str().unwrap().to_owned());

    let mut known = [Known::default(), Known::default()];
    for number in 0..ROUNDS {
        let this = round(server, &urls, number, random.usize(1..600));
        server = Server::start(&mut squab(&arguments));
        // A client that was not answered sends again, and one that was must not find it twice.
        let mut connection = server.connect();
        for body in this[1].sent.keys().chain(&this[1].perhaps_sent) {
            let client_and_number = body.split_once('-').unwrap().1;
            let (client, message) = client_and_number.split_once('-').unwrap();
            let group = message.parse::<usize>().unwrap() % 3;
            let again = json!({
                "QueueUrl": urls[1],
                "MessageBody": body,
                "MessageGroupId": format!("{number}-{client}-{group}"),
                "MessageDeduplicationId": body,
            });
            let answer = connection.ok("SendMessage", &again);
            if let Some(id) = this[1].sent.get(body) {
                assert_eq!(answer["MessageId"], json!(id), "a duplicate of {body}");
            }
        }
        for (all, this) in known.iter_mut().zip(this) {
            all.extend(this);
        }
        // What was perhaps sent is there now, by the second send or by the first.
        let resent = std::mem::take(&mut known[1].perhaps_sent);
        known[1].sent.extend(resent.into_iter().map(|body| (body, String::new())));
    }
    assert_eq!(server.terminate().0, Some(0));

    for (queue, known) in ["q", "q.fifo"].into_iter().zip(&known) {
        let found = everything_in(data.path(), queue).await;
        let sent: HashSet<_> = known.sent.keys().cloned().collect();
        let lost: Vec<_> = sent
            .iter()
            .filter(|body| !found.contains(*body))
            .filter(|body| !known.deleted.contains(*body) && !known.perhaps_deleted.contains(*body))
            .collect();
        assert!(lost.is_empty(), "seed {seed}: acknowledged, and lost in {queue}: {lost:?}");
        let back: Vec<_> = found.intersection(&known.deleted).collect();
        assert!(back.is_empty(), "seed {seed}: deleted, and back in {queue}: {back:?}");
        let invented: Vec<_> = found
            .iter()
            .filter(|body| !sent.contains(*body) && !known.perhaps_sent.contains(*body))
            .collect();
        assert!(invented.is_empty(), "seed {seed}: never sent to {queue}: {invented:?}");
        assert!(!known.deleted.is_empty() && !found.is_empty(), "nothing was proven of {queue}");
    }
}

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";

/// Makes the topic and subscribes the endpoint, which agrees. Its ARN.
async fn subscribe(connection: &mut Connection, endpoint: &mut Endpoint) -> String {
    let mut ok = |action: &str, parameters: &[(&str, &str)]| {
        let (status, answer) = connection.sns(action, parameters).unwrap();
        assert_eq!(status, 200, "{action}: {answer}");
        answer
    };
    ok("CreateTopic", &[("Name", "t")]);
    let parameters = [("TopicArn", TOPIC), ("Protocol", "http"), ("Endpoint", &endpoint.url)];
    ok("Subscribe", &parameters);
    let question = endpoint.next().await;
    let token = question["Token"].as_str().unwrap();
    let answer = ok("ConfirmSubscription", &[("TopicArn", TOPIC), ("Token", token)]);
    let arn = answer.split_once("<SubscriptionArn>").unwrap().1.split_once('<').unwrap().0;
    // What fails is tried again every second.
    let retries = json!({"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 100});
    let policy = json!({"healthyRetryPolicy": retries}).to_string();
    let parameters = [
        ("SubscriptionArn", arn),
        ("AttributeName", "DeliveryPolicy"),
        ("AttributeValue", &policy),
    ];
    ok("SetSubscriptionAttributes", &parameters);
    arn.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_message_between_publish_and_endpoint_survives_kill_9() {
    let data = tempfile::tempdir().unwrap();
    let arguments = ["--data", data.path().to_str().unwrap(), "--durability", "full"];
    let mut endpoint = Endpoint::open().await;
    let mut server = Server::start(&mut squab(&arguments));
    subscribe(&mut server.connect(), &mut endpoint).await;

    let publish = |server: &Server, message: &str| {
        let parameters = [("TopicArn", TOPIC), ("Message", message)];
        let (status, answer) = server.connect().sns("Publish", &parameters).unwrap();
        assert_eq!(status, 200, "{answer}");
    };
    endpoint.fall_silent();
    publish(&server, "on its way");
    let first = endpoint.next().await;
    server.kill();
    endpoint.answer(200);
    server = Server::start(&mut squab(&arguments));
    assert_eq!(endpoint.next().await, first, "the same message, id and signature included");

    endpoint.answer(503);
    publish(&server, "between attempts");
    let first = endpoint.next().await;
    assert_eq!(first["Message"], "between attempts");
    server.kill();
    server = Server::start(&mut squab(&arguments));
    assert_eq!(endpoint.next().await, first);
    endpoint.answer(200);
    assert_eq!(endpoint.next().await, first);
    // That was the last of it: what comes next is what is published next.
    publish(&server, "the end");
    assert_eq!(endpoint.next().await["Message"], "the end");
}

/// Publishes until the connection breaks. The messages that were acknowledged.
fn publish(mut connection: Connection, name: &str, acknowledged: &mpsc::Sender<()>) -> Vec<String> {
    let mut published = Vec::new();
    for number in 0.. {
        let message = format!("{name}-{number}");
        let parameters = [("TopicArn", TOPIC), ("Message", message.as_str())];
        let Ok((status, answer)) = connection.sns("Publish", &parameters) else { break };
        assert_eq!(status, 200, "{answer}");
        published.push(message);
        // An error means that enough was acknowledged.
        let _ = acknowledged.send(());
    }
    published
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_published_reaches_queue_and_endpoint_despite_kill_9() {
    let seed = fastrand::Rng::new().get_seed();
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let data = tempfile::tempdir().unwrap();
    let arguments = ["--data", data.path().to_str().unwrap(), "--durability", "full"];
    let mut endpoint = Endpoint::open().await;
    let mut server = Server::start(&mut squab(&arguments));
    let mut connection = server.connect();
    subscribe(&mut connection, &mut endpoint).await;
    connection.ok("CreateQueue", &json!({"QueueName": "q"}));
    let queue = format!("{ARNS}:q");
    let parameters = [
        ("TopicArn", TOPIC),
        ("Protocol", "sqs"),
        ("Endpoint", queue.as_str()),
        ("Attributes.entry.1.key", "RawMessageDelivery"),
        ("Attributes.entry.1.value", "true"),
    ];
    assert_eq!(connection.sns("Subscribe", &parameters).unwrap().0, 200);

    let mut published = HashSet::new();
    for round in 0..ROUNDS {
        let (acknowledged, acknowledgements) = mpsc::channel();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (connection, acknowledged) = (server.connect(), acknowledged.clone());
                let name = format!("{round}-{client}");
                std::thread::spawn(move || publish(connection, &name, &acknowledged))
            })
            .collect();
        for _ in 0..random.usize(1..150) {
            acknowledgements.recv().unwrap();
        }
        server.kill();
        for client in clients {
            published.extend(client.join().unwrap());
        }
        server = Server::start(&mut squab(&arguments));
    }
    let mut missing = published.clone();
    while !missing.is_empty() {
        missing.remove(endpoint.next().await["Message"].as_str().unwrap());
    }
    assert_eq!(server.terminate().0, Some(0));
    let found = everything_in(data.path(), "q").await;
    let lost: Vec<_> = published.difference(&found).collect();
    assert!(lost.is_empty(), "seed {seed}: acknowledged, and lost: {lost:?}");
}

/// The bodies of all messages of a queue, read in this process when every visibility timeout has
/// passed. Each is there once, and the counters agree.
async fn everything_in(data: &Path, queue: &str) -> HashSet<String> {
    let database = Sqlite::open(&Location::Directory(data.to_owned()), Durability::Full).unwrap();
    let now_ms = SystemClock.now_ms() + LATER_MS;
    let service = Service::on(Box::new(database), settings(), now_ms);
    let url = format!("{}/{queue}", gateway::QUEUES);
    let names = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    let before = service.ok("GetQueueAttributes", names).await;
    let mut bodies = HashSet::new();
    loop {
        let ten = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 3_600});
        let output = service.ok("ReceiveMessage", ten).await;
        let Some(messages) = output["Messages"].as_array() else { break };
        for message in messages {
            let body = message["Body"].as_str().unwrap().to_owned();
            assert!(bodies.insert(body), "twice: {message}");
            // FIFO groups go on only when their messages are gone.
            let handle = &message["ReceiptHandle"];
            service.ok("DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": handle})).await;
        }
    }
    let counted = before["Attributes"]["ApproximateNumberOfMessages"].as_str().unwrap();
    assert_eq!(counted, bodies.len().to_string(), "the counter of {queue}");
    service.runtime.close().await;
    bodies
}
