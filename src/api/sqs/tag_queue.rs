//! TagQueue.
//!
//! AWS: API_TagQueue.

use crate::api::prelude::*;
use crate::domain::tags;

/// The input of TagQueue.
#[apply(input)]
pub struct Input {
    pub queue_url: Option<String>,
    pub tags: Option<IndexMap<String, String>>,
}

/// Sets tags of a queue; a tag of the same key is replaced.
pub async fn tag_queue(cx: &Context, input: Input) -> Result<(), Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let given = input.tags.unwrap_or_default();
    if given.is_empty() {
        return Err(Refusal::missing("Tags"));
    }
    cx.on_queue(address, move |tx, queue| {
        tags::check(given.iter().map(|(key, value)| (key.as_str(), value.as_str())))?;
        let present = tx.tags(queue.id)?;
        let added = given.keys().filter(|key| present.iter().all(|(old, _)| old != *key));
        tags::check_count(&queue.address.name, present.len() + added.count())?;
        for (key, value) in &given {
            tx.set_tag(queue.id, key, value)?;
        }
        Ok(())
    })
    .await
}
