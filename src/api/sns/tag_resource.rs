//! TagResource.
//!
//! AWS: API_TagResource.

use super::shapes::{Empty, Tag, check_number_of_tags, resource_arn_fits, tags, tags_fit};
use crate::api::constraints::Constraints;
use crate::api::prelude::*;
use crate::domain::Kind;
use crate::domain::topic_address::TopicAddress;
use crate::engine::access::Access;
use crate::engine::topics;

/// The input of TagResource.
#[apply(input)]
pub struct Input {
    pub resource_arn: Option<String>,
    pub tags: Option<Vec<Tag>>,
}

/// Sets tags of a topic.
pub async fn tag_resource(cx: &Context, input: Input) -> Result<Empty, Refusal> {
    let constraints = resource_arn_fits(Constraints::default(), input.resource_arn.as_deref())
        .present("tags", input.tags.is_some());
    tags_fit(constraints, input.tags.as_deref().unwrap_or_default()).check()?;
    let topic = cx.topic("ResourceArn", &input.resource_arn.unwrap_or_default())?;
    let tags = tags(input.tags.unwrap_or_default())?;
    cx.run(move |tx, caller| {
        check_resource(tx, &caller.access, &topic)?;
        let arn = topic.arn();
        let mut all = tx.resource_tags(&arn)?;
        all.extend(tags.clone());
        check_number_of_tags(all.len())?;
        for (key, value) in &tags {
            tx.set_resource_tag(&arn, key, value)?;
        }
        Ok(Empty {})
    })
    .await
}

/// Refuses a topic that is not there in the words of the operations on tags.
pub(super) fn check_resource(
    tx: &mut Txn<'_>,
    access: &Access,
    topic: &TopicAddress,
) -> Result<(), Refusal> {
    match topics::look(tx, access, topic)? {
        Some(_) => Ok(()),
        None => Err(Refusal::new(Kind::ResourceNotFound, "Resource does not exist")),
    }
}
