//! ListQueueTags.
//!
//! AWS: API_ListQueueTags.

use crate::api::prelude::*;

/// The input of ListQueueTags.
#[apply(input)]
pub struct Input {
    pub queue_url: Option<String>,
}

/// The output of ListQueueTags.
#[apply(output)]
pub struct Output {
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub tags: IndexMap<String, String>,
}

/// Lists the tags of a queue.
pub async fn list_queue_tags(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    cx.on_queue(address, move |tx, queue| {
        Ok(Output { tags: tx.tags(queue.id)?.into_iter().collect() })
    })
    .await
}
