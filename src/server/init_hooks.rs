//! Runs scripts at stages of the server's life, like LocalStack's init hooks: `boot.d` and
//! `start.d` before the server listens, `ready.d` once it serves and before it prints `Ready.`, and
//! `shutdown.d` when it is stopping and still serves.
//!
//! The first line of a shell script names its interpreter; `.py` scripts run with the `python3` on
//! the PATH. A script that fails or cannot be run is logged, and startup continues. The output of
//! scripts goes to standard error: standard output is reserved for `Ready.`.

use parking_lot::Mutex;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Serialize;
use tokio::process::Command;
use tracing::{error, info, warn};

/// The maximum depth of subdirectories: a symbolic link may lead in a circle.
const DEPTH: usize = 16;
/// The error number for a file that the system cannot run: ENOEXEC.
const NO_PROGRAM: i32 = 8;
/// The script directory of LocalStack's first releases.
const LEGACY_DIRECTORY: &str = "/docker-entrypoint-initaws.d";

/// A stage of the server's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Stage {
    /// Before all other startup work.
    Boot,
    /// Before the server listens.
    Start,
    /// After the server has begun to serve.
    Ready,
    /// When the server is about to stop.
    Shutdown,
}

impl Stage {
    /// All stages in their order.
    pub const ALL: [Self; 4] = [Self::Boot, Self::Start, Self::Ready, Self::Shutdown];

    /// Returns the name in responses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boot => "BOOT",
            Self::Start => "START",
            Self::Ready => "READY",
            Self::Shutdown => "SHUTDOWN",
        }
    }

    fn directory(self) -> &'static str {
        match self {
            Self::Boot => "boot.d",
            Self::Start => "start.d",
            Self::Ready => "ready.d",
            Self::Shutdown => "shutdown.d",
        }
    }
}

/// The state of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Its stage has not begun.
    Unknown,
    /// The script is running.
    Running,
    /// The script ended with exit status 0.
    Successful,
    /// The script could not be run, or ended with another status.
    Error,
}

/// A script and its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Script {
    /// The stage of the script.
    pub stage: Stage,
    /// Its path below the stage's directory.
    pub name: String,
    /// The state of the script.
    pub state: State,
    #[serde(skip)]
    path: PathBuf,
}

/// The scripts of all stages, and the stages that have completed.
#[derive(Debug, Default)]
pub struct InitHooks {
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    scripts: Vec<Script>,
    completed: [bool; Stage::ALL.len()],
}

impl InitHooks {
    /// Finds the scripts below a directory, and with `legacy` those of LocalStack's first releases.
    /// A missing directory has no scripts.
    pub fn find(directory: Option<&Path>, legacy: bool) -> Self {
        let mut scripts = Vec::new();
        for stage in Stage::ALL {
            if let Some(directory) = directory {
                find_in(stage, &directory.join(stage.directory()), &mut scripts);
            }
            if legacy && stage == Stage::Ready {
                find_in(stage, Path::new(LEGACY_DIRECTORY), &mut scripts);
            }
        }
        Self { progress: Mutex::new(Progress { scripts, ..Progress::default() }) }
    }

    /// Runs the scripts of a stage one after the other. `variables` are defaults for variables that
    /// the environment does not set.
    pub async fn run(&self, stage: Stage, variables: &[(&'static str, String)]) {
        let of_stage: Vec<(usize, PathBuf)> = {
            let progress = self.progress.lock();
            let scripts = progress.scripts.iter().enumerate();
            scripts
                .filter(|(_, script)| script.stage == stage)
                .map(|(index, script)| (index, script.path.clone()))
                .collect()
        };
        for (index, path) in of_stage {
            self.note(index, State::Running);
            let became = match run_script(&path, variables).await {
                Ok(()) => State::Successful,
                Err(reason) => {
                    error!(stage = stage.name(), script = %path.display(), "init hook: {reason}");
                    State::Error
                }
            };
            self.note(index, became);
        }
        self.progress.lock().completed[stage as usize] = true;
    }

    /// Returns whether a stage has scripts.
    pub fn has(&self, stage: Stage) -> bool {
        self.progress.lock().scripts.iter().any(|script| script.stage == stage)
    }

    /// Returns all scripts, or those of a stage.
    pub fn scripts(&self, stage: Option<Stage>) -> Vec<Script> {
        let progress = self.progress.lock();
        let scripts = progress.scripts.iter();
        scripts.filter(|script| stage.is_none_or(|stage| script.stage == stage)).cloned().collect()
    }

    /// Returns whether all scripts of a stage have run.
    pub fn is_completed(&self, stage: Stage) -> bool {
        self.progress.lock().completed[stage as usize]
    }

    fn note(&self, index: usize, state: State) {
        if let Some(script) = self.progress.lock().scripts.get_mut(index) {
            script.state = state;
        }
    }
}

/// Finds the scripts in a directory and below, sorted by path.
fn find_in(stage: Stage, directory: &Path, scripts: &mut Vec<Script>) {
    let mut found = Vec::new();
    walk(directory, DEPTH, &mut found);
    found.sort();
    for path in found {
        let mut name = String::new();
        for part in path.strip_prefix(directory).unwrap_or(&path) {
            let slash = if name.is_empty() { "" } else { "/" };
            // Writing to a `String` cannot fail.
            let _ = write!(name, "{slash}{}", part.display());
        }
        scripts.push(Script { stage, name, state: State::Unknown, path });
    }
}

fn walk(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                warn!("cannot search for init hooks in {}: {error}", directory.display());
            }
            return;
        }
    };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let is_script = path.extension().is_some_and(|suffix| suffix == "sh" || suffix == "py");
        if path.is_dir() {
            if depth > 0 {
                walk(&path, depth - 1, found);
            }
        } else if is_script {
            found.push(path);
        }
    }
}

async fn run_script(path: &Path, variables: &[(&'static str, String)]) -> Result<(), String> {
    let is_python = path.extension().is_some_and(|suffix| suffix == "py");
    let mut command = if is_python {
        let mut command = Command::new("python3");
        command.arg(path);
        command
    } else {
        let mode = std::fs::metadata(path).map_err(|error| error.to_string())?.permissions().mode();
        if mode & 0o111 == 0 {
            return Err("not executable: run chmod +x".to_owned());
        }
        Command::new(path)
    };
    for (name, value) in variables {
        if std::env::var_os(name).is_none_or(|said| said.is_empty()) {
            command.env(name, value);
        }
    }
    let to_stderr = std::io::stderr().as_fd().try_clone_to_owned();
    let stdout = to_stderr.map(Stdio::from).map_err(|error| error.to_string())?;
    command.stdin(Stdio::null()).stdout(stdout).kill_on_drop(true);
    info!(script = %path.display(), "init hook");
    let status = command.status().await.map_err(|error| match error.kind() {
        ErrorKind::NotFound if is_python => {
            "skipped: it is a Python script, and there is no python3 on the PATH".to_owned()
        }
        ErrorKind::NotFound => "the interpreter in its first line does not exist".to_owned(),
        ErrorKind::ExecutableFileBusy => "another process has it open for writing".to_owned(),
        _ if error.raw_os_error() == Some(NO_PROGRAM) => {
            "it has no first line such as #!/bin/sh".to_owned()
        }
        _ => error.to_string(),
    })?;
    if status.success() { Ok(()) } else { Err(format!("ended with {status}")) }
}
