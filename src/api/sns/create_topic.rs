//! CreateTopic.
//!
//! AWS: API_CreateTopic.

use super::shapes::{Tag, tags, tags_fit};
use crate::api::constraints::Constraints;
use crate::api::prelude::*;
use crate::domain::limits::DATA_PROTECTION_POLICY_LENGTH;
use crate::domain::topic_address::TopicAddress;
use crate::domain::topic_address::check_topic_name;
use crate::domain::topic_attributes::asks_for_fifo;
use crate::engine::topics;

/// The input of CreateTopic.
#[apply(input)]
pub struct Input {
    pub name: Option<String>,
    pub attributes: Option<IndexMap<String, String>>,
    pub tags: Option<Vec<Tag>>,
    pub data_protection_policy: Option<String>,
}

/// The output of CreateTopic.
#[apply(output)]
pub struct Output {
    pub topic_arn: String,
}

/// Creates a topic, or finds the existing one.
pub async fn create_topic(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let constraints = Constraints::default().present("name", input.name.is_some());
    tags_fit(constraints, input.tags.as_deref().unwrap_or_default()).check()?;
    let name = input.name.unwrap_or_default();
    let attributes = input.attributes.unwrap_or_default();
    check_topic_name(&name, asks_for_fifo(&attributes)?)?;
    let tags = tags(input.tags.unwrap_or_default())?;
    let data_protection_policy = input.data_protection_policy;
    check_data_protection_policy(data_protection_policy.as_deref().unwrap_or_default())?;
    let address =
        TopicAddress { account: cx.caller.account.clone(), region: cx.caller.region.clone(), name };
    let topic_arn = address.arn();
    cx.run(move |tx, caller| {
        let data_protection_policy = data_protection_policy.as_deref();
        topics::create(tx, &caller.access, &address, &attributes, &tags, data_protection_policy)
    })
    .await?;
    // Publications may follow soon, and a signing key takes a moment to be made.
    cx.runtime.sns_signer().prepare();
    Ok(Output { topic_arn })
}

/// Checks a data protection policy: a JSON document of a certain length, or nothing.
pub(super) fn check_data_protection_policy(text: &str) -> Result<(), Refusal> {
    let is_document = || serde_json::from_str::<serde_json::Map<_, _>>(text).is_ok();
    let fits =
        text.is_empty() || text.chars().count() <= DATA_PROTECTION_POLICY_LENGTH && is_document();
    if fits { Ok(()) } else { Err(Refusal::invalid_parameter("DataProtectionPolicy")) }
}
