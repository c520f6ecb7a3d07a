//! SQLite as a [`Database`]: one connection, in WAL mode, held by this process alone.

use super::driver::{Database, Driver, EachRow, Row, Value};
use super::{Error, migrations};
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, ToSql};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Name of the database file in the data directory.
const FILE: &str = "squab.db";
/// Page cache of a file, in KiB: the working set of the indexes, whatever the backlog.
const CACHE_KIB: i64 = 32 * 1024;
/// Size of a page in memory. A commit now and then walks all pages that SQLite has cached, and in
/// memory that is the whole database: larger pages are fewer. In a file they would cost more to
/// write than they save.
const MEMORY_PAGE_BYTES: i64 = 16 * 1024;
/// Pages in the write-ahead log before they are copied into the file.
const CHECKPOINT_PAGES: i64 = 4_000;

/// Where the rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In memory, gone with the process.
    Memory,
    /// In a file in this directory, which is made if need be.
    Directory(PathBuf),
}

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A crash of the machine: every commit is on the disk before it is answered.
    #[default]
    Full,
    /// A crash of the process, not of the machine.
    Process,
}

/// A SQLite database.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
}

impl Sqlite {
    /// Opens the database and brings its schema up to date.
    pub fn open(location: &Location, durability: Durability) -> Result<Self, Error> {
        let mut connection = match location {
            Location::Memory => open_in_memory().map_err(|error| failure(&error))?,
            Location::Directory(directory) => open_file(directory)?,
        };
        let synchronous = match (location, durability) {
            (Location::Memory, _) => "OFF",
            (_, Durability::Full) => "FULL",
            (_, Durability::Process) => "NORMAL",
        };
        configure(&connection, synchronous).map_err(|error| match (failure(&error), location) {
            (Error::InUse(_), Location::Directory(directory)) => {
                Error::InUse(directory.display().to_string())
            }
            (other, _) => other,
        })?;
        migrations::apply(&mut connection)?;
        Ok(Self { connection })
    }
}

fn open_in_memory() -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    connection.pragma_update(None, "page_size", MEMORY_PAGE_BYTES)?;
    Ok(connection)
}

fn open_file(directory: &Path) -> Result<Connection, Error> {
    std::fs::create_dir_all(directory).map_err(|error| {
        Error::Unavailable(format!("cannot make the directory {}: {error}", directory.display()))
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let path = directory.join(FILE);
    Connection::open_with_flags(&path, flags)
        .map_err(|error| Error::Unavailable(format!("cannot open {}: {error}", path.display())))
}

fn configure(connection: &Connection, synchronous: &str) -> rusqlite::Result<()> {
    // Whoever else has the file keeps it: waiting for it would only delay the refusal.
    connection.busy_timeout(Duration::ZERO)?;
    // Plans must not depend on the values of parameters: where they do, SQLite prepares a
    // statement anew whenever a value changes, which costs more than running it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Exclusive: a second server on the same file is refused at its first read, and the index of
    // the write-ahead log stays in our own memory.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.execute_batch("BEGIN IMMEDIATE; COMMIT;")
}

pub(super) fn failure(error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::InUse("the database".into())
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch) => {
            Error::Corrupt(error.to_string())
        }
        Some(_) => Error::Unavailable(error.to_string()),
        None => Error::Corrupt(error.to_string()),
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Blob(value) => ValueRef::Blob(value),
        }))
    }
}

impl Database for Sqlite {
    fn serve(self: Box<Self>, work: &mut dyn FnMut(&mut dyn Driver)) {
        work(&mut Session { connection: &self.connection, statements: HashMap::default() });
    }
}

/// A connection with the statements that it has prepared.
///
/// Statements are found by the address of their text, which is static: looking them up by the text
/// itself, as rusqlite's cache does, costs as much as running a small one.
struct Session<'c> {
    connection: &'c Connection,
    statements: HashMap<(usize, usize), Statement<'c>, BuildHasherDefault<AddressHasher>>,
}

impl<'c> Session<'c> {
    /// The statement, prepared, with its parameters bound.
    fn bound(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
    ) -> rusqlite::Result<&mut Statement<'c>> {
        let statement = match self.statements.entry((sql.as_ptr().addr(), sql.len())) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(self.connection.prepare(sql)?),
        };
        bind(statement, parameters)?;
        Ok(statement)
    }
}

impl Driver for Session<'_> {
    fn begin(&mut self) -> Result<(), Error> {
        self.execute("BEGIN", &[]).map(drop)
    }

    fn commit(&mut self) -> Result<(), Error> {
        self.execute("COMMIT", &[]).map(drop)
    }

    fn rollback(&mut self) {
        // After some failures (a full disk) SQLite has rolled back by itself.
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

/// Addresses differ enough by themselves; they need to be spread, not defended.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize((*byte).into());
        }
    }

    fn write_usize(&mut self, number: usize) {
        const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
        self.0 = (self.0.rotate_left(5) ^ number as u64).wrapping_mul(ODD);
    }
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
