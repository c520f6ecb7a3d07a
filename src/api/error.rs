//! THE table of errors: what each kind of refusal is called in both protocols, its status, its
//! fault.
//!
//! Sources: the service model of SQS (API version 2012-11-05), the common errors of the API
//! reference, and answers recorded from AWS.

use crate::domain::{Kind, Refusal};
use crate::wire::Protocol;
use std::borrow::Cow;

/// One row: the names of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What follows `#` in `__type` of a JSON answer; typed exceptions are found by it.
    pub json_type: &'static str,
    /// What precedes `#` in `__type`.
    pub namespace: &'static str,
    /// `<Code>` in XML and the first half of the `x-amzn-query-error` header.
    pub query_code: &'static str,
    /// HTTP status, the same in both protocols.
    pub status: u16,
    /// Whether the caller is to blame.
    pub sender: bool,
}

const SQS: &str = "com.amazonaws.sqs";
const CORAL: &str = "com.amazon.coral.service";

const fn sqs(json_type: &'static str, query_code: &'static str, status: u16) -> Row {
    Row { json_type, namespace: SQS, query_code, status, sender: true }
}

const fn coral(json_type: &'static str, query_code: &'static str, status: u16) -> Row {
    Row { json_type, namespace: CORAL, query_code, status, sender: status < 500 }
}

/// The row of a kind of refusal.
pub const fn row(kind: Kind) -> Row {
    match kind {
        Kind::QueueDoesNotExist => {
            sqs("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400)
        }
        Kind::QueueNameExists => sqs("QueueNameExists", "QueueAlreadyExists", 400),
        Kind::QueueDeletedRecently => {
            sqs("QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently", 400)
        }
        Kind::PurgeQueueInProgress => {
            sqs("PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress", 403)
        }
        Kind::MessageNotInflight => {
            sqs("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", 400)
        }
        Kind::ReceiptHandleIsInvalid => {
            sqs("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404)
        }
        Kind::EmptyBatchRequest => {
            sqs("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", 400)
        }
        Kind::TooManyEntriesInBatchRequest => sqs(
            "TooManyEntriesInBatchRequest",
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            400,
        ),
        Kind::BatchEntryIdsNotDistinct => {
            sqs("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400)
        }
        Kind::BatchRequestTooLong => {
            sqs("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", 400)
        }
        Kind::InvalidBatchEntryId => {
            sqs("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId", 400)
        }
        Kind::UnsupportedOperation => {
            sqs("UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", 400)
        }
        Kind::OverLimit => sqs("OverLimit", "OverLimit", 403),
        Kind::InvalidAttributeName => sqs("InvalidAttributeName", "InvalidAttributeName", 400),
        Kind::InvalidAttributeValue => sqs("InvalidAttributeValue", "InvalidAttributeValue", 400),
        Kind::InvalidMessageContents => {
            sqs("InvalidMessageContents", "InvalidMessageContents", 400)
        }
        Kind::InvalidIdFormat => sqs("InvalidIdFormat", "InvalidIdFormat", 400),
        Kind::ResourceNotFound => {
            sqs("ResourceNotFoundException", "ResourceNotFoundException", 404)
        }
        Kind::InvalidAddress => sqs("InvalidAddress", "InvalidAddress", 404),
        Kind::InvalidSecurity => sqs("InvalidSecurity", "InvalidSecurity", 403),
        Kind::RequestThrottled => sqs("RequestThrottled", "RequestThrottled", 403),
        Kind::InvalidParameterValue => {
            coral("InvalidParameterValueException", "InvalidParameterValue", 400)
        }
        Kind::MissingParameter => {
            coral("MissingRequiredParameterException", "MissingParameter", 400)
        }
        Kind::AccessDenied => coral("AccessDeniedException", "AccessDenied", 403),
        Kind::InvalidAction => coral("UnknownOperationException", "InvalidAction", 400),
        Kind::MissingAction => coral("UnknownOperationException", "MissingAction", 400),
        Kind::MalformedInput | Kind::Serialization => {
            coral("SerializationException", "MalformedInput", 400)
        }
        Kind::MalformedQueryString => coral("SerializationException", "MalformedQueryString", 404),
        Kind::RequestTooLarge => {
            coral("RequestEntityTooLargeException", "RequestEntityTooLarge", 413)
        }
        Kind::ServiceUnavailable => coral("ServiceUnavailableException", "ServiceUnavailable", 503),
        Kind::InternalFailure => coral("InternalFailure", "InternalFailure", 500),
        Kind::MissingAuthenticationToken => {
            coral("MissingAuthenticationTokenException", "MissingAuthenticationToken", 403)
        }
        Kind::InvalidClientTokenId => {
            coral("UnrecognizedClientException", "InvalidClientTokenId", 403)
        }
        Kind::ExpiredToken => coral("ExpiredTokenException", "ExpiredToken", 403),
        Kind::SignatureDoesNotMatch => {
            coral("InvalidSignatureException", "SignatureDoesNotMatch", 403)
        }
        Kind::IncompleteSignature => {
            coral("IncompleteSignatureException", "IncompleteSignature", 400)
        }
    }
}

/// The sentence that a caller reads. AWS tells of a missing queue in other words in AWS Query.
pub fn message(refusal: &Refusal, protocol: Protocol) -> Cow<'static, str> {
    match (refusal.kind, protocol) {
        (Kind::QueueDoesNotExist, Protocol::Query) => {
            "The specified queue does not exist for this wsdl version.".into()
        }
        _ => refusal.message.clone(),
    }
}

/// Every code that a request may fail with, for metrics.
pub fn query_codes() -> Vec<&'static str> {
    Kind::ALL.iter().map(|kind| row(*kind).query_code).collect()
}
