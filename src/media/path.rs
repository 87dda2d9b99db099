//! [`MediaPath`]: where a port's packets come from and go to (S-7), and how they are protected on the way.

use std::net::SocketAddr;
use std::time::Instant;

use crate::rtp::latch::{Latch, Trickle};
use crate::rtp::srtp::{CryptoSuite, SrtpError, SrtpStats};
use crate::rtp::transport::RtpTransport;

use super::profile::Profile;

/// Addresses and protection of one port. It moves with its port, with rollover counters and replay windows.
pub(super) struct MediaPath {
    latch: Latch,
    trickle: Trickle,
    transport: RtpTransport,
    remote: SocketAddr,
    remote_rtcp: SocketAddr,
}

impl MediaPath {
    /// # Errors
    /// When the keys of SRTP cannot be used.
    pub(super) fn new(profile: &Profile) -> Result<Self, SrtpError> {
        Ok(Self {
            latch: Latch::new(profile.remote, profile.signalling, profile.named),
            trickle: Trickle::default(),
            transport: RtpTransport::new(profile.srtp.as_ref())?,
            remote: profile.remote,
            remote_rtcp: profile.remote_rtcp,
        })
    }

    /// Takes addresses and keys of a new offer and answer.
    ///
    /// # Errors
    /// When the keys cannot be used; nothing is changed then.
    pub(super) fn renegotiate(&mut self, now: Instant, profile: &Profile) -> Result<(), SrtpError> {
        self.transport.renegotiate(now, profile.srtp.as_ref())?;
        if self.latch.renegotiated(profile.remote, profile.signalling, profile.named) {
            self.trickle = Trickle::default();
        }
        (self.remote, self.remote_rtcp) = (profile.remote, profile.remote_rtcp);
        Ok(())
    }

    /// Writes the RTP packet of a datagram into `packet`.
    ///
    /// # Errors
    /// When it has no right tag or came before; it is counted.
    pub(super) fn unprotect_rtp(&mut self, now: Instant, datagram: &[u8], packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        self.transport.unprotect_rtp(now, datagram, packet)
    }

    /// The same for RTCP.
    ///
    /// # Errors
    /// When it has no right tag or came before; it is counted.
    pub(super) fn unprotect_rtcp(&mut self, now: Instant, datagram: &[u8], packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        self.transport.unprotect_rtcp(now, datagram, packet)
    }

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
        if negotiated && self.suite().is_some() {
            // Its tag was right: nobody else can have sent it.
            self.latch.accept_authenticated(now, from);
            return true;
        }
        self.latch.accept(now, from, negotiated)
    }

    /// Whether a packet comes from where the device's RTP has come from so far, so that it is the device's although nothing of it is agreed on.
    pub(super) fn is_from_device(&self, from: SocketAddr) -> bool {
        self.suite().is_some() || self.latch.latched().or(self.latch.target()).is_some_and(|source| is_same(source, from))
    }

    /// Whether an RTCP packet is the device's: its tag was right, or it comes from a host of the call.
    pub(super) fn accept_rtcp(&self, from: SocketAddr) -> bool {
        let is_known = from.ip() == self.remote_rtcp.ip() || self.latch.target().is_some_and(|target| target.ip() == from.ip());
        is_known || self.suite().is_some()
    }

    /// A report about what was sent has come from an address.
    pub(super) fn report_received(&mut self, now: Instant, from: SocketAddr) {
        self.latch.answered(now, from);
    }

    /// Where RTP goes, once that is known.
    pub(super) fn target(&self) -> Option<SocketAddr> {
        self.latch.target()
    }

    /// Where RTCP goes. Behind a NAT the described address is unreachable, and another one is unproven: then it follows RTP (S-7).
    pub(super) fn rtcp_target(&self) -> Option<SocketAddr> {
        let (target, described) = (self.latch.target()?, self.remote_rtcp);
        let as_described = target == self.remote && described.ip() == target.ip();
        Some(if as_described { described } else { SocketAddr::new(target.ip(), target.port().saturating_add(1)) })
    }

    /// An address that is only named, if it is due a packet of comfort noise (S-7): a device that waits to be sent something first can answer, and
    /// anybody else at that address gets next to nothing.
    pub(super) fn probe(&mut self, now: Instant) -> Option<SocketAddr> {
        let to = self.latch.unproven()?;
        self.trickle.take(now).then_some(to)
    }

    /// By what packets are protected; `None` for plain RTP.
    pub(super) fn suite(&self) -> Option<CryptoSuite> {
        self.transport.suite()
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
