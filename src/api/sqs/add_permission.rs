//! AddPermission.
//!
//! AWS: API_AddPermission.

use crate::api::prelude::*;
use crate::api::required;
use crate::domain::policy::{Policy, queue as of_queue};
use std::sync::Arc;

/// The input of AddPermission.
#[apply(input)]
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
    required(input.label.as_deref(), "Label")?;
    let label = input.label.unwrap_or_default();
    let accounts = input.aws_account_ids.unwrap_or_default();
    let actions = input.actions.unwrap_or_default();
    cx.on_queue(address, move |tx, queue| {
        let arn = queue.address.arn();
        change_policy(tx, queue, |policy| {
            of_queue::add_permission(policy, &arn, &label, &accounts, &actions).map(Some)
        })
    })
    .await
}

/// Replaces the policy of a queue by what `change` makes of it.
pub(super) fn change_policy(
    tx: &mut Txn<'_>,
    queue: Arc<Queue>,
    change: impl FnOnce(Option<&str>) -> Result<Option<String>, Refusal>,
) -> Result<(), Refusal> {
    let mut queue = Arc::unwrap_or_clone(queue);
    let changed = change(queue.attributes.policy.as_deref().map(Policy::text))?;
    queue.attributes.policy = changed.map(|text| Arc::new(Policy::read(text)));
    queue.modified_at = tx.now();
    Ok(tx.update_queue(&queue)?)
}
