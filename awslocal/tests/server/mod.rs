//! The server of this workspace as a process.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A server that is ready; it is killed when dropped.
pub struct Server {
    process: Child,
    /// Where it listens.
    pub url: String,
}

impl Server {
    /// Starts `squab --ephemeral` with further arguments and variables on a free port.
    pub fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut process = Command::new(program())
            .env_clear()
            .envs(variables.iter().copied())
            .args(["--ephemeral", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let line =
            log.find(|line| line.as_ref().unwrap().contains("squab is serving")).unwrap().unwrap();
        // The log is read to its end, so that the server never waits for a reader.
        std::thread::spawn(move || log.count());
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let url = format!("http://{}", line["listen"].as_str().unwrap());
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, "Ready.\n");
        Self { process, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// SQUAB_BIN, or the program that cargo has built beside this one.
fn program() -> PathBuf {
    let built = || PathBuf::from(env!("CARGO_BIN_EXE_awslocal")).with_file_name("squab");
    let program = std::env::var_os("SQUAB_BIN").map_or_else(built, PathBuf::from);
    assert!(program.is_file(), "{} is missing: run `cargo build` first", program.display());
    program
}
