//! Opus (RFC 6716, RFC 7587) by libopus: mono at 48 kHz, tuned for voice.

use super::coding::check_length;
use super::{CodecError, Decoder, Encoder, EncoderSettings};
use crate::common::units::Hz;

/// The longest packet there is: 120 ms (RFC 6716 §3.2.5).
const LONGEST_PACKET: usize = 5760;
/// libopus makes up and decodes in steps of 2.5 ms.
const STEP: usize = 120;
/// The highest loss, in percent, that packets are protected against: with more the copies become as coarse as concealment.
const MOST_LOSS: u8 = 30;
/// The largest payload a frame of 60 ms can need; also the largest we send.
const LARGEST_PAYLOAD: usize = 1275;

/// PCM at 48 kHz to Opus.
pub(super) struct OpusEncoder {
    settings: EncoderSettings,
    inner: opus::Encoder,
    /// For packets of 30 and 50 ms, which are no Opus frame; made when the first one is asked for.
    pieces: Option<opus::Encoder>,
    payload: [u8; LARGEST_PAYLOAD],
}

/// Opus to PCM at 48 kHz. Stereo packets are mixed to mono by libopus.
pub(super) struct OpusDecoder {
    inner: opus::Decoder,
    pcm: Box<[i16; LONGEST_PACKET]>,
}

impl OpusEncoder {
    pub(super) fn new(settings: EncoderSettings) -> Result<Self, CodecError> {
        let mut inner = create(settings, opus::Application::Voip)?;
        let refused = |_| CodecError::Create;
        inner.set_inband_fec(settings.fec).map_err(refused)?;
        inner.set_packet_loss_perc(if settings.fec { settings.expected_loss.min(100).into() } else { 0 }).map_err(refused)?;
        inner.set_signal(opus::Signal::Voice).map_err(refused)?;
        Ok(Self { settings, inner, pieces: None, payload: [0; LARGEST_PAYLOAD] })
    }

    /// 30 or 50 ms as frames of 10 ms in one packet (RFC 6716 §3.2.5). Such frames must agree in mode and bandwidth, which only
    /// an encoder without the voice mode promises; so there is no in-band FEC at these lengths.
    fn encode_pieces(&mut self, pcm: &[i16], out: &mut Vec<u8>) -> Result<(), CodecError> {
        let failed = |_| CodecError::Encode;
        if self.pieces.is_none() {
            let mut pieces = create(self.settings, opus::Application::LowDelay)?;
            pieces.set_bandwidth(opus::Bandwidth::Fullband).map_err(failed)?;
            self.pieces = Some(pieces);
        }
        let pieces = self.pieces.as_mut().ok_or(CodecError::Encode)?;
        let mut frames = Vec::with_capacity(5);
        for part in pcm.chunks_exact(480) {
            frames.push(pieces.encode_vec(part, LARGEST_PAYLOAD / 5).map_err(failed)?);
        }
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let length = opus::Repacketizer::new().and_then(|mut all| all.combine(&frames, &mut self.payload)).map_err(failed)?;
        out.extend_from_slice(self.payload.get(..length).ok_or(CodecError::Encode)?);
        Ok(())
    }
}

impl OpusEncoder {
    /// Takes over the bit rate of the settings at the loss that is expected. What libopus refuses leaves the rate as it was.
    fn follow_bitrate(&mut self) {
        let _ = self.inner.set_bitrate(bits(self.settings.bitrate_at(self.settings.expected_loss)));
    }
}

impl Encoder for OpusEncoder {
    fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) -> Result<(), CodecError> {
        check_length(pcm, Hz::FULL)?;
        if matches!(pcm.len(), 1440 | 2400) {
            return self.encode_pieces(pcm, out);
        }
        let length = self.inner.encode(pcm, &mut self.payload).map_err(|_| CodecError::Encode)?;
        out.extend_from_slice(self.payload.get(..length).ok_or(CodecError::Encode)?);
        Ok(())
    }

    fn set_complexity(&mut self, complexity: u8) {
        if complexity == self.settings.complexity {
            return;
        }
        self.settings.complexity = complexity;
        // What libopus refuses leaves the effort as it was.
        for encoder in [Some(&mut self.inner), self.pieces.as_mut()].into_iter().flatten() {
            let _ = encoder.set_complexity(complexity.min(10).into());
        }
    }

    fn limit_bitrate(&mut self, most: u32) {
        let limited = self.settings.limited_to(most);
        if limited == self.settings {
            return;
        }
        self.settings = limited;
        self.follow_bitrate();
        if let Some(pieces) = &mut self.pieces {
            let _ = pieces.set_bitrate(bits(limited.bitrate_at(0)));
        }
    }

    fn expect_loss(&mut self, percent: u8) {
        let percent = percent.min(MOST_LOSS);
        if !self.settings.fec || percent == self.settings.expected_loss {
            return;
        }
        self.settings.expected_loss = percent;
        // What libopus refuses leaves the packets as well protected as they were.
        if self.inner.set_packet_loss_perc(percent.into()).is_ok() {
            self.follow_bitrate();
        }
    }
}

fn create(settings: EncoderSettings, application: opus::Application) -> Result<opus::Encoder, CodecError> {
    let refused = |_| CodecError::Create;
    let mut encoder = opus::Encoder::new(Hz::FULL.0, opus::Channels::Mono, application).map_err(refused)?;
    encoder.set_bitrate(bits(settings.bitrate_at(0))).map_err(refused)?;
    encoder.set_complexity(settings.complexity.min(10).into()).map_err(refused)?;
    Ok(encoder)
}

const fn bits(per_second: u32) -> opus::Bitrate {
    opus::Bitrate::Bits(per_second.cast_signed())
}

/// Whether a packet carries a coarse copy of the one before (LBRR): a flag at the beginning of its first frame, behind the voice activity of each
/// SILK frame in it (RFC 6716 section 4.2.3). Frames of CELT have none.
fn has_fec(payload: &[u8]) -> bool {
    const CELT: u8 = 16;
    let Some(config) = payload.first().map(|toc| toc >> 3).filter(|config| *config < CELT) else { return false };
    let Ok(packet) = opus::packet::parse(payload) else { return false };
    let Some(first) = packet.frames.first().and_then(|frame| frame.first()) else { return false };
    // SILK: 10, 20, 40 or 60 ms as one, one, two or three frames; hybrid: 10 or 20 ms.
    let silk_frames = if config < 12 { (config % 4).max(1) } else { 1 };
    first >> (7 - silk_frames) & 1 == 1
}

impl OpusDecoder {
    pub(super) fn new() -> Result<Self, CodecError> {
        let inner = opus::Decoder::new(Hz::FULL.0, opus::Channels::Mono).map_err(|_| CodecError::Create)?;
        Ok(Self { inner, pcm: Box::new([0; LONGEST_PACKET]) })
    }

    /// Decodes into exactly `samples` (a multiple of 2.5 ms) of the scratch buffer; true when that worked.
    fn fill(&mut self, payload: &[u8], samples: usize, fec: bool) -> bool {
        self.pcm.get_mut(..samples).is_some_and(|pcm| self.inner.decode(payload, pcm, fec).is_ok_and(|length| length == samples))
    }
}

impl Decoder for OpusDecoder {
    fn samples(&self, payload: &[u8]) -> Option<usize> {
        if payload.is_empty() { None } else { opus::packet::get_nb_samples(payload, Hz::FULL.0).ok() }
    }

    fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) -> Result<(), CodecError> {
        // An empty payload would ask libopus for concealment.
        if payload.is_empty() {
            return Err(CodecError::Payload);
        }
        let length = self.inner.decode(payload, &mut self.pcm[..], false).map_err(|_| CodecError::Payload)?;
        out.extend_from_slice(self.pcm.get(..length).ok_or(CodecError::Payload)?);
        Ok(())
    }

    fn conceals_what_precedes(&self, payload: &[u8]) -> bool {
        has_fec(payload)
    }

    fn conceal(&mut self, lost_samples: usize, next_payload: Option<&[u8]>, out: &mut Vec<i16>) -> usize {
        let (mut left, mut repaired) = (lost_samples, 0);
        while left > 0 {
            let samples = left.next_multiple_of(STEP).min(LONGEST_PACKET / 2);
            let last = samples >= left;
            // The copy inside the next packet stands for the end of the gap; libopus makes up what comes before it.
            let copied = last && next_payload.is_some_and(|next| !next.is_empty() && self.fill(next, samples, true));
            if !copied && !self.fill(&[], samples, false) {
                self.pcm[..samples].fill(0);
            }
            let used = samples.min(left);
            out.extend_from_slice(&self.pcm[..used]);
            left -= used;
            if copied && next_payload.is_some_and(has_fec) {
                repaired = used;
            }
        }
        repaired
    }
}
