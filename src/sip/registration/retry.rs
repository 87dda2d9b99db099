//! The distances at which a registration that failed is tried again, without end (RFC 5626 section 4.5).

use std::time::Duration;

/// The wait after the first failure. Each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(4);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// The longest wait that a registrar can ask for by `Retry-After` (RFC 3261 section 20.33).
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// How long to wait after `failures` earlier ones: a half to the whole of the distance, by any number `random`, so that many gateways do not
/// come back to a registrar at once.
pub(super) fn wait(failures: u32, random: u64, retry_after: Option<Duration>) -> Duration {
    let full = FIRST_WAIT.saturating_mul(1 << failures.min(16)).min(LONGEST_WAIT);
    let jittered = full / 2 + full.mul_f64((random % 1000) as f64 / 2000.0);
    jittered.max(retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER))
}
