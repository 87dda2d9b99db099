//! Lines of our descriptions: accepted, refused, and the name above them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::capabilities::{MAX_PTIME, MIN_PTIME};
use super::ice;
use super::session::is_usable;
use super::{
    AnswerError, Attribute, DEFAULT_PTIME, Direction, LocalCapabilities, MediaSection, SdpHost, SdpOrigin, SessionDescription,
};
use crate::codec::CodecKind;

pub(super) fn open_audio(session: &SessionDescription) -> Option<(usize, &MediaSection)> {
    session.media.iter().enumerate().find(|(_, media)| media.is_open_audio())
}

pub(super) fn line(kind: &str, port: u16, protocol: &str) -> MediaSection {
    let (kind, protocol) = (kind.to_owned(), protocol.to_owned());
    MediaSection { kind, port, protocol, formats: Vec::new(), connection: None, attributes: Vec::new() }
}

/// The same line with port 0: how an answer refuses, and how a closed stream keeps its place (RFC 3264 sections 6 and 8.2).
pub(super) fn refused(media: &MediaSection) -> MediaSection {
    MediaSection { formats: media.formats.clone(), ..line(&media.kind, 0, &media.protocol) }
}

// === addresses and times ===

/// Where the peer takes the packets of `media`. `ours`: the address of our own, which it must be reached from.
pub(super) fn remote_of(session: &SessionDescription, media: &MediaSection, ours: IpAddr) -> Result<SocketAddr, AnswerError> {
    match session.connection_of(media) {
        // The hold of RFC 2543 is one in each family.
        Some(SdpHost::Ip(ip)) if ip.is_unspecified() => Ok(SocketAddr::new(*ip, media.port)),
        // An IPv4 address where ours is IPv6 may be one that is mapped or translated on the way (RFC 4291 section 2.5.5).
        Some(SdpHost::Ip(ip)) if ip.is_ipv6() && ours.to_canonical().is_ipv4() => Err(AnswerError::Ipv6Only),
        Some(SdpHost::Ip(ip)) if is_usable(*ip) => Ok(SocketAddr::new(*ip, media.port)),
        Some(SdpHost::Name(_)) => Err(AnswerError::UnknownName),
        _ => Err(AnswerError::UnusableAddress),
    }
}

/// Whether media is to go nowhere, as the hold of RFC 2543 says it.
pub(super) fn names_zero_address(session: &SessionDescription, media: &MediaSection) -> bool {
    session.connection_of(media).is_some_and(SdpHost::is_unspecified)
}

/// What the peer wishes to get, within what we can make: tens of milliseconds, and for Opus one frame a packet
/// (10, 20, 40 or 60 ms, RFC 6716 section 2.1.4); L16 as much as a datagram holds.
pub(super) fn packet_time(session: &SessionDescription, media: &MediaSection, codec: CodecKind) -> Duration {
    let wished = session.ptime_of(media).unwrap_or(DEFAULT_PTIME);
    let longest = session.maxptime_of(media).unwrap_or(MAX_PTIME);
    let wished = wished.min(longest).min(codec.row().longest_packet).clamp(MIN_PTIME, MAX_PTIME);
    let steps: &[u64] = if codec == CodecKind::Opus { &[60, 40, 20] } else { &[60, 50, 40, 30, 20] };
    steps.iter().map(|ms| Duration::from_millis(*ms)).find(|step| *step <= wished).unwrap_or(MIN_PTIME)
}

pub(super) fn finish(media: &mut MediaSection, ptime: Duration, direction: Direction) {
    media.attributes.push(Attribute::new("ptime", Some(ptime.as_millis().to_string())));
    media.attributes.push(Attribute::new("maxptime", Some(MAX_PTIME.as_millis().to_string())));
    media.attributes.push(Attribute::new(direction.name(), None));
}

/// Puts our name above `media`. The version counts up by one exactly when something changed (RFC 3264 section 8).
pub(super) fn describe(ours: &LocalCapabilities, timing: String, media: Vec<MediaSection>) -> SessionDescription {
    let host = SdpHost::Ip(ours.address);
    let (user, id) = ("roomgate".to_owned(), ours.session_id.to_string());
    let origin = SdpOrigin { user, id, version: "1".to_owned(), host };
    let mut session =
        SessionDescription { connection: Some(origin.host.clone()), origin, timing, attributes: ice::of_session(&media), media };
    if let Some(previous) = &ours.previous {
        session.origin = previous.origin.clone();
        if session != *previous {
            let version: u64 = previous.origin.version.parse().unwrap_or(1);
            session.origin.version = version.saturating_add(1).to_string();
        }
    }
    session
}
