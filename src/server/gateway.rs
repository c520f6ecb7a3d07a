//! One request, top to bottom: read it, find out which operation it calls and in which protocol,
//! verify who calls, run the operation, encode the answer.
//!
//! A call with a bad signature learns nothing but that: signatures come before parameters. Every
//! answer carries a request id; what is our fault is logged with it, and never told.

use crate::api::error::{message, row, row_named};
use crate::api::operations::{OPERATIONS, Payload, Reach, Service};
use crate::api::{Context, Conventions, CoolDowns, ReceiveOverrides};
use crate::auth::account::{Accounts, DEFAULT_ACCOUNT};
use crate::auth::{self, Caller, Credentials, Mode};
use crate::domain::address::region_of_host;
use crate::domain::limits::WAIT_TIME_SECONDS;
use crate::domain::{Kind, Refusal};
use crate::runtime::Runtime;
use crate::runtime::answers::{Answers, Room, no_room};
use crate::runtime::clock::{Clock, SystemClock};
use crate::server::bodies::{Bodies, Failure, Received};
use crate::server::chaos::{self, Chaos};
use crate::server::forwarded;
use crate::server::held;
use crate::server::metrics::Metrics;
use crate::wire::form::Params;
use crate::wire::{Protocol, json, xml};
use axum::body::Body;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use std::ops::RangeInclusive;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::time::Instant;

const JSON_CONTENT: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
const XML_CONTENT: HeaderValue = HeaderValue::from_static("text/xml");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");
const TARGET: &str = "x-amz-target";
const TRACE_ID: &str = "x-amzn-trace-id";
/// Bytes of a trace id that messages carry; X-Ray's have some hundred.
const LONGEST_TRACE_ID: usize = 1_024;
/// Bytes of all bodies that arrive or are worked on.
const BODIES_BYTES: usize = 256 * 1024 * 1024;
/// The code of a fault in metrics, where no error of AWS is called as it is.
const FAULT: &str = "Fault";

/// What the gateway must know of the settings.
#[derive(Debug)]
pub struct GatewaySettings {
    /// Region of callers who name none.
    pub region: String,
    /// Which signatures are verified.
    pub mode: Mode,
    /// The keys that are known.
    pub credentials: Credentials,
    /// Which 60-second rules hold.
    pub cool_downs: CoolDowns,
    /// What queue URLs and links begin with, instead of the Host header.
    pub public_url: Option<String>,
    /// How queue URLs are written, and what receivers may ask for.
    pub conventions: Arc<Conventions>,
    /// Whether everybody is in this region, whatever they sign for.
    pub one_region: bool,
    /// Where callers belong whose key is not known.
    pub accounts: Arc<Accounts>,
    /// Whether X-Forwarded-Proto, X-Forwarded-Host and Forwarded are believed.
    pub trust_forwarded: bool,
    /// Bytes of a request's body at most.
    pub max_body_bytes: usize,
    /// Bytes of all answers that have yet to be taken.
    pub max_answers_bytes: usize,
    /// Milliseconds by which answers are delayed, so that programs meet a slow service.
    pub delay_ms: RangeInclusive<u32>,
}

/// What may change while the server runs.
#[derive(Debug, Clone)]
pub struct Adjustable {
    /// Which 60-second rules hold.
    pub cool_downs: CoolDowns,
    /// How queue URLs are written, and what receivers may ask for.
    pub conventions: Arc<Conventions>,
}

/// Answers AWS calls.
#[derive(Debug)]
pub struct Gateway {
    runtime: Arc<Runtime>,
    /// What of them is left: the keys are beside them, because operations may issue more, and so
    /// is what may change.
    settings: GatewaySettings,
    credentials: Arc<Credentials>,
    adjustable: RwLock<Adjustable>,
    chaos: Chaos,
    metrics: Arc<Metrics>,
    bodies: Arc<Bodies>,
    answers: Arc<Answers>,
}

impl Gateway {
    /// A gateway to a running service.
    pub fn new(
        runtime: Arc<Runtime>,
        mut settings: GatewaySettings,
        metrics: Arc<Metrics>,
    ) -> Self {
        let credentials = Arc::new(std::mem::take(&mut settings.credentials));
        let adjustable = RwLock::new(Adjustable {
            cool_downs: std::mem::take(&mut settings.cool_downs),
            conventions: std::mem::take(&mut settings.conventions),
        });
        let bodies = Bodies::new(settings.max_body_bytes, BODIES_BYTES);
        let answers = Answers::new(settings.max_answers_bytes);
        let chaos = Chaos::new(settings.delay_ms.clone());
        Self { runtime, settings, credentials, adjustable, chaos, metrics, bodies, answers }
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let started = Instant::now();
        let request_id = fresh_request_id();
        let (parts, body) = request.into_parts();
        let Some(protocol) = protocol_of(&parts) else { return not_found(&request_id) };
        if let Some(delay) = self.chaos.delay(fastrand::f64) {
            // Boxed, so that calls do not carry the size of it.
            Box::pin(tokio::time::sleep(delay)).await;
        }
        let mut found = Found { service: Service::Sqs, operation: None };
        let room = self.answers.answer();
        let outcome = self.answer(protocol, &parts, body, &request_id, &room, &mut found).await;
        // A receive has its room already; of what only reads nothing is lost.
        let outcome = outcome.and_then(|body| {
            if room.try_hold(body.len()) { Ok(body) } else { Err(no_room().into()) }
        });
        let (result, response) = match outcome {
            Ok(body) => {
                let response = respond(StatusCode::OK, protocol, &request_id, body);
                (Ok(()), held::response(room, response))
            }
            Err(Unanswered::Refused(refusal)) => (
                Err(row(found.service, refusal.kind).query_code),
                refuse(found.service, &refusal, protocol, &request_id),
            ),
            Err(Unanswered::Struck(fault)) => (
                Err(row_named(found.service, fault.code()).map_or(FAULT, |row| row.query_code)),
                fail(found.service, &fault, protocol, &request_id),
            ),
        };
        self.metrics.record(found.operation, result, started.elapsed());
        response
    }

    /// The encoded answer. `found` is kept up to date with what is known of the request, for those
    /// who answer a refusal.
    async fn answer(
        &self,
        protocol: Protocol,
        parts: &Parts,
        body: Body,
        request_id: &str,
        room: &Arc<Room>,
        found: &mut Found,
    ) -> Result<Vec<u8>, Unanswered> {
        let Received { bytes: body, room: _room } = self.read_body(parts, body).await?;
        let (action, payload) = match protocol {
            Protocol::Json => (action_of_target(parts), Payload::Json(body.clone())),
            Protocol::Query => {
                let params = Params::parse(parts.uri.query(), &body).map_err(|malformed| {
                    Refusal::new(Kind::MalformedQueryString, malformed.to_string())
                })?;
                (action_of_params(&params), Payload::Query(params))
            }
        };
        found.service = service_of(parts, &payload, action.as_deref().ok());
        let known = action.as_deref().ok().and_then(|action| position(found.service, action));
        // Signatures go by real time, whatever the clock of the queues shows.
        let now_ms = SystemClock.now_ms();
        let caller = self.identify(parts, &body, found.service, known, now_ms)?;
        let action = action?;
        let index = known.ok_or_else(|| found.service.unknown_action(&action))?;
        found.operation = Some(index);
        let operation = &OPERATIONS[index];
        let on_queue = found.service == Service::Sqs && parts.uri.path() != "/";
        if protocol == Protocol::Query && on_queue && operation.reach != Reach::Queue {
            return Err(found.service.unknown_action(&action).into());
        }
        let cx = self.context(parts, caller, now_ms, room);
        let call = chaos::Call {
            service: found.service.name(),
            region: &cx.region,
            operation: operation.name,
        };
        if let Some(fault) = self.chaos.fault(call, fastrand::f64) {
            return Err(Unanswered::Struck(fault));
        }
        Ok((operation.run)(cx, payload, request_id.to_owned()).await?)
    }

    /// What is asked to go wrong.
    pub(super) fn chaos(&self) -> &Chaos {
        &self.chaos
    }

    /// Changes what may change; calls that run go on as before.
    pub(super) fn adjust(&self, adjusted: Adjustable) {
        *self.adjustable.write().unwrap_or_else(PoisonError::into_inner) = adjusted;
    }

    fn adjustable(&self) -> Adjustable {
        self.adjustable.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The service below.
    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The room that all answers share.
    pub(super) fn answers(&self) -> &Arc<Answers> {
        &self.answers
    }

    /// Room for an answer that is no operation's, and that is so long at most.
    pub(super) async fn reserve(&self, bytes: usize) -> Result<Arc<Room>, Refusal> {
        let room = self.answers.answer();
        if room.reserve(bytes).await { Ok(room) } else { Err(no_room()) }
    }

    /// Region of callers who name none.
    pub(super) fn region(&self) -> &str {
        &self.settings.region
    }

    /// Who asks for something that is no operation. Only the mode `strict` wants a signature there,
    /// for SQS or for SNS.
    pub(super) fn admit(&self, parts: &Parts, body: &[u8]) -> Result<Caller, Refusal> {
        let named = auth::scope_service(&parts.headers, parts.uri.query().unwrap_or_default());
        let named = named.and_then(|name| Service::named(&name));
        let service = if named == Some(Service::Sns) { Service::Sns } else { Service::Sqs };
        let mode = match self.settings.mode {
            Mode::Strict => Mode::Strict,
            Mode::KnownKeys | Mode::Off => Mode::Off,
        };
        self.identify_in(mode, parts, body, service, SystemClock.now_ms())
    }

    /// The whole body, within the limits that there are for bodies.
    pub(super) async fn read_body(&self, parts: &Parts, body: Body) -> Result<Received, Refusal> {
        let announced = header(&parts.headers, CONTENT_LENGTH.as_str())
            .and_then(|length| length.parse::<usize>().ok());
        let limit = self.bodies.longest();
        self.bodies.read(announced, body).await.map_err(|failure| match failure {
            Failure::TooLong => Refusal::new(
                Kind::RequestTooLarge,
                format!("The request is larger than this server accepts: {limit} bytes."),
            ),
            Failure::TooSlow => {
                Refusal::new(Kind::MalformedInput, "The request's body took too long.")
            }
            Failure::NoRoom => Refusal::new(
                Kind::RequestThrottled,
                "The request's body had to give way: the server is reading too many at once.",
            ),
            Failure::CutOff => Refusal::new(Kind::MalformedInput, "The request's body is cut off."),
        })
    }

    /// Who calls. `known` is the operation's place in the table, if it has one: some may be called
    /// by nobody in particular.
    fn identify(
        &self,
        parts: &Parts,
        body: &[u8],
        service: Service,
        known: Option<usize>,
        now_ms: i64,
    ) -> Result<Caller, Refusal> {
        let is_link = known.is_some_and(|index| OPERATIONS[index].reach == Reach::Link);
        let by_link = is_link && !auth::claims_signature(&signed_parts(parts, body, service));
        let mode = if by_link { Mode::Off } else { self.settings.mode };
        self.identify_in(mode, parts, body, service, now_ms)
    }

    fn identify_in(
        &self,
        mode: Mode,
        parts: &Parts,
        body: &[u8],
        service: Service,
        now_ms: i64,
    ) -> Result<Caller, Refusal> {
        let request = signed_parts(parts, body, service);
        let mut caller = auth::identify(mode, &self.credentials, &request, now_ms)?;
        let accounts = &self.settings.accounts;
        if accounts.parity || accounts.default != DEFAULT_ACCOUNT {
            self.place(&mut caller);
        }
        if self.settings.one_region {
            caller.region = Some(self.settings.region.clone());
        }
        Ok(caller)
    }

    /// Puts a caller whom no key that is known puts into an account into the one of the settings.
    fn place(&self, caller: &mut Caller) {
        let id = caller.access_key_id.as_deref().unwrap_or_default();
        if self.credentials.get(id).is_none() {
            caller.account = self.settings.accounts.of(id);
        }
    }

    /// Account of callers whose access key id names none.
    pub(super) fn account(&self) -> &str {
        &self.settings.accounts.default
    }

    /// Whether everybody is in the region of those who name none.
    pub(super) fn has_one_region(&self) -> bool {
        self.settings.one_region
    }

    fn context(
        &self,
        parts: &Parts,
        mut caller: Caller,
        received_at_ms: i64,
        room: &Arc<Room>,
    ) -> Context {
        let key = caller.access_key_id.as_deref().and_then(|id| self.credentials.get(id));
        // Whoever does not sign may still have said the region, in the host of a queue URL.
        let region = caller.region.take().or_else(|| {
            let host = header(&parts.headers, HOST.as_str())?;
            region_of_host(host).map(str::to_owned)
        });
        let Adjustable { cool_downs, conventions } = self.adjustable();
        Context {
            receive_overrides: receive_overrides(&conventions, parts),
            accounts: Arc::clone(&self.settings.accounts),
            one_region: self.settings.one_region,
            credentials: Arc::clone(&self.credentials),
            room: Arc::clone(room),
            received_at_ms,
            in_session: key.is_some_and(|key| key.session_token.is_some()),
            runtime: Arc::clone(&self.runtime),
            cool_downs,
            conventions,
            caller_arn: caller
                .arn()
                .unwrap_or_else(|| format!("arn:aws:iam::{}:root", caller.account)),
            signed: caller.access_key_id.is_some(),
            region: region.unwrap_or_else(|| self.settings.region.clone()),
            sender_id: caller.account.clone(),
            account: caller.account,
            principal: caller.principal,
            base_url: self.base_url(parts),
            path: parts.uri.path().to_owned(),
            trace_header: header(&parts.headers, TRACE_ID)
                .filter(|id| id.len() <= LONGEST_TRACE_ID)
                .map(str::to_owned),
        }
    }

    /// Queue URLs begin with the address that the caller has used, so that they work inside and
    /// outside a container network alike.
    fn base_url(&self, parts: &Parts) -> String {
        if let Some(url) = &self.settings.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        forwarded::base_url(&parts.headers, &parts.uri, self.settings.trust_forwarded)
    }
}

fn receive_overrides(conventions: &Conventions, parts: &Parts) -> ReceiveOverrides {
    if !conventions.receive_overrides {
        return ReceiveOverrides::default();
    }
    let number = |name| header(&parts.headers, name)?.trim().parse().ok();
    ReceiveOverrides {
        message_count: number("x-localstack-sqs-override-message-count"),
        wait_time_seconds: number("x-localstack-sqs-override-wait-time-seconds")
            .filter(|seconds| WAIT_TIME_SECONDS.contains(seconds)),
    }
}

/// What a signature covers.
fn signed_parts<'r>(parts: &'r Parts, body: &'r [u8], service: Service) -> auth::Request<'r> {
    auth::Request {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
        service: service.name(),
    }
}

/// Which protocol a request speaks, or none if it cannot be an AWS call.
fn protocol_of(parts: &Parts) -> Option<Protocol> {
    let is_json = parts.headers.contains_key(TARGET)
        || header(&parts.headers, CONTENT_TYPE.as_str())
            .is_some_and(|content| content.starts_with("application/x-amz-json"));
    let has_query = parts.uri.query().is_some_and(|query| !query.is_empty());
    match (parts.method.as_str(), is_json) {
        ("POST", true) => Some(Protocol::Json),
        ("POST", false) => Some(Protocol::Query),
        ("GET", _) if has_query => Some(Protocol::Query),
        _ => None,
    }
}

fn action_of_target(parts: &Parts) -> Result<String, Refusal> {
    let target = header(&parts.headers, TARGET).ok_or_else(|| {
        Refusal::new(Kind::MissingAction, "The request must contain the header X-Amz-Target.")
    })?;
    match service_of_target(parts).and_then(|service| target.strip_prefix(service.json_target())) {
        Some(action) => Ok(action.to_owned()),
        None => Err(Service::Sqs.unknown_action(target)),
    }
}

/// The service whose operations the header X-Amz-Target names.
fn service_of_target(parts: &Parts) -> Option<Service> {
    let target = header(&parts.headers, TARGET)?;
    Service::ALL.into_iter().find(|service| target.starts_with(service.json_target()))
}

fn action_of_params(params: &Params) -> Result<String, Refusal> {
    params.get("Action").filter(|action| !action.is_empty()).map(str::to_owned).ok_or_else(|| {
        Refusal::new(Kind::MissingAction, "The request must contain the parameter Action.")
    })
}

/// Why there is no answer.
enum Unanswered {
    /// AWS would not answer either.
    Refused(Refusal),
    /// Somebody has asked for a fault.
    Struck(chaos::Answer),
}

impl From<Refusal> for Unanswered {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What is known of a request so far.
struct Found {
    service: Service,
    /// Its place in the table of operations.
    operation: Option<usize>,
}

/// The service that is called: the one that alone has such an action, else the one that the caller
/// has signed for, else the one whose version of the API is asked for, else SQS.
fn service_of(parts: &Parts, payload: &Payload, action: Option<&str>) -> Service {
    let Payload::Query(params) = payload else {
        return service_of_target(parts).unwrap_or(Service::Sqs);
    };
    let mut having = OPERATIONS.iter().filter(|known| Some(known.name) == action);
    if let (Some(only), None) = (having.next(), having.next()) {
        return only.service;
    }
    auth::scope_service(&parts.headers, parts.uri.query().unwrap_or_default())
        .and_then(|name| Service::named(&name))
        .or_else(|| params.get("Version").and_then(Service::of_version))
        .unwrap_or(Service::Sqs)
}

fn position(service: Service, action: &str) -> Option<usize> {
    OPERATIONS.iter().position(|known| known.service == service && known.name == action)
}

/// A header, if it is text.
pub(super) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Request ids are no state: nothing depends on them, and nothing repeats them.
pub(super) fn fresh_request_id() -> String {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid().to_string()
}

/// An answer in this protocol.
pub(super) fn respond<B>(
    status: StatusCode,
    protocol: Protocol,
    request_id: &str,
    body: B,
) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        match protocol {
            Protocol::Json => JSON_CONTENT,
            Protocol::Query => XML_CONTENT,
        },
    );
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// The answer that tells of a refusal, in this protocol.
pub(super) fn refuse(
    service: Service,
    refusal: &Refusal,
    protocol: Protocol,
    request_id: &str,
) -> Response<Body> {
    let row = row(service, refusal.kind);
    if let Some(cause) = &refusal.internal {
        tracing::error!(request_id, cause, "a request failed");
    } else {
        // Not the message: it may repeat what the caller has signed with.
        tracing::debug!(request_id, code = row.query_code, "refused");
    }
    respond_with_error(
        &Told {
            namespace: row.namespace,
            json_type: row.json_type,
            query_code: row.query_code,
            sender: row.sender,
            status: row.status,
            message: &message(refusal, protocol),
        },
        service,
        protocol,
        request_id,
    )
}

/// The answer to a call that was to fail. Errors that the service has are called as it calls them.
fn fail(
    service: Service,
    fault: &chaos::Answer,
    protocol: Protocol,
    request_id: &str,
) -> Response<Body> {
    let (code, status) = (fault.code(), fault.status());
    let known = row_named(service, code);
    respond_with_error(
        &Told {
            namespace: known.map_or("com.amazon.coral.service", |row| row.namespace),
            json_type: known.map_or(code, |row| row.json_type),
            query_code: known.map_or(code, |row| row.query_code),
            sender: status < 500,
            status,
            message: "This fault was asked for.",
        },
        service,
        protocol,
        request_id,
    )
}

/// An error as a caller is told of it.
struct Told<'e> {
    namespace: &'e str,
    json_type: &'e str,
    query_code: &'e str,
    /// Whether the caller is to blame.
    sender: bool,
    status: u16,
    message: &'e str,
}

fn respond_with_error(
    told: &Told<'_>,
    service: Service,
    protocol: Protocol,
    request_id: &str,
) -> Response<Body> {
    let body = match protocol {
        Protocol::Json => json::error_body(told.namespace, told.json_type, told.message),
        Protocol::Query => xml::error_body(
            service.dialect(),
            told.sender,
            told.query_code,
            told.message,
            request_id,
        ),
    };
    let status = StatusCode::from_u16(told.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = respond(status, protocol, request_id, Body::from(body));
    if protocol == Protocol::Json {
        let fault = if told.sender { "Sender" } else { "Receiver" };
        if let Ok(value) = HeaderValue::from_str(&format!("{};{fault}", told.query_code)) {
            response.headers_mut().insert(QUERY_ERROR, value);
        }
    }
    response
}

/// Returns the answer to a request that is rejected by its head alone, before its body is read, in the
/// protocol and of the service that the head names.
pub(super) fn reject(parts: &Parts, refusal: &Refusal) -> Response<Body> {
    let protocol = protocol_of(parts).unwrap_or(Protocol::Json);
    let query = parts.uri.query().unwrap_or_default();
    let signed_for = || Service::named(&auth::scope_service(&parts.headers, query)?);
    let service = service_of_target(parts).or_else(signed_for).unwrap_or(Service::Sqs);
    refuse(service, refusal, protocol, &fresh_request_id())
}

/// What AWS answers to a bare GET.
fn not_found(request_id: &str) -> Response<Body> {
    let body = b"<UnknownOperationException/>\n".to_vec();
    respond(StatusCode::NOT_FOUND, Protocol::Query, request_id, Body::from(body))
}
