//! DeleteQueue.
//!
//! AWS: API_DeleteQueue. Takes effect at once, not within 60 seconds.

use crate::api::Context;
use crate::domain::Refusal;
use crate::engine::queues;
use serde::Deserialize;

/// The input of DeleteQueue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub queue_url: Option<String>,
}

/// Deletes a queue with all that it holds.
pub async fn delete_queue(cx: &Context, input: Input) -> Result<(), Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let access = cx.access.clone();
    cx.runtime.run(move |tx| queues::delete(tx, &access, &address)).await
}
