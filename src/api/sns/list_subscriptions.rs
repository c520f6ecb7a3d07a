//! ListSubscriptions.
//!
//! AWS: API_ListSubscriptions. A hundred a page, the oldest first.

use super::shapes::{SubscriptionElement, page, read_number_token};
use crate::api::prelude::*;
use crate::domain::limits::SNS_PAGE;
use crate::store::Subscription;

/// The input of ListSubscriptions.
#[apply(input)]
pub struct Input {
    pub next_token: Option<String>,
}

/// The output of ListSubscriptions and ListSubscriptionsByTopic.
#[apply(output)]
pub struct Output {
    pub subscriptions: Vec<SubscriptionElement>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

impl Output {
    /// A page that was read with one subscription too many.
    pub(super) fn new(subscriptions: Vec<Subscription>) -> Self {
        let (subscriptions, next_token) = page(subscriptions, SNS_PAGE, |last| last.id);
        Self { subscriptions: subscriptions.into_iter().map(Into::into).collect(), next_token }
    }
}

/// Lists the subscriptions of the caller's account and region.
pub async fn list_subscriptions(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let after = read_number_token(input.next_token.as_deref())?;
    let subscriptions = cx
        .run(move |tx, caller| {
            Ok(tx.subscriptions_of_account(&caller.account, &caller.region, after, SNS_PAGE + 1)?)
        })
        .await?;
    Ok(Output::new(subscriptions))
}
