//! Unsubscribe: a call, or the link in a message.
//!
//! AWS: API_Unsubscribe. A subscription that is not there is no error.

use crate::api::Context;
use crate::domain::Refusal;
use crate::engine::subscriptions;
use serde::Deserialize;

/// The input of Unsubscribe.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
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
    let (signed, base_url) = (cx.signed, cx.base_url.clone());
    let access = cx.access.clone();
    cx.runtime.run(move |tx| subscriptions::unsubscribe(tx, &access, &arn, signed, &base_url)).await
}
