//! Names of hosts where addresses are expected (RFC 8866 section 5.7, RFC 3605): which of them are to be looked up, and what is found in their place.
//!
//! The look-up itself is the work of whoever answers. Only what audio flows to is looked at; a name in `o=` means nothing.

use std::net::IpAddr;

use super::{MediaSection, SdpHost, SessionDescription};

/// Names of one description that are looked up; further ones stay unknown. One of RTP and one of RTCP are all that a line of audio can have, and
/// best-effort SRTP has two lines.
pub const MAX_NAMES: usize = 4;
/// Longest name in characters (RFC 1035 section 2.3.4).
const LONGEST: usize = 253;
/// The attribute that says where RTCP goes (RFC 3605).
const RTCP: &str = "rtcp";

/// The names that stand for addresses of open lines of audio, each once and at most [`MAX_NAMES`].
#[must_use]
pub fn media_names(session: &SessionDescription) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for media in open_lines(session) {
        let rtcp = rtcp_host(media);
        for host in session.connection_of(media).into_iter().chain(rtcp.as_ref()) {
            if let SdpHost::Name(name) = host
                && is_resolvable(name)
                && !names.contains(name)
                && names.len() < MAX_NAMES
            {
                names.push(name.clone());
            }
        }
    }
    names
}

/// Puts addresses in the place of the names that `address_of` knows one for.
pub fn resolve(session: &mut SessionDescription, address_of: impl Fn(&str) -> Option<IpAddr>) {
    let known = |host: &SdpHost| match host {
        SdpHost::Name(name) => address_of(name).map(|address| SdpHost::Ip(address.to_canonical())),
        SdpHost::Ip(_) => None,
    };
    let connections = session.media.iter_mut().map(|media| &mut media.connection).chain([&mut session.connection]);
    for connection in connections.flatten() {
        if let Some(address) = known(connection) {
            *connection = address;
        }
    }
    for media in &mut session.media {
        let found = rtcp_host(media).as_ref().and_then(known);
        let rtcp = media.attributes.iter_mut().find(|attribute| attribute.name.eq_ignore_ascii_case(RTCP));
        if let (Some(address), Some(value)) = (found, rtcp.and_then(|rtcp| rtcp.value.as_mut())) {
            let port = value.split_whitespace().next().unwrap_or_default();
            *value = format!("{port} {address}");
        }
    }
}

fn open_lines(session: &SessionDescription) -> impl Iterator<Item = &MediaSection> {
    session.media.iter().filter(|media| media.is_open_audio())
}

/// The host of `a=rtcp:53020 IN IP4 host`, where it has one.
fn rtcp_host(media: &MediaSection) -> Option<SdpHost> {
    media.attribute(RTCP)??.split_whitespace().nth(3).map(SdpHost::read)
}

/// Whether a name can be one of a host at all. What ends in `.invalid` is none (RFC 2606 section 2).
fn is_resolvable(name: &str) -> bool {
    let bare = name.trim_end_matches('.');
    let is_host = |letter: u8| letter.is_ascii_alphanumeric() || b"-._".contains(&letter);
    let top = bare.rsplit('.').next().unwrap_or(bare);
    !bare.is_empty() && bare.len() <= LONGEST && bare.bytes().all(is_host) && !top.eq_ignore_ascii_case("invalid")
}
