//! Devices and trunks that could be taken for each other, and devices that name what is not there.

use std::collections::BTreeMap;

use super::findings::Findings;
use crate::call::router::{UNKNOWN, UNLISTED};
use crate::common::ids::MeetingName;
use crate::config::settings::Settings;
use crate::sip::uri::Host;

/// Lists them.
pub(super) fn devices(settings: &Settings, found: &mut Findings<'_>) {
    targets(settings, found);
    addresses(settings, found);
    api_tokens(settings, found);
    logins(settings, found);
    certificates(settings, found);
}

/// A meeting that a device is put through to, and a PBX by which it is called, have to be there.
fn targets(settings: &Settings, found: &mut Findings<'_>) {
    for (name, device) in &settings.devices {
        let is_missing = |meeting: &&MeetingName| !settings.meetings.contains_key(*meeting) && !found.incomplete;
        if let Some(meeting) = device.default_meeting.as_ref().filter(is_missing) {
            let known: Vec<_> = settings.meetings.keys().map(ToString::to_string).collect();
            let key = format!("device.{name}.default_meeting");
            found.problem(&key, format!("there is no [meeting.{meeting}]"), format!("known: {}", known.join(", ")));
        }
        let host = device.call.as_ref().and_then(|uri| uri.host.as_ref());
        let ours = |host: &Host| settings.sip.accounts.values().any(|account| account.registrar.host.as_ref() == Some(host));
        if let Some(host) = host.filter(|host| host.ip().is_none() && !ours(host)) {
            let hint = "add a [sip.account.X] for it, or write the device's address in numbers";
            found.problem(&format!("device.{name}.call"), format!("we have no account at {host}"), hint);
        }
    }
}

/// A network belongs to one device or trunk.
fn addresses(settings: &Settings, found: &mut Findings<'_>) {
    let devices = settings
        .devices
        .iter()
        .map(|(name, device)| (format!("device {name}"), format!("device.{name}.address"), &device.addresses));
    let trunks = settings
        .sip
        .trunks
        .iter()
        .map(|(name, trunk)| (format!("trunk {name}"), format!("sip.trunk.{name}.addresses"), &trunk.addresses));
    let mut owners = BTreeMap::new();
    for (owner, key, networks) in devices.chain(trunks) {
        for network in networks {
            if let Some(other) = owners.insert(*network, owner.clone()) {
                let what = format!("{network} is the address of {other} too");
                found.problem(&key, what, "one address belongs to one device or trunk");
            }
        }
    }
}

fn api_tokens(settings: &Settings, found: &mut Findings<'_>) {
    let mut owners = BTreeMap::new();
    for (name, device) in &settings.devices {
        let Some(token) = &device.api_token else { continue };
        let key = format!("device.{name}.api_token");
        if let Some(other) = owners.insert(token.expose(), name) {
            found.problem(&key, format!("is the API token of device {other} too"), "give each its own");
        }
        if let Some(other) = namesake(settings, name) {
            let what = format!("would show the calls of {other} as well, which go by the same name");
            found.problem(&key, what, "rename the device");
        }
    }
}

fn logins(settings: &Settings, found: &mut Findings<'_>) {
    let mut owners = BTreeMap::new();
    for (name, device) in &settings.devices {
        let Some(login) = &device.login else { continue };
        if let Some(other) = owners.insert(login.username.as_str(), name) {
            let key = format!("device.{name}.username");
            found.problem(&key, format!("{:?} is the user name of device {other} too", login.username), "give each its own");
        }
        if login.password.expose().len() < 8 {
            let key = format!("device.{name}.password");
            found.warning(&key, "is short enough to be guessed", "use at least eight characters, drawn at random");
        }
    }
}

/// Whose calls are named like those of this device.
fn namesake(settings: &Settings, device: &str) -> Option<String> {
    match device {
        UNLISTED | UNKNOWN => Some("whoever has no entry".to_owned()),
        _ if settings.sip.trunks.contains_key(device) => Some(format!("[sip.trunk.{device}]")),
        _ if settings.sip.accounts.contains_key(device) => Some(format!("[sip.account.{device}]")),
        _ => None,
    }
}

/// A certificate's name belongs to one device or trunk, and somebody has to ask for certificates.
fn certificates(settings: &Settings, found: &mut Findings<'_>) {
    let devices = settings.devices.iter().map(|(name, device)| (format!("device.{name}"), &device.certificate));
    let trunks = settings.sip.trunks.iter().map(|(name, trunk)| (format!("sip.trunk.{name}"), &trunk.certificate));
    let asked = settings.sip.listen.values().any(|listen| listen.client_ca.is_some());
    let mut owners = BTreeMap::new();
    for (owner, certificate) in devices.chain(trunks) {
        let Some(certificate) = certificate else { continue };
        let key = format!("{owner}.certificate");
        if !asked {
            found.warning(&key, "is never seen: no listener asks for certificates", "set client_ca of a [sip.listen.X] with TLS");
        }
        if let Some(other) = owners.insert(certificate, owner) {
            found.problem(&key, format!("{certificate:?} is the certificate of {other} too"), "give each a name of its own");
        }
    }
}
