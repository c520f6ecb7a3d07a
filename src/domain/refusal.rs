//! Why a call is rejected, in AWS's terms and without HTTP.
//!
//! A [`Refusal`] consists of a kind, which names a row of the table in `api::error`, and the message that
//! the caller gets. A failure inside Squab is [`Kind::InternalFailure`], with the cause for the log
//! only.

use std::borrow::Cow;
use std::fmt;
use strum::VariantArray;

/// The documented errors of SQS, SNS and STS, and those of AWS's common framework. `api::error` maps each
/// to its code in both protocols, its status and its fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, VariantArray)]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum Kind {
    // From the model of SQS
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
    // From the model of SNS
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
    // From the model of STS
    MalformedPolicyDocument,
    // From the common framework
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
    // From signature verification
    MissingAuthenticationToken,
    InvalidClientTokenId,
    ExpiredToken,
    SignatureDoesNotMatch,
    IncompleteSignature,
}

impl Kind {
    /// All kinds.
    pub const ALL: &'static [Self] = Self::VARIANTS;
}

/// The rejection of a call: its kind and the message for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The row of the error table.
    pub kind: Kind,
    /// The message for the caller.
    pub message: Cow<'static, str>,
    /// The cause, for the log only.
    pub internal: Option<String>,
}

impl Refusal {
    /// Maximum bytes of a message, which may quote the request. Longer messages are truncated, so that a
    /// large request does not cause a large response.
    pub const LONGEST: usize = 2_560;

    /// Returns a refusal of this kind with this message.
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

    /// InvalidParameterValue with this message.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::InvalidParameterValue, message)
    }

    /// "Value V for parameter P is invalid. Reason: R", the usual form of InvalidParameterValue.
    pub fn invalid_value(value: impl fmt::Display, parameter: &str, reason: &str) -> Self {
        Self::invalid(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: {reason}"
        ))
    }

    /// "Invalid parameter: T", the usual error of SNS.
    pub fn invalid_parameter(text: impl fmt::Display) -> Self {
        Self::new(Kind::InvalidParameter, format!("Invalid parameter: {text}"))
    }

    /// "Invalid parameter: P Reason: R", its longer form.
    pub fn invalid_parameter_because(parameter: &str, reason: impl fmt::Display) -> Self {
        Self::invalid_parameter(format_args!("{parameter} Reason: {reason}"))
    }

    /// The error of SNS for a topic, a subscription or an endpoint that does not exist.
    pub fn not_found(thing: &str) -> Self {
        Self::new(Kind::NotFound, format!("{thing} does not exist"))
    }

    /// The error for a queue that does not exist. The table of errors has the text, which differs by protocol.
    pub fn no_such_queue() -> Self {
        Self::new(Kind::QueueDoesNotExist, "The specified queue does not exist.")
    }

    /// A failure for a reason of the server's own. The caller gets the message, the log the cause.
    pub fn caused_by(kind: Kind, message: &'static str, cause: impl fmt::Display) -> Self {
        Self { internal: Some(cause.to_string()), ..Self::new(kind, message) }
    }

    /// An internal failure. The caller gets a general message, the log the cause.
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
