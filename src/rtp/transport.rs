//! [`RtpTransport`]: datagrams of a port's sockets to RTP and RTCP and back, plain or protected; and what else shares the port (RFC 7983).

use std::time::Instant;

use crate::rtp::packet::is_rtcp;
use crate::rtp::srtp::{CryptoSuite, SrtpError, SrtpKeyPair, SrtpReceiver, SrtpSender, SrtpStats};

/// What a datagram is, by its first byte (RFC 7983) and the second of RTCP (RFC 5761 section 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DatagramKind {
    /// STUN (RFC 8489).
    Stun,
    /// DTLS.
    Dtls,
    /// RTP or SRTP.
    Rtp,
    /// RTCP or SRTCP.
    Rtcp,
    /// Nothing that is taken here.
    Unknown,
}

impl DatagramKind {
    /// Tells what a datagram is. What says to be RTP may still be nothing of the kind.
    #[must_use]
    pub fn of(datagram: &[u8]) -> Self {
        match datagram.first() {
            Some(0..=3) => Self::Stun,
            Some(20..=63) => Self::Dtls,
            Some(128..=191) if is_rtcp(datagram) => Self::Rtcp,
            Some(128..=191) => Self::Rtp,
            _ => Self::Unknown,
        }
    }
}

/// Protection of one transport, both ways. A port that moves takes it along, with rollover counters and replay windows.
#[derive(Default)]
pub struct RtpTransport {
    srtp: Option<Srtp>,
}

struct Srtp {
    keys: SrtpKeyPair,
    sender: SrtpSender,
    receiver: SrtpReceiver,
}

// === impl RtpTransport ===

impl RtpTransport {
    /// A transport that is protected by `keys`; plain without any.
    ///
    /// # Errors
    /// When the keys cannot be used.
    pub fn new(keys: Option<&SrtpKeyPair>) -> Result<Self, SrtpError> {
        Ok(Self { srtp: keys.map(Srtp::new).transpose()? })
    }

    /// A new offer/answer has agreed on `keys`. Those that stay go on where they are; packets of the peer's key before are taken for a while.
    ///
    /// # Errors
    /// When the keys cannot be used; the transport stays as it was then.
    pub fn renegotiate(&mut self, now: Instant, keys: Option<&SrtpKeyPair>) -> Result<(), SrtpError> {
        match (&mut self.srtp, keys) {
            (Some(srtp), Some(keys)) => srtp.renegotiate(now, keys)?,
            (_, keys) => self.srtp = keys.map(Srtp::new).transpose()?,
        }
        Ok(())
    }

    /// Writes the RTP packet in a datagram into `packet`.
    ///
    /// # Errors
    /// When it is not to be taken; it is counted, and `packet` is worth nothing.
    pub fn unprotect_rtp(&mut self, now: Instant, datagram: &[u8], packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        if let Some(srtp) = &mut self.srtp {
            return srtp.receiver.unprotect_rtp(now, datagram, packet);
        }
        packet.clear();
        packet.extend_from_slice(datagram);
        Ok(())
    }

    /// Writes the RTCP packet in a datagram into `packet`.
    ///
    /// # Errors
    /// When it is not to be taken; it is counted, and `packet` is worth nothing.
    pub fn unprotect_rtcp(&mut self, now: Instant, datagram: &[u8], packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        if let Some(srtp) = &mut self.srtp {
            return srtp.receiver.unprotect_rtcp(now, datagram, packet);
        }
        packet.clear();
        packet.extend_from_slice(datagram);
        Ok(())
    }

    /// Makes the datagram of an RTP packet, in place.
    ///
    /// # Errors
    /// When it must not be sent, because its key is used up or it is no RTP.
    pub fn protect_rtp(&mut self, packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        self.srtp.as_mut().map_or(Ok(()), |srtp| srtp.sender.protect_rtp(packet))
    }

    /// Makes the datagram of an RTCP packet, in place.
    ///
    /// # Errors
    /// When it must not be sent, because its key is used up or it is no RTCP.
    pub fn protect_rtcp(&mut self, packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        self.srtp.as_mut().map_or(Ok(()), |srtp| srtp.sender.protect_rtcp(packet))
    }

    /// By what packets are protected; `None` for plain RTP.
    #[must_use]
    pub fn suite(&self) -> Option<CryptoSuite> {
        self.srtp.as_ref().map(|srtp| srtp.keys.ours.suite)
    }

    /// What has become of what came in; zeros for plain RTP.
    #[must_use]
    pub fn stats(&self) -> SrtpStats {
        self.srtp.as_ref().map(|srtp| srtp.receiver.stats()).unwrap_or_default()
    }
}

impl Srtp {
    fn new(keys: &SrtpKeyPair) -> Result<Self, SrtpError> {
        Ok(Self { sender: SrtpSender::new(&keys.ours)?, receiver: SrtpReceiver::new(&keys.theirs)?, keys: keys.clone() })
    }

    fn renegotiate(&mut self, now: Instant, keys: &SrtpKeyPair) -> Result<(), SrtpError> {
        let sender = if keys.ours == self.keys.ours { None } else { Some(SrtpSender::new(&keys.ours)?) };
        self.receiver.rekey(now, &keys.theirs)?;
        if let Some(sender) = sender {
            self.sender = sender;
        }
        self.keys = keys.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::packet::write_header;
    use crate::rtp::srtp::KeyGenerator;

    #[allow(clippy::disallowed_methods, reason = "an arbitrary beginning of virtual time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn pair(suite: CryptoSuite, seed: u8) -> (SrtpKeyPair, SrtpKeyPair) {
        let mut made = KeyGenerator::new([seed; 32]);
        let (ours, theirs) = (made.generate(suite), made.generate(suite));
        (SrtpKeyPair { ours: ours.clone(), theirs: theirs.clone() }, SrtpKeyPair { ours: theirs, theirs: ours })
    }

    fn packet(seq: u16) -> Vec<u8> {
        let mut packet = Vec::new();
        write_header(0, false, seq, 0, 7, &mut packet);
        packet.extend_from_slice(b"speech");
        packet
    }

    /// Sends a packet; gives what the other end reads.
    fn passes(from: &mut RtpTransport, to: &mut RtpTransport, seq: u16) -> Result<Vec<u8>, SrtpError> {
        let mut datagram = packet(seq);
        from.protect_rtp(&mut datagram)?;
        let mut packet = Vec::new();
        to.unprotect_rtp(start(), &datagram, &mut packet).map(|()| packet)
    }

    #[test]
    fn a3_what_shares_a_port_is_told_apart_by_its_first_byte() {
        let kind = |bytes: &[u8]| DatagramKind::of(bytes);
        assert_eq!(kind(&[0, 1, 0, 0]), DatagramKind::Stun);
        assert_eq!(kind(&[22, 254, 253]), DatagramKind::Dtls);
        assert_eq!(kind(&packet(1)), DatagramKind::Rtp);
        assert_eq!(kind(&[0x80, 201, 0, 1, 0, 0, 0, 7]), DatagramKind::Rtcp);
        for unknown in [&[][..], &[64], &[19], &[79], &[192, 0, 0], b"\r\n\r\n"] {
            assert_eq!(kind(unknown), DatagramKind::Unknown, "{unknown:?}");
        }
    }

    #[test]
    fn a3_two_transports_speak_both_ways_and_nobody_else_does() {
        let (ours, theirs) = pair(CryptoSuite::AesCm128HmacSha1Tag80, 1);
        let (mut here, mut there) = (RtpTransport::new(Some(&ours)).unwrap(), RtpTransport::new(Some(&theirs)).unwrap());
        let mut plain = RtpTransport::default();
        assert_eq!(passes(&mut here, &mut there, 1), Ok(packet(1)));
        assert_eq!(passes(&mut there, &mut here, 1), Ok(packet(1)));
        assert_eq!(passes(&mut plain, &mut here, 2), Err(SrtpError::Malformed));
        assert_eq!((here.suite(), plain.suite()), (Some(CryptoSuite::AesCm128HmacSha1Tag80), None));
        assert_eq!((here.stats().accepted, here.stats().rejected), (1, 1));
        assert_eq!(passes(&mut plain, &mut RtpTransport::default(), 3), Ok(packet(3)));
    }

    /// New keys, the same keys once more, and from plain to protected and back.
    #[test]
    fn a3_a_transport_follows_each_offer_and_answer() {
        let (ours, theirs) = pair(CryptoSuite::AeadAes128Gcm, 2);
        let (mut here, mut there) = (RtpTransport::default(), RtpTransport::default());
        for (keys, seq) in [(Some((&ours, &theirs)), 1), (Some((&ours, &theirs)), 2), (None, 3)] {
            here.renegotiate(start(), keys.map(|keys| keys.0)).unwrap();
            there.renegotiate(start(), keys.map(|keys| keys.1)).unwrap();
            assert_eq!(passes(&mut here, &mut there, seq), Ok(packet(seq)));
        }
        let (other, of_other) = pair(CryptoSuite::AesCm256HmacSha1Tag32, 3);
        here.renegotiate(start(), Some(&ours)).unwrap();
        there.renegotiate(start(), Some(&theirs)).unwrap();
        here.renegotiate(start(), Some(&other)).unwrap();
        there.renegotiate(start(), Some(&of_other)).unwrap();
        assert_eq!(passes(&mut here, &mut there, 4), Ok(packet(4)));
        assert_eq!(here.suite(), Some(CryptoSuite::AesCm256HmacSha1Tag32));
    }
}
