//! What can go wrong with rows, and what the engine is given then.

use crate::domain::{Kind, Refusal};
use std::path::PathBuf;

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
    /// There is no file to check in this directory.
    #[error(
        "there is no database in {0}; name the data directory of a server with --data or SQUAB_DATA"
    )]
    Missing(String),
    /// A failure that concerns the whole of a file.
    #[error("{}: {error}", path.display())]
    OfFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: Box<Error>,
    },
    /// Another process has the data directory.
    #[error(
        "{0} is in use by another process: stop that server first, or use another --data directory"
    )]
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
    /// Returns what callers are answered: what is wrong, without the names and values that are for
    /// the log.
    fn from(error: Error) -> Self {
        let (kind, sentence) = match &error {
            Error::Unavailable(_) => (
                Kind::ServiceUnavailable,
                "The server cannot read or write its database at the moment. Try again later.",
            ),
            Error::Full(_) => (
                Kind::ServiceUnavailable,
                "The server has no room for more at the moment. Try again later.",
            ),
            Error::Closed => (Kind::ServiceUnavailable, "The server is shutting down."),
            Error::Corrupt(_) => {
                (Kind::InternalFailure, "The server has read something unexpected in its database.")
            }
            Error::InUse(_)
            | Error::Foreign(_)
            | Error::Missing(_)
            | Error::OfFile { .. }
            | Error::Newer { .. } => (Kind::InternalFailure, "The server cannot use its database."),
        };
        Refusal::caused_by(kind, sentence, error)
    }
}
