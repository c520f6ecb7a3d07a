//! Signatures through the whole service: calls signed by an AWS SDK are accepted, and every kind of
//! invalid signature is rejected with the error of its protocol.

use crate::gateway::{Answer, HOST, PROTOCOLS, Service, by_route, form, settings};
use crate::process::runs_alone;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use axum::body::Body;
use hyper::Request;
use serde_json::{Value, json};
use squab::api::CompatOptions;
use squab::auth::{Credential, Credentials, Mode, Secret};
use squab::runtime::clock::{Clock, SystemClock};
use squab::runtime::memory::Memory;
use squab::server::gateway::GatewaySettings;
use squab::server::limits::connections::Connections;
use squab::wire::Protocol;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// A configured key, which is an account as well.
const KNOWN: &str = "111122223333";
/// A configured key that needs the session token `token`.
const TEMPORARY: &str = "ASIATEMPORARY";
/// A configured key that has ended, with the same token.
const ENDED: &str = "ASIAENDED";
const MINUTE_MS: i64 = 60_000;

fn service(mode: Mode) -> Service {
    let mut credentials = Credentials::default();
    credentials.insert(Credential::new(KNOWN, SECRET).unwrap());
    for (id, expires_at_ms) in [(TEMPORARY, None), (ENDED, Some(1))] {
        let mut credential = Credential::new(id, SECRET).unwrap();
        credential.session_token = Some(Secret::new("token"));
        credential.expires_at_ms = expires_at_ms;
        credentials.insert(credential);
    }
    Service::new(GatewaySettings { mode, credentials, ..settings() })
}

/// Signatures go by the time of the machine, whatever the clock of the queues shows.
fn now_ms() -> i64 {
    SystemClock.now_ms()
}

/// A request before it is sent.
#[derive(Debug, Clone)]
struct Call {
    method: &'static str,
    path_and_query: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// How a call is signed.
#[derive(Debug, Clone, Copy)]
struct Signer {
    id: &'static str,
    secret: &'static str,
    token: Option<&'static str>,
    region: &'static str,
    service: &'static str,
    /// Milliseconds from now.
    at_ms: i64,
    /// Seconds that a presigned URL holds.
    presigned_s: Option<u64>,
    /// Whether the header x-amz-content-sha256 states the hash of the body.
    states_hash: bool,
}

const SIGNER: Signer = Signer {
    id: KNOWN,
    secret: SECRET,
    token: None,
    region: "us-east-1",
    service: "sqs",
    at_ms: 0,
    presigned_s: None,
    states_hash: false,
};

impl Call {
    /// CreateQueue of `q`, whose response contains the account.
    fn new(protocol: Protocol) -> Self {
        let input = json!({"QueueName": "q"});
        match protocol {
            Protocol::Json => Self::of("AmazonSQS.CreateQueue", input.to_string()),
            Protocol::Query => {
                let content = "application/x-www-form-urlencoded; charset=utf-8";
                let body = form("CreateQueue", &input);
                Self::post(vec![("content-type", content)], body)
            }
        }
    }

    fn of(target: &str, body: String) -> Self {
        let content = ("content-type", "application/x-amz-json-1.0");
        Self::post(vec![content, ("x-amz-target", target)], body)
    }

    fn post(headers: Vec<(&str, &str)>, body: String) -> Self {
        let headers = headers.into_iter().chain([("host", HOST)]);
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { method: "POST", path_and_query: "/".to_owned(), headers, body }
    }

    fn get(path_and_query: &str) -> Self {
        Self {
            method: "GET",
            path_and_query: path_and_query.to_owned(),
            headers: vec![("host".to_owned(), HOST.to_owned())],
            body: String::new(),
        }
    }

    fn signed(mut self, by: Signer) -> Self {
        let mut settings = SigningSettings::default();
        if let Some(seconds) = by.presigned_s {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(seconds));
        }
        if by.states_hash {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let token = by.token.map(str::to_owned);
        let identity =
            aws_credential_types::Credentials::new(by.id, by.secret, token, None, "test").into();
        let at_ms = u64::try_from(now_ms() + by.at_ms).unwrap();
        let params = aws_sigv4::sign::v4::SigningParams::builder()
            .identity(&identity)
            .region(by.region)
            .name(by.service)
            .time(UNIX_EPOCH + Duration::from_millis(at_ms))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let uri = format!("http://{HOST}{}", self.path_and_query);
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let body = SignableBody::Bytes(self.body.as_bytes());
        let request = SignableRequest::new(self.method, uri, headers, body).unwrap();
        let (headers, query) = sign(request, &params).unwrap().into_parts().0.into_parts();
        for header in headers {
            self.headers.push((header.name().to_owned(), header.value().to_owned()));
        }
        for (name, value) in query {
            let value =
                percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC);
            write!(self.path_and_query, "&{name}={value}").unwrap();
        }
        self
    }

    /// With this text in place of that, in the headers, the URL and the body.
    fn bent(mut self, from: &str, to: &str) -> Self {
        let before = format!("{self:?}");
        for (_, value) in &mut self.headers {
            *value = value.replacen(from, to, 1);
        }
        self.path_and_query = self.path_and_query.replacen(from, to, 1);
        self.body = self.body.replacen(from, to, 1);
        assert_ne!(before, format!("{self:?}"), "nothing to bend");
        self
    }

    /// Without a header.
    fn without(mut self, name: &str) -> Self {
        let before = self.headers.len();
        self.headers.retain(|(header, _)| header != name);
        assert_eq!(before, self.headers.len() + 1);
        self
    }

    /// With another value of the Authorization header.
    fn authorized(mut self, value: &str) -> Self {
        self.headers.push(("authorization".to_owned(), value.to_owned()));
        self
    }

    async fn to(self, service: &Service) -> Answer {
        service.answer(self.request()).await
    }

    fn request(self) -> Request<Body> {
        let mut request = Request::builder().method(self.method).uri(self.path_and_query);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(Body::from(self.body)).unwrap()
    }
}

/// The URL of the queue that was made.
fn url(answer: &Answer, protocol: Protocol) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.output(protocol, "CreateQueue")["QueueUrl"].as_str().unwrap().to_owned()
}

const OWN_URL: &str = "http://localhost:4566/111122223333/q";

#[tokio::test]
async fn signed_calls_are_let_in_whichever_way_they_are_signed() {
    for mode in [Mode::Strict, Mode::KnownKeys, Mode::Off] {
        let service = service(mode);
        for protocol in PROTOCOLS {
            let answer = Call::new(protocol).signed(SIGNER).to(&service).await;
            assert_eq!(url(&answer, protocol), OWN_URL, "{mode:?} {protocol:?}");
        }
        let presigned = Signer { presigned_s: Some(900), ..SIGNER };
        let call = Call::get("/?Action=CreateQueue&Version=2012-11-05&QueueName=q");
        let answer = call.signed(presigned).to(&service).await;
        assert_eq!(url(&answer, Protocol::Query), OWN_URL, "{mode:?}");

        let send = "/111122223333/q?Action=SendMessage&MessageBody=a%20%2B%26%2Fb%C3%A9%20&Version=2012-11-05";
        let answer = Call::get(send).signed(presigned).to(&service).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let receive = "/111122223333/q?Action=ReceiveMessage&AttributeName.1=All";
        let answer = Call::get(receive).signed(presigned).to(&service).await;
        let output = answer.output(Protocol::Query, "ReceiveMessage");
        assert_eq!(output["Messages"][0]["Body"], "a +&/b\u{e9} ");
        assert_eq!(output["Messages"][0]["Attributes"]["SenderId"], KNOWN);

        let temporary = Signer { id: TEMPORARY, token: Some("token"), ..SIGNER };
        assert_eq!(Call::new(Protocol::Json).signed(temporary).to(&service).await.status, 200);
    }
}

#[tokio::test]
async fn the_region_of_the_signature_is_the_region_of_the_queues() {
    let service = service(Mode::Strict);
    let elsewhere = Signer { region: "eu-central-1", ..SIGNER };
    Call::new(Protocol::Json).signed(elsewhere).to(&service).await;
    let list = || Call::of("AmazonSQS.ListQueues", "{}".to_owned());
    let here = list().signed(SIGNER).to(&service).await;
    assert_eq!(here.output(Protocol::Json, "ListQueues"), json!({}));
    let there = list().signed(elsewhere).to(&service).await;
    assert_eq!(there.output(Protocol::Json, "ListQueues")["QueueUrls"], json!([OWN_URL]));
}

#[tokio::test]
async fn a_presigned_url_holds_as_long_as_it_says() {
    let service = service(Mode::Strict);
    let call = || Call::get("/?Action=CreateQueue&QueueName=q");
    let hour = Signer { presigned_s: Some(3_600), at_ms: -59 * MINUTE_MS, ..SIGNER };
    assert_eq!(call().signed(hour).to(&service).await.status, 200);
    let too_old = Signer { at_ms: -61 * MINUTE_MS, ..hour };
    let refused = call().signed(too_old).to(&service).await.refused(Protocol::Query);
    assert_eq!((refused.status, refused.code.as_str()), (403, "SignatureDoesNotMatch"));
    assert!(refused.message.starts_with("Signature expired: "), "{}", refused.message);
    let bent = call().signed(hour).bent("QueueName=q", "QueueName=r");
    let refused = bent.to(&service).await.refused(Protocol::Query);
    assert_eq!((refused.status, refused.code.as_str()), (403, "SignatureDoesNotMatch"));
    for parameter in ["X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature", "X-Amz-SignedHeaders"] {
        let bent = call().signed(hour).bent(parameter, "X-Amz-Nonsense");
        let refused = bent.to(&service).await.refused(Protocol::Query);
        let said = (refused.status, refused.code.as_str());
        assert_eq!(said, (400, "IncompleteSignature"), "{parameter}");
    }
}

/// What a refusal is called: status, query code, `__type`, and how its sentence begins.
type Said = (u16, &'static str, &'static str, &'static str);

const MISSING: Said = (
    403,
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "Request is missing Authentication Token",
);
const UNKNOWN: Said = (
    403,
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "The security token included in the request is invalid.",
);
const EXPIRED: Said = (
    403,
    "ExpiredToken",
    "ExpiredTokenException",
    "The security token included in the request is expired",
);
const DIFFERENT: &str = "The request signature we calculated does not match the signature you \
     provided. Check your AWS Secret Access Key and signing method. Consult the service \
     documentation for details.";

const fn mismatch(sentence: &'static str) -> Said {
    (403, "SignatureDoesNotMatch", "InvalidSignatureException", sentence)
}

const fn incomplete(sentence: &'static str) -> Said {
    (400, "IncompleteSignature", "IncompleteSignatureException", sentence)
}

/// Calls that strict verification refuses, and how.
fn wrong_calls(protocol: Protocol) -> Vec<(&'static str, Call, Said)> {
    let call = || Call::new(protocol);
    let signed = || call().signed(SIGNER);
    let by = |signer: Signer| call().signed(signer);
    vec![
        ("unsigned", call(), MISSING),
        ("an unknown key", by(Signer { id: "AKIAUNKNOWN", ..SIGNER }), UNKNOWN),
        (
            "a token that the key does not have",
            by(Signer { token: Some("token"), ..SIGNER }),
            UNKNOWN,
        ),
        ("no token", by(Signer { id: TEMPORARY, ..SIGNER }), UNKNOWN),
        ("another token", by(Signer { id: TEMPORARY, token: Some("x"), ..SIGNER }), UNKNOWN),
        ("a key that has ended", by(Signer { id: ENDED, token: Some("token"), ..SIGNER }), EXPIRED),
        ("another secret", by(Signer { secret: "x", ..SIGNER }), mismatch(DIFFERENT)),
        ("another body", Call { body: "{}".to_owned(), ..signed() }, mismatch(DIFFERENT)),
        (
            "another path",
            Call { path_and_query: "/000000000000/q".to_owned(), ..signed() },
            mismatch(DIFFERENT),
        ),
        (
            "another query",
            Call { path_and_query: "/?a=b".to_owned(), ..signed() },
            mismatch(DIFFERENT),
        ),
        (
            "another method",
            Call { method: "GET", path_and_query: "/?Action=ListQueues".to_owned(), ..signed() },
            mismatch(DIFFERENT),
        ),
        ("another host", signed().bent(HOST, "localhost:4567"), mismatch(DIFFERENT)),
        ("another region", signed().bent("/us-east-1/", "/us-east-2/"), mismatch(DIFFERENT)),
        (
            "too old",
            by(Signer { at_ms: -16 * MINUTE_MS, ..SIGNER }),
            mismatch("Signature expired: "),
        ),
        (
            "from the future",
            by(Signer { at_ms: 16 * MINUTE_MS, ..SIGNER }),
            mismatch("Signature not yet current: "),
        ),
        (
            "another service",
            by(Signer { service: "s3", ..SIGNER }),
            mismatch("Credential should be scoped to correct service: 'sqs'."),
        ),
        (
            "another end of the scope",
            signed().bent("/aws4_request", "/aws3_request"),
            mismatch(
                "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws3_request'.",
            ),
        ),
        (
            "another day",
            signed().bent(&format!("{KNOWN}/2"), &format!("{KNOWN}/1")),
            mismatch(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: ",
            ),
        ),
        (
            "host is not signed",
            signed().bent("host;", ""),
            mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."),
        ),
        (
            "no signature",
            signed().bent("Signature=", "Nonsense="),
            incomplete("Authorization header requires 'Signature' parameter."),
        ),
        (
            "no credential",
            signed().bent("Credential=", "Nonsense="),
            incomplete("Authorization header requires 'Credential' parameter."),
        ),
        (
            "no signed headers",
            signed().bent("SignedHeaders=", "Nonsense="),
            incomplete("Authorization header requires 'SignedHeaders' parameter."),
        ),
        (
            "no date",
            signed().without("x-amz-date"),
            incomplete(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
            ),
        ),
        (
            "no equals sign",
            call().authorized("AWS4-HMAC-SHA256 nonsense"),
            incomplete(
                "'nonsense' not a valid key=value pair (missing equal-sign) in Authorization header: ",
            ),
        ),
        (
            "four parts of a credential",
            signed().bent("/us-east-1/sqs", "/sqs"),
            incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got ",
            ),
        ),
        (
            "an unknown algorithm",
            signed().bent("AWS4-HMAC-SHA256", "AWS5-HMAC-SHA512"),
            incomplete("Unsupported AWS 'algorithm': 'AWS5-HMAC-SHA512'"),
        ),
    ]
}

#[tokio::test]
async fn each_wrong_signature_is_refused_in_the_words_of_its_protocol() {
    let service = service(Mode::Strict);
    for protocol in PROTOCOLS {
        for (what, call, (status, code, json_type, sentence)) in wrong_calls(protocol) {
            // A GET is AWS Query, whatever the call was before.
            let protocol = if call.method == "GET" { Protocol::Query } else { protocol };
            let call =
                if call.method == "GET" { Call { body: String::new(), ..call } } else { call };
            let refused = call.to(&service).await.refused(protocol);
            let said = (refused.status, refused.code.as_str(), refused.fault.as_str());
            assert_eq!(said, (status, code, "Sender"), "{what} in {protocol:?}: {refused:?}");
            assert!(refused.message.starts_with(sentence), "{what} in {protocol:?}: {refused:?}");
            if protocol == Protocol::Json {
                let wanted = format!("com.amazon.coral.service#{json_type}");
                assert_eq!(refused.json_type, Some(wanted), "{what}");
            }
            assert!(!refused.message.contains(SECRET), "{what}");
        }
    }
    // None of them has made a queue.
    let list = Call::of("AmazonSQS.ListQueues", "{}".to_owned()).signed(SIGNER);
    assert_eq!(list.to(&service).await.output(Protocol::Json, "ListQueues"), json!({}));
}

#[tokio::test]
async fn a_call_with_a_wrong_signature_learns_nothing_else() {
    let service = service(Mode::Strict);
    let wrong = Signer { secret: "x", ..SIGNER };
    for (call, protocol) in [
        (Call::of("AmazonSQS.Nonsense", "{}".to_owned()), Protocol::Json),
        (Call::of("Nonsense", "{}".to_owned()), Protocol::Json),
        (Call::of("AmazonSQS.CreateQueue", "nonsense".to_owned()), Protocol::Json),
        (Call::post(vec![], "Action=Nonsense".to_owned()), Protocol::Query),
        (Call::post(vec![], String::new()), Protocol::Query),
    ] {
        let refused = call.clone().signed(wrong).to(&service).await.refused(protocol);
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (403, "SignatureDoesNotMatch"),
            "{call:?}"
        );
        let refused = call.clone().to(&service).await.refused(protocol);
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (403, "MissingAuthenticationToken"),
            "{call:?}"
        );
    }
}

#[tokio::test]
async fn known_keys_verifies_those_and_believes_others_of_other_accounts() {
    let service = service(Mode::KnownKeys);
    for protocol in PROTOCOLS {
        // Those that name no known key mean the default account, which has one.
        for (what, call, (_, code, _, _)) in wrong_calls(protocol) {
            if call.method == "GET" {
                continue;
            }
            let answer = call.to(&service).await;
            assert_eq!(answer.refused(protocol).code, code, "{what}");
        }
        let other = Signer { id: "444455556666", secret: "whatever", ..SIGNER };
        let answer = Call::new(protocol).signed(other).to(&service).await;
        assert_eq!(url(&answer, protocol), "http://localhost:4566/444455556666/q");
    }
}

#[tokio::test]
async fn off_believes_whoever_a_request_names_however_wrong_its_signature() {
    let service = service(Mode::Off);
    for protocol in PROTOCOLS {
        for (what, call, _) in wrong_calls(protocol) {
            if call.method == "GET" || matches!(what, "another body" | "another path") {
                continue; // These ask for something else.
            }
            assert_eq!(call.to(&service).await.status, 200, "{what} in {protocol:?}");
        }
        let answer = Call::new(protocol).to(&service).await;
        assert_eq!(url(&answer, protocol), "http://localhost:4566/000000000000/q");
        let wrong = Signer { secret: "x", ..SIGNER };
        let answer = Call::new(protocol).signed(wrong).to(&service).await;
        assert_eq!(url(&answer, protocol), OWN_URL);
    }
}

#[tokio::test]
async fn whoever_has_a_key_of_either_service_may_inspect() {
    let service = service(Mode::Strict);
    Call::new(Protocol::Json).signed(SIGNER).to(&service).await;
    let status =
        async |call: Call| by_route(&service.gateway, call.request()).await.status().as_u16();
    let sns = Signer { service: "sns", ..SIGNER };
    for path in ["/_aws/sqs/messages?QueueUrl=q", "/_aws/sns/sms-messages?region=us-east-1"] {
        for signer in [SIGNER, sns, Signer { presigned_s: Some(900), ..SIGNER }] {
            assert_eq!(status(Call::get(path).signed(signer)).await, 200, "{path} {signer:?}");
        }
        let stranger = Signer { id: "AKIASTRANGER", ..SIGNER };
        let liar = Signer { secret: "not-the-secret", ..SIGNER };
        let elsewhere = Signer { service: "s3", ..SIGNER };
        for signer in [stranger, liar, elsewhere] {
            assert_eq!(status(Call::get(path).signed(signer)).await, 403, "{path} {signer:?}");
        }
        assert_eq!(status(Call::get(path)).await, 403, "{path}");
    }
}

/// What an attacker on the way adds to a signed request, and whether that must fail the request. What
/// does not fail it must not change what it does.
struct Attack {
    what: &'static str,
    fails: bool,
    bend: fn(Call) -> Call,
}

const OTHER_SERVICE: &str = "AWSSecurityTokenServiceV20110615.GetSessionToken";
const JSON: &str = "application/x-amz-json-1.0";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

impl Call {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a header before all others, so that it is found first.
    fn with_first(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(0, (name.to_owned(), value.to_owned()));
        self
    }

    fn with_query(mut self, addition: &str) -> Self {
        self.path_and_query = match self.path_and_query.split_once('?') {
            Some((path, query)) => format!("{path}?{addition}&{query}"),
            None => format!("{}?{addition}", self.path_and_query),
        };
        self
    }
}

/// Every unsigned part that a request may have.
fn attacks() -> Vec<Attack> {
    let attack = |what, fails, bend| Attack { what, fails, bend };
    vec![
        attack("a target", true, |call| call.with_first("x-amz-target", "AmazonSQS.ListQueues")),
        attack("the target of another service", true, |call| {
            call.with_first("x-amz-target", OTHER_SERVICE)
        }),
        attack("another target behind", true, |call| call.with("x-amz-target", OTHER_SERVICE)),
        attack("a target and a content type", true, |call| {
            call.with_first("x-amz-target", OTHER_SERVICE).with_first("content-type", JSON)
        }),
        attack("JSON is preferred", false, |call| call.with("accept", "application/json")),
        attack("a forwarded host", false, |call| {
            call.with("x-forwarded-host", "other.example").with("x-forwarded-proto", "https")
        }),
        attack("forwarded", false, |call| call.with("forwarded", "host=other.example;proto=https")),
        attack("another method", false, |call| {
            call.with("x-http-method-override", "GET").with("x-http-method", "DELETE")
        }),
        attack("another URL", false, |call| {
            call.with("x-original-url", "/?Action=ListQueues").with("x-rewrite-url", "/x")
        }),
        attack("headers of parameters", false, |call| {
            call.with("action", "ListQueues")
                .with("queuename", "other")
                .with("x-localstack-sqs-override-message-count", "10")
                .with("x-localstack-sqs-override-wait-time-seconds", "20")
        }),
        attack("a trace", false, |call| call.with("x-amzn-trace-id", "Root=1-0-0")),
        attack("a date", false, |call| call.with("date", "Thu, 01 Jan 1970 00:00:00 GMT")),
        attack("a path with dots", false, |mut call| {
            call.path_and_query = call.path_and_query.replacen('/', "/x/../", 1);
            call
        }),
        attack("a path with slashes", false, |mut call| {
            call.path_and_query = call.path_and_query.replacen('/', "///", 1);
            call
        }),
        attack("another path", true, |mut call| {
            call.path_and_query = call.path_and_query.replacen('/', "/000000000000/x", 1);
            call
        }),
        attack("another host", true, |call| call.bent(HOST, "sqs.eu-west-1.amazonaws.com")),
        attack("another host first", true, |call| call.with_first("host", "other.example")),
        attack("a parameter", true, |call| call.with_query("QueueName=other")),
        attack("an action", true, |call| call.with_query("Action=ListQueues")),
        attack("a version", true, |call| call.with_query("Version=2010-03-31")),
        attack("an encoded action", true, |call| call.with_query("%41ction=ListQueues")),
        attack("a signature in the URL", true, |call| {
            call.with_query("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=x")
        }),
        attack("another body", true, |call| Call { body: "QueueName=other".to_owned(), ..call }),
        attack("more body", true, |mut call| {
            call.body.push_str("&QueueName=other&");
            call
        }),
        attack("an unsigned body", true, |call| {
            let call = Call { body: "Action=ListQueues".to_owned(), ..call };
            call.with_first("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        }),
    ]
}

/// Requests of every kind, which create the queue `q`.
fn kinds() -> Vec<(&'static str, Call)> {
    let presigned = Signer { presigned_s: Some(900), ..SIGNER };
    let query = "/?Action=CreateQueue&Version=2012-11-05&QueueName=q";
    let target = ("x-amz-target", "AmazonSQS.CreateQueue");
    // Read as a form, this would be another call.
    let json = r#"{"QueueName":"q","tags":{"a":"&Action=CreateQueue&QueueName=other&b="}}"#;
    // Read as JSON, this would be another call as well, but for its first byte.
    let form = form("CreateQueue", &json!({"QueueName": "q"}));
    let post = |headers: Vec<(&str, &str)>, body: &str| Call::post(headers, body.to_owned());
    vec![
        ("JSON", post(vec![("content-type", JSON), target], json).signed(SIGNER)),
        (
            "JSON, type not signed",
            post(vec![target], json).signed(SIGNER).with("content-type", JSON),
        ),
        ("JSON without a type", post(vec![target], json).signed(SIGNER)),
        ("Query", post(vec![("content-type", FORM)], &form).signed(SIGNER)),
        ("Query, type not signed", post(vec![], &form).signed(SIGNER).with("content-type", FORM)),
        ("Query without a type", post(vec![], &form).signed(SIGNER)),
        ("Query by GET", Call::get(query).signed(SIGNER)),
        ("Query by POST of a URL", {
            Call { path_and_query: query.to_owned(), ..post(vec![], "") }.signed(SIGNER)
        }),
        ("presigned GET", Call::get(query).signed(presigned)),
        ("presigned POST", {
            Call { path_and_query: query.to_owned(), ..post(vec![], "") }.signed(presigned)
        }),
        ("presigned POST of JSON", {
            let call = post(vec![("content-type", JSON), target], json);
            Call { path_and_query: "/?x=y".to_owned(), ..call }.signed(presigned)
        }),
    ]
}

/// Sends a request that creates the queue `q`, and makes sure that it does just that if it succeeds.
async fn creates_only_q(mode: Mode, call: Call, what: &str) -> u16 {
    let service = service(mode);
    let answer = call.to(&service).await;
    let list = Call::of("AmazonSQS.ListQueues", "{}".to_owned()).signed(SIGNER);
    let left = list.to(&service).await.output(Protocol::Json, "ListQueues");
    match answer.status {
        200 => {
            let text = answer.text();
            assert!(text.contains("/111122223333/q") && !text.contains("other"), "{what}: {text}");
            assert_eq!(left["QueueUrls"], json!([OWN_URL]), "{what}");
        }
        status => {
            assert!(matches!(status, 400 | 403), "{what}: {answer:?}");
            assert!(answer.text().contains("Signature"), "{what}: {answer:?}");
            assert_eq!(left, json!({}), "{what}");
        }
    }
    answer.status
}

#[tokio::test]
async fn no_unsigned_part_selects_what_a_request_does() {
    for mode in [Mode::Strict, Mode::KnownKeys] {
        for (kind, call) in kinds() {
            assert_eq!(creates_only_q(mode, call.clone(), kind).await, 200, "{kind}");
            for Attack { what, fails, bend } in attacks() {
                if mode == Mode::KnownKeys && what == "a signature in the URL" {
                    continue; // It names another key, which anyone may do there.
                }
                let what = format!("{mode:?}, {kind}: {what}");
                let status = creates_only_q(mode, bend(call.clone()), &what).await;
                assert_eq!(status != 200, fails, "{what}: {status}");
            }
        }
    }
}

#[tokio::test]
async fn a_content_type_that_is_not_signed_changes_nothing() {
    for (kind, call) in kinds() {
        // A presigned POST of JSON signs its type.
        let signs_type = matches!(kind, "JSON" | "Query" | "presigned POST of JSON");
        for content in [JSON, FORM, "application/json", "text/plain", "multipart/form-data"] {
            let mut call = call.clone();
            call.headers.retain(|(name, _)| name != "content-type");
            let what = format!("{kind}: {content}");
            let call = call.with("content-type", content);
            let status = creates_only_q(Mode::Strict, call, &what).await;
            assert!(status == 200 || signs_type, "{what}");
        }
    }
}

#[tokio::test]
async fn the_order_of_a_urls_parameters_means_nothing() {
    let presigned = Signer { presigned_s: Some(900), ..SIGNER };
    for signer in [SIGNER, presigned] {
        let query = "/?Action=CreateQueue&QueueName=q&QueueName=p&Version=2012-11-05";
        let call = Call::get(query).signed(signer);
        let swapped = call.clone().bent("QueueName=q&QueueName=p", "QueueName=p&QueueName=q");
        for call in [call, swapped] {
            let answer = call.to(&service(Mode::Strict)).await;
            assert_eq!(url(&answer, Protocol::Query), "http://localhost:4566/111122223333/p");
        }
    }
    // How long a URL holds is not a matter of order either.
    let twice = Call::get("/?Action=ListQueues&X-Amz-Expires=604800").signed(presigned);
    let refused = twice.to(&service(Mode::Strict)).await.refused(Protocol::Query);
    assert_eq!((refused.status, refused.code.as_str()), (403, "SignatureDoesNotMatch"));
    assert!(refused.message.contains("'X-Amz-Expires'"), "{}", refused.message);
}

#[tokio::test]
async fn the_path_that_is_signed_selects_the_queue() {
    let service = service(Mode::Strict);
    for region in ["us-east-1", "eu-west-1"] {
        Call::new(Protocol::Json).signed(Signer { region, ..SIGNER }).to(&service).await;
    }
    let path = "/queue/eu-west-1/111122223333/q";
    let call = Call::get(&format!("{path}?Action=GetQueueAttributes&AttributeName.1=QueueArn"));
    for signer in [SIGNER, Signer { presigned_s: Some(900), ..SIGNER }] {
        let call = call.clone().signed(signer);
        for sent in [
            path,
            "/queue//eu-west-1/111122223333/q",
            "/queue/./eu-west-1/111122223333/q",
            "/queue/x/../eu-west-1/111122223333/q",
            "/queue/eu-west-1/111122223333/x/../q",
            "//queue/eu-west-1/111122223333//q",
        ] {
            let path_and_query = call.path_and_query.replacen(path, sent, 1);
            let answer = Call { path_and_query, ..call.clone() }.to(&service).await;
            let output = answer.output(Protocol::Query, "GetQueueAttributes");
            let arn = "arn:aws:sqs:eu-west-1:111122223333:q";
            assert_eq!(output["Attributes"]["QueueArn"], arn, "{sent}");
        }
    }
}

#[tokio::test]
async fn override_headers_count_where_they_are_signed() {
    let mut credentials = Credentials::default();
    credentials.insert(Credential::new(KNOWN, SECRET).unwrap());
    let compat_options =
        Arc::new(CompatOptions { receive_overrides: true, ..CompatOptions::default() });
    let mode = Mode::Strict;
    let service = Service::new(GatewaySettings { mode, credentials, compat_options, ..settings() });
    Call::new(Protocol::Json).signed(SIGNER).to(&service).await;
    for body in ["a", "b"] {
        let input = json!({"QueueUrl": OWN_URL, "MessageBody": body}).to_string();
        let send = Call::of("AmazonSQS.SendMessage", input).signed(SIGNER);
        assert_eq!(send.to(&service).await.status, 200);
    }
    let input = json!({"QueueUrl": OWN_URL, "VisibilityTimeout": 0}).to_string();
    let receive = || Call::of("AmazonSQS.ReceiveMessage", input.clone());
    let (name, count) = ("x-localstack-sqs-override-message-count", "2");
    for (call, expected) in [
        (receive().signed(SIGNER).with(name, count), 1),
        (receive().with(name, count).signed(SIGNER), 2),
    ] {
        let output = call.to(&service).await.output(Protocol::Json, "ReceiveMessage");
        assert_eq!(output["Messages"].as_array().unwrap().len(), expected);
    }
}

#[tokio::test]
async fn inspections_take_no_unsigned_path_or_content_type() {
    let service = service(Mode::Strict);
    Call::new(Protocol::Json).signed(SIGNER).to(&service).await;
    let status =
        async |call: Call| by_route(&service.gateway, call.request()).await.status().as_u16();
    let path = "/_aws/sqs/messages";
    let input = json!({"QueueUrl": OWN_URL, "x": "&QueueUrl=other&"}).to_string();
    let post = Call { path_and_query: path.to_owned(), ..Call::post(vec![], input) };
    let signed = post.clone().with("content-type", JSON).signed(SIGNER);
    assert_eq!(status(signed).await, 200);
    assert_eq!(status(post.signed(SIGNER).with("content-type", FORM)).await, 403);
    let get = Call::get("/?QueueUrl=q").signed(Signer { presigned_s: Some(900), ..SIGNER });
    let path_and_query = get.path_and_query.replacen('/', "/_aws/sqs/messages/../../../", 1);
    assert_eq!(status(Call { path_and_query, ..get }).await, 403);
}

/// A request whose body never arrives.
fn without_end(call: Call) -> Request<Body> {
    let body = futures_util::stream::pending::<Result<axum::body::Bytes, std::io::Error>>();
    call.request().map(|_| Body::from_stream(body))
}

#[tokio::test]
async fn a_head_that_cannot_be_verified_is_rejected_before_the_body() {
    let strict = service(Mode::Strict);
    let answer = async |service: &Service, call: Call| {
        let answering = service.gateway.handle(without_end(call));
        let answered = tokio::time::timeout(Duration::from_secs(2), answering).await;
        answered.ok().map(|response| response.status().as_u16())
    };
    let presigned = Signer { presigned_s: Some(900), ..SIGNER };
    for protocol in PROTOCOLS {
        for (what, call, (status, _, _, message)) in wrong_calls(protocol) {
            if call.method == "POST" && message != DIFFERENT {
                assert_eq!(answer(&strict, call).await, Some(status), "{what} in {protocol:?}");
            }
        }
        // The head has all that is signed if it states the hash of the body.
        let stating = Signer { states_hash: true, ..SIGNER };
        let forged = Signer { secret: "x", ..stating };
        assert_eq!(answer(&strict, Call::new(protocol).signed(forged)).await, Some(403));
        let another = Call { body: "{}".to_owned(), ..Call::new(protocol).signed(stating) };
        assert_eq!(another.to(&strict).await.status, 403);
        assert_eq!(Call::new(protocol).signed(stating).to(&strict).await.status, 200);
    }
    let post =
        |path: &str| Call { path_and_query: path.to_owned(), ..Call::post(vec![], String::new()) };
    let stranger = Signer { id: "AKIAUNKNOWN", ..presigned };
    assert_eq!(answer(&strict, post("/?Action=ListQueues").signed(stranger)).await, Some(403));
    assert_eq!(answer(&strict, post("/?Action=ListQueues")).await, Some(403));
    // A link has its parameters in the URL, so its body decides nothing.
    for link in ["/?Action=Unsubscribe&SubscriptionArn=x", "/?Action=ConfirmSubscription&Token=x"] {
        assert_eq!(answer(&strict, post(link)).await, Some(400), "{link}");
        let long = post(link).with("content-length", "1000000");
        assert_eq!(answer(&strict, long).await, Some(400), "{link}");
    }
    for path in ["/metrics", "/health", "/ready"] {
        let forged = Signer { secret: "x", states_hash: true, ..SIGNER };
        assert_eq!(answer(&strict, post(path).signed(forged)).await, Some(403), "{path}");
    }
    // An account with a known key believes no unsigned call, and others do.
    let known_keys = service(Mode::KnownKeys);
    assert_eq!(answer(&known_keys, Call::new(Protocol::Json)).await, Some(403));
    let other = Signer { id: "444455556666", ..SIGNER };
    let of_other = Call::new(Protocol::Json).signed(other);
    for (service, call) in [(known_keys, of_other), (service(Mode::Off), Call::new(Protocol::Json))]
    {
        let waiting = answer(&service, call);
        let waited = tokio::time::timeout(Duration::from_millis(100), waiting).await;
        assert!(waited.is_err(), "it needs the body");
    }
    let path = "/_aws/sns/sms-messages";
    let inspecting = by_route(&strict.gateway, without_end(post(path)));
    let inspected = tokio::time::timeout(Duration::from_secs(2), inspecting).await.unwrap();
    assert_eq!(inspected.status().as_u16(), 403);
}

/// Log lines that a test writes.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// The lines of the audit log so far, without the time.
    fn take(&self) -> Vec<Value> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        assert!(!text.contains(SECRET) && !text.contains("PRIVATE"), "{text}");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["target"] == "squab::audit").collect()
    }

    fn log(&self) -> tracing::subscriber::DefaultGuard {
        let lines = self.clone();
        let log = tracing_subscriber::fmt().json().flatten_event(true);
        let log = log.with_max_level(tracing::Level::TRACE).with_writer(move || lines.clone());
        tracing::subscriber::set_default(log.finish())
    }
}

#[tokio::test]
async fn administrative_calls_are_logged() {
    if !runs_alone("signatures::administrative_calls_are_logged") {
        return;
    }
    let lines = Lines::default();
    let _log = lines.log();
    let service = service(Mode::Strict);
    let queue = "arn:aws:sqs:us-east-1:111122223333:q";
    for (operation, input, resource) in [
        ("CreateQueue", json!({"QueueName": "q", "tags": {"PRIVATE": "x"}}), "q"),
        (
            "SetQueueAttributes",
            json!({"QueueUrl": OWN_URL, "Attributes": {"DelaySeconds": "0"}}),
            queue,
        ),
        ("TagQueue", json!({"QueueUrl": OWN_URL, "Tags": {"PRIVATE": "x"}}), queue),
        ("PurgeQueue", json!({"QueueUrl": OWN_URL}), queue),
        ("DeleteQueue", json!({"QueueUrl": OWN_URL}), queue),
    ] {
        let call = Call::of(&format!("AmazonSQS.{operation}"), input.to_string()).signed(SIGNER);
        let mut request = call.request();
        let connections = Connections::new(1, Duration::ZERO, Memory::new(1 << 20));
        let peer = "192.0.2.7:1234".parse().unwrap();
        request.extensions_mut().insert(connections.enter(Some(peer)));
        assert_eq!(service.answer(request).await.status, 200, "{operation}");
        let [line] = &lines.take()[..] else { panic!("one line for {operation}") };
        for (name, expected) in [
            ("level", "INFO"),
            ("message", "call"),
            ("key_id", KNOWN),
            ("account", KNOWN),
            ("address", "192.0.2.7"),
            ("operation", &format!("sqs:{operation}")),
            ("resource", resource),
            ("result", "ok"),
        ] {
            assert_eq!(line[name], expected, "{operation}: {line}");
        }
        assert!(line["timestamp"].is_string());
    }
    let delete = Call::get("/111122223333/q?Action=DeleteQueue").signed(SIGNER);
    assert_eq!(delete.to(&service).await.status, 400);
    let [line] = &lines.take()[..] else { panic!("one line for a call that fails") };
    assert_eq!(
        (&line["resource"], &line["result"]),
        (&json!(queue), &json!("AWS.SimpleQueueService.NonExistentQueue"))
    );

    // Messages are no business of the audit log.
    let input = json!({"QueueUrl": OWN_URL, "MessageBody": "PRIVATE"}).to_string();
    for operation in ["SendMessage", "ReceiveMessage", "ListQueues"] {
        Call::of(&format!("AmazonSQS.{operation}"), input.clone())
            .signed(SIGNER)
            .to(&service)
            .await;
    }
    assert_eq!(lines.take(), Vec::<Value>::new());

    let remove = Call { method: "DELETE", ..Call::get("/_aws/sns/sms-messages?region=us-east-1") };
    by_route(&service.gateway, remove.signed(SIGNER).request()).await;
    let [line] = &lines.take()[..] else { panic!("one line for a change beside the operations") };
    assert_eq!(line["operation"], "DELETE /_aws/sns/sms-messages");
    assert_eq!((&line["key_id"], &line["result"]), (&json!(KNOWN), &json!("204")));
}

#[tokio::test]
async fn rejected_signatures_are_logged_within_limits() {
    if !runs_alone("signatures::rejected_signatures_are_logged_within_limits") {
        return;
    }
    let lines = Lines::default();
    let _log = lines.log();
    let service = service(Mode::Strict);
    let forged = "AKIA%0Aforged";
    let query = format!("/?Action=ListQueues&X-Amz-Algorithm=x&X-Amz-Credential={forged}");
    let forging = Signer { secret: "x", ..SIGNER };
    for (call, reason, key_id, operation) in [
        (Call::new(Protocol::Json), "missing", "-", "CreateQueue"),
        (Call::new(Protocol::Json).signed(forging), "mismatch", KNOWN, "CreateQueue"),
        (Call::new(Protocol::Query).signed(forging), "mismatch", KNOWN, "CreateQueue"),
        (
            Call::new(Protocol::Query).signed(Signer { id: "AKIAUNKNOWN", ..SIGNER }),
            "unknown_key_or_token",
            "AKIAUNKNOWN",
            // The body has its name, and is not read.
            "POST /",
        ),
        (Call::of("Nonsense%0A", String::new()), "missing", "-", "POST /"),
        (Call::get(&query), "incomplete", "AKIA\u{fffd}forged", "ListQueues"),
    ] {
        call.to(&service).await;
        let [line] = &lines.take()[..] else { panic!("one line for {reason}") };
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "rejected signature");
        assert_eq!((&line["reason"], &line["key_id"]), (&json!(reason), &json!(key_id)), "{line}");
        assert_eq!(line["operation"], operation, "{line}");
    }
    for _ in 0..200 {
        Call::new(Protocol::Json).to(&service).await;
    }
    assert!(lines.take().len() < 50, "an attack must not fill the disk");
}
