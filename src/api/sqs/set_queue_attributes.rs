//! SetQueueAttributes.
//!
//! AWS: API_SetQueueAttributes. Takes effect at once, not within 60 seconds.

use crate::api::Context;
use crate::domain::Refusal;
use crate::engine::queues;
use indexmap::IndexMap;
use serde::Deserialize;

/// The input of SetQueueAttributes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub queue_url: Option<String>,
    pub attributes: Option<IndexMap<String, String>>,
}

/// Changes attributes of a queue, all that are given or none.
pub async fn set_queue_attributes(cx: &Context, input: Input) -> Result<(), Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let access = cx.access.clone();
    let given = input.attributes.unwrap_or_default();
    let rest = cx
        .runtime
        .run(move |tx| {
            queues::find(tx, &access, &address)?;
            if given.is_empty() {
                return Err(Refusal::missing("Attribute.Name"));
            }
            queues::set_attributes(tx, &access, &address, &given)
        })
        .await?;
    cx.runtime.retime(rest).await
}
