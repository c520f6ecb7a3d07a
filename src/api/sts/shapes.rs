//! Shapes and checks that several operations share.

use crate::api::prelude::*;
use crate::auth::{Credential, Principal, Secret};
use crate::domain::timestamp::iso_8601_seconds;

/// A temporary key as it is returned, once, to the caller that requested it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
    pub expiration: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl From<&Credential> for Credentials {
    fn from(key: &Credential) -> Self {
        let token = key.session_token.as_ref().map(Secret::expose);
        Self {
            access_key_id: key.access_key_id.clone(),
            secret_access_key: key.secret_access_key.expose().to_owned(),
            session_token: token.unwrap_or_default().to_owned(),
            expiration: iso_8601_seconds(key.expires_at_ms.unwrap_or_default()),
        }
    }
}

/// Issues a temporary key with the caller's role, which ends after so many seconds.
pub(super) fn issue(
    cx: &Context,
    account: &str,
    principal: Principal,
    duration_s: i64,
) -> Result<Credentials, Refusal> {
    // Expiration is reported in whole seconds: round down, so that it is never overstated.
    let expires_at_ms = (cx.received_at_ms / 1_000 + duration_s) * 1_000;
    let key = cx
        .credentials
        .issue(cx.caller.key_id.as_deref(), account, principal, cx.caller.role, expires_at_ms)
        .map_err(Refusal::internal)?;
    Ok(Credentials::from(&*key))
}

/// Whether a text has nothing but the characters of IAM's names and these.
pub(super) fn has_only(text: &str, others: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || others.contains(c))
}
