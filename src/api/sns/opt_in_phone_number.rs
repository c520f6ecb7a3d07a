//! OptInPhoneNumber.
//!
//! AWS: API_OptInPhoneNumber. Once in 30 days for a number.

use super::shapes::{Empty, required};
use crate::api::Context;
use crate::domain::Refusal;
use crate::domain::sms::given_number;
use crate::engine::sms;
use serde::Deserialize;

/// The input of OptInPhoneNumber.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub phone_number: Option<String>,
}

/// Lets messages through to a phone number again.
pub async fn opt_in_phone_number(cx: &Context, input: Input) -> Result<Empty, Refusal> {
    let number = given_number(&required(input.phone_number, "phoneNumber")?)?;
    let place = (cx.account.clone(), cx.region.clone());
    cx.runtime.run(move |tx| sms::opt_in(tx, (&place.0, &place.1), &number)).await?;
    Ok(Empty {})
}
