//! Log lines on standard error, as text or as JSON; standard output belongs to `Ready.`.

use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::LogFormat;

/// Starts logging, of panics too, for the rest of the process.
///
/// `level` is a level or directives, which [`crate::config::load`] has found to be valid. An error
/// means that logging was started before.
pub fn start(format: LogFormat, level: &str) -> Result<(), TryInitError> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_ansi(io::stderr().is_terminal())
        // A line that cannot be written, because nobody reads or the disk is full, would be told on
        // standard error, where that panics; the panic would be logged, and end the process.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => builder.finish().try_init()?,
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init()?,
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// One line for each panic, in the format of the rest.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let message = panic.payload_as_str().unwrap_or("a panic without words");
    tracing::error!(location, thread = thread.name().unwrap_or("?"), "panic: {message}");
}
