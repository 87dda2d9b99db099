//! [`Seat`]: what a bridge knows of one leg, and what it does to the leg's frame before the frame is mixed.

use std::time::Duration;

use crate::common::ids::PeerId;

use super::leg::MediaEnd;
use super::speakers::{Candidate, Loudness};
use crate::common::units::Hz;
use crate::dsp::frame::Frame;
use crate::dsp::gain::Gain;
use crate::dsp::level::{SILENCE, dbov};
use crate::dsp::leveller::Leveller;
use crate::dsp::limiter::Limiter;
use crate::dsp::voice_activity::VoiceActivityDetector;
use crate::policy::Admission;

/// Fade of a gate that opens or shuts: no click, and no syllable lost.
const GATE_RAMP: Duration = Duration::from_millis(8);
/// Fade of a seat that is selected: in the very frame in which somebody begins to speak, so that the beginning of the word is there.
const FADE_IN: Duration = Duration::from_millis(5);
/// Fade of a seat that is selected no more: its background noise goes unnoticed.
const FADE_OUT: Duration = Duration::from_millis(100);
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

/// One leg's place on a bridge.
pub(super) struct Seat {
    pub(super) end: MediaEnd,
    pub(super) admission: Admission,
    pub(super) frame: Frame,
    /// The connection to an SFU by which its own voice is published.
    pub(super) publisher: Option<PeerId>,
    gate: Gate,
    hear: Gain,
    speak: Gain,
    activity: VoiceActivityDetector,
    leveller: Leveller,
    loudness: Loudness,
    selected: bool,
    /// The fade of the selection.
    fade: Gain,
    /// Level of its frame, in dBov.
    level: f32,
    /// Ticks since its level was audible.
    inaudible: u32,
    /// Its frame is part of this tick's mix.
    mixed: bool,
    /// Of the mix without its own frame.
    limiter: Limiter,
}

const fn on(open: bool) -> f32 {
    if open { 1.0 } else { 0.0 }
}

impl Seat {
    pub(super) fn new(end: MediaEnd, admission: Admission, gate: Gate) -> Self {
        Self {
            end,
            admission,
            frame: Frame::silence(Hz::FULL),
            publisher: None,
            gate,
            hear: Gain::new(on(gate.hear)),
            speak: Gain::new(on(gate.speak)),
            activity: VoiceActivityDetector::new(),
            leveller: Leveller::new(),
            loudness: Loudness::NONE,
            selected: false,
            fade: Gain::new(0.0),
            level: SILENCE,
            inaudible: AUDIBLE_HANGOVER,
            mixed: false,
            limiter: Limiter::new(),
        }
    }

    /// Sets which directions are open.
    pub(super) fn set_gate(&mut self, gate: Gate) {
        self.gate = gate;
        self.hear.set(on(gate.hear), GATE_RAMP);
        self.speak.set(on(gate.speak), GATE_RAMP);
    }

    /// Takes the leg's next 20 ms, which lie in `frame`, as far as the gate lets them pass, and measures them.
    pub(super) fn take(&mut self) {
        // A gate that is shut, and whose fade has ended, is silence by assignment and not by multiplication.
        if !self.gate.speak && self.speak.is_silent() {
            self.frame = Frame::silence(self.frame.rate());
            self.level = SILENCE;
        } else {
            let rate = self.frame.rate();
            self.speak.apply(self.frame.samples_mut(), rate);
            self.level = dbov(self.frame.samples());
        }
        self.inaudible = if self.level > INAUDIBLE { 0 } else { self.inaudible.saturating_add(1) };
        self.activity.process(&self.frame, self.level);
        self.leveller.measure(self.level, &self.activity);
        let level = self.level + self.leveller.gain();
        self.loudness.follow(self.activity.is_voiced().then_some(level));
    }

    /// The leg's own voice behind its gate, with its level in dBov: before it is levelled, and whether it is mixed or not. `None` while it is
    /// not audible.
    pub(super) fn sound(&self) -> Option<(&Frame, f32)> {
        (self.inaudible < AUDIBLE_HANGOVER).then_some((&self.frame, self.level))
    }

    /// What the selection is to know of it; `None` where it may not speak.
    pub(super) fn candidate(&self, seat: usize) -> Option<Candidate> {
        let Self { selected, loudness, .. } = *self;
        self.gate.speak.then(|| Candidate { seat, active: self.activity.is_active(), selected, loudness })
    }

    /// Brings its frame to the level at which it is mixed, and adds it to `sum`, if it is selected and audible.
    pub(super) fn mix(&mut self, selected: bool, sum: &mut [i32]) {
        self.selected = selected;
        self.fade.set(on(selected), if selected { FADE_IN } else { FADE_OUT });
        self.mixed = self.inaudible < AUDIBLE_HANGOVER && !self.fade.is_silent();
        if self.mixed {
            self.leveller.apply(&mut self.frame);
            let rate = self.frame.rate();
            self.fade.apply(self.frame.samples_mut(), rate);
            for (sum, sample) in sum.iter_mut().zip(self.frame.samples()) {
                *sum += i32::from(*sample);
            }
        }
    }

    /// Its gate lets nothing through to it.
    pub(super) fn is_deaf(&self) -> bool {
        !self.gate.hear && self.hear.is_silent()
    }

    /// It is sent what all are sent who are not mixed.
    pub(super) fn shares_the_mix(&self) -> bool {
        !self.mixed && self.hear.is_unity()
    }

    /// Writes the mix without its own frame to `out`.
    pub(super) fn render(&mut self, sum: &[i32], minus: &mut [i32], out: &mut Frame) {
        if self.mixed {
            for ((minus, sum), own) in minus.iter_mut().zip(sum).zip(self.frame.samples()) {
                *minus = *sum - i32::from(*own);
            }
        } else {
            minus.copy_from_slice(sum);
        }
        let rate = out.rate();
        self.limiter.process(minus, out.samples_mut());
        self.hear.apply(out.samples_mut(), rate);
    }

    /// Level of its last frame, in dBov, where somebody speaks at it.
    pub(super) fn speaks_at(&self) -> Option<f32> {
        self.activity.is_speaking().then_some(self.level)
    }
}
