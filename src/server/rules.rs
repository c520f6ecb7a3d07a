//! A layer that answers some requests before the routes, or changes their responses.

use axum::body::Body;
use futures_util::future::Either;
use hyper::{Request, Response};
use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::{Layer, Service};

/// Changes a response.
pub(super) type Amendment = Box<dyn FnOnce(&mut Response<Body>) + Send>;

/// The decision of a rule about a request.
pub(super) enum Verdict {
    /// The request continues.
    Pass,
    /// The client gets this response.
    Answer(Response<Body>),
    /// The request continues, and this function changes its response.
    Amend(Amendment),
}

/// Applies a rule as a layer. A request that passes costs the rule and no allocation.
#[derive(Debug, Clone)]
pub(super) struct Rule<F>(pub F);

impl<F: Clone, S> Layer<S> for Rule<F> {
    type Service = Ruled<F, S>;

    fn layer(&self, inner: S) -> Ruled<F, S> {
        Ruled { rule: self.0.clone(), inner }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Ruled<F, S> {
    rule: F,
    inner: S,
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<F, S> Service<Request<Body>> for Ruled<F, S>
where
    F: Fn(&Request<Body>) -> Verdict,
    S: Service<Request<Body>, Response = Response<Body>, Future: Send + 'static>,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Boxed<Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match (self.rule)(&request) {
            Verdict::Pass => Either::Left(self.inner.call(request)),
            Verdict::Answer(response) => Either::Right(Box::pin(ready(Ok(response)))),
            Verdict::Amend(amend) => {
                let answer = self.inner.call(request);
                Either::Right(Box::pin(async move {
                    let mut answer = answer.await?;
                    amend(&mut answer);
                    Ok(answer)
                }))
            }
        }
    }
}
