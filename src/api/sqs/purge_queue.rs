//! PurgeQueue.
//!
//! AWS: API_PurgeQueue. Takes effect at once, not within 60 seconds; the rule of one purge a
//! minute holds only when configured.

use crate::api::Context;
use crate::domain::Refusal;
use crate::engine::queues;
use serde::Deserialize;

/// The input of PurgeQueue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub queue_url: Option<String>,
}

/// Throws all messages of a queue away.
pub async fn purge_queue(cx: &Context, input: Input) -> Result<(), Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let access = cx.access.clone();
    let cool_down = cx.cool_downs.purge;
    cx.runtime.run(move |tx| queues::purge(tx, &access, &address, cool_down)).await
}
