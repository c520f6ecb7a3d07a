//! The schema's history: numbered SQL, forward only, applied when the store is opened.

use super::Error;
use rusqlite::Connection;

/// Every migration, in order; its version is its place in the list, counted from 1.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_queues_and_messages.sql"),
    include_str!("../../migrations/0002_topics.sql"),
    include_str!("../../migrations/0003_contents_with_messages.sql"),
    include_str!("../../migrations/0004_fewer_indexes.sql"),
];

/// Brings the file to the latest version, or refuses one that a later program has written.
pub(super) fn apply(connection: &mut Connection) -> Result<(), Error> {
    let unavailable = |error: rusqlite::Error| super::sqlite::failure(&error);
    let found: i64 =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(unavailable)?;
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(Error::Newer { found, known });
    }
    for (version, sql) in (1..).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction().map_err(unavailable)?;
        transaction.execute_batch(sql).map_err(unavailable)?;
        transaction.pragma_update(None, "user_version", version).map_err(unavailable)?;
        transaction.commit().map_err(unavailable)?;
    }
    Ok(())
}
