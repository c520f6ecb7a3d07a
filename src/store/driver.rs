//! What a database must offer: statements with parameters, rows, one transaction at a time.

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

/// One row of an answer. Columns count from 0.
pub trait Row {
    /// An integer; NULL is `None`.
    fn int(&self, column: usize) -> Result<Option<i64>, Error>;
    /// A text; NULL is `None`.
    fn text(&self, column: usize) -> Result<Option<&str>, Error>;
    /// Bytes; NULL is `None`.
    fn blob(&self, column: usize) -> Result<Option<&[u8]>, Error>;
}

impl dyn Row + '_ {
    /// An integer that is there.
    pub fn i64(&self, column: usize) -> Result<i64, Error> {
        self.int(column)?.ok_or_else(|| missing(column))
    }

    /// A small integer that is there.
    pub fn u32(&self, column: usize) -> Result<u32, Error> {
        u32::try_from(self.i64(column)?).map_err(|_| missing(column))
    }

    /// A text that is there.
    pub fn string(&self, column: usize) -> Result<String, Error> {
        self.text(column)?.map(str::to_owned).ok_or_else(|| missing(column))
    }

    /// A text, or nothing.
    pub fn optional_string(&self, column: usize) -> Result<Option<String>, Error> {
        Ok(self.text(column)?.map(str::to_owned))
    }

    /// A UUID in 16 bytes.
    pub fn uuid(&self, column: usize) -> Result<uuid::Uuid, Error> {
        self.blob(column)?
            .and_then(|bytes| uuid::Uuid::from_slice(bytes).ok())
            .ok_or_else(|| missing(column))
    }
}

fn missing(column: usize) -> Error {
    Error::Corrupt(format!("column {column} of a row has no usable value"))
}

/// What is done with each row of an answer.
pub type EachRow<'a> = &'a mut dyn FnMut(&dyn Row) -> Result<(), Error>;

/// A database, which threads work with one after the other.
pub trait Database: Send {
    /// Hands over the connection for as long as `work` takes, for one transaction or several.
    fn serve(&mut self, work: &mut dyn FnMut(&mut dyn Driver));

    /// Whether a commit waits for nothing: then callers may commit by themselves, for they lose
    /// less time with that than with asking another thread.
    fn commits_at_once(&self) -> bool {
        false
    }
}

/// A connection that runs statements, with one transaction open at a time.
pub trait Driver {
    /// Opens a transaction.
    fn begin(&mut self) -> Result<(), Error>;
    /// Makes it durable.
    fn commit(&mut self) -> Result<(), Error>;
    /// Undoes it. Also right when the database has already done so by itself.
    fn rollback(&mut self);
    /// Runs a statement without an answer; tells how many rows it touched.
    fn execute(&mut self, sql: &'static str, parameters: &[Value<'_>]) -> Result<usize, Error>;
    /// Runs a statement and hands over each row of its answer.
    fn query(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
        each: EachRow<'_>,
    ) -> Result<(), Error>;
}
