//! The mix of one meeting: its seats, mix-minus, speaker detection, and the recorder's tap.
//!
//! Audio of each leg comes in and its mix goes out by [`BridgeLegs`], which the owner of the legs implements. The only way onto a bridge
//! is [`Bridge::seat`] with an [`Admission`], which only the policy can mint (M-8): a leg that has none is on no bridge at all.

use std::time::{Duration, Instant};

use crate::codec::{CodecKind, Encoder, EncoderSettings};
use crate::common::ids::{ParticipantId, PeerId};
use crate::common::units::Hz;
use crate::dsp::frame::Frame;
use crate::dsp::limiter::Limiter;
use crate::policy::Admission;

use super::leg::MediaEnd;
use super::record::Recorder;
use super::seat::{Gate, Seat};
use super::shared_mix::{SharedMix, TickSound};
use super::speakers::SpeakerSelection;

/// Samples of a frame at the bridge's rate, 48 kHz.
const FRAME: usize = 960;
/// The same, as the recorder counts.
const FRAME_48K: u32 = 960;
/// Least time between two reports of who speaks: a page marks the speakers, and the mark must not flicker.
const SPEAKING_EVERY: Duration = Duration::from_millis(100);

/// The legs of a bridge, as their owner lends them for one tick.
pub(super) trait BridgeLegs {
    /// Puts the next 20 ms (48 kHz) of the leg at `end` into `frame`.
    fn pull(&mut self, now: Instant, end: MediaEnd, frame: &mut Frame);
    /// Sends 20 ms of the mix to the leg at `end`.
    fn send(&mut self, now: Instant, end: MediaEnd, mix: TickSound<'_>);
    /// Publishes 20 ms of a leg's own voice by `publisher`: the frame with its level in dBov, or `None` for silence.
    fn publish(&mut self, now: Instant, publisher: PeerId, sound: Option<(&Frame, f32)>);
}

/// One meeting's mix.
pub(super) struct Bridge {
    slot: u8,
    seats: Vec<Seat>,
    selection: SpeakerSelection,
    sum: Box<[i32; FRAME]>,
    limiter: Limiter,
    common: SharedMix,
    out: Frame,
    tap: Option<Tap>,
    speaking: Vec<ParticipantId>,
    /// When `speaking` was reported last.
    reported_at: Option<Instant>,
}

/// The recorder's tap of a bridge: the mix of all who may speak, and nothing else (N-12).
struct Tap {
    recorder: Recorder,
    encoder: Box<dyn Encoder>,
    paused: bool,
    payload: Vec<u8>,
}

/// Changes that a tick of a bridge has brought.
#[derive(Debug, Default)]
pub(super) struct BridgeTick {
    /// Speakers, loudest first, if they have changed.
    pub(super) speaking: Option<Vec<ParticipantId>>,
    /// The recorder takes no more audio (N-12).
    pub(super) recorder_failed: bool,
}

impl Bridge {
    /// An empty bridge that ticks in `slot` (0 to 7) and mixes at most so many `speakers` at a time.
    #[must_use]
    pub(super) fn new(slot: u8, speakers: usize) -> Self {
        Self {
            slot,
            seats: Vec::new(),
            selection: SpeakerSelection::new(speakers),
            sum: Box::new([0; FRAME]),
            limiter: Limiter::new(),
            common: SharedMix::default(),
            out: Frame::silence(Hz::FULL),
            tap: None,
            speaking: Vec::new(),
            reported_at: None,
        }
    }

    /// Effort of the encoders of its common mix, 0 to 10.
    pub(super) fn set_complexity(&mut self, complexity: u8) {
        self.common.set_complexity(complexity);
    }

    /// The slot of the frame in which it ticks.
    #[must_use]
    pub(super) const fn slot(&self) -> u8 {
        self.slot
    }

    /// Seats a leg. The admission stays with the seat; without one there is none.
    pub(super) fn seat(&mut self, end: MediaEnd, admission: Admission, gate: Gate) {
        self.unseat(end);
        self.seats.push(Seat::new(end, admission, gate));
    }

    /// Takes a leg off the bridge.
    pub(super) fn unseat(&mut self, end: MediaEnd) {
        self.seats.retain(|seat| seat.end != end);
    }

    /// Gives a seat to another leg of the same participant; the admission stays where it is.
    pub(super) fn replace(&mut self, old: MediaEnd, new: MediaEnd) {
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.end == old) {
            seat.end = new;
        }
    }

    /// Sets which directions are open for `end`.
    pub(super) fn gate(&mut self, end: MediaEnd, gate: Gate) {
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.end == end) {
            seat.set_gate(gate);
        }
    }

    /// Publishes what `end` says by a connection to an SFU as well, or no longer.
    pub(super) fn publish(&mut self, end: MediaEnd, publisher: Option<PeerId>) {
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.end == end) {
            seat.publisher = publisher;
        }
    }

    /// The legs with a seat, in order of seating.
    pub(super) fn ends(&self) -> impl Iterator<Item = MediaEnd> + '_ {
        self.seats.iter().map(|seat| seat.end)
    }

    /// Starts to record. A recording that was going on is finished first.
    ///
    /// # Errors
    /// When no encoder can be made.
    pub(super) fn record(&mut self, recorder: Recorder) -> Result<(), crate::codec::CodecError> {
        let encoder = CodecKind::Opus.encoder(EncoderSettings::for_file())?;
        self.tap = Some(Tap { recorder, encoder, paused: false, payload: Vec::with_capacity(400) });
        Ok(())
    }

    /// Pauses or resumes the recording.
    pub(super) fn pause_recording(&mut self, paused: bool) {
        if let Some(tap) = &mut self.tap {
            tap.paused = paused;
        }
    }

    /// Stops to record; the file is finished by the recorder's own thread.
    pub(super) fn stop_recording(&mut self) {
        self.tap = None;
    }

    /// One tick of 20 ms.
    pub(super) fn tick(&mut self, now: Instant, legs: &mut impl BridgeLegs) -> BridgeTick {
        self.collect(now, legs);
        self.limiter.process(self.sum.as_slice(), self.common.advance().samples_mut());
        self.distribute(now, legs);
        BridgeTick { speaking: self.changed_speaking(now), recorder_failed: self.feed_recorder() }
    }

    /// Adds up the legs that are selected.
    fn collect(&mut self, now: Instant, legs: &mut impl BridgeLegs) {
        for seat in &mut self.seats {
            legs.pull(now, seat.end, &mut seat.frame);
            seat.take();
            if let Some(publisher) = seat.publisher {
                legs.publish(now, publisher, seat.sound());
            }
        }
        self.selection.select(self.seats.iter().enumerate().filter_map(|(at, seat)| seat.candidate(at)));
        self.sum.fill(0);
        for (at, seat) in self.seats.iter_mut().enumerate() {
            seat.mix(self.selection.contains(at), self.sum.as_mut_slice());
        }
    }

    /// Sends each leg its mix: the common one, or one without its own voice.
    fn distribute(&mut self, now: Instant, legs: &mut impl BridgeLegs) {
        let mut minus = [0_i32; FRAME];
        for seat in self.seats.iter_mut().filter(|seat| !matches!(seat.end, MediaEnd::Track(_))) {
            if seat.is_deaf() {
                legs.send(now, seat.end, TickSound::Nothing);
            } else if seat.shares_the_mix() {
                legs.send(now, seat.end, TickSound::Common(&mut self.common));
            } else {
                seat.render(self.sum.as_slice(), &mut minus, &mut self.out);
                legs.send(now, seat.end, TickSound::Own(&self.out, Some(&self.common)));
            }
        }
    }

    fn changed_speaking(&mut self, now: Instant) -> Option<Vec<ParticipantId>> {
        if self.reported_at.is_some_and(|at| now.saturating_duration_since(at) < SPEAKING_EVERY) {
            return None;
        }
        let loud = |seat: &Seat| Some((seat.speaks_at()?, seat.admission.participant()));
        let mut speaking: Vec<_> = self.seats.iter().filter_map(loud).collect();
        speaking.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let speaking: Vec<_> = speaking.into_iter().map(|(_, who)| who).collect();
        let same = speaking.len() == self.speaking.len() && speaking.iter().all(|who| self.speaking.contains(who));
        if same {
            return None;
        }
        self.reported_at = Some(now);
        self.speaking.clone_from(&speaking);
        Some(speaking)
    }

    fn feed_recorder(&mut self) -> bool {
        let Some(tap) = &mut self.tap else { return false };
        if !tap.paused {
            tap.payload.clear();
            let fed = tap.encoder.encode(self.common.frame().samples(), &mut tap.payload).is_ok()
                && tap.recorder.write(&tap.payload, FRAME_48K).is_ok();
            if !fed {
                self.tap = None;
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests;
