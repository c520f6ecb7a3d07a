//! TagQueue.
//!
//! AWS: API_TagQueue.

use crate::api::Context;
use crate::domain::{Refusal, tags};
use crate::engine::queues;
use indexmap::IndexMap;
use serde::Deserialize;

/// The input of TagQueue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub queue_url: Option<String>,
    pub tags: Option<IndexMap<String, String>>,
}

/// Sets tags of a queue; a tag of the same key is replaced.
pub async fn tag_queue(cx: &Context, input: Input) -> Result<(), Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let access = cx.access.clone();
    let given = input.tags.unwrap_or_default();
    if given.is_empty() {
        return Err(Refusal::missing("Tags"));
    }
    cx.runtime
        .run(move |tx| {
            let queue = queues::find(tx, &access, &address)?;
            tags::check(given.iter().map(|(key, value)| (key.as_str(), value.as_str())))?;
            let present = tx.tags(queue.id)?;
            let added = given.keys().filter(|key| present.iter().all(|(old, _)| old != *key));
            tags::check_count(&address.name, present.len() + added.count())?;
            for (key, value) in &given {
                tx.set_tag(queue.id, key, value)?;
            }
            Ok(())
        })
        .await
}
