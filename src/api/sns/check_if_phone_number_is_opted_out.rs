//! CheckIfPhoneNumberIsOptedOut.
//!
//! AWS: API_CheckIfPhoneNumberIsOptedOut.

use super::shapes::required;
use crate::api::Context;
use crate::domain::Refusal;
use crate::domain::sms::given_number;
use crate::engine::sms;
use serde::{Deserialize, Serialize};

/// The input of CheckIfPhoneNumberIsOptedOut.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub phone_number: Option<String>,
}

/// The output of CheckIfPhoneNumberIsOptedOut.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Output {
    pub is_opted_out: bool,
}

/// Tells whether the owner of a phone number wants no messages.
pub async fn check_if_phone_number_is_opted_out(
    cx: &Context,
    input: Input,
) -> Result<Output, Refusal> {
    let number = given_number(&required(input.phone_number, "phoneNumber")?)?;
    let place = (cx.account.clone(), cx.region.clone());
    let is_opted_out =
        cx.runtime.run(move |tx| sms::is_opted_out(tx, (&place.0, &place.1), &number)).await?;
    Ok(Output { is_opted_out })
}
