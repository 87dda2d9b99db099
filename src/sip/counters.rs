//! What the endpoint counts, and what it holds.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted; all of them only grow.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages that came in.
    pub received: AtomicU64,
    /// Messages that went out.
    pub sent: AtomicU64,
    /// Messages that could not be read.
    pub malformed: AtomicU64,
    /// Messages dropped unanswered: over budget, or a scanner.
    pub dropped: AtomicU64,
    /// New calls from peers.
    pub calls: AtomicU64,
    /// INVITEs answered with 503 because as many calls are up as there may be.
    pub turned_away_full: AtomicU64,
    /// INVITEs answered with 503 because those before them wait for their answers for too long.
    pub turned_away_overload: AtomicU64,
    /// INVITEs answered with 503 because the gateway is being stopped (O-4).
    pub turned_away_draining: AtomicU64,
    /// Calls ended because their owner did not read its events.
    pub stalled: AtomicU64,
    /// Requests and responses sent again.
    pub retransmitted: AtomicU64,
    /// Copies sent to a capture server.
    pub copied: AtomicU64,
    /// Copies that the system did not take.
    pub lost_copies: AtomicU64,
}

pub(in crate::sip) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// What the endpoint holds at a moment, for `status`: all of it goes back to nothing when no call is left and its timers have run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Calls that are not forgotten yet.
    pub calls: usize,
    /// Transactions of both roles.
    pub transactions: usize,
    /// Deadlines that wait for their time.
    pub timers: usize,
    /// Connections that are open or asked for.
    pub connections: usize,
}
