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
use crate::common::redact::Redacted;
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
    /// Asked of whoever comes without a link (K-1); read at each join.
    pub passcode: Option<Redacted<String>>,
    /// It is there again after a restart: it is configured, and not made by the API.
    pub outlasts_a_restart: bool,
    /// Names of configured devices, by label: nobody else gets one of them (M-1).
    pub devices: Arc<BTreeMap<String, String>>,
}

impl MeetingSettings {
    /// A meeting with everything as shipped.
    #[must_use]
    pub fn titled(title: &str) -> Self {
        let title = title.to_owned();
        let (policy, devices) = (PolicySettings::default(), Arc::default());
        Self { title, policy, anonymous_join: true, passcode: None, outlasts_a_restart: true, devices }
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
    /// As they were configured last: meetings that live and are not configured any more.
    removed: RwLock<BTreeMap<MeetingName, MeetingSettings>>,
    pub(super) knocks: Mutex<KnockLimits>,
}

impl MeetingsSnapshot {
    pub(super) fn new(configured: BTreeMap<MeetingName, MeetingSettings>) -> Self {
        let knocks = Mutex::new(KnockLimits::new(machine::now()));
        Self { configured: RwLock::new(configured), removed: RwLock::default(), knocks }
    }

    fn configured<T>(&self, name: &MeetingName, read: impl FnOnce(&MeetingSettings) -> T) -> Option<T> {
        self.configured.read().unwrap_or_else(PoisonError::into_inner).get(name).map(read)
    }

    /// Of the meeting as it is configured, or was last while it lives.
    fn in_force<T>(&self, name: &MeetingName, read: impl Fn(&MeetingSettings) -> T) -> Option<T> {
        let removed = || self.removed.read().unwrap_or_else(PoisonError::into_inner).get(name).map(&read);
        self.configured(name, &read).or_else(removed)
    }

    /// Externals may join this meeting now (M-11). One that is not configured any more goes on as it was; of one that nobody knows the
    /// door is shut.
    pub(super) fn admits_anonymous(&self, name: &MeetingName) -> bool {
        self.in_force(name, |settings| settings.anonymous_join).unwrap_or(false)
    }

    /// Whether it is there again after a restart.
    pub(super) fn outlasts_a_restart(&self, name: &MeetingName) -> bool {
        self.configured(name, |settings| settings.outlasts_a_restart).unwrap_or(false)
    }

    /// Its rules, as they are configured.
    pub(super) fn policy(&self, name: &MeetingName) -> Option<PolicySettings> {
        self.in_force(name, |settings| settings.policy.clone())
    }

    /// The passcode of the meeting, where one is set (K-1).
    pub(super) fn passcode(&self, name: &MeetingName) -> Option<Redacted<String>> {
        self.in_force(name, |settings| settings.passcode.clone()).flatten()
    }

    /// Names of configured devices, by label.
    pub(super) fn devices(&self, name: &MeetingName) -> Arc<BTreeMap<String, String>> {
        self.in_force(name, |settings| Arc::clone(&settings.devices)).unwrap_or_default()
    }

    /// Takes another configuration. Of meetings that live it keeps what it said of them last: a door that was shut does not open because
    /// its entry is gone.
    fn replace(&self, configured: BTreeMap<MeetingName, MeetingSettings>, living: impl Iterator<Item = MeetingName>) {
        let mut now = self.configured.write().unwrap_or_else(PoisonError::into_inner);
        let mut removed = self.removed.write().unwrap_or_else(PoisonError::into_inner);
        let mut kept = BTreeMap::new();
        for name in living.filter(|name| !configured.contains_key(name)) {
            if let Some(last) = now.remove(&name).or_else(|| removed.remove(&name)) {
                kept.insert(name, last);
            }
        }
        (*now, *removed) = (configured, kept);
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
    /// ends, even if it is not configured any more; but what is asked at its door and who passes it holds at once, also for those who wait.
    pub async fn reconfigure(&self, configured: BTreeMap<MeetingName, MeetingSettings>) {
        self.replace(configured);
        for meeting in self.running().await {
            let _ = meeting.mailbox.send(MeetingInput::Reconfigured).await;
        }
    }

    fn replace(&self, configured: BTreeMap<MeetingName, MeetingSettings>) {
        // No meeting comes to life meanwhile.
        let live = self.inner.live();
        self.inner.snapshot.replace(configured, live.keys().cloned());
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

    /// The passcode of this meeting, where one is set (K-1).
    #[must_use]
    pub fn passcode(&self, name: &MeetingName) -> Option<Redacted<String>> {
        self.inner.snapshot.passcode(name)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shut() -> (MeetingName, MeetingSettings) {
        let passcode = Some(Redacted::new("4321".to_owned()));
        let settings = MeetingSettings { anonymous_join: false, passcode, ..MeetingSettings::titled("Board") };
        (MeetingName::new("board").expect("a name"), settings)
    }

    /// A meeting that a reload removes while it runs keeps its passcode and takes nobody whom it did not take before.
    #[tokio::test]
    async fn m11_k1_a_removed_meeting_that_runs_stays_shut() {
        let registry = MeetingRegistry::stand_in(&[("demo", "Demo")], mpsc::channel(1).0);
        let (board, settings) = shut();
        registry.reconfigure(BTreeMap::from([(board.clone(), settings)])).await;
        let live = registry.open(&board).await.expect("it is configured");
        let doors = || (registry.admits_anonymous(&board), registry.passcode(&board).map(|code| code.expose().clone()));
        for _ in 0..2 {
            registry.reconfigure(BTreeMap::new()).await;
            assert_eq!(doors(), (false, Some("4321".to_owned())), "its entry is gone, and it runs");
        }
        registry.reconfigure(BTreeMap::from([(board.clone(), MeetingSettings::titled("Board"))])).await;
        assert_eq!(doors(), (true, None), "what is configured anew holds");
        drop(live);
        let unknown = MeetingName::new("absent").expect("a name");
        assert!(!registry.admits_anonymous(&unknown), "a door that nobody knows is shut");
    }
}
