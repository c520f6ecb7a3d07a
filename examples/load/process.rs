//! Server processes: starting, waiting for `Ready.`, resource usage, stopping.

use crate::{Result, now};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A server: a running one, or a child of this process, which ends with it.
pub struct Server {
    /// `HOST:PORT`
    pub address: String,
    /// `None` if it runs on another machine.
    pub pid: Option<u32>,
    /// The time from the start to `Ready.`; zero for a server that was already running.
    pub start: Duration,
    child: Option<Child>,
}

impl Server {
    /// Returns a server that is already running.
    pub fn running(endpoint: &str, pid: Option<u32>) -> Self {
        let address = endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self { address, pid, start: Duration::ZERO, child: None }
    }

    /// Starts a program that listens on this address and prints `Ready.` as a line on standard
    /// output.
    pub fn start(program: &Path, address: String, arguments: &[String]) -> Result<Self> {
        let began = now();
        let mut child = Command::new(program)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let output = child.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(output).lines();
        let ready = lines.any(|line| line.is_ok_and(|line| line == "Ready."));
        let start = began.elapsed();
        let server = Self { address, pid: Some(child.id()), start, child: Some(child) };
        if ready { Ok(server) } else { Err("the server has ended without getting ready".into()) }
    }

    /// Starts the server under test on a free port, logging warnings only.
    pub fn start_squab(program: &Path, arguments: &[&str]) -> Result<Self> {
        Self::start_squab_under(&[], program, arguments)
    }

    /// Starts the server under test with a command that ends with the program and its arguments.
    pub fn start_squab_under(command: &[&str], program: &Path, arguments: &[&str]) -> Result<Self> {
        let address = free_address()?;
        let mut all = vec!["--listen".to_owned(), address.clone()];
        all.extend(["--log-level", "warn"].map(str::to_owned));
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let Some((first, rest)) = command.split_first() else {
            return Self::start(program, address, &all);
        };
        let program = program.to_string_lossy().into_owned();
        let rest = rest.iter().map(|word| (*word).to_owned());
        let all: Vec<String> = rest.chain([program]).chain(all).collect();
        Self::start(Path::new(first), address, &all)
    }

    /// Starts the floor: this program, serving constants.
    pub fn start_floor() -> Result<Self> {
        let address = free_address()?;
        let arguments = ["floor".to_owned(), "--listen".to_owned(), address.clone()];
        Self::start(&std::env::current_exe()?, address, &arguments)
    }

    /// Stops the process and waits until it has ended.
    pub fn stop(mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            Command::new("kill").arg(child.id().to_string()).status()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Returns the processor time that the process has used.
    pub fn processor_time(&self) -> Option<Duration> {
        processor_time(self.pid?)
    }

    /// Returns the resident memory in MiB.
    pub fn resident_mib(&self) -> Result<f64> {
        let pid = self.pid.ok_or("memory can be read of local servers only")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok())
            .ok_or("no VmRSS")?;
        Ok(kib / 1024.0)
    }

    /// Waits until a server has finished its background work, such as emptying a deleted queue.
    pub async fn settle(&self) {
        const PAUSE: Duration = Duration::from_millis(50);
        const IDLE: Duration = Duration::from_millis(2);
        tokio::time::sleep(PAUSE).await;
        let Some(mut before) = self.processor_time() else {
            return tokio::time::sleep(Duration::from_millis(300)).await;
        };
        loop {
            tokio::time::sleep(PAUSE).await;
            let Some(after) = self.processor_time() else { return };
            if after.saturating_sub(before) < IDLE {
                return;
            }
            before = after;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // The process may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Returns the processor time of a process over all its threads, in the scheduler's nanoseconds.
pub fn processor_time(pid: u32) -> Option<Duration> {
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let statistics = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += statistics.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanoseconds))
}

fn free_address() -> Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
