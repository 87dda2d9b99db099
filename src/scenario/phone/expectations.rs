//! What a phone must hear, and what it must not.

use std::time::{Duration, Instant};

use super::device::{PATIENCE, Phone};
use super::line::{End, Got, Heard, MUSIC, PTIME};
use crate::common::phrase::Phrase;
use crate::scenario::listener::Fingerprint;
use crate::scenario::world::{Voice, assert_heard};

/// Samples of a packet of what is heard: 20 ms at 8 kHz.
const SHORT: usize = 160;

impl Phone {
    /// Hears the whole of this prompt, after those that earlier sentences named.
    pub(in crate::scenario) fn hears(&self, phrase: Phrase) -> Heard {
        self.hears_fingerprint(&format!("{phrase:?}"), &self.world.fingerprint(phrase))
    }

    pub(super) fn hears_fingerprint(&self, what: &str, fingerprint: &Fingerprint) -> Heard {
        let began = self.world.now();
        let mut from = *self.cursor.borrow();
        loop {
            let found = self.line().listener.find(fingerprint, from);
            if let Some(at) = found {
                let listener = &self.line().listener;
                *self.cursor.borrow_mut() = at + fingerprint.len() - SHORT;
                // Not the very first and last samples, which a resampler may put into the packet before or after.
                return Heard { from: listener.when(at + SHORT / 4), to: listener.when(at + fingerprint.len() - SHORT / 4) };
            }
            if self.world.now() - began > PATIENCE {
                let heard = self.has_heard(*self.cursor.borrow());
                panic!("{} never heard {what}, but {heard:?}; {:?}", self.voice.name, self.line().end);
            }
            // What was long enough ago to have been heard whole has been looked at.
            from = from.max(self.line().listener.len().saturating_sub(fingerprint.len() + 2 * SHORT));
            self.world.passes(Duration::from_millis(200));
        }
    }

    /// Hears how this prompt begins.
    pub(in crate::scenario) fn begins_to_hear(&self, phrase: Phrase) {
        self.hears_fingerprint(&format!("{phrase:?} begin"), &self.world.beginning(phrase));
    }

    /// Hears the waiting music.
    pub(in crate::scenario) fn hears_music(&self) {
        self.hears_fingerprint("the music", &self.world.music());
    }

    /// Nothing was said to it since.
    pub(in crate::scenario) fn heard_no_prompt_since(&self, since: Instant) {
        let from = self.line().listener.since(since);
        assert_eq!(self.has_heard(from), [], "{}", self.voice.name);
    }

    /// The sequence number of the packet that came then.
    pub(in crate::scenario) fn packet_at(&self, at: Instant) -> u16 {
        self.line().got.iter().find(|got| got.at == at).expect("a packet").seq
    }

    pub(super) fn has_heard(&self, from: usize) -> Vec<Phrase> {
        let heard = |phrase: &Phrase| self.line().listener.find(&self.world.fingerprint(*phrase), from).is_some();
        Phrase::ALL.iter().copied().filter(heard).collect()
    }

    /// Nothing is said to it for so long.
    pub(in crate::scenario) fn hears_no_prompt_for(&self, time: Duration) {
        let from = self.line().listener.len();
        self.world.passes(time);
        assert_eq!(self.has_heard(from), [], "{}", self.voice.name);
    }

    /// Heard these voices and no other meanwhile.
    pub(in crate::scenario) fn heard_only(&self, voices: &[Voice], from: Instant, to: Instant) {
        let all = self.world.voices_with(MUSIC);
        let freqs: Vec<f32> = all.iter().map(|voice| voice.freq).collect();
        assert_heard(self.voice.name, &all, &self.line().listener.tones(from, to, &freqs), voices);
    }

    /// Hears these voices and no other.
    pub(in crate::scenario) fn hears_only(&self, voices: &[Voice]) {
        let (from, to) = self.world.listens();
        self.heard_only(voices, from, to);
    }

    pub(in crate::scenario) fn hears_nobody(&self) {
        self.hears_only(&[]);
    }

    /// The call was ended by the gateway, for this reason (Q.850 cause in the text).
    pub(in crate::scenario) fn is_hung_up(&self) -> String {
        self.until("BYE", |line| line.end.is_some());
        match self.line().end.clone() {
            Some(End::HungUp { reason }) => reason,
            other => panic!("{}: {other:?}", self.voice.name),
        }
    }

    /// Nothing was missing in what it was sent since `since`: sequence numbers and timestamps in line, no gap above one frame.
    pub(in crate::scenario) fn had_no_gap(&self, since: Instant) {
        let line = self.line();
        let step = u32::try_from(line.codec.row().rtp_clock.samples(PTIME)).expect("fits");
        let got: Vec<&Got> = line.got.iter().filter(|got| got.at >= since).collect();
        assert!(got.len() > 10, "{} packets", got.len());
        for pair in got.windows(2) {
            let (one, next) = (pair[0], pair[1]);
            assert_eq!(next.ssrc, one.ssrc);
            assert_eq!(next.seq, one.seq.wrapping_add(1), "after {:?}", one.at - since);
            assert_eq!(next.timestamp, one.timestamp.wrapping_add(step), "after {:?}", one.at - since);
            assert!(next.at - one.at <= 2 * PTIME, "{:?} after {:?}", next.at - one.at, one.at - since);
        }
    }
}
