//! Contract of an encoder and a decoder.

use std::any::Any;

use crate::common::units::Hz;

/// Bit rate of a voice in Opus: after G.722 it keeps a PESQ of 4.2 of 4.3 at complexity 5, and 32 kbit/s less than 4.15 (docs/QUALITY.md).
const VOICE_BITRATE: u32 = 48_000;
/// Limits of `maxaveragebitrate` (RFC 7587 section 6.1).
const LEAST_BITRATE: u32 = 6_000;
const MOST_BITRATE: u32 = 510_000;

/// Settings of an encoder. Only Opus has any.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct EncoderSettings {
    /// Bits per second of payload that sound needs, 6 000 to 510 000.
    pub bitrate: u32,
    /// The receiver takes no more than these, with all that protects against loss, 6 000 to 510 000.
    pub most_bitrate: u32,
    /// Effort, 0 to 10.
    pub complexity: u8,
    /// Whether packets carry a coarse copy of the one before (RFC 6716 §2.1.7).
    pub fec: bool,
    /// The packet loss to protect against, in percent; meaningful with `fec`.
    pub expected_loss: u8,
}

impl Default for EncoderSettings {
    fn default() -> Self {
        Self { bitrate: VOICE_BITRATE, most_bitrate: MOST_BITRATE, complexity: 5, fec: true, expected_loss: 5 }
    }
}

impl EncoderSettings {
    /// For what is sent to a peer whose `a=fmtp` of Opus is `parameters` (RFC 7587 section 6.1). What cannot be read limits nothing.
    #[must_use]
    pub fn for_receiver(parameters: Option<&str>) -> Self {
        parameters.and_then(max_average_bitrate).map_or_else(Self::default, |most| Self::default().limited_to(most))
    }

    /// The same for a receiver that takes so many bits per second at most.
    #[must_use]
    pub fn limited_to(self, most: u32) -> Self {
        Self { most_bitrate: most.clamp(LEAST_BITRATE, MOST_BITRATE), ..self }
    }

    /// For a file, which loses no packets and is kept for long.
    #[must_use]
    pub fn for_file() -> Self {
        Self { bitrate: 32_000, fec: false, expected_loss: 0, ..Self::default() }
    }

    /// The bit rate where `percent` of the packets are lost.
    #[must_use]
    pub fn bitrate_at(&self, percent: u8) -> u32 {
        self.wanted_bitrate(percent).max(LEAST_BITRATE).min(self.most_bitrate)
    }

    /// Whether the receiver takes less than others are sent where packets are lost.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.most_bitrate < self.wanted_bitrate(100)
    }

    /// Copies of the packets before take up to a quarter more, and the voice is to keep what it had.
    fn wanted_bitrate(&self, percent: u8) -> u32 {
        self.bitrate + self.bitrate / 40 * u32::from(percent.min(10))
    }
}

/// The parameter `maxaveragebitrate` of Opus, in bits per second.
fn max_average_bitrate(parameters: &str) -> Option<u32> {
    parameters.split(';').filter_map(|parameter| parameter.split_once('=')).find_map(|(name, value)| {
        name.trim().eq_ignore_ascii_case("maxaveragebitrate").then(|| value.trim().parse().ok()).flatten()
    })
}

/// Why a codec failed.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodecError {
    /// The codec library refused to start.
    #[error("codec could not be created")]
    Create,
    /// The PCM handed in is not a multiple of 10 ms between 10 and 60 ms.
    #[error("{samples} samples are not a packet")]
    FrameLength {
        /// How many samples were handed in.
        samples: usize,
    },
    /// The codec library failed to encode.
    #[error("codec could not encode")]
    Encode,
    /// The payload is not of this codec. Nothing was decoded; treat the packet as lost.
    #[error("payload is not of this codec")]
    Payload,
}

/// PCM to payload.
pub trait Encoder: Any + Send {
    /// Appends the payload of one packet to `out`. `pcm` is mono at the row's sample rate: 10, 20, 30, 40, 50 or 60 ms.
    ///
    /// # Errors
    /// [`CodecError::FrameLength`] for any other length; [`CodecError::Encode`] when the library fails.
    fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) -> Result<(), CodecError>;

    /// From the next packet on: the share of packets, in percent, that the receiver does not get. Opus protects against it with in-band FEC, and
    /// spends bits on that; other codecs have no means to.
    fn expect_loss(&mut self, _percent: u8) {}

    /// From the next packet on: bits per second that the receiver takes at most. Of no effect on codecs of one bit rate.
    fn limit_bitrate(&mut self, _most: u32) {}

    /// From the next packet on: effort, 0 to 10. Of no effect on codecs that know none.
    fn set_complexity(&mut self, _complexity: u8) {}

    /// Takes over the state of another encoder of this codec, so that both go on alike bit by bit. False, and nothing has changed, where the
    /// state cannot be copied.
    fn adopt(&mut self, _other: &dyn Encoder) -> bool {
        false
    }

    /// The error of a decoder that has followed this encoder and is given a `payload` of another one, which was in the state of `other` before it:
    /// in dB against the signal that was encoded. `None` where states cannot be compared.
    fn mistracking(&self, _other: &dyn Encoder, _payload: &[u8]) -> Option<f32> {
        None
    }
}

/// Payload to PCM.
pub trait Decoder: Send {
    /// How many samples a payload stands for, by its length or its own header; `None` where it is not of this codec.
    fn samples(&self, payload: &[u8]) -> Option<usize>;

    /// Appends the PCM of one packet, mono at the row's sample rate, to `out`.
    ///
    /// # Errors
    /// [`CodecError::Payload`] when the bytes are not of this codec; `out` is unchanged then.
    fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) -> Result<(), CodecError>;

    /// Whether a gap before this packet is concealed better with the packet than without: `next_payload` of [`Decoder::conceal`].
    fn conceals_what_precedes(&self, payload: &[u8]) -> bool;

    /// Appends `lost_samples` made up in place of lost ones. `next_payload` is the packet right after the loss, where it is
    /// already here: Opus may find a copy of the lost one in it. That packet is to be decoded afterwards all the same.
    /// Gives how many of the samples, at the end, are of such a copy.
    fn conceal(&mut self, lost_samples: usize, next_payload: Option<&[u8]>, out: &mut Vec<i16>) -> usize;
}

/// Refuses PCM that is not 10 to 60 ms in steps of 10 ms.
pub(super) fn check_length(pcm: &[i16], rate: Hz) -> Result<(), CodecError> {
    let step = rate.0 as usize / 100;
    if pcm.is_empty() || !pcm.len().is_multiple_of(step) || pcm.len() > 6 * step {
        return Err(CodecError::FrameLength { samples: pcm.len() });
    }
    Ok(())
}
