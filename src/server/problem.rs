//! Errors of paths that are not AWS calls: a status, and a JSON object with one sentence.

use super::response::report_failure;
use crate::api::error::row;
use crate::api::operations::Service;
use crate::domain::Refusal;
use axum::Json;
use axum::response::IntoResponse;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::json;

/// Why a request that is not an AWS call fails.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    status: StatusCode,
    sentence: String,
    /// The methods of the path, if the method is the problem.
    allow: Option<&'static str>,
}

impl Problem {
    /// Returns a problem with this status.
    pub(super) fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self { status, sentence: sentence.into(), allow: None }
    }

    /// Returns the problem of a malformed request.
    pub(super) fn bad_request(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, sentence)
    }

    /// Returns the problem of an unknown path.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is nothing at this path.")
    }

    /// Returns the problem of a path that supports other methods.
    pub(super) fn not_allowed(allow: &'static str) -> Self {
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "This path has other methods.");
        Self { allow: Some(allow), ..problem }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        report_failure(&refusal, None);
        let status = StatusCode::from_u16(row(Service::Sns, refusal.kind).status);
        Self::new(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), refusal.message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<axum::body::Body> {
        let mut response = (self.status, Json(json!({ "error": self.sentence }))).into_response();
        if let Some(methods) = self.allow {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
        }
        response
    }
}
