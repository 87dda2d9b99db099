//! [`SrtpSender`]: protects what we send.

use super::error::SrtpError;
use super::header::{RTCP_CLEAR, RtpHeader, rtcp_ssrc};
use super::keys::{MasterKeyIdentifier, SrtpKeys};
use super::replay::{INDEX_LIMIT, estimate};
use super::transform::{Nonce, Protocol, Transform};

/// The E flag of SRTCP: the packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;

/// The sending side of one key: RTP and RTCP of a port's own SSRC. A port that moves takes it along.
pub struct SrtpSender {
    rtp: Transform,
    rtcp: Transform,
    aead: bool,
    identifier: Option<MasterKeyIdentifier>,
    /// SSRC and index of the last RTP packet.
    last: Option<(u32, u64)>,
    /// Index of the next RTCP packet.
    rtcp_index: u32,
}

// === impl SrtpSender ===

impl SrtpSender {
    /// Protects with the first of `keys`, from rollover counter 0 on.
    ///
    /// # Errors
    /// [`SrtpError::UnknownKey`] without a key, [`SrtpError::Cipher`] when the cipher cannot be made.
    pub fn new(keys: &SrtpKeys) -> Result<Self, SrtpError> {
        let key = keys.keys.first().ok_or(SrtpError::UnknownKey)?;
        Ok(Self {
            rtp: Transform::new(keys.suite, key.material(), Protocol::Rtp)?,
            rtcp: Transform::new(keys.suite, key.material(), Protocol::Rtcp)?,
            aead: keys.suite.is_aead(),
            identifier: key.identifier().cloned(),
            last: None,
            rtcp_index: 1,
        })
    }

    /// Protects an RTP packet in place. It grows by tag and identifier.
    ///
    /// # Errors
    /// [`SrtpError::Malformed`] for what is no RTP, [`SrtpError::KeyUsedUp`] after 2^48 packets; it is not to be sent then.
    pub fn protect_rtp(&mut self, packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        let header = RtpHeader::read(packet)?;
        let index = match self.last.filter(|(ssrc, _)| *ssrc == header.ssrc) {
            Some((_, last)) => estimate(last, header.seq),
            None => u64::from(header.seq),
        };
        if index >= INDEX_LIMIT {
            return Err(SrtpError::KeyUsedUp);
        }
        let rollovers = rollover_counter(index);
        let trailer: &[u8] = if self.aead { &[] } else { &rollovers };
        let tag = self.rtp.seal(packet, header.length, Nonce { ssrc: header.ssrc, index }, trailer)?;
        let tag = tag.get(..self.rtp.tag_length()).unwrap_or_default();
        let identifier = self.identifier.as_ref().map_or(&[][..], MasterKeyIdentifier::bytes);
        let (first, second) = if self.aead { (tag, identifier) } else { (identifier, tag) };
        packet.extend_from_slice(first);
        packet.extend_from_slice(second);
        let highest = self.last.filter(|(ssrc, last)| *ssrc == header.ssrc && *last > index);
        self.last = highest.or(Some((header.ssrc, index)));
        Ok(())
    }

    /// Protects an RTCP compound packet in place. It grows by index, tag and identifier.
    ///
    /// # Errors
    /// [`SrtpError::Malformed`] for what is no RTCP, [`SrtpError::KeyUsedUp`] after 2^31 packets; it is not to be sent then.
    pub fn protect_rtcp(&mut self, packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        let ssrc = rtcp_ssrc(packet)?;
        let index = self.rtcp_index;
        if index >= ENCRYPTED {
            return Err(SrtpError::KeyUsedUp);
        }
        let trailer = (ENCRYPTED | index).to_be_bytes();
        let tag = self.rtcp.seal(packet, RTCP_CLEAR, Nonce { ssrc, index: u64::from(index) }, &trailer)?;
        let tag = tag.get(..self.rtcp.tag_length()).unwrap_or_default();
        let identifier = self.identifier.as_ref().map_or(&[][..], MasterKeyIdentifier::bytes);
        let parts = if self.aead { [tag, &trailer, identifier] } else { [&trailer, identifier, tag] };
        parts.iter().for_each(|part| packet.extend_from_slice(part));
        self.rtcp_index = index + 1;
        Ok(())
    }
}

/// The rollover counter of an index, as it is authenticated.
pub(super) fn rollover_counter(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}
