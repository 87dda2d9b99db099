//! [`Latch`]: where media comes from and goes to (S-7).

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// A port change at the latched IP is followed when the old port has been silent this long (S-7).
const PORT_CHANGE_AFTER: Duration = Duration::from_secs(1);

/// What is thought of the address that a session description names (S-7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedSource {
    /// It is where the signalling comes from, or the call has proven who it is: media goes there at once.
    Trusted,
    /// Whoever called may have named anybody: nothing but a few packets of comfort noise goes there before two packets have come from there,
    /// or a report that shows that those have arrived.
    Unproven,
    /// It is an address that nobody elsewhere can mean: nothing goes there before two packets have come from there.
    Barred,
}

/// When an address that is not proven yet is sent a packet of comfort noise: enough for a device that waits to be sent something first, and
/// less in all than the message that named the address.
#[derive(Clone, Debug, Default)]
pub struct Trickle {
    sent: u32,
    next: Option<Instant>,
}

/// Packets of a [`Trickle`], each after twice the time.
const TRICKLE: u32 = 6;
/// The time after its first packet.
const TRICKLE_STEP: Duration = Duration::from_millis(200);

impl Trickle {
    /// Whether a packet is due now; if so, it counts.
    pub fn take(&mut self, now: Instant) -> bool {
        if self.sent >= TRICKLE || self.next.is_some_and(|next| now < next) {
            return false;
        }
        self.next = Some(now + TRICKLE_STEP * 2_u32.pow(self.sent));
        self.sent += 1;
        true
    }
}

/// Decides whose packets are the device's, and where ours go (S-7).
///
/// Packets are taken from the SDP address. Where signalling came from another IP (a device behind NAT), also from any port of
/// that IP, once two packets in a row came from the same port with a negotiated payload type; the SDP address, not proven then, needs two
/// packets as well, or a report of its receiver. The first source so found stays;
/// only its port may change, after a second of silence. Nothing from any other IP ever has an effect, nor has RTCP or an
/// unknown payload type (`negotiated_pt` false); but for packets with a valid SRTP tag, which nobody else can make.
#[derive(Clone, Debug)]
pub struct Latch {
    sdp: SocketAddr,
    signalling: IpAddr,
    named: NamedSource,
    /// The source that is fixed.
    fixed: Option<SocketAddr>,
    /// When the fixed source sent its last packet; before there is one, when another port of the right IP sent its first.
    last_packet: Option<Instant>,
    /// A port that has sent one packet and needs another.
    candidate: Option<SocketAddr>,
}

// === impl Latch ===

impl Latch {
    /// For media described by `sdp`, told in signalling that came from `signalling`.
    #[must_use]
    pub fn new(sdp: SocketAddr, signalling: IpAddr, named: NamedSource) -> Self {
        Self {
            sdp: canonical(sdp),
            signalling: signalling.to_canonical(),
            named,
            fixed: None,
            last_packet: None,
            candidate: None,
        }
    }

    /// Takes note of an RTP packet from `from` and says whether it is the device's. `negotiated_pt`: its payload type is one of
    /// those agreed on.
    pub fn accept(&mut self, now: Instant, from: SocketAddr, negotiated_pt: bool) -> bool {
        if !negotiated_pt {
            return false;
        }
        let from = canonical(from);
        let trusted = self.named == NamedSource::Trusted;
        if self.fixed == Some(from) || (self.fixed.is_none() && trusted && self.sdp == from) {
            return self.fix(now, from);
        }
        let same_ip = match self.fixed {
            Some(fixed) => fixed.ip() == from.ip(),
            None => from.ip() == self.signalling || from.ip() == self.sdp.ip(),
        };
        if !same_ip {
            return false;
        }
        // Behind NAT the first port of the signalling IP needs no silence, nor does the first one at an address that was only named; every
        // later change, and any change at an address that is trusted, does.
        let free = self.fixed.is_none() && (from.ip() != self.sdp.ip() || !trusted);
        let last_packet = *self.last_packet.get_or_insert(now);
        let silent = now.saturating_duration_since(last_packet) >= PORT_CHANGE_AFTER;
        if self.candidate == Some(from) && (free || silent) {
            return self.fix(now, from);
        }
        self.candidate = Some(from);
        false
    }

    /// Takes note of an RTP packet from `from` whose SRTP tag is right, so that it is the device's wherever it comes from. Another address is followed
    /// after two packets in a row, so that one packet that somebody has caught and sent from elsewhere redirects nothing.
    pub fn accept_authenticated(&mut self, now: Instant, from: SocketAddr) {
        let from = canonical(from);
        if self.fixed.is_none_or(|fixed| fixed == from) || self.candidate == Some(from) {
            self.fix(now, from);
        } else {
            self.candidate = Some(from);
        }
    }

    /// A check of ICE that proves itself has come from an address, and nominates it or is the first one.
    pub fn nominated(&mut self, now: Instant, from: SocketAddr) {
        self.fix(now, canonical(from));
    }

    /// Where to send: the fixed source; before there is one, the SDP address, where that is trusted and can be sent to.
    #[must_use]
    pub fn target(&self) -> Option<SocketAddr> {
        self.fixed.or_else(|| self.described().filter(|_| self.named == NamedSource::Trusted))
    }

    /// An address that was only named, and may be asked whether it is the device's.
    #[must_use]
    pub fn unproven(&self) -> Option<SocketAddr> {
        self.described().filter(|_| self.fixed.is_none() && self.named == NamedSource::Unproven)
    }

    /// A report about what was sent to it has come from the address that was only named: somebody there listens.
    pub fn answered(&mut self, now: Instant, from: SocketAddr) {
        if let Some(described) = self.unproven().filter(|described| described.ip() == from.ip().to_canonical()) {
            self.fix(now, described);
        }
    }

    /// Whether an address is one of the call's: that of the description, of the signalling, or of the source that is fixed.
    #[must_use]
    pub fn is_of_call(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address == self.signalling || address == self.sdp.ip() || self.fixed.is_some_and(|fixed| fixed.ip() == address)
    }

    fn described(&self) -> Option<SocketAddr> {
        (self.sdp.port() != 0 && !self.sdp.ip().is_unspecified()).then_some(self.sdp)
    }

    /// The source that has been fixed, if any.
    #[must_use]
    pub fn latched(&self) -> Option<SocketAddr> {
        self.fixed
    }

    /// A new offer/answer. The same addresses again (a session refresh) change nothing; others begin anew, and then this is `true`.
    pub fn renegotiated(&mut self, sdp: SocketAddr, signalling: IpAddr, named: NamedSource) -> bool {
        let (sdp, signalling) = (canonical(sdp), signalling.to_canonical());
        let moved = (sdp, signalling) != (self.sdp, self.signalling);
        if moved {
            *self = Self::new(sdp, signalling, named);
        }
        moved
    }

    fn fix(&mut self, now: Instant, from: SocketAddr) -> bool {
        self.fixed = Some(from);
        self.last_packet = Some(now);
        self.candidate = None;
        true
    }
}

/// An IPv4 address seen through a dual-stack socket is the IPv4 address.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests;
