//! What may be published: the rules of Publish that need no topic, and those that do.
//!
//! AWS pages: API_Publish, API_PublishBatch, "Message attributes" of the developer guide.

use super::address::is_name_byte;
use super::limits::{BATCH_ENTRIES, BATCH_ENTRY_ID_LENGTH, SUBJECT_LENGTH};
use super::message_attributes::{
    AttributeValue, BaseType, Given, MessageAttribute, MessageAttributes, NameRules, is_number,
};
use super::message_structure::MessageTexts;
use super::topic_attributes::TopicAttributes;
use super::{Kind, Refusal, fifo};
use std::borrow::Cow;
use std::collections::HashSet;

/// A message as it was published; its form has been checked.
#[derive(Debug, Clone, Default)]
pub struct Published {
    /// Message, as it was given.
    pub message: String,
    /// Whether MessageStructure is `json`: each protocol has its own text in it.
    pub structured: bool,
    /// Subject
    pub subject: Option<String>,
    /// MessageAttributes
    pub attributes: MessageAttributes,
    /// MessageGroupId
    pub group: Option<String>,
    /// MessageDeduplicationId, as it was given.
    pub deduplication_id: Option<String>,
}

impl Published {
    /// Size in bytes as AWS counts it: body, names, types and values of attributes.
    pub fn size(&self) -> usize {
        self.message.len() + super::message_attributes::size(&self.attributes)
    }

    /// Returns the texts for each protocol. A structure was checked before it was published.
    pub fn texts(&self) -> MessageTexts<'_> {
        let texts = self.structured.then(|| MessageTexts::parse(&self.message).ok()).flatten();
        texts.unwrap_or_else(|| MessageTexts::same(&self.message))
    }

    /// Returns the text for a single receiver, of a protocol such as `sms` or of a platform such as `GCM`.
    ///
    /// Refused with InvalidParameter when a structured message has none.
    pub fn text_for(&self, key: &str) -> Result<Cow<'_, str>, Refusal> {
        if self.structured {
            MessageTexts::of_one(&self.message, key).map(Cow::Owned)
        } else {
            Ok(Cow::Borrowed(&self.message))
        }
    }

    /// Returns the deduplication id that a FIFO topic goes by and hands on: the given one, or the SHA-256
    /// of the message.
    pub fn effective_deduplication_id(&self) -> String {
        self.deduplication_id
            .clone()
            .unwrap_or_else(|| super::digest::sha256_hex(self.message.as_bytes()))
    }
}

/// Checks Subject: 1 to 100 characters, no control characters.
// Rule (Publish, PublishBatch): an empty subject is refused.
// Source: recorded
// Test: tests/recorded/sns.jsonl#sns-publish-empty-subject
// Rule (Publish, PublishBatch): a subject has at most 100 characters, no line breaks and no control characters.
// Source: documented, https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
// Test: tests/scenarios/publishing.txt#Refusals
// Rule (Publish, PublishBatch): a refused subject is InvalidParameter, "Invalid parameter: Subject".
// Source: reported, wellcomecollection/platform#1107
// Test: tests/scenarios/publishing.txt#Refusals
pub fn check_subject(subject: Option<&str>) -> Result<(), Refusal> {
    let fits = subject.is_none_or(|subject| {
        SUBJECT_LENGTH.contains(&subject.chars().count()) && !subject.chars().any(char::is_control)
    });
    if fits { Ok(()) } else { Err(Refusal::invalid_parameter("Subject")) }
}

/// Checks a group and a deduplication id against the type of the topic.
// Rule (Publish, PublishBatch): a standard topic refuses a MessageDeduplicationId and takes a MessageGroupId.
// Source: documented, https://docs.aws.amazon.com/sns/latest/api/API_Publish.html, in words that are inferred
// Test: tests/scenarios/publishing.txt#Refusals
pub fn check_for_topic(topic: &TopicAttributes, message: &Published) -> Result<(), Refusal> {
    if !topic.is_fifo() {
        return match message.deduplication_id {
            None => Ok(()),
            Some(_) => Err(Refusal::invalid_parameter_because(
                "MessageDeduplicationId",
                "The request includes MessageDeduplicationId parameter that is not valid for this \
                 topic type",
            )),
        };
    }
    check_group(message)?;
    check_deduplication_id(topic, message)
}

/// Refuses a message without a message group, for a FIFO topic.
// Rule (Publish, PublishBatch): a FIFO topic requires a MessageGroupId.
// Source: recorded
// Test: tests/recorded/sns.jsonl#sns-batch-fifo-no-group-id, tests/scenarios/fifo_topics.txt#Content-based deduplication covers the message alone
pub fn check_group(message: &Published) -> Result<(), Refusal> {
    match message.group {
        Some(_) => Ok(()),
        None => Err(Refusal::invalid_parameter(
            "The MessageGroupId parameter is required for FIFO topics",
        )),
    }
}

/// Refuses a message of which a FIFO topic cannot recognise duplicates.
// Rule (Publish, PublishBatch): a FIFO topic without content-based deduplication requires a MessageDeduplicationId.
// Source: recorded
// Test: tests/recorded/sns.jsonl#sns-batch-fifo-no-dedup-id
pub fn check_deduplication_id(topic: &TopicAttributes, message: &Published) -> Result<(), Refusal> {
    if message.deduplication_id.is_some() || topic.content_based_deduplication() {
        return Ok(());
    }
    Err(Refusal::invalid_parameter(
        "The topic should either have ContentBasedDeduplication enabled or \
         MessageDeduplicationId provided explicitly",
    ))
}

/// Checks the form of the ids of a message: 1 to 128 letters, digits and punctuation characters.
pub fn check_ids(group: Option<&str>, deduplication_id: Option<&str>) -> Result<(), Refusal> {
    let ids = [("MessageGroupId", group), ("MessageDeduplicationId", deduplication_id)];
    for (parameter, id) in ids {
        let fits = id.is_none_or(|id| fifo::check_message_group_id(id).is_ok());
        if !fits {
            return Err(Refusal::invalid_parameter_because(
                parameter,
                format_args!(
                    "{parameter} can only include alphanumeric and punctuation characters. 1 to \
                     128 in length."
                ),
            ));
        }
    }
    Ok(())
}

/// Checks the size of a message in bytes; the maximum itself is allowed.
// Rule (Publish): the body, and the names, types and values of the attributes together have at most 262,144 bytes.
// Source: recorded
// Test: tests/recorded/sns.jsonl#sns-publish-too-long, tests/recorded/sns.jsonl#sns-publish-too-long-with-attributes, tests/recorded/sns.jsonl#sns-publish-exactly-262144-with-attributes
pub fn check_size(bytes: usize, maximum: usize) -> Result<(), Refusal> {
    if bytes <= maximum { Ok(()) } else { Err(Refusal::invalid_parameter("Message too long")) }
}

/// Returned for a batch whose messages are too long together.
// Rule (PublishBatch): the messages of a batch together have at most the bytes of one message.
// Source: recorded
// Test: tests/scenarios/publishing.txt#Sizes count the body and the attributes
pub fn batch_too_long() -> Refusal {
    Refusal::new(
        Kind::BatchRequestTooLong,
        "The length of all the messages put together is more than the limit.",
    )
}

/// Checks the entries of a PublishBatch as a whole: how many, and their Ids.
// Rule (PublishBatch): a batch has one to ten entries; the number is checked first, then whether the Ids are distinct.
// Source: recorded
// Test: tests/recorded/sns.jsonl#sns-batch-11-entries, tests/recorded/sns.jsonl#sns-batch-same-id
// Rule (PublishBatch): an Id has at most 80 letters, digits, hyphens and underscores; a refusal quotes it.
// Source: recorded
// Test: tests/recorded/sns-topics.jsonl#sns-batch-id-too-long, tests/recorded/sns-topics.jsonl#sns-batch-id-with-a-bad-character
pub fn check_batch(ids: &[Option<String>]) -> Result<(), Refusal> {
    let refuse = |kind, message: &'static str| Err(Refusal::new(kind, message));
    if ids.is_empty() {
        return refuse(Kind::EmptyBatchRequest, "The batch request doesn't contain any entries.");
    }
    if ids.len() > BATCH_ENTRIES {
        return refuse(
            Kind::TooManyEntriesInBatchRequest,
            "The batch request contains more entries than permissible.",
        );
    }
    let mut seen = HashSet::new();
    if !ids.iter().all(|id| seen.insert(id)) {
        return refuse(
            Kind::BatchEntryIdsNotDistinct,
            "Two or more batch entries in the request have the same Id.",
        );
    }
    ids.iter().flatten().try_for_each(|id| check_entry_id(id))
}

fn check_entry_id(id: &str) -> Result<(), Refusal> {
    let fault = if id.chars().count() > *BATCH_ENTRY_ID_LENGTH.end() {
        "is too long"
    } else if id.is_empty() || !id.bytes().all(is_name_byte) {
        "contains an impermissible character"
    } else {
        return Ok(());
    };
    Err(Refusal::new(
        Kind::InvalidBatchEntryId,
        format!("The Id of a batch entry in the batch request {fault}: {id}"),
    ))
}

/// Checks MessageAttributes.
///
/// Refused with ParameterValueInvalid. Unlike SQS, SNS has no limit of ten. A String.Array that is no
/// JSON array is accepted; no filter matches it.
// Rule (Publish, PublishBatch): a malformed attribute is ParameterValueInvalid.
// Source: documented, service model InvalidParameterValueException, in words that are partly inferred
// Test: src/domain/sns_message.rs::refusals_of_attributes_name_what_is_wrong
pub fn check_attributes(
    given: impl IntoIterator<Item = (String, Given)>,
) -> Result<MessageAttributes, Refusal> {
    given
        .into_iter()
        .map(|(name, given)| {
            NAMES.check(&name).map_err(invalid_value)?;
            let attribute = typed(&name, given)?;
            Ok((name, attribute))
        })
        .collect()
}

fn invalid_value(message: String) -> Refusal {
    Refusal::new(Kind::ParameterValueInvalid, message)
}

// Rule (Publish, PublishBatch): the name of an attribute has letters, digits, hyphens, underscores and dots; the refusal
//   has the first other character in hexadecimal.
// Source: reported, falcosecurity/falcosidekick#419
// Test: src/domain/sns_message.rs::refusals_of_attributes_name_what_is_wrong, tests/scenarios/publishing.txt#Refusals
const NAMES: NameRules = NameRules {
    // What SNS reads for phones and devices. Other names that begin with `AWS.` are reserved, as in SQS.
    own: &["AWS.SNS.SMS.", "AWS.MM.SMS.", "AWS.SNS.MOBILE."],
    is_letter_or_digit: |character| character.is_ascii_alphanumeric(),
    too_long: "Length of message attribute name must be less than 256 bytes.",
    starts_with_dot: "Invalid message attribute name starting with character '.' was found.",
    ends_with_dot: "Invalid message attribute name ending with character '.' was found.",
    has_two_dots: "Message attribute name can not have successive '.' character.",
};

// Rule (Publish, PublishBatch): a data type is String, Number or Binary, alone or followed by a dot and something else.
// Source: recorded
// Test: tests/recorded/sns-topics.jsonl#sns-attribute-type-ends-with-its-dot, tests/scenarios/publishing.txt#Refusals
fn typed(name: &str, given: Given) -> Result<MessageAttribute, Refusal> {
    let data_type = given.data_type.filter(|data_type| !data_type.is_empty()).ok_or_else(|| {
        invalid_value(format!(
            "The message attribute '{name}' must contain non-empty message attribute type."
        ))
    })?;
    // A custom type has something after its dot.
    let base = BaseType::of(&data_type)
        .filter(|_| data_type.split_once('.').is_none_or(|(_, custom)| !custom.is_empty()));
    let Some(base) = base else {
        return Err(invalid_value(format!(
            "The message attribute '{name}' has an invalid message attribute type, the set of \
             supported type prefixes is Binary, Number, and String."
        )));
    };
    let (field, other_is_there) = match base {
        BaseType::Binary => ("Binary", given.string_value.is_some()),
        BaseType::String | BaseType::Number => ("String", given.binary_value.is_some()),
    };
    match base.value(given.string_value, given.binary_value) {
        Some(AttributeValue::Text(text)) if base == BaseType::Number && !is_number(text.trim()) => {
            Err(invalid_value(format!(
                "Could not cast message attribute '{name}' value to number."
            )))
        }
        Some(value) => Ok(MessageAttribute { data_type, value }),
        None if other_is_there => Err(invalid_value(format!(
            "The message attribute '{name}' with type '{data_type}' must use field '{field}'."
        ))),
        None => Err(invalid_value(format!(
            "The message attribute '{name}' must contain non-empty message attribute value for \
             message attribute type '{data_type}'."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Given {
        Given {
            data_type: Some("String".to_owned()),
            string_value: Some(value.to_owned()),
            ..Given::default()
        }
    }

    #[test]
    fn attributes_that_sns_reads_itself_are_the_only_ones_with_a_reserved_name() {
        let check = |name: &str| check_attributes([(name.to_owned(), text("x"))]);
        for name in [
            "AWS.SNS.SMS.SenderID",
            "AWS.SNS.SMS.SMSType",
            "AWS.MM.SMS.OriginationNumber",
            "AWS.SNS.MOBILE.APNS.PUSH_TYPE",
            "AWSOME",
        ] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["AWS.x", "aws.sns.sms.SenderID", "Amazon.x", "AWS.SNS.SMS.", "AWS.SNS.SMS.a b"]
        {
            assert_eq!(check(name).unwrap_err().kind, Kind::ParameterValueInvalid, "{name}");
        }
    }
    #[test]
    fn refusals_of_attributes_name_what_is_wrong() {
        let check = |name: &str, data_type: &str, text: Option<&str>, bytes: Option<&[u8]>| {
            let given = Given {
                data_type: Some(data_type.to_owned()),
                string_value: text.map(str::to_owned),
                binary_value: bytes.map(<[u8]>::to_vec),
            };
            check_attributes([(name.to_owned(), given)]).map_err(|refusal| refusal.message)
        };
        for (name, message) in [
            ("", "The request must contain non-empty message attribute name."),
            (".a", "Invalid message attribute name starting with character '.' was found."),
            ("a.", "Invalid message attribute name ending with character '.' was found."),
            ("a..b", "Message attribute name can not have successive '.' character."),
            (
                "a b",
                "Invalid non-alphanumeric character '#x20' was found in the message attribute \
                 name. Can only include alphanumeric characters, hyphens, underscores, or dots.",
            ),
            (&"a".repeat(257), "Length of message attribute name must be less than 256 bytes."),
        ] {
            assert_eq!(check(name, "String", Some("x"), None).unwrap_err(), message, "{name}");
        }
        let (must_use, empty) =
            ("' must use field '", "' must contain non-empty message attribute value");
        for (data_type, text, bytes, part) in [
            ("String", None, Some(&b"x"[..]), must_use),
            ("Number.int", None, Some(&b"1"[..]), must_use),
            ("Binary", Some("x"), None, must_use),
            ("String", Some(""), None, empty),
            ("String", None, None, empty),
            ("Binary", None, Some(&b""[..]), empty),
            ("Number", Some("nan"), None, "Could not cast"),
            ("Number", Some("1,5"), None, "Could not cast"),
            ("string", Some("x"), None, "has an invalid message attribute type"),
        ] {
            let message = check("a", data_type, text, bytes).unwrap_err();
            assert!(message.contains(part), "{data_type} {text:?} {bytes:?}: {message}");
        }
        assert_eq!(
            check("a", "String.Array", None, Some(b"x")).unwrap_err(),
            "The message attribute 'a' with type 'String.Array' must use field 'String'."
        );
        for number in ["1", "-1.5e3", " 7"] {
            assert!(check("a", "Number", Some(number), None).is_ok(), "{number}");
        }
    }
}
