//! An HTTP endpoint in this process, which reports every message and responds as the test says.

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// In place of a status: no answer, ever.
const SILENCE: u16 = 0;
/// Longer than any message takes: a test that fails is better than one that hangs.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Endpoint {
    pub url: String,
    status: Arc<AtomicU16>,
    received: UnboundedReceiver<Value>,
}

impl Endpoint {
    /// An endpoint that answers with 200.
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let status = Arc::new(AtomicU16::new(200));
        let (log, received) = unbounded_channel();
        let answers = Arc::clone(&status);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (log, status) = (log.clone(), Arc::clone(&answers));
                let answer =
                    service_fn(move |request| answer(request, log.clone(), Arc::clone(&status)));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), answer),
                );
            }
        });
        Self { url, status, received }
    }

    /// Answers with this status from now on.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Answers nothing from now on.
    pub fn fall_silent(&self) {
        self.answer(SILENCE);
    }

    /// The next message that it is sent, whatever it has answered.
    pub async fn next(&mut self) -> Value {
        let next = tokio::time::timeout(PATIENCE, self.received.recv());
        next.await.unwrap_or_else(|_| panic!("no message within {PATIENCE:?}")).unwrap()
    }
}

async fn answer(
    request: Request<Incoming>,
    log: UnboundedSender<Value>,
    status: Arc<AtomicU16>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    // The receiver of this message may change the next response.
    let status = status.load(Ordering::SeqCst);
    // An error means that the server was killed while it sent.
    if let Ok(body) = request.into_body().collect().await {
        // An error means that the test has ended.
        let _ = log.send(serde_json::from_slice(&body.to_bytes()).unwrap());
    }
    if status == SILENCE {
        std::future::pending::<()>().await;
    }
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    Ok(response)
}
