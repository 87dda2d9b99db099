//! What SRTP has to know of a packet before it can be read: where its clear part ends, whose it is, and its number.

use super::error::SrtpError;
use crate::rtp::packet;

/// Bytes of an RTCP packet that are never encrypted: the first header, and the sender's SSRC (RFC 3711 section 3.4).
pub(super) const RTCP_CLEAR: usize = 8;

/// The clear part of an RTP packet.
#[derive(Clone, Copy)]
pub(super) struct RtpHeader {
    /// Bytes of fixed header, contributors and extension.
    pub(super) length: usize,
    pub(super) seq: u16,
    pub(super) ssrc: u32,
}

impl RtpHeader {
    /// Reads it without looking at the payload, which may be encrypted, padding included.
    pub(super) fn read(datagram: &[u8]) -> Result<Self, SrtpError> {
        let length = packet::header_length(datagram).map_err(|_| SrtpError::Malformed)?;
        match *datagram {
            [_, _, s0, s1, _, _, _, _, i0, i1, i2, i3, ..] => {
                Ok(Self { length, seq: u16::from_be_bytes([s0, s1]), ssrc: u32::from_be_bytes([i0, i1, i2, i3]) })
            }
            _ => Err(SrtpError::Malformed),
        }
    }
}

/// The SSRC of whoever sent an RTCP packet.
pub(super) fn rtcp_ssrc(datagram: &[u8]) -> Result<u32, SrtpError> {
    match *datagram {
        [first, _, _, _, i0, i1, i2, i3, ..] if first >> 6 == 2 => Ok(u32::from_be_bytes([i0, i1, i2, i3])),
        _ => Err(SrtpError::Malformed),
    }
}
