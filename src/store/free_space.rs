//! Free space in the database file.

use super::{Error, Txn};

/// The size of the file and its free space for new rows, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeSpace {
    /// The whole file.
    pub size: i64,
    /// Pages of deleted rows, which are reused before the file grows.
    pub free: i64,
}

fields!(FreeSpace { size: i64, free: i64 });

impl Txn<'_> {
    /// Returns the free space in the file. It counts the pages and uses no cache, so it also shows that the
    /// database responds.
    pub fn free_space(&mut self) -> Result<FreeSpace, Error> {
        self.one(
            "SELECT page_count * page_size, freelist_count * page_size \
             FROM pragma_page_count, pragma_page_size, pragma_freelist_count",
            &[],
        )?
        .ok_or_else(|| Error::Corrupt("the database has no size".into()))
    }
}
