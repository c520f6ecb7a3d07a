//! PurgeQueue.
//!
//! AWS: API_PurgeQueue. Takes effect at once, not within 60 seconds; the rule of one purge a
//! minute holds only when configured.

use crate::api::prelude::*;
use crate::engine::queues;

/// The input of PurgeQueue.
#[apply(input)]
pub struct Input {
    pub queue_url: Option<String>,
}

/// Throws all messages of a queue away.
pub async fn purge_queue(cx: &Context, input: Input) -> Result<(), Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let cool_down = cx.cool_downs.purge;
    cx.run(move |tx, caller| queues::purge(tx, &caller.access, &address, cool_down)).await
}
