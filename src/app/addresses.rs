//! Addresses of this machine: for WebRTC, and to know which requests mean us.

use std::net::{IpAddr, UdpSocket};

use crate::config::Settings;

/// Addresses of this machine, and those that it is known by behind a NAT: no other party can be meant by them in a message.
pub(super) fn own_addresses(settings: &Settings) -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default().into_iter().map(|interface| interface.ip());
    let advertised = [settings.sip.advertised_address, settings.media.advertised_address].into_iter().flatten();
    interfaces.chain(advertised).map(|address| address.to_canonical()).collect()
}

/// Addresses for WebRTC: the configured ones, or all of this machine's, loopback last.
pub(super) fn webrtc_addresses(settings: &Settings) -> Vec<IpAddr> {
    if !settings.media.webrtc_addresses.is_empty() {
        return settings.media.webrtc_addresses.clone();
    }
    if !settings.media.address.is_unspecified() {
        return vec![settings.media.address];
    }
    let mut found: Vec<IpAddr> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|address| match address {
            IpAddr::V4(address) => !address.is_link_local(),
            // Link-local IPv6 needs a zone, which a candidate cannot carry.
            IpAddr::V6(address) => !address.is_unicast_link_local(),
        })
        .collect();
    // An address that is being set up, or on its way out, cannot be bound; the others must not suffer for it.
    found.retain(|address| match UdpSocket::bind((*address, 0)) {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(%address, %error, "no WebRTC at this address");
            false
        }
    });
    found.sort_by_key(|address| (address.is_loopback(), address.is_ipv6(), *address));
    found.dedup();
    found
}
