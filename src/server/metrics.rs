//! The metrics for Prometheus at `GET /metrics`, in the OpenMetrics text format.
//!
//! Counting a request costs a few atomic additions: the handles of each operation are created once
//! and found by index. The depths of queues are read at each scrape instead of counted, so that
//! they always agree with the state. Their text grows with the number of queues, so scrapes run one
//! at a time, and each reserves memory until the client has read the response, as other responses
//! do.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use hyper::{Request, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use super::app::App;
use super::response::{charged_body, refuse_by_head};
use crate::auth::Role;
use crate::runtime::memory::{Charge, no_memory};

const CONTENT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the histogram in seconds, from the duration of a send in memory to more than the
/// longest long poll, 20 s.
const BUCKETS: [f64; 18] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 20.0, 30.0,
];

/// The operation label of a request that names none, or an unknown one.
const UNKNOWN: &str = "unknown";
/// The result label of a request that failed with an unexpected code.
const OTHER: &str = "other";

/// The depth of one queue, at the time of a scrape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueDepth {
    /// 12 digits.
    pub account: String,
    /// The queue's region.
    pub region: String,
    /// The queue's name.
    pub name: String,
    /// Messages that a receive may return.
    pub visible: u64,
    /// Messages received and neither deleted nor visible again.
    pub in_flight: u64,
    /// Messages whose delay has not passed.
    pub delayed: u64,
    /// Milliseconds since the oldest message was sent; `None` if the queue is empty.
    pub oldest_age_ms: Option<i64>,
}

/// SNS deliveries, at the time of a scrape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// Finished deliveries since startup, by protocol and success.
    pub counts: BTreeMap<(&'static str, bool), u64>,
    /// Pending deliveries.
    pub pending: u64,
    /// Milliseconds since the oldest pending delivery was created; `None` if there are none.
    pub oldest_age_ms: Option<i64>,
    /// Panics of background tasks since startup; each task was restarted.
    pub background_panics: u64,
}

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type QueueDepths = Box<dyn Fn() -> Later<Vec<QueueDepth>> + Send + Sync>;
type AllDeliveries = Box<dyn Fn() -> Later<Deliveries> + Send + Sync>;

/// The metrics of the process.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<OperationLabels, Histogram, fn() -> Histogram>,
    /// One for each operation, then one for unknown operations.
    operations: Vec<Operation>,
    errors: Vec<&'static str>,
    connections: Gauge,
    panics: Counter,
    rejected_signatures: Family<RejectionLabels, Counter>,
    queue_depths: QueueDepths,
    deliveries: Option<AllDeliveries>,
    /// Whether every client may see the names of queues.
    is_open: bool,
    /// Held by the running scrape.
    turn: Mutex<()>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// The handles of one operation, each created at its first use. Most operations never return most
/// errors, and a series for each pair would add a thousand empty ones.
struct Operation {
    service: &'static str,
    name: &'static str,
    duration: OnceLock<Histogram>,
    /// `ok`, then one for each error code, then `other`.
    results: Vec<OnceLock<Counter>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    service: &'static str,
    operation: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    service: &'static str,
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RejectionLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    protocol: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabels {
    account: String,
    region: String,
    queue: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueStateLabels {
    #[prometheus(flatten)]
    queue: QueueLabels,
    state: &'static str,
}

impl Metrics {
    /// Returns metrics for these operations, each with its service (`("sqs", "SendMessage")`), and
    /// these AWS error codes. `queue_depths` is read at each scrape.
    pub fn new<Q, F>(
        operations: &[(&'static str, &'static str)],
        errors: &[&'static str],
        queue_depths: Q,
    ) -> Self
    where
        Q: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Vec<QueueDepth>> + Send + 'static,
    {
        let requests = Family::<RequestLabels, Counter>::default();
        let durations =
            Family::<OperationLabels, Histogram, fn() -> Histogram>::new_with_constructor(|| {
                Histogram::new(BUCKETS)
            });
        let connections = Gauge::default();
        let panics = Counter::default();
        let mut registry = Registry::with_prefix("squab");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program that runs", version);
        registry.register("connections", "Connections open", connections.clone());
        registry.register("requests", "Requests answered", requests.clone());
        registry.register(
            "request_duration_seconds",
            "Seconds from the head of a request to its answer, waiting for messages included",
            durations.clone(),
        );
        registry.register("panics", "Requests ended by a bug in Squab", panics.clone());
        let rejected_signatures = Family::<RejectionLabels, Counter>::default();
        registry.register(
            "rejected_signatures",
            "Requests rejected for their signature",
            rejected_signatures.clone(),
        );
        let operations = operations
            .iter()
            .copied()
            .chain(std::iter::once((UNKNOWN, UNKNOWN)))
            .map(|(service, name)| Operation {
                service,
                name,
                duration: OnceLock::new(),
                results: std::iter::repeat_with(OnceLock::new).take(errors.len() + 2).collect(),
            })
            .collect();
        Self {
            registry,
            requests,
            durations,
            operations,
            errors: errors.to_vec(),
            connections,
            panics,
            rejected_signatures,
            queue_depths: Box::new(move || Box::pin(queue_depths())),
            deliveries: None,
            is_open: true,
            turn: Mutex::default(),
        }
    }

    /// Returns these metrics with the names of queues visible to every client, or to signed
    /// requests only.
    #[must_use]
    pub fn open_to_everyone(mut self, is_open: bool) -> Self {
        self.is_open = is_open;
        self
    }

    /// Returns the view for a scrape without a verified signature, or `None` if the caller must be
    /// identified first.
    pub(super) fn view_without_signature(&self, headers: &HeaderMap) -> Option<View> {
        match (self.is_open, headers.contains_key(AUTHORIZATION)) {
            (true, _) => Some(View::Everything),
            (false, false) => Some(View::Sums),
            (false, true) => None,
        }
    }

    /// Adds SNS deliveries, which `deliveries` returns at each scrape.
    #[must_use]
    pub fn with_deliveries<D, F>(mut self, deliveries: D) -> Self
    where
        D: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Deliveries> + Send + 'static,
    {
        self.deliveries = Some(Box::new(move || Box::pin(deliveries())));
        self
    }

    /// Counts an answered request.
    ///
    /// `operation` is the index in the list given to [`Metrics::new`], or `None` if the request
    /// names no existing operation. A failure is its AWS error code.
    pub fn record(
        &self,
        operation: Option<usize>,
        result: Result<(), &'static str>,
        elapsed: Duration,
    ) {
        let known = operation.and_then(|index| self.operations.get(index));
        let Some(operation) = known.or(self.operations.last()) else { return };
        let (slot, result) = match result {
            Ok(()) => (0, "ok"),
            Err(code) => match self.errors.iter().position(|known| *known == code) {
                Some(index) => (index + 1, code),
                None => (self.errors.len() + 1, OTHER),
            },
        };
        let Operation { service, name, .. } = *operation;
        if let Some(counter) = operation.results.get(slot) {
            let labels = RequestLabels { service, operation: name, result };
            counter.get_or_init(|| self.requests.get_or_create_owned(&labels)).inc();
        }
        let labels = OperationLabels { service, operation: name };
        operation
            .duration
            .get_or_init(|| self.durations.get_or_create_owned(&labels))
            .observe(elapsed.as_secs_f64());
    }

    /// Counts a request that panicked.
    pub fn count_panic(&self) {
        self.panics.inc();
    }

    /// Counts a request that was rejected because of its signature.
    pub fn count_rejected_signature(&self, reason: &'static str) {
        self.rejected_signatures.get_or_create_owned(&RejectionLabels { reason }).inc();
    }

    /// Returns the gauge of open connections, which the listener maintains.
    pub fn connections(&self) -> Gauge {
        self.connections.clone()
    }

    /// Returns the text of all metrics in this view.
    pub async fn render(&self, view: &View) -> String {
        let queues = queue_registry(view.of((self.queue_depths)().await));
        let deliveries = match &self.deliveries {
            None => Registry::default(),
            Some(deliveries) => delivery_registry(deliveries().await),
        };
        let mut text = String::new();
        let written = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &queues))
            .and_then(|()| encode_registry(&mut text, &deliveries))
            .and_then(|()| encode_eof(&mut text));
        if let Err(error) = written {
            tracing::error!("cannot write the metrics: {error}");
        }
        text
    }

    /// Returns the response to `GET /metrics`, or an error if there is no memory for it.
    async fn respond(&self, view: &View, charge: Arc<Charge>) -> Option<Response<Body>> {
        let _turn = self.turn.lock().await;
        let text = self.render(view).await;
        if !charge.reserve_answer(text.len()).await {
            return None;
        }
        let body = charged_body(charge, text.into_bytes());
        Some(([(CONTENT_TYPE, CONTENT)], body).into_response())
    }
}

/// Answers `GET /metrics`. A signed request gets the queues of the caller's account; an admin gets
/// all queues.
pub(super) async fn scrape(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let answer = async {
        let view = if let Some(view) = app.metrics.view_without_signature(&parts.headers) {
            view
        } else {
            let admitted = app.callers.admit(&app.bodies, &parts, Body::empty(), Role::View);
            let account = admitted.await?.0.only_account().map(str::to_owned);
            account.map_or(View::Everything, View::Account)
        };
        app.metrics.respond(&view, app.charge(&parts)).await.ok_or_else(no_memory)
    };
    let answer = answer.await;
    let head = Request::from_parts(parts, Body::empty());
    answer.unwrap_or_else(|refusal| refuse_by_head(&head, &refusal))
}

/// The queues that a scrape shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// All.
    Everything,
    /// Those of one account.
    Account(String),
    /// None by name, only the sums over all of them.
    Sums,
}

impl View {
    fn of(&self, mut depths: Vec<QueueDepth>) -> Vec<QueueDepth> {
        match self {
            Self::Everything => depths,
            Self::Account(account) => {
                depths.retain(|depth| depth.account == *account);
                depths
            }
            Self::Sums => vec![sum(&depths)],
        }
    }
}

/// The label of a queue. Prometheus treats an empty label as absent.
fn sum(depths: &[QueueDepth]) -> QueueDepth {
    QueueDepth {
        account: String::new(),
        region: String::new(),
        name: String::new(),
        visible: depths.iter().map(|depth| depth.visible).sum(),
        in_flight: depths.iter().map(|depth| depth.in_flight).sum(),
        delayed: depths.iter().map(|depth| depth.delayed).sum(),
        oldest_age_ms: depths.iter().filter_map(|depth| depth.oldest_age_ms).max(),
    }
}

/// Created for each scrape, so that deleted queues leave no series behind.
fn queue_registry(depths: Vec<QueueDepth>) -> Registry {
    let messages = Family::<QueueStateLabels, Gauge>::default();
    let oldest = Family::<QueueLabels, Gauge<f64, std::sync::atomic::AtomicU64>>::default();
    for depth in depths {
        let QueueDepth { account, region, name, visible, in_flight, delayed, oldest_age_ms } =
            depth;
        let queue = QueueLabels { account, region, queue: name };
        for (state, count) in [("visible", visible), ("in_flight", in_flight), ("delayed", delayed)]
        {
            let labels = QueueStateLabels { queue: queue.clone(), state };
            messages.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        if let Some(age_ms) = oldest_age_ms {
            oldest.get_or_create(&queue).set(seconds(age_ms));
        }
    }
    let mut registry = Registry::with_prefix("squab");
    registry.register("queue_messages", "Messages in the queue", messages);
    registry.register(
        "queue_oldest_message_age_seconds",
        "Seconds since the oldest message in the queue was sent",
        oldest,
    );
    registry
}

/// Returns an age in seconds; a negative one counts as zero.
fn seconds(age_ms: i64) -> f64 {
    Duration::from_millis(u64::try_from(age_ms).unwrap_or(0)).as_secs_f64()
}

/// Created for each scrape from the delivery counters.
fn delivery_registry(deliveries: Deliveries) -> Registry {
    let counts = Family::<DeliveryLabels, Counter>::default();
    for ((protocol, arrived), count) in deliveries.counts {
        let result = if arrived { "delivered" } else { "failed" };
        counts.get_or_create(&DeliveryLabels { protocol, result }).inc_by(count);
    }
    let pending: Gauge = Gauge::default();
    pending.set(i64::try_from(deliveries.pending).unwrap_or(i64::MAX));
    let oldest = Gauge::<f64, std::sync::atomic::AtomicU64>::default();
    oldest.set(seconds(deliveries.oldest_age_ms.unwrap_or(0)));
    let mut registry = Registry::with_prefix("squab");
    registry.register("sns_deliveries", "Messages that subscriptions got, or will not get", counts);
    registry.register(
        "sns_pending_deliveries",
        "Messages that have yet to leave the process; counted up to 100000",
        pending,
    );
    registry.register(
        "sns_oldest_pending_delivery_age_seconds",
        "Seconds since the oldest message that has yet to leave was put there; 0 if there is none",
        oldest,
    );
    let panics: Counter = Counter::default();
    panics.inc_by(deliveries.background_panics);
    registry.register(
        "background_panics",
        "Background tasks ended by a bug in Squab, and begun again",
        panics,
    );
    registry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::memory::{Memory, Stage};
    use std::sync::atomic::{AtomicUsize, Ordering};

    const OPERATIONS: [(&str, &str); 2] = [("sqs", "SendMessage"), ("sqs", "ReceiveMessage")];

    async fn lines(metrics: &Metrics, beginning: &str) -> Vec<String> {
        let text = metrics.render(&View::Everything).await;
        let mut lines: Vec<String> =
            text.lines().filter(|line| line.starts_with(beginning)).map(str::to_owned).collect();
        lines.sort();
        lines
    }

    #[tokio::test]
    async fn requests_are_counted_by_operation_and_result() {
        let metrics = Metrics::new(&OPERATIONS, &["InvalidParameterValue"], || async { vec![] });
        metrics.record(Some(0), Ok(()), Duration::from_micros(90));
        metrics.record(Some(0), Ok(()), Duration::from_millis(3));
        metrics.record(Some(1), Err("InvalidParameterValue"), Duration::ZERO);
        metrics.record(Some(1), Err("Unheard"), Duration::ZERO);
        metrics.record(None, Err("Unheard"), Duration::ZERO);
        metrics.record(Some(7), Ok(()), Duration::ZERO);
        assert_eq!(
            lines(&metrics, "squab_requests_total").await,
            [
                r#"squab_requests_total{service="sqs",operation="ReceiveMessage",result="InvalidParameterValue"} 1"#,
                r#"squab_requests_total{service="sqs",operation="ReceiveMessage",result="other"} 1"#,
                r#"squab_requests_total{service="sqs",operation="SendMessage",result="ok"} 2"#,
                r#"squab_requests_total{service="unknown",operation="unknown",result="ok"} 1"#,
                r#"squab_requests_total{service="unknown",operation="unknown",result="other"} 1"#,
            ]
        );
        let text = metrics.render(&View::Everything).await;
        for line in [
            r#"squab_request_duration_seconds_count{service="sqs",operation="SendMessage"} 2"#,
            r#"squab_request_duration_seconds_bucket{le="0.0001",service="sqs",operation="SendMessage"} 1"#,
            r#"squab_request_duration_seconds_bucket{le="0.005",service="sqs",operation="SendMessage"} 2"#,
        ] {
            assert!(text.contains(&format!("{line}\n")), "{line}\n{text}");
        }
    }

    #[tokio::test]
    async fn queues_are_shown_as_they_are_at_each_scrape() {
        let depth = QueueDepth {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            name: "orders".to_owned(),
            visible: 3,
            in_flight: 2,
            delayed: 1,
            oldest_age_ms: Some(1_500),
        };
        let empty = QueueDepth { name: "empty".to_owned(), oldest_age_ms: None, ..depth.clone() };
        let metrics = Metrics::new(&[], &[], move || {
            let depths = vec![depth.clone(), empty.clone()];
            async move { depths }
        });
        let at = r#"account="000000000000",region="us-east-1",queue="orders""#;
        let messages = format!("squab_queue_messages{{{at}");
        assert_eq!(
            lines(&metrics, &messages).await,
            [
                format!(r#"{messages},state="delayed"}} 1"#),
                format!(r#"{messages},state="in_flight"}} 2"#),
                format!(r#"{messages},state="visible"}} 3"#),
            ]
        );
        assert_eq!(
            lines(&metrics, "squab_queue_oldest_message_age_seconds").await,
            [format!("squab_queue_oldest_message_age_seconds{{{at}}} 1.5")]
        );
    }

    /// However many scrapes run, memory holds the depths of all queues once, and unread text is
    /// charged.
    #[tokio::test(start_paused = true)]
    async fn one_scrape_is_made_at_a_time_if_there_is_memory_for_it() {
        let depth = QueueDepth {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            name: String::new(),
            visible: 0,
            in_flight: 0,
            delayed: 0,
            oldest_age_ms: None,
        };
        let made = Arc::new(AtomicUsize::new(0));
        let at_once = Arc::clone(&made);
        let metrics = Metrics::new(&[], &[], move || {
            assert_eq!(at_once.fetch_add(1, Ordering::SeqCst), 0);
            let name = |number| QueueDepth { name: format!("q{number}"), ..depth.clone() };
            let (depths, at_once) = ((0..1_000).map(name).collect(), Arc::clone(&at_once));
            async move {
                tokio::task::yield_now().await;
                at_once.fetch_sub(1, Ordering::SeqCst);
                depths
            }
        });
        let length = metrics.render(&View::Everything).await.len();
        let memory = Memory::new(9 * length / 2);
        let charge = || Arc::new(memory.charge(Stage::Answering, &Arc::default()));
        let asked = (0..5).map(|_| metrics.respond(&View::Everything, charge()));
        let got: Vec<_> = futures_util::future::join_all(asked).await;
        assert_eq!(got.iter().filter(|response| response.is_some()).count(), 3);
        drop(got);
        assert!(metrics.respond(&View::Everything, charge()).await.is_some());
    }

    #[tokio::test]
    async fn deliveries_are_shown_as_they_are_at_each_scrape() {
        let deliveries = Deliveries {
            counts: BTreeMap::from([(("http", true), 3), (("http", false), 1), (("sqs", true), 7)]),
            pending: 5,
            oldest_age_ms: Some(2_500),
            background_panics: 0,
        };
        let metrics = Metrics::new(&[], &[], || async { vec![] }).with_deliveries(move || {
            let deliveries = deliveries.clone();
            async move { deliveries }
        });
        assert_eq!(
            lines(&metrics, "squab_sns").await,
            [
                r#"squab_sns_deliveries_total{protocol="http",result="delivered"} 3"#,
                r#"squab_sns_deliveries_total{protocol="http",result="failed"} 1"#,
                r#"squab_sns_deliveries_total{protocol="sqs",result="delivered"} 7"#,
                "squab_sns_oldest_pending_delivery_age_seconds 2.5",
                "squab_sns_pending_deliveries 5",
            ]
        );
    }

    #[tokio::test]
    async fn the_text_is_one_openmetrics_document() {
        let metrics = Metrics::new(&[], &[], || async { vec![] })
            .with_deliveries(|| async { Deliveries::default() });
        let _open = metrics.connections().inc();
        let text = metrics.render(&View::Everything).await;
        let build = format!("squab_build_info{{version=\"{}\"}} 1\n", env!("CARGO_PKG_VERSION"));
        assert!(text.contains(&build), "{text}");
        assert!(text.contains("squab_connections 1\n"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
        assert_eq!(text.matches("# EOF").count(), 1);
        let charge = Memory::new(0).charge(Stage::Answering, &Arc::default());
        let response = metrics.respond(&View::Everything, Arc::new(charge)).await.unwrap();
        assert_eq!(response.headers()[CONTENT_TYPE], CONTENT);
    }
}
