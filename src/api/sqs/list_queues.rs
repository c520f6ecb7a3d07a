//! ListQueues.
//!
//! AWS: API_ListQueues. Sorted by name, which AWS does not promise.

use super::shapes::{max_results, next_token, page_after};
use crate::api::page::page;
use crate::api::prelude::*;
use crate::domain::limits::LIST_RESULTS;

/// The input of ListQueues.
#[apply(input)]
pub struct Input {
    pub queue_name_prefix: Option<String>,
    pub next_token: Option<String>,
    pub max_results: Option<i64>,
}

/// The output of ListQueues.
#[apply(output)]
pub struct Output {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// Lists the caller's queues. There is a token for more only if MaxResults was given.
pub async fn list_queues(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let asked = max_results(input.max_results, &LIST_RESULTS)?;
    let limit = asked.unwrap_or(*LIST_RESULTS.end());
    let after = page_after(input.next_token.as_deref())?;
    let prefix = input.queue_name_prefix.unwrap_or_default();
    let names = cx
        .run(move |tx, caller| {
            Ok(tx.queue_names(&caller.account, &caller.region, &prefix, &after, limit + 1)?)
        })
        .await?;
    let (names, next_token) = page(names, limit, |last| next_token(last));
    let next_token = next_token.filter(|_| asked.is_some());
    let queue_urls = names.iter().map(|name| cx.queue_url(&cx.queue_named(name))).collect();
    Ok(Output { queue_urls, next_token })
}
