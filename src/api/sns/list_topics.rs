//! ListTopics.
//!
//! AWS: API_ListTopics. A hundred a page, in the order of their names.

use super::shapes::{page, read_next_token};
use crate::api::prelude::*;
use crate::domain::limits::SNS_PAGE;

/// The input of ListTopics.
#[apply(input)]
pub struct Input {
    pub next_token: Option<String>,
}

/// The output of ListTopics.
#[apply(output)]
pub struct Output {
    pub topics: Vec<Topic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// An element of the list.
#[apply(output)]
pub struct Topic {
    pub topic_arn: String,
}

/// Lists the topics of the caller's account and region.
pub async fn list_topics(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let after = read_next_token(input.next_token.as_deref())?.unwrap_or_default();
    let topics = cx
        .run(move |tx, caller| {
            Ok(tx.topics_after(&caller.account, &caller.region, &after, SNS_PAGE + 1)?)
        })
        .await?;
    let (topics, next_token) = page(topics, SNS_PAGE, |last| last.address.name.clone());
    let topics = topics.iter().map(|topic| Topic { topic_arn: topic.address.arn() }).collect();
    Ok(Output { topics, next_token })
}
