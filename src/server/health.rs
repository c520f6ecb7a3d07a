//! Is the server there: its own `/health`, and the paths under `/_localstack` that scripts,
//! containers and test libraries ask because LocalStack has them.
//!
//! Nothing is served before the state is open and the declared queues exist, so an answer at all
//! means that the server is ready. The request to restart or kill by `POST /_localstack/health` is
//! refused: nobody is authenticated there.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use axum::body::Body;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};

/// What scripts search for is `"sqs": "running"`, with this spacing; test libraries want a version
/// 4.x, and this is the one whose behaviour is matched.
const LOCALSTACK_HEALTH: &str = r#"{"services": {"sqs": "running", "sns": "running"}, "edition": "community", "version": "4.14.0"}"#;
const LOCALSTACK_INFO: &str = concat!(
    r#"{"version": "4.14.0", "edition": "community", "is_license_activated": false, "squab": ""#,
    env!("CARGO_PKG_VERSION"),
    r#""}"#
);
const INIT: &str = r#"{"completed": {"BOOT": true, "START": true, "READY": true, "SHUTDOWN": false}, "scripts": []}"#;
const STAGE_COMPLETED: &str = r#"{"completed": true, "scripts": []}"#;
const STAGE_TO_COME: &str = r#"{"completed": false, "scripts": []}"#;

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
    let json = |body| answer(StatusCode::OK, "application/json", body);
    let response = match path.strip_prefix("/_localstack/")? {
        _ if !asks => {
            let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
        "health" => json(LOCALSTACK_HEALTH),
        "info" => json(LOCALSTACK_INFO),
        "init" => json(INIT),
        stage => match stage.strip_prefix("init/").map(str::to_ascii_uppercase).as_deref() {
            Some("BOOT" | "START" | "READY") => json(STAGE_COMPLETED),
            Some("SHUTDOWN") => json(STAGE_TO_COME),
            _ => answer(StatusCode::NOT_FOUND, "text/plain", ""),
        },
    };
    Some(response)
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
    use http_body_util::BodyExt;

    use super::*;

    async fn get(path: &str) -> Option<(u16, String, String)> {
        let response = respond(&Method::GET, path)?;
        let status = response.status().as_u16();
        let content_type = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Some((status, content_type, String::from_utf8(body.to_vec()).unwrap()))
    }

    #[tokio::test]
    async fn each_body_is_what_scripts_look_for_byte_for_byte() {
        let json = "application/json";
        for (path, content_type, body) in [
            ("/health", "text/plain; charset=utf-8", "OK\n"),
            (
                "/_localstack/health",
                json,
                "{\"services\": {\"sqs\": \"running\", \"sns\": \"running\"}, \
                 \"edition\": \"community\", \"version\": \"4.14.0\"}",
            ),
            (
                "/_localstack/init",
                json,
                "{\"completed\": {\"BOOT\": true, \"START\": true, \"READY\": true, \
                 \"SHUTDOWN\": false}, \"scripts\": []}",
            ),
            ("/_localstack/init/ready", json, "{\"completed\": true, \"scripts\": []}"),
            ("/_localstack/init/SHUTDOWN", json, "{\"completed\": false, \"scripts\": []}"),
        ] {
            let expected = (200, content_type.to_owned(), body.to_owned());
            assert_eq!(get(path).await.unwrap(), expected, "{path}");
        }
        let (_, _, info) = get("/_localstack/info").await.unwrap();
        let info: serde_json::Value = serde_json::from_str(&info).unwrap();
        assert_eq!(info["version"], "4.14.0");
        assert_eq!(info["squab"], env!("CARGO_PKG_VERSION"));
    }

    #[tokio::test]
    async fn unknown_paths_are_404_and_changes_405_instead_of_reaching_the_gateway() {
        assert_eq!(get("/_localstack/plugins").await.unwrap().0, 404);
        assert_eq!(get("/_localstack/init/later").await.unwrap().0, 404);
        let refused = respond(&Method::POST, "/_localstack/health").unwrap();
        assert_eq!(refused.status(), 405);
        assert_eq!(refused.headers()[ALLOW], "GET, HEAD");
    }

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
