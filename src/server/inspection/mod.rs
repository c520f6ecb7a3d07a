//! What a developer or a test looks at, under `/_aws`: messages of a queue without receiving them,
//! what was captured for phones, devices, mailboxes and streams, tokens of subscriptions. And the
//! certificate of SNS, which everybody may read.
//!
//! The paths and shapes are LocalStack's; those of mail and streams are Squab's own, alike. Nothing
//! changes by being looked at. Callers are known as those of operations are: in the mode `strict` all but
//! the certificate needs a valid signature, for `sqs` or for `sns`. Where accounts are isolated a caller
//! sees what its account has, and one with the role `admin` everything.
//!
//! Answers are bounded, and say in a header where to go on: see [`queues`] and [`notifications`].

mod notifications;
mod queues;

use crate::api::error::row;
use crate::api::operations::Service;
use crate::auth::Role;
use crate::domain::{Kind, Refusal};
use crate::runtime::failure_log;
use crate::server::gateway::{Admitted, Gateway, fresh_request_id};
use crate::wire::form::Params;
use axum::body::{Body, Bytes};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

const PREFIX: &str = "/_aws/";
const CERTIFICATE: &str = "SimpleNotificationService-";
const PEM: HeaderValue = HeaderValue::from_static("application/x-pem-file");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Bytes of messages, about, that one answer holds; one message more than that, if need be.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of room that one answer takes while it is made: text and its copies, with their escapes.
const LONGEST_ANSWER: usize = 6 * ANSWER_BYTES;
/// Messages that one answer holds.
const ANSWER_MESSAGES: usize = 1_000;

/// Whether a request with this path is meant for here and not for the gateway.
pub fn is_meant(path: &str) -> bool {
    path.starts_with(PREFIX)
        || path.strip_prefix('/').is_some_and(|name| name.starts_with(CERTIFICATE))
}

/// Answers a request that [`is_meant`] for here.
pub async fn handle(gateway: &Gateway, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().trim_end_matches('/');
    if let Some(name) = certificate_name(path) {
        return certificate(gateway, &parts.method, name).await;
    }
    let Some(path) = path.strip_prefix(PREFIX).map(str::to_owned) else { return not_found() };
    let request_id = fresh_request_id();
    let received = gateway.read_body(&parts, body).await;
    let body = received.as_ref().map(|received| received.bytes.clone()).map_err(Clone::clone);
    if let Some(queue) = queues::path_of(&path) {
        return queues::answer(gateway, &parts, body, queue, &request_id).await;
    }
    let Some(path) = path.strip_prefix("sns/") else { return not_found() };
    let answer = async {
        let asked = Asked::read(gateway, parts, body?)?;
        let response = notifications::answer(gateway, &asked, path).await?;
        if *asked.method() != Method::GET {
            gateway.log_change(&asked.parts, asked.caller.caller(), response.status());
        }
        Ok(response)
    };
    answer.await.unwrap_or_else(|refusal: Refusal| error(&refusal))
}

/// A request of a caller who has been admitted.
struct Asked {
    parts: Parts,
    caller: Admitted,
    /// Those of the URL.
    params: Params,
    body: Bytes,
}

impl Asked {
    fn read(gateway: &Gateway, parts: Parts, body: Bytes) -> Result<Self, Refusal> {
        let looks = parts.method == Method::GET || parts.method == Method::HEAD;
        let role = if looks { Role::View } else { Role::Operate };
        let caller = gateway.admit(&parts, &body, role)?;
        let params = Params::parse(parts.uri.query(), &[])
            .map_err(|malformed| Refusal::new(Kind::MalformedQueryString, malformed.to_string()))?;
        Ok(Self { parts, caller, params, body })
    }

    fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The account that is meant: the one given, or else the caller's. Refused unless the caller may
    /// use it.
    fn account(&self, gateway: &Gateway, given: Option<&str>) -> Result<String, Refusal> {
        let account = given.unwrap_or_else(|| self.caller.account_or(gateway.account()));
        self.caller.check_account(account)?;
        Ok(account.to_owned())
    }

    /// A parameter that is there and says something.
    fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).filter(|value| !value.is_empty())
    }
}

/// What is asked for if it is a certificate: under the path that SigningCertURL has, or below
/// `/_aws/sns`.
fn certificate_name(path: &str) -> Option<&str> {
    let name = path.strip_prefix("/_aws/sns/").or_else(|| path.strip_prefix('/'))?;
    name.starts_with(CERTIFICATE).then_some(name)
}

async fn certificate(gateway: &Gateway, method: &Method, name: &str) -> Response<Body> {
    if *method != Method::GET && *method != Method::HEAD {
        return not_allowed("GET, HEAD");
    }
    match gateway.runtime().sns_signer().key().await {
        Ok(key) if key.certificate_file_name() == name => {
            answer(StatusCode::OK, PEM, key.certificate_pem().to_owned())
        }
        Ok(_) => not_found(),
        Err(refusal) => error(&refusal),
    }
}

fn answer<B>(status: StatusCode, content: HeaderValue, body: impl Into<B>) -> Response<B> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content);
    response
}

fn ok<B: From<String>>(body: &Value) -> Response<B> {
    answer(StatusCode::OK, JSON, body.to_string())
}

fn failure(status: StatusCode, sentence: &str) -> Response<Body> {
    answer(status, JSON, json!({ "error": sentence }).to_string())
}

fn error(refusal: &Refusal) -> Response<Body> {
    if refusal.internal.is_some() {
        failure_log::report("an inspection failed", refusal, None);
    }
    let status = row(Service::Sns, refusal.kind).status;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    failure(status, &refusal.message)
}

fn not_found() -> Response<Body> {
    failure(StatusCode::NOT_FOUND, "There is nothing at this path.")
}

fn not_allowed(methods: &'static str) -> Response<Body> {
    let mut response = failure(StatusCode::METHOD_NOT_ALLOWED, "This path has other methods.");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

/// Says that the answer does not hold everything, and where to go on.
fn tell_next<B>(response: &mut Response<B>, header: HeaderName, next: Option<i64>) {
    if let Some(next) = next {
        response.headers_mut().insert(header, HeaderValue::from(next));
    }
}
