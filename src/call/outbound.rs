//! Calls to devices: a member calls one into a meeting (S-9), or a phone hands its place over to another one (M-18). Whoever answers hears
//! which meeting it is, presses 1, and then knocks like anybody.
#![allow(clippy::disallowed_methods, reason = "part of the calls' tasks: it has the clock")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{Semaphore, mpsc};

use super::invite_limits::InviteLimits;
use super::registry::{CallEntry, OwnCallEntry};
use super::router::RoutedCall;
use super::task::{CallsShared, EstablishedCall};
use super::{CallInput, CallStage};
use crate::common::cause::Cause;
use crate::common::ids::{CallId, Ids, MeetingName, ParticipantId};
use crate::common::machine;
use crate::common::redact::MaskedCaller;
use crate::media::Share;
use crate::meeting::{By, MeetingRefusal};
use crate::sip::uri::Host;
use crate::sip::{CallTarget, Command, Event};
use crate::store::Phone;
use crate::telemetry::events::{Draft, EventKind};

/// Invitations that may wait to begin; above that one is refused.
pub(super) const INVITATIONS: usize = 16;
/// What may wait for whoever asked. Full: one step is not told; the last one always fits, since there are only few.
pub const PROGRESS: usize = 8;
/// Calls that may ring at once, and the part of all ports that they may hold.
const RINGING_AT_ONCE: usize = 16;
const SHARE: usize = 8;
/// How long a device may ring.
const RINGING: Duration = Duration::from_secs(60);

/// A device is to be called into a meeting.
#[derive(Debug)]
pub struct Invitation {
    /// The device's label.
    pub device: String,
    /// Where to.
    pub meeting: MeetingName,
    /// A call of the device that this one takes the place of: the value of `Replaces` (RFC 3891).
    pub replaces: Option<String>,
    /// Who asked.
    pub by: By,
    /// The presence whose place it takes (M-18).
    pub heir_of: Option<ParticipantId>,
    /// Whoever asked; of [`PROGRESS`]. What it is told ends with [`OutboundProgress::Knocked`] or [`OutboundProgress::Failed`].
    pub progress: mpsc::Sender<OutboundProgress>,
}

/// How far an invitation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboundProgress {
    /// It rings.
    Ringing,
    /// Somebody has taken the call.
    Answered,
    /// They have pressed 1 and stand at the meeting's door.
    Knocked,
    /// They will not come.
    Failed(Cause),
}

impl OutboundProgress {
    /// The final or provisional status that says the same in SIP.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Ringing | Self::Answered => 180,
            Self::Knocked => 200,
            Self::Failed(cause) => cause.verdict().status,
        }
    }
}

/// Asks for invitations, within budgets.
#[derive(Debug)]
pub(super) struct OutboundCalls {
    ids: Ids,
    queue: mpsc::Sender<(CallId, Invitation)>,
    rings: Mutex<InviteLimits>,
    /// Calls that may ring at once: each holds a pair of ports, which its offer has to name.
    pub(super) ringing: Semaphore,
}

impl OutboundCalls {
    /// `pairs`: of ports, altogether.
    pub(super) fn new(ids: Ids, queue: mpsc::Sender<(CallId, Invitation)>, pairs: usize) -> Self {
        let ringing = Semaphore::new((pairs / SHARE).clamp(1, RINGING_AT_ONCE));
        Self { ids, queue, rings: Mutex::new(InviteLimits::new(machine::now())), ringing }
    }

    pub(super) fn ask(&self, invitation: Invitation) -> Result<CallId, MeetingRefusal> {
        let place = self.queue.try_reserve().map_err(|_| MeetingRefusal::Busy)?;
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        if !rings.take(machine::now(), &invitation.by, &invitation.device, &invitation.meeting) {
            return Err(MeetingRefusal::TooOften);
        }
        let call = self.ids.call();
        place.send((call, invitation));
        Ok(call)
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

impl CallsShared {
    /// Calls the device, and stays with whoever answers until the call is over.
    pub(super) async fn invite(
        self: &Arc<Self>,
        call: CallId,
        invitation: Invitation,
        inbox: mpsc::Sender<CallInput>,
        mut inputs: mpsc::Receiver<CallInput>,
    ) {
        let (device, meeting, began) = (&invitation.device, &invitation.meeting, SystemTime::now());
        let reach = self.settings.sip.call_target(device).await;
        let peer = reach.as_ref().map(|reach| reach.peer);
        let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        let guest = self.runtime_config().router.invited(device, meeting, address);
        let mut guest = guest.map(|guest| RoutedCall { heir_of: invitation.heir_of, ..guest });
        let outcome = match (reach, &mut guest) {
            (Some(reach), Some(guest)) => {
                let rung = self.ring(call, &invitation, guest, &reach, &mut inputs).await;
                rung.map(|(line, established)| (reach, line, established))
            }
            (None, Some(_)) => Err(Cause::NotReachable),
            (_, None) => Err(Cause::UnknownDevice),
        };
        match (outcome, guest) {
            (Ok((reach, line, established)), Some(guest)) => {
                let _ = invitation.progress.try_send(OutboundProgress::Answered);
                let asked = Some(invitation.progress);
                self.converse((call, line), reach.peer, (guest, asked), established, (inbox, inputs), began).await;
            }
            (outcome, guest) => {
                let cause = outcome.err().unwrap_or(Cause::Fault);
                tracing::info!(%call, %device, %meeting, %cause, "nobody comes");
                self.over(call, device, peer, cause);
                self.ended(call, Some(meeting), cause);
                let _ = invitation.progress.try_send(OutboundProgress::Failed(cause));
                if let Some(guest) = guest {
                    self.record_failed((call, &guest), Some(meeting), began, cause).await;
                }
            }
        }
    }

    async fn ring(
        &self,
        call: CallId,
        invitation: &Invitation,
        guest: &mut RoutedCall,
        reach: &CallTarget,
        inputs: &mut mpsc::Receiver<CallInput>,
    ) -> Result<(OwnCallEntry, EstablishedCall), Cause> {
        let Invitation { device, meeting, replaces, progress, .. } = invitation;
        tracing::info!(%call, %device, %meeting, target = %reach.peer, transport = reach.transport.as_str(), "calls a device");
        let local = reach.local.or_else(|| towards(reach.peer)).ok_or(Cause::NotReachable)?;
        let line = CallEntry {
            call,
            device: guest.device.clone(),
            name: guest.name.clone(),
            source: reach.peer,
            transport: reach.transport,
            stage: CallStage::Calling,
            // Whoever has asked sees it, and may stop it.
            meeting: Some(meeting.clone()),
            participant: None,
            began: machine::now(),
            admitted: false,
            codec: None,
            port: None,
        };
        let line = self.calls_up.put_if_silent(line).ok_or(Cause::Refused(486))?;
        // Given back with the answer, or without one.
        let _rings = self.inviter.ringing.try_acquire().map_err(|_| Cause::Busy)?;
        let (mut offer_answer, reserved) = self.prepare(call, (local, reach.peer.ip(), reach.proof), Share::Known)?;
        let runtime_config = self.runtime_config();
        let entry = runtime_config.router.directory.by_name(meeting).ok_or(Cause::UnknownAddress)?;
        let number = Some(entry.conference_id.as_str()).filter(|id| !id.is_empty()).unwrap_or(meeting.as_str());
        let host = Host::Ip(self.settings.advertised.unwrap_or(local));
        self.settings
            .sip
            .send(Command::CallDevice {
                call,
                device: device.as_str().into(),
                from: format!("sip:{number}@{host}"),
                display: self.settings.registry.title(meeting).unwrap_or_default(),
                sdp: offer_answer.offer(),
                replaces: replaces.clone(),
            })
            .await;
        let raise = |what| self.settings.raised.raise(Draft::of(what).call(Some(call)).meeting(meeting));
        let rings = || {
            raise(EventKind::Ringing);
            let _ = progress.try_send(OutboundProgress::Ringing);
        };
        let answer = tokio::time::timeout(RINGING, answered(inputs, rings)).await;
        let dialog = self.settings.sip.dialog(call).await.unwrap_or_default();
        guest.phone = Phone::new(&dialog, reach.peer.to_string(), MaskedCaller::new(&reach.user), reach.proof.word());
        let answer = match answer {
            Ok(answer) => answer?,
            Err(_) => {
                self.settings.sip.send(Command::Bye { call, cause: Cause::NoAnswer }).await;
                return Err(Cause::NoAnswer);
            }
        };
        let sdp = match answer {
            Ok(sdp) => sdp,
            Err(cause) => {
                self.settings.sip.send(Command::Bye { call, cause }).await;
                return Err(cause);
            }
        };
        let profile = offer_answer.answered(&sdp);
        let established = self.opened(call, offer_answer, reserved, profile, Vec::new()).await?;
        raise(EventKind::Answered);
        line.change(|line| line.codec = Some(established.codec.row().name));
        Ok((line, established))
    }
}

/// Their answer, or why we do not wait for it any longer.
async fn answered(inputs: &mut mpsc::Receiver<CallInput>, ringing: impl Fn()) -> Result<Result<Vec<u8>, Cause>, Cause> {
    let mut rings = false;
    loop {
        match inputs.recv().await {
            Some(CallInput::Sip(Event::Ringing { status: 180, .. })) if !rings => {
                rings = true;
                ringing();
            }
            Some(CallInput::Sip(Event::Answered { sdp, .. })) => return Ok(Ok(sdp)),
            Some(CallInput::Sip(Event::Failed { cause, .. } | Event::Ended { cause, .. })) => {
                return Err(match cause {
                    Cause::Refused(603) => Cause::Declined,
                    Cause::Refused(408 | 480 | 487) => Cause::NoAnswer,
                    Cause::PeerGone => Cause::NotReachable,
                    other => other,
                });
            }
            Some(CallInput::End(cause)) => return Ok(Err(cause)),
            None => return Err(Cause::Fault),
            Some(_) => {}
        }
    }
}
