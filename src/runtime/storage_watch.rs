//! The condition of the storage. New messages are rejected while there is still space to receive and
//! delete existing ones, and all calls are rejected when the files are missing.
//!
//! A check once per second updates the condition; calls only read it.

use super::Runtime;
use crate::domain::{Kind, Refusal};
use crate::store::{FreeSpace, MEMORY_BYTES, OpenFiles};
use parking_lot::Mutex;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

/// Time between two checks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Default bytes to keep free: four times the usual size of the write-ahead log, which grows while a
/// large transaction runs.
const RESERVE: u64 = 64 * 1024 * 1024;
/// On a small volume, this fraction is kept free: one part in so many.
const PART: u64 = 10;

/// Where the rows are, and how much space to keep free.
#[derive(Debug)]
pub enum Place {
    /// In memory, in a database of limited size.
    Memory,
    /// In these files; the number of bytes of the volume to keep free, or `None` for the default.
    Files(OpenFiles, Option<u64>),
}

/// Which calls the storage can serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// All calls.
    Good,
    /// No new messages and resources; with the reason.
    Full(String),
    /// No calls; with the reason.
    Gone(String),
}

const GOOD: u8 = 0;
const FULL: u8 = 1;
const GONE: u8 = 2;

/// The condition of the storage as of the last check.
#[derive(Debug, Default)]
pub struct StorageWatch {
    /// [`GOOD`], [`FULL`] or [`GONE`], so that calls need no lock.
    level: AtomicU8,
    reason: Mutex<String>,
    /// Whether a transaction has failed for lack of space since the last check.
    failed: AtomicBool,
}

impl StorageWatch {
    /// Rejects a call that the storage cannot serve. `stores` says whether the call needs more space than
    /// it frees.
    pub fn admit(&self, stores: bool) -> Result<(), Refusal> {
        match self.level.load(Ordering::Relaxed) {
            GOOD => Ok(()),
            FULL if !stores => Ok(()),
            FULL => Err(Refusal::new(
                Kind::ServiceUnavailable,
                "The service cannot take more at the moment. Try again later.",
            )),
            _ => Err(Refusal::internal(self.reason())),
        }
    }

    /// Returns the condition.
    pub fn condition(&self) -> Condition {
        match self.level.load(Ordering::Relaxed) {
            GOOD => Condition::Good,
            FULL => Condition::Full(self.reason()),
            _ => Condition::Gone(self.reason()),
        }
    }

    /// Records that a transaction has failed for lack of space: new messages are rejected until the second
    /// check from now.
    pub(super) fn note_full(&self) {
        self.failed.store(true, Ordering::Relaxed);
        if self.level.load(Ordering::Relaxed) == GOOD {
            self.set(&Condition::Full("the database is full".to_owned()));
        }
    }

    fn reason(&self) -> String {
        self.reason.lock().clone()
    }

    fn set(&self, condition: &Condition) {
        let (level, reason) = match condition {
            Condition::Good => (GOOD, ""),
            Condition::Full(reason) => (FULL, reason.as_str()),
            Condition::Gone(reason) => (GONE, reason.as_str()),
        };
        reason.clone_into(&mut self.reason.lock());
        let before = self.level.swap(level, Ordering::Relaxed);
        if before == level {
            return;
        }
        match condition {
            Condition::Good => tracing::info!("messages are accepted again"),
            Condition::Full(reason) => {
                tracing::error!(reason, "no messages are accepted until there is room");
            }
            Condition::Gone(reason) => tracing::error!("{reason}"),
        }
    }
}

/// Checks the storage at once, and then repeatedly until the server stops.
pub(super) async fn keep_watch(runtime: Runtime, place: Place) {
    let mut place = Some(place);
    loop {
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = runtime.stopped() => return,
        }
        place = look(&runtime, place).await;
    }
}

/// Checks the storage once. Returns the place, unless it can no longer be checked.
pub(super) async fn look(runtime: &Runtime, place: Option<Place>) -> Option<Place> {
    let mut place = place?;
    let has_failed = runtime.storage.failed.swap(false, Ordering::Relaxed);
    // Calls to a file system can block indefinitely.
    let (volume, place) =
        tokio::task::spawn_blocking(move || (volume(&mut place), place)).await.ok()?;
    let condition = match volume {
        Volume::Gone(reason) => Condition::Gone(reason),
        _ if has_failed => return Some(place),
        Volume::Unknown => Condition::Good,
        Volume::Memory => in_memory(runtime).await,
        Volume::Free { available, reserve } => in_files(runtime, available, reserve).await,
    };
    if !runtime.is_stopping() {
        runtime.storage.set(&condition);
    }
    Some(place)
}

/// The state of the storage, as far as it is known without the database.
enum Volume {
    Memory,
    Free {
        available: u64,
        reserve: u64,
    },
    /// The file system does not report it.
    Unknown,
    Gone(String),
}

fn volume(place: &mut Place) -> Volume {
    let Place::Files(files, reserve) = place else { return Volume::Memory };
    if let Some(reason) = files.missing() {
        return Volume::Gone(reason);
    }
    match free_bytes(files.directory()) {
        Ok((available, size)) => {
            let reserve = reserve.unwrap_or_else(|| RESERVE.min(size / PART));
            Volume::Free { available, reserve }
        }
        Err(error) => {
            tracing::debug!(%error, "cannot ask how much of the volume is free");
            Volume::Unknown
        }
    }
}

/// Returns the bytes of the volume that this user may still use, and its size.
fn free_bytes(directory: &Path) -> io::Result<(u64, u64)> {
    let volume = rustix::fs::statvfs(directory)?;
    let bytes = |blocks: u64| blocks.saturating_mul(volume.f_frsize);
    Ok((bytes(volume.f_bavail), bytes(volume.f_blocks)))
}

async fn in_files(runtime: &Runtime, available: u64, reserve: u64) -> Condition {
    if available >= reserve {
        return Condition::Good;
    }
    // The file does not shrink: space of deleted rows in it is reused before it grows.
    let inside = free_space(runtime).await.map_or(0, |space| space.free as u64);
    if inside >= reserve {
        return Condition::Good;
    }
    Condition::Full(format!(
        "{available} bytes of the volume and {inside} bytes in the database are free, and {reserve} \
         are kept for receiving and deleting"
    ))
}

async fn in_memory(runtime: &Runtime) -> Condition {
    let Some(space) = free_space(runtime).await else { return Condition::Good };
    let free = MEMORY_BYTES - space.size + space.free;
    if free >= RESERVE as i64 {
        return Condition::Good;
    }
    Condition::Full(format!("of {MEMORY_BYTES} bytes of memory for the database {free} are free"))
}

async fn free_space(runtime: &Runtime) -> Option<FreeSpace> {
    runtime.run(|tx| Ok(tx.free_space()?)).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_room_is_refused_when_it_is_full_and_everything_when_it_is_gone() {
        let watch = StorageWatch::default();
        let admitted = || (watch.admit(true).is_ok(), watch.admit(false).is_ok());
        assert_eq!(admitted(), (true, true));
        watch.note_full();
        assert_eq!(admitted(), (false, true));
        assert_eq!(watch.admit(true).unwrap_err().kind, Kind::ServiceUnavailable);
        watch.set(&Condition::Gone("removed".to_owned()));
        assert_eq!(admitted(), (false, false));
        assert_eq!(watch.admit(false).unwrap_err().internal.as_deref(), Some("removed"));
        watch.note_full();
        assert_eq!(watch.condition(), Condition::Gone("removed".to_owned()));
        watch.set(&Condition::Good);
        assert_eq!(admitted(), (true, true));
    }
}
