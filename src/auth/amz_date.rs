//! The time of a signature: `yyyymmddThhmmssZ`, always UTC, to the second.

use std::fmt;
use std::time::UNIX_EPOCH;

use time::{Date, Duration, Month, OffsetDateTime, Time};

/// A second in the years 0 to 9999, in ISO 8601's basic format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AmzDate(OffsetDateTime);

impl AmzDate {
    /// Parses `yyyymmddThhmmssZ` and nothing else, so that formatting the result yields the same text.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
        if bytes[8] != b'T' || bytes[15] != b'Z' {
            return None;
        }
        let number = |from: usize, to: usize| {
            bytes[from..to].iter().try_fold(0_u16, |sum, byte| {
                byte.is_ascii_digit().then(|| sum * 10 + u16::from(byte - b'0'))
            })
        };
        let two = |from: usize| number(from, from + 2).map(|n| n as u8);
        let month = Month::try_from(two(4)?).ok()?;
        let date = Date::from_calendar_date(i32::from(number(0, 4)?), month, two(6)?).ok()?;
        let time = Time::from_hms(two(9)?, two(11)?, two(13)?).ok()?;
        Some(Self(OffsetDateTime::new_utc(date, time)))
    }

    /// Parses an HTTP `Date` header (RFC 9110, section 5.6.7).
    pub fn parse_http(text: &str) -> Option<Self> {
        let since_epoch = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
        let seconds = i64::try_from(since_epoch.as_secs()).ok()?;
        OffsetDateTime::from_unix_timestamp(seconds).ok().map(Self)
    }

    /// Returns the second of a Unix time in milliseconds. Times outside the years 0 to 9999 become 1970.
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
        format!("{:04}{:02}{:02}", self.0.year(), u8::from(self.0.month()), self.0.day())
    }
}

impl fmt::Display for AmzDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute, second) = self.0.time().as_hms();
        write!(f, "{}T{hour:02}{minute:02}{second:02}Z", self.day())
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
