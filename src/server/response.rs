//! The responses to AWS calls: encoded in the protocol of the call, with a request ID.

use super::chaos;
use super::gateway;
use super::selection;
use crate::api::error::{message, row, row_named};
use crate::api::operations::Service;
use crate::domain::Refusal;
use crate::runtime::failure_log;
use crate::runtime::memory::{Charge, FREE};
use crate::store::Ids;
use crate::wire::{Encoding, json, query_json, xml};
use axum::body::{Body, Bytes};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use std::cell::RefCell;
use std::sync::Arc;

const JSON_CONTENT: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
const QUERY_JSON_CONTENT: HeaderValue = HeaderValue::from_static("application/json");
const XML_CONTENT: HeaderValue = HeaderValue::from_static("text/xml");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");

/// Returns a body whose bytes are charged until the last of them is written.
pub(super) fn charged_body(charge: Arc<Charge>, bytes: Vec<u8>) -> Body {
    if bytes.len() <= FREE {
        return Body::from(bytes);
    }
    charge.set(bytes.len());
    Body::from(Bytes::from_owner(Charged { bytes, _charge: charge }))
}

struct Charged {
    bytes: Vec<u8>,
    _charge: Arc<Charge>,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Returns a header value, if the text is valid as one.
pub(super) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
thread_local! {
    // The server does not start without the operating system's randomness. If it fails later, a
    // predictable request ID is better than no response.
    #[allow(clippy::disallowed_methods, reason = "a request id grants nothing")]
    static REQUEST_IDS: RefCell<Ids> =
        RefCell::new(Ids::unpredictable().unwrap_or_else(|_| Ids::with_seed(fastrand::u64(..))));
}

/// Returns a new request ID. Request IDs are not state: nothing depends on them, and no replay
/// reproduces them.
pub(super) fn fresh_request_id() -> String {
    REQUEST_IDS.with_borrow_mut(Ids::fresh).to_string()
}

/// Returns a successful response in this encoding, or in the default encoding of a protocol.
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

/// Logs an error that is a fault of the server. Returns whether it is one.
pub(super) fn report_failure(refusal: &Refusal, request_id: Option<&str>) -> bool {
    let is_failure = refusal.internal.is_some();
    if is_failure {
        failure_log::report("a request failed", refusal, request_id);
    }
    is_failure
}

/// Returns the response to a rejected call, in this encoding, or in the default encoding of a
/// protocol.
pub(super) fn refuse(
    service: Service,
    refusal: &Refusal,
    encoding: impl Into<Encoding>,
    request_id: &str,
) -> Response<Body> {
    let encoding = encoding.into();
    let row = row(service, refusal.kind);
    if !report_failure(refusal, Some(request_id)) {
        // The log omits the message, which may repeat parts of the caller's signature.
        tracing::debug!(request_id, code = row.query_code, "refused");
    }
    respond_with_error(
        &ErrorShape {
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

/// Returns the response to a call with a requested fault. Known error codes get the service's own
/// message and type.
pub(super) fn fail(
    service: Service,
    fault: &chaos::Answer,
    encoding: Encoding,
    request_id: &str,
) -> Response<Body> {
    let (code, status) = (fault.code(), fault.status());
    let known = row_named(service, code);
    respond_with_error(
        &ErrorShape {
            namespace: known.map_or("com.amazon.coral.service", |row| row.namespace),
            json_type: known.map_or(code, |row| row.json_type),
            query_code: known.map_or(code, |row| row.query_code),
            sender: status < 500,
            status,
            message: "This fault was requested.",
        },
        service,
        encoding,
        request_id,
    )
}

/// An error as a client sees it.
struct ErrorShape<'e> {
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
// Test: tests/malformed_input.rs::unknown_operations_and_targets_are_refused
//
// Rule (every SNS operation): an operation that SNS does not have is InvalidAction in a namespace of its own, "Could
//   not find operation publish for version 2010-03-31".
// Source: reported, ex-aws/ex_aws#177
// Test: tests/malformed_input.rs::unknown_operations_and_targets_are_refused

fn respond_with_error(
    error: &ErrorShape<'_>,
    service: Service,
    encoding: Encoding,
    request_id: &str,
) -> Response<Body> {
    let ErrorShape { sender, query_code, message, .. } = *error;
    let dialect = service.dialect();
    let names_operation = error.json_type != "UnknownOperationException";
    let body = match encoding {
        Encoding::AwsJson => {
            let message = names_operation.then_some(message);
            json::error_body(error.namespace, error.json_type, message)
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
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = respond(status, encoding, request_id, Body::from(body));
    if encoding == Encoding::AwsJson && names_operation {
        let fault = if sender { "Sender" } else { "Receiver" };
        if let Ok(value) = HeaderValue::from_str(&format!("{query_code};{fault}")) {
            response.headers_mut().insert(QUERY_ERROR, value);
        }
    }
    response
}

/// Returns the response to a request that is rejected by its head alone, before its body is read,
/// in the encoding and for the service that the head selects.
pub(super) fn refuse_by_head(request: &Request<Body>, refusal: &Refusal) -> Response<Body> {
    let mut head = Request::new(());
    head.method_mut().clone_from(request.method());
    head.uri_mut().clone_from(request.uri());
    head.headers_mut().clone_from(request.headers());
    let parts = head.into_parts().0;
    let selection = selection::select(&parts, |_| true);
    let service = selection.as_ref().map(|selection| gateway::service_of_head(&parts, selection));
    let encoding = selection.map_or(Encoding::AwsJson, |selection| selection.encoding());
    refuse(service.unwrap_or(Service::Sqs), refusal, encoding, &fresh_request_id())
}

/// Returns the response to a request that panicked. Its protocol may be unknown, so this is AWS
/// JSON; clients of AWS Query go by the status.
pub(super) fn internal_failure() -> Response<Body> {
    let refusal = Refusal::internal("a panic".to_owned());
    refuse(Service::Sqs, &refusal, Encoding::AwsJson, &fresh_request_id())
}

/// Returns the response to a request that is not an AWS call, in XML even if the client prefers
/// JSON.
pub(super) fn not_found(request_id: &str) -> Response<Body> {
    let body = b"<UnknownOperationException/>\n".to_vec();
    respond(StatusCode::NOT_FOUND, Encoding::Xml, request_id, Body::from(body))
}
