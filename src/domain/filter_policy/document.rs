//! A policy as AWS quotes it: written again without white space, as a tree that knows where each value stands in that
//! text.
//!
//! The refusal of a policy quotes the text and tells where in it the engine's parser stood when it gave up.

use indexmap::IndexMap;
use std::fmt::Write as _;

use super::conditions::Number;
use crate::domain::json_text::{self, Json as Given};

/// A value and its place, in bytes of the text.
#[derive(Debug)]
pub struct Json {
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// Behind the value.
    pub end: usize,
}

#[derive(Debug)]
pub enum Kind {
    Object(IndexMap<String, Json>),
    Array(Vec<Json>),
    String(String),
    Number(Number),
    Boolean(bool),
    Null,
}

impl Json {
    /// Where the engine's parser stands when it meets the value: behind the opening bracket or quote, or behind a whole
    /// number or literal. A string is read to its end only when it is needed.
    pub fn met(&self) -> usize {
        match self.kind {
            Kind::Object(_) | Kind::Array(_) | Kind::String(_) => self.start + 1,
            Kind::Number(_) | Kind::Boolean(_) | Kind::Null => self.end,
        }
    }

    /// What the engine's parser calls the text of the token that begins the value.
    pub fn token<'a>(&'a self, text: &'a str) -> &'a str {
        match &self.kind {
            Kind::Object(_) => "{",
            Kind::Array(_) => "[",
            Kind::String(string) => string,
            _ => text.get(self.start..self.end).unwrap_or_default(),
        }
    }
}

/// Why a policy is refused.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// By the engine, whose parser stood at this byte.
    At(String, usize),
    /// By the engine, which caught its own refusal and added the place once more.
    Twice(String, usize),
    /// As a whole.
    Whole(String),
    /// As a whole, because it does not fit its scope.
    Scope(String),
}

impl Fault {
    /// A sentence of the engine about this byte of the text.
    pub fn at(sentence: impl Into<String>, byte: usize) -> Self {
        Self::At(sentence.into(), byte)
    }

    /// A sentence about the policy.
    pub fn whole(sentence: impl Into<String>) -> Self {
        Self::Whole(sentence.into())
    }

    /// The complexity, or a nesting that alone makes it as high.
    pub fn too_complex() -> Self {
        Self::whole("Filter policy is too complex")
    }

    /// What the caller reads, with the parser's place in this text.
    pub fn sentence(self, text: &str) -> String {
        match self {
            Self::Whole(sentence) | Self::Scope(sentence) => sentence,
            Self::At(sentence, byte) => format!("{sentence}{}", place(text, byte)),
            Self::Twice(sentence, byte) => format!("{sentence}{0}{0}", place(text, byte)),
        }
    }
}

// Rule (Subscribe, SetSubscriptionAttributes): the refusal of a filter policy quotes the policy written again without white
//   space, and counts the column in that text.
// Source: recorded
// Test: tests/recorded/sns-filters.jsonl#sns-filter-nested-array-is-quoted-compactly, tests/scenarios/filters.txt#Refusals quote the policy without its white space
fn place(text: &str, byte: usize) -> String {
    // Columns count as strings of Java do. There are no line breaks.
    let column = text.get(..byte).unwrap_or(text).encode_utf16().count() + 1;
    format!("\n at [Source: (String){}; line: 1, column: {column}]", source(text))
}

/// The text as the engine's parser quotes it: only the beginning of a long one, and control characters by their codes.
fn source(text: &str) -> String {
    let units = text.encode_utf16().count();
    let mut shown = String::new();
    let mut length = 0;
    for character in text.chars() {
        length += character.len_utf16();
        if length > QUOTED_UNITS {
            length -= character.len_utf16();
            break;
        }
        if character.is_control() {
            // Writing to a String always succeeds.
            let _ = write!(shown, "\\u{:04X}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    match units - length {
        0 => format!("\"{shown}\""),
        hidden => format!("\"{shown}\"[truncated {hidden} chars]"),
    }
}

/// In UTF-16 units.
const QUOTED_UNITS: usize = 500;

/// Writes a policy again, compactly, and returns the text and where its values stand in it. A policy that is nested more
/// deeply than the limit is called too complex.
pub fn written(policy: &Given, nesting_limit: usize) -> Result<(String, Json), Fault> {
    let mut text = String::new();
    let json = write_value(policy, &mut text, nesting_limit)?;
    Ok((text, json))
}

fn write_value(given: &Given, text: &mut String, nesting_left: usize) -> Result<Json, Fault> {
    let is_container = matches!(given, Given::Object(_) | Given::Array(_));
    if is_container && nesting_left == 0 {
        return Err(Fault::too_complex());
    }
    let start = text.len();
    let kind = match given {
        Given::Object(members) => write_object(members, text, nesting_left - 1)?,
        Given::Array(elements) => write_array(elements, text, nesting_left - 1)?,
        Given::Text(string) => {
            text.push_str(&json_text::quoted(string));
            Kind::String(string.clone())
        }
        Given::Integer(digits) => write_number(digits, text),
        Given::Real(number) => write_number(&json_text::written(*number), text),
        Given::Boolean(value) => {
            text.push_str(if *value { "true" } else { "false" });
            Kind::Boolean(*value)
        }
        Given::Null => {
            text.push_str("null");
            Kind::Null
        }
    };
    Ok(Json { kind, start, end: text.len() })
}

fn write_object(
    members: &IndexMap<String, Given>,
    text: &mut String,
    nesting_left: usize,
) -> Result<Kind, Fault> {
    let mut written = IndexMap::with_capacity(members.len());
    text.push('{');
    for (index, (name, value)) in members.iter().enumerate() {
        text.push_str(if index == 0 { "" } else { "," });
        text.push_str(&json_text::quoted(name));
        text.push(':');
        written.insert(name.clone(), write_value(value, text, nesting_left)?);
    }
    text.push('}');
    Ok(Kind::Object(written))
}

fn write_array(elements: &[Given], text: &mut String, nesting_left: usize) -> Result<Kind, Fault> {
    let mut written = Vec::with_capacity(elements.len());
    text.push('[');
    for (index, element) in elements.iter().enumerate() {
        text.push_str(if index == 0 { "" } else { "," });
        written.push(write_value(element, text, nesting_left)?);
    }
    text.push(']');
    Ok(Kind::Array(written))
}

fn write_number(digits: &str, text: &mut String) -> Kind {
    text.push_str(digits);
    // Every number that is written here can be read.
    Number::read(digits).map_or(Kind::Null, Kind::Number)
}
