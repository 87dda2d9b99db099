//! The receiving half of a device's port: packets that are the device's become frames of the bridge, and are counted.

use std::time::{Duration, Instant};

use crate::codec::CodecError;
use crate::common::units::Hz;
use crate::dsp::frame::Frame;
use crate::dsp::resample::{Resampler, between};
use crate::rtp::packet::Packet;
use crate::rtp::payload::PayloadContent;
use crate::rtp::receive::{AudioReceiver, CountedPacket, ReceiverStats};
use crate::rtp::rtcp::RtcpSession;

use super::keys::Keys;
use super::profile::Profile;

/// Turns packets into frames.
pub(super) struct Ingress {
    receiver: AudioReceiver,
    /// The rate of the codec that comes now, which may change with any packet.
    rate: Hz,
    /// From that rate to the bridge's.
    resampler: Option<Resampler>,
    scratch: Vec<i16>,
    unnamed: u64,
}

impl Ingress {
    /// # Errors
    /// [`CodecError::Create`] when the decoder cannot be made.
    pub(super) fn new(profile: &Profile) -> Result<Self, CodecError> {
        let rate = profile.codec.row().sample_rate;
        Ok(Self {
            receiver: AudioReceiver::new(profile.codec, &profile.formats)?,
            rate,
            resampler: between(rate, Hz::FULL),
            scratch: Vec::new(),
            unnamed: 0,
        })
    }

    /// Takes the payload types of a new offer and answer. The decoder changes with the first packet of another codec, so that packets on their
    /// way are still played.
    pub(super) fn renegotiate(&mut self, profile: &Profile) {
        self.receiver.renegotiate(&profile.formats);
    }

    /// What packets of a payload type carry; `None` where neither description names it.
    pub(super) fn content(&self, payload_type: u8) -> Option<PayloadContent> {
        self.receiver.content(payload_type)
    }

    /// Takes a packet of the device. Telephone events are to come here as well: left out, they would look like loss.
    pub(super) fn take(&mut self, now: Instant, packet: &Packet<'_>, rtcp: &mut RtcpSession) {
        if let Some(CountedPacket { timestamp, clock, restarted }) = self.receiver.insert(now, packet) {
            if restarted {
                rtcp.begin_anew();
            }
            rtcp.received(now, &Packet { timestamp, ..*packet }, clock);
        }
    }

    /// Takes a packet of the device that neither description explains: nothing of it is played, and the figures show it.
    pub(super) fn take_unnamed(&mut self, now: Instant, packet: &Packet<'_>, rtcp: &mut RtcpSession) {
        self.unnamed += 1;
        // Of the stream's own source it counts in the sequence; another source may be anything, such as video on the same port.
        if self.receiver.ssrc() == Some(packet.ssrc) {
            self.take(now, packet, rtcp);
        }
    }

    /// Gives the next 20 ms at the bridge's rate; silence where it is `muted`, and where a key is in it.
    pub(super) fn pull(&mut self, now: Instant, muted: bool, keys: &mut Keys, frame: &mut Frame) {
        let mut own = Frame::silence(self.rate);
        self.receiver.pull(now, &mut own);
        if own.rate() != self.rate {
            self.rate = own.rate();
            self.resampler = between(self.rate, Hz::FULL);
        }
        if muted {
            own = Frame::silence(self.rate);
        }
        keys.suppress(now, &mut own);
        match &mut self.resampler {
            Some(resampler) => {
                self.scratch.clear();
                resampler.process(own.samples(), &mut self.scratch);
                *frame = Frame::from_samples(Hz::FULL, &self.scratch);
            }
            None => *frame = own,
        }
    }

    /// Packets of payload types that neither description names.
    pub(super) const fn unnamed(&self) -> u64 {
        self.unnamed
    }

    /// Sound that was made up for what was lost.
    pub(super) fn concealed(&self) -> Duration {
        self.receiver.stats().concealed
    }

    /// The share of packets that could not be played, whether they never came or came to no use, less those that in-band FEC stood for: 0.0 to 1.0.
    /// `lost` of `expected` never came.
    pub(super) fn unheard(&self, lost: i64, expected: u64) -> f32 {
        let ReceiverStats { received, late, discarded, repaired, .. } = self.receiver.stats();
        let missing = (lost.max(0).unsigned_abs() + late).saturating_sub(repaired) + discarded + self.unnamed;
        let all = expected.max(received + self.unnamed).max(1);
        missing.min(all) as f32 / all as f32
    }
}
