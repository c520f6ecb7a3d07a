//! The files of the database: who can read them, and whether they are still there.
//!
//! Messages are private. What Squab creates is for its user alone, whatever the umask; SQLite gives
//! the log the mode of the database. What exists already is left as it is.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Name of the database file in the data directory, and of its write-ahead log.
pub(super) const FILE: &str = "squab.db";
pub(super) const LOG: &str = "squab.db-wal";

const PRIVATE_DIRECTORY: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;
/// Permissions of those who are neither the owner nor in the group, to read a file.
const READABLE_BY_OTHERS: u32 = 0o004;
/// The same, to list a directory or to reach what is in it.
const OPEN_TO_OTHERS: u32 = 0o005;
/// New files get the group of the directory: so are volumes that belong to a group, such as those
/// with an fsGroup of Kubernetes, whose directory others may list.
const SET_GROUP_ID: u32 = 0o2000;

/// Makes a directory, and those above it, so that they are on the disk before anything is put into
/// them: SQLite syncs what is in the directory, but a loss of power could take the directory itself,
/// and everything that was acknowledged since.
pub(super) fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = match directory.parent() {
        Some(above) if above != Path::new("") => above,
        _ => Path::new("."),
    };
    make_directory(above)?;
    match DirBuilder::new().mode(PRIVATE_DIRECTORY).create(directory) {
        // A umask may have taken permissions of the owner's.
        Ok(()) => std::fs::set_permissions(directory, Permissions::from_mode(PRIVATE_DIRECTORY))?,
        Err(error) if !directory.is_dir() => return Err(error),
        Err(_) => {}
    }
    if let Err(error) = File::open(above).and_then(|above| above.sync_all()) {
        // Some file systems cannot. SQLite does not insist on it either.
        let path = directory.display();
        tracing::warn!(%error, "a loss of power may take {path}: cannot sync the directory above");
    }
    Ok(())
}

/// Makes an empty database file, unless there is one.
pub(super) fn make_file(path: &Path) -> io::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(path);
    match made {
        Ok(file) => file.set_permissions(Permissions::from_mode(PRIVATE_FILE)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Returns a sentence for the log if other users of the machine can read the data, or list it.
pub(super) fn exposure(directory: &Path) -> Option<String> {
    let mode = std::fs::metadata(directory).ok()?.mode() & 0o7777;
    let path = directory.display();
    let is_reachable = mode & OPEN_TO_OTHERS != 0;
    let is_readable = |name: &&&str| {
        let found = std::fs::metadata(directory.join(name));
        found.is_ok_and(|found| found.mode() & READABLE_BY_OTHERS != 0)
    };
    if !is_reachable {
        return None;
    }
    if let Some(name) = [FILE, LOG].iter().find(is_readable) {
        return Some(format!(
            "other users of this machine can read the messages in {path}/{name}; close it with \
             `chmod 700 {path}` and `chmod 600 {path}/{FILE}*`"
        ));
    }
    (mode & SET_GROUP_ID == 0).then(|| {
        format!(
            "other users of this machine can list {path} (mode {mode:04o}), but not read the \
             database in it; `chmod 700 {path}` closes it"
        )
    })
}

/// Returns whether users other than the owner and the group can read a file.
pub fn is_readable_by_others(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.mode() & READABLE_BY_OTHERS != 0)
}

/// The files that a server has open, to see whether they are still the ones in the directory.
#[derive(Debug, Clone)]
pub struct OpenFiles {
    directory: PathBuf,
    database: Identity,
    /// None until the log has been seen.
    log: Option<Identity>,
}

/// What a file is, whatever its name.
type Identity = (u64, u64);

fn identity(found: &Metadata) -> Identity {
    (found.dev(), found.ino())
}

impl OpenFiles {
    /// Returns the files that are in the directory now.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let database = identity(&std::fs::metadata(directory.join(FILE))?);
        Ok(Self { directory: directory.to_owned(), database, log: None })
    }

    /// Returns the data directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns what has happened to a file, without its directory, if it is not there any more. What is
    /// written to it then is lost at the end of the process.
    pub fn missing(&mut self) -> Option<String> {
        let database = self.directory.join(FILE);
        if let Some(what) = changed(&database, self.database) {
            return Some(what);
        }
        let log = self.directory.join(LOG);
        if let Some(known) = self.log {
            return changed(&log, known);
        }
        self.log = std::fs::metadata(log).ok().as_ref().map(identity);
        None
    }
}

fn changed(path: &Path, known: Identity) -> Option<String> {
    let what = match std::fs::metadata(path) {
        Ok(found) if identity(&found) == known => return None,
        Ok(_) => "was replaced",
        Err(error) if error.kind() == ErrorKind::NotFound => "was removed",
        // A file system that fails is not one that has lost the file.
        Err(_) => return None,
    };
    let name = path.file_name()?.display();
    Some(format!(
        "{name} {what} while the server runs; what it writes would be lost: restore the file if need \
         be, and restart"
    ))
}
