//! What a filter policy costs, as a ratio: one evaluation on a message, divided by one parse of that
//! message as JSON. Whatever the branches of a policy and the objects of a body, an evaluation should
//! be the smaller part of what a message costs.
//!
//! ```sh
//! cargo bench --bench filters
//! ```

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on must end")]
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use serde_json::{Value, json};
use squab::domain::filter_policy::{Candidate, FilterPolicy, Scope};
use squab::domain::message_attributes::MessageAttributes;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Returns a policy with this many branches.
fn any_of(count: usize, branch: impl Fn(usize) -> Value) -> Value {
    json!({ "$or": (0..count).map(branch).collect::<Vec<_>>() })
}

/// Returns a body with this many objects or values under `k`.
fn many(count: usize, item: impl Fn(usize) -> Value) -> Value {
    json!({ "k": (0..count).map(item).collect::<Vec<_>>() })
}

/// Returns policies that do not match their messages, so that everything must be evaluated.
fn shapes() -> Vec<(&'static str, Value, Value)> {
    vec![
        (
            "75 branches, 50,000 objects of one property",
            any_of(75, |n| json!({"k": {"a": [format!("x{n}")]}})),
            many(50_000, |_| json!({"a": 1})),
        ),
        (
            "75 branches with prefixes, 30,000 objects of a text",
            any_of(75, |n| json!({"k": {"a": [{"prefix": format!("x{n}")}]}})),
            many(30_000, |n| json!({"a": format!("y{n}")})),
        ),
        (
            "37 branches on two properties, 28,000 objects",
            any_of(37, |n| json!({"k": {"a": [1], "b": [{"prefix": format!("x{n}")}]}})),
            many(28_000, |_| json!({"a": 1, "b": 3})),
        ),
        (
            "75 branches on other names, 50,000 objects",
            any_of(75, |n| json!({"k": {format!("a{n}"): ["x"]}})),
            many(50_000, |_| json!({"z": 1})),
        ),
        (
            "150 branches, 57,000 values",
            any_of(150, |n| json!({"k": [{"prefix": format!("x{n}")}]})),
            many(57_000, |n| json!(n.to_string())),
        ),
    ]
}

/// Returns the shortest time of several runs of `work`.
#[expect(clippy::disallowed_methods, reason = "no rule of the queues depends on it")]
fn best(work: impl Fn()) -> Duration {
    let times = (0..10).map(|_| {
        let began = Instant::now();
        work();
        began.elapsed()
    });
    times.min().unwrap()
}

fn main() {
    let none = MessageAttributes::new();
    println!("| policy and message | bytes | evaluation / parse | evaluation, ms |");
    println!("|---|---|---|---|");
    for (name, policy, body) in shapes() {
        let policy = FilterPolicy::parse(&policy.to_string(), Scope::MessageBody).unwrap().unwrap();
        let body = body.to_string();
        let parse = best(|| drop(black_box(serde_json::from_str::<Value>(&body))));
        let candidate = Candidate::new(&body, &none);
        let evaluation = best(|| assert!(!black_box(policy.matches(&candidate))));
        println!(
            "| {name} | {} | {:.2} | {:.1} |",
            body.len(),
            evaluation.as_secs_f64() / parse.as_secs_f64(),
            evaluation.as_secs_f64() * 1_000.0,
        );
    }
}
