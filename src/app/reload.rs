//! A new configuration without a restart (O-2): read, compared with the one in force, and either taken as a whole or not at all.
//!
//! What is up stays up: each call, each meeting and each connection keeps what it began with, and what comes next is told anew.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::{Mutex, watch};

use super::created_meetings::{ApiMeetings, give_way, merged};
use super::gateway::prompts;
use super::{Gateway, runtime_config, sip_config};
use crate::call::RuntimeConfig;
use crate::common::problem::Problem;
use crate::config::{self, ConfigChange, Loaded, Settings};
use crate::http::WebSettings;
use crate::meeting::MeetingRegistry;
use crate::policy::retention::Retention;
use crate::prompt::Library;
use crate::relay;
use crate::sip;
use crate::telemetry::log::Levels;
use crate::telemetry::metrics::Counted;

/// The configuration in force, as each room has it.
pub(crate) struct ReloadTargets {
    pub(super) runtime_config: watch::Sender<Arc<RuntimeConfig>>,
    pub(super) web: watch::Sender<Arc<WebSettings>>,
    /// Of the chat.
    pub(super) chat: watch::Sender<Retention>,
    /// Of recordings.
    pub(super) recordings: watch::Sender<Option<Duration>>,
    /// Of the records of calls.
    pub(super) records: watch::Sender<Option<Duration>>,
    /// Of whatever is asked for at each use.
    pub(super) settings: watch::Sender<Arc<Settings>>,
}

impl ReloadTargets {
    pub(super) fn new(settings: &Settings, library: Arc<Library>) -> Self {
        Self {
            runtime_config: watch::Sender::new(Arc::new(runtime_config::runtime_config(settings, library))),
            web: watch::Sender::new(Arc::new(runtime_config::web(settings))),
            chat: watch::Sender::new(settings.chat.clone()),
            recordings: watch::Sender::new(settings.recording.retention),
            records: watch::Sender::new(settings.records.retention),
            settings: watch::Sender::new(Arc::new(settings.clone())),
        }
    }
}

/// Takes new configurations, one at a time.
pub(super) struct Reloader {
    path: PathBuf,
    levels: Levels,
    pub(super) targets: Arc<ReloadTargets>,
    pub(super) registry: MeetingRegistry,
    pub(super) sip: sip::Handle,
    relay: Option<relay::driver::RelayHandle>,
    counted: Counted,
    /// Meetings that the API has made.
    pub(super) created: std::sync::Mutex<ApiMeetings>,
    pub(super) turn: Mutex<()>,
}

impl Reloader {
    /// For configurations that come from `path` as the first one did.
    pub(super) fn new(path: PathBuf, levels: Levels, gateway: &Gateway) -> Self {
        Self {
            path,
            levels,
            targets: Arc::clone(&gateway.targets),
            registry: gateway.registry.clone(),
            sip: gateway.sip.clone(),
            relay: gateway.relay.clone(),
            counted: gateway.counted.clone(),
            created: std::sync::Mutex::default(),
            turn: Mutex::default(),
        }
    }

    /// Reads the configuration anew and takes it.
    ///
    /// # Errors
    /// Everything that is wrong with it, or takes a restart; nothing has changed then.
    pub(super) async fn reload(&self) -> Result<Vec<ConfigChange>, Vec<Problem>> {
        let _turn = self.turn.lock().await;
        let mut word = vec![NotifyState::Reloading];
        word.extend(NotifyState::monotonic_usec_now());
        let _ = sd_notify::notify(false, &word);
        let taken = self.take().await;
        self.counted.reloaded(taken.is_ok());
        match &taken {
            Ok(changes) => {
                let changed = changes.iter().map(|change| change.key.as_str()).collect::<Vec<_>>().join(", ");
                tracing::info!(changed, "configuration reloaded");
            }
            Err(problems) => {
                for problem in problems {
                    tracing::error!(place = %problem.place, key = %problem.key, hint = %problem.hint, "{}", problem.what);
                }
                tracing::error!(problems = problems.len(), "configuration refused as a whole; the one before stays in force");
            }
        }
        let _ = sd_notify::notify(false, &[NotifyState::Ready]);
        taken
    }

    async fn take(&self) -> Result<Vec<ConfigChange>, Vec<Problem>> {
        let (loaded, library) = self.read().await?;
        let in_force = Arc::clone(&self.targets.settings.borrow());
        let changes = loaded.against(&in_force)?;
        for warning in &loaded.warnings {
            tracing::warn!(place = %warning.place, key = %warning.key, hint = %warning.hint, "{}", warning.what);
        }
        self.apply(loaded.settings, library).await;
        Ok(changes)
    }

    /// From disk, with the voices that it names.
    async fn read(&self) -> Result<(Loaded, Library), Vec<Problem>> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut library = None;
            let loaded = config::load_with(&path, config::environment(), |settings| match prompts(settings) {
                Ok(loaded) => {
                    library = Some(loaded);
                    Vec::new()
                }
                Err(problems) => problems,
            })?;
            library.map(|library| (loaded, library)).ok_or_else(Vec::new)
        });
        // It has neither panicked nor been cancelled, unless the daemon ends.
        read.await.unwrap_or_else(|_| Err(Vec::new()))
    }

    /// From the inside out: whoever the gate lets in must be known behind it, and find the meeting that was dialled.
    async fn apply(&self, settings: Settings, library: Library) {
        if let Err(error) = self.levels.set(&settings.log.level) {
            tracing::error!(%error, "log.level");
        }
        let known = sip_config::known(&settings, [0; 32]);
        let all = {
            let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
            give_way(&mut created, &settings);
            merged(&settings, &created)
        };
        self.registry.reconfigure(self.meetings(&all)).await;
        self.targets.runtime_config.send_replace(Arc::new(runtime_config::runtime_config(&all, Arc::new(library))));
        self.sip.send(sip::Command::Reconfigure(Box::new(sip_config::settings(&settings, [0; 32], known)))).await;
        if let Some(relay) = &self.relay {
            relay.say(relay::RelayInput::Organisation { name: settings.organisation.name.clone() }).await;
        }
        self.targets.web.send_replace(Arc::new(runtime_config::web(&settings)));
        self.targets.chat.send_replace(settings.chat.clone());
        self.targets.recordings.send_replace(settings.recording.retention);
        self.targets.records.send_replace(settings.records.retention);
        self.targets.settings.send_replace(Arc::new(settings));
    }
}
