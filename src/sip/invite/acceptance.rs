//! [`Acceptance`]: our 2xx to an INVITE, which only its ACK stops (RFC 3261 section 13.3.1.4), on any transport.

use std::time::{Duration, Instant};

use crate::sip::transaction::{ServerId, Timers};

/// See the file's paragraph.
#[derive(Debug)]
pub(super) struct Acceptance {
    pub(super) server: ServerId,
    pub(super) cseq: u32,
    /// The 2xx carried our offer, so the ACK carries their answer.
    pub(super) is_offer: bool,
    resend_at: Instant,
    interval: Duration,
    give_up: Instant,
}

impl Acceptance {
    pub(super) fn new(now: Instant, timers: &Timers, server: ServerId, cseq: u32, is_offer: bool) -> Self {
        let (resend_at, interval, give_up) = (now + timers.t1, timers.t1, now + timers.lifetime());
        Self { server, cseq, is_offer, resend_at, interval, give_up }
    }

    /// Whether to send it again now.
    pub(super) fn wake(&mut self, now: Instant, timers: &Timers) -> bool {
        if now < self.resend_at {
            return false;
        }
        self.interval = (self.interval * 2).min(timers.t2);
        self.resend_at = now + self.interval;
        true
    }

    /// Whether the ACK will not come any more.
    pub(super) fn is_lost(&self, now: Instant) -> bool {
        now >= self.give_up
    }

    pub(super) fn deadline(&self) -> Instant {
        self.resend_at.min(self.give_up)
    }
}
