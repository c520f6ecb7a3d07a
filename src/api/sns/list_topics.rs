//! ListTopics.
//!
//! AWS: API_ListTopics. A hundred a page, in the order of their names.

use super::shapes::{page, read_next_token};
use crate::api::prelude::*;
use crate::domain::limits::SNS_PAGE;

/// The input of ListTopics.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Input {
    pub next_token: Option<String>,
}

/// The output of ListTopics.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub topics: Vec<Topic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// An element of the list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Topic {
    pub topic_arn: String,
}

/// Lists the topics of the caller's account and region.
pub async fn list_topics(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let after = read_next_token(input.next_token.as_deref())?.unwrap_or_default();
    let (account, region) = (cx.caller.account.clone(), cx.caller.region.clone());
    let topics =
        cx.run(move |tx, _| Ok(tx.topics_after(&account, &region, &after, SNS_PAGE + 1)?)).await?;
    let (topics, next_token) = page(topics, SNS_PAGE, |last| last.address.name.clone());
    let topics = topics.iter().map(|topic| Topic { topic_arn: topic.address.arn() }).collect();
    Ok(Output { topics, next_token })
}
