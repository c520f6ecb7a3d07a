//! Responses that are delayed on request, in virtual time.

use crate::gateway::{Service, settings};
use hyper::Request;
use squab::server::gateway::GatewaySettings;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, timeout};

#[tokio::test(start_paused = true)]
async fn an_answer_comes_when_its_delay_has_passed_and_not_before() {
    let service = Service::new(GatewaySettings { delay_ms: 400_000..=600_000, ..settings() });
    let began = Instant::now();
    let request = Request::get("/?Action=ListQueues").body(axum::body::Body::empty()).unwrap();
    let mut call = pin!(service.gateway.handle(request));
    assert!(timeout(Duration::from_millis(399_999), &mut call).await.is_err());
    assert_eq!(call.await.status(), 200);
    assert!(began.elapsed() >= Duration::from_secs(400));
    // Where nothing is wanted, nothing waits.
    let request = Request::get("/?Action=ListQueues").body(axum::body::Body::empty()).unwrap();
    let began = Instant::now();
    let answer = Service::new(settings()).gateway.handle(request).await;
    assert_eq!((answer.status().as_u16(), began.elapsed()), (200, Duration::ZERO));
}
