//! The AWS SDK for Rust against `SQUAB_ENDPOINT`. Every check names the behaviours that it proves,
//! and its outcome goes to `SQUAB_COMPAT_RESULTS`; see ../python/suite/conductor.py. An argument
//! selects checks by a part of their name.

mod aws;
mod sns;
mod sqs;

use std::fs::OpenOptions;
use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::aws::Aws;

/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// One check: its name, the ids of behaviours.md that it proves, and what it does. It panics when
/// it finds otherwise.
pub struct Check {
    pub name: &'static str,
    pub behaviours: &'static [&'static str],
    pub run: fn(Aws) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// A list of checks: `name [ids] function` each.
#[macro_export]
macro_rules! checks {
    ($($function:ident $behaviours:expr;)*) => {
        /// The checks of this file.
        pub fn all() -> Vec<$crate::Check> {
            vec![$($crate::Check {
                name: stringify!($function),
                behaviours: &$behaviours,
                run: |aws| Box::pin($function(aws)),
            }),*]
        }
    };
}

#[tokio::main]
async fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    tell(json!({"version": version()}));
    let mut failed = 0;
    for check in sqs::all().into_iter().chain(sns::all()) {
        if !check.name.contains(&wanted) {
            continue;
        }
        let start = Instant::now();
        let aws = Aws::new();
        let checking = tokio::spawn(tokio::time::timeout(PATIENCE, (check.run)(aws.clone())));
        let passed = matches!(checking.await, Ok(Ok(())));
        aws.clean_up().await;
        failed += usize::from(!passed);
        println!("{} {}", if passed { "ok    " } else { "FAILED" }, check.name);
        tell(json!({
            "test": check.name,
            "behaviours": check.behaviours,
            "outcome": if passed { "passed" } else { "failed" },
            "seconds": (start.elapsed().as_secs_f64() * 100.0).round() / 100.0,
        }));
    }
    ExitCode::from(u8::from(failed > 0))
}

/// The version of the SDK's client of SQS.
fn version() -> String {
    let lock = include_str!("../Cargo.lock");
    let after = lock.split("name = \"aws-sdk-sqs\"\nversion = \"").nth(1);
    after.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}

/// Appends a report.
fn tell(mut report: Value) {
    report["client"] = "rust".into();
    let path = std::env::var("SQUAB_COMPAT_RESULTS").expect("SQUAB_COMPAT_RESULTS");
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("results");
    writeln!(file, "{report}").expect("results");
}
