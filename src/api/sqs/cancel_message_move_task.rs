//! CancelMessageMoveTask.
//!
//! AWS: API_CancelMessageMoveTask.

use super::start_message_move_task::{TaskHandle, owned};
use crate::api::prelude::*;
use crate::api::required;
use crate::engine::move_tasks::cancel;

/// The input of CancelMessageMoveTask.
#[apply(input)]
pub struct Input {
    pub task_handle: Option<String>,
}

/// The output of CancelMessageMoveTask.
#[apply(output)]
pub struct Output {
    pub approximate_number_of_messages_moved: i64,
}

// Rule (CancelMessageMoveTask): a text that is no handle is InvalidParameterValue, "Value for parameter
//   TaskHandle is invalid."; a task that does not exist is ResourceNotFoundException, "Task does not
//   exist."
// Source: recorded
// Test: tests/scenarios/move_tasks.txt#What cannot be cancelled.
//
/// Cancels a task. Messages that it has already moved stay moved.
pub async fn cancel_message_move_task(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let handle = required(input.task_handle.as_deref(), "TaskHandle")?;
    let (id, source_arn) = TaskHandle::parse(handle)
        .ok_or_else(|| Refusal::invalid("Value for parameter TaskHandle is invalid."))?;
    let source = owned(cx, &source_arn, "SourceArn")?;
    let moved = cx.run(move |tx, caller| cancel(tx, &caller.access, &source, id)).await?;
    Ok(Output { approximate_number_of_messages_moved: moved })
}
