//! Why a policy is refused, in the words of AWS.
//!
//! AWS quotes the policy written again without white space, and the place in that text where the parser of its engine
//! (github.com/aws/event-ruler) stopped.

use std::fmt::Write as _;
use std::ptr;

use serde_json::Value;

use crate::domain::json_text;

/// Why a policy is refused.
#[derive(Debug)]
pub enum Fault<'p> {
    /// A sentence of the engine whose parser had read the token that begins this value: the opening bracket or quote, or a
    /// whole number or literal.
    At(String, &'p Value),
    /// A sentence of the engine whose parser had read this value to its end.
    Behind(String, &'p Value),
    /// The same as `At` with the place twice: the engine caught its own refusal and added the place again.
    Twice(&'static str, &'p Value),
    /// A sentence about the policy as a whole.
    Whole(String),
    /// A sentence that goes without the words "FilterPolicy: ".
    Scope(&'static str),
}

impl<'p> Fault<'p> {
    pub fn at(sentence: impl Into<String>, value: &'p Value) -> Self {
        Self::At(sentence.into(), value)
    }

    pub fn behind(sentence: impl Into<String>, value: &'p Value) -> Self {
        Self::Behind(sentence.into(), value)
    }

    pub fn too_complex() -> Self {
        Self::Whole("Filter policy is too complex".to_owned())
    }

    /// Returns what AWS puts after "Invalid parameter: ".
    pub fn sentence(self, policy: &Value) -> String {
        let reason = match self {
            Self::Scope(sentence) => return sentence.to_owned(),
            Self::Whole(sentence) => sentence,
            Self::At(sentence, value) => sentence + &place(policy, value, false),
            Self::Behind(sentence, value) => sentence + &place(policy, value, true),
            Self::Twice(sentence, value) => {
                format!("{sentence}{0}{0}", place(policy, value, false))
            }
        };
        format!("FilterPolicy: {reason}")
    }
}

// Rule (Subscribe, SetSubscriptionAttributes): the refusal of a filter policy quotes the policy written again without white
//   space, and counts the column in that text.
// Source: recorded
// Test: tests/recorded/sns-filters.jsonl#sns-filter-nested-array-is-quoted-compactly, tests/scenarios/filters.txt#Refusals quote the policy without its white space
fn place(policy: &Value, value: &Value, is_behind: bool) -> String {
    let mut writer = Writer { text: String::new(), value, is_behind, column: 1 };
    writer.write(policy);
    let Writer { text, column, .. } = writer;
    format!("\n at [Source: (String){}; line: 1, column: {column}]", source(&text))
}

/// Writes a policy without white space, and notes the column at or behind a value in UTF-16 units, as Java counts.
struct Writer<'p> {
    text: String,
    value: &'p Value,
    is_behind: bool,
    column: usize,
}

impl Writer<'_> {
    fn write(&mut self, json: &Value) {
        let start = self.text.len();
        match json {
            Value::Object(members) => {
                for (index, (name, value)) in members.iter().enumerate() {
                    self.text.push(if index == 0 { '{' } else { ',' });
                    self.text.push_str(&json_text::quoted(name));
                    self.text.push(':');
                    self.write(value);
                }
                self.text.push_str(if members.is_empty() { "{}" } else { "}" });
            }
            Value::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    self.text.push(if index == 0 { '[' } else { ',' });
                    self.write(element);
                }
                self.text.push_str(if elements.is_empty() { "[]" } else { "]" });
            }
            Value::String(text) => self.text.push_str(&json_text::quoted(text)),
            scalar => self.text.push_str(&token(scalar)),
        }
        if ptr::eq(json, self.value) {
            let is_long = matches!(json, Value::Object(_) | Value::Array(_) | Value::String(_));
            let end = if is_long && !self.is_behind { start + 1 } else { self.text.len() };
            let before = self.text.get(..end).unwrap_or_default();
            self.column = before.encode_utf16().count() + 1;
        }
    }
}

/// Returns what the engine's parser calls the text of the token that begins the value.
pub fn token(json: &Value) -> String {
    match json {
        Value::Object(_) => "{".to_owned(),
        Value::Array(_) => "[".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => {
            json_text::written(number.as_f64().unwrap_or(0.0))
        }
        other => other.to_string(),
    }
}

/// The most of a policy that is quoted, in UTF-16 units.
const QUOTED_UNITS: usize = 500;

/// Returns the text as the engine's parser quotes it: the beginning, with control characters as their codes.
fn source(text: &str) -> String {
    let mut shown = String::new();
    let mut length = 0;
    let mut hidden = 0;
    for character in text.chars() {
        if hidden > 0 || length + character.len_utf16() > QUOTED_UNITS {
            hidden += character.len_utf16();
            continue;
        }
        length += character.len_utf16();
        if character.is_control() {
            // Writing to a String always succeeds.
            let _ = write!(shown, "\\u{:04X}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    match hidden {
        0 => format!("\"{shown}\""),
        _ => format!("\"{shown}\"[truncated {hidden} chars]"),
    }
}
