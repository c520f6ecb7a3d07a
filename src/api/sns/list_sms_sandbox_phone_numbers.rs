//! ListSMSSandboxPhoneNumbers.
//!
//! AWS: API_ListSMSSandboxPhoneNumbers. In their order.

use super::shapes::{page, read_next_token};
use crate::api::constraints::Constraints;
use crate::api::prelude::*;
use crate::domain::limits::SNS_PAGE;
use crate::store::SandboxNumber;

/// The input of ListSMSSandboxPhoneNumbers.
#[apply(input)]
pub struct Input {
    pub next_token: Option<String>,
    pub max_results: Option<i64>,
}

/// The output of ListSMSSandboxPhoneNumbers.
#[apply(output)]
pub struct Output {
    pub phone_numbers: Vec<PhoneNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// An element of the list.
#[apply(output)]
pub struct PhoneNumber {
    pub phone_number: String,
    pub status: &'static str,
}

impl From<SandboxNumber> for PhoneNumber {
    fn from(number: SandboxNumber) -> Self {
        Self {
            phone_number: number.phone_number,
            status: if number.verified { "Verified" } else { "Pending" },
        }
    }
}

/// Lists the phone numbers of the sandbox.
pub async fn list_sms_sandbox_phone_numbers(cx: &Context, input: Input) -> Result<Output, Refusal> {
    Constraints::default().range("maxResults", input.max_results, 1..=SNS_PAGE).check()?;
    let most = input.max_results.unwrap_or(SNS_PAGE);
    let after = read_next_token(input.next_token.as_deref())?.unwrap_or_default();
    let numbers = cx
        .run(move |tx, caller| Ok(tx.sandbox_numbers_after(caller.place(), &after, most + 1)?))
        .await?;
    let (numbers, next_token) = page(numbers, most, |last| last.phone_number.clone());
    Ok(Output { phone_numbers: numbers.into_iter().map(Into::into).collect(), next_token })
}
