//! JSON in the print of SNS: a member a line, two spaces before it, spaces around its colon.
//!
//! Some subscribers compare or search these texts without reading them as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Signature;
use crate::domain::message_attributes::{AttributeValue, MessageAttribute, MessageAttributes};

/// An object that is being printed.
pub(super) struct Printed(String);

impl Printed {
    /// An object without members, for which room is made in bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        let mut text = String::with_capacity(bytes);
        text.push('{');
        Self(text)
    }

    /// Adds a member with a text.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.member(name, &quoted(value));
    }

    /// Adds the members of a signature.
    pub(super) fn signature(&mut self, signature: &Signature) {
        self.text("SignatureVersion", signature.version.as_str());
        self.text("Signature", &signature.base64);
        self.text("SigningCertURL", &signature.cert_url);
    }

    /// Adds MessageAttributes, a line each.
    pub(super) fn attributes(&mut self, attributes: &MessageAttributes) {
        let lines: Vec<String> = attributes
            .iter()
            .map(|(name, attribute)| {
                format!(
                    "    {} : {{\"Type\":{},\"Value\":{}}}",
                    quoted(name),
                    quoted(&attribute.data_type),
                    quoted(&shown(attribute))
                )
            })
            .collect();
        self.member("MessageAttributes", &format!("{{\n{}\n  }}", lines.join(",\n")));
    }

    /// The text of the object.
    pub(super) fn finish(mut self) -> String {
        self.0.push_str("\n}");
        self.0
    }

    /// Ends before the value of a member, and returns what follows that value, for which room is made in bytes.
    pub(super) fn split_at_member(&mut self, name: &str, bytes: usize) -> Self {
        self.member(name, "");
        Self(String::with_capacity(bytes))
    }

    /// Returns the text up to here.
    pub(super) fn unfinished(self) -> String {
        self.0
    }

    fn member(&mut self, name: &str, json: &str) {
        self.0.push_str(if self.0 == "{" { "\n  \"" } else { ",\n  \"" });
        self.0.push_str(name);
        self.0.push_str("\" : ");
        self.0.push_str(json);
    }
}

/// The `Value` of an attribute: its text, or its bytes in base64.
pub(super) fn shown(attribute: &MessageAttribute) -> String {
    match &attribute.value {
        AttributeValue::Text(text) => text.clone(),
        AttributeValue::Binary(bytes) => STANDARD.encode(bytes),
    }
}

/// Returns the text in quotation marks. Two characters that JSON need not escape are escaped too, because a queue refuses
/// them.
pub(super) fn quoted(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    if quoted.contains(['\u{fffe}', '\u{ffff}']) {
        quoted.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
    } else {
        quoted
    }
}
