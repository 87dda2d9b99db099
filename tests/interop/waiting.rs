//! Waiting for something to become true, with a limit: the only place of these tests where time passes unused.

use std::time::{Duration, Instant};

/// Asks `look` every 20 ms until it has an answer.
///
/// # Panics
/// After `limit`, naming `what` did not happen.
pub(crate) fn eventually<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "did not happen within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The pace of a finger on a keypad.
pub(crate) fn key_pause() {
    std::thread::sleep(Duration::from_millis(250));
}

/// A moment of up to a tenth of a second, after which something breaks.
pub(crate) fn random_moment() {
    let dice = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    std::thread::sleep(Duration::from_micros(u64::from(dice / 7 % 100_000)));
}

/// A limit in seconds.
pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
