//! SMS: phone numbers, the settings of an account, and numbers of the sandbox.
//!
//! Sources: <https://docs.aws.amazon.com/sns/latest/api/API_SetSMSAttributes.html>,
//! <https://docs.aws.amazon.com/sns/latest/api/API_OptInPhoneNumber.html>,
//! <https://docs.aws.amazon.com/sns/latest/api/API_CreateSMSSandboxPhoneNumber.html>,
//! <https://docs.aws.amazon.com/sns/latest/dg/sms_sending-overview.html>

use super::limits::E164_DIGITS;
use super::{Kind, Refusal};

/// Returns a phone number in E.164 format: a plus and up to fifteen digits, or `None` if the text is
/// not a phone number.
///
/// Separators (`/`, `-`, `.`) between digits are accepted, as in the endpoints of subscriptions, and so
/// are numbers without the plus.
pub fn e164(text: &str) -> Option<String> {
    if !super::sns_endpoint::is_phone_number(text) {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let fits = E164_DIGITS.contains(&digits.len()) && !digits.starts_with('0');
    fits.then(|| format!("+{digits}"))
}

/// Returns the phone number to which a message is published.
///
/// Rejects with InvalidParameter.
// Rule (Publish): a phone number that is not in E.164 format is rejected, and the error quotes the number.
// Source: reported, aws/aws-sdk-js#1217
// Test: src/domain/sms.rs::numbers_are_written_in_one_way
pub fn to_publish_to(text: &str) -> Result<String, Refusal> {
    e164(text).ok_or_else(|| {
        Refusal::invalid_parameter_because(
            "PhoneNumber",
            format_args!("{text} is not valid to publish to"),
        )
    })
}

/// Returns the phone number given to an operation on opted-out numbers.
///
/// Rejects with InvalidParameter.
pub fn given_number(text: &str) -> Result<String, Refusal> {
    e164(text).ok_or_else(|| {
        Refusal::invalid_parameter_because("PhoneNumber", "input incorrectly formatted")
    })
}

/// Returns the error for an opted-out number.
pub fn opted_out() -> Refusal {
    Refusal::new(Kind::OptedOut, OPTED_OUT)
}

/// Why a number gets no message.
pub const OPTED_OUT: &str = "Phone number is opted out";

/// Checks an attribute given to SetSMSAttributes. An empty value removes the attribute.
///
/// Rejects with InvalidParameter, without the usual prefix "Invalid parameter:".
// Rule (SetSMSAttributes): an unknown name is "NAME is not a valid attribute", a bad value is "NAME is invalid".
// Source: recorded
// Test: tests/recorded/sns-topics.jsonl#sns-sms-unknown-attribute, tests/recorded/sns-topics.jsonl#sns-sms-invalid-value
pub fn check_attribute(name: &str, value: &str) -> Result<(), Refusal> {
    let refuse = |fault: &str| Err(Refusal::new(Kind::InvalidParameter, format!("{name} {fault}")));
    if !NAMES.contains(&name) {
        return refuse("is not a valid attribute");
    }
    let is_whole = |value: &str| value.bytes().all(|byte| byte.is_ascii_digit());
    let fits = match name {
        _ if value.is_empty() => true,
        "MonthlySpendLimit" => is_whole(value),
        "DeliveryStatusSuccessSamplingRate" => value.parse::<u8>().is_ok_and(|rate| rate <= 100),
        "DefaultSenderID" => is_sender_id(value),
        "DefaultSMSType" => matches!(value, "Promotional" | "Transactional"),
        _ => true,
    };
    if fits { Ok(()) } else { refuse("is invalid") }
}

const NAMES: [&str; 6] = [
    "MonthlySpendLimit",
    "DeliveryStatusIAMRole",
    "DeliveryStatusSuccessSamplingRate",
    "DefaultSenderID",
    "DefaultSMSType",
    "UsageReportS3Bucket",
];

fn is_sender_id(text: &str) -> bool {
    (1..=11).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Returns whether a text matches [`SANDBOX_NUMBER`].
pub fn is_sandbox_number(text: &str) -> bool {
    let are_digits = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    match text.strip_prefix('+') {
        Some(digits) => digits.len() >= 8 && are_digits(digits),
        None => text.len() <= 9 && are_digits(text),
    }
}

/// The pattern of sandbox numbers in the service model.
pub const SANDBOX_NUMBER: &str = r"^(\+[0-9]{8,}|[0-9]{0,9})$";

/// Languages of one-time passwords.
pub const LANGUAGES: [&str; 13] = [
    "en-US", "en-GB", "es-419", "es-ES", "de-DE", "fr-CA", "fr-FR", "it-IT", "ja-JP", "pt-BR",
    "kr-KR", "zh-CN", "zh-TW",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_one_way() {
        for text in ["+15551234567", "15551234567", "+1-555-123.4567", "1/5551234567"] {
            assert_eq!(e164(text).as_deref(), Some("+15551234567"), "{text}");
        }
        for text in [
            "",
            "+",
            "invalid",
            "+1234567890123456",
            "+05551234567",
            "++15551234567",
            "+1--5551234",
        ] {
            assert_eq!(e164(text), None, "{text}");
        }
        assert_eq!(
            given_number("invalid").unwrap_err().message,
            "Invalid parameter: PhoneNumber Reason: input incorrectly formatted"
        );
        assert_eq!(
            to_publish_to("x").unwrap_err().message,
            "Invalid parameter: PhoneNumber Reason: x is not valid to publish to"
        );
    }

    #[test]
    fn settings_are_checked_and_empty_ones_removed() {
        for (name, value) in [
            ("MonthlySpendLimit", "0"),
            ("DeliveryStatusSuccessSamplingRate", "100"),
            ("DefaultSenderID", "A1234567890"),
            ("DefaultSMSType", "Transactional"),
            ("DefaultSMSType", ""),
            ("UsageReportS3Bucket", "bucket"),
        ] {
            assert_eq!(check_attribute(name, value), Ok(()), "{name}={value}");
        }
        for (name, value) in [
            ("MonthlySpendLimit", "-1"),
            ("DeliveryStatusSuccessSamplingRate", "101"),
            ("DefaultSenderID", "12345"),
            ("DefaultSenderID", "A12345678901"),
            ("DefaultSMSType", "Other"),
            ("Unknown", "x"),
            ("Unknown", ""),
        ] {
            assert!(check_attribute(name, value).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn numbers_of_the_sandbox_fit_the_pattern_of_the_model() {
        for text in ["+12345678", "", "123456789"] {
            assert!(is_sandbox_number(text), "{text}");
        }
        for text in ["+1234567", "1234567890", "+1234567a", "abc"] {
            assert!(!is_sandbox_number(text), "{text}");
        }
    }
}
