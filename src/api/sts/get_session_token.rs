//! GetSessionToken.
//!
//! AWS: API_GetSessionToken of STS. There are no MFA devices, so any code will do.

use super::shapes::{Credentials, has_only, issue};
use crate::api::constraints::Constraints;
use crate::api::prelude::*;
use crate::auth::Principal;
use crate::domain::Kind;
use crate::domain::limits::{SESSION_S, SHORT_SESSION_S};

/// Seconds that a session lasts unless the caller says otherwise.
const DEFAULT_S: i64 = 43_200;

/// The input of GetSessionToken.
#[apply(input)]
pub struct Input {
    pub duration_seconds: Option<i64>,
    pub serial_number: Option<String>,
    pub token_code: Option<String>,
}

/// The output of GetSessionToken.
#[apply(output)]
pub struct Output {
    pub credentials: Credentials,
}

/// Issues a temporary key for the caller, for an hour at most if that is the account's owner.
#[expect(clippy::unused_async, reason = "every operation is")]
pub async fn get_session_token(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let constraints =
        Constraints::default().range("durationSeconds", input.duration_seconds, SESSION_S);
    check_mfa(constraints, input.serial_number.as_deref(), input.token_code.as_deref()).check()?;
    if cx.caller.in_session {
        return Err(Refusal::new(
            Kind::AccessDenied,
            "Cannot call GetSessionToken with session credentials",
        ));
    }
    let duration_s = input.duration_seconds.unwrap_or(DEFAULT_S);
    let (principal, duration_s) = match &cx.caller.principal {
        Principal::Anonymous | Principal::Account => {
            (Principal::Account, duration_s.min(SHORT_SESSION_S))
        }
        other => (other.clone(), duration_s),
    };
    Ok(Output { credentials: issue(cx, &cx.caller.account, principal, duration_s)? })
}

/// The constraints of an MFA device and its code.
pub(super) fn check_mfa(
    constraints: Constraints,
    serial_number: Option<&str>,
    token_code: Option<&str>,
) -> Constraints {
    constraints
        .length("serialNumber", serial_number, 9..=256)
        .pattern("serialNumber", serial_number, r"[\w+=/:,.@-]*", |text| has_only(text, "+=/:,.@-"))
        .length("tokenCode", token_code, 6..=6)
        .pattern("tokenCode", token_code, r"[\d]*", |text| {
            text.bytes().all(|byte| byte.is_ascii_digit())
        })
}
