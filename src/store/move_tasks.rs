//! Message move tasks.

use super::{Error, Txn};
use uuid::Uuid;

/// How far a task is. The first two are active.
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
    /// The name that ListMessageMoveTasks shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }

    /// Whether messages may still be moved.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Cancelling)
    }
}

/// A task that moves the messages of a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveTask {
    /// `taskId` of the handle.
    pub id: Uuid,
    /// Id of the dead-letter queue.
    pub source_queue: i64,
    /// Its ARN.
    pub source_arn: String,
    /// Where to, if not back to where each message came from.
    pub destination_arn: Option<String>,
    /// MaxNumberOfMessagesPerSecond
    pub max_per_second: Option<i64>,
    /// How far it is.
    pub status: MoveTaskStatus,
    /// ApproximateNumberOfMessagesMoved
    pub moved: i64,
    /// ApproximateNumberOfMessagesToMove
    pub to_move: i64,
    /// Unix milliseconds.
    pub started_at: i64,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// Sequence of the last message that is to be moved.
    pub boundary: i64,
    /// Sequence of the last message that was looked at.
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
    /// The task of an id.
    pub fn move_task(&mut self, id: &Uuid) -> Result<Option<MoveTask>, Error> {
        self.one(select!("WHERE id = ?1"), params![id])
    }

    /// Tasks of a source, newest first.
    pub fn move_tasks(&mut self, source_arn: &str, limit: i64) -> Result<Vec<MoveTask>, Error> {
        self.all(
            select!("WHERE source_arn = ?1 ORDER BY started_at DESC, boundary DESC LIMIT ?2"),
            params![source_arn, limit],
        )
    }

    /// The active task whose next step comes first.
    pub fn next_move_task(&mut self) -> Result<Option<MoveTask>, Error> {
        self.one(select!("WHERE status < 2 ORDER BY next_at LIMIT 1"), &[])
    }

    /// Writes a task, new or changed.
    pub fn put_move_task(&mut self, task: &MoveTask) -> Result<(), Error> {
        if self.update(task)? { Ok(()) } else { self.insert(task) }
    }

    /// Forgets tasks that started before a time and are over. Returns how many.
    pub fn forget_move_tasks(&mut self, before: i64, limit: i64) -> Result<usize, Error> {
        self.execute(
            "DELETE FROM move_tasks WHERE id IN (SELECT id FROM move_tasks \
             WHERE started_at < ?1 AND status >= 2 LIMIT ?2)",
            params![before, limit],
        )
    }
}
