//! The mix of one meeting: its seats, mix-minus, speaker detection, and the recorder's tap.
//!
//! Audio of each leg comes in and its mix goes out by [`BridgeLegs`], which the owner of the legs implements. The only way onto a bridge
//! is [`Bridge::seat`] with an [`Admission`], which only the policy can mint (M-8): a leg that has none is on no bridge at all.

use std::time::{Duration, Instant};

use crate::codec::{CodecKind, Encoder, EncoderSettings};
use crate::common::ids::ParticipantId;
use crate::common::units::Hz;
use crate::dsp::frame::Frame;
use crate::dsp::gain::Gain;
use crate::dsp::level::{SILENCE, SpeakingDetector, dbov};
use crate::dsp::limiter::Limiter;
use crate::policy::Admission;

use super::leg::MediaEnd;
use super::record::Recorder;
use super::shared_mix::{SharedMix, TickSound};

/// Samples of a frame at the bridge's rate, 48 kHz.
const FRAME: usize = 960;
/// The same, as the recorder counts.
const FRAME_48K: u32 = 960;
/// How long a frame lasts.
const TICK: Duration = Duration::from_millis(20);
/// Fade of a gate that opens or shuts: no click, and no syllable lost.
const RAMP: Duration = Duration::from_millis(8);
/// Least time between two reports of who speaks: a page marks the speakers, and the mark must not flicker.
const SPEAKING_EVERY: Duration = Duration::from_millis(100);
/// Level in dBov up to which a leg is left out of the mix: below the background noise of a room, above the idle noise of every codec.
const INAUDIBLE: f32 = -65.0;
/// Ticks for which a leg that fell silent still counts as audible, so that a pause between syllables changes nothing (DESIGN
/// section 7): 300 ms.
const AUDIBLE_HANGOVER: u32 = 15;

/// Directions in which audio passes between a leg and its bridge: derived by the policy, applied by the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gate {
    /// The mix is sent to the leg.
    pub hear: bool,
    /// The leg's audio is mixed in.
    pub speak: bool,
}

struct Seat {
    end: MediaEnd,
    admission: Admission,
    gate: Gate,
    hear: Gain,
    speak: Gain,
    speaking: SpeakingDetector,
    /// Level of its frame, in dBov.
    level: f32,
    /// Ticks since its level was audible.
    inaudible: u32,
    limiter: Limiter,
    frame: Frame,
}

impl Seat {
    /// Its frame is part of the mix.
    const fn is_audible(&self) -> bool {
        self.inaudible < AUDIBLE_HANGOVER
    }
}

/// The legs of a bridge, as their owner lends them for one tick.
pub(super) trait BridgeLegs {
    /// Puts the next 20 ms (48 kHz) of the leg at `end` into `frame`.
    fn pull(&mut self, now: Instant, end: MediaEnd, frame: &mut Frame);
    /// Sends 20 ms of the mix to the leg at `end`.
    fn send(&mut self, now: Instant, end: MediaEnd, mix: TickSound<'_>);
}

/// One meeting's mix.
pub(super) struct Bridge {
    slot: u8,
    seats: Vec<Seat>,
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
    /// An empty bridge that ticks in `slot` (0 to 7).
    #[must_use]
    pub(super) fn new(slot: u8) -> Self {
        Self {
            slot,
            seats: Vec::new(),
            sum: Box::new([0; FRAME]),
            limiter: Limiter::new(),
            common: SharedMix::default(),
            out: Frame::silence(Hz::FULL),
            tap: None,
            speaking: Vec::new(),
            reported_at: None,
        }
    }

    /// The slot of the frame in which it ticks.
    #[must_use]
    pub(super) const fn slot(&self) -> u8 {
        self.slot
    }

    /// Seats a leg. The admission stays with the seat; without one there is none.
    pub(super) fn seat(&mut self, end: MediaEnd, admission: Admission, gate: Gate) {
        self.unseat(end);
        let on = |open| if open { 1.0 } else { 0.0 };
        self.seats.push(Seat {
            end,
            admission,
            gate,
            hear: Gain::new(on(gate.hear)),
            speak: Gain::new(on(gate.speak)),
            speaking: SpeakingDetector::new(),
            level: SILENCE,
            inaudible: AUDIBLE_HANGOVER,
            limiter: Limiter::new(),
            frame: Frame::silence(Hz::FULL),
        });
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
            seat.gate = gate;
            seat.hear.set(if gate.hear { 1.0 } else { 0.0 }, RAMP);
            seat.speak.set(if gate.speak { 1.0 } else { 0.0 }, RAMP);
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
        let encoder = CodecKind::Opus.encoder(EncoderSettings::default())?;
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

    /// Adds up all audible legs.
    fn collect(&mut self, now: Instant, legs: &mut impl BridgeLegs) {
        self.sum.fill(0);
        for seat in &mut self.seats {
            legs.pull(now, seat.end, &mut seat.frame);
            // A gate that is shut, and whose fade has ended, is silence by assignment and not by multiplication.
            if !seat.gate.speak && seat.speak.is_silent() {
                seat.frame = Frame::silence(Hz::FULL);
                seat.level = SILENCE;
            } else {
                seat.speak.apply(seat.frame.samples_mut(), Hz::FULL);
                seat.level = dbov(seat.frame.samples());
            }
            seat.speaking.hear_level(seat.level, TICK);
            seat.inaudible = if seat.level > INAUDIBLE { 0 } else { seat.inaudible.saturating_add(1) };
            if seat.is_audible() {
                for (sum, sample) in self.sum.iter_mut().zip(seat.frame.samples()) {
                    *sum += i32::from(*sample);
                }
            }
        }
    }

    /// Sends each leg its mix: the common one, or one without its own voice.
    fn distribute(&mut self, now: Instant, legs: &mut impl BridgeLegs) {
        let mut minus = [0_i32; FRAME];
        for seat in &mut self.seats {
            if !seat.gate.hear && seat.hear.is_silent() {
                legs.send(now, seat.end, TickSound::Nothing);
                continue;
            }
            if !seat.is_audible() && seat.hear.is_unity() {
                legs.send(now, seat.end, TickSound::Common(&mut self.common));
                continue;
            }
            if seat.is_audible() {
                for ((minus, sum), own) in minus.iter_mut().zip(self.sum.iter()).zip(seat.frame.samples()) {
                    *minus = *sum - i32::from(*own);
                }
            } else {
                minus.copy_from_slice(self.sum.as_slice());
            }
            seat.limiter.process(&minus, self.out.samples_mut());
            seat.hear.apply(self.out.samples_mut(), Hz::FULL);
            legs.send(now, seat.end, TickSound::Own(&self.out, Some(&self.common)));
        }
    }

    fn changed_speaking(&mut self, now: Instant) -> Option<Vec<ParticipantId>> {
        if self.reported_at.is_some_and(|at| now.saturating_duration_since(at) < SPEAKING_EVERY) {
            return None;
        }
        let mut speaking: Vec<_> = self.seats.iter().filter(|seat| seat.speaking.speaking()).collect();
        speaking.sort_by(|a, b| b.level.total_cmp(&a.level));
        let speaking: Vec<_> = speaking.iter().map(|seat| seat.admission.participant()).collect();
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
