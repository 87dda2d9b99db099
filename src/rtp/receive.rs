//! [`AudioReceiver`]: packets in, whenever the network brings them; 20 ms frames out, whenever they are asked for.
//!
//! Playout follows the sender's timestamps: `next` is the one whose sound is wanted next. What is missing is made up and `next`
//! moves on. A packet that comes too late for that, but whose place has only been filled with made-up sound, is played all the
//! same, and the delay is longer from then on; so jitter sets the delay by itself. When packets keep coming with time to
//! spare, time is cut out again, a pitch period at a time. The same two moves follow a sender's clock that runs fast or slow.
//!
//! A frame is pulled as a whole, so a packet is *needed* at the pull that takes its first sample, wherever in the frame that
//! lies. Its headroom is the time from its arrival to that pull. Moving playout by less than a *quantum* (the common divisor
//! of packet and frame: 20 ms for most devices) therefore gains nothing; delay goes up and down in quanta.

use std::time::{Duration, Instant};

use crate::codec::{CodecError, CodecKind, Decoder};
use crate::common::units::Hz;
use crate::dsp::Frame;
use crate::dsp::gain::Gain;
use crate::dsp::stretch::{self, Choice};
use crate::rtp::jitter::{BufferedPacket, Headroom, Inserted, JitterBuffer};
use crate::rtp::packet::Packet;
use crate::rtp::rtcp::ReceptionStats;

/// How often a frame is pulled.
const PULL: Duration = Duration::from_millis(20);
/// Headroom (µs) a stream begins with: arrivals may be 3 ms off either way, pulls 1 ms, and the first packet was perhaps early.
const FIRST_HEADROOM: i64 = 8_000;
/// Headroom that is left when a quantum is taken out.
const WANTED_HEADROOM: i64 = 5_000;
/// Below this, a quantum is put in where nobody hears it, before a packet comes too late.
const LEAST_HEADROOM: i64 = 1_500;
/// Above this, time is taken out even where it may be heard.
const FAR_TOO_LONG: i64 = 60_000;
/// The longest delay: what has waited longer is given up. Also how long made-up sound can be replaced by late packets.
const LONGEST_DELAY: Duration = Duration::from_millis(200);
/// Made-up sound fades from here on, whatever the codec makes up.
const FADE_AFTER: Duration = Duration::from_millis(60);
const FADE: Duration = Duration::from_millis(40);
const RETURN: Duration = Duration::from_millis(5);
/// One change of time every so many pulls.
const STRETCH_EVERY: u32 = 5;
/// No packet of ours is shorter than this; a stranger length counts as this.
const LEAST_QUANTUM: Duration = Duration::from_micros(2500);
/// A packet that was waiting this long before the first pull is history.
const STALE: Duration = Duration::from_millis(60);
/// A larger payload than any codec of ours makes of 60 ms is not audio.
const LARGEST_PAYLOAD: usize = 1500;
/// A sequence number this far off begins a new sequence, once its successor has come too (RFC 3550 A.1).
const RESTART: i64 = 3000;
/// The next samples after time was given up are made up, so that the decoder blends into them.
const SPLICE: Duration = Duration::from_millis(5);

/// What has become of a device's audio so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReceiverStats {
    /// Audio packets received, duplicates not counted.
    pub received: u64,
    /// Packets of any payload type that never came.
    pub lost: u64,
    /// Packets that came after their sound was due and could not be used.
    pub late: u64,
    /// Packets that came twice.
    pub duplicate: u64,
    /// Packets given up: unreadable, or too many.
    pub discarded: u64,
    /// RFC 3550 interarrival jitter.
    pub jitter: Duration,
    /// Sound made up for want of packets while the stream was running.
    pub concealed: Duration,
    /// From a packet's arrival to its first sample being played, plus the packet's own length: an average.
    pub delay: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    /// The timestamp whose sound is wanted next, behind everything in `pcm`.
    next: u32,
    /// The packet decoded last.
    last_seq: i64,
    /// Ticks made up since then.
    made_up: u32,
}

#[derive(Clone, Copy, Debug)]
struct Sequence {
    ssrc: u32,
    highest: i64,
    /// Which of `highest` and the 63 numbers below it have come, `highest` in the lowest bit.
    seen: u64,
    /// The number that would confirm a restart.
    restart: Option<u16>,
}

enum Arrival {
    /// A new packet, with its number on the endless scale.
    New(i64),
    Duplicate,
    /// Beyond what can be placed.
    Astray,
}

/// The receiving side of one audio stream.
pub struct AudioReceiver {
    kind: CodecKind,
    pt: u8,
    clock: Hz,
    rate: Hz,
    decoder: Box<dyn Decoder>,
    sequence: Option<Sequence>,
    buffer: JitterBuffer,
    headroom: Headroom,
    /// Decoded, not yet pulled: at most a packet and a frame.
    pcm: Vec<i16>,
    running: Option<Running>,
    last_pull: Option<Instant>,
    since_stretch: u32,
    gain: Gain,
    packet_time: Duration,
    /// Samples in which the delay can change with effect.
    quantum: usize,
    /// Average time from arrival to playout, µs.
    waited: i64,
    reception: ReceptionStats,
    stats: ReceiverStats,
}

// === impl AudioReceiver ===

impl AudioReceiver {
    /// A receiver for `kind`, sent with payload type `pt`.
    ///
    /// # Errors
    /// [`CodecError::Create`] when the decoder cannot be made.
    pub fn new(kind: CodecKind, pt: u8) -> Result<Self, CodecError> {
        let row = kind.row();
        Ok(Self {
            kind,
            pt,
            clock: row.rtp_clock,
            rate: row.sample_rate,
            decoder: kind.decoder()?,
            sequence: None,
            buffer: JitterBuffer::default(),
            headroom: Headroom::default(),
            pcm: Vec::new(),
            running: None,
            last_pull: None,
            since_stretch: 0,
            gain: Gain::new(1.0),
            packet_time: PULL,
            quantum: row.sample_rate.samples(PULL),
            waited: 0,
            reception: ReceptionStats::default(),
            stats: ReceiverStats::default(),
        })
    }

    /// The rate of the frames that come out.
    #[must_use]
    pub fn rate(&self) -> Hz {
        self.rate
    }

    /// Takes an RTP packet of the stream. Packets of other payload types are to be put in as well: their numbers tell loss from
    /// pauses.
    pub fn insert(&mut self, now: Instant, packet: &Packet<'_>) {
        let seq = match self.place(packet) {
            Arrival::New(seq) => seq,
            Arrival::Duplicate => {
                self.stats.duplicate += 1;
                return;
            }
            Arrival::Astray => {
                self.stats.discarded += 1;
                return;
            }
        };
        self.reception.received(now, packet, self.clock);
        if packet.pt != self.pt {
            return;
        }
        self.stats.received += 1;
        if packet.payload.is_empty() || packet.payload.len() > LARGEST_PAYLOAD {
            self.stats.discarded += 1;
            return;
        }
        if let Some(mut running) = self.running {
            if !self.fits(now, seq, packet.timestamp, &mut running) {
                return;
            }
            self.running = (!self.is_off_course(packet.timestamp, running)).then_some(running);
            if self.running.is_none() {
                self.stats.discarded += self.buffer.len() as u64;
                self.buffer.clear();
            }
        }
        if self.buffer.insert(now, seq, packet) == Inserted::Displaced {
            self.stats.discarded += 1;
        }
    }

    /// Gives the next 20 ms at [`AudioReceiver::rate`]; to be called every 20 ms. Silence before the stream begins and 100 ms
    /// after it has stopped.
    pub fn pull(&mut self, now: Instant, out: &mut Frame) {
        if out.rate() != self.rate {
            *out = Frame::silence(self.rate);
        }
        self.last_pull = Some(now);
        self.begin(now);
        self.give_up_old();
        let frame = self.rate.samples(PULL);
        self.fill(frame);
        self.stretch(frame);
        let samples = out.samples_mut();
        samples.copy_from_slice(&self.pcm[..frame]);
        self.pcm.drain(..frame);
        self.gain.apply(samples, self.rate);
    }

    /// What has become of the stream so far.
    #[must_use]
    pub fn stats(&self) -> ReceiverStats {
        let jitter = self.clock.duration(self.reception.jitter_ticks() as usize);
        let delay = self.packet_time + Duration::from_micros(u64::try_from(self.waited).unwrap_or(0));
        let lost = u64::try_from(self.reception.lost()).unwrap_or(0);
        ReceiverStats { jitter, delay, lost, ..self.stats }
    }

    /// Puts a packet's number on the endless scale; a new source or sequence begins everything anew.
    fn place(&mut self, packet: &Packet<'_>) -> Arrival {
        let fresh = Sequence { ssrc: packet.ssrc, highest: i64::from(packet.seq), seen: 1, restart: None };
        let Some(sequence) = self.sequence.as_mut() else {
            self.sequence = Some(fresh);
            return Arrival::New(fresh.highest);
        };
        if sequence.ssrc != packet.ssrc || sequence.restart == Some(packet.seq) {
            self.restart(fresh);
            return Arrival::New(fresh.highest);
        }
        let ahead = i64::from(packet.seq.wrapping_sub(sequence.highest as u16).cast_signed());
        if ahead.abs() >= RESTART {
            sequence.restart = Some(packet.seq.wrapping_add(1));
            return Arrival::Astray;
        }
        sequence.restart = None;
        if ahead > 0 {
            sequence.seen = u32::try_from(ahead).ok().and_then(|ahead| sequence.seen.checked_shl(ahead)).unwrap_or(0) | 1;
            sequence.highest += ahead;
        } else {
            // Older than the 64 that are remembered: far too late in any case.
            let bit = u32::try_from(-ahead).ok().and_then(|behind| 1u64.checked_shl(behind)).unwrap_or(0);
            if sequence.seen & bit != 0 {
                return Arrival::Duplicate;
            }
            sequence.seen |= bit;
            return Arrival::New(sequence.highest + ahead);
        }
        Arrival::New(sequence.highest)
    }

    fn restart(&mut self, sequence: Sequence) {
        self.sequence = Some(sequence);
        self.stats.discarded += self.buffer.len() as u64;
        self.buffer.clear();
        self.running = None;
        // The new source's signal has nothing to do with the old one's decoder state; without memory the old decoder serves.
        if let Ok(decoder) = self.kind.decoder() {
            self.decoder = decoder;
        }
    }

    /// Whether the packet can still be played; when only made-up sound stands in its place, playout goes back to it.
    fn fits(&mut self, now: Instant, seq: i64, timestamp: u32, running: &mut Running) -> bool {
        let ahead = timestamp.wrapping_sub(running.next).cast_signed();
        let Some(last_pull) = self.last_pull else { return true };
        let until_pull = micros(last_pull + PULL, now);
        let position = self.position(ahead);
        let newest = self.sequence.is_some_and(|sequence| sequence.highest == seq);
        let bound = 2 * self.ticks(LONGEST_DELAY).cast_signed();
        if (-bound..=bound).contains(&ahead) {
            self.headroom.observe(now, until_pull + self.needed(position));
        }
        if ahead >= 0 {
            self.waited += (until_pull + self.micros_of(position) - self.waited) / 8;
            return true;
        }
        if seq > running.last_seq && ahead.unsigned_abs() <= running.made_up {
            let mut back = ahead.unsigned_abs();
            if until_pull < LEAST_HEADROOM {
                // The packets behind it would come too late again: one more quantum stays made up.
                back = back.saturating_add(self.ticks_of(self.quantum));
            }
            running.next = running.next.wrapping_sub(back);
            running.made_up = running.made_up.saturating_sub(back);
            let moved = self.needed(position + self.samples_of(back) as i64) - self.needed(position);
            self.headroom.shifted(moved);
            return true;
        }
        // The newest packet cannot be late when nothing was made up: the sender's timeline has jumped, see `is_off_course`.
        if newest && seq > running.last_seq && ahead.unsigned_abs() > running.made_up {
            return true;
        }
        self.stats.late += 1;
        false
    }

    /// Whether a timestamp lies where the timeline cannot lead: playout then begins anew at it.
    fn is_off_course(&self, timestamp: u32, running: Running) -> bool {
        let ahead = timestamp.wrapping_sub(running.next).cast_signed();
        let waiting = self.buffer.back().map_or(0, |back| back.timestamp.wrapping_sub(running.next).cast_signed().max(0));
        ahead < 0 && ahead.unsigned_abs() > running.made_up
            || i64::from(ahead) > i64::from(waiting) + 5 * i64::from(self.ticks(LONGEST_DELAY))
    }

    /// Starts playout when a stream begins, or begins again.
    fn begin(&mut self, now: Instant) {
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
        self.headroom.clear();
        self.running = Some(Running { next: front.timestamp, last_seq: front.seq, made_up: 0 });
        self.pcm.clear();
        self.decode(&front);
        // The packets behind it come later by their distance, and the one that is needed soonest before its sound is needed by
        // a frame less a quantum. As many quanta of silence go first as leave enough headroom for that one.
        let quantum = self.micros_of(self.quantum as i64).max(1);
        let headroom = micros(now, front.arrived) - (micros_in(PULL) - quantum);
        let quanta = (FIRST_HEADROOM - headroom + quantum - 1).div_euclid(quantum).clamp(0, 8);
        let silence = self.quantum * usize::try_from(quanta).unwrap_or(0);
        self.pcm.splice(..0, std::iter::repeat_n(0, silence));
        self.waited = micros(now, front.arrived) + quanta * quantum;
    }

    /// After a stall packets come all at once: what would have to wait too long is given up.
    fn give_up_old(&mut self) {
        let Some(mut running) = self.running else { return };
        let longest = self.ticks(LONGEST_DELAY).cast_signed();
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
            self.headroom.clear();
            running.next = front.timestamp.wrapping_sub(self.ticks(SPLICE));
            running.last_seq = front.seq - 1;
            self.running = Some(running);
        }
    }

    /// Decodes or makes up until a frame is there.
    fn fill(&mut self, frame: usize) {
        while self.pcm.len() < frame {
            let missing = frame - self.pcm.len();
            let Some(running) = self.running else {
                self.gain.set(0.0, Duration::ZERO);
                self.pcm.resize(frame, 0);
                return;
            };
            let Some(front) = self.buffer.front() else {
                self.make_up(running, self.ticks_of(missing).max(1), false);
                if self.running.is_some_and(|running| running.made_up > self.ticks(LONGEST_DELAY)) {
                    self.running = None;
                }
                continue;
            };
            let gap = front.timestamp.wrapping_sub(running.next).cast_signed();
            if gap <= 0 {
                self.decode_front();
            } else if gap.unsigned_abs() > self.ticks(LONGEST_DELAY) {
                // The packet is here, so its time is now, whatever its timestamp says.
                self.running = Some(Running { next: front.timestamp, ..running });
            } else {
                // A short gap at once, because an in-band copy stands for a packet as a whole.
                let wanted = self.ticks_of(missing).max(self.ticks(FADE_AFTER));
                self.make_up(running, gap.unsigned_abs().min(wanted), gap.unsigned_abs() <= wanted);
            }
        }
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
        self.packet_time = self.rate.duration(decoded);
        self.quantum = common_divisor(decoded, self.rate.samples(PULL)).max(self.rate.samples(LEAST_QUANTUM));
        let next = packet.timestamp.wrapping_add(self.ticks_of(decoded));
        self.running = Some(Running { next, last_seq: packet.seq, made_up: 0 });
        self.gain.set(1.0, RETURN);
    }

    /// Makes up `ticks` of sound; `closes` when the packet right behind them is here.
    fn make_up(&mut self, running: Running, ticks: u32, closes: bool) {
        let samples = self.samples_of(ticks);
        let next = self.buffer.front().filter(|_| closes).map(|front| front.payload.as_slice());
        self.decoder.conceal(samples, next, &mut self.pcm);
        let made_up = running.made_up.saturating_add(ticks);
        self.running = Some(Running { next: running.next.wrapping_add(ticks), made_up, ..running });
        self.stats.concealed += self.rate.duration(samples);
        if made_up > self.ticks(FADE_AFTER) {
            self.gain.set(0.0, FADE);
        }
    }

    /// Brings the delay a little nearer to what the network needs.
    fn stretch(&mut self, frame: usize) {
        self.since_stretch += 1;
        let (Some(least), Some(running)) = (self.headroom.least(), self.running) else { return };
        if self.since_stretch < STRETCH_EVERY || running.made_up > 0 {
            return;
        }
        // Where in its quantum the next packet's sound begins; what is cut up to there costs no headroom.
        let phase = (self.pcm.len() - frame) % self.quantum;
        let quantum = self.micros_of(self.quantum as i64).max(1);
        if least < LEAST_HEADROOM {
            let given = stretch::lengthen(
                &mut self.pcm,
                self.rate,
                (self.quantum - phase).max(self.rate.samples(SPLICE)),
                Choice::Inaudible,
            );
            let crossed = ((phase + given) / self.quantum) as i64;
            self.stretched(given, crossed * quantum);
        } else if self.headroom.is_settled() {
            let spare = usize::try_from((least - WANTED_HEADROOM).div_euclid(quantum)).unwrap_or(0);
            let limit = phase + spare * self.quantum;
            let choice = if least > FAR_TOO_LONG { Choice::Now } else { Choice::Inaudible };
            while self.pcm.len() < frame + limit.min(frame / 2) && self.front_is_next() {
                self.decode_front();
            }
            let limit = limit.min(self.pcm.len() - frame);
            let taken = stretch::shorten(&mut self.pcm, self.rate, limit, choice);
            let crossed = taken.saturating_sub(phase).div_ceil(self.quantum) as i64;
            self.stretched(taken, -crossed * quantum);
        }
    }

    fn stretched(&mut self, samples: usize, by: i64) {
        if samples > 0 {
            self.headroom.shifted(by);
            self.since_stretch = 0;
        }
    }

    /// Where a packet that lies `ahead` of `next` will lie behind the next pull's first sample, in samples.
    fn position(&self, ahead: i32) -> i64 {
        self.pcm.len() as i64 + i64::from(ahead) * i64::from(self.rate.0) / i64::from(self.clock.0)
    }

    /// How long after the next pull the sample at `position` is pulled, in µs.
    fn needed(&self, position: i64) -> i64 {
        position.div_euclid(self.rate.samples(PULL) as i64) * micros_in(PULL)
    }

    fn front_is_next(&self) -> bool {
        let front = self.buffer.front().zip(self.running);
        front.is_some_and(|(front, running)| front.timestamp.wrapping_sub(running.next).cast_signed() <= 0)
    }

    fn ticks(&self, time: Duration) -> u32 {
        u32::try_from(self.clock.samples(time)).unwrap_or(u32::MAX / 4)
    }

    fn ticks_of(&self, samples: usize) -> u32 {
        u32::try_from(samples as u64 * u64::from(self.clock.0) / u64::from(self.rate.0)).unwrap_or(u32::MAX / 4)
    }

    fn samples_of(&self, ticks: u32) -> usize {
        ticks as usize * self.rate.0 as usize / self.clock.0 as usize
    }

    fn micros_of(&self, samples: i64) -> i64 {
        samples * 1_000_000 / i64::from(self.rate.0)
    }
}

fn micros_in(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// `later - earlier` in microseconds, negative when they are the other way round.
fn micros(later: Instant, earlier: Instant) -> i64 {
    micros_in(later.saturating_duration_since(earlier)) - micros_in(earlier.saturating_duration_since(later))
}

#[cfg(test)]
mod tests;
