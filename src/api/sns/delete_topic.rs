//! DeleteTopic.
//!
//! AWS: API_DeleteTopic. A topic that is not there is no error.

use super::shapes::required;
use crate::api::prelude::*;
use crate::engine::topics;

/// The input of DeleteTopic.
#[apply(input)]
pub struct Input {
    pub topic_arn: Option<String>,
}

/// Deletes a topic with its subscriptions.
pub async fn delete_topic(cx: &Context, input: Input) -> Result<(), Refusal> {
    let topic = cx.topic("TopicArn", &required(input.topic_arn, "topicArn")?)?;
    cx.run(move |tx, caller| topics::delete(tx, &caller.access, &topic)).await
}
