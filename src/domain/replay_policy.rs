//! The replay policy of a subscription to a FIFO topic.
//!
//! AWS page: "Message archiving and replay for FIFO topics".

use super::json_text;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Which part of an archive is to be replayed, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayPolicy {
    /// The first moment.
    pub from: i64,
    /// The last moment; none for everything up to now.
    pub until: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Document {
    point_type: Option<String>,
    starting_point: Option<String>,
    ending_point: Option<String>,
}

impl ReplayPolicy {
    /// Reads the attribute ReplayPolicy. The error is a reason.
    pub fn parse(text: &str) -> Result<Self, String> {
        let document = json_text::parse(text).map_err(|malformed| malformed.to_string())?;
        let document: Document = serde_json::from_value(document.into())
            .map_err(|error| format!("invalid JSON. {error}"))?;
        if document.point_type.as_deref() != Some("Timestamp") {
            return Err("PointType must be Timestamp".to_owned());
        }
        let starting_point = document.starting_point.ok_or("StartingPoint is required")?;
        let from = moment("StartingPoint", &starting_point)?;
        let until = match document.ending_point {
            None => None,
            Some(text) => Some(moment("EndingPoint", &text)?),
        };
        if until.is_some_and(|until| until < from) {
            return Err("EndingPoint must not be before StartingPoint".to_owned());
        }
        Ok(Self { from, until })
    }
}

/// A moment as ISO 8601 has it, in Unix milliseconds.
fn moment(name: &str, text: &str) -> Result<i64, String> {
    let moment = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| format!("{name} must be a timestamp like 2026-01-02T03:04:05.000Z"))?;
    Ok((moment.unix_timestamp_nanos() / 1_000_000) as i64)
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
            ("[]", "invalid JSON"),
            (r#"{"PointType":"Sequence"}"#, "PointType must be Timestamp"),
            (r#"{"PointType":"Timestamp"}"#, "StartingPoint is required"),
            (r#"{"PointType":"Timestamp","StartingPoint":"yesterday"}"#, "StartingPoint must be"),
            (
                r#"{"PointType":"Timestamp","StartingPoint":"2026-01-02T03:04:05Z","EndingPoint":"2026-01-01T03:04:05Z"}"#,
                "EndingPoint must not be before",
            ),
            (r#"{"PointType":"Timestamp","Start":"2026-01-02T03:04:05Z"}"#, "invalid JSON"),
        ] {
            assert!(ReplayPolicy::parse(text).unwrap_err().starts_with(reason), "{text}");
        }
    }
}
