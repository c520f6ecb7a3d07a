//! Posts notifications to http and https endpoints, and events to functions.
//!
//! An attempt is one request, and a second one if the endpoint requests the credentials of its URL.
//! There are no other retries here, and redirects are not followed, so credentials go only to the
//! host of their URL. The status alone decides: 2xx means delivered, even if the rest of the
//! response fails. The body of a response is read to its end, or to [`MAX_RESPONSE_BYTES`], only so
//! that the connection can be reused.
//!
//! The client and its TLS roots are created for the first attempt: a server that delivers nothing does not pay for
//! them.

use super::connector::{Denied, GuardedConnector, Lookups};
use super::http_authorization::{Credentials, authorization, client_nonce};
use super::tls_roots::TlsRoots;
use crate::domain::delivery_outcome::Outcome;
use crate::domain::endpoint_rules::EndpointRules;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_TYPE, USER_AGENT};
use hyper::http::request;
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::percent_decode_str;
use std::error::Error;
use std::iter::successors;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Bytes of a response's body that are read; a longer body costs the connection.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// The path of functions behind Lambda's runtime interface emulator.
const INVOCATION_PATH: &str = "/2015-03-31/functions/function/invocations";
/// The idle connections to one endpoint that stay open, and for how long.
const IDLE_CONNECTIONS: usize = 8;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Marks the response of a function that has failed.
const FUNCTION_ERROR: &str = "x-amz-function-error";

/// A message for an http or https endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The http or https URL of the endpoint. Its user and password are sent if the endpoint
    /// requests them.
    pub url: String,
    /// Notification, SubscriptionConfirmation or UnsubscribeConfirmation.
    pub message_type: String,
    /// The MessageId that Publish returned; the same in every attempt.
    pub message_id: String,
    /// The topic that the message was published to.
    pub topic_arn: String,
    /// None in a SubscriptionConfirmation.
    pub subscription_arn: Option<String>,
    /// Whether the body is the message itself instead of an envelope.
    pub raw: bool,
    /// From the delivery policy.
    pub content_type: String,
    /// The message or its envelope.
    pub body: Bytes,
}

type HttpClient = Client<HttpsConnector<GuardedConnector>, Full<Bytes>>;
/// A request without credentials, and those of its URL.
type Prepared = (Request<Full<Bytes>>, Option<Credentials>);

/// An HTTP client with a pool of connections. Share one.
#[derive(Debug)]
pub struct HttpSender {
    timeout: Duration,
    rules: Arc<EndpointRules>,
    lookups: Lookups,
    client: OnceLock<Result<HttpClient, String>>,
}

impl HttpSender {
    /// Returns a client that gives an endpoint `timeout` of real time for one attempt, and connects
    /// only where `rules` allow it.
    pub fn new(timeout: Duration, rules: Arc<EndpointRules>) -> Self {
        Self { timeout, rules, lookups: Lookups::default(), client: OnceLock::new() }
    }

    /// Makes one attempt to deliver a message.
    pub async fn post(&self, post: &Post) -> Outcome {
        match self.send(prepare_post(post)).await {
            Ok(response) => Outcome::of_http_status(response.status().as_u16()),
            Err(outcome) => outcome,
        }
    }

    /// Makes one attempt to have a function handle an event, which is JSON. A URL without a path
    /// gets that of Lambda's runtime interface emulator. A function that fails is retried.
    pub async fn invoke(&self, url: &str, event: &Bytes) -> Outcome {
        match self.send(prepare_invocation(url, event)).await {
            Ok(response) if response.headers().contains_key(FUNCTION_ERROR) => Outcome::Retry {
                reason: "the function failed".to_owned(),
                status: Some(response.status().as_u16()),
            },
            Ok(response) => Outcome::of_http_status(response.status().as_u16()),
            Err(outcome) => outcome,
        }
    }

    /// Sends a request, again with its credentials if the endpoint requests them. Returns the head
    /// of the last response, or the outcome of an attempt that got none.
    async fn send(&self, prepared: Result<Prepared, String>) -> Result<Response<()>, Outcome> {
        let (mut request, credentials) = prepared.map_err(Outcome::permanent)?;
        let deadline = Instant::now() + self.timeout;
        let Some(credentials) = credentials else { return self.send_once(request, deadline).await };
        let response = self.send_once(request.clone(), deadline).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let nonce = client_nonce().map_err(Outcome::retry)?;
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let value =
            authorization(response.headers(), &credentials, request.method(), target, &nonce);
        let Some(value) = value else { return Ok(response) };
        request.headers_mut().insert(AUTHORIZATION, value);
        self.send_once(request, deadline).await
    }

    async fn send_once(
        &self,
        request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<Response<()>, Outcome> {
        let client = self.client.get_or_init(|| {
            client(TlsRoots::find(), Arc::clone(&self.rules), self.lookups.clone())
        });
        let client = client.as_ref().map_err(Outcome::retry)?;
        let host = request.uri().host().unwrap_or_default().to_owned();
        let Ok(response) = timeout_at(deadline, client.request(request)).await else {
            self.lookups.ended(&host).await;
            let reason = format!("no answer within {} ms", self.timeout.as_millis());
            return Err(Outcome::retry(reason));
        };
        let (head, body) = response.map_err(|error| failure(&error))?.into_parts();
        drop(timeout_at(deadline, discard(body)).await);
        Ok(Response::from_parts(head, ()))
    }
}

fn client(
    tls_roots: TlsRoots,
    rules: Arc<EndpointRules>,
    lookups: Lookups,
) -> Result<HttpClient, String> {
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls_roots.client_config()?)
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

/// Reads a body to its end or to the limit. A failure does not matter.
async fn discard(body: Incoming) {
    let mut body = Limited::new(body, MAX_RESPONSE_BYTES);
    while let Some(Ok(_)) = body.frame().await {}
}

/// Returns the outcome of a request that got no response. The reason is the error and its causes in one line.
fn failure(error: &(dyn Error + 'static)) -> Outcome {
    let causes = || successors(Some(error), |error| Error::source(*error));
    match causes().find_map(|error| error.downcast_ref::<Denied>()) {
        Some(denied) => Outcome::permanent(denied.to_string()),
        None => Outcome::retry(causes().map(ToString::to_string).collect::<Vec<_>>().join(": ")),
    }
}

// Rule (deliveries): a post has these headers. A subscription confirmation does not have the ARN of
//   the subscription, and a raw message is marked as such.
// Source: recorded
// Test: src/runtime/transport/http.rs::a_notification_has_these_headers_and_no_others, src/runtime/transport/http.rs::raw_deliveries_and_confirmations_differ
// Rule (deliveries): the Connection header of a post is "Keep-Alive".
// Source: documented, https://docs.aws.amazon.com/sns/latest/dg/http-header.html
// Test: src/runtime/transport/http.rs::a_notification_has_these_headers_and_no_others
fn prepare_post(post: &Post) -> Result<Prepared, String> {
    let (uri, credentials) = split_credentials(&post.url)?;
    let mut request = Request::post(uri)
        .header(USER_AGENT, "Amazon Simple Notification Service Agent")
        .header(CONNECTION, "Keep-Alive")
        .header(ACCEPT_ENCODING, "gzip,deflate")
        .header(CONTENT_TYPE, &post.content_type)
        .header("x-amz-sns-message-type", &post.message_type)
        .header("x-amz-sns-message-id", &post.message_id)
        .header("x-amz-sns-topic-arn", &post.topic_arn);
    if let Some(arn) = &post.subscription_arn {
        request = request.header("x-amz-sns-subscription-arn", arn);
    }
    if post.raw {
        request = request.header("x-amz-sns-rawdelivery", "true");
    }
    Ok((with_body(request, &post.body)?, credentials))
}

fn prepare_invocation(url: &str, event: &Bytes) -> Result<Prepared, String> {
    let (mut uri, credentials) = split_credentials(url)?;
    if uri.path() == "/" && uri.query().is_none() {
        let mut parts = uri.into_parts();
        parts.path_and_query = Some(PathAndQuery::from_static(INVOCATION_PATH));
        uri = Uri::from_parts(parts).map_err(|error| invalid_url(&error))?;
    }
    let request = Request::post(uri).header(CONTENT_TYPE, "application/json");
    Ok((with_body(request, event)?, credentials))
}

fn with_body(request: request::Builder, body: &Bytes) -> Result<Request<Full<Bytes>>, String> {
    let request = request.body(Full::new(body.clone()));
    request.map_err(|_| "the message cannot be described in HTTP headers".to_owned())
}

/// Splits `user:password@` off an http or https URL. Reasons do not repeat the URL: it may have a password.
fn split_credentials(url: &str) -> Result<(Uri, Option<Credentials>), String> {
    let uri: Uri = url.parse().map_err(|error| invalid_url(&error))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("the URL is neither http nor https".to_owned());
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err("the URL has no host".to_owned());
    }
    without_user_info(uri)
}

/// Splits `user:password@` off a URL.
pub(super) fn without_user_info(uri: Uri) -> Result<(Uri, Option<Credentials>), String> {
    let mut parts = uri.into_parts();
    let mut credentials = None;
    if let Some(authority) = &parts.authority
        && let Some((user_info, host)) = authority.as_str().rsplit_once('@')
    {
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        let decode = |text| percent_decode_str(text).collect();
        credentials = Some(Credentials { user: decode(user), password: decode(password) });
        parts.authority = Some(host.parse().map_err(|error| invalid_url(&error))?);
    }
    Ok((Uri::from_parts(parts).map_err(|error| invalid_url(&error))?, credentials))
}

fn invalid_url(error: &dyn Error) -> String {
    format!("the URL is invalid: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Method;
    use hyper::header::HeaderValue;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use proptest::prelude::*;
    use rustls::crypto::ring;
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
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

    /// An endpoint at `127.0.0.1:port`, and what it receives.
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

    /// An endpoint that does as it likes with its first connection.
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

    const TIMEOUT: Duration = Duration::from_secs(15);

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
        // Every spelling that leads to this machine, by a name and by addresses.
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
            let body = if uri.path() == "/long" {
                vec![b'x'; 16 * MAX_RESPONSE_BYTES]
            } else {
                Vec::new()
            };
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

    /// 401 with what the path stands for.
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
            // The same connection serves both.
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
        let invoke =
            async |path: &str| sender.invoke(&format!("http://{host}{path}"), &event).await;
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
        let trusting = |tls_roots| HttpSender {
            timeout: TIMEOUT,
            rules: Arc::default(),
            lookups: Lookups::default(),
            client: OnceLock::from(client(tls_roots, Arc::default(), Lookups::default())),
        };
        let with = TlsRoots { certificates: vec![certificate], bundled: false };
        assert_eq!(trusting(with).post(&post_to(&url)).await, Outcome::Delivered { status: 200 });
        assert_eq!(received.recv().await.unwrap().uri, "/");
        let bundled = TlsRoots { certificates: Vec::new(), bundled: true };
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
            let _ = prepare_invocation(&url, &Bytes::new());
        }
    }
}
