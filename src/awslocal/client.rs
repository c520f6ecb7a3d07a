//! One signed call in AWS JSON over HTTP/1.1.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use hyper::Uri;
use hyper::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::command_line::CommandLine;
use super::{Failure, Input, REFUSED};
use crate::api::operations::Service;
use crate::auth::amz_date::AmzDate;
use crate::auth::canonical_request::{Parts, canonical_request};
use crate::auth::signing_keys::SigningKey;

/// Longer than any answer takes: a receive waits for 20 seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// Bytes of an answer that are read.
const ANSWER_BYTES: u64 = 256 * 1024 * 1024;

/// Who calls, and whom.
pub(super) struct Caller {
    url: Uri,
    region: String,
    id: String,
    secret: String,
    token: Option<String>,
    date: AmzDate,
}

impl Caller {
    /// By the options, then the environment, then what everybody has.
    pub fn of(
        command: &CommandLine,
        variables: &HashMap<String, String>,
        now_ms: i64,
    ) -> Result<Self, Failure> {
        let variable = |name: &str| variables.get(name).cloned();
        let service = command.operation.service.to_uppercase();
        let url = command
            .endpoint_url
            .clone()
            .or_else(|| variable(&format!("AWS_ENDPOINT_URL_{service}")))
            .or_else(|| variable("AWS_ENDPOINT_URL"))
            .unwrap_or_else(|| default_endpoint(variables));
        let parsed = url.parse::<Uri>().ok().filter(|url| url.authority().is_some());
        let Some(parsed) = parsed else {
            return Err(Failure::unusable(format_args!("Invalid endpoint: {url}")));
        };
        if parsed.scheme_str() != Some("http") {
            return Err(Failure::failed(format_args!(
                "{url}: only http is spoken here; leave USE_SSL alone or give --endpoint-url"
            )));
        }
        let region = command.region.clone();
        let region = region.or_else(|| variable("AWS_REGION"));
        let region = region.or_else(|| variable("AWS_DEFAULT_REGION"));
        let region = region.or_else(|| variable("DEFAULT_REGION"));
        Ok(Self {
            url: parsed,
            region: region.unwrap_or_else(|| "us-east-1".to_owned()),
            id: variable("AWS_ACCESS_KEY_ID").unwrap_or_else(|| "test".to_owned()),
            secret: variable("AWS_SECRET_ACCESS_KEY").unwrap_or_else(|| "test".to_owned()),
            token: variable("AWS_SESSION_TOKEN"),
            date: AmzDate::from_unix_ms(now_ms),
        })
    }

    /// The answer, an empty object where there is none.
    pub fn call(&self, command: &CommandLine, input: &Input) -> Result<Value, Failure> {
        let operation = &command.operation;
        let body = Value::Object(input.clone()).to_string();
        let answer = self.exchange(operation.service, operation.name, &body).map_err(|error| {
            Failure::failed(format_args!(
                "Could not connect to the endpoint URL: \"{}\" ({error})",
                self.url
            ))
        })?;
        let content = if answer.body.is_empty() { b"{}" } else { answer.body.as_slice() };
        let value: Value = serde_json::from_slice(content).map_err(|_| {
            let start = String::from_utf8_lossy(&answer.body).chars().take(200).collect::<String>();
            Failure::failed(format_args!("{}: no AWS JSON: {start}", self.url))
        })?;
        if answer.status == 200 {
            return Ok(value);
        }
        let kind = value["__type"].as_str().unwrap_or("Unknown");
        let kind = kind.rsplit('#').next().unwrap_or(kind);
        let code = answer
            .query_error
            .as_deref()
            .map_or(kind, |error| error.split(';').next().unwrap_or(error));
        let message = value["message"].as_str().or_else(|| value["Message"].as_str());
        Err(Failure {
            status: REFUSED,
            message: format!(
                "\nAn error occurred ({code}) when calling the {} operation: {}\n",
                operation.name,
                message.unwrap_or("Unknown")
            ),
        })
    }

    fn exchange(&self, service: &str, action: &str, body: &str) -> std::io::Result<Answer> {
        let authority = self.url.authority().map_or("", |authority| authority.as_str());
        let prefix = Service::named(service).map_or("", Service::json_target);
        let target = format!("{prefix}{action}");
        let mut headers = vec![
            ("content-type", "application/x-amz-json-1.0".to_owned()),
            ("host", authority.to_owned()),
            ("x-amz-date", self.date.to_string()),
        ];
        if let Some(token) = &self.token {
            headers.push(("x-amz-security-token", token.clone()));
        }
        headers.push(("x-amz-target", target));
        let authorization = self.authorization(service, &headers, body);
        // Writing to a text cannot fail.
        let mut request = String::from("POST / HTTP/1.1\r\n");
        for (name, value) in &headers {
            let _ = write!(request, "{name}: {value}\r\n");
        }
        let _ = write!(
            request,
            "authorization: {authorization}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        let mut stream = self.connect(authority)?;
        stream.write_all(request.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut bytes = Vec::new();
        stream.take(ANSWER_BYTES).read_to_end(&mut bytes)?;
        Answer::read(&bytes).ok_or_else(|| std::io::Error::other("the answer is no HTTP"))
    }

    fn connect(&self, authority: &str) -> std::io::Result<TcpStream> {
        let host = self.url.host().unwrap_or(authority).trim_matches(['[', ']']);
        let port = self.url.port_u16().unwrap_or(80);
        let mut last = std::io::Error::other("no such host");
        for address in (host, port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn authorization(
        &self,
        service: &str,
        headers: &[(&'static str, String)],
        body: &str,
    ) -> String {
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        let signed_headers = names.join(";");
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                map.insert(HeaderName::from_static(name), value);
            }
        }
        let canonical = canonical_request(&Parts {
            method: "POST",
            path: "/",
            query: "",
            headers: &map,
            signed_headers: &signed_headers,
            payload_hash: &hex(body.as_bytes()),
            presigned: false,
        });
        let scope = format!("{}/{}/{service}/aws4_request", self.date.day(), self.region);
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
            self.date,
            hex(&canonical.unwrap_or_default())
        );
        let key = SigningKey::derive(&self.secret, self.date.unix_s(), &self.region, service);
        let signature = key.map_or_else(String::new, |key| key.sign(&to_sign));
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed_headers}, \
             Signature={signature}",
            self.id
        )
    }
}

fn default_endpoint(variables: &HashMap<String, String>) -> String {
    let tls = variables.get("USE_SSL").is_some_and(|on| on == "1" || on == "true");
    let scheme = if tls { "https" } else { "http" };
    let host = variables.get("LOCALSTACK_HOST").map_or("localhost", String::as_str);
    let port = variables.get("EDGE_PORT").map_or("4566", String::as_str);
    if host.contains(':') {
        format!("{scheme}://{host}")
    } else {
        format!("{scheme}://{host}:{port}")
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An answer, read to its end.
struct Answer {
    status: u16,
    query_error: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    /// Reads an answer whose connection was closed behind it.
    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let mut query_error = None;
        let mut chunked = false;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("x-amzn-query-error") {
                query_error = Some(value.trim().to_owned());
            }
            chunked |= name.eq_ignore_ascii_case("transfer-encoding")
                && value.trim().eq_ignore_ascii_case("chunked");
        }
        let body = &bytes[end + 4..];
        let body = if chunked { unchunk(body)? } else { body.to_vec() };
        Some(Self { status, query_error, body })
    }
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let chunk = rest.get(end + 2..)?.get(..size)?;
        body.extend_from_slice(chunk);
        rest = rest.get(end + 2 + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_where_it_is_said_to_be() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            default_endpoint(&pairs.collect())
        };
        assert_eq!(of(&[]), "http://localhost:4566");
        assert_eq!(of(&[("LOCALSTACK_HOST", "queues:1")]), "http://queues:1");
        assert_eq!(of(&[("LOCALSTACK_HOST", "queues"), ("USE_SSL", "1")]), "https://queues:4566");
        assert_eq!(of(&[("EDGE_PORT", "5")]), "http://localhost:5");
    }

    #[test]
    fn answers_are_read_whole_and_in_chunks() {
        let whole = b"HTTP/1.1 400 Bad Request\r\nX-Amzn-Query-Error: A.B;Sender\r\n\r\n{}";
        let answer = Answer::read(whole).unwrap();
        assert_eq!((answer.status, answer.query_error.as_deref()), (400, Some("A.B;Sender")));
        let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{\"\r\n4\r\na\":1\r\n0\r\n\r\n";
        assert_eq!(Answer::read(chunks).unwrap().body, b"{\"a\":1");
        assert!(Answer::read(b"HTTP/1.1 200").is_none());
    }
}
