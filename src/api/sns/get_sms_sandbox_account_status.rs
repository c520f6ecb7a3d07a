//! GetSMSSandboxAccountStatus.
//!
//! AWS: API_GetSMSSandboxAccountStatus. Accounts are out of the sandbox: messages go to any number.

use crate::api::prelude::*;

/// The input of GetSMSSandboxAccountStatus.
#[apply(input)]
pub struct Input {}

/// The output of GetSMSSandboxAccountStatus.
#[apply(output)]
pub struct Output {
    pub is_in_sandbox: bool,
}

/// Returns whether the account may send to verified phone numbers only.
#[expect(clippy::unused_async, reason = "every operation is")]
pub async fn get_sms_sandbox_account_status(
    _cx: &Context,
    _input: Input,
) -> Result<Output, Refusal> {
    Ok(Output { is_in_sandbox: false })
}
