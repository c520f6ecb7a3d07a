//! DeleteSMSSandboxPhoneNumber.
//!
//! AWS: API_DeleteSMSSandboxPhoneNumber.

use super::create_sms_sandbox_phone_number::phone_number_fits;
use super::shapes::Empty;
use crate::api::Context;
use crate::api::constraints::Constraints;
use crate::domain::Refusal;
use crate::engine::sms;
use serde::Deserialize;

/// The input of DeleteSMSSandboxPhoneNumber.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub phone_number: Option<String>,
}

/// Takes a phone number out of the sandbox.
pub async fn delete_sms_sandbox_phone_number(cx: &Context, input: Input) -> Result<Empty, Refusal> {
    phone_number_fits(Constraints::default(), input.phone_number.as_deref()).check()?;
    let number = input.phone_number.unwrap_or_default();
    let place = (cx.account.clone(), cx.region.clone());
    cx.runtime.run(move |tx| sms::delete_sandbox_number(tx, (&place.0, &place.1), &number)).await?;
    Ok(Empty {})
}
