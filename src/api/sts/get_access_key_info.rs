//! GetAccessKeyInfo.
//!
//! AWS: API_GetAccessKeyInfo of STS. Ids of any length are taken, as they are in signatures.

use crate::api::constraints::Constraints;
use crate::api::prelude::*;
use crate::auth::credentials::ACCESS_KEY_ID_LENGTH;

/// The input of GetAccessKeyInfo.
#[apply(input)]
pub struct Input {
    pub access_key_id: Option<String>,
}

/// The output of GetAccessKeyInfo.
#[apply(output)]
pub struct Output {
    pub account: String,
}

/// Returns the account to which an access key id belongs.
#[expect(clippy::unused_async, reason = "every operation is")]
pub async fn get_access_key_info(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let id = input.access_key_id.as_deref();
    Constraints::default()
        .present("accessKeyId", id.is_some())
        .length("accessKeyId", id, ACCESS_KEY_ID_LENGTH)
        .check()?;
    let id = id.unwrap_or_default();
    let known = cx.credentials.get(id).map(|key| key.account.clone());
    Ok(Output { account: known.unwrap_or_else(|| cx.accounts.of(id)) })
}
