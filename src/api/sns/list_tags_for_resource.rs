//! ListTagsForResource.
//!
//! AWS: API_ListTagsForResource.

use super::shapes::{Tag, resource_arn_fits};
use super::tag_resource::check_resource;
use crate::api::constraints::Constraints;
use crate::api::prelude::*;

/// The input of ListTagsForResource.
#[apply(input)]
pub struct Input {
    pub resource_arn: Option<String>,
}

/// The output of ListTagsForResource.
#[apply(output)]
pub struct Output {
    pub tags: Vec<Tag>,
}

/// Lists the tags of a topic.
pub async fn list_tags_for_resource(cx: &Context, input: Input) -> Result<Output, Refusal> {
    resource_arn_fits(Constraints::default(), input.resource_arn.as_deref()).check()?;
    let topic = cx.topic("ResourceArn", &input.resource_arn.unwrap_or_default())?;
    let tags = cx
        .run(move |tx, caller| {
            check_resource(tx, &caller.access, &topic)?;
            Ok(tx.resource_tags(&topic.arn())?)
        })
        .await?;
    let tags = tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) });
    Ok(Output { tags: tags.collect() })
}
