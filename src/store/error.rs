//! What can go wrong with rows, and how the engine hears of it.

use crate::domain::{Kind, Refusal};

/// A failure of the database, never of the caller.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database cannot do it now: the disk is full, a read or write failed.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
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
            Error::Unavailable(_) | Error::Closed => Kind::ServiceUnavailable,
            Error::Corrupt(_) | Error::InUse(_) | Error::Newer { .. } => Kind::InternalFailure,
        };
        Refusal { kind, ..Refusal::internal(cause) }
    }
}
