//! Posts notifications to http and https endpoints, and events to functions.
//!
//! An attempt is one request, and a second one if the endpoint requests the credentials in its URL. Nothing else is
//! retried here, and no redirect is followed, so credentials go only to the host of their URL. The status alone
//! decides: a 2xx response means delivered, whatever follows. Its body is read to the end, or to
//! [`MAX_ANSWER_BYTES`], only so that the connection can be reused.
//!
//! Sources: <https://docs.aws.amazon.com/sns/latest/dg/http-header.html>,
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html>
//!
//! The client and its trusted authorities are created for the first attempt, so a server that delivers
//! nothing does not pay for them.

use super::guarded_connector::{Denied, GuardedConnector};
use super::http_authorization::{Asked, Credentials, authorization};
use super::lookups::Lookups;
use super::trust::Authorities;
use crate::domain::delivery_outcome::Outcome;
use crate::domain::endpoint_rules::EndpointRules;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    USER_AGENT,
};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long SNS waits for an endpoint.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of a response body that are read. The connection of a longer response is closed.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// The path of a function behind Lambda's runtime interface emulator.
const INVOCATION_PATH: &str = "/2015-03-31/functions/function/invocations";
/// Idle connections kept open per endpoint, and for how long.
const IDLE_CONNECTIONS: usize = 8;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

const AGENT: HeaderValue = HeaderValue::from_static("Amazon Simple Notification Service Agent");
const KEEP_ALIVE: HeaderValue = HeaderValue::from_static("Keep-Alive");
const ENCODINGS: HeaderValue = HeaderValue::from_static("gzip,deflate");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const MESSAGE_TYPE: HeaderName = HeaderName::from_static("x-amz-sns-message-type");
const MESSAGE_ID: HeaderName = HeaderName::from_static("x-amz-sns-message-id");
const TOPIC_ARN: HeaderName = HeaderName::from_static("x-amz-sns-topic-arn");
const SUBSCRIPTION_ARN: HeaderName = HeaderName::from_static("x-amz-sns-subscription-arn");
const RAW_DELIVERY: HeaderName = HeaderName::from_static("x-amz-sns-rawdelivery");
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");

/// One message for one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The target, http or https. A user and a password in it are sent if the endpoint requests them.
    pub url: String,
    /// Notification, SubscriptionConfirmation or UnsubscribeConfirmation.
    pub message_type: String,
    /// The MessageId that Publish returned; the same in every attempt.
    pub message_id: String,
    /// ARN of the topic.
    pub topic_arn: String,
    /// ARN of the subscription; `None` in a SubscriptionConfirmation.
    pub subscription_arn: Option<String>,
    /// Whether the body is the message itself instead of an envelope.
    pub raw: bool,
    /// The Content-Type that the delivery policy sets.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

type HttpClient = Client<HttpsConnector<GuardedConnector>, Full<Bytes>>;

/// Sends requests over reused connections. Share one sender.
#[derive(Debug)]
pub struct HttpSender {
    timeout: Duration,
    rules: Arc<EndpointRules>,
    lookups: Lookups,
    client: OnceLock<Result<HttpClient, String>>,
}

/// Why there is no response.
#[derive(Debug)]
enum Failure {
    /// A later attempt may succeed.
    Passing(String),
    /// The rules deny the endpoint.
    Denied(String),
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self::Passing(reason)
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Passing(reason) => Self::retry(reason),
            Failure::Denied(reason) => Self::permanent(reason),
        }
    }
}

impl HttpSender {
    /// Returns a sender that gives an endpoint `timeout` of real time for one whole attempt, and connects
    /// to addresses that these rules allow.
    pub fn new(timeout: Duration, rules: Arc<EndpointRules>) -> Self {
        Self { timeout, rules, lookups: Lookups::default(), client: OnceLock::new() }
    }

    /// Makes one attempt to deliver.
    pub async fn post(&self, post: &Post) -> Outcome {
        let Some(headers) = headers_of(post) else {
            return Outcome::permanent("the message cannot be described in HTTP headers");
        };
        let errand = match request_to(&post.url, headers, &post.body) {
            Ok(errand) => errand,
            Err(reason) => return Outcome::permanent(reason),
        };
        match self.send(errand, self.timeout).await {
            Ok(answer) => Outcome::of_http_status(answer.status().as_u16()),
            Err(failure) => failure.into(),
        }
    }

    /// Makes one attempt to invoke a function with an event, which is JSON. A URL without a path gets the
    /// path of Lambda's runtime interface emulator. A failing function is retried.
    pub async fn invoke(&self, url: &str, event: &Bytes, timeout: Duration) -> Outcome {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, JSON)]);
        let errand = match request_to(&invocation_url(url), headers, event) {
            Ok(errand) => errand,
            Err(reason) => return Outcome::permanent(reason),
        };
        match self.send(errand, timeout).await {
            Ok(answer) if answer.headers().contains_key(FUNCTION_ERROR) => Outcome::Retry {
                reason: "the function failed".to_owned(),
                status: Some(answer.status().as_u16()),
            },
            Ok(answer) => Outcome::of_http_status(answer.status().as_u16()),
            Err(failure) => failure.into(),
        }
    }

    /// Sends a request, and again with its credentials if the endpoint requests them. Returns the head of the
    /// last response, or why there is none.
    async fn send(&self, errand: Errand, timeout: Duration) -> Result<Response<()>, Failure> {
        let Errand { mut request, credentials } = errand;
        let deadline = Deadline { at: Instant::now() + timeout, timeout };
        let Some(credentials) = credentials else { return self.ask(request, &deadline).await };
        let answer = self.ask(request.clone(), &deadline).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let client_nonce = client_nonce()?;
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let asked = Asked { method: request.method(), target, client_nonce: &client_nonce };
        let Some(value) = authorization(answer.headers(), &credentials, asked) else {
            return Ok(answer);
        };
        request.headers_mut().insert(AUTHORIZATION, value);
        self.ask(request, &deadline).await
    }

    /// Sends one request, reads the response, and returns its head, or why there is none.
    async fn ask(
        &self,
        request: Request<Full<Bytes>>,
        deadline: &Deadline,
    ) -> Result<Response<()>, Failure> {
        let client = self.client.get_or_init(|| {
            client(Authorities::find(), Arc::clone(&self.rules), self.lookups.clone())
        });
        let host = request.uri().host().unwrap_or_default().to_owned();
        let client = client.as_ref().map_err(Clone::clone)?;
        let answer = match timeout_at(deadline.at, client.request(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                return Err(match Denied::in_error(&error) {
                    Some(denied) => Failure::Denied(denied.to_string()),
                    None => Failure::Passing(reason_of(&error)),
                });
            }
            Err(_) => {
                self.lookups.ended(&host).await;
                let reason = format!("no answer within {} ms", deadline.timeout.as_millis());
                return Err(Failure::Passing(reason));
            }
        };
        let (head, body) = answer.into_parts();
        drop(timeout_at(deadline.at, discard(body)).await);
        Ok(Response::from_parts(head, ()))
    }
}

/// A request without credentials, and the credentials in its URL.
#[derive(Debug)]
struct Errand {
    request: Request<Full<Bytes>>,
    credentials: Option<Credentials>,
}

/// The end of an attempt, and its duration from the start.
struct Deadline {
    at: Instant,
    timeout: Duration,
}

/// Returns a random text for one digest.
fn client_nonce() -> Result<String, String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|cause| format!("no randomness: {cause}"))?;
    Ok(STANDARD.encode(bytes))
}

fn client(
    authorities: Authorities,
    rules: Arc<EndpointRules>,
    lookups: Lookups,
) -> Result<HttpClient, String> {
    let tls = authorities.client_config()?;
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(GuardedConnector::new(rules, lookups));
    Ok(Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build(connector))
}

/// Reads a body to its end or to the limit. Ignores failures.
async fn discard(body: Incoming) {
    let mut body = Limited::new(body, MAX_ANSWER_BYTES);
    while let Some(Ok(_)) = body.frame().await {}
}

// Rule (deliveries): a post has exactly these headers. A subscription confirmation has no subscription
//   ARN, and a raw message has a header that says so.
// Source: recorded
// Test: src/runtime/http_sender.rs::a_notification_has_these_headers_and_no_others, src/runtime/http_sender.rs::raw_deliveries_and_confirmations_differ
// Rule (deliveries): the Connection header of a post is "Keep-Alive".
// Source: documented, https://docs.aws.amazon.com/sns/latest/dg/http-header.html
// Test: src/runtime/http_sender.rs::a_notification_has_these_headers_and_no_others
fn headers_of(post: &Post) -> Option<HeaderMap> {
    let value = |text: &str| HeaderValue::from_str(text).ok();
    let mut headers = HeaderMap::from_iter([
        (USER_AGENT, AGENT),
        (CONNECTION, KEEP_ALIVE),
        (ACCEPT_ENCODING, ENCODINGS),
        (CONTENT_TYPE, value(&post.content_type)?),
        (MESSAGE_TYPE, value(&post.message_type)?),
        (MESSAGE_ID, value(&post.message_id)?),
        (TOPIC_ARN, value(&post.topic_arn)?),
    ]);
    if let Some(arn) = &post.subscription_arn {
        headers.insert(SUBSCRIPTION_ARN, value(arn)?);
    }
    if post.raw {
        headers.insert(RAW_DELIVERY, HeaderValue::from_static("true"));
    }
    Some(headers)
}

/// Returns a POST to the URL, or why the URL is unusable. The reason does not quote the URL, which may
/// contain a password.
fn request_to(url: &str, headers: HeaderMap, body: &Bytes) -> Result<Errand, String> {
    let uri: Uri = url.parse().map_err(|cause| format!("the URL is invalid: {cause}"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("the URL is neither http nor https".to_owned());
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err("the URL has no host".to_owned());
    }
    let (uri, credentials) = without_user_info(uri)?;
    let mut request = Request::new(Full::new(body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(Errand { request, credentials })
}

fn invocation_url(url: &str) -> Cow<'_, str> {
    match url.parse::<Uri>() {
        Ok(uri) if uri.path() == "/" && uri.query().is_none() => {
            Cow::Owned(format!("{}{INVOCATION_PATH}", url.trim_end_matches('/')))
        }
        _ => Cow::Borrowed(url),
    }
}

/// Removes `user:password@` from a URL and returns both parts.
pub(super) fn without_user_info(uri: Uri) -> Result<(Uri, Option<Credentials>), String> {
    let mut parts = uri.into_parts();
    let mut credentials = None;
    if let Some(authority) = &parts.authority
        && let Some((user_info, host)) = authority.as_str().rsplit_once('@')
    {
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        let decode = |text| percent_decode_str(text).collect();
        credentials = Some(Credentials { user: decode(user), password: decode(password) });
        let host = host.parse().map_err(|cause| format!("the URL is invalid: {cause}"))?;
        parts.authority = Some(host);
    }
    let uri = Uri::from_parts(parts).map_err(|cause| format!("the URL is invalid: {cause}"))?;
    Ok((uri, credentials))
}

/// Returns an error and its causes in one line.
fn reason_of(error: &dyn Error) -> String {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        reason.push_str(": ");
        reason.push_str(&cause.to_string());
        source = cause.source();
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use proptest::prelude::*;
    use rustls::crypto::ring;
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use std::sync::Arc;
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    type Answer = fn(&Uri) -> Response<Full<Bytes>>;

    struct Received {
        connection: usize,
        uri: Uri,
        headers: Vec<(String, String)>,
        body: Bytes,
    }

    impl Received {
        fn header(&self, name: &str) -> Option<&str> {
            let mut headers = self.headers.iter();
            headers.find(|header| header.0 == name).map(|header| header.1.as_str())
        }
    }

    async fn serve(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        connection: usize,
        answer: Answer,
        log: UnboundedSender<Received>,
    ) {
        let service = service_fn(move |request: Request<Incoming>| {
            let log = log.clone();
            async move {
                let (head, body) = request.into_parts();
                assert_eq!(head.method, Method::POST);
                let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
                let mut headers: Vec<_> = head
                    .headers
                    .iter()
                    .map(|(name, value)| (name.to_string(), text(value)))
                    .collect();
                headers.sort();
                let answer = answer(&head.uri);
                let body = body.collect().await?.to_bytes();
                log.send(Received { connection, uri: head.uri, headers, body }).unwrap();
                Ok::<_, hyper::Error>(answer)
            }
        });
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    /// Starts an endpoint at `127.0.0.1:port`, and returns what it receives.
    async fn endpoint(answer: Answer) -> (String, UnboundedReceiver<Received>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (log, received) = unbounded_channel();
        tokio::spawn(async move {
            for connection in 1.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, connection, answer, log.clone()));
            }
        });
        (address, received)
    }

    /// Starts an endpoint that handles its first connection with a function.
    async fn odd_endpoint<F>(behave: impl FnOnce(TcpStream) -> F + Send + 'static) -> String
    where
        F: Future<Output = ()> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { behave(listener.accept().await.unwrap().0).await });
        format!("http://{address}/")
    }

    fn with_status(status: u16) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from_static(b"answer")));
        *response.status_mut() = status.try_into().unwrap();
        response
    }

    fn post_to(url: impl Into<String>) -> Post {
        Post {
            url: url.into(),
            message_type: "Notification".into(),
            message_id: "m-1".into(),
            topic_arn: "arn:aws:sns:us-east-1:000000000000:t".into(),
            subscription_arn: Some("arn:aws:sns:us-east-1:000000000000:t:s".into()),
            raw: false,
            content_type: "text/plain; charset=UTF-8".into(),
            body: Bytes::from_static(b"{}"),
        }
    }

    fn sender() -> HttpSender {
        HttpSender::new(TIMEOUT, Arc::default())
    }

    #[tokio::test]
    async fn a_notification_has_these_headers_and_no_others() {
        let (host, mut received) = endpoint(|_| with_status(200)).await;
        let post = post_to(format!("http://{host}/path?q=1"));
        assert_eq!(sender().post(&post).await, Outcome::Delivered { status: 200 });
        let request = received.recv().await.unwrap();
        let expected = [
            ("accept-encoding", "gzip,deflate"),
            ("connection", "Keep-Alive"),
            ("content-length", "2"),
            ("content-type", "text/plain; charset=UTF-8"),
            ("host", &host),
            ("user-agent", "Amazon Simple Notification Service Agent"),
            ("x-amz-sns-message-id", "m-1"),
            ("x-amz-sns-message-type", "Notification"),
            ("x-amz-sns-subscription-arn", "arn:aws:sns:us-east-1:000000000000:t:s"),
            ("x-amz-sns-topic-arn", "arn:aws:sns:us-east-1:000000000000:t"),
        ];
        let headers: Vec<_> =
            request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(headers, expected);
        assert_eq!(request.uri, "/path?q=1");
        assert_eq!(request.body, "{}");
    }

    #[tokio::test]
    async fn denied_endpoints_are_not_connected_to() {
        let (host, mut received) = endpoint(|_| with_status(200)).await;
        let port = host.rsplit_once(':').unwrap().1;
        let rules =
            |text: &str| EndpointRules { allow: Vec::new(), deny: vec![text.parse().unwrap()] };
        // Every spelling that reaches this machine, by name and by address.
        for name in ["localhost", "127.0.0.1", "127.1", "0x7f000001", "2130706433", "0.0.0.0"]
            .into_iter()
            .chain(["[::ffff:127.0.0.1]", "[::ffff:7f00:1]"])
        {
            for rule in ["loopback", "127.0.0.0/8"] {
                let sender = HttpSender::new(TIMEOUT, Arc::new(rules(rule)));
                if rule != "loopback" && name == "0.0.0.0" {
                    continue;
                }
                let outcome = sender.post(&post_to(format!("http://{name}:{port}/"))).await;
                let Outcome::Permanent { reason, status: None } = outcome else {
                    panic!("{name}, {rule}: {outcome:?}")
                };
                assert!(reason.contains("deny connections"), "{reason}");
            }
            let sender = HttpSender::new(TIMEOUT, Arc::new(rules("10.0.0.0/8")));
            let outcome = sender.post(&post_to(format!("http://{name}:{port}/"))).await;
            assert_eq!(outcome, Outcome::Delivered { status: 200 }, "{name}");
            received.recv().await.unwrap();
        }
        let allow = vec!["public".parse().unwrap()];
        let only_public = EndpointRules { allow, deny: Vec::new() };
        let sender = HttpSender::new(TIMEOUT, Arc::new(only_public));
        let outcome = sender.post(&post_to(format!("https://localhost:{port}/"))).await;
        assert!(matches!(outcome, Outcome::Permanent { .. }), "{outcome:?}");
        assert!(received.try_recv().is_err());
    }

    #[tokio::test]
    async fn raw_deliveries_and_confirmations_differ() {
        let (host, mut received) = endpoint(|_| with_status(200)).await;
        let mut post = post_to(format!("http://{host}"));
        post.raw = true;
        post.content_type = "text/csv".into();
        sender().post(&post).await;
        let raw = received.recv().await.unwrap();
        assert_eq!(raw.header("x-amz-sns-rawdelivery"), Some("true"));
        assert_eq!(raw.header("content-type"), Some("text/csv"));

        post.raw = false;
        post.subscription_arn = None;
        sender().post(&post).await;
        let confirmation = received.recv().await.unwrap();
        assert_eq!(confirmation.header("x-amz-sns-rawdelivery"), None);
        assert_eq!(confirmation.header("x-amz-sns-subscription-arn"), None);
    }

    #[tokio::test]
    async fn the_status_decides_and_redirects_are_not_followed() {
        let (host, mut received) = endpoint(|uri| {
            let mut response = with_status(uri.path()[1..].parse().unwrap());
            response.headers_mut().insert("location", HeaderValue::from_static("/200"));
            response
        })
        .await;
        let sender = sender();
        for status in [200, 204, 302, 307, 404, 429, 500, 503] {
            let outcome = sender.post(&post_to(format!("http://u:p@{host}/{status}"))).await;
            assert_eq!(outcome, Outcome::of_http_status(status));
            let request = received.recv().await.unwrap();
            assert_eq!(request.uri.path(), format!("/{status}"));
            assert_eq!(request.header("authorization"), None);
        }
        assert!(received.try_recv().is_err());
    }

    #[tokio::test]
    async fn connections_serve_again_unless_an_answer_is_too_long() {
        let (host, mut received) = endpoint(|uri| {
            let body =
                if uri.path() == "/long" { vec![b'x'; 16 * MAX_ANSWER_BYTES] } else { Vec::new() };
            Response::new(Full::new(Bytes::from(body)))
        })
        .await;
        let sender = sender();
        let mut connections = Vec::new();
        for path in ["", "", "long", ""] {
            let outcome = sender.post(&post_to(format!("http://{host}/{path}"))).await;
            assert_eq!(outcome, Outcome::Delivered { status: 200 });
            connections.push(received.recv().await.unwrap().connection);
        }
        assert_eq!(connections, [1, 1, 1, 2]);
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut() {
        let (closed, ends) = tokio::sync::oneshot::channel();
        let url = odd_endpoint(|mut stream| async move {
            let _ = stream.read(&mut [0; 4096]).await;
            let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head).await.unwrap();
            while stream.write_all(b"400\r\n").await.is_ok()
                && stream.write_all(&[b'x'; 1024]).await.is_ok()
                && stream.write_all(b"\r\n").await.is_ok()
            {}
            closed.send(()).unwrap();
        })
        .await;
        assert_eq!(sender().post(&post_to(url)).await, Outcome::Delivered { status: 200 });
        ends.await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_that_fails_or_is_cut_is_tried_again() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let outcome = sender().post(&post_to(format!("http://{closed}/"))).await;
        let Outcome::Retry { reason, status: None } = outcome else { panic!("{outcome:?}") };
        assert!(reason.contains("refused"), "{reason}");

        let url = odd_endpoint(|mut stream| async move {
            let _ = stream.read(&mut [0; 16]).await;
        })
        .await;
        let outcome = sender().post(&post_to(url)).await;
        assert!(matches!(outcome, Outcome::Retry { status: None, .. }), "{outcome:?}");
    }

    #[tokio::test]
    async fn what_was_answered_counts_though_the_body_is_cut() {
        let url = odd_endpoint(|mut stream| async move {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12").await;
        })
        .await;
        assert_eq!(sender().post(&post_to(url)).await, Outcome::Delivered { status: 200 });
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_has_fifteen_seconds() {
        let url = odd_endpoint(|stream| async move {
            std::future::pending::<()>().await;
            drop(stream);
        })
        .await;
        let started = Instant::now();
        let outcome = sender().post(&post_to(url)).await;
        assert_eq!(outcome, Outcome::retry("no answer within 15000 ms"));
        assert_eq!(started.elapsed().as_secs(), 15);
    }

    /// Returns 401 with the challenge that the path selects.
    fn challenge(uri: &Uri) -> Response<Full<Bytes>> {
        let challenge = match uri.path() {
            "/basic" => "Basic realm=\"r\"",
            "/digest" => "Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256",
            "/unknown" => "Bearer realm=\"r\"",
            _ => return with_status(200),
        };
        let mut response = with_status(401);
        response.headers_mut().insert("www-authenticate", HeaderValue::from_static(challenge));
        response
    }

    #[tokio::test]
    async fn credentials_are_sent_only_when_they_are_asked_for() {
        let (host, mut received) = endpoint(challenge).await;
        for (user, path, sent) in [
            ("us%20er:p%40s:s@", "basic", &[None, Some("Basic dXMgZXI6cEBzOnM=")][..]),
            ("user@", "basic", &[None, Some("Basic dXNlcjo=")]),
            ("user:x@", "", &[None]),
            ("user:x@", "unknown", &[None]),
            ("", "basic", &[None]),
        ] {
            let outcome = sender().post(&post_to(format!("http://{user}{host}/{path}"))).await;
            let status = if path.is_empty() { 200 } else { 401 };
            assert_eq!(outcome, Outcome::of_http_status(status), "{user}{path}");
            for authorization in sent {
                let request = received.recv().await.unwrap();
                assert_eq!(request.header("authorization"), *authorization, "{user}{path}");
                assert_eq!(request.header("host"), Some(host.as_str()));
                assert_eq!(request.body, "{}");
            }
            assert!(received.try_recv().is_err(), "{user}{path}");
        }
    }

    #[tokio::test]
    async fn a_digest_is_of_the_path_and_never_the_same_twice() {
        let (host, mut received) = endpoint(challenge).await;
        let sender = sender();
        let mut answers = Vec::new();
        for _ in 0..2 {
            sender.post(&post_to(format!("http://u:p@{host}/digest?q=1"))).await;
            assert_eq!(received.recv().await.unwrap().header("authorization"), None);
            let request = received.recv().await.unwrap();
            // Both requests use the same connection.
            assert_eq!(request.connection, 1);
            answers.push(request.header("authorization").unwrap().to_owned());
        }
        let beginning =
            r#"Digest username="u", uri="/digest?q=1", realm="r", nonce="n", response=""#;
        assert!(answers[0].starts_with(beginning), "{}", answers[0]);
        assert_ne!(answers[0], answers[1]);
    }

    #[tokio::test]
    async fn functions_are_invoked_with_json() {
        let (host, mut received) = endpoint(|uri| {
            let mut response = with_status(if uri.path() == "/busy" { 500 } else { 200 });
            if uri.path() == "/fails" {
                response
                    .headers_mut()
                    .insert(FUNCTION_ERROR, HeaderValue::from_static("Unhandled"));
            }
            response
        })
        .await;
        let event = Bytes::from_static(b"{\"Records\":[]}");
        let sender = sender();
        let invoke = async |path: &str| {
            sender.invoke(&format!("http://{host}{path}"), &event, TIMEOUT).await
        };
        for path in ["", "/"] {
            assert_eq!(invoke(path).await, Outcome::Delivered { status: 200 });
            let request = received.recv().await.unwrap();
            assert_eq!(request.uri, INVOCATION_PATH);
            assert_eq!(request.header("content-type"), Some("application/json"));
            assert_eq!(request.body, event);
        }
        assert_eq!(
            invoke("/fails").await,
            Outcome::Retry { reason: "the function failed".into(), status: Some(200) }
        );
        assert_eq!(invoke("/busy").await, Outcome::of_http_status(500));
    }

    #[tokio::test]
    async fn https_trusts_known_authorities_only() {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let tls = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let (log, mut received) = unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                if let Ok(stream) = acceptor.accept(stream).await {
                    tokio::spawn(serve(stream, 1, |_| with_status(200), log.clone()));
                }
            }
        });
        let trusting = |authorities| HttpSender {
            timeout: TIMEOUT,
            rules: Arc::default(),
            lookups: Lookups::default(),
            client: OnceLock::from(client(authorities, Arc::default(), Lookups::default())),
        };
        let with = Authorities { certificates: vec![certificate], bundled: false };
        assert_eq!(trusting(with).post(&post_to(&url)).await, Outcome::Delivered { status: 200 });
        assert_eq!(received.recv().await.unwrap().uri, "/");
        let bundled = Authorities { certificates: Vec::new(), bundled: true };
        let outcome = trusting(bundled).post(&post_to(&url)).await;
        let Outcome::Retry { reason, status: None } = outcome else { panic!("{outcome:?}") };
        assert!(reason.contains("certificate"), "{reason}");
    }

    #[tokio::test]
    async fn what_cannot_be_sent_fails_for_good_and_tells_no_password() {
        let mut posts: Vec<_> =
            ["", "x", "/x", "ftp://h/", "http://", "http://u:secret@/", "http://h h/"]
                .map(post_to)
                .into();
        posts.push(Post { message_id: "a\nb".into(), ..post_to("http://h/") });
        for post in posts {
            let outcome = sender().post(&post).await;
            let Outcome::Permanent { reason, status: None } = outcome else { panic!("{post:?}") };
            assert!(!reason.contains("secret"), "{reason}");
        }
    }

    proptest! {
        #[test]
        fn any_url_is_taken_or_refused(url in "(https?://)?[ -~é]{0,20}(@[a-z.:\\[\\]0-9@]{0,8})?") {
            let _ = request_to(&url, HeaderMap::new(), &Bytes::new());
            let _ = request_to(&invocation_url(&url), HeaderMap::new(), &Bytes::new());
        }
    }
}
