//! [`Publication`]: the one track that a connection publishes.
//!
//! While there is nothing to hear, only a sign of life is sent now and then (discontinuous transmission): most rooms are silent most of
//! the time, and each packet costs us, the SFU and everybody in the room.

use bytes::Bytes;
use webrtc::rtp_transceiver::RTCRtpSenderId;

use crate::codec::{CodecError, CodecKind, Encoder, EncoderSettings};
use crate::common::units::Hz;
use crate::dsp::frame::Frame;
use crate::rtp::feedback::ReportedLoss;

/// Ticks of the RTP clock in a frame of 20 ms.
const FRAME: u32 = 960;
/// Frames of silence that are encoded after a sound: the decoder's filters run out.
const TAIL: u32 = 3;
/// Frames between two signs of life: 400 ms, as Opus does it (RFC 7587 section 3.1.3).
const SIGN_OF_LIFE: u32 = 20;
/// Of the first octet of an Opus packet what says mode, bandwidth and channels (RFC 6716 section 3.1); the rest, zero, says one frame.
const CONFIGURATION: u8 = 0xFC;

/// See the file's paragraph.
pub(super) struct Publication {
    sender: RTCRtpSenderId,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    encoder: Box<dyn Encoder>,
    payload: Vec<u8>,
    /// Of our packets, by the SFU's reports.
    pub(super) reported_loss: ReportedLoss,
    /// What was agreed on; `None` before the first answer.
    terms: Option<SendTerms>,
    /// Frames since the last one with sound.
    silent: u32,
    sent: u64,
}

/// What an answer says of the stream that we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SendTerms {
    pub(super) payload_type: u8,
    /// Id of the header extension for the level (RFC 6464), where it is taken.
    pub(super) level_extension: Option<u8>,
}

impl Publication {
    /// A stream of this source, which begins at an unpredictable place.
    ///
    /// # Errors
    /// When the library refuses its settings for Opus.
    pub(super) fn new(sender: RTCRtpSenderId, ssrc: u32, begin: u32) -> Result<Self, CodecError> {
        Ok(Self {
            sender,
            ssrc,
            sequence: (begin >> 16) as u16,
            timestamp: begin,
            encoder: CodecKind::Opus.encoder(EncoderSettings::default())?,
            payload: Vec::with_capacity(400),
            reported_loss: ReportedLoss::default(),
            terms: None,
            silent: 0,
            sent: 0,
        })
    }

    pub(super) const fn sender(&self) -> RTCRtpSenderId {
        self.sender
    }

    pub(super) const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets so far.
    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) const fn agree(&mut self, terms: Option<SendTerms>) {
        self.terms = terms;
    }

    pub(super) fn set_complexity(&mut self, complexity: u8) {
        self.encoder.set_complexity(complexity);
    }

    /// Time passes, and nothing can be sent.
    pub(super) const fn skip(&mut self) {
        self.timestamp = self.timestamp.wrapping_add(FRAME);
    }

    /// The packet of the next 20 ms, if one is due. `sound`: a frame at 48 kHz and its level in dBov; `None`: silence.
    pub(super) fn packet(&mut self, sound: Option<(&Frame, f32)>) -> Option<rtp::Packet> {
        let timestamp = self.timestamp;
        self.skip();
        let terms = self.terms?;
        let begins = sound.is_some() && self.silent > 0;
        self.silent = if sound.is_some() { 0 } else { self.silent.saturating_add(1) };
        match sound {
            Some((frame, _)) => self.encode(frame)?,
            None if self.silent <= TAIL => self.encode(&Frame::silence(Hz::FULL))?,
            None if (self.silent - TAIL) % SIGN_OF_LIFE == 1 => self.payload_of_silence()?,
            None => return None,
        }
        let mut header = rtp::header::Header {
            version: 2,
            marker: begins,
            payload_type: terms.payload_type,
            sequence_number: self.sequence,
            timestamp,
            ssrc: self.ssrc,
            ..Default::default()
        };
        if let Some(id) = terms.level_extension {
            // An id that does not fit was not agreed on; the packet goes without.
            let _ = header.set_extension(id, Bytes::copy_from_slice(&[level_octet(sound.map(|(_, level)| level))]));
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.sent += 1;
        Some(rtp::Packet { header, payload: Bytes::copy_from_slice(&self.payload) })
    }

    fn encode(&mut self, frame: &Frame) -> Option<()> {
        self.payload.clear();
        if let Some(percent) = self.reported_loss.percent() {
            self.encoder.expect_loss(percent);
        }
        self.encoder.encode(frame.samples(), &mut self.payload).ok()
    }

    /// A packet without a frame in it: the decoder goes on with what noise it has heard.
    fn payload_of_silence(&mut self) -> Option<()> {
        let first = *self.payload.first()?;
        self.payload.clear();
        self.payload.push(first & CONFIGURATION);
        Some(())
    }
}

/// Level and voice flag of RFC 6464 section 3; the level is that below the overload point, in dB.
fn level_octet(level: Option<f32>) -> u8 {
    const VOICE: u8 = 0x80;
    level.map_or(127, |level| VOICE | (-level).clamp(0.0, 127.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::tone::Sine;

    fn publication() -> Publication {
        let mut publication = Publication::new(RTCRtpSenderId::default(), 7, 0x0001_FC00).expect("Opus");
        publication.agree(Some(SendTerms { payload_type: 111, level_extension: Some(1) }));
        publication
    }

    fn hum() -> Frame {
        let mut frame = Frame::silence(Hz::FULL);
        Sine::new(Hz::FULL, 440.0, 8_000.0).fill(frame.samples_mut());
        frame
    }

    #[test]
    fn silence_costs_a_packet_every_400_ms_and_time_goes_on() {
        let mut publication = publication();
        let first = publication.packet(Some((&hum(), -15.3))).expect("sound");
        assert!(!first.header.marker);
        assert_eq!(first.header.get_extension(1).as_deref(), Some(&[0x80 | 15][..]));
        let silent: Vec<_> = (0..500).filter_map(|_| publication.packet(None)).collect();
        assert_eq!(silent.len(), 3 + 25);
        assert!(silent[3..].iter().all(|packet| packet.payload.len() == 1));
        assert_eq!(silent[4].header.timestamp, silent[3].header.timestamp + 20 * FRAME);
        let next = publication.packet(Some((&hum(), -15.3))).expect("sound");
        assert!(next.header.marker);
        assert_eq!(next.header.timestamp, first.header.timestamp + 501 * FRAME);
        assert_eq!(next.header.sequence_number, first.header.sequence_number + 29);
    }

    #[test]
    fn a_packet_without_a_frame_is_read_by_a_decoder() {
        let mut publication = publication();
        let mut decoder = CodecKind::Opus.decoder().expect("Opus");
        let packets = (0..8).filter_map(|_| publication.packet(None));
        for packet in packets.collect::<Vec<_>>() {
            let mut samples = Vec::new();
            decoder.decode(&packet.payload, &mut samples).expect("Opus");
            assert_eq!(samples.len(), 960);
            assert!(samples.iter().all(|sample| sample.abs() < 4));
        }
    }
}
