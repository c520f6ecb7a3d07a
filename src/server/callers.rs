//! Finds the callers of requests: reads their heads, verifies signatures, assigns accounts, and
//! logs rejections.

use super::audit::{self, Audit, Entry, Who};
use super::limits::body::{self, Bodies, Received};
use super::limits::connections::Slot;
use super::selection;
use crate::api::operations::Service;
use crate::auth::account::{Accounts, DEFAULT_ACCOUNT};
use crate::auth::{self, Caller, CallerIdentity, Credentials, Mode, RequestSignature, Role};
use crate::domain::{Kind, Refusal};
use crate::engine::access::{self, Access};
use crate::runtime::clock::{Clock, SystemClock};
use axum::body::Body;
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use hyper::http::request::Parts;
use std::sync::Arc;

/// The settings that identify callers.
#[derive(Debug)]
pub struct Callers {
    /// Which signatures are verified.
    pub mode: Mode,
    /// The configured keys, and those that operations issue.
    pub credentials: Arc<Credentials>,
    /// The accounts of callers with unknown keys.
    pub accounts: Arc<Accounts>,
    /// The region of all callers, whatever region they sign for.
    pub only_region: Option<String>,
    /// Whether X-Forwarded-For is trusted.
    pub trust_forwarded: bool,
    /// The audit log.
    pub audit: Audit,
}

impl Callers {
    /// Returns the caller of a request by its head, not verified yet. A caller who names the
    /// account of a configured key must be verified in every mode that verifies signatures.
    pub(super) fn recognize<'p>(
        &self,
        presented: &'p RequestSignature<'p>,
        now_ms: i64,
    ) -> Result<CallerIdentity<'p>, Refusal> {
        let recognized = auth::recognize(self.mode, &self.credentials, presented, now_ms)?;
        let must_prove = self.mode == Mode::KnownKeys
            && recognized.believed().is_some_and(|caller| {
                self.credentials.has_account(&self.placed(caller.clone()).account)
            });
        if must_prove {
            return auth::recognize(Mode::Strict, &self.credentials, presented, now_ms);
        }
        Ok(recognized)
    }

    /// Returns whether accounts are isolated from each other, which needs verified keys.
    pub(super) fn are_isolated(&self) -> bool {
        self.mode != Mode::Off
    }

    /// Returns the role of the caller's key, or the default role if the key is unknown.
    pub(super) fn role_of(&self, caller: &Caller) -> Role {
        let key = caller.access_key_id.as_deref().and_then(|id| self.credentials.get(id));
        key.map_or_else(Role::default, |key| key.role)
    }

    /// Returns the caller with the account and region that the settings assign to it.
    pub(super) fn placed(&self, mut caller: Caller) -> Caller {
        let accounts = &self.accounts;
        if accounts.parity || accounts.default != DEFAULT_ACCOUNT {
            let id = caller.access_key_id.as_deref().unwrap_or_default();
            if self.credentials.get(id).is_none() {
                caller.account = accounts.of(id);
            }
        }
        if self.only_region.is_some() {
            caller.region.clone_from(&self.only_region);
        }
        caller
    }

    /// Counts and logs a request that is rejected because of its signature. `known` is the name of
    /// its operation if the body states it.
    pub(super) fn reject(
        &self,
        parts: &Parts,
        presented: &RequestSignature<'_>,
        known: Option<&str>,
        refusal: &Refusal,
    ) {
        let key_id = presented.access_key_id();
        let operation = known.or_else(|| selection::operation_of_head(parts));
        let operation = operation.map_or_else(|| name_of(parts), str::to_owned);
        let address = audit::address_of(parts, self.trust_forwarded);
        self.audit.rejected(&Who { key_id, account: None, address }, &operation, refusal);
    }

    /// Returns the caller's fields in the audit log.
    pub(super) fn who(&self, parts: &Parts, caller: &Caller) -> Who {
        Who {
            key_id: caller.access_key_id.clone(),
            account: Some(caller.account.clone()),
            address: audit::address_of(parts, self.trust_forwarded),
        }
    }

    /// Logs a change that no operation makes: a reset, or a change of the configuration.
    pub(super) fn log_change(&self, parts: &Parts, caller: &Caller, status: StatusCode) {
        let who = self.who(parts, caller);
        Entry { who, operation: name_of(parts), resource: String::new() }.log(status.as_str());
    }

    /// Reads and verifies a request for a path that is no operation, signed for SQS or SNS. Rejects
    /// with AccessDenied unless the caller has this role.
    pub(super) async fn admit(
        &self,
        bodies: &Bodies,
        parts: &Parts,
        body: Body,
        role: Role,
    ) -> Result<(Admitted, Received), Refusal> {
        let query = parts.uri.query().unwrap_or_default();
        let presented = RequestSignature::find(&parts.headers, query);
        let now_ms = SystemClock.now_ms();
        let service = match auth::scope_service(&parts.headers, query).as_deref() {
            Some("sns") => Service::Sns,
            _ => Service::Sqs,
        };
        let checked = self.recognize(&presented, now_ms).and_then(|mut recognized| {
            if recognized.is_verified() {
                check_unsigned(parts, &recognized, &[])?;
            }
            let head = signed_parts(parts, &[], service);
            recognized.check_head(&self.credentials, &head, Some(service.name()))?;
            Ok(recognized)
        });
        let recognized = match checked {
            Ok(recognized) => recognized,
            Err(refusal) => {
                discard(parts, body);
                self.reject(parts, &presented, None, &refusal);
                return Err(refusal);
            }
        };
        let slot = slot_of(parts);
        let received = bodies.read(usize::MAX, announced_length(parts), body, slot).await?;
        let verified = || {
            if recognized.is_verified() {
                check_unsigned(parts, &recognized, &received.bytes)?;
            }
            let request = signed_parts(parts, &received.bytes, service);
            recognized.prove(&self.credentials, &request, now_ms)
        };
        let caller = verified().inspect_err(|it| self.reject(parts, &presented, None, it))?;
        let caller = self.placed(caller);
        let is_isolated = self.are_isolated();
        let its_role = if is_isolated { self.role_of(&caller) } else { Role::Admin };
        let admitted = Admitted { role: its_role, is_isolated, caller };
        admitted.check(role)?;
        Ok((admitted, received))
    }
}

/// Returns method and path, for log lines about a request without an operation.
fn name_of(parts: &Parts) -> String {
    format!("{} {}", parts.method, parts.uri.path())
}

/// The caller of a path that is no operation.
pub(super) struct Admitted {
    caller: Caller,
    /// The caller's role: `Admin` if accounts are not isolated.
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

    /// Returns the caller's account if the caller may use no other.
    pub(super) fn only_account(&self) -> Option<&str> {
        (self.role != Role::Admin).then_some(self.account())
    }

    /// Returns the default account of a request that names none: the caller's own, or `usual` if
    /// accounts are not isolated.
    pub(super) fn account_or<'a>(&'a self, usual: &'a str) -> &'a str {
        if self.is_isolated { self.account() } else { usual }
    }

    /// Returns which queues the caller may inspect, by the rules of ReceiveMessage.
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

    /// Rejects a request that needs a role that the caller does not have.
    pub(super) fn check(&self, role: Role) -> Result<(), Refusal> {
        if self.role >= role {
            return Ok(());
        }
        let needed = if role == Role::Admin { "admin" } else { "operate" };
        let message = format!("This needs a key with the role {needed}.");
        Err(Refusal::new(Kind::AccessDenied, message))
    }

    /// Rejects access to another account unless the caller is an admin.
    pub(super) fn check_account(&self, account: &str) -> Result<(), Refusal> {
        if self.only_account().is_none_or(|own| own == account) {
            return Ok(());
        }
        Err(Refusal::new(Kind::AccessDenied, "The resource belongs to another account."))
    }
}

/// Rejects a verified request to a path outside the operations whose signature does not cover its
/// route or the reading of its body.
fn check_unsigned(
    parts: &Parts,
    recognized: &CallerIdentity<'_>,
    body: &[u8],
) -> Result<(), Refusal> {
    let path = parts.uri.path();
    if auth::plain_path(path) != path {
        let message = "The path must not have empty or dot segments: they are not signed.";
        return Err(Refusal::new(Kind::SignatureDoesNotMatch, message));
    }
    let query = parts.uri.query().unwrap_or_default();
    if auth::in_signed_order(query) != query {
        let message = "A query parameter must not occur twice: the order is not signed.";
        return Err(Refusal::new(Kind::SignatureDoesNotMatch, message));
    }
    let has_type = parts.headers.contains_key(CONTENT_TYPE);
    if has_type && !body.is_empty() && !recognized.covers(CONTENT_TYPE.as_str()) {
        let message = "'Content-Type' must be a 'SignedHeader' in the AWS Authorization.";
        return Err(Refusal::new(Kind::SignatureDoesNotMatch, message));
    }
    Ok(())
}

/// Discards the body of a request that is answered without it. A client that waits for `100
/// Continue` does not get it.
pub(super) fn discard(parts: &Parts, body: Body) {
    if !parts.headers.contains_key(EXPECT) {
        body::discard(announced_length(parts), body);
    }
}

/// Returns the length of the body in bytes, as the head announces it.
pub(super) fn announced_length(parts: &Parts) -> Option<usize> {
    parts.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The request as its signature covers it.
pub(super) fn signed_parts<'r>(
    parts: &'r Parts,
    body: &'r [u8],
    service: Service,
) -> auth::Request<'r> {
    auth::Request {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
        service: service.name(),
    }
}

/// Returns the connection slot of a request.
pub(super) fn slot_of(parts: &Parts) -> Option<&Slot> {
    parts.extensions.get::<Arc<Slot>>().map(Arc::as_ref)
}
