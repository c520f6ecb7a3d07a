//! GetCallerIdentity.
//!
//! AWS: API_GetCallerIdentity of STS.

use crate::api::prelude::*;

/// The input of GetCallerIdentity.
#[derive(Debug, Deserialize)]
pub struct Input {}

/// The output of GetCallerIdentity.
#[apply(output)]
pub struct Output {
    pub user_id: String,
    pub account: String,
    pub arn: String,
}

/// Returns the caller's identity. A caller that does not sign, where signatures are optional, is the owner of
/// the default account.
#[expect(clippy::unused_async, reason = "every operation is")]
pub async fn get_caller_identity(cx: &Context, _input: Input) -> Result<Output, Refusal> {
    Ok(Output {
        user_id: cx.caller.principal.id(&cx.caller.account),
        account: cx.caller.account.clone(),
        arn: cx.caller.arn.clone(),
    })
}
