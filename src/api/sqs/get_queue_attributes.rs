//! GetQueueAttributes.
//!
//! AWS: API_GetQueueAttributes. The numbers of messages are exact.

use crate::api::prelude::*;
use crate::engine::queues;
use std::sync::Arc;

/// The input of GetQueueAttributes.
#[apply(input)]
pub struct Input {
    pub queue_url: Option<String>,
    pub attribute_names: Option<Vec<String>>,
}

/// The output of GetQueueAttributes.
#[apply(output)]
pub struct Output {
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub attributes: IndexMap<&'static str, String>,
}

/// Returns the requested attributes of a queue that have a value.
pub async fn get_queue_attributes(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let address = cx.queue_in_use(input.queue_url.as_deref()).await?;
    let names = input.attribute_names.unwrap_or_default();
    let clock = Arc::clone(cx.runtime.clock());
    cx.on_queue(address, move |tx, queue| {
        queue.attributes.check_names(names.iter().map(String::as_str))?;
        if names.is_empty() {
            return Ok(Output { attributes: IndexMap::new() });
        }
        let counts = queues::counts(tx, &queue)?;
        let mut attributes: IndexMap<_, _> = queue.attributes.shown().into_iter().collect();
        attributes.extend([
            ("QueueArn", queue.address.arn()),
            ("ApproximateNumberOfMessages", counts.ready.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
            ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
            ("CreatedTimestamp", (clock.shown(queue.created_at) / 1_000).to_string()),
            ("LastModifiedTimestamp", (clock.shown(queue.modified_at) / 1_000).to_string()),
        ]);
        if !names.iter().any(|name| name == "All") {
            attributes.retain(|name, _| names.iter().any(|asked| asked == name));
        }
        Ok(Output { attributes })
    })
    .await
}
