//! The address by which a caller reached the server. Queue URLs and links in messages begin with
//! it.
//!
//! A proxy reports it in `X-Forwarded-Proto` and `X-Forwarded-Host`, or in `Forwarded` (RFC 7239).
//! Callers can send these headers too, and any `Host`. Proxies append to these headers or replace
//! them, so the last value comes from the proxy in front of this server, and earlier values may
//! come from the caller. Only an exact scheme, or a host with an optional port, is used, so no
//! request can put anything else into a link.

use hyper::Uri;
use hyper::header::{FORWARDED, HOST, HeaderMap};

use super::response::header;
use crate::domain::host::Authority;

const FORWARDED_PROTO: &str = "x-forwarded-proto";
const FORWARDED_HOST: &str = "x-forwarded-host";

/// Returns `scheme://host[:port]`: the values from the proxy if it is trusted and they are
/// well-formed, else http and the host of the request, else `localhost`.
pub(super) fn base_url(headers: &HeaderMap, uri: &Uri, trust_forwarded: bool) -> String {
    let (scheme, host) = if trust_forwarded { of_proxy(headers) } else { (None, None) };
    let own_host = || {
        let authority = uri.authority().map(hyper::http::uri::Authority::as_str);
        header(headers, HOST.as_str()).or(authority).filter(|host| Authority::parse(host).is_some())
    };
    let host = host.or_else(own_host).unwrap_or("localhost");
    format!("{}://{host}", scheme.unwrap_or("http"))
}

/// Returns scheme and host from the headers of the nearest proxy, each only if it is well-formed.
///
/// `Forwarded` is used only if neither of the other two is present: a proxy that sets those may
/// pass on a forged `Forwarded` of its client.
pub(super) fn of_proxy(headers: &HeaderMap) -> (Option<&'static str>, Option<&str>) {
    let (proto, host) =
        if headers.contains_key(FORWARDED_PROTO) || headers.contains_key(FORWARDED_HOST) {
            (last(headers, FORWARDED_PROTO), last(headers, FORWARDED_HOST))
        } else {
            let pairs = last(headers, FORWARDED.as_str());
            (
                pairs.and_then(|pairs| parameter(pairs, "proto")),
                pairs.and_then(|pairs| parameter(pairs, "host")),
            )
        };
    let host = host.map(str::trim).filter(|host| Authority::parse(host).is_some());
    (proto.and_then(scheme), host)
}

/// Returns the last value of a list header, which may span several lines.
fn last<'r>(headers: &'r HeaderMap, name: &str) -> Option<&'r str> {
    headers.get_all(name).iter().next_back()?.to_str().ok()?.rsplit(',').next()
}

fn scheme(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|scheme| text.trim().eq_ignore_ascii_case(scheme))
}

/// Returns the value of a parameter in `for=10.0.0.1;proto=https;host="queues.example:443"`. No
/// scheme or host contains a comma, a semicolon or an escape, so this simple parser reads quoted
/// values too.
fn parameter<'t>(pairs: &'t str, name: &str) -> Option<&'t str> {
    let mut pairs = pairs.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    let value = value.trim();
    Some(value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn base(trust: bool, given: &[(&str, &str)]) -> String {
        let headers = given.iter().map(|(name, value)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap())
        });
        base_url(&headers.collect(), &Uri::from_static("/"), trust)
    }

    const HERE: (&str, &str) = ("host", "here:4566");

    #[test]
    fn a_trusted_proxy_gives_scheme_and_host_in_either_form_and_the_last_value_counts() {
        for (forwarded, expected) in [
            (&[("x-forwarded-proto", "https")][..], "https://here:4566"),
            (
                &[("x-forwarded-proto", "http, HTTPS"), ("x-forwarded-host", "evil , q.example")],
                "https://q.example",
            ),
            (
                &[("x-forwarded-host", "evil.example"), ("x-forwarded-host", "q.example")],
                "http://q.example",
            ),
            (&[("x-forwarded-host", "evil.example, a b")], "http://here:4566"),
            (&[("x-forwarded-host", "evil.example,")], "http://here:4566"),
            (&[("x-forwarded-host", "[::1]:80")], "http://[::1]:80"),
            (
                &[("forwarded", "for=x;host=y, for=10.0.0.1;Proto=https;host=\"q.example:443\"")],
                "https://q.example:443",
            ),
            (&[("forwarded", "host=q.example")], "http://q.example"),
            (&[("x-forwarded-proto", "https"), ("forwarded", "host=made.up")], "https://here:4566"),
        ] {
            let given: Vec<_> = [HERE].iter().chain(forwarded).copied().collect();
            assert_eq!(base(true, &given), expected, "{forwarded:?}");
            assert_eq!(base(false, &given), "http://here:4566");
        }
    }

    #[test]
    fn what_is_no_scheme_and_no_host_is_ignored() {
        for (name, value) in [
            ("x-forwarded-proto", "javascript"),
            ("x-forwarded-proto", "https://evil.example/?"),
            ("x-forwarded-proto", ""),
            ("x-forwarded-host", "user@evil.example"),
            ("x-forwarded-host", "evil.example/path"),
            ("x-forwarded-host", "evil.example:99999"),
            ("x-forwarded-host", "a b"),
            ("x-forwarded-host", "\"><script>"),
            ("forwarded", "proto=gopher;host=evil.example/path"),
            ("forwarded", "host=\"evil.example"),
            ("forwarded", "evil.example"),
        ] {
            assert_eq!(base(true, &[HERE, (name, value)]), "http://here:4566", "{name}: {value}");
        }
        for host in ["user@evil.example", "evil.example/path", "a b", "\"><script>", "x:y"] {
            assert_eq!(base(false, &[("host", host)]), "http://localhost", "{host}");
        }
    }
}
