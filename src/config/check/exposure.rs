//! What would be open to more people than it looks (X-2, O-1): said by `check-config`. Only plain HTTP for the network is refused.

use std::net::IpAddr;

use super::findings::Findings;
use crate::common::ip_network::{IpNetwork, contain_everybody};
use crate::config::settings::Settings;
use crate::relay::provider::ProviderKind;

/// Warns of it.
pub(super) fn exposure(settings: &Settings, found: &mut Findings<'_>) {
    plain_http(settings, found);
    everybody(settings, found);
    proxies(settings, found);
    messages(settings, found);
    ice(settings, found);
}

/// Pages whose links and cookies could be read on the way.
fn plain_http(settings: &Settings, found: &mut Findings<'_>) {
    let http = &settings.http;
    if !http.address.is_loopback() && http.tls.is_none() && http.trusted_proxies.is_empty() {
        found.problem(
            "http.address",
            "plain HTTP would be open to the network: member links and cookies could be read on the way, and browsers give the microphone to https or localhost only",
            "set [http.tls] certificate and key, name your proxy in http.trusted_proxies, or listen on 127.0.0.1",
        );
    }
}

/// Ranges that leave nobody out.
fn everybody(settings: &Settings, found: &mut Findings<'_>) {
    let mut warn = |key: &str, networks: &[IpNetwork], what: &str, hint: &str| {
        if contain_everybody(networks) {
            found.warning(key, what, hint);
        }
    };
    warn(
        "sip.allowed",
        &settings.sip.allowed,
        "takes calls from the whole Internet: scanners will find it within hours",
        "name the networks that your phones call from; a phone elsewhere registers with a password, a PBX is a [sip.trunk.X]",
    );
    warn(
        "http.trusted_proxies",
        &settings.http.trusted_proxies,
        "believes everybody who says to be somebody else",
        "name the addresses of your proxies",
    );
    for (name, device) in &settings.devices {
        let hint = "name the address of the device; one whose address changes registers with a password";
        warn(&format!("device.{name}.address"), &device.addresses, "lets everybody in as this device", hint);
    }
    for (name, trunk) in &settings.sip.trunks {
        let hint = "name the addresses of the PBX";
        warn(&format!("sip.trunk.{name}.addresses"), &trunk.addresses, "lets everybody in as this trunk", hint);
    }
}

fn proxies(settings: &Settings, found: &mut Findings<'_>) {
    let http = &settings.http;
    let is_https = http.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
    if is_https && http.tls.is_none() && http.trusted_proxies.is_empty() {
        found.warning(
            "http.public_url",
            "is https, but nothing here speaks TLS, and no proxy that does is named: all browsers count as one address",
            "name the proxy in http.trusted_proxies, or set http.tls",
        );
    }
    if http.public_url.is_none() && !http.trusted_proxies.is_empty() {
        let what = "are named, and http.public_url is not: whatever name they are asked by is taken for ours";
        found.warning("http.trusted_proxies", what, "write http.public_url");
    }
}

fn messages(settings: &Settings, found: &mut Findings<'_>) {
    for (name, provider) in &settings.relay.providers {
        let ProviderKind::Smpp(smpp) = &provider.kind else { continue };
        if smpp.tls.is_none() && !is_here(&smpp.host) {
            let what = format!("sends password, numbers and texts to {} for everybody on the way to read", smpp.host);
            found.warning(
                &format!("relay.provider.{name}.tls"),
                what,
                "set tls = true, or reach it through a tunnel on this machine",
            );
        }
    }
}

fn is_here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

fn ice(settings: &Settings, found: &mut Findings<'_>) {
    for (name, server) in &settings.ice_servers {
        let key = |field: &str| format!("ice_server.{name}.{field}");
        match (&server.secret, &server.username, &server.credential) {
            (Some(_), None, None) | (None, None, None) => {}
            (Some(_), ..) => {
                found.problem(
                    &key("secret"),
                    "and a fixed user name or credential exclude each other",
                    "keep secret, from which they are made",
                );
            }
            (None, Some(_), Some(_)) => {
                let what = "is told to every page that joins, and stays good for ever";
                found.warning(&key("credential"), what, "set secret, which the server shares (static-auth-secret of coturn)");
            }
            (None, Some(_), None) => found.problem(&key("username"), "comes without credential", "write both, or secret"),
            (None, None, Some(_)) => found.problem(&key("credential"), "comes without username", "write both, or secret"),
        }
    }
}
