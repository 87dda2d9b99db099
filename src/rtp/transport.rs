//! [`RtpTransport`]: datagrams of a port's sockets to RTP and RTCP and back, plain or protected; and what else shares the port (RFC 7983).

use std::net::SocketAddr;
use std::time::Instant;

use crate::rtp::dtls::{DtlsAssociation, DtlsError, DtlsParameters};
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

/// Which of a port's two sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Audio and telephone events; reports too where both share a port (RFC 5761).
    Rtp,
    /// Reports (RFC 3550 section 6).
    Rtcp,
}

/// How the packets of a transport are encrypted and authenticated, as offer and answer have agreed on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protection {
    /// Not at all.
    Plain,
    /// By keys in the descriptions (RFC 4568).
    Sdes(SrtpKeyPair),
    /// By keys of a handshake over the media path (RFC 5764).
    Dtls(DtlsParameters),
}

impl Protection {
    /// Whether packets are encrypted, or else not sent.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        !matches!(self, Self::Plain)
    }

    /// The crypto suite of SDES; `None` for plain RTP, and for DTLS, whose suite only its handshake settles.
    #[must_use]
    pub const fn suite(&self) -> Option<CryptoSuite> {
        match self {
            Self::Plain | Self::Dtls(_) => None,
            Self::Sdes(keys) => Some(keys.ours.suite),
        }
    }
}

/// By what the packets of a transport are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encryption {
    /// Cipher and tag.
    pub suite: CryptoSuite,
    /// The keys have come by DTLS.
    pub by_dtls: bool,
}

impl Encryption {
    /// Its name in records and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        if self.by_dtls { self.suite.dtls_name() } else { self.suite.name() }
    }
}

/// Protection of one transport, both ways. A port that moves takes it along, with rollover counters, replay windows and handshakes.
///
/// A transport whose keys come by DTLS sends nothing but handshakes until it has them: what is to be protected is refused with
/// [`SrtpError::NoKeys`].
pub struct RtpTransport {
    protection: Protection,
    /// Of RTP, and of RTCP unless that has a handshake of its own.
    srtp: Option<Srtp>,
    /// Of RTCP at a port of its own, where keys come by DTLS (RFC 5764 section 3).
    srtcp: Option<Srtp>,
    handshakes: Option<Handshakes>,
    /// Datagrams of media that came before there were keys.
    early: u64,
    outcome: Option<Result<Encryption, DtlsError>>,
}

struct Srtp {
    keys: SrtpKeyPair,
    sender: SrtpSender,
    receiver: SrtpReceiver,
}

/// The associations of both sockets.
struct Handshakes {
    rtp: DtlsAssociation,
    /// `None`: RTCP shares the port of RTP.
    rtcp: Option<DtlsAssociation>,
    /// That of RTP has given keys.
    keyed: bool,
}

// === impl RtpTransport ===

impl RtpTransport {
    /// A transport with this protection; `rtcp_mux`: RTCP shares the port of RTP.
    ///
    /// # Errors
    /// When the keys cannot be used.
    pub fn new(now: Instant, protection: &Protection, rtcp_mux: bool) -> Result<Self, SrtpError> {
        let (srtp, handshakes) = match protection {
            Protection::Plain => (None, None),
            Protection::Sdes(keys) => (Some(Srtp::new(keys)?), None),
            Protection::Dtls(parameters) => (None, Some(Handshakes::new(now, parameters, rtcp_mux))),
        };
        Ok(Self { protection: protection.clone(), srtp, srtcp: None, handshakes, early: 0, outcome: None })
    }

    /// A new offer/answer has agreed on `protection`. Keys that stay go on where they are; packets of the peer's key before are taken for a while.
    /// An association stays while what was settled about it does, and else another handshake begins (RFC 5763 section 6.6).
    ///
    /// # Errors
    /// When the keys cannot be used; the transport stays as it was then.
    pub fn renegotiate(&mut self, now: Instant, protection: &Protection, rtcp_mux: bool) -> Result<(), SrtpError> {
        match protection {
            Protection::Plain => (self.srtp, self.srtcp, self.handshakes) = (None, None, None),
            Protection::Sdes(keys) => {
                match &mut self.srtp {
                    Some(srtp) => srtp.renegotiate(now, keys)?,
                    None => self.srtp = Some(Srtp::new(keys)?),
                }
                (self.srtcp, self.handshakes) = (None, None);
            }
            Protection::Dtls(_) if *protection == self.protection && self.has_own_rtcp() != rtcp_mux => {
                self.outcome = self.encryption().map(Ok);
            }
            Protection::Dtls(parameters) => {
                self.handshakes = Some(Handshakes::new(now, parameters, rtcp_mux));
                self.srtcp = None;
            }
        }
        self.protection = protection.clone();
        Ok(())
    }

    fn has_own_rtcp(&self) -> bool {
        self.handshakes.as_ref().is_some_and(|handshakes| handshakes.rtcp.is_some())
    }

    // === Handshakes ===

    /// Whether keys come by DTLS.
    #[must_use]
    pub const fn has_handshakes(&self) -> bool {
        self.handshakes.is_some()
    }

    /// Whether nothing may be sent, because the handshake of RTP is not over.
    #[must_use]
    pub fn awaits_keys(&self) -> bool {
        self.handshakes.as_ref().is_some_and(|handshakes| !handshakes.keyed)
    }

    /// Has the handshakes begin that we are to begin, with a peer at these addresses.
    pub fn begin_handshakes(&mut self, now: Instant, rtp: SocketAddr, rtcp: SocketAddr) {
        if let Some(handshakes) = &mut self.handshakes {
            handshakes.rtp.begin(now, rtp);
            if let Some(association) = &mut handshakes.rtcp {
                association.begin(now, rtcp);
            }
        }
    }

    /// Takes a datagram of DTLS. `true`: it has completed the handshake of RTP, so that `from` is the peer's address.
    pub fn handle_handshake(&mut self, now: Instant, channel: Channel, from: SocketAddr, datagram: &[u8]) -> bool {
        let Some(handshakes) = &mut self.handshakes else { return false };
        let association = match channel {
            Channel::Rtp => Some(&mut handshakes.rtp),
            Channel::Rtcp => handshakes.rtcp.as_mut(),
        };
        let Some(keys) = association.and_then(|association| association.handle(now, from, datagram)) else { return false };
        match channel {
            Channel::Rtp => {
                let taken = keys.and_then(|keys| self.take_keys(now, &keys));
                self.outcome = Some(taken);
                taken.is_ok()
            }
            Channel::Rtcp => {
                // A call goes on without reports.
                self.srtcp = keys.ok().and_then(|keys| Srtp::new(&keys).ok());
                false
            }
        }
    }

    fn take_keys(&mut self, now: Instant, keys: &SrtpKeyPair) -> Result<Encryption, DtlsError> {
        match &mut self.srtp {
            Some(srtp) => srtp.renegotiate(now, keys).map_err(|_| DtlsError::Library)?,
            None => self.srtp = Some(Srtp::new(keys).map_err(|_| DtlsError::Library)?),
        }
        if let Some(handshakes) = &mut self.handshakes {
            handshakes.keyed = true;
        }
        Ok(Encryption { suite: keys.ours.suite, by_dtls: true })
    }

    /// Repeats what is due of the handshakes, and gives up those that have taken too long.
    pub fn wake(&mut self, now: Instant) {
        if let Some(handshakes) = &mut self.handshakes {
            if let Some(error) = handshakes.rtp.wake(now) {
                self.outcome = Some(Err(error));
            }
            if let Some(association) = &mut handshakes.rtcp {
                // A call goes on without reports.
                let _ = association.wake(now);
            }
        }
    }

    /// The next datagram of a handshake: by which socket, where to, and its bytes.
    pub fn poll_handshake(&mut self) -> Option<(Channel, SocketAddr, Vec<u8>)> {
        let handshakes = self.handshakes.as_mut()?;
        if let Some((to, bytes)) = handshakes.rtp.poll_transmit() {
            return Some((Channel::Rtp, to, bytes));
        }
        let (to, bytes) = handshakes.rtcp.as_mut()?.poll_transmit()?;
        Some((Channel::Rtcp, to, bytes))
    }

    /// What the handshake of RTP has come to, once each time; and once more after an offer/answer that has kept it.
    pub fn take_outcome(&mut self) -> Option<Result<Encryption, DtlsError>> {
        self.outcome.take()
    }

    // === Packets ===

    /// Writes the RTP packet in a datagram into `packet`.
    ///
    /// # Errors
    /// When it is not to be taken; it is counted, and `packet` is worth nothing.
    pub fn unprotect_rtp(&mut self, now: Instant, datagram: &[u8], packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        if let Some(srtp) = &mut self.srtp {
            return srtp.receiver.unprotect_rtp(now, datagram, packet);
        }
        self.copy(datagram, packet)
    }

    /// Writes the RTCP packet in a datagram into `packet`.
    ///
    /// # Errors
    /// When it is not to be taken; it is counted, and `packet` is worth nothing.
    pub fn unprotect_rtcp(&mut self, now: Instant, datagram: &[u8], packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        if let Some(srtp) = self.srtcp() {
            return srtp.receiver.unprotect_rtcp(now, datagram, packet);
        }
        self.copy(datagram, packet)
    }

    /// A datagram of plain RTP or RTCP is its packet.
    fn copy(&mut self, datagram: &[u8], packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        packet.clear();
        if self.protection.is_encrypted() {
            self.early += 1;
            return Err(SrtpError::NoKeys);
        }
        packet.extend_from_slice(datagram);
        Ok(())
    }

    /// What protects RTCP.
    fn srtcp(&mut self) -> Option<&mut Srtp> {
        if self.has_own_rtcp() { self.srtcp.as_mut() } else { self.srtp.as_mut() }
    }

    /// Makes the datagram of an RTP packet, in place.
    ///
    /// # Errors
    /// When it must not be sent, because there is no key yet, its key is used up or it is no RTP.
    pub fn protect_rtp(&mut self, packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        if self.awaits_keys() {
            return Err(SrtpError::NoKeys);
        }
        match &mut self.srtp {
            Some(srtp) => srtp.sender.protect_rtp(packet),
            None if self.protection.is_encrypted() => Err(SrtpError::NoKeys),
            None => Ok(()),
        }
    }

    /// Makes the datagram of an RTCP packet, in place.
    ///
    /// # Errors
    /// When it must not be sent, because there is no key yet, its key is used up or it is no RTCP.
    pub fn protect_rtcp(&mut self, packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        if self.awaits_keys() {
            return Err(SrtpError::NoKeys);
        }
        let is_encrypted = self.protection.is_encrypted();
        match self.srtcp() {
            Some(srtp) => srtp.sender.protect_rtcp(packet),
            None if is_encrypted => Err(SrtpError::NoKeys),
            None => Ok(()),
        }
    }

    /// By what packets are protected; `None` for plain RTP, and until there are keys.
    #[must_use]
    pub fn encryption(&self) -> Option<Encryption> {
        let srtp = self.srtp.as_ref().filter(|_| !self.awaits_keys())?;
        Some(Encryption { suite: srtp.keys.ours.suite, by_dtls: self.handshakes.is_some() })
    }

    /// What has become of what came in; zeros for plain RTP.
    #[must_use]
    pub fn stats(&self) -> SrtpStats {
        let stats = self.srtp.as_ref().map(|srtp| srtp.receiver.stats()).unwrap_or_default();
        SrtpStats { rejected: stats.rejected + self.early, ..stats }
    }
}

impl Handshakes {
    fn new(now: Instant, parameters: &DtlsParameters, rtcp_mux: bool) -> Self {
        let begin = || DtlsAssociation::new(now, parameters.clone());
        Self { rtp: begin(), rtcp: (!rtcp_mux).then(begin), keyed: false }
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
    use crate::rtp::dtls::{DtlsIdentity, DtlsRole};
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

    fn protection(keys: Option<&SrtpKeyPair>) -> Protection {
        keys.map_or(Protection::Plain, |keys| Protection::Sdes(keys.clone()))
    }

    fn transport(keys: Option<&SrtpKeyPair>) -> RtpTransport {
        RtpTransport::new(start(), &protection(keys), false).unwrap()
    }

    fn suite(transport: &RtpTransport) -> Option<CryptoSuite> {
        transport.encryption().map(|encryption| encryption.suite)
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
        let (mut here, mut there) = (transport(Some(&ours)), transport(Some(&theirs)));
        let mut plain = transport(None);
        assert_eq!(passes(&mut here, &mut there, 1), Ok(packet(1)));
        assert_eq!(passes(&mut there, &mut here, 1), Ok(packet(1)));
        assert_eq!(passes(&mut plain, &mut here, 2), Err(SrtpError::Malformed));
        assert_eq!((suite(&here), suite(&plain)), (Some(CryptoSuite::AesCm128HmacSha1Tag80), None));
        assert_eq!((here.stats().accepted, here.stats().rejected), (1, 1));
        assert_eq!(passes(&mut plain, &mut transport(None), 3), Ok(packet(3)));
    }

    /// New keys, the same keys once more, and from plain to protected and back.
    #[test]
    fn a3_a_transport_follows_each_offer_and_answer() {
        let (ours, theirs) = pair(CryptoSuite::AeadAes128Gcm, 2);
        let (mut here, mut there) = (transport(None), transport(None));
        for (keys, seq) in [(Some((&ours, &theirs)), 1), (Some((&ours, &theirs)), 2), (None, 3)] {
            here.renegotiate(start(), &protection(keys.map(|keys| keys.0)), false).unwrap();
            there.renegotiate(start(), &protection(keys.map(|keys| keys.1)), false).unwrap();
            assert_eq!(passes(&mut here, &mut there, seq), Ok(packet(seq)));
        }
        let (other, of_other) = pair(CryptoSuite::AesCm256HmacSha1Tag32, 3);
        here.renegotiate(start(), &protection(Some(&ours)), false).unwrap();
        there.renegotiate(start(), &protection(Some(&theirs)), false).unwrap();
        here.renegotiate(start(), &protection(Some(&other)), false).unwrap();
        there.renegotiate(start(), &protection(Some(&of_other)), false).unwrap();
        assert_eq!(passes(&mut here, &mut there, 4), Ok(packet(4)));
        assert_eq!(suite(&here), Some(CryptoSuite::AesCm256HmacSha1Tag32));
    }

    /// Two ports that have a handshake on each of their sockets: what is sent before is refused, and each socket has keys of its own.
    #[test]
    fn a3_nothing_is_sent_before_a_handshake_is_over() {
        let [here, there] = [1, 2].map(|_| DtlsIdentity::generate().unwrap());
        let end = |role, ours: &DtlsIdentity, theirs: &DtlsIdentity| {
            let fingerprints = vec![theirs.fingerprint().clone()];
            Protection::Dtls(DtlsParameters { role, fingerprints, identity: ours.clone() })
        };
        let (ours, theirs) = (end(DtlsRole::Client, &here, &there), end(DtlsRole::Server, &there, &here));
        let [mut here, mut there] = [&ours, &theirs].map(|protection| RtpTransport::new(start(), protection, false).unwrap());
        let mut plain = transport(None);
        assert_eq!(passes(&mut here, &mut there, 1), Err(SrtpError::NoKeys));
        assert_eq!(passes(&mut plain, &mut here, 1), Err(SrtpError::NoKeys));
        assert_eq!((here.encryption(), here.stats().rejected), (None, 1));
        let [rtp, rtcp] = [5_000, 5_001].map(|port| SocketAddr::from(([192, 0, 2, 9], port)));
        here.begin_handshakes(start(), rtp, rtcp);
        for _ in 0..10 {
            while let Some((channel, to, datagram)) = here.poll_handshake() {
                assert_eq!(to, if channel == Channel::Rtp { rtp } else { rtcp });
                there.handle_handshake(start(), channel, to, &datagram);
            }
            while let Some((channel, to, datagram)) = there.poll_handshake() {
                here.handle_handshake(start(), channel, to, &datagram);
            }
        }
        let encryption = Encryption { suite: CryptoSuite::AeadAes128Gcm, by_dtls: true };
        assert_eq!((here.take_outcome(), there.take_outcome()), (Some(Ok(encryption)), Some(Ok(encryption))));
        assert_eq!(passes(&mut here, &mut there, 2), Ok(packet(2)));
        let report = vec![0x80, 201, 0, 1, 0, 0, 0, 7];
        let (mut datagram, mut read) = (report.clone(), Vec::new());
        there.protect_rtcp(&mut datagram).unwrap();
        assert_eq!(here.unprotect_rtcp(start(), &datagram, &mut read).map(|()| read), Ok(report));
        // The same once more keeps both; plain RTP ends them.
        here.renegotiate(start(), &ours, false).unwrap();
        assert_eq!((here.take_outcome(), here.awaits_keys()), (Some(Ok(encryption)), false));
        here.renegotiate(start(), &ours, true).unwrap();
        assert_eq!(passes(&mut here, &mut there, 3), Err(SrtpError::NoKeys));
        here.renegotiate(start(), &Protection::Plain, true).unwrap();
        assert_eq!(passes(&mut here, &mut plain, 4), Ok(packet(4)));
    }
}
