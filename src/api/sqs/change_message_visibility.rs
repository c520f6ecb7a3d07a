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
    let access = cx.access.clone();
    required(input.receipt_handle.as_deref(), "ReceiptHandle")?;
    let timeout = input.visibility_timeout.ok_or_else(|| Refusal::missing("VisibilityTimeout"))?;
    cx.runtime
        .run(move |tx| {
            let queue = queues::find(tx, &access, &address)?;
            change(tx, &queue, &input, timeout)
        })
        .await
}

/// Changes up to ten messages; each succeeds or fails by itself.
pub async fn change_message_visibility_batch(
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
    cx.runtime
        .run(move |tx| {
            let queue = queues::find(tx, &access, &address)?;
            let mut outcomes = Vec::with_capacity(entries.len());
            for (entry, number) in entries.iter().zip(1..) {
                let id = entry.id.as_deref().unwrap_or_default();
                let outcome = required_in_entry(entry.visibility_timeout, number)
                    .and_then(|timeout| change(tx, &queue, entry, timeout));
                outcomes.push((id.to_owned(), outcome_of(id, outcome)?));
            }
            Ok(BatchOutput::new(outcomes))
        })
        .await
}

// Rule (ChangeMessageVisibilityBatch): an entry without VisibilityTimeout fails by itself with MissingParameter,
//   "The request must contain the parameter ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout."
// Source: reported, aws/aws-sdk-go-v2#2250
// Test: tests/scenarios/batches.txt#An entry without a timeout fails by itself.
fn required_in_entry(timeout: Option<i64>, number: usize) -> Result<i64, Refusal> {
    timeout.ok_or_else(|| Refusal::missing(&format!("{ENTRY}.{number}.VisibilityTimeout")))
}

fn change(tx: &mut Txn<'_>, queue: &Queue, change: &Change, timeout: i64) -> Result<(), Refusal> {
    let handle = change.receipt_handle.as_deref().unwrap_or_default();
    if !VISIBILITY_TIMEOUT.contains(&timeout) {
        let reason = "Must be between 0 and 43200, if provided.";
        return Err(Refusal::invalid_value(timeout, "VisibilityTimeout", reason));
    }
    let receipt = receipt_for(tx, queue, handle)?;
    visibility::change_visibility(tx, queue, receipt, handle, timeout)
}
