//! UntagResource.
//!
//! AWS: API_UntagResource. Keys that are not there are no error.

use super::shapes::{Empty, resource_arn_fits};
use super::tag_resource::check_resource;
use crate::api::constraints::Constraints;
use crate::api::prelude::*;
use crate::domain::limits::TAG_KEY_LENGTH;

/// The input of UntagResource.
#[apply(input)]
pub struct Input {
    pub resource_arn: Option<String>,
    pub tag_keys: Option<Vec<String>>,
}

/// Removes tags of a topic.
pub async fn untag_resource(cx: &Context, input: Input) -> Result<Empty, Refusal> {
    let has_keys = input.tag_keys.is_some();
    let keys = input.tag_keys.unwrap_or_default();
    resource_arn_fits(Constraints::default(), input.resource_arn.as_deref())
        .present("tagKeys", has_keys)
        .each_length("tagKeys", &keys, TAG_KEY_LENGTH)
        .check()?;
    let topic = cx.topic("ResourceArn", &input.resource_arn.unwrap_or_default())?;
    cx.run(move |tx, caller| {
        check_resource(tx, &caller.access, &topic)?;
        let arn = topic.arn();
        for key in &keys {
            tx.remove_resource_tag(&arn, key)?;
        }
        Ok(Empty {})
    })
    .await
}
