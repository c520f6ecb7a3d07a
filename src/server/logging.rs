//! Log lines on standard error, as text or JSON. Standard output is reserved for `Ready.`.

use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::LogFormat;

type Change = Box<dyn Fn(EnvFilter) + Send + Sync>;

/// Changes the level; empty until logging has started.
static CHANGE: OnceLock<Change> = OnceLock::new();

/// Starts logging, including panics, for the rest of the process.
/// `level` is a level or a list of directives, which [`crate::config::load`] has validated. An
/// error means that logging was started before.
pub fn start(format: LogFormat, level: &str) -> Result<(), TryInitError> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_ansi(io::stderr().is_terminal())
        // If a line cannot be written, because the reader has exited or the disk is full, the
        // default is to report that on standard error, which panics; logging that panic would end
        // the process.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    // Changing the level fails only after the log has ended, and then there is no place to report
    // it.
    let change: Change = match format {
        LogFormat::Text => {
            let builder = builder.with_filter_reloading();
            let filter = builder.reload_handle();
            builder.finish().try_init()?;
            Box::new(move |new| drop(filter.reload(new)))
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_filter_reloading();
            let filter = builder.reload_handle();
            builder.finish().try_init()?;
            Box::new(move |new| drop(filter.reload(new)))
        }
    };
    // The cell is empty: otherwise this function would have returned above.
    let _ = CHANGE.set(change);
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Changes the level or the directives, which must be valid as at startup.
pub fn change_level(level: &str) {
    if let Some(change) = CHANGE.get() {
        change(EnvFilter::new(level));
    }
}

/// Logs one line for each panic, in the format of the other lines.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let message = panic.payload_as_str().unwrap_or("a panic without words");
    tracing::error!(location, thread = thread.name().unwrap_or("?"), "panic: {message}");
}
