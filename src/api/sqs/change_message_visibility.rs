//! ChangeMessageVisibility and ChangeMessageVisibilityBatch.
//!
//! AWS: API_ChangeMessageVisibility, API_ChangeMessageVisibilityBatch.

use super::delete_message::outcome_of;
use super::shapes::{BatchOutput, SuccessfulEntry, receipt_for};
use crate::api::{Context, required};
use crate::domain::limits::VISIBILITY_TIMEOUT;
use crate::domain::{Refusal, batch};
use crate::engine::{queues, visibility};
use crate::store::{Queue, Txn};
use serde::Deserialize;

/// The input of ChangeMessageVisibility, and but for the QueueUrl an entry of a batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Change {
    pub queue_url: Option<String>,
    pub id: Option<String>,
    pub receipt_handle: Option<String>,
    pub visibility_timeout: Option<i64>,
}

/// The input of ChangeMessageVisibilityBatch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct BatchInput {
    pub queue_url: Option<String>,
    pub entries: Option<Vec<Change>>,
}

const ENTRY: &str = "ChangeMessageVisibilityBatchRequestEntry";

/// Changes how long one message stays hidden.
pub async fn change_message_visibility(cx: &Context, input: Change) -> Result<(), Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    required(input.receipt_handle.as_deref(), "ReceiptHandle")?;
    if input.visibility_timeout.is_none() {
        return Err(Refusal::missing("VisibilityTimeout"));
    }
    cx.runtime
        .run(move |tx| {
            let queue = queues::find(tx, &address)?;
            change(tx, &queue, &input)
        })
        .await
}

/// Changes up to ten messages; each succeeds or fails by itself.
pub async fn change_message_visibility_batch(
    cx: &Context,
    input: BatchInput,
) -> Result<BatchOutput<SuccessfulEntry>, Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let entries = input.entries.unwrap_or_default();
    let most = cx.conventions.limits.batch_entries();
    batch::check_entries(ENTRY, most, entries.iter().map(|entry| entry.id.as_deref()))?;
    let handles = entries.iter().map(|entry| entry.receipt_handle.as_deref());
    batch::require_in_entries(ENTRY, "ReceiptHandle", handles)?;
    cx.runtime
        .run(move |tx| {
            let queue = queues::find(tx, &address)?;
            let mut outcomes = Vec::with_capacity(entries.len());
            for entry in &entries {
                let id = entry.id.as_deref().unwrap_or_default();
                let outcome = change(tx, &queue, entry);
                outcomes.push((id.to_owned(), outcome_of(id, outcome)?));
            }
            Ok(BatchOutput::new(outcomes))
        })
        .await
}

fn change(tx: &mut Txn<'_>, queue: &Queue, change: &Change) -> Result<(), Refusal> {
    let handle = change.receipt_handle.as_deref().unwrap_or_default();
    let timeout =
        change.visibility_timeout.unwrap_or_else(|| queue.attributes.visibility_timeout.into());
    if !VISIBILITY_TIMEOUT.contains(&timeout) {
        let reason = "Must be between 0 and 43200, if provided.";
        return Err(Refusal::invalid_value(timeout, "VisibilityTimeout", reason));
    }
    let receipt = receipt_for(queue, handle)?;
    visibility::change_visibility(tx, queue, receipt, handle, timeout)
}
