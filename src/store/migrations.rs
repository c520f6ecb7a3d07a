//! The schema's history: numbered SQL, forward only, applied when the store is opened.

use super::Error;
use rusqlite::Connection;

/// Every migration, in order; its version is its place in the list, counted from 1.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_queues_and_messages.sql"),
    include_str!("../../migrations/0002_topics.sql"),
    include_str!("../../migrations/0003_contents_with_messages.sql"),
    include_str!("../../migrations/0004_fewer_indexes.sql"),
    include_str!("../../migrations/0005_messages_in_order.sql"),
    include_str!("../../migrations/0006_subscriptions.sql"),
    include_str!("../../migrations/0007_forwards.sql"),
    include_str!("../../migrations/0008_no_index_of_archives.sql"),
    include_str!("../../migrations/0009_fifo_order.sql"),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A file as the program of a version left it.
    fn of_version(version: usize) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        for sql in &MIGRATIONS[..version] {
            connection.execute_batch(sql).unwrap();
        }
        connection.pragma_update(None, "user_version", version as i64).unwrap();
        connection
    }

    #[test]
    fn messages_of_an_older_file_are_there_in_the_order_of_their_sends() {
        let mut connection = of_version(4);
        for (backlog, sequence) in [(7, 30), (7, 10), (5, 20)] {
            connection
                .execute(
                    "INSERT INTO messages (backlog, sequence, place, rank, message_group, content, \
                     message_id, sent_at, receive_count, body, sender_id) \
                     VALUES (?1, ?2, 0, ?2, 0, 0, x'00', 1, 2, 'body ' || ?2, 'sender')",
                    [backlog, sequence],
                )
                .unwrap();
        }
        apply(&mut connection).unwrap();
        let mut statement = connection
            .prepare("SELECT backlog, sequence, receive_count, body FROM messages")
            .unwrap();
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .unwrap()
            .collect::<Result<Vec<(i64, i64, i64, String)>, _>>()
            .unwrap();
        let expected = [(7, 10, "body 10"), (5, 20, "body 20"), (7, 30, "body 30")];
        assert_eq!(
            rows,
            expected.map(|(backlog, sequence, body)| { (backlog, sequence, 2, body.to_owned()) })
        );
    }

    #[test]
    fn a_file_of_a_later_program_is_refused() {
        let mut connection = of_version(MIGRATIONS.len());
        connection.pragma_update(None, "user_version", MIGRATIONS.len() as i64 + 1).unwrap();
        assert!(matches!(apply(&mut connection), Err(Error::Newer { .. })));
    }
}
