//! GetSubscriptionAttributes.
//!
//! AWS: API_GetSubscriptionAttributes.

use super::shapes::required;
use crate::api::Context;
use crate::domain::Refusal;
use crate::engine::subscriptions;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The input of GetSubscriptionAttributes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub subscription_arn: Option<String>,
}

/// The output of GetSubscriptionAttributes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Output {
    pub attributes: IndexMap<String, String>,
}

/// Tells the attributes of a subscription.
pub async fn get_subscription_attributes(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let arn = cx.subscription(&required(input.subscription_arn, "subscriptionArn")?)?;
    let arn = arn.ok_or_else(|| Refusal::not_found("Subscription"))?;
    let access = cx.access.clone();
    let attributes = cx
        .runtime
        .run(move |tx| {
            let subscription = subscriptions::find(tx, &access, &arn)?;
            subscriptions::shown(tx, &subscription)
        })
        .await?;
    Ok(Output { attributes })
}
