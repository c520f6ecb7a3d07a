//! DeleteMessage and DeleteMessageBatch.
//!
//! AWS: API_DeleteMessage, API_DeleteMessageBatch.

use super::shapes::receipt_for;
use crate::api::batch::{self, Form, SuccessfulEntry};
use crate::api::prelude::*;
use crate::api::required;
use crate::engine::delete;

/// The input of DeleteMessage, and but for the QueueUrl an entry of a batch.
#[apply(input)]
pub struct Deletion {
    pub queue_url: Option<String>,
    pub id: Option<String>,
    pub receipt_handle: Option<String>,
}

/// The input of DeleteMessageBatch.
#[apply(input)]
pub struct BatchInput {
    pub queue_url: Option<String>,
    pub entries: Option<Vec<Deletion>>,
}

const BATCH: Form<Deletion> = Form {
    entry_type: "DeleteMessageBatchRequestEntry",
    id: |entry| entry.id.as_deref(),
    required: ("ReceiptHandle", |entry| entry.receipt_handle.as_deref()),
};

/// Deletes one message. AWS calls a handle that is missing by another name.
pub async fn delete_message(cx: &Context, input: Deletion) -> Result<(), Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    required(input.receipt_handle.as_deref(), "MessageHandle")?;
    cx.on_queue(address, move |tx, queue| delete(tx, &queue, &input)).await
}

/// Deletes up to ten messages; each succeeds or fails by itself.
pub async fn delete_message_batch(
    cx: &Context,
    input: BatchInput,
) -> Result<batch::Output<SuccessfulEntry>, Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let mut entries = BATCH.entries(cx, input.entries)?;
    cx.on_queue(address, move |tx, queue| {
        batch::run(&mut entries, |id, entry| {
            delete(tx, &queue, entry).map(|()| SuccessfulEntry::new(id))
        })
    })
    .await
}

fn delete(tx: &mut Txn<'_>, queue: &Queue, deletion: &Deletion) -> Result<(), Refusal> {
    let handle = deletion.receipt_handle.as_deref().unwrap_or_default();
    let receipt = receipt_for(tx, queue, handle)?;
    delete::delete(tx, queue, receipt, handle)
}
