//! What is configured of the meetings, and what they share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use tokio::sync::watch;

use super::knock_limits::KnockLimits;
use super::mutes::MuteRegistry;
use super::service::{MeetingService, RoomAddress};
use crate::common::ids::{Ids, MeetingName};
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
    /// Speakers that are mixed at a time, at least 1.
    pub speakers: usize,
    /// It is there again after a restart: it is configured, and not made by the API.
    pub outlasts_a_restart: bool,
    /// Names of configured devices, by label: nobody else gets one of them (M-1).
    pub devices: Arc<BTreeMap<String, String>>,
    /// The room at a service in which it takes place; `None`: in our own pages alone.
    pub room: Option<RoomAddress>,
}

impl MeetingSettings {
    /// A meeting with everything as shipped.
    #[must_use]
    pub fn titled(title: &str) -> Self {
        let title = title.to_owned();
        let (policy, devices) = (PolicySettings::default(), Arc::default());
        let (passcode, room) = (None, None);
        Self { title, policy, anonymous_join: true, passcode, speakers: 4, outlasts_a_restart: true, devices, room }
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
    /// Services in which meetings take place, by label.
    pub services: BTreeMap<String, Arc<dyn MeetingService>>,
}

/// All meetings as they are configured at the moment, and how often externals have knocked at any of them. In memory alone, behind short
/// locks, and with time as an argument: the state of each meeting reads it where somebody wants in.
pub(super) struct ConfiguredMeetings {
    configured: RwLock<BTreeMap<MeetingName, MeetingSettings>>,
    /// As they were configured last: meetings that live and are not configured any more.
    removed: RwLock<BTreeMap<MeetingName, MeetingSettings>>,
    knocks: Mutex<KnockLimits>,
}

impl ConfiguredMeetings {
    pub(super) fn new(configured: BTreeMap<MeetingName, MeetingSettings>, now: Instant) -> Self {
        let knocks = Mutex::new(KnockLimits::new(now));
        Self { configured: RwLock::new(configured), removed: RwLock::default(), knocks }
    }

    /// Who has knocked lately, and who was denied.
    pub(super) fn knocks(&self) -> MutexGuard<'_, KnockLimits> {
        self.knocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Name and title of each.
    pub(super) fn titles(&self) -> BTreeMap<MeetingName, String> {
        let configured = self.configured.read().unwrap_or_else(PoisonError::into_inner);
        configured.iter().map(|(name, settings)| (name.clone(), settings.title.clone())).collect()
    }

    pub(super) fn configured<T>(&self, name: &MeetingName, read: impl FnOnce(&MeetingSettings) -> T) -> Option<T> {
        self.configured.read().unwrap_or_else(PoisonError::into_inner).get(name).map(read)
    }

    /// Of the meeting as it is configured, or was last while it lives.
    fn in_force<T>(&self, name: &MeetingName, read: impl Fn(&MeetingSettings) -> T) -> Option<T> {
        let removed = || self.removed.read().unwrap_or_else(PoisonError::into_inner).get(name).map(&read);
        self.configured(name, &read).or_else(removed)
    }

    /// Externals may join this meeting now (M-11). One that is not configured any more goes on as it was; an unknown one takes
    /// nobody.
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

    /// Takes another configuration. Of meetings that live it keeps what it said of them last: one that took no externals
    /// does not take them because its entry is gone.
    pub(super) fn replace(&self, configured: BTreeMap<MeetingName, MeetingSettings>, living: impl Iterator<Item = MeetingName>) {
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
