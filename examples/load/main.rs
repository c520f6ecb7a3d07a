//! Load on a running server: throughput, latency, and the ratio to an HTTP floor that is measured
//! in the same run.
//!
//! ```sh
//! cargo build --release
//! cargo run --release --example load -- --spawn target/release/squab -- --ephemeral
//! cargo run --release --example load -- --endpoint http://127.0.0.1:4566 --scenario send,batch
//! cargo run --release --example load -- --targets
//! cargo run --release --example load -- --matrix
//! ```
//!
//! In the table, `/floor` is the median over the rounds of the ratio to the floor's requests per
//! second, counted in requests, or in messages for batches. `by cpu` is the same ratio in processor
//! time, client included, which is least affected by other work on the machine; `server µs` and
//! `client µs` are its parts for each request.

#![allow(clippy::print_stdout, reason = "a program for the terminal")]
#![allow(clippy::cast_precision_loss, reason = "no count here comes near 2^53")]

mod client;
mod floor;
mod matrix;
mod measure;
mod process;
mod scenario;
mod targets;
mod topic;

use clap::{Parser, Subcommand, ValueEnum};
use measure::{Lane, Plan};
use process::Server;
use scenario::{Queue, Scenario, Shape};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The same allocator as the server's, so that both have equal conditions.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Any error that ends the program.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// The result of the program.
pub type Result<T> = std::result::Result<T, Error>;

/// Drives a server and prints throughput, latency, and the ratio to an HTTP floor.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    mode: Option<Mode>,
    /// What to measure; all but send-full unless given
    #[arg(long, value_enum, value_delimiter = ',')]
    scenario: Vec<Scenario>,
    /// A running server
    #[arg(long, default_value = "http://127.0.0.1:4566")]
    endpoint: String,
    /// Process ID of that server, to measure its cost and to detect when it is idle
    #[arg(long)]
    pid: Option<u32>,
    /// Start this squab with the arguments after `--` instead
    #[arg(long, value_name = "PROGRAM")]
    spawn: Option<PathBuf>,
    #[arg(last = true)]
    arguments: Vec<String>,
    /// Keep-alive connections
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Seconds of measuring for each scenario, all rounds together
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Rounds over all scenarios
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Size of message bodies
    #[arg(long, default_value_t = 256)]
    body: usize,
    /// Message groups that messages to FIFO queues rotate through
    #[arg(long, default_value_t = 100)]
    groups: u64,
    /// Messages that stay in the queue all the time
    #[arg(long, value_name = "N", default_value_t = 0)]
    queue_backlog: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Check all of Squab's performance targets, with separate servers (--spawn names the program)
    #[arg(long)]
    targets: bool,
    /// Measure operations beside backlogs, groups, queues, waiting receivers and bulk work, with
    /// separate servers
    #[arg(long)]
    matrix: bool,
    /// The data directory for the servers of --targets: the disk that is measured
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    data: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Mode {
    /// Serve the floor: constant answers from the server's own HTTP stack
    Floor {
        #[arg(long)]
        listen: String,
    },
}

/// The duration of a measurement.
#[expect(clippy::disallowed_methods, reason = "no rule of the queues depends on it")]
pub fn now() -> Instant {
    Instant::now()
}

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(Mode::Floor { listen }) = options.mode {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        return runtime.block_on(floor::serve(listen));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match () {
            () if options.targets => targets::check(&options).await,
            () if options.matrix => matrix::print(&options).await,
            () => load(&options).await,
        }
    })
}

impl Options {
    fn plan(&self) -> Plan {
        Plan {
            shape: Shape { body_bytes: self.body, groups: self.groups.max(1) },
            time: Duration::from_secs_f64(self.seconds),
            rounds: self.rounds.max(1),
        }
    }

    fn scenarios(&self) -> Vec<Scenario> {
        if self.scenario.is_empty() {
            let all = Scenario::value_variants().iter().copied();
            all.filter(|scenario| *scenario != Scenario::SendFull).collect()
        } else {
            self.scenario.clone()
        }
    }
}

async fn load(options: &Options) -> Result<()> {
    let server = Rc::new(match &options.spawn {
        None => Server::running(&options.endpoint, options.pid),
        Some(program) => {
            let arguments: Vec<_> = options.arguments.iter().map(String::as_str).collect();
            Server::start_squab(program, &arguments)?
        }
    });
    let floor = Server::start_floor()?;
    let plan = options.plan();
    let mut lanes = Vec::new();
    let mut backlogs = Backlogs::default();
    for scenario in options.scenarios() {
        lanes.push(Lane {
            label: scenario.name(),
            scenario,
            server: Rc::clone(&server),
            connections: scenario.connections(options.connections),
            queue: backlogs.queue(&server, scenario, plan.shape, options.queue_backlog).await?,
        });
    }
    let measured = measure::measure(&floor, &lanes, plan).await?;
    backlogs.delete().await?;
    if options.json {
        println!("{:#}", measure::as_json(&measured));
    } else {
        measure::print_table(&measured);
    }
    Ok(())
}

/// Queues with a backlog, a standard and a FIFO one, filled at their first use.
#[derive(Default)]
pub struct Backlogs(Vec<(bool, Queue)>);

impl Backlogs {
    /// Returns the queue for a scenario, or `None` if it needs an empty one.
    pub async fn queue(
        &mut self,
        server: &Server,
        scenario: Scenario,
        shape: Shape,
        messages: u64,
    ) -> Result<Option<Queue>> {
        if messages == 0 || !scenario.can_have_backlog() {
            return Ok(None);
        }
        let is_fifo = scenario == Scenario::FifoBatch;
        if let Some((_, queue)) = self.0.iter().find(|(fifo, _)| *fifo == is_fifo) {
            return Ok(Some(queue.clone()));
        }
        let queue = Queue::create(server, &measure::fresh_name(), scenario, shape).await?;
        let began = now();
        scenario::fill(&queue, messages).await?;
        eprintln!("{messages} messages sent in {:.1} s", began.elapsed().as_secs_f64());
        server.settle().await;
        self.0.push((is_fifo, queue.clone()));
        Ok(Some(queue))
    }

    /// Deletes the queues.
    pub async fn delete(self) -> Result<()> {
        for (_, queue) in self.0 {
            queue.delete().await?;
        }
        Ok(())
    }
}
