//! Sockets: binding, accepting within a limit, HTTP/1.1 connections, and their end.
//!
//! All addresses are bound before any connection is served. One loop accepts for all of them, so
//! that one limit holds for all and no listener can starve another. Each connection is one task,
//! which also runs its requests.
//!
//! At the limit a new connection takes the place of one that is not used, as [`places`] has it. If
//! there is none, a few more are let in all the same, with their requests marked [`Crowded`]: so
//! whoever asks for health is answered, and others hear at once why they are not.
//!
//! [`places`]: super::places

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::TokioTimer;
use prometheus_client::metrics::gauge::Gauge;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::audit::Peer;
use super::patience::Patient;
use super::places::{Place, Places, SPARE};
use crate::runtime::answers::Room;

/// First pause after a failure to accept, doubled with each further one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// Longest pause after failures to accept.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Bytes of the head of a request at most: of its line and headers together.
const HEAD_BYTES: usize = 64 * 1024;

/// Marks requests for which there is no room, unless they are answered without any work.
#[derive(Debug, Clone, Copy)]
pub struct Crowded;

/// Marks answers that hold room until they are taken.
#[derive(Debug, Clone)]
pub struct HoldsRoom(pub Arc<Room>);

/// An address that cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// The address as the settings give it.
    pub address: String,
    /// What the system says.
    pub source: io::Error,
}

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections open at once, of all listeners together; at least 1. Further ones take the
    /// places of unused ones; some are let in to be told that there is no room, and beyond those
    /// none is accepted: the system queues or refuses them.
    pub connections: usize,
    /// Time until the head of the next request must have arrived, idling included.
    pub header_timeout: Duration,
    /// Time that running requests get to finish at shutdown.
    pub grace: Duration,
}

/// Listeners that are bound and do not accept yet: connections to them wait.
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

    /// The addresses bound, with the ports that the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Serves until `stop`, then refuses new connections, closes idle ones, and lets running
    /// requests finish within the grace; what still runs then is dropped. `open` follows the
    /// number of connections.
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
        B: Body<Data: Send, Error: std::error::Error + Send + Sync> + Send + 'static,
    {
        // The number of headers keeps its default of 100: one set by hand makes hyper allocate
        // for each request.
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(HEAD_BYTES);
        let (close, closing) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut places = Places::new(limits.connections);
        let mut pause = SHORTEST_PAUSE;
        let mut stop = pin!(stop);
        loop {
            let is_full = connections.len() >= limits.connections.saturating_add(SPARE);
            let accepted = tokio::select! {
                biased;
                () = &mut stop => break,
                Some(ended) = connections.join_next() => {
                    // An error would be a panic, for which there is no reason here.
                    if let Ok(number) = ended {
                        places.leave(number);
                    }
                    continue;
                }
                accepted = self.accept(), if !is_full => accepted,
            };
            match accepted {
                Ok(stream) => {
                    pause = SHORTEST_PAUSE;
                    let peer = stream.peer_addr().ok().map(Peer);
                    if let Err(error) = stream.set_nodelay(true) {
                        debug!("cannot disable Nagle's algorithm: {error}");
                    }
                    let (number, place) = places.enter();
                    let service = seated(service.clone(), Arc::clone(&place), peer);
                    let stream = Patient::new(stream, Arc::clone(&place));
                    let connection = http.serve_connection(stream, service);
                    let closing = closing.clone();
                    let open = OpenConnection::count(&open);
                    connections.spawn(async move {
                        tokio::select! {
                            biased;
                            () = place.given_away() => {}
                            () = drive(connection, closing) => {}
                        }
                        drop(open);
                        number
                    });
                }
                Err(error) if is_of_the_connection(&error) => {
                    debug!("a connection ended before it was accepted: {error}");
                }
                Err(error) => {
                    // Out of file descriptors or memory: only time, or the end of connections,
                    // can help.
                    warn!("cannot accept connections, trying again in {pause:?}: {error}");
                    tokio::select! {
                        biased;
                        () = &mut stop => break,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
            }
        }

        drop(self);
        close.send_replace(());
        let all_ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(limits.grace, all_ended).await.is_err() {
            warn!("{} connections had to be cut", connections.len());
            connections.shutdown().await;
        }
    }

    /// The next connection of any listener. Each time the listeners are asked in another order.
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

/// The service of one connection, which says when it is busy, and who takes its answers.
fn seated<S, B>(
    service: S,
    place: Arc<Place>,
    peer: Option<Peer>,
) -> impl Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>,
    B: Body,
{
    service_fn(move |mut request: Request<Incoming>| {
        place.is_busy();
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        if place.is_spare() {
            request.extensions_mut().insert(Crowded);
        }
        let place = Arc::clone(&place);
        let answer = service.call(request);
        async move {
            let mut answer = answer.await;
            if let Ok(answer) = &mut answer
                && let Some(HoldsRoom(room)) = answer.extensions_mut().remove()
            {
                room.is_read_by(Arc::clone(&place) as _);
            }
            place.is_idle();
            answer
        }
    })
}

/// Counts a connection as open while it lives, however it ends.
struct OpenConnection(Gauge);

impl OpenConnection {
    fn count(open: &Gauge) -> Self {
        open.inc();
        Self(open.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Runs a connection to its end; once `closing` says so, only what has begun is finished.
async fn drive<S, B>(connection: http1::Connection<Patient, S>, mut closing: watch::Receiver<()>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body<Error: std::error::Error + Send + Sync> + 'static,
{
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        _ = closing.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!("a connection ended early: {error}");
    }
}

/// Failures of one connection, which say nothing of the next.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http_body_util::Full;
    use hyper::body::Bytes;
    use hyper::service::service_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::{Notify, oneshot};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::*;

    const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\n\r\n";

    /// A server whose every request waits until the test lets it go.
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
                        if request.extensions().get::<Crowded>().is_some() {
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
    async fn at_the_limit_a_new_connection_takes_the_place_of_an_unused_one() {
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
    async fn at_the_limit_with_nobody_idle_some_are_let_in_to_be_told_and_the_others_wait() {
        let server = Server::start(2, 1).await;
        let running = server.request(1).await;
        server.arrival.notified().await;
        let mut told = server.request(0).await;
        let mut answer = [0; 15];
        told.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        assert_eq!(server.arrived.load(Ordering::SeqCst), 1);
        // It is idle now, so that the next one takes its place, and so on.
        for _ in 0..3 * SPARE {
            drop(server.request(0).await);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(server.arrived.load(Ordering::SeqCst), 1);

        drop((running, told));
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
