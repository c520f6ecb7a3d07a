//! CreateSMSSandboxPhoneNumber.
//!
//! AWS: API_CreateSMSSandboxPhoneNumber. The one-time password is kept like every message to a phone, to
//! be looked at; it is in English whatever the language.

use super::shapes::Empty;
use crate::api::constraints::Constraints;
use crate::api::prelude::*;
use crate::domain::sms::{LANGUAGES, SANDBOX_NUMBER, is_sandbox_number};
use crate::engine::sms;

/// The input of CreateSMSSandboxPhoneNumber.
#[apply(input)]
pub struct Input {
    pub phone_number: Option<String>,
    pub language_code: Option<String>,
}

/// Sends a one-time password to a phone number.
pub async fn create_sms_sandbox_phone_number(cx: &Context, input: Input) -> Result<Empty, Refusal> {
    phone_number_fits(Constraints::default(), input.phone_number.as_deref())
        .one_of("languageCode", input.language_code.as_deref(), &LANGUAGES)
        .check()?;
    let number = input.phone_number.unwrap_or_default();
    cx.run(move |tx, caller| sms::create_sandbox_number(tx, caller.place(), &number)).await?;
    Ok(Empty {})
}

/// The constraints of a phone number of the sandbox.
pub(super) fn phone_number_fits(constraints: Constraints, number: Option<&str>) -> Constraints {
    constraints
        .present("phoneNumber", number.is_some())
        .length("phoneNumber", number, 0..=20)
        .pattern("phoneNumber", number, SANDBOX_NUMBER, is_sandbox_number)
}
