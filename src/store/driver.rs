//! The interface of a database: statements with parameters, rows, one transaction at a time.

use super::Error;
use std::borrow::Cow;

/// A parameter of a statement.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// SQL NULL
    Null,
    /// 64-bit integer
    Int(i64),
    /// UTF-8 text
    Text(Cow<'a, str>),
    /// Bytes
    Blob(Cow<'a, [u8]>),
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
        Value::Text(Cow::Borrowed(value))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Value::Text(Cow::Borrowed(value))
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Value::Blob(Cow::Borrowed(value))
    }
}

impl<'a> From<&'a uuid::Uuid> for Value<'a> {
    fn from(value: &'a uuid::Uuid) -> Self {
        Value::Blob(Cow::Borrowed(value.as_bytes()))
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
    /// Returns whether a column is NULL.
    fn is_null(&self, column: usize) -> Result<bool, Error>;
    /// Returns an integer; NULL is `None`.
    fn int(&self, column: usize) -> Result<Option<i64>, Error>;
    /// Returns a text; NULL is `None`.
    fn text(&self, column: usize) -> Result<Option<&str>, Error>;
    /// Returns bytes; NULL is `None`.
    fn blob(&self, column: usize) -> Result<Option<&[u8]>, Error>;
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
