//! SQLite as a [`Database`]: one connection in WAL mode, and exclusive access to the file.

use super::checkpoints::{Checkpoints, PAGES, rewrite};
use super::driver::{Database, Driver, EachRow, Row, Value};
use super::files::{FILE, LOG, exposure, make_directory, make_file};
use super::{Error, migrations};
use clap::ValueEnum;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{
    CachedStatement, Connection, ErrorCode, FileControl, MAIN_DB, OpenFlags, Statement, ToSql,
};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use strum::Display;

/// Page cache for a file, in KiB: the working set of the indexes, which does not depend on the backlog.
const CACHE_KIB: i64 = 32 * 1024;
/// Page cache in memory, in KiB. Reading a page again is cheap there, and searching a large cache is not.
const MEMORY_CACHE_KIB: i64 = 4 * 1024;
/// Maximum bytes of a database in memory. It is one allocation, and SQLite allows none that is much larger.
pub const MEMORY_BYTES: i64 = i32::MAX as i64 + 1 - 64 * 1024;
/// Maximum number of prepared statements, which is more than Squab has.
const STATEMENTS: usize = 256;

/// Disables the locks of SQLite, because only one thread at a time uses the connection.
const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE
    .union(OpenFlags::SQLITE_OPEN_CREATE)
    .union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// The location of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In memory, lost at the end of the process.
    Memory,
    /// In a file in this directory, which is created if it is missing.
    Directory(PathBuf),
}

/// What an acknowledged commit survives. The comments of the variants are shown by `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize, Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Durability {
    /// A power cut: the state is synced to the disk before the answer
    #[default]
    Full,
    /// A crash of the program, but not of the machine
    Process,
}

/// A SQLite database.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    in_memory: bool,
    /// The checkpoints, if commits are not synced.
    checkpoints: Option<Checkpoints>,
}

impl Sqlite {
    /// Opens the database and upgrades its schema, which may take minutes for a large file of an early
    /// version.
    pub fn open(location: &Location, durability: Durability) -> Result<Self, Error> {
        match location {
            Location::Memory => Self::open_here(location, durability),
            Location::Directory(directory) => {
                make_directory(directory).map_err(|error| {
                    let path = directory.display();
                    Error::Unavailable(format!("cannot create the directory {path}: {error}"))
                })?;
                Self::open_here(location, durability).map_err(|error| of_file(error, directory))
            }
        }
    }

    fn open_here(location: &Location, durability: Durability) -> Result<Self, Error> {
        let mut connection = match location {
            Location::Memory => open_in_memory().map_err(|error| failure(&error))?,
            Location::Directory(directory) => open_file(directory)?,
        };
        // In memory a rollback journal copies less than a write-ahead log.
        let (journal, synchronous, cache_kib) = match (location, durability) {
            (Location::Memory, _) => ("TRUNCATE", "OFF", MEMORY_CACHE_KIB),
            (_, Durability::Full) => ("WAL", "FULL", CACHE_KIB),
            (_, Durability::Process) => ("WAL", "NORMAL", CACHE_KIB),
        };
        hold(&connection).map_err(|error| failure(&error))?;
        // This comes before the first change, because the file may belong to another program.
        migrations::examine(&connection)?;
        configure(&connection, journal, synchronous, cache_kib).map_err(|error| failure(&error))?;
        let mut checkpoints = None;
        if let Location::Directory(directory) = location {
            let log = directory.join(LOG);
            // A sync of the previous process may have failed.
            rewrite(&log)
                .map_err(|error| Error::Unavailable(format!("cannot rewrite {LOG}: {error}")))?;
            if durability == Durability::Process {
                let own = Checkpoints::new(log);
                own.watch(&mut connection).map_err(|error| failure(&error))?;
                checkpoints = Some(own);
            }
        }
        migrations::apply(&mut connection)?;
        Ok(Self { connection, in_memory: *location == Location::Memory, checkpoints })
    }
}

/// The faults that a check of a database has found; empty if there are none.
pub type Faults = Vec<String>;

impl Sqlite {
    /// Returns the newest time that a transaction has seen, to within a second, in Unix milliseconds.
    pub fn newest_time(&self) -> Result<i64, Error> {
        let sql = "SELECT at FROM newest_time WHERE id = 1";
        self.connection.query_row(sql, [], |row| row.get(0)).map_err(|error| failure(&error))
    }

    /// Sets whether rows that are deleted from now on are overwritten with zeros. The write-ahead log keeps
    /// their content until it is copied into the file and overwritten.
    pub fn overwrite_deleted(&self, overwrite: bool) -> Result<(), Error> {
        let sql =
            if overwrite { "PRAGMA secure_delete = ON" } else { "PRAGMA secure_delete = OFF" };
        self.connection.query_row(sql, [], |_| Ok(())).map_err(|error| failure(&error))
    }

    /// Checks the database in a directory without upgrading it. Returns its faults, or an error if it cannot
    /// be checked.
    pub fn check(directory: &Path) -> Result<Faults, Error> {
        if directory.join(FILE).try_exists().is_ok_and(|exists| !exists) {
            return Err(Error::Missing(directory.display().to_string()));
        }
        check_file(&directory.join(FILE)).map_err(|error| of_file(error, directory))
    }
}

fn check_file(path: &Path) -> Result<Faults, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| failure(&error))?;
    hold(&connection).map_err(|error| failure(&error))?;
    migrations::examine(&connection)?;
    faults(&connection).or_else(|error| match failure(&error) {
        // A severe fault ends the check itself with an error.
        Error::Corrupt(fault) => Ok(vec![fault]),
        other => Err(other),
    })
}

fn faults(connection: &Connection) -> rusqlite::Result<Faults> {
    let mut statement = connection.prepare("PRAGMA integrity_check")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    rows.filter(|row| row.as_deref() != Ok("ok")).collect()
}

impl Drop for Sqlite {
    /// Closes the database; SQLite copies the log into the file.
    fn drop(&mut self) {
        let Some(Err(error)) = self.checkpoints.as_ref().map(Checkpoints::make_sure) else {
            return;
        };
        tracing::error!(%error, "the log stays as it is");
        let never = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        drop(never);
    }
}

/// Opens a file in memory of up to [`MEMORY_BYTES`]. It is faster than SQLite's `:memory:`, whose page cache
/// is the whole database: a commit after a rebalance of a tree visits all of it.
fn open_in_memory() -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags_and_vfs("squab", FLAGS, c"memdb")?;
    let mut limit = MEMORY_BYTES;
    connection.file_control(Some(MAIN_DB), FileControl::SizeLimit(&mut limit))?;
    Ok(connection)
}

fn open_file(directory: &Path) -> Result<Connection, Error> {
    let path = directory.join(FILE);
    make_file(&path).map_err(|error| Error::Unavailable(format!("cannot create it: {error}")))?;
    if let Some(warning) = exposure(directory) {
        tracing::warn!("{warning}");
    }
    Connection::open_with_flags(&path, FLAGS).map_err(|error| failure(&error))
}

/// Adds the name of the file, or of the directory that is in use, to an error.
fn of_file(error: Error, directory: &Path) -> Error {
    match error {
        Error::InUse(_) => Error::InUse(directory.display().to_string()),
        other => Error::OfFile { path: directory.join(FILE), error: Box::new(other) },
    }
}

/// Configures a connection with exclusive access to the database.
fn hold(connection: &Connection) -> rusqlite::Result<()> {
    // Another process that uses the file will not release it, so waiting would only delay the error.
    connection.busy_timeout(Duration::ZERO)?;
    // With exclusive locks the first read of a second server on the same file fails, and the index of the
    // write-ahead log is in the memory of this process.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")
}

fn configure(
    connection: &Connection,
    journal: &str,
    synchronous: &str,
    cache_kib: i64,
) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Plans must not depend on the values of parameters. Otherwise SQLite prepares a statement again whenever
    // a value changes, which costs more than running it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "journal_mode", journal)?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "wal_autocheckpoint", PAGES)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.execute_batch("BEGIN IMMEDIATE; COMMIT;")
}

pub(super) fn failure(error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::InUse("the database".into())
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::TypeMismatch) => {
            Error::Corrupt(error.to_string())
        }
        Some(ErrorCode::NotADatabase) => Error::Foreign(error.to_string()),
        Some(ErrorCode::DiskFull) => Error::Full(error.to_string()),
        Some(_) => Error::Unavailable(error.to_string()),
        None => Error::Corrupt(error.to_string()),
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Blob(value) => ValueRef::Blob(value),
        }))
    }
}

impl Database for Sqlite {
    fn serve(&mut self, work: &mut dyn FnMut(&mut dyn Driver)) {
        let statements = Vec::with_capacity(16);
        work(&mut Session { connection: &self.connection, statements, begins: false });
    }

    fn commits_at_once(&self) -> bool {
        self.in_memory
    }
}

/// The connection with the prepared statements of one turn of the writer.
///
/// The statements return to the connection's cache at the end of the turn. Until then they are found by the
/// address of their static text. The cache would compare the text itself, which costs as much as running a
/// small statement.
struct Session<'c> {
    connection: &'c Connection,
    statements: Vec<(&'static str, CachedStatement<'c>)>,
    /// Whether a transaction was requested that begins with its first statement. Many jobs run none.
    begins: bool,
}

impl<'c> Session<'c> {
    /// Returns the prepared statement with its parameters bound, after it has begun the requested transaction.
    fn bound(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
    ) -> rusqlite::Result<&mut Statement<'c>> {
        if std::mem::take(&mut self.begins) {
            self.bound("BEGIN", &[])?.raw_execute()?;
        }
        let known = self.statements.iter().position(|(text, _)| std::ptr::eq(*text, sql));
        let index = if let Some(index) = known {
            index
        } else {
            self.statements.push((sql, self.connection.prepare_cached(sql)?));
            self.statements.len() - 1
        };
        let statement = &mut self.statements[index].1;
        bind(statement, parameters)?;
        Ok(statement)
    }
}

impl Driver for Session<'_> {
    fn begin(&mut self) -> Result<(), Error> {
        self.begins = true;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.begins) {
            return Ok(());
        }
        self.execute("COMMIT", &[]).map(drop)
    }

    fn rollback(&mut self) {
        self.begins = false;
        // After some failures, such as a full disk, SQLite has already rolled back.
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK", &[])
        {
            tracing::error!(%error, "cannot roll back");
        }
    }

    fn execute(&mut self, sql: &'static str, parameters: &[Value<'_>]) -> Result<usize, Error> {
        self.bound(sql, parameters)
            .and_then(Statement::raw_execute)
            .map_err(|error| failure(&error))
    }

    fn query(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
        each: EachRow<'_>,
    ) -> Result<(), Error> {
        let statement = self.bound(sql, parameters).map_err(|error| failure(&error))?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|error| failure(&error))? {
            each(&SqliteRow(row))?;
        }
        Ok(())
    }
}

fn bind(statement: &mut Statement<'_>, parameters: &[Value<'_>]) -> rusqlite::Result<()> {
    for (index, parameter) in (1..).zip(parameters) {
        statement.raw_bind_parameter(index, parameter)?;
    }
    Ok(())
}

struct SqliteRow<'r, 's>(&'r rusqlite::Row<'s>);

impl SqliteRow<'_, '_> {
    fn value(&self, column: usize) -> Result<ValueRef<'_>, Error> {
        self.0.get_ref(column).map_err(|error| failure(&error))
    }
}

fn wrong_type(column: usize) -> Error {
    Error::Corrupt(format!("column {column} of a row has another type"))
}

impl Row for SqliteRow<'_, '_> {
    fn is_null(&self, column: usize) -> Result<bool, Error> {
        Ok(self.value(column)? == ValueRef::Null)
    }

    fn int(&self, column: usize) -> Result<Option<i64>, Error> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(value) => Ok(Some(value)),
            _ => Err(wrong_type(column)),
        }
    }

    fn text(&self, column: usize) -> Result<Option<&str>, Error> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => {
                std::str::from_utf8(bytes).map(Some).map_err(|_| wrong_type(column))
            }
            _ => Err(wrong_type(column)),
        }
    }

    fn blob(&self, column: usize) -> Result<Option<&[u8]>, Error> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(bytes) => Ok(Some(bytes)),
            _ => Err(wrong_type(column)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By default SQLite limits a database in memory to 1 GiB.
    #[test]
    fn a_file_in_memory_may_have_two_gibibytes() {
        let sqlite = Sqlite::open(&Location::Memory, Durability::Process).unwrap();
        let mut limit = -1;
        let asked = FileControl::SizeLimit(&mut limit);
        sqlite.connection.file_control(Some(MAIN_DB), asked).unwrap();
        assert_eq!(limit, 2_147_418_112);
    }
}
