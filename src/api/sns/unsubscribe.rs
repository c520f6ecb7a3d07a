//! Unsubscribe: a call, or the link in a message.
//!
//! AWS: API_Unsubscribe. A subscription that is not there is no error.

use crate::api::prelude::*;
use crate::engine::subscriptions;

/// The input of Unsubscribe.
#[apply(input)]
pub struct Input {
    pub subscription_arn: Option<String>,
}

/// Ends a subscription.
// Rule (Unsubscribe): a missing SubscriptionArn is InvalidParameter, not the ValidationError of other operations.
// Source: recorded
// Test: tests/recorded/sns-topics.jsonl#sns-unsubscribe-without-parameter
pub async fn unsubscribe(cx: &Context, input: Input) -> Result<(), Refusal> {
    let arn = input.subscription_arn.ok_or_else(|| {
        let reason = "no value for required parameter";
        Refusal::invalid_parameter_because("SubscriptionArn", reason)
    })?;
    let Some(arn) = cx.subscription(&arn)? else { return Ok(()) };
    let (signed, base_url) = (cx.caller.is_signed(), cx.base_url.clone());
    cx.run(move |tx, caller| {
        subscriptions::unsubscribe(tx, &caller.access, &arn, signed, &base_url)
    })
    .await
}
