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

/// Returns the row of a kind of refusal by a service. Services have different names for some kinds.
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
        // SQS and SNS reject batches with the same errors, but only the codes of SQS contain the service.
        _ => Row { query_code: without_prefix(row), ..row },
    }
}

fn without_prefix(row: Row) -> &'static str {
    row.query_code.strip_prefix(LEGACY_PREFIX).unwrap_or(row.query_code)
}

/// Makes the match of [`common_row`] of lines `Kind status;`. Where an error has other names than those that its
/// family makes of the kind, `= "JSON", "Query"` follows.
macro_rules! rows {
    ($kind:ident: $($family:ident {
        $($variant:ident $status:literal $(= $json:literal, $query:literal)?;)*
    })*) => {
        match $kind {
            $($(Kind::$variant => rows!(@ $family $variant $status $($json, $query)?),)*)*
        }
    };
    (@ legacy $name:ident $status:literal) => {
        sqs(stringify!($name), concat!("AWS.SimpleQueueService.", stringify!($name)), $status)
    };
    (@ sqs $name:ident $status:literal) => {
        sqs(stringify!($name), stringify!($name), $status)
    };
    (@ $family:ident $name:ident $status:literal) => {
        $family(concat!(stringify!($name), "Exception"), stringify!($name), $status)
    };
    (@ $family:ident $name:ident $status:literal $json:literal, $query:literal) => {
        $family($json, $query, $status)
    };
}

const fn common_row(kind: Kind) -> Row {
    rows! { kind:
        legacy {
            QueueDeletedRecently 400;
            PurgeQueueInProgress 403;
            MessageNotInflight 400;
            EmptyBatchRequest 400;
            TooManyEntriesInBatchRequest 400;
            BatchEntryIdsNotDistinct 400;
            BatchRequestTooLong 400;
            InvalidBatchEntryId 400;
            UnsupportedOperation 400;
        }
        sqs {
            QueueDoesNotExist 400 = "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue";
            QueueNameExists 400 = "QueueNameExists", "QueueAlreadyExists";
            ReceiptHandleIsInvalid 404;
            OverLimit 403;
            InvalidAttributeName 400;
            InvalidAttributeValue 400;
            InvalidMessageContents 400;
            InvalidIdFormat 400;
            ResourceNotFound 404 = "ResourceNotFoundException", "ResourceNotFoundException";
            InvalidAddress 404;
            InvalidSecurity 403;
            RequestThrottled 403;
        }
        sns {
            InvalidParameter 400;
            ParameterValueInvalid 400 = "InvalidParameterValueException", "ParameterValueInvalid";
            NotFound 404;
            EndpointDisabled 400;
            PlatformApplicationDisabled 400;
            InvalidState 400;
            UserError 400;
            OptedOut 400;
            VerificationFailed 400 = "VerificationException", "VerificationException";
            TagLimitExceeded 400;
            FilterPolicyLimitExceeded 403;
            SubscriptionLimitExceeded 403;
            TopicLimitExceeded 403;
            ReplayLimitExceeded 403;
        }
        coral {
            ValidationError 400 = "ValidationException", "ValidationError";
            InvalidParameterValue 400;
            MissingParameter 400 = "MissingRequiredParameterException", "MissingParameter";
            AccessDenied 403;
            InvalidAction 400 = "UnknownOperationException", "InvalidAction";
            MissingAction 400 = "UnknownOperationException", "MissingAction";
            // AWS has no such error. The developer endpoints return it, as those of LocalStack do.
            InvalidRequest 400 = "InvalidRequest", "InvalidRequest";
            MalformedInput 400 = "SerializationException", "MalformedInput";
            // Only AWS JSON has this error.
            Serialization 400 = "SerializationException", "SerializationException";
            MalformedQueryString 404 = "SerializationException", "MalformedQueryString";
            RequestTooLarge 413 = "RequestEntityTooLargeException", "RequestEntityTooLarge";
            ServiceUnavailable 503;
            InternalFailure 500 = "InternalFailure", "InternalFailure";
            MissingAuthenticationToken 403;
            InvalidClientTokenId 403 = "UnrecognizedClientException", "InvalidClientTokenId";
            MalformedPolicyDocument 400;
            ExpiredToken 403;
            SignatureDoesNotMatch 403 = "InvalidSignatureException", "SignatureDoesNotMatch";
            IncompleteSignature 400;
        }
    }
}

/// Returns the message for the caller. For a missing queue it differs between the protocols, as at AWS.
pub fn message(refusal: &Refusal, protocol: Protocol) -> Cow<'static, str> {
    match (refusal.kind, protocol) {
        (Kind::QueueDoesNotExist, Protocol::Query) => {
            "The specified queue does not exist for this wsdl version.".into()
        }
        _ => refusal.message.clone(),
    }
}

/// Returns the row of a service's error with this name in either protocol. The prefix of SQS and the suffix
/// `Exception` may be left out.
pub fn row_named(service: Service, code: &str) -> Option<Row> {
    Kind::ALL.iter().map(|kind| row(service, *kind)).find(|row| {
        row.query_code.strip_prefix(LEGACY_PREFIX).unwrap_or(row.query_code) == code
            || row.query_code == code
            || row.json_type.strip_suffix("Exception").unwrap_or(row.json_type) == code
            || row.json_type == code
    })
}

/// Returns every code with which a request may fail, for metrics.
pub fn query_codes() -> Vec<&'static str> {
    let codes = Service::ALL
        .iter()
        .copied()
        .flat_map(|service| Kind::ALL.iter().map(move |kind| row(service, *kind).query_code));
    codes.collect::<BTreeSet<_>>().into_iter().collect()
}
