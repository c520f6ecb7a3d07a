//! The engine over an in-memory database, without HTTP: the cost of a send, a receive and a delete with
//! different backlogs and numbers of message groups. The cost must be flat.
//!
//! An iteration is one message (or one empty receive), in transactions of 100 operations as on the writer
//! thread.
//!
//! ```sh
//! cargo bench --bench engine -- --quick
//! ```

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on must end")]
#![allow(missing_docs, reason = "criterion_group makes what is missing")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use indexmap::IndexMap;
use squab::api::sqs::receive_message::weigh;
use squab::domain::Refusal;
use squab::domain::address::QueueAddress;
use squab::engine::access::Access;
use squab::engine::receive::Request;
use squab::engine::send::Outgoing;
use squab::engine::{delete, queues, receive, send};
use squab::store::{
    Content, Database, Driver, Durability, Ids, Ledger, Location, Queue, Sqlite, Txn,
};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PER_COMMIT: u64 = 100;
const BODY_BYTES: usize = 256;
const MILLION: u64 = 1_000_000;
/// Messages per receive, as busy consumers request.
const MAX: usize = 10;
/// The time, which does not advance.
const START: i64 = 1_700_000_000_000;

/// A database in memory with one queue.
struct Bench<'d> {
    driver: &'d mut dyn Driver,
    ledger: Ledger,
    ids: Ids,
    queue: Arc<Queue>,
    groups: u64,
    sent: u64,
}

impl<'d> Bench<'d> {
    /// Creates a queue. `groups` is 0 for messages without a group.
    fn new(driver: &'d mut dyn Driver, fifo: bool, groups: u64) -> Self {
        let mut ledger = Ledger::default();
        let mut ids = Ids::with_seed(1);
        let mut given = IndexMap::new();
        if fifo {
            given.insert("FifoQueue".to_owned(), "true".to_owned());
        }
        let address = QueueAddress {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            name: if fifo { "bench.fifo" } else { "bench" }.to_owned(),
        };
        let queue = commit(driver, &mut ledger, &mut ids, |tx| {
            queues::create(tx, &Access::everything(), &address, &given, &IndexMap::new(), false)
        });
        Self { driver, ledger, ids, queue, groups, sent: 0 }
    }

    fn filled(mut self, backlog: u64) -> Self {
        self.send(backlog);
        self
    }

    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Txn<'_>, &Queue) -> Result<T, Refusal>,
    ) -> T {
        let queue = &self.queue;
        commit(self.driver, &mut self.ledger, &mut self.ids, |tx| work(tx, queue))
    }

    /// Sends `count` messages, alternating between groups.
    fn send(&mut self, count: u64) {
        let groups = self.groups;
        self.send_to(count, |number| (groups > 0).then(|| format!("group-{}", number % groups)));
    }

    fn send_to(&mut self, count: u64, group: impl Fn(u64) -> Option<String>) {
        let end = self.sent + count;
        while self.sent < end {
            let numbers = self.sent..end.min(self.sent + PER_COMMIT);
            self.sent = numbers.end;
            self.transaction(|tx, queue| {
                for number in numbers {
                    let fifo = queue.attributes.fifo;
                    let outgoing = Outgoing {
                        content: Content {
                            body: "x".repeat(BODY_BYTES),
                            attributes: None,
                            sender_id: "000000000000".to_owned(),
                            trace_header: None,
                            deduplication_id: fifo.then(|| number.to_string()),
                        },
                        delay_seconds: None,
                        group: group(number),
                    };
                    send::send(tx, queue, &outgoing)?;
                }
                Ok(())
            });
        }
    }

    /// Receives and deletes `count` messages, which the queue must contain.
    fn consume(&mut self, count: u64) {
        let mut left = count;
        while left > 0 {
            let this_time = left.min(PER_COMMIT);
            let consumed = self.transaction(|tx, queue| {
                let mut consumed = 0;
                while consumed < this_time {
                    let max = MAX.min((this_time - consumed) as usize);
                    let received = receive::receive(tx, queue, &request(max))?;
                    assert!(!received.messages.is_empty(), "nothing to receive");
                    for delivery in &received.messages {
                        delete::delete(tx, queue, delivery.receipt, "")?;
                        consumed += 1;
                    }
                }
                Ok(consumed)
            });
            left -= consumed;
        }
    }

    /// Sends, receives and deletes `count` messages, in alternating transactions. The backlog stays.
    fn cycle(&mut self, count: u64) {
        let mut left = count;
        while left > 0 {
            let this_time = left.min(PER_COMMIT);
            self.send(this_time);
            self.consume(this_time);
            left -= this_time;
        }
    }

    fn receive_nothing(&mut self, count: u64) {
        let mut left = count;
        while left > 0 {
            let this_time = left.min(PER_COMMIT);
            self.transaction(|tx, queue| {
                for _ in 0..this_time {
                    let received = receive::receive(tx, queue, &request(MAX))?;
                    assert!(black_box(received).messages.is_empty(), "a message");
                }
                Ok(())
            });
            left -= this_time;
        }
    }

    /// Blocks the group of the oldest message.
    fn lock_first_group(&mut self) {
        let received = self.transaction(|tx, queue| receive::receive(tx, queue, &request(1)));
        assert_eq!(received.messages.len(), 1);
    }
}

fn request(max: usize) -> Request {
    Request {
        access: squab::engine::access::Access::everything(),
        max,
        visibility_timeout: Some(43_200),
        attempt_id: None,
        may_wait: false,
        may_take: true,
        room: usize::MAX,
        weigh,
    }
}

/// Runs one transaction like the writer thread.
fn commit<T>(
    driver: &mut dyn Driver,
    ledger: &mut Ledger,
    ids: &mut Ids,
    work: impl FnOnce(&mut Txn<'_>) -> Result<T, Refusal>,
) -> T {
    driver.begin().unwrap();
    let mut tx = Txn::new(driver, ledger, ids, START);
    let done = work(&mut tx).unwrap();
    black_box(tx.into_effects());
    ledger.settle(driver).unwrap();
    driver.commit().unwrap();
    ledger.committed();
    done
}

/// Returns the time of `work` for this many messages.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn time(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn measure(criterion: &mut Criterion, name: &str, mut work: impl FnMut(u64) -> Duration) {
    let mut group = criterion.benchmark_group("engine");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    group.bench_function(name, |bencher| bencher.iter_custom(&mut work));
    group.finish();
}

/// Measures sends alone, receives with deletes alone, and both alternating.
fn measure_verbs(criterion: &mut Criterion, name: &str, bench: &mut Bench<'_>) {
    measure(criterion, &format!("{name}/send"), |count| {
        let taken = time(|| bench.send(count));
        bench.consume(count);
        taken
    });
    measure(criterion, &format!("{name}/receive and delete"), |count| {
        bench.send(count);
        time(|| bench.consume(count))
    });
    measure(criterion, &format!("{name}/cycle"), |count| time(|| bench.cycle(count)));
}

/// Runs `work` on a new in-memory database with one queue.
fn with_bench(fifo: bool, groups: u64, mut work: impl FnMut(Bench<'_>)) {
    let mut database = Sqlite::open(&Location::Memory, Durability::Process).unwrap();
    database.serve(&mut |driver| work(Bench::new(driver, fifo, groups)));
}

fn standard(criterion: &mut Criterion) {
    with_bench(false, 0, |mut bench| {
        measure(criterion, "standard/empty receive", |count| time(|| bench.receive_nothing(count)));
    });
    for groups in [0, 1, 10, 100] {
        for (backlog, name) in [(0, "empty"), (MILLION, "1M waiting")] {
            let name = format!("standard/{groups} groups/{name}");
            with_bench(false, groups, |bench| {
                let mut bench = bench.filled(backlog);
                if groups == 0 {
                    measure_verbs(criterion, &name, &mut bench);
                } else {
                    let cycle = format!("{name}/cycle");
                    measure(criterion, &cycle, |count| time(|| bench.cycle(count)));
                }
            });
        }
    }
}

fn fifo(criterion: &mut Criterion) {
    for groups in [1, 10, 100] {
        for (backlog, name) in [(0, "empty"), (MILLION, "1M waiting")] {
            let cycle = format!("FIFO/{groups} groups/{name}/cycle");
            with_bench(true, groups, |bench| {
                let mut bench = bench.filled(backlog);
                measure(criterion, &cycle, |count| time(|| bench.cycle(count)));
            });
        }
    }
    with_bench(true, 50_000, |bench| {
        let mut bench = bench.filled(MILLION);
        measure_verbs(criterion, "FIFO/50000 groups/1M waiting", &mut bench);
    });
    // One blocked group has the older half of the backlog, where a search from the front meets it first.
    with_bench(true, 100, |mut bench| {
        bench.send_to(MILLION / 2, |_| Some("locked".to_owned()));
        bench.lock_first_group();
        let mut bench = bench.filled(MILLION / 2);
        measure_verbs(criterion, "FIFO/half of 1M in a locked group", &mut bench);
    });
    with_bench(true, 1, |bench| {
        let mut bench = bench.filled(MILLION / 2);
        bench.lock_first_group();
        measure(criterion, "FIFO/empty receive, all locked", |count| {
            time(|| bench.receive_nothing(count))
        });
    });
}

criterion_group!(benches, standard, fifo);
criterion_main!(benches);
