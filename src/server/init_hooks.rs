//! Scripts that are run at the stages of the server's life, as users of LocalStack know them:
//! `boot.d` and `start.d` before the server listens, `ready.d` once it answers and before it says
//! `Ready.`, `shutdown.d` when it is told to end and still answers.
//!
//! Shell scripts are run by what their first line names, `.py` by the `python3` on the PATH. A script
//! that fails, or that nothing here can run, is told in the log, and the start goes on. What scripts print goes to
//! standard error: standard output belongs to `Ready.`.

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

/// Directories deeper than this are not looked into: a link may lead in a circle.
const DEPTH: usize = 16;
/// What the system says of a file that it does not know how to run: ENOEXEC.
const NO_PROGRAM: i32 = 8;
/// Where scripts of LocalStack's first releases are.
const LEGACY_DIRECTORY: &str = "/docker-entrypoint-initaws.d";

/// A stage of the server's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Stage {
    /// Before anything else.
    Boot,
    /// Before the server listens.
    Start,
    /// The server answers.
    Ready,
    /// The server is about to end.
    Shutdown,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Boot, Self::Start, Self::Ready, Self::Shutdown];

    /// Its name in answers.
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

/// What is known of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Its stage has not come yet.
    Unknown,
    /// It runs.
    Running,
    /// It has ended with exit status 0.
    Successful,
    /// It could not be run, or ended with another status.
    Error,
}

/// A script and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Script {
    /// When it is run.
    pub stage: Stage,
    /// Its path below the stage's directory.
    pub name: String,
    /// What became of it.
    pub state: State,
    #[serde(skip)]
    path: PathBuf,
}

/// The scripts of all stages, and how far the server's life has come.
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
    /// Directories that are not there have none.
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

    /// Runs the scripts of a stage, one after the other, with these variables in place of what the
    /// environment does not say.
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

    /// Whether a stage has scripts.
    pub fn has(&self, stage: Stage) -> bool {
        self.progress.lock().scripts.iter().any(|script| script.stage == stage)
    }

    /// All scripts, or those of a stage, as JSON is to show them.
    pub fn scripts(&self, stage: Option<Stage>) -> Vec<Script> {
        let progress = self.progress.lock();
        let scripts = progress.scripts.iter();
        scripts.filter(|script| stage.is_none_or(|stage| script.stage == stage)).cloned().collect()
    }

    /// Whether all scripts of a stage have been run.
    pub fn is_completed(&self, stage: Stage) -> bool {
        self.progress.lock().completed[stage as usize]
    }

    fn note(&self, index: usize, state: State) {
        if let Some(script) = self.progress.lock().scripts.get_mut(index) {
            script.state = state;
        }
    }
}

/// The scripts in a directory and below, sorted by their paths.
fn find_in(stage: Stage, directory: &Path, scripts: &mut Vec<Script>) {
    let mut found = Vec::new();
    walk(directory, DEPTH, &mut found);
    found.sort();
    for path in found {
        let mut name = String::new();
        for part in path.strip_prefix(directory).unwrap_or(&path) {
            let slash = if name.is_empty() { "" } else { "/" };
            // Writing to a text cannot fail.
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
                warn!("cannot look for init hooks in {}: {error}", directory.display());
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
            return Err("not executable: chmod +x makes it so".to_owned());
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
            "skipped: it is written in Python, and there is no python3 on the PATH".to_owned()
        }
        ErrorKind::NotFound => "what its first line names is not there".to_owned(),
        ErrorKind::ExecutableFileBusy => "somebody is still writing to it".to_owned(),
        _ if error.raw_os_error() == Some(NO_PROGRAM) => {
            "it has no first line such as #!/bin/sh".to_owned()
        }
        _ => error.to_string(),
    })?;
    if status.success() { Ok(()) } else { Err(format!("ended with {status}")) }
}
