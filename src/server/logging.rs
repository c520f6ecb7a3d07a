//! Log lines on standard error, as text or as JSON; standard output belongs to `Ready.`.

use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::LogFormat;

type Change = Box<dyn Fn(EnvFilter) + Send + Sync>;

/// How the level is changed; empty until logging has begun.
static CHANGE: OnceLock<Change> = OnceLock::new();

/// Starts logging, of panics too, for the rest of the process.
///
/// `level` is a level or directives, which [`crate::config::load`] has found to be valid. An error
/// means that logging was started before.
pub fn start(format: LogFormat, level: &str) -> Result<(), TryInitError> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_ansi(io::stderr().is_terminal())
        // A line that cannot be written, because the reader is gone or the disk is full, would be reported
        // on standard error, which panics; the panic would be logged, and end the process.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    // It fails to change when there is no log any more; then there is no place to report that.
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
    // It is empty: if logging had begun before, this would have ended above.
    let _ = CHANGE.set(change);
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Logs at another level, or by other directives, from now on; they are valid, as at the start.
pub fn change_level(level: &str) {
    if let Some(change) = CHANGE.get() {
        change(EnvFilter::new(level));
    }
}

/// One line for each panic, in the format of the rest.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let message = panic.payload_as_str().unwrap_or("a panic without words");
    tracing::error!(location, thread = thread.name().unwrap_or("?"), "panic: {message}");
}
