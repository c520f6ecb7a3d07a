//! The JSON text of a policy as a tree that knows where each of its values stands.
//!
//! AWS tells where in the policy its parser stood when it gave up, so values carry positions, which
//! no general tree of JSON has. `serde_json` checks the syntax first; reading relies on that.

use indexmap::IndexMap;
use serde::de::IgnoredAny;

use super::conditions::Number;

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
    /// Of repeated names the last value counts.
    Object(IndexMap<String, Json>),
    Array(Vec<Json>),
    String(String),
    Number(Number),
    Boolean(bool),
    Null,
}

impl Json {
    /// Where AWS's parser stands when it meets the value: behind the opening bracket or quote, or
    /// behind a whole number or literal.
    pub fn met(&self) -> usize {
        match self.kind {
            Kind::Object(_) | Kind::Array(_) | Kind::String(_) => self.start + 1,
            Kind::Number(_) | Kind::Boolean(_) | Kind::Null => self.end,
        }
    }

    /// What AWS's parser calls the text of the token that begins the value.
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
    /// By its parser, which stood at this byte.
    At(String, usize),
    /// As a whole.
    Whole(String),
}

impl Fault {
    /// A sentence of the parser about this byte of the text.
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
            Self::Whole(sentence) => sentence,
            Self::At(sentence, byte) => {
                let before = text.get(..byte).unwrap_or(text);
                let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
                let line = before.matches('\n').count() + 1;
                // Columns count as strings of Java do.
                let column = before[line_start..].encode_utf16().count() + 1;
                let source = source(text);
                format!(
                    "{sentence}\n at [Source: (String){source}; line: {line}, column: {column}]"
                )
            }
        }
    }
}

/// The text as AWS's parser quotes it: the beginning will do.
fn source(text: &str) -> String {
    let (shown, hidden) = match text.char_indices().nth(QUOTED_CHARACTERS) {
        Some((end, _)) => text.split_at(end),
        None => (text, ""),
    };
    match hidden.chars().count() {
        0 => format!("\"{shown}\""),
        more => format!("\"{shown}\"[truncated {more} chars]"),
    }
}

const QUOTED_CHARACTERS: usize = 500;

/// Reads a whole text. What is nested more deeply than the limit is called too complex.
pub fn read(text: &str, nesting_limit: usize) -> Result<Json, Fault> {
    // This looks at the syntax without recursion, however deeply the text is nested.
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| syntax_fault(text, &error))?;
    let mut reader = Reader { text, at: 0 };
    reader.value(nesting_limit)
}

fn syntax_fault(text: &str, error: &serde_json::Error) -> Fault {
    let (line, column) = (error.line(), error.column());
    let place = format!(" at line {line} column {column}");
    let reason = error.to_string();
    let reason = reason.strip_suffix(&place).unwrap_or(&reason);
    let line_start: usize =
        text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut byte = (line_start + column).min(text.len());
    while !text.is_char_boundary(byte) {
        byte += 1;
    }
    Fault::at(format!("failed to parse JSON. {reason}"), byte)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, nesting_left: usize) -> Result<Json, Fault> {
        let first = self.peek();
        let start = self.at;
        let kind = match first {
            Some(b'{' | b'[') if nesting_left == 0 => return Err(Fault::too_complex()),
            Some(b'{') => Kind::Object(self.object(nesting_left - 1)?),
            Some(b'[') => Kind::Array(self.array(nesting_left - 1)?),
            Some(b'"') => Kind::String(self.string()?),
            _ => self.scalar()?,
        };
        Ok(Json { kind, start, end: self.at })
    }

    fn object(&mut self, nesting_left: usize) -> Result<IndexMap<String, Json>, Fault> {
        let mut members = IndexMap::new();
        self.at += 1;
        while self.peek() == Some(b'"') {
            let name = self.string()?;
            self.take(b':');
            members.insert(name, self.value(nesting_left)?);
            self.take(b',');
        }
        self.take(b'}');
        Ok(members)
    }

    fn array(&mut self, nesting_left: usize) -> Result<Vec<Json>, Fault> {
        let mut elements = Vec::new();
        self.at += 1;
        while !self.take(b']') {
            elements.push(self.value(nesting_left)?);
            self.take(b',');
        }
        Ok(elements)
    }

    fn string(&mut self) -> Result<String, Fault> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        self.at += 1;
        while let Some(byte) = bytes.get(self.at).filter(|byte| **byte != b'"') {
            self.at += if *byte == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        // Half of a surrogate pair is what can still be wrong.
        let written = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(written).map_err(|_| self.malformed())
    }

    fn scalar(&mut self) -> Result<Kind, Fault> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.find([',', ']', '}', ' ', '\t', '\r', '\n']).unwrap_or(rest.len());
        let (written, _) = rest.split_at(length);
        self.at += length;
        match written {
            "true" => Ok(Kind::Boolean(true)),
            "false" => Ok(Kind::Boolean(false)),
            "null" => Ok(Kind::Null),
            number => Number::read(number).map(Kind::Number).ok_or_else(|| self.malformed()),
        }
    }

    fn malformed(&self) -> Fault {
        Fault::at("failed to parse JSON. invalid value", self.at)
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Steps over this byte if it is next.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }
}
