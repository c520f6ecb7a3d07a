//! ListSubscriptionsByTopic.
//!
//! AWS: API_ListSubscriptionsByTopic. A hundred a page, the oldest first.

use super::list_subscriptions::Output;
use super::shapes::{read_number_token, required};
use crate::api::Context;
use crate::domain::Refusal;
use crate::domain::limits::SNS_PAGE;
use crate::engine::topics;
use serde::Deserialize;

/// The input of ListSubscriptionsByTopic.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub topic_arn: Option<String>,
    pub next_token: Option<String>,
}

/// Lists the subscriptions of a topic.
pub async fn list_subscriptions_by_topic(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let address = cx.topic("TopicArn", &required(input.topic_arn, "topicArn")?)?;
    let after = read_number_token(input.next_token.as_deref())?;
    let access = cx.access.clone();
    let page = cx
        .runtime
        .run(move |tx| {
            let topic = topics::find(tx, &access, &address)?;
            Ok(tx.subscriptions_of_topic(topic.id, after, SNS_PAGE + 1)?)
        })
        .await?;
    Ok(Output::new(page))
}
