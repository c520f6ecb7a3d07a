//! One request, top to bottom: recognize the caller, select the protocol, read the body, find the
//! operation, verify the signature, run the operation, encode the answer.
//!
//! Every answer carries a request id. The log has the causes of Squab's own faults with that id;
//! callers do not get them.

// Rule (every operation): errors come in this order: no call at all, a signature that the head alone
//   shows to be missing, incomplete or unknown, a body that cannot be read, a form that cannot be read,
//   a signature that does not match, no action, an unknown action, an address at which the action
//   cannot be called, and then those of the operation.
// Source: inferred, AWS documents single steps only
// Test: tests/selection.rs::errors_come_in_their_order

use crate::api::error::{message, row, row_named};
use crate::api::operations::{OPERATIONS, Operation, Payload, Reach, Reply, Service};
use crate::api::{Context, Conventions, CoolDowns, ReceiveOverrides};
use crate::auth::account::{Accounts, DEFAULT_ACCOUNT};
use crate::auth::{self, Caller, Credentials, Mode, Presented, Principal, Recognized, Role};
use crate::domain::address::{QueueAddress, invalid_address, region_of_host};
use crate::domain::limits::WAIT_TIME_SECONDS;
use crate::domain::{Kind, Refusal};
use crate::engine::access::{self, Access, not_permitted};
use crate::runtime::Runtime;
use crate::runtime::answers::{Answers, Room, no_room};
use crate::runtime::clock::{Clock, SystemClock};
use crate::server::audit::{self, Audit, Entry, Who};
use crate::server::bodies::{self, Bodies, Failure, Received};
use crate::server::chaos::{self, Chaos};
use crate::server::forwarded;
use crate::server::held;
use crate::server::metrics::Metrics;
use crate::server::selection::{self, Selection};
use crate::store::Ids;
use crate::wire::form::Params;
use crate::wire::{Encoding, json, query_json, xml};
use axum::body::Body;
use hyper::header::{
    CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::time::Instant;

const JSON_CONTENT: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
const QUERY_JSON_CONTENT: HeaderValue = HeaderValue::from_static("application/json");
const XML_CONTENT: HeaderValue = HeaderValue::from_static("text/xml");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");
const TRACE_ID: &str = "x-amzn-trace-id";
/// Bytes of a trace id that messages carry; X-Ray's have some hundred.
const LONGEST_TRACE_ID: usize = 1_024;
/// Bytes of the body of a call that is made without a signature where others need one.
const LINK_BYTES: usize = 8 * 1024;
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
    audit: Audit,
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
        let audit = Audit::new(Arc::clone(&metrics));
        Self { runtime, settings, credentials, adjustable, chaos, audit, metrics, bodies, answers }
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let started = Instant::now();
        let request_id = fresh_request_id();
        let (parts, body) = request.into_parts();
        // Signatures go by real time, whatever the clock of the queues shows.
        let now_ms = SystemClock.now_ms();
        let presented = Presented::find(&parts.headers, parts.uri.query().unwrap_or_default());
        let recognized = self.recognize(&presented, now_ms);
        let covers = |name: &str| recognized.as_ref().map_or(true, |it| it.covers(name));
        let Some(selection) = selection::select(&parts, covers) else {
            return not_found(&request_id);
        };
        if let Some(delay) = self.chaos.delay(fastrand::f64) {
            // Boxed, so that calls do not carry the size of it.
            Box::pin(tokio::time::sleep(delay)).await;
        }
        let encoding = selection.encoding();
        let mut found = Found { service: Service::Sqs, operation: None, encoding, audited: None };
        let room = self.answers.answer();
        let call = Call { parts: &parts, presented: &presented, recognized, selection, now_ms };
        let outcome = self.answer(call, body, &request_id, &room, &mut found).await;
        // A receive has its room already; of what only reads nothing is lost.
        let outcome = outcome.and_then(|body| {
            if room.try_hold(body.len()) { Ok(body) } else { Err(no_room().into()) }
        });
        let (result, response) = match outcome {
            Ok(body) => {
                let response = respond(StatusCode::OK, found.encoding, &request_id, body);
                (Ok(()), held::response(room, response))
            }
            Err(Unanswered::Refused(refusal)) => (
                Err(row(found.service, refusal.kind).query_code),
                refuse(found.service, &refusal, found.encoding, &request_id),
            ),
            Err(Unanswered::Struck(fault)) => (
                Err(row_named(found.service, fault.code()).map_or(FAULT, |row| row.query_code)),
                fail(found.service, &fault, found.encoding, &request_id),
            ),
        };
        if let Some(entry) = &found.audited {
            entry.log(result.err().unwrap_or("ok"));
        }
        self.metrics.record(found.operation, result, started.elapsed());
        response
    }

    /// The encoded answer. `found` is kept up to date with what is known of the request, for the
    /// answer to a refusal.
    async fn answer(
        &self,
        call: Call<'_>,
        body: Body,
        request_id: &str,
        room: &Arc<Room>,
        found: &mut Found,
    ) -> Result<Vec<u8>, Unanswered> {
        let Call { parts, presented, recognized, selection, now_ms } = call;
        let by_link = presented.is_nothing() && recognized.is_err();
        let checked = recognized.and_then(|mut recognized| {
            let service = match &selection {
                Selection::Json { service, .. } => Some(service.name()),
                Selection::Query { .. } => None,
            };
            let head = signed_parts(parts, &[], Service::Sqs);
            recognized.check_head(&self.credentials, &head, service)?;
            Ok(recognized)
        });
        let recognized = match checked {
            Err(_) if by_link && selection::names_link(parts, &selection) => {
                Recognized::anonymous()
            }
            Ok(recognized) => recognized,
            Err(refusal) => {
                discard(parts, body);
                found.service = service_of_head(parts, &selection);
                self.reject(parts, presented, None, &refusal);
                return Err(refusal.into());
            }
        };
        let Received { bytes: body, room: _room } = match selection {
            // A link has its parameters in the URL: what else comes decides nothing.
            Selection::Query { .. } if by_link => {
                discard(parts, body);
                self.read_up_to(0, parts, Body::empty()).await?
            }
            Selection::Json { .. } if by_link => self.read_up_to(LINK_BYTES, parts, body).await?,
            _ => self.read_up_to(usize::MAX, parts, body).await?,
        };
        let (action, payload) = match selection {
            Selection::Json { service, operation } => {
                found.service = service;
                (operation.map(str::to_owned), Payload::Json(body.clone()))
            }
            Selection::Query { .. } => {
                let sent = parts.uri.query().unwrap_or_default();
                let query = if recognized.is_verified() {
                    auth::in_signed_order(sent)
                } else {
                    Cow::Borrowed(sent)
                };
                let params = Params::parse(Some(&*query), &body).map_err(|malformed| {
                    Refusal::new(Kind::MalformedQueryString, malformed.to_string())
                })?;
                found.encoding = selection::query_encoding(&params, found.encoding);
                let action = action_of_params(&params);
                found.service = service_of(parts, &params, action.as_deref().ok());
                (action, Payload::Query(params))
            }
        };
        let known = action.as_deref().ok().and_then(|action| position(found.service, action));
        let means = Meaning::of(parts, &recognized);
        let proven =
            recognized.prove(&self.credentials, &signed_parts(parts, &body, found.service), now_ms);
        let caller = proven.inspect_err(|refusal| self.reject(parts, presented, known, refusal))?;
        let caller = self.placed(caller);
        let action = action?;
        let index = known.ok_or_else(|| found.service.unknown_action(&action))?;
        found.operation = Some(index);
        let operation = &OPERATIONS[index];
        let who = operation.is_administrative.then(|| self.who(parts, &caller));
        let cx = self.context(parts, means, caller, operation, now_ms, room);
        found.audited = who.map(|who| {
            let resource = audit::resource_of(&payload, &cx.path, &cx.account, &cx.region);
            let operation = format!("{}:{}", operation.service.name(), operation.name);
            Box::new(Entry { who, operation, resource })
        });
        self.runtime.storage().admit(operation.stores())?;
        check_role(operation, &cx)?;
        if let Payload::Query(params) = &payload {
            check_address(operation, params, &cx)?;
        }
        let call = chaos::Call {
            service: found.service.name(),
            region: &cx.region,
            operation: operation.name,
            account: &cx.account,
        };
        if let Some(fault) = self.chaos.fault(call, fastrand::f64) {
            return Err(Unanswered::Struck(fault));
        }
        let reply = Reply { encoding: found.encoding, request_id: request_id.to_owned() };
        Ok((operation.run)(cx, payload, reply).await?)
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

    /// Returns the caller of a request that is no operation, which is signed for SQS or for SNS. Refused
    /// with AccessDenied unless the caller has this role.
    pub(super) fn admit(
        &self,
        parts: &Parts,
        body: &[u8],
        role: Role,
    ) -> Result<Admitted, Refusal> {
        let query = parts.uri.query().unwrap_or_default();
        let presented = Presented::find(&parts.headers, query);
        let now_ms = SystemClock.now_ms();
        let caller = self.recognize(&presented, now_ms).and_then(|recognized| {
            if recognized.is_verified() {
                check_beside(parts, &recognized, body)?;
            }
            let request = signed_parts(parts, body, service_beside(parts));
            recognized.prove(&self.credentials, &request, now_ms)
        });
        let caller = caller.inspect_err(|refusal| self.reject(parts, &presented, None, refusal))?;
        let caller = self.placed(caller);
        let admitted = Admitted {
            role: if self.isolates_accounts() { self.role_of(&caller) } else { Role::Admin },
            is_isolated: self.isolates_accounts(),
            caller,
        };
        admitted.check(role)?;
        Ok(admitted)
    }

    /// Recognizes the caller of a request by its head. One that names an account to which a configured
    /// key belongs must prove that, in every mode that verifies signatures.
    fn recognize<'p>(
        &self,
        presented: &'p Presented<'p>,
        now_ms: i64,
    ) -> Result<Recognized<'p>, Refusal> {
        let mode = self.settings.mode;
        let recognized = auth::recognize(mode, &self.credentials, presented, now_ms)?;
        let must_prove = mode == Mode::KnownKeys
            && recognized.believed().is_some_and(|caller| {
                self.credentials.has_account(&self.placed(caller.clone()).account)
            });
        if must_prove {
            return auth::recognize(Mode::Strict, &self.credentials, presented, now_ms);
        }
        Ok(recognized)
    }

    /// Returns whether accounts are isolated from each other: where keys are verified.
    pub(super) fn isolates_accounts(&self) -> bool {
        self.settings.mode != Mode::Off
    }

    /// The role of the caller's key; that of callers whose key is not known is the usual one.
    fn role_of(&self, caller: &Caller) -> Role {
        let key = caller.access_key_id.as_deref().and_then(|id| self.credentials.get(id));
        key.map_or_else(Role::default, |key| key.role)
    }

    /// Reads the whole body of a request that is no operation, within the limits for bodies, unless
    /// the head shows already that [`Self::admit`] will reject the request.
    pub(super) async fn read_body(&self, parts: &Parts, body: Body) -> Result<Received, Refusal> {
        {
            let presented = Presented::find(&parts.headers, parts.uri.query().unwrap_or_default());
            let recognized = self.recognize(&presented, SystemClock.now_ms());
            let checked = recognized.and_then(|mut recognized| {
                if recognized.is_verified() {
                    check_beside(parts, &recognized, &[])?;
                }
                let service = service_beside(parts);
                let head = signed_parts(parts, &[], service);
                recognized.check_head(&self.credentials, &head, Some(service.name()))
            });
            if let Err(refusal) = checked {
                discard(parts, body);
                self.reject(parts, &presented, None, &refusal);
                return Err(refusal);
            }
        }
        self.read_up_to(usize::MAX, parts, body).await
    }

    /// Reads a whole body of so many bytes at most, within the limits for bodies.
    async fn read_up_to(
        &self,
        bytes: usize,
        parts: &Parts,
        body: Body,
    ) -> Result<Received, Refusal> {
        let limit = self.bodies.longest().min(bytes);
        let announced = announced_length(parts).filter(|_| limit > 0);
        let read = self.bodies.read_up_to(limit, announced, body).await;
        read.map_err(|failure| match failure {
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

    /// Counts and logs a request that is rejected for its signature. `known`: the operation's place in
    /// the table, if it is known already.
    fn reject(
        &self,
        parts: &Parts,
        presented: &Presented<'_>,
        known: Option<usize>,
        refusal: &Refusal,
    ) {
        let who = Who {
            key_id: presented.access_key_id(),
            account: None,
            address: audit::address_of(parts, self.settings.trust_forwarded),
        };
        let operation = match known {
            Some(index) => OPERATIONS[index].name.to_owned(),
            None => selection::operation_of_head(parts)
                .unwrap_or_else(|| format!("{} {}", parts.method, parts.uri.path())),
        };
        self.audit.rejected(&who, &operation, refusal);
    }

    /// What the audit log says of a caller.
    fn who(&self, parts: &Parts, caller: &Caller) -> Who {
        Who {
            key_id: caller.access_key_id.clone(),
            account: Some(caller.account.clone()),
            address: audit::address_of(parts, self.settings.trust_forwarded),
        }
    }

    /// Logs a change that is made by no operation: a reset, or a change of the configuration.
    pub(super) fn log_change(&self, parts: &Parts, caller: &Caller, status: StatusCode) {
        let operation = format!("{} {}", parts.method, parts.uri.path());
        let who = self.who(parts, caller);
        Entry { who, operation, resource: String::new() }.log(status.as_str());
    }

    /// The caller in the account and region where the settings place it.
    fn placed(&self, mut caller: Caller) -> Caller {
        let accounts = &self.settings.accounts;
        if accounts.parity || accounts.default != DEFAULT_ACCOUNT {
            self.place(&mut caller);
        }
        if self.settings.one_region {
            caller.region = Some(self.settings.region.clone());
        }
        caller
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
        means: Meaning,
        mut caller: Caller,
        operation: &Operation,
        received_at_ms: i64,
        room: &Arc<Room>,
    ) -> Context {
        let caller_arn =
            caller.arn().unwrap_or_else(|| format!("arn:aws:iam::{}:root", caller.account));
        let role = self.role_of(&caller);
        // A link in a message has no caller: what it names is what it may use.
        let is_link = operation.reach == Reach::Link && caller.principal == Principal::Anonymous;
        let access = if is_link || !self.isolates_accounts() {
            Access::everything()
        } else {
            operation.access(&caller.account, &caller_arn, role)
        };
        let key = caller.access_key_id.as_deref().and_then(|id| self.credentials.get(id));
        // Whoever does not sign may still have said the region, in the host of a queue URL.
        let region = caller.region.take().or_else(|| {
            let host = header(&parts.headers, HOST.as_str())?;
            region_of_host(host).map(str::to_owned)
        });
        let Adjustable { cool_downs, conventions } = self.adjustable();
        Context {
            receive_overrides: if conventions.receive_overrides {
                means.receive_overrides
            } else {
                ReceiveOverrides::default()
            },
            accounts: Arc::clone(&self.settings.accounts),
            one_region: self.settings.one_region,
            credentials: Arc::clone(&self.credentials),
            room: Arc::clone(room),
            received_at_ms,
            in_session: key.is_some_and(|key| key.session_token.is_some()),
            runtime: Arc::clone(&self.runtime),
            cool_downs,
            conventions,
            caller_arn,
            role,
            access,
            signed: caller.access_key_id.is_some(),
            key_id: caller.access_key_id,
            region: region.unwrap_or_else(|| self.settings.region.clone()),
            sender_id: caller.account.clone(),
            account: caller.account,
            principal: caller.principal,
            base_url: self.base_url(parts),
            path: means.path,
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

/// The caller of a request that is no operation.
pub(super) struct Admitted {
    caller: Caller,
    /// What it may do: everything where accounts are not isolated.
    role: Role,
    is_isolated: bool,
}

impl Admitted {
    /// The region that the request is signed for.
    pub(super) fn region(&self) -> Option<&str> {
        self.caller.region.as_deref()
    }

    /// The caller.
    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The caller's account.
    pub(super) fn account(&self) -> &str {
        &self.caller.account
    }

    /// Returns the caller's account where that is all that the caller may use.
    pub(super) fn only_account(&self) -> Option<&str> {
        (self.role != Role::Admin).then_some(self.account())
    }

    /// Returns the account whose things are meant where the request names none: the caller's own, or
    /// `usual` where accounts are not isolated.
    pub(super) fn account_or<'a>(&'a self, usual: &'a str) -> &'a str {
        if self.is_isolated { self.account() } else { usual }
    }

    /// Returns which queues the caller may look into, by the rules of ReceiveMessage.
    pub(super) fn access(&self) -> Access {
        if self.role == Role::Admin {
            return Access::everything();
        }
        Access::of(access::Call {
            account: self.caller.account.clone(),
            arn: self.caller.arn().unwrap_or_default(),
            service: Service::Sqs.name(),
            action: "ReceiveMessage",
            is_shareable: false,
            is_exempt: false,
        })
    }

    /// Refuses what needs a role that the caller has not.
    pub(super) fn check(&self, role: Role) -> Result<(), Refusal> {
        if self.role >= role {
            return Ok(());
        }
        let needed = if role == Role::Admin { "admin" } else { "operate" };
        let message = format!("This needs a key with the role {needed}.");
        Err(Refusal::new(Kind::AccessDenied, message))
    }

    /// Refuses what belongs to another account, unless the caller is an admin.
    pub(super) fn check_account(&self, account: &str) -> Result<(), Refusal> {
        if self.only_account().is_none_or(|own| own == account) {
            return Ok(());
        }
        Err(Refusal::new(Kind::AccessDenied, "That belongs to another account."))
    }
}

/// Refuses an operation for which the caller's key has not the role, where accounts are isolated.
fn check_role(operation: &Operation, cx: &Context) -> Result<(), Refusal> {
    if !cx.access.is_limited() || cx.role >= operation.role() {
        return Ok(());
    }
    let service = operation.service.name();
    let all = format!("arn:aws:{service}:{}:{}:*", cx.region, cx.account);
    Err(not_permitted(&cx.caller_arn, service, operation.action(), &all))
}

/// A call whose head has been read.
struct Call<'r> {
    parts: &'r Parts,
    presented: &'r Presented<'r>,
    recognized: Result<Recognized<'r>, Refusal>,
    selection: Selection<'r>,
    /// When it arrived, in Unix milliseconds.
    now_ms: i64,
}

// Rule (every operation): the path of a verified request means what is signed, which is the path without
//   empty and dot segments.
// Source: documented, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
// Test: tests/signatures.rs::no_unsigned_part_selects_what_a_request_does
//
/// What the head of a request says beyond its protocol and operation. Of a verified request only what
/// is signed counts. X-Amzn-Trace-Id is no part of it: signers leave it out because proxies write it,
/// and it selects nothing.
struct Meaning {
    path: String,
    receive_overrides: ReceiveOverrides,
}

impl Meaning {
    fn of(parts: &Parts, recognized: &Recognized<'_>) -> Self {
        let sent = parts.uri.path();
        let path =
            if recognized.is_verified() { auth::plain_path(sent) } else { Cow::Borrowed(sent) };
        let number = |name: &str| {
            let value = header(&parts.headers, name)?;
            recognized.covers(name).then(|| value.trim().parse().ok())?
        };
        let receive_overrides = ReceiveOverrides {
            message_count: number("x-localstack-sqs-override-message-count"),
            wait_time_seconds: number("x-localstack-sqs-override-wait-time-seconds")
                .filter(|seconds| WAIT_TIME_SECONDS.contains(seconds)),
        };
        Self { path: path.into_owned(), receive_overrides }
    }
}

/// Rejects what a verified request beside the operations leaves unsigned: the route by which the server
/// found it, and how its body is read.
fn check_beside(parts: &Parts, recognized: &Recognized<'_>, body: &[u8]) -> Result<(), Refusal> {
    let path = parts.uri.path();
    if auth::plain_path(path) != path {
        let message = "The path must not have empty or dot segments: they are not signed.";
        return Err(Refusal::new(Kind::SignatureDoesNotMatch, message));
    }
    let query = parts.uri.query().unwrap_or_default();
    if auth::in_signed_order(query) != query {
        let message = "A parameter must not stand in the query twice: the order is not signed.";
        return Err(Refusal::new(Kind::SignatureDoesNotMatch, message));
    }
    let has_type = parts.headers.contains_key(CONTENT_TYPE);
    if has_type && !body.is_empty() && !recognized.covers(CONTENT_TYPE.as_str()) {
        let message = "'Content-Type' must be a 'SignedHeader' in the AWS Authorization.";
        return Err(Refusal::new(Kind::SignatureDoesNotMatch, message));
    }
    Ok(())
}

/// Returns the service for which a request beside the operations must be signed: SNS or else SQS.
fn service_beside(parts: &Parts) -> Service {
    let named = auth::scope_service(&parts.headers, parts.uri.query().unwrap_or_default());
    match named.and_then(|name| Service::named(&name)) {
        Some(Service::Sns) => Service::Sns,
        _ => Service::Sqs,
    }
}

/// Throws away the body of a request that is answered without it. A client that waits to be asked for
/// its body is not asked.
fn discard(parts: &Parts, body: Body) {
    if !parts.headers.contains_key(EXPECT) {
        bodies::discard(announced_length(parts), body);
    }
}

/// The length of the body in bytes, as the head announces it.
fn announced_length(parts: &Parts) -> Option<usize> {
    header(&parts.headers, CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok())
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
/// Refuses an operation of SQS at an address where AWS Query does not have it.
fn check_address(operation: &Operation, params: &Params, cx: &Context) -> Result<(), Refusal> {
    if operation.service != Service::Sqs {
        return Ok(());
    }
    let is_absent = |name| params.get(name).is_none_or(str::is_empty);
    match operation.reach {
        Reach::Queue if is_absent("QueueUrl") => {
            match QueueAddress::from_path(&cx.path, &cx.account, &cx.region) {
                Some(_) => Ok(()),
                None => Err(invalid_address(&format!("{}{}", cx.base_url, cx.path))),
            }
        }
        Reach::Global | Reach::Link if QueueAddress::is_path_of_queue(&cx.path) => {
            Err(operation.service.unknown_action(operation.name))
        }
        Reach::Queue | Reach::Global | Reach::Link | Reach::Anywhere => Ok(()),
    }
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
    /// The encoding of its answer.
    encoding: Encoding,
    /// The line of the audit log, without its result.
    audited: Option<Box<Entry>>,
}

// Rule (sqs.AddPermission, sns.AddPermission, sqs.RemovePermission, sns.RemovePermission): a call of
//   AWS Query is for the service of its signature, else for the one with the given Version.
// Source: inferred, AWS has a host for each service; all other actions name their service
// Test: compat-suite/boto3/test_sns_errors.py::test_the_signed_service_counts
//
/// The service that a request is for, as far as its head says, for the answer to one whose body is not
/// read: that of the target, of the signature, or of the host (`sns.eu-west-1.…`), else SQS.
fn service_of_head(parts: &Parts, selection: &Selection<'_>) -> Service {
    if let Selection::Json { service, .. } = selection {
        return *service;
    }
    auth::scope_service(&parts.headers, parts.uri.query().unwrap_or_default())
        .and_then(|name| Service::named(&name))
        .or_else(|| Service::named(header(&parts.headers, HOST.as_str())?.split('.').next()?))
        .unwrap_or(Service::Sqs)
}

/// The service that a call of AWS Query is for: the one that alone has such an action, else the one
/// of the signature, else the one with this version of the API, else SQS.
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

/// A header, if it is text.
pub(super) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

thread_local! {
    // Without randomness of the operating system the server does not start, so the other generator is
    // for a failure later on: a predictable request id is better than no answer.
    #[allow(clippy::disallowed_methods, reason = "a request id grants nothing")]
    static REQUEST_IDS: RefCell<Ids> =
        RefCell::new(Ids::unpredictable().unwrap_or_else(|_| Ids::with_seed(fastrand::u64(..))));
}

/// Returns a new request id. Request ids are no state: nothing depends on them, and nothing repeats
/// them.
pub(super) fn fresh_request_id() -> String {
    REQUEST_IDS.with_borrow_mut(Ids::fresh).to_string()
}

/// An answer in this encoding, or in the usual one of a protocol.
pub(super) fn respond<B>(
    status: StatusCode,
    encoding: impl Into<Encoding>,
    request_id: &str,
    body: B,
) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        match encoding.into() {
            Encoding::AwsJson => JSON_CONTENT,
            Encoding::Xml => XML_CONTENT,
            Encoding::QueryJson => QUERY_JSON_CONTENT,
        },
    );
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// The answer to a refused call, in this encoding, or in the usual one of a protocol.
pub(super) fn refuse(
    service: Service,
    refusal: &Refusal,
    encoding: impl Into<Encoding>,
    request_id: &str,
) -> Response<Body> {
    let encoding = encoding.into();
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
            message: &message(refusal, encoding.protocol()),
        },
        service,
        encoding,
        request_id,
    )
}

/// The answer to a call that was to fail. Errors that the service has are called as it calls them.
fn fail(
    service: Service,
    fault: &chaos::Answer,
    encoding: Encoding,
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
        encoding,
        request_id,
    )
}

/// An error as a caller sees it.
struct Told<'e> {
    namespace: &'e str,
    json_type: &'e str,
    query_code: &'e str,
    /// Whether the caller caused it.
    sender: bool,
    status: u16,
    message: &'e str,
}

// Rule (every SQS operation): in AWS JSON an operation that SQS does not have is UnknownOperationException, status
//   400, `{"__type":"com.amazon.coral.service#UnknownOperationException"}`, without a message and without the header
//   x-amzn-query-error.
// Source: reported, awslabs/aws-sdk-rust#957
// Test: tests/hostile.rs::unknown_operations_and_targets_are_refused
//
// Rule (every SNS operation): an operation that SNS does not have is InvalidAction in a namespace of its own, "Could
//   not find operation publish for version 2010-03-31".
// Source: reported, ex-aws/ex_aws#177
// Test: tests/hostile.rs::unknown_operations_and_targets_are_refused

fn respond_with_error(
    told: &Told<'_>,
    service: Service,
    encoding: Encoding,
    request_id: &str,
) -> Response<Body> {
    let Told { sender, query_code, message, .. } = *told;
    let dialect = service.dialect();
    let names_operation = told.json_type != "UnknownOperationException";
    let body = match encoding {
        Encoding::AwsJson => {
            let message = names_operation.then_some(message);
            json::error_body(told.namespace, told.json_type, message)
        }
        Encoding::Xml => {
            let namespace =
                if names_operation { dialect.namespace } else { dialect.fault_namespace };
            xml::error_body(dialect, namespace, sender, query_code, message, request_id)
        }
        Encoding::QueryJson => {
            query_json::error_body(dialect, sender, query_code, message, request_id)
        }
    };
    let status = StatusCode::from_u16(told.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = respond(status, encoding, request_id, Body::from(body));
    if encoding == Encoding::AwsJson && names_operation {
        let fault = if sender { "Sender" } else { "Receiver" };
        if let Ok(value) = HeaderValue::from_str(&format!("{query_code};{fault}")) {
            response.headers_mut().insert(QUERY_ERROR, value);
        }
    }
    response
}

/// Returns the answer to a request that is rejected by its head alone, before its body is read, in the
/// encoding and of the service that the head selects.
pub(super) fn reject(parts: &Parts, refusal: &Refusal) -> Response<Body> {
    let selection = selection::select(parts, |_| true);
    let service =
        selection.as_ref().map_or(Service::Sqs, |selection| service_of_head(parts, selection));
    let encoding = selection.map_or(Encoding::AwsJson, |selection| selection.encoding());
    refuse(service, refusal, encoding, &fresh_request_id())
}

/// The answer to a request that is no call, in XML whatever the caller prefers.
fn not_found(request_id: &str) -> Response<Body> {
    let body = b"<UnknownOperationException/>\n".to_vec();
    respond(StatusCode::NOT_FOUND, Encoding::Xml, request_id, Body::from(body))
}
