//! SetQueueAttributes.
//!
//! AWS: API_SetQueueAttributes. Takes effect at once, not within 60 seconds.

use crate::api::prelude::*;
use crate::engine::queues;

/// The input of SetQueueAttributes.
#[apply(input)]
pub struct Input {
    pub queue_url: Option<String>,
    pub attributes: Option<IndexMap<String, String>>,
}

/// Changes attributes of a queue, all that are given or none.
pub async fn set_queue_attributes(cx: &Context, input: Input) -> Result<(), Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let given = input.attributes.unwrap_or_default();
    let rest = cx
        .run(move |tx, caller| {
            queues::find(tx, &caller.access, &address)?;
            if given.is_empty() {
                return Err(Refusal::missing("Attribute.Name"));
            }
            queues::set_attributes(tx, &caller.access, &address, &given)
        })
        .await?;
    cx.runtime.retime(rest).await
}
