//! [`ReloadTargets`]: the parts of the configuration that a reload changes, each published to whoever uses it (O-2).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::runtime_config;
use crate::config::Settings;
use crate::http::WebSettings;
use crate::policy::retention::Retention;

/// One channel for each part. What meetings and calls need is published by the `MeetingDirectory`.
pub(crate) struct ReloadTargets {
    pub(super) web: watch::Sender<Arc<WebSettings>>,
    /// The retention of the chat (C-8).
    pub(super) chat: watch::Sender<Retention>,
    /// The retention of recordings (N-12).
    pub(super) recordings: watch::Sender<Option<Duration>>,
    /// The retention of call records (M-16).
    pub(super) records: watch::Sender<Option<Duration>>,
    /// All of it, for what is looked up at each use.
    pub(super) settings: watch::Sender<Arc<Settings>>,
}

impl ReloadTargets {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            web: watch::Sender::new(Arc::new(runtime_config::web(settings))),
            chat: watch::Sender::new(settings.chat.clone()),
            recordings: watch::Sender::new(settings.recording.retention),
            records: watch::Sender::new(settings.records.retention),
            settings: watch::Sender::new(Arc::new(settings.clone())),
        }
    }

    /// Publishes a new configuration.
    pub(super) fn publish(&self, settings: Arc<Settings>) {
        self.web.send_replace(Arc::new(runtime_config::web(&settings)));
        self.chat.send_replace(settings.chat.clone());
        self.recordings.send_replace(settings.recording.retention);
        self.records.send_replace(settings.records.retention);
        self.settings.send_replace(settings);
    }
}
