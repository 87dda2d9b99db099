//! [`MeetingDirectory`]: which meetings there are, configured or made by the API (U-4), and who is told so: the registry of running meetings,
//! and calls, which look up what was dialled.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::created_meetings::CreatedMeetings;
use super::runtime_config;
use crate::call::RuntimeConfig;
use crate::common::ids::MeetingName;
use crate::common::units::unix_millis;
use crate::config::Settings;
use crate::http::{NewMeeting, NewMeetingError};
use crate::meeting::{MeetingHandle, MeetingRegistry, MeetingRequest, MeetingSettings, MeetingsShared};
use crate::prompt::Library;

/// How long a removed meeting may take to close: its recording is finished first.
const CLOSES_WITHIN: Duration = Duration::from_secs(5);

/// The owner of the map of meetings. Changes come one at a time, by a reload or by the API.
pub(super) struct MeetingDirectory {
    /// The configuration in force; locked for as long as a change takes to be known everywhere.
    configured: tokio::sync::Mutex<Arc<Settings>>,
    /// Locked for one look or one change, never over an `await`.
    created: Mutex<CreatedMeetings>,
    registry: MeetingRegistry,
    runtime_config: watch::Sender<Arc<RuntimeConfig>>,
}

impl MeetingDirectory {
    /// The meetings of the configuration alone.
    pub(super) fn new(settings: &Settings, library: Arc<Library>, shared: MeetingsShared) -> Self {
        Self {
            configured: tokio::sync::Mutex::new(Arc::new(settings.clone())),
            created: Mutex::default(),
            registry: MeetingRegistry::new(runtime_config::meetings(settings), shared),
            runtime_config: watch::Sender::new(Arc::new(runtime_config::runtime_config(settings, library))),
        }
    }

    /// The meetings that run.
    pub(super) const fn registry(&self) -> &MeetingRegistry {
        &self.registry
    }

    /// What calls need of the configuration, with the meetings of this directory.
    pub(super) fn runtime_config(&self) -> watch::Receiver<Arc<RuntimeConfig>> {
        self.runtime_config.subscribe()
    }

    fn created(&self) -> MutexGuard<'_, CreatedMeetings> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a new configuration, to which created meetings give way (O-2).
    pub(super) async fn configure(&self, settings: Arc<Settings>, library: Arc<Library>) {
        let mut configured = self.configured.lock().await;
        let merged = {
            let mut created = self.created();
            created.give_way_to(&settings);
            created.merged_with(&settings)
        };
        *configured = settings;
        self.publish(&merged, library).await;
    }

    /// Creates a meeting until it is removed or the daemon ends; gives when that was, in milliseconds since 1970.
    ///
    /// # Errors
    /// Its name or number means something already, or there are too many.
    pub(super) async fn create(&self, wanted: NewMeeting) -> Result<u64, NewMeetingError> {
        let configured = self.configured.lock().await;
        let (made_at, running) = (unix_millis(SystemTime::now()), self.registry.running().await);
        let merged = {
            let mut created = self.created();
            created.check(&configured, &wanted)?;
            check_vacant(&running, &wanted.id)?;
            created.insert(&wanted, made_at)?;
            created.merged_with(&configured)
        };
        self.publish(&merged, self.library()).await;
        tracing::info!(meeting = %wanted.id, "meeting made by the API");
        Ok(made_at)
    }

    /// Removes a created meeting, and ends it if it runs.
    ///
    /// # Errors
    /// It is configured, or there is none of this name.
    pub(super) async fn remove(&self, name: MeetingName) -> Result<(), NewMeetingError> {
        let configured = self.configured.lock().await;
        let merged = {
            let mut created = self.created();
            created.remove(&configured, &name)?;
            created.merged_with(&configured)
        };
        self.publish(&merged, self.library()).await;
        if let Some(live) = self.registry.running().await.into_iter().find(|live| *live.name() == name) {
            // It may have ended at this moment.
            let _ = live.ask(None, MeetingRequest::End).await;
            // Its name is free again once it has closed.
            let _ = tokio::time::timeout(CLOSES_WITHIN, live.over()).await;
        }
        tracing::info!(meeting = %name, "meeting that the API had made is removed");
        Ok(())
    }

    /// When the meeting of this name was made, in milliseconds since 1970; 0: it is a configured one, or there is none.
    pub(super) fn made_at(&self, name: &MeetingName) -> u64 {
        self.created().made_at(name).unwrap_or_default()
    }

    /// The voices in force.
    fn library(&self) -> Arc<Library> {
        Arc::clone(&self.runtime_config.borrow().library)
    }

    /// The registry knows a meeting before any call can find it.
    async fn publish(&self, merged: &Settings, library: Arc<Library>) {
        self.registry.reconfigure(self.meeting_settings(merged)).await;
        self.runtime_config.send_replace(Arc::new(runtime_config::runtime_config(merged, library)));
    }

    /// The settings of all meetings; created ones do not outlast a restart.
    fn meeting_settings(&self, merged: &Settings) -> BTreeMap<MeetingName, MeetingSettings> {
        let mut meetings = runtime_config::meetings(merged);
        for name in self.created().names() {
            if let Some(created) = meetings.get_mut(name) {
                created.outlasts_a_restart = false;
            }
        }
        meetings
    }
}

/// Whether no meeting of this name runs: one that was removed goes on under it, and a link to the new one would lead into the old one.
fn check_vacant(running: &[MeetingHandle], wanted: &MeetingName) -> Result<(), NewMeetingError> {
    match running.iter().any(|live| live.name() == wanted) {
        true => Err(NewMeetingError::Taken(format!("A meeting {wanted} that was removed is still running."))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A meeting is not made under the name of one that was removed and still runs.
    #[tokio::test]
    async fn u4_no_meeting_is_made_in_one_that_still_runs() {
        let name = MeetingName::new("board").unwrap();
        let registry = MeetingRegistry::stand_in(&[("board", "Board")], tokio::sync::mpsc::channel(1).0);
        assert_eq!(check_vacant(&registry.running().await, &name), Ok(()));
        let _live = registry.open(&name).await.unwrap();
        registry.reconfigure(BTreeMap::new()).await;
        assert!(matches!(check_vacant(&registry.running().await, &name), Err(NewMeetingError::Taken(_))));
        assert_eq!(check_vacant(&registry.running().await, &MeetingName::new("other").unwrap()), Ok(()));
    }
}
