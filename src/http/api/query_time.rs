//! Times and numbers of a query.

use std::time::SystemTime;

use super::answer::bad_query;
use crate::common::units::{read_rfc3339, rfc3339, unix_millis};
use crate::http::problem_details::ProblemDetails;

/// The latest time that RFC 3339 can write, the last of the year 9999, in milliseconds since 1970.
pub(super) const LATEST: u64 = 253_402_300_799_999;

/// A time of a query, in milliseconds since 1970; such a number, which programs of earlier versions send, is one as well, up to
/// [`LATEST`].
pub(super) fn moment(text: Option<&str>) -> Result<Option<u64>, ProblemDetails> {
    let read = |text: &str| {
        read_rfc3339(text)
            .or_else(|| text.parse().ok().filter(|millis| *millis <= LATEST))
            .ok_or_else(|| bad_query("A time is written as RFC 3339 does: 2026-11-28T08:01:37Z."))
    };
    text.map(read).transpose()
}

/// A number of a query that is not negative.
pub(super) fn natural(number: Option<i64>) -> Result<Option<u64>, ProblemDetails> {
    number.map(|number| u64::try_from(number).map_err(|_| bad_query("This number is negative."))).transpose()
}

/// A time as answers have it (RFC 3339).
pub(super) fn rfc3339_of(at: SystemTime) -> String {
    rfc3339(unix_millis(at))
}
