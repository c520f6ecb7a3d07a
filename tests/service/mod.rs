//! The service in process: the gateway over a store, with a clock that is set by hand and ids that
//! repeat. What is asked of it goes through the JSON protocol, as a client's requests do.

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::Request;
use serde_json::{Map, Value};
use squab::api::CoolDowns;
use squab::auth::{Credentials, Mode};
use squab::runtime::Runtime;
use squab::runtime::clock::{Clock, ManualClock};
use squab::server::gateway::{Gateway, GatewaySettings};
use squab::server::metrics::Metrics;
use squab::store::{Durability, Location, Sqlite};
use std::sync::Arc;

/// When tests begin, Unix milliseconds: 2026-01-01T00:00:00Z.
pub const EPOCH: i64 = 1_767_225_600_000;

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    pub account: String,
    pub region: String,
}

impl Default for Caller {
    fn default() -> Self {
        Self { account: "000000000000".into(), region: "us-east-1".into() }
    }
}

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// As in AWS Query, without the namespace of SQS.
    pub code: String,
    pub message: String,
}

/// What is asked, and what comes back.
pub type Answer = Result<Value, Failure>;

#[derive(Debug, Clone)]
pub struct Service {
    pub runtime: Arc<Runtime>,
    pub clock: Arc<ManualClock>,
    gateway: Arc<Gateway>,
}

impl Service {
    /// Opens the store. `by_itself`: whether background work is done when its time comes; else it
    /// is done by [`Service::pass`] alone.
    pub fn open(
        location: &Location,
        clock: Arc<ManualClock>,
        seed: u64,
        cool_downs: CoolDowns,
        by_itself: bool,
    ) -> Self {
        let driver = Box::new(Sqlite::open(location, Durability::Process).unwrap());
        let ids = fastrand::Rng::with_seed(seed);
        let start = if by_itself { Runtime::start } else { Runtime::start_quietly };
        let runtime = Arc::new(start(driver, Arc::clone(&clock) as Arc<dyn Clock>, ids).unwrap());
        let settings = GatewaySettings {
            region: "us-east-1".into(),
            mode: Mode::Off,
            credentials: Credentials::default(),
            cool_downs,
            public_url: None,
            trust_forwarded: false,
            max_body_bytes: 4 << 20,
        };
        let metrics = Arc::new(Metrics::new(&[], &[], || std::future::ready(Vec::new())));
        let gateway = Arc::new(Gateway::new(Arc::clone(&runtime), settings, metrics));
        Self { runtime, clock, gateway }
    }

    /// Calls an operation.
    pub async fn call(&self, caller: &Caller, operation: &str, input: &Value) -> Answer {
        let Caller { account, region } = caller;
        let request = Request::post("/")
            .header("host", "localhost:4566")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AmazonSQS.{operation}"))
            .header(
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential={account}/20260101/{region}/sqs/aws4_request, \
                     SignedHeaders=host, Signature=0"
                ),
            )
            .body(Body::from(input.to_string()))
            .unwrap();
        let response = self.gateway.handle(request).await;
        let succeeded = response.status().is_success();
        let code = response.headers().get("x-amzn-query-error").map(|code| {
            let code = code.to_str().unwrap();
            code.split(';').next().unwrap().replace("AWS.SimpleQueueService.", "")
        });
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let answer: Value = if body.is_empty() {
            Value::Object(Map::new())
        } else {
            serde_json::from_slice(&body).unwrap()
        };
        if succeeded {
            return Ok(answer);
        }
        let message = answer["message"].as_str().unwrap_or_default().to_owned();
        Err(Failure { code: code.unwrap_or_default(), message })
    }

    /// Lets time pass and does what is due then.
    pub async fn pass(&self, milliseconds: i64) {
        self.clock.advance(milliseconds);
        self.runtime.do_background_work().await.unwrap();
    }
}
