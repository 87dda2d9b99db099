//! Settings of the media plane.

use std::net::IpAddr;

use crate::config::Settings;
use crate::media::MediaSettings;

/// The media plane's part of the configuration; none of it changes by a reload.
pub(crate) fn media_settings(settings: &Settings, webrtc_addresses: Vec<IpAddr>) -> MediaSettings {
    MediaSettings {
        workers: settings.media.worker_count(),
        rtp_ports: (*settings.media.rtp_ports.start(), *settings.media.rtp_ports.end()),
        webrtc_port: settings.media.webrtc_port,
        webrtc_addresses,
        advertised: settings.media.advertised_address,
        media_timeout: settings.media.media_timeout,
    }
}
