//! Calls to devices: a member calls one into a meeting (S-9), or a phone hands its place over to another one (M-18). Whoever answers hears
//! which meeting it is, presses 1, and then knocks like anybody.
#![allow(clippy::disallowed_methods, reason = "part of the calls' tasks: it has the clock")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{Semaphore, mpsc};

use super::admit::Guest;
use super::board::{CallLine, OwnLine};
use super::rings::Rings;
use super::task::{Established, Shared};
use super::{Input, Stage};
use crate::cause::Cause;
use crate::ids::{CallId, Ids, MeetingName, ParticipantId};
use crate::machine;
use crate::media::Share;
use crate::meeting::{By, Refusal};
use crate::redact::Caller;
use crate::sip::uri::Host;
use crate::sip::{CallTarget, Command, Event};
use crate::store::Phone;
use crate::telemetry::events::{Draft, What};

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
    /// Whoever asked; of [`PROGRESS`]. What it is told ends with [`Progress::Knocked`] or [`Progress::Failed`].
    pub progress: mpsc::Sender<Progress>,
}

/// How far an invitation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It rings.
    Ringing,
    /// Somebody has taken the call.
    Answered,
    /// They have pressed 1 and stand at the meeting's door.
    Knocked,
    /// They will not come.
    Failed(Cause),
}

impl Progress {
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
pub(super) struct Inviter {
    ids: Ids,
    queue: mpsc::Sender<(CallId, Invitation)>,
    rings: Mutex<Rings>,
    /// Calls that may ring at once: each holds a pair of ports, which its offer has to name.
    pub(super) ringing: Semaphore,
}

impl Inviter {
    /// `pairs`: of ports, altogether.
    pub(super) fn new(ids: Ids, queue: mpsc::Sender<(CallId, Invitation)>, pairs: usize) -> Self {
        let ringing = Semaphore::new((pairs / SHARE).clamp(1, RINGING_AT_ONCE));
        Self { ids, queue, rings: Mutex::new(Rings::new(machine::now())), ringing }
    }

    pub(super) fn ask(&self, invitation: Invitation) -> Result<CallId, Refusal> {
        let place = self.queue.try_reserve().map_err(|_| Refusal::Busy)?;
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        if !rings.take(machine::now(), &invitation.by, &invitation.device, &invitation.meeting) {
            return Err(Refusal::TooOften);
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

impl Shared {
    /// Calls the device, and stays with whoever answers until the call is over.
    pub(super) async fn invite(
        self: &Arc<Self>,
        call: CallId,
        invitation: Invitation,
        inbox: mpsc::Sender<Input>,
        mut inputs: mpsc::Receiver<Input>,
    ) {
        let (device, meeting, began) = (&invitation.device, &invitation.meeting, SystemTime::now());
        let reach = self.settings.sip.call_target(device).await;
        let peer = reach.as_ref().map(|reach| reach.peer);
        let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        let guest = self.house().doors.invited(device, meeting, address);
        let mut guest = guest.map(|guest| Guest { heir_of: invitation.heir_of, ..guest });
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
                let _ = invitation.progress.try_send(Progress::Answered);
                let asked = Some(invitation.progress);
                self.converse((call, line), reach.peer, (guest, asked), established, (inbox, inputs), began).await;
            }
            (outcome, guest) => {
                let cause = outcome.err().unwrap_or(Cause::Fault);
                tracing::info!(%call, %device, %meeting, %cause, "nobody comes");
                self.over(call, device, peer, cause);
                self.ended(call, Some(meeting), cause);
                let _ = invitation.progress.try_send(Progress::Failed(cause));
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
        guest: &mut Guest,
        reach: &CallTarget,
        inputs: &mut mpsc::Receiver<Input>,
    ) -> Result<(OwnLine, Established), Cause> {
        let Invitation { device, meeting, replaces, progress, .. } = invitation;
        tracing::info!(%call, %device, %meeting, target = %reach.peer, transport = reach.transport.as_str(), "calls a device");
        let local = reach.local.or_else(|| towards(reach.peer)).ok_or(Cause::NotReachable)?;
        let line = CallLine {
            call,
            device: guest.device.clone(),
            name: guest.name.clone(),
            source: reach.peer,
            transport: reach.transport,
            stage: Stage::Calling,
            meeting: None,
            participant: None,
            began: machine::now(),
            admitted: false,
            codec: None,
            port: None,
        };
        let line = self.board.put_if_silent(line).ok_or(Cause::Refused(486))?;
        // Given back with the answer, or without one.
        let _rings = self.inviter.ringing.try_acquire().map_err(|_| Cause::Busy)?;
        let (mut talk, reserved) = self.prepare(call, (local, reach.peer.ip(), reach.proof), Share::Known)?;
        let house = self.house();
        let entry = house.doors.directory.by_name(meeting).ok_or(Cause::UnknownAddress)?;
        let number = Some(entry.conference_id.as_str()).filter(|id| !id.is_empty()).unwrap_or(meeting.as_str());
        let host = Host::Ip(self.settings.advertised.unwrap_or(local));
        self.settings
            .sip
            .send(Command::CallDevice {
                call,
                device: device.as_str().into(),
                from: format!("sip:{number}@{host}"),
                display: self.settings.registry.title(meeting).unwrap_or_default(),
                sdp: talk.offer(),
                replaces: replaces.clone(),
            })
            .await;
        let raise = |what| self.settings.raised.raise(Draft::of(what).call(Some(call)).meeting(meeting));
        let rings = || {
            raise(What::Ringing);
            let _ = progress.try_send(Progress::Ringing);
        };
        let answer = tokio::time::timeout(RINGING, answered(inputs, rings)).await;
        let dialog = self.settings.sip.dialog(call).await.unwrap_or_default();
        guest.phone = Phone::new(&dialog, reach.peer.to_string(), Caller::new(&reach.user), reach.proof.word());
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
        let profile = talk.answered(&sdp);
        let established = self.opened(call, talk, reserved, profile, Vec::new()).await?;
        raise(What::Answered);
        line.change(|line| line.codec = Some(established.codec.row().name));
        Ok((line, established))
    }
}

/// Their answer, or why we do not wait for it any longer.
async fn answered(inputs: &mut mpsc::Receiver<Input>, ringing: impl Fn()) -> Result<Result<Vec<u8>, Cause>, Cause> {
    let mut rings = false;
    loop {
        match inputs.recv().await {
            Some(Input::Sip(Event::Ringing { status: 180, .. })) if !rings => {
                rings = true;
                ringing();
            }
            Some(Input::Sip(Event::Answered { sdp, .. })) => return Ok(Ok(sdp)),
            Some(Input::Sip(Event::Failed { cause, .. } | Event::Ended { cause, .. })) => {
                return Err(match cause {
                    Cause::Refused(603) => Cause::Declined,
                    Cause::Refused(408 | 480 | 487) => Cause::NoAnswer,
                    Cause::PeerGone => Cause::NotReachable,
                    other => other,
                });
            }
            Some(Input::End(cause)) => return Ok(Err(cause)),
            None => return Err(Cause::Fault),
            Some(_) => {}
        }
    }
}
