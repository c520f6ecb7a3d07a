//! PutDataProtectionPolicy.
//!
//! AWS: API_PutDataProtectionPolicy. The policy is kept and shown; messages are not inspected.

use super::create_topic::check_data_protection_policy;
use super::shapes::require;
use crate::api::prelude::*;

/// The input of PutDataProtectionPolicy.
#[apply(input)]
pub struct Input {
    pub resource_arn: Option<String>,
    pub data_protection_policy: Option<String>,
}

/// Sets the data protection policy of a topic; the empty one removes it.
pub async fn put_data_protection_policy(cx: &Context, input: Input) -> Result<(), Refusal> {
    require([
        ("resourceArn", input.resource_arn.is_some()),
        ("dataProtectionPolicy", input.data_protection_policy.is_some()),
    ])?;
    let address = cx.topic("ResourceArn", &input.resource_arn.unwrap_or_default())?;
    let policy = input.data_protection_policy.unwrap_or_default();
    check_data_protection_policy(&policy)?;
    cx.on_topic(address, move |tx, mut topic| {
        topic.attributes.set_data_protection_policy(Some(&policy));
        Ok(tx.update_topic(&topic)?)
    })
    .await
}
