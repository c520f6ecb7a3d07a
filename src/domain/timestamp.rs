//! Timestamps of SNS and STS: ISO 8601 in UTC, with milliseconds or seconds.

use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

/// Returns `2012-04-25T21:49:25.719Z` for a Unix time in milliseconds; times outside the years 0 to 9999 become
/// 1970.
pub fn iso_8601(unix_ms: i64) -> String {
    format(
        unix_ms,
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"),
    )
}

/// Returns the same without the milliseconds: `2012-04-25T21:49:25Z`.
pub fn iso_8601_seconds(unix_ms: i64) -> String {
    format(unix_ms, format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"))
}

fn format(unix_ms: i64, form: StaticFormatDescription) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000);
    let time = time.ok().filter(|time| time.year() >= 0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(form).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_to_the_millisecond() {
        assert_eq!(iso_8601(1_335_390_565_719), "2012-04-25T21:49:25.719Z");
        assert_eq!(iso_8601_seconds(1_335_390_565_719), "2012-04-25T21:49:25Z");
        assert_eq!(iso_8601(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso_8601(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(iso_8601(253_402_300_799_999), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn clocks_far_outside_the_calendar_do_no_harm() {
        for ms in [i64::MIN, i64::MAX, -62_167_219_200_001] {
            assert_eq!(iso_8601(ms), "1970-01-01T00:00:00.000Z");
        }
    }
}
