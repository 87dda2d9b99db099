//! A meeting's mixing place: who is seated, who hears whom (mix-minus), who speaks, and the recorder's tap.
//!
//! The only way onto a bridge is [`Bridge::seat`] with an [`Admission`], which only the policy can mint (M-8). Before that an
//! end is on no bridge at all: nothing of the meeting exists where it is.

use std::time::{Duration, Instant};

use crate::codec::{CodecKind, Encoder, EncoderSettings};
use crate::dsp::frame::Frame;
use crate::dsp::gain::Gain;
use crate::dsp::level::{SpeakingDetector, dbov};
use crate::dsp::limiter::Limiter;
use crate::ids::{ParticipantId, PeerId, PortId};
use crate::policy::Admission;
use crate::units::Hz;

use super::record::Recorder;

/// Samples of a frame at the bridge's rate, 48 kHz.
const FRAME: usize = 960;
/// The same, as the recorder counts.
const FRAME_48K: u32 = 960;
/// How long a frame lasts.
const TICK: Duration = Duration::from_millis(20);
/// How long a gate takes to open or shut: no click, and no syllable lost.
const RAMP: Duration = Duration::from_millis(8);
/// Who speaks is told at most this often; a ring around a name need not flicker.
const SPEAKING_EVERY: Duration = Duration::from_millis(100);

/// An end of media on a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// A device.
    Port(PortId),
    /// A browser.
    Peer(PeerId),
}

/// What an end may do on its bridge: derived by the policy, set here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gate {
    /// It hears the meeting.
    pub hear: bool,
    /// The meeting hears it.
    pub speak: bool,
}

struct Seat {
    end: End,
    admission: Admission,
    gate: Gate,
    hear: Gain,
    speak: Gain,
    speaking: SpeakingDetector,
    limiter: Limiter,
    frame: Frame,
}

/// One meeting's mix.
pub struct Bridge {
    slot: u8,
    seats: Vec<Seat>,
    sum: Box<[i32; FRAME]>,
    out: Frame,
    tap: Option<Tap>,
    speaking: Vec<ParticipantId>,
    told_at: Option<Instant>,
}

/// The recorder's end of a bridge: the mix of all who may speak, and nothing else (N-12).
struct Tap {
    recorder: Recorder,
    encoder: Box<dyn Encoder>,
    limiter: Limiter,
    paused: bool,
    payload: Vec<u8>,
}

/// What a tick of a bridge found out.
#[derive(Debug, Default)]
pub struct Ticked {
    /// Who speaks, if that changed.
    pub speaking: Option<Vec<ParticipantId>>,
    /// The recorder takes no more audio (N-12).
    pub recorder_failed: bool,
}

impl Bridge {
    /// An empty bridge that ticks in `slot` (0 to 7).
    #[must_use]
    pub fn new(slot: u8) -> Self {
        Self {
            slot,
            seats: Vec::new(),
            sum: Box::new([0; FRAME]),
            out: Frame::silence(Hz::FULL),
            tap: None,
            speaking: Vec::new(),
            told_at: None,
        }
    }

    /// When in the frame it ticks.
    #[must_use]
    pub const fn slot(&self) -> u8 {
        self.slot
    }

    /// Seats an end. The admission stays with the seat; without one there is none.
    pub fn seat(&mut self, end: End, admission: Admission, gate: Gate) {
        self.unseat(end);
        let on = |open| if open { 1.0 } else { 0.0 };
        self.seats.push(Seat {
            end,
            admission,
            gate,
            hear: Gain::new(on(gate.hear)),
            speak: Gain::new(on(gate.speak)),
            speaking: SpeakingDetector::new(),
            limiter: Limiter::new(),
            frame: Frame::silence(Hz::FULL),
        });
    }

    /// Takes an end off the bridge.
    pub fn unseat(&mut self, end: End) {
        self.seats.retain(|seat| seat.end != end);
    }

    /// Gives a seat to another end of the same participant; the admission stays where it is.
    pub fn replace(&mut self, old: End, new: End) {
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.end == old) {
            seat.end = new;
        }
    }

    /// Sets what `end` may do.
    pub fn gate(&mut self, end: End, gate: Gate) {
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.end == end) {
            seat.gate = gate;
            seat.hear.set(if gate.hear { 1.0 } else { 0.0 }, RAMP);
            seat.speak.set(if gate.speak { 1.0 } else { 0.0 }, RAMP);
        }
    }

    /// The ends seated here, in order of seating.
    pub fn ends(&self) -> impl Iterator<Item = End> + '_ {
        self.seats.iter().map(|seat| seat.end)
    }

    /// Starts to record. A recorder that was there is finished first.
    ///
    /// # Errors
    /// When no encoder can be made.
    pub fn record(&mut self, recorder: Recorder) -> Result<(), crate::codec::CodecError> {
        let encoder = CodecKind::Opus.encoder(EncoderSettings::default())?;
        self.tap = Some(Tap { recorder, encoder, limiter: Limiter::new(), paused: false, payload: Vec::with_capacity(400) });
        Ok(())
    }

    /// Leaves out, or takes up again.
    pub fn pause_recording(&mut self, paused: bool) {
        if let Some(tap) = &mut self.tap {
            tap.paused = paused;
        }
    }

    /// Stops to record; the file is finished by the recorder's own thread.
    pub fn stop_recording(&mut self) {
        self.tap = None;
    }

    /// One tick of 20 ms: `pull` gives what an end says, `send` takes what it hears.
    pub fn tick(
        &mut self,
        now: Instant,
        mut pull: impl FnMut(End, &mut Frame),
        mut send: impl FnMut(End, Option<&Frame>),
    ) -> Ticked {
        self.sum.fill(0);
        for seat in &mut self.seats {
            pull(seat.end, &mut seat.frame);
            // A gate that is shut, and whose ramp has ended, is silence by assignment and not by multiplication.
            if !seat.gate.speak && seat.speak.is_silent() {
                seat.frame = Frame::silence(Hz::FULL);
            } else {
                seat.speak.apply(seat.frame.samples_mut(), Hz::FULL);
            }
            seat.speaking.hear(seat.frame.samples(), TICK);
            for (sum, sample) in self.sum.iter_mut().zip(seat.frame.samples()) {
                *sum += i32::from(*sample);
            }
        }
        let mut minus = [0_i32; FRAME];
        for seat in &mut self.seats {
            if !seat.gate.hear && seat.hear.is_silent() {
                send(seat.end, None);
                continue;
            }
            for ((minus, sum), own) in minus.iter_mut().zip(self.sum.iter()).zip(seat.frame.samples()) {
                *minus = *sum - i32::from(*own);
            }
            seat.limiter.process(&minus, self.out.samples_mut());
            seat.hear.apply(self.out.samples_mut(), Hz::FULL);
            send(seat.end, Some(&self.out));
        }
        Ticked { speaking: self.changed_speaking(now), recorder_failed: self.feed_recorder() }
    }

    fn changed_speaking(&mut self, now: Instant) -> Option<Vec<ParticipantId>> {
        if self.told_at.is_some_and(|at| now.saturating_duration_since(at) < SPEAKING_EVERY) {
            return None;
        }
        let mut speaking: Vec<_> =
            self.seats.iter().filter(|seat| seat.speaking.speaking()).map(|seat| (dbov(seat.frame.samples()), seat)).collect();
        speaking.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let speaking: Vec<_> = speaking.iter().map(|(_, seat)| seat.admission.participant()).collect();
        let same = speaking.len() == self.speaking.len() && speaking.iter().all(|who| self.speaking.contains(who));
        if same {
            return None;
        }
        self.told_at = Some(now);
        self.speaking.clone_from(&speaking);
        Some(speaking)
    }

    fn feed_recorder(&mut self) -> bool {
        let Some(tap) = &mut self.tap else { return false };
        if !tap.paused {
            tap.limiter.process(self.sum.as_slice(), self.out.samples_mut());
            tap.payload.clear();
            let fed = tap.encoder.encode(self.out.samples(), &mut tap.payload).is_ok()
                && tap.recorder.write(&tap.payload, FRAME_48K).is_ok();
            if !fed {
                self.tap = None;
                return true;
            }
        }
        false
    }
}
