//! The members of a JSON document that is an attribute's value.
//!
//! The attributes of SNS are read as Jackson reads them ([`JsonObject::parse`]), those of SQS by the standard
//! ([`JsonObject::parse_strictly`]).

use super::json_text;
use serde_json::{Map, Value};

/// The members of a JSON object that have not been read yet, and where the object stands.
#[derive(Debug, Clone)]
pub struct JsonObject {
    path: String,
    unread: Map<String, Value>,
}

impl JsonObject {
    /// Reads the attribute of a topic or subscription. The error is the reason of a refusal.
    pub fn parse(text: &str) -> Result<Self, String> {
        match json_text::parse(text) {
            Ok(Value::Object(unread)) => Ok(Self { path: String::new(), unread }),
            Ok(_) => Err("invalid JSON. The policy must be an object.".to_owned()),
            Err(malformed) => Err(malformed.to_string()),
        }
    }

    /// Reads the attribute of a queue. Returns `None` if it is no JSON object.
    pub fn parse_strictly(text: &str) -> Option<Self> {
        let unread = serde_json::from_str(text).ok()?;
        Some(Self { path: String::new(), unread })
    }

    /// Returns where the object stands in the document; empty for the document itself.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the path of a member, such as `http.defaultThrottlePolicy`.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes a member. One that is null counts as absent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.unread.shift_remove(name).filter(|value| !value.is_null())
    }

    /// Takes a text. A value of another type counts as absent.
    pub fn take_text(&mut self, name: &str) -> Option<String> {
        match self.take(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Takes an object, and reads it with `read`.
    pub fn section<T>(
        &mut self,
        name: &str,
        read: fn(Self) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        let path = self.path_of(name);
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(unread)) => read(Self { path, unread }).map(Some),
            Some(_) => Err(format!("{path} must be a JSON object")),
        }
    }

    /// Takes a number that must be within these limits.
    pub fn number(&mut self, name: &str, min: u32, max: u32) -> Result<Option<u32>, String> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let path = self.path_of(name);
        // What is beyond 64 bits is a float to the parser, and as such no integer.
        let number = value.as_i64().ok_or_else(|| format!("{path} must be an integer"))?;
        if number < min.into() {
            return Err(format!("{path} must be greater than or equal to {min}"));
        }
        let number = u32::try_from(number).ok().filter(|number| *number <= max);
        number.map(Some).ok_or_else(|| format!("{path} must be less than or equal to {max}"))
    }

    /// Takes a text.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{} must be a string", self.path_of(name))),
        }
    }

    /// Takes a boolean that is false when absent.
    pub fn flag(&mut self, name: &str) -> Result<bool, String> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(format!("{} must be a boolean", self.path_of(name))),
        }
    }

    /// Refuses a member that has not been taken.
    pub fn refuse_unknown(&self) -> Result<(), String> {
        match self.unknown() {
            None => Ok(()),
            Some(name) => Err(format!("invalid JSON. Attribute {name} is unknown.")),
        }
    }

    /// Returns the name of a member that has not been taken. Where there is none, the document has been read.
    pub fn unknown(&self) -> Option<&str> {
        self.unread.keys().next().map(String::as_str)
    }
}
