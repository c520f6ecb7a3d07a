//! The claim of a signed request: its key, time, service and signature.
//!
//! This file reads the `Authorization` header, `presigned` the query. Nothing is verified here.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>, step 5

use std::borrow::Cow;

use hyper::http::{HeaderMap, header};

use super::amz_date::AmzDate;
use crate::domain::{Kind, Refusal};

/// The only algorithm that AWS verifies for these services.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The header with the time of the signature.
pub const X_AMZ_DATE: &str = "x-amz-date";
/// The header with the session token of temporary credentials.
pub const X_AMZ_SECURITY_TOKEN: &str = "x-amz-security-token";

/// The longest part of a request that an error message repeats, in characters.
const EXCERPT_CHARS: usize = 1_024;

/// The parts of a signature, from a header or a query.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// The credential as a whole, `access key ID/day/region/service/terminator`.
    pub credential: &'a str,
    /// The credential in its parts.
    pub scope: Scope<'a>,
    /// Names of the signed headers, separated by semicolons.
    pub signed_headers: &'a str,
    /// The signature, which should be hexadecimal.
    pub signature: &'a str,
    /// When it was signed.
    pub time: AmzDate,
    /// The seconds after `time` for which it is valid; only in presigned requests.
    pub expires_s: Option<i64>,
    /// The session token of temporary credentials.
    pub session_token: Option<&'a [u8]>,
}

/// The five parts of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope<'a> {
    /// The key.
    pub access_key_id: &'a str,
    /// The day as `yyyymmdd`.
    pub day: &'a str,
    /// The region; any text.
    pub region: &'a str,
    /// The service, such as `sqs`.
    pub service: &'a str,
    /// Always `aws4_request`.
    pub terminator: &'a str,
}

impl<'a> Scope<'a> {
    /// Splits a credential at its slashes.
    pub fn parse(credential: &'a str) -> Result<Self, Refusal> {
        let parts: Vec<_> = credential.splitn(6, '/').collect();
        let [access_key_id, day, region, service, terminator] = parts[..] else {
            return Err(incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term, got '{}'.",
                excerpt(credential)
            )));
        };
        Ok(Self { access_key_id, day, region, service, terminator })
    }
}

// Rule (every operation): commas and spaces separate the parts of an Authorization header, so a key ID that contains
//   a space is IncompleteSignature, "'…' not a valid key=value pair (missing equal-sign) in Authorization header: '…'."
// Source: reported, boto/boto3#2280
// Test: src/auth/authorization.rs::a_part_without_equal_sign_is_refused_first
//
// Rule (every operation): missing parts of an Authorization header are IncompleteSignature, status 400, with a sentence
//   for each: "Authorization header requires 'Signature' parameter. … Authorization=…".
// Source: reported, brendanhay/amazonka#316
// Test: src/auth/authorization.rs::missing_parts_are_told_one_by_one

/// Reads an `Authorization` header. Errors come in AWS's order: a part that is not `key=value`, missing parts, the
/// algorithm, the credential, the date.
pub fn parse<'a>(authorization: &'a str, headers: &'a HeaderMap) -> Result<Claim<'a>, Refusal> {
    if let Some(part) = parts(authorization).find(|part| !part.contains('=')) {
        return Err(incomplete(format!(
            "'{}' not a valid key=value pair (missing equal-sign) in Authorization header: '{}'.",
            excerpt(part),
            excerpt(authorization)
        )));
    }
    let date = headers.get(X_AMZ_DATE).or_else(|| headers.get(header::DATE));
    let required = [
        ("'Credential' parameter", parameter(authorization, "Credential")),
        ("'Signature' parameter", parameter(authorization, "Signature")),
        ("'SignedHeaders' parameter", parameter(authorization, "SignedHeaders")),
        (
            "existence of either a 'X-Amz-Date' or a 'Date' header",
            date.map(|date| date.to_str().unwrap_or_default()),
        ),
    ];
    let [Some(credential), Some(signature), Some(signed_headers), Some(date)] =
        required.map(|(_, value)| value)
    else {
        let missing = required.iter().filter(|(_, value)| value.is_none());
        let sentence = |(what, _): &(&str, _)| format!("Authorization header requires {what}. ");
        let sentences: String = missing.map(sentence).collect();
        return Err(incomplete(format!("{sentences}Authorization={}", excerpt(authorization))));
    };
    check_algorithm(split_algorithm(authorization).0)?;
    let scope = Scope::parse(credential)?;
    let time =
        AmzDate::parse(date).or_else(|| AmzDate::parse_http(date)).ok_or_else(|| no_date(date))?;
    let session_token = headers.get(X_AMZ_SECURITY_TOKEN).map(header::HeaderValue::as_bytes);
    Ok(Claim { credential, scope, signed_headers, signature, time, expires_s: None, session_token })
}

/// Returns the value of a parameter of an `Authorization` header. The first of a name counts, and an empty one counts
/// as missing.
pub fn parameter<'a>(authorization: &'a str, name: &str) -> Option<&'a str> {
    parts(authorization)
        .filter_map(|part| part.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty())
}

/// Returns the parts after the algorithm. Clients separate them by commas, spaces or both.
fn parts(authorization: &str) -> impl Iterator<Item = &str> {
    split_algorithm(authorization).1.split([',', ' ', '\t']).filter(|part| !part.is_empty())
}

fn split_algorithm(authorization: &str) -> (&str, &str) {
    let trimmed = authorization.trim();
    trimmed.split_once([' ', '\t']).unwrap_or((trimmed, ""))
}

/// Rejects every algorithm except [`ALGORITHM`].
pub(super) fn check_algorithm(algorithm: &str) -> Result<(), Refusal> {
    if algorithm == ALGORITHM {
        return Ok(());
    }
    Err(incomplete(format!(
        "Unsupported AWS 'algorithm': '{}' (only {ALGORITHM} for now).",
        excerpt(algorithm)
    )))
}

/// Returns the error for an unreadable date.
pub(super) fn no_date(text: &str) -> Refusal {
    incomplete(format!(
        "Date must be in ISO-8601 'basic format'. Got '{}'. \
         See http://en.wikipedia.org/wiki/ISO_8601",
        excerpt(text)
    ))
}

/// Returns an IncompleteSignature error.
pub(super) fn incomplete(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(Kind::IncompleteSignature, message)
}

/// Returns a piece of the request for an error message: bounded, and without characters that could forge a line of a
/// log or are not allowed in XML.
pub(super) fn excerpt(text: &str) -> Cow<'_, str> {
    if text.len() <= EXCERPT_CHARS && !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    Cow::Owned(text.chars().take(EXCERPT_CHARS).map(shown).collect())
}

#[cfg(test)]
mod tests {
    use hyper::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const CREDENTIAL: &str = "AKID/20150830/us-east-1/sqs/aws4_request";

    fn dated(name: &'static str, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        headers
    }

    fn refusal(authorization: &str, headers: &HeaderMap) -> String {
        let refusal = parse(authorization, headers).err().unwrap();
        assert_eq!(refusal.kind, Kind::IncompleteSignature);
        refusal.message.into_owned()
    }

    #[test]
    fn separators_are_commas_spaces_or_both() {
        let headers = dated("x-amz-date", "20150830T123600Z");
        for separator in [",", ", ", " ", " ,\t"] {
            let text = format!(
                "AWS4-HMAC-SHA256 Credential={CREDENTIAL}{separator}SignedHeaders=a;host{separator}Signature=ab"
            );
            let claim = parse(&text, &headers).ok().unwrap();
            assert_eq!(claim.credential, CREDENTIAL);
            assert_eq!(claim.scope.access_key_id, "AKID");
            assert_eq!(claim.scope.region, "us-east-1");
            assert_eq!((claim.signed_headers, claim.signature), ("a;host", "ab"));
            assert_eq!(claim.time.to_string(), "20150830T123600Z");
            assert!(claim.expires_s.is_none() && claim.session_token.is_none());
        }
    }

    #[test]
    fn the_date_header_stands_in_for_x_amz_date() {
        let text = format!("AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=h,Signature=a");
        for date in ["Sun, 30 Aug 2015 12:36:00 GMT", "20150830T123600Z"] {
            let mut headers = dated("date", date);
            let claim = parse(&text, &headers).ok().unwrap();
            assert_eq!(claim.time.to_string(), "20150830T123600Z");
            headers.insert("x-amz-date", HeaderValue::from_static("20150831T000000Z"));
            let claim = parse(&text, &headers).ok().unwrap();
            assert_eq!(claim.time.to_string(), "20150831T000000Z");
        }
    }

    #[test]
    fn missing_parts_are_told_one_by_one() {
        let none = HeaderMap::new();
        let requires = "Authorization header requires";
        let all = format!(
            "{requires} 'Credential' parameter. {requires} 'Signature' parameter. \
             {requires} 'SignedHeaders' parameter. \
             {requires} existence of either a 'X-Amz-Date' or a 'Date' header. Authorization="
        );
        for text in ["", "AWS4-HMAC-SHA256", "Basic dXNlcjpwYXNzd29yZA=="] {
            assert_eq!(refusal(text, &none), format!("{all}{text}"));
        }
        let headers = dated("x-amz-date", "20150830T123600Z");
        let text = format!("AWS4-HMAC-SHA256 Credential={CREDENTIAL}, Signature=a, SignedHeaders=");
        assert_eq!(
            refusal(&text, &headers),
            format!("{requires} 'SignedHeaders' parameter. Authorization={text}")
        );
    }

    #[test]
    fn a_part_without_equal_sign_is_refused_first() {
        assert_eq!(
            refusal("Bearer abc", &HeaderMap::new()),
            "'abc' not a valid key=value pair (missing equal-sign) in Authorization header: \
             'Bearer abc'."
        );
        let credential = "a /20151021/r/s/aws4_request";
        let authorization = format!("AWS4-HMAC-SHA256 Credential={credential}, Signature=c");
        assert_eq!(
            refusal(&authorization, &HeaderMap::new()),
            format!(
                "'/20151021/r/s/aws4_request' not a valid key=value pair (missing equal-sign) in \
                 Authorization header: '{authorization}'."
            )
        );
    }

    #[test]
    fn other_algorithms_are_refused() {
        let headers = dated("x-amz-date", "20150830T123600Z");
        let text = format!("AWS4-HMAC-SHA1 Credential={CREDENTIAL},SignedHeaders=h,Signature=a");
        assert_eq!(
            refusal(&text, &headers),
            "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1' (only AWS4-HMAC-SHA256 for now)."
        );
    }

    #[test]
    fn a_credential_has_five_parts() {
        let headers = dated("x-amz-date", "20150830T123600Z");
        for credential in ["AKID", "a/b/c/d", "a/b/c/d/e/f"] {
            let text =
                format!("AWS4-HMAC-SHA256 Credential={credential},SignedHeaders=h,Signature=a");
            assert_eq!(
                refusal(&text, &headers),
                format!(
                    "Credential must have exactly 5 slash-delimited elements, e.g. \
                     keyid/date/region/service/term, got '{credential}'."
                )
            );
        }
    }

    #[test]
    fn a_date_must_be_one() {
        let text = format!("AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=h,Signature=a");
        assert_eq!(
            refusal(&text, &dated("x-amz-date", "yesterday")),
            "Date must be in ISO-8601 'basic format'. Got 'yesterday'. \
             See http://en.wikipedia.org/wiki/ISO_8601"
        );
    }

    #[test]
    fn refusals_repeat_a_bounded_part_of_the_request() {
        assert!(refusal(&"x".repeat(1 << 20), &HeaderMap::new()).chars().count() < 1_500);
        assert_eq!(excerpt("a\u{8}\nb"), "a\u{fffd}\u{fffd}b");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}", date in "[ -~]{0,40}") {
            let mut headers = HeaderMap::new();
            headers.insert("date", HeaderValue::from_str(&date).unwrap());
            let _ = parse(&text, &headers);
            let text = format!("AWS4-HMAC-SHA256 {text}, Credential=a/b/c/d/e, SignedHeaders={text}");
            let _ = parse(&text, &headers);
        }
    }
}
