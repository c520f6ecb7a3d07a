//! The built program as whoever starts it sees it: what it prints, and how it exits.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

/// The program with nothing of this process's environment.
fn squab(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squab"));
    command.env_clear().args(arguments);
    command
}

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = squab(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// A server that has said `Ready.`.
struct Server {
    process: Child,
    address: String,
    log: BufReader<ChildStderr>,
    logged: String,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut process = command
            .args(["--listen", "127.0.0.1:0", "--ephemeral", "--log-format", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut logged = String::new();
        while !logged.contains("squab serves") {
            assert_ne!(log.read_line(&mut logged).unwrap(), 0, "ended before it served");
        }
        let line = logged.lines().last().unwrap();
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let address = line["listen"].as_str().unwrap().to_owned();
        let mut ready = [0; 7];
        process.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        assert_eq!(&ready, b"Ready.\n");
        Self { process, address, log, logged }
    }

    /// Ends it with SIGTERM and returns its exit status, what it printed after `Ready.`, and all
    /// that it logged.
    fn terminate(mut self) -> (Option<i32>, String, String) {
        let killed = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(killed.success());
        self.log.read_to_string(&mut self.logged).unwrap();
        let mut printed = String::new();
        self.process.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        (self.process.wait().unwrap().code(), printed, self.logged)
    }
}

#[test]
fn it_says_ready_and_nothing_else_answers_health_and_ends_with_0_on_sigterm() {
    let server = Server::start(&mut squab(&[]));
    let address = server.address.clone();
    assert_eq!(run(&["health", "--listen", &address]), (Some(0), String::new()));
    let (status, printed, _) = server.terminate();
    assert_eq!((status, printed.as_str()), (Some(0), ""));
    assert_eq!(run(&["health", "--listen", &address]).0, Some(1));
}

#[test]
fn no_secret_reaches_the_log_at_its_most_talkative() {
    let mut command = squab(&["--log-level", "trace"]);
    command.env("SQUAB_ACCESS_KEY_ID", "AKIA1").env("SQUAB_SECRET_ACCESS_KEY", "hush-hush");
    let (_, _, log) = Server::start(&mut command).terminate();
    assert!(log.contains("SIGTERM"), "{log}");
    assert!(!log.contains("hush-hush"), "{log}");
}

#[test]
fn unusable_settings_end_it_with_2_and_a_sentence() {
    let (status, said) = run(&["--max-connections", "0"]);
    assert_eq!(status, Some(2));
    assert_eq!(said, "squab: max_connections: must be at least 1\n");
    let (status, said) = run(&["--config", "/nowhere/squab.toml"]);
    assert_eq!(status, Some(2));
    assert!(said.starts_with("squab: cannot read /nowhere/squab.toml: "), "{said}");
    assert_eq!(run(&["--lisen", "x"]).0, Some(2));
}

#[test]
fn an_address_in_use_ends_it_with_1_and_a_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (status, said) = run(&["--ephemeral", "--log-level", "error", "--listen", &address]);
    assert_eq!(status, Some(1));
    assert!(said.starts_with(&format!("squab: cannot listen on {address}: ")), "{said}");
}
