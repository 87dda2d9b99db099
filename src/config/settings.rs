//! [`Settings`]: what the administrator decided, typed and with every default filled in.

use std::collections::BTreeMap;

use super::reload::{Comparison, ConfigChange, live, live_tables, restart_tables};
use super::section::Section;
use super::sections::{
    DeviceConfig, HttpConfig, IceServerConfig, LimitsConfig, LogConfig, MediaConfig, MeetingConfig, OrganisationConfig,
    PolicyConfig, PromptsConfig, RecordingConfig, RecordsConfig, RelayConfig, SipConfig, StoreConfig,
};
use super::sections::{chat, device, ice_server, meetings, service, speech};
use crate::common::ids::MeetingName;
use crate::policy::retention::Retention;
use crate::relay::provider::ProviderKind;
use crate::service::ServiceKind;
use crate::speech::SpeechSettings;

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `[sip]`
    pub sip: SipConfig,
    /// `[device.X]`
    pub devices: BTreeMap<String, DeviceConfig>,
    /// `[service.X]`: where meetings take place that are not in our own pages.
    pub services: BTreeMap<String, ServiceKind>,
    /// `[meeting.X]`
    pub meetings: BTreeMap<MeetingName, MeetingConfig>,
    /// `[media]`
    pub media: MediaConfig,
    /// `[http]`
    pub http: HttpConfig,
    /// `[ice_server.X]`: given to the meeting page.
    pub ice_servers: BTreeMap<String, IceServerConfig>,
    /// `[organisation]`
    pub organisation: OrganisationConfig,
    /// `[policy]`
    pub policy: PolicyConfig,
    /// `[prompts]`
    pub prompts: PromptsConfig,
    /// `[chat]`
    pub chat: Retention,
    /// `[speech]`; `None`: nothing is read aloud.
    pub speech: Option<SpeechSettings>,
    /// `[relay]`
    pub relay: RelayConfig,
    /// `[recording]`
    pub recording: RecordingConfig,
    /// `[records]`
    pub records: RecordsConfig,
    /// `[store]`
    pub store: StoreConfig,
    /// `[log]`
    pub log: LogConfig,
    /// `[limits]`
    pub limits: LimitsConfig,
}

impl Settings {
    /// Reads every table.
    pub(super) fn read(root: &mut Section<'_>) -> Self {
        let store = root.table("store", StoreConfig::read);
        root.surroundings().state.clone_from(&store.directory);
        Self {
            sip: root.table("sip", SipConfig::read),
            devices: root.named("device", device),
            services: root.named("service", service),
            meetings: meetings(root),
            media: root.table("media", MediaConfig::read),
            http: root.table("http", HttpConfig::read),
            ice_servers: root.named("ice_server", ice_server),
            organisation: root.table("organisation", OrganisationConfig::read),
            policy: root.table("policy", PolicyConfig::read),
            prompts: root.table("prompts", PromptsConfig::read),
            chat: root.table("chat", chat),
            speech: root.table("speech", speech),
            relay: root.table("relay", RelayConfig::read),
            recording: root.table("recording", RecordingConfig::read),
            records: root.table("records", RecordsConfig::read),
            store,
            log: root.table("log", LogConfig::read),
            limits: root.table("limits", LimitsConfig::read),
        }
    }

    /// Every difference between what is in force and what `new` says, in the order of the keys (O-2).
    pub(super) fn changes(&self, new: &Self) -> Vec<ConfigChange> {
        self.compare(new).changes()
    }

    /// Compares every key; a new table does not compile until it is compared.
    pub(super) fn compare(&self, new: &Self) -> Comparison {
        let Self {
            sip,
            devices,
            services,
            meetings,
            media,
            http,
            ice_servers,
            organisation,
            policy,
            prompts,
            chat,
            speech,
            relay,
            recording,
            records,
            store,
            log,
            limits,
        } = self;
        let mut found = Comparison::default();
        found.table("sip", |found| sip.compare(&new.sip, found));
        live_tables(&mut found, "device", devices, &new.devices);
        restart_tables(&mut found, "service", services, &new.services);
        live_tables(&mut found, "meeting", meetings, &new.meetings);
        found.table("media", |found| media.compare(&new.media, found));
        found.table("http", |found| http.compare(&new.http, found));
        live_tables(&mut found, "ice_server", ice_servers, &new.ice_servers);
        found.table("organisation", |found| organisation.compare(&new.organisation, found));
        found.table("policy", |found| policy.compare(&new.policy, found));
        found.table("prompts", |found| prompts.compare(&new.prompts, found));
        live(&mut found, "chat", chat, &new.chat);
        live(&mut found, "speech", speech, &new.speech);
        found.table("relay", |found| relay.compare(&new.relay, found));
        found.table("recording", |found| recording.compare(&new.recording, found));
        found.table("records", |found| records.compare(&new.records, found));
        found.table("store", |found| store.compare(&new.store, found));
        found.table("log", |found| log.compare(&new.log, found));
        found.table("limits", |found| limits.compare(&new.limits, found));
        if new.tells_provider_its_address() {
            found.needs_restart("http.public_url");
        }
        found
    }

    /// Whether a provider of short messages was told at the start where it is to call us.
    fn tells_provider_its_address(&self) -> bool {
        self.relay.providers.values().any(|provider| matches!(provider.kind, ProviderKind::Twilio(_)))
    }
}
