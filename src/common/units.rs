//! Quantities with their unit in the type.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serializer;

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

/// `2026-11-23T19:08:23.123Z` (RFC 3339) of milliseconds since 1970.
#[must_use]
pub fn rfc3339(millis: u64) -> String {
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// The milliseconds since 1970 of a time as RFC 3339 writes it, with whatever offset; of a finer fraction the rest is left out. `None` for
/// anything else, and for what lies before 1970.
#[must_use]
pub fn read_rfc3339(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| -> Option<u64> {
        let digits = text.get(from..to).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?;
        digits.parse().ok()
    };
    let is = |at: usize, wanted: &[u8]| text.as_bytes().get(at).is_some_and(|found| wanted.contains(found));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let days = days_to(year, month, day)?;
    // A leap second is the one after it, as for the system's clock.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let rest = text.get(19..)?;
    let (fraction, offset) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|one: char| !one.is_ascii_digit())?),
        None => ("0", rest),
    };
    let millis: u64 = format!("{fraction:0<3}").get(..3).filter(|_| !fraction.is_empty())?.parse().ok()?;
    let local = (days * 86_400 + hour * 3600 + minute * 60 + second) * 1000 + millis;
    if offset.eq_ignore_ascii_case("z") {
        return Some(local);
    }
    let (sign, clock) = offset.split_at_checked(1)?;
    let (hours, minutes) = clock.split_once(':').filter(|_| clock.len() == 5 && clock.is_ascii())?;
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let shift = (hours.checked_mul(60)?.checked_add(minutes)?).checked_mul(60_000).filter(|_| hours < 24 && minutes < 60)?;
    match sign {
        "+" => local.checked_sub(shift),
        "-" => local.checked_add(shift),
        _ => None,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; `None` where there is no such day since then.
fn days_to(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    // Counted in years that begin in March.
    let (years, months) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let of_year = (153 * months + 2) / 5 + day - 1;
    let days = (years * 365 + years / 4 - years / 100 + years / 400 + of_year).checked_sub(719_468)?;
    // The thirtieth of February would be a day in March.
    (civil(days) == (year, month, day)).then_some(days)
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

/// Days since 1970-01-01 to a date of the Gregorian calendar, counted in years that begin in March.
#[must_use]
pub const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
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
