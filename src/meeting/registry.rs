//! Which meetings there are, and which of them live.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::mpsc;

use super::handle::{MAILBOX, MeetingHandle};
use super::settings::{ConfiguredMeetings, MeetingSettings, MeetingsShared};
use super::state::MeetingInput;
use super::task::{MeetingTask, TaskInput};
use crate::common::ids::MeetingName;
use crate::common::machine;
use crate::common::redact::Redacted;

/// Finds meetings by name, and brings them to life. Cheap to clone.
#[derive(Clone)]
pub struct MeetingRegistry {
    inner: Arc<Inner>,
}

/// Brings a meeting to life: its settings, the way back to its own mailbox, and the mailbox.
type Birth = dyn Fn(&MeetingName, &MeetingSettings, mpsc::WeakSender<TaskInput>, mpsc::Receiver<TaskInput>) + Send + Sync;

struct Inner {
    configured: Arc<ConfiguredMeetings>,
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
        let (shared, configured) = (Arc::new(shared), Arc::new(ConfiguredMeetings::new(configured, machine::now())));
        let of_all = Arc::clone(&configured);
        Self::with(configured, move |name, settings, mailbox, inbox| {
            let common = (Arc::clone(&shared), Arc::clone(&of_all));
            MeetingTask::spawn(name.clone(), settings.clone(), common, mailbox, inbox);
        })
    }

    /// A registry whose meetings come to life by `birth`.
    pub(super) fn with(
        configured: Arc<ConfiguredMeetings>,
        birth: impl Fn(&MeetingName, &MeetingSettings, mpsc::WeakSender<TaskInput>, mpsc::Receiver<TaskInput>) + Send + Sync + 'static,
    ) -> Self {
        Self { inner: Arc::new(Inner { configured, birth: Box::new(birth), live: Mutex::default(), stopping: Mutex::default() }) }
    }

    /// Other meetings, or others of their settings, for those that begin from now on (O-2). One that lives stays as it is until it
    /// ends, even if it is not configured any more; but whom it takes, and whom it lets in, holds at once, also for those who wait.
    pub async fn reconfigure(&self, configured: BTreeMap<MeetingName, MeetingSettings>) {
        self.replace(configured);
        for meeting in self.running().await {
            meeting.reconfigured().await;
        }
    }

    fn replace(&self, configured: BTreeMap<MeetingName, MeetingSettings>) {
        // No meeting comes to life meanwhile.
        let live = self.inner.live();
        self.inner.configured.replace(configured, live.keys().cloned());
    }

    /// Name and title of every meeting that is configured or lives.
    #[must_use]
    pub fn titles(&self) -> Vec<(MeetingName, String)> {
        let mut found = self.inner.configured.titles();
        found.extend(self.inner.live().iter().map(|(name, meeting)| (name.clone(), meeting.title.clone())));
        found.into_iter().collect()
    }

    /// The title of one.
    #[must_use]
    pub fn title(&self, name: &MeetingName) -> Option<String> {
        let live = self.inner.live().get(name).map(|meeting| meeting.title.clone());
        live.or_else(|| self.inner.configured.configured(name, |settings| settings.title.clone()))
    }

    /// Externals may join this meeting now (M-11).
    #[must_use]
    pub fn admits_anonymous(&self, name: &MeetingName) -> bool {
        self.inner.configured.admits_anonymous(name)
    }

    /// The passcode of this meeting, where one is set (K-1).
    #[must_use]
    pub fn passcode(&self, name: &MeetingName) -> Option<Redacted<String>> {
        self.inner.configured.passcode(name)
    }

    /// The gateway stops by then: whoever is in a meeting, or comes, is told (O-4).
    pub async fn stop_by(&self, by: Instant) {
        *self.inner.stopping() = Stopping::By(by);
        for meeting in self.running().await {
            meeting.stopping(by).await;
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
        let settings = self.inner.configured.configured(name, Clone::clone)?;
        let (mailbox, inbox) = mpsc::channel(MAILBOX);
        if let Stopping::By(by) = stopping {
            // The first of its requests: there is room.
            let _ = mailbox.try_send(MeetingInput::Stopping { by }.into());
        }
        let handle = MeetingHandle::new(name.clone(), mailbox.clone());
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
        let entry = || (registry.admits_anonymous(&board), registry.passcode(&board).map(|code| code.expose().clone()));
        for _ in 0..2 {
            registry.reconfigure(BTreeMap::new()).await;
            assert_eq!(entry(), (false, Some("4321".to_owned())), "its entry is gone, and it runs");
        }
        registry.reconfigure(BTreeMap::from([(board.clone(), MeetingSettings::titled("Board"))])).await;
        assert_eq!(entry(), (true, None), "what is configured anew holds");
        drop(live);
        let unknown = MeetingName::new("absent").expect("a name");
        assert!(!registry.admits_anonymous(&unknown), "an unknown meeting takes nobody");
    }
}
