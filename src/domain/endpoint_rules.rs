//! Rules for the http and https endpoints to which the server connects.
//!
//! AWS has no such rules, because its endpoints are on the public internet. A self-hosted server can
//! reach internal addresses that its callers must not reach.
//!
//! A rule names addresses or a host. An endpoint is allowed if no rule denies its host or its address
//! and, if there are allow rules, one of these allows its host or its address. Deny overrides allow.

use super::host::{Authority, is_or_is_below};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The target of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// The addresses of a network.
    Network(IpNet),
    /// A host name, in lower case.
    Host(String),
    /// All names below this one.
    Below(String),
    /// A class of addresses.
    Kind(Kind),
}

/// Named classes of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// This machine.
    Loopback,
    /// Private networks.
    Private,
    /// Link-local addresses, and the metadata services of clouds.
    Metadata,
    /// All other addresses that the internet routes.
    Public,
}

/// The words for kinds of addresses.
pub const KINDS: [(&str, Kind); 4] = [
    ("loopback", Kind::Loopback),
    ("private", Kind::Private),
    ("metadata", Kind::Metadata),
    ("public", Kind::Public),
];

impl FromStr for Rule {
    type Err = String;

    /// Reads `10.0.0.0/8`, `fd00::/8`, an address, `hooks.example.com`, `*.example.com`, or a word of
    /// [`KINDS`]. The error is a message for the operator.
    ///
    /// A host of one label ends in a dot, `hooks.`, because a word without a dot is more likely a word
    /// of [`KINDS`] that is misspelt, and would deny nothing. `localhost` needs none.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, kind)) = KINDS.iter().find(|(word, _)| text.eq_ignore_ascii_case(word)) {
            return Ok(Self::Kind(*kind));
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.into()));
        }
        let domain = text.strip_prefix("*.");
        let name = domain.unwrap_or(text);
        match Authority::parse(name) {
            // What follows the name is a port.
            Some(host) if !host.is_ip() && !name.contains(':') => {
                let label = host.host().rsplit('.').next().unwrap_or_default();
                if label.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(format!(
                        "`{text}` is neither a host, because it ends in a number, nor an address"
                    ));
                }
                let is_word = domain.is_none() && !name.contains('.') && name != "localhost";
                if is_word {
                    return Err(format!(
                        "`{text}` is none of loopback, private, metadata and public; a host of one \
                         label is written with a final dot, `{text}.`"
                    ));
                }
                let name = host.host().to_ascii_lowercase();
                Ok(if domain.is_some() { Self::Below(name) } else { Self::Host(name) })
            }
            _ => Err(format!(
                "`{text}` is neither a network such as 10.0.0.0/8, nor an address, nor a host such as \
                 hooks.example.com or *.example.com, nor loopback, private, metadata or public"
            )),
        }
    }
}

impl Rule {
    fn names_host(&self, host: &str) -> bool {
        match self {
            Self::Host(name) => host.eq_ignore_ascii_case(name),
            Self::Below(domain) => is_or_is_below(host, domain) && host.len() > domain.len(),
            Self::Network(_) | Self::Kind(_) => false,
        }
    }

    fn names_address(&self, address: IpAddr) -> bool {
        match self {
            Self::Network(network) => network.contains(&address),
            Self::Kind(kind) => kind.has(address),
            Self::Host(_) | Self::Below(_) => false,
        }
    }
}

impl Kind {
    fn has(self, address: IpAddr) -> bool {
        let among = |v4: &[(u32, u8)], v6: &[(u128, u8)]| match address {
            IpAddr::V4(address) => v4.iter().any(|(start, bits)| {
                let start = Ipv4Addr::from_bits(*start);
                Ipv4Net::new_assert(start, *bits).contains(&address)
            }),
            IpAddr::V6(address) => v6.iter().any(|(start, bits)| {
                let start = Ipv6Addr::from_bits(*start);
                Ipv6Net::new_assert(start, *bits).contains(&address)
            }),
        };
        match self {
            // A connection to 0.0.0.0/8 or to :: also reaches this machine.
            Self::Loopback => among(&[(0x7f00_0000, 8), (0, 8)], &[(0, 127)]),
            Self::Private => among(
                &[(0x0a00_0000, 8), (0xac10_0000, 12), (0xc0a8_0000, 16), (0x6440_0000, 10)],
                &[(0xfc00 << 112, 7)],
            ),
            // AWS, Azure, Google Cloud and most others; Alibaba; Azure's own; Oracle; AWS and Google over
            // IPv6.
            Self::Metadata => among(
                &[(0xa9fe_0000, 16), (0x6464_64c8, 32), (0xa83f_8110, 32), (0xc000_00c0, 32)],
                &[
                    (0xfe80 << 112, 10),
                    ((0xfd00 << 112) | (0x0ec2 << 96) | 0x0254, 128),
                    ((0xfd20 << 112) | (0x00ce << 96) | 0x0254, 128),
                ],
            ),
            Self::Public => {
                let of_others = [Self::Loopback, Self::Private, Self::Metadata];
                !of_others.iter().any(|kind| kind.has(address))
                    && !among(
                        &[
                            (0xc000_0000, 24), // protocol assignments
                            (0xc000_0200, 24), // documentation, and the two that follow
                            (0xc633_6400, 24),
                            (0xcb00_7100, 24),
                            (0xc612_0000, 15), // benchmarks
                            (0xe000_0000, 3),  // multicast, reserved, broadcast
                        ],
                        &[(0x2001_0db8 << 96, 32), (0xff00 << 112, 8)],
                    )
            }
        }
    }
}

/// The rules of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointRules {
    /// If this is empty, everything is allowed that is not denied.
    pub allow: Vec<Rule>,
    /// Overrides `allowed`.
    pub deny: Vec<Rule>,
}

impl EndpointRules {
    /// Returns these rules plus a rule that denies metadata addresses, unless these are allowed by name. The
    /// callers of a server with keys are not its operators.
    #[must_use]
    pub fn for_callers(mut self) -> Self {
        let metadata = Rule::Kind(Kind::Metadata);
        if !self.allow.contains(&metadata) && !self.deny.contains(&metadata) {
            self.deny.push(metadata);
        }
        self
    }

    /// Returns whether the server may connect to a host, given by name or address, at this address.
    pub fn allows(&self, host: &str, address: IpAddr) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        let forms = forms(address);
        let is_denied = self.deny.iter().any(|rule| {
            rule.names_host(host) || forms.iter().flatten().any(|form| rule.names_address(*form))
        });
        let allows =
            |rule: &Rule| rule.names_host(host) || rule.names_address(address.to_canonical());
        !is_denied && (self.allow.is_empty() || self.allow.iter().any(allows))
    }

    /// Returns whether a URL's host is denied, as far as that is known without resolving it: an address
    /// that is not allowed, or a denied name.
    pub fn denies_unresolved(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match literal.unwrap_or(host).parse() {
            Ok(address) => !self.allows(host, address),
            Err(_) => self.deny.iter().any(|rule| rule.names_host(host)),
        }
    }
}

/// Returns an address and the IPv4 address that it embeds, if any: IPv4-mapped, IPv4-compatible,
/// IPv4-translated, NAT64, 6to4 and Teredo addresses lead to another.
fn forms(address: IpAddr) -> [Option<IpAddr>; 2] {
    let IpAddr::V6(six) = address else { return [Some(address), None] };
    let bits = six.to_bits();
    let embedded = match bits >> 32 {
        // ::ffff:a.b.c.d; ::a.b.c.d, except :: and ::1; 64:ff9b::a.b.c.d
        0xffff => Some(bits as u32),
        0 if bits > 1 => Some(bits as u32),
        high if high == (0x0064_ff9b << 64) => Some(bits as u32),
        // ::ffff:0:a.b.c.d, and NAT64 with a prefix of the network, 64:ff9b:1::/48 (RFC 8215)
        0xffff_0000 => Some(bits as u32),
        high if high >> 48 == 0x0064_ff9b_0001 => Some(bits as u32),
        // 2001:0:a.b.c.d::, the Teredo server
        high if high >> 64 == 0x2001_0000 => Some((bits >> 64) as u32),
        // 2002:a.b.c.d::
        _ if bits >> 112 == 0x2002 => Some((bits >> 80) as u32),
        _ => None,
    };
    [Some(address), embedded.map(|four| Ipv4Addr::from_bits(four).into())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow: &[&str], deny: &[&str]) -> EndpointRules {
        let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        EndpointRules { allow: read(allow), deny: read(deny) }
    }

    fn allowed(rules: &EndpointRules, host: &str, address: &str) -> bool {
        rules.allows(host, address.parse().unwrap())
    }

    #[test]
    fn kinds_have_their_addresses_in_every_form() {
        for (kind, addresses) in [
            (
                "loopback",
                &["127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"][..],
            ),
            ("private", &["10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "fd12::1"]),
            (
                "metadata",
                &[
                    "169.254.169.254",
                    "169.254.170.2",
                    "fe80::1",
                    "febf::1",
                    "fd00:ec2::254",
                    "fd20:ce::254",
                    "100.100.100.200",
                    "168.63.129.16",
                    "192.0.0.192",
                    "::ffff:169.254.169.254",
                    "::169.254.169.254",
                    "64:ff9b::169.254.169.254",
                    "64:ff9b:1::169.254.169.254",
                    "::ffff:0:169.254.169.254",
                    "2001:0:a9fe:a9fe::1",
                    "2002:a9fe:a9fe::1",
                ],
            ),
            ("public", &["1.1.1.1", "172.32.0.1", "2606:4700::1111"]),
        ] {
            for address in addresses {
                assert!(!allowed(&rules(&[], &[kind]), "h", address), "{kind} {address}");
            }
        }
        for address in
            ["127.0.0.1", "10.0.0.1", "169.254.169.254", "224.0.0.1", "192.0.2.1", "ff02::1", "::1"]
        {
            assert!(!allowed(&rules(&["public"], &[]), "h", address), "{address}");
        }
    }

    #[test]
    fn denial_wins_and_what_is_not_among_the_allowed_is_denied() {
        let only =
            rules(&["public", "10.1.0.0/16", "*.hooks.example"], &["10.1.9.0/24", "bad.example"]);
        for (host, address, is_allowed) in [
            ("a.example", "8.8.8.8", true),
            ("a.example", "10.1.2.3", true),
            ("a.example", "10.2.2.3", false),
            ("a.hooks.example", "10.2.2.3", true),
            ("A.Hooks.Example.", "10.2.2.3", true),
            ("hooks.example", "10.2.2.3", false),
            ("a.hooks.example", "10.1.9.3", false),
            ("bad.example", "8.8.8.8", false),
            ("10.1.2.3", "10.1.2.3", true),
        ] {
            assert_eq!(allowed(&only, host, address), is_allowed, "{host} {address}");
        }
        assert!(allowed(&EndpointRules::default(), "x", "169.254.169.254"));
    }

    #[test]
    fn with_keys_metadata_is_denied_unless_it_is_allowed_by_name() {
        let metadata = "169.254.169.254";
        assert!(!allowed(&EndpointRules::default().for_callers(), "x", metadata));
        assert!(!allowed(&rules(&[], &["private"]).for_callers(), "x", metadata));
        assert!(!allowed(&rules(&["x."], &[]).for_callers(), "x", metadata));
        assert!(allowed(&rules(&["metadata"], &[]).for_callers(), "x", metadata));
    }

    #[test]
    fn some_is_known_without_resolving() {
        let rules = rules(&[], &["metadata", "bad.example"]);
        for (host, is_denied) in [
            ("169.254.169.254", true),
            ("[::ffff:a9fe:a9fe]", true),
            ("bad.example", true),
            ("good.example", false),
            ("8.8.8.8", false),
        ] {
            assert_eq!(rules.denies_unresolved(host), is_denied, "{host}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "a b",
            "http://x",
            "*",
            "*.",
            "a/8",
            "[::1]",
            "host:80",
            "a.example:80",
            "privat",
            "metadta",
            "hooks",
            "10.0.0",
            "127.1",
            "2130706433",
            "10.0.0.300",
            ".",
            "*.10",
        ] {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_of_one_label_has_a_final_dot_and_words_have_any_case() {
        for (text, rule) in [
            ("hooks.", Rule::Host("hooks".to_owned())),
            ("Hooks.Example.", Rule::Host("hooks.example".to_owned())),
            ("localhost", Rule::Host("localhost".to_owned())),
            ("*.internal", Rule::Below("internal".to_owned())),
            ("PRIVATE", Rule::Kind(Kind::Private)),
        ] {
            assert_eq!(text.parse(), Ok(rule), "{text}");
        }
        assert!(!allowed(&rules(&[], &["hooks."]), "hooks", "8.8.8.8"));
    }
}
