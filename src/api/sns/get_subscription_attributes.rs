//! GetSubscriptionAttributes.
//!
//! AWS: API_GetSubscriptionAttributes.

use super::shapes::Attributes;
use super::shapes::required;
use crate::api::prelude::*;
use crate::engine::subscriptions;

/// The input of GetSubscriptionAttributes.
#[apply(input)]
pub struct Input {
    pub subscription_arn: Option<String>,
}

/// Returns the attributes of a subscription.
pub async fn get_subscription_attributes(
    cx: &Context,
    input: Input,
) -> Result<Attributes, Refusal> {
    let arn = cx.subscription(&required(input.subscription_arn, "subscriptionArn")?)?;
    let arn = arn.ok_or_else(|| Refusal::not_found("Subscription"))?;
    let attributes = cx
        .run(move |tx, caller| {
            let subscription = subscriptions::find(tx, &caller.access, &arn)?;
            subscriptions::shown(tx, &subscription)
        })
        .await?;
    Ok(Attributes { attributes })
}
