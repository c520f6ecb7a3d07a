//! Message attributes: their types, their rules, their MD5, and their stored form.
//!
//! The stored form is the very text that AWS's MD5 covers, so a message that is received with all
//! of its attributes needs no second encoding. It is canonical: attributes in byte order of their
//! names, and [`decode`] accepts nothing else.
//!
//! Rules and digest: the page "Amazon SQS message metadata". Values are kept as they were given,
//! numbers included.

use std::collections::BTreeMap;

use super::digest::md5_hex;
use super::limits::{MESSAGE_ATTRIBUTE_NAME_LENGTH, MESSAGE_ATTRIBUTES};
use super::message_body::{ALLOWED_CHARACTERS, forbidden_character};
use super::{Kind, Refusal};

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

impl AttributeValue {
    /// Returns the bytes of the value, in UTF-8 when it is text.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// One attribute as a request gives it, before any rule was applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Given {
    /// `DataType`
    pub data_type: Option<String>,
    /// `StringValue`
    pub string_value: Option<String>,
    /// `BinaryValue`, decoded
    pub binary_value: Option<Vec<u8>>,
}

/// Checks the MessageAttributes of a request, one after the other; each name is there once.
///
/// Refused with InvalidParameterValue.
pub fn check(
    given: impl IntoIterator<Item = (String, Given)>,
) -> Result<MessageAttributes, Refusal> {
    let given: Vec<_> = given.into_iter().collect();
    check_count(given.len())?;
    let mut attributes = MessageAttributes::new();
    for (name, given) in given {
        NAMES.check(&name).map_err(Refusal::invalid)?;
        let attribute = typed(&name, given)?;
        check_attribute(&name, &attribute)?;
        attributes.insert(name, attribute);
    }
    Ok(attributes)
}

// Rule (SendMessage, SendMessageBatch): AWSTraceHeader is the only message system attribute that can be
//   sent, and it is a String.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
// Test: src/domain/message_attributes.rs::the_only_system_attribute_is_the_trace_header
//
/// Checks the MessageSystemAttributes of a request: there is only AWSTraceHeader, and it is a
/// String.
///
/// Refused with InvalidParameterValue.
pub fn check_system(
    given: impl IntoIterator<Item = (String, Given)>,
) -> Result<MessageAttributes, Refusal> {
    let mut attributes = MessageAttributes::new();
    for (name, given) in given {
        if name != AWS_TRACE_HEADER {
            return Err(Refusal::invalid(format!(
                "Message (system) attribute '{name}' is invalid. The only supported message \
                 system attribute is {AWS_TRACE_HEADER}."
            )));
        }
        if given.data_type.as_deref() != Some("String") {
            return Err(Refusal::invalid(format!(
                "The type of message (system) attribute '{name}' is invalid. You must use only \
                 the following supported type prefixes: String."
            )));
        }
        let Some(text) = given.string_value.filter(|text| !text.is_empty()) else {
            return Err(Refusal::invalid(format!(
                "Message (system) attribute '{name}' must contain a non-empty value of type \
                 'String'."
            )));
        };
        check_characters(&name, "value", &text)?;
        let attribute =
            MessageAttribute { data_type: "String".to_owned(), value: AttributeValue::Text(text) };
        attributes.insert(name, attribute);
    }
    Ok(attributes)
}

/// The one message system attribute that can be sent.
pub const AWS_TRACE_HEADER: &str = "AWSTraceHeader";

/// Checks attributes that already have their types, as [`check`] does.
pub fn validate(attributes: &MessageAttributes) -> Result<(), Refusal> {
    check_count(attributes.len())?;
    attributes.iter().try_for_each(|(name, attribute)| {
        NAMES.check(name).map_err(Refusal::invalid)?;
        let base = BaseType::of(&attribute.data_type).ok_or_else(|| bad_type(name))?;
        let is_binary = matches!(attribute.value, AttributeValue::Binary(_));
        if is_binary != (base == BaseType::Binary) {
            return Err(no_value(name, base));
        }
        check_attribute(name, attribute)
    })
}

// Rule (SendMessage, SendMessageBatch, ReceiveMessage): MD5OfMessageAttributes covers names, data types
//   and values in the byte order of names; on a receive only those that are returned.
// Source: recorded
// Test: src/domain/message_attributes.rs::md5_sums_are_those_of_aws, tests/scenarios/attributes_of_messages.txt#The returned MD5 covers the returned attributes
//
/// Returns the bytes that the MD5 of attributes covers, which are their stored form too. No attributes
/// give no bytes.
///
/// For each attribute in byte order of names: length and text of name and of data type, the tag 1
/// for text or 2 for bytes, length and bytes of the value. Lengths are 32 bits, big-endian.
pub fn encode(attributes: &MessageAttributes) -> Vec<u8> {
    let overhead = attributes.len() * (3 * size_of::<u32>() + 1);
    let mut bytes = Vec::with_capacity(size(attributes) + overhead);
    for (name, attribute) in attributes {
        push(&mut bytes, name.as_bytes());
        push(&mut bytes, attribute.data_type.as_bytes());
        bytes.push(match attribute.value {
            AttributeValue::Text(_) => TAG_TEXT,
            AttributeValue::Binary(_) => TAG_BINARY,
        });
        push(&mut bytes, attribute.value.as_bytes());
    }
    bytes
}

/// Returns the attributes of a stored form; none when [`encode`] cannot have written it.
pub fn decode(bytes: &[u8]) -> Option<MessageAttributes> {
    let mut rest = bytes;
    let mut attributes = MessageAttributes::new();
    while !rest.is_empty() {
        let name = text(take(&mut rest)?)?;
        let data_type = text(take(&mut rest)?)?;
        let (tag, after) = rest.split_first()?;
        rest = after;
        let value = take(&mut rest)?;
        let value = match *tag {
            TAG_TEXT => AttributeValue::Text(text(value)?),
            TAG_BINARY => AttributeValue::Binary(value.to_vec()),
            _ => return None,
        };
        if attributes.last_key_value().is_some_and(|(last, _)| *last >= name) {
            return None;
        }
        attributes.insert(name, MessageAttribute { data_type, value });
    }
    Some(attributes)
}

/// MD5OfMessageAttributes of these attributes.
pub fn md5(attributes: &MessageAttributes) -> String {
    md5_of_encoded(&encode(attributes))
}

/// MD5OfMessageAttributes of attributes in their stored form.
pub fn md5_of_encoded(bytes: &[u8]) -> String {
    md5_hex(bytes)
}

/// MD5OfMessageBody and MD5OfBody.
pub fn md5_of_body(body: &str) -> String {
    md5_hex(body.as_bytes())
}

/// What attributes add to the size of a message, in bytes: names, data types and values.
pub fn size(attributes: &MessageAttributes) -> usize {
    attributes
        .iter()
        .map(|(name, attribute)| {
            name.len() + attribute.data_type.len() + attribute.value.as_bytes().len()
        })
        .sum()
}

// Rule (ReceiveMessage): MessageAttributeNames takes exact names, prefixes such as Hel.*, and All, .*
//   or * for all; names that no attribute can have select nothing and are no error.
// Source: recorded
// Test: src/domain/message_attributes.rs::names_asked_for_select_as_aws_does, tests/scenarios/attributes_of_messages.txt#The returned MD5 covers the returned attributes
//
/// Which attributes a receive asks for: its MessageAttributeNames.
///
/// `All`, `.*` and `*` ask for every attribute, `prefix.*` for those whose name begins with the
/// prefix, anything else for the attribute of that very name. Names that no attribute can have ask
/// for nothing; they are no error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameFilter {
    all: bool,
    prefixes: Vec<String>,
    names: Vec<String>,
}

impl NameFilter {
    /// Returns the filter of these MessageAttributeNames.
    pub fn new<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Self {
        let mut filter = Self::default();
        for name in names {
            let name = name.as_ref();
            match name.strip_suffix(".*") {
                Some("") => filter.all = true,
                Some(prefix) => filter.prefixes.push(prefix.to_owned()),
                None if matches!(name, "All" | "*") => filter.all = true,
                None => filter.names.push(name.to_owned()),
            }
        }
        filter
    }

    /// Returns whether the attribute of this name is asked for.
    pub fn matches(&self, name: &str) -> bool {
        self.all
            || self.names.iter().any(|asked| asked == name)
            || self.prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()))
    }

    /// Returns whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        !self.all && self.prefixes.is_empty() && self.names.is_empty()
    }

    /// Returns whether every attribute is asked for.
    pub fn matches_all(&self) -> bool {
        self.all
    }
}

const TAG_TEXT: u8 = 1;
const TAG_BINARY: u8 = 2;

/// Messages are at most a mebibyte, so lengths fit.
fn push(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u32).to_be_bytes());
    bytes.extend_from_slice(part);
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk()?;
    let (part, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = after;
    Some(part)
}

fn text(bytes: &[u8]) -> Option<String> {
    str::from_utf8(bytes).ok().map(str::to_owned)
}

/// What comes before the first dot of a data type. The rest is the sender's own business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BaseType {
    String,
    Number,
    Binary,
}

impl BaseType {
    pub fn of(data_type: &str) -> Option<Self> {
        match data_type.split('.').next() {
            Some("String") => Some(Self::String),
            Some("Number") => Some(Self::Number),
            Some("Binary") => Some(Self::Binary),
            _ => None,
        }
    }

    /// Returns the value in the field that the type uses, if it is there and not empty.
    pub fn value(self, text: Option<String>, bytes: Option<Vec<u8>>) -> Option<AttributeValue> {
        let value = match self {
            Self::String | Self::Number => text.map(AttributeValue::Text),
            Self::Binary => bytes.map(AttributeValue::Binary),
        };
        value.filter(|value| !value.as_bytes().is_empty())
    }
}

// Rule (SendMessage, SendMessageBatch): a message has at most ten attributes.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
// Test: src/domain/message_attributes.rs::ten_attributes_are_the_most
//
// Rule (SendMessage, SendMessageBatch): more attributes are InvalidParameterValue, "Number of message attributes [11]
//   exceeds the allowed maximum [10]."
// Source: reported, open-telemetry/opentelemetry-java#7309
// Test: src/domain/message_attributes.rs::ten_attributes_are_the_most
//
fn check_count(count: usize) -> Result<(), Refusal> {
    if count <= MESSAGE_ATTRIBUTES {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "Number of message attributes [{count}] exceeds the allowed maximum [{MESSAGE_ATTRIBUTES}]."
    )))
}

// Rule (SendMessage, SendMessageBatch): the name of a message attribute may have letters and digits of
//   any script, and hyphens, underscores and dots; other characters are InvalidParameterValue.
// Source: recorded
// Test: tests/scenarios/attributes_of_messages.txt#Names have letters and digits of any script.
const NAMES: NameRules = NameRules {
    own: &[],
    is_letter_or_digit: |character| character.is_alphanumeric(),
    too_long: "Message (user) attribute name must be shorter than 256 Bytes",
    starts_with_dot: "You can't start message attribute name with '.'.",
    ends_with_dot: "You can't end message attribute name with '.'.",
    has_two_dots: "You can't use '..' in message attribute name.",
};

/// How SQS and SNS differ about the names of attributes.
pub(super) struct NameRules {
    /// Beginnings of names that are reserved for the service but can be sent to it.
    pub own: &'static [&'static str],
    pub is_letter_or_digit: fn(char) -> bool,
    pub too_long: &'static str,
    pub starts_with_dot: &'static str,
    pub ends_with_dot: &'static str,
    pub has_two_dots: &'static str,
}

impl NameRules {
    /// Checks the name of an attribute. The error is the sentence for the caller.
    pub fn check(&self, name: &str) -> Result<(), String> {
        let own = self.own.iter().find_map(|beginning| name.strip_prefix(beginning));
        let rest = own.unwrap_or(name);
        let is_reserved = |prefix: &str| {
            rest.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let is_usual = |c: char| (self.is_letter_or_digit)(c) || matches!(c, '_' | '-' | '.');
        let fault = if rest.is_empty() {
            "The request must contain non-empty message attribute name."
        } else if name.len() > MESSAGE_ATTRIBUTE_NAME_LENGTH {
            self.too_long
        } else if is_reserved("AWS.") || is_reserved("Amazon.") {
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These \
             strings are reserved for internal use."
        } else if rest.starts_with('.') {
            self.starts_with_dot
        } else if rest.ends_with('.') {
            self.ends_with_dot
        } else if rest.contains("..") {
            self.has_two_dots
        } else if let Some(character) = rest.chars().find(|character| !is_usual(*character)) {
            return Err(format!(
                "Invalid non-alphanumeric character '#x{:X}' was found in the message attribute \
                 name. Can only include alphanumeric characters, hyphens, underscores, or dots.",
                u32::from(character)
            ));
        } else {
            return Ok(());
        };
        Err(fault.to_owned())
    }
}

// Rule (SendMessage, SendMessageBatch): the value of an attribute is not empty: "Message (user)
//   attribute 'x' must contain a non-empty value of type 'String'."
// Source: recorded
// Test: src/domain/message_attributes.rs::values_must_be_there_and_of_their_type, tests/scenarios/attributes_of_messages.txt#What is refused.
//
// Rule (SendMessage, SendMessageBatch): the data type is String, Number or Binary, with any text after
//   a dot.
// Source: reported, grafana/k6-jslib-aws#65
// Test: src/domain/message_attributes.rs::types_are_checked, tests/scenarios/attributes_of_messages.txt#What is refused.
//
/// Takes the value that the data type asks for, and it must not be empty.
fn typed(name: &str, given: Given) -> Result<MessageAttribute, Refusal> {
    let data_type =
        given.data_type.filter(|data_type| !data_type.is_empty()).ok_or_else(|| no_type(name))?;
    let base = BaseType::of(&data_type).ok_or_else(|| bad_type(name))?;
    let value = base.value(given.string_value, given.binary_value);
    let value = value.ok_or_else(|| no_value(name, base))?;
    Ok(MessageAttribute { data_type, value })
}

/// The rules for data type and value.
fn check_attribute(name: &str, attribute: &MessageAttribute) -> Result<(), Refusal> {
    let MessageAttribute { data_type, value } = attribute;
    let base = BaseType::of(data_type).ok_or_else(|| bad_type(name))?;
    if data_type.chars().count() > MESSAGE_ATTRIBUTE_NAME_LENGTH {
        return Err(Refusal::invalid(format!(
            "Message (user) attribute type must be shorter than {MESSAGE_ATTRIBUTE_NAME_LENGTH} \
             Bytes"
        )));
    }
    check_characters(name, "type", data_type)?;
    if value.as_bytes().is_empty() {
        return Err(no_value(name, base));
    }
    let AttributeValue::Text(text) = value else { return Ok(()) };
    check_characters(name, "value", text)?;
    if base == BaseType::Number && !is_number(text) {
        return Err(Refusal::invalid(format!(
            "Can't cast the value of message (user) attribute '{name}' to a number."
        )));
    }
    Ok(())
}

fn check_characters(name: &str, part: &str, text: &str) -> Result<(), Refusal> {
    let Some(character) = forbidden_character(text) else { return Ok(()) };
    Err(Refusal::invalid(format!(
        "Invalid binary character '#x{:X}' was found in the message attribute '{name}' {part}, the \
         set of allowed characters is {ALLOWED_CHARACTERS}",
        u32::from(character)
    )))
}

fn bad_type(name: &str) -> Refusal {
    Refusal::invalid(format!(
        "The type of message (user) attribute '{name}' is invalid. You must use only the \
         following supported type prefixes: Binary, Number, String."
    ))
}

fn no_type(name: &str) -> Refusal {
    Refusal::invalid(format!(
        "The message attribute '{name}' must contain non-empty message attribute type."
    ))
}

fn no_value(name: &str, base: BaseType) -> Refusal {
    Refusal::invalid(format!(
        "Message (user) attribute '{name}' must contain a non-empty value of type '{base:?}'."
    ))
}

// Rule (SendMessage, SendMessageBatch): StringListValues or BinaryListValues, even an empty list, is
//   UnsupportedOperation; the sentence names the operation. One such entry of a batch refuses the request.
// Source: reported, ruby-shoryuken/shoryuken#769; in AWS Query aws/aws-sdk-js#3132
// Test: tests/scenarios/attributes_of_messages.txt#Lists of values are not supported even when they are empty.,
//   tests/recorded/sqs-attributes.jsonl#sqs-query-send-empty-list-values,
//   src/api/sqs/dialect.rs::requests_of_both_protocols_are_one
//
/// Returns the refusal of an attribute with a list of values in a request of this operation.
pub fn lists_not_supported(operation: &str) -> Refusal {
    Refusal::new(
        Kind::UnsupportedOperation,
        format!("Message attribute list values in {operation} operation are not supported."),
    )
}

// Rule (SendMessage, SendMessageBatch): a Number has up to 38 significant digits, between 10^-128 and
//   10^126.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
// Test: src/domain/message_attributes.rs::numbers_are_decimal_and_within_bounds
//
/// Returns whether a text is a decimal number with at most 38 significant digits, zero or between 10^-128
/// and 10^126 in size. An exponent may be given.
pub(super) fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        None => (unsigned, 0),
        Some((mantissa, exponent)) => match exponent.parse::<i32>() {
            Ok(exponent) => (mantissa, i64::from(exponent)),
            Err(_) => return false,
        },
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !are_digits(whole) || !are_digits(fraction) {
        return false;
    }
    let digits = [whole, fraction].concat();
    let from_first = digits.trim_start_matches('0');
    let significant = from_first.trim_end_matches('0');
    // The first significant digit stands for itself times ten to this power.
    let magnitude = exponent + whole.len() as i64 - (digits.len() - from_first.len()) as i64 - 1;
    let is_within_bounds =
        (-128..126).contains(&magnitude) || magnitude == 126 && significant == "1";
    significant.is_empty() || significant.len() <= 38 && is_within_bounds
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn string(name: &str, value: &str) -> (String, Given) {
        typed_text(name, "String", value)
    }

    fn typed_text(name: &str, data_type: &str, value: &str) -> (String, Given) {
        let given = Given {
            data_type: Some(data_type.into()),
            string_value: Some(value.into()),
            ..Given::default()
        };
        (name.into(), given)
    }

    fn binary(name: &str, data_type: &str, value: &[u8]) -> (String, Given) {
        let given = Given {
            data_type: Some(data_type.into()),
            binary_value: Some(value.to_vec()),
            ..Given::default()
        };
        (name.into(), given)
    }

    fn attributes<const N: usize>(given: [(String, Given); N]) -> MessageAttributes {
        check(given).unwrap()
    }

    fn refusal<const N: usize>(given: [(String, Given); N]) -> String {
        let refusal = check(given).unwrap_err();
        assert_eq!(refusal.kind, Kind::InvalidParameterValue);
        refusal.message.into_owned()
    }

    #[test]
    fn md5_sums_are_those_of_aws() {
        let three =
            || [string("Help.Me", "Me"), string("Hello", "There"), string("General", "Kenobi")];
        for (given, md5_of_attributes) in [
            (three().to_vec(), "4c360f3fdafd970e05fae2f149d997f5"),
            (three()[1..].to_vec(), "fca026605781cb4126a1e9044df24232"),
            (three()[..2].to_vec(), "83fee93c1bcd8b9a5a923ffacdc636c7"),
            (vec![string("Hello", "There")], "a311262e065454b75da111d535b8dacd"),
            (vec![string("Foo", "Bar")], "ae7155c6026991b6d54b11589678bf9c"),
            (vec![string("MyAttribute", "foobar")], "adb59cd4678ea5a855436b949cd07ab6"),
            (vec![string("k", "x")], "a45daa70926828a2f0a1db3418e6feb4"),
            (
                vec![typed_text("timestamp", "Number", "1493147359900")],
                "235c5c510d26fb653d073faed50ae77c",
            ),
            (
                vec![binary(
                    "attr1",
                    "Binary",
                    b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01",
                )],
                "8cbe4db156db8a94db8b801b7addb984",
            ),
        ] {
            assert_eq!(md5(&check(given.clone()).unwrap()), md5_of_attributes, "{given:?}");
        }
        let (name, trace) = string(
            "AWSTraceHeader",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
        );
        let system = check_system([(name, trace)]).unwrap();
        assert_eq!(md5(&system), "5ae4d5d7636402d80f4eb6d213245a88");
        assert_eq!(md5_of_body("test"), "098f6bcd4621d373cade4e832627b4f6");
    }

    #[test]
    fn the_encoding_is_the_documented_one() {
        let three = attributes([
            binary("Raw", "Binary", b"\x00\xff"),
            typed_text("Population", "Number", "1250800"),
            string("City", "Any City"),
        ]);
        let expected: &[u8] = b"\0\0\0\x04City\0\0\0\x06String\x01\0\0\0\x08Any City\
            \0\0\0\x0aPopulation\0\0\0\x06Number\x01\0\0\0\x071250800\
            \0\0\0\x03Raw\0\0\0\x06Binary\x02\0\0\0\x02\0\xff";
        assert_eq!(encode(&three), expected);
        assert_eq!(md5_of_encoded(expected), "e505db23a88448853f92b9b24f8bce1a");
        assert_eq!(size(&three), 4 + 6 + 8 + 10 + 6 + 7 + 3 + 6 + 2);
        for end in 1..expected.len() {
            let is_boundary = matches!(end, 31 | 67);
            assert_eq!(decode(&expected[..end]).is_some(), is_boundary, "{end}");
        }
        let twice = [&expected[..31], &expected[..31]].concat();
        assert_eq!(decode(&twice), None);
        assert_eq!(decode(b""), Some(MessageAttributes::new()));
    }

    #[test]
    fn custom_types_are_kept_whole() {
        let given = attributes([
            typed_text("n", "Number.int", "1"),
            string("s", "x"),
            binary("b", "Binary.png.gz", b"\0"),
        ]);
        assert_eq!(given["n"].data_type, "Number.int");
        assert_eq!(given["b"].value, AttributeValue::Binary(vec![0]));
        assert_eq!(validate(&given), Ok(()));
    }

    #[test]
    fn ten_attributes_are_the_most() {
        let given = |count| (0..count).map(|n| string(&format!("a{n}"), "x"));
        assert_eq!(check(given(10)).map(|all| all.len()), Ok(10));
        assert_eq!(
            check(given(11)).unwrap_err().message,
            "Number of message attributes [11] exceeds the allowed maximum [10]."
        );
    }

    #[test]
    fn names_are_checked() {
        let reserved = "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. \
                        These strings are reserved for internal use.";
        let character = "Invalid non-alphanumeric character '#x20' was found in the message \
                         attribute name. Can only include alphanumeric characters, hyphens, \
                         underscores, or dots.";
        for (name, message) in [
            ("", "The request must contain non-empty message attribute name."),
            (&"a".repeat(257), "Message (user) attribute name must be shorter than 256 Bytes"),
            ("a b", character),
            ("AWS.x", reserved),
            ("amazon.", reserved),
            (".a", "You can't start message attribute name with '.'."),
            ("a.", "You can't end message attribute name with '.'."),
            ("a..b", "You can't use '..' in message attribute name."),
        ] {
            assert_eq!(refusal([string(name, "x")]), message, "{name}");
        }
        for name in ["a", "A-b_c.9", "AWSx", "aws", "attr.1øßä", "имя", "名前٣", &"a".repeat(256)]
        {
            assert!(check([string(name, "x")]).is_ok(), "{name}");
        }
        for name in ["a§", "!", "a\"b", "(", "?", "a\u{200d}", "🕊"] {
            assert!(refusal([string(name, "x")]).starts_with("Invalid non-alphanumeric"), "{name}");
        }
    }

    #[test]
    fn types_are_checked() {
        let message = "The type of message (user) attribute 'my-attribute' is invalid. You must \
                       use only the following supported type prefixes: Binary, Number, String.";
        for data_type in ["string", "Strings", "Foo", ".String", "StringValue"] {
            assert_eq!(refusal([typed_text("my-attribute", data_type, "x")]), message);
        }
        let missing =
            "The message attribute 'my-attribute' must contain non-empty message attribute type.";
        assert_eq!(refusal([typed_text("my-attribute", "", "x")]), missing);
        assert_eq!(refusal([("my-attribute".into(), Given::default())]), missing);
        let long = format!("String.{}", "a".repeat(249));
        assert!(check([typed_text("a", &long, "x")]).is_ok());
        assert!(check([typed_text("a", &format!("{long}a"), "x")]).is_err());
        assert!(check([typed_text("a", "String.\u{1}", "x")]).is_err());
    }

    #[test]
    fn values_must_be_there_and_of_their_type() {
        let message = |of: &str| {
            format!(
                "Message (user) attribute 'ErrorDetails' must contain a non-empty value of type \
                 '{of}'."
            )
        };
        assert_eq!(refusal([string("ErrorDetails", "")]), message("String"));
        assert_eq!(refusal([typed_text("ErrorDetails", "Number.x", "")]), message("Number"));
        assert_eq!(refusal([binary("ErrorDetails", "Binary", b"")]), message("Binary"));
        assert_eq!(refusal([typed_text("ErrorDetails", "Binary", "x")]), message("Binary"));
        assert_eq!(refusal([binary("ErrorDetails", "String", b"x")]), message("String"));
        assert!(refusal([string("a", "\u{FFFE}")]).contains("'#xFFFE'"));
        let mismatched =
            MessageAttribute { data_type: "String".into(), value: AttributeValue::Binary(vec![1]) };
        let mismatched = MessageAttributes::from([("a".to_owned(), mismatched)]);
        assert!(validate(&mismatched).is_err());
    }

    #[test]
    fn numbers_are_decimal_and_within_bounds() {
        let digits = "1".repeat(38);
        for number in [
            "0",
            "-0",
            "1493147359900",
            "+1.50",
            ".5",
            "5.",
            "1e10",
            "-1.5E-10",
            "1E+126",
            "1e-128",
            "0e999",
            "000000000000000000000000000000000000000000001",
            &digits,
            &format!("{digits}000"),
            &format!("0.000{digits}"),
        ] {
            assert!(check([typed_text("x", "Number", number)]).is_ok(), "{number}");
        }
        for number in [
            "a",
            "1a",
            "",
            ".",
            "-",
            "1e",
            "e1",
            "1e1.5",
            "1 ",
            " 1",
            "0x1F",
            "NaN",
            "1,000",
            "2e126",
            "9e-129",
            "1e99999999999999999999",
            "1e2147483647",
            "--1",
            "１",
            &format!("{digits}1"),
        ] {
            assert!(check([typed_text("x", "Number", number)]).is_err(), "{number}");
        }
        assert_eq!(
            refusal([typed_text("x", "Number", "one")]),
            "Can't cast the value of message (user) attribute 'x' to a number."
        );
    }

    #[test]
    fn the_only_system_attribute_is_the_trace_header() {
        assert!(check_system([string("AWSTraceHeader", "Root=1")]).is_ok());
        assert!(check_system([string("Other", "x")]).is_err());
        assert!(check_system([string("AWSTraceHeader", "")]).is_err());
        assert!(check_system([string("AWSTraceHeader", "\u{0}")]).is_err());
        assert!(check_system([typed_text("AWSTraceHeader", "Number", "1")]).is_err());
        assert!(check_system([binary("AWSTraceHeader", "Binary", b"1")]).is_err());
    }

    #[test]
    fn names_asked_for_select_as_aws_does() {
        let sent = ["General", "Hello", "Help.Me"];
        for (names, selected) in [
            (&[][..], &[][..]),
            (&["All"], &sent),
            (&["*"], &sent),
            (&[".*"], &sent),
            (&["Foo", "Help"], &[]),
            (&["Hello", "General"], &["General", "Hello"]),
            (&["Foo", "Hello"], &["Hello"]),
            (&["Hel.*"], &["Hello", "Help.Me"]),
            (&["hello"], &[]),
            (&["AWS."], &[]),
            (&["..foo"], &[]),
        ] {
            let filter = NameFilter::new(names);
            let matched: Vec<_> = sent.into_iter().filter(|name| filter.matches(name)).collect();
            assert_eq!(matched, selected, "{names:?}");
            assert_eq!(filter.is_empty(), names.is_empty());
            assert_eq!(filter.matches_all(), selected.len() == sent.len(), "{names:?}");
        }
    }

    fn any_attribute() -> impl Strategy<Value = MessageAttribute> {
        let value = prop_oneof![
            any::<String>().prop_map(AttributeValue::Text),
            any::<Vec<u8>>().prop_map(AttributeValue::Binary),
        ];
        (any::<String>(), value)
            .prop_map(|(data_type, value)| MessageAttribute { data_type, value })
    }

    proptest! {
        #[test]
        fn stored_attributes_come_back(
            attributes in prop::collection::btree_map(any::<String>(), any_attribute(), 0..12),
        ) {
            let encoded = encode(&attributes);
            prop_assert_eq!(decode(&encoded), Some(attributes));
        }

        #[test]
        fn what_decodes_is_canonical(bytes in prop::collection::vec(0u8..4, 0..64)) {
            if let Some(attributes) = decode(&bytes) {
                prop_assert_eq!(encode(&attributes), bytes);
            }
        }

        #[test]
        fn any_input_is_taken_or_refused(
            name in ".{0,8}",
            data_type in prop::option::of("(String|Number|Binary)?.{0,3}"),
            string_value in prop::option::of("[-+0-9.eE]{0,9}|.*"),
        ) {
            let given = Given { data_type, string_value, ..Given::default() };
            if let Ok(attributes) = check([(name.clone(), given.clone())]) {
                prop_assert_eq!(validate(&attributes), Ok(()));
            }
            let _ = check_system([(name, given)]);
        }
    }
}
