//! ICE in descriptions (RFC 8839; A-3): a device that offers it is answered as ICE lite, with one host candidate for each port.

use super::{Attribute, LocalCapabilities, MediaSection, SessionDescription};
use crate::rtp::ice::IceCredentials;
use crate::rtp::srtp::KeyGenerator;

/// Shortest and longest `a=ice-ufrag` (RFC 8839 section 5.4).
const UFRAG: std::ops::RangeInclusive<usize> = 4..=256;
/// Lengths of ours, with 24 and 132 bits of randomness or more, as section 5.4 wants.
const OUR_UFRAG: usize = 8;
const OUR_PASSWORD: usize = 24;
/// Priority of a host candidate for RTP, and for RTCP (RFC 8445 section 5.1.2.1).
const PRIORITIES: [u32; 2] = [2_130_706_431, 2_130_706_430];
/// What of a line of ours belongs to ICE.
const NAMES: [&str; 3] = ["ice-ufrag", "ice-pwd", "candidate"];

/// The credentials for a line that offers ICE: those of before, while the device keeps its own, or else new ones (RFC 8839 section 4.4.3.1).
/// `None` where it offers none, or is lite itself: then nobody would check.
pub(super) fn answer(
    session: &SessionDescription,
    media: &MediaSection,
    ours: &LocalCapabilities,
    keys: &mut KeyGenerator,
) -> Option<IceCredentials> {
    let remote_ufrag = remote_ufrag(session, media)?;
    if session.attributes.iter().any(|attribute| attribute.name.eq_ignore_ascii_case("ice-lite")) {
        return None;
    }
    let before = ours.ice.as_ref().filter(|before| before.remote_ufrag == remote_ufrag);
    Some(before.cloned().unwrap_or_else(|| IceCredentials {
        ufrag: keys.text(OUR_UFRAG),
        password: keys.text(OUR_PASSWORD),
        remote_ufrag,
    }))
}

/// What goes on after an answer to an offer of ours that has repeated it.
pub(super) fn accept(
    offered: &MediaSection,
    session: &SessionDescription,
    answered: &MediaSection,
    ours: &LocalCapabilities,
) -> Option<IceCredentials> {
    offered.attribute("ice-ufrag")?;
    Some(IceCredentials { remote_ufrag: remote_ufrag(session, answered)?, ..ours.ice.clone()? })
}

fn remote_ufrag(session: &SessionDescription, media: &MediaSection) -> Option<String> {
    let of = |attributes: &[Attribute], name: &str| {
        attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name)).and_then(|found| found.value.clone())
    };
    let value = |name| of(&media.attributes, name).or_else(|| of(&session.attributes, name));
    value("ice-pwd")?;
    value("ice-ufrag").map(|ufrag| ufrag.trim().to_owned()).filter(|ufrag| UFRAG.contains(&ufrag.len()))
}

/// What our line says of it.
pub(super) fn attributes(credentials: &IceCredentials, ours: &LocalCapabilities, rtcp_mux: bool) -> Vec<Attribute> {
    let candidate = |(component, priority): (u16, u32)| {
        let port = ours.port.saturating_add(component - 1);
        Attribute::new("candidate", Some(format!("1 {component} UDP {priority} {} {port} typ host", ours.address)))
    };
    let components = if rtcp_mux { 1 } else { 2 };
    let mut all = vec![
        Attribute::new("ice-ufrag", Some(credentials.ufrag.clone())),
        Attribute::new("ice-pwd", Some(credentials.password.clone())),
    ];
    all.extend((1..).zip(PRIORITIES).take(components).map(candidate));
    all
}

/// What a line of ours has said of it, to be said again.
pub(super) fn again(known: &MediaSection) -> impl Iterator<Item = Attribute> + '_ {
    known.attributes.iter().filter(|attribute| NAMES.contains(&attribute.name.as_str())).cloned()
}

/// What stands above lines of which one has ICE.
pub(super) fn of_session(media: &[MediaSection]) -> Vec<Attribute> {
    let has_ice = media.iter().any(|line| line.attribute("ice-ufrag").is_some());
    if has_ice { vec![Attribute::new("ice-lite", None)] } else { Vec::new() }
}
