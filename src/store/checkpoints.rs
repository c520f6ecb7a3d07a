//! Checkpoints where commits are not synced: when the write-ahead log is copied into the database file.
//!
//! A checkpoint syncs the log before it writes into the file, so that after a loss of power the log
//! has whatever the file has a part of. But when a sync fails, Linux may forget what it had to write;
//! a later sync succeeds without it. **After a failure the log is written anew before it is synced
//! again.** Else a loss of power could leave a file and a log that do not belong together. (Where every
//! commit is synced a failure takes the commit with it, and what comes next is written over it.)

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Pages in the write-ahead log before they are copied into the file.
pub(super) const PAGES: i32 = 4_000;
/// After how many pages more a checkpoint that has failed is tried again.
const PAGES_TO_RETRY: i32 = 400;
/// Bytes that are written anew at a time.
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

    /// Has the connection ask after each commit, in place of SQLite's own checkpoints, of whose
    /// failures nobody hears.
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

    /// Writes the log anew if that is called for.
    pub(super) fn make_sure(&self) -> io::Result<()> {
        if self.is_doubtful.load(Ordering::SeqCst) {
            write_anew(&self.log)?;
            self.is_doubtful.store(false, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Writes a file over itself and syncs it. Whatever happens meanwhile, it has what it had.
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
