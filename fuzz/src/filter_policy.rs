//! Filter policies: a line with a policy, and a message that may pass it or not.

use super::halves;
use serde_json::Value;
use squab::domain::filter_policy::{Candidate, FilterPolicy, Scope};
use squab::domain::message_attributes::{AttributeValue, MessageAttribute, MessageAttributes};

/// A policy is refused, or a message passes it or does not, which no spelling of either changes.
pub fn target(input: &[u8]) {
    let (policy, body) = halves(input);
    let (Ok(policy), Ok(body)) = (std::str::from_utf8(policy), std::str::from_utf8(body)) else {
        return;
    };
    let attributes = attributes(body);
    let candidate = Candidate::new(body, &attributes);
    for scope in [Scope::MessageAttributes, Scope::MessageBody] {
        let compiled = match FilterPolicy::parse(policy, scope) {
            Ok(Some(compiled)) => compiled,
            // The empty policy lets everything through.
            Ok(None) => continue,
            Err(sentence) => {
                // It repeats what it does not like.
                assert!(sentence.len() < 8_000 + 6 * policy.len(), "{sentence}");
                continue;
            }
        };
        let passes = compiled.matches(&candidate);
        if let Ok(value) = serde_json::from_str::<Value>(policy) {
            let parsed_again = FilterPolicy::parse(&value.to_string(), scope).unwrap().unwrap();
            assert_eq!(parsed_again.matches(&candidate), passes);
        }
        if let Ok(value) = serde_json::from_str::<Value>(body) {
            let parsed_again = value.to_string();
            let parsed_again = Candidate::new(&parsed_again, &attributes);
            assert_eq!(compiled.matches(&parsed_again), passes);
        }
    }
}

/// The members of a body as attributes: texts, numbers, and arrays of both.
fn attributes(body: &str) -> MessageAttributes {
    let mut attributes = MessageAttributes::new();
    let Ok(Value::Object(members)) = serde_json::from_str(body) else { return attributes };
    for (name, value) in members {
        let (data_type, text) = match value {
            Value::String(text) => ("String", text),
            Value::Number(number) => ("Number", number.to_string()),
            other => ("String.Array", other.to_string()),
        };
        let value = AttributeValue::Text(text);
        attributes.insert(name, MessageAttribute { data_type: data_type.to_owned(), value });
    }
    attributes
}
