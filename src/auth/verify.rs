//! From a request to its caller, with or without proof.
//!
//! A request is verified in three steps. [`recognize`] finds the key, and checks that the signature is
//! complete and its date right. [`Recognized::check_head`] checks whatever else needs no body: the
//! scope, the signed headers, and the signature itself if the head states the hash of the body.
//! [`Recognized::prove`] checks the rest once the body is there. So a body is read only if it can
//! still decide something. The steps together keep AWS's order of errors. Everything else that is
//! wrong with a call is reported only to callers who have passed all of them.
//!
//! A verified request means what its signed parts say, and nothing else. Unsigned parts that could
//! change what it does fail the request or are ignored; [`Recognized::covers`] is how the rest of the
//! server asks. Other `x-amz-*` headers that are sent but not signed do not fail a request: only S3 is
//! known to reject them, and other services have been seen to accept an unsigned session token.

use std::borrow::Cow;
use std::sync::Arc;

use clap::ValueEnum;
use hyper::http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use strum::Display;
use subtle::ConstantTimeEq;

use super::account::{DEFAULT_ACCOUNT, account_of};
use super::amz_date::AmzDate;
use super::authorization::{self, ALGORITHM, Claim, excerpt};
use super::canonical_request::{
    Parts, UNSIGNED_PAYLOAD, canonical_request, repeated_parameters, signs_header,
};
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

/// Returns who makes a call. Time is `now_ms` in Unix milliseconds.
///
/// # Errors
///
/// AWS's errors for signatures, in AWS's order. None in [`Mode::Off`].
pub fn identify(
    mode: Mode,
    credentials: &Credentials,
    request: &Request<'_>,
    now_ms: i64,
) -> Result<Caller, Refusal> {
    let presented = Presented::find(request.headers, request.query);
    recognize(mode, credentials, &presented, now_ms)?.prove(credentials, request, now_ms)
}

/// The signature that the head of a request presents, decoded, and not believed.
pub struct Presented<'r> {
    headers: &'r HeaderMap,
    query: &'r str,
    signature: Signature<'r>,
}

enum Signature<'r> {
    None,
    /// The value of the `Authorization` header.
    Header(Cow<'r, str>),
    /// The parameters of a presigned URL.
    Query(Box<presigned::Parameters<'r>>),
    Both,
}

impl<'r> Presented<'r> {
    /// Finds the signature in the headers or in the query of a URL.
    pub fn find(headers: &'r HeaderMap, query: &'r str) -> Self {
        let is_presigned = presigned::is_presigned(query);
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let signature = match (values.next(), values.next()) {
            (Some(_), _) if is_presigned => Signature::Both,
            (Some(value), None) => Signature::Header(text_of(value)),
            (Some(_), Some(_)) => Signature::Header(all_values(headers).into()),
            (None, _) if is_presigned => {
                Signature::Query(Box::new(presigned::Parameters::parse(query)))
            }
            (None, _) => Signature::None,
        };
        Self { headers, query, signature }
    }

    /// Whether the request is without any signature.
    pub fn is_nothing(&self) -> bool {
        matches!(self.signature, Signature::None)
    }

    /// The access key id that is named, known or not.
    pub fn access_key_id(&self) -> Option<String> {
        Named::find(self.headers, self.query).map(|named| named.access_key_id.into_owned())
    }

    fn claim(&self) -> Result<Claim<'_>, Refusal> {
        match &self.signature {
            Signature::Header(authorization) => authorization::parse(authorization, self.headers),
            Signature::Query(parameters) => parameters.claim(),
            Signature::Both => Err(mismatch(
                "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP \
                 header.",
            )),
            Signature::None => Err(Refusal::new(
                Kind::MissingAuthenticationToken,
                "Request is missing Authentication Token",
            )),
        }
    }

    fn is_presigned(&self) -> bool {
        matches!(self.signature, Signature::Query(_))
    }

    /// The hash of the body that the request states.
    fn stated_hash(&self) -> Option<&[u8]> {
        let in_header = self.headers.get(X_AMZ_CONTENT_SHA256).map(HeaderValue::as_bytes);
        let in_query = || match &self.signature {
            Signature::Query(parameters) => parameters.content_sha256.as_deref(),
            _ => None,
        };
        in_header.or_else(|| in_query().map(str::as_bytes))
    }
}

// Rule (every operation): two Authorization headers are read as one list, as HTTP has it, whose second
//   algorithm is no `key=value`: IncompleteSignature.
// Source: inferred, RFC 9110 section 5.3 and AWS's words for a part without an equal-sign
// Test: src/auth/verify/tests.rs::two_authorization_headers_are_an_incomplete_signature
//
/// Returns all `Authorization` headers as one list.
fn all_values(headers: &HeaderMap) -> String {
    let values = headers.get_all(header::AUTHORIZATION).iter();
    let values: Vec<_> = values.map(text_of).collect();
    values.join(", ")
}

/// Returns a header as text; what is not UTF-8 is replaced.
fn text_of(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(value.as_bytes()),
    }
}

/// Who makes a call, as far as its head says.
pub enum Recognized<'p> {
    /// A caller whose signature is not verified.
    Believed(Caller),
    /// The same; the key is configured, so a wrong signature is worth a line in the log.
    Unverified(Caller),
    /// A caller with a known key, who has yet to prove it.
    Claimed(Box<Claimed<'p>>),
}

/// What a caller with a known key claims.
pub struct Claimed<'p> {
    presented: &'p Presented<'p>,
    claim: Claim<'p>,
    credential: Arc<Credential>,
    /// Whether the head has been checked, but for the service.
    is_head_checked: bool,
    /// Whether the signature matches, given the hash of the body that the head states.
    is_signature_right: bool,
}

// Rule (every operation): a request is rejected before its body is read if its head alone decides that:
//   no signature or an unknown key in `strict`; an incomplete or expired signature; a wrong scope; an
//   unsigned X-Amz-Target or Host; a signature that does not match the stated hash of the body.
// Source: inferred, AWS answers such requests in the same words whatever the body
// Test: tests/signatures.rs::a_head_that_cannot_be_verified_is_rejected_before_the_body
//
/// Finds the caller of a request by its head. Time is `now_ms` in Unix milliseconds.
///
/// # Errors
///
/// The errors of AWS that need no body: an incomplete signature, an unknown key, a wrong session
/// token, a date too far away. None in [`Mode::Off`].
pub fn recognize<'p>(
    mode: Mode,
    credentials: &Credentials,
    presented: &'p Presented<'p>,
    now_ms: i64,
) -> Result<Recognized<'p>, Refusal> {
    let has_two = presented.headers.get_all(header::AUTHORIZATION).iter().nth(1).is_some();
    if mode != Mode::Strict && (mode == Mode::Off || !has_two) {
        let Some(named) = Named::find(presented.headers, presented.query) else {
            return Ok(Recognized::Believed(Caller::anonymous()));
        };
        let Some(credential) = credentials.get(&named.access_key_id) else {
            let caller = Caller::unknown(&named.access_key_id, &named.region);
            return Ok(Recognized::Believed(caller));
        };
        if mode == Mode::Off {
            return Ok(Recognized::Unverified(Caller::known(&credential, &named.region)));
        }
    }
    let claim = presented.claim()?;
    let credential = credentials.get(claim.scope.access_key_id).ok_or_else(invalid_token)?;
    check_session_token(&credential, &claim, now_ms)?;
    check_time(&claim, AmzDate::from_unix_ms(now_ms))?;
    let (is_head_checked, is_signature_right) = (false, false);
    let claimed = Claimed { presented, claim, credential, is_head_checked, is_signature_right };
    Ok(Recognized::Claimed(Box::new(claimed)))
}

impl Recognized<'_> {
    /// The caller of a request without a signature, who is not asked for one.
    pub fn anonymous() -> Self {
        Self::Believed(Caller::anonymous())
    }

    /// The caller, if it has nothing to prove because its key is not known.
    pub fn believed(&self) -> Option<&Caller> {
        match self {
            Self::Believed(caller) => Some(caller),
            Self::Unverified(_) | Self::Claimed(_) => None,
        }
    }

    /// Whether the signature is verified.
    pub fn is_verified(&self) -> bool {
        matches!(self, Self::Claimed(_))
    }

    /// Whether a header may select what the request does: one that is signed, and any header of a
    /// request whose signature is not verified.
    pub fn covers(&self, header: &str) -> bool {
        match self {
            Self::Believed(_) | Self::Unverified(_) => true,
            Self::Claimed(claimed) => signs_header(claimed.claim.signed_headers, header),
        }
    }

    /// Checks everything that needs no body. `head` is the request that was recognized, whatever its
    /// body and its service; `service` is the one that the head selects, if it does.
    ///
    /// # Errors
    ///
    /// Those of [`Self::prove`] that the head decides.
    pub fn check_head(
        &mut self,
        credentials: &Credentials,
        head: &Request<'_>,
        service: Option<&str>,
    ) -> Result<(), Refusal> {
        match self {
            Self::Believed(_) | Self::Unverified(_) => Ok(()),
            Self::Claimed(claimed) => {
                claimed.check_parts(head, service)?;
                claimed.check_stated_hash(credentials, head)
            }
        }
    }

    /// Returns the caller, once the body is there. `request` has the head that was recognized.
    ///
    /// # Errors
    ///
    /// The rest of AWS's errors for signatures: a wrong scope, a signature that does not match.
    pub fn prove(
        self,
        credentials: &Credentials,
        request: &Request<'_>,
        now_ms: i64,
    ) -> Result<Caller, Refusal> {
        match self {
            Self::Believed(caller) => Ok(caller),
            Self::Unverified(caller) => {
                if let Some(id) = &caller.access_key_id {
                    report_wrong_signature(credentials, request, id, now_ms);
                }
                Ok(caller)
            }
            Self::Claimed(claimed) => claimed.check(credentials, request),
        }
    }
}

/// Logs the first signature of a configured key that would be refused if signatures were verified:
/// once for each key, so that a busy client does not flood the log.
fn report_wrong_signature(credentials: &Credentials, request: &Request<'_>, id: &str, now_ms: i64) {
    if credentials.is_reported(id) {
        return;
    }
    if let Err(refusal) = identify(Mode::Strict, credentials, request, now_ms)
        && credentials.report(id)
    {
        // These refusals repeat the header, which is for the client only.
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
// Rule (every operation): a request without a signature is rejected with MissingAuthenticationToken, status 403.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
// Test: src/auth/verify/tests.rs::unsigned_requests_lack_a_token
//
// Rule (every operation): an incomplete signature is rejected before the key is looked up, and an unknown key before
//   the rest is checked.
// Source: inferred
// Test: src/auth/verify/tests.rs::unknown_keys_are_refused_before_anything_else_is_checked
//
impl Claimed<'_> {
    /// Checks all that needs the whole request.
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
            return Ok(Caller::known(&self.credential, self.claim.scope.region));
        }
        let actual = sha256_hex(request.body);
        if stated.is_some_and(|stated| stated != actual.as_bytes()) {
            return Err(different_signature());
        }
        if !self.is_signature_right {
            self.check_signature(credentials, request, &actual)?;
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
        let canonical = canonical_request(&Parts {
            method: request.method,
            path: request.path,
            query: request.query,
            headers: request.headers,
            signed_headers: self.claim.signed_headers,
            payload_hash,
            presigned: self.presented.is_presigned(),
        })
        .ok_or_else(different_signature)?;
        check_signature(credentials, &self.credential, &self.claim, &canonical)
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
        if request.body.is_empty() || is_stated {
            return Ok(());
        }
        Err(mismatch(
            "The body of this request must be signed or empty: it could select another operation.",
        ))
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
    if has_target && !signs_header(claim.signed_headers, X_AMZ_TARGET) {
        return Err(mismatch("'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization."));
    }
    let of_signature = |name: &String| name.starts_with("X-Amz-");
    match repeated_parameters(request.query).iter().find(|name| of_signature(name)) {
        None => Ok(()),
        Some(name) => Err(mismatch(format!(
            "The query has more than one value of '{}', and their order is not signed.",
            excerpt(name)
        ))),
    }
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

/// The services that a scope may be for, where the head does not say which one is called.
const SERVICES: [&str; 3] = ["sqs", "sns", "sts"];

/// The scope must be for the service that is called.
fn check_service(claim: &Claim<'_>, called: Option<&str>) -> Result<(), Refusal> {
    let scope = claim.scope.service;
    if called.is_some_and(|service| service == scope)
        || called.is_none() && SERVICES.contains(&scope)
    {
        return Ok(());
    }
    let service = called.unwrap_or(SERVICES[0]);
    Err(mismatch(format!("Credential should be scoped to correct service: '{service}'.")))
}

/// The scope must be of the day of the request, and the host must be signed.
fn check_scope(claim: &Claim<'_>) -> Result<(), Refusal> {
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
    if scope.terminator != TERMINATOR {
        return Err(mismatch(format!(
            "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{}'.",
            excerpt(scope.terminator)
        )));
    }
    if !signs_header(claim.signed_headers, "host") {
        return Err(mismatch(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        ));
    }
    Ok(())
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
