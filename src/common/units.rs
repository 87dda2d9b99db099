//! Quantities with their unit in the type.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::Serializer;

/// 9999-12-31T23:59:59.999Z, in milliseconds since 1970.
const LAST: i64 = 253_402_300_799_999;

/// A sampling rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hz(pub u32);

impl Hz {
    /// 8 kHz, narrow band.
    pub const NARROW: Self = Self(8_000);
    /// 16 kHz, wide band.
    pub const WIDE: Self = Self(16_000);
    /// 48 kHz, full band.
    pub const FULL: Self = Self(48_000);

    /// Samples that last `time` at this rate, rounded down.
    #[must_use]
    pub fn samples(self, time: Duration) -> usize {
        usize::try_from(time.as_micros() * u128::from(self.0) / 1_000_000).unwrap_or(usize::MAX)
    }

    /// How long `samples` last at this rate.
    #[must_use]
    pub fn duration(self, samples: usize) -> Duration {
        Duration::from_nanos(samples as u64 * 1_000_000_000 / u64::from(self.0))
    }
}

impl fmt::Display for Hz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// The world's time as stores and pages count it: milliseconds since 1970; 0 for what lies before.
#[must_use]
pub fn unix_millis(at: SystemTime) -> u64 {
    u64::try_from(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970 as a date. What lies after the year 9999, which RFC 3339 cannot write, is the last moment of that year.
fn utc(millis: u64) -> DateTime<Utc> {
    let millis = i64::try_from(millis).map_or(LAST, |millis| millis.min(LAST));
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

/// `2026-11-23T19:08:23.123Z` (RFC 3339) of milliseconds since 1970.
#[must_use]
pub fn rfc3339(millis: u64) -> String {
    utc(millis).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The milliseconds since 1970 of a time as RFC 3339 writes it, with whatever offset; of a finer fraction the rest is left out. `None` for
/// anything else, and for what lies before 1970.
#[must_use]
pub fn read_rfc3339(text: &str) -> Option<u64> {
    u64::try_from(DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis()).ok()
}

/// How a time stands in the name of a file: sorts by time and fits every file system.
const FILE_TIME: &str = "%Y%m%dT%H%M%S%.3fZ";

/// `20261123T190823.123Z` of milliseconds since 1970.
#[must_use]
pub fn file_time(millis: u64) -> String {
    utc(millis).format(FILE_TIME).to_string()
}

/// The milliseconds since 1970 of a time that is written as [`file_time`] does; `None` for anything else.
#[must_use]
pub fn read_file_time(text: &str) -> Option<u64> {
    let millis = NaiveDateTime::parse_from_str(text, FILE_TIME).ok()?.and_utc().timestamp_millis().try_into().ok()?;
    // `chrono` also takes blanks and fewer digits.
    (file_time(millis) == text).then_some(millis)
}

/// Writes milliseconds since 1970 as RFC 3339 does, for what leaves by the API (U-4).
///
/// # Errors
/// Those of the serializer.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over so")]
pub fn moment<S: Serializer>(at: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*at))
}

/// The same of a time that may not have come.
///
/// # Errors
/// Those of the serializer.
#[allow(clippy::ref_option, reason = "serde hands fields over so")]
pub fn moment_if_any<S: Serializer>(at: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.serialize_some(&rfc3339(*at)),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u4_a_time_is_read_back_as_it_was_written() {
        for millis in [0, 1, 1_795_460_903_123, 951_782_399_999, 4_102_444_800_000] {
            assert_eq!(read_rfc3339(&rfc3339(millis)), Some(millis));
        }
        let same = read_rfc3339("2026-11-28T08:01:37.998Z");
        for text in ["2026-11-28t08:01:37.9989z", "2026-11-28 09:01:37.998+01:00", "2026-11-28T00:31:37.998-07:30"] {
            assert_eq!(read_rfc3339(text), same, "{text}");
        }
        assert_eq!(read_rfc3339("2026-11-28T08:01:37Z"), same.map(|same| same - 998));
    }

    #[test]
    fn a_recording_is_named_by_its_start_in_universal_time() {
        for (millis, text) in
            [(0, "19700101T000000.000Z"), (951_827_696_007, "20000229T123456.007Z"), (1_795_460_903_123, "20261123T190823.123Z")]
        {
            assert_eq!((file_time(millis).as_str(), read_file_time(text)), (text, Some(millis)));
        }
        for text in ["", "20261123T190823.123", "20261323T190823.123Z", " 0261123T190823.123Z", "20261123T190823.12Z", "é"] {
            assert_eq!(read_file_time(text), None, "{text}");
        }
    }

    /// No count of milliseconds is beyond what can be written.
    #[test]
    fn u4_the_last_time_that_is_written_ends_the_year_9999() {
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(
            (rfc3339(0), rfc3339(951_827_696_007)),
            ("1970-01-01T00:00:00.000Z".into(), "2000-02-29T12:34:56.007Z".into())
        );
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "0",
            "1795460903123",
            "2026-11-28",
            "2026-11-28T08:01:37",
            "2026-02-30T08:01:37Z",
            "2026-13-01T08:01:37Z",
            "2026-11-28T24:01:37Z",
            "2026-11-28T08:01:37.Z",
            "2026-11-28T08:01:37+1:00",
            "2026-11-28T08:01:37+25:00",
            "1969-12-31T23:59:59Z",
            "２０２６-11-28T08:01:37Z",
            "2026-11-28T08:01:37.998",
            "-026-11-28T08:01:37Z",
            "2026-00-28T08:01:37Z",
            "2026-11-00T08:01:37Z",
            "2026-11-28T08:01:37Zx",
        ] {
            assert_eq!(read_rfc3339(text), None, "{text}");
        }
    }
}
