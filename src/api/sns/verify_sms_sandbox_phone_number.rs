//! VerifySMSSandboxPhoneNumber.
//!
//! AWS: API_VerifySMSSandboxPhoneNumber.

use super::create_sms_sandbox_phone_number::phone_number_fits;
use super::shapes::Empty;
use crate::api::Context;
use crate::api::constraints::Constraints;
use crate::domain::Refusal;
use crate::engine::sms;
use serde::Deserialize;

/// The input of VerifySMSSandboxPhoneNumber.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub phone_number: Option<String>,
    pub one_time_password: Option<String>,
}

/// Verifies a phone number by the one-time password that was sent to it.
pub async fn verify_sms_sandbox_phone_number(cx: &Context, input: Input) -> Result<Empty, Refusal> {
    let password = input.one_time_password.as_deref();
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    phone_number_fits(Constraints::default(), input.phone_number.as_deref())
        .present("oneTimePassword", password.is_some())
        .length("oneTimePassword", password, 5..=8)
        .pattern("oneTimePassword", password, "^[0-9]+$", are_digits)
        .check()?;
    let number = input.phone_number.unwrap_or_default();
    let password = input.one_time_password.unwrap_or_default();
    let place = (cx.account.clone(), cx.region.clone());
    cx.runtime
        .run(move |tx| sms::verify_sandbox_number(tx, (&place.0, &place.1), &number, &password))
        .await?;
    Ok(Empty {})
}
