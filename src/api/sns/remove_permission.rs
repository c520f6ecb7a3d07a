//! RemovePermission.
//!
//! AWS: API_RemovePermission. What AWS says of an unknown label is not known; here it is no error.

use super::shapes::require;
use crate::api::prelude::*;
use crate::domain::policy::topic as of_topic;
use crate::engine::topics;

/// The input of RemovePermission.
#[apply(input)]
pub struct Input {
    pub topic_arn: Option<String>,
    pub label: Option<String>,
}

/// Removes a statement from the policy of a topic.
pub async fn remove_permission(cx: &Context, input: Input) -> Result<(), Refusal> {
    require([("topicArn", input.topic_arn.is_some()), ("label", input.label.is_some())])?;
    let topic = cx.topic("TopicArn", &input.topic_arn.unwrap_or_default())?;
    let label = input.label.unwrap_or_default();
    cx.run(move |tx, caller| {
        topics::change_policy(tx, &caller.access, &topic, |policy| {
            of_topic::remove_permission(policy, &label)
        })
    })
    .await
}
