//! What a developer or a test looks at, under `/_aws`: messages of a queue without receiving them,
//! what was captured for phones, devices, mailboxes and streams, tokens of subscriptions. And the
//! certificate of SNS, which any client may read.
//!
//! The paths and shapes are LocalStack's; those of mail and streams are Squab's own, alike. Nothing
//! changes by being looked at. Callers are known as those of operations are: in the mode `strict` all but
//! the certificate needs a valid signature, for `sqs` or for `sns`. Where accounts are isolated a caller
//! sees what its account has, and one with the role `admin` everything.
//!
//! Answers are bounded, and a header says where the next one begins: see [`queues`] and [`notifications`].

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

/// Bytes of messages, about, that one answer holds; one message more than that, if need be.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// Bytes that one answer takes while it is made: text and its copies, with their escapes.
const LONGEST_ANSWER: usize = 6 * ANSWER_BYTES;
/// Messages that one answer holds.
const ANSWER_MESSAGES: usize = 1_000;

type Answer = Result<Response<Body>, Problem>;

/// Returns the routes of this module. The certificate has the path of its SigningCertURL, too.
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

/// A request of a caller who has been admitted.
struct Inspection {
    app: Arc<App>,
    parts: Parts,
    caller: Admitted,
    /// Those of the URL.
    params: Params,
    body: Bytes,
}

impl Inspection {
    /// Returns the account that is meant: the one given, or else the caller's. Refused unless the
    /// caller may use it.
    fn account(&self, given: Option<&str>) -> Result<String, Refusal> {
        let default = &self.app.settings.accounts.default;
        let account = given.unwrap_or_else(|| self.caller.account_or(default));
        self.caller.check_account(account)?;
        Ok(account.to_owned())
    }

    /// Returns a parameter that is there and not empty.
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

/// Returns JSON that is charged until it is taken.
fn charged_json(charge: Arc<Charge>, value: &Value) -> Response<Body> {
    let body = charged_body(charge, value.to_string().into_bytes());
    ([(CONTENT_TYPE, JSON)], body).into_response()
}

/// Says in a header that the answer is not complete, and where the next one begins.
fn set_next<B>(response: &mut Response<B>, header: HeaderName, next: Option<i64>) {
    if let Some(next) = next {
        response.headers_mut().insert(header, HeaderValue::from(next));
    }
}
