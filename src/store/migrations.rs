//! The schema's history: numbered SQL, forward only, applied when the store is opened.
//!
//! A new file gets all of it in one transaction. An older file is brought up to date in steps, each
//! with its own transaction, so that a start that is killed loses no more than the step that it was
//! at. A migration is one step, unless lines of its text divide it:
//!
//! - `-- step` begins another step;
//! - `-- step, repeated` begins one that is repeated, each time in a transaction of its own, until its
//!   last statement changes no row: it works on one page of a large table.
//!
//! While an upgrade is under way the file has a table, `upgrade`, that says how far it is, and already
//! the latest version, so that no older program takes it for its own.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::Error;
use super::sqlite::failure;

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
    include_str!("../../migrations/0010_newest_time.sql"),
    include_str!("../../migrations/0011_shares_of_accounts.sql"),
    include_str!("../../migrations/0012_receipt_key.sql"),
];

/// What the file's header says of whose it is: `Squb`.
const APPLICATION_ID: i64 = 0x5371_7562;
/// The first version whose files have that id. Earlier ones have 0, as have files of most other
/// programs.
const FIRST_MARKED: i64 = 10;

/// How often the progress of an upgrade is logged.
const REPORT: Duration = Duration::from_secs(2);
/// Instructions of SQLite's machine between two looks at the time.
const INSTRUCTIONS: i32 = 1_000_000;

/// The latest version of the schema.
pub(super) fn latest() -> i64 {
    MIGRATIONS.len() as i64
}

/// What the file is, as far as Squab can use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// Nothing is in it yet.
    Empty,
    /// It has the schema of a version.
    Version(i64),
    /// An upgrade was interrupted.
    Upgrading(Progress),
}

/// How far an upgrade is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// The migration at hand.
    version: i64,
    /// Steps of it that have been done.
    steps: i64,
}

/// Returns what the file is, without changing it, or why it is not one that this program can use.
pub(super) fn examine(connection: &Connection) -> Result<Condition, Error> {
    let application: i64 = pragma(connection, "application_id")?;
    if application != 0 && application != APPLICATION_ID {
        return Err(Error::Foreign(format!(
            "its application_id is {application}, that of another program"
        )));
    }
    let version: i64 = pragma(connection, "user_version")?;
    if version < 0 {
        return Err(Error::Foreign(format!(
            "its user_version is {version}, which no squab writes"
        )));
    }
    if version > latest() {
        return Err(Error::Newer { found: version, known: latest() });
    }
    if application == 0 && version >= FIRST_MARKED {
        return Err(Error::Foreign(format!(
            "its user_version is {version} and its application_id is 0, which no squab writes together"
        )));
    }
    let found = schema(connection)?;
    if found.contains("upgrade") {
        let progress = progress(connection)?;
        return Ok(Condition::Upgrading(progress));
    }
    if version == 0 && found.is_empty() {
        return Ok(Condition::Empty);
    }
    if version == 0 {
        return Err(Error::Foreign("it has tables, but its user_version is 0".to_owned()));
    }
    compare(version, &found, application == APPLICATION_ID)?;
    Ok(Condition::Version(version))
}

/// Brings the file to the latest version.
pub(super) fn apply(connection: &mut Connection) -> Result<(), Error> {
    match examine(connection)? {
        Condition::Empty => create(connection),
        Condition::Version(version) if version == latest() => mark(connection),
        Condition::Version(version) => {
            tracing::info!(from = version, to = latest(), "upgrading the database");
            let first = Progress { version: version + 1, steps: 0 };
            within(connection, |transaction| {
                transaction.execute_batch(
                    "CREATE TABLE upgrade (version INTEGER NOT NULL, steps INTEGER NOT NULL)",
                )?;
                transaction.execute(
                    "INSERT INTO upgrade (version, steps) VALUES (?1, ?2)",
                    [first.version, first.steps],
                )?;
                stamp(transaction)
            })?;
            upgrade(connection, first)
        }
        Condition::Upgrading(progress) => {
            tracing::info!(
                migration = progress.version,
                steps = progress.steps,
                to = latest(),
                "going on with an upgrade of the database that was interrupted"
            );
            upgrade(connection, progress)
        }
    }
}

/// Makes the schema of a new file.
fn create(connection: &mut Connection) -> Result<(), Error> {
    within(connection, |transaction| {
        for sql in MIGRATIONS {
            transaction.execute_batch(sql)?;
        }
        stamp(transaction)
    })
}

/// Gives the file of an early version Squab's application id.
fn mark(connection: &mut Connection) -> Result<(), Error> {
    if pragma(connection, "application_id")? == APPLICATION_ID {
        return Ok(());
    }
    within(connection, stamp)
}

/// Does the steps that remain.
fn upgrade(connection: &mut Connection, progress: Progress) -> Result<(), Error> {
    let began = now();
    within(connection, stamp)?;
    let mut done = progress.steps as usize;
    for (version, sql) in (1..).zip(MIGRATIONS).skip(progress.version as usize - 1) {
        let all = steps(sql);
        for (number, step) in (1..).zip(&all).skip(done) {
            let label =
                format!("migration {version} of {}, step {number} of {}", latest(), all.len());
            run(connection, step, label, began, |transaction| {
                let next =
                    if number == all.len() { (version + 1, 0) } else { (version, number as i64) };
                transaction.execute("UPDATE upgrade SET version = ?1, steps = ?2", next).map(drop)
            })?;
        }
        done = 0;
    }
    within(connection, |transaction| transaction.execute_batch("DROP TABLE upgrade"))?;
    tracing::info!(version = latest(), took = ?began.elapsed(), "the database is up to date");
    Ok(())
}

/// A part of a migration with a transaction of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    sql: &'static str,
    repeats: bool,
}

/// Returns the steps of a migration.
fn steps(sql: &'static str) -> Vec<Step> {
    const MARK: &str = "\n-- step";
    const REPEATED: &str = ", repeated\n";
    let mut parts = sql.split(MARK);
    let first = parts.next().map(|sql| Step { sql, repeats: false });
    let rest = parts.map(|part| match part.strip_prefix(REPEATED) {
        Some(sql) => Step { sql, repeats: true },
        None => Step { sql: part, repeats: false },
    });
    first.into_iter().chain(rest).collect()
}

/// Runs a step; `record` writes down that it is done, in the same transaction.
fn run(
    connection: &mut Connection,
    step: &Step,
    label: String,
    began: Instant,
    record: impl Fn(&Transaction<'_>) -> rusqlite::Result<()>,
) -> Result<(), Error> {
    let mut reported = now();
    let mut rows: u64 = 0;
    let statement = label.clone();
    let watching = connection.progress_handler(
        INSTRUCTIONS,
        Some(move || {
            if reported.elapsed() >= REPORT {
                reported = now();
                let seconds = began.elapsed().as_secs();
                tracing::info!(seconds, "upgrading the database: {statement}");
            }
            false
        }),
    );
    watching.map_err(|error| failure(&error))?;
    let mut reported = now();
    loop {
        let mut changed = 0;
        within(connection, |transaction| {
            transaction.execute_batch(step.sql)?;
            changed = if step.repeats { transaction.changes() } else { 0 };
            if changed == 0 { record(transaction) } else { Ok(()) }
        })?;
        if changed == 0 {
            break;
        }
        rows += changed;
        if reported.elapsed() >= REPORT {
            reported = now();
            tracing::info!(rows, "upgrading the database: {label}");
        }
    }
    let ended = connection.progress_handler(0, None::<fn() -> bool>);
    ended.map_err(|error| failure(&error))
}

fn within(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
) -> Result<(), Error> {
    let transaction = connection.transaction().map_err(|error| failure(&error))?;
    work(&transaction).and_then(|()| transaction.commit()).map_err(|error| failure(&error))
}

/// Writes whose file it is, and that only this version or a later one can use it.
fn stamp(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", latest())
}

fn pragma(connection: &Connection, name: &str) -> Result<i64, Error> {
    connection.pragma_query_value(None, name, |row| row.get(0)).map_err(|error| failure(&error))
}

fn progress(connection: &Connection) -> Result<Progress, Error> {
    let row = connection
        .query_row("SELECT version, steps FROM upgrade", [], |row| {
            Ok(Progress { version: row.get(0)?, steps: row.get(1)? })
        })
        .optional()
        .map_err(|error| failure(&error))?;
    row.filter(|progress| (1..=latest() + 1).contains(&progress.version) && progress.steps >= 0)
        .ok_or_else(|| Error::Foreign("its table `upgrade` is not one of squab".to_owned()))
}

/// Returns the names of tables and indexes, and of the columns of tables as `table.column`.
fn schema(connection: &Connection) -> Result<BTreeSet<String>, Error> {
    let read = || {
        let mut statement = connection.prepare(
            "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
             UNION ALL \
             SELECT tables.name || '.' || columns.name \
             FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns \
             WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
        )?;
        let names = statement.query_map([], |row| row.get::<_, String>(0))?;
        names.collect::<rusqlite::Result<BTreeSet<_>>>()
    };
    read().map_err(|error| failure(&error))
}

/// Refuses a file whose tables are not those of the version that it claims to have. Only a file that
/// is marked as Squab's may have tables, indexes and columns that its user has added.
fn compare(version: i64, found: &BTreeSet<String>, is_marked: bool) -> Result<(), Error> {
    let refuse = |what: String| {
        Err(Error::Foreign(format!(
            "its user_version is {version}, but {what}: the version was changed, or it is the file of \
             another program"
        )))
    };
    let expected = schema_of(version)?;
    if let Some(missing) = expected.difference(found).next() {
        return refuse(format!("it has no `{missing}`"));
    }
    if !is_marked && let Some(surplus) = found.difference(&expected).next() {
        return refuse(format!("it has `{surplus}`"));
    }
    if version == latest() {
        return Ok(());
    }
    // What other versions have means that the version is wrong.
    for other in 1..=latest() {
        let theirs = schema_of(other)?;
        let surplus = |name: &&String| !expected.contains(*name) && theirs.contains(*name);
        if let Some(surplus) = found.iter().find(surplus) {
            return refuse(format!("it has the `{surplus}` of another version"));
        }
    }
    Ok(())
}

fn schema_of(version: i64) -> Result<BTreeSet<String>, Error> {
    let made = || {
        let connection = Connection::open_in_memory()?;
        for sql in &MIGRATIONS[..version as usize] {
            connection.execute_batch(sql)?;
        }
        Ok(connection)
    };
    schema(&made().map_err(|error: rusqlite::Error| failure(&error))?)
}

#[expect(clippy::disallowed_methods, reason = "progress in the log; no rule depends on it")]
fn now() -> Instant {
    Instant::now()
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
        if version as i64 >= FIRST_MARKED {
            connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        }
        connection
    }

    fn insert(connection: &Connection, messages: impl IntoIterator<Item = (i64, i64)>) {
        for (backlog, sequence) in messages {
            connection
                .execute(
                    "INSERT INTO messages (backlog, sequence, place, rank, message_group, content, \
                     message_id, sent_at, receive_count, body, sender_id) \
                     VALUES (?1, ?2, 0, ?2, 0, 0, x'00', 1, 2, 'body ' || ?2, 'sender')",
                    [backlog, sequence],
                )
                .unwrap();
        }
    }

    fn count(connection: &Connection, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn messages_of_an_older_file_are_there_in_the_order_of_their_sends() {
        let mut connection = of_version(4);
        insert(&connection, [(7, 30), (7, 10), (5, 20)]);
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
    fn a_file_of_every_version_gets_the_schema_of_a_new_one() {
        let new = schema_of(latest()).unwrap();
        for version in 1..=MIGRATIONS.len() {
            let mut connection = of_version(version);
            apply(&mut connection).unwrap();
            assert_eq!(schema(&connection).unwrap(), new, "from {version}");
            assert_eq!(examine(&connection).unwrap(), Condition::Version(latest()));
            assert_eq!(pragma(&connection, "application_id").unwrap(), APPLICATION_ID);
        }
    }

    #[test]
    fn an_interrupted_upgrade_keeps_the_pages_that_were_moved_and_goes_on() {
        let mut connection = of_version(4);
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        insert(&connection, (1..=12_001).map(|sequence| (sequence % 3, sequence)));
        // The second page cannot be moved.
        connection
            .execute_batch(
                "CREATE TRIGGER full BEFORE DELETE ON messages WHEN old.backlog = 2 \
                 BEGIN SELECT raise(ABORT, 'killed'); END",
            )
            .unwrap();
        apply(&mut connection).unwrap_err();
        assert_eq!(count(&connection, "messages_in_order"), 5_000);
        assert_eq!(count(&connection, "messages"), 7_001);
        let at = Progress { version: 5, steps: 1 };
        assert_eq!(examine(&connection).unwrap(), Condition::Upgrading(at));
        // No older program takes it for its own.
        assert_eq!(pragma(&connection, "user_version").unwrap(), latest());
        connection.execute_batch("DROP TRIGGER full").unwrap();
        apply(&mut connection).unwrap();
        assert_eq!(count(&connection, "messages"), 12_001);
        assert_eq!(schema(&connection).unwrap(), schema_of(latest()).unwrap());
    }

    #[test]
    fn a_file_of_a_later_program_is_refused() {
        let mut connection = of_version(MIGRATIONS.len());
        connection.pragma_update(None, "user_version", MIGRATIONS.len() as i64 + 1).unwrap();
        assert!(matches!(apply(&mut connection), Err(Error::Newer { .. })));
    }

    #[test]
    fn a_wrong_version_is_refused_and_changes_nothing() {
        for really in 1..=MIGRATIONS.len() {
            for claimed in (-1..=MIGRATIONS.len() as i64).filter(|it| *it != really as i64) {
                let mut connection = of_version(really);
                connection.pragma_update(None, "user_version", claimed).unwrap();
                let before = schema(&connection).unwrap();
                let refused = apply(&mut connection).unwrap_err().to_string();
                assert!(refused.contains(&format!("user_version is {claimed}")), "{refused}");
                assert_eq!(schema(&connection).unwrap(), before);
            }
        }
    }

    #[test]
    fn the_file_of_another_program_is_refused() {
        let mut connection = of_version(MIGRATIONS.len());
        connection.pragma_update(None, "application_id", 252_006_674).unwrap();
        let refused = apply(&mut connection).unwrap_err().to_string();
        assert!(refused.contains("application_id is 252006674"), "{refused}");
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
        let refused = apply(&mut connection).unwrap_err().to_string();
        assert!(refused.contains("user_version is 0"), "{refused}");
    }

    #[test]
    fn a_file_without_an_application_id_has_nothing_but_what_an_early_version_made() {
        for version in 1..=MIGRATIONS.len() {
            let mut connection = of_version(version);
            connection.execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
            let marked = version as i64 >= FIRST_MARKED;
            assert_eq!(examine(&connection).is_ok(), marked, "{version}");
            connection.pragma_update(None, "application_id", 0).unwrap();
            let before = schema(&connection).unwrap();
            let refused = apply(&mut connection).unwrap_err().to_string();
            let reason = if marked { "application_id is 0" } else { "it has `songs`" };
            assert!(refused.contains(reason), "{refused}");
            assert_eq!(schema(&connection).unwrap(), before);
        }
    }
}
