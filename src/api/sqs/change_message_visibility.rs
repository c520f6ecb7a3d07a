//! ChangeMessageVisibility and ChangeMessageVisibilityBatch.
//!
//! AWS: API_ChangeMessageVisibility, API_ChangeMessageVisibilityBatch.

use super::shapes::receipt_for;
use crate::api::batch::{self, Form, SuccessfulEntry};
use crate::api::prelude::*;
use crate::api::required;
use crate::domain::limits::VISIBILITY_TIMEOUT;
use crate::engine::visibility;

/// The input of ChangeMessageVisibility, and but for the QueueUrl an entry of a batch.
#[apply(input)]
pub struct Change {
    pub queue_url: Option<String>,
    pub id: Option<String>,
    pub receipt_handle: Option<String>,
    pub visibility_timeout: Option<i64>,
}

/// The input of ChangeMessageVisibilityBatch.
#[apply(input)]
pub struct BatchInput {
    pub queue_url: Option<String>,
    pub entries: Option<Vec<Change>>,
}

const BATCH: Form<Change> = Form {
    entry_type: "ChangeMessageVisibilityBatchRequestEntry",
    id: |entry| entry.id.as_deref(),
    required: ("ReceiptHandle", |entry| entry.receipt_handle.as_deref()),
};

/// Changes how long one message stays hidden.
pub async fn change_message_visibility(cx: &Context, input: Change) -> Result<(), Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    required(input.receipt_handle.as_deref(), "ReceiptHandle")?;
    let timeout = input.visibility_timeout.ok_or_else(|| Refusal::missing("VisibilityTimeout"))?;
    cx.on_queue(address, move |tx, queue| change(tx, &queue, &input, timeout)).await
}

/// Changes up to ten messages; each succeeds or fails by itself.
pub async fn change_message_visibility_batch(
    cx: &Context,
    input: BatchInput,
) -> Result<batch::Output<SuccessfulEntry>, Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let mut entries = BATCH.entries(cx, input.entries)?;
    cx.on_queue(address, move |tx, queue| {
        let mut numbers = 1..;
        batch::run(&mut entries, |id, entry| {
            let number = numbers.next().unwrap_or_default();
            let timeout = required_in_entry(entry.visibility_timeout, number)?;
            change(tx, &queue, entry, timeout).map(|()| SuccessfulEntry::new(id))
        })
    })
    .await
}

// Rule (ChangeMessageVisibilityBatch): an entry without VisibilityTimeout fails by itself with MissingParameter,
//   "The request must contain the parameter ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout."
// Source: reported, aws/aws-sdk-go-v2#2250
// Test: tests/scenarios/batches.txt#An entry without a timeout fails by itself.
fn required_in_entry(timeout: Option<i64>, number: usize) -> Result<i64, Refusal> {
    timeout.ok_or_else(|| {
        Refusal::missing(&format!("{}.{number}.VisibilityTimeout", BATCH.entry_type))
    })
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
