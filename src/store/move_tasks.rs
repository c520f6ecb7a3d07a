//! Message move tasks.

use super::driver::Row;
use super::{Error, Txn};
use uuid::Uuid;

/// The status of a task. The first two are active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum MoveTaskStatus {
    Running,
    Cancelling,
    Cancelled,
    Completed,
    Failed,
}

impl MoveTaskStatus {
    const ALL: [Self; 5] =
        [Self::Running, Self::Cancelling, Self::Cancelled, Self::Completed, Self::Failed];

    /// Returns the name in ListMessageMoveTasks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }

    /// Returns whether the task may still move messages.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Cancelling)
    }
}

/// A task that moves the messages of a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveTask {
    /// `taskId` in the task handle.
    pub id: Uuid,
    /// Id of the dead-letter queue.
    pub source_queue: i64,
    /// Its ARN.
    pub source_arn: String,
    /// ARN of the destination; `None` returns each message to its source queue.
    pub destination_arn: Option<String>,
    /// MaxNumberOfMessagesPerSecond
    pub max_per_second: Option<i64>,
    /// Status.
    pub status: MoveTaskStatus,
    /// ApproximateNumberOfMessagesMoved
    pub moved: i64,
    /// ApproximateNumberOfMessagesToMove
    pub to_move: i64,
    /// Unix milliseconds.
    pub started_at: i64,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// Sequence of the last message to move.
    pub boundary: i64,
    /// Sequence of the last processed message.
    pub cursor: i64,
    /// Unix milliseconds of the next step.
    pub next_at: i64,
}

macro_rules! columns {
    () => {
        "id, source_queue, source_arn, destination_arn, max_per_second, status, moved, to_move, \
         started_at, failure_reason, boundary, cursor, next_at"
    };
}

fn read(row: &dyn Row) -> Result<MoveTask, Error> {
    let status = usize::try_from(row.i64(5)?)
        .ok()
        .and_then(|number| MoveTaskStatus::ALL.get(number).copied())
        .ok_or_else(|| Error::Corrupt("a move task has an unknown status".into()))?;
    Ok(MoveTask {
        id: row.uuid(0)?,
        source_queue: row.i64(1)?,
        source_arn: row.string(2)?,
        destination_arn: row.optional_string(3)?,
        max_per_second: row.int(4)?,
        status,
        moved: row.i64(6)?,
        to_move: row.i64(7)?,
        started_at: row.i64(8)?,
        failure_reason: row.optional_string(9)?,
        boundary: row.i64(10)?,
        cursor: row.i64(11)?,
        next_at: row.i64(12)?,
    })
}

impl Txn<'_> {
    /// Returns the task of an ID.
    pub fn move_task(&mut self, id: &Uuid) -> Result<Option<MoveTask>, Error> {
        self.one(
            concat!("SELECT ", columns!(), " FROM move_tasks WHERE id = ?1"),
            &[id.into()],
            read,
        )
    }

    /// Returns the tasks of a source, newest first.
    pub fn move_tasks(&mut self, source_arn: &str, limit: i64) -> Result<Vec<MoveTask>, Error> {
        self.all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM move_tasks WHERE source_arn = ?1 ORDER BY started_at DESC, boundary DESC \
                 LIMIT ?2"
            ),
            &[source_arn.into(), limit.into()],
            read,
        )
    }

    /// Returns the active task with the earliest next step.
    pub fn next_move_task(&mut self) -> Result<Option<MoveTask>, Error> {
        self.one(
            concat!(
                "SELECT ",
                columns!(),
                " FROM move_tasks WHERE status < 2 ORDER BY next_at LIMIT 1"
            ),
            &[],
            read,
        )
    }

    /// Writes a new or changed task.
    pub fn put_move_task(&mut self, task: &MoveTask) -> Result<(), Error> {
        self.execute(
            concat!(
                "INSERT INTO move_tasks (",
                columns!(),
                ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
                 ON CONFLICT (id) DO UPDATE SET status = excluded.status, \
                 moved = excluded.moved, failure_reason = excluded.failure_reason, \
                 cursor = excluded.cursor, next_at = excluded.next_at"
            ),
            &[
                (&task.id).into(),
                task.source_queue.into(),
                (&task.source_arn).into(),
                task.destination_arn.as_ref().into(),
                task.max_per_second.into(),
                (task.status as i64).into(),
                task.moved.into(),
                task.to_move.into(),
                task.started_at.into(),
                task.failure_reason.as_ref().into(),
                task.boundary.into(),
                task.cursor.into(),
                task.next_at.into(),
            ],
        )?;
        Ok(())
    }

    /// Deletes ended tasks that started before a time. Returns their number.
    pub fn forget_move_tasks(&mut self, before: i64, limit: i64) -> Result<usize, Error> {
        self.execute(
            "DELETE FROM move_tasks WHERE id IN (SELECT id FROM move_tasks \
             WHERE started_at < ?1 AND status >= 2 LIMIT ?2)",
            &[before.into(), limit.into()],
        )
    }
}
