//! DeleteMessage and DeleteMessageBatch.
//!
//! AWS: API_DeleteMessage, API_DeleteMessageBatch.

use super::shapes::{BatchOutput, SuccessfulEntry, receipt_for};
use crate::api::{Context, required};
use crate::domain::{Refusal, batch};
use crate::engine::{delete, queues};
use serde::Deserialize;

/// The input of DeleteMessage, and but for the QueueUrl an entry of a batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Deletion {
    pub queue_url: Option<String>,
    pub id: Option<String>,
    pub receipt_handle: Option<String>,
}

/// The input of DeleteMessageBatch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct BatchInput {
    pub queue_url: Option<String>,
    pub entries: Option<Vec<Deletion>>,
}

const ENTRY: &str = "DeleteMessageBatchRequestEntry";

/// Deletes one message. AWS calls a handle that is missing by another name.
pub async fn delete_message(cx: &Context, input: Deletion) -> Result<(), Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let access = cx.access.clone();
    required(input.receipt_handle.as_deref(), "MessageHandle")?;
    let handle = input.receipt_handle.unwrap_or_default();
    cx.runtime
        .run(move |tx| {
            let queue = queues::find(tx, &access, &address)?;
            let receipt = receipt_for(tx, &queue, &handle)?;
            delete::delete(tx, &queue, receipt, &handle)
        })
        .await
}

/// Deletes up to ten messages; each succeeds or fails by itself.
pub async fn delete_message_batch(
    cx: &Context,
    input: BatchInput,
) -> Result<BatchOutput<SuccessfulEntry>, Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let access = cx.access.clone();
    let entries = input.entries.unwrap_or_default();
    let most = cx.conventions.limits.batch_entries();
    batch::check_entries(ENTRY, most, entries.iter().map(|entry| entry.id.as_deref()))?;
    let handles = entries.iter().map(|entry| entry.receipt_handle.as_deref());
    batch::require_in_entries(ENTRY, "ReceiptHandle", handles)?;
    let entries: Vec<(String, String)> = entries
        .into_iter()
        .map(|entry| (entry.id.unwrap_or_default(), entry.receipt_handle.unwrap_or_default()))
        .collect();
    cx.runtime
        .run(move |tx| {
            let queue = queues::find(tx, &access, &address)?;
            let mut outcomes = Vec::with_capacity(entries.len());
            for (id, handle) in &entries {
                let outcome = receipt_for(tx, &queue, handle)
                    .and_then(|receipt| delete::delete(tx, &queue, receipt, handle));
                outcomes.push((id.clone(), outcome_of(id, outcome)?));
            }
            Ok(BatchOutput::new(outcomes))
        })
        .await
}

/// A refusal concerns its entry alone; a fault of ours concerns the whole request, and undoes it.
pub fn outcome_of(
    id: &str,
    outcome: Result<(), Refusal>,
) -> Result<Result<SuccessfulEntry, Refusal>, Refusal> {
    match outcome {
        Ok(()) => Ok(Ok(SuccessfulEntry { id: id.to_owned() })),
        Err(refusal) if refusal.internal.is_some() => Err(refusal),
        Err(refusal) => Ok(Err(refusal)),
    }
}
