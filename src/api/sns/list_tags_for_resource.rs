//! ListTagsForResource.
//!
//! AWS: API_ListTagsForResource.

use super::shapes::{Tag, required};
use super::tag_resource::check_resource;
use crate::api::Context;
use crate::domain::Refusal;
use serde::{Deserialize, Serialize};

/// The input of ListTagsForResource.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub resource_arn: Option<String>,
}

/// The output of ListTagsForResource.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Output {
    pub tags: Vec<Tag>,
}

/// Lists the tags of a topic.
pub async fn list_tags_for_resource(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let topic = cx.topic("ResourceArn", &required(input.resource_arn, "resourceArn")?)?;
    let tags = cx
        .runtime
        .run(move |tx| {
            check_resource(tx, &topic)?;
            Ok(tx.resource_tags(&topic.arn())?)
        })
        .await?;
    let tags = tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) });
    Ok(Output { tags: tags.collect() })
}
