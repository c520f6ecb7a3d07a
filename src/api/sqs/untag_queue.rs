//! UntagQueue.
//!
//! AWS: API_UntagQueue.

use crate::api::prelude::*;
use crate::domain::tags;

/// The input of UntagQueue.
#[apply(input)]
pub struct Input {
    pub queue_url: Option<String>,
    pub tag_keys: Option<Vec<String>>,
}

/// Removes tags of a queue; keys that it does not have are ignored.
pub async fn untag_queue(cx: &Context, input: Input) -> Result<(), Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let keys = input.tag_keys.unwrap_or_default();
    cx.on_queue(address, move |tx, queue| {
        tags::check_removed(keys.iter().map(String::as_str))?;
        for key in &keys {
            tx.delete_tag(queue.id, key)?;
        }
        Ok(())
    })
    .await
}
