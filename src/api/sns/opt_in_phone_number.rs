//! OptInPhoneNumber.
//!
//! AWS: API_OptInPhoneNumber. Once in 30 days for a number.

use super::shapes::{Empty, required};
use crate::api::prelude::*;
use crate::domain::sms::given_number;
use crate::engine::sms;

/// The input of OptInPhoneNumber.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    pub phone_number: Option<String>,
}

/// Lets messages through to a phone number again.
pub async fn opt_in_phone_number(cx: &Context, input: Input) -> Result<Empty, Refusal> {
    let number = given_number(&required(input.phone_number, "phoneNumber")?)?;
    cx.run(move |tx, caller| sms::opt_in(tx, caller.place(), &number)).await?;
    Ok(Empty {})
}
