//! From a request to its caller, with or without proof.
//!
//! A proof is checked in AWS's order: is the signature all there, is the key known, are date and
//! scope right, does the signature match. Whatever is wrong with the call beyond that is told only
//! to callers who got this far.
//!
//! `x-amz-*` headers that are sent but not signed do not fail a request: only S3 is known to
//! refuse them, and other services have been seen to accept an unsigned session token.

use std::borrow::Cow;

use hyper::http::{HeaderMap, header};
use subtle::ConstantTimeEq;

use super::account::{DEFAULT_ACCOUNT, account_of};
use super::amz_date::AmzDate;
use super::authorization::{self, ALGORITHM, Claim, excerpt};
use super::canonical_request::{Parts, UNSIGNED_PAYLOAD, canonical_request, signed_header_names};
use super::credentials::{ACCESS_KEY_ID_LENGTH, Credential, Credentials};
use super::presigned;
use super::principal::Principal;
use super::signing_keys::SigningKey;
use crate::domain::digest::sha256_hex;
use crate::domain::{Kind, Refusal};

/// How long a signature holds, and how far a client's clock may be ahead, in seconds.
/// IAM User Guide, "Signature Version 4 request elements".
pub const CLOCK_SKEW_S: i64 = 900;
/// Longest region that is taken from a credential scope, in bytes.
pub const REGION_BYTES: usize = 64;

const TERMINATOR: &str = "aws4_request";
const X_AMZ_CONTENT_SHA256: &str = "x-amz-content-sha256";

/// Which requests must prove who sent them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// None: whoever a request names is believed.
    Off,
    /// Those that name a configured key; others are believed.
    KnownKeys,
    /// All, and only configured keys are let in.
    Strict,
}

/// A request as it came over the wire.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// The path of the request line, as sent.
    pub path: &'a str,
    /// The query of the request line without its question mark, as sent.
    pub query: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
    /// The service that is called, as a credential scope names it: `sqs`, `sns`, `sts`.
    pub service: &'a str,
}

/// Who makes a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account, 12 digits.
    pub account: String,
    /// The region of the credential scope; none when the request names none that is usable.
    pub region: Option<String>,
    /// The key that the request names; none when it is unsigned.
    pub access_key_id: Option<String>,
    /// Who of the account.
    pub principal: Principal,
}

impl Caller {
    /// The ARN of the caller; anonymous callers have none.
    pub fn arn(&self) -> Option<String> {
        self.principal.arn(&self.account)
    }

    fn anonymous() -> Self {
        Self {
            account: DEFAULT_ACCOUNT.to_owned(),
            region: None,
            access_key_id: None,
            principal: Principal::Anonymous,
        }
    }

    fn unknown(access_key_id: &str, region: &str) -> Self {
        Self {
            account: account_of(access_key_id),
            region: usable_region(region),
            access_key_id: Some(access_key_id.to_owned()),
            principal: Principal::Account,
        }
    }

    fn known(credential: &Credential, region: &str) -> Self {
        Self {
            account: credential.account.clone(),
            region: usable_region(region),
            access_key_id: Some(credential.access_key_id.clone()),
            principal: credential.principal.clone(),
        }
    }
}

/// Who makes a call. Time is `now_ms` in Unix milliseconds.
///
/// # Errors
///
/// The refusals of AWS for signatures, in AWS's order. None in [`Mode::Off`].
pub fn identify(
    mode: Mode,
    credentials: &Credentials,
    request: &Request<'_>,
    now_ms: i64,
) -> Result<Caller, Refusal> {
    if mode == Mode::Strict {
        return verify(credentials, request, now_ms);
    }
    let Some(named) = Named::find(request.headers, request.query) else {
        return Ok(Caller::anonymous());
    };
    let Some(credential) = credentials.get(&named.access_key_id) else {
        return Ok(Caller::unknown(&named.access_key_id, &named.region));
    };
    if mode == Mode::KnownKeys {
        return verify(credentials, request, now_ms);
    }
    report_wrong_signature(credentials, request, &credential.access_key_id, now_ms);
    Ok(Caller::known(&credential, &named.region))
}

/// Logs the first signature of a configured key that would be refused if signatures were verified:
/// once for each key, so that a busy client does not flood the log.
fn report_wrong_signature(credentials: &Credentials, request: &Request<'_>, id: &str, now_ms: i64) {
    if credentials.is_reported(id) {
        return;
    }
    if let Err(refusal) = verify(credentials, request, now_ms)
        && credentials.report(id)
    {
        // These refusals repeat the header, which is nobody's business but the client's
        let reason = match refusal.kind {
            Kind::IncompleteSignature => "The signature is incomplete.",
            _ => &refusal.message,
        };
        tracing::warn!(access_key_id = id, reason, "wrong signature of a configured key");
    }
}

/// The service that a request is signed for, as far as it names one.
pub fn scope_service(headers: &header::HeaderMap, query: &str) -> Option<String> {
    let named = Named::find(headers, query)?;
    (!named.service.is_empty()).then(|| named.service.into_owned())
}

/// Whether a request claims to be signed, well or not.
pub fn claims_signature(request: &Request<'_>) -> bool {
    request.headers.contains_key(header::AUTHORIZATION) || presigned::is_presigned(request.query)
}

/// The key, region and service that a request names, read as leniently as possible.
struct Named<'a> {
    access_key_id: Cow<'a, str>,
    region: Cow<'a, str>,
    service: Cow<'a, str>,
}

impl<'a> Named<'a> {
    /// From the `Authorization` header, or else from a presigned query.
    fn find(headers: &'a header::HeaderMap, query: &'a str) -> Option<Self> {
        let in_header = || {
            let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
            let credential = authorization::parameter(authorization, "Credential")?;
            Self::new(credential.split('/').map(Cow::Borrowed))
        };
        let in_query = || {
            let credential = presigned::raw_credential(query)?;
            Self::new(split_encoded(credential).map(presigned::decode))
        };
        in_header().or_else(in_query)
    }

    fn new(mut parts: impl Iterator<Item = Cow<'a, str>>) -> Option<Self> {
        let access_key_id = parts.next()?;
        let region = parts.nth(1).unwrap_or_default();
        let service = parts.next().unwrap_or_default();
        ACCESS_KEY_ID_LENGTH.contains(&access_key_id.len()).then_some(Self {
            access_key_id,
            region,
            service,
        })
    }
}

/// Splits at slashes, encoded or not, without decoding the whole first.
fn split_encoded(credential: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(credential);
    std::iter::from_fn(move || {
        let text = rest?;
        let slash = text.char_indices().find_map(|(at, c)| match c {
            '/' => Some((at, at + 1)),
            '%' if matches!(text.get(at..at + 3), Some("%2F" | "%2f")) => Some((at, at + 3)),
            _ => None,
        });
        rest = slash.map(|(_, after)| &text[after..]);
        Some(slash.map_or(text, |(at, _)| &text[..at]))
    })
}

/// The region as a caller's region: none when it is empty or could not be part of an ARN.
fn usable_region(region: &str) -> Option<String> {
    (!region.is_empty() && is_region(region)).then(|| region.to_owned())
}

/// Whether any region could be called so. Names that AWS does not have are welcome, and so is none.
fn is_region(region: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    region.len() <= REGION_BYTES && region.bytes().all(usual)
}

// Rule (every operation): a request with a wrong signature learns nothing about its parameters, its queue or its
//   topic: the signature comes first.
// Source: inferred
// Test: tests/signatures.rs::a_call_with_a_wrong_signature_learns_nothing_else
//
// Rule (every operation): a request without a signature is refused with MissingAuthenticationToken, status 403.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
// Test: src/auth/verify/tests.rs::unsigned_requests_lack_a_token
//
// Rule (every operation): an incomplete signature is refused before the key is looked up, and an unknown key before
//   the rest is checked.
// Source: inferred
// Test: src/auth/verify/tests.rs::unknown_keys_are_refused_before_anything_else_is_checked
//
/// The caller of a request that must prove it.
fn verify(
    credentials: &Credentials,
    request: &Request<'_>,
    now_ms: i64,
) -> Result<Caller, Refusal> {
    let is_presigned = presigned::is_presigned(request.query);
    let hash_in_header =
        request.headers.get(X_AMZ_CONTENT_SHA256).map(header::HeaderValue::as_bytes);
    match request.headers.get(header::AUTHORIZATION) {
        Some(_) if is_presigned => Err(mismatch(
            "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP \
             header.",
        )),
        Some(authorization) => {
            let authorization = String::from_utf8_lossy(authorization.as_bytes());
            let claim = authorization::parse(&authorization, request.headers)?;
            check(credentials, request, &claim, hash_in_header, false, now_ms)
        }
        None if is_presigned => {
            let parameters = presigned::Parameters::parse(request.query);
            let claim = parameters.claim()?;
            let hash_in_query = parameters.content_sha256.as_ref().map(|hash| hash.as_bytes());
            let stated_hash = hash_in_header.or(hash_in_query);
            check(credentials, request, &claim, stated_hash, true, now_ms)
        }
        None => Err(Refusal::new(
            Kind::MissingAuthenticationToken,
            "Request is missing Authentication Token",
        )),
    }
}

/// Checks all that a claim says.
fn check(
    credentials: &Credentials,
    request: &Request<'_>,
    claim: &Claim<'_>,
    stated_hash: Option<&[u8]>,
    presigned: bool,
    now_ms: i64,
) -> Result<Caller, Refusal> {
    let credential = credentials.get(claim.scope.access_key_id).ok_or_else(invalid_token)?;
    check_session_token(&credential, claim, now_ms)?;
    check_time(claim, AmzDate::from_unix_ms(now_ms))?;
    check_scope(claim, request.service)?;
    let payload_hash = payload_hash(request.body, stated_hash)?;
    let canonical = canonical_request(&Parts {
        method: request.method,
        path: request.path,
        query: request.query,
        headers: request.headers,
        signed_headers: claim.signed_headers,
        payload_hash: &payload_hash,
        presigned,
    })
    .ok_or_else(different_signature)?;
    check_signature(credentials, &credential, claim, &canonical)?;
    Ok(Caller::known(&credential, claim.scope.region))
}

/// Temporary credentials need their token, and others must not come with one.
fn check_session_token(
    credential: &Credential,
    claim: &Claim<'_>,
    now_ms: i64,
) -> Result<(), Refusal> {
    match (&credential.session_token, claim.session_token) {
        (None, None) => {}
        (Some(token), Some(given)) if token.equals(given) => {}
        _ => return Err(invalid_token()),
    }
    if credential.expires_at_ms.is_some_and(|end| end <= now_ms) {
        return Err(Refusal::new(
            Kind::ExpiredToken,
            "The security token included in the request is expired",
        ));
    }
    Ok(())
}

// Rule (every operation): a signature holds for 15 minutes, a presigned one for as long as it says, and a client's
//   clock may be 15 minutes ahead.
// Source: documented, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
// Test: src/auth/verify/tests.rs::the_vectors_hold_for_fifteen_minutes
//
/// A signature holds for 15 minutes, or for as long as a presigned one says, and a client's clock
/// may be 15 minutes ahead.
fn check_time(claim: &Claim<'_>, now: AmzDate) -> Result<(), Refusal> {
    let time = claim.time;
    let lifetime_s = claim.expires_s.unwrap_or(CLOCK_SKEW_S);
    let earliest = now.plus_seconds(-lifetime_s);
    if time < earliest {
        let span = match lifetime_s % 60 {
            0 => format!("{} min.", lifetime_s / 60),
            _ => format!("{lifetime_s} sec."),
        };
        return Err(mismatch(format!(
            "Signature expired: {time} is now earlier than {earliest} ({now} - {span})"
        )));
    }
    let latest = now.plus_seconds(CLOCK_SKEW_S);
    if time > latest {
        return Err(mismatch(format!(
            "Signature not yet current: {time} is still later than {latest} ({now} + {} min.)",
            CLOCK_SKEW_S / 60
        )));
    }
    Ok(())
}

/// The scope must be of the day of the request, for this service, and the host must be signed.
fn check_scope(claim: &Claim<'_>, service: &str) -> Result<(), Refusal> {
    let (scope, time) = (&claim.scope, claim.time);
    let day = time.day();
    if scope.day != day {
        return Err(mismatch(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{}' != '{day}', from '{time}'.",
            excerpt(scope.day)
        )));
    }
    if !is_region(scope.region) {
        return Err(mismatch(format!(
            "Credential should be scoped to a valid region, not '{}'.",
            excerpt(scope.region)
        )));
    }
    if scope.service != service {
        return Err(mismatch(format!(
            "Credential should be scoped to correct service: '{service}'."
        )));
    }
    if scope.terminator != TERMINATOR {
        return Err(mismatch(format!(
            "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{}'.",
            excerpt(scope.terminator)
        )));
    }
    if !signed_header_names(claim.signed_headers).iter().any(|name| name == "host") {
        return Err(mismatch(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        ));
    }
    Ok(())
}

/// The hash of the body as it enters the canonical request. What a request states must be that, or
/// say that the body is not signed.
fn payload_hash(body: &[u8], stated: Option<&[u8]>) -> Result<Cow<'static, str>, Refusal> {
    if stated == Some(UNSIGNED_PAYLOAD.as_bytes()) {
        return Ok(Cow::Borrowed(UNSIGNED_PAYLOAD));
    }
    let actual = sha256_hex(body);
    if stated.is_some_and(|stated| stated != actual.as_bytes()) {
        return Err(different_signature());
    }
    Ok(Cow::Owned(actual))
}

fn check_signature(
    credentials: &Credentials,
    credential: &Credential,
    claim: &Claim<'_>,
    canonical: &[u8],
) -> Result<(), Refusal> {
    let (scope, time) = (&claim.scope, claim.time);
    let kept = credentials.signing_keys.get(claim.credential);
    let secret = credential.secret_access_key.expose();
    let key = kept
        .or_else(|| SigningKey::derive(secret, time.unix_s(), scope.region, scope.service))
        .ok_or_else(different_signature)?;
    let string_to_sign = format!(
        "{ALGORITHM}\n{time}\n{}/{}/{}/{TERMINATOR}\n{}",
        scope.day,
        scope.region,
        scope.service,
        sha256_hex(canonical)
    );
    let right = key.sign(&string_to_sign);
    if !bool::from(right.as_bytes().ct_eq(claim.signature.as_bytes())) {
        return Err(different_signature());
    }
    if kept.is_none() {
        credentials.signing_keys.keep(claim.credential, key);
    }
    Ok(())
}

fn mismatch(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(Kind::SignatureDoesNotMatch, message)
}

fn different_signature() -> Refusal {
    mismatch(
        "The request signature we calculated does not match the signature you provided. Check your \
         AWS Secret Access Key and signing method. Consult the service documentation for details.",
    )
}

fn invalid_token() -> Refusal {
    Refusal::new(
        Kind::InvalidClientTokenId,
        "The security token included in the request is invalid.",
    )
}

#[cfg(test)]
mod tests;
