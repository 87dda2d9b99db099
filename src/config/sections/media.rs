//! `[media]`: sockets, threads and codecs of calls and browsers.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::declare::section;
use crate::codec::{CODECS, CodecKind, DEFAULT_CODECS};
use crate::config::readers::{ADDRESS, DAY, MINUTE, SECOND, WrongValue, list, number, parsed, ports, some, text, time};
use crate::config::reload::{live, restart};
use crate::config::value::Value;

/// How many speakers a meeting can mix at a time: each costs an encoding of its own.
pub(super) const SPEAKERS: RangeInclusive<usize> = 1..=16;

section! {
    /// `[media]`
    pub struct MediaConfig {
        /// Worker threads; 0: one a core.
        workers: usize = |s, key| s.get(key, number(0..=256)).unwrap_or(0), restart;
        /// Local address of RTP and WebRTC sockets.
        address: IpAddr = |s, key| s.get(key, parsed(ADDRESS)).unwrap_or(Ipv4Addr::UNSPECIFIED.into()), restart;
        /// UDP ports of devices, two a call.
        rtp_ports: RangeInclusive<u16> = |s, key| s.get(key, ports).unwrap_or(20_000..=20_999), restart;
        /// Written into SDP instead of the local address (S-7).
        advertised_address: Option<IpAddr> = |s, key| s.optional(key, parsed(ADDRESS)), restart;
        /// UDP port of the first worker's WebRTC socket; the next worker has the next port (U-2).
        webrtc_port: u16 = |s, key| s.get(key, number(1..=65_535)).unwrap_or(8189), restart;
        /// Addresses told to browsers; empty: those found on the interfaces at start.
        webrtc_addresses: Vec<IpAddr> = |s, key| s.get(key, list(parsed(ADDRESS))).unwrap_or_default(), restart;
        /// Codecs for devices, best first. L16 is taken where a device offers none of them.
        codecs: Vec<CodecKind> = |s, key| s.get(key, some(list(codec))).unwrap_or_else(|| DEFAULT_CODECS.into()), live;
        /// Speakers that a meeting mixes at a time, unless it says otherwise; a change counts for meetings that begin after it.
        speakers: usize = |s, key| s.get(key, number(SPEAKERS)).unwrap_or(4), live;
        /// A device without RTP and RTCP for this long is asked by OPTIONS.
        media_timeout: Duration = |s, key| s.get(key, time(5 * SECOND..=DAY)).unwrap_or(MINUTE), restart;
    }
}

impl MediaConfig {
    /// Worker threads, with 0 resolved to the number of cores.
    #[must_use]
    pub fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            workers => workers,
        }
    }

    /// The UDP ports of the workers' WebRTC sockets; the last one is cut off at 65535, which [`crate::config::load`] refuses.
    #[must_use]
    pub fn webrtc_ports(&self) -> RangeInclusive<u16> {
        let more = u16::try_from(self.worker_count().saturating_sub(1)).unwrap_or(u16::MAX);
        self.webrtc_port..=self.webrtc_port.saturating_add(more)
    }
}

fn codec(value: &Value) -> Result<CodecKind, WrongValue> {
    let name = text(value)?;
    let names = || CODECS.iter().map(|row| row.label).collect::<Vec<_>>().join(", ");
    CodecKind::by_label(&name).ok_or_else(|| WrongValue::new(format!("{name:?} is no codec"), format!("known: {}", names())))
}
