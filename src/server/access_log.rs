//! The access log: a span and one line for each request, at the level `debug`, with the target
//! `squab::access`.

use crate::api::operations::Operation;
use axum::body::Body;
use futures_util::future::Either;
use hyper::{Request, Response};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use tower::{Layer, Service};
use tracing::field::Empty;
use tracing::{Instrument, Level, Span, debug, debug_span};

const TARGET: &str = "squab::access";
/// A path segment after this one is a subscription ARN, which is permission to end the
/// subscription.
const TOKENS: &str = "/subscription-tokens/";

fn is_on() -> bool {
    tracing::enabled!(target: TARGET, Level::DEBUG)
}

/// Records the details of a call in the span of the running request. `resource` is the ARN or name
/// of its queue or topic.
pub(super) fn record(
    operation: &Operation,
    account: &str,
    request_id: &str,
    resource: impl FnOnce() -> String,
) {
    if !is_on() {
        return;
    }
    let span = Span::current();
    span.record("service", operation.service.name());
    span.record("operation", operation.name);
    span.record("account", account);
    span.record("request_id", request_id);
    span.record("resource", resource());
}

/// Logs requests if the level enables it. The cost is one comparison if it does not.
#[derive(Debug, Clone, Copy)]
pub(super) struct AccessLog;

impl<S> Layer<S> for AccessLog {
    type Service = Logged<S>;

    fn layer(&self, inner: S) -> Logged<S> {
        Logged(inner)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Logged<S>(S);

type Boxed<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;

impl<S, B> Service<Request<Body>> for Logged<S>
where
    S: Service<Request<Body>, Response = Response<B>, Future: Send + 'static>,
    S::Error: Send,
    B: Send,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Either<S::Future, Boxed<Result<Response<B>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if !is_on() {
            return Either::Left(self.0.call(request));
        }
        let path = request.uri().path();
        let path = path.find(TOKENS).map_or(path, |at| &path[..at + TOKENS.len()]);
        let span = debug_span!(
            target: TARGET, "request", method = %request.method(), path, service = Empty,
            operation = Empty, resource = Empty, account = Empty, request_id = Empty,
        );
        let (started, answer) = (Instant::now(), span.in_scope(|| self.0.call(request)));
        let logged = async move {
            let answer = answer.await;
            if let Ok(response) = &answer {
                let (status, duration) = (response.status().as_u16(), started.elapsed());
                debug!(target: TARGET, status, duration_us = micros(duration), "answered");
            }
            answer
        };
        Either::Right(Box::pin(logged.instrument(span)))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
