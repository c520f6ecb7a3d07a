//! VerifySMSSandboxPhoneNumber.
//!
//! AWS: API_VerifySMSSandboxPhoneNumber.

use super::create_sms_sandbox_phone_number::phone_number_fits;
use super::shapes::Empty;
use crate::api::constraints::Constraints;
use crate::api::prelude::*;
use crate::engine::sms;

/// The input of VerifySMSSandboxPhoneNumber.
#[apply(input)]
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
    cx.run(move |tx, caller| sms::verify_sandbox_number(tx, caller.place(), &number, &password))
        .await?;
    Ok(Empty {})
}
