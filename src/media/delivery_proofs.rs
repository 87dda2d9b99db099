//! Delivery of what is played: which packets carried it, whether the socket has taken them, and how many of them the receiver reports as
//! received (N-3, N-8).
//!
//! A play has begun with the first of its packets that the socket has taken, and has ended when the last one was offered to it. Nothing
//! is concluded from what was rendered. Then the receiver's reports are awaited for a while.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::common::ids::PlayId;
use crate::common::play_outcome::PlayOutcome;
use crate::rtp::feedback::Span;

use super::events::{MediaEvent, SentPackets};

/// Plays whose report is awaited; beyond it the oldest counts as unreported.
const AWAITED: usize = 16;
/// How long a receiver's report is awaited after something was played (N-8): two and a half of the 5 s report intervals of RFC 3550.
const REPORT_AWAITED: Duration = Duration::from_millis(12_500);
/// A report that comes this long after the last packet, and does not reach it, was made when it ought to have arrived: far more than any
/// round trip that permits a conversation.
const ARRIVES_WITHIN: Duration = Duration::from_secs(1);

/// Plays that are being sent, and plays whose reports are awaited.
pub(super) struct DeliveryProofs {
    ssrc: u32,
    plays: Vec<Playing>,
    awaited: Vec<Awaited>,
    /// The last packet whose fate is known.
    known: Option<u32>,
    /// For the port to report: a few for each frame, drained at once.
    events: VecDeque<MediaEvent>,
}

struct Playing {
    play: PlayId,
    /// Extended number of the packet with its first sample.
    first: u32,
    /// How the player came to its end, and the number of the packet with its last sample.
    end: Option<(PlayOutcome, u32)>,
    /// The first and the last packet that left the socket.
    left: Option<(u32, u32)>,
    /// A packet could not be made, or was not taken by the socket.
    failed: bool,
    receipt: Receipt,
}

struct Awaited {
    play: PlayId,
    first: u32,
    last: u32,
    ended: Instant,
    receipt: Receipt,
    /// A report has come since that would know of the last packet.
    witnessed: bool,
}

/// Reception of a range of packets, as far as reports cover it.
#[derive(Clone, Copy, Default)]
struct Receipt {
    /// How many were lost, as far as reports have come. A report's loss is spread evenly over the packets it speaks of.
    lost: f64,
    /// How many of them reports speak of.
    reported: u32,
}

impl Receipt {
    fn take(&mut self, span: Span, first: u32, last: u32) {
        // The packets of both: after `span.after` and from `first` on, up to `span.upto` and `last`.
        let packets = i64::from(span.packets());
        let from = i64::from(first.wrapping_sub(span.after).cast_signed()).max(1);
        let to = i64::from(last.wrapping_sub(span.after).cast_signed()).min(packets);
        let both = to - from + 1;
        if both > 0 {
            self.reported = self.reported.saturating_add(u32::try_from(both).unwrap_or(u32::MAX));
            self.lost += f64::from(span.lost) * both as f64 / packets as f64;
        }
    }

    /// How many thousandths of so many packets were received; those that no report speaks of were not.
    fn received_permille(self, packets: u32) -> u16 {
        let missing = self.lost + f64::from(packets.saturating_sub(self.reported));
        let lost = (missing * 1000.0 / f64::from(packets.max(1))).floor().clamp(0.0, 1000.0);
        1000 - lost as u16
    }
}

impl Awaited {
    fn verdict(&self) -> MediaEvent {
        let packets = self.last.wrapping_sub(self.first).wrapping_add(1);
        let known = self.witnessed || self.receipt.reported >= packets;
        MediaEvent::Reported { play: self.play, received_permille: known.then(|| self.receipt.received_permille(packets)) }
    }
}

impl Playing {
    fn carries(&self, sequence: u32) -> bool {
        is_at_or_after(sequence, self.first) && self.end.is_none_or(|(_, last)| is_at_or_after(last, sequence))
    }

    fn outcome(&self, player: PlayOutcome) -> PlayOutcome {
        match player {
            PlayOutcome::Completed if self.failed => PlayOutcome::Failed,
            // What was cut, or never began, was not played to its end anyway.
            PlayOutcome::Interrupted if self.failed && self.left.is_none() => PlayOutcome::Failed,
            other => other,
        }
    }
}

impl DeliveryProofs {
    /// For a stream of ours with this source.
    pub(super) const fn new(ssrc: u32) -> Self {
        Self { ssrc, plays: Vec::new(), awaited: Vec::new(), known: None, events: VecDeque::new() }
    }

    /// The next event to report.
    pub(super) fn poll(&mut self) -> Option<MediaEvent> {
        self.events.pop_front()
    }

    // === What the player does ===

    /// Its first sample goes into packet `first`.
    pub(super) fn begins(&mut self, play: PlayId, first: u32) {
        self.plays.push(Playing { play, first, end: None, left: None, failed: false, receipt: Receipt::default() });
    }

    /// The player is through with it; its last sample went into packet `last`.
    pub(super) fn ends(&mut self, now: Instant, play: PlayId, outcome: PlayOutcome, last: u32) {
        match self.plays.iter_mut().find(|playing| playing.play == play) {
            Some(playing) => playing.end = Some((outcome, last)),
            None => self.events.push_back(MediaEvent::Played { play, outcome, carried: None }),
        }
        self.conclude(now);
    }

    /// Samples that were gathered for packet `next` will never be sent: the device holds us, or another codec comes.
    pub(super) fn cut_off(&mut self, now: Instant, next: u32) {
        for playing in &mut self.plays {
            if let Some((outcome, last)) = &mut playing.end
                && is_at_or_after(*last, next)
            {
                (*outcome, *last) = (PlayOutcome::Interrupted, next.wrapping_sub(1));
            }
        }
        self.conclude(now);
    }

    // === What becomes of the packets ===

    /// Packet `sequence` left the socket, or did not. Reported in order; one that is left out was not taken.
    pub(super) fn sent(&mut self, now: Instant, sequence: u32, taken: bool) {
        let due = self.known.replace(sequence).map_or(sequence, |known| known.wrapping_add(1));
        if due != sequence {
            let passed_over = |playing: &&mut Playing| {
                let begins = if is_at_or_after(due, playing.first) { due } else { playing.first };
                begins != sequence && is_at_or_after(sequence, begins) && playing.carries(begins)
            };
            self.plays.iter_mut().filter(passed_over).for_each(|playing| playing.failed = true);
        }
        for playing in self.plays.iter_mut().filter(|playing| playing.carries(sequence)) {
            if !taken {
                playing.failed = true;
                continue;
            }
            let first = playing.left.map_or(sequence, |(first, _)| first);
            if playing.left.replace((first, sequence)).is_none() {
                self.events.push_back(MediaEvent::Began { play: playing.play });
            }
        }
        self.conclude(now);
    }

    /// Ends what has nothing more to come.
    fn conclude(&mut self, now: Instant) {
        let known = self.known;
        let over = |playing: &Playing| {
            let last = playing.end.map(|(_, last)| last)?;
            let never = !is_at_or_after(last, playing.first);
            (never || known.is_some_and(|known| is_at_or_after(known, last))).then_some(())
        };
        for playing in self.plays.extract_if(.., |playing| over(playing).is_some()).collect::<Vec<_>>() {
            self.over(now, &playing);
        }
    }

    fn over(&mut self, now: Instant, playing: &Playing) {
        let outcome = playing.outcome(playing.end.map_or(PlayOutcome::Interrupted, |(outcome, _)| outcome));
        let carried = playing.left.map(|(first, last)| SentPackets { ssrc: self.ssrc, first, last });
        self.events.push_back(MediaEvent::Played { play: playing.play, outcome, carried });
        if let (PlayOutcome::Completed, Some((first, last))) = (outcome, playing.left) {
            let Playing { play, receipt, .. } = *playing;
            self.awaited.push(Awaited { play, first, last, ended: now, receipt, witnessed: false });
        }
    }

    // === What the receiver reports ===

    /// A report speaks of these packets.
    pub(super) fn reported(&mut self, now: Instant, span: Span) {
        for playing in &mut self.plays {
            // What is beyond its end has not been sent yet, so no report speaks of it.
            let last = playing.end.map_or(span.upto, |(_, last)| last);
            playing.receipt.take(span, playing.first, last);
        }
        for awaited in &mut self.awaited {
            awaited.receipt.take(span, awaited.first, awaited.last);
            awaited.witnessed |= now.saturating_duration_since(awaited.ended) >= ARRIVES_WITHIN;
        }
        let reached = |awaited: &mut Awaited| is_at_or_after(span.upto, awaited.last);
        let reached: Vec<Awaited> = self.awaited.extract_if(.., reached).collect();
        self.events.extend(reached.iter().map(Awaited::verdict));
    }

    /// Reports that have not come in time are not waited for any longer.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(oldest) = self.awaited.first() {
            if now.saturating_duration_since(oldest.ended) < REPORT_AWAITED && self.awaited.len() <= AWAITED {
                break;
            }
            self.events.push_back(oldest.verdict());
            self.awaited.remove(0);
        }
    }

    /// The port closes: no packet leaves any more, and no report comes.
    pub(super) fn close(&mut self, now: Instant) {
        for playing in std::mem::take(&mut self.plays) {
            let cut = Playing { end: Some((PlayOutcome::Interrupted, playing.first)), ..playing };
            self.over(now, &cut);
        }
        self.events.extend(self.awaited.drain(..).map(|awaited| awaited.verdict()));
    }
}

/// Extended sequence numbers are compared modulo 2³².
const fn is_at_or_after(one: u32, other: u32) -> bool {
    one.wrapping_sub(other).cast_signed() >= 0
}

#[cfg(test)]
mod tests;
