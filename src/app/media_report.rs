//! The log lines of a media plane that is overloaded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::media::Media;

/// The time between two reports.
const EVERY: Duration = Duration::from_secs(60);

/// Writes one line a minute at most, and only when audio was affected: what an administrator needs to see in the log of a bad night.
pub(super) async fn report_losses(media: Media) {
    let mut minutes = tokio::time::interval(EVERY);
    let mut reported = (0, 0, 0);
    loop {
        minutes.tick().await;
        let counters = media.counters();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let now = (read(&counters.skipped), read(&counters.unsent), read(&counters.lost_events));
        if now != reported {
            let (skipped, unsent, lost) = (now.0 - reported.0, now.1 - reported.1, now.2 - reported.2);
            tracing::warn!(
                skipped_steps = skipped,
                unsent_packets = unsent,
                lost_events = lost,
                "media suffered in the last minute"
            );
            reported = now;
        }
    }
}
