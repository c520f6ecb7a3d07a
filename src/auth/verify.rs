//! Finds the caller of a request, in four steps:
//!
//! 1. [`RequestSignature::find`] finds the signature in the head of the request.
//! 2. [`recognize`] finds the key, and checks that the signature is complete and its date right.
//! 3. [`CallerIdentity::check_head`] checks what else needs no body: the scope, the signed headers, and the signature
//!    itself if the head states the hash of the body. So a body is read only if it can still decide something.
//! 4. [`CallerIdentity::prove`] checks the rest once the body has arrived.
//!
//! The order of errors is AWS's. Only callers who have passed all steps learn what else is wrong
//! with a call.
//!
//! Only signed parts decide what a verified request does. Unsigned parts that could change it fail the request or
//! are ignored: see [`CallerIdentity::covers`]. Other unsigned `x-amz-*` headers do not fail a request: only S3 is known
//! to reject them, and other services accept an unsigned session token.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::ValueEnum;
use hyper::http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use strum::Display;
use subtle::ConstantTimeEq;

use super::account::{DEFAULT_ACCOUNT, account_of};
use super::amz_date::AmzDate;
use super::authorization::{self, ALGORITHM, Claim, excerpt};
use super::canonical_request::{
    Request, UNSIGNED_PAYLOAD, canonical_request, repeated_parameters, signs_header,
};
use super::credentials::{ACCESS_KEY_ID_LENGTH, Credential, Credentials};
use super::presigned;
use super::principal::Principal;
use super::signing_keys::SigningKey;
use crate::domain::digest::sha256_hex;
use crate::domain::{Kind, Refusal};

/// How long a signature holds, and how far a client's clock may be ahead, in seconds.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
pub const CLOCK_SKEW_S: i64 = 900;
/// The longest region that is used from a credential scope, in bytes.
pub const REGION_BYTES: usize = 64;

const TERMINATOR: &str = "aws4_request";
const X_AMZ_CONTENT_SHA256: &str = "x-amz-content-sha256";
const X_AMZ_TARGET: &str = "x-amz-target";
const FORM: &str = "application/x-www-form-urlencoded";

/// Which requests must carry a valid signature. The comments of the variants are shown by `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Mode {
    /// None: signatures are read for their account and region only
    Off,
    /// Those signed with a configured key; other keys pass
    KnownKeys,
    /// All
    Strict,
}

/// The caller of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account, 12 digits.
    pub account: String,
    /// The region of the credential scope; `None` if the request names no usable one.
    pub region: Option<String>,
    /// The key that the request names; `None` if it is unsigned.
    pub access_key_id: Option<String>,
    /// The principal within the account.
    pub principal: Principal,
}

impl Caller {
    /// Returns the ARN of the caller; anonymous callers have none.
    pub fn arn(&self) -> Option<String> {
        self.principal.arn(&self.account)
    }

    fn new(account: &str, region: &str, access_key_id: &str, principal: Principal) -> Self {
        Self {
            account: account.to_owned(),
            region: usable_region(region),
            access_key_id: Some(access_key_id.to_owned()).filter(|id| !id.is_empty()),
            principal,
        }
    }

    fn known(key: &Credential, region: &str) -> Self {
        Self::new(&key.account, region, &key.access_key_id, key.principal.clone())
    }
}

/// Returns the caller of a request, in one step. `now_ms` is in Unix milliseconds.
///
/// # Errors
///
/// AWS's errors for signatures, in AWS's order. There are none in [`Mode::Off`].
pub fn identify(
    mode: Mode,
    credentials: &Credentials,
    request: &Request<'_>,
    now_ms: i64,
) -> Result<Caller, Refusal> {
    let presented = RequestSignature::find(request.headers, request.query);
    recognize(mode, credentials, &presented, now_ms)?.prove(credentials, request, now_ms)
}

/// The signature in the head of a request, decoded but not verified.
pub struct RequestSignature<'r> {
    headers: &'r HeaderMap,
    query: &'r str,
    /// The value of the `Authorization` header.
    authorization: Option<Cow<'r, str>>,
    /// The parameters of a presigned URL.
    presigned: Option<Box<presigned::Parameters<'r>>>,
}

impl<'r> RequestSignature<'r> {
    // Rule (every operation): two Authorization headers are read as one list, as HTTP has it, whose second
    //   algorithm is no `key=value`: IncompleteSignature.
    // Source: inferred, RFC 9110 section 5.3 and AWS's words for a part without an equal-sign
    // Test: src/auth/verify/tests.rs::two_authorization_headers_are_an_incomplete_signature
    //
    /// Finds the signature in the headers or in the query of a URL.
    pub fn find(headers: &'r HeaderMap, query: &'r str) -> Self {
        let values = headers.get_all(header::AUTHORIZATION).iter();
        // Valid UTF-8, as in nearly every header, is validated faster than it is converted.
        let values = values.map(|value| match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(value.as_bytes()),
        });
        let authorization = values.reduce(|list, value| Cow::Owned(format!("{list}, {value}")));
        let presigned =
            presigned::is_presigned(query).then(|| Box::new(presigned::Parameters::parse(query)));
        Self { headers, query, authorization, presigned }
    }

    /// Returns whether the request has no signature at all.
    pub fn is_nothing(&self) -> bool {
        self.authorization.is_none() && self.presigned.is_none()
    }

    /// Returns the access key ID that the request names, known or not.
    pub fn access_key_id(&self) -> Option<String> {
        NamedScope::find(self.headers, self.query).map(|named| named.access_key_id().to_owned())
    }

    fn claim(&self) -> Result<Claim<'_>, Refusal> {
        match (&self.authorization, &self.presigned) {
            (Some(authorization), None) => authorization::parse(authorization, self.headers),
            (None, Some(parameters)) => parameters.claim(),
            (Some(_), Some(_)) => Err(mismatch(
                "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP \
                 header.",
            )),
            (None, None) => Err(Refusal::new(
                Kind::MissingAuthenticationToken,
                "Request is missing Authentication Token",
            )),
        }
    }

    fn is_presigned(&self) -> bool {
        self.presigned.is_some()
    }

    /// Returns the hash of the body that the request states.
    fn stated_hash(&self) -> Option<&[u8]> {
        let in_header = self.headers.get(X_AMZ_CONTENT_SHA256).map(HeaderValue::as_bytes);
        let in_query = || self.presigned.as_ref()?.content_sha256.as_deref().map(str::as_bytes);
        in_header.or_else(in_query)
    }
}

/// The caller of a request, as far as its head identifies one.
pub enum CallerIdentity<'p> {
    /// A caller with an unknown key or none, whose signature is not verified.
    UnknownKey(Caller),
    /// A caller with a known key whose signature is not verified, only logged if it is wrong.
    Unverified(Caller, Arc<Credential>),
    /// A caller with a known key whose signature is still to be verified.
    PendingVerification(Box<PendingVerification<'p>>),
}

/// A known key whose signature is not fully verified yet.
pub struct PendingVerification<'p> {
    presented: &'p RequestSignature<'p>,
    claim: Claim<'p>,
    credential: Arc<Credential>,
    /// Whether the head has been checked, except for the service.
    is_head_checked: bool,
    /// Whether the signature matches the hash of the body that the head states.
    is_signature_right: bool,
}

// Rule (every operation): a request is rejected before its body is read if its head alone decides that:
//   no signature or an unknown key in `strict`; an incomplete or expired signature; a wrong scope; an
//   unsigned X-Amz-Target or Host; a signature that does not match the stated hash of the body.
// Source: inferred, AWS answers such requests in the same words whatever the body
// Test: tests/signatures.rs::a_head_that_cannot_be_verified_is_rejected_before_the_body
//
/// Finds the caller of a request by its head. `now_ms` is in Unix milliseconds.
///
/// # Errors
///
/// The errors of AWS that need no body: an incomplete signature, an unknown key, a wrong session
/// token, a date outside the accepted range. There are none in [`Mode::Off`].
pub fn recognize<'p>(
    mode: Mode,
    credentials: &Credentials,
    presented: &'p RequestSignature<'p>,
    now_ms: i64,
) -> Result<CallerIdentity<'p>, Refusal> {
    let has_two = presented.headers.get_all(header::AUTHORIZATION).iter().nth(1).is_some();
    if mode == Mode::Off || mode == Mode::KnownKeys && !has_two {
        let Some(named) = NamedScope::find(presented.headers, presented.query) else {
            return Ok(CallerIdentity::anonymous());
        };
        let Some(credential) = credentials.get(named.access_key_id()) else {
            let (id, region) = (named.access_key_id(), named.region());
            let caller = Caller::new(&account_of(id), region, id, Principal::Account);
            return Ok(CallerIdentity::UnknownKey(caller));
        };
        if mode == Mode::Off {
            let caller = Caller::known(&credential, named.region());
            return Ok(CallerIdentity::Unverified(caller, credential));
        }
    }
    let claim = presented.claim()?;
    let credential = credentials.get(claim.scope.access_key_id).ok_or_else(invalid_token)?;
    check_session_token(&credential, &claim, now_ms)?;
    check_time(&claim, AmzDate::from_unix_ms(now_ms))?;
    let (is_head_checked, is_signature_right) = (false, false);
    let claimed =
        PendingVerification { presented, claim, credential, is_head_checked, is_signature_right };
    Ok(CallerIdentity::PendingVerification(Box::new(claimed)))
}

impl CallerIdentity<'_> {
    /// Returns the caller of a request that needs no signature and has none.
    pub fn anonymous() -> Self {
        Self::UnknownKey(Caller::new(DEFAULT_ACCOUNT, "", "", Principal::Anonymous))
    }

    /// Returns the caller if its key is unknown and therefore not verified.
    pub fn believed(&self) -> Option<&Caller> {
        if let Self::UnknownKey(caller) = self { Some(caller) } else { None }
    }

    /// Returns whether the signature is verified.
    pub fn is_verified(&self) -> bool {
        matches!(self, Self::PendingVerification(_))
    }

    /// Returns whether a header may select what the request does: it is signed, or the signature is
    /// not verified.
    pub fn covers(&self, header: &str) -> bool {
        match self {
            Self::UnknownKey(_) | Self::Unverified(..) => true,
            Self::PendingVerification(claimed) => {
                signs_header(claimed.claim.signed_headers, header)
            }
        }
    }

    /// Checks everything that needs no body. `head` is the request that was recognized; its body
    /// and service are ignored. `service` is the one that the head selects, if any.
    ///
    /// # Errors
    ///
    /// Those of [`Self::prove`] that depend on the head only.
    pub fn check_head(
        &mut self,
        credentials: &Credentials,
        head: &Request<'_>,
        service: Option<&str>,
    ) -> Result<(), Refusal> {
        let Self::PendingVerification(claimed) = self else { return Ok(()) };
        claimed.check_parts(head, service)?;
        claimed.check_stated_hash(credentials, head)
    }

    /// Returns the caller once the body has arrived. `request` must have the head that was
    /// recognized.
    ///
    /// # Errors
    ///
    /// AWS's remaining errors for signatures: a wrong scope, a signature that does not match.
    pub fn prove(
        self,
        credentials: &Credentials,
        request: &Request<'_>,
        now_ms: i64,
    ) -> Result<Caller, Refusal> {
        match self {
            Self::UnknownKey(caller) => Ok(caller),
            Self::Unverified(caller, key) => {
                report_wrong_signature(credentials, request, &key, now_ms);
                Ok(caller)
            }
            Self::PendingVerification(claimed) => claimed.check(credentials, request),
        }
    }
}

/// Logs a signature that would be rejected if signatures were verified: only the first of each key,
/// so that a busy client does not flood the log.
fn report_wrong_signature(
    credentials: &Credentials,
    request: &Request<'_>,
    key: &Credential,
    now_ms: i64,
) {
    if key.reported.load(Ordering::Relaxed) {
        return;
    }
    if let Err(refusal) = identify(Mode::Strict, credentials, request, now_ms)
        && !key.reported.swap(true, Ordering::Relaxed)
    {
        // The message of this kind repeats the header, which should not be in a log.
        let reason = match refusal.kind {
            Kind::IncompleteSignature => "The signature is incomplete.",
            _ => &refusal.message,
        };
        let access_key_id = &key.access_key_id;
        tracing::warn!(
            access_key_id,
            reason,
            "a request has a wrong signature for a configured key"
        );
    }
}

/// Returns the service that a request is signed for, if it names one.
pub fn scope_service(headers: &HeaderMap, query: &str) -> Option<String> {
    let named = NamedScope::find(headers, query)?;
    Some(named.part(3).to_owned()).filter(|service| !service.is_empty())
}

/// The credential that a request names, read as leniently as possible:
/// `access key ID/day/region/service/aws4_request`.
struct NamedScope<'a>(Cow<'a, str>);

impl<'a> NamedScope<'a> {
    /// Reads the `Authorization` header, or else a presigned query.
    fn find(headers: &'a HeaderMap, query: &'a str) -> Option<Self> {
        let in_header = || {
            let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
            authorization::parameter(authorization, "Credential").map(Cow::Borrowed)
        };
        let named = Self(in_header().or_else(|| presigned::credential(query))?);
        ACCESS_KEY_ID_LENGTH.contains(&named.access_key_id().len()).then_some(named)
    }

    fn access_key_id(&self) -> &str {
        self.part(0)
    }

    fn region(&self) -> &str {
        self.part(2)
    }

    fn part(&self, index: usize) -> &str {
        self.0.split('/').nth(index).unwrap_or_default()
    }
}

/// Returns the region of a caller: none if it is empty or could not be part of an ARN.
fn usable_region(region: &str) -> Option<String> {
    (!region.is_empty() && is_region(region)).then(|| region.to_owned())
}

/// Returns whether a region could have this name. Names that AWS does not have are accepted, and so is the empty one.
fn is_region(region: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    region.len() <= REGION_BYTES && region.bytes().all(usual)
}

// Rule (every operation): a request with a wrong signature learns nothing about its parameters, its queue or its
//   topic: the signature comes first.
// Source: inferred
// Test: tests/signatures.rs::a_call_with_a_wrong_signature_learns_nothing_else
//
// Rule (every operation): a request without a signature is rejected with MissingAuthenticationToken, status 403.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
// Test: src/auth/verify/tests.rs::unsigned_requests_lack_a_token
//
// Rule (every operation): an incomplete signature is rejected before the key is looked up, and an unknown key before
//   the rest is checked.
// Source: inferred
// Test: src/auth/verify/tests.rs::unknown_keys_are_refused_before_anything_else_is_checked
//
impl PendingVerification<'_> {
    /// Checks what needs the whole request.
    fn check(
        mut self,
        credentials: &Credentials,
        request: &Request<'_>,
    ) -> Result<Caller, Refusal> {
        self.check_parts(request, Some(request.service))?;
        let stated = self.presented.stated_hash();
        if stated == Some(UNSIGNED_PAYLOAD.as_bytes()) {
            self.check_unsigned_body(request)?;
            self.check_stated_hash(credentials, request)?;
        } else {
            let actual = sha256_hex(request.body);
            if stated.is_some_and(|stated| stated != actual.as_bytes()) {
                return Err(different_signature());
            }
            if !self.is_signature_right {
                self.check_signature(credentials, request, &actual)?;
            }
        }
        Ok(Caller::known(&self.credential, self.claim.scope.region))
    }

    /// Checks scope and signed headers, once.
    fn check_parts(&mut self, head: &Request<'_>, service: Option<&str>) -> Result<(), Refusal> {
        if !self.is_head_checked {
            check_scope(&self.claim)?;
            check_unsigned_parts(&self.claim, head)?;
            self.is_head_checked = true;
        }
        check_service(&self.claim, service)
    }

    /// Checks the signature, once, if the head states the hash of the body.
    fn check_stated_hash(
        &mut self,
        credentials: &Credentials,
        head: &Request<'_>,
    ) -> Result<(), Refusal> {
        let stated = self.presented.stated_hash().filter(|_| !self.is_signature_right);
        if let Some(stated) = stated {
            let stated = std::str::from_utf8(stated).map_err(|_| different_signature())?;
            self.check_signature(credentials, head, stated)?;
            self.is_signature_right = true;
        }
        Ok(())
    }

    fn check_signature(
        &self,
        credentials: &Credentials,
        request: &Request<'_>,
        payload_hash: &str,
    ) -> Result<(), Refusal> {
        let claim = &self.claim;
        let (names, presigned) = (claim.signed_headers, self.presented.is_presigned());
        let canonical = canonical_request(request, names, payload_hash, presigned);
        let canonical = canonical.ok_or_else(different_signature)?;
        let (scope, time) = (&claim.scope, claim.time);
        let cached = credentials.signing_keys.get(claim.credential);
        let secret = self.credential.secret_access_key.expose();
        let key = cached
            .or_else(|| SigningKey::derive(secret, time.unix_s(), scope.region, scope.service))
            .ok_or_else(different_signature)?;
        let string_to_sign = format!(
            "{ALGORITHM}\n{time}\n{}/{}/{}/{TERMINATOR}\n{}",
            scope.day,
            scope.region,
            scope.service,
            sha256_hex(&canonical)
        );
        let right = key.sign(&string_to_sign);
        if !bool::from(right.as_bytes().ct_eq(claim.signature.as_bytes())) {
            return Err(different_signature());
        }
        if cached.is_none() {
            credentials.signing_keys.keep(claim.credential, key);
        }
        Ok(())
    }

    // Rule (every operation): a body that is not signed must be empty, unless the signed headers say
    //   that it is not signed (x-amz-content-sha256: UNSIGNED-PAYLOAD) and which operation it is for
    //   (X-Amz-Target). Presigned URLs have no such exception, and neither have forms, which name
    //   their operation themselves.
    // Source: inferred, a presigned URL is handed to others, who must not choose what it does
    // Test: src/auth/verify/tests.rs::a_body_may_be_unsigned_where_the_signed_headers_say_so, src/auth/verify/tests.rs::a_presigned_url_may_leave_an_empty_body_unsigned
    //
    fn check_unsigned_body(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let signed = self.claim.signed_headers;
        let is_form = request.headers.get_all(header::CONTENT_TYPE).iter().any(|content| {
            let content = content.as_bytes().trim_ascii();
            content.get(..FORM.len()).is_some_and(|it| it.eq_ignore_ascii_case(FORM.as_bytes()))
        });
        let is_stated = !self.presented.is_presigned()
            && signs_header(signed, X_AMZ_CONTENT_SHA256)
            && signs_header(signed, X_AMZ_TARGET)
            && !is_form;
        require(
            request.body.is_empty() || is_stated,
            || "The body of this request must be signed or empty: it could select another operation.",
        )
    }
}

// Rule (every operation): an X-Amz-Target that is not signed is rejected with SignatureDoesNotMatch, whatever the
//   protocol: it could turn a call into another one.
// Source: inferred, SigV4 asks signers to sign all x-amz-* headers; the words are modelled on those for Host
// Test: tests/signatures.rs::no_unsigned_part_selects_what_a_request_does
//
// Rule (every operation): the order of a URL's parameters is not signed. A name that stands there more than once
//   is read in the order of the canonical query; a parameter of the signature itself is rejected.
// Source: inferred, the canonical query is sorted
// Test: tests/signatures.rs::the_order_of_a_urls_parameters_means_nothing
//
/// Rejects unsigned parts of a request that could select what it does.
fn check_unsigned_parts(claim: &Claim<'_>, request: &Request<'_>) -> Result<(), Refusal> {
    let has_target = request.headers.contains_key(X_AMZ_TARGET);
    require(
        !has_target || signs_header(claim.signed_headers, X_AMZ_TARGET),
        || "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.",
    )?;
    let repeated = repeated_parameters(request.query);
    let repeated = repeated.iter().find(|name| name.starts_with("X-Amz-"));
    require(repeated.is_none(), || {
        let name = excerpt(repeated.map_or("", String::as_str));
        format!("The query has more than one value of '{name}', and their order is not signed.")
    })
}

/// Requires the session token of temporary credentials, and rejects one for other keys.
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
fn check_time(claim: &Claim<'_>, now: AmzDate) -> Result<(), Refusal> {
    let time = claim.time;
    let lifetime_s = claim.expires_s.unwrap_or(CLOCK_SKEW_S);
    let earliest = now.plus_seconds(-lifetime_s);
    require(time >= earliest, || {
        let span = match lifetime_s % 60 {
            0 => format!("{} min.", lifetime_s / 60),
            _ => format!("{lifetime_s} sec."),
        };
        format!("Signature expired: {time} is now earlier than {earliest} ({now} - {span})")
    })?;
    let latest = now.plus_seconds(CLOCK_SKEW_S);
    require(time <= latest, || {
        let minutes = CLOCK_SKEW_S / 60;
        format!(
            "Signature not yet current: {time} is still later than {latest} ({now} + {minutes} min.)"
        )
    })
}

/// The services that a scope may be for if the head does not say which one is called.
const SERVICES: [&str; 3] = ["sqs", "sns", "sts"];

/// Requires a scope of the service that is called.
fn check_service(claim: &Claim<'_>, called: Option<&str>) -> Result<(), Refusal> {
    let fits = called.as_ref().map_or(&SERVICES[..], std::slice::from_ref);
    require(fits.contains(&claim.scope.service), || {
        format!("Credential should be scoped to correct service: '{}'.", fits[0])
    })
}

/// Requires a scope of the day of the request, and a signed host.
fn check_scope(claim: &Claim<'_>) -> Result<(), Refusal> {
    let (scope, time) = (&claim.scope, claim.time);
    let day = time.day();
    require(scope.day == day, || {
        format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{}' != '{day}', from '{time}'.",
            excerpt(scope.day)
        )
    })?;
    require(is_region(scope.region), || {
        let region = excerpt(scope.region);
        format!("Credential should be scoped to a valid region, not '{region}'.")
    })?;
    require(scope.terminator == TERMINATOR, || {
        let given = excerpt(scope.terminator);
        format!(
            "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{given}'."
        )
    })?;
    require(
        signs_header(claim.signed_headers, "host"),
        || "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    )
}

/// Rejects with SignatureDoesNotMatch unless a condition holds.
fn require<M: Into<Cow<'static, str>>>(
    holds: bool,
    message: impl FnOnce() -> M,
) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(mismatch(message())) }
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
