//! What an operator, the API and the pages may see of all calls, and ask of them: [`CallsView`].

use std::sync::Arc;

use super::failures::Failure;
use super::history::EndedCall;
use super::inbox::Delivery;
use super::invitation::Invitation;
use super::messages::CallInput;
use super::registry::{CallEntry, CallStage};
use super::shared::CallsShared;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName};
use crate::common::machine;
use crate::meeting::MeetingRefusal;
use crate::menu::SharedLockout;
use crate::sip::Source;

/// What an operator may see of all calls. Cheap to clone.
#[derive(Clone)]
pub struct CallsView(pub(super) Arc<CallsShared>);

impl CallsView {
    /// Calls a device into a meeting (S-9). How it goes is told to the invitation's own queue.
    ///
    /// # Errors
    /// [`MeetingRefusal`], when nobody is called.
    pub fn invite(&self, invitation: Invitation) -> Result<CallId, MeetingRefusal> {
        if !self.0.runtime_config().router.devices.contains_key(&invitation.device) {
            return Err(MeetingRefusal::NoSuchDevice);
        }
        self.0.outbound.ask(invitation)
    }

    /// The calls that are up, the oldest first.
    #[must_use]
    pub fn entries(&self) -> Vec<CallEntry> {
        self.0.registry.all()
    }

    /// How far each of them has come.
    #[must_use]
    pub fn stages(&self) -> Vec<CallStage> {
        self.0.registry.stages()
    }

    /// One call that is up.
    #[must_use]
    pub fn entry(&self, call: CallId) -> Option<CallEntry> {
        self.0.registry.find(call)
    }

    /// One of the calls that ended last.
    #[must_use]
    pub fn ended(&self, call: CallId) -> Option<EndedCall> {
        self.0.history.find(call)
    }

    /// Ends a call, with spoken words where they can be heard; `false` when it is not there (any more).
    #[must_use]
    pub fn hang_up(&self, call: CallId, cause: Cause) -> bool {
        // A call too busy to take it ends as stalled.
        self.0.inboxes.send(call, CallInput::End(cause)) == Delivery::Queued
    }

    /// The calls that went wrong last, the newest first.
    #[must_use]
    pub fn failures(&self) -> Vec<Failure> {
        self.0.failures.all()
    }

    /// Who is locked out after wrong codes (K-1): callers, and meetings that strangers are held up at.
    #[must_use]
    pub fn locked(&self) -> (Vec<Source>, Vec<MeetingName>) {
        self.0.settings.lockout.get().locked(machine::now())
    }

    /// The lock-out itself, for those who take codes elsewhere.
    #[must_use]
    pub fn lockout(&self) -> SharedLockout {
        self.0.settings.lockout.clone()
    }

    /// Unlocks a caller or a meeting; `false` when none of this name was locked.
    #[must_use]
    pub fn lift(&self, name: &str) -> bool {
        self.0.settings.lockout.get().lift(machine::now(), name)
    }
}
