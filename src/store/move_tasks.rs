//! Message move tasks.

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

numbered!(MoveTaskStatus {
    Running = 0,
    Cancelling = 1,
    Cancelled = 2,
    Completed = 3,
    Failed = 4,
});

row! {
    ($ select) MoveTask in "move_tasks" {
        id, source_queue, source_arn, destination_arn, max_per_second, to_move, started_at, boundary
    }
    changing { status, moved, failure_reason, cursor, next_at }
}

impl Txn<'_> {
    /// Returns the task of an ID.
    pub fn move_task(&mut self, id: &Uuid) -> Result<Option<MoveTask>, Error> {
        self.one(select!("WHERE id = ?1"), params![id])
    }

    /// Returns the tasks of a source, newest first.
    pub fn move_tasks(&mut self, source_arn: &str, limit: i64) -> Result<Vec<MoveTask>, Error> {
        self.all(
            select!("WHERE source_arn = ?1 ORDER BY started_at DESC, boundary DESC LIMIT ?2"),
            params![source_arn, limit],
        )
    }

    /// Returns the active task with the earliest next step.
    pub fn next_move_task(&mut self) -> Result<Option<MoveTask>, Error> {
        self.one(select!("WHERE status < 2 ORDER BY next_at LIMIT 1"), &[])
    }

    /// Writes a new or changed task.
    pub fn put_move_task(&mut self, task: &MoveTask) -> Result<(), Error> {
        if self.update(task)? { Ok(()) } else { self.insert(task) }
    }

    /// Deletes ended tasks that started before a time. Returns their number.
    pub fn forget_move_tasks(&mut self, before: i64, limit: i64) -> Result<usize, Error> {
        self.execute(
            "DELETE FROM move_tasks WHERE id IN (SELECT id FROM move_tasks \
             WHERE started_at < ?1 AND status >= 2 LIMIT ?2)",
            params![before, limit],
        )
    }
}
