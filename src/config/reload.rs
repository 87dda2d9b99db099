//! What has changed between two configurations, and what of that a running daemon can take (O-2).
//!
//! Calls that are up stay as they are, so whatever their sockets, their threads or their store stand on is fixed until a restart.
//! Each field is named here once; a new one does not compile until somebody has decided.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::settings::{
    HttpConfig, LogConfig, MediaConfig, OrganisationConfig, PolicyConfig, PromptsConfig, RecordingConfig, RelayConfig, Settings,
    SipConfig, StoreConfig,
};
use super::{LimitsConfig, Places};
use crate::common::problem::Problem;
use crate::policy::MeetingLimits;
use crate::relay::provider::ProviderKind;

/// One key or table whose meaning has changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigChange {
    /// The key path, such as `log.level`, or that of a named table, such as `device.hall`.
    pub key: String,
    /// It can be taken while calls are up.
    pub live: bool,
}

/// Every difference between what is in force and what shall be, in the order of the keys.
#[must_use]
pub(super) fn changes(old: &Settings, new: &Settings) -> Vec<ConfigChange> {
    let mut found = Found(BTreeSet::new());
    let Settings {
        sip,
        devices,
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
    } = old;
    found.sip(sip, &new.sip);
    found.tables(true, "device", devices, &new.devices);
    found.tables(true, "meeting", meetings, &new.meetings);
    found.media(media, &new.media);
    found.http(http, &new.http, is_called_back(new));
    found.tables(true, "ice_server", ice_servers, &new.ice_servers);
    found.compare(true, "chat", chat, &new.chat);
    found.compare(true, "speech", speech, &new.speech);
    found.rest((organisation, policy, prompts), (&new.organisation, &new.policy, &new.prompts));
    found.relay(relay, &new.relay);
    found.compare(true, "records.retention", &records.retention, &new.records.retention);
    found.kept((recording, store, log, limits), (&new.recording, &new.store, &new.log, &new.limits));
    found.0.into_iter().collect()
}

/// The changes that only a restart can take, each at its place, with what to do.
pub(super) fn refused(changes: &[ConfigChange], places: &Places) -> Vec<Problem> {
    let problem = |change: &ConfigChange| Problem {
        place: places.of(&change.key),
        key: change.key.clone(),
        what: "has changed, and cannot be changed while the daemon runs".to_owned(),
        hint: "restart roomgate to have it, or put it back".to_owned(),
    };
    changes.iter().filter(|change| !change.live).map(problem).collect()
}

/// Whether a provider of short messages was told at the start where we are to be called.
fn is_called_back(settings: &Settings) -> bool {
    settings.relay.providers.values().any(|provider| matches!(provider.kind, ProviderKind::Twilio(_)))
}

struct Found(BTreeSet<ConfigChange>);

impl Found {
    fn compare<T: PartialEq>(&mut self, live: bool, key: &str, old: &T, new: &T) {
        if old != new {
            self.0.insert(ConfigChange { key: key.to_owned(), live });
        }
    }

    fn tables<K: Ord + Display, T: PartialEq>(&mut self, live: bool, group: &str, old: &BTreeMap<K, T>, new: &BTreeMap<K, T>) {
        for name in old.keys().chain(new.keys()) {
            self.compare(live, &format!("{group}.{name}"), &old.get(name), &new.get(name));
        }
    }

    fn sip(&mut self, old: &SipConfig, new: &SipConfig) {
        let SipConfig {
            listen,
            advertised_address,
            max_calls,
            allowed,
            realm,
            digest,
            trunks,
            session_timers,
            name_servers,
            ca,
            accounts,
            registrar,
            menu_user,
            emergency,
            hep,
        } = old;
        self.tables(false, "sip.listen", listen, &new.listen);
        self.compare(false, "sip.advertised_address", advertised_address, &new.advertised_address);
        self.compare(false, "sip.name_servers", name_servers, &new.name_servers);
        self.compare(false, "sip.ca", ca, &new.ca);
        self.compare(true, "sip.max_calls", max_calls, &new.max_calls);
        self.compare(true, "sip.allowed", allowed, &new.allowed);
        self.compare(true, "sip.realm", realm, &new.realm);
        self.compare(true, "sip.digest", digest, &new.digest);
        self.compare(true, "sip.session_expires", &session_timers.expires, &new.session_timers.expires);
        self.compare(true, "sip.session_min", &session_timers.min, &new.session_timers.min);
        self.tables(true, "sip.trunk", trunks, &new.trunks);
        self.tables(true, "sip.account", accounts, &new.accounts);
        self.compare(true, "sip.registrar", registrar, &new.registrar);
        self.compare(true, "sip.menu_user", menu_user, &new.menu_user);
        self.compare(true, "sip.emergency", emergency, &new.emergency);
        self.compare(true, "sip.hep", hep, &new.hep);
    }

    fn media(&mut self, old: &MediaConfig, new: &MediaConfig) {
        let MediaConfig { workers, address, rtp_ports, advertised_address, webrtc_port, webrtc_addresses, codecs, media_timeout } =
            old;
        self.compare(false, "media.workers", workers, &new.workers);
        self.compare(false, "media.address", address, &new.address);
        self.compare(false, "media.rtp_ports", rtp_ports, &new.rtp_ports);
        self.compare(false, "media.advertised_address", advertised_address, &new.advertised_address);
        self.compare(false, "media.webrtc_port", webrtc_port, &new.webrtc_port);
        self.compare(false, "media.webrtc_addresses", webrtc_addresses, &new.webrtc_addresses);
        self.compare(false, "media.media_timeout", media_timeout, &new.media_timeout);
        self.compare(true, "media.codecs", codecs, &new.codecs);
    }

    fn http(&mut self, old: &HttpConfig, new: &HttpConfig, is_called_back: bool) {
        let HttpConfig { address, port, tls, trusted_proxies, public_url } = old;
        self.compare(false, "http.address", address, &new.address);
        self.compare(false, "http.port", port, &new.port);
        self.compare(false, "http.tls", tls, &new.tls);
        self.compare(true, "http.trusted_proxies", trusted_proxies, &new.trusted_proxies);
        self.compare(!is_called_back, "http.public_url", public_url, &new.public_url);
    }

    fn rest(
        &mut self,
        old: (&OrganisationConfig, &PolicyConfig, &PromptsConfig),
        new: (&OrganisationConfig, &PolicyConfig, &PromptsConfig),
    ) {
        let (OrganisationConfig { name, language, anonymous_join }, policy, prompts) = old;
        let PolicyConfig { pin_counts_as_member, externals_only_timeout, limits } = policy;
        self.compare(true, "organisation.name", name, &new.0.name);
        self.compare(true, "organisation.language", language, &new.0.language);
        self.compare(true, "organisation.anonymous_join", anonymous_join, &new.0.anonymous_join);
        self.compare(true, "policy.pin_counts_as_member", pin_counts_as_member, &new.1.pin_counts_as_member);
        self.compare(true, "policy.externals_only_timeout", externals_only_timeout, &new.1.externals_only_timeout);
        let MeetingLimits { participants, externals, in_chat } = limits;
        self.compare(true, "policy.max_participants", participants, &new.1.limits.participants);
        self.compare(true, "policy.max_externals", externals, &new.1.limits.externals);
        self.compare(true, "policy.max_in_chat", in_chat, &new.1.limits.in_chat);
        self.compare(true, "prompts.directory", &prompts.directory, &new.2.directory);
    }

    /// Messages that are on their way belong to the provider and the rules that they were begun with.
    fn relay(&mut self, old: &RelayConfig, new: &RelayConfig) {
        let RelayConfig { country_code, allowed_prefixes, daily, answers_per_minute, segments, on_unknown, providers } = old;
        self.compare(false, "relay.allowed_prefixes", allowed_prefixes, &new.allowed_prefixes);
        self.compare(false, "relay.daily_limit", &daily.all, &new.daily.all);
        self.compare(false, "relay.daily_limit_per_meeting", &daily.meeting, &new.daily.meeting);
        self.compare(false, "relay.answers_per_minute", answers_per_minute, &new.answers_per_minute);
        self.compare(false, "relay.country_code", country_code, &new.country_code);
        self.compare(false, "relay.burst", &segments.burst, &new.segments.burst);
        self.compare(false, "relay.per_minute", &segments.every, &new.segments.every);
        self.compare(false, "relay.on_unknown", on_unknown, &new.on_unknown);
        self.tables(false, "relay.provider", providers, &new.providers);
    }

    fn kept(
        &mut self,
        old: (&RecordingConfig, &StoreConfig, &LogConfig, &LimitsConfig),
        new: (&RecordingConfig, &StoreConfig, &LogConfig, &LimitsConfig),
    ) {
        let (RecordingConfig { directory, retention }, store, LogConfig { format, level }, limits) = old;
        let LimitsConfig { calls_per_source, invites_per_second, api_requests_per_second, drain } = limits;
        self.compare(false, "recording.directory", directory, &new.0.directory);
        self.compare(true, "recording.retention", retention, &new.0.retention);
        self.compare(false, "store.directory", &store.directory, &new.1.directory);
        self.compare(false, "log.format", format, &new.2.format);
        self.compare(true, "log.level", level, &new.2.level);
        self.compare(true, "limits.calls_per_source", calls_per_source, &new.3.calls_per_source);
        self.compare(true, "limits.invites_per_second", invites_per_second, &new.3.invites_per_second);
        self.compare(false, "limits.api_requests_per_second", api_requests_per_second, &new.3.api_requests_per_second);
        self.compare(true, "limits.drain", drain, &new.3.drain);
    }
}
