//! `awslocal`: the SQS, SNS and STS commands of the AWS CLI, for init scripts that call `awslocal`
//! or `aws` where neither is installed.
//!
//! Parameters, output, errors and exit statuses are those of the AWS CLI. Calls are signed and use
//! AWS JSON 1.0 over HTTP.

mod client;
mod command_line;
mod model;
mod output;
mod pages;
mod profiles;
mod query;
mod shorthand;
mod table;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::SystemTime;

use command_line::{CommandLine, Wish};
use output::Format;
use profiles::Profile;
use serde_json::{Map, Value};

/// The exit status if the service rejected the call.
const REFUSED: u8 = 254;
/// The exit status of an invalid command line.
const UNUSABLE: u8 = 252;
/// The exit status of any other failure.
const FAILED: u8 = 255;

#[allow(clippy::disallowed_methods, reason = "a client signs with the time of its machine")]
fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).collect();
    let variables: HashMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    match call(arguments, &variables, SystemTime::now()) {
        Ok(output) => {
            let mut stdout = std::io::stdout().lock();
            let written = stdout.write_all(output.as_bytes()).and_then(|()| stdout.flush());
            written.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
        }
        Err(Failure { status, message }) => {
            eprint!("{message}");
            ExitCode::from(status)
        }
    }
}

/// A failed call: the exit status, and the text for standard error.
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
    time: SystemTime,
) -> Result<String, Failure> {
    let arguments = arguments
        .into_iter()
        .map(|argument| argument.into_string().map_err(|_| Failure::unusable("not UTF-8")))
        .collect::<Result<Vec<String>, Failure>>()?;
    match command_line::wish(&arguments) {
        Some(Wish::Version) => {
            return Ok(format!("aws-cli/2.0.0 awslocal/{}\n", env!("CARGO_PKG_VERSION")));
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
    let caller = client::Caller::of(&command, variables, &profile, time)?;
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

/// Runs `configure` with its arguments and the profile named anywhere on the command line.
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
            // Writing to a `String` cannot fail.
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
