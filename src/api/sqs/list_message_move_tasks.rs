//! ListMessageMoveTasks.
//!
//! AWS: API_ListMessageMoveTasks.

use super::shapes::max_results;
use super::start_message_move_task::{TaskHandle, owned};
use crate::api::prelude::*;
use crate::api::required;
use crate::domain::limits::MOVE_TASK_RESULTS;
use crate::engine::move_tasks::not_found;
use crate::engine::queues;
use crate::store::{MoveTask, MoveTaskStatus};

/// The input of ListMessageMoveTasks.
#[apply(input)]
pub struct Input {
    pub source_arn: Option<String>,
    pub max_results: Option<i64>,
}

/// The output of ListMessageMoveTasks.
#[apply(output)]
pub struct Output {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<Entry>,
}

/// A task. Only one that is running shows its handle.
#[apply(output)]
pub struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_handle: Option<String>,
    pub status: &'static str,
    pub source_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_number_of_messages_per_second: Option<i64>,
    pub approximate_number_of_messages_moved: i64,
    pub approximate_number_of_messages_to_move: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Unix milliseconds.
    pub started_timestamp: i64,
}

/// Lists the tasks of a source, newest first.
pub async fn list_message_move_tasks(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let source = owned(cx, required(input.source_arn.as_deref(), "SourceArn")?, "SourceArn")?;
    let limit = max_results(input.max_results, &MOVE_TASK_RESULTS)?.unwrap_or(1);
    let tasks = cx
        .run(move |tx, caller| {
            queues::look(tx, &caller.access, &source)?.ok_or_else(|| not_found("SourceArn"))?;
            Ok(tx.move_tasks(&source.arn(), limit)?)
        })
        .await?;
    Ok(Output { results: tasks.into_iter().map(|task| entry(cx, task)).collect() })
}

fn entry(cx: &Context, task: MoveTask) -> Entry {
    Entry {
        task_handle: (task.status == MoveTaskStatus::Running)
            .then(|| TaskHandle::of(&task).encode()),
        status: task.status.name(),
        source_arn: task.source_arn,
        destination_arn: task.destination_arn,
        max_number_of_messages_per_second: task.max_per_second,
        approximate_number_of_messages_moved: task.moved,
        approximate_number_of_messages_to_move: task.to_move,
        failure_reason: task.failure_reason,
        started_timestamp: cx.runtime.clock().shown(task.started_at),
    }
}
