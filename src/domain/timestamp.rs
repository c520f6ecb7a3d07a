//! Timestamps of SNS and STS: ISO 8601 in UTC, with milliseconds or seconds.

use time::OffsetDateTime;

/// Returns a Unix time in milliseconds as `2012-04-25T21:49:25.719Z`. Times outside the years 0 to 9999
/// become 1970.
pub fn iso_8601(unix_ms: i64) -> String {
    let (seconds, millisecond) = parts(unix_ms);
    format!("{seconds}.{millisecond:03}Z")
}

/// Returns the same without the milliseconds: `2012-04-25T21:49:25Z`.
pub fn iso_8601_seconds(unix_ms: i64) -> String {
    format!("{}Z", parts(unix_ms).0)
}

fn parts(unix_ms: i64) -> (String, u16) {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000)
        .ok()
        .filter(|time| time.year() >= 0)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second, millisecond) = time.to_hms_milli();
    let month = u8::from(month);
    let seconds = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    (seconds, millisecond)
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
