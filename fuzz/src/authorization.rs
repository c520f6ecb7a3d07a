//! Requests signed in their headers: lines `Name: value`, an empty line, and the body.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use squab::auth::{Caller, scope_service};
use squab::auth::{Credential, Credentials, Mode, Request, identify};
use squab::domain::Refusal;
use std::sync::LazyLock;

/// When everything happens: 2026-01-02T03:04:05Z in Unix milliseconds.
const NOW_MS: i64 = 1_767_323_045_000;

/// One key, whose secret is in no input.
static CREDENTIALS: LazyLock<Credentials> = LazyLock::new(|| {
    let mut credentials = Credentials::default();
    let secret = "of this secret no input knows anything";
    credentials.insert(Credential::new("AKIAIOSFODNN7EXAMPLE", secret).unwrap());
    credentials
});

/// Forged signatures are rejected, with an error of bounded length.
pub fn target(input: &[u8]) {
    let mut headers = HeaderMap::new();
    let mut rest = input;
    loop {
        let (line, below) = super::halves(rest);
        rest = below;
        if line.is_empty() {
            break;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            // The map panics above 32,768 headers; the HTTP library takes a hundred.
            if headers.len() < 100 {
                headers.append(name, value);
            }
        }
    }
    judge("/", "", &headers, rest);
}

/// What every mode says of a request.
pub(crate) fn judge(path: &str, query: &str, headers: &HeaderMap, body: &[u8]) {
    let _ = scope_service(headers, query);
    for service in ["sqs", "sns"] {
        let method = if query.is_empty() { "POST" } else { "GET" };
        let request = Request { method, path, query, headers, body, service };
        let identify = |mode| identify(mode, &CREDENTIALS, &request, NOW_MS);
        let caller = identify(Mode::Off).unwrap();
        assert!(caller.account.len() == 12 && caller.account.bytes().all(|b| b.is_ascii_digit()));
        assert!(caller.region.as_ref().is_none_or(|region| region.len() <= 64));
        refused(identify(Mode::Strict).unwrap_err(), query.len() + body.len());
        match identify(Mode::KnownKeys) {
            Ok(known) => is_a_stranger(&known),
            Err(refusal) => refused(refusal, query.len() + body.len()),
        }
    }
}

fn is_a_stranger(caller: &Caller) {
    assert_ne!(caller.access_key_id.as_deref(), Some("AKIAIOSFODNN7EXAMPLE"));
}

fn refused(refusal: Refusal, length: usize) {
    assert!(refusal.internal.is_none(), "{refusal:?}");
    // AWS repeats the canonical request, in which each byte may be escaped.
    assert!(refusal.message.len() <= 200_000 + 20 * length, "{}", refusal.message.len());
}
