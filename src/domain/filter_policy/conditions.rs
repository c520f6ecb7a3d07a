//! One value of a message, and the conditions that a policy may put on it.
//!
//! AWS pages: "String value matching" and "Numeric value matching".

use ipnet::IpNet;
use std::net::IpAddr;
use std::ops::{Bound, RangeBounds as _};
use std::str::FromStr;

/// A value of a message that is neither an array nor an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Leaf {
    Text(String),
    Number(Number),
    Boolean(bool),
    Null,
    /// The value of an attribute that is not what its type says. It exists, but meets no condition.
    Unreadable,
}

/// A number as policies compare it.
// Rule (Subscribe, SetSubscriptionAttributes): a number beyond -10⁹ and 10⁹ that stands alone in a filter policy is accepted,
//   and matches a number that is written alike.
// Source: inferred, the public engine keeps such numbers as texts, for account numbers
// Test: tests/scenarios/filters.txt#Numbers beyond a billion are compared as they are written
// Rule (Publish, PublishBatch): numbers match by their value, with five digits behind the decimal point.
// Source: documented, https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
// Test: src/domain/filter_policy/tests.rs::each_condition_on_values_of_a_body
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Number {
    /// From -10⁹ to 10⁹, in hundred-thousandths.
    Near(i64),
    /// Any other number, as it is written. No range contains it.
    Far(String),
}

impl Number {
    const FARTHEST: f64 = 1e9;
    const ACCURACY: f64 = 1e5;

    /// Reads a number in decimal digits, with or without an exponent.
    pub fn read(text: &str) -> Option<Self> {
        let number = serde_json::Number::from_str(text).ok();
        let number = number.or_else(|| serde_json::Number::from_f64(text.trim().parse().ok()?))?;
        Some(number.into())
    }

    /// Returns the number in hundred-thousandths, if ranges may contain it.
    pub fn near(&self) -> Option<i64> {
        match self {
            Self::Near(scaled) => Some(*scaled),
            Self::Far(_) => None,
        }
    }
}

impl From<serde_json::Number> for Number {
    fn from(number: serde_json::Number) -> Self {
        match number.as_f64() {
            Some(value) if value.abs() <= Self::FARTHEST => {
                Self::Near((value * Self::ACCURACY).round() as i64)
            }
            _ => Self::Far(number.to_string()),
        }
    }
}

/// A condition on a value that is there, which all but `{"exists": false}` are.
#[derive(Debug, Clone)]
pub enum Condition {
    /// A string, a number, `true`, `false` or `null`
    Equals(Leaf),
    /// `prefix`
    Prefix(String),
    /// `suffix`
    Suffix(String),
    /// `equals-ignore-case`, in lower case
    EqualsIgnoreCase(String),
    /// `anything-but`, in order
    AnythingBut(Vec<Leaf>),
    /// `anything-but` a `prefix`
    AnythingButPrefix(String),
    /// `numeric`, in hundred-thousandths
    Numeric(Bound<i64>, Bound<i64>),
    /// `cidr`
    Cidr(IpNet),
    /// `exists`: true
    Exists,
}

impl Condition {
    /// Returns whether the value meets the condition.
    pub fn is_met_by(&self, leaf: &Leaf) -> bool {
        match (self, leaf) {
            (_, Leaf::Unreadable) => false,
            (Self::Equals(wanted), _) => leaf == wanted,
            (Self::AnythingBut(excluded), _) => excluded.binary_search(leaf).is_err(),
            (Self::AnythingButPrefix(prefix), Leaf::Text(text)) => !text.starts_with(prefix),
            (Self::AnythingButPrefix(_), _) => true,
            // The page "Key matching" wants a value that is neither null nor empty.
            (Self::Exists, Leaf::Text(text)) => !text.is_empty(),
            (Self::Exists, _) => *leaf != Leaf::Null,
            (Self::Prefix(prefix), Leaf::Text(text)) => text.starts_with(prefix),
            (Self::Suffix(suffix), Leaf::Text(text)) => text.ends_with(suffix),
            (Self::EqualsIgnoreCase(wanted), Leaf::Text(text)) => {
                lower_case(text).eq(wanted.chars())
            }
            (Self::Cidr(network), Leaf::Text(text)) => {
                text.parse().is_ok_and(|address: IpAddr| network.contains(&address))
            }
            (Self::Numeric(from, to), Leaf::Number(Number::Near(number))) => {
                (*from, *to).contains(number)
            }
            _ => false,
        }
    }
}

/// Returns the characters in lower case.
pub fn lower_case(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

/// Reads `address/bits`. The error is a sentence of the engine, which checks in this order: the form, the bits, the
/// address, and whether the bits suit the address.
// Rule (Subscribe, SetSubscriptionAttributes): a cidr condition whose address has no form of an IP address is refused
//   with "Nonstandard IP address: …", without a source and a place.
// Source: recorded
// Test: tests/recorded/sns-filters.jsonl#sns-filter-bad-cidr-address
pub fn read_network(text: &str) -> Result<IpNet, String> {
    // Empty parts at the end do not count.
    let mut parts = text.trim_end_matches('/').split('/');
    let (Some(address), Some(bits), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err("Malformed CIDR, one '/' required".to_owned());
    };
    let Ok(bits) = bits.parse::<i32>() else {
        return Err("Malformed CIDR, mask bits must be an integer".to_owned());
    };
    if bits < 0 {
        return Err("Malformed CIDR, mask bits must not be negative".to_owned());
    }
    if !has_form_of_address(address) {
        return Err(format!("Nonstandard IP address: {address}"));
    }
    let Ok(address) = address.parse::<IpAddr>() else {
        return Err(format!("Invalid IP address: {address}"));
    };
    let network = u8::try_from(bits).ok().and_then(|bits| IpNet::new(address, bits).ok());
    let most = if address.is_ipv4() {
        "IPv4 mask bits must be < 33"
    } else {
        "IPv6 mask bits must be < 129"
    };
    network.ok_or_else(|| most.to_owned())
}

/// Returns whether the text looks like an address: four numbers between dots, or hexadecimal digits and colons.
fn has_form_of_address(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_v4 = text.split('.').count() == 4 && text.split('.').all(is_number);
    let is_v6 =
        text.contains(':') && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
    is_v4 || is_v6
}
