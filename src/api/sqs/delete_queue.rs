//! DeleteQueue.
//!
//! AWS: API_DeleteQueue. Takes effect at once, not within 60 seconds.

use crate::api::prelude::*;
use crate::engine::queues;

/// The input of DeleteQueue.
#[apply(input)]
pub struct Input {
    pub queue_url: Option<String>,
}

/// Deletes a queue with all that it holds.
pub async fn delete_queue(cx: &Context, input: Input) -> Result<(), Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    cx.run(move |tx, caller| queues::delete(tx, &caller.access, &address)).await
}
