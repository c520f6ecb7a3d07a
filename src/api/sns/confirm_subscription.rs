//! ConfirmSubscription: a call, or the link in a message.
//!
//! AWS: API_ConfirmSubscription. The token alone identifies the subscription: of the TopicArn only the region
//! matters.

use super::shapes::require;
use crate::api::Context;
use crate::domain::Refusal;
use crate::domain::topic_attributes::parse_bool;
use crate::engine::subscriptions;
use serde::{Deserialize, Serialize};

/// The input of ConfirmSubscription.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub topic_arn: Option<String>,
    pub token: Option<String>,
    pub authenticate_on_unsubscribe: Option<String>,
}

/// The output of ConfirmSubscription.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Output {
    pub subscription_arn: String,
}

/// Confirms the subscription of a token, or restores one that a link has ended.
pub async fn confirm_subscription(cx: &Context, input: Input) -> Result<Output, Refusal> {
    require([("topicArn", input.topic_arn.is_some()), ("token", input.token.is_some())])?;
    let arn = input.topic_arn.unwrap_or_default();
    let topic = cx.topic("TopicArn", &arn).map_err(|_| subscriptions::other_topic())?;
    let token = input.token.unwrap_or_default();
    let protect = input.authenticate_on_unsubscribe.as_deref().and_then(parse_bool);
    let signed = cx.signed;
    let subscription = cx
        .runtime
        .run(move |tx| {
            subscriptions::confirm(tx, &topic.region, &token, signed, protect == Some(true))
        })
        .await?;
    Ok(Output { subscription_arn: subscription.arn() })
}
