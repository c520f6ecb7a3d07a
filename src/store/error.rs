//! What can go wrong with rows, and what the engine is given then.

use crate::domain::{Kind, Refusal};

/// A failure of the database, never of the caller.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database cannot do it now: a read or write failed.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// There is no room: the disk is full, or the largest size of a database in memory is reached.
    #[error("the database is unavailable: {0}")]
    Full(String),
    /// The file is not one that this program can use.
    #[error("the database is not one that this program can use: {0}")]
    Foreign(String),
    /// A row does not have the shape that this program gives it.
    #[error("the database holds something unexpected: {0}")]
    Corrupt(String),
    /// Another process has the data directory.
    #[error("{0} is in use by another process; two servers cannot share one data directory")]
    InUse(String),
    /// The file was written by a later version.
    #[error(
        "the database has schema version {found}, this program knows versions up to {known}: \
         it was written by a newer squab; start that version, or use another data directory"
    )]
    Newer {
        /// Version of the file.
        found: i64,
        /// Latest version known here.
        known: i64,
    },
    /// The server is stopping.
    #[error("the store has been shut down")]
    Closed,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let cause = error.to_string();
        let kind = match error {
            Error::Unavailable(_) | Error::Full(_) | Error::Closed => Kind::ServiceUnavailable,
            Error::Corrupt(_) | Error::InUse(_) | Error::Foreign(_) | Error::Newer { .. } => {
                Kind::InternalFailure
            }
        };
        Refusal { kind, ..Refusal::internal(cause) }
    }
}
