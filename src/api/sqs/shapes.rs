//! Shapes that several operations share.

use crate::api::prelude::*;
use crate::domain::Kind;
use crate::domain::message_attributes::{AttributeValue, Given, MessageAttribute};
use crate::domain::receipt::Receipt;
use crate::wire::Blob;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::ops::RangeInclusive;

/// MessageAttributeValue, and MessageSystemAttributeValue, which has the same members.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageAttributeValue {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<Blob>,
    #[serde(skip_serializing)]
    pub string_list_values: Option<Vec<String>>,
    #[serde(skip_serializing)]
    pub binary_list_values: Option<Vec<Blob>>,
    pub data_type: Option<String>,
}

impl MessageAttributeValue {
    /// Returns whether StringListValues or BinaryListValues is given, even without an element.
    pub fn has_list_values(&self) -> bool {
        self.string_list_values.is_some() || self.binary_list_values.is_some()
    }
}

impl From<MessageAttributeValue> for Given {
    fn from(value: MessageAttributeValue) -> Self {
        Self {
            data_type: value.data_type,
            string_value: value.string_value,
            binary_value: value.binary_value.map(|blob| blob.0),
        }
    }
}

impl From<MessageAttribute> for MessageAttributeValue {
    fn from(attribute: MessageAttribute) -> Self {
        let (string_value, binary_value) = match attribute.value {
            AttributeValue::Text(text) => (Some(text), None),
            AttributeValue::Binary(bytes) => (None, Some(Blob(bytes))),
        };
        Self { string_value, binary_value, data_type: Some(attribute.data_type), ..Self::default() }
    }
}

/// Reads a receipt handle that was issued for this queue. Refused with ReceiptHandleIsInvalid.
pub fn receipt_for(tx: &mut Txn<'_>, queue: &Queue, handle: &str) -> Result<Receipt, Refusal> {
    let reason = match tx.receipt_key()?.and_then(|key| key.open(handle)) {
        Some(receipt) if receipt.queue == queue.id => return Ok(receipt),
        Some(_) => format!("The receipt handle \"{handle}\" is not valid for this queue."),
        None => format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
    };
    Err(Refusal::new(Kind::ReceiptHandleIsInvalid, reason))
}

/// The page after a NextToken: the name after which it begins.
pub fn page_after(next_token: Option<&str>) -> Result<String, Refusal> {
    let Some(token) = next_token.filter(|token| !token.is_empty()) else {
        return Ok(String::new());
    };
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Refusal::invalid("Invalid or expired next token."))
}

/// The NextToken for what follows a name.
pub fn next_token(after: &str) -> String {
    URL_SAFE_NO_PAD.encode(after)
}

/// Returns a number, which must be in a range if it is given.
pub fn in_range(
    given: Option<i64>,
    range: &RangeInclusive<i64>,
    parameter: &str,
    reason: &str,
) -> Result<Option<i64>, Refusal> {
    match given.filter(|number| !range.contains(number)) {
        Some(number) => Err(Refusal::invalid_value(number, parameter, reason)),
        None => Ok(given),
    }
}

/// Returns MaxResults, which must be within the limits of lists.
pub fn max_results(
    given: Option<i64>,
    limits: &RangeInclusive<i64>,
) -> Result<Option<i64>, Refusal> {
    let reason = format!("Must be between {} and {}, if provided.", limits.start(), limits.end());
    in_range(given, limits, "MaxResults", &reason)
}
