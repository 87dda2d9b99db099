//! [`CallCapacity`]: how many calls may be up at once: altogether, of one address, of strangers, who leave a part to those who are known,
//! and of those that nothing but the address of datagrams vouches for.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::session::InviteSession;
use super::sessions::InviteSessions;
use crate::sip::access::identity::{Identity, Proof};
use crate::sip::access::limits::Limits;
use crate::sip::core::Core;
use crate::sip::transport::{Flow, Transport};

/// Calls in the name of a device that is known by its address alone, which nobody has acknowledged from there: whoever can write that address
/// into datagrams has no more than these.
const UNPROVEN: usize = 8;

/// How long calls may wait for their answers before those of strangers are turned away, and those of everybody.
const PATIENCE: Duration = Duration::from_millis(500);
const PATIENCE_OF_KNOWN: Duration = Duration::from_secs(1);

/// See the file's paragraph.
pub(in crate::sip) struct CallCapacity<'a> {
    pub(in crate::sip) core: &'a Core,
    pub(in crate::sip) sessions: &'a InviteSessions,
    /// Whether a place has answered of late (M-1).
    pub(in crate::sip) has_answered: &'a dyn Fn(SocketAddr) -> bool,
}

impl CallCapacity<'_> {
    /// Whether as many calls are up as there may be for somebody who calls by this flow.
    pub(in crate::sip) fn is_full(&self, flow: &Flow, identity: Option<&Identity>, proof: Proof) -> bool {
        let (settings, limits, source) = (&self.core.settings, &self.core.settings.limits, flow.peer.ip());
        let is_reserved = self.core.yields_to_known(identity);
        let live = self.sessions.counted();
        (live.count_of(source) >= limits.calls_per_source && !settings.trusted.trusts(source))
            || live.count() >= limits.max_calls
            || (is_reserved && live.count_of_strangers() >= limits.of_strangers(limits.max_calls))
            || (self.is_unproven(flow, proof) && self.is_full_of_unproven(source, identity))
    }

    /// Whether nothing says who sends but the address in its datagrams, which is whatever their sender writes there.
    fn is_unproven(&self, flow: &Flow, proof: Proof) -> bool {
        proof == Proof::Address && flow.transport == Transport::Udp && !(self.has_answered)(flow.peer)
    }

    /// Whether as many calls are up as there may be that only the address of datagrams vouches for: in the name of one device or trunk, or of
    /// all and strangers together. Each counts until it is acknowledged, which is proof.
    fn is_full_of_unproven(&self, source: IpAddr, identity: Option<&Identity>) -> bool {
        let limits = &self.core.settings.limits;
        let each = if matches!(identity, Some(Identity::Device(_))) { UNPROVEN } else { limits.calls_per_source };
        let is_unproven = |session: &&InviteSession| {
            let peer = session.peer();
            !peer.is_called && !peer.is_reached && self.is_unproven(&peer.flow, peer.proof)
        };
        let (mut mine, mut all) = (0, self.sessions.counted().count_of_strangers());
        for session in self.sessions.live().filter(is_unproven) {
            all += 1;
            mine += usize::from(session.peer().source == source);
        }
        mine >= each || all >= limits.of_unproven(limits.max_calls)
    }
}

/// Whether those who have called before wait too long for their answers. Strangers are turned away first.
pub(super) fn is_overloaded(now: Instant, core: &mut Core, sessions: &InviteSessions, identity: Option<&Identity>) -> bool {
    let patience = if core.yields_to_known(identity) { PATIENCE } else { PATIENCE_OF_KNOWN };
    let is_overloaded = sessions.counted().is_overloaded(now, patience);
    if is_overloaded && let Some(unlogged) = core.log.overload.admit(now) {
        tracing::warn!(
            calls = sessions.count_live(),
            unlogged,
            "calls are turned away: those before them wait too long for their answers"
        );
    }
    is_overloaded
}

/// Says once in a while that calls are turned away.
pub(super) fn log_full(now: Instant, core: &mut Core, sessions: &InviteSessions, source: IpAddr) {
    if let Some(unlogged) = core.log.full.admit(now) {
        let Limits { max_calls, calls_per_source, .. } = core.settings.limits;
        let calls = sessions.count_live();
        tracing::warn!(calls, %source, max_calls, calls_per_source, unlogged, "calls are turned away: as many are up as there may be");
    }
}
