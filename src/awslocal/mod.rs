//! `squab awslocal`: the verbs of the AWS CLI for SQS, SNS and STS, for init scripts that call
//! `awslocal` or `aws` where neither is installed.
//!
//! The program is this one: called as `squab awslocal …`, or by the name `awslocal` or `aws`, say
//! by a link. Parameters are spelled as the AWS CLI spells them, answers and errors look as they do
//! there, and exit statuses mean the same. The call goes over HTTP in AWS JSON, signed.

mod client;
mod command_line;
mod model;
mod output;
mod pages;
mod profiles;
mod query;
mod shorthand;
mod table;
mod tls;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;

pub use client::SERVERS_REGION;
use command_line::{CommandLine, Wish};
use output::Format;
use profiles::Profile;
use serde_json::{Map, Value};

/// The service has refused the call.
const REFUSED: u8 = 254;
/// The command line cannot be understood.
const UNUSABLE: u8 = 252;
/// Something else has failed.
const FAILED: u8 = 255;

/// The arguments that are meant for here: those after `awslocal`, or all if the program is called
/// by that name. `None` when the server is meant.
pub fn arguments(all: &[OsString]) -> Option<Vec<OsString>> {
    let name = Path::new(all.first()?).file_name()?.to_str()?;
    if matches!(name, "awslocal" | "aws") {
        return Some(all[1..].to_vec());
    }
    (all.get(1)? == "awslocal").then(|| all[2..].to_vec())
}

/// What a call has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The exit status.
    pub status: u8,
    /// For standard output.
    pub output: String,
    /// For standard error.
    pub error: String,
}

/// Makes the call that these arguments and this environment ask for. Time is Unix milliseconds.
pub fn run(
    arguments: Vec<OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    now_ms: i64,
) -> Outcome {
    let variables: HashMap<String, String> = environment
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    match call(arguments, &variables, now_ms) {
        Ok(output) => Outcome { status: 0, output, error: String::new() },
        Err(Failure { status, message }) => {
            Outcome { status, output: String::new(), error: message }
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
struct Failure {
    status: u8,
    message: String,
}

impl Failure {
    fn unusable(reason: impl std::fmt::Display) -> Self {
        Self { status: UNUSABLE, message: format!("\naws: [ERROR]: {reason}\n") }
    }

    fn failed(reason: impl std::fmt::Display) -> Self {
        Self { status: FAILED, message: format!("\n{reason}\n") }
    }
}

fn call(
    arguments: Vec<OsString>,
    variables: &HashMap<String, String>,
    now_ms: i64,
) -> Result<String, Failure> {
    let arguments = arguments
        .into_iter()
        .map(|argument| argument.into_string().map_err(|_| Failure::unusable("not UTF-8")))
        .collect::<Result<Vec<String>, Failure>>()?;
    match command_line::wish(&arguments) {
        Some(Wish::Version) => {
            return Ok(format!("aws-cli/2.0.0 squab/{}\n", env!("CARGO_PKG_VERSION")));
        }
        Some(Wish::Help) => return help(&arguments),
        Some(Wish::Configure) => return configure(&arguments, variables),
        None if arguments.is_empty() => return help(&arguments),
        None => {}
    }
    let command = CommandLine::parse(&arguments, variables)?;
    let query = match &command.query {
        None => None,
        Some(text) => Some(query::read(text).map_err(|error| {
            Failure::unusable(format_args!("Bad value for --query {text}: {error}"))
        })?),
    };
    let profile = Profile::find(command.profile.as_deref(), variables)?;
    let format = match (command.output, profile.get("output")) {
        (Some(format), _) => format,
        (None, Some(name)) => Format::named(&name)?,
        (None, None) => Format::Json,
    };
    let caller = client::Caller::of(&command, variables, &profile, now_ms)?;
    let answer = pages::call(&command, &caller)?;
    let title = command.operation.name;
    let Some(query) = query else {
        let is_paged = pages::is_for_all(&command);
        return Ok(output::write(title, &answer, format, is_paged));
    };
    let found = query.search(&answer).map_err(Failure::failed)?;
    let found = serde_json::to_value(&*found).map_err(Failure::failed)?;
    Ok(output::write_found(title, &found, format))
}

/// `configure` and what follows it, with the profile that is named anywhere.
fn configure(arguments: &[String], variables: &HashMap<String, String>) -> Result<String, Failure> {
    let mut words = Vec::new();
    let mut profile = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.split_once('=') {
            Some(("--profile", name)) => profile = Some(name.to_owned()),
            _ if argument == "--profile" => profile = rest.next().cloned(),
            _ if argument.starts_with("--") => {}
            _ => words.push(argument.clone()),
        }
    }
    // The first word is `configure` itself.
    let words = words.get(1..).unwrap_or_default();
    let mut stdin = std::io::stdin().lock();
    profiles::configure(words, profile.as_deref(), variables, &mut stdin)
}

fn help(arguments: &[String]) -> Result<String, Failure> {
    let service = arguments.iter().find(|word| model::SERVICES.contains(&word.as_str()));
    let mut text = "usage: awslocal [options] <service> <operation> [parameters]\n\n".to_owned();
    for operation in model::operations() {
        if service.is_none_or(|service| service == operation.service) {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "  {} {}", operation.service, operation.command());
        }
    }
    text.push_str("\nParameters are those of the AWS CLI.\n");
    if arguments.is_empty() {
        return Err(Failure { status: UNUSABLE, message: text });
    }
    Ok(text)
}

type Input = Map<String, Value>;
