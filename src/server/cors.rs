//! Calls from web pages: responses to preflights, and the headers without which a browser hides the
//! response from the page, for the origins in the settings only.
//!
//! tower-http's layer does not fit: it answers every OPTIONS request with 200, and adds `Vary` to
//! all responses.

use axum::body::Body;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::{Method, Request, Response, StatusCode};

use super::rules::Verdict;
use crate::domain::host::{Authority, is_or_is_below};

const METHODS: HeaderValue = HeaderValue::from_static("HEAD,GET,PUT,POST,DELETE,OPTIONS,PATCH");
/// The headers that AWS's SDKs for browsers send, for a preflight that names none.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization,cache-control,content-length,content-md5,content-type,x-amz-content-sha256,\
     x-amz-date,x-amz-security-token,x-amz-target,x-amz-user-agent,x-amzn-query-mode,\
     amz-sdk-invocation-id,amz-sdk-request",
);
const EXPOSED_HEADERS: HeaderValue =
    HeaderValue::from_static("x-amzn-requestid,x-amzn-query-error,x-amzn-trace-id,date");

/// The origins that may call.
#[derive(Debug, Clone, Default)]
pub struct Cors {
    origins: Vec<String>,
    local: bool,
}

impl Cors {
    /// Returns the settings for these origins. `*` means all; `local` adds those of this machine,
    /// on any port.
    pub fn new(origins: &[String], local: bool) -> Self {
        let origins = origins.iter().map(|origin| origin.trim_end_matches('/').to_owned());
        Self { origins: origins.collect(), local }
    }

    /// Returns the response to a preflight if the page may call.
    fn preflight(&self, request: &Request<impl Sized>) -> Option<Response<Body>> {
        let headers = request.headers();
        if request.method() != Method::OPTIONS
            || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            return None;
        }
        let origin = self.allowed(headers)?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        let answer = response.headers_mut();
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.unwrap_or(REQUEST_HEADERS));
        admit(answer, origin);
        Some(response)
    }

    /// Returns the origin of a request if its page may read the response.
    pub fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if self.origins.is_empty() && !self.local {
            return None;
        }
        let origin = headers.get(ORIGIN)?;
        self.allows(origin.to_str().ok()?).then(|| origin.clone())
    }

    /// Returns whether pages of this origin may call.
    pub fn allows(&self, origin: &str) -> bool {
        self.allows_all()
            || self.origins.iter().any(|known| known == origin)
            || self.local && is_local(origin)
    }

    /// Returns whether pages of all origins may call.
    pub fn allows_all(&self) -> bool {
        self.origins.iter().any(|known| known == "*")
    }
}

/// Answers preflights, and lets pages of allowed origins read the responses to their requests.
pub(super) fn rule(cors: &Cors, request: &Request<Body>) -> Verdict {
    let Some(origin) = cors.allowed(request.headers()) else { return Verdict::Pass };
    match cors.preflight(request) {
        Some(response) => Verdict::Answer(response),
        None => Verdict::Amend(Box::new(move |response| admit(response.headers_mut(), origin))),
    }
}

/// Lets pages of this origin read a response.
fn admit(answer: &mut HeaderMap, origin: HeaderValue) {
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
    answer.append(VARY, HeaderValue::from_static("Origin"));
}

/// Returns whether an origin is served from this machine.
fn is_local(origin: &str) -> bool {
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.and_then(Authority::parse).is_some_and(|host| {
        host.is_loopback() || is_or_is_below(host.host(), "localhost.localstack.cloud")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, origin: &str) -> Request<()> {
        let request = Request::builder().method(method).header(ORIGIN, origin);
        let request = request.header(ACCESS_CONTROL_REQUEST_METHOD, "POST");
        request.header(ACCESS_CONTROL_REQUEST_HEADERS, "x-amz-target,x-other").body(()).unwrap()
    }

    #[test]
    fn a_preflight_of_a_known_origin_is_told_what_it_asks_and_of_another_nothing() {
        let cors = Cors::new(&["https://shop.example/".to_owned()], false);
        let answer = cors.preflight(&request("OPTIONS", "https://shop.example")).unwrap();
        assert_eq!(answer.status(), 204);
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "https://shop.example");
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_HEADERS], "x-amz-target,x-other");
        assert!(cors.preflight(&request("POST", "https://shop.example")).is_none());
        assert!(cors.preflight(&request("OPTIONS", "https://evil.example")).is_none());
        assert!(cors.preflight(&request("OPTIONS", "http://localhost:3000")).is_none());
    }

    #[test]
    fn this_machine_and_everybody_can_be_meant() {
        let local = Cors::new(&[], true);
        for (origin, may) in [
            ("http://localhost:3000", true),
            ("https://app.localhost.localstack.cloud", true),
            ("http://127.0.0.1", true),
            ("http://[::1]:3000", true),
            ("ftp://localhost", false),
            ("http://localhost/", false),
            ("http://localhost.evil.example", false),
            ("null", false),
        ] {
            assert_eq!(local.allowed(request("GET", origin).headers()).is_some(), may, "{origin}");
        }
        let all = Cors::new(&["*".to_owned()], false);
        assert!(all.allowed(request("GET", "null").headers()).is_some());
        assert!(Cors::default().allowed(request("GET", "http://localhost").headers()).is_none());
    }
}
