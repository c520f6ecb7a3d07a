//! The settings of the program: flags, environment, file, defaults, in this order of precedence.
//!
//! Each setting is one field of [`Options`]: the flag `--max-body-bytes`, the environment variable
//! `SQUAB_MAX_BODY_BYTES` and the key `max_body_bytes` of the file are all made from its name and
//! read by the same parsers, so that none can be forgotten. [`load`] resolves them into
//! [`Settings`], which is all that the rest of the program sees.
//!
//! Nothing here reads the process's environment or arguments: both are inputs. Secrets come from
//! the environment or from the credentials file, never from the command line, and are shown by
//! no `Debug`.

mod choices;
mod declaration;
mod document;
mod environment;
mod file;
mod flags;
mod import;
pub mod localstack;
mod queues;
mod resolve;
mod settings;
pub(crate) mod suggestion;
#[cfg(test)]
pub(crate) mod tests;
mod topics;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Parser;
use indexmap::IndexMap;
use thiserror::Error;

pub use crate::auth::Mode as AuthMode;
pub use crate::store::Durability;
pub use choices::{Compat, EndpointStrategy, LogFormat};
pub use document::Document;
use environment::Environment;
use file::File;
pub use file::Origin;
use flags::{CommandLine, Options, Subcommand};
pub use queues::DeclaredQueue;
pub use resolve::LONGEST_LATENCY_MS;
use resolve::resolve;
pub use settings::{AccessKey, MailRelay, Settings, Storage};
pub use topics::{DeclaredSubscription, DeclaredTopic, Target};

/// The variable that names the file with which fauxqs begins.
const FAUXQS_INIT: &str = "FAUXQS_INIT";

/// What the program was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Serve until SIGTERM or SIGINT.
    Serve,
    /// Check the database and end.
    Check,
    /// Ask a running server for its health.
    Health,
    /// Print something about the program.
    Print(Document),
}

/// The program's arguments and environment, understood.
#[derive(Debug)]
pub struct Invocation {
    /// What to do.
    pub action: Action,
    /// With which settings.
    pub settings: Settings,
    /// Sentences to log once logging works, such as unknown variables of the environment.
    pub warnings: Vec<String>,
}

/// The reason why the settings cannot be used, as a sentence for the operator.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Arguments that clap refuses; also `--help` and `--version`, which are no failure.
    #[error(transparent)]
    Arguments(#[from] clap::Error),
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file of `--config`.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file can be read but not used.
    #[error("{}:{line}: {message}", path.display())]
    File {
        /// The file of `--config`.
        path: PathBuf,
        /// The line to blame, counted from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// A variable of the environment cannot be used.
    #[error("{variable} in the environment: {message}")]
    Environment {
        /// Its name.
        variable: String,
        /// What is wrong with it; never quotes a secret.
        message: String,
    },
    /// A value is understood but makes no sense.
    #[error("{setting}: {message}")]
    Value {
        /// The setting as the file spells it.
        setting: &'static str,
        /// What is wrong with it.
        message: String,
    },
}

/// Understands the arguments (the program's name first) and the environment, and reads the file
/// that they name.
pub fn load(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Invocation, ConfigError> {
    let command_line = CommandLine::try_parse_from(arguments)?;
    let (action, flags) = match command_line.subcommand {
        None if command_line.check => (Action::Check, command_line.sources),
        None => (Action::Serve, command_line.sources),
        Some(Subcommand::Serve(sources)) => (Action::Serve, *sources),
        Some(Subcommand::Health(sources)) => (Action::Health, *sources),
        Some(Subcommand::Completions { shell }) => return print(Document::Completions(shell)),
        Some(Subcommand::Man) => return print(Document::Manual),
    };
    let variables: Vec<_> = environment.into_iter().collect();
    let mut environment = Environment::read(variables.iter().cloned())?;
    let file = match flags.config.or(environment.sources.config) {
        None => File::default(),
        Some(path) => {
            let text = read_file(&path)?;
            let mut file = file::parse(&text).map_err(|fault| fault.of(path.clone()))?;
            name_origin(&path, &mut file.queues, &mut file.topics);
            file
        }
    };
    let File { options, mut queues, mut topics } = file;
    let own = flags.options.over(environment.sources.options);
    let compat = own.compat.or(options.compat);
    let (theirs, mut warnings) = if compat == Some(Compat::Localstack) {
        localstack::read(&variables)?
    } else {
        localstack::read_always(&variables)?
    };
    environment.warnings.append(&mut warnings);
    let mut options = own.over(theirs).over(options);
    let mut template = IndexMap::new();
    for path in imports(&options, &variables) {
        let text = read_file(&path)?;
        let variable = |name: &str| variable(&variables, name);
        let mut imported =
            import::parse(&path, &text, &variable).map_err(|fault| fault.of(path.clone()))?;
        name_origin(&path, &mut imported.queues, &mut imported.topics);
        environment.warnings.append(&mut imported.warnings);
        options = options.over(imported.options);
        // What the own file says of a queue or topic is all that is said of it.
        imported.queues.retain(|new| queues.iter().all(|queue| queue.name != new.name));
        imported.topics.retain(|new| topics.iter().all(|topic| topic.name != new.name));
        template.extend(imported.queue_template);
        queues.append(&mut imported.queues);
        topics.append(&mut imported.topics);
    }
    let mut settings = Settings { queues, topics, ..resolve(options, environment.access_key)? };
    if action == Action::Serve {
        environment.warnings.extend(resolve::check_exposure(&settings)?);
    }
    if let Some(attributes) = &mut settings.auto_create_queues {
        attributes.extend(template);
    }
    Ok(Invocation { action, settings, warnings: environment.warnings })
}

/// Notes which file declares these.
fn name_origin(path: &Path, queues: &mut [DeclaredQueue], topics: &mut [DeclaredTopic]) {
    let origins = queues.iter_mut().map(|queue| &mut queue.origin);
    for origin in origins.chain(topics.iter_mut().map(|topic| &mut topic.origin)) {
        path.clone_into(&mut origin.path);
    }
}

/// Neither environment nor file matters to what is printed.
fn print(document: Document) -> Result<Invocation, ConfigError> {
    let settings = resolve(Options::default(), None)?;
    Ok(Invocation { action: Action::Print(document), settings, warnings: Vec::new() })
}

fn read_file(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}

/// A variable of the environment that says something.
fn variable(variables: &[(OsString, OsString)], name: &str) -> Option<String> {
    let (_, value) = variables.iter().rev().find(|(known, _)| known == name)?;
    value.to_str().filter(|value| !value.is_empty()).map(str::to_owned)
}

/// The files of other servers: those that are named, else the one that fauxqs would read, else the
/// one that stands where the container of the other server has it.
fn imports(options: &Options, variables: &[(OsString, OsString)]) -> Vec<PathBuf> {
    if let Some(named) = &options.import {
        let named = named.iter().map(|path| path.trim()).filter(|path| !path.is_empty());
        return named.map(PathBuf::from).collect();
    }
    if let Some(path) = variable(variables, FAUXQS_INIT) {
        return vec![PathBuf::from(path)];
    }
    let usual = match options.compat {
        Some(Compat::Elasticmq) => "/opt/elasticmq.conf",
        Some(Compat::Goaws) => "/conf/goaws.yaml",
        Some(Compat::Localstack | Compat::Moto) | None => return Vec::new(),
    };
    Some(PathBuf::from(usual)).filter(|path| path.is_file()).into_iter().collect()
}
