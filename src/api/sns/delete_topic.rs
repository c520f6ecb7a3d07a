//! DeleteTopic.
//!
//! AWS: API_DeleteTopic. A topic that is not there is no error.

use super::shapes::required;
use crate::api::Context;
use crate::domain::Refusal;
use crate::engine::topics;
use serde::Deserialize;

/// The input of DeleteTopic.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub topic_arn: Option<String>,
}

/// Deletes a topic with its subscriptions.
pub async fn delete_topic(cx: &Context, input: Input) -> Result<(), Refusal> {
    let topic = cx.topic("TopicArn", &required(input.topic_arn, "topicArn")?)?;
    let access = cx.access.clone();
    cx.runtime.run(move |tx| topics::delete(tx, &access, &topic)).await
}
