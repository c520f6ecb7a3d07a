//! JSON texts in attributes, read as AWS reads them.
//!
//! SNS reads the attributes that are JSON documents (filter policies, redrive policies, delivery policies and others)
//! with the library Jackson, and a refusal contains Jackson's own message and the place of the first fault. Jackson
//! differs from `serde_json` in what it accepts, too: it stops behind the first value, and it takes half of a surrogate
//! pair. So these texts have their own parser, which follows Jackson 2.17 to 2.20: older releases count columns
//! differently (jackson-core#1173), and so do newer ones (jackson-core#1180).

mod reader;
#[cfg(test)]
mod tests;

use serde_json::Value;
use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// Why a text is not JSON. Shown as the message that SNS puts behind the attribute's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    message: String,
    place: Option<Place>,
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// From 1.
    line: usize,
    /// In UTF-16 units, from 1.
    column: usize,
}

/// Returns the first JSON value of the text. What follows it is ignored. Of a repeated name the last value counts, at the
/// place of the first.
// Rule (Subscribe, SetSubscriptionAttributes, SetTopicAttributes): an attribute that must be JSON and is not is
//   refused with Jackson's message and the place of the fault: "failed to parse JSON. Unexpected character ('i' (code
//   105)): was expecting double-quote to start field name" and so on.
// Source: recorded
// Test: tests/scenarios/filters.txt#Not JSON, tests/scenarios/subscriptions.txt#Attributes that are not JSON, tests/recorded/sns-filters.jsonl#sns-redrive-policy-invalid-json
// Rule (Subscribe, SetSubscriptionAttributes): the column of an unrecognized token is that behind the token.
// Source: inferred, the recorded columns and texts are those of Jackson 2.17 to 2.20
// Test: src/domain/json_text/tests.rs::messages_and_places_are_those_of_jackson
// Rule (Subscribe, SetSubscriptionAttributes, SetTopicAttributes): what follows the JSON value of an attribute is
//   ignored.
// Source: inferred, Jackson's readTree does so by default
// Test: src/domain/json_text/tests.rs::what_follows_the_value_is_ignored, tests/scenarios/subscriptions.txt#What follows the JSON of an attribute
pub fn parse(text: &str) -> Result<Value, Malformed> {
    reader::Reader::new(text).document()
}

/// Returns whether an object of the text names a member twice, or the text is not JSON.
pub fn repeats_a_name(text: &str) -> bool {
    let mut reader = reader::Reader::new(text);
    reader.document().is_err() || reader.repeats_a_name()
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to parse JSON. {}", self.message)?;
        match self.place {
            Some(place) => write!(f, "\n at {place}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[Source: {SOURCE}; line: {}, column: {}]", self.line, self.column)
    }
}

const SOURCE: &str = "REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)";

/// Returns the text as Jackson writes it in a JSON document, with its quotes.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Returns the text as Jackson writes it between the quotes of a JSON document: with quotes, backslashes and control
/// characters escaped.
pub fn escaped(text: &str) -> Cow<'_, str> {
    let is_special = |character| matches!(character, '"' | '\\' | '\0'..='\x1f');
    if !text.contains(is_special) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\x08' => escaped.push_str("\\b"),
            '\x0c' => escaped.push_str("\\f"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            '\0'..='\x1f' => {
                // Writing to a String always succeeds.
                let _ = write!(escaped, "\\u{:04X}", u32::from(character));
            }
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

/// Returns a number as Java writes it: `301.5`, `1.0E10`.
pub fn written(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    let written = format!("{number:E}");
    match written.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => written,
    }
}
