//! The timers of RFC 3261 table 4, as amended by RFC 6026.

use std::time::Duration;

/// Base values; everything else follows from them and from whether the transport is reliable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip estimate: first retransmission interval.
    pub t1: Duration,
    /// Longest retransmission interval.
    pub t2: Duration,
    /// Longest life of a message in the network.
    pub t4: Duration,
}

impl Timers {
    /// T2 and T4 in the RFC's proportion to `t1` (500 ms, 4 s, 5 s).
    #[must_use]
    pub fn with_t1(t1: Duration) -> Self {
        Self { t1, t2: t1 * 8, t4: t1 * 10 }
    }

    /// B, F, H, J (unreliable), L, M: how long a transaction is tried or remembered.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.t1 * 64
    }

    /// D: how long a client remembers a refused INVITE to acknowledge it again.
    #[must_use]
    pub fn d(&self, reliable: bool) -> Duration {
        if reliable { Duration::ZERO } else { self.lifetime() }
    }

    /// I and K: how long a confirmed transaction absorbs what is still in the network.
    #[must_use]
    pub fn absorb(&self, reliable: bool) -> Duration {
        if reliable { Duration::ZERO } else { self.t4 }
    }

    /// J: how long a server remembers its answer to anything but INVITE.
    #[must_use]
    pub fn j(&self, reliable: bool) -> Duration {
        if reliable { Duration::ZERO } else { self.lifetime() }
    }
}
