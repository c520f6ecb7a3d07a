//! Starts a server for an attack.

use super::frame::{Setup, Target, keys};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running server with a state in memory and a log in a file; it is killed when dropped.
pub struct Started {
    process: Child,
    /// How to attack it.
    pub target: Target,
}

impl Started {
    /// Starts this program for an attack; the log goes into a file of this name, and the keys into one
    /// beside it.
    pub fn for_attack(program: &Path, setup: &Setup, log: &Path) -> io::Result<Self> {
        let keys_file = log.with_extension("keys.toml");
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(setup.environment.iter().copied())
            .args(["--ephemeral", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .args(setup.arguments)
            .stdout(Stdio::piped())
            .stderr(File::create(log)?);
        if !setup.credentials.is_empty() {
            std::fs::write(&keys_file, setup.credentials)?;
            command.arg("--credentials").arg(&keys_file);
        }
        let mut process = command.spawn()?;
        let output = process.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        let mut lines = BufReader::new(output).lines();
        let is_ready = lines.any(|line| line.is_ok_and(|line| line == "Ready."));
        let logged = std::fs::read_to_string(log)?;
        let address =
            logged.lines().find(|line| line.contains("squab is serving")).and_then(|line| {
                let (_, rest) = line.split_once("\"listen\":\"")?;
                rest.split('"').next().map(str::to_owned)
            });
        let target = Target {
            address: address.unwrap_or_default(),
            log: Some(log.to_owned()),
            keys: keys(setup.credentials).map_err(io::Error::other)?,
        };
        let started = Self { process, target };
        if is_ready { Ok(started) } else { Err(io::Error::other(format!("it ended: {logged}"))) }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
