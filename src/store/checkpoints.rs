//! Checkpoints for `--durability process`, which copy the write-ahead log into the database file.
//!
//! A checkpoint syncs the log before it writes into the file, so that after a power cut the log contains
//! every page of which the file has a part. But after a failed sync Linux may drop the pages that it had
//! to write, and a later sync succeeds without them. **After a failure the log is rewritten before it is
//! synced again.** Otherwise a power cut could leave a file and a log that contradict each other. (With
//! `full` a failed sync fails its commit, and the next commit overwrites it.)

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Pages in the write-ahead log that trigger a checkpoint.
pub(super) const PAGES: i32 = 4_000;
/// Additional pages after which a failed checkpoint is retried.
const PAGES_TO_RETRY: i32 = 400;
/// Bytes that are rewritten at a time.
const PIECE: usize = 1 << 20;

/// The checkpoints of one connection.
#[derive(Debug, Clone)]
pub(super) struct Checkpoints {
    log: PathBuf,
    /// Whether a sync of the log may have failed since it was written.
    is_doubtful: Arc<AtomicBool>,
}

impl Checkpoints {
    pub(super) fn new(log: PathBuf) -> Self {
        Self { log, is_doubtful: Arc::default() }
    }

    /// Checks after each commit of the connection whether a checkpoint is needed. Replaces SQLite's own
    /// checkpoints, which do not report failures.
    pub(super) fn watch(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let checkpoints = self.clone();
        let mut due_at = PAGES;
        connection.wal_hook(Some(move |wal: &mut Wal, pages: i32| {
            if pages >= due_at {
                due_at = checkpoints.attempt(wal).map_or_else(
                    |error| {
                        tracing::error!(%error, "cannot copy the log into the database");
                        pages + PAGES_TO_RETRY
                    },
                    |()| PAGES,
                );
            }
            Ok(())
        }))
    }

    fn attempt(&self, wal: &mut Wal) -> Result<(), String> {
        self.make_sure().map_err(|error| error.to_string())?;
        wal.checkpoint().map_err(|error| {
            self.is_doubtful.store(true, Ordering::SeqCst);
            error.to_string()
        })
    }

    /// Rewrites the log if a sync may have failed.
    pub(super) fn make_sure(&self) -> io::Result<()> {
        if self.is_doubtful.load(Ordering::SeqCst) {
            write_anew(&self.log)?;
            self.is_doubtful.store(false, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Overwrites a file with its own content and syncs it. An interruption at any point leaves the content
/// unchanged.
pub(super) fn write_anew(path: &Path) -> io::Result<()> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    loop {
        let read = file.read_at(&mut piece, at)?;
        if read == 0 {
            return if at == 0 { Ok(()) } else { file.sync_data() };
        }
        file.write_all_at(&piece[..read], at)?;
        at += read as u64;
    }
}
