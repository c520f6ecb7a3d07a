//! ListOriginationNumbers.
//!
//! AWS: API_ListOriginationNumbers. The list is empty: there is no carrier that leases numbers.

use super::shapes::read_next_token;
use crate::api::constraints::Constraints;
use crate::api::prelude::*;

/// The input of ListOriginationNumbers.
#[apply(input)]
pub struct Input {
    pub next_token: Option<String>,
    pub max_results: Option<i64>,
}

/// The output of ListOriginationNumbers.
#[apply(output)]
pub struct Output {
    pub phone_numbers: Vec<String>,
    pub next_token: Option<String>,
}

/// Lists the phone numbers that messages are sent from.
#[expect(clippy::unused_async, reason = "every operation is")]
pub async fn list_origination_numbers(_cx: &Context, input: Input) -> Result<Output, Refusal> {
    Constraints::default().range("maxResults", input.max_results, 1..=30).check()?;
    read_next_token(input.next_token.as_deref())?;
    Ok(Output { phone_numbers: Vec::new(), next_token: None })
}
