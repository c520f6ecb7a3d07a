//! MessageStructure: one text for all subscribers, or with `json` one for each protocol.
//!
//! Source: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Refusal;

/// The texts of a published message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageTexts<'a> {
    /// The default text, for protocols without a text of their own.
    default: Cow<'a, str>,
    /// The text for each key of the JSON.
    by_protocol: HashMap<String, Text>,
}

/// A JSON string, or `None` for any other JSON value, for which no tree is built.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text(Some(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Text, E> {
        Ok(Text(None))
    }

    // Nested values are read too, so that the parser's limit of nesting applies.
    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Text, A::Error> {
        while elements.next_element::<Text>()?.is_some() {}
        Ok(Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Text, A::Error> {
        while members.next_entry::<IgnoredAny, Text>()?.is_some() {}
        Ok(Text(None))
    }
}

impl<'a> MessageTexts<'a> {
    /// Returns one text for all subscribers.
    pub fn same(message: &'a str) -> Self {
        Self { default: Cow::Borrowed(message), by_protocol: HashMap::new() }
    }

    /// Returns the texts of a message whose MessageStructure is `json`: an object with a text for
    /// `default` and for any protocols. A repeated key has its last value: AWS does so, contrary to its
    /// documentation.
    ///
    /// Rejects with InvalidParameter.
    pub fn parse(message: &str) -> Result<Self, Refusal> {
        let Ok(mut by_protocol) = serde_json::from_str::<HashMap<String, Text>>(message) else {
            return Err(refuse("JSON message body failed to parse"));
        };
        let Some(Text(Some(default))) = by_protocol.remove(DEFAULT) else {
            return Err(refuse("No default entry in JSON message body"));
        };
        Ok(Self { default: Cow::Owned(default), by_protocol })
    }

    /// Returns the text of a message whose MessageStructure is `json` for a single endpoint of a protocol
    /// or platform: its own text or the `default`, one of which suffices.
    ///
    /// Rejects with InvalidParameter.
    // Rule (Publish): a structured message for one device or phone needs a text for it or a `default`.
    // Source: reported, evanshortiss/sns-mobile#6
    // Test: src/domain/message_structure.rs::a_single_receiver_gets_its_own_text_or_the_default_and_needs_but_one
    pub fn of_one(message: &str, key: &str) -> Result<String, Refusal> {
        let Ok(mut texts) = serde_json::from_str::<HashMap<String, Text>>(message) else {
            return Err(refuse("JSON message body failed to parse"));
        };
        for key in [key, DEFAULT] {
            if let Some(Text(Some(text))) = texts.remove(key) {
                return Ok(text);
            }
        }
        Err(Refusal::invalid_parameter(format_args!(
            "JSON must contain an entry for 'default' or '{key}'."
        )))
    }

    /// Returns the text for subscribers of a protocol, such as `sqs`, or of a platform, such as `GCM`.
    pub fn for_protocol(&self, protocol: &str) -> &str {
        let own = self.by_protocol.get(protocol).and_then(|Text(text)| text.as_deref());
        own.unwrap_or(&self.default)
    }
}

const DEFAULT: &str = "default";

fn refuse(reason: &str) -> Refusal {
    Refusal::invalid_parameter(format_args!("Message Structure - {reason}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Kind;

    #[test]
    fn a_protocol_gets_its_own_text_or_the_default() {
        let message = r#"{"default":"d","sqs":"s","email":{"a":1},"http":null,"unknown":"u"}"#;
        let texts = MessageTexts::parse(message).unwrap();
        assert_eq!(texts.for_protocol("sqs"), "s");
        for protocol in ["lambda", "email", "http", "default", ""] {
            assert_eq!(texts.for_protocol(protocol), "d", "{protocol}");
        }
    }

    #[test]
    fn without_structure_everybody_gets_the_message() {
        let message = r#"{"default":"d","sqs":"s"}"#;
        assert_eq!(MessageTexts::same(message).for_protocol("sqs"), message);
    }

    #[test]
    fn a_single_receiver_gets_its_own_text_or_the_default_and_needs_but_one() {
        for (message, text) in [
            (r#"{"GCM":"g"}"#, "g"),
            (r#"{"default":"d","GCM":"g"}"#, "g"),
            (r#"{"default":"d","GCM":{"data":1},"APNS":"a"}"#, "d"),
        ] {
            assert_eq!(MessageTexts::of_one(message, "GCM").as_deref(), Ok(text), "{message}");
        }
        for (message, reason) in [
            (r#"{"APNS":"a"}"#, "JSON must contain an entry for 'default' or 'GCM'."),
            (r#"{"GCM":{}}"#, "JSON must contain an entry for 'default' or 'GCM'."),
            ("text", "Message Structure - JSON message body failed to parse"),
        ] {
            let refusal = MessageTexts::of_one(message, "GCM").unwrap_err();
            assert_eq!(refusal.message, format!("Invalid parameter: {reason}"));
        }
    }

    #[test]
    fn repeated_keys_are_accepted() {
        let texts = MessageTexts::parse(r#"{"default":"a","default":"b","sqs":"s","sqs":1}"#);
        let texts = texts.unwrap();
        assert_eq!((texts.for_protocol("http"), texts.for_protocol("sqs")), ("b", "b"));
    }

    #[test]
    fn what_is_no_object_with_a_default_text_is_refused() {
        let deep = format!(r#"{{"default":"d","x":{}{}}}"#, "[".repeat(9999), "]".repeat(9999));
        for (message, reason) in [
            (r#"{"default": "d"} }"#, "JSON message body failed to parse"),
            ("", "JSON message body failed to parse"),
            ("text", "JSON message body failed to parse"),
            (r#"["default"]"#, "JSON message body failed to parse"),
            (&deep, "JSON message body failed to parse"),
            ("{}", "No default entry in JSON message body"),
            (r#"{"sqs": "x"}"#, "No default entry in JSON message body"),
            (r#"{"default": {"object": "test"}}"#, "No default entry in JSON message body"),
            (r#"{"default": null}"#, "No default entry in JSON message body"),
        ] {
            let refusal = MessageTexts::parse(message).unwrap_err();
            assert_eq!(refusal.kind, Kind::InvalidParameter);
            assert_eq!(
                refusal.message,
                format!("Invalid parameter: Message Structure - {reason}"),
                "{message}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_survives_its_json(default in any::<String>(), own in any::<String>()) {
            let message = serde_json::json!({ "default": default, "sqs": own }).to_string();
            let texts = MessageTexts::parse(&message).unwrap();
            prop_assert_eq!(texts.for_protocol("http"), default);
            prop_assert_eq!(texts.for_protocol("sqs"), own);
        }
    }
}
