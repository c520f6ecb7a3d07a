//! ListPhoneNumbersOptedOut.
//!
//! AWS: API_ListPhoneNumbersOptedOut. A hundred a page, in their order.

use super::shapes::{page, read_next_token};
use crate::api::prelude::*;
use crate::domain::limits::SNS_PAGE;

/// The input of ListPhoneNumbersOptedOut.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    pub next_token: Option<String>,
}

/// The output of ListPhoneNumbersOptedOut.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    pub phone_numbers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// Lists the phone numbers whose owners want no messages.
pub async fn list_phone_numbers_opted_out(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let after = read_next_token(input.next_token.as_deref())?.unwrap_or_default();
    let phone_numbers = cx
        .run(move |tx, caller| {
            Ok(tx.opted_out_numbers_after(caller.place(), &after, SNS_PAGE + 1)?)
        })
        .await?;
    let (phone_numbers, next_token) = page(phone_numbers, SNS_PAGE, String::clone);
    Ok(Output { phone_numbers, next_token })
}
