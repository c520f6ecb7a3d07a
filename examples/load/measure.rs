//! Measures in rounds: the time slice of each lane lies between two slices of the floor, so that other
//! work on the machine affects both alike, and a ratio compares only neighbors.

use crate::process::{Server, processor_time};
use crate::scenario::{self, Queue, Scenario, Shape, Tally};
use crate::{Result, now};
use std::rc::Rc;
use std::time::Duration;

/// A scenario on a server.
pub struct Lane {
    pub label: String,
    pub scenario: Scenario,
    pub server: Rc<Server>,
    pub connections: usize,
    /// An existing queue with a backlog; without one each round creates a fresh queue.
    pub queue: Option<Queue>,
}

/// The duration, and the messages.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub shape: Shape,
    /// The time of one lane, in all its rounds together.
    pub time: Duration,
    pub rounds: u32,
}

/// The measurements of one lane, or of the floor.
pub struct Measured {
    pub label: String,
    pub connections: usize,
    pub time: Duration,
    /// The calls, with sorted latencies.
    pub tally: Tally,
    /// Throughput divided by that of the floor next to it, in each round; sorted.
    pub ratios: Vec<f64>,
    /// Processor time of the server and of this program during the measurement.
    pub server_time: Option<Duration>,
    pub client_time: Option<Duration>,
    /// Requests to the floor next to it, and the processor time of both processes for them.
    floor_requests: u64,
    floor_time: Option<Duration>,
    in_messages: bool,
}

impl Measured {
    fn new(label: String, connections: usize, in_messages: bool) -> Self {
        let tally = Tally::default();
        let (server_time, client_time) = (Some(Duration::ZERO), Some(Duration::ZERO));
        let (time, ratios) = (Duration::ZERO, Vec::new());
        let (floor_requests, floor_time) = (0, Some(Duration::ZERO));
        Self {
            label,
            connections,
            time,
            tally,
            ratios,
            server_time,
            client_time,
            floor_requests,
            floor_time,
            in_messages,
        }
    }

    fn add(&mut self, slice: Slice) {
        self.time += slice.time;
        self.tally.add(slice.tally);
        self.server_time = sum(self.server_time, slice.server_time);
        self.client_time = sum(self.client_time, slice.client_time);
    }

    fn add_floor(&mut self, slice: &Slice) {
        self.floor_requests += slice.tally.requests;
        self.floor_time = sum(self.floor_time, sum(slice.server_time, slice.client_time));
    }

    fn finish(&mut self) {
        self.tally.latencies.sort_unstable();
        self.ratios.sort_unstable_by(f64::total_cmp);
    }

    pub fn requests_per_second(&self) -> f64 {
        self.tally.requests as f64 / self.time.as_secs_f64()
    }

    pub fn messages_per_second(&self) -> f64 {
        self.tally.messages as f64 / self.time.as_secs_f64()
    }

    /// Returns the median over the rounds.
    pub fn ratio(&self) -> Option<f64> {
        self.ratios.get(self.ratios.len() / 2).copied()
    }

    /// Returns the ratio by processor time, client included: the ratio on a machine without other
    /// work whose processors are always busy.
    pub fn ratio_by_cost(&self) -> Option<f64> {
        self.ratios.first()?;
        let done = if self.in_messages { self.tally.messages } else { self.tally.requests };
        let own = sum(self.server_time, self.client_time)?.as_secs_f64() / done as f64;
        let of_floor = self.floor_time?.as_secs_f64() / self.floor_requests as f64;
        Some(of_floor / own).filter(|ratio| ratio.is_finite())
    }

    /// Returns a latency quantile in milliseconds.
    pub fn latency(&self, quantile: f64) -> Option<f64> {
        let last = self.tally.latencies.len().checked_sub(1)?;
        let at = (quantile * last as f64).round() as usize;
        Some(f64::from(self.tally.latencies[at]) / 1e6)
    }

    /// Returns the processor time of a request in microseconds.
    pub fn cost(&self, time: Option<Duration>) -> Option<f64> {
        let requests = self.tally.requests as f64;
        time.filter(|_| requests > 0.0).map(|time| time.as_secs_f64() * 1e6 / requests)
    }
}

fn sum(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    Some(a? + b?)
}

/// The result of one slice of time.
struct Slice {
    time: Duration,
    tally: Tally,
    server_time: Option<Duration>,
    client_time: Option<Duration>,
}

impl Slice {
    async fn of(
        server: &Server,
        time: Duration,
        work: impl Future<Output = Result<Tally>>,
    ) -> Result<Self> {
        let client = || processor_time(std::process::id());
        let before = (server.processor_time(), client());
        let began = now();
        let tally = work.await?;
        let elapsed = began.elapsed();
        let since = |after: Option<Duration>, before: Option<Duration>| {
            after.zip(before).map(|(after, before)| after.saturating_sub(before))
        };
        let server_time = since(server.processor_time(), before.0);
        let client_time = since(client(), before.1);
        // Calls that end after the deadline do not count, but a scenario may count until its own
        // end.
        let time = if elapsed > time * 2 { elapsed } else { time };
        Ok(Self { time, tally, server_time, client_time })
    }

    fn throughput(&self, in_messages: bool) -> f64 {
        let done = if in_messages { self.tally.messages } else { self.tally.requests };
        done as f64 / self.time.as_secs_f64()
    }
}

/// Measures all lanes. The floor is the first of the results.
pub async fn measure(floor: &Server, lanes: &[Lane], plan: Plan) -> Result<Vec<Measured>> {
    let slice = plan.time / plan.rounds;
    let usual = lanes.first().map_or(0, |lane| lane.connections);
    let mut of_floor = Measured::new("floor".into(), usual, false);
    let mut of_lanes: Vec<_> = lanes
        .iter()
        .map(|lane| {
            Measured::new(lane.label.clone(), lane.connections, lane.scenario.counts_messages())
        })
        .collect();
    for _ in 0..plan.rounds {
        for (lane, measured) in lanes.iter().zip(&mut of_lanes) {
            let floor_slice = || {
                let work = scenario::run_floor(floor, lane.connections, plan.shape, slice / 2);
                Slice::of(floor, slice / 2, work)
            };
            let queue = match &lane.queue {
                Some(queue) => queue.clone(),
                None => lane.fresh_queue(plan.shape).await?,
            };
            let before = floor_slice().await?;
            let work = scenario::run(lane.scenario, &queue, lane.connections, slice);
            let done = Slice::of(&lane.server, slice, work).await?;
            let after = floor_slice().await?;
            let beside = f64::midpoint(before.throughput(false), after.throughput(false));
            if lane.scenario != Scenario::Wakeup {
                measured.ratios.push(done.throughput(lane.scenario.counts_messages()) / beside);
            }
            measured.add(done);
            measured.add_floor(&before);
            measured.add_floor(&after);
            if lane.connections == usual {
                of_floor.add(before);
                of_floor.add(after);
            }
            if lane.queue.is_none() {
                queue.delete().await?;
            }
            lane.server.settle().await;
        }
    }
    let mut all = vec![of_floor];
    all.extend(of_lanes);
    all.iter_mut().for_each(Measured::finish);
    Ok(all)
}

impl Lane {
    async fn fresh_queue(&self, shape: Shape) -> Result<Queue> {
        Queue::create(&self.server, &fresh_name(), self.scenario, shape).await
    }
}

/// Returns the name of a new queue.
#[allow(clippy::disallowed_methods, reason = "the name of a queue is no secret")]
pub fn fresh_name() -> String {
    format!("load-{:032x}", fastrand::u128(..))
}

/// Prints the measurements as a table.
pub fn print_table(all: &[Measured]) {
    println!(
        "{:<22} {:>5} {:>10} {:>10} {:>7} {:>13} {:>7} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9}",
        "scenario",
        "conns",
        "requests/s",
        "messages/s",
        "/floor",
        "(min to max)",
        "by cpu",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "max ms",
        "server µs",
        "client µs"
    );
    for one in all {
        let number = |value: Option<f64>, decimals: usize| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
        };
        let spread = one.ratios.first().zip(one.ratios.last());
        println!(
            "{:<22} {:>5} {:>10.0} {:>10.0} {:>7} {:>13} {:>7} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9}",
            one.label,
            one.connections,
            one.requests_per_second(),
            one.messages_per_second(),
            number(one.ratio(), 3),
            spread.map_or_else(String::new, |(min, max)| format!("{min:.3}-{max:.3}")),
            number(one.ratio_by_cost(), 3),
            number(one.latency(0.5), 3),
            number(one.latency(0.9), 3),
            number(one.latency(0.99), 3),
            number(one.latency(1.0), 3),
            number(one.cost(one.server_time), 1),
            number(one.cost(one.client_time), 1),
        );
    }
}

/// Prints the measurements as JSON.
pub fn as_json(all: &[Measured]) -> serde_json::Value {
    all.iter()
        .map(|one| {
            serde_json::json!({
                "scenario": one.label,
                "connections": one.connections,
                "requests_per_second": one.requests_per_second(),
                "messages_per_second": one.messages_per_second(),
                "ratio_to_floor": one.ratio(),
                "ratio_by_processor_time": one.ratio_by_cost(),
                "ratios": one.ratios,
                "latency_ms": {
                    "p50": one.latency(0.5),
                    "p90": one.latency(0.9),
                    "p99": one.latency(0.99),
                    "max": one.latency(1.0),
                },
                "server_us_per_request": one.cost(one.server_time),
                "client_us_per_request": one.cost(one.client_time),
            })
        })
        .collect()
}
