//! SetTopicAttributes.
//!
//! AWS: API_SetTopicAttributes.

use super::shapes::require;
use crate::api::Context;
use crate::domain::Refusal;
use crate::engine::topics;
use serde::Deserialize;

/// The input of SetTopicAttributes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub topic_arn: Option<String>,
    pub attribute_name: Option<String>,
    pub attribute_value: Option<String>,
}

/// Changes one attribute of a topic. No value is the empty one.
pub async fn set_topic_attributes(cx: &Context, input: Input) -> Result<(), Refusal> {
    require([
        ("topicArn", input.topic_arn.is_some()),
        ("attributeName", input.attribute_name.is_some()),
    ])?;
    let topic = cx.topic("TopicArn", &input.topic_arn.unwrap_or_default())?;
    let name = input.attribute_name.unwrap_or_default();
    let value = input.attribute_value.unwrap_or_default();
    let access = cx.access.clone();
    cx.runtime.run(move |tx| topics::set_attribute(tx, &access, &topic, &name, &value)).await
}
