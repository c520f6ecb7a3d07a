//! GetTopicAttributes.
//!
//! AWS: API_GetTopicAttributes.

use super::shapes::Attributes;
use super::shapes::required;
use crate::api::prelude::*;
use crate::domain::timestamp::iso_8601;
use crate::engine::topics;

/// The input of GetTopicAttributes.
#[apply(input)]
pub struct Input {
    pub topic_arn: Option<String>,
}

/// Returns the attributes of a topic.
pub async fn get_topic_attributes(cx: &Context, input: Input) -> Result<Attributes, Refusal> {
    let address = cx.topic("TopicArn", &required(input.topic_arn, "topicArn")?)?;
    let topic = cx.run(move |tx, caller| topics::find(tx, &caller.access, &address)).await?;
    let mut attributes = topic.attributes.shown(&topic.address);
    for (name, count) in [
        ("SubscriptionsConfirmed", topic.confirmed),
        ("SubscriptionsPending", topic.pending),
        ("SubscriptionsDeleted", topic.deleted),
    ] {
        attributes.insert(name.to_owned(), count.to_string());
    }
    if let Some(since) = topic.archive_since {
        attributes.insert("BeginningArchiveTime".to_owned(), iso_8601(since));
    }
    Ok(Attributes { attributes })
}
