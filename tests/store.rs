//! The guarantees of the store: jobs that share a commit do not share a failure, a full disk loses
//! nothing acknowledged, one server owns a data directory, and a receive whose caller has disconnected
//! returns its messages to the queue.

use crate::gateway::{Answer, QUEUES, START_MS, Service, settings};
use indexmap::IndexMap;
use serde_json::{Value, json};
use squab::domain::address::QueueAddress;
use squab::domain::{Kind, Refusal};
use squab::engine::queues;
use squab::store::{
    Database, Driver, Durability, Effect, Error, Ids, Location, Observer, Row, Sqlite, Store, Txn,
    Value as Parameter,
};
use squab::wire::Protocol;
use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};

// A store of its own, without a service above it

/// Remembers the effects that were published.
#[derive(Default)]
struct Published(Mutex<Vec<Effect>>);

impl Observer for Published {
    fn committed(&self, effects: &[Effect]) {
        self.0.lock().unwrap().extend_from_slice(effects);
    }
}

/// A database whose transactions are counted and whose file may be kept from growing.
struct Watched {
    database: Sqlite,
    transactions: Arc<AtomicUsize>,
    /// Whether the file may have no more pages than it has now.
    is_full: Arc<AtomicBool>,
    /// Whether callers may commit by themselves; else all is left to the store's thread.
    commits_at_once: bool,
}

impl Watched {
    fn new(location: &Location) -> Self {
        Self {
            database: Sqlite::open(location, Durability::Process).unwrap(),
            transactions: Arc::default(),
            is_full: Arc::default(),
            commits_at_once: false,
        }
    }
}

impl Database for Watched {
    fn serve(&mut self, work: &mut dyn FnMut(&mut dyn Driver)) {
        let Self { database, transactions, is_full, .. } = self;
        database.serve(&mut |driver| work(&mut Watching { driver, transactions, is_full }));
    }

    fn commits_at_once(&self) -> bool {
        self.commits_at_once
    }
}

struct Watching<'w> {
    driver: &'w mut dyn Driver,
    transactions: &'w AtomicUsize,
    is_full: &'w AtomicBool,
}

impl Driver for Watching<'_> {
    fn begin(&mut self) -> Result<(), Error> {
        self.transactions.fetch_add(1, Ordering::SeqCst);
        // SQLite takes a limit below the present size for the present size.
        let limit = if self.is_full.load(Ordering::SeqCst) {
            "PRAGMA max_page_count = 1"
        } else {
            "PRAGMA max_page_count = 1073741824"
        };
        self.driver.query(limit, &[], &mut |_| Ok(()))?;
        self.driver.begin()
    }

    fn commit(&mut self) -> Result<(), Error> {
        self.driver.commit()
    }

    fn rollback(&mut self) {
        self.driver.rollback();
    }

    fn execute(&mut self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<usize, Error> {
        self.driver.execute(sql, parameters)
    }

    fn query(
        &mut self,
        sql: &'static str,
        parameters: &[Parameter<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.driver.query(sql, parameters, each)
    }
}

struct Alone {
    store: Store,
    published: Arc<Published>,
    transactions: Arc<AtomicUsize>,
}

impl Alone {
    fn new() -> Self {
        Self::on(Watched::new(&Location::Memory))
    }

    fn on(database: Watched) -> Self {
        let transactions = Arc::clone(&database.transactions);
        let published = Arc::new(Published::default());
        let ids = Ids::with_seed(1);
        let observer = Arc::clone(&published) as Arc<dyn Observer>;
        let store =
            Store::start(Box::new(database), Box::new(|| START_MS.into()), ids, observer).unwrap();
        Self { store, published, transactions }
    }
}

/// Holds the store's thread from [`Hold::has_begun`] until the release. Whatever is submitted
/// meanwhile is done in one transaction.
struct Hold {
    begun: mpsc::Receiver<()>,
    release: mpsc::Sender<()>,
}

impl Hold {
    /// The job that holds, to be submitted.
    fn new() -> (impl FnMut(&mut Txn<'_>) -> Result<(), Refusal> + Send + use<>, Self) {
        let (begins, begun) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let job = move |_: &mut Txn<'_>| {
            begins.send(()).unwrap();
            released.recv().unwrap();
            Ok(())
        };
        (job, Self { begun, release })
    }

    fn has_begun(&self) {
        self.begun.recv().unwrap();
    }

    fn release(&self) {
        self.release.send(()).unwrap();
    }
}

/// Holds the thread of a store or a service, and returns the future of the holding job.
macro_rules! hold {
    ($store:expr) => {{
        let (job, hold) = Hold::new();
        let store = $store.clone();
        let holding = start(async move { store.run(job).await });
        hold.has_begun();
        (holding, hold)
    }};
}

/// Starts a future: it runs up to where it waits for something.
fn start<F: Future>(future: F) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    assert!(poll(&mut future).is_pending(), "it should wait");
    future
}

fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn due(queue: i64) -> Effect {
    Effect::Due { queue, at: START_MS }
}

/// Takes a sequence, which is a write, and asks for an effect.
fn write(tx: &mut Txn<'_>, queue: i64) -> Result<i64, Refusal> {
    let sequence = tx.next_sequence()?;
    tx.set_tag(queue, "key", "value")?;
    tx.effect(due(queue));
    Ok(sequence)
}

#[tokio::test]
async fn jobs_that_wait_together_share_a_transaction_and_see_each_others_writes() {
    let Alone { store, published, transactions } = Alone::new();
    let before = store.run(|tx| Ok(tx.last_sequence()?)).await.unwrap();
    let so_far = transactions.load(Ordering::SeqCst);
    let (holding, hold) = hold!(store);
    let first = start(store.run(|tx| write(tx, 1)));
    let second = start(store.run(|tx| Ok((tx.last_sequence()?, tx.tags(1)?))));
    let third = start(store.run(|tx| write(tx, 3)));
    hold.release();
    holding.await.unwrap();
    let tags = vec![("key".to_owned(), "value".to_owned())];
    assert_eq!(first.await, Ok(before + 1));
    assert_eq!(second.await, Ok((before + 1, tags)));
    assert_eq!(third.await, Ok(before + 2));
    assert_eq!(transactions.load(Ordering::SeqCst) - so_far, 2, "the held one, and one for all");
    assert_eq!(*published.0.lock().unwrap(), [due(1), due(3)]);
}

#[tokio::test]
async fn a_job_that_fails_or_panics_after_writing_fails_alone() {
    let Alone { store, published, .. } = Alone::new();
    let before = store.run(|tx| Ok(tx.last_sequence()?)).await.unwrap();
    let (holding, hold) = hold!(store);
    let first = start(store.run(|tx| write(tx, 1)));
    let failing = start(store.run(|tx| {
        write(tx, 2)?;
        Err::<(), _>(Refusal::invalid("no"))
    }));
    let panicking = start(store.run(|tx| -> Result<(), Refusal> {
        write(tx, 3)?;
        panic!("a bug in a rule")
    }));
    let last = start(store.run(|tx| write(tx, 4)));
    hold.release();
    holding.await.unwrap();
    assert_eq!(first.await, Ok(before + 1));
    assert_eq!(failing.await, Err(Refusal::invalid("no")));
    assert_eq!(panicking.await.unwrap_err().kind, Kind::InternalFailure);
    assert_eq!(last.await, Ok(before + 2));
    assert_eq!(*published.0.lock().unwrap(), [due(1), due(4)]);
    let tagged = store
        .run(|tx| {
            let mut tagged = Vec::new();
            for queue in 1..=4 {
                tagged.push(!tx.tags(queue)?.is_empty());
            }
            Ok((tx.last_sequence()?, tagged))
        })
        .await;
    assert_eq!(tagged, Ok((before + 2, vec![true, false, false, true])));
}

#[tokio::test]
async fn a_refusal_before_the_first_write_costs_the_others_nothing() {
    let Alone { store, transactions, .. } = Alone::new();
    let (holding, hold) = hold!(store);
    let first = start(store.run(|tx| write(tx, 1)));
    let refused = start(store.run(|_| Err::<(), _>(Refusal::no_such_queue())));
    hold.release();
    holding.await.unwrap();
    assert!(first.await.is_ok());
    assert_eq!(refused.await, Err(Refusal::no_such_queue()));
    assert_eq!(transactions.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn where_a_commit_waits_for_nothing_a_job_may_run_at_once_unless_the_writer_is_busy() {
    let database = Watched { commits_at_once: true, ..Watched::new(&Location::Memory) };
    let Alone { store, published, transactions } = Alone::on(database);
    let first = store.run_at_once(|tx| write(tx, 1)).unwrap().unwrap();
    let failed = store.run_at_once(|tx| {
        write(tx, 2)?;
        Err(Refusal::invalid("no"))
    });
    assert_eq!(failed, Some(Err::<i64, _>(Refusal::invalid("no"))));
    let panicked = store.run_at_once(|tx| -> Result<i64, _> {
        write(tx, 3)?;
        panic!("a bug in a rule")
    });
    assert_eq!(panicked.unwrap().unwrap_err().kind, Kind::InternalFailure);
    assert_eq!(store.run_at_once(|tx| write(tx, 4)), Some(Ok(first + 1)));
    assert_eq!(*published.0.lock().unwrap(), [due(1), due(4)]);
    assert_eq!(transactions.load(Ordering::SeqCst), 4);

    let (holding, hold) = hold!(store);
    assert!(store.run_at_once(|tx| write(tx, 5)).is_none());
    hold.release();
    holding.await.unwrap();
    let left = store.run(|tx| Ok((tx.last_sequence()?, tx.tags(2)?, tx.tags(3)?))).await;
    assert_eq!(left, Ok((first + 1, vec![], vec![])), "what failed has left nothing");
    store.close();
    assert!(store.run_at_once(|tx| write(tx, 6)).is_none());
}

#[tokio::test]
async fn where_a_commit_waits_for_the_disk_no_job_runs_at_once() {
    let Alone { store, .. } = Alone::new();
    assert!(store.run_at_once(|tx| write(tx, 1)).is_none());
}

#[tokio::test]
async fn a_closed_store_has_finished_what_was_submitted_and_refuses_the_rest() {
    let Alone { store, published, .. } = Alone::new();
    let (_holding, hold) = hold!(store);
    let submitted = start(store.run(|tx| write(tx, 1)));
    hold.release();
    store.close();
    assert!(submitted.await.is_ok());
    assert_eq!(*published.0.lock().unwrap(), [due(1)]);
    assert_eq!(store.run(|_| Ok(())).await.unwrap_err().kind, Kind::ServiceUnavailable);
}

// A data directory

fn directory(path: &Path) -> Location {
    Location::Directory(path.to_owned())
}

fn refusal_to_open(path: &Path) -> String {
    Sqlite::open(&directory(path), Durability::Full).unwrap_err().to_string()
}

#[test]
fn a_second_server_on_one_data_directory_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let first = Sqlite::open(&directory(data.path()), Durability::Full).unwrap();
    assert_eq!(
        refusal_to_open(data.path()),
        format!(
            "{} is in use by another process: stop that server first, or use another --data directory",
            data.path().display()
        )
    );
    drop(first);
    assert!(Sqlite::open(&directory(data.path()), Durability::Full).is_ok());
}

#[test]
fn a_file_of_a_newer_schema_is_refused_and_left_alone() {
    let data = tempfile::tempdir().unwrap();
    drop(Sqlite::open(&directory(data.path()), Durability::Full).unwrap());
    let file = data.path().join("squab.db");
    let by_hand = rusqlite::Connection::open(&file).unwrap();
    by_hand.pragma_update(None, "user_version", 99).unwrap();
    by_hand.close().unwrap();
    let before = std::fs::read(&file).unwrap();
    let sentence = refusal_to_open(data.path());
    let start = format!("{}: the database has schema version 99, this program ", file.display());
    assert!(sentence.starts_with(&start), "{sentence}");
    assert!(sentence.contains("written by a newer squab"), "{sentence}");
    assert!(std::fs::read(&file).unwrap() == before);
}

/// Makes of a file what the program before the order of FIFO groups would have written: a group with
/// messages in flight has no head, whichever these are, and records go with the queue.
const BACK_TO_VERSION_8: &str = "
    DROP TABLE receipt_key;
    DROP INDEX outboxes_ready;
    DROP INDEX outboxes_waiting;
    ALTER TABLE outboxes DROP COLUMN ready;
    ALTER TABLE outboxes DROP COLUMN destination;
    ALTER TABLE outboxes DROP COLUMN account;
    CREATE INDEX outboxes_by_time ON outboxes (next_due) WHERE claimed = 0;
    ALTER TABLE publications DROP COLUMN reserved;
    ALTER TABLE publications DROP COLUMN bytes;
    ALTER TABLE publications DROP COLUMN account;
    ALTER TABLE deliveries DROP COLUMN account;
    DROP INDEX captured_messages_by_account;
    DROP TABLE account_usage;
    DROP TABLE newest_time;
    DROP INDEX messages_hidden;
    UPDATE messages SET place = place + 2 WHERE place IN (-4, -3);
    ALTER TABLE messages DROP COLUMN received_elsewhere;
    DROP INDEX message_groups_by_turn;
    UPDATE message_groups SET head = NULL WHERE first_hidden IS NOT NULL;
    ALTER TABLE message_groups DROP COLUMN turn;
    ALTER TABLE message_groups DROP COLUMN first_hidden;
    CREATE INDEX message_groups_by_head ON message_groups (backlog, head) WHERE head IS NOT NULL;
    UPDATE deduplication SET owner = (SELECT id FROM queues WHERE backlog = owner)
        WHERE owner IN (SELECT backlog FROM queues);
    ALTER TABLE deduplication RENAME COLUMN owner TO queue;
    UPDATE receive_attempts SET backlog =
        (SELECT id FROM queues WHERE queues.backlog = receive_attempts.backlog);
    ALTER TABLE receive_attempts RENAME COLUMN backlog TO queue;
    ALTER TABLE queues DROP COLUMN created_deduplication_scope;
    PRAGMA user_version = 8;
";

#[tokio::test]
async fn a_file_with_fifo_messages_in_flight_goes_on_by_the_new_order() {
    let data = tempfile::tempdir().unwrap();
    let service = service_on(data.path(), START_MS);
    let change = |handle: &str, seconds: i64| {
        on("f.fifo", json!({"ReceiptHandle": handle, "VisibilityTimeout": seconds}))
    };
    let message = |body: &str, group: &str| {
        on(
            "f.fifo",
            json!({"MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": body}),
        )
    };
    let with_attempt = |attempt: &str| {
        on("f.fifo", json!({"ReceiveRequestAttemptId": attempt, "AttributeNames": ["All"]}))
    };
    let scoped = json!({"FifoQueue": "true", "DeduplicationScope": "messageGroup"});
    create(&service, "f.fifo", scoped).await;
    create(&service, "standard", json!({})).await;
    for (body, group) in
        [("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("c1", "c"), ("d1", "d")]
    {
        service.ok("SendMessage", message(body, group)).await;
    }
    let input = on("standard", json!({"MessageBody": "s1", "MessageGroupId": "s"}));
    service.ok("SendMessage", input).await;
    let standard = receive(&service, "standard", 1).await;
    let first = receive(&service, "f.fifo", 2).await;
    assert_eq!([&first[0].0, &first[1].0], ["a1", "a2"]);
    let again = received(&service.ok("ReceiveMessage", with_attempt("x")).await);
    assert_eq!(again[0].0, "b1");
    // Visible, and locked by the old program, as a2 is in flight.
    service.ok("ChangeMessageVisibility", change(&first[0].1, 0)).await;
    service.runtime.close().await;
    drop(service);
    let path = data.path().join("squab.db");
    let by_hand = rusqlite::Connection::open(&path).unwrap();
    let secret: Vec<u8> =
        by_hand.query_row("SELECT secret FROM receipt_key", [], |row| row.get(0)).unwrap();
    by_hand.execute_batch(BACK_TO_VERSION_8).unwrap();
    by_hand.close().unwrap();

    let service = service_on(data.path(), START_MS);
    // Without its key a handle is refused, and with it the handle is valid in every process.
    let deletion = on("f.fifo", json!({"ReceiptHandle": first[1].1}));
    let refused = service.call(Protocol::Json, "DeleteMessage", &deletion).await;
    assert_eq!(refused.refused(Protocol::Json).code, "ReceiptHandleIsInvalid");
    service.runtime.close().await;
    drop(service);
    let by_hand = rusqlite::Connection::open(&path).unwrap();
    by_hand.execute("INSERT INTO receipt_key VALUES (1, ?1)", [&secret]).unwrap();
    by_hand.close().unwrap();

    let service = service_on(data.path(), START_MS);
    // The attempt is known, the groups that wait are served first, a1 no longer waits for a2.
    let repeated = received(&service.ok("ReceiveMessage", with_attempt("x")).await);
    assert_eq!(repeated[0].1, again[0].1);
    let bodies = |messages: Vec<(String, String, String)>| -> Vec<String> {
        messages.into_iter().map(|message| message.0).collect()
    };
    assert_eq!(bodies(receive(&service, "f.fifo", 2).await), ["c1", "d1"]);
    let next = receive(&service, "f.fifo", 10).await;
    assert_eq!([next[0].0.as_str(), next[0].2.as_str()], ["a1", "2"]);
    assert_eq!(next.len(), 1);
    // Duplicates are known, in the scope of each group, which stays as it is.
    let scope = on("f.fifo", json!({"Attributes": {"DeduplicationScope": "queue"}}));
    service.ok("SetQueueAttributes", scope).await;
    service.ok("SendMessage", message("c1", "c")).await;
    service.ok("SendMessage", message("c1", "e")).await;
    assert_eq!(bodies(receive(&service, "f.fifo", 10).await), ["c1"]);
    // Handles are good, and what is in flight becomes visible in time.
    service.ok("DeleteMessage", on("f.fifo", json!({"ReceiptHandle": first[1].1}))).await;
    service.ok("DeleteMessage", on("f.fifo", json!({"ReceiptHandle": next[0].1}))).await;
    assert_eq!(bodies(receive(&service, "f.fifo", 10).await), ["a3"]);
    service.pass(30_000).await;
    assert_eq!(receive(&service, "standard", 1).await[0].0, standard[0].0);
    assert_eq!(bodies(receive(&service, "f.fifo", 10).await), ["b1", "c1", "d1", "c1", "a3"]);
}

#[tokio::test]
async fn a_file_in_which_contents_stand_apart_keeps_its_messages() {
    let data = tempfile::tempdir().unwrap();
    let body = "long enough to stand apart ".repeat(100);
    // As the programs of schema version 2 left it.
    let by_hand = rusqlite::Connection::open(data.path().join("squab.db")).unwrap();
    by_hand.execute_batch(include_str!("../migrations/0001_queues_and_messages.sql")).unwrap();
    by_hand.execute_batch(include_str!("../migrations/0002_topics.sql")).unwrap();
    by_hand
        .execute_batch(&format!(
            "INSERT INTO backlogs (id, ready) VALUES (1, 1);
             INSERT INTO queues VALUES (1, '000000000000', 'us-east-1', 'q', 1, {START_MS}, {START_MS},
                 NULL, 0, 30, 0, 1048576, 345600, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL,
                 NULL);
             INSERT INTO contents (id, body, sender_id) VALUES (1, '{body}', '000000000000');
             INSERT INTO messages (backlog, sequence, place, rank, message_group, content, message_id,
                 sent_at, receive_count) VALUES (1, 1, 0, 1, 0, 1, zeroblob(16), {START_MS}, 0);
             UPDATE sequence SET last = 1;
             PRAGMA user_version = 2;"
        ))
        .unwrap();
    by_hand.close().unwrap();

    let service = service_on(data.path(), START_MS);
    assert_eq!(send(&service, "q", "short").await.status, 200);
    let messages = receive(&service, "q", 10).await;
    let bodies: Vec<_> = messages.iter().map(|message| message.0.as_str()).collect();
    assert_eq!(bodies, [body.as_str(), "short"]);
    for (_, handle, _) in &messages {
        service.ok("DeleteMessage", on("q", json!({"ReceiptHandle": handle}))).await;
    }
    assert_eq!(counts(&service, "q").await, ["0", "0", "0"]);
}

#[tokio::test]
async fn what_a_fifo_queue_remembers_of_its_messages_goes_in_time() {
    /// More than a page of the sweep.
    const MESSAGES: usize = 700;
    let data = tempfile::tempdir().unwrap();
    let service = service_on(data.path(), START_MS);
    create(&service, "q.fifo", json!({"FifoQueue": "true"})).await;
    for number in 0..MESSAGES {
        let group = if number == 0 { "stays".to_owned() } else { format!("group-{number}") };
        let message = json!({"MessageBody": "b", "MessageGroupId": group,
            "MessageDeduplicationId": number.to_string()});
        service.ok("SendMessage", on("q.fifo", message)).await;
    }
    // The first one is received last: its group keeps it.
    let all = receive(&service, "q.fifo", 1).await;
    for (_, handle, _) in all {
        let hidden = json!({"ReceiptHandle": handle, "VisibilityTimeout": 43_200});
        service.ok("ChangeMessageVisibility", on("q.fifo", hidden)).await;
    }
    for _ in 1..MESSAGES {
        for (_, handle, _) in receive(&service, "q.fifo", 1).await {
            service.ok("DeleteMessage", on("q.fifo", json!({"ReceiptHandle": handle}))).await;
        }
    }
    let rows = |service: Service| async move {
        service.runtime.close().await;
        drop(service);
        let by_hand = rusqlite::Connection::open(data.path().join("squab.db")).unwrap();
        let count = |table: &str| {
            let sql = format!("SELECT count(*) FROM {table}");
            by_hand.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
        };
        (count("message_groups"), count("deduplication"))
    };
    service.pass(5 * 60 * 1_000).await;
    assert_eq!(rows(service).await, (1, 0));
}

#[tokio::test]
async fn a_change_of_delay_that_was_interrupted_is_completed_by_asking_again() {
    /// More than a page.
    const MESSAGES: usize = 150;
    let service = Service::new(settings());
    create(&service, "q.fifo", json!({"FifoQueue": "true"})).await;
    for number in 0..MESSAGES {
        let message = json!({"MessageBody": "b", "MessageGroupId": "g",
            "MessageDeduplicationId": number.to_string()});
        service.ok("SendMessage", on("q.fifo", message)).await;
    }
    let url = format!("{QUEUES}/q.fifo");
    let address = QueueAddress::from_url(&url, "000000000000", "us-east-1").unwrap();
    let all = MESSAGES.to_string();
    let none = || "0".to_owned();
    for (delay, half_way, in_the_end) in [
        ("900", ["50", "0", "100"], [none(), none(), all.clone()]),
        ("0", ["100", "0", "50"], [all.clone(), none(), none()]),
    ] {
        let given = IndexMap::from([("DelaySeconds".to_owned(), delay.to_owned())]);
        let address = address.clone();
        let interrupted = move |tx: &mut Txn<'_>| {
            let rest = queues::set_attributes(
                tx,
                &squab::engine::access::Access::everything(),
                &address,
                &given,
            )?
            .unwrap();
            queues::reschedule_delayed(tx, rest).map(drop)
        };
        service.runtime.run(interrupted).await.unwrap();
        assert_eq!(counts(&service, "q.fifo").await, half_way);
        let again = json!({"Attributes": {"DelaySeconds": delay}});
        service.ok("SetQueueAttributes", on("q.fifo", again)).await;
        assert_eq!(counts(&service, "q.fifo").await, in_the_end);
    }
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("squab.db"), "not a database, but long enough ".repeat(100))
        .unwrap();
    let sentence = refusal_to_open(data.path());
    let file = data.path().join("squab.db").display().to_string();
    assert!(sentence.starts_with(&file) && sentence.contains("not a database"), "{sentence}");
}

/// A service on a data directory, at a time.
fn service_on(path: &Path, now_ms: i64) -> Service {
    let database = Sqlite::open(&directory(path), Durability::Full).unwrap();
    Service::on(Box::new(database), settings(), now_ms)
}

fn on(queue: &str, rest: Value) -> Value {
    let mut input = json!({"QueueUrl": format!("{QUEUES}/{queue}")});
    input.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    input
}

async fn create(service: &Service, name: &str, attributes: Value) {
    service.ok("CreateQueue", json!({"QueueName": name, "Attributes": attributes})).await;
}

async fn send(service: &Service, queue: &str, body: &str) -> Answer {
    let input = on(queue, json!({"MessageBody": body}));
    service.call(Protocol::Json, "SendMessage", &input).await
}

/// Receives once, and returns bodies, handles and receive counts.
async fn receive(service: &Service, queue: &str, max: usize) -> Vec<(String, String, String)> {
    let input = on(queue, json!({"MaxNumberOfMessages": max, "AttributeNames": ["All"]}));
    received(&service.ok("ReceiveMessage", input).await)
}

fn received(output: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let messages = output["Messages"].as_array().cloned().unwrap_or_default();
    messages
        .iter()
        .map(|message| {
            let count = text(&message["Attributes"]["ApproximateReceiveCount"]);
            (text(&message["Body"]), text(&message["ReceiptHandle"]), count)
        })
        .collect()
}

/// ApproximateNumberOfMessages, …NotVisible, …Delayed.
async fn counts(service: &Service, queue: &str) -> [String; 3] {
    let output =
        service.ok("GetQueueAttributes", on(queue, json!({"AttributeNames": ["All"]}))).await;
    ["", "NotVisible", "Delayed"].map(|which| {
        let name = format!("ApproximateNumberOfMessages{which}");
        output["Attributes"][name].as_str().unwrap().to_owned()
    })
}

#[tokio::test]
async fn a_file_that_is_opened_again_holds_everything() {
    let data = tempfile::tempdir().unwrap();
    let everything = |service: Service| async move {
        let all = json!({"AttributeNames": ["All"]});
        let mut found = vec![service.ok("ListQueues", json!({})).await];
        for queue in ["q", "q.fifo", "dlq"] {
            found.push(service.ok("GetQueueAttributes", on(queue, all.clone())).await);
            found.push(service.ok("ListQueueTags", on(queue, json!({}))).await);
        }
        let source =
            json!({"SourceArn": format!("{}:dlq", crate::gateway::ARNS), "MaxResults": 10});
        found.push(service.ok("ListMessageMoveTasks", source).await);
        (service, found)
    };

    let service = service_on(data.path(), START_MS);
    create(&service, "dlq", json!({})).await;
    let policy = json!({"deadLetterTargetArn": format!("{}:dlq", crate::gateway::ARNS), "maxReceiveCount": 3});
    create(&service, "q", json!({"RedrivePolicy": policy.to_string(), "VisibilityTimeout": "60"}))
        .await;
    create(&service, "q.fifo", json!({"FifoQueue": "true"})).await;
    service.ok("TagQueue", on("q", json!({"Tags": {"team": "shop"}}))).await;
    let permission = json!({"Label": "l", "AWSAccountIds": ["111122223333"], "Actions": ["*"]});
    service.ok("AddPermission", on("q", permission)).await;
    service
        .ok("StartMessageMoveTask", json!({"SourceArn": format!("{}:dlq", crate::gateway::ARNS)}))
        .await;
    service.runtime.do_background_work().await.unwrap();
    for body in ["in flight", "visible"] {
        assert_eq!(send(&service, "q", body).await.status, 200);
    }
    let in_flight = receive(&service, "q", 1).await.remove(0);
    service
        .ok("SendMessage", on("q", json!({"MessageBody": "delayed", "DelaySeconds": 100})))
        .await;
    let fifo = on(
        "q.fifo",
        json!({
            "MessageBody": "first", "MessageGroupId": "g", "MessageDeduplicationId": "d",
        }),
    );
    let first = service.ok("SendMessage", fifo.clone()).await;
    let (service, before) = everything(service).await;
    service.runtime.close().await;
    drop(service);

    let (service, after) = everything(service_on(data.path(), START_MS)).await;
    assert_eq!(after, before);
    assert_eq!(counts(&service, "q").await, ["1", "1", "1"]);
    assert_eq!(service.ok("SendMessage", fifo).await, first, "a duplicate is still one");
    service.ok("DeleteMessage", on("q", json!({"ReceiptHandle": in_flight.1}))).await;
    service.clock.advance(100_000);
    let mut bodies: Vec<_> = receive(&service, "q", 10).await.into_iter().map(|m| m.0).collect();
    bodies.sort();
    assert_eq!(bodies, ["delayed", "visible"]);
}

// A full disk

#[tokio::test]
async fn a_full_disk_refuses_sends_loses_nothing_and_recovers() {
    let data = tempfile::tempdir().unwrap();
    let database = Watched::new(&directory(data.path()));
    let is_full = Arc::clone(&database.is_full);
    let service = Service::on(Box::new(database), settings(), START_MS);
    create(&service, "q", json!({})).await;
    let body = |number: usize| format!("{number} {}", "x".repeat(2_000));
    let mut kept = BTreeSet::new();
    for number in 0..50 {
        assert_eq!(send(&service, "q", &body(number)).await.status, 200);
        kept.insert(body(number));
    }

    is_full.store(true, Ordering::SeqCst);
    let mut refused = 0;
    for number in 50..150 {
        let answer = send(&service, "q", &body(number)).await;
        if answer.status == 200 {
            assert!(kept.insert(body(number)));
            continue;
        }
        refused += 1;
        let told = answer.refused(Protocol::Json);
        let said = (told.status, told.code.as_str(), told.fault.as_str());
        assert_eq!(said, (503, "ServiceUnavailable", "Receiver"));
        assert!(!told.message.contains("disk") && !told.message.contains("full"), "{told:?}");
    }
    assert!(refused > 50, "{refused}");
    let in_query = on("q", json!({"MessageBody": body(0)}));
    let answer = service.call(Protocol::Query, "SendMessage", &in_query).await;
    let told = answer.refused(Protocol::Query);
    assert_eq!((told.status, told.fault.as_str()), (503, "Receiver"));
    assert_eq!(counts(&service, "q").await[0], kept.len().to_string());

    // What is there can be taken away, which makes room again.
    for (body, handle, _) in receive(&service, "q", 10).await {
        service.ok("DeleteMessage", on("q", json!({"ReceiptHandle": handle}))).await;
        assert!(kept.remove(&body));
    }
    assert_eq!(send(&service, "q", "there is room").await.status, 200);
    kept.insert("there is room".to_owned());

    is_full.store(false, Ordering::SeqCst);
    for number in 150..200 {
        assert_eq!(send(&service, "q", &body(number)).await.status, 200);
        kept.insert(body(number));
    }
    let mut found = BTreeSet::new();
    loop {
        let messages = receive(&service, "q", 10).await;
        if messages.is_empty() {
            break;
        }
        for (body, _, count) in messages {
            assert_eq!(count, "1");
            assert!(found.insert(body), "twice");
        }
    }
    assert!(found == kept, "{} found, {} kept", found.len(), kept.len());
}

/// A replay needs room, which a purge has made only when its messages are removed.
#[tokio::test]
async fn what_was_purged_is_removed_although_other_background_work_finds_no_room() {
    let data = tempfile::tempdir().unwrap();
    let database = Watched::new(&directory(data.path()));
    let is_full = Arc::clone(&database.is_full);
    let service = Service::on(Box::new(database), settings(), START_MS);
    create(&service, "purged", json!({})).await;
    create(&service, "replayed.fifo", json!({"FifoQueue": "true"})).await;
    let topic = "arn:aws:sns:us-east-1:000000000000:t.fifo";
    let archive = json!({"MessageRetentionPeriod": "30"}).to_string();
    let attributes = json!({
        "FifoTopic": "true", "ContentBasedDeduplication": "true", "ArchivePolicy": archive,
    });
    service.sns_ok("CreateTopic", json!({"Name": "t.fifo", "Attributes": attributes})).await;
    let body = |number: usize| format!("{number} {}", "x".repeat(20_000));
    for number in 0..50 {
        let publish = json!({"TopicArn": topic, "Message": body(number), "MessageGroupId": "g"});
        service.sns_ok("Publish", publish).await;
        assert_eq!(send(&service, "purged", &body(number)).await.status, 200);
    }
    let replay = json!({"PointType": "Timestamp", "StartingPoint": "2000-01-01T00:00:00.000Z"});
    let subscribe = json!({
        "TopicArn": topic,
        "Protocol": "sqs",
        "Endpoint": "arn:aws:sqs:us-east-1:000000000000:replayed.fifo",
        "Attributes": {"ReplayPolicy": replay.to_string()},
    });
    service.sns_ok("Subscribe", subscribe).await;
    service.ok("PurgeQueue", on("purged", json!({}))).await;
    is_full.store(true, Ordering::SeqCst);
    let free = async || service.runtime.run(|tx| Ok(tx.free_space()?.free)).await.unwrap();
    assert!(free().await < 500_000);
    let refused = service.runtime.do_background_work().await.unwrap_err();
    assert!(refused.internal.is_some_and(|cause| cause.contains("disk is full")));
    assert!(free().await > 900_000);
}

// Receivers that go away

/// A service with one message in `q`, and a receive of it that has not begun.
async fn one_message() -> Service {
    let database = Watched::new(&Location::Memory);
    let service = Service::on(Box::new(database), settings(), START_MS);
    create(&service, "q", json!({})).await;
    assert_eq!(send(&service, "q", "hello").await.status, 200);
    service
}

fn receiving(service: &Service, wait_seconds: u32) -> Pin<Box<impl Future>> {
    let input = on("q", json!({"WaitTimeSeconds": wait_seconds}));
    let request = crate::gateway::request(Protocol::Json, "/", "ReceiveMessage", &input);
    start(service.gateway.handle(request))
}

async fn is_as_if_never_received(service: &Service) {
    // Whatever was left behind has been done once the store answers.
    for _ in 0..3 {
        service.runtime.run(|_| Ok(())).await.unwrap();
    }
    assert_eq!(counts(service, "q").await, ["1", "0", "0"]);
    let messages = receive(service, "q", 10).await;
    let [(body, _, count)] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((body.as_str(), count.as_str()), ("hello", "1"));
}

#[tokio::test]
async fn a_receive_given_up_before_its_turn_takes_nothing() {
    let service = one_message().await;
    let (holding, hold) = hold!(service.runtime);
    drop(receiving(&service, 0));
    hold.release();
    holding.await.unwrap();
    is_as_if_never_received(&service).await;
}

#[tokio::test]
async fn a_receive_given_up_before_its_commit_gives_back() {
    let service = one_message().await;
    let (holding, hold) = hold!(service.runtime);
    let given_up = receiving(&service, 0);
    // This job shares the transaction of the receive, and comes after it.
    let (job, beside) = Hold::new();
    let runtime = Arc::clone(&service.runtime);
    let shares = start(async move { runtime.run(job).await });
    hold.release();
    beside.has_begun();
    drop(given_up);
    beside.release();
    holding.await.unwrap();
    shares.await.unwrap();
    is_as_if_never_received(&service).await;
}

#[tokio::test]
async fn a_receive_given_up_after_its_commit_but_before_its_answer_is_read_gives_back() {
    let service = one_message().await;
    let (holding, hold) = hold!(service.runtime);
    let given_up = receiving(&service, 0);
    hold.release();
    holding.await.unwrap();
    service.runtime.run(|_| Ok(())).await.unwrap();
    drop(given_up);
    is_as_if_never_received(&service).await;
}

#[tokio::test]
async fn a_long_poll_given_up_leaves_the_message_to_the_next() {
    let database = Watched::new(&Location::Memory);
    let service = Service::on(Box::new(database), settings(), START_MS);
    create(&service, "q", json!({})).await;
    let (holding, hold) = hold!(service.runtime);
    let mut given_up = receiving(&service, 20);
    hold.release();
    holding.await.unwrap();
    for _ in 0..5 {
        service.runtime.run(|_| Ok(())).await.unwrap();
        assert!(poll(&mut given_up).is_pending());
    }
    assert_eq!(send(&service, "q", "hello").await.status, 200);
    drop(given_up);
    is_as_if_never_received(&service).await;
}

#[tokio::test]
async fn a_fifo_receive_given_up_leaves_the_turn_and_its_attempt_id_as_they_were() {
    let database = Watched::new(&Location::Memory);
    let service = Service::on(Box::new(database), settings(), START_MS);
    let attributes = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    create(&service, "f.fifo", attributes).await;
    for group in ["a", "b"] {
        let message = json!({"MessageBody": group, "MessageGroupId": group});
        service.ok("SendMessage", on("f.fifo", message)).await;
    }
    let with_attempt = on("f.fifo", json!({"ReceiveRequestAttemptId": "x"}));
    let (holding, hold) = hold!(service.runtime);
    let request = crate::gateway::request(Protocol::Json, "/", "ReceiveMessage", &with_attempt);
    let given_up = start(service.gateway.handle(request));
    hold.release();
    holding.await.unwrap();
    service.runtime.run(|_| Ok(())).await.unwrap();
    drop(given_up);
    for _ in 0..3 {
        service.runtime.run(|_| Ok(())).await.unwrap();
    }
    let first = receive(&service, "f.fifo", 1).await;
    assert_eq!((first[0].0.as_str(), first[0].2.as_str()), ("a", "1"));
    let output = service.ok("ReceiveMessage", with_attempt).await;
    assert_eq!(output["Messages"][0]["Body"], "b");
}
