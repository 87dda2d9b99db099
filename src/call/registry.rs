//! Who is up: one line a call, written by the call's own task and read by whoever asks (`status`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::CallStage;
use crate::common::ids::{CallId, MeetingName, ParticipantId};
use crate::media::PortHandle;
use crate::sip::Transport;

/// One call, as an operator sees it.
#[derive(Debug, Clone)]
pub struct CallEntry {
    /// Its name in the log.
    pub call: CallId,
    /// The device's configured label.
    pub device: String,
    /// Its display name (M-4).
    pub name: String,
    /// Where its SIP comes from.
    pub source: SocketAddr,
    /// By what.
    pub transport: Transport,
    /// How far it has come.
    pub stage: CallStage,
    /// At which meeting it knocked, or into which it is called.
    pub meeting: Option<MeetingName>,
    /// Its presence there.
    pub participant: Option<ParticipantId>,
    /// When the INVITE came.
    pub began: Instant,
    /// It was let into the meeting; from then on its members may know more of it (M-8).
    pub admitted: bool,
    /// The codec agreed on, by its SDP name.
    pub codec: Option<&'static str>,
    /// Its media, once there is some.
    pub port: Option<PortHandle>,
}

/// The lines of all calls. No lock is held while anything is waited for.
#[derive(Debug, Clone, Default)]
pub(super) struct CallRegistry(Arc<Mutex<BTreeMap<CallId, CallEntry>>>);

/// A call's own line; dropped, it is wiped, however its task ended.
#[derive(Debug)]
pub(super) struct OwnCallEntry {
    calls_up: CallRegistry,
    call: CallId,
}

impl CallRegistry {
    /// Puts a line up.
    pub(super) fn put(&self, line: CallEntry) -> OwnCallEntry {
        let call = line.call;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(call, line);
        OwnCallEntry { calls_up: self.clone(), call }
    }

    /// Puts a line up for a device that is about to ring; `None` while it rings already.
    pub(super) fn put_if_silent(&self, line: CallEntry) -> Option<OwnCallEntry> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.values().any(|other| other.stage == CallStage::Calling && other.device == line.device) {
            return None;
        }
        let call = line.call;
        lines.insert(call, line);
        Some(OwnCallEntry { calls_up: self.clone(), call })
    }

    /// The line of one call.
    pub(super) fn line(&self, call: CallId) -> Option<CallEntry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&call).cloned()
    }

    /// All lines, the oldest call first.
    pub(super) fn lines(&self) -> Vec<CallEntry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// How far each call has come.
    pub(super) fn stages(&self) -> Vec<CallStage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().map(|line| line.stage).collect()
    }
}

impl OwnCallEntry {
    /// What it says now.
    pub(super) fn read(&self) -> Option<CallEntry> {
        self.calls_up.line(self.call)
    }

    /// Changes the line.
    pub(super) fn change(&self, change: impl FnOnce(&mut CallEntry)) {
        if let Some(line) = self.calls_up.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&self.call) {
            change(line);
        }
    }
}

impl Drop for OwnCallEntry {
    fn drop(&mut self) {
        self.calls_up.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.call);
    }
}
