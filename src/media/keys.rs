//! [`Keys`]: the keys of a device, from its packets and its sound, and the silence in which they are pressed (A-2, K-3).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::events::MediaEvent;
use super::profile::Profile;
use crate::common::redact::Redacted;
use crate::common::units::Hz;
use crate::dsp::frame::Frame;
use crate::dsp::key_suppressor::KeySuppressor;
use crate::rtp::dtmf::DtmfReceiver;
use crate::rtp::packet::Packet;

/// How long after an event packet the sound of its key may come: it has waited in jitter buffers, the last tone longest.
const SOUND_FOLLOWS: Duration = Duration::from_secs(1);

/// Keys of one port.
pub(super) struct Keys {
    receiver: DtmfReceiver,
    /// In band: keys are looked for in the sound. Beside events: their tones are, as long as some may come.
    suppressor: Option<KeySuppressor>,
    /// The rate of the sound, which may change with any packet.
    rate: Hz,
    is_inband: bool,
    last_event: Option<Instant>,
    events: VecDeque<MediaEvent>,
}

impl Keys {
    pub(super) fn new(profile: &Profile) -> Self {
        let mut keys = Self {
            receiver: DtmfReceiver::new(),
            suppressor: None,
            rate: profile.codec.row().sample_rate,
            is_inband: profile.inband_keys,
            last_event: None,
            events: VecDeque::new(),
        };
        keys.look_in_band();
        keys
    }

    /// Takes what was agreed on anew.
    pub(super) fn renegotiate(&mut self, before: &Profile, profile: &Profile) {
        if profile.telephone_event != before.telephone_event {
            self.receiver = DtmfReceiver::new();
        }
        if profile.inband_keys != before.inband_keys {
            self.is_inband = profile.inband_keys;
            self.suppressor = None;
            self.look_in_band();
        }
    }

    fn look_in_band(&mut self) {
        if self.is_inband {
            self.suppressor.insert(KeySuppressor::new(self.rate)).look_ahead();
        }
    }

    /// A packet of a telephone-event payload type.
    pub(super) fn packet(&mut self, now: Instant, packet: &Packet<'_>) {
        if let Some(digit) = self.receiver.handle(now, packet) {
            self.events.push_back(MediaEvent::Digit(Redacted::new(digit.digit)));
        }
        self.last_event = Some(now);
    }

    /// Silences a frame at the codec's rate where a key is in it.
    pub(super) fn suppress(&mut self, now: Instant, frame: &mut Frame) {
        if frame.rate() != self.rate {
            self.rate = frame.rate();
            self.suppressor = None;
            self.look_in_band();
        }
        let is_down = self.receiver.active(now);
        let follows = self.last_event.is_some_and(|at| now.saturating_duration_since(at) < SOUND_FOLLOWS);
        if self.suppressor.is_none() && follows {
            self.suppressor = Some(KeySuppressor::new(frame.rate()));
        }
        let Some(suppressor) = &mut self.suppressor else { return };
        let found = suppressor.process(frame.samples_mut(), is_down);
        if self.is_inband {
            let events = [found.released.map(MediaEvent::inband_released), found.pressed.map(MediaEvent::inband_digit)];
            self.events.extend(events.into_iter().flatten());
        } else if found.suspect && follows {
            // A device that leaves the tones of its keys in its sound may do so before its events too.
            suppressor.look_ahead();
        } else if !follows && !suppressor.looks_ahead() {
            self.suppressor = None;
        }
    }

    /// The next event of a key.
    pub(super) fn poll(&mut self, now: Instant) -> Option<MediaEvent> {
        let released = |digit| MediaEvent::DigitReleased(Redacted::new(digit));
        self.events.pop_front().or_else(|| self.receiver.poll_released(now).map(released))
    }
}

#[cfg(test)]
mod tests;
