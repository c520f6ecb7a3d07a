//! Random clients against the service and an oracle, with clock jumps, restarts, and process ends at any
//! commit. A seed determines everything. A failing history is shrunk and printed with its seed. See
//! docs/simulation.md.
//!
//! `SQUAB_SIMULATION_SEED` and `SQUAB_SIMULATION_STEPS` select another run; `SQUAB_SIMULATION_RUNS` is the
//! number of consecutive seeds to run. `SQUAB_SIMULATION_SHRINK` limits how often a failing run is
//! repeated.

mod actions;
mod clients;
mod crash_after_commits;
mod endpoints;
mod invalid_requests;
mod limits;
mod long_queues;
mod queues;
mod replays;
mod rows;
mod shrink;
mod topics;
mod waiting;
mod world;

use actions::Action;
use std::num::NonZero;
use std::ops::Range;
use std::sync::Mutex;
use world::World;

const RUNS: u64 = 8;
const STEPS: u64 = 400;
/// How often a failing run is repeated with a part of its actions.
const REPEATS: u64 = 300;

/// The violation, its step, and the transcript until then.
struct Failure {
    after: usize,
    complaint: String,
    conversation: Vec<String>,
}

#[test]
fn random_clients_find_nothing_wrong() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let first = number("SQUAB_SIMULATION_SEED", 1);
    let is_chosen = std::env::var("SQUAB_SIMULATION_SEED").is_ok();
    let runs = number("SQUAB_SIMULATION_RUNS", if is_chosen { 1 } else { RUNS });
    let steps = number("SQUAB_SIMULATION_STEPS", STEPS);
    let repeats = number("SQUAB_SIMULATION_SHRINK", REPEATS);
    let Some((seed, failure)) = first_failure(first..first + runs, steps) else { return };
    let (step, complaint) = (failure.after, failure.complaint.clone());
    let mut failing = actions::draw(seed, steps);
    failing.truncate(step);
    let (left, failure) = shrink::shrink(failing, failure, repeats, |part| block_on(seed, part));
    panic!(
        "SQUAB_SIMULATION_SEED={seed} step {step}: {complaint}\n\
         {} of its actions are enough for: {}\n  {}\n",
        left.len(),
        failure.complaint,
        failure.conversation.join("\n  ")
    );
}

/// Runs the seeds on all processors. Returns the failure of the lowest seed that fails.
fn first_failure(seeds: Range<u64>, steps: u64) -> Option<(u64, Failure)> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let seeds = Mutex::new(seeds);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = next(&seeds) {
                    if let Err(failure) = block_on(seed, &actions::draw(seed, steps)) {
                        failures.lock().unwrap().push((seed, failure));
                        // Lower seeds have begun already; higher ones do not matter.
                        seeds.lock().unwrap().end = 0;
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap().into_iter().min_by_key(|(seed, _)| *seed)
}

fn next(seeds: &Mutex<Range<u64>>) -> Option<u64> {
    seeds.lock().unwrap().next()
}

fn block_on(seed: u64, actions: &[Action]) -> Result<(), Failure> {
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    executor.block_on(run(seed, actions))
}

/// Runs the actions of a seed.
async fn run(seed: u64, actions: &[Action]) -> Result<(), Failure> {
    let mut world = World::new(seed).await;
    for (index, action) in actions.iter().enumerate() {
        if let Err(complaint) = world.step(action).await {
            return Err(Failure { after: index + 1, complaint, conversation: world.log });
        }
    }
    let end = world.drain().await;
    end.map_err(|complaint| Failure { after: actions.len(), complaint, conversation: world.log })
}
