//! What is signed, and how the signature is shown.
//!
//! AWS page: "Verifying the signatures of Amazon SNS messages". The string to sign has a line for
//! the name and a line for the value of each member, in byte order of names; every line ends with
//! a line feed, the last one too. Values are as a reader of the JSON sees them.

/// A topic's SignatureVersion: the digest that is signed, with RSA and PKCS#1 v1.5 padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SignatureVersion {
    /// `1`: SHA-1. What a topic has that says nothing else.
    #[default]
    V1,
    /// `2`: SHA-256
    V2,
}

impl SignatureVersion {
    /// Reads the attribute; nothing but `1` and `2`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "1" => Some(Self::V1),
            "2" => Some(Self::V2),
            _ => None,
        }
    }

    /// The attribute's text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1",
            Self::V2 => "2",
        }
    }
}

/// A signature, with what a reader needs to verify it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// `SignatureVersion`
    pub version: SignatureVersion,
    /// `Signature`
    pub base64: String,
    /// `SigningCertURL`
    pub cert_url: String,
}

/// The string to sign of these members, which are in byte order of their names.
pub(super) fn string_to_sign(members: &[(&str, &str)]) -> String {
    let length = members.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let mut text = String::with_capacity(length);
    for line in members.iter().flat_map(|(name, value)| [name, value]) {
        text.push_str(line);
        text.push('\n');
    }
    text
}
