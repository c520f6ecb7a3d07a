//! The shell of the process: what stands between the sockets and the gateway.
//!
//! [`run`] is the program from its settings to its end. A request passes through [`Shell`], which
//! answers for health and metrics itself and gives everything else to the gateway, without a
//! router, a boxed layer or a task of its own: calls of AWS operations pay a few comparisons.

pub mod assembly;
pub mod audit;
pub mod bodies;
pub mod browser;
pub mod chaos;
pub mod cors;
pub mod declarations;
mod forwarded;
pub mod gateway;
pub mod health;
mod held;
pub mod init_hooks;
pub mod inspection;
pub mod listener;
pub mod localstack;
pub mod logging;
mod loops;
pub mod metrics;
mod patience;
mod places;
mod selection;
pub mod shutdown;
mod volume;

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::service::{Service, service_fn};
use hyper::{Method, Request, Response, StatusCode};
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::config::{AuthMode, Compat, Settings, Storage};
use crate::domain::{Kind, Refusal};
use crate::runtime::answers::{Answers, NO_ROOM};
use crate::runtime::clock::ProcessClock;
use assembly::{Assembly, AssemblyError};
use browser::BrowserRules;
use gateway::Gateway;
use init_hooks::{InitHooks, Stage};
use listener::{BindError, Bound, Crowded, Limits};
use localstack::LocalStack;
use metrics::Metrics;
use shutdown::Signals;

/// What is said where there is no room for a request.
const NO_CONNECTIONS: &str =
    "The server has as many connections as it may have, and none of them is idle.";

/// Why the program could not start or go on; each reads as a sentence for whoever started it.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The service cannot be put together.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    /// The system refuses to tell of signals.
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] std::io::Error),
}

/// What is to follow when the server has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing.
    Stop,
    /// Another start with the same settings.
    Restart,
}

/// Serves until SIGTERM or SIGINT, or until somebody asks for the end over HTTP, then finishes what
/// runs, at most for the grace of the settings; a second signal ends it at once.
///
/// `Ready.` goes to standard output, alone on its line, once every address is bound, every
/// declared queue and topic exists, and the scripts that are run before have ended.
pub async fn run(settings: Settings) -> Result<End, StartError> {
    // Another start begins with the level of the settings, whatever was asked for meanwhile.
    logging::change_level(&settings.log_level);
    let began = Instant::now();
    let mut signals = Signals::install().map_err(StartError::Signals)?;
    let is_localstack = settings.compat == Some(Compat::Localstack);
    let hooks = Arc::new(InitHooks::find(settings.init_dir.as_deref(), is_localstack));
    let (end, mut ending) = watch::channel(None);

    let started = async {
        hooks.run(Stage::Boot, &[]).await;
        hooks.run(Stage::Start, &[]).await;
        let bound = Bound::bind(&settings.listen).await?;
        let port = bound.addresses().first().map_or(0, SocketAddr::port);
        let settings = settings.clone().with_port(port);
        let assembly = Assembly::new(&settings, Arc::new(ProcessClock::start())).await?;
        Ok::<_, StartError>((bound, assembly, settings))
    };
    let (bound, assembly, settings) = tokio::select! {
        started = started => started?,
        name = signals.next() => {
            info!("{name}: stopped before it began to serve");
            return Ok(End::Stop);
        }
    };
    let addresses = bound.addresses();
    log_start(&settings, &addresses, assembly.keys);

    let limits = Limits {
        connections: settings.max_connections,
        header_timeout: settings.header_timeout,
        grace: settings.shutdown_grace,
    };
    let open = assembly.metrics.connections();
    let gateway = Arc::clone(&assembly.gateway);
    let local = Arc::new(LocalStack::new(&settings, Arc::clone(&hooks), end));
    let gateway = move |request| route(Arc::clone(&gateway), Arc::clone(&local), request);
    let (stop, stopped) = oneshot::channel::<()>();
    let answers = Arc::clone(assembly.gateway.answers());
    let rules = BrowserRules::new(&settings);
    let service = shell(gateway, Arc::clone(&assembly.metrics), answers, rules);
    let serving = bound.serve(service, limits, open, async {
        // An error means that the sender is gone, which is as good a reason to stop.
        let _ = stopped.await;
    });
    let variables = variables_of_scripts(&settings, &addresses);
    let told = async {
        let readied = async {
            hooks.run(Stage::Ready, &variables).await;
            announce_readiness(&settings, &addresses, began.elapsed());
            std::future::pending::<()>().await;
        };
        let (name, end) = tokio::select! {
            () = readied => return End::Stop,
            name = signals.next() => (name, End::Stop),
            end = asked_to_end(&mut ending) => ("a request", end),
        };
        if hooks.has(Stage::Shutdown) {
            info!("{name}: init hooks of the shutdown");
            let scripts = hooks.run(Stage::Shutdown, &variables);
            if tokio::time::timeout(settings.shutdown_grace, scripts).await.is_err() {
                warn!("init hooks of the shutdown took too long");
            }
        }
        info!("{name}: no new connections; running requests may finish");
        assembly.runtime.stop_waiting();
        let _ = stop.send(());
        end
    };
    let mut serving = pin!(serving);
    let end = tokio::select! {
        () = &mut serving => None,
        end = told => Some(end),
    };
    if end.is_some() {
        tokio::select! {
            () = serving => {}
            name = signals.next() => info!("{name} again: not waiting for running requests"),
        }
    }
    assembly.runtime.close().await;
    info!("stopped");
    Ok(end.unwrap_or(End::Stop))
}

/// Completes when somebody asks for the end over HTTP.
async fn asked_to_end(ending: &mut watch::Receiver<Option<End>>) -> End {
    let asked = ending.wait_for(Option::is_some).await.ok().and_then(|end| *end);
    match asked {
        Some(end) => end,
        None => std::future::pending().await,
    }
}

/// With these, scripts find the server with the AWS CLI or an SDK without saying where it is.
fn variables_of_scripts(
    settings: &Settings,
    addresses: &[SocketAddr],
) -> Vec<(&'static str, String)> {
    let port = addresses.first().map_or(4566, SocketAddr::port);
    let (id, secret) = settings
        .access_key
        .as_ref()
        .map_or(("test", "test"), |key| (key.id.as_str(), key.secret.as_str()));
    vec![
        ("AWS_ENDPOINT_URL", format!("http://localhost:{port}")),
        ("AWS_ACCESS_KEY_ID", id.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
        ("AWS_DEFAULT_REGION", settings.region.clone()),
        // `awslocal` recognises by this that a script has chosen no region itself.
        ("AWSLOCAL_SERVERS_REGION", settings.region.clone()),
    ]
}

/// Inspections and LocalStack's own paths beside calls. They are boxed, so that calls do not carry
/// the size of them.
async fn route(
    gateway: Arc<Gateway>,
    local: Arc<LocalStack>,
    request: Request<Body>,
) -> Response<Body> {
    if health::asks_whether_ready(request.method(), request.uri().path()) {
        return Box::pin(health::readiness(gateway.runtime())).await;
    }
    if asks_for_metrics(&request) {
        return Box::pin(gateway.show_metrics(request.into_parts().0)).await;
    }
    if inspection::is_meant(request.uri().path()) {
        return Box::pin(inspection::handle(&gateway, request)).await;
    }
    if LocalStack::is_meant(request.uri().path()) {
        return Box::pin(local.handle(&gateway, request)).await;
    }
    gateway.handle(request).await
}

/// The service that each connection is served with: the rules for browsers, health, metrics, and the
/// gateway, in which a panic ends one request and nothing else.
pub fn shell<G, F>(
    gateway: G,
    metrics: Arc<Metrics>,
    answers: Arc<Answers>,
    rules: BrowserRules,
) -> impl Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static
where
    G: Fn(Request<Body>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send,
{
    let shell = Arc::new(Shell { gateway, metrics, answers, rules });
    service_fn(move |request| {
        let shell = Arc::clone(&shell);
        async move { Ok(shell.answer(request).await) }
    })
}

struct Shell<G> {
    gateway: G,
    metrics: Arc<Metrics>,
    answers: Arc<Answers>,
    rules: BrowserRules,
}

impl<G, F> Shell<G>
where
    G: Fn(Request<Body>) -> F,
    F: Future<Output = Response<Body>>,
{
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let check = self.rules.check(request.method(), request.uri(), request.headers());
        if let Err(rejection) = check {
            let refusal = Refusal::new(Kind::AccessDenied, self.rules.sentence(&rejection));
            return gateway::reject(&request.into_parts().0, &refusal);
        }
        if loops::is_delivery(request.method(), request.headers()) {
            let refusal = Refusal::new(Kind::AccessDenied, loops::SENTENCE);
            return gateway::reject(&request.into_parts().0, &refusal);
        }
        let Some(origin) = self.rules.cors.allowed(request.headers()) else {
            return self.answer_anybody(request).await;
        };
        if let Some(response) = self.rules.cors.preflight(&request) {
            return response;
        }
        let mut response = self.answer_anybody(request).await;
        cors::admit(response.headers_mut(), origin);
        response
    }

    async fn answer_anybody(&self, request: Request<Incoming>) -> Response<Body> {
        let is_crowded = request.extensions().get::<Crowded>().is_some();
        let mut response = self.answer_in(is_crowded, request).await;
        if is_crowded {
            // Whoever comes next may need the place.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn answer_in(&self, crowd: bool, request: Request<Incoming>) -> Response<Body> {
        if let Some(response) = health::respond(request.method(), request.uri().path()) {
            return response;
        }
        if asks_for_metrics(&request)
            && let Some(view) = self.metrics.view_without_signature(request.headers())
        {
            return match self.metrics.respond(&view, self.answers.answer()).await {
                Some(response) => response,
                None => turn_away(request, NO_ROOM),
            };
        }
        if crowd && !health::asks_whether_ready(request.method(), request.uri().path()) {
            return turn_away(request, NO_CONNECTIONS);
        }
        let answer = async { (self.gateway)(request.map(Body::new)).await };
        unless_it_panics(answer).await.unwrap_or_else(|| {
            self.metrics.count_panic();
            internal_failure()
        })
    }
}

fn asks_for_metrics<B>(request: &Request<B>) -> bool {
    request.uri().path() == "/metrics" && request.method() == Method::GET
}

/// The answer where there is no room for a request. Clients try again.
fn turn_away(request: Request<Incoming>, sentence: &'static str) -> Response<Body> {
    let refusal = Refusal::new(Kind::ServiceUnavailable, sentence);
    gateway::reject(&request.into_parts().0, &refusal)
}

/// The future's output, or `None` when it panics; the panic hook of [`logging`] has logged why.
///
/// What the panicking future held may be in any state. The gateway shares only what lives behind
/// transactions or locks of its own, so that nobody meets what was left half done.
async fn unless_it_panics<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(move |context| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

/// A panic can come before the protocol of the request is known, so this is the JSON answer, and
/// clients of the Query protocol go by its status.
fn internal_failure() -> Response<Body> {
    let mut response = Response::new(Body::from(
        r#"{"__type":"com.amazon.coral.service#InternalFailure","message":"The request processing has failed because of an unknown error, exception or failure."}"#,
    ));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    let code = HeaderValue::from_static("InternalFailure;Receiver");
    headers.insert("x-amzn-query-error", code);
    if let Ok(id) = HeaderValue::from_str(&gateway::fresh_request_id()) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

/// The one line that says what is being served.
fn log_start(settings: &Settings, addresses: &[SocketAddr], keys: usize) {
    let listen: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let (data, durability) = match &settings.storage {
        Storage::Directory { path, durability } => {
            (path.display().to_string(), durability.to_string())
        }
        Storage::Ephemeral => ("none".to_owned(), "ephemeral".to_owned()),
    };
    info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = listen.join(","),
        data,
        durability,
        auth = %settings.auth,
        keys,
        "squab serves"
    );
    if settings.auth == AuthMode::Strict && keys == 0 {
        warn!(
            "no key is configured, so with auth = strict no call can be signed: see --credentials"
        );
    }
    volume::warn_of_loss(settings);
}

/// Programs that start Squab wait for this line, or for the one of the server that it stands in
/// for.
fn announce_readiness(settings: &Settings, addresses: &[SocketAddr], took: Duration) {
    let mut text = String::new();
    if let (Some(Compat::Elasticmq), Some(address)) = (settings.compat, addresses.first()) {
        let here = || format!("http://localhost:{}", address.port());
        text = format!(
            "Started SQS rest server, bind address {address}, visible server address {visible}\n\
             === ElasticMQ server (squab {version}) started in {took} ms ===\n",
            visible = settings.public_url.clone().unwrap_or_else(here),
            version = env!("CARGO_PKG_VERSION"),
            took = took.as_millis(),
        );
    }
    text.push_str("Ready.\n");
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        warn!("cannot write `Ready.` to standard output: {error}");
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use prometheus_client::metrics::gauge::Gauge;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// Serves this gateway on a free port until the returned sender is used or dropped.
    async fn serve<G, F>(
        gateway: G,
        connections: usize,
    ) -> (SocketAddr, oneshot::Sender<()>, Arc<Metrics>)
    where
        G: Fn(Request<Body>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let bound = Bound::bind(&["127.0.0.1:0".to_owned()]).await.unwrap();
        let address = bound.addresses()[0];
        let metrics = Arc::new(Metrics::new(&[], &[], || async { Vec::new() }));
        let limits =
            Limits { connections, header_timeout: Duration::from_secs(100), grace: Duration::ZERO };
        let answers = Answers::new(1024);
        let service = shell(gateway, Arc::clone(&metrics), answers, BrowserRules::default());
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
    async fn health_and_metrics_are_answered_before_the_gateway_and_the_rest_by_it() {
        let (address, _stop, _) = serve(
            |request: Request<Body>| async move {
                Response::new(Body::from(format!("gateway {} {}", request.method(), request.uri())))
            },
            10,
        )
        .await;
        for (request, body) in [
            ("GET /health", "OK\n"),
            ("POST /health", "gateway POST /health"),
            ("POST /", "gateway POST /"),
            ("GET /000000000000/q?Action=X", "gateway GET /000000000000/q?Action=X"),
        ] {
            let answer = talk(address, &closing(request)).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{request}: {answer}");
        }
        let head = talk(address, &closing("HEAD /health")).await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.ends_with("\r\n\r\n"), "{head}");
        let answer = talk(address, &closing("GET /metrics")).await;
        assert!(answer.ends_with("# EOF\n"), "{answer}");
    }

    #[tokio::test]
    async fn without_room_health_is_answered_and_everybody_else_is_asked_to_come_again() {
        let arrival = Arc::new(tokio::sync::Notify::new());
        let told = Arc::clone(&arrival);
        let gateway = move |_: Request<Body>| {
            told.notify_one();
            std::future::pending()
        };
        let (address, _stop, _) = serve(gateway, 1).await;
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
        let gateway = |_: Request<Body>| async { Response::new(Body::from("gateway")) };
        let (address, _stop, _) = serve(gateway, 10).await;
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
        let (address, _stop, metrics) = serve(
            |request: Request<Body>| async move {
                tokio::task::yield_now().await;
                assert!(request.uri().path() != "/bug", "a bug");
                Response::new(Body::from("fine"))
            },
            10,
        )
        .await;
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
