//! Calls to devices: a member calls one into a meeting (S-9), or a phone hands its place over to another one (M-18). Whoever answers hears
//! which meeting it is, presses 1, and then knocks like anybody.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::invite_limits::InviteLimits;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, Ids, MeetingName, ParticipantId};
use crate::common::machine;
use crate::meeting::{By, MeetingRefusal};

/// Invitations that may wait to begin; above that one is refused.
pub(super) const INVITATIONS: usize = 16;
/// What may wait for whoever asked. Full: one step is not told; the last one always fits, since there are only few.
pub const PROGRESS: usize = 8;
/// Calls that may ring at once, and the part of all ports that they may hold.
const RINGING_AT_ONCE: usize = 16;
const SHARE: usize = 8;

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

/// Takes invitations, within budgets.
#[derive(Debug)]
pub(super) struct OutboundCalls {
    ids: Ids,
    queue: mpsc::Sender<(CallId, Invitation)>,
    limits: Mutex<InviteLimits>,
    /// Calls that may ring at once: each holds a pair of ports, which its offer has to name.
    ringing: Arc<Semaphore>,
}

impl OutboundCalls {
    /// `pairs`: of ports, altogether.
    pub(super) fn new(ids: Ids, queue: mpsc::Sender<(CallId, Invitation)>, pairs: usize) -> Self {
        let ringing = Arc::new(Semaphore::new((pairs / SHARE).clamp(1, RINGING_AT_ONCE)));
        Self { ids, queue, limits: Mutex::new(InviteLimits::new(machine::now())), ringing }
    }

    /// Has a device called, if the budgets allow it.
    pub(super) fn ask(&self, invitation: Invitation) -> Result<CallId, MeetingRefusal> {
        let place = self.queue.try_reserve().map_err(|_| MeetingRefusal::Busy)?;
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        if !limits.take(machine::now(), &invitation.by, &invitation.device, &invitation.meeting) {
            return Err(MeetingRefusal::TooOften);
        }
        let call = self.ids.call();
        place.send((call, invitation));
        Ok(call)
    }

    /// One of the places for devices that ring, if one is free.
    pub(super) fn ringing_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.ringing).try_acquire_owned().ok()
    }
}
