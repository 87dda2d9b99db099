//! What the test phone tells: how the call was set up, what media did, and what was heard.

use std::time::Duration;

use serde::Serialize;

use super::arrivals::Arrived;
use crate::common::units::Hz;
use crate::dsp::level::dbov;
use crate::dsp::tone_detector;
use crate::media::{PortStats, Profile};
use crate::rtp::transport::Encryption;
use crate::sip::LadderLine;

/// Quieter than this is silence.
const SILENCE: f32 = -55.0;
/// Frequencies that tests and operators send; the loudest of them is named if it stands out.
const TONES: [f32; 9] = [350.0, 425.0, 440.0, 480.0, 620.0, 1004.0, 1011.0, 1400.0, 2100.0];
/// A frame's length.
const FRAME_MS: u64 = 20;

/// Printed as JSON on standard output.
#[derive(Debug, Serialize)]
pub(super) struct DialReport {
    uri: String,
    pub(super) answered: bool,
    /// From the INVITE, in milliseconds.
    pub(super) trying_ms: Option<u64>,
    pub(super) ringing_ms: Option<u64>,
    pub(super) answered_ms: Option<u64>,
    codec: Option<&'static str>,
    ptime_ms: Option<u64>,
    media_address: Option<String>,
    keys_by_rtp: bool,
    /// By which suite media was encrypted, and by DTLS where the keys came by it; `None`: not at all.
    encryption: Option<&'static str>,
    /// How long the call lasted after the answer.
    pub(super) seconds: f64,
    /// Why the far end hung up, if it did.
    pub(super) ended_by_peer: Option<String>,
    packets_sent: u64,
    packets_received: u64,
    packets_lost: i64,
    packets_refused: u64,
    jitter_ms: f64,
    round_trip_ms: Option<f64>,
    concealed_ms: f64,
    mos: f32,
    /// Packet by packet, before the jitter buffer.
    pub(super) arrived: Arrived,
    heard: Option<SoundReport>,
    /// The SIP messages of the call.
    sip: Vec<String>,
}

/// What was heard.
#[derive(Debug, Serialize)]
pub(super) struct SoundReport {
    /// From the start of media.
    first_sound_ms: Option<u64>,
    seconds_of_sound: f64,
    /// Mean level while there was sound, in dBov.
    level_dbov: Option<f32>,
    /// A test tone that stands out, in Hz.
    tone_hz: Option<f32>,
}

/// Counted frame by frame.
#[derive(Debug, Default)]
pub(super) struct ReceivedAudio {
    frames: u64,
    first: Option<u64>,
    sounding: u64,
    power: f64,
    tones: [f64; TONES.len()],
}

/// Listens frame by frame.
#[derive(Debug, Default)]
pub(super) struct AudioMeter {
    heard: ReceivedAudio,
}

impl AudioMeter {
    pub(super) fn measure(&mut self, samples: &[i16]) {
        let level = dbov(samples);
        let heard = &mut self.heard;
        if level > SILENCE {
            heard.first.get_or_insert(heard.frames);
            heard.sounding += 1;
            heard.power += 10_f64.powf(f64::from(level) / 10.0);
            for (sum, tone) in heard.tones.iter_mut().zip(tone_detector::heard(samples, Hz::FULL, &TONES)) {
                *sum += 10_f64.powf(f64::from(tone) / 10.0);
            }
        }
        heard.frames += 1;
    }

    pub(super) fn finish(&mut self) -> ReceivedAudio {
        std::mem::take(&mut self.heard)
    }
}

impl SoundReport {
    fn new(heard: ReceivedAudio) -> Self {
        let mean = |sum: f64| (heard.sounding > 0).then(|| 10.0 * (sum / heard.sounding as f64).log10());
        let level = mean(heard.power);
        let loudest = heard.tones.iter().zip(TONES).max_by(|(a, _), (b, _)| a.total_cmp(b));
        // A tone stands out when it carries most of the power.
        let tone = loudest.filter(|(power, _)| **power > heard.power * 0.5 && heard.sounding > 0).map(|(_, tone)| tone);
        Self {
            first_sound_ms: heard.first.map(|frames| frames * FRAME_MS),
            seconds_of_sound: (heard.sounding * FRAME_MS) as f64 / 1000.0,
            level_dbov: level.map(|level| (level * 10.0).round() as f32 / 10.0),
            tone_hz: tone,
        }
    }
}

impl DialReport {
    pub(super) fn new(uri: &str) -> Self {
        Self {
            uri: uri.to_owned(),
            answered: false,
            trying_ms: None,
            ringing_ms: None,
            answered_ms: None,
            codec: None,
            ptime_ms: None,
            media_address: None,
            keys_by_rtp: false,
            encryption: None,
            seconds: 0.0,
            ended_by_peer: None,
            packets_sent: 0,
            packets_received: 0,
            packets_lost: 0,
            packets_refused: 0,
            jitter_ms: 0.0,
            round_trip_ms: None,
            concealed_ms: 0.0,
            mos: 0.0,
            arrived: Arrived::default(),
            heard: None,
            sip: Vec::new(),
        }
    }

    pub(super) fn agreed(&mut self, profile: &Profile) {
        self.codec = Some(profile.codec.row().name);
        self.ptime_ms = u64::try_from(profile.ptime.as_millis()).ok();
        self.media_address = Some(profile.remote.to_string());
        self.keys_by_rtp = profile.telephone_event.is_some();
    }

    pub(super) fn media(&mut self, stats: &PortStats, heard: ReceivedAudio) {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        self.encryption = stats.encryption.map(Encryption::name);
        self.packets_sent = stats.sent;
        self.packets_received = stats.received;
        self.packets_lost = stats.lost;
        self.packets_refused = stats.refused;
        self.jitter_ms = ms(stats.jitter);
        self.round_trip_ms = stats.round_trip.map(ms);
        self.concealed_ms = ms(stats.concealed);
        self.mos = stats.mos;
        self.heard = Some(SoundReport::new(heard));
    }

    pub(super) fn ladder(&mut self, lines: &[LadderLine]) {
        let line = |line: &LadderLine| {
            let arrow = if line.inbound { "<-" } else { "->" };
            format!("{:8.3} {arrow} {}", line.at.as_secs_f64(), line.summary)
        };
        self.sip = lines.iter().map(line).collect();
    }

    /// The exit status hangs on it: answered, and packets in both directions.
    pub(super) fn media_flowed(&self) -> bool {
        self.answered && self.packets_received > 0 && self.packets_sent > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::tone::Sine;

    #[test]
    fn a_test_tone_after_silence_is_named_and_timed() {
        let (mut listener, mut sine) = (AudioMeter::default(), Sine::new(Hz::FULL, 1011.0, 4000.0));
        for _ in 0..10 {
            listener.measure(&[0; 960]);
        }
        for _ in 0..50 {
            let mut frame = [0; 960];
            sine.fill(&mut frame);
            listener.measure(&frame);
        }
        let sound = SoundReport::new(listener.finish());
        assert_eq!(sound.first_sound_ms, Some(200));
        assert!((sound.seconds_of_sound - 1.0).abs() < 1e-9);
        assert_eq!(sound.tone_hz, Some(1011.0));
    }

    #[test]
    fn silence_is_no_sound() {
        let mut listener = AudioMeter::default();
        listener.measure(&[0; 960]);
        let sound = SoundReport::new(listener.finish());
        assert_eq!((sound.first_sound_ms, sound.level_dbov, sound.tone_hz), (None, None, None));
    }
}
