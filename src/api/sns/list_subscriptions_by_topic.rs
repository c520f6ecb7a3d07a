//! ListSubscriptionsByTopic.
//!
//! AWS: API_ListSubscriptionsByTopic. A hundred a page, the oldest first.

use super::list_subscriptions::Output;
use super::shapes::{read_number_token, required};
use crate::api::prelude::*;
use crate::domain::limits::SNS_PAGE;

/// The input of ListSubscriptionsByTopic.
#[apply(input)]
pub struct Input {
    pub topic_arn: Option<String>,
    pub next_token: Option<String>,
}

/// Lists the subscriptions of a topic.
pub async fn list_subscriptions_by_topic(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let address = cx.topic("TopicArn", &required(input.topic_arn, "topicArn")?)?;
    let after = read_number_token(input.next_token.as_deref())?;
    let page = cx
        .on_topic(address, move |tx, topic| {
            Ok(tx.subscriptions_of_topic(topic.id, after, SNS_PAGE + 1)?)
        })
        .await?;
    Ok(Output::new(page))
}
