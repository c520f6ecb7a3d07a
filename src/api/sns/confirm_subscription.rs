//! ConfirmSubscription: a call, or the link in a message.
//!
//! AWS: API_ConfirmSubscription. The token alone identifies the subscription: of the TopicArn only the region
//! matters.

use super::shapes::require;
use crate::api::prelude::*;
use crate::domain::topic_attributes::parse_bool;
use crate::engine::subscriptions;

/// The input of ConfirmSubscription.
#[apply(input)]
pub struct Input {
    pub topic_arn: Option<String>,
    pub token: Option<String>,
    pub authenticate_on_unsubscribe: Option<String>,
}

/// The output of ConfirmSubscription.
#[apply(output)]
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
    let subscription = cx
        .run(move |tx, caller| {
            subscriptions::confirm(
                tx,
                &topic.region,
                &token,
                caller.is_signed(),
                protect == Some(true),
            )
        })
        .await?;
    Ok(Output { subscription_arn: subscription.arn() })
}
