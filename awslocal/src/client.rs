//! One signed call in AWS JSON 1.0 over HTTP.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::Value;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::command_line::CommandLine;
use super::profiles::Profile;
use super::{Failure, Input, REFUSED};

/// Longer than any call: a receive waits up to 20 seconds.
const TIMEOUT: Duration = Duration::from_mins(1);
/// The most bytes of a response that are read.
const RESPONSE_BYTES: u64 = 256 * 1024 * 1024;

/// The endpoint, the credentials and the client of a call.
pub(super) struct Caller {
    url: Uri,
    region: String,
    credentials: Credentials,
    time: SystemTime,
    sign: bool,
    agent: Agent,
}

/// The server sets this variable for its init hooks to the same region as AWS_DEFAULT_REGION. Equal
/// values mean that the script has chosen no region.
const SERVERS_REGION: &str = "AWSLOCAL_SERVERS_REGION";

impl Caller {
    /// Reads the options of the command, then the environment, then the profile, then the
    /// defaults.
    pub fn of(
        command: &CommandLine,
        variables: &HashMap<String, String>,
        profile: &Profile,
        time: SystemTime,
    ) -> Result<Self, Failure> {
        Ok(Self {
            url: endpoint(command, variables, profile)?,
            region: region(command, variables, profile),
            credentials: credentials(variables, profile),
            time,
            sign: command.sign,
            agent: agent(command, profile)?,
        })
    }

    /// Returns the output of the operation, or an empty object if it has none.
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
            Failure::failed(format_args!("{}: the response is not AWS JSON: {start}", self.url))
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

    fn exchange(&self, service: &str, action: &str, body: &str) -> Result<Answer, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let target = format!("{}{action}", json_target(service));
        let authority = self.url.authority().map_or("", |authority| authority.as_str());
        let headers = [
            ("host", authority),
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", &target),
        ];
        let mut request = self.agent.post(&self.url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if self.sign {
            let signature =
                self.signature(service, &headers, body).map_err(|error| text(&*error))?;
            for (name, value) in signature {
                request = request.header(name, value);
            }
        }
        let mut response = request.send(body).map_err(|error| text(&error))?;
        let query_error = response.headers().get("x-amzn-query-error");
        Ok(Answer {
            status: response.status().as_u16(),
            query_error: query_error.and_then(|value| value.to_str().ok()).map(str::to_owned),
            body: response
                .body_mut()
                .with_config()
                .limit(RESPONSE_BYTES)
                .read_to_vec()
                .map_err(|error| text(&error))?,
        })
    }

    /// Returns the headers that sign a request.
    fn signature(
        &self,
        service: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Vec<(String, String)>, Box<dyn std::error::Error>> {
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service)
            .time(self.time)
            .settings(SigningSettings::default())
            .build()?
            .into();
        let url = self.url.to_string();
        let body = SignableBody::Bytes(body.as_bytes());
        let request = SignableRequest::new("POST", &url, headers.iter().copied(), body)?;
        let (instructions, _) = sign(request, &parameters)?.into_parts();
        let headers = instructions.headers();
        Ok(headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

fn endpoint(
    command: &CommandLine,
    variables: &HashMap<String, String>,
    profile: &Profile,
) -> Result<Uri, Failure> {
    let variable = |name: &str| variables.get(name).cloned();
    let service = command.operation.service.to_uppercase();
    let url = command
        .endpoint_url
        .clone()
        .or_else(|| variable(&format!("AWS_ENDPOINT_URL_{service}")))
        .or_else(|| variable("AWS_ENDPOINT_URL"))
        .or_else(|| profile.get("endpoint_url"))
        .unwrap_or_else(|| default_endpoint(variables));
    let is_usable =
        |url: &Uri| url.authority().is_some() && matches!(url.scheme_str(), Some("http" | "https"));
    url.parse()
        .ok()
        .filter(is_usable)
        .ok_or_else(|| Failure::unusable(format_args!("Invalid endpoint: {url}")))
}

fn region(command: &CommandLine, variables: &HashMap<String, String>, profile: &Profile) -> String {
    let variable = |name: &str| variables.get(name).cloned();
    let servers = variable(SERVERS_REGION);
    let chosen = |name: &str| variable(name).filter(|region| Some(region) != servers.as_ref());
    let region = command.region.clone();
    let region = region.or_else(|| chosen("AWS_REGION"));
    let region = region.or_else(|| chosen("AWS_DEFAULT_REGION"));
    let region = region.or_else(|| profile.get("region"));
    let region = region.or_else(|| variable("DEFAULT_REGION")).or(servers);
    region.unwrap_or_else(|| "us-east-1".to_owned())
}

/// Returns a value by precedence: a profile chosen on the command line, the environment, any other
/// profile.
fn credentials(variables: &HashMap<String, String>, profile: &Profile) -> Credentials {
    let by_profile = || {
        Some((
            profile.get("aws_access_key_id")?,
            profile.get("aws_secret_access_key")?,
            profile.get("aws_session_token"),
        ))
    };
    let variable = |name: &str| variables.get(name).cloned();
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
    Credentials::new(id, secret, token, None, "awslocal")
}

/// Returns the HTTP client, which trusts the certificate authorities of a PEM file, otherwise those
/// of the system, otherwise the bundled ones.
fn agent(command: &CommandLine, profile: &Profile) -> Result<Agent, Failure> {
    let bundle = command.ca_bundle.clone().or_else(|| profile.get("ca_bundle"));
    let authorities = match bundle {
        Some(path) => RootCerts::new_with_certs(&certificates(&path).map_err(Failure::failed)?),
        None => of_the_system(),
    };
    let tls = TlsConfig::builder().root_certs(authorities).disable_verification(!command.verify);
    Ok(Agent::config_builder()
        .tls_config(tls.build())
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(TIMEOUT))
        .build()
        .into())
}

fn of_the_system() -> RootCerts {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        return RootCerts::WebPki;
    }
    let certificates: Vec<_> =
        found.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
    RootCerts::new_with_certs(&certificates)
}

fn certificates(path: &str) -> Result<Vec<Certificate<'static>>, String> {
    let text = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let certificates: Vec<_> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(format!("{path}: the file has no certificate"));
    }
    Ok(certificates)
}

/// Returns the prefix of X-Amz-Target.
fn json_target(service: &str) -> &'static str {
    match service {
        "sns" => "AmazonSimpleNotificationService.",
        "sts" => "AWSSecurityTokenServiceV20110615.",
        _ => "AmazonSQS.",
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

/// A response, read to its end.
struct Answer {
    status: u16,
    query_error: Option<String>,
    body: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use rustls::crypto::ring;
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::{ServerConnection, StreamOwned};
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::Arc;

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
                // A client that does not accept the certificate ends the connection.
                while let Ok(read @ 1..) = stream.read(&mut some) {
                    request.extend_from_slice(&some[..read]);
                    if request.ends_with(b"{}") {
                        let signed = request.windows(15).any(|some| some == b"\r\nauthorization");
                        let body = format!("{{\"Signed\":{signed}}}");
                        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}", body.len());
                        // The connection is closed without the end of TLS being announced.
                        stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
                        break;
                    }
                }
            }
        });
        address
    }

    #[test]
    fn certificates_are_verified_unless_switched_off() {
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
            let caller =
                Caller::of(&command, &HashMap::new(), &Profile::default(), SystemTime::UNIX_EPOCH)?;
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
