//! Is the server there: its own `/health`, and who asks it.
//!
//! Nothing is served before the state is open and the declared queues exist, so an answer at all
//! means that the server is there.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use axum::body::Body;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};

/// How long [`ask`] waits to connect, and again for the answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The answer to a request that asks for health, or `None` when the gateway is meant.
///
/// Calls of AWS operations pass with two comparisons.
pub fn respond(method: &Method, path: &str) -> Option<Response<Body>> {
    let asks = *method == Method::GET || *method == Method::HEAD;
    if path == "/health" {
        // A queue may have this path in the forms without an account; queues are POSTed to.
        return asks.then(|| answer(StatusCode::OK, "text/plain; charset=utf-8", "OK\n"));
    }
    None
}

fn answer(status: StatusCode, content_type: &'static str, body: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Asks the server that listens on this `HOST:PORT` whether it is healthy; an error says why not.
///
/// An address that stands for all of the machine's is asked on the loopback interface.
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

/// The first 64 bytes hold the status line of any answer worth reading.
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
    fn what_is_meant_for_the_gateway_passes() {
        for path in ["/", "/000000000000/orders", "/healthy", "/_localstack", "/_aws/sqs/messages"]
        {
            assert!(respond(&Method::GET, path).is_none(), "{path}");
            assert!(respond(&Method::POST, path).is_none(), "{path}");
        }
        assert!(respond(&Method::POST, "/health").is_none());
        assert!(respond(&Method::HEAD, "/health").is_some());
    }

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
