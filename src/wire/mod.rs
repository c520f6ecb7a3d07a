//! The AWS protocols as serde codecs: AWS JSON 1.0, AWS Query and its answers in XML or JSON.
//!
//! An operation has one input and one output struct, named as in AWS JSON, and is served in both
//! protocols. The names of members in AWS Query are data: a [`dialect::Dialect`] for each service.
//! This module contains no operation, HTTP header or status.
//!
//! Everything that is decoded is untrusted: the cost grows at most as n log n with the size of a
//! request, nothing panics, and a request that cannot be decoded is [`Malformed`].

pub mod dialect;
pub mod form;
pub mod json;
pub mod query;
pub mod query_json;
mod shape;
pub mod xml;

use std::fmt;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The protocol of a request. Its answer has the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// AWS JSON 1.0: a JSON object each way.
    Json,
    /// AWS Query: form parameters in, XML out, or JSON for callers that ask for it.
    Query,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// The answers of AWS JSON.
    AwsJson,
    /// The usual answers of AWS Query.
    Xml,
    /// The answers of AWS Query for callers that prefer JSON. They have other members than those
    /// of AWS JSON, see [`query_json`].
    QueryJson,
}

impl Encoding {
    /// The protocol to which these answers belong.
    pub const fn protocol(self) -> Protocol {
        match self {
            Self::AwsJson => Protocol::Json,
            Self::Xml | Self::QueryJson => Protocol::Query,
        }
    }
}

impl From<Protocol> for Encoding {
    /// The usual encoding of a protocol's answers.
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Json => Self::AwsJson,
            Protocol::Query => Self::Xml,
        }
    }
}

/// A request that cannot be decoded. What it displays is safe to show to the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

impl Malformed {
    /// Bytes of a sentence. It may quote the request, whose size must not become the answer's.
    const LONGEST: usize = 400;

    /// Returns a refusal with this sentence, which is cut if it is too long.
    pub fn new(sentence: impl Into<String>) -> Self {
        let mut sentence = sentence.into();
        if sentence.len() > Self::LONGEST {
            sentence.truncate(sentence.floor_char_boundary(Self::LONGEST));
            sentence.push('…');
        }
        Self(sentence)
    }
}

impl serde::de::Error for Malformed {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

/// Returns an upper bound of the bytes of a text in an answer of any protocol.
pub fn longest_encoded(text: &str) -> usize {
    // Sums that fit a byte, many of which a processor makes at once.
    const CHUNK: usize = 128;
    // The longest escapes are `&quot;` and `\u0000`.
    let escaped = |byte: &u8| u8::from(matches!(byte, 0..0x20 | b'"' | b'&' | b'<' | b'>' | b'\\'));
    let in_chunk = |chunk: &[u8]| usize::from(chunk.iter().map(escaped).sum::<u8>());
    text.len() + 5 * text.as_bytes().chunks(CHUNK).map(in_chunk).sum::<usize>()
}

/// Bytes that travel as text in Base64 with padding (RFC 4648 §4) in both protocols.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Blob(pub Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(&self.0, &STANDARD))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Base64;

        impl serde::de::Visitor<'_> for Base64 {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text in Base64")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Blob, E> {
                STANDARD.decode(text).map(Blob).map_err(|_| E::custom("not valid Base64"))
            }
        }

        deserializer.deserialize_str(Base64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlong_sentence_is_cut_between_characters() {
        let sentence = Malformed::new("é".repeat(100_000)).to_string();
        assert_eq!(sentence, format!("{}…", "é".repeat(200)));
    }
}
