//! Sockets: binding, accepting, and serving HTTP/1.1 and HTTP/2 on each connection.
//!
//! All addresses are bound before any connection is served. One loop accepts for all of them, so
//! that one limit applies to all and no listener can starve another. Each connection is one task.
//! [`super::limits::connections`] decides which connections stay open at the limit.

use super::limits::client_io::ClientIo;
use super::limits::connections::{Connections, Slot};
use super::limits::{CONNECTION_BYTES, HEAD_BYTES, STREAMS, WINDOW_BYTES};
use crate::runtime::memory::{Memory, Stage};
use axum::BoxError;
use hyper::body::{Body, Incoming};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use prometheus_client::metrics::gauge::Gauge;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// First pause after a failure to accept, doubled with each further one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// Longest pause after failures to accept.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Time between two checks for clients that have taken too long.
const SWEEP: Duration = Duration::from_secs(1);

/// Marks requests that arrive while no memory or no connection is left. Only routes that need no
/// work serve them.
#[derive(Debug, Clone, Copy)]
pub struct Overloaded;

/// An address that cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// The address as the settings give it.
    pub address: String,
    /// The system's error.
    pub source: io::Error,
}

/// The limits of connections.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections open at a time, of all listeners together; at least 1.
    pub connections: usize,
    /// Time until the head of the next request must have arrived, idling included.
    pub header_timeout: Duration,
    /// Time for running requests to finish at shutdown.
    pub grace: Duration,
    /// The memory that all connections share.
    pub memory: Arc<Memory>,
}

/// Bound listeners that do not accept yet: connections to them wait.
#[derive(Debug)]
pub struct Bound(Vec<TcpListener>);

impl Bound {
    /// Binds every `HOST:PORT`, or none.
    pub async fn bind(addresses: &[String]) -> Result<Self, BindError> {
        let mut listeners = Vec::with_capacity(addresses.len());
        for address in addresses {
            let listener = TcpListener::bind(address)
                .await
                .map_err(|source| BindError { address: address.clone(), source })?;
            listeners.push(listener);
        }
        Ok(Self(listeners))
    }

    /// Returns the bound addresses, with the ports that the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Serves until `stop`, then refuses new connections, closes idle ones, and waits for running
    /// requests within the grace period; the rest are dropped. `open` follows the number of
    /// connections.
    pub async fn serve<S, B>(
        mut self,
        service: S,
        limits: Limits,
        open: Gauge,
        stop: impl Future<Output = ()>,
    ) where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let Limits { connections, header_timeout, grace, memory } = limits;
        let connections = Connections::new(connections, header_timeout, Arc::clone(&memory));
        let (http, graceful, tasks) = (http(), GracefulShutdown::new(), TaskTracker::new());
        let mut sweeps = interval(SWEEP);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pause = SHORTEST_PAUSE;
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => break,
                _ = sweeps.tick() => {
                    connections.end_timed_out();
                    continue;
                }
                () = connections.left.notified(), if connections.is_full() => continue,
                accepted = self.accept(), if !connections.is_full() => accepted,
            };
            match accepted {
                Ok(stream) => {
                    pause = SHORTEST_PAUSE;
                    if let Err(error) = stream.set_nodelay(true) {
                        debug!("cannot disable Nagle's algorithm: {error}");
                    }
                    let slot = connections.enter(stream.peer_addr().ok());
                    let stream = TokioIo::new(ClientIo::new(stream, Arc::clone(&slot), &memory));
                    let service =
                        of_connection(service.clone(), Arc::clone(&slot), Arc::clone(&memory));
                    let connection = http.serve_connection(stream, service).into_owned();
                    let connection = graceful.watch(connection);
                    let seat = Seat::take(Arc::clone(&connections), slot, &open);
                    tasks.spawn(async move {
                        tokio::select! {
                            biased;
                            () = seat.slot.evicted() => {}
                            ended = connection => if let Err(error) = ended {
                                debug!("a connection ended early: {error}");
                            }
                        }
                    });
                }
                Err(error) if is_of_the_connection(&error) => {
                    debug!("a connection ended before it was accepted: {error}");
                }
                Err(error) => {
                    // The process is out of file descriptors or memory. Only time, or the end of
                    // connections, can help.
                    warn!("cannot accept connections, retrying in {pause:?}: {error}");
                    tokio::select! {
                        biased;
                        () = &mut stop => break,
                        () = sleep(pause) => {}
                    }
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
            }
        }

        drop(self);
        tasks.close();
        if timeout(grace, graceful.shutdown()).await.is_err() {
            let cut = connections.evict_all();
            warn!("{cut} connections were closed before their requests finished");
        }
        tasks.wait().await;
    }

    /// Returns the next connection of any listener. The order of the listeners rotates.
    async fn accept(&mut self) -> io::Result<TcpStream> {
        std::future::poll_fn(|context| {
            for (index, listener) in self.0.iter().enumerate() {
                if let Poll::Ready(accepted) = listener.poll_accept(context) {
                    self.0.rotate_left(index + 1);
                    return Poll::Ready(accepted.map(|(stream, _)| stream));
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// Returns the server of connections. The first bytes select the protocol: HTTP/2 if they are its
/// preface. Hyper's own limits on resets and on continuation frames apply.
fn http() -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    // The number of headers keeps its default of 100, because an explicit limit makes hyper
    // allocate for each request. The connection slot measures the time for a head.
    http.http1().header_read_timeout(None).max_buf_size(HEAD_BYTES);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES as u32 / 4)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_send_buf_size(WINDOW_BYTES as usize);
    http
}

/// Returns the service of one connection: its requests know its slot, and the slot knows how many
/// are running. Each HTTP/2 request is charged like a connection.
fn of_connection<S, B>(
    service: S,
    slot: Arc<Slot>,
    memory: Arc<Memory>,
) -> impl Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>,
    B: Body,
{
    service_fn(move |mut request: Request<Incoming>| {
        let work = slot.work();
        let is_stream = request.version() == Version::HTTP_2;
        let charge = is_stream.then(|| memory.charge(Stage::Working, &slot.tally));
        let is_overloaded = charge.as_ref().is_some_and(|it| !it.try_set(CONNECTION_BYTES));
        if slot.is_spare || is_overloaded {
            request.extensions_mut().insert(Overloaded);
        }
        request.extensions_mut().insert(Arc::clone(&slot));
        let answer = service.call(request);
        async move {
            let answer = answer.await;
            drop((work, charge));
            answer
        }
    })
}

/// The slot of a connection, which counts as open until this is dropped.
struct Seat {
    connections: Arc<Connections>,
    slot: Arc<Slot>,
    open: Gauge,
}

impl Seat {
    fn take(connections: Arc<Connections>, slot: Arc<Slot>, open: &Gauge) -> Self {
        open.inc();
        Self { connections, slot, open: open.clone() }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.open.dec();
        self.connections.leave(&self.slot);
    }
}

/// Returns whether a failure concerns one connection only.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::limits::connections::SPARE;
    use http_body_util::Full;
    use hyper::body::Bytes;
    use hyper::service::service_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::{Notify, oneshot};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::*;

    const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\n\r\n";

    /// A server whose every request waits until the test releases it.
    struct Server {
        addresses: Vec<SocketAddr>,
        arrived: Arc<AtomicUsize>,
        arrival: Arc<Notify>,
        release: Arc<Notify>,
        open: Gauge,
        stop: Option<oneshot::Sender<()>>,
        serving: JoinHandle<()>,
    }

    impl Server {
        async fn start(listeners: usize, connections: usize) -> Self {
            let limits = Limits {
                connections,
                header_timeout: Duration::from_secs(100),
                grace: Duration::from_secs(8),
                memory: Memory::new(64 * 1024 * 1024),
            };
            let bound = Bound::bind(&vec!["127.0.0.1:0".to_owned(); listeners]).await.unwrap();
            let addresses = bound.addresses();
            let arrived = Arc::new(AtomicUsize::new(0));
            let (arrival, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let open = Gauge::default();
            let service = service_fn({
                let (arrived, arrival) = (Arc::clone(&arrived), Arc::clone(&arrival));
                let release = Arc::clone(&release);
                move |request: Request<Incoming>| {
                    let (arrived, arrival) = (Arc::clone(&arrived), Arc::clone(&arrival));
                    let release = Arc::clone(&release);
                    async move {
                        if request.extensions().get::<Overloaded>().is_some() {
                            return Ok(Response::new(Full::new(Bytes::from_static(b"crowded"))));
                        }
                        arrived.fetch_add(1, Ordering::SeqCst);
                        arrival.notify_one();
                        release.notified().await;
                        Ok(Response::new(Full::new(Bytes::from_static(b"done"))))
                    }
                }
            });
            let (stop, stopped) = oneshot::channel();
            let serving = tokio::spawn(bound.serve(service, limits, open.clone(), async {
                let _ = stopped.await;
            }));
            Self { addresses, arrived, arrival, release, open, stop: Some(stop), serving }
        }

        async fn request(&self, listener: usize) -> TcpStream {
            let mut stream = TcpStream::connect(self.addresses[listener]).await.unwrap();
            stream.write_all(REQUEST).await.unwrap();
            stream
        }

        fn stop(&mut self) {
            self.stop.take().unwrap().send(()).unwrap();
        }
    }

    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_finishes_a_running_request_closes_idle_connections_and_refuses_new_ones() {
        let mut server = Server::start(1, 10).await;
        let idle = TcpStream::connect(server.addresses[0]).await.unwrap();
        let running = server.request(0).await;
        server.arrival.notified().await;
        assert_eq!(server.open.get(), 2);

        let began = Instant::now();
        server.stop();
        assert_eq!(rest(idle).await, "");
        let refused = TcpStream::connect(server.addresses[0]).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(!server.serving.is_finished());

        server.release.notify_one();
        let answer = rest(running).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\ndone"), "{answer}");
        server.serving.await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(8));
        assert_eq!(server.open.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_cuts_a_request_that_outlasts_the_grace() {
        let mut server = Server::start(1, 10).await;
        let running = server.request(0).await;
        server.arrival.notified().await;
        let began = Instant::now();
        server.stop();
        server.serving.await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 8);
        assert_eq!(rest(running).await, "");
        assert_eq!(server.open.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_limit_a_new_connection_evicts_an_unused_one() {
        let server = Server::start(2, 3).await;
        let running = server.request(0).await;
        server.arrival.notified().await;
        let mut slow_head = TcpStream::connect(server.addresses[1]).await.unwrap();
        slow_head.write_all(b"POST / HTTP/1.1\r\nHo").await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let idle = TcpStream::connect(server.addresses[0]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(server.open.get(), 3);

        let began = Instant::now();
        let mut winners = Vec::new();
        for (loser, listener) in [(slow_head, 0), (idle, 1)] {
            winners.push(server.request(listener).await);
            server.arrival.notified().await;
            assert_eq!(rest(loser).await, "");
            assert_eq!(server.open.get(), 3);
        }
        assert!(began.elapsed() < Duration::from_secs(1));
        assert_eq!(server.arrived.load(Ordering::SeqCst), 3);
        drop((running, winners));
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_limit_with_all_at_work_some_are_let_in_to_be_refused_and_others_wait() {
        let server = Server::start(2, 1).await;
        let running = server.request(1).await;
        server.arrival.notified().await;
        let mut spare = server.request(0).await;
        let mut answer = [0; 15];
        spare.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        assert_eq!(server.arrived.load(Ordering::SeqCst), 1);
        // It is idle now, so that the next one takes its place, and so on.
        for _ in 0..3 * SPARE {
            drop(server.request(0).await);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(server.arrived.load(Ordering::SeqCst), 1);

        drop((running, spare));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(server.open.get(), 0);
        let _next = server.request(0).await;
        server.arrival.notified().await;
        assert_eq!(server.arrived.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_arrive_in_time_ends_its_connection_and_a_slow_answer_does_not() {
        let server = Server::start(1, 10).await;
        let slow_answer = server.request(0).await;
        server.arrival.notified().await;
        let mut slow_head = TcpStream::connect(server.addresses[0]).await.unwrap();
        slow_head.write_all(b"POST / HTTP/1.1\r\nHo").await.unwrap();
        let began = Instant::now();
        assert_eq!(rest(slow_head).await, "");
        assert_eq!(began.elapsed().as_secs(), 100);

        tokio::time::sleep(Duration::from_secs(1_000)).await;
        server.release.notify_one();
        let answer = rest(slow_answer).await;
        assert!(answer.ends_with("\r\n\r\ndone"), "{answer}");
    }

    #[tokio::test]
    async fn requests_of_http_2_share_a_connection() {
        let server = Server::start(1, 10).await;
        let stream = TcpStream::connect(server.addresses[0]).await.unwrap();
        let (mut requests, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        let request = || Request::post("http://x/").body(Full::new(Bytes::new())).unwrap();
        let both = [requests.send_request(request()), requests.send_request(request())];
        let release = async {
            while server.arrived.load(Ordering::SeqCst) < 2 {
                server.arrival.notified().await;
            }
            assert_eq!(server.open.get(), 1);
            server.release.notify_waiters();
        };
        let (answers, ()) = tokio::join!(futures_util::future::join_all(both), release);
        for answer in answers {
            let body = http_body_util::BodyExt::collect(answer.unwrap().into_body()).await.unwrap();
            assert_eq!(body.to_bytes(), "done");
        }
    }

    #[tokio::test]
    async fn a_head_that_is_too_long_is_refused() {
        let server = Server::start(1, 10).await;
        let mut long = TcpStream::connect(server.addresses[0]).await.unwrap();
        let head = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "x".repeat(4 * HEAD_BYTES));
        // The server may hang up before it has read everything.
        let _ = long.write_all(head.as_bytes()).await;
        let mut answer = [0; 12];
        long.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 431");
        assert_eq!(server.arrived.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let bound = Bound::bind(&["127.0.0.1:0".to_owned()]).await.unwrap();
        let taken = bound.addresses()[0].to_string();
        let error = Bound::bind(std::slice::from_ref(&taken)).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on {taken}: ")), "{error}");
    }

    #[test]
    fn only_failures_of_one_connection_are_passed_over() {
        assert!(is_of_the_connection(&io::ErrorKind::ConnectionAborted.into()));
        let too_many_open_files = io::Error::from_raw_os_error(24);
        assert!(!is_of_the_connection(&too_many_open_files));
    }
}
