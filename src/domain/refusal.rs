//! Why a call is refused, in AWS's vocabulary and without HTTP.
//!
//! A [`Refusal`] is a kind, which names a row of the table in `api::error`, and the sentence that
//! the caller reads. What went wrong inside Squab travels as [`Kind::InternalFailure`], with the
//! cause beside it for the log only.

use std::borrow::Cow;
use std::fmt;

/// The errors that SQS, SNS and STS document, and those of the framework in front of them. `api::error`
/// turns each into its names in both protocols, its status and its fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum Kind {
    // Modelled by SQS
    QueueDoesNotExist,
    QueueNameExists,
    QueueDeletedRecently,
    PurgeQueueInProgress,
    MessageNotInflight,
    ReceiptHandleIsInvalid,
    EmptyBatchRequest,
    TooManyEntriesInBatchRequest,
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    InvalidBatchEntryId,
    UnsupportedOperation,
    OverLimit,
    InvalidAttributeName,
    InvalidAttributeValue,
    InvalidMessageContents,
    InvalidIdFormat,
    ResourceNotFound,
    InvalidAddress,
    InvalidSecurity,
    RequestThrottled,
    // Modelled by SNS
    InvalidParameter,
    ParameterValueInvalid,
    NotFound,
    EndpointDisabled,
    PlatformApplicationDisabled,
    InvalidState,
    UserError,
    OptedOut,
    VerificationFailed,
    TagLimitExceeded,
    FilterPolicyLimitExceeded,
    SubscriptionLimitExceeded,
    TopicLimitExceeded,
    ReplayLimitExceeded,
    // Modelled by STS
    MalformedPolicyDocument,
    // Of the framework
    ValidationError,
    InvalidParameterValue,
    MissingParameter,
    AccessDenied,
    InvalidAction,
    MissingAction,
    InvalidRequest,
    MalformedInput,
    MalformedQueryString,
    Serialization,
    RequestTooLarge,
    ServiceUnavailable,
    InternalFailure,
    // Of signatures
    MissingAuthenticationToken,
    InvalidClientTokenId,
    ExpiredToken,
    SignatureDoesNotMatch,
    IncompleteSignature,
}

impl Kind {
    /// All kinds.
    pub const ALL: &'static [Self] = &[
        Self::QueueDoesNotExist,
        Self::QueueNameExists,
        Self::QueueDeletedRecently,
        Self::PurgeQueueInProgress,
        Self::MessageNotInflight,
        Self::ReceiptHandleIsInvalid,
        Self::EmptyBatchRequest,
        Self::TooManyEntriesInBatchRequest,
        Self::BatchEntryIdsNotDistinct,
        Self::BatchRequestTooLong,
        Self::InvalidBatchEntryId,
        Self::UnsupportedOperation,
        Self::OverLimit,
        Self::InvalidAttributeName,
        Self::InvalidAttributeValue,
        Self::InvalidMessageContents,
        Self::InvalidIdFormat,
        Self::ResourceNotFound,
        Self::InvalidAddress,
        Self::InvalidSecurity,
        Self::RequestThrottled,
        Self::InvalidParameter,
        Self::ParameterValueInvalid,
        Self::NotFound,
        Self::EndpointDisabled,
        Self::PlatformApplicationDisabled,
        Self::InvalidState,
        Self::UserError,
        Self::OptedOut,
        Self::VerificationFailed,
        Self::TagLimitExceeded,
        Self::FilterPolicyLimitExceeded,
        Self::SubscriptionLimitExceeded,
        Self::TopicLimitExceeded,
        Self::ReplayLimitExceeded,
        Self::MalformedPolicyDocument,
        Self::ValidationError,
        Self::InvalidParameterValue,
        Self::MissingParameter,
        Self::AccessDenied,
        Self::InvalidAction,
        Self::MissingAction,
        Self::InvalidRequest,
        Self::MalformedInput,
        Self::MalformedQueryString,
        Self::Serialization,
        Self::RequestTooLarge,
        Self::ServiceUnavailable,
        Self::InternalFailure,
        Self::MissingAuthenticationToken,
        Self::InvalidClientTokenId,
        Self::ExpiredToken,
        Self::SignatureDoesNotMatch,
        Self::IncompleteSignature,
    ];
}

/// A call that is not carried out: its kind and the sentence for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The row of the error table.
    pub kind: Kind,
    /// What the caller reads.
    pub message: Cow<'static, str>,
    /// What only the log reads.
    pub internal: Option<String>,
}

impl Refusal {
    /// Bytes of a sentence. It may quote the request, whose size must not become the answer's; what
    /// is longer is cut.
    pub const LONGEST: usize = 2_560;

    /// A refusal of this kind with this sentence.
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        let mut message = message.into();
        if message.len() > Self::LONGEST {
            let cut = message.floor_char_boundary(Self::LONGEST);
            message = format!("{}…", &message[..cut]).into();
        }
        Self { kind, message, internal: None }
    }

    /// "The request must contain the parameter X."
    pub fn missing(parameter: &str) -> Self {
        Self::new(
            Kind::MissingParameter,
            format!("The request must contain the parameter {parameter}."),
        )
    }

    /// InvalidParameterValue with a sentence of its own.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::InvalidParameterValue, message)
    }

    /// "Value V for parameter P is invalid. Reason: R", the usual form of InvalidParameterValue.
    pub fn invalid_value(value: impl fmt::Display, parameter: &str, reason: &str) -> Self {
        Self::invalid(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: {reason}"
        ))
    }

    /// "Invalid parameter: T", the usual refusal of SNS.
    pub fn invalid_parameter(text: impl fmt::Display) -> Self {
        Self::new(Kind::InvalidParameter, format!("Invalid parameter: {text}"))
    }

    /// "Invalid parameter: P Reason: R", its longer form.
    pub fn invalid_parameter_because(parameter: &str, reason: impl fmt::Display) -> Self {
        Self::invalid_parameter(format_args!("{parameter} Reason: {reason}"))
    }

    /// What SNS says of a topic, a subscription or an endpoint that is not there.
    pub fn not_found(thing: &str) -> Self {
        Self::new(Kind::NotFound, format!("{thing} does not exist"))
    }

    /// A queue that is not there. The table of errors has the sentence, which differs by protocol.
    pub fn no_such_queue() -> Self {
        Self::new(Kind::QueueDoesNotExist, "The specified queue does not exist.")
    }

    /// Returns the refusal of a call that fails for a reason of the server's own: the cause is for the
    /// log only.
    pub fn caused_by(kind: Kind, message: &'static str, cause: impl fmt::Display) -> Self {
        Self { internal: Some(cause.to_string()), ..Self::new(kind, message) }
    }

    /// Returns the refusal of a call that fails for a bug, with the cause for the log.
    pub fn internal(cause: impl fmt::Display) -> Self {
        let message = "We encountered an internal error. Please try again.";
        Self::caused_by(Kind::InternalFailure, message, cause)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)
    }
}

impl std::error::Error for Refusal {}
