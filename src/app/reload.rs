//! A new configuration without a restart (O-2): read, compared with the one in force, and either taken as a whole or not at all.
//!
//! What is up stays up: each call, each meeting and each connection keeps what it began with, and later ones get what is new.

use std::path::PathBuf;
use std::sync::Arc;

use sd_notify::NotifyState;
use tokio::sync::Mutex;

use super::gateway::Gateway;
use super::meeting_directory::MeetingDirectory;
use super::prompts::prompts;
use super::reload_targets::ReloadTargets;
use super::sip_config;
use crate::common::problem::Problem;
use crate::config::{self, ConfigChange, Loaded, Settings};
use crate::prompt::Library;
use crate::relay;
use crate::sip;
use crate::telemetry::log::Levels;
use crate::telemetry::metrics::Counted;

/// Takes new configurations, one at a time.
pub(super) struct Reloader {
    path: PathBuf,
    levels: Levels,
    targets: Arc<ReloadTargets>,
    meetings: Arc<MeetingDirectory>,
    sip: sip::Handle,
    relay: Option<relay::driver::RelayHandle>,
    counted: Counted,
    /// Held by the reload that is under way.
    turn: Mutex<()>,
}

impl Reloader {
    /// For configurations that come from `path` as the first one did.
    pub(super) fn new(path: PathBuf, levels: Levels, gateway: &Gateway) -> Self {
        Self {
            path,
            levels,
            targets: Arc::clone(&gateway.targets),
            meetings: Arc::clone(&gateway.meetings),
            sip: gateway.sip.clone(),
            relay: gateway.relay.clone(),
            counted: gateway.counted.clone(),
            turn: Mutex::default(),
        }
    }

    /// The configuration in force.
    pub(super) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.targets.settings.borrow())
    }

    /// Reads the configuration anew and takes it.
    ///
    /// # Errors
    /// Everything that is wrong with it, or takes a restart; nothing has changed then.
    pub(super) async fn reload(&self) -> Result<Vec<ConfigChange>, Vec<Problem>> {
        let _turn = self.turn.lock().await;
        let mut states = vec![NotifyState::Reloading];
        states.extend(NotifyState::monotonic_usec_now());
        let _ = sd_notify::notify(false, &states);
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
        let in_force = self.settings();
        let changes = loaded.against(&in_force)?;
        for warning in &loaded.warnings {
            tracing::warn!(place = %warning.place, key = %warning.key, hint = %warning.hint, "{}", warning.what);
        }
        self.apply(loaded.settings, library).await;
        Ok(changes)
    }

    /// Reads the files, with the voices that they name.
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

    /// Publishes it from the inside out: SIP takes calls of a new device only after calls know it and find the meeting that it dials.
    async fn apply(&self, settings: Settings, library: Library) {
        if let Err(error) = self.levels.set(&settings.log.level) {
            tracing::error!(%error, "log.level");
        }
        let known = sip_config::known(&settings, [0; 32]);
        let settings = Arc::new(settings);
        self.meetings.configure(Arc::clone(&settings), Arc::new(library)).await;
        self.sip.send(sip::Command::Reconfigure(Box::new(sip_config::settings(&settings, [0; 32], known)))).await;
        if let Some(relay) = &self.relay {
            relay.say(relay::RelayInput::Organisation { name: settings.organisation.name.clone() }).await;
        }
        self.targets.publish(settings);
    }
}
