//! Endpoints for developers and tests under `/_aws`: the messages of a queue without receiving
//! them, captured SMS, push, email and Firehose messages, and subscription tokens. The SNS
//! certificate is here too, and any client may read it.
//!
//! The paths and shapes are LocalStack's; those of email and Firehose are Squab's own in the same
//! style. Reading changes nothing. Callers are identified as those of operations are: in the mode
//! `strict` all paths except the certificate need a valid signature, for `sqs` or `sns`. If
//! accounts are isolated, a caller sees its own account, and one with the role `admin` sees
//! everything.
//!
//! Responses are bounded, and a header contains the cursor of the next one: see [`queues`] and
//! [`notifications`].

mod notifications;
mod queues;

use super::app::App;
use super::callers::Admitted;
use super::problem::Problem;
use super::response::charged_body;
use crate::auth::Role;
use crate::domain::{Kind, Refusal};
use crate::runtime::memory::Charge;
use crate::wire::form::Params;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::any;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};
use serde_json::Value;
use std::sync::Arc;

const PREFIX: &str = "/_aws/";
const PEM: &str = "application/x-pem-file";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The approximate limit for the bytes of messages in one response, which always has room for one
/// message.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// The bytes that building one response needs: text and its copies, with escapes.
const LONGEST_ANSWER: usize = 6 * ANSWER_BYTES;
/// The number of messages in one response.
const ANSWER_MESSAGES: usize = 1_000;

type Answer = Result<Response<Body>, Problem>;

/// Returns the routes of this module. The certificate is also served at the path of its
/// SigningCertURL.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/SimpleNotificationService-{name}", any(certificate))
        .route("/_aws/sns/SimpleNotificationService-{name}", any(certificate))
        .route("/_aws/sqs/messages", any(queues::answer))
        .route("/_aws/sqs/messages/", any(queues::answer))
        .route("/_aws/sqs/messages/{*queue}", any(queues::answer))
        .route("/_aws/sns/{*path}", any(notifications))
        .route("/_aws/", any(Problem::not_found()))
        .route("/_aws/{*path}", any(Problem::not_found()))
}

async fn notifications(State(app): State<Arc<App>>, request: Request<Body>) -> Answer {
    let (parts, body) = request.into_parts();
    let looks = parts.method == Method::GET || parts.method == Method::HEAD;
    let role = if looks { Role::View } else { Role::Operate };
    let (caller, received) = app.callers.admit(&app.bodies, &parts, body, role).await?;
    let params = Params::parse(parts.uri.query(), &[])
        .map_err(|malformed| Refusal::new(Kind::MalformedQueryString, malformed.to_string()))?;
    let inspection = Inspection { app, parts, caller, params, body: received.bytes.clone() };
    let response = notifications::answer(&inspection).await?;
    if inspection.parts.method != Method::GET {
        let Inspection { app, parts, caller, .. } = &inspection;
        app.callers.log_change(parts, caller.caller(), response.status());
    }
    Ok(response)
}

/// A request of an authorized caller.
struct Inspection {
    app: Arc<App>,
    parts: Parts,
    caller: Admitted,
    /// The parameters of the URL.
    params: Params,
    body: Bytes,
}

impl Inspection {
    /// Returns the account of the request: the given one, or else the caller's. Rejects an account
    /// that the caller may not use.
    fn account(&self, given: Option<&str>) -> Result<String, Refusal> {
        let default = &self.app.settings.accounts.default;
        let account = given.unwrap_or_else(|| self.caller.account_or(default));
        self.caller.check_account(account)?;
        Ok(account.to_owned())
    }

    /// Returns a parameter that is present and not empty.
    fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).filter(|value| !value.is_empty())
    }
}

async fn certificate(State(app): State<Arc<App>>, request: Request<Body>) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Problem::not_allowed("GET, HEAD"));
    }
    let key = app.runtime.sns_signer().key().await?;
    let name = request.uri().path().trim_end_matches('/').rsplit('/').next();
    if name != Some(&*key.certificate_file_name()) {
        return Err(Problem::not_found());
    }
    Ok(([(CONTENT_TYPE, PEM)], key.certificate_pem().to_owned()).into_response())
}

/// Returns a JSON response that is charged until the client has read it.
fn charged_json(charge: Arc<Charge>, value: &Value) -> Response<Body> {
    let body = charged_body(charge, value.to_string().into_bytes());
    ([(CONTENT_TYPE, JSON)], body).into_response()
}

/// Adds a header that marks the response as incomplete, with the cursor of the next one.
fn set_next<B>(response: &mut Response<B>, header: HeaderName, next: Option<i64>) {
    if let Some(next) = next {
        response.headers_mut().insert(header, HeaderValue::from(next));
    }
}
