//! Signatures in the query of a URL: `X-Amz-Algorithm`, `X-Amz-Credential` and so on.
//!
//! Names must match as sent, which is how every client writes them; values are decoded.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html>

use std::borrow::Cow;
use std::ops::RangeInclusive;

use percent_encoding::percent_decode_str;

use super::amz_date::AmzDate;
use super::authorization::{Claim, Scope, check_algorithm, incomplete, no_date};
use crate::domain::Refusal;

/// The parameter that cannot be signed.
pub const SIGNATURE: &str = "X-Amz-Signature";
const ALGORITHM: &str = "X-Amz-Algorithm";
const CREDENTIAL: &str = "X-Amz-Credential";
const DATE: &str = "X-Amz-Date";
const EXPIRES: &str = "X-Amz-Expires";
const SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";
const SECURITY_TOKEN: &str = "X-Amz-Security-Token";
const CONTENT_SHA256: &str = "X-Amz-Content-Sha256";

/// Maximum of X-Amz-Expires in seconds: a week.
pub const EXPIRES_S: RangeInclusive<i64> = 1..=604_800;

/// The required parameters, in the order in which AWS names missing ones. AWS does not require
/// X-Amz-Expires: without it the signature is valid as long as one in a header.
const REQUIRED: [&str; 5] = [ALGORITHM, CREDENTIAL, SIGNATURE, SIGNED_HEADERS, DATE];

/// Returns whether the query claims to be signed.
pub fn is_presigned(query: &str) -> bool {
    // One search decides for queries without any such name.
    query.contains("X-Amz-")
        && [ALGORITHM, CREDENTIAL, SIGNATURE].iter().any(|name| raw(query, name).is_some())
}

/// Returns the decoded X-Amz-Credential of a query.
pub fn credential(query: &str) -> Option<Cow<'_, str>> {
    query.contains("X-Amz-").then(|| raw(query, CREDENTIAL)).flatten().map(decode)
}

/// Returns the decoded value of a part of a query; invalid UTF-8 is replaced.
pub fn decode(value: &str) -> Cow<'_, str> {
    if value.contains('+') {
        let spaced = value.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(value).decode_utf8_lossy()
}

/// Returns the names and values of a query, as sent.
pub fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    parameters.map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
}

/// The parameters of a presigned query, decoded.
pub struct Parameters<'a> {
    required: [Option<Cow<'a, str>>; 5],
    expires: Option<Cow<'a, str>>,
    security_token: Option<Cow<'a, str>>,
    /// The hash of the body, or its replacement, if the URL states it.
    pub content_sha256: Option<Cow<'a, str>>,
}

impl<'a> Parameters<'a> {
    /// Finds the parameters in a query. The first of a name counts, and an empty one counts as missing.
    pub fn parse(query: &'a str) -> Self {
        let find = |name| raw(query, name).filter(|value| !value.is_empty()).map(decode);
        Self {
            required: REQUIRED.map(find),
            expires: find(EXPIRES),
            security_token: find(SECURITY_TOKEN),
            content_sha256: find(CONTENT_SHA256),
        }
    }

    /// Returns what the parameters claim. Errors come in the order of the header form: missing parts, algorithm,
    /// credential, date, expiry.
    pub fn claim(&self) -> Result<Claim<'_>, Refusal> {
        let [Some(algorithm), Some(credential), Some(signature), Some(signed_headers), Some(date)] =
            self.required.each_ref().map(Option::as_deref)
        else {
            return Err(self.missing());
        };
        check_algorithm(algorithm)?;
        let scope = Scope::parse(credential)?;
        let time = AmzDate::parse(date).ok_or_else(|| no_date(date))?;
        let expires_s = self.expires.as_deref().map(expires_s).transpose()?;
        let session_token = self.security_token.as_ref().map(|token| token.as_bytes());
        Ok(Claim { credential, scope, signed_headers, signature, time, expires_s, session_token })
    }

    fn missing(&self) -> Refusal {
        let missing = REQUIRED.iter().zip(&self.required).filter(|(_, value)| value.is_none());
        let sentence = |(name, _)| format!("AWS query-string parameters must include '{name}'. ");
        let sentences: String = missing.map(sentence).collect();
        incomplete(sentences + "Re-examine the query-string parameters.")
    }
}

/// Parses X-Amz-Expires. The error texts are those of S3, the only known ones of AWS.
fn expires_s(text: &str) -> Result<i64, Refusal> {
    let seconds: i64 = text.parse().map_err(|_| incomplete("X-Amz-Expires must be a number"))?;
    match seconds {
        _ if EXPIRES_S.contains(&seconds) => Ok(seconds),
        ..=0 => Err(incomplete("X-Amz-Expires must be greater than 0")),
        _ => Err(incomplete(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given \
             X-Amz-Expires must be less than 604800 seconds",
        )),
    }
}

/// Returns the value of the first parameter with exactly this name, as sent.
fn raw<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    parameters(query).find(|(found, _)| *found == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Kind;

    const QUERY: &str = "Action=ListQueues&X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKID%2F20260102%2Fus-east-1%2Fsqs%2Faws4_request\
        &X-Amz-Date=20260102T030405Z&X-Amz-Expires=900&X-Amz-SignedHeaders=a%3Bhost\
        &X-Amz-Security-Token=to%2Bken&X-Amz-Signature=ab";

    fn refusal(query: &str) -> String {
        let refusal = Parameters::parse(query).claim().err().unwrap();
        assert_eq!(refusal.kind, Kind::IncompleteSignature);
        refusal.message.into_owned()
    }

    #[test]
    fn parameters_are_decoded() {
        let parameters = Parameters::parse(QUERY);
        let claim = parameters.claim().ok().unwrap();
        assert_eq!(claim.credential, "AKID/20260102/us-east-1/sqs/aws4_request");
        assert_eq!(claim.scope.service, "sqs");
        assert_eq!((claim.signed_headers, claim.signature), ("a;host", "ab"));
        assert_eq!(claim.time.to_string(), "20260102T030405Z");
        assert_eq!(claim.expires_s, Some(900));
        assert_eq!(claim.session_token, Some(&b"to+ken"[..]));
    }

    #[test]
    fn a_query_claims_to_be_signed_by_any_of_its_main_parts() {
        for query in [QUERY, "X-Amz-Algorithm", "a=b&X-Amz-Credential=", "X-Amz-Signature=a"] {
            assert!(is_presigned(query), "{query}");
        }
        for query in ["", "Action=ListQueues", "X-Amz-Target=a", "a=X-Amz-Signature"] {
            assert!(!is_presigned(query), "{query}");
        }
    }

    #[test]
    fn missing_parts_are_told_one_by_one() {
        let must = "AWS query-string parameters must include";
        assert_eq!(
            refusal("X-Amz-Algorithm"),
            format!(
                "{must} 'X-Amz-Algorithm'. {must} 'X-Amz-Credential'. {must} 'X-Amz-Signature'. \
                 {must} 'X-Amz-SignedHeaders'. {must} 'X-Amz-Date'. \
                 Re-examine the query-string parameters."
            )
        );
        assert_eq!(
            refusal(&QUERY.replace("X-Amz-Date", "Date")),
            format!("{must} 'X-Amz-Date'. Re-examine the query-string parameters.")
        );
    }

    #[test]
    fn other_parts_are_checked_as_in_the_header() {
        assert_eq!(
            refusal(&QUERY.replace("SHA256", "SHA1")),
            "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1' (only AWS4-HMAC-SHA256 for now)."
        );
        assert!(
            refusal(&QUERY.replace("%2Fsqs", "")).starts_with("Credential must have exactly 5")
        );
        assert!(refusal(&QUERY.replace("T030405Z", "")).contains("Got '20260102'."));
    }

    #[test]
    fn expiry_is_a_second_to_a_week() {
        let with = |text: &str| QUERY.replace("Expires=900", &format!("Expires={text}"));
        for (text, message) in [
            ("soon", "X-Amz-Expires must be a number"),
            ("99999999999999999999", "X-Amz-Expires must be a number"),
            ("0", "X-Amz-Expires must be greater than 0"),
            ("-1", "X-Amz-Expires must be greater than 0"),
            (
                "604801",
                "X-Amz-Expires must be less than a week (in seconds); that is, the given \
                 X-Amz-Expires must be less than 604800 seconds",
            ),
        ] {
            assert_eq!(refusal(&with(text)), message);
        }
        for (text, seconds) in [("1", 1), ("604800", 604_800)] {
            assert_eq!(
                Parameters::parse(&with(text)).claim().ok().unwrap().expires_s,
                Some(seconds)
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(
            text in ".{0,100}",
            at in 0..300_usize,
        ) {
            let _ = (is_presigned(&text), Parameters::parse(&text).claim().is_ok());
            let mut query = QUERY.to_owned();
            query.insert_str(at.min(QUERY.len()), &text);
            let _ = Parameters::parse(&query).claim();
            query.truncate(at.min(QUERY.len()));
            let _ = Parameters::parse(&query).claim();
        }
    }
}
