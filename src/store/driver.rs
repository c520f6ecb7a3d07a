//! The interface of a database: statements with parameters, rows, one transaction at a time.

use super::Error;

/// A parameter of a statement.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// SQL NULL
    Null,
    /// 64-bit integer
    Int(i64),
    /// UTF-8 text
    Text(&'a str),
    /// Bytes
    Blob(&'a [u8]),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Value::Int(i64::from(value))
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Int(i64::from(value))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Value::Text(value)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Value::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Value::Blob(value)
    }
}

impl<'a> From<&'a uuid::Uuid> for Value<'a> {
    fn from(value: &'a uuid::Uuid) -> Self {
        Value::Blob(value.as_bytes())
    }
}

impl<'a, T> From<Option<T>> for Value<'a>
where
    T: Into<Value<'a>>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// One row of a result. Columns count from 0.
pub trait Row {
    /// An integer; NULL is `None`.
    fn int(&self, column: usize) -> Result<Option<i64>, Error>;
    /// A text; NULL is `None`.
    fn text(&self, column: usize) -> Result<Option<&str>, Error>;
    /// Bytes; NULL is `None`.
    fn blob(&self, column: usize) -> Result<Option<&[u8]>, Error>;
}

impl dyn Row + '_ {
    /// Returns an integer; NULL is an error.
    pub fn i64(&self, column: usize) -> Result<i64, Error> {
        self.int(column)?.ok_or_else(|| missing(column))
    }

    /// Returns a small integer; NULL is an error.
    pub fn u32(&self, column: usize) -> Result<u32, Error> {
        u32::try_from(self.i64(column)?).map_err(|_| missing(column))
    }

    /// Returns a text; NULL is an error.
    pub fn string(&self, column: usize) -> Result<String, Error> {
        self.text(column)?.map(str::to_owned).ok_or_else(|| missing(column))
    }

    /// Returns a text; NULL is `None`.
    pub fn optional_string(&self, column: usize) -> Result<Option<String>, Error> {
        Ok(self.text(column)?.map(str::to_owned))
    }

    /// Returns a UUID, stored in 16 bytes.
    pub fn uuid(&self, column: usize) -> Result<uuid::Uuid, Error> {
        self.blob(column)?
            .and_then(|bytes| uuid::Uuid::from_slice(bytes).ok())
            .ok_or_else(|| missing(column))
    }
}

fn missing(column: usize) -> Error {
    Error::Corrupt(format!("column {column} of a row has no usable value"))
}

/// A function that is called with each row of a result.
pub type EachRow<'a> = &'a mut dyn FnMut(&dyn Row) -> Result<(), Error>;

/// A database, which one thread uses at a time.
pub trait Database: Send {
    /// Passes the connection to `work`, for one transaction or several.
    fn serve(&mut self, work: &mut dyn FnMut(&mut dyn Driver));

    /// Returns whether a commit waits for no disk. Then callers may commit by themselves, which takes less
    /// time than a job for another thread.
    fn commits_at_once(&self) -> bool {
        false
    }
}

/// A connection that runs statements, with one transaction open at a time.
pub trait Driver {
    /// Opens a transaction.
    fn begin(&mut self) -> Result<(), Error>;
    /// Commits the transaction.
    fn commit(&mut self) -> Result<(), Error>;
    /// Rolls the transaction back. Succeeds if the database has already done so by itself.
    fn rollback(&mut self);
    /// Runs a statement without a result. Returns the number of changed rows.
    fn execute(&mut self, sql: &'static str, parameters: &[Value<'_>]) -> Result<usize, Error>;
    /// Runs a statement and passes on each row of its result.
    fn query(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
        each: EachRow<'_>,
    ) -> Result<(), Error>;
}
