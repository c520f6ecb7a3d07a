//! Flat costs: the cost of each operation beside a backlog, many message groups, many queues, many
//! waiters and bulk work, compared with the same operation on a server without them.

use crate::client::{Connection, request};
use crate::measure::{self, Lane, Measured, Plan};
use crate::process::Server;
use crate::scenario::{self, Queue, Scenario, Shape, Tally};
use crate::{Options, Result, now};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The matrix marks a throughput below this ratio to the calm one, and a p99 above this multiple of the
/// calm one.
const THROUGHPUT: f64 = 0.8;
const P99: f64 = 2.0;

const MILLION: u64 = 1_000_000;
/// The number of messages in bulk work.
const BULK_LIMIT: Duration = Duration::from_mins(1);
/// A retention period that a measurement can wait for, in seconds: the shortest that AWS allows.
const RETENTION_SECONDS: u64 = 60;

/// The load of the loaded server.
#[derive(Debug, Clone, Copy)]
enum Condition {
    /// A backlog in the standard queue that is measured.
    Waiting(u64),
    /// A million messages in the FIFO queue that is measured, over this number of groups.
    Groups(u64),
    /// This number of queues.
    Queues(u64),
    /// This number of receivers that wait on a hundred queues.
    Polls(u64),
}

const CONDITIONS: [Condition; 9] = [
    Condition::Waiting(10_000),
    Condition::Waiting(MILLION),
    Condition::Groups(1),
    Condition::Groups(1_000),
    Condition::Groups(50_000),
    Condition::Queues(1_000),
    Condition::Queues(10_000),
    Condition::Polls(1_000),
    Condition::Polls(9_000),
];

impl Condition {
    fn name(self) -> String {
        match self {
            Self::Waiting(messages) => format!("{messages} messages waiting"),
            Self::Groups(groups) => format!("{MILLION} waiting in FIFO, groups: {groups}"),
            Self::Queues(queues) => format!("{queues} queues"),
            Self::Polls(polls) => format!("{polls} idle long polls"),
        }
    }

    fn scenarios(self) -> &'static [Scenario] {
        match self {
            Self::Waiting(_) => &[
                Scenario::Send,
                Scenario::OneByOne,
                Scenario::Batch,
                Scenario::Attributes,
                Scenario::List,
                Scenario::Publish,
            ],
            Self::Groups(_) => &[Scenario::FifoBatch, Scenario::Send],
            Self::Queues(_) | Self::Polls(_) => &[
                Scenario::Send,
                Scenario::ReceiveEmpty,
                Scenario::OneByOne,
                Scenario::Attributes,
                Scenario::List,
                Scenario::Publish,
            ],
        }
    }

    fn shape(self, shape: Shape) -> Shape {
        match self {
            Self::Groups(groups) => Shape { groups, ..shape },
            _ => shape,
        }
    }
}

/// Bulk work on a separate queue.
#[derive(Debug, Clone, Copy)]
enum Bulk {
    Purge,
    Delete,
    Expire,
}

impl Bulk {
    fn name(self) -> &'static str {
        match self {
            Self::Purge => "a purge of a million",
            Self::Delete => "the deletion of a queue with a million",
            Self::Expire => "the expiry of a million at once",
        }
    }
}

/// One line of the table.
struct Row {
    condition: String,
    operation: String,
    throughput: f64,
    p99: f64,
    p99_ms: f64,
}

/// Measures everything and prints it as a table in Markdown.
pub async fn print(options: &Options) -> Result<()> {
    let program = options.spawn.as_deref().unwrap_or(Path::new("target/release/squab"));
    let floor = Server::start_floor()?;
    let mut rows = Vec::new();
    for condition in CONDITIONS {
        rows.extend(beside(options, program, &floor, condition).await?);
    }
    for bulk in [Bulk::Purge, Bulk::Delete, Bulk::Expire] {
        rows.push(during(options, program, bulk).await?);
    }
    println!("| beside | operation | throughput / calm | p99 / calm | p99, ms | |");
    println!("|---|---|---|---|---|---|");
    for row in rows {
        let is_flat = row.throughput >= THROUGHPUT && row.p99 <= P99;
        println!(
            "| {} | {} | {:.2} | {:.2} | {:.2} | {} |",
            row.condition,
            row.operation,
            row.throughput,
            row.p99,
            row.p99_ms,
            if is_flat { "" } else { "not flat" }
        );
    }
    Ok(())
}

/// Measures each scenario alternately on a calm server and on a loaded one.
async fn beside(
    options: &Options,
    program: &Path,
    floor: &Server,
    condition: Condition,
) -> Result<Vec<Row>> {
    let plan = Plan { shape: condition.shape(options.plan().shape), ..options.plan() };
    let calm = Rc::new(Server::start_squab(program, &["--ephemeral"])?);
    let loaded = Rc::new(Server::start_squab(program, &["--ephemeral"])?);
    let mut queue = None;
    let mut waiting = JoinSet::new();
    match condition {
        Condition::Waiting(messages) => {
            queue = Some(filled(&loaded, Scenario::Send, plan.shape, messages).await?);
        }
        Condition::Groups(_) => {
            queue = Some(filled(&loaded, Scenario::FifoBatch, plan.shape, MILLION).await?);
        }
        Condition::Queues(queues) => create_queues(&loaded, queues).await?,
        Condition::Polls(polls) => waiting = wait_idly(&loaded, polls).await?,
    }
    loaded.settle().await;
    let mut lanes = Vec::new();
    for scenario in condition.scenarios() {
        for (server, is_loaded) in [(&calm, false), (&loaded, true)] {
            let fits = match condition {
                Condition::Groups(_) => *scenario == Scenario::FifoBatch,
                _ => scenario.can_have_backlog(),
            };
            lanes.push(Lane {
                label: scenario.name(),
                scenario: *scenario,
                server: Rc::clone(server),
                connections: scenario.connections(options.connections),
                queue: queue.clone().filter(|_| is_loaded && fits),
            });
        }
    }
    let measured = measure::measure(floor, &lanes, plan).await?;
    waiting.abort_all();
    eprintln!("measured beside {}", condition.name());
    Ok(measured[1..]
        .chunks_exact(2)
        .map(|pair| row(condition.name(), &pair[0], &pair[1]))
        .collect())
}

fn row(condition: String, calm: &Measured, loaded: &Measured) -> Row {
    let p99 = |one: &Measured| one.latency(0.99).unwrap_or(f64::NAN);
    Row {
        condition,
        operation: calm.label.clone(),
        throughput: loaded.ratio().unwrap_or(0.0) / calm.ratio().unwrap_or(f64::NAN),
        p99: p99(loaded) / p99(calm),
        p99_ms: p99(loaded),
    }
}

async fn filled(server: &Server, of: Scenario, shape: Shape, messages: u64) -> Result<Queue> {
    let queue = Queue::create(server, &measure::fresh_name(), of, shape).await?;
    scenario::fill(&queue, messages).await?;
    Ok(queue)
}

async fn create_queues(server: &Server, queues: u64) -> Result<()> {
    let mut control = Connection::open(&server.address).await?;
    for number in 0..queues {
        let body = format!(r#"{{"QueueName":"one-of-many-{number}"}}"#);
        control.call(&request(&server.address, "CreateQueue", &body)).await?;
    }
    Ok(())
}

/// Receivers that wait, each on a separate connection, until they are aborted.
async fn wait_idly(server: &Server, polls: u64) -> Result<JoinSet<()>> {
    const QUEUES: u64 = 100;
    create_queues(server, QUEUES).await?;
    let mut waiting = JoinSet::new();
    for number in 0..polls {
        let body = format!(
            r#"{{"QueueUrl":"http://{}/000000000000/one-of-many-{}","WaitTimeSeconds":20}}"#,
            server.address,
            number % QUEUES
        );
        let poll = request(&server.address, "ReceiveMessage", &body);
        let mut connection = Connection::open(&server.address).await?;
        waiting.spawn(async move { while connection.call(&poll).await.is_ok() {} });
    }
    Ok(waiting)
}

/// Measures one queue before and during bulk work on another.
async fn during(options: &Options, program: &Path, bulk: Bulk) -> Result<Row> {
    let plan = options.plan();
    let server = Server::start_squab(program, &["--ephemeral"])?;
    let other = Queue::create(&server, "other", Scenario::OneByOne, plan.shape).await?;
    let (began, queue) = (now(), filled(&server, Scenario::Send, plan.shape, MILLION).await?);
    if let Bulk::Expire = bulk {
        let retention = Duration::from_secs(RETENTION_SECONDS + 1);
        tokio::time::sleep(began.elapsed() + retention).await;
    }
    server.settle().await;
    let slice = plan.time / plan.rounds;
    let (calm, calm_time) = work(&other, options.connections, slice, now() + plan.time).await?;
    let address = &server.address;
    match bulk {
        Bulk::Purge => queue.call("PurgeQueue", "").await?,
        Bulk::Delete => queue.delete().await?,
        Bulk::Expire => {
            let retention =
                format!(r#","Attributes":{{"MessageRetentionPeriod":"{RETENTION_SECONDS}"}}"#);
            queue.call("SetQueueAttributes", &retention).await?;
        }
    }
    // The next sweep deletes expired messages within half a minute.
    let until = now() + if let Bulk::Expire = bulk { BULK_LIMIT } else { plan.time };
    let (loaded, loaded_time) = work(&other, options.connections, slice, until).await?;
    eprintln!("measured during {} on {address}", bulk.name());
    let p99 = |tally: &Tally| quantile(tally, 0.99);
    let speed = |tally: &Tally, time: Duration| tally.requests as f64 / time.as_secs_f64();
    Ok(Row {
        condition: bulk.name().into(),
        operation: Scenario::OneByOne.name(),
        throughput: speed(&loaded, loaded_time) / speed(&calm, calm_time),
        p99: p99(&loaded) / p99(&calm),
        p99_ms: p99(&loaded),
    })
}

/// Runs single-message cycles until a time. Also returns the elapsed time.
async fn work(
    queue: &Queue,
    connections: usize,
    slice: Duration,
    until: Instant,
) -> Result<(Tally, Duration)> {
    let (mut total, mut time) = (Tally::default(), Duration::ZERO);
    while now() < until {
        total.add(scenario::run(Scenario::OneByOne, queue, connections, slice).await?);
        time += slice;
    }
    total.latencies.sort_unstable();
    Ok((total, time))
}

/// Milliseconds.
fn quantile(tally: &Tally, quantile: f64) -> f64 {
    let last = tally.latencies.len().saturating_sub(1);
    let at = (quantile * last as f64).round() as usize;
    tally.latencies.get(at).map_or(f64::NAN, |nanoseconds| f64::from(*nanoseconds) / 1e6)
}
