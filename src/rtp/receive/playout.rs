//! [`Playout`]: from packets in order to frames on time.
//!
//! Playout follows the sender's timestamps: `next` is the one whose sound is wanted next. What is missing is concealed and `next` moves on. A packet
//! that comes too late for that is lost too, unless packets come late so often that the delay must be longer (`delay_target`), or nothing else is
//! here: then playout goes back to it. Otherwise the delay is changed by time scaling (`time_scaling`), which also absorbs a sender's clock that
//! runs fast or slow. While packets are being lost, playout waits for one packet more than jitter needs, where a gap is concealed better when
//! the packet behind it is here: that one may carry a copy of the lost one (in-band FEC).

use std::ops::AddAssign;
use std::time::{Duration, Instant};

use super::delay_target::{Correction, DelayTarget, LEAST_HEADROOM};
use super::loss_rate::LossRate;
use super::tick_conversion::{PULL, TickConversion, micros_between, micros_in};
use super::time_scaling::{Grid, TimeScaling};
use crate::codec::{CodecError, CodecKind, Decoder};
use crate::dsp::Frame;
use crate::dsp::gain::Gain;
use crate::dsp::noise::ComfortNoise;
use crate::dsp::stretch::Choice;
use crate::rtp::jitter::{BufferedPacket, Inserted, JitterBuffer};
use crate::rtp::packet::Packet;

/// The longest delay: what has waited longer is dropped. Also how long concealment can be replaced by late packets.
const LONGEST_DELAY: Duration = Duration::from_millis(200);
/// Concealment fades from here on, whatever the codec makes of it.
const FADE_AFTER: Duration = Duration::from_millis(60);
const FADE: Duration = Duration::from_millis(40);
const RETURN: Duration = Duration::from_millis(5);
/// No packet of ours is shorter than this; a stranger length counts as this.
const LEAST_QUANTUM: Duration = Duration::from_micros(2500);
/// Packets in a row after which a longer quantum counts.
const LONGER_QUANTA: u32 = 50;
/// A packet that was waiting this long before the first pull is history.
const STALE: Duration = Duration::from_millis(60);
/// The next samples after packets were dropped are concealed, so that the decoder blends into them.
const SPLICE: Duration = Duration::from_millis(5);
/// Octets of an Opus packet that holds no frame: none follows for a while, and the room goes on as the decoder makes it (RFC 7587 section 3.1.3).
const EMPTY_OPUS: usize = 2;

/// What playout made of the packets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PlayoutStats {
    /// Packets that came after their sound was due and could not be used.
    pub(super) late: u64,
    /// Packets dropped: unreadable, or too many.
    pub(super) discarded: u64,
    /// Packets that never came in time, and that in-band FEC stood for.
    pub(super) repaired: u64,
    /// Sound concealed while the stream was running.
    pub(super) concealed: Duration,
}

impl AddAssign for PlayoutStats {
    fn add_assign(&mut self, other: Self) {
        self.late += other.late;
        self.discarded += other.discarded;
        self.repaired += other.repaired;
        self.concealed += other.concealed;
    }
}

#[derive(Clone, Copy, Debug)]
struct Running {
    /// The timestamp whose sound is wanted next, behind everything in `pcm`.
    next: u32,
    /// The packet decoded last.
    last_seq: i64,
    /// RTP ticks concealed since then.
    concealed: u32,
}

/// Jitter buffer, decoder and time scaling of one stream.
pub(super) struct Playout {
    kind: CodecKind,
    conversion: TickConversion,
    decoder: Box<dyn Decoder>,
    buffer: JitterBuffer,
    target: DelayTarget,
    loss: LossRate,
    /// Decoded, not yet pulled: at most a packet and a frame.
    pcm: Vec<i16>,
    running: Option<Running>,
    last_pull: Option<Instant>,
    scaling: TimeScaling,
    gain: Gain,
    packet_time: Duration,
    /// Packets are being lost, and playout waits for the packet behind a gap because it repairs the lost one.
    awaits_next: bool,
    /// Samples in which the delay can change with effect.
    quantum: usize,
    /// Packets in a row whose length would allow a longer one.
    longer_quanta: u32,
    /// Average time from arrival to playout, µs.
    waited: i64,
    stats: PlayoutStats,
    /// The sender pauses after the packet of this number, and its room sounds like this (RFC 3389).
    pause: Option<(i64, ComfortNoise)>,
}

// === impl Playout ===

impl Playout {
    /// Playout of a stream of `kind` that has not begun.
    ///
    /// # Errors
    /// [`CodecError::Create`] when the decoder cannot be made.
    pub(super) fn new(kind: CodecKind) -> Result<Self, CodecError> {
        let row = kind.row();
        let conversion = TickConversion { clock: row.rtp_clock, rate: row.sample_rate };
        Ok(Self {
            kind,
            conversion,
            decoder: kind.decoder()?,
            buffer: JitterBuffer::default(),
            target: DelayTarget::default(),
            loss: LossRate::default(),
            awaits_next: false,
            pcm: Vec::new(),
            running: None,
            last_pull: None,
            scaling: TimeScaling::default(),
            gain: Gain::new(1.0),
            packet_time: PULL,
            quantum: conversion.frame(),
            longer_quanta: 0,
            waited: 0,
            stats: PlayoutStats::default(),
            pause: None,
        })
    }

    /// What it plays.
    pub(super) fn kind(&self) -> CodecKind {
        self.kind
    }

    /// How long a payload lasts in RTP ticks; `None` where it is not of this codec.
    pub(super) fn ticks(&self, payload: &[u8]) -> Option<u32> {
        let samples = self.decoder.samples(payload).filter(|samples| *samples > 0)?;
        Some(self.conversion.ticks_of(samples))
    }

    /// Whether something that came is not played yet.
    pub(super) fn has_sound(&self) -> bool {
        !self.buffer.is_empty() || self.pcm.len() >= self.conversion.frame() / 2
    }

    /// The sender pauses: until its next packet of audio there is the noise that a payload of RFC 3389 describes. `seq`: its number.
    pub(super) fn pause(&mut self, seq: i64, payload: &[u8]) {
        let is_over = self.running.is_some_and(|running| running.last_seq > seq);
        if is_over || self.pause.as_ref().is_some_and(|(before, _)| *before > seq) {
            return;
        }
        let Some(level) = payload.first() else { return };
        let (at, noise) = self.pause.get_or_insert_with(|| (seq, ComfortNoise::new(*level)));
        *at = seq;
        noise.set_level(*level);
    }

    /// What became of the packets so far.
    pub(super) fn stats(&self) -> PlayoutStats {
        self.stats
    }

    /// Average time from a packet's arrival to its last sample being played.
    pub(super) fn delay(&self) -> Duration {
        self.packet_time + Duration::from_micros(u64::try_from(self.waited).unwrap_or(0))
    }

    /// Takes a packet with its extended number. `newest`: none with a higher number has come.
    pub(super) fn insert(&mut self, now: Instant, seq: i64, newest: bool, packet: &Packet<'_>) {
        if let Some(mut running) = self.running {
            if !self.is_playable(now, seq, newest, packet.timestamp, &mut running) {
                return;
            }
            self.running = (!self.is_off_course(packet.timestamp, running)).then_some(running);
            if self.running.is_none() {
                self.begin_anew();
            }
        }
        if self.buffer.insert(now, seq, packet) == Inserted::Displaced {
            self.stats.discarded += 1;
        }
    }

    /// The packets so far were put too far apart: playout goes on with the next one.
    pub(super) fn begin_anew(&mut self) {
        self.drop_waiting();
        (self.target, self.loss, self.awaits_next) = (DelayTarget::default(), LossRate::default(), false);
        self.running = None;
    }

    /// Another source, or a sequence that has begun anew: nothing of the old stream is played any more.
    pub(super) fn restart(&mut self) {
        self.begin_anew();
        self.pause = None;
        // The new source's signal has nothing to do with the old one's decoder state; without memory the old decoder serves.
        if let Ok(decoder) = self.kind.decoder() {
            self.decoder = decoder;
        }
    }

    /// Gives the next 20 ms.
    pub(super) fn pull(&mut self, now: Instant, out: &mut Frame) {
        let rate = self.conversion.rate;
        if out.rate() != rate {
            *out = Frame::silence(rate);
        }
        self.last_pull = Some(now);
        self.start(now);
        self.drop_excess();
        let frame = self.conversion.frame();
        self.fill(frame);
        self.scale_time(frame);
        let samples = out.samples_mut();
        samples.copy_from_slice(&self.pcm[..frame]);
        self.pcm.drain(..frame);
        self.gain.apply(samples, rate);
    }

    /// Packets and samples that wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.buffer.len(), self.pcm.len())
    }

    fn drop_waiting(&mut self) {
        self.stats.discarded += self.buffer.len() as u64;
        self.buffer.clear();
    }

    /// Whether the packet can still be played; when only concealment stands in its place, playout goes back to it.
    fn is_playable(&mut self, now: Instant, seq: i64, newest: bool, timestamp: u32, running: &mut Running) -> bool {
        let ahead = timestamp.wrapping_sub(running.next).cast_signed();
        let Some(last_pull) = self.last_pull else { return true };
        let until_pull = micros_between(now, last_pull + PULL);
        let position = self.position(ahead);
        let bound = 2 * self.conversion.ticks(LONGEST_DELAY).cast_signed();
        if (-bound..=bound).contains(&ahead) {
            self.target.observe(now, until_pull + self.conversion.pulled_after(position));
        }
        if ahead >= 0 {
            self.waited += (until_pull + self.conversion.micros_of(position) - self.waited) / 8;
            return true;
        }
        let is_in_gap = seq > running.last_seq && ahead.unsigned_abs() <= running.concealed;
        if is_in_gap && self.must_wait_longer(running) {
            let mut back = ahead.unsigned_abs();
            if until_pull < LEAST_HEADROOM {
                // The packets behind it would come too late again: one more quantum stays concealed.
                back = back.saturating_add(self.conversion.ticks_of(self.quantum));
            }
            running.next = running.next.wrapping_sub(back);
            running.concealed = running.concealed.saturating_sub(back);
            let moved_to = self.conversion.pulled_after(position + self.conversion.samples_of(back) as i64);
            self.target.moved(moved_to - self.conversion.pulled_after(position));
            return true;
        }
        // The newest packet cannot be late when nothing was concealed: the sender's timeline has jumped, see `is_off_course`.
        if newest && seq > running.last_seq && ahead.unsigned_abs() > running.concealed {
            return true;
        }
        self.stats.late += 1;
        false
    }

    /// Whether playout goes back to a packet that is late: packets are late so often that the delay is to be longer, or there is nothing else to play.
    fn must_wait_longer(&mut self, running: &Running) -> bool {
        let is_dry = self.buffer.is_empty() && running.concealed > self.conversion.ticks(PULL + PULL / 2);
        self.target.packet_was_late() || is_dry
    }

    /// Whether a timestamp lies where the timeline cannot lead: playout then begins anew at it.
    fn is_off_course(&self, timestamp: u32, running: Running) -> bool {
        let ahead = timestamp.wrapping_sub(running.next).cast_signed();
        let waiting = self.buffer.back().map_or(0, |back| back.timestamp.wrapping_sub(running.next).cast_signed().max(0));
        ahead < 0 && ahead.unsigned_abs() > running.concealed
            || i64::from(ahead) > i64::from(waiting) + 5 * i64::from(self.conversion.ticks(LONGEST_DELAY))
    }

    /// Starts playout when a stream begins, or begins again.
    fn start(&mut self, now: Instant) {
        if self.running.is_some() {
            return;
        }
        while self.buffer.len() > 1
            && self.buffer.front().is_some_and(|front| now.saturating_duration_since(front.arrived) > STALE)
        {
            self.buffer.pop();
            self.stats.discarded += 1;
        }
        let Some(front) = self.buffer.pop() else { return };
        self.target.clear();
        self.running = Some(Running { next: front.timestamp, last_seq: front.seq - 1, concealed: 0 });
        self.pcm.clear();
        let noise = self.pause.take();
        self.decode(&front);
        // The packets behind it come later by their distance, and the one that is needed soonest before its sound is needed by
        // a frame less a quantum. As many quanta of silence go first as leave enough headroom for that one.
        let quantum = self.conversion.micros_of(self.quantum as i64).max(1);
        let headroom = micros_between(front.arrived, now) - (micros_in(PULL) - quantum);
        let quanta = (self.target.first_headroom() - headroom + quantum - 1).div_euclid(quantum).clamp(0, 8);
        let mut before = Vec::new();
        let length = self.quantum * usize::try_from(quanta).unwrap_or(0);
        match noise {
            Some((_, mut noise)) => noise.append(length, &mut before),
            None => before.resize(length, 0),
        }
        self.pcm.splice(..0, before);
        self.waited = micros_between(front.arrived, now) + quanta * quantum;
    }

    /// After a stall packets come all at once: what would have to wait too long is dropped.
    fn drop_excess(&mut self) {
        let Some(mut running) = self.running else { return };
        let longest = self.conversion.ticks(LONGEST_DELAY).cast_signed();
        let span = |buffer: &JitterBuffer| {
            buffer
                .back()
                .zip(buffer.front())
                .map_or(0, |(back, front)| back.timestamp.wrapping_sub(front.timestamp).cast_signed())
        };
        if span(&self.buffer) <= longest {
            return;
        }
        while span(&self.buffer) > longest && self.buffer.len() > 1 {
            self.buffer.pop();
            self.stats.discarded += 1;
        }
        if let Some(front) = self.buffer.front() {
            self.target.clear();
            running.next = front.timestamp.wrapping_sub(self.conversion.ticks(SPLICE));
            running.last_seq = front.seq - 1;
            self.running = Some(running);
        }
    }

    /// Decodes or conceals until a frame is there.
    fn fill(&mut self, frame: usize) {
        while self.pcm.len() < frame {
            let missing = frame - self.pcm.len();
            if self.buffer.is_empty()
                && let Some((_, noise)) = &mut self.pause
            {
                // A pause is neither loss nor concealment.
                noise.append(missing, &mut self.pcm);
                self.gain.set(1.0, RETURN);
                self.running = None;
                return;
            }
            let Some(running) = self.running else {
                self.gain.set(0.0, Duration::ZERO);
                self.pcm.resize(frame, 0);
                return;
            };
            let longest = self.conversion.ticks(LONGEST_DELAY);
            let Some(front) = self.buffer.front() else {
                self.conceal(running, self.conversion.ticks_of(missing).max(1), false);
                if self.running.is_some_and(|running| running.concealed > longest) {
                    self.running = None;
                }
                continue;
            };
            let gap = front.timestamp.wrapping_sub(running.next).cast_signed();
            if gap <= 0 && self.waits_for_repair(gap) {
                self.go_back_to_repair();
            } else if gap <= 0 {
                self.decode_front();
            } else if gap.unsigned_abs() > longest {
                // The packet is here, so its time is now, whatever its timestamp says.
                self.running = Some(Running { next: front.timestamp, ..running });
            } else {
                // A short gap at once, because an in-band copy stands for a packet as a whole.
                let wanted = self.conversion.ticks_of(missing).max(self.conversion.ticks(FADE_AFTER));
                self.conceal(running, gap.unsigned_abs().min(wanted), gap.unsigned_abs() <= wanted);
            }
        }
    }

    /// Whether a packet was lost, and concealed before the one behind it was here, which can repair it: the first of several, it may be.
    fn waits_for_repair(&self, gap: i32) -> bool {
        let Some((front, running)) = self.buffer.front().zip(self.running) else { return false };
        let missing = front.seq - running.last_seq - 1;
        gap == 0
            && running.concealed > 0
            && missing > 0
            && !self.awaits_next
            && self.decoder.conceals_what_precedes(&front.payload)
    }

    /// From here on playout waits for one packet more. The time for it is put in where sound is missing anyway: what stands for the lost packet so
    /// far stays, and its repair follows.
    fn go_back_to_repair(&mut self) {
        self.awaits_next = true;
        let Some(running) = &mut self.running else { return };
        let back = running.concealed.min(self.conversion.ticks(self.packet_time));
        running.next = running.next.wrapping_sub(back);
        running.concealed -= back;
        let position = self.pcm.len() as i64;
        let moved_to = position + self.conversion.samples_of(back) as i64;
        self.target.moved(self.conversion.pulled_after(moved_to) - self.conversion.pulled_after(position));
    }

    fn decode_front(&mut self) {
        if let Some(front) = self.buffer.pop() {
            self.decode(&front);
        }
    }

    fn decode(&mut self, packet: &BufferedPacket) {
        let Some(running) = self.running else { return };
        let before = self.pcm.len();
        if self.decoder.decode(&packet.payload, &mut self.pcm).is_err() {
            self.stats.discarded += 1;
            self.running = Some(Running { last_seq: packet.seq, ..running });
            return;
        }
        let decoded = self.pcm.len() - before;
        self.loss.observe(packet.seq - running.last_seq - 1);
        self.awaits_next &= self.loss.is_present();
        self.packet_time = self.conversion.rate.duration(decoded);
        self.follow_packet_length(decoded);
        let next = packet.timestamp.wrapping_add(self.conversion.ticks_of(decoded));
        self.running = Some(Running { next, last_seq: packet.seq, concealed: 0 });
        self.pause.take_if(|(before, _)| *before < packet.seq);
        if self.kind == CodecKind::Opus && packet.payload.len() <= EMPTY_OPUS {
            self.pause = Some((packet.seq, ComfortNoise::like(self.pcm.get(before..).unwrap_or_default())));
        }
        self.gain.set(1.0, RETURN);
    }

    /// The delay changes with effect by what divides all packets of late: a longer divisor counts once it has held for a while.
    fn follow_packet_length(&mut self, decoded: usize) {
        let frame = self.conversion.frame();
        let quantum = common_divisor(decoded, frame).max(self.conversion.rate.samples(LEAST_QUANTUM));
        self.longer_quanta = if quantum > self.quantum { self.longer_quanta + 1 } else { 0 };
        if quantum < self.quantum || self.longer_quanta >= LONGER_QUANTA {
            (self.quantum, self.longer_quanta) = (quantum, 0);
        }
    }

    /// Conceals `ticks`; `closes` when the packet right behind them is here.
    fn conceal(&mut self, running: Running, ticks: u32, closes: bool) {
        let samples = self.conversion.samples_of(ticks);
        let next = self.buffer.front().filter(|_| closes).map(|front| front.payload.as_slice());
        let repaired = self.decoder.conceal(samples, next, &mut self.pcm);
        self.stats.repaired += u64::from(repaired > 0);
        let concealed = running.concealed.saturating_add(ticks);
        self.running = Some(Running { next: running.next.wrapping_add(ticks), concealed, ..running });
        self.stats.concealed += self.conversion.rate.duration(samples.saturating_sub(repaired));
        if concealed > self.conversion.ticks(FADE_AFTER) {
            self.gain.set(0.0, FADE);
        }
    }

    /// Brings the delay a little nearer to its target.
    fn scale_time(&mut self, frame: usize) {
        if !self.scaling.is_due() || self.running.is_none_or(|running| running.concealed > 0) {
            return;
        }
        let rate = self.conversion.rate;
        let grid = Grid { conversion: self.conversion, quantum: self.quantum };
        let quantum = self.conversion.micros_of(self.quantum as i64).max(1);
        let extra = if self.awaits_next { micros_in(self.packet_time) } else { 0 };
        let correction = self.target.correction(extra, quantum);
        self.scaling.set_urgent(matches!(correction, Correction::Shorten(_, Choice::Now)));
        match correction {
            Correction::Keep => {}
            Correction::Lengthen => {
                let quanta = self.scaling.lengthen(&mut self.pcm, grid);
                self.target.moved(quanta * quantum);
            }
            Correction::Shorten(spare, choice) => {
                let spare = usize::try_from(spare / quantum).unwrap_or(0);
                let limit = grid.phase(self.pcm.len()) + spare * self.quantum;
                while self.pcm.len() < frame + limit.min(rate.samples(PULL) / 2) && self.front_is_next() {
                    self.decode_front();
                }
                let quanta = self.scaling.shorten(&mut self.pcm, grid, limit, choice);
                self.target.moved(-quanta * quantum);
            }
        }
    }

    /// Where a packet that lies `ahead` of `next` will lie behind the next pull's first sample, in samples.
    fn position(&self, ahead: i32) -> i64 {
        self.pcm.len() as i64 + self.conversion.distance(ahead)
    }

    fn front_is_next(&self) -> bool {
        let front = self.buffer.front().zip(self.running);
        front.is_some_and(|(front, running)| front.timestamp.wrapping_sub(running.next).cast_signed() <= 0)
    }
}

fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}
