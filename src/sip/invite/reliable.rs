//! [`ReliableProvisionals`]: provisional responses of ours to a caller that requires them reliably (RFC 3262 section 3). One is repeated until its
//! PRACK comes, and our 200 waits for that.

use std::time::{Duration, Instant};

use crate::sip::message::header::RAck;
use crate::sip::message::method::Method;
use crate::sip::transaction::{ServerId, Timers};

/// The one that waits for its PRACK.
#[derive(Debug)]
pub(super) struct AwaitedPrack {
    pub(super) server: ServerId,
    rseq: u32,
    cseq: u32,
    /// The 200 that waits with it.
    pub(super) then: Option<String>,
    resend_at: Instant,
    interval: Duration,
    give_up: Instant,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    Nothing,
    Again(ServerId),
    /// Its PRACK will not come any more.
    GiveUp(ServerId),
}

/// See the file's paragraph.
#[derive(Debug, Default)]
pub(super) struct ReliableProvisionals {
    pub(super) waiting: Option<AwaitedPrack>,
    /// The number of the last one.
    last: Option<u32>,
}

impl ReliableProvisionals {
    /// The number of the next one; the first is drawn.
    pub(super) fn next(&mut self, drawn: u64) -> u32 {
        let drawn = u32::try_from(drawn % (1 << 30)).unwrap_or_default();
        let rseq = self.last.unwrap_or(drawn) + 1;
        self.last = Some(rseq);
        rseq
    }

    /// It was sent just now.
    pub(super) fn sent(&mut self, now: Instant, timers: &Timers, server: ServerId, rseq: u32, cseq: u32) {
        let (resend_at, interval, give_up) = (now + timers.t1, timers.t1, now + timers.lifetime());
        self.waiting = Some(AwaitedPrack { server, rseq, cseq, then: None, resend_at, interval, give_up });
    }

    /// Takes a PRACK; `None`: it fits nothing.
    pub(super) fn acknowledged(&mut self, rack: Option<&RAck>) -> Option<AwaitedPrack> {
        let rack = rack?;
        let fits = |waiting: &mut AwaitedPrack| {
            rack.rseq == waiting.rseq && rack.cseq.number == waiting.cseq && rack.cseq.method == Method::Invite
        };
        self.waiting.take_if(fits)
    }

    /// What is to be done now: it is sent again after T1, and then at twice the time before, on any transport.
    pub(super) fn wake(&mut self, now: Instant) -> Repeat {
        let Some(waiting) = &mut self.waiting else { return Repeat::Nothing };
        let server = waiting.server;
        if now >= waiting.give_up {
            self.waiting = None;
            return Repeat::GiveUp(server);
        }
        if now < waiting.resend_at {
            return Repeat::Nothing;
        }
        waiting.interval *= 2;
        waiting.resend_at = now + waiting.interval;
        Repeat::Again(server)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.as_ref().map(|waiting| waiting.resend_at.min(waiting.give_up))
    }
}
