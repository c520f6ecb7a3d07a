//! Message attributes: their types, their rules, their MD5, and their stored form.

use std::collections::BTreeMap;

/// Attributes of a message by name, in the byte order that their MD5 wants.
pub type MessageAttributes = BTreeMap<String, MessageAttribute>;

/// One attribute: its full data type, custom suffix included, and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, with an optional `.suffix`.
    pub data_type: String,
    /// The value, as text exactly as given, or as bytes.
    pub value: AttributeValue,
}

/// The value of a message attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// `StringValue`
    Text(String),
    /// `BinaryValue`
    Binary(Vec<u8>),
}
