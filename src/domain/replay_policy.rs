//! The replay policy of a subscription to a FIFO topic.
//!
//! Source: <https://docs.aws.amazon.com/sns/latest/dg/fifo-message-archiving-replay.html>

use super::json_object::JsonObject;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The part of an archive to replay, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayPolicy {
    /// The first moment.
    pub from: i64,
    /// The last moment; `None` for everything up to now.
    pub until: Option<i64>,
}

impl ReplayPolicy {
    // Rule (Subscribe, SetSubscriptionAttributes): a ReplayPolicy that is not an object, or has an unknown
    //   member, is rejected with the error texts of a RedrivePolicy.
    // Source: inferred, the text about an unknown member is AWS's for a RedrivePolicy
    // Test: src/domain/replay_policy.rs::nonsense_is_refused

    /// Reads the attribute ReplayPolicy. The error is a reason.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut members = JsonObject::parse(text)?;
        let point_type = members.take_text("PointType");
        let [from, until] = ["StartingPoint", "EndingPoint"].map(|name| (name, members.take(name)));
        members.refuse_unknown()?;
        if point_type.as_deref() != Some("Timestamp") {
            return Err("PointType must be Timestamp".to_owned());
        }
        let from = moment(from)?.ok_or("StartingPoint is required")?;
        let until = moment(until)?;
        if until.is_some_and(|until| until < from) {
            return Err("EndingPoint must not be before StartingPoint".to_owned());
        }
        Ok(Self { from, until })
    }
}

/// Reads a member that is a moment of ISO 8601. Returns Unix milliseconds, or `None` if the member is absent.
fn moment((name, value): (&str, Option<Value>)) -> Result<Option<i64>, String> {
    let Some(value) = value else { return Ok(None) };
    let moment = OffsetDateTime::parse(value.as_str().unwrap_or_default(), &Rfc3339)
        .map_err(|_| format!("{name} must be a timestamp like 2026-01-02T03:04:05.000Z"))?;
    Ok(Some((moment.unix_timestamp_nanos() / 1_000_000) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_timestamps() {
        let text = r#"{"PointType":"Timestamp","StartingPoint":"2026-01-02T03:04:05.678Z","EndingPoint":"2026-01-02T04:04:05+00:00"}"#;
        let policy = ReplayPolicy { from: 1_767_323_045_678, until: Some(1_767_326_645_000) };
        assert_eq!(ReplayPolicy::parse(text), Ok(policy));
    }

    #[test]
    fn nonsense_is_refused() {
        for (text, reason) in [
            ("x", "failed to parse JSON. Unrecognized token 'x'"),
            ("[]", "invalid JSON. The policy must be an object."),
            (r#"["Timestamp","2026-01-02T03:04:05Z",null]"#, "invalid JSON. The policy must be"),
            (r#"{"PointType":5}"#, "PointType must be Timestamp"),
            (r#"{"PointType":"Timestamp","StartingPoint":5}"#, "StartingPoint must be a timestamp"),
            (r#"{"PointType":"Sequence"}"#, "PointType must be Timestamp"),
            (r#"{"PointType":"Timestamp"}"#, "StartingPoint is required"),
            (r#"{"PointType":"Timestamp","StartingPoint":"yesterday"}"#, "StartingPoint must be"),
            (
                r#"{"PointType":"Timestamp","StartingPoint":"2026-01-02T03:04:05Z","EndingPoint":"2026-01-01T03:04:05Z"}"#,
                "EndingPoint must not be before",
            ),
            (
                r#"{"PointType":"Timestamp","Start":"2026-01-02T03:04:05Z"}"#,
                "invalid JSON. Attribute Start is unknown.",
            ),
        ] {
            assert!(ReplayPolicy::parse(text).unwrap_err().starts_with(reason), "{text}");
        }
    }
}
