//! CheckIfPhoneNumberIsOptedOut.
//!
//! AWS: API_CheckIfPhoneNumberIsOptedOut.

use super::shapes::required;
use crate::api::prelude::*;
use crate::domain::sms::given_number;
use crate::engine::sms;

/// The input of CheckIfPhoneNumberIsOptedOut.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    pub phone_number: Option<String>,
}

/// The output of CheckIfPhoneNumberIsOptedOut.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    pub is_opted_out: bool,
}

/// Returns whether the owner of a phone number has opted out of messages.
pub async fn check_if_phone_number_is_opted_out(
    cx: &Context,
    input: Input,
) -> Result<Output, Refusal> {
    let number = given_number(&required(input.phone_number, "phoneNumber")?)?;
    let is_opted_out =
        cx.run(move |tx, caller| sms::is_opted_out(tx, caller.place(), &number)).await?;
    Ok(Output { is_opted_out })
}
