//! One signed call in AWS JSON over HTTP/1.1, with TLS or without.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{ErrorKind, Read};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use hyper::http::{HeaderMap, HeaderName, HeaderValue};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::command_line::CommandLine;
use super::profiles::Profile;
use super::{Failure, Input, REFUSED, tls};
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
    sign: bool,
    /// Of https endpoints.
    tls: Option<Arc<ClientConfig>>,
}

/// The region that the server tells its init hooks, which is nobody's choice.
pub const SERVERS_REGION: &str = "AWSLOCAL_SERVERS_REGION";

/// A connection.
trait Stream: Read + std::io::Write {}
impl<S: Read + std::io::Write> Stream for S {}

impl Caller {
    /// By the options, then the environment, then what everybody has.
    pub fn of(
        command: &CommandLine,
        variables: &HashMap<String, String>,
        profile: &Profile,
        now_ms: i64,
    ) -> Result<Self, Failure> {
        let variable = |name: &str| variables.get(name).cloned();
        let service = command.operation.service.to_uppercase();
        let url = command
            .endpoint_url
            .clone()
            .or_else(|| variable(&format!("AWS_ENDPOINT_URL_{service}")))
            .or_else(|| variable("AWS_ENDPOINT_URL"))
            .or_else(|| profile.get("endpoint_url"))
            .unwrap_or_else(|| default_endpoint(variables));
        let parsed = url.parse::<Uri>().ok().filter(|url| url.authority().is_some());
        let Some(parsed) = parsed else {
            return Err(Failure::unusable(format_args!("Invalid endpoint: {url}")));
        };
        let tls = match parsed.scheme_str() {
            Some("http") => None,
            Some("https") => {
                let bundle = command.ca_bundle.clone().or_else(|| profile.get("ca_bundle"));
                let config = tls::config(bundle.as_deref(), command.verify);
                Some(config.map_err(Failure::failed)?)
            }
            _ => return Err(Failure::unusable(format_args!("Invalid endpoint: {url}"))),
        };
        // What init hooks are given stands for those who have said nothing, the profile included.
        let unsaid = variable(SERVERS_REGION);
        let said = |name: &str| variable(name).filter(|region| Some(region) != unsaid.as_ref());
        let region = command.region.clone();
        let region = region.or_else(|| said("AWS_REGION"));
        let region = region.or_else(|| said("AWS_DEFAULT_REGION"));
        let region = region.or_else(|| profile.get("region"));
        let region = region.or_else(|| variable("DEFAULT_REGION")).or(unsaid);
        let by_profile = || {
            Some((
                profile.get("aws_access_key_id")?,
                profile.get("aws_secret_access_key")?,
                profile.get("aws_session_token"),
            ))
        };
        let by_variable = || {
            Some((
                variable("AWS_ACCESS_KEY_ID")?,
                variable("AWS_SECRET_ACCESS_KEY")?,
                variable("AWS_SESSION_TOKEN"),
            ))
        };
        let found = if profile.is_chosen {
            by_profile().or_else(by_variable)
        } else {
            by_variable().or_else(by_profile)
        };
        let id_alone = || variable("AWS_ACCESS_KEY_ID").unwrap_or_else(|| "test".to_owned());
        let (id, secret, token) = found.unwrap_or_else(|| (id_alone(), "test".to_owned(), None));
        Ok(Self {
            url: parsed,
            region: region.unwrap_or_else(|| "us-east-1".to_owned()),
            id,
            secret,
            token,
            date: AmzDate::from_unix_ms(now_ms),
            sign: command.sign,
            tls,
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
        // Writing to a text cannot fail.
        let path = self.url.path();
        let mut request = format!("POST {path} HTTP/1.1\r\n");
        for (name, value) in &headers {
            let _ = write!(request, "{name}: {value}\r\n");
        }
        if self.sign {
            let authorization = self.authorization(service, &headers, body);
            let _ = write!(request, "authorization: {authorization}\r\n");
        }
        let _ = write!(request, "content-length: {}\r\nconnection: close\r\n\r\n", body.len());
        let mut stream = self.connect(authority)?;
        stream.write_all(request.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        stream.flush()?;
        let mut bytes = Vec::new();
        match stream.take(ANSWER_BYTES).read_to_end(&mut bytes) {
            // Many servers end TLS without saying so; whether all has come the answer tells.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
            read => drop(read?),
        }
        Answer::read(&bytes).ok_or_else(|| std::io::Error::other("the answer is no whole HTTP"))
    }

    fn connect(&self, authority: &str) -> std::io::Result<Box<dyn Stream>> {
        let host = self.url.host().unwrap_or(authority).trim_matches(['[', ']']);
        let stream = self.connect_to(host)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
        let connection =
            ClientConnection::new(Arc::clone(tls), name).map_err(std::io::Error::other)?;
        Ok(Box::new(StreamOwned::new(connection, stream)))
    }

    fn connect_to(&self, host: &str) -> std::io::Result<TcpStream> {
        let usual = if self.tls.is_some() { 443 } else { 80 };
        let port = self.url.port_u16().unwrap_or(usual);
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
            path: self.url.path(),
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
        let mut length = 0;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("x-amzn-query-error") {
                query_error = Some(value.trim().to_owned());
            }
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
            chunked |= name.eq_ignore_ascii_case("transfer-encoding")
                && value.trim().eq_ignore_ascii_case("chunked");
        }
        let body = &bytes[end + 4..];
        let body = if chunked { unchunk(body)? } else { body.to_vec() };
        if body.len() < length {
            return None;
        }
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
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use rustls::ServerConnection;
    use rustls::crypto::ring;
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use std::io::Write as _;
    use std::net::TcpListener;

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
        assert!(Answer::read(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}").is_none());
    }

    /// Serves calls with a certificate of its own, one after the other.
    fn serve_https(made: &rcgen::CertifiedKey<rcgen::KeyPair>) -> std::net::SocketAddr {
        let certificate = made.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
        let tls = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let tls = Arc::new(tls);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&tls)).unwrap();
                let mut stream = StreamOwned::new(connection, stream.unwrap());
                let mut request = Vec::new();
                let mut some = [0; 4_096];
                // Whoever is not convinced says so, which is an error here.
                while let Ok(read @ 1..) = stream.read(&mut some) {
                    request.extend_from_slice(&some[..read]);
                    if request.ends_with(b"{}") {
                        let signed = request.windows(15).any(|some| some == b"\r\nauthorization");
                        let body = format!("{{\"Signed\":{signed}}}");
                        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}", body.len());
                        // Nobody says that it ends: the connection is just closed.
                        stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
                        break;
                    }
                }
            }
        });
        address
    }

    #[test]
    fn an_https_endpoint_must_convince_unless_nobody_wants_it() {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let mut bundle = tempfile::NamedTempFile::new().unwrap();
        let encoded = STANDARD.encode(made.cert.der());
        let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
        writeln!(bundle, "{begin}\n{encoded}\n{end}").unwrap();
        let bundle = bundle.path().to_str().unwrap();
        let address = serve_https(&made);
        let call = |more: &str| {
            let line = format!("--endpoint-url https://{address} sqs list-queues{more}");
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            let command = CommandLine::parse(&words, &HashMap::new()).unwrap();
            let caller = Caller::of(&command, &HashMap::new(), &Profile::default(), 0)?;
            caller.call(&command, &command.input)
        };
        let signed = |signed: bool| serde_json::json!({"Signed": signed});
        assert_eq!(call(&format!(" --ca-bundle {bundle}")).unwrap(), signed(true));
        assert_eq!(call(" --no-verify-ssl --no-sign-request").unwrap(), signed(false));
        let refused = call("").unwrap_err();
        assert_eq!(refused.status, super::super::FAILED);
        assert!(refused.message.contains("certificate"), "{refused:?}");
        let missing = call(" --ca-bundle /nowhere").unwrap_err();
        assert!(missing.message.contains("/nowhere"), "{missing:?}");
    }
}
