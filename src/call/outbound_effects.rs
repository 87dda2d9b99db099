//! What a call to a device needs beyond every call: where the device is, a place among those that ring, and whoever has asked.

use std::net::{IpAddr, SocketAddr};

use tokio::sync::OwnedSemaphorePermit;

use super::invitation::{Invitation, OutboundProgress};
use super::messages::SignallingPath;
use super::registry::{CallEntry, CallStage, OwnCallEntry};
use super::router::RoutedCall;
use super::shared::CallsShared;
use crate::common::cause::Cause;
use crate::common::ids::CallId;
use crate::common::machine;
use crate::common::redact::MaskedCaller;
use crate::sip::{CallTarget, Source};
use crate::store::Phone;

/// What performs the acts of a call to a device.
pub(super) struct OutboundEffects {
    invitation: Invitation,
    /// Where the device is, once SIP has said so.
    target: Option<CallTarget>,
    /// Given back with the answer, or at the end.
    ringing_place: Option<OwnedSemaphorePermit>,
    /// Whoever has asked was told the last.
    reported: bool,
}

impl OutboundEffects {
    /// Of a call that an invitation wants.
    pub(super) const fn new(invitation: Invitation) -> Self {
        Self { invitation, target: None, ringing_place: None, reported: false }
    }

    /// Where the device's SIP goes to, once that is known.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.target.as_ref().map(|target| target.peer)
    }

    /// Tells whoever has asked for the call; nothing after the last step.
    pub(super) fn report(&mut self, step: OutboundProgress) {
        if !self.reported {
            // Who does not wait for it any more need not be told.
            let _ = self.invitation.progress.try_send(step);
        }
        self.reported |= matches!(step, OutboundProgress::Knocked | OutboundProgress::Failed(_));
    }

    /// The device does not ring any more.
    pub(super) fn free_ringing_place(&mut self) {
        self.ringing_place = None;
    }

    /// Finds out where the device is and whether it may ring now; if so, puts in its entry.
    ///
    /// # Errors
    /// [`Cause::NotReachable`]; [`Cause::Refused`] with 486, while it rings already; [`Cause::Busy`], when as many ring as may.
    pub(super) async fn find_target(
        &mut self,
        shared: &CallsShared,
        call: CallId,
        routed: &mut RoutedCall,
    ) -> Result<(SignallingPath, OwnCallEntry), Cause> {
        let Invitation { device, meeting, .. } = &self.invitation;
        let target = shared.settings.sip.call_target(device).await.ok_or(Cause::NotReachable)?;
        let (peer, transport) = (target.peer, target.transport);
        let (local, proof) = (target.local, target.proof);
        self.target = Some(target);
        routed.caller.source = Source::device(peer.ip(), device);
        tracing::info!(%call, %device, %meeting, target = %peer, transport = transport.as_str(), "calls a device");
        let local = local.or_else(|| towards(peer)).ok_or(Cause::NotReachable)?;
        let entry = CallEntry {
            call,
            device: routed.device.clone(),
            name: routed.name.clone(),
            source: peer,
            transport,
            stage: CallStage::Calling,
            // Whoever has asked sees it, and may stop it.
            meeting: Some(meeting.clone()),
            participant: None,
            began: machine::now(),
            admitted: false,
            codec: None,
            encryption: None,
            port: None,
        };
        let entry = shared.registry.put_if_silent(entry).ok_or(Cause::Refused(486))?;
        self.ringing_place = Some(shared.outbound.ringing_place().ok_or(Cause::Busy)?);
        Ok((SignallingPath { local, remote: peer.ip(), proof }, entry))
    }

    /// The far end of the call, for ledger and record; the Call-ID is known once the INVITE is out.
    pub(super) async fn phone(&self, shared: &CallsShared, call: CallId) -> Option<Phone> {
        let CallTarget { peer, user, proof, .. } = self.target.as_ref()?;
        let dialog = shared.settings.sip.dialog(call).await.unwrap_or_default();
        Some(Phone::new(&dialog, peer.to_string(), MaskedCaller::new(user), proof.word()))
    }
}

/// The address of ours that messages to `peer` come from, as the kernel routes them.
fn towards(peer: SocketAddr) -> Option<IpAddr> {
    let any: SocketAddr = if peer.is_ipv4() { ([0; 4], 0).into() } else { ([0; 16], 0).into() };
    let socket = std::net::UdpSocket::bind(any).ok()?;
    // Sends nothing: it only asks for the way.
    socket.connect(peer).ok()?;
    socket.local_addr().ok().map(|local| local.ip())
}
