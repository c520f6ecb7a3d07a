//! Squab's performance and size targets, measured in one run.

use crate::measure::{self, Lane, Measured, Plan};
use crate::process::Server;
use crate::scenario::{self, Queue, Scenario, Shape};
use crate::{Backlogs, Options, Result, now};
use std::path::Path;
use std::rc::Rc;

const BACKLOG: u64 = 1_000_000;
/// The message size in the database whose startup and memory are measured.
const KIB: usize = 1024;
/// The number of starts, whose median counts.
const STARTS: usize = 5;

/// Targets of 16 connections in memory, as ratios to the floor.
const RATIOS: [(Scenario, f64); 5] = [
    (Scenario::Send, 0.60),
    (Scenario::ReceiveEmpty, 0.60),
    (Scenario::OneByOne, 0.55),
    (Scenario::Batch, 0.85),
    (Scenario::FifoBatch, 0.70),
];
/// Targets of topics, as ratios to the floor: deliveries and publishes.
const TOPICS: [(Scenario, f64); 2] = [(Scenario::Publish, 2.5), (Scenario::PublishFiltered, 0.4)];
const SEND_FULL: f64 = 0.35;
/// The least throughput with a backlog, as a part of the throughput without one.
const BESIDE_A_BACKLOG: f64 = 0.85;
const WAKE_UP_P50_MS: f64 = 0.5;
const WAKE_UP_P99_MS: f64 = 3.0;
const START_MS: f64 = 100.0;
const START_WITH_BACKLOG_MS: f64 = 300.0;
const IDLE_MIB: f64 = 20.0;
const WITH_BACKLOG_MIB: f64 = 150.0;

/// One line of the results.
struct Target {
    name: String,
    /// The least measured value, or the greatest if less is better.
    wanted: f64,
    less_is_better: bool,
    measured: f64,
}

impl Target {
    fn at_least(name: impl Into<String>, wanted: f64, measured: f64) -> Self {
        Self { name: name.into(), wanted, less_is_better: false, measured }
    }

    fn at_most(name: impl Into<String>, wanted: f64, measured: f64) -> Self {
        Self { name: name.into(), wanted, less_is_better: true, measured }
    }

    fn is_met(&self) -> bool {
        if self.less_is_better {
            self.measured <= self.wanted
        } else {
            self.measured >= self.wanted
        }
    }
}

/// Measures everything and prints it.
pub async fn check(options: &Options) -> Result<()> {
    let program = options.spawn.as_deref().unwrap_or(Path::new("target/release/squab"));
    let data = tempfile::tempdir_in(&options.data)?;
    let mut targets = throughput(options, program, data.path()).await?;
    targets.extend(size(options, program, data.path()).await?);
    if options.json {
        println!("{:#}", as_json(&targets));
        return Ok(());
    }
    println!("\n{:<48} {:>10} {:>10}", "target", "wanted", "measured");
    for target in &targets {
        let sign = if target.less_is_better { "<=" } else { ">=" };
        println!(
            "{:<48} {sign}{:>8.2} {:>10.3}  {}",
            target.name,
            target.wanted,
            target.measured,
            if target.is_met() { "met" } else { "MISSED" }
        );
    }
    Ok(())
}

fn as_json(targets: &[Target]) -> serde_json::Value {
    targets
        .iter()
        .map(|target| {
            serde_json::json!({
                "target": target.name,
                "wanted": target.wanted,
                "less_is_better": target.less_is_better,
                "measured": target.measured,
                "met": target.is_met(),
            })
        })
        .collect()
}

/// Measures all lanes alternately: an empty server in memory, one with backlogs, one that syncs to
/// the disk.
async fn throughput(options: &Options, program: &Path, data: &Path) -> Result<Vec<Target>> {
    let plan = options.plan();
    let floor = Server::start_floor()?;
    let empty = Rc::new(Server::start_squab(program, &["--ephemeral"])?);
    let full = Rc::new(start_with_data(program, &data.join("full"))?);
    let loaded = Rc::new(Server::start_squab(program, &["--ephemeral"])?);
    let mut backlogs = Backlogs::default();
    let mut lanes = Vec::new();
    for (scenario, _) in RATIOS {
        let connections = scenario.connections(options.connections);
        let server = Rc::clone(&empty);
        let label = scenario.name();
        lanes.push(Lane { label, scenario, server, connections, queue: None });
        let server = Rc::clone(&loaded);
        let queue = backlogs.queue(&loaded, scenario, plan.shape, BACKLOG).await?;
        let label = format!("{} beside 1M", scenario.name());
        lanes.push(Lane { label, scenario, server, connections, queue });
    }
    for (scenario, server) in [
        (Scenario::Wakeup, &empty),
        (Scenario::SendFull, &full),
        (Scenario::Publish, &empty),
        (Scenario::PublishFiltered, &empty),
    ] {
        let connections = scenario.connections(options.connections);
        let (label, server) = (scenario.name(), Rc::clone(server));
        lanes.push(Lane { label, scenario, server, connections, queue: None });
    }
    let measured = measure::measure(&floor, &lanes, plan).await?;
    if !options.json {
        measure::print_table(&measured);
    }
    let of = |label: &str| -> Result<&Measured> {
        Ok(measured.iter().find(|one| one.label == label).ok_or("not measured")?)
    };
    let ratio = |label: &str| of(label).map(|one| one.ratio().unwrap_or(0.0));
    let mut targets = Vec::new();
    for (scenario, target) in RATIOS.into_iter().chain(TOPICS) {
        let label = scenario.name();
        targets.push(Target::at_least(format!("{label} / floor"), target, ratio(&label)?));
    }
    targets.push(Target::at_least(
        "send, durability full, 64 connections / floor",
        SEND_FULL,
        ratio(&Scenario::SendFull.name())?,
    ));
    for (scenario, _) in RATIOS {
        let label = scenario.name();
        let beside = ratio(&format!("{label} beside 1M"))? / ratio(&label)?;
        let name = format!("{label} with 1 million waiting / empty");
        targets.push(Target::at_least(name, BESIDE_A_BACKLOG, beside));
    }
    let wake_up = of(&Scenario::Wakeup.name())?;
    for (quantile, name, target) in
        [(0.5, "wake-up p50, ms", WAKE_UP_P50_MS), (0.99, "wake-up p99, ms", WAKE_UP_P99_MS)]
    {
        let latency = wake_up.latency(quantile).unwrap_or(f64::INFINITY);
        targets.push(Target::at_most(name, target, latency));
    }
    Ok(targets)
}

/// Measures startup and memory, with an empty database and with a million messages of 1 KiB.
async fn size(options: &Options, program: &Path, data: &Path) -> Result<Vec<Target>> {
    let mut starts = Vec::new();
    for number in 0..STARTS {
        let server = start_with_data(program, &data.join(format!("start-{number}")))?;
        starts.push(milliseconds(&server));
        server.stop()?;
    }
    let start = median(starts);

    let directory = data.join("million");
    let server = start_with_data(program, &directory)?;
    server.settle().await;
    let idle = server.resident_mib()?;
    let shape = Shape { body_bytes: KIB, ..options.plan().shape };
    let queue = Queue::create(&server, "million", Scenario::Send, shape).await?;
    let began = now();
    scenario::fill(&queue, BACKLOG).await?;
    eprintln!("1 million messages of 1 KiB written in {:.1} s", began.elapsed().as_secs_f64());
    let after_writing = server.resident_mib()?;
    server.stop()?;

    let mut starts = Vec::new();
    let mut after_reading: f64 = 0.0;
    for _ in 0..STARTS {
        let server = start_with_data(program, &directory)?;
        starts.push(milliseconds(&server));
        let queue = Queue::create(&server, "million", Scenario::Send, shape).await?;
        let plan = Plan { shape, ..options.plan() };
        scenario::run(Scenario::Batch, &queue, options.connections, plan.time / plan.rounds)
            .await?;
        after_reading = after_reading.max(server.resident_mib()?);
        server.stop()?;
    }
    Ok(vec![
        Target::at_most("start to Ready., ms", START_MS, start),
        Target::at_most(
            "start to Ready. with 1 million in the file, ms",
            START_WITH_BACKLOG_MS,
            median(starts),
        ),
        Target::at_most("memory idle, MiB", IDLE_MIB, idle),
        Target::at_most("memory, 1 million written, MiB", WITH_BACKLOG_MIB, after_writing),
        Target::at_most("memory, restarted, under load, MiB", WITH_BACKLOG_MIB, after_reading),
    ])
}

fn start_with_data(program: &Path, directory: &Path) -> Result<Server> {
    let directory = directory.to_str().ok_or("--data is not UTF-8")?;
    Server::start_squab(program, &["--data", directory, "--durability", "full"])
}

fn milliseconds(server: &Server) -> f64 {
    server.start.as_secs_f64() * 1e3
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
