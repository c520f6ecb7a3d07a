//! GetQueueUrl.
//!
//! AWS: API_GetQueueUrl.

use crate::api::prelude::*;
use crate::api::required;
use crate::engine::queues;

/// The input of GetQueueUrl.
#[apply(input)]
pub struct Input {
    pub queue_name: Option<String>,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    pub queue_owner_aws_account_id: Option<String>,
}

/// The output of GetQueueUrl.
#[apply(output)]
pub struct Output {
    pub queue_url: String,
}

/// Returns the URL of a queue.
pub async fn get_queue_url(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let mut address = cx.queue_named(required(input.queue_name.as_deref(), "QueueName")?);
    if let Some(owner) = input.queue_owner_aws_account_id.filter(|owner| !owner.is_empty()) {
        address.account = owner;
    }
    let queue_url = cx.queue_url(&address);
    cx.make_if_wanted(&address).await?;
    cx.run(move |tx, caller| queues::find(tx, &caller.access, &address)).await?;
    Ok(Output { queue_url })
}
