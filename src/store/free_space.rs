//! Room in the database file itself.

use super::{Error, Txn};

/// How large the file is, and how much of it is free for new rows, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeSpace {
    /// The whole file.
    pub size: i64,
    /// Pages of deleted rows, which are used again before the file grows.
    pub free: i64,
}

fields!(FreeSpace { size: i64, free: i64 });

impl Txn<'_> {
    /// Returns the room in the file. Its pages are counted anew, and nothing remembered is used, so it
    /// also shows that the database answers.
    pub fn free_space(&mut self) -> Result<FreeSpace, Error> {
        self.one(
            "SELECT page_count * page_size, freelist_count * page_size \
             FROM pragma_page_count, pragma_page_size, pragma_freelist_count",
            &[],
        )?
        .ok_or_else(|| Error::Corrupt("the database has no size".into()))
    }
}
