//! FIFO queues: IDs of groups, of deduplication and of receive attempts, and sequence numbers.

use super::Refusal;
use super::digest::sha256_hex;
use super::limits::FIFO_ID_LENGTH;
use sha2::{Digest, Sha256};

/// Checks a MessageGroupId: 1 to 128 ASCII letters, digits and punctuation characters.
pub fn check_message_group_id(id: &str) -> Result<(), Refusal> {
    check_id("MessageGroupId", id)
}

/// Checks a MessageDeduplicationId: 1 to 128 ASCII letters, digits and punctuation characters.
pub fn check_message_deduplication_id(id: &str) -> Result<(), Refusal> {
    check_id("MessageDeduplicationId", id)
}

/// Checks a ReceiveRequestAttemptId: 1 to 128 ASCII letters, digits and punctuation characters.
pub fn check_receive_request_attempt_id(id: &str) -> Result<(), Refusal> {
    check_id("ReceiveRequestAttemptId", id)
}

// Rule (SendMessage): a parameter of the other queue type is InvalidParameterValue, "Value 1 for parameter
//   MessageDeduplicationId is invalid. Reason: The request include parameter that is not valid for this queue type."
// Source: reported, github-aws-runners/terraform-aws-github-runner#1562
// Test: tests/scenarios/attributes_of_messages.txt#What is refused.

/// Rejects a parameter of the other queue type.
pub fn not_for_this_type(value: impl std::fmt::Display, parameter: &str) -> Refusal {
    let reason = format!("{NOT_FOR_THIS_TYPE}.");
    Refusal::invalid_value(value, parameter, &reason)
}

/// Returns the same error for an entry of a batch, in which AWS does not name the parameter.
pub fn not_for_this_type_in_batch() -> Refusal {
    Refusal::invalid(NOT_FOR_THIS_TYPE)
}

const NOT_FOR_THIS_TYPE: &str =
    "The request include parameter that is not valid for this queue type";

fn check_id(parameter: &str, id: &str) -> Result<(), Refusal> {
    if FIFO_ID_LENGTH.contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let reason = format!(
        "{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length."
    );
    Err(Refusal::invalid_value(id, parameter, &reason))
}

// Rule (SendMessage, SendMessageBatch): an explicit MessageDeduplicationId overrides the content; with
//   ContentBasedDeduplication the default is the SHA-256 of the body alone.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
// Test: tests/scenarios/fifo_deduplication.txt#By content

/// Returns the deduplication ID of a message for a FIFO queue: the explicit one, else, with
/// ContentBasedDeduplication, the SHA-256 of the body.
pub fn deduplication_id(
    explicit: Option<&str>,
    content_based: bool,
    body: &str,
) -> Result<String, Refusal> {
    match explicit {
        Some(id) => check_message_deduplication_id(id).map(|()| id.to_owned()),
        None if content_based => Ok(sha256_hex(body.as_bytes())),
        None => Err(no_deduplication_id()),
    }
}

/// Returns the error for a message to a FIFO queue without a deduplication ID.
pub fn no_deduplication_id() -> Refusal {
    Refusal::invalid(
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId \
         provided explicitly",
    )
}

// Rule (SendMessage, SendMessageBatch): with the scope `queue` a repeated ID in another message group is a
//   duplicate, with the scope `messageGroup` it is not.
// Source: recorded
// Test: tests/recorded/sqs.jsonl#sqs-fifo-dedup-ignores-group-id, tests/recorded/sqs.jsonl#sqs-fifo-message-group-dedup-scope

/// Returns the key of a deduplication ID within its scope: within a message group, or within the queue if
/// there is none.
pub fn deduplication_digest(group: Option<&str>, id: &str) -> [u8; 16] {
    let mut hash = Sha256::new();
    if let Some(group) = group {
        hash.update(group);
        hash.update([0]);
    }
    hash.update(id);
    let mut digest = [0; 16];
    digest.copy_from_slice(&hash.finalize()[..16]);
    digest
}

/// Returns the SequenceNumber of the n-th message: 20 digits that grow with n and are not consecutive, in
/// the range of AWS's own numbers. A negative n counts as 0.
pub fn sequence_number(n: i64) -> String {
    const FIRST: u128 = 18_849_496_460_467_696_128;
    const STEP: u128 = 256;
    let n = u128::try_from(n).unwrap_or(0);
    format!("{:020}", FIRST + n * STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_letters_digits_and_punctuation() {
        let punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
        for id in [punctuation, "aZ9", &"a".repeat(128)] {
            assert_eq!(check_message_deduplication_id(id), Ok(()));
        }
        for id in ["", "group 123", "ü", "a\n", "\u{7F}", &"a".repeat(129)] {
            let text = |parameter: &str| {
                format!(
                    "Value {id} for parameter {parameter} is invalid. Reason: {parameter} can only \
                     include alphanumeric and punctuation characters. 1 to 128 in length."
                )
            };
            for (refused, parameter) in [
                (check_message_deduplication_id(id), "MessageDeduplicationId"),
                (check_message_group_id(id), "MessageGroupId"),
                (check_receive_request_attempt_id(id), "ReceiveRequestAttemptId"),
            ] {
                assert_eq!(refused.unwrap_err().message, text(parameter));
            }
        }
    }

    #[test]
    fn an_explicit_id_beats_the_content() {
        assert_eq!(deduplication_id(Some("d"), true, "body").as_deref(), Ok("d"));
        assert_eq!(
            deduplication_id(None, true, "message").as_deref(),
            Ok("ab530a13e45914982b79f9b7e3fba994cfd1f3fb22f71cea1afbf02b460c6d1d")
        );
        assert_eq!(
            deduplication_id(None, false, "body").unwrap_err().message,
            "The queue should either have ContentBasedDeduplication enabled or \
             MessageDeduplicationId provided explicitly"
        );
        assert!(deduplication_id(Some(""), true, "body").is_err());
    }

    #[test]
    fn sequence_numbers_grow_as_text() {
        assert_eq!(sequence_number(0), "18849496460467696128");
        assert_eq!(sequence_number(1), "18849496460467696384");
        assert_eq!(sequence_number(1 << 50).len(), 20);
        assert_eq!(sequence_number(-1), sequence_number(0));
        assert!(!sequence_number(i64::MAX).is_empty());
    }
}
