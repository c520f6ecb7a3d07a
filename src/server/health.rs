//! The endpoints `/health` (the process is alive) and `/ready` (the store can serve), and the
//! client of both.
//!
//! The server responds only once the state is open and the declared queues exist, so any response
//! to `/health` means that the process is alive. `/health` does not use the store, because
//! restarting a server with a failed disk does not help. `/ready` does.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::json;
use std::sync::Arc;

use super::app::App;
use crate::runtime::storage_watch::Condition;

/// The timeout of [`ask`] for connecting, and again for the response.
const PATIENCE: Duration = Duration::from_secs(2);
/// The timeout of the store for `/ready`, shorter than that of probes.
const STORE_PATIENCE: Duration = Duration::from_millis(1_500);

/// Returns the response to `/health`.
pub(super) const ALIVE: &str = "OK\n";

/// Returns the response to `/ready`, with a status, and a reason if it is not `ready`: 200 `ready`;
/// 200 `degraded` while messages are not accepted but can be received and deleted; 503
/// `unavailable` if the store cannot serve.
pub(super) async fn readiness(State(app): State<Arc<App>>) -> impl IntoResponse {
    let runtime = &app.runtime;
    let asked = runtime.run(|tx| Ok(tx.free_space()?));
    let answered = tokio::time::timeout(STORE_PATIENCE, asked).await;
    let (code, status, reason) = match (runtime.storage().condition(), answered) {
        (Condition::Gone(reason), _) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", reason),
        (_, Err(_)) => {
            let reason = format!("the store has not answered within {STORE_PATIENCE:?}");
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable", reason)
        }
        (_, Ok(Err(refusal))) => {
            let reason = refusal.internal.unwrap_or_else(|| refusal.message.into_owned());
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable", reason)
        }
        (Condition::Full(reason), Ok(Ok(_))) => (StatusCode::OK, "degraded", reason),
        (Condition::Good, Ok(Ok(_))) => (StatusCode::OK, "ready", String::new()),
    };
    let said = if reason.is_empty() {
        json!({"status": status})
    } else {
        json!({"status": status, "reason": reason})
    };
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (code, headers, format!("{said}\n"))
}

/// Requests the health of the server at this `HOST:PORT`. An error is the reason for a failure.
///
/// A wildcard address is replaced by the loopback address.
pub fn ask(listen: &str) -> Result<(), String> {
    let mut addresses = listen.to_socket_addrs().map_err(|error| format!("{listen}: {error}"))?;
    let address = addresses.next().ok_or_else(|| format!("{listen}: no such host"))?;
    let address = reachable(address);
    let status = status_line(address).map_err(|error| format!("{address}: {error}"))?;
    if status.starts_with("HTTP/1.1 200 ") {
        Ok(())
    } else {
        Err(format!("{address} answers {status:?}"))
    }
}

fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The first 64 bytes contain the status line of any useful response.
fn status_line(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut start = Vec::with_capacity(64);
    stream.take(64).read_to_end(&mut start)?;
    let text = String::from_utf8_lossy(&start);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_is_asked_on_the_loopback_interface() {
        for (listen, asked) in [
            ("0.0.0.0:4566", "127.0.0.1:4566"),
            ("[::]:4566", "[::1]:4566"),
            ("10.1.2.3:80", "10.1.2.3:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
