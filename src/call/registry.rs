//! The calls that are up: one [`CallEntry`] each, written by the call's own task and read by whoever asks (`status`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::common::ids::{CallId, MeetingName, ParticipantId};
use crate::media::PortHandle;
use crate::sip::Transport;

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CallStage {
    /// It rings there (S-9).
    Calling,
    /// Not yet acknowledged by the device.
    Answering,
    /// In the menu (K-1).
    Menu,
    /// At a meeting's door.
    Waiting,
    /// Inside.
    In,
    /// Last words, or waiting for the media's figures.
    Leaving,
}

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
    /// The suite of SRTP that was agreed on; `None` for plain RTP.
    pub encryption: Option<&'static str>,
    /// Its media, once there is some.
    pub port: Option<PortHandle>,
}

/// The entries of all calls. No lock is held while anything is waited for.
#[derive(Debug, Clone, Default)]
pub(super) struct CallRegistry(Arc<Mutex<BTreeMap<CallId, CallEntry>>>);

/// A call's own entry; dropped, it is taken out, however its task ended.
#[derive(Debug)]
pub(super) struct OwnCallEntry {
    registry: CallRegistry,
    call: CallId,
}

impl CallRegistry {
    /// Puts in the entry of a call.
    pub(super) fn put(&self, entry: CallEntry) -> OwnCallEntry {
        let call = entry.call;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(call, entry);
        OwnCallEntry { registry: self.clone(), call }
    }

    /// The same for a device that is about to ring; `None` while it rings already.
    pub(super) fn put_if_silent(&self, entry: CallEntry) -> Option<OwnCallEntry> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.values().any(|other| other.stage == CallStage::Calling && other.device == entry.device) {
            return None;
        }
        let call = entry.call;
        entries.insert(call, entry);
        Some(OwnCallEntry { registry: self.clone(), call })
    }

    /// The entry of one call.
    pub(super) fn find(&self, call: CallId) -> Option<CallEntry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&call).cloned()
    }

    /// All entries, the oldest call first.
    pub(super) fn all(&self) -> Vec<CallEntry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// How far each call has come.
    pub(super) fn stages(&self) -> Vec<CallStage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().map(|entry| entry.stage).collect()
    }
}

impl OwnCallEntry {
    /// What it says now.
    pub(super) fn read(&self) -> Option<CallEntry> {
        self.registry.find(self.call)
    }

    /// Changes it.
    pub(super) fn change(&self, change: impl FnOnce(&mut CallEntry)) {
        if let Some(entry) = self.registry.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&self.call) {
            change(entry);
        }
    }
}

impl Drop for OwnCallEntry {
    fn drop(&mut self) {
        self.registry.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.call);
    }
}
