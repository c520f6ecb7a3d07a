//! The string to sign, and the members with the signature.
//!
//! Source: <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>. The string to
//! sign has a line with the name and a line with the value of each member, in byte order of the names. Every
//! line, including the last, ends with a line feed. Values are those of the parsed JSON.

/// A topic's SignatureVersion: the digest that is signed, with RSA and PKCS#1 v1.5 padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SignatureVersion {
    /// `1`: SHA-1, the default of a topic.
    #[default]
    V1,
    /// `2`: SHA-256
    V2,
}

impl SignatureVersion {
    /// Parses the attribute: `1` or `2`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "1" => Some(Self::V1),
            "2" => Some(Self::V2),
            _ => None,
        }
    }

    /// Returns the attribute's text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1",
            Self::V2 => "2",
        }
    }
}

/// A signature, with the data needed to verify it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// `SignatureVersion`
    pub version: SignatureVersion,
    /// `Signature`
    pub base64: String,
    /// `SigningCertURL`
    pub cert_url: String,
}

/// Returns the string to sign for members in byte order of their names.
pub(super) fn string_to_sign(members: &[(&str, &str)]) -> String {
    let length = members.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let mut text = String::with_capacity(length);
    for line in members.iter().flat_map(|(name, value)| [name, value]) {
        text.push_str(line);
        text.push('\n');
    }
    text
}
