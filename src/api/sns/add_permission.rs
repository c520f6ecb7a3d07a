//! AddPermission.
//!
//! AWS: API_AddPermission.

use super::shapes::require;
use crate::api::prelude::*;
use crate::domain::policy::topic as of_topic;
use crate::engine::topics;

/// The input of AddPermission.
#[apply(input)]
pub struct Input {
    pub topic_arn: Option<String>,
    pub label: Option<String>,
    #[serde(rename = "AWSAccountId")]
    pub aws_account_id: Option<Vec<String>>,
    pub action_name: Option<Vec<String>>,
}

/// Adds a statement to the policy of a topic.
pub async fn add_permission(cx: &Context, input: Input) -> Result<(), Refusal> {
    require([
        ("topicArn", input.topic_arn.is_some()),
        ("label", input.label.is_some()),
        ("aWSAccountId", input.aws_account_id.as_ref().is_some_and(|ids| !ids.is_empty())),
        ("actionName", input.action_name.as_ref().is_some_and(|names| !names.is_empty())),
    ])?;
    let topic = cx.topic("TopicArn", &input.topic_arn.unwrap_or_default())?;
    let label = input.label.unwrap_or_default();
    let accounts = input.aws_account_id.unwrap_or_default();
    let actions = input.action_name.unwrap_or_default();
    let arn = topic.arn();
    cx.run(move |tx, caller| {
        topics::change_policy(tx, &caller.access, &topic, |policy| {
            of_topic::add_permission(policy, &arn, &label, &accounts, &actions)
        })
    })
    .await
}
