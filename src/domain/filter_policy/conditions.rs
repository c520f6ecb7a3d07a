//! One value of a message, and the conditions that a policy may put on it.
//!
//! AWS pages: "String value matching" and "Numeric value matching".

use ipnet::IpNet;
use std::collections::HashSet;
use std::net::IpAddr;
use std::ops::Bound;
use std::str::FromStr;

/// A value that a message gives under a name.
///
/// Their order is what `Values` rely on: texts, then numbers, then the rest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leaf {
    Text(String),
    Number(Number),
    Boolean(bool),
    Null,
    /// Something is there, but it is not what its type says: it meets no condition.
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
    /// From -10⁹ to 10⁹, in hundred-thousandths, which is how accurately AWS compares.
    Near(i64),
    /// Farther away there are no ranges, and equal are numbers that are written alike.
    Far(String),
}

impl Number {
    const FARTHEST: f64 = 1e9;
    const ACCURACY: f64 = 1e5;

    /// A number in decimal digits, with or without an exponent.
    pub fn read(text: &str) -> Option<Self> {
        let number = serde_json::Number::from_str(text).ok();
        let number = number.or_else(|| serde_json::Number::from_f64(text.trim().parse().ok()?))?;
        Some(number.into())
    }

    /// What ranges compare.
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

/// What a policy asks of a value that is there. `{"exists": false}` asks for none, so it is not
/// among these.
#[derive(Debug, Clone)]
pub enum Condition {
    /// A string, a number, `true`, `false` or `null`
    Equals(Leaf),
    /// `prefix`
    Prefix(String),
    /// `suffix`
    Suffix(String),
    /// `equals-ignore-case`, folded
    EqualsIgnoreCase(String),
    /// `anything-but`
    AnythingBut(Exception),
    /// `numeric`, in hundred-thousandths
    Numeric(Bound<i64>, Bound<i64>),
    /// `cidr`
    Cidr(IpNet),
    /// `exists`: true
    Exists,
}

/// What `anything-but` excludes.
#[derive(Debug, Clone)]
pub enum Exception {
    Texts(HashSet<String>),
    Numbers(HashSet<Number>),
    Prefix(String),
}

impl Leaf {
    /// Whether it is what `{"exists": true}` asks for. The page "Key matching" wants a value that is
    /// neither null nor empty.
    pub fn exists(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::Null | Self::Unreadable => false,
            Self::Number(_) | Self::Boolean(_) => true,
        }
    }
}

impl Exception {
    /// What this and another one both exclude, if there may be anything.
    pub fn and(mut self, other: &Self) -> Option<Self> {
        match (&mut self, other) {
            (Self::Texts(ours), Self::Texts(theirs)) => ours.retain(|text| theirs.contains(text)),
            (Self::Texts(texts), Self::Prefix(prefix)) => {
                texts.retain(|text| text.starts_with(prefix.as_str()));
            }
            (Self::Numbers(ours), Self::Numbers(theirs)) => {
                ours.retain(|number| theirs.contains(number));
            }
            (Self::Prefix(ours), Self::Prefix(theirs)) if theirs.starts_with(ours.as_str()) => {
                ours.clone_from(theirs);
            }
            (Self::Prefix(ours), Self::Prefix(theirs)) if ours.starts_with(theirs.as_str()) => {}
            (Self::Prefix(_), Self::Texts(_)) => return other.clone().and(&self),
            _ => return None,
        }
        Some(self)
    }

    pub fn covers(&self, leaf: &Leaf) -> bool {
        match (self, leaf) {
            (Self::Texts(texts), Leaf::Text(text)) => texts.contains(text),
            (Self::Numbers(numbers), Leaf::Number(number)) => numbers.contains(number),
            (Self::Prefix(prefix), Leaf::Text(text)) => text.starts_with(prefix.as_str()),
            _ => false,
        }
    }
}

/// Characters without their case.
pub fn fold(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

/// Reads `address/bits`. The error is a sentence of the engine, in its order: the form, the bits, the address, and
/// whether the bits suit the address.
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

/// Whether the text looks like an address: four numbers between dots, or hexadecimal digits and colons.
fn has_form_of_address(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_v4 = text.split('.').count() == 4 && text.split('.').all(is_number);
    let is_v6 =
        text.contains(':') && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
    is_v4 || is_v6
}
