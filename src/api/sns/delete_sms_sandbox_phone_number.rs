//! DeleteSMSSandboxPhoneNumber.
//!
//! AWS: API_DeleteSMSSandboxPhoneNumber.

use super::create_sms_sandbox_phone_number::phone_number_fits;
use super::shapes::Empty;
use crate::api::constraints::Constraints;
use crate::api::prelude::*;
use crate::engine::sms;

/// The input of DeleteSMSSandboxPhoneNumber.
#[apply(input)]
pub struct Input {
    pub phone_number: Option<String>,
}

/// Takes a phone number out of the sandbox.
pub async fn delete_sms_sandbox_phone_number(cx: &Context, input: Input) -> Result<Empty, Refusal> {
    phone_number_fits(Constraints::default(), input.phone_number.as_deref()).check()?;
    let number = input.phone_number.unwrap_or_default();
    cx.run(move |tx, caller| sms::delete_sandbox_number(tx, caller.place(), &number)).await?;
    Ok(Empty {})
}
