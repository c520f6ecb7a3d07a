//! ListDeadLetterSourceQueues.
//!
//! AWS: API_ListDeadLetterSourceQueues. `queueUrls` is required by the model, so it is there even
//! when it is empty, and in lower case.

use super::shapes::{max_results, next_token, page_after};
use crate::api::page::page;
use crate::api::prelude::*;
use crate::domain::limits::LIST_RESULTS;

/// The input of ListDeadLetterSourceQueues.
#[apply(input)]
pub struct Input {
    pub queue_url: Option<String>,
    pub next_token: Option<String>,
    pub max_results: Option<i64>,
}

/// The output of ListDeadLetterSourceQueues.
#[apply(output)]
pub struct Output {
    #[serde(rename = "queueUrls")]
    pub queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// Lists the queues whose redrive policy names this one.
pub async fn list_dead_letter_source_queues(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let asked = max_results(input.max_results, &LIST_RESULTS)?;
    let limit = asked.unwrap_or(*LIST_RESULTS.end());
    let after = page_after(input.next_token.as_deref())?;
    let sources = cx
        .on_queue(address, move |tx, queue| {
            Ok(tx.dead_letter_sources(&queue.address.arn(), &after, limit + 1)?)
        })
        .await?;
    let (sources, next_token) = page(sources, limit, |last| next_token(&last.name));
    let next_token = next_token.filter(|_| asked.is_some());
    let queue_urls = sources.iter().map(|source| cx.queue_url(source)).collect();
    Ok(Output { queue_urls, next_token })
}
