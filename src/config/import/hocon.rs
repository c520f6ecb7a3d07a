//! The part of HOCON in which `elasticmq.conf` is written: objects with or without `=`, keys with
//! dots, quotes or none, comments, lists, and values that are variables of the environment. Lines
//! with `include` are passed over. A key whose optional variable is not set stays as it was.

use serde_json::{Map, Value};

use super::Variable;
use crate::config::file::{Fault, Source};

/// Braces within each other that are read.
const DEPTH: usize = 64;

/// Reads a file.
pub(super) fn parse(text: &str, variable: Variable<'_>) -> Result<Value, Fault> {
    let mut reader = Reader { text, at: 0, variable };
    reader.space();
    let braced = reader.next_if('{');
    let root = reader.members(DEPTH, braced)?;
    reader.space();
    match reader.peek() {
        None => Ok(Value::Object(root)),
        Some(other) => Err(reader.fault(format!("`{other}` is not expected here"))),
    }
}

struct Reader<'t, 'v> {
    text: &'t str,
    /// The byte that is next.
    at: usize,
    variable: Variable<'v>,
}

impl Reader<'_, '_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn next_if(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        Source(self.text).fault(self.at, message)
    }

    /// Passes over blanks, line breaks, commas and comments.
    fn space(&mut self) {
        loop {
            if self.rest().starts_with('#') || self.rest().starts_with("//") {
                let line = self.rest().find('\n').unwrap_or(self.rest().len());
                self.at += line;
            } else if self.peek().is_some_and(|next| next.is_whitespace() || next == ',') {
                self.bump();
            } else {
                return;
            }
        }
    }

    /// Passes over blanks of this line.
    fn blanks(&mut self) {
        while self.peek().is_some_and(|next| next.is_whitespace() && next != '\n') {
            self.bump();
        }
    }

    fn members(&mut self, depth: usize, braced: bool) -> Result<Map<String, Value>, Fault> {
        let deeper = depth.checked_sub(1).ok_or_else(|| self.fault("too deep"))?;
        let mut members = Map::new();
        loop {
            self.space();
            match self.peek() {
                None if braced => return Err(self.fault("a brace is not closed")),
                None => return Ok(members),
                Some('}') if braced => {
                    self.bump();
                    return Ok(members);
                }
                Some(_) => {}
            }
            if self.rest().starts_with("include ") {
                let line = self.rest().find('\n').unwrap_or(self.rest().len());
                self.at += line;
                continue;
            }
            let path = self.path()?;
            self.blanks();
            let value = if self.peek() == Some('{') {
                self.value(deeper)?
            } else {
                if !self.next_if('=') && !self.next_if(':') {
                    return Err(self.fault("`=` is expected here"));
                }
                self.blanks();
                self.value(deeper)?
            };
            if path.len() > DEPTH {
                return Err(self.fault("too many dots"));
            }
            if let Some(value) = value {
                put(&mut members, &path, value);
            }
        }
    }

    /// A key: words between dots, in quotes or not.
    fn path(&mut self) -> Result<Vec<String>, Fault> {
        let mut path = Vec::new();
        loop {
            self.blanks();
            let word = if self.peek() == Some('"') {
                self.quoted()?
            } else {
                let mut word = String::new();
                while let Some(next) = self.peek() {
                    if matches!(next, '=' | ':' | '{' | '}' | '[' | ']' | '.' | '"' | '\n' | '#') {
                        break;
                    }
                    word.push(next);
                    self.bump();
                }
                word.trim().to_owned()
            };
            if word.is_empty() {
                return Err(self.fault("a key is expected here"));
            }
            path.push(word);
            if !self.next_if('.') {
                return Ok(path);
            }
        }
    }

    /// A value; none if an optional variable stands for it and is not set.
    fn value(&mut self, depth: usize) -> Result<Option<Value>, Fault> {
        let deeper = depth.checked_sub(1).ok_or_else(|| self.fault("too deep"))?;
        match self.peek() {
            Some('{') => {
                self.bump();
                Ok(Some(Value::Object(self.members(deeper, true)?)))
            }
            Some('[') => {
                self.bump();
                let mut values = Vec::new();
                loop {
                    self.space();
                    match self.peek() {
                        None => return Err(self.fault("a bracket is not closed")),
                        Some(']') => {
                            self.bump();
                            return Ok(Some(Value::Array(values)));
                        }
                        Some(_) => values.extend(self.value(deeper)?),
                    }
                }
            }
            Some('"') => self.quoted().map(|text| Some(Value::String(text))),
            Some('$') if self.rest().starts_with("${") => self.substitution(),
            _ => self.unquoted().map(Some),
        }
    }

    fn quoted(&mut self) -> Result<String, Fault> {
        let triple = "\"\"\"";
        if let Some(rest) = self.rest().strip_prefix(triple) {
            let mut end = rest.find(triple).ok_or_else(|| self.fault("a text is not closed"))?;
            // Of more than three quotes the last three close it.
            while rest[end + triple.len()..].starts_with('"') {
                end += 1;
            }
            let text = rest[..end].to_owned();
            self.at += end + 2 * triple.len();
            return Ok(text);
        }
        let open = self.at;
        self.bump();
        while let Some(next) = self.bump() {
            match next {
                '\\' => drop(self.bump()),
                '"' => {
                    let text = &self.text[open..self.at];
                    return serde_json::from_str(text)
                        .map_err(|error| self.fault(format!("{text}: {error}")));
                }
                '\n' => break,
                _ => {}
            }
        }
        Err(self.fault("a text is not closed"))
    }

    /// `${NAME}`, which must be set, or `${?NAME}`.
    fn substitution(&mut self) -> Result<Option<Value>, Fault> {
        let end = self.rest().find('}').ok_or_else(|| self.fault("a brace is not closed"))?;
        let inner = self.rest().get("${".len()..end).unwrap_or_default().trim();
        let (name, optional) = match inner.strip_prefix('?') {
            Some(name) => (name.trim(), true),
            None => (inner, false),
        };
        let value = (self.variable)(name).map(Value::String);
        if value.is_none() && !optional {
            let message = format!("there is no variable `{name}` in the environment");
            return Err(self.fault(message));
        }
        self.at += end + 1;
        Ok(value)
    }

    /// A word, a number or several words, up to the end of the line or of what it stands in.
    fn unquoted(&mut self) -> Result<Value, Fault> {
        let mut text = String::new();
        while let Some(next) = self.peek() {
            let ends = matches!(next, '\n' | ',' | '}' | ']' | '{' | '[' | '#' | '"')
                || self.rest().starts_with("//");
            if ends {
                break;
            }
            text.push(next);
            self.bump();
        }
        let text = text.trim();
        Ok(match text {
            "" => return Err(self.fault("a value is expected here")),
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            // 000000000000 is an account and no number.
            number if !number.starts_with('0') || number.len() == 1 => {
                number.parse::<i64>().map_or_else(|_| number.into(), Value::from)
            }
            other => other.into(),
        })
    }
}

/// Puts a value at a path; an object into one that is there.
fn put(members: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((key, rest)) = path.split_first() else { return };
    let there = members.entry(key.clone()).or_insert(Value::Null);
    if rest.is_empty() {
        merge(there, value);
        return;
    }
    if !there.is_object() {
        *there = Value::Object(Map::new());
    }
    if let Some(members) = there.as_object_mut() {
        put(members, rest, value);
    }
}

fn merge(there: &mut Value, value: Value) {
    match (there, value) {
        (Value::Object(there), Value::Object(more)) => {
            for (key, value) in more {
                merge(there.entry(key).or_insert(Value::Null), value);
            }
        }
        (there, value) => *there = value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn keys_values_and_comments_are_read_in_every_spelling() {
        let read = parse(
            "a.b = 1\na { c = two words, d : [x, \"y\"] } // over\n\"q.r\" = \"\"\"raw \"text\"\"\"\"\n\
             e = 1\ne = ${?UNSET}\nf = ${HOME}\nn = 000000000000\n",
            &|name| (name == "HOME").then(|| "/home".to_owned()),
        );
        let expected = json!({
            "a": {"b": 1, "c": "two words", "d": ["x", "y"]},
            "q.r": "raw \"text\"",
            "e": 1,
            "f": "/home",
            "n": "000000000000",
        });
        assert_eq!(
            read.map_err(|fault| fault.message),
            Ok(expected).map_err(|(): ()| String::new())
        );
    }

    proptest! {
        #[test]
        fn nothing_that_is_written_makes_it_fail(text in "[a{}\\[\\]=:.\"#/\n $,]{0,80}", deep in 0..300_usize) {
            let _ = parse(&text, &|_| None);
            let _ = parse(&"a{b=[".repeat(deep), &|_| None);
        }
    }
}
