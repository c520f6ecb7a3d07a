//! Subscribe.
//!
//! AWS: API_Subscribe.

use super::shapes::require;
use crate::api::prelude::*;
use crate::domain::sns_endpoint::Protocol;
use crate::engine::subscriptions::{self, Request};
use crate::store::SubscriptionState;

/// The input of Subscribe.
#[apply(input)]
pub struct Input {
    pub topic_arn: Option<String>,
    pub protocol: Option<String>,
    pub endpoint: Option<String>,
    pub attributes: Option<IndexMap<String, String>>,
    pub return_subscription_arn: Option<bool>,
}

/// The output of Subscribe.
#[apply(output)]
pub struct Output {
    pub subscription_arn: String,
}

/// Subscribes an endpoint to a topic.
pub async fn subscribe(cx: &Context, input: Input) -> Result<Output, Refusal> {
    require([("topicArn", input.topic_arn.is_some()), ("protocol", input.protocol.is_some())])?;
    let topic = cx.topic("TopicArn", &input.topic_arn.unwrap_or_default())?;
    let wants_arn = input.return_subscription_arn.unwrap_or(false);
    let protocol = input.protocol.unwrap_or_default();
    let request = Request {
        access: cx.caller.access.clone(),
        topic: topic.clone(),
        protocol: Protocol::named(&protocol)?,
        endpoint: input.endpoint.unwrap_or_default(),
        attributes: input.attributes.unwrap_or_default(),
        account: cx.caller.account.clone(),
        principal: cx.caller.arn.clone(),
        base_url: cx.base_url.clone(),
    };
    if request.protocol.is_http() {
        let check = cx.runtime.check_endpoint(&request.endpoint);
        check.map_err(|reason| Refusal::invalid_parameter_because("Endpoint", reason))?;
    }
    let subscription = cx.run(move |tx, _| subscriptions::subscribe(tx, &request)).await?;
    let shows_arn = subscription.state == SubscriptionState::Confirmed || wants_arn;
    let subscription_arn =
        if shows_arn { subscription.arn() } else { "pending confirmation".to_owned() };
    Ok(Output { subscription_arn })
}
