//! Which meetings there are, and which of them live.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use super::knock_limits::KnockLimits;
use super::mutes::MuteRegistry;
use super::task::MeetingTask;
use super::{MAILBOX, MeetingHandle, MeetingInput};
use crate::common::ids::{Ids, MeetingName};
use crate::common::machine;
use crate::media::Media;
use crate::policy::PolicySettings;
use crate::policy::retention::Retention;
use crate::relay;
use crate::store;
use crate::telemetry::events::Events;
use crate::telemetry::metrics::Counted;

/// One configured meeting, as its task needs it.
#[derive(Debug, Clone)]
pub struct MeetingSettings {
    /// For people.
    pub title: String,
    /// Its rules.
    pub policy: PolicySettings,
    /// Externals may join (M-11); read at each join.
    pub anonymous_join: bool,
    /// Names of configured devices, by label: nobody else gets one of them (M-1).
    pub devices: Arc<BTreeMap<String, String>>,
}

impl MeetingSettings {
    /// A meeting with everything as shipped.
    #[must_use]
    pub fn titled(title: &str) -> Self {
        Self { title: title.to_owned(), policy: PolicySettings::default(), anonymous_join: true, devices: Arc::default() }
    }
}

/// What all meetings share.
pub struct MeetingsShared {
    /// Names presences.
    pub ids: Ids,
    /// The workers.
    pub media: Media,
    /// The ledger.
    pub store: store::StoreHandle,
    /// Chat by SMS, where a provider is configured.
    pub relay: Option<relay::driver::RelayHandle>,
    /// How long copies of the chat live (C-8), at the moment.
    pub retention: watch::Receiver<Retention>,
    /// For those who look after it.
    pub counted: Counted,
    /// What happens (M-17).
    pub raised: Events,
    /// Where recordings go.
    pub recordings: PathBuf,
    /// Until then pages come back that had a seat in the last run (M-5).
    pub seats_until: Instant,
    /// Microphones that stay closed (K-4).
    pub mutes: MuteRegistry,
}

/// What is before the doors of all meetings: what is configured at the moment, and who has knocked.
pub(super) struct MeetingsSnapshot {
    configured: RwLock<BTreeMap<MeetingName, MeetingSettings>>,
    pub(super) knocks: Mutex<KnockLimits>,
}

impl MeetingsSnapshot {
    pub(super) fn new(configured: BTreeMap<MeetingName, MeetingSettings>) -> Self {
        Self { configured: RwLock::new(configured), knocks: Mutex::new(KnockLimits::new(machine::now())) }
    }

    fn configured<T>(&self, name: &MeetingName, read: impl FnOnce(&MeetingSettings) -> T) -> Option<T> {
        self.configured.read().unwrap_or_else(PoisonError::into_inner).get(name).map(read)
    }

    /// Externals may join this meeting now (M-11). One that is not configured any more goes on as it was.
    pub(super) fn admits_anonymous(&self, name: &MeetingName) -> bool {
        self.configured(name, |settings| settings.anonymous_join).unwrap_or(true)
    }

    /// Names of configured devices, by label.
    pub(super) fn devices(&self, name: &MeetingName) -> Arc<BTreeMap<String, String>> {
        self.configured(name, |settings| Arc::clone(&settings.devices)).unwrap_or_default()
    }
}

/// Finds meetings by name, and brings them to life. Cheap to clone.
#[derive(Clone)]
pub struct MeetingRegistry {
    inner: Arc<Inner>,
}

/// Brings a meeting to life: its settings, the way back to its own mailbox, and the mailbox.
type Birth = dyn Fn(&MeetingName, &MeetingSettings, mpsc::WeakSender<MeetingInput>, mpsc::Receiver<MeetingInput>) + Send + Sync;

struct Inner {
    snapshot: Arc<MeetingsSnapshot>,
    birth: Box<Birth>,
    live: Mutex<BTreeMap<MeetingName, Live>>,
    stopping: Mutex<Stopping>,
}

/// How far the gateway's stop has come (O-4).
#[derive(Debug, Clone, Copy, Default)]
enum Stopping {
    #[default]
    No,
    /// Meetings still begin; whoever is in one is told that it ends by then.
    By(Instant),
    /// None begins any more.
    Now,
}

/// A meeting that lives, with what it began with: it stays as it is until it ends (O-2).
struct Live {
    handle: MeetingHandle,
    title: String,
}

impl Inner {
    fn stopping(&self) -> MutexGuard<'_, Stopping> {
        self.stopping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that live now.
    fn live(&self) -> MutexGuard<'_, BTreeMap<MeetingName, Live>> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|_, meeting| !meeting.handle.is_over());
        live
    }
}

impl MeetingRegistry {
    /// A registry of the configured meetings, none of them alive.
    #[must_use]
    pub fn new(configured: BTreeMap<MeetingName, MeetingSettings>, shared: MeetingsShared) -> Self {
        let (shared, snapshot) = (Arc::new(shared), Arc::new(MeetingsSnapshot::new(configured)));
        let of_all = Arc::clone(&snapshot);
        Self::with(snapshot, move |name, settings, mailbox, inbox| {
            let common = (Arc::clone(&shared), Arc::clone(&of_all));
            MeetingTask::spawn(name.clone(), settings.clone(), common, mailbox, inbox);
        })
    }

    /// A registry whose meetings come to life by `birth`.
    pub(super) fn with(
        snapshot: Arc<MeetingsSnapshot>,
        birth: impl Fn(&MeetingName, &MeetingSettings, mpsc::WeakSender<MeetingInput>, mpsc::Receiver<MeetingInput>)
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { inner: Arc::new(Inner { snapshot, birth: Box::new(birth), live: Mutex::default(), stopping: Mutex::default() }) }
    }

    /// Other meetings, or others of their settings, for those that begin from now on (O-2). One that lives stays as it is until it
    /// ends, even if it is not configured any more.
    pub fn reconfigure(&self, configured: BTreeMap<MeetingName, MeetingSettings>) {
        *self.inner.snapshot.configured.write().unwrap_or_else(PoisonError::into_inner) = configured;
    }

    /// Name and title of every meeting that is configured or lives.
    #[must_use]
    pub fn titles(&self) -> Vec<(MeetingName, String)> {
        let configured = self.inner.snapshot.configured.read().unwrap_or_else(PoisonError::into_inner);
        let mut found: BTreeMap<_, _> =
            configured.iter().map(|(name, settings)| (name.clone(), settings.title.clone())).collect();
        drop(configured);
        found.extend(self.inner.live().iter().map(|(name, meeting)| (name.clone(), meeting.title.clone())));
        found.into_iter().collect()
    }

    /// The title of one.
    #[must_use]
    pub fn title(&self, name: &MeetingName) -> Option<String> {
        let live = self.inner.live().get(name).map(|meeting| meeting.title.clone());
        live.or_else(|| self.inner.snapshot.configured(name, |settings| settings.title.clone()))
    }

    /// Externals may join this meeting now (M-11).
    #[must_use]
    pub fn admits_anonymous(&self, name: &MeetingName) -> bool {
        self.inner.snapshot.admits_anonymous(name)
    }

    /// The gateway stops by then: whoever is in a meeting, or comes, is told (O-4).
    pub async fn stop_by(&self, by: Instant) {
        *self.inner.stopping() = Stopping::By(by);
        for meeting in self.running().await {
            let _ = meeting.mailbox.send(MeetingInput::Stopping { by }).await;
        }
    }

    /// From now on no meeting begins.
    pub fn stop(&self) {
        *self.inner.stopping() = Stopping::Now;
    }

    /// No meeting begins any more.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        matches!(*self.inner.stopping(), Stopping::Now)
    }

    /// The live meeting of this name, brought to life if need be. `None`: no such meeting is configured, or lives; or none begins any more.
    #[allow(clippy::unused_async, reason = "a connector to an outside service will have to wait here")]
    pub async fn open(&self, name: &MeetingName) -> Option<MeetingHandle> {
        let mut live = self.inner.live();
        if let Some(meeting) = live.get(name) {
            return Some(meeting.handle.clone());
        }
        let stopping = *self.inner.stopping();
        if matches!(stopping, Stopping::Now) {
            return None;
        }
        let settings = self.inner.snapshot.configured(name, Clone::clone)?;
        let (mailbox, inbox) = mpsc::channel(MAILBOX);
        if let Stopping::By(by) = stopping {
            // The first of its requests: there is room.
            let _ = mailbox.try_send(MeetingInput::Stopping { by });
        }
        let handle = MeetingHandle { name: name.clone(), mailbox: mailbox.clone() };
        (self.inner.birth)(name, &settings, mailbox.downgrade(), inbox);
        live.insert(name.clone(), Live { handle: handle.clone(), title: settings.title });
        Some(handle)
    }

    /// The meetings that live now.
    #[allow(clippy::unused_async, reason = "a connector to an outside service will have to wait here")]
    pub async fn running(&self) -> Vec<MeetingHandle> {
        self.inner.live().values().map(|meeting| meeting.handle.clone()).collect()
    }
}
