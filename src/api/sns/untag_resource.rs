//! UntagResource.
//!
//! AWS: API_UntagResource. Keys that are not there are no error.

use super::shapes::{Empty, require};
use super::tag_resource::check_resource;
use crate::api::Context;
use crate::domain::Refusal;
use serde::Deserialize;

/// The input of UntagResource.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub resource_arn: Option<String>,
    pub tag_keys: Option<Vec<String>>,
}

/// Removes tags of a topic.
pub async fn untag_resource(cx: &Context, input: Input) -> Result<Empty, Refusal> {
    require([
        ("resourceArn", input.resource_arn.is_some()),
        ("tagKeys", input.tag_keys.is_some()),
    ])?;
    let topic = cx.topic("ResourceArn", &input.resource_arn.unwrap_or_default())?;
    let keys = input.tag_keys.unwrap_or_default();
    cx.runtime
        .run(move |tx| {
            check_resource(tx, &topic)?;
            let arn = topic.arn();
            for key in &keys {
                tx.remove_resource_tag(&arn, key)?;
            }
            Ok(Empty {})
        })
        .await
}
