//! Calls signed by hand, well and badly.

use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use hyper::http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SCOPE_2026: &str = "AKIDEXAMPLE/20260102/us-east-1/sqs/aws4_request";
/// 20260102T030405Z
const NOW_MS: i64 = 1_767_323_045_000;
const DIFFERENT: &str = "The request signature we calculated does not match the signature you \
     provided. Check your AWS Secret Access Key and signing method. Consult the service \
     documentation for details.";
const INVALID: &str = "The security token included in the request is invalid.";

/// A request that can be bent.
#[derive(Debug, Clone)]
struct Sent {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    service: &'static str,
}

impl Sent {
    fn new(method: &str, path: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.collect(),
            body: body.as_bytes().to_vec(),
            service: "sqs",
        }
    }

    fn identify(&self, mode: Mode, keys: &Credentials, now_ms: i64) -> Result<Caller, Refusal> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value))
            {
                headers.append(name, value);
            }
        }
        let request = Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &headers,
            body: &self.body,
            service: self.service,
        };
        identify(mode, keys, &request, now_ms)
    }

    fn strict(&self, keys: &Credentials, now_ms: i64) -> Result<Caller, Refusal> {
        self.identify(Mode::Strict, keys, now_ms)
    }

    fn header(&mut self, name: &str) -> &mut Vec<u8> {
        &mut self.headers.iter_mut().find(|(it, _)| it == name).unwrap().1
    }

    /// With this text in place of that in the `Authorization` header.
    fn authorized(&self, from: &str, to: &str) -> Self {
        let mut sent = self.clone();
        let value = sent.header("authorization");
        let text = String::from_utf8(value.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        *value = text.replace(from, to).into_bytes();
        sent
    }

    fn queried(&self, from: &str, to: &str) -> Self {
        assert!(self.query.contains(from), "{}", self.query);
        Self { query: self.query.replace(from, to), ..self.clone() }
    }

    /// Signed by an AWS SDK's signer, which appends what it makes.
    fn signed(mut self, how: &How<'_>) -> Self {
        let mut settings = SigningSettings::default();
        if how.hashed {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        if let Some(seconds) = how.presigned_s {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(seconds));
        }
        let token = how.token.map(str::to_owned);
        let identity =
            aws_credential_types::Credentials::new(ID, SECRET, token, None, "test").into();
        let params = aws_sigv4::sign::v4::SigningParams::builder()
            .identity(&identity)
            .region(how.region)
            .name(self.service)
            .time(UNIX_EPOCH + Duration::from_millis(how.time_ms as u64))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let uri = format!("http://127.0.0.1:4566{}?{}", self.path, self.query);
        let headers: Vec<(String, String)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), String::from_utf8(value.clone()).unwrap()))
            .collect();
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let body = if how.unsigned {
            SignableBody::UnsignedPayload
        } else {
            SignableBody::Bytes(&self.body)
        };
        let request = SignableRequest::new(&self.method, uri, headers, body).unwrap();
        let (new_headers, new_query) = sign(request, &params).unwrap().into_parts().0.into_parts();
        for header in new_headers {
            self.headers.push((header.name().to_owned(), header.value().as_bytes().to_vec()));
        }
        for (name, value) in new_query {
            let separator = if self.query.is_empty() { "" } else { "&" };
            self.query.extend([separator, name, "=", &percent(&value)]);
        }
        self
    }
}

struct How<'a> {
    region: &'a str,
    token: Option<&'a str>,
    presigned_s: Option<u64>,
    unsigned: bool,
    hashed: bool,
    time_ms: i64,
}

const PLAIN: How<'static> = How {
    region: "us-east-1",
    token: None,
    presigned_s: None,
    unsigned: false,
    hashed: false,
    time_ms: NOW_MS,
};

fn percent(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn keys() -> Credentials {
    with_secret(SECRET)
}

fn with_secret(secret: &str) -> Credentials {
    let mut keys = Credentials::default();
    keys.insert(Credential::new(ID, secret).unwrap());
    keys
}

fn temporary(token: &str, expires_at_ms: Option<i64>) -> Credentials {
    let mut credential = Credential::new(ID, SECRET).unwrap();
    credential.session_token = Some(super::super::Secret::new(token));
    credential.expires_at_ms = expires_at_ms;
    let mut keys = Credentials::default();
    keys.insert(credential);
    keys
}

fn host() -> (&'static str, &'static str) {
    ("host", "127.0.0.1:4566")
}

/// A plain call, signed.
fn call() -> Sent {
    Sent::new("POST", "/", "", &[host(), ("x-amz-target", "AmazonSQS.ListQueues")], "{}")
        .signed(&PLAIN)
}

fn presigned_call(how: &How<'_>) -> Sent {
    let how = How { presigned_s: how.presigned_s.or(Some(60)), ..*how };
    Sent::new("GET", "/000000000000/q", "Action=ReceiveMessage", &[host()], "").signed(&how)
}

fn authorization(scope: &str, signed_headers: &str, signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={signed_headers}, Signature={signature}"
    )
}

/// The three vectors in headers and the one in a query, with the second of their signing.
fn vectors() -> Vec<(Sent, i64)> {
    let date = ("x-amz-date", "20260102T030405Z");
    let mut vanilla = Sent::new(
        "GET",
        "/",
        "",
        &[
            ("host", "example.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
            (
                "authorization",
                &authorization(
                    "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request",
                    "host;x-amz-date",
                    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
                ),
            ),
        ],
        "",
    );
    vanilla.service = "service";
    let json = Sent::new(
        "POST",
        "/",
        "",
        &[
            ("content-type", "application/x-amz-json-1.0"),
            host(),
            date,
            ("x-amz-target", "AmazonSQS.SendMessage"),
            (
                "authorization",
                &authorization(
                    SCOPE_2026,
                    "content-type;host;x-amz-date;x-amz-target",
                    "1776ecefc41ee4c753873defe941424ee846246fcc0cdec52ebfad2f27d050f7",
                ),
            ),
        ],
        r#"{"QueueUrl":"http://127.0.0.1:4566/000000000000/q","MessageBody":"hello"}"#,
    );
    let form = Sent::new(
        "POST",
        "/000000000000/q",
        "",
        &[
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            host(),
            date,
            (
                "authorization",
                &authorization(
                    SCOPE_2026,
                    "content-type;host;x-amz-date",
                    "c619bfefbc061524b13cdc1df81296289090f63df200a28b5b0fce716cec09a1",
                ),
            ),
        ],
        "Action=SendMessage&Version=2012-11-05&MessageBody=hello+world",
    );
    let presigned = Sent::new(
        "GET",
        "/000000000000/q",
        "Action=ReceiveMessage&Version=2012-11-05&AttributeName.1=All\
         &X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Fus-east-1%2Fsqs%2Faws4_request\
         &X-Amz-Date=20260102T030405Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=65ae3cf37cd479182b1649aab9b672ecf6b4849378320c842478f036ed373181",
        &[host()],
        "",
    );
    vec![(vanilla, 1_440_938_160_000), (json, NOW_MS), (form, NOW_MS), (presigned, NOW_MS)]
}

/// Every text that differs from this one in one byte, each byte once.
fn bent(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..text.len()).map(move |at| {
        let mut bent = text.to_vec();
        bent[at] = if bent[at] == b'x' { b'y' } else { b'x' };
        bent
    })
}

#[test]
fn the_vectors_verify() {
    for (sent, now_ms) in vectors() {
        let caller = sent.strict(&keys(), now_ms).unwrap();
        assert_eq!(caller.account, "000000000000");
        assert_eq!(caller.region.as_deref(), Some("us-east-1"));
        assert_eq!(caller.access_key_id.as_deref(), Some(ID));
        assert_eq!(caller.arn().as_deref(), Some("arn:aws:iam::000000000000:root"));
    }
}

#[test]
fn one_other_byte_anywhere_fails_the_vectors() {
    let keys = keys();
    for (sent, now_ms) in vectors() {
        let mut changed: Vec<Sent> = Vec::new();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        changed.extend(bent(&sent.body).map(|body| Sent { body, ..sent.clone() }));
        changed.push(Sent { body: [&sent.body[..], b" "].concat(), ..sent.clone() });
        changed.extend(
            bent(sent.path.as_bytes()).map(|path| Sent { path: text(path), ..sent.clone() }),
        );
        changed.extend(
            bent(sent.query.as_bytes()).map(|query| Sent { query: text(query), ..sent.clone() }),
        );
        changed.push(Sent { method: "PUT".to_owned(), ..sent.clone() });
        changed.push(Sent { query: format!("{}&a", sent.query), ..sent.clone() });
        for index in 0..sent.headers.len() {
            for value in bent(&sent.headers[index].1.clone()) {
                let mut other = sent.clone();
                other.headers[index].1 = value;
                changed.push(other);
            }
            let mut without = sent.clone();
            without.headers.remove(index);
            changed.push(without);
        }
        for other in changed {
            assert!(other.strict(&keys, now_ms).is_err(), "{other:?}");
        }
        // The key of the right secret is kept by now: a wrong one must not profit from it
        assert!(sent.strict(&keys, now_ms).is_ok());
        for secret in bent(SECRET.as_bytes()).map(text) {
            let refusal = sent.strict(&with_secret(&secret), now_ms).unwrap_err();
            assert_eq!(refusal.message, DIFFERENT);
        }
    }
}

#[test]
fn the_vectors_hold_for_fifteen_minutes() {
    let keys = keys();
    for (sent, now_ms) in vectors() {
        for seconds in [-900, 900] {
            assert!(sent.strict(&keys, now_ms + seconds * 1_000).is_ok());
        }
        for seconds in [-901, 901] {
            let refusal = sent.strict(&keys, now_ms + seconds * 1_000).unwrap_err();
            assert_eq!(refusal.kind, Kind::SignatureDoesNotMatch);
            assert!(refusal.message.starts_with("Signature "), "{refusal}");
        }
        assert!(sent.strict(&keys, now_ms + 900_999).is_ok(), "whole seconds count");
    }
}

#[test]
fn a_changed_secret_forgets_the_kept_keys() {
    let mut keys = keys();
    assert!(call().strict(&keys, NOW_MS).is_ok());
    keys.insert(Credential::new(ID, "another").unwrap());
    assert_eq!(call().strict(&keys, NOW_MS).unwrap_err().message, DIFFERENT);
}

#[test]
fn only_proven_requests_leave_a_key_behind() {
    let keys = keys();
    let wrong = call().authorized("Signature=", "Signature=0");
    assert!(wrong.strict(&keys, NOW_MS).is_err());
    assert!(keys.signing_keys.get(SCOPE_2026).is_none());
    assert!(call().strict(&keys, NOW_MS).is_ok());
    assert!(keys.signing_keys.get(SCOPE_2026).is_some());
}

#[track_caller]
fn refused(result: Result<Caller, Refusal>, kind: Kind, message: &str) {
    let refusal = result.unwrap_err();
    assert_eq!((refusal.kind, &*refusal.message), (kind, message));
}

#[test]
fn unsigned_requests_lack_a_token() {
    refused(
        Sent::new("POST", "/", "Action=ListQueues", &[host()], "").strict(&keys(), NOW_MS),
        Kind::MissingAuthenticationToken,
        "Request is missing Authentication Token",
    );
}

#[test]
fn two_authorization_headers_are_an_incomplete_signature() {
    let mut twice = call();
    let first = ("authorization".to_owned(), twice.header("authorization").clone());
    twice.headers.push(first);
    let message = "'AWS4-HMAC-SHA256' not a valid key=value pair (missing equal-sign) in \
                   Authorization header: '";
    for mode in [Mode::Strict, Mode::KnownKeys] {
        let refusal = twice.identify(mode, &keys(), NOW_MS).unwrap_err();
        assert_eq!(refusal.kind, Kind::IncompleteSignature);
        assert!(refusal.message.starts_with(message), "{refusal}");
    }
    assert!(twice.identify(Mode::Off, &keys(), NOW_MS).is_ok());
}

#[test]
fn unknown_keys_are_refused_before_anything_else_is_checked() {
    let none = Credentials::default();
    refused(call().strict(&none, NOW_MS), Kind::InvalidClientTokenId, INVALID);
    refused(call().strict(&none, 0), Kind::InvalidClientTokenId, INVALID);
    let sent = call().authorized("/sqs/", "/sns/");
    refused(sent.strict(&none, NOW_MS), Kind::InvalidClientTokenId, INVALID);
}

#[test]
fn incomplete_signatures_are_refused_before_the_key_is_looked_up() {
    let none = Credentials::default();
    let sent = call().authorized("Signature=", "Signatur=");
    let text = String::from_utf8(sent.clone().header("authorization").clone()).unwrap();
    refused(
        sent.strict(&none, NOW_MS),
        Kind::IncompleteSignature,
        &format!("Authorization header requires 'Signature' parameter. Authorization={text}"),
    );
    refused(
        presigned_call(&PLAIN).queried("X-Amz-Date", "Date").strict(&none, NOW_MS),
        Kind::IncompleteSignature,
        "AWS query-string parameters must include 'X-Amz-Date'. \
         Re-examine the query-string parameters.",
    );
}

#[test]
fn a_signature_in_both_places_is_refused() {
    let mut sent = call();
    sent.query = presigned_call(&PLAIN).query;
    refused(
        sent.strict(&keys(), NOW_MS),
        Kind::SignatureDoesNotMatch,
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP \
         header.",
    );
}

#[test]
fn session_tokens_must_be_there_and_equal_and_wanted() {
    let token = "FwoGZXIvYXdzE+/=";
    for presigned_s in [None, Some(60)] {
        let sent = |token| {
            Sent::new("GET", "/", "", &[host()], "").signed(&How { token, presigned_s, ..PLAIN })
        };
        let keys_with = temporary(token, Some(NOW_MS + 1));
        assert!(sent(Some(token)).strict(&keys_with, NOW_MS).is_ok());
        for (given, keys) in [
            (Some("FwoGZXIvYXdzE+/-"), &keys_with),
            (Some("FwoGZXIvYXdzE+/"), &keys_with),
            (None, &keys_with),
            (Some(token), &keys()),
        ] {
            refused(sent(given).strict(keys, NOW_MS), Kind::InvalidClientTokenId, INVALID);
        }
        refused(
            sent(Some(token)).strict(&keys_with, NOW_MS + 1),
            Kind::ExpiredToken,
            "The security token included in the request is expired",
        );
    }
}

#[test]
fn old_and_early_signatures_tell_the_times() {
    let keys = keys();
    let sent = call();
    refused(
        sent.strict(&keys, NOW_MS + 960_000),
        Kind::SignatureDoesNotMatch,
        "Signature expired: 20260102T030405Z is now earlier than 20260102T030505Z \
         (20260102T032005Z - 15 min.)",
    );
    refused(
        sent.strict(&keys, NOW_MS - 960_000),
        Kind::SignatureDoesNotMatch,
        "Signature not yet current: 20260102T030405Z is still later than 20260102T030305Z \
         (20260102T024805Z + 15 min.)",
    );
}

#[test]
fn presigned_requests_hold_as_long_as_they_say() {
    let keys = keys();
    for seconds in [1, 90, 3_600, 604_800] {
        let sent = presigned_call(&How { presigned_s: Some(seconds), ..PLAIN });
        let end_ms = NOW_MS + seconds as i64 * 1_000;
        assert!(sent.strict(&keys, end_ms).is_ok());
        assert!(sent.strict(&keys, end_ms + 1_000).is_err());
        assert!(sent.strict(&keys, NOW_MS - 900_000).is_ok());
        assert!(sent.strict(&keys, NOW_MS - 901_000).is_err());
    }
    refused(
        presigned_call(&How { presigned_s: Some(3_600), ..PLAIN })
            .strict(&keys, NOW_MS + 3_601_000),
        Kind::SignatureDoesNotMatch,
        "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z \
         (20260102T040406Z - 60 min.)",
    );
    refused(
        presigned_call(&How { presigned_s: Some(90), ..PLAIN }).strict(&keys, NOW_MS + 91_000),
        Kind::SignatureDoesNotMatch,
        "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z \
         (20260102T030536Z - 90 sec.)",
    );
    refused(
        presigned_call(&PLAIN).queried("Expires=60", "Expires=604801").strict(&keys, NOW_MS),
        Kind::IncompleteSignature,
        "X-Amz-Expires must be less than a week (in seconds); that is, the given \
         X-Amz-Expires must be less than 604800 seconds",
    );
}

#[test]
fn the_scope_must_fit_the_request() {
    let keys = keys();
    for (from, to, message) in [
        (
            "/20260102/",
            "/20260103/",
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
             from HTTP: '20260103' != '20260102', from '20260102T030405Z'.",
        ),
        ("us-east-1", "us:east", "Credential should be scoped to a valid region, not 'us:east'."),
        ("/sqs/", "/sns/", "Credential should be scoped to correct service: 'sqs'."),
        (
            "aws4_request",
            "aws5",
            "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5'.",
        ),
        (
            "SignedHeaders=host;",
            "SignedHeaders=",
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        ),
        ("us-east-1", "us-east-2", DIFFERENT),
        ("SignedHeaders=host;", "SignedHeaders=gone;host;", DIFFERENT),
    ] {
        let sent = call().authorized(from, to);
        refused(sent.strict(&keys, NOW_MS), Kind::SignatureDoesNotMatch, message);
    }
    let sent = presigned_call(&PLAIN).queried("sqs", "sns");
    refused(
        sent.strict(&keys, NOW_MS),
        Kind::SignatureDoesNotMatch,
        "Credential should be scoped to correct service: 'sqs'.",
    );
}

#[test]
fn any_region_will_do() {
    let keys = keys();
    for region in ["elasticmq", "local", "eu-central-1", "my_region.2"] {
        let how = How { region, ..PLAIN };
        for sent in [Sent::new("GET", "/", "", &[host()], "").signed(&how), presigned_call(&how)] {
            let caller = sent.strict(&keys, NOW_MS).unwrap();
            assert_eq!(caller.region.as_deref(), Some(region));
        }
    }
    let sent = Sent::new("GET", "/", "", &[host()], "").signed(&How { region: "", ..PLAIN });
    assert_eq!(sent.strict(&keys, NOW_MS).unwrap().region, None);
}

#[test]
fn a_stated_hash_must_be_that_of_the_body() {
    let keys = keys();
    let post = || Sent::new("POST", "/", "", &[host(), ("x-amz-target", "AmazonSQS.X")], "body");
    let mut hashed = post().signed(&How { hashed: true, ..PLAIN });
    assert!(hashed.strict(&keys, NOW_MS).is_ok());
    hashed.body = b"Body".to_vec();
    refused(hashed.strict(&keys, NOW_MS), Kind::SignatureDoesNotMatch, DIFFERENT);

    // To say so afterwards does not help, signed header or not
    for (mut sent, message) in [
        (post().signed(&PLAIN), UNSIGNED_BODY),
        (post().signed(&How { hashed: true, ..PLAIN }), DIFFERENT),
    ] {
        sent.headers.retain(|(name, _)| name != X_AMZ_CONTENT_SHA256);
        sent.headers.push((X_AMZ_CONTENT_SHA256.to_owned(), b"UNSIGNED-PAYLOAD".to_vec()));
        refused(sent.strict(&keys, NOW_MS), Kind::SignatureDoesNotMatch, message);
    }
}

const UNSIGNED_BODY: &str =
    "The body of this request must be signed or empty: it could select another operation.";

#[test]
fn a_body_may_be_unsigned_where_the_signed_headers_say_so() {
    let keys = keys();
    let json = ("content-type", "application/x-amz-json-1.0");
    let form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    let target = ("x-amz-target", "AmazonSQS.SendMessage");
    let how = How { unsigned: true, hashed: true, ..PLAIN };
    for (headers, is_accepted) in [
        (&[host(), json, target][..], true),
        (&[host(), json], false),
        (&[host(), form], false),
        (&[host(), form, target], false),
    ] {
        let mut sent = Sent::new("POST", "/", "", headers, "body").signed(&how);
        assert_eq!(sent.header(X_AMZ_CONTENT_SHA256), b"UNSIGNED-PAYLOAD");
        sent.body = b"any other".to_vec();
        match sent.strict(&keys, NOW_MS) {
            Ok(_) => assert!(is_accepted, "{headers:?}"),
            result => {
                assert!(!is_accepted, "{headers:?}");
                refused(result, Kind::SignatureDoesNotMatch, UNSIGNED_BODY);
            }
        }
        sent.body.clear();
        assert!(sent.strict(&keys, NOW_MS).is_ok(), "{headers:?}");
    }
}

#[test]
fn a_presigned_url_may_leave_an_empty_body_unsigned() {
    let target = ("x-amz-target", "AmazonSQS.SendMessage");
    for headers in [&[host()][..], &[host(), target]] {
        let query = "X-Amz-Content-Sha256=UNSIGNED-PAYLOAD";
        let how = How { unsigned: true, presigned_s: Some(60), ..PLAIN };
        let mut sent = Sent::new("POST", "/", query, headers, "").signed(&how);
        assert!(sent.strict(&keys(), NOW_MS).is_ok());
        sent.body = b"any".to_vec();
        refused(sent.strict(&keys(), NOW_MS), Kind::SignatureDoesNotMatch, UNSIGNED_BODY);
    }
}

#[test]
fn unsigned_amz_headers_do_not_fail_a_request() {
    let mut sent = call();
    sent.headers.push(("x-amz-extra".to_owned(), b"1".to_vec()));
    assert!(sent.strict(&keys(), NOW_MS).is_ok());
}

#[test]
fn the_date_header_can_sign() {
    // A signer that knows only Date: our own arithmetic, whose parts the vectors prove
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("h"));
    headers.insert("date", HeaderValue::from_static("Fri, 02 Jan 2026 03:04:05 GMT"));
    let request = Request {
        method: "GET",
        path: "/",
        query: "",
        headers: &headers,
        body: b"",
        service: "sqs",
    };
    let canonical = canonical_request(&request, "date;host", &sha256_hex(b""), false);
    let key = SigningKey::derive(SECRET, NOW_MS / 1_000, "us-east-1", "sqs").unwrap();
    let signature = key.sign(&format!(
        "AWS4-HMAC-SHA256\n20260102T030405Z\n20260102/us-east-1/sqs/aws4_request\n{}",
        sha256_hex(&canonical.unwrap())
    ));
    let authorization = authorization(SCOPE_2026, "date;host", &signature);
    let date = ("date", "Fri, 02 Jan 2026 03:04:05 GMT");
    let headers = [("host", "h"), date, ("authorization", &authorization)];
    assert!(Sent::new("GET", "/", "", &headers, "").strict(&keys(), NOW_MS).is_ok());
}

#[test]
fn off_believes_every_name() {
    let none = Credentials::default();
    let off = |sent: &Sent| sent.identify(Mode::Off, &none, 0).unwrap();
    let header = |text: &str| Sent::new("GET", "/", "", &[("authorization", text)], "");
    let query = |text: &str| Sent::new("GET", "/", text, &[], "");
    for (sent, account, region, id) in [
        (header("AWS4-HMAC-SHA256 Credential=test/d/eu-west-1/sqs/x"), "0", "eu-west-1", "test"),
        (header("AWS4 Credential=123456789012/d/r/s/x,a"), "123456789012", "r", "123456789012"),
        (header("x Credential=test"), "0", "", "test"),
        (header("x Credential=test/d//s/x"), "0", "", "test"),
        (header("x Credential=test/d/a:b/s/x"), "0", "", "test"),
        (query("a=b&X-Amz-Credential=test%2Fd%2fr%2Fs"), "0", "r", "test"),
        (query("X-Amz-Credential=te%73t/d/r/s"), "0", "r", "test"),
        (
            query("X-Amz-Credential=LSIAY34FZKBOKMUTVV7A"),
            "609629065308",
            "",
            "LSIAY34FZKBOKMUTVV7A",
        ),
    ] {
        let caller = off(&sent);
        assert_eq!(caller.account, if account == "0" { DEFAULT_ACCOUNT } else { account });
        assert_eq!(caller.region.as_deref().unwrap_or(""), region);
        assert_eq!(caller.access_key_id.as_deref(), Some(id));
        assert_eq!(caller.principal, Principal::Account);
    }
    let long = format!("x Credential={}/d/r/s/x", "k".repeat(129));
    for sent in [query(""), query("X-Amz-Credential="), header("Bearer x"), header(&long)] {
        assert_eq!(off(&sent), Caller::new(DEFAULT_ACCOUNT, "", "", Principal::Anonymous));
        assert_eq!(off(&sent).arn(), None);
    }
    let mut both = header("Bearer x");
    both.query = "X-Amz-Credential=test%2Fd%2Fr".to_owned();
    assert_eq!(off(&both).region.as_deref(), Some("r"));
}

#[test]
fn off_refuses_no_wrong_signature_and_reports_it_once() {
    let keys = keys();
    assert!(call().identify(Mode::Off, &keys, NOW_MS).is_ok());
    assert!(!keys.get(ID).unwrap().reported.load(Ordering::Relaxed));
    let wrong = call().authorized("Signature=", "Signature=0");
    for _ in 0..2 {
        let caller = wrong.identify(Mode::Off, &keys, NOW_MS).unwrap();
        assert_eq!(caller.access_key_id.as_deref(), Some(ID));
        assert!(keys.get(ID).unwrap().reported.load(Ordering::Relaxed));
    }
}

#[test]
fn known_keys_must_prove_themselves_and_others_need_not() {
    let mut credential = Credential::new(ID, SECRET).unwrap();
    credential.account = "111122223333".to_owned();
    credential.principal = Principal::User("alice".to_owned());
    let mut keys = Credentials::default();
    keys.insert(credential);
    for sent in [call(), presigned_call(&PLAIN)] {
        let caller = sent.identify(Mode::KnownKeys, &keys, NOW_MS).unwrap();
        assert_eq!(caller.arn().as_deref(), Some("arn:aws:iam::111122223333:user/alice"));
        let wrong = Sent { path: "/other".to_owned(), ..sent };
        refused(
            wrong.identify(Mode::KnownKeys, &keys, NOW_MS),
            Kind::SignatureDoesNotMatch,
            DIFFERENT,
        );
    }
    let unknown = call().authorized(ID, "test");
    let caller = unknown.identify(Mode::KnownKeys, &keys, NOW_MS).unwrap();
    assert_eq!(caller.account, DEFAULT_ACCOUNT);
    let unsigned = Sent::new("GET", "/", "", &[], "");
    let caller = unsigned.identify(Mode::KnownKeys, &keys, NOW_MS).unwrap();
    assert_eq!(caller.principal, Principal::Anonymous);
}

#[test]
fn no_refusal_tells_a_secret() {
    let keys = temporary("hush-token", None);
    for sent in [call(), presigned_call(&PLAIN), call().authorized("Signature=", "Signature=0")] {
        let refusal = sent.strict(&keys, NOW_MS).unwrap_err();
        let shown = format!("{refusal} {refusal:?} {keys:?}");
        assert!(!shown.contains("hush") && !shown.contains(SECRET), "{shown}");
    }
}

fn parameters() -> impl Strategy<Value = String> {
    let name = "[A-Za-z.é +&=%~]{1,6}";
    let plain = proptest::collection::vec((name, ".{0,6}"), 0..5).prop_map(|pairs| {
        let pairs: Vec<_> =
            pairs.iter().map(|(n, v)| format!("{}={}", percent(n), percent(v))).collect();
        pairs.join("&")
    });
    // What clients send less tidily: valueless, empty, in plain characters, with plus signs
    prop_oneof![plain, "[a-c=&+.~*:/?@!,-]{0,24}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_an_sdk_signs_is_verified(
        method in "(GET|POST|PUT)",
        path in "(/[a-zA-Z0-9._~:+=@,!*'()$;-]{0,5}(%[0-9A-F]{2})?(\\.\\.?)?){1,4}",
        query in parameters(),
        values in proptest::collection::vec("[ -~]{0,12}", 0..3),
        body in proptest::collection::vec(any::<u8>(), 0..64),
        token in proptest::option::of("[A-Za-z0-9+/=]{1,20}"),
        region in "[a-z0-9-]{1,12}",
        presigned_s in proptest::option::of(1_u64..604_800),
        hashed in any::<bool>(),
    ) {
        let mut sent = Sent::new(&method, &path, &query, &[host()], "");
        sent.body = body;
        for value in values {
            sent.headers.push(("x-amz-meta".to_owned(), value.into_bytes()));
        }
        let how =
            How { region: &region, token: token.as_deref(), presigned_s, hashed, ..PLAIN };
        let sent = sent.signed(&how);
        let keys = token.as_deref().map_or_else(keys, |token| temporary(token, None));
        let caller = sent.strict(&keys, NOW_MS);
        prop_assume!(!query.contains("X-Amz-"));
        prop_assert!(caller.is_ok(), "{:?} {:?}", caller, sent);
        let mut other = sent.clone();
        other.path.push('x');
        prop_assert!(other.strict(&keys, NOW_MS).is_err());
        let named = sent.identify(Mode::Off, &Credentials::default(), 0).unwrap();
        prop_assert_eq!(named, caller.unwrap());
    }

    #[test]
    fn nothing_a_client_sends_panics_or_passes(
        method in ".{0,8}",
        path in "[/.%a-zé]{0,40}",
        query in "[&=%+a-zé]{0,40}",
        headers in proptest::collection::vec(
            (
                prop_oneof![
                    Just("authorization".to_owned()),
                    Just("x-amz-date".to_owned()),
                    Just("date".to_owned()),
                    Just("x-amz-security-token".to_owned()),
                    Just("host".to_owned()),
                    "[a-z-]{1,8}",
                ],
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..40),
                    Just(b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=ab".to_vec()),
                    Just(b"20260102T030405Z".to_vec()),
                ],
            ),
            0..6,
        ),
        presigned in proptest::option::of(0..320_usize),
        body in proptest::collection::vec(any::<u8>(), 0..40),
        now_ms in prop_oneof![Just(NOW_MS), any::<i64>()],
    ) {
        let mut sent = Sent { method, path, query, headers, body, service: "sqs" };
        if let Some(end) = presigned {
            let whole = presigned_call(&PLAIN).query;
            sent.query = whole.chars().take(end).chain(sent.query.chars()).collect();
        }
        let keys = keys();
        prop_assert!(sent.strict(&keys, now_ms).is_err());
        let _ = sent.identify(Mode::KnownKeys, &keys, now_ms);
        prop_assert!(sent.identify(Mode::Off, &keys, now_ms).is_ok());
    }

    #[test]
    fn truncated_requests_are_refused(at in 0..400_usize) {
        let mut sent = call();
        let value = sent.header("authorization");
        value.truncate(at.min(value.len() - 1));
        prop_assert!(sent.strict(&keys(), NOW_MS).is_err());
        let mut sent = presigned_call(&PLAIN);
        sent.query.truncate(at.min(sent.query.len() - 1));
        prop_assert!(sent.strict(&keys(), NOW_MS).is_err());
    }
}

#[test]
fn huge_headers_cost_no_more_than_their_size() {
    // Each name counts once, or this canonical request would have 8 GB
    let mut sent = call();
    sent.headers.push(("big".to_owned(), vec![b'a'; 1 << 20]));
    let names = "big;".repeat(1 << 13);
    let sent = sent.authorized("SignedHeaders=", &format!("SignedHeaders={names}"));
    refused(sent.strict(&keys(), NOW_MS), Kind::SignatureDoesNotMatch, DIFFERENT);
}
