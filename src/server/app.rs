//! The routes of the server, the layers around them, and the state that they share.
//!
//! An AWS call has no path of its own: the gateway is the fallback of all routes. A queue may have
//! the name `health`, and clients POST to it, so routes with such names leave other methods to the
//! gateway.

use super::access_log::AccessLog;
use super::audit::Audit;
use super::browser::BrowserRules;
use super::callers::{Callers, slot_of};
use super::chaos::Chaos;
use super::cors;
use super::dev_endpoints;
use super::gateway::GatewaySettings;
use super::health;
use super::limits::body::Bodies;
use super::listener::Overloaded;
use super::loops;
use super::metrics::{self, Metrics};
use super::response::{self, internal_failure};
use super::rules::{Rule, Verdict};
use crate::api::{CompatOptions, CoolDowns};
use crate::domain::{Kind, Refusal};
use crate::runtime::Runtime;
use crate::runtime::memory::{Charge, NO_MEMORY, Stage, no_memory};
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::routing::get;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, Version};
use parking_lot::RwLock;
use std::convert::Infallible;
use std::sync::Arc;
use tower::{Service, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;

/// The message of a rejection while every connection is in use.
const NO_CONNECTIONS: &str =
    "The server has reached its connection limit, and no connection is idle.";

/// The state that routes share.
#[derive(Debug)]
pub struct App {
    /// The service below HTTP.
    pub runtime: Arc<Runtime>,
    /// The counters of the server.
    pub metrics: Arc<Metrics>,
    pub(super) callers: Callers,
    pub(super) bodies: Bodies,
    /// Requested faults and delays.
    pub(super) chaos: Chaos,
    /// Settings that never change. The access keys belong to the callers.
    pub(super) settings: GatewaySettings,
    live: RwLock<Live>,
}

/// Settings that can change while the server runs.
#[derive(Debug, Clone)]
pub struct Live {
    /// Which of the 60-second cool-downs apply.
    pub cool_downs: CoolDowns,
    /// How queue URLs are written, and what receivers may override.
    pub compat_options: Arc<CompatOptions>,
}

impl App {
    /// Returns the shared state of a running service.
    pub fn new(
        runtime: Arc<Runtime>,
        mut settings: GatewaySettings,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let live = RwLock::new(Live {
            cool_downs: std::mem::take(&mut settings.cool_downs),
            compat_options: std::mem::take(&mut settings.compat_options),
        });
        let callers = Callers {
            mode: settings.mode,
            credentials: Arc::new(std::mem::take(&mut settings.credentials)),
            accounts: Arc::clone(&settings.accounts),
            only_region: settings.one_region.then(|| settings.region.clone()),
            trust_forwarded: settings.trust_forwarded,
            audit: Audit::new(Arc::clone(&metrics)),
        };
        let bodies = Bodies::new(settings.max_body_bytes, Arc::clone(&settings.memory));
        let chaos = Chaos::new(settings.delay_ms.clone());
        Arc::new(Self { runtime, metrics, callers, bodies, chaos, settings, live })
    }

    /// Returns the current values of the settings that can change.
    pub(super) fn live(&self) -> Live {
        self.live.read().clone()
    }

    /// Changes settings. Running calls keep the earlier ones.
    pub(super) fn set_live(&self, live: Live) {
        *self.live.write() = live;
    }

    /// Returns an empty charge for the response to a request.
    pub(super) fn charge(&self, parts: &Parts) -> Arc<Charge> {
        let tally = slot_of(parts).map(|slot| &slot.tally).cloned().unwrap_or_default();
        Arc::new(self.settings.memory.charge(Stage::Answering, &tally))
    }

    /// Returns a charge of at most `bytes` for a response that belongs to no operation.
    pub(super) async fn reserve(
        &self,
        parts: &Parts,
        bytes: usize,
    ) -> Result<Arc<Charge>, Refusal> {
        let charge = self.charge(parts);
        if charge.reserve(bytes).await { Ok(charge) } else { Err(no_memory()) }
    }
}

/// Returns the routes that every server has.
pub fn routes(app: &Arc<App>) -> Router {
    Router::new()
        .route("/health", get(health::ALIVE).fallback(call))
        .route("/ready", get(health::readiness).fallback(call))
        .route("/metrics", get(metrics::scrape).fallback(call))
        .merge(dev_endpoints::routes())
        .fallback(call)
        .with_state(Arc::clone(app))
}

/// An AWS call.
async fn call(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    app.handle(request).await
}

/// Returns the service of all connections: the routes and the layers around them, the outermost
/// first.
///
/// Limits of time, memory and number are elsewhere ([`super::limits`]), because they apply to a
/// connection before it has a request.
pub fn service(
    routes: Router,
    rules: BrowserRules,
    metrics: Arc<Metrics>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<impl HttpBody<Data = Bytes, Error = axum::BoxError> + Send + 'static>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    let rules = Arc::new(rules);
    let of_cors = Arc::clone(&rules);
    ServiceBuilder::new()
        .map_request(|request: Request<Incoming>| request.map(Body::new))
        .layer(AccessLog)
        .layer(CatchPanicLayer::custom(move |_| {
            metrics.count_panic();
            internal_failure()
        }))
        .layer(Rule(move |request: &Request<Body>| reject_pages(&rules, request)))
        .layer(Rule(reject_own_deliveries))
        .layer(Rule(move |request: &Request<Body>| cors::rule(&of_cors.cors, request)))
        .layer(Rule(shed_load))
        .service(routes)
}

/// Rejects requests from web pages of other sites.
fn reject_pages(rules: &BrowserRules, request: &Request<Body>) -> Verdict {
    match rules.check(request.method(), request.uri(), request.headers()) {
        Ok(()) => Verdict::Pass,
        Err(rejection) => reject(request, Kind::AccessDenied, rules.sentence(&rejection)),
    }
}

/// Rejects SNS deliveries that are addressed to this server.
fn reject_own_deliveries(request: &Request<Body>) -> Verdict {
    if loops::is_delivery(request.method(), request.headers()) {
        return reject(request, Kind::AccessDenied, loops::SENTENCE.to_owned());
    }
    Verdict::Pass
}

/// Rejects requests that need work while no connection or memory is left. Clients retry.
fn shed_load(request: &Request<Body>) -> Verdict {
    if request.extensions().get::<Overloaded>().is_none() {
        return Verdict::Pass;
    }
    let is_cheap = matches!(request.uri().path(), "/health" | "/ready" | "/metrics");
    if request.version() == Version::HTTP_2 {
        return if is_cheap {
            Verdict::Pass
        } else {
            reject(request, Kind::ServiceUnavailable, NO_MEMORY.to_owned())
        };
    }
    // A waiting client may need the connection.
    let close = |response: &mut Response<Body>| {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    };
    if is_cheap && request.method() != hyper::Method::POST {
        return Verdict::Amend(Box::new(close));
    }
    let Verdict::Answer(mut response) =
        reject(request, Kind::ServiceUnavailable, NO_CONNECTIONS.to_owned())
    else {
        return Verdict::Pass;
    };
    close(&mut response);
    Verdict::Answer(response)
}

fn reject(request: &Request<Body>, kind: Kind, sentence: String) -> Verdict {
    Verdict::Answer(response::refuse_by_head(request, &Refusal::new(kind, sentence)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::memory::Memory;
    use crate::server::listener::{Bound, Limits};
    use hyper_util::service::TowerToHyperService;
    use prometheus_client::metrics::gauge::Gauge;
    use std::net::SocketAddr;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::{Notify, oneshot};

    /// Serves these routes on a free port until the returned sender is used or dropped.
    async fn serve(
        routes: Router,
        connections: usize,
    ) -> (SocketAddr, oneshot::Sender<()>, Arc<Metrics>) {
        let bound = Bound::bind(&["127.0.0.1:0".to_owned()]).await.unwrap();
        let address = bound.addresses()[0];
        let metrics = Arc::new(Metrics::new(&[], &[], || async { Vec::new() }));
        let limits = Limits {
            connections,
            header_timeout: Duration::from_secs(100),
            grace: Duration::ZERO,
            memory: Memory::new(64 * 1024 * 1024),
        };
        let service = service(routes, BrowserRules::default(), Arc::clone(&metrics));
        let service = TowerToHyperService::new(service);
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(bound.serve(service, limits, Gauge::default(), async {
            let _ = stopped.await;
        }));
        (address, stop, metrics)
    }

    /// Sends these bytes on a connection of its own and returns all that comes back.
    async fn talk(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn closing(first_line: &str) -> String {
        format!("{first_line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    }

    #[tokio::test]
    async fn without_a_connection_health_is_answered_and_other_requests_are_refused() {
        let (arrival, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let arrived = Arc::clone(&arrival);
        let waits = || async move {
            arrived.notify_one();
            release.notified().await;
        };
        let routes = Router::new().route("/health", get(health::ALIVE)).fallback(waits);
        let (address, _stop, _) = serve(routes, 1).await;
        let mut busy = TcpStream::connect(address).await.unwrap();
        busy.write_all(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        arrival.notified().await;
        let target = "X-Amz-Target: AmazonSQS.ListQueues\r\n";
        let credential = "Authorization: AWS4-HMAC-SHA256 \
                          Credential=a/20260101/us-east-1/sns/aws4_request\r\n";
        // Whether they want their connections kept or not, and as they understand it.
        for (request, header, status, said) in [
            ("GET /health", "", "200 OK", "OK"),
            ("POST /", target, "503 Service Unavailable", "service#ServiceUnavailableException"),
            ("POST /", "", "503 Service Unavailable", "<Code>ServiceUnavailable</Code>"),
            ("POST /", credential, "503 Service Unavailable", "http://sns.amazonaws.com/"),
        ] {
            let request = format!("{request} HTTP/1.1\r\nHost: x\r\n{header}\r\n");
            let answer = talk(address, &request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
            assert!(answer.contains(said), "{answer}");
        }
    }

    #[tokio::test]
    async fn deliveries_of_sns_are_rejected_before_their_bodies() {
        let (address, _stop, _) = serve(Router::new().fallback(|| async { "gateway" }), 10).await;
        for (line, header, status) in [
            ("POST /", "x-amz-sns-message-type: Notification", 403),
            ("POST /?Action=Publish&Message=m", "X-Amz-Sns-Topic-Arn: t", 403),
            ("POST /", "User-Agent: Amazon Simple Notification Service Agent", 403),
            ("PUT /_aws/sns/sms-messages", "x-amz-sns-message-id: i", 403),
            ("POST /health", "x-amz-sns-rawdelivery: true", 403),
            (
                "GET /?Action=ConfirmSubscription",
                "x-amz-sns-message-type: SubscriptionConfirmation",
                200,
            ),
            ("POST /", "User-Agent: Boto3/1.0", 200),
        ] {
            // The announced body never comes.
            let request = format!(
                "{line} HTTP/1.1\r\nHost: x\r\n{header}\r\nConnection: close\r\nContent-Length: 9\r\n\r\n"
            );
            let answer = talk(address, &request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{line} {header}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_panic_ends_one_request_and_neither_its_connection_nor_the_server() {
        let routes = Router::new().fallback(|request: Request<Body>| async move {
            tokio::task::yield_now().await;
            assert!(request.uri().path() != "/bug", "a bug");
            "fine"
        });
        let (address, _stop, metrics) = serve(routes, 10).await;
        let both = format!("POST /bug HTTP/1.1\r\nHost: x\r\n\r\n{}", closing("POST /"));
        let answers = talk(address, &both).await;
        assert!(answers.starts_with("HTTP/1.1 500 Internal Server Error\r\n"), "{answers}");
        assert!(answers.contains("x-amzn-query-error: InternalFailure;Receiver\r\n"));
        assert!(answers.contains("com.amazon.coral.service#InternalFailure"));
        assert!(answers.ends_with("\r\n\r\nfine"), "{answers}");
        assert!(
            metrics.render(&metrics::View::Everything).await.contains("squab_panics_total 1\n")
        );
    }
}
