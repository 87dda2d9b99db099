//! What calls, meetings and pages are told of the configuration; told again when it is reloaded (O-2).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::call::router::{AccountRoute, CallRouter, KnownPhone};
use crate::call::{ListenerPolicy, PeerPolicies, RuntimeConfig, SrtpPolicies};
use crate::common::ids::MeetingName;
use crate::common::redact::Redacted;
use crate::config::{self, Settings};
use crate::http::{ApiToken, IceSecret, IceServer, WebSettings};
use crate::media::DtmfPolicy;
use crate::meeting::MeetingSettings;
use crate::menu::{Directory, Entry};
use crate::policy::PolicySettings;
use crate::prompt::Library;
use crate::sip::registration;
use crate::speech::Synthesizer;

fn secret(secret: &config::Secret) -> Redacted<String> {
    Redacted::new(secret.expose().to_owned())
}

fn policy(settings: &Settings, meeting: &config::MeetingConfig) -> PolicySettings {
    PolicySettings {
        bypass: meeting.bypass,
        devices_bypass: meeting.devices_bypass,
        call_rooms: meeting.call_rooms,
        lobby_timeout: meeting.lobby_timeout,
        externals_only_timeout: settings.policy.externals_only_timeout,
        unmute_after_host_mute: meeting.unmute_after_host_mute,
        pin_counts_as_member: settings.policy.pin_counts_as_member,
        limits: settings.policy.limits,
        ..PolicySettings::default()
    }
}

pub(super) fn meetings(settings: &Settings) -> BTreeMap<MeetingName, MeetingSettings> {
    let devices: BTreeMap<_, _> = settings.devices.iter().map(|(label, device)| (label.clone(), device.name.clone())).collect();
    let devices = Arc::new(devices);
    let of = |meeting: &config::MeetingConfig| MeetingSettings {
        title: meeting.title.clone(),
        policy: policy(settings, meeting),
        anonymous_join: settings.organisation.anonymous_join && meeting.anonymous_join,
        passcode: meeting.passcode.as_ref().map(secret),
        speakers: meeting.speakers.unwrap_or(settings.media.speakers),
        outlasts_a_restart: true,
        devices: Arc::clone(&devices),
        room: meeting.room.clone(),
    };
    settings.meetings.iter().map(|(name, meeting)| (name.clone(), of(meeting))).collect()
}

fn account_route((label, account): (&String, &config::SipAccountConfig)) -> (String, AccountRoute) {
    let contact = registration::contact(label, &account.username, account.login.password.expose());
    (label.clone(), AccountRoute { name: account.name.clone(), default_meeting: account.default_meeting.clone(), contact })
}

fn device((label, device): (&String, &config::DeviceConfig)) -> (String, KnownPhone) {
    let (default_meeting, language) = (device.default_meeting.clone(), device.language.clone());
    (label.clone(), KnownPhone { name: Some(device.name.clone()), default_meeting, language, text: device.text })
}

fn entry((name, meeting): (&MeetingName, &config::MeetingConfig)) -> Entry {
    Entry {
        name: name.clone(),
        conference_id: meeting.conference_id.clone().unwrap_or_default(),
        passcode: meeting.passcode.as_ref().map(secret),
    }
}

/// What the speech program is not to see beside the configuration: what the daemon keeps, and its keys.
fn hidden_paths(settings: &Settings) -> Vec<PathBuf> {
    let keys = settings.sip.listen.values().filter_map(|listen| listen.tls.as_ref()).chain(&settings.http.tls);
    let mut hidden: Vec<PathBuf> = keys.map(|tls| tls.key.clone()).collect();
    hidden.extend([settings.store.directory.clone(), settings.recording.directory.clone()]);
    hidden.extend(std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from));
    hidden
}

fn srtp_policies(settings: &Settings) -> SrtpPolicies {
    let listener = |listen: &config::ListenConfig| ListenerPolicy {
        transport: listen.transport.into(),
        address: (listen.address, listen.port).into(),
        srtp: listen.srtp,
    };
    let peers = PeerPolicies {
        devices: settings.devices.iter().filter_map(|(label, device)| Some((label.clone(), device.srtp?))).collect(),
        trunks: settings.sip.trunks.iter().filter_map(|(label, trunk)| Some((label.clone(), trunk.srtp?))).collect(),
    };
    SrtpPolicies { peers, listeners: settings.sip.listen.values().map(listener).collect() }
}

fn dtmf_policies(settings: &Settings) -> PeerPolicies<DtmfPolicy> {
    PeerPolicies {
        devices: settings.devices.iter().map(|(label, device)| (label.clone(), device.dtmf)).collect(),
        trunks: settings.sip.trunks.iter().map(|(label, trunk)| (label.clone(), trunk.dtmf)).collect(),
    }
}

pub(super) fn runtime_config(settings: &Settings, library: Arc<Library>) -> RuntimeConfig {
    let pin =
        |(name, meeting): (&MeetingName, &config::MeetingConfig)| Some((name.clone(), secret(meeting.organiser_pin.as_ref()?)));
    RuntimeConfig {
        router: CallRouter {
            devices: settings.devices.iter().map(device).collect(),
            accounts: settings.sip.accounts.iter().map(account_route).collect(),
            trunks: settings.sip.trunks.iter().map(|(label, trunk)| (label.clone(), trunk.name.clone())).collect(),
            menu_user: settings.sip.menu_user.clone(),
            directory: Arc::new(Directory::new(settings.meetings.iter().map(entry).collect())),
            language: settings.organisation.language.clone(),
            srtp: srtp_policies(settings),
            dtmf: dtmf_policies(settings),
        },
        pins: Arc::new(settings.meetings.iter().filter_map(pin).collect()),
        library,
        speaker: settings.speech.clone().map(|speech| Synthesizer::new(speech, hidden_paths(settings))),
        codecs: settings.media.codecs.clone(),
    }
}

pub(super) fn web(settings: &Settings) -> WebSettings {
    let ice_server = |server: &config::IceServerConfig| IceServer {
        urls: server.urls.clone(),
        secret: match (&server.secret, &server.username, &server.credential) {
            (Some(shared), ..) => IceSecret::Shared(secret(shared)),
            (None, Some(username), Some(credential)) => {
                IceSecret::Fixed { username: username.clone(), credential: secret(credential) }
            }
            _ => IceSecret::None,
        },
    };
    let device_token = |(label, device): (&String, &config::DeviceConfig)| {
        device.api_token.as_ref().map(|token| (label.clone(), ApiToken::new(token.expose())))
    };
    WebSettings {
        trusted_proxies: settings.http.trusted_proxies.clone(),
        public_url: settings.http.public_url.clone(),
        organisation: settings.organisation.name.clone(),
        ice_servers: settings.ice_servers.values().map(ice_server).collect(),
        device_tokens: settings.devices.iter().filter_map(device_token).collect(),
    }
}
