//! StartMessageMoveTask, and the handle of a task.
//!
//! AWS: API_StartMessageMoveTask.

use super::shapes::in_range;
use crate::api::prelude::*;
use crate::api::required;
use crate::domain::address::QueueAddress;
use crate::domain::limits::MOVE_TASK_RATE;
use crate::engine::move_tasks::{Start, not_found, start};
use crate::store::MoveTask;
use crate::wire::json;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

/// The input of StartMessageMoveTask.
#[apply(input)]
pub struct Input {
    pub source_arn: Option<String>,
    pub destination_arn: Option<String>,
    pub max_number_of_messages_per_second: Option<i64>,
}

/// The output of StartMessageMoveTask.
#[apply(output)]
pub struct Output {
    pub task_handle: String,
}

/// Begins to move the messages of a dead-letter queue.
pub async fn start_message_move_task(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let source_arn = required(input.source_arn.as_deref(), "SourceArn")?;
    let max_per_second = in_range(
        input.max_number_of_messages_per_second,
        &MOVE_TASK_RATE,
        "MaxNumberOfMessagesPerSecond",
        "Must be between 1 and 500, if provided.",
    )?;
    let asked = Start {
        access: cx.caller.access.clone(),
        source: owned(cx, source_arn, "SourceArn")?,
        destination: match input.destination_arn.as_deref().filter(|arn| !arn.is_empty()) {
            None => None,
            Some(arn) => Some(owned(cx, arn, "DestinationArn")?),
        },
        max_per_second,
    };
    let task = cx.run(move |tx, _| start(tx, &asked)).await?;
    Ok(Output { task_handle: TaskHandle::of(&task).encode() })
}

/// The queue of an ARN, which must be one of the caller's own account.
pub fn owned(cx: &Context, arn: &str, parameter: &str) -> Result<QueueAddress, Refusal> {
    QueueAddress::from_arn(arn)
        .filter(|address| address.account == cx.caller.account)
        .ok_or_else(|| not_found(parameter))
}

/// What a TaskHandle says; base64 of JSON, as AWS's handles are.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskHandle {
    task_id: String,
    source_arn: String,
}

impl TaskHandle {
    /// The handle of a task.
    pub fn of(task: &MoveTask) -> Self {
        Self { task_id: task.id.to_string(), source_arn: task.source_arn.clone() }
    }

    /// The handle as clients see it.
    pub fn encode(&self) -> String {
        STANDARD.encode(json::encode(self))
    }

    /// Returns the id of the task and the ARN of the source queue that a handle names.
    pub fn parse(handle: &str) -> Option<(Uuid, String)> {
        let handle: Self = json::decode(&STANDARD.decode(handle).ok()?).ok()?;
        Some((handle.task_id.parse().ok()?, handle.source_arn))
    }
}
