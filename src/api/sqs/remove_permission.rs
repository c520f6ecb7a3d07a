//! RemovePermission.
//!
//! AWS: API_RemovePermission.

use super::add_permission::change_policy;
use crate::api::prelude::*;
use crate::api::required;
use crate::domain::policy::queue as of_queue;

/// The input of RemovePermission.
#[apply(input)]
pub struct Input {
    pub queue_url: Option<String>,
    pub label: Option<String>,
}

/// Removes a statement from the policy of a queue.
pub async fn remove_permission(cx: &Context, input: Input) -> Result<(), Refusal> {
    let address = cx.queue(input.queue_url.as_deref())?;
    required(input.label.as_deref(), "Label")?;
    let label = input.label.unwrap_or_default();
    cx.on_queue(address, move |tx, queue| {
        change_policy(tx, queue, |policy| of_queue::remove_permission(policy, &label))
    })
    .await
}
