//! One request, top to bottom: read it, find out which operation it calls and in which protocol,
//! verify who calls, run the operation, encode the answer.
//!
//! A call with a bad signature learns nothing but that: signatures come before parameters. Every
//! answer carries a request id; what is our fault is logged with it, and never told.

use crate::api::error::{message, row};
use crate::api::operations::{OPERATIONS, Operation, Payload, Service, find};
use crate::api::{Context, CoolDowns};
use crate::auth::{self, Caller, Credentials, Mode};
use crate::domain::address::QueueAddress;
use crate::domain::{Kind, Refusal};
use crate::runtime::Runtime;
use crate::runtime::clock::{Clock, SystemClock};
use crate::server::metrics::Metrics;
use crate::wire::form::Params;
use crate::wire::{Protocol, json, xml};
use axum::body::{Body, Bytes};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use std::sync::Arc;
use tokio::time::Instant;

const JSON_CONTENT: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
const XML_CONTENT: HeaderValue = HeaderValue::from_static("text/xml");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");
const TARGET: &str = "x-amz-target";
const SQS_TARGET: &str = "AmazonSQS.";
const TRACE_ID: &str = "x-amzn-trace-id";
const SNS_VERSION: &str = "2010-03-31";

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
    /// What queue URLs begin with, instead of the Host header.
    pub public_url: Option<String>,
    /// Whether X-Forwarded-Proto and X-Forwarded-Host are believed.
    pub trust_forwarded: bool,
    /// Bytes of a request's body at most.
    pub max_body_bytes: usize,
}

/// Answers AWS calls.
#[derive(Debug)]
pub struct Gateway {
    runtime: Arc<Runtime>,
    settings: GatewaySettings,
    metrics: Arc<Metrics>,
}

/// What was found out about a request before its operation runs.
struct Call {
    protocol: Protocol,
    operation: &'static Operation,
    payload: Payload,
}

/// A request that calls no operation.
enum NoCall {
    /// Refused, in a protocol.
    Refused(Protocol, Refusal),
    /// Not meant for this service at all, such as a browser's.
    NotFound,
}

impl Gateway {
    /// A gateway to a running service.
    pub fn new(runtime: Arc<Runtime>, settings: GatewaySettings, metrics: Arc<Metrics>) -> Self {
        Self { runtime, settings, metrics }
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let started = Instant::now();
        let request_id = fresh_request_id();
        let (parts, body) = request.into_parts();
        let (protocol, index, outcome) = match self.read(&parts, body).await {
            Err(NoCall::NotFound) => return not_found(request_id),
            Err(NoCall::Refused(protocol, refusal)) => (protocol, None, Err(refusal)),
            Ok(call) => {
                let index = OPERATIONS.iter().position(|known| std::ptr::eq(known, call.operation));
                let protocol = call.protocol;
                (protocol, index, self.run(&parts, call, &request_id).await)
            }
        };
        let code = outcome.as_ref().map(drop).map_err(|refusal| row(refusal.kind).query_code);
        self.metrics.record(index, code, started.elapsed());
        match outcome {
            Ok(body) => respond(StatusCode::OK, protocol, request_id, body),
            Err(refusal) => refuse(&refusal, protocol, request_id),
        }
    }

    /// Reads the body and finds the operation; verifies the signature in between.
    async fn read(&self, parts: &Parts, body: Body) -> Result<Call, NoCall> {
        let target = header(&parts.headers, TARGET);
        let is_json = target.is_some()
            || header(&parts.headers, CONTENT_TYPE.as_str())
                .is_some_and(|content| content.starts_with("application/x-amz-json"));
        let protocol = if is_json { Protocol::Json } else { Protocol::Query };
        let refused = |refusal| NoCall::Refused(protocol, refusal);
        let body = self.read_body(parts, body).await.map_err(refused)?;
        if is_json {
            let name = target.and_then(|target| target.strip_prefix(SQS_TARGET));
            let operation = name.and_then(|name| find(Service::Sqs, name)).ok_or_else(|| {
                refused(unknown_action(target.unwrap_or_default()))
            });
            // A caller without a good signature does not learn which operations there are.
            if operation.is_err() {
                self.identify(parts, &body, Service::Sqs).map_err(refused)?;
            }
            self.check_method(parts).map_err(refused)?;
            return Ok(Call { protocol, operation: operation?, payload: Payload::Json(body) });
        }
        if parts.method != Method::GET && parts.method != Method::POST {
            return Err(NoCall::NotFound);
        }
        let params = Params::parse(parts.uri.query(), &body).map_err(|malformed| {
            refused(Refusal::new(Kind::MalformedQueryString, malformed.to_string()))
        })?;
        todo!()
    }
}
