//! [`MediaPath`]: where a port's packets come from and go to (S-7), and how they are protected on the way.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use crate::rtp::dtls::DtlsError;
use crate::rtp::ice::IceCredentials;
use crate::rtp::latch::{Latch, Trickle};
use crate::rtp::packet::is_rtcp;
use crate::rtp::srtp::{SrtpError, SrtpStats};
use crate::rtp::transport::{Channel, DatagramKind, Encryption, RtpTransport};

use super::profile::Profile;

/// Addresses and protection of one port. It moves with its port, with rollover counters and replay windows.
pub(super) struct MediaPath {
    latch: Latch,
    trickle: Trickle,
    transport: RtpTransport,
    remote: SocketAddr,
    remote_rtcp: SocketAddr,
    rtcp_mux: bool,
    ice: Option<IceCredentials>,
    /// The device has nominated a pair of addresses.
    nominated: bool,
    /// Responses to its checks.
    responses: VecDeque<(Channel, SocketAddr, Vec<u8>)>,
}

/// Responses to checks that wait to be sent; what comes beyond is not answered, and comes again.
const MOST_RESPONSES: usize = 16;

/// What a datagram has turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Received {
    /// An RTP packet, without its protection.
    Rtp,
    /// An RTCP packet, without its protection.
    Rtcp,
    /// Nothing for the port: part of a handshake, or counted by SRTP.
    Nothing,
    /// From an address that is none of the call's (S-7).
    Stranger,
}

impl MediaPath {
    /// # Errors
    /// When the keys of SRTP cannot be used.
    pub(super) fn new(now: Instant, profile: &Profile) -> Result<Self, SrtpError> {
        Ok(Self {
            latch: Latch::new(profile.remote, profile.signalling, profile.named),
            trickle: Trickle::default(),
            transport: RtpTransport::new(now, &profile.protection, profile.rtcp_mux)?,
            remote: profile.remote,
            remote_rtcp: profile.remote_rtcp,
            rtcp_mux: profile.rtcp_mux,
            ice: profile.ice.clone(),
            nominated: false,
            responses: VecDeque::new(),
        })
    }

    /// Takes addresses and keys of a new offer and answer.
    ///
    /// # Errors
    /// When the keys cannot be used; nothing is changed then.
    pub(super) fn renegotiate(&mut self, now: Instant, profile: &Profile) -> Result<(), SrtpError> {
        self.transport.renegotiate(now, &profile.protection, profile.rtcp_mux)?;
        if self.latch.renegotiated(profile.remote, profile.signalling, profile.named) {
            self.trickle = Trickle::default();
        }
        if self.ice != profile.ice {
            (self.ice, self.nominated) = (profile.ice.clone(), false);
        }
        (self.remote, self.remote_rtcp, self.rtcp_mux) = (profile.remote, profile.remote_rtcp, profile.rtcp_mux);
        Ok(())
    }

    /// Takes a datagram; what is RTP or RTCP in it is written into `packet`.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        channel: Channel,
        from: SocketAddr,
        datagram: &[u8],
        packet: &mut Vec<u8>,
    ) -> Received {
        if self.transport.has_handshakes() && DatagramKind::of(datagram) == DatagramKind::Dtls {
            return self.receive_handshake(now, channel, from, datagram);
        }
        if self.ice.is_some() && DatagramKind::of(datagram) == DatagramKind::Stun {
            return self.receive_check(now, channel, from, datagram);
        }
        // RTCP on the RTP port without agreement (RFC 5761): some devices do so.
        let (unprotected, received) = if channel == Channel::Rtcp || is_rtcp(datagram) {
            (self.transport.unprotect_rtcp(now, datagram, packet), Received::Rtcp)
        } else {
            (self.transport.unprotect_rtp(now, datagram, packet), Received::Rtp)
        };
        unprotected.map_or(Received::Nothing, |()| received)
    }

    // === Handshakes ===

    fn receive_handshake(&mut self, now: Instant, channel: Channel, from: SocketAddr, datagram: &[u8]) -> Received {
        if !self.latch.is_of_call(from.ip()) {
            return Received::Stranger;
        }
        if self.transport.handle_handshake(now, channel, from, datagram) {
            // Its certificate was right: media goes where the handshake came from.
            self.latch.accept_authenticated(now, from);
        }
        Received::Nothing
    }

    /// Answers a check of ICE, and follows it (RFC 8445 section 7.3).
    fn receive_check(&mut self, now: Instant, channel: Channel, from: SocketAddr, datagram: &[u8]) -> Received {
        let Some(check) = self.ice.as_ref().and_then(|ice| ice.check(from, datagram)) else { return Received::Stranger };
        if self.responses.len() < MOST_RESPONSES {
            self.responses.push_back((channel, from, check.response));
        }
        if channel == Channel::Rtp && (check.nominates || self.latch.latched().is_none()) {
            self.latch.nominated(now, from);
            self.nominated |= check.nominates;
        }
        Received::Nothing
    }

    /// Begins, repeats and gives up handshakes.
    pub(super) fn wake(&mut self, now: Instant) {
        // An address that is only named is sent a few ClientHellos: less than the message that named it (S-7).
        let is_known = self.ice.is_none() || self.nominated;
        if self.transport.awaits_keys()
            && is_known
            && let Some(to) = self.latch.target().or_else(|| self.latch.unproven())
        {
            let rtcp = self.rtcp_of(to);
            self.transport.begin_handshakes(now, to, rtcp);
        }
        self.transport.wake(now);
    }

    /// The next datagram of a handshake, or response to a check: by which socket, where to, and its bytes.
    pub(super) fn poll_handshake(&mut self) -> Option<(Channel, SocketAddr, Vec<u8>)> {
        self.responses.pop_front().or_else(|| self.transport.poll_handshake())
    }

    /// What the handshake has come to, once.
    pub(super) fn take_outcome(&mut self) -> Option<Result<Encryption, DtlsError>> {
        self.transport.take_outcome()
    }

    // === Packets ===

    /// Makes the datagram of an RTP packet, in place.
    ///
    /// # Errors
    /// When it must not be sent.
    pub(super) fn protect_rtp(&mut self, packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        self.transport.protect_rtp(packet)
    }

    /// Makes the datagram of an RTCP packet, in place.
    ///
    /// # Errors
    /// When it must not be sent.
    pub(super) fn protect_rtcp(&mut self, packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        self.transport.protect_rtcp(packet)
    }

    /// Whether an RTP packet is the device's. `negotiated`: its payload type is one of those agreed on.
    pub(super) fn accept_rtp(&mut self, now: Instant, from: SocketAddr, negotiated: bool) -> bool {
        if negotiated && self.encryption().is_some() {
            // Its tag was right: nobody else can have sent it.
            self.latch.accept_authenticated(now, from);
            return true;
        }
        self.latch.accept(now, from, negotiated)
    }

    /// Whether a packet comes from where the device's RTP has come from so far, so that it is the device's although nothing of it is agreed on.
    pub(super) fn is_from_device(&self, from: SocketAddr) -> bool {
        self.encryption().is_some() || self.latch.latched().or(self.latch.target()).is_some_and(|source| is_same(source, from))
    }

    /// Whether an RTCP packet is the device's: its tag was right, or it comes from a host of the call.
    pub(super) fn accept_rtcp(&self, from: SocketAddr) -> bool {
        let is_known = from.ip() == self.remote_rtcp.ip() || self.latch.target().is_some_and(|target| target.ip() == from.ip());
        is_known || self.encryption().is_some()
    }

    /// A report about what was sent has come from an address.
    pub(super) fn report_received(&mut self, now: Instant, from: SocketAddr) {
        self.latch.answered(now, from);
    }

    /// Where RTP goes, once that is known and there are keys for it.
    pub(super) fn target(&self) -> Option<SocketAddr> {
        self.latch.target().filter(|_| !self.transport.awaits_keys())
    }

    /// By which socket RTCP goes, and where to.
    pub(super) fn rtcp_target(&self) -> Option<(Channel, SocketAddr)> {
        let channel = if self.rtcp_mux { Channel::Rtp } else { Channel::Rtcp };
        Some((channel, self.rtcp_of(self.target()?)))
    }

    /// Where RTCP goes when RTP goes to `target`. Behind a NAT the described address is unreachable, and another one is unproven: then it
    /// follows RTP (S-7).
    fn rtcp_of(&self, target: SocketAddr) -> SocketAddr {
        let described = self.remote_rtcp;
        if self.rtcp_mux {
            target
        } else if target == self.remote && described.ip() == target.ip() {
            described
        } else {
            SocketAddr::new(target.ip(), target.port().saturating_add(1))
        }
    }

    /// An address that is only named, if it is due a packet of comfort noise (S-7): a device that waits to be sent something first can answer, and
    /// anybody else at that address gets next to nothing.
    pub(super) fn probe(&mut self, now: Instant) -> Option<SocketAddr> {
        let to = self.latch.unproven().filter(|_| !self.transport.awaits_keys())?;
        self.trickle.take(now).then_some(to)
    }

    /// By what packets are protected; `None` for plain RTP, and until there are keys.
    pub(super) fn encryption(&self) -> Option<Encryption> {
        self.transport.encryption()
    }

    /// What SRTP has counted.
    pub(super) fn srtp_stats(&self) -> SrtpStats {
        self.transport.stats()
    }
}

/// Whether two addresses are one; an IPv4 address seen through a dual-stack socket is the IPv4 address.
fn is_same(one: SocketAddr, other: SocketAddr) -> bool {
    (one.ip().to_canonical(), one.port()) == (other.ip().to_canonical(), other.port())
}
