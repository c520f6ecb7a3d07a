//! ListDeadLetterSourceQueues.
//!
//! AWS: API_ListDeadLetterSourceQueues. `queueUrls` is required by the model, so it is there even
//! when it is empty, and in lower case.

use super::shapes::{max_results, next_token, page_after};
use crate::api::Context;
use crate::domain::Refusal;
use crate::domain::limits::LIST_RESULTS;
use crate::engine::queues;
use serde::{Deserialize, Serialize};

/// The input of ListDeadLetterSourceQueues.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub queue_url: Option<String>,
    pub next_token: Option<String>,
    pub max_results: Option<i64>,
}

/// The output of ListDeadLetterSourceQueues.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Output {
    #[serde(rename = "queueUrls")]
    pub queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// Lists the queues whose redrive policy names this one.
pub async fn list_dead_letter_source_queues(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let access = cx.access.clone();
    let asked = max_results(input.max_results, LIST_RESULTS)?;
    let limit = asked.unwrap_or(*LIST_RESULTS.end());
    let after = page_after(input.next_token.as_deref())?;
    let mut sources = cx
        .runtime
        .run(move |tx| {
            queues::find(tx, &access, &address)?;
            Ok(tx.dead_letter_sources(&address.arn(), &after, limit + 1)?)
        })
        .await?;
    let more = sources.len() as i64 > limit;
    sources.truncate(limit as usize);
    let next_token =
        sources.last().filter(|_| more && asked.is_some()).map(|last| next_token(&last.name));
    let queue_urls = sources.iter().map(|source| cx.queue_url(source)).collect();
    Ok(Output { queue_urls, next_token })
}
