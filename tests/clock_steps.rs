//! The wall clock is set while the built program runs, and while it is stopped.

#![cfg(target_os = "linux")]

use crate::process::{Connection, Server, squab};
use serde_json::{Value, json};
use squab::runtime::clock::{Clock, SystemClock};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

const HOUR_S: i64 = 3_600;

/// A wall clock that can be set.
struct WallClock {
    place: TempDir,
    offset: File,
}

impl WallClock {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(place.path().join("shim.so"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clock/shim.c"))
            .status();
        assert!(compiled.unwrap().success());
        let path = place.path().join("offset");
        std::fs::write(&path, [0; 8]).unwrap();
        let offset = OpenOptions::new().write(true).open(path).unwrap();
        Self { place, offset }
    }

    /// Sets the clock to so many seconds after the real one.
    fn set(&self, seconds: i64) {
        self.offset.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }

    fn start(&self) -> Server {
        let data: PathBuf = self.place.path().join("data");
        let mut command = squab(&["--data", data.to_str().unwrap()]);
        command
            .env("LD_PRELOAD", self.place.path().join("shim.so"))
            .env("CLOCK_OFFSET", self.place.path().join("offset"));
        Server::start(&mut command)
    }
}

fn send(connection: &mut Connection, body: &str, delay_seconds: i64) {
    let input = json!({"QueueUrl": "q", "MessageBody": body, "DelaySeconds": delay_seconds});
    connection.ok("SendMessage", &input);
}

fn receive(connection: &mut Connection, visibility_timeout: i64, wait_seconds: i64) -> Value {
    let input = json!({
        "QueueUrl": "q", "VisibilityTimeout": visibility_timeout, "WaitTimeSeconds": wait_seconds,
        "AttributeNames": ["All"]
    });
    connection.ok("ReceiveMessage", &input)
}

#[test]
fn a_wall_clock_that_is_set_moves_no_deadline_and_is_what_clients_see() {
    for step in [24 * HOUR_S, -24 * HOUR_S] {
        let clock = WallClock::new();
        let server = clock.start();
        let mut connection = server.connect();
        connection.ok("CreateQueue", &json!({"QueueName": "q"}));
        send(&mut connection, "hidden", 0);
        assert_eq!(receive(&mut connection, 12 * HOUR_S, 0)["Messages"][0]["Body"], "hidden");
        send(&mut connection, "delayed", 1);
        clock.set(step);
        // The delay ends as if nothing had happened, and the visibility timeout does not.
        let message = &receive(&mut connection, 12 * HOUR_S, 20)["Messages"][0];
        assert_eq!(message["Body"], "delayed");
        assert_eq!(receive(&mut connection, 0, 0), json!({}));
        let sent_at = message["Attributes"]["SentTimestamp"].as_str().unwrap();
        let real = sent_at.parse::<i64>().unwrap() - step * 1_000;
        assert!((real - SystemClock.now_ms()).abs() < 60_000, "{message}");
        let (status, _, log) = server.terminate();
        assert_eq!(status, Some(0));
        assert!(log.contains("the wall clock was set"), "{log}");
    }
}

#[test]
fn a_start_with_the_wall_clock_behind_hides_no_message_for_the_difference() {
    let clock = WallClock::new();
    let server = clock.start();
    let mut connection = server.connect();
    connection.ok("CreateQueue", &json!({"QueueName": "q"}));
    send(&mut connection, "received", 0);
    assert_eq!(receive(&mut connection, 1, 0)["Messages"][0]["Body"], "received");
    server.kill();
    clock.set(-HOUR_S);
    let server = clock.start();
    let again = receive(&mut server.connect(), 1, 20);
    assert_eq!(again["Messages"][0]["Body"], "received");
    let first = &again["Messages"][0]["Attributes"]["ApproximateFirstReceiveTimestamp"];
    let real = first.as_str().unwrap().parse::<i64>().unwrap() + HOUR_S * 1_000;
    assert!((real - SystemClock.now_ms()).abs() < 60_000, "{again}");
}
