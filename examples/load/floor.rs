//! The HTTP floor: the server's own listener with its own settings, returning a constant. No queue
//! server on this stack can serve more requests than this.

use crate::Result;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use squab::runtime::memory::Memory;
use squab::server::listener::{Bound, Limits};
use std::convert::Infallible;
use std::time::Duration;

/// A body as long as the response to SendMessage.
const ANSWER: &[u8] = br#"{"MD5OfMessageBody":"0123456789abcdef0123456789abcdef","MessageId":"01234567-89ab-cdef-0123-456789abcdef"}"#;

/// Serves until the process is ended.
pub async fn serve(listen: String) -> Result<()> {
    let bound = Bound::bind(&[listen]).await?;
    let limits = Limits {
        connections: 10_000,
        header_timeout: Duration::from_secs(100),
        grace: Duration::ZERO,
        memory: Memory::of_process(),
    };
    println!("Ready.");
    let service = service_fn(answer);
    bound
        .serve(
            service,
            limits,
            prometheus_client::metrics::gauge::Gauge::default(),
            std::future::pending(),
        )
        .await;
    Ok(())
}

async fn answer(
    request: Request<Incoming>,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    // A broken request ends its connection anyway.
    let _ = request.into_body().collect().await;
    let mut response = Response::new(Full::new(Bytes::from_static(ANSWER)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    headers.insert(
        HeaderName::from_static("x-amzn-requestid"),
        HeaderValue::from_static("01234567-89ab-cdef-0123-456789abcdef"),
    );
    Ok(response)
}
