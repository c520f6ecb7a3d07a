//! SetTopicAttributes.
//!
//! AWS: API_SetTopicAttributes.

use super::shapes::require;
use crate::api::prelude::*;
use crate::engine::topics;

/// The input of SetTopicAttributes.
#[apply(input)]
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
    cx.run(move |tx, caller| topics::set_attribute(tx, &caller.access, &topic, &name, &value)).await
}
