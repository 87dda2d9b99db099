//! Which meetings there are, and which of them live.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::task::MeetingTask;
use super::{MAILBOX, MeetingHandle, Request};
use crate::ids::MeetingName;
use crate::media::Media;
use crate::policy::PolicySettings;
use crate::policy::retention::Retention;
use crate::relay;
use crate::store;

/// One configured meeting, as its task needs it.
#[derive(Debug, Clone)]
pub struct MeetingSettings {
    /// For people.
    pub title: String,
    /// Its rules.
    pub policy: PolicySettings,
}

/// What all meetings share.
pub struct Shared {
    /// The workers.
    pub media: Media,
    /// The ledger.
    pub store: store::Handle,
    /// Chat by SMS, where a provider is configured.
    pub relay: Option<relay::driver::Handle>,
    /// How long copies of the chat live (C-8).
    pub retention: Retention,
    /// Where recordings go.
    pub recordings: PathBuf,
}

/// Finds meetings by name, and brings them to life. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

/// Brings a meeting to life: its settings, the way back to its own mailbox, and the mailbox.
type Birth = dyn Fn(&MeetingName, &MeetingSettings, mpsc::WeakSender<Request>, mpsc::Receiver<Request>) + Send + Sync;

struct Inner {
    configured: BTreeMap<MeetingName, MeetingSettings>,
    birth: Box<Birth>,
    live: Mutex<BTreeMap<MeetingName, MeetingHandle>>,
}

impl Registry {
    /// A registry of the configured meetings, none of them alive.
    #[must_use]
    pub fn new(configured: BTreeMap<MeetingName, MeetingSettings>, shared: Shared) -> Self {
        let shared = Arc::new(shared);
        Self::with(configured, move |name, settings, mailbox, inbox| {
            MeetingTask::spawn(name.clone(), settings.clone(), Arc::clone(&shared), mailbox, inbox);
        })
    }

    /// A registry whose meetings come to life by `birth`.
    pub(super) fn with(
        configured: BTreeMap<MeetingName, MeetingSettings>,
        birth: impl Fn(&MeetingName, &MeetingSettings, mpsc::WeakSender<Request>, mpsc::Receiver<Request>) + Send + Sync + 'static,
    ) -> Self {
        Self { inner: Arc::new(Inner { configured, birth: Box::new(birth), live: Mutex::default() }) }
    }

    /// Name and title of every configured meeting.
    #[must_use]
    pub fn titles(&self) -> Vec<(MeetingName, String)> {
        self.inner.configured.iter().map(|(name, settings)| (name.clone(), settings.title.clone())).collect()
    }

    /// The title of one.
    #[must_use]
    pub fn title(&self, name: &MeetingName) -> Option<String> {
        self.inner.configured.get(name).map(|settings| settings.title.clone())
    }

    /// The live meeting of this name, brought to life if need be. `None`: no such meeting is configured.
    #[allow(clippy::unused_async, reason = "a connector to an outside service will have to wait here")]
    pub async fn open(&self, name: &MeetingName) -> Option<MeetingHandle> {
        let settings = self.inner.configured.get(name)?;
        let mut live = self.inner.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = live.get(name).filter(|handle| !handle.is_over()) {
            return Some(handle.clone());
        }
        let (mailbox, inbox) = mpsc::channel(MAILBOX);
        let handle = MeetingHandle { name: name.clone(), mailbox: mailbox.clone() };
        (self.inner.birth)(name, settings, mailbox.downgrade(), inbox);
        live.insert(name.clone(), handle.clone());
        Some(handle)
    }

    /// The meetings that live now.
    #[allow(clippy::unused_async, reason = "a connector to an outside service will have to wait here")]
    pub async fn running(&self) -> Vec<MeetingHandle> {
        let mut live = self.inner.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|_, handle| !handle.is_over());
        live.values().cloned().collect()
    }
}
