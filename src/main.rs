//! The `squab` program: arguments and startup.
//!
//! Exit status: 0 after a clean shutdown; 1 after a failure, such as an address in use; 2 if the settings,
//! the credentials file or the declared queues and topics are invalid.

use std::io::Write;
use std::process::ExitCode;

use squab::config::{self, Action, ConfigError, Settings, Storage};
use squab::server::startup::StartupError;
use squab::server::{self, End, StartError, health, logging};
use squab::store::Sqlite;

/// Requests make many small allocations on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FAILURE: u8 = 1;
const UNUSABLE_SETTINGS: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let invocation = match config::load(arguments, std::env::vars_os()) {
        Ok(invocation) => invocation,
        Err(ConfigError::Arguments(error)) => error.exit(),
        Err(error) => return fail(UNUSABLE_SETTINGS, &error),
    };
    match invocation.action {
        Action::Serve => serve(invocation.settings, &invocation.warnings),
        Action::Check => check(&invocation.settings),
        Action::Health => ask_health(&invocation.settings),
        Action::Print(document) => match std::io::stdout().write_all(&document.bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(FAILURE, &error),
        },
    }
}

fn serve(settings: Settings, warnings: &[String]) -> ExitCode {
    if let Err(error) = logging::start(settings.log_format, &settings.log_level) {
        return fail(FAILURE, &error);
    }
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    // The writer thread needs a core of its own: with as many request threads as cores they would
    // compete with it.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.saturating_sub(1).max(1);
    let built =
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let runtime = match built {
        Ok(runtime) => runtime,
        Err(error) => return fail(FAILURE, &error),
    };
    loop {
        match runtime.block_on(server::run(settings.clone())) {
            Ok(End::Restart) => {}
            Ok(End::Stop) => return ExitCode::SUCCESS,
            Err(error) => return fail(status_of(&error), &error),
        }
    }
}

/// Returns the exit status for a server that could not start.
fn status_of(error: &StartError) -> u8 {
    match error {
        StartError::Startup(
            StartupError::Credentials { .. }
            | StartupError::AccessKey(_)
            | StartupError::MailRelay(_)
            | StartupError::Declaration(_),
        ) => UNUSABLE_SETTINGS,
        _ => FAILURE,
    }
}

fn check(settings: &Settings) -> ExitCode {
    let Storage::Directory { path, .. } = &settings.storage else {
        return fail(UNUSABLE_SETTINGS, &"there is nothing to check: the state is in memory only");
    };
    match Sqlite::check(path) {
        Ok(faults) if faults.is_empty() => {
            match writeln!(std::io::stdout(), "The database in {} is sound.", path.display()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(FAILURE, &error),
            }
        }
        Ok(faults) => {
            let faults = faults.join("\n");
            fail(FAILURE, &format!("the database in {} is damaged:\n{faults}", path.display()))
        }
        Err(error) => fail(FAILURE, &error),
    }
}

fn ask_health(settings: &Settings) -> ExitCode {
    let Some(address) = settings.listen.first() else { return ExitCode::from(FAILURE) };
    match health::ask(address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => fail(FAILURE, &reason),
    }
}

/// Prints a message to standard error, also before logging has started, and returns the exit code.
fn fail(status: u8, reason: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("squab: {reason}");
    ExitCode::from(status)
}
