//! The audit log: one line for each call that changes something other than messages, and for each
//! rejected signature, with the target `squab::audit`.
//!
//! A line contains the caller (key ID, account, address), the operation with its resource, and the
//! result. It never contains a secret, a token, a body or a receipt handle. The ARN of a
//! subscription is permission to end it, so the line names its topic instead. Text from callers is
//! shortened and escaped to one line.
//!
//! Callers without a key can cause lines about rejected signatures, so these are rate-limited. The
//! next line states how many were suppressed, and the metric counts all of them.

use super::callers::slot_of;
use super::metrics::Metrics;
use crate::api::operations::Payload;
use crate::domain::address::QueueAddress;
use crate::domain::{Kind, Refusal};
use hyper::HeaderMap;
use hyper::http::request::Parts;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The lines about rejected signatures that may be written in a burst.
const BURST: u32 = 20;
/// The time until one more line is allowed.
const REFILL: Duration = Duration::from_secs(1);
/// Longest text of a caller in a line, in characters. ARNs have a few hundred.
const LONGEST: usize = 300;

/// The caller of a request, for the log.
#[derive(Debug, Clone, Default)]
pub(super) struct Who {
    /// The access key ID, whether it is configured or not.
    pub key_id: Option<String>,
    /// The account, 12 digits; empty if the caller was rejected.
    pub account: Option<String>,
    /// The address of the client.
    pub address: Option<IpAddr>,
}

/// A call that is logged when its result is known.
#[derive(Debug)]
pub(super) struct Entry {
    pub who: Who,
    /// The service and the operation, or the method and the path.
    pub operation: String,
    /// The ARN or name of the changed resource; empty if the call names none.
    pub resource: String,
}

impl Entry {
    /// Writes the line. `result` is `ok` or an error code.
    pub(super) fn log(&self, result: &str) {
        tracing::info!(
            target: "squab::audit",
            key_id = %plain(self.who.key_id.as_deref().unwrap_or("-")),
            account = self.who.account.as_deref().unwrap_or("-"),
            address = %Shown(self.who.address),
            operation = %plain(&self.operation),
            resource = %plain(&self.resource),
            result,
            "call",
        );
    }
}

/// The state of the audit log between lines.
#[derive(Debug)]
pub struct Audit {
    metrics: Arc<Metrics>,
    allowance: Mutex<Allowance>,
}

impl Audit {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, allowance: Mutex::new(Allowance::full(Instant::now())) }
    }

    /// Counts a rejected signature, and writes a line about it within the rate limit. `operation`
    /// is its name, or the method and path if the request names no operation.
    pub(super) fn rejected(&self, who: &Who, operation: &str, refusal: &Refusal) {
        let reason = reason(refusal.kind);
        self.metrics.count_rejected_signature(reason);
        let mut allowance = self.allowance.lock();
        let Some(left_out) = allowance.take(Instant::now()) else { return };
        drop(allowance);
        tracing::warn!(
            target: "squab::audit",
            key_id = %plain(who.key_id.as_deref().unwrap_or("-")),
            address = %Shown(who.address),
            operation = %plain(operation),
            reason,
            left_out,
            "rejected signature",
        );
    }
}

/// The label of a rejected signature in metrics and in the log.
fn reason(kind: Kind) -> &'static str {
    match kind {
        Kind::MissingAuthenticationToken => "missing",
        Kind::InvalidClientTokenId => "unknown_key_or_token",
        Kind::ExpiredToken => "expired_token",
        Kind::IncompleteSignature => "incomplete",
        Kind::SignatureDoesNotMatch => "mismatch",
        _ => "other",
    }
}

/// A token bucket for lines, which gains one line in each [`REFILL`].
#[derive(Debug)]
struct Allowance {
    lines: u32,
    /// When a line was last added.
    filled_at: Instant,
    left_out: u64,
}

impl Allowance {
    fn full(now: Instant) -> Self {
        Self { lines: BURST, filled_at: now, left_out: 0 }
    }

    /// Returns the number of lines suppressed before this one, or `None` if this one is suppressed
    /// too.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let periods = now.duration_since(self.filled_at).as_nanos() / REFILL.as_nanos();
        let more = u32::try_from(periods).unwrap_or(u32::MAX);
        if self.lines.saturating_add(more) >= BURST {
            (self.lines, self.filled_at) = (BURST, now);
        } else {
            self.lines += more;
            self.filled_at += REFILL * more;
        }
        if self.lines == 0 {
            self.left_out += 1;
            return None;
        }
        self.lines -= 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// Returns the address of the client: the peer of the connection, or the address that the nearest
/// proxy reports if proxies are trusted. The client can forge earlier entries of X-Forwarded-For.
pub(super) fn address_of(parts: &Parts, trust_forwarded: bool) -> Option<IpAddr> {
    let forwarded = if trust_forwarded { forwarded_for(&parts.headers) } else { None };
    forwarded.or_else(|| Some(slot_of(parts)?.peer?.ip().to_canonical()))
}

fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let value = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    let last = value.rsplit(',').next()?.trim();
    let with_port = || last.parse::<SocketAddr>().ok().map(|address| address.ip());
    last.parse().ok().or_else(with_port)
}

/// Returns the ARN or name of a call's resource, as its parameters state it; empty if they state
/// none.
pub(super) fn resource_of(payload: &Payload, path: &str, account: &str, region: &str) -> String {
    let document: Map<String, Value> = match payload {
        Payload::Json(body) => serde_json::from_slice(body).unwrap_or_default(),
        Payload::Query(_) => Map::new(),
    };
    let get = |name: &str| match payload {
        Payload::Json(_) => document.get(name).and_then(Value::as_str),
        Payload::Query(params) => params.get(name),
    };
    if let Some(url) = get("QueueUrl").filter(|url| !url.is_empty()) {
        let queue = QueueAddress::from_url(url, account, region);
        return queue.map(|queue| queue.arn()).unwrap_or_default();
    }
    if let Some(subscription) = get("SubscriptionArn") {
        return subscription.rsplit_once(':').map_or("", |(topic, _)| topic).to_owned();
    }
    if let Some(name) = NAMES.iter().find_map(|name| get(name)) {
        return name.to_owned();
    }
    let by_path = QueueAddress::from_path(path, account, region);
    let is_query = matches!(payload, Payload::Query(_));
    by_path.filter(|_| is_query).map(|queue| queue.arn()).unwrap_or_default()
}

/// The parameters, besides QueueUrl and SubscriptionArn, that name the resource of a call. None of
/// them is a secret.
const NAMES: [&str; 8] = [
    "QueueName",
    "TopicArn",
    "ResourceArn",
    "SourceArn",
    "EndpointArn",
    "PlatformApplicationArn",
    "RoleArn",
    "Name",
];

/// Returns the text of a caller as a part of one line.
fn plain(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    Cow::Owned(text.chars().take(LONGEST).map(shown).collect())
}

struct Shown(Option<IpAddr>);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::memory::Memory;
    use crate::server::limits::connections::Connections;
    use crate::wire::form::Params;
    use hyper::Request;

    #[test]
    fn lines_beyond_the_allowance_are_counted() {
        let start = Instant::now();
        let mut allowance = Allowance::full(start);
        for _ in 0..BURST {
            assert_eq!(allowance.take(start), Some(0));
        }
        for _ in 0..1_000 {
            assert_eq!(allowance.take(start), None);
        }
        assert_eq!(allowance.take(start + REFILL), Some(1_000));
        assert_eq!(allowance.take(start + REFILL), None);
        let later = start + Duration::from_hours(1);
        assert_eq!(allowance.take(later), Some(1));
        assert_eq!((1..BURST).filter_map(|_| allowance.take(later)).count(), BURST as usize - 1);
        assert_eq!(allowance.take(later), None);
    }

    #[test]
    fn only_a_trusted_proxy_says_the_address() {
        let parts = |value: &str| {
            let mut request = Request::builder().header("x-forwarded-for", value).body(()).unwrap();
            let peer = "192.0.2.1:5".parse().unwrap();
            let connections = Connections::new(1, Duration::ZERO, Memory::new(1 << 20));
            request.extensions_mut().insert(connections.enter(Some(peer)));
            request.into_parts().0
        };
        let address = |value, trusted| address_of(&parts(value), trusted).unwrap().to_string();
        assert_eq!(address("198.51.100.7", false), "192.0.2.1");
        assert_eq!(address("198.51.100.7", true), "198.51.100.7");
        assert_eq!(address("203.0.113.9, 198.51.100.7:80", true), "198.51.100.7");
        assert_eq!(address("2001:db8::1", true), "2001:db8::1");
        assert_eq!(address("198.51.100.7\tx", true), "192.0.2.1");
    }

    #[test]
    fn a_resource_is_named_without_what_grants_anything() {
        let of = |form: &str, path: &str| {
            let params = Params::parse(None, form.as_bytes()).unwrap();
            resource_of(&Payload::Query(params), path, "000000000000", "us-east-1")
        };
        let queue = "arn:aws:sqs:us-east-1:000000000000:q";
        assert_eq!(of("QueueUrl=http://user:secret@h/000000000000/q", "/"), queue);
        assert_eq!(of("Action=DeleteQueue", "/000000000000/q"), queue);
        assert_eq!(of("QueueName=q", "/"), "q");
        assert_eq!(of("TopicArn=arn:t&Token=secret&Endpoint=http://u:p@h", "/"), "arn:t");
        assert_eq!(of("SubscriptionArn=arn:aws:sns:r:a:t:id", "/"), "arn:aws:sns:r:a:t");
        assert_eq!(of("TaskHandle=secret", "/"), "");
        let json = |body: &'static str| {
            let payload = Payload::Json(body.as_bytes().into());
            resource_of(&payload, "/000000000000/r", "000000000000", "us-east-1")
        };
        assert_eq!(json(r#"{"QueueUrl":"http://h/000000000000/q","Label":[1]}"#), queue);
        assert_eq!(json(r#"{"QueueName":"\u0071"}"#), "q");
        assert_eq!(json("nonsense"), "");
    }

    #[test]
    fn a_callers_text_is_one_short_line() {
        assert_eq!(plain("a\nb\u{1b}c"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(plain(&"é".repeat(1_000)).chars().count(), LONGEST);
    }
}
