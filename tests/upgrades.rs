//! A large file of an early version, upgraded by a program that is killed repeatedly.

#![cfg(target_os = "linux")]

use crate::disk::Disk;
use crate::process::{Server, squab};
use rusqlite::Connection;
use serde_json::json;

/// Messages in the file: several pages of the migration that moves them.
const MESSAGES: i64 = 23_000;
/// Operations on files that each start is allowed before it is killed.
const OPERATIONS: u64 = 600;

/// Writes a file as the programs of schema version 4 left it.
fn write_early_file(path: &std::path::Path) {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    for migration in [
        include_str!("../migrations/0001_queues_and_messages.sql"),
        include_str!("../migrations/0002_topics.sql"),
        include_str!("../migrations/0003_contents_with_messages.sql"),
        include_str!("../migrations/0004_fewer_indexes.sql"),
    ] {
        connection.execute_batch(migration).unwrap();
    }
    connection
        .execute_batch(&format!(
            "INSERT INTO backlogs (id, ready) VALUES (1, {MESSAGES});
             INSERT INTO queues VALUES (1, '000000000000', 'us-east-1', 'q', 1, 0, 0, NULL, 0, 30, 0,
                 1048576, 1209600, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
             WITH RECURSIVE numbers (n) AS
                 (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MESSAGES})
             INSERT INTO messages (backlog, sequence, place, rank, message_group, content,
                 message_id, sent_at, receive_count, body, sender_id)
             SELECT 1, n, 0, n, 0, 0, randomblob(16), 4000000000000, 0, 'body ' || n, 'sender'
             FROM numbers;
             UPDATE sequence SET last = {MESSAGES};
             PRAGMA user_version = 4;"
        ))
        .unwrap();
    connection.close().unwrap();
}

#[test]
fn an_upgrade_that_is_killed_goes_on_where_it_was_and_loses_nothing() {
    let disk = Disk::new();
    let data = disk.data();
    std::fs::create_dir_all(&data).unwrap();
    write_early_file(&data.join("squab.db"));
    let arguments = ["--data", data.to_str().unwrap()];
    let mut kills = 0;
    let mut resumed = 0;
    let server = loop {
        disk.die_after(OPERATIONS);
        match Server::try_start(disk.insert(&mut squab(&arguments))) {
            Ok(server) => break server,
            Err(log) => {
                kills += 1;
                resumed += usize::from(log.contains("going on with an upgrade"));
                // Every start gets further, although none has the time for all of it.
                assert!(kills < 100, "it does not get on: {log}");
            }
        }
    };
    disk.let_live();
    println!("{kills} kills, {resumed} of them after an upgrade had begun");
    assert!(resumed > 2, "{kills} kills, {resumed} resumed");
    let url = json!({"QueueUrl": "q", "AttributeNames": ["All"]});
    let attributes = server.connect().ok("GetQueueAttributes", &url);
    let count = attributes["Attributes"]["ApproximateNumberOfMessages"].as_str().unwrap();
    assert_eq!(count, MESSAGES.to_string());
    assert_eq!(server.terminate().0, Some(0));
    let file = Connection::open(data.join("squab.db")).unwrap();
    let (rows, bodies): (i64, i64) = file
        .query_row(
            "SELECT count(*), sum(body = 'body ' || sequence AND rank = sequence) FROM messages",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!((rows, bodies), (MESSAGES, MESSAGES));
}
