//! Settings of the SIP endpoint: listeners, known peers, accounts and limits.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::run_error::RunError;
use crate::config::{self, Settings};
use crate::net::tls::{self, ClientFiles, TlsFiles, Trust};
use crate::sip::auth::{Account, Accounts, Credentials};
use crate::sip::uri::Scheme;
use crate::sip::{self, Identity, Known};

/// Who may call, and how we know them (M-1).
pub(super) fn known(settings: &Settings, secret: [u8; 32]) -> Known {
    let realm = settings.sip.realm.clone();
    let mut addresses = Vec::new();
    let (mut users, mut certificates, mut callable) = (HashMap::new(), HashMap::new(), HashMap::new());
    for (label, device) in &settings.devices {
        addresses.extend(device.addresses.iter().map(|network| (*network, Identity::Device(label.as_str().into()))));
        certificates.extend(device.certificate.iter().map(|name| (name.clone(), Identity::Device(label.as_str().into()))));
        callable.extend(device.call.iter().map(|uri| (label.as_str().into(), uri.clone())));
        if let Some(login) = &device.login {
            let account = Account::new(label, &login.username, &realm, login.password.expose());
            users.insert(login.username.clone(), account);
        }
    }
    for (label, trunk) in &settings.sip.trunks {
        addresses.extend(trunk.addresses.iter().map(|network| (*network, Identity::Trunk(label.as_str().into()))));
        certificates.extend(trunk.certificate.iter().map(|name| (name.clone(), Identity::Trunk(label.as_str().into()))));
    }
    Known {
        addresses,
        certificates,
        allowed: settings.sip.allowed.clone(),
        accounts: Accounts { realm, algorithms: settings.sip.digest.clone(), users, secret },
        callable,
    }
}

/// How connections to PBXs are secured. There may be none yet: what a reload brings is reached as well (O-2).
pub(super) fn connector(settings: &Settings) -> Result<Option<sip::Connector>, RunError> {
    let secure = |uri: &sip::Uri| {
        uri.scheme == Scheme::Sips || uri.params.get("transport").is_some_and(|named| named.eq_ignore_ascii_case("tls"))
    };
    let wanted =
        !settings.sip.accounts.is_empty() || settings.devices.values().filter_map(|device| device.call.as_ref()).any(secure);
    let trust = settings.sip.ca.clone().map_or(Trust::System, Trust::Authorities);
    match (tls::client(&trust), &settings.sip.ca) {
        (Ok(config), _) => Ok(Some(sip::Connector { config, name: None })),
        // Without the system's authorities nobody is trusted, which only matters to who is reached by TLS.
        (Err(error), None) if wanted => {
            tracing::warn!(%error, "PBXs cannot be reached by TLS");
            Ok(None)
        }
        (Err(_), None) => Ok(None),
        (Err(error), Some(_)) => Err(RunError::Tls(error)),
    }
}

fn account((label, account): (&String, &config::SipAccountConfig)) -> sip::registration::RegistrationAccount {
    let password = account.login.password.expose();
    let credentials =
        Credentials { user: account.login.username.clone(), password: password.to_owned().into(), realm: account.realm.clone() };
    sip::registration::RegistrationAccount {
        label: label.as_str().into(),
        registrar: account.registrar.clone(),
        transport: account.transport.map(Into::into),
        username: account.username.clone(),
        contact: sip::registration::contact(label, &account.username, password),
        credentials,
        expires: account.expires,
    }
}

fn capture(hep: &config::HepConfig) -> sip::hep::Capture {
    let password = hep.password.as_ref().map(|password| password.expose().to_owned().into());
    sip::hep::Capture { server: hep.server, id: hep.id, password }
}

/// How many SIP connections may be open: not more than a quarter of the files that this process may have open, so that strangers take none
/// from calls and pages.
fn connections() -> usize {
    let most = sip::Limits::default().connections;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let soft =
        limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse::<usize>().ok());
    soft.map_or(most, |files| most.min(files / 4))
}

/// The settings of the endpoint; `seed` makes its random numbers.
pub(super) fn settings(settings: &Settings, seed: [u8; 32], known: Known) -> sip::Settings {
    let trusted: Vec<_> = known.addresses.iter().map(|(network, _)| *network).collect();
    sip::Settings {
        advertised: settings.sip.advertised_address,
        session_timers: settings.sip.session_timers,
        limits: sip::Limits {
            max_calls: settings.sip.max_calls,
            calls_per_source: settings.limits.calls_per_source,
            invites_per_second: settings.limits.invites_per_second,
            connections: connections(),
            ..sip::Limits::default()
        },
        // Devices and trunks that are known by their address; budgets are for strangers.
        trusted: sip::Trusted::new(move |address| trusted.iter().any(|network| network.contains(address))),
        known,
        registrar: sip::registrar::RegistrarSettings {
            min_expires: settings.sip.registrar.min_expires,
            max_expires: settings.sip.registrar.max_expires,
            default_expires: settings.sip.registrar.default_expires,
            contacts: settings.sip.registrar.contacts,
        },
        name_servers: settings.sip.name_servers.clone(),
        accounts: settings.sip.accounts.iter().map(account).collect(),
        emergency: settings.sip.emergency.clone(),
        capture: settings.sip.hep.as_ref().map(capture),
        seed,
        ..sip::Settings::default()
    }
}

impl From<&config::TlsConfig> for TlsFiles {
    fn from(tls: &config::TlsConfig) -> Self {
        Self { certificate: tls.certificate.clone(), key: tls.key.clone() }
    }
}

/// The SIP listeners of the configuration, by name.
pub(super) fn listeners(settings: &Settings) -> Vec<sip::Listener> {
    let listener = |(name, listen): (&String, &config::ListenConfig)| sip::Listener {
        name: name.clone(),
        transport: listen.transport.into(),
        addr: SocketAddr::new(listen.address, listen.port),
        tls: listen.tls.as_ref().map(|tls| sip::ListenTls {
            files: TlsFiles::from(tls),
            clients: listen.client_ca.clone().map(|ca| ClientFiles { ca, crl: listen.client_crl.clone() }),
        }),
    };
    settings.sip.listen.iter().map(listener).collect()
}
