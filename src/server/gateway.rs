//! One request from start to end: identify the caller, select the protocol, read the body, find the
//! operation, verify the signature, run the operation, encode the response.
//!
//! Every response has a request ID. The log contains the causes of Squab's own faults with that ID;
//! callers do not get them.

// Rule (every operation): errors come in this order: no call at all, a signature that the head alone
//   shows to be missing, incomplete or unknown, a body that cannot be read, a form that cannot be read,
//   a signature that does not match, no action, an unknown action, an address at which the action
//   cannot be called, and then those of the operation.
// Source: inferred, AWS documents single steps only
// Test: tests/selection.rs::errors_come_in_their_order

use super::access_log;
use super::app::{App, Live};
use super::audit::{self, Entry};
use super::callers::{announced_length, discard, signed_parts, slot_of};
use super::chaos;
use super::forwarded;
use super::limits::body::Received;
use super::response::{charged_body, fail, fresh_request_id, header, not_found, refuse, respond};
use super::selection::{self, Selection};
use crate::api::error::{row, row_named};
use crate::api::operations::{OPERATIONS, Operation, Payload, Reply, Scope, Service};
use crate::api::{self, CompatOptions, Context, CoolDowns, ReceiveOverrides};
use crate::auth::account::Accounts;
use crate::auth::{self, Caller, CallerIdentity, Credentials, Mode, Principal, RequestSignature};
use crate::domain::address::{QueueAddress, invalid_address, region_of_host};
use crate::domain::limits::WAIT_TIME_SECONDS;
use crate::domain::{Kind, Refusal};
use crate::engine::access::{Access, not_permitted};
use crate::runtime::clock::{Clock, SystemClock};
use crate::runtime::memory::{Charge, Memory, no_memory};
use crate::wire::Encoding;
use crate::wire::form::Params;
use axum::body::Body;
use hyper::header::HOST;
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::sync::Arc;
use tokio::time::Instant;

const TRACE_ID: &str = "x-amzn-trace-id";
/// The longest trace ID that messages carry, in bytes. X-Ray's have a few hundred.
const LONGEST_TRACE_ID: usize = 1_024;
/// The longest body, in bytes, of an unsigned call while other calls need a signature.
const LINK_BYTES: usize = 8 * 1024;
/// The code of a fault in metrics, if it is not the code of an AWS error.
const FAULT: &str = "Fault";

/// The settings of the gateway.
#[derive(Debug)]
pub struct GatewaySettings {
    /// The region of callers who name none.
    pub region: String,
    /// Which signatures are verified.
    pub mode: Mode,
    /// The configured keys.
    pub credentials: Credentials,
    /// Which of the 60-second cool-downs apply.
    pub cool_downs: CoolDowns,
    /// The base of queue URLs and links, instead of the Host header.
    pub public_url: Option<String>,
    /// How queue URLs are written, and what receivers may override.
    pub compat_options: Arc<CompatOptions>,
    /// Whether all callers are in this region, whatever region they sign for.
    pub one_region: bool,
    /// The accounts of callers with unknown keys.
    pub accounts: Arc<Accounts>,
    /// Whether X-Forwarded-Proto, X-Forwarded-Host and Forwarded are trusted.
    pub trust_forwarded: bool,
    /// The longest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// The memory that connections, requests and responses share.
    pub memory: Arc<Memory>,
    /// The delay of responses in milliseconds, to simulate a slow service.
    pub delay_ms: RangeInclusive<u32>,
}

impl App {
    /// Answers one AWS call.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let started = Instant::now();
        let request_id = fresh_request_id();
        let (parts, body) = request.into_parts();
        // Signatures are checked against the wall clock, not the clock of the queues.
        let now_ms = SystemClock.now_ms();
        let presented =
            RequestSignature::find(&parts.headers, parts.uri.query().unwrap_or_default());
        let recognized = self.callers.recognize(&presented, now_ms);
        let covers = |name: &str| recognized.as_ref().map_or(true, |it| it.covers(name));
        let Some(selection) = selection::select(&parts, covers) else {
            return not_found(&request_id);
        };
        if let Some(delay) = self.chaos.delay(fastrand::f64) {
            // The future is boxed because it is large.
            Box::pin(tokio::time::sleep(delay)).await;
        }
        let mut known = Known {
            service: Service::Sqs,
            operation: None,
            encoding: selection.encoding(),
            audited: None,
        };
        let charge = self.charge(&parts);
        let call = Call { parts: &parts, presented: &presented, recognized, selection, now_ms };
        let outcome = match self.answer(call, body, &request_id, &charge, &mut known).await {
            // A receive has reserved its memory already, and a failed read loses nothing.
            Ok(body) if !charge.reserve_answer(body.len()).await => Err(no_memory().into()),
            outcome => outcome,
        };
        let (result, response) = match outcome {
            Ok(body) => {
                let body = charged_body(charge, body);
                (Ok(()), respond(StatusCode::OK, known.encoding, &request_id, body))
            }
            Err(Failure::Refused(refusal)) => (
                Err(row(known.service, refusal.kind).query_code),
                refuse(known.service, &refusal, known.encoding, &request_id),
            ),
            Err(Failure::Injected(fault)) => (
                Err(row_named(known.service, fault.code()).map_or(FAULT, |row| row.query_code)),
                fail(known.service, &fault, known.encoding, &request_id),
            ),
        };
        if let Some(entry) = &known.audited {
            entry.log(result.err().unwrap_or("ok"));
        }
        self.metrics.record(known.operation, result, started.elapsed());
        response
    }

    /// Returns the encoded response. `known` is updated on the way, so that a rejection can be
    /// encoded and logged.
    async fn answer(
        &self,
        call: Call<'_>,
        body: Body,
        request_id: &str,
        charge: &Arc<Charge>,
        known: &mut Known,
    ) -> Result<Vec<u8>, Failure> {
        let Call { parts, presented, recognized, selection, now_ms } = call;
        let checked = recognized.and_then(|mut recognized| {
            let service = match &selection {
                Selection::Json { service, .. } => Some(service.name()),
                Selection::Query { .. } => None,
            };
            let head = signed_parts(parts, &[], Service::Sqs);
            recognized.check_head(&self.callers.credentials, &head, service)?;
            Ok(recognized)
        });
        let by_link =
            presented.is_nothing() && checked.is_err() && selection::names_link(parts, &selection);
        let recognized = match checked {
            Ok(recognized) => recognized,
            Err(_) if by_link => CallerIdentity::anonymous(),
            Err(refusal) => {
                discard(parts, body);
                known.service = service_of_head(parts, &selection);
                self.callers.reject(parts, presented, None, &refusal);
                return Err(refusal.into());
            }
        };
        let mut received = match selection {
            // A link has its parameters in the URL. The body is ignored.
            Selection::Query { .. } if by_link => {
                discard(parts, body);
                Received::empty()
            }
            _ => {
                let longest = if by_link { LINK_BYTES } else { usize::MAX };
                let (announced, slot) = (announced_length(parts), slot_of(parts));
                self.bodies.read(longest, announced, body, slot).await?
            }
        };
        received.allow_decoding(matches!(selection, Selection::Json { .. })).await?;
        let (action, payload) = match selection {
            Selection::Json { service, operation } => {
                known.service = service;
                (operation.map(str::to_owned), Payload::Json(received.bytes.clone()))
            }
            Selection::Query { .. } => {
                let sent = parts.uri.query().unwrap_or_default();
                let query = if recognized.is_verified() {
                    auth::in_signed_order(sent)
                } else {
                    Cow::Borrowed(sent)
                };
                let params =
                    Params::parse(Some(&*query), &received.bytes).map_err(|malformed| {
                        Refusal::new(Kind::MalformedQueryString, malformed.to_string())
                    })?;
                known.encoding = selection::query_encoding(&params, known.encoding);
                let action = action_of_params(&params);
                known.service = service_of(parts, &params, action.as_deref().ok());
                (action, Payload::Query(params))
            }
        };
        let index = action.as_deref().ok().and_then(|action| position(known.service, action));
        let meaning = Meaning::of(parts, &recognized, self.live());
        let request = signed_parts(parts, &received.bytes, known.service);
        let verified = recognized.prove(&self.callers.credentials, &request, now_ms);
        let caller = verified.inspect_err(|refusal| {
            let name = index.map(|index| OPERATIONS[index].name);
            self.callers.reject(parts, presented, name, refusal);
        })?;
        let caller = self.callers.placed(caller);
        let action = action?;
        let index = index.ok_or_else(|| known.service.unknown_action(&action))?;
        known.operation = Some(index);
        let operation = &OPERATIONS[index];
        let who = operation.is_administrative().then(|| self.callers.who(parts, &caller));
        let cx = self.context(parts, meaning, caller, operation, now_ms, charge);
        let resource =
            || audit::resource_of(&payload, &cx.path, &cx.caller.account, &cx.caller.region);
        access_log::record(operation, &cx.caller.account, request_id, resource);
        known.audited = who.map(|who| {
            let operation = format!("{}:{}", operation.service.name(), operation.name);
            Box::new(Entry { who, operation, resource: resource() })
        });
        self.runtime.storage().admit(operation.stores())?;
        check_role(operation, &cx)?;
        if let Payload::Query(params) = &payload {
            check_address(operation, params, &cx)?;
        }
        let call = chaos::Call {
            service: known.service.name(),
            region: &cx.caller.region,
            operation: operation.name,
            account: &cx.caller.account,
        };
        if let Some(fault) = self.chaos.fault(call, fastrand::f64) {
            return Err(Failure::Injected(fault));
        }
        let reply = Reply { encoding: known.encoding, request_id: request_id.to_owned() };
        Ok((operation.run)(cx, payload, reply).await?)
    }

    fn context(
        &self,
        parts: &Parts,
        meaning: Meaning,
        mut caller: Caller,
        operation: &Operation,
        received_at_ms: i64,
        charge: &Arc<Charge>,
    ) -> Context {
        let caller_arn =
            caller.arn().unwrap_or_else(|| format!("arn:aws:iam::{}:root", caller.account));
        let role = self.callers.role_of(&caller);
        // A link in a message has no caller: its token is the permission.
        let is_link = operation.scope == Scope::Link && caller.principal == Principal::Anonymous;
        let access = if is_link || !self.callers.are_isolated() {
            Access::everything()
        } else {
            operation.access(&caller.account, &caller_arn, role)
        };
        let key = caller.access_key_id.as_deref().and_then(|id| self.callers.credentials.get(id));
        // An unsigned request may still name its region, in the host of a queue URL.
        let region = caller.region.take().or_else(|| {
            let host = header(&parts.headers, HOST.as_str())?;
            region_of_host(host).map(str::to_owned)
        });
        let Live { cool_downs, compat_options } = meaning.live;
        let caller = api::Caller {
            region: region.unwrap_or_else(|| self.settings.region.clone()),
            in_session: key.is_some_and(|key| key.session_token.is_some()),
            arn: caller_arn,
            role,
            access,
            key_id: caller.access_key_id,
            account: caller.account,
            principal: caller.principal,
        };
        Context {
            receive_overrides: meaning.receive_overrides,
            accounts: Arc::clone(&self.callers.accounts),
            one_region: self.settings.one_region,
            caller: Arc::new(caller),
            credentials: Arc::clone(&self.callers.credentials),
            charge: Arc::clone(charge),
            received_at_ms,
            runtime: Arc::clone(&self.runtime),
            cool_downs,
            compat_options,
            base_url: self.base_url(parts),
            path: meaning.path,
            trace_header: header(&parts.headers, TRACE_ID)
                .filter(|id| id.len() <= LONGEST_TRACE_ID)
                .map(str::to_owned),
        }
    }

    /// Queue URLs begin with the address that the caller used, so they work both inside and outside
    /// a container network.
    fn base_url(&self, parts: &Parts) -> String {
        if let Some(url) = &self.settings.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        forwarded::base_url(&parts.headers, &parts.uri, self.settings.trust_forwarded)
    }
}

/// Rejects an operation that the role of the caller's key does not permit, if accounts are
/// isolated.
fn check_role(operation: &Operation, cx: &Context) -> Result<(), Refusal> {
    if !cx.caller.access.is_limited() || cx.caller.role >= operation.role() {
        return Ok(());
    }
    let service = operation.service.name();
    let all = format!("arn:aws:{service}:{}:{}:*", cx.caller.region, cx.caller.account);
    Err(not_permitted(&cx.caller.arn, service, operation.action(), &all))
}

/// A call whose head was read.
struct Call<'r> {
    parts: &'r Parts,
    presented: &'r RequestSignature<'r>,
    recognized: Result<CallerIdentity<'r>, Refusal>,
    selection: Selection<'r>,
    /// When it arrived, in Unix milliseconds.
    now_ms: i64,
}

// Rule (every operation): the path of a verified request means what is signed, which is the path without
//   empty and dot segments.
// Source: documented, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
// Test: tests/signatures.rs::no_unsigned_part_selects_what_a_request_does
//
/// The remaining facts from the head of a request, and the settings at its arrival. For a verified
/// request only signed parts count. X-Amzn-Trace-Id is not part of this: signers leave it out
/// because proxies write it, and it selects nothing.
struct Meaning {
    path: String,
    receive_overrides: ReceiveOverrides,
    live: Live,
}

impl Meaning {
    fn of(parts: &Parts, recognized: &CallerIdentity<'_>, live: Live) -> Self {
        let may_override = live.compat_options.receive_overrides;
        let sent = parts.uri.path();
        let path =
            if recognized.is_verified() { auth::plain_path(sent) } else { Cow::Borrowed(sent) };
        let number = |name: &str| {
            let value = may_override.then(|| header(&parts.headers, name))??;
            recognized.covers(name).then(|| value.trim().parse().ok())?
        };
        let receive_overrides = ReceiveOverrides {
            message_count: number("x-localstack-sqs-override-message-count"),
            wait_time_seconds: number("x-localstack-sqs-override-wait-time-seconds")
                .filter(|seconds| WAIT_TIME_SECONDS.contains(seconds)),
        };
        Self { path: path.into_owned(), receive_overrides, live }
    }
}

// Rule (ListQueues, CreateQueue): AWS Query has no such action on the path of a queue: InvalidAction.
// Source: recorded
// Test: tests/selection.rs::a_queues_own_path_has_the_actions_of_a_queue_and_get_queue_url
//
// Rule (GetQueueUrl): AWS Query has it on the path of a queue as well.
// Source: inferred, tests that other projects run against AWS
// Test: tests/selection.rs::a_queues_own_path_has_the_actions_of_a_queue_and_get_queue_url
//
// Rule (SendMessage, ReceiveMessage, SetQueueAttributes): a call of AWS Query at the service's own
//   address, with no QueueUrl, is InvalidAddress, status 404, with that address in the message.
// Source: reported, jegesh/python-sqs-listener#30, and the status in aws/aws-sdk-net#437
// Test: tests/recorded/sqs-protocol.jsonl#sqs-query-call-on-the-service-url, tests/selection.rs::the_services_own_address_is_none_of_a_queue
//
// Rule (every operation): a path that is not the one of a queue, such as the context path of an
//   endpoint, is an address of the service.
// Source: inferred, SDKs send to the path of their endpoint
// Test: tests/selection.rs::calls_arrive_below_any_context_path
//
/// Rejects an SQS operation at an address where AWS Query does not offer it.
fn check_address(operation: &Operation, params: &Params, cx: &Context) -> Result<(), Refusal> {
    if operation.service != Service::Sqs {
        return Ok(());
    }
    let is_absent = |name| params.get(name).is_none_or(str::is_empty);
    match operation.scope {
        Scope::Queue if is_absent("QueueUrl") => {
            match QueueAddress::from_path(&cx.path, &cx.caller.account, &cx.caller.region) {
                Some(_) => Ok(()),
                None => Err(invalid_address(&format!("{}{}", cx.base_url, cx.path))),
            }
        }
        Scope::Global | Scope::Link if QueueAddress::is_path_of_queue(&cx.path) => {
            Err(operation.service.unknown_action(operation.name))
        }
        Scope::Queue | Scope::Global | Scope::Link | Scope::Anywhere => Ok(()),
    }
}

fn action_of_params(params: &Params) -> Result<String, Refusal> {
    params.get("Action").filter(|action| !action.is_empty()).map(str::to_owned).ok_or_else(|| {
        Refusal::new(Kind::MissingAction, "The request must contain the parameter Action.")
    })
}

/// Why a call has no result.
enum Failure {
    /// An error that AWS would return too.
    Refused(Refusal),
    /// A requested fault.
    Injected(chaos::Answer),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The facts about a request so far.
struct Known {
    service: Service,
    /// The index in the table of operations.
    operation: Option<usize>,
    /// The encoding of the response.
    encoding: Encoding,
    /// The audit log line, without the result.
    audited: Option<Box<Entry>>,
}

// Rule (sqs.AddPermission, sns.AddPermission, sqs.RemovePermission, sns.RemovePermission): a call of
//   AWS Query is for the service of its signature, else for the one with the given Version.
// Source: inferred, AWS has a host for each service; all other actions name their service
// Test: compat-suite/boto3/test_sns_errors.py::test_the_signed_service_counts
//
/// Returns the service of a request by its head, for a response before the body is read: that of
/// the target, of the signature, or of the host (`sns.eu-west-1.…`), else SQS.
pub(super) fn service_of_head(parts: &Parts, selection: &Selection<'_>) -> Service {
    if let Selection::Json { service, .. } = selection {
        return *service;
    }
    auth::scope_service(&parts.headers, parts.uri.query().unwrap_or_default())
        .and_then(|name| Service::named(&name))
        .or_else(|| Service::named(header(&parts.headers, HOST.as_str())?.split('.').next()?))
        .unwrap_or(Service::Sqs)
}

/// Returns the service of an AWS Query call: the only one that has such an action, else that of the
/// signature, else the one with this API version, else SQS.
fn service_of(parts: &Parts, params: &Params, action: Option<&str>) -> Service {
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
