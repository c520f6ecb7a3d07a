//! Watches the storage: new messages are rejected while there is still space to receive and delete
//! stored ones, and every call is rejected if the files no longer exist.
//!
//! The condition is checked once a second; calls only read it.

use super::Runtime;
use crate::domain::{Kind, Refusal};
use crate::store::{FreeSpace, MEMORY_BYTES, OpenFiles};
use std::io;
use std::mem::discriminant;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Time between two checks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Default number of bytes that are kept free: four times the usual size of the write-ahead log,
/// which grows during a large transaction.
const RESERVE: u64 = 64 * 1024 * 1024;
/// On a small volume, one part in this many is kept free.
const PART: u64 = 10;

/// The location of the rows, and the space that is kept free.
#[derive(Debug)]
pub enum StorageLocation {
    /// In memory, with a limited size.
    Memory,
    /// In these files. The number is the bytes of the volume to keep free; the default depends on
    /// the size of the volume.
    Files(OpenFiles, Option<u64>),
}

/// The condition of the storage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    /// Every call is served.
    #[default]
    Good,
    /// Calls that store messages or resources are rejected, for this reason.
    Full(String),
    /// Every call is rejected, for this reason.
    Gone(String),
}

/// The condition of the storage at the last check.
#[derive(Debug, Default)]
pub struct StorageWatch {
    condition: watch::Sender<Condition>,
    /// Whether a transaction has failed for lack of space since the last check.
    failed: AtomicBool,
}

impl StorageWatch {
    /// Rejects a call that the storage cannot serve. `stores` states whether the call needs more
    /// space than it frees.
    pub fn admit(&self, stores: bool) -> Result<(), Refusal> {
        match &*self.condition.borrow() {
            Condition::Full(_) if stores => Err(Refusal::new(
                Kind::ServiceUnavailable,
                "The server has no room for more at the moment. Try again later.",
            )),
            Condition::Good | Condition::Full(_) => Ok(()),
            Condition::Gone(reason) => Err(Refusal::caused_by(
                Kind::ServiceUnavailable,
                "The database file of the server was removed or replaced while the server runs. It \
                 serves nothing until it is restarted.",
                reason,
            )),
        }
    }

    /// Returns the condition.
    pub fn condition(&self) -> Condition {
        self.condition.borrow().clone()
    }

    /// Records that a transaction has failed for lack of space: nothing more is stored until the
    /// check after the next.
    pub(super) fn note_full(&self) {
        self.failed.store(true, Ordering::Relaxed);
        if *self.condition.borrow() == Condition::Good {
            self.set(Condition::Full("the database is full".to_owned()));
        }
    }

    /// Sets the condition, and returns whether it changed.
    fn set(&self, condition: Condition) -> bool {
        let before = self.condition.send_replace(condition.clone());
        if discriminant(&before) == discriminant(&condition) {
            return false;
        }
        match condition {
            Condition::Good => tracing::info!("messages are accepted again"),
            Condition::Full(reason) => {
                tracing::error!(reason, "new messages are rejected until space is free");
            }
            Condition::Gone(reason) => tracing::error!("{reason}"),
        }
        true
    }
}

/// Checks the storage periodically until the server stops.
pub(super) async fn keep_watch(runtime: Runtime, place: StorageLocation) {
    let mut place = Some(place);
    loop {
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = runtime.stopped() => return,
        }
        place = look(&runtime, place).await;
    }
}

/// Checks the storage. Returns the location, unless it can no longer be checked.
pub(super) async fn look(
    runtime: &Runtime,
    place: Option<StorageLocation>,
) -> Option<StorageLocation> {
    let mut place = place?;
    let has_failed = runtime.storage.failed.swap(false, Ordering::Relaxed);
    // A file system may block for a long time.
    let (volume, place) =
        tokio::task::spawn_blocking(move || (volume(&mut place), place)).await.ok()?;
    let condition = match volume {
        Err(reason) => Condition::Gone(reason),
        Ok(_) if has_failed => return Some(place),
        Ok(room) => match &place {
            StorageLocation::Memory => in_memory(runtime).await,
            StorageLocation::Files(_, reserve) => in_files(runtime, room, *reserve).await,
        },
    };
    if !runtime.is_stopping() && runtime.storage.set(condition) {
        // Background work may have waited for space.
        runtime.waiters.work.notify_one();
    }
    Some(place)
}

/// The free bytes of a volume and its size.
type Room = (u64, u64);

/// Returns the space of the volume, if there is one and the file system reports it. Fails if the
/// files no longer exist.
fn volume(place: &mut StorageLocation) -> Result<Option<Room>, String> {
    let StorageLocation::Files(files, _) = place else { return Ok(None) };
    if let Some(reason) = files.missing() {
        return Err(reason);
    }
    let room = room(files.directory());
    Ok(room.inspect_err(|error| tracing::debug!(%error, "cannot read the size of the volume")).ok())
}

/// Returns the bytes of the volume that this user may still use, and its size.
fn room(directory: &Path) -> io::Result<Room> {
    let volume = rustix::fs::statvfs(directory)?;
    let bytes = |blocks: u64| blocks.saturating_mul(volume.f_frsize);
    Ok((bytes(volume.f_bavail), bytes(volume.f_blocks)))
}

async fn in_files(runtime: &Runtime, room: Option<Room>, reserve: Option<u64>) -> Condition {
    let Some((available, size)) = room else { return Condition::Good };
    let reserve = reserve.unwrap_or_else(|| RESERVE.min(size / PART));
    if available >= reserve {
        return Condition::Good;
    }
    // The file does not shrink: deleted rows leave free pages in it, which are used before it
    // grows.
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
        watch.set(Condition::Gone("removed".to_owned()));
        assert_eq!(admitted(), (false, false));
        assert_eq!(watch.admit(false).unwrap_err().internal.as_deref(), Some("removed"));
        watch.note_full();
        assert_eq!(watch.condition(), Condition::Gone("removed".to_owned()));
        watch.set(Condition::Good);
        assert_eq!(admitted(), (true, true));
    }
}
