//! The attacks. Each runs until the overload ends, and counts the results of its connections.

use crate::client::{Connection, form_request, request};
use crate::{Result, now};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// An attack on a server.
pub type Attack = fn(Overload) -> Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// All attacks, in the order of the table.
pub const ATTACKS: &[(&str, Attack)] = &[
    ("nothing", |overload| Box::pin(async move { overload.wait().await })),
    ("slow-heads", |overload| Box::pin(drip(overload, 2_000, HEAD.into(), b"x"))),
    ("slow-bodies", |overload| Box::pin(drip(overload, 2_000, body_of(1 << 20), b" "))),
    ("long-heads", |overload| Box::pin(drip(overload, 4_000, long_head(), b"x"))),
    ("bodies-that-never-come", |overload| Box::pin(drip(overload, 10_500, body_of(1 << 20), b""))),
    ("large-bodies", |overload| Box::pin(large_bodies(overload, 64))),
    ("large-bodies-held-back", |overload| Box::pin(held_back(overload, 200))),
    ("half-open", |overload| Box::pin(half_open(overload, 2_000))),
    ("lying-lengths", |overload| Box::pin(lying_lengths(overload, 32))),
    ("idle", |overload| Box::pin(drip(overload, 5_000, Vec::new(), b""))),
    ("more-than-the-limit", |overload| Box::pin(drip(overload, 10_500, Vec::new(), b""))),
    ("polls-on-one-queue", |overload| Box::pin(polls(overload, 10_000, 1))),
    ("polls-on-1000-queues", |overload| Box::pin(polls(overload, 10_000, 1_000))),
    ("pipelined", |overload| Box::pin(pipelined(overload, 100))),
    ("answers-not-read", |overload| Box::pin(answers_not_read(overload, 200))),
    ("deep-json", |overload| Box::pin(deep_json(overload, 32))),
    ("huge-batches", |overload| Box::pin(huge_batches(overload, 16))),
    ("filter-policies", |overload| Box::pin(filter_policies(overload, 16, false))),
    ("filter-policies-on-objects", |overload| Box::pin(filter_policies(overload, 16, true))),
    ("create-queue", |overload| Box::pin(create_queue(overload, 32))),
];

const HEAD: &str = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.ListQueues\r\n";

/// Returns a head of 60 KiB without an end.
fn long_head() -> Vec<u8> {
    format!("{HEAD}X-Long: {}", "x".repeat(60 * 1024)).into_bytes()
}

/// Returns the head of a request with a body of this length.
fn body_of(length: usize) -> Vec<u8> {
    format!("{HEAD}Content-Length: {length}\r\n\r\n").into_bytes()
}

/// A running attack.
#[derive(Clone)]
pub struct Overload {
    address: String,
    until: Instant,
    outcomes: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Overload {
    pub fn new(address: &str, time: Duration) -> Self {
        Self { address: address.to_owned(), until: now() + time, outcomes: Arc::default() }
    }

    /// The time until the attack ends.
    pub fn rest(&self) -> Duration {
        self.until.saturating_duration_since(now())
    }

    fn is_over(&self) -> bool {
        self.rest().is_zero()
    }

    async fn wait(&self) -> Result<()> {
        sleep(self.rest()).await;
        Ok(())
    }

    fn note(&self, outcome: impl Into<String>) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        *outcomes.entry(outcome.into()).or_default() += 1;
    }

    /// The results of attackers, with their frequency.
    pub fn outcomes(&self) -> String {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<_> = outcomes.iter().map(|(what, count)| format!("{count} {what}")).collect();
        if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
    }

    async fn connect(&self) -> Option<TcpStream> {
        match timeout(self.rest(), TcpStream::connect(&self.address)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                self.note(error.kind().to_string());
                None
            }
            Err(_) => {
                self.note("never accepted");
                None
            }
        }
    }

    /// Reads until the server responds or the overload is over, and records the result.
    async fn read(&self, stream: &mut TcpStream) -> bool {
        let mut answer = [0; 512];
        match timeout(self.rest(), stream.read(&mut answer)).await {
            Err(_) => self.note("held open"),
            Ok(Ok(0) | Err(_)) => self.note("closed"),
            Ok(Ok(length)) => {
                self.note_status(&answer[..length]);
                return true;
            }
        }
        false
    }

    fn note_status(&self, answer: &[u8]) {
        let status = answer.get(9..12).unwrap_or_default();
        self.note(format!("× {}", String::from_utf8_lossy(status)));
    }
}

/// Runs `count` attackers concurrently, until all have ended.
async fn all<F>(count: usize, attacker: impl Fn(usize) -> F) -> Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut attackers = JoinSet::new();
    for number in 0..count {
        attackers.spawn(attacker(number));
    }
    while let Some(ended) = attackers.join_next().await {
        ended?;
    }
    Ok(())
}

/// Connections that begin with some bytes and then send a little every second.
async fn drip(
    overload: Overload,
    count: usize,
    opening: Vec<u8>,
    drop: &'static [u8],
) -> Result<()> {
    let opening: Arc<[u8]> = opening.into();
    all(count, |_| {
        let (overload, opening) = (overload.clone(), Arc::clone(&opening));
        async move {
            let Some(stream) = overload.connect().await else { return };
            let (mut reading, mut writing) = stream.into_split();
            let dripping = async {
                if writing.write_all(&opening).await.is_err() {
                    return;
                }
                loop {
                    sleep(Duration::from_secs(1)).await;
                    if !drop.is_empty() && writing.write_all(drop).await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
            };
            let mut answer = [0; 512];
            let read = async {
                match reading.read(&mut answer).await {
                    Ok(0) | Err(_) => overload.note("closed"),
                    Ok(length) => overload.note_status(&answer[..length]),
                }
            };
            tokio::select! {
                () = dripping => overload.note("closed"),
                () = read => {}
                _ = overload.wait() => overload.note("held open"),
            }
        }
    })
    .await
}

/// Sends messages of 8 MiB, and lists of as many values as 8 MiB can hold, repeatedly.
async fn large_bodies(overload: Overload, count: usize) -> Result<()> {
    let message = format!(r#"{{"MessageBody":"{}"}}"#, "x".repeat((8 << 20) - 64));
    let list = format!(r#"{{"AttributeNames":[{}""]}}"#, r#""","#.repeat((8 << 20) / 3 - 64));
    let bodies = [request("x", "SendMessage", &message), request("x", "ReceiveMessage", &list)];
    flood(overload, count, move |number, turn| bodies[(number + turn) % 2].clone()).await
}

/// Sends bodies of 8 MiB without their last byte.
async fn held_back(overload: Overload, count: usize) -> Result<()> {
    all(count, |_| {
        let overload = overload.clone();
        async move {
            let length = 8 << 20;
            let Some(mut stream) = overload.connect().await else { return };
            let sending = async {
                stream.write_all(&body_of(length)).await?;
                stream.write_all(&vec![b' '; length - 1]).await
            };
            if !matches!(timeout(overload.rest(), sending).await, Ok(Ok(()))) {
                return overload.note("cut off while sending");
            }
            overload.read(&mut stream).await;
        }
    })
    .await
}

/// Receivers that wait for 20 s and have closed their sending side.
async fn half_open(overload: Overload, count: usize) -> Result<()> {
    all(count, |_| {
        let overload = overload.clone();
        async move {
            let Some(mut stream) = overload.connect().await else { return };
            let body = r#"{"QueueUrl":"http://localhost/000000000000/empty","WaitTimeSeconds":20}"#;
            let _ = stream.write_all(&request("x", "ReceiveMessage", body)).await;
            let _ = stream.shutdown().await;
            overload.read(&mut stream).await;
        }
    })
    .await
}

/// Lengths that are larger than the body, smaller, and larger than any limit.
async fn lying_lengths(overload: Overload, count: usize) -> Result<()> {
    all(count, |number| {
        let overload = overload.clone();
        async move {
            while !overload.is_over() {
                let Some(mut stream) = overload.connect().await else { return };
                let length = [100, 1, usize::MAX][number % 3];
                let _ =
                    stream.write_all(&[&body_of(length)[..], b"{}nonsense\r\n\r\n"].concat()).await;
                let _ = stream.shutdown().await;
                overload.read(&mut stream).await;
            }
        }
    })
    .await
}

/// Receivers that wait, on one queue or many.
async fn polls(overload: Overload, count: usize, queues: usize) -> Result<()> {
    let mut connection = Connection::open(&overload.address).await?;
    for queue in 0..queues {
        let body = format!(r#"{{"QueueName":"poll{queue}"}}"#);
        connection.call(&request("x", "CreateQueue", &body)).await?;
    }
    all(count, |number| {
        let overload = overload.clone();
        async move {
            let Some(mut stream) = overload.connect().await else { return };
            let body = format!(
                r#"{{"QueueUrl":"http://localhost/000000000000/poll{}","WaitTimeSeconds":20}}"#,
                number % queues
            );
            let _ = stream.write_all(&request("x", "ReceiveMessage", &body)).await;
            overload.read(&mut stream).await;
        }
    })
    .await
}

/// Sends a thousand pipelined requests on each connection, repeatedly.
async fn pipelined(overload: Overload, count: usize) -> Result<()> {
    let requests: Arc<[u8]> =
        request("x", "GetQueueUrl", r#"{"QueueName":"empty"}"#).repeat(1_000).into();
    all(count, |_| {
        let (overload, requests) = (overload.clone(), Arc::clone(&requests));
        async move {
            let Some(stream) = overload.connect().await else { return };
            let (mut reading, mut writing) = stream.into_split();
            let write = async { while writing.write_all(&requests).await.is_ok() {} };
            let read = async {
                let mut answers = vec![0; 64 * 1024];
                while let Ok(length @ 1..) = reading.read(&mut answers).await {
                    for _ in memchr::memmem::find_iter(&answers[..length], b"HTTP/1.1 200") {
                        overload.note("× 200");
                    }
                }
            };
            let _ = timeout(overload.rest(), async { tokio::join!(write, read) }).await;
        }
    })
    .await
}

/// Receivers of 10 MB each that do not read, and record the result at the end.
async fn answers_not_read(overload: Overload, count: usize) -> Result<()> {
    let mut connection = Connection::open(&overload.address).await?;
    let create = r#"{"QueueName":"large","Attributes":{"VisibilityTimeout":"0"}}"#;
    connection.call(&request("x", "CreateQueue", create)).await?;
    let queue = r#""QueueUrl":"http://localhost/000000000000/large""#;
    let send = format!(r#"{{{queue},"MessageBody":"{}"}}"#, "x".repeat(1_000_000));
    for _ in 0..10 {
        connection.call(&request("x", "SendMessage", &send)).await?;
    }
    let receive: Arc<[u8]> =
        request("x", "ReceiveMessage", &format!(r#"{{{queue},"MaxNumberOfMessages":10}}"#)).into();
    all(count, |_| {
        let (overload, receive) = (overload.clone(), Arc::clone(&receive));
        async move {
            let Some(mut stream) = overload.connect().await else { return };
            let _ = stream.write_all(&receive).await;
            let _ = overload.wait().await;
            let mut answer = [0; 512];
            match timeout(Duration::from_millis(100), stream.read(&mut answer)).await {
                Err(_) => overload.note("without an answer"),
                Ok(Ok(0) | Err(_)) => overload.note("hung up on"),
                Ok(Ok(length)) => overload.note_status(&answer[..length]),
            }
        }
    })
    .await
}

/// Repeats the same calls on each connection, each with new values.
async fn flood(
    overload: Overload,
    count: usize,
    calls: impl Fn(usize, usize) -> Vec<u8> + Send + Sync + 'static,
) -> Result<()> {
    let calls = Arc::new(calls);
    all(count, |number| {
        let (overload, calls) = (overload.clone(), Arc::clone(&calls));
        async move {
            let Ok(mut connection) = Connection::open(&overload.address).await else { return };
            for turn in 0.. {
                if overload.is_over() {
                    return;
                }
                match connection.call(&calls(number, turn)).await {
                    Ok(_) => overload.note("× 200"),
                    Err(error) => {
                        let text = error.to_string();
                        let status = text.strip_prefix("status ").and_then(|text| text.get(..3));
                        overload.note(
                            status.map_or("closed".to_owned(), |status| format!("× {status}")),
                        );
                        match Connection::open(&overload.address).await {
                            Ok(new) => connection = new,
                            Err(_) => return,
                        }
                    }
                }
            }
        }
    })
    .await
}

async fn deep_json(overload: Overload, count: usize) -> Result<()> {
    let deep = request("x", "SendMessage", &format!(r#"{{"a":{}"#, "[".repeat(1 << 20)));
    flood(overload, count, move |_, _| deep.clone()).await
}

/// Sends batches of 1 MiB, which are purged now and then.
async fn huge_batches(overload: Overload, count: usize) -> Result<()> {
    let mut connection = Connection::open(&overload.address).await?;
    connection.call(&request("x", "CreateQueue", r#"{"QueueName":"batches"}"#)).await?;
    let queue = r#""QueueUrl":"http://localhost/000000000000/batches""#;
    let mut entries = String::new();
    for id in 0..10 {
        let comma = if id == 0 { "" } else { "," };
        let body = "x".repeat(104_000);
        write!(entries, r#"{comma}{{"Id":"{id}","MessageBody":"{body}"}}"#)?;
    }
    let send = request("x", "SendMessageBatch", &format!(r#"{{{queue},"Entries":[{entries}]}}"#));
    let purge = request("x", "PurgeQueue", &format!("{{{queue}}}"));
    flood(overload, count, move |number, turn| {
        if number == 0 && turn % 20 == 19 { purge.clone() } else { send.clone() }
    })
    .await
}

/// Changes policies with many branches constantly, and publishes messages of 250 KB that none of
/// them matches: with many values, or with many objects that have one each.
async fn filter_policies(overload: Overload, count: usize, in_objects: bool) -> Result<()> {
    let topic = "arn:aws:sns:us-east-1:000000000000:t";
    let mut connection = Connection::open(&overload.address).await?;
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let call = |parameters: String| form_request("x", &format!("Version=2010-03-31&{parameters}"));
    connection.call(&call("Action=CreateTopic&Name=t".to_owned())).await?;
    let subscribe = format!(
        "Action=Subscribe&TopicArn={topic}&Protocol=sqs&Endpoint=arn:aws:sqs:us-east-1:000000000000:empty&\
         ReturnSubscriptionArn=true&Attributes.entry.1.key=FilterPolicyScope&Attributes.entry.1.value=MessageBody"
    );
    let answer = String::from_utf8_lossy(connection.call(&call(subscribe)).await?).into_owned();
    let arn = answer.split_once("<SubscriptionArn>").and_then(|(_, rest)| rest.split('<').next());
    let arn = arn.ok_or("no subscription")?.to_owned();
    let value =
        |number| if in_objects { format!(r#"{{"b":{number}}}"#) } else { format!("\"{number}\"") };
    let values: Vec<String> = (0..if in_objects { 20_000 } else { 33_000 }).map(value).collect();
    let message = encode(&format!(r#"{{"a":[{}]}}"#, values.join(",")));
    let publish = call(format!("Action=Publish&TopicArn={topic}&Message={message}"));
    flood(overload, count, move |number, turn| {
        if turn % 4 != 0 {
            return publish.clone();
        }
        let branch = |branch| {
            let list = format!(r#"["x{number}-{turn}-{branch}"]"#);
            if in_objects { format!(r#"{{"a":{{"b":{list}}}}}"#) } else { format!(r#"{{"a":{list}}}"#) }
        };
        let branches: Vec<String> =
            (0..if in_objects { 75 } else { 150 }).map(branch).collect();
        let policy = encode(&format!(r#"{{"$or":[{}]}}"#, branches.join(",")));
        call(format!(
            "Action=SetSubscriptionAttributes&SubscriptionArn={arn}&AttributeName=FilterPolicy&AttributeValue={policy}"
        ))
    })
    .await
}

async fn create_queue(overload: Overload, count: usize) -> Result<()> {
    flood(overload, count, |number, turn| {
        let body = format!(r#"{{"QueueName":"flood-{number}-{turn}"}}"#);
        request("x", "CreateQueue", &body)
    })
    .await
}
