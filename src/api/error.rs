//! THE table of errors: what each kind of refusal is called in both protocols, its status, its
//! fault.
//!
//! Sources: the service models of SQS (API version 2012-11-05), SNS (2010-03-31) and STS
//! (2011-06-15), the common errors of the API references, and answers recorded from AWS.

use super::operations::Service;
use crate::domain::{Kind, Refusal};
use crate::wire::Protocol;
use std::borrow::Cow;
use std::collections::BTreeSet;

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
const SNS: &str = "com.amazonaws.sns";
/// What the codes of SQS begin with in AWS Query.
const LEGACY_PREFIX: &str = "AWS.SimpleQueueService.";
const CORAL: &str = "com.amazon.coral.service";

const fn sqs(json_type: &'static str, query_code: &'static str, status: u16) -> Row {
    Row { json_type, namespace: SQS, query_code, status, sender: true }
}

const fn coral(json_type: &'static str, query_code: &'static str, status: u16) -> Row {
    Row { json_type, namespace: CORAL, query_code, status, sender: status < 500 }
}

const fn sns(json_type: &'static str, query_code: &'static str, status: u16) -> Row {
    Row { json_type, namespace: SNS, query_code, status, sender: true }
}

/// The row of a kind of refusal by a service: they call some of the same things differently.
pub fn row(service: Service, kind: Kind) -> Row {
    let row = common_row(kind);
    match service {
        Service::Sqs => row,
        Service::Sns => sns_row(kind, row),
        Service::Sts => Row { query_code: without_prefix(row), ..row },
    }
}

fn sns_row(kind: Kind, row: Row) -> Row {
    match kind {
        Kind::ResourceNotFound => sns("ResourceNotFoundException", "ResourceNotFound", 404),
        Kind::AccessDenied => sns("AuthorizationErrorException", "AuthorizationError", 403),
        Kind::RequestThrottled => sns("ThrottledException", "Throttled", 429),
        Kind::InternalFailure => {
            Row { sender: false, ..sns("InternalErrorException", "InternalError", 500) }
        }
        // Batches are refused alike, but only SQS has its name in the codes.
        _ => Row { query_code: without_prefix(row), ..row },
    }
}

fn without_prefix(row: Row) -> &'static str {
    row.query_code.strip_prefix(LEGACY_PREFIX).unwrap_or(row.query_code)
}

const fn common_row(kind: Kind) -> Row {
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
        Kind::InvalidParameter => sns("InvalidParameterException", "InvalidParameter", 400),
        Kind::ParameterValueInvalid => {
            sns("InvalidParameterValueException", "ParameterValueInvalid", 400)
        }
        Kind::NotFound => sns("NotFoundException", "NotFound", 404),
        Kind::EndpointDisabled => sns("EndpointDisabledException", "EndpointDisabled", 400),
        Kind::PlatformApplicationDisabled => {
            sns("PlatformApplicationDisabledException", "PlatformApplicationDisabled", 400)
        }
        Kind::InvalidState => sns("InvalidStateException", "InvalidState", 400),
        Kind::UserError => sns("UserErrorException", "UserError", 400),
        Kind::OptedOut => sns("OptedOutException", "OptedOut", 400),
        Kind::VerificationFailed => sns("VerificationException", "VerificationException", 400),
        Kind::TagLimitExceeded => sns("TagLimitExceededException", "TagLimitExceeded", 400),
        Kind::FilterPolicyLimitExceeded => {
            sns("FilterPolicyLimitExceededException", "FilterPolicyLimitExceeded", 403)
        }
        Kind::SubscriptionLimitExceeded => {
            sns("SubscriptionLimitExceededException", "SubscriptionLimitExceeded", 403)
        }
        Kind::TopicLimitExceeded => sns("TopicLimitExceededException", "TopicLimitExceeded", 403),
        Kind::ReplayLimitExceeded => {
            sns("ReplayLimitExceededException", "ReplayLimitExceeded", 403)
        }
        Kind::ValidationError => coral("ValidationException", "ValidationError", 400),
        Kind::InvalidParameterValue => {
            coral("InvalidParameterValueException", "InvalidParameterValue", 400)
        }
        Kind::MissingParameter => {
            coral("MissingRequiredParameterException", "MissingParameter", 400)
        }
        Kind::AccessDenied => coral("AccessDeniedException", "AccessDenied", 403),
        Kind::InvalidAction => coral("UnknownOperationException", "InvalidAction", 400),
        Kind::MissingAction => coral("UnknownOperationException", "MissingAction", 400),
        // AWS has no such error: the developer endpoints answer as those of LocalStack.
        Kind::InvalidRequest => coral("InvalidRequest", "InvalidRequest", 400),
        Kind::MalformedInput => coral("SerializationException", "MalformedInput", 400),
        // AWS JSON has it, of which AWS Query knows nothing.
        Kind::Serialization => coral("SerializationException", "SerializationException", 400),
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
        Kind::MalformedPolicyDocument => {
            coral("MalformedPolicyDocumentException", "MalformedPolicyDocument", 400)
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

/// The row of a service's error that is called so in either protocol, with or without what such
/// names begin or end with.
pub fn row_named(service: Service, code: &str) -> Option<Row> {
    Kind::ALL.iter().map(|kind| row(service, *kind)).find(|row| {
        row.query_code.strip_prefix(LEGACY_PREFIX).unwrap_or(row.query_code) == code
            || row.query_code == code
            || row.json_type.strip_suffix("Exception").unwrap_or(row.json_type) == code
            || row.json_type == code
    })
}

/// Every code that a request may fail with, for metrics.
pub fn query_codes() -> Vec<&'static str> {
    let codes = Service::ALL
        .into_iter()
        .flat_map(|service| Kind::ALL.iter().map(move |kind| row(service, *kind).query_code));
    codes.collect::<BTreeSet<_>>().into_iter().collect()
}
