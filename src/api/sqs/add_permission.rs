//! AddPermission.
//!
//! AWS: API_AddPermission.

use crate::api::{Context, required};
use crate::domain::Refusal;
use crate::domain::policy::{Policy, queue as of_queue};
use crate::engine::queues;
use serde::Deserialize;
use std::sync::Arc;

/// The input of AddPermission.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub queue_url: Option<String>,
    pub label: Option<String>,
    #[serde(rename = "AWSAccountIds")]
    pub aws_account_ids: Option<Vec<String>>,
    pub actions: Option<Vec<String>>,
}

/// Adds a statement to the policy of a queue.
pub async fn add_permission(cx: &Context, input: Input) -> Result<(), Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    let access = cx.access.clone();
    required(input.label.as_deref(), "Label")?;
    let label = input.label.unwrap_or_default();
    let accounts = input.aws_account_ids.unwrap_or_default();
    let actions = input.actions.unwrap_or_default();
    cx.runtime
        .run(move |tx| {
            let mut queue = Arc::unwrap_or_clone(queues::find(tx, &access, &address)?);
            let policy = queue.attributes.policy.as_deref().map(Policy::text);
            let changed =
                of_queue::add_permission(policy, &address.arn(), &label, &accounts, &actions)?;
            queue.attributes.policy = Some(Arc::new(Policy::read(changed)));
            queue.modified_at = tx.now();
            Ok(tx.update_queue(&queue)?)
        })
        .await
}
