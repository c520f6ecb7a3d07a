//! Measures how hostile and heavy clients affect others: the latency of a well-behaved client
//! during each attack, as a ratio to the calm before it, and the results of the attackers.
//!
//! ```sh
//! cargo build --release
//! cargo run --release --example overload_bench -- --server target/release/squab
//! cargo run --release --example overload_bench -- --server target/release/squab --only slow-heads,idle
//! ```
//!
//! With `--break-in` or `--url` it attacks the promises of docs/security.md (`tests/attacks`) and
//! prints a verdict for each. The exit status is 1 if a promise did not hold.
//!
//! ```sh
//! cargo run --example overload_bench -- --break-in --server target/debug/squab
//! cargo run --example overload_bench -- --url http://localhost:4566 --log squab.log --credentials keys.toml
//! ```
//!
//! Attackers, the client and the server share the machine, so an attack that keeps processors busy
//! slows down the client accordingly. Needs 11,000 file descriptors (`ulimit -n`).

#![allow(clippy::print_stdout, reason = "a program for the terminal")]
#![allow(clippy::cast_precision_loss, reason = "no count here comes near 2^53")]

mod attacks;
#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/attacks/mod.rs"]
mod break_in;
#[allow(dead_code, reason = "the load program uses all of it")]
#[path = "../load/client.rs"]
mod client;
mod probe;
#[allow(dead_code, reason = "the load program uses all of it")]
#[path = "../load/process.rs"]
mod process;

use attacks::{ATTACKS, Overload};
use break_in::{Started, Target, Verdict};
use clap::Parser;
use probe::{Probe, Seen};
use process::Server;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Any error that ends the program.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// The result of the program.
pub type Result<T> = std::result::Result<T, Error>;

/// Attacks a server, and reports the effects on a well-behaved client
#[derive(Debug, Parser)]
struct Options {
    /// The program to attack
    #[arg(long, value_name = "PROGRAM", required_unless_present = "url")]
    server: Option<PathBuf>,
    /// Try to break the server's promises instead of measuring load
    #[arg(long)]
    break_in: bool,
    /// Try that on a running server, such as http://localhost:4566
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    url: Option<String>,
    /// The log file of that server
    #[arg(long, value_name = "FILE", requires = "url")]
    log: Option<PathBuf>,
    /// A file with keys of that server, in the format of its --credentials
    #[arg(long, value_name = "FILE", requires = "url")]
    credentials: Option<PathBuf>,
    /// A command that runs the server with a limit, such as `systemd-run --scope -p MemoryMax=256M`
    #[arg(long, value_name = "COMMAND", requires = "server", default_value = "")]
    under: String,
    /// Names of attacks; all by default
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Seconds of each attack
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// The data directory of the server
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    data: PathBuf,
}

/// The duration of a measurement.
#[expect(clippy::disallowed_methods, reason = "no rule of the queues depends on it")]
pub fn now() -> Instant {
    Instant::now()
}

impl Options {
    /// Returns whether an attack of this name is selected.
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let Some(program) = options.server.as_ref().filter(|_| !options.break_in) else {
        return break_in(&options);
    };
    println!(
        "| attack | attackers got | cycle p50 | cycle p99 | empty p50 | empty p99 | health, new connections | calls, new connections | server MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (name, attack) in ATTACKS {
        if options.wants(name) {
            println!("{}", attack_server(&options, program, name, *attack)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Attacks the promises, and prints whether each held.
fn break_in(options: &Options) -> Result<ExitCode> {
    let data = options.data.join(format!("squab-break-in-{}", std::process::id()));
    std::fs::create_dir_all(&data)?;
    let log = data.join("log");
    let mut status = ExitCode::SUCCESS;
    let file = options.credentials.as_ref().map(std::fs::read_to_string).transpose()?;
    let keys = break_in::keys(&file.unwrap_or_default())?;
    for attack in break_in::ATTACKS.iter().filter(|attack| options.wants(attack.name)) {
        let report = match (&options.url, &options.server) {
            (Some(url), _) => attack.on(&Target::at(url, options.log.clone(), keys.clone())),
            (None, Some(program)) => {
                let started = Started::for_attack(program, &attack.server, &log)?;
                attack.on(&started.target)
            }
            (None, None) => return Err("neither --server nor --url is given".into()),
        };
        println!("{}: {}\n    {report}", attack.name, attack.promise);
        if report.verdict() == Verdict::DidNotHold {
            status = ExitCode::FAILURE;
        }
    }
    std::fs::remove_dir_all(&data)?;
    Ok(status)
}

/// Runs one attack on a fresh server, and returns a row of the table.
fn attack_server(
    options: &Options,
    program: &Path,
    name: &str,
    attack: attacks::Attack,
) -> Result<String> {
    let data = options.data.join(format!("squab-overload-{}", std::process::id()));
    let path = data.to_string_lossy().into_owned();
    // A head has five seconds, so that its limit shows within an attack.
    let arguments = [
        "--data",
        &path,
        "--durability",
        "process",
        "--header-timeout",
        "5",
        "--shutdown-grace",
        "0",
    ];
    let under: Vec<&str> = options.under.split_whitespace().collect();
    let server = Server::start_squab_under(&under, program, &arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let attackers =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;

    let mut probe = runtime.block_on(Probe::arrive(&server.address))?;
    let calm = runtime.block_on(probe.look_around(Duration::from_secs(3), &server));
    let overload = Overload::new(&server.address, Duration::from_secs(options.seconds));
    let attacking = attackers.spawn(attack(overload.clone()));
    // The attack builds up during the first second.
    runtime.block_on(async { tokio::time::sleep(Duration::from_secs(1)).await });
    let during = runtime.block_on(probe.look_around(overload.rest(), &server));
    attackers.block_on(attacking)??;
    let row = row(name, &overload, &calm, &during);
    attackers.shutdown_timeout(Duration::from_secs(1));
    server.stop()?;
    std::fs::remove_dir_all(&data)?;
    Ok(row)
}

fn row(name: &str, overload: &Overload, calm: &Seen, during: &Seen) -> String {
    let ratio = |of: fn(&Seen) -> &Vec<Duration>, quantile| {
        let (calm, during) =
            (probe::quantile(of(calm), quantile), probe::quantile(of(during), quantile));
        match (calm, during) {
            (Some(calm), Some(during)) => {
                let milliseconds = during.as_secs_f64() * 1_000.0;
                format!("{:.1} ({milliseconds:.1} ms)", during.as_secs_f64() / calm.as_secs_f64())
            }
            _ => "none".to_owned(),
        }
    };
    let slowest = during.health.iter().max().copied().unwrap_or_default();
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} of {}, slowest {:.0} ms | {} of {} | {:.0} → {:.0} |",
        overload.outcomes(),
        ratio(|seen| &seen.cycles, 0.5),
        ratio(|seen| &seen.cycles, 0.99),
        ratio(|seen| &seen.empty, 0.5),
        ratio(|seen| &seen.empty, 0.99),
        during.health.len(),
        during.health_asked,
        slowest.as_secs_f64() * 1_000.0,
        during.calls,
        during.health_asked,
        calm.memory,
        during.memory,
    ) + &during.trouble()
}
