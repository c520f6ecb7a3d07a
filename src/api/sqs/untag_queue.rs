//! UntagQueue.
//!
//! AWS: API_UntagQueue.

use crate::api::Context;
use crate::domain::{Refusal, tags};
use crate::engine::queues;
use serde::Deserialize;

/// The input of UntagQueue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub queue_url: Option<String>,
    pub tag_keys: Option<Vec<String>>,
}

/// Removes tags of a queue; keys that it does not have are ignored.
pub async fn untag_queue(cx: &Context, input: Input) -> Result<(), Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let access = cx.access.clone();
    let keys = input.tag_keys.unwrap_or_default();
    cx.runtime
        .run(move |tx| {
            let queue = queues::find(tx, &access, &address)?;
            tags::check_removed(keys.iter().map(String::as_str))?;
            for key in &keys {
                tx.delete_tag(queue.id, key)?;
            }
            Ok(())
        })
        .await
}
