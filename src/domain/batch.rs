//! The rules that a batch request must meet as a whole, before its entries are processed.

use std::collections::HashSet;

use super::address::is_name_byte;
use super::limits::BATCH_ENTRY_ID_LENGTH;
use super::{Kind, Refusal};

// Rule (SendMessageBatch, DeleteMessageBatch, ChangeMessageVisibilityBatch): a batch has one to ten
//   entries, else it is rejected with EmptyBatchRequest or TooManyEntriesInBatchRequest.
// Source: reported, localstack/localstack#7106
// Test: tests/scenarios/batches.txt#What refuses the whole request.
//
// Rule (SendMessageBatch, DeleteMessageBatch, ChangeMessageVisibilityBatch): the Id of an entry has 1
//   to 80 letters, digits, hyphens and underscores, else the batch is rejected with InvalidBatchEntryId.
// Source: recorded
// Test: tests/scenarios/batches.txt#What refuses the whole request.
//
// Rule (SendMessageBatch, DeleteMessageBatch, ChangeMessageVisibilityBatch): a batch with a repeated Id is
//   rejected with BatchEntryIdsNotDistinct.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
// Test: tests/scenarios/batches.txt#What refuses the whole request.
//
// Rule (SendMessageBatch, DeleteMessageBatch, ChangeMessageVisibilityBatch): a batch without entries is
//   EmptyBatchRequest, "There should be at least one SendMessageBatchRequestEntry in the request."; the type of the
//   entries follows the operation.
// Source: reported, aws/aws-sdk-php#630
// Test: tests/scenarios/batches.txt#What refuses the whole request., src/domain/batch.rs::the_number_of_entries_is_checked_before_their_ids
//
// Rule (SendMessageBatch, DeleteMessageBatch, ChangeMessageVisibilityBatch): the error for a repeated Id is
//   BatchEntryIdsNotDistinct, "Id a repeated."
// Source: reported, elixir-broadway/broadway_sqs#49
// Test: tests/scenarios/batches.txt#What refuses the whole request.
//
// Rule (SendMessageBatch, DeleteMessageBatch, ChangeMessageVisibilityBatch): an entry without an Id is
//   MissingParameter, "The request must contain the parameter DeleteMessageBatchRequestEntry.1.Id."
// Source: reported, aws/aws-sdk-js#2388
// Test: src/domain/batch.rs::missing_ids_come_before_malformed_ones_and_those_before_repeated_ones
//
/// Checks the number of entries and their Ids: 1 to `most` entries, each with a well-formed, unique Id.
///
/// `entry_type` is AWS's name of the entry type, such as `SendMessageBatchRequestEntry`.
pub fn check_entries<'a>(
    entry_type: &str,
    most: usize,
    ids: impl ExactSizeIterator<Item = Option<&'a str>>,
) -> Result<(), Refusal> {
    let sent = ids.len();
    if sent == 0 {
        return Err(Refusal::new(
            Kind::EmptyBatchRequest,
            format!("There should be at least one {entry_type} in the request."),
        ));
    }
    if sent > most {
        return Err(Refusal::new(
            Kind::TooManyEntriesInBatchRequest,
            format!("Maximum number of entries per request are {most}. You have sent {sent}."),
        ));
    }
    let ids = require_in_entries(entry_type, "Id", ids)?;
    if !ids.iter().all(|id| is_entry_id(id)) {
        return Err(Refusal::new(
            Kind::InvalidBatchEntryId,
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
             It can be at most 80 letters long.",
        ));
    }
    let mut seen = HashSet::with_capacity(sent);
    match ids.into_iter().find(|id| !seen.insert(*id)) {
        None => Ok(()),
        Some(id) => Err(Refusal::new(Kind::BatchEntryIdsNotDistinct, format!("Id {id} repeated."))),
    }
}

/// Returns a required member of an entry. If it is missing, the whole request is rejected, with AWS
/// Query's error text in both protocols.
pub fn require_in_entries<'a>(
    entry_type: &str,
    member: &str,
    values: impl Iterator<Item = Option<&'a str>>,
) -> Result<Vec<&'a str>, Refusal> {
    values
        .zip(1..)
        .map(|(value, number)| {
            value.ok_or_else(|| Refusal::missing(&format!("{entry_type}.{number}.{member}")))
        })
        .collect()
}

// Rule (SendMessageBatch): the total size is limited to 1 MiB, not to the MaximumMessageSize of the queue,
//   which applies to each entry.
// Source: recorded
// Test: tests/scenarios/batches.txt#The sum is limited by itself
//
/// Checks the total bytes of all messages of a SendMessageBatch. The queue's MaximumMessageSize applies to
/// each entry instead.
pub fn check_total(bytes: usize, most: usize) -> Result<(), Refusal> {
    if bytes <= most {
        return Ok(());
    }
    Err(Refusal::new(
        Kind::BatchRequestTooLong,
        format!("Batch requests cannot be longer than {most} bytes. You have sent {bytes} bytes."),
    ))
}

/// Returns whether a text is a valid Id of an entry.
fn is_entry_id(id: &str) -> bool {
    BATCH_ENTRY_ID_LENGTH.contains(&id.len()) && id.bytes().all(is_name_byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ids: &[Option<&str>]) -> Result<(), (Kind, String)> {
        check_entries("DeleteMessageBatchRequestEntry", 10, ids.iter().copied())
            .map_err(|refusal| (refusal.kind, refusal.message.into_owned()))
    }

    #[test]
    fn ten_entries_with_long_ids_are_fine() {
        let ids: Vec<String> = (0..10).map(|n| format!("{}_-{n}", "a".repeat(77))).collect();
        assert_eq!(check(&ids.iter().map(|id| Some(id.as_str())).collect::<Vec<_>>()), Ok(()));
    }

    #[test]
    fn the_number_of_entries_is_checked_before_their_ids() {
        assert_eq!(
            check(&[]),
            Err((
                Kind::EmptyBatchRequest,
                "There should be at least one DeleteMessageBatchRequestEntry in the request."
                    .into()
            ))
        );
        assert_eq!(
            check(&[Some("a:"); 11]),
            Err((
                Kind::TooManyEntriesInBatchRequest,
                "Maximum number of entries per request are 10. You have sent 11.".into()
            ))
        );
    }

    #[test]
    fn missing_ids_come_before_malformed_ones_and_those_before_repeated_ones() {
        let malformed = "A batch entry id can only contain alphanumeric characters, hyphens and \
                         underscores. It can be at most 80 letters long.";
        let long = "testLongId".repeat(10);
        for id in [Some(""), Some("invalid:id"), Some("ä"), Some(long.as_str())] {
            assert_eq!(
                check(&[Some("a"), Some("a"), id]),
                Err((Kind::InvalidBatchEntryId, malformed.into())),
                "{id:?}"
            );
        }
        let missing = "The request must contain the parameter DeleteMessageBatchRequestEntry.2.Id.";
        assert_eq!(
            check(&[Some("invalid:id"), None]),
            Err((Kind::MissingParameter, missing.into()))
        );
        assert_eq!(
            check(&[Some("b"), Some("a"), Some("a"), Some("b")]),
            Err((Kind::BatchEntryIdsNotDistinct, "Id a repeated.".into()))
        );
    }

    #[test]
    fn the_sum_may_reach_the_limit() {
        assert_eq!(check_total(1_048_576, 1_048_576), Ok(()));
        let refusal = check_total(1_048_577, 1_048_576).unwrap_err();
        assert_eq!(refusal.kind, Kind::BatchRequestTooLong);
        assert_eq!(
            refusal.message,
            "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes."
        );
    }
}
