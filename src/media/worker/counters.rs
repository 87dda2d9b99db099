//! Figures of the media plane.

use std::sync::atomic::AtomicU64;

/// Figures of all workers together.
#[derive(Debug, Default)]
pub struct MediaCounters {
    /// Steps skipped because a worker came too late.
    pub skipped: AtomicU64,
    /// Datagrams the system would not take.
    pub unsent: AtomicU64,
    /// Events that found a full queue.
    pub lost_events: AtomicU64,
    /// Devices' ports that are open now. The only one that also falls.
    pub open: AtomicU64,
}
