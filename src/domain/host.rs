//! Hosts in requests and settings: a name or an address, with an optional port.
//!
//! AWS has no rule here. A host ends up in queue URLs and links, and it decides whether a browser's
//! request is accepted, so anything that is not exactly a host is rejected.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a host name: DNS allows 253 and a final dot.
const LONGEST_NAME: usize = 254;

/// A host with an optional port, such as `queues.example:4566`, `10.1.2.3` or `[::1]:80`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority<'t> {
    host: &'t str,
    ip: Option<IpAddr>,
}

impl<'t> Authority<'t> {
    /// Returns the host in this text, or `None` if the text is anything else: empty, with a user before
    /// the host, with a path after it, with spaces, or with a port that is not a number up to 65535. Underscores are accepted, because container names have them.
    pub fn parse(text: &'t str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            let ip: Ipv6Addr = address.parse().ok()?;
            let is_whole = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            return is_whole.then_some(Self { host: address, ip: Some(ip.into()) });
        }
        let (host, port) =
            text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        if !is_name(host) || !port.is_none_or(is_port) {
            return None;
        }
        let ip = host.parse::<Ipv4Addr>().ok().map(IpAddr::from);
        Some(Self { host: host.strip_suffix('.').unwrap_or(host), ip })
    }

    /// Returns the name or address, without brackets, without the final dot of a name, without the
    /// port.
    pub fn host(&self) -> &'t str {
        self.host
    }

    /// Returns whether the host is an IP address instead of a name.
    pub fn is_ip(&self) -> bool {
        self.ip.is_some()
    }

    /// Returns whether the host is always this machine: 127.0.0.0/8, ::1, `localhost`, and names below
    /// `localhost`.
    pub fn is_loopback(&self) -> bool {
        match self.ip {
            Some(ip) => ip.to_canonical().is_loopback(),
            None => is_or_is_below(self.host, "localhost"),
        }
    }
}

/// Returns whether a name is this domain or one below it, case-insensitively.
pub fn is_or_is_below(name: &str, domain: &str) -> bool {
    let Some(start) = name.len().checked_sub(domain.len()) else { return false };
    let (before, end) = (name.as_bytes(), domain.as_bytes());
    before[start..].eq_ignore_ascii_case(end) && (start == 0 || before[start - 1] == b'.')
}

fn is_name(text: &str) -> bool {
    let labels = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= LONGEST_NAME && labels.split('.').all(is_label)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for (text, host) in [
            ("localhost", "localhost"),
            ("Queues.Example.:4566", "Queues.Example"),
            ("my_service-1:0", "my_service-1"),
            ("127.0.0.1:65535", "127.0.0.1"),
            ("[::1]", "::1"),
            ("[fe80::1]:80", "fe80::1"),
        ] {
            assert_eq!(Authority::parse(text).map(|host| host.host()), Some(host), "{text}");
        }
        let long = "x".repeat(255);
        for text in [
            "",
            ".",
            ":80",
            "a..b",
            ".a",
            "a:",
            "a:65536",
            "a:+1",
            "a:1:2",
            "a b",
            "a/b",
            "a?b",
            "a#b",
            "a@b",
            "user:password@a",
            "a\"b",
            "a<b",
            "a\r\nb",
            "ä",
            "[::1",
            "::1",
            "[::1]80",
            "[a]",
            "%61",
            long.as_str(),
        ] {
            assert_eq!(Authority::parse(text), None, "{text}");
        }
    }

    #[test]
    fn loopback_is_this_machine_whatever_the_spelling() {
        for (text, is_loopback) in [
            ("localhost:1", true),
            ("LOCALHOST.", true),
            ("sqs.us-east-1.localhost", true),
            ("127.9.9.9", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]", true),
            ("0.0.0.0", false),
            ("[::]", false),
            ("192.168.0.1", false),
            ("notlocalhost", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
        ] {
            assert_eq!(Authority::parse(text).unwrap().is_loopback(), is_loopback, "{text}");
        }
    }
}
