//! The time of a signature: `yyyymmddThhmmssZ`, always UTC, to the second.

use std::fmt;
use std::time::UNIX_EPOCH;

use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

const BASIC: StaticFormatDescription =
    format_description!("[year][month][day]T[hour][minute][second]Z");
const DAY: StaticFormatDescription = format_description!("[year][month][day]");

/// A second in the years 0 to 9999, in ISO 8601's basic format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AmzDate(OffsetDateTime);

impl AmzDate {
    /// Reads `yyyymmddThhmmssZ` and nothing else, so that formatting the result returns the same text.
    pub fn parse(text: &str) -> Option<Self> {
        // The length excludes years with a sign.
        let date = PrimitiveDateTime::parse(text, BASIC).ok().filter(|_| text.len() == 16)?;
        Some(Self(date.assume_utc()))
    }

    /// Parses an HTTP `Date` header (RFC 9110, section 5.6.7).
    pub fn parse_http(text: &str) -> Option<Self> {
        let since_epoch = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
        let seconds = i64::try_from(since_epoch.as_secs()).ok()?;
        OffsetDateTime::from_unix_timestamp(seconds).ok().map(Self)
    }

    /// Returns the second of a Unix time in milliseconds; times outside the years 0 to 9999 become 1970.
    pub fn from_unix_ms(ms: i64) -> Self {
        OffsetDateTime::from_unix_timestamp(ms.div_euclid(1_000))
            .ok()
            .filter(|time| time.year() >= 0)
            .map_or(Self(OffsetDateTime::UNIX_EPOCH), Self)
    }

    /// Returns the seconds since 1970.
    pub fn unix_s(self) -> i64 {
        self.0.unix_timestamp()
    }

    /// Returns the time `seconds` later, or earlier if negative.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(Duration::seconds(seconds)))
    }

    /// Returns the day as `yyyymmdd`, which a credential scope must repeat.
    pub fn day(self) -> String {
        self.0.format(DAY).unwrap_or_default()
    }
}

impl fmt::Display for AmzDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.format(BASIC).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_forms_name_the_same_second() {
        let basic = AmzDate::parse("20150830T123600Z").unwrap();
        assert_eq!(basic.unix_s(), 1_440_938_160);
        assert_eq!(AmzDate::parse_http("Sun, 30 Aug 2015 12:36:00 GMT"), Some(basic));
        assert_eq!(AmzDate::from_unix_ms(1_440_938_160_999), basic);
        assert_eq!(basic.to_string(), "20150830T123600Z");
        assert_eq!(basic.day(), "20150830");
        assert_eq!(basic.plus_seconds(-900).to_string(), "20150830T122100Z");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "20150830",
            "20150830T123600",
            "20150830T123600z",
            "20150830 123600Z",
            "20150230T123600Z",
            "20151330T123600Z",
            "20150830T243600Z",
            "20150830T126000Z",
            "+0150830T123600Z",
            "2015083éT12360Z",
            "20150830T123600ZZ",
        ] {
            assert_eq!(AmzDate::parse(text), None, "{text}");
        }
    }

    #[test]
    fn clocks_far_outside_the_calendar_do_no_harm() {
        for ms in [i64::MIN, i64::MAX, -62_167_219_200_001] {
            assert_eq!(AmzDate::from_unix_ms(ms).day(), "19700101");
        }
        let last = AmzDate::parse("99991231T235959Z").unwrap();
        assert_eq!(last.plus_seconds(i64::MAX).day(), "99991231");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in -62_167_219_200_i64..253_402_300_800) {
            let date = AmzDate::from_unix_ms(seconds * 1_000);
            prop_assert_eq!(date.unix_s(), seconds);
            prop_assert_eq!(AmzDate::parse(&date.to_string()), Some(date));
        }
    }
}
