//! Signatures through the whole service: calls that an AWS SDK's signer has signed are let in, and
//! each way of being wrong is refused in the words of the protocol that was spoken.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod gateway;

use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use axum::body::Body;
use gateway::{Answer, HOST, PROTOCOLS, Service, form, settings};
use hyper::Request;
use serde_json::json;
use squab::auth::{Credential, Credentials, Mode, Secret};
use squab::runtime::clock::{Clock, SystemClock};
use squab::server::gateway::GatewaySettings;
use squab::server::inspection;
use squab::wire::Protocol;
use std::fmt::Write as _;
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
}

const SIGNER: Signer = Signer {
    id: KNOWN,
    secret: SECRET,
    token: None,
    region: "us-east-1",
    service: "sqs",
    at_ms: 0,
    presigned_s: None,
};

impl Call {
    /// CreateQueue of `q`, whose answer tells the account.
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
    let status = async |call: Call| {
        inspection::handle(&service.gateway, call.request()).await.status().as_u16()
    };
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
