//! SetSubscriptionAttributes.
//!
//! AWS: API_SetSubscriptionAttributes.

use super::shapes::require;
use crate::api::prelude::*;
use crate::engine::subscriptions;

/// The input of SetSubscriptionAttributes.
#[apply(input)]
pub struct Input {
    pub subscription_arn: Option<String>,
    pub attribute_name: Option<String>,
    pub attribute_value: Option<String>,
}

/// Changes one attribute of a subscription, or without a value removes it.
pub async fn set_subscription_attributes(cx: &Context, input: Input) -> Result<(), Refusal> {
    require([
        ("subscriptionArn", input.subscription_arn.is_some()),
        ("attributeName", input.attribute_name.is_some()),
    ])?;
    let arn = cx.subscription(&input.subscription_arn.unwrap_or_default())?;
    let arn = arn.ok_or_else(|| Refusal::not_found("Subscription"))?;
    let name = input.attribute_name.unwrap_or_default();
    let value = input.attribute_value;
    cx.run(move |tx, caller| {
        subscriptions::set_attribute(tx, &caller.access, &arn, &name, value.as_deref())
    })
    .await
}
