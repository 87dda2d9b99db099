//! `[meeting.X]`: the meetings of the configuration, and who gets into them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::media::SPEAKERS;
use crate::common::ids::MeetingName;
use crate::config::readers::{DAY, MINUTE, SECOND, boolean, choice, label, number, telephone_number, time};
use crate::config::secret::Secret;
use crate::config::section::Section;
use crate::meeting::service::RoomAddress;
use crate::policy::{Bypass, CallRooms};

/// `[meeting.X]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingConfig {
    /// Shown on its page.
    pub title: String,
    /// Digits to key in or dial, without the `+` of E.164; `None`: reached by its name only.
    pub conference_id: Option<String>,
    /// Digits asked of callers.
    pub passcode: Option<Secret>,
    /// Digits that lend a call the organiser's powers (K-2).
    pub organiser_pin: Option<Secret>,
    /// Who may pass the lobby.
    pub bypass: Bypass,
    /// Devices may pass the lobby too.
    pub devices_bypass: bool,
    /// Who may have devices called into it (S-9).
    pub call_rooms: CallRooms,
    /// How long a lobby wait lasts (M-9).
    pub lobby_timeout: Duration,
    /// An external may lift a host's mute (K-4).
    pub unmute_after_host_mute: bool,
    /// Externals may join, by telephone and in a browser (M-11).
    pub anonymous_join: bool,
    /// Speakers that are mixed at a time; `None`: as `[media]` says.
    pub speakers: Option<usize>,
    /// The room at a service in which it takes place; `None`: it is in our own pages alone.
    pub room: Option<RoomAddress>,
}

pub(in crate::config) fn meetings(root: &mut Section<'_>) -> BTreeMap<MeetingName, MeetingConfig> {
    let found = root.named("meeting", |name, section| {
        let known = MeetingName::new(name);
        if known.is_err() {
            section.complain("is no name for a meeting", "use 1 to 64 of a-z, 0-9, - and _; it is part of the page's address");
        }
        let meeting = meeting(name, section);
        Some((known.ok()?, meeting))
    });
    found.into_values().collect()
}

fn meeting(name: &str, s: &mut Section<'_>) -> MeetingConfig {
    let bypass = choice(&[
        ("everyone", Bypass::Everyone),
        ("organisation-and-trusted", Bypass::OrganisationAndTrusted),
        ("organisation", Bypass::Organisation),
        ("organisation-without-guests", Bypass::OrganisationWithoutGuests),
        ("invited", Bypass::Invited),
        ("organisers", Bypass::Organisers),
    ]);
    let call_rooms =
        choice(&[("organiser", CallRooms::Organiser), ("members", CallRooms::Members), ("nobody", CallRooms::Nobody)]);
    MeetingConfig {
        title: s.get("title", label(128)).unwrap_or_else(|| name.to_owned()),
        conference_id: s.optional("conference_id", telephone_number(20)),
        passcode: s.secret("passcode"),
        organiser_pin: s.secret("organiser_pin"),
        bypass: s.get("bypass", bypass).unwrap_or(Bypass::Organisers),
        devices_bypass: s.get("devices_bypass", boolean).unwrap_or(false),
        call_rooms: s.get("call_rooms", call_rooms).unwrap_or_default(),
        lobby_timeout: s.get("lobby_timeout", time(10 * SECOND..=DAY)).unwrap_or(10 * MINUTE),
        unmute_after_host_mute: s.get("unmute_after_host_mute", boolean).unwrap_or(false),
        anonymous_join: s.get("anonymous_join", boolean).unwrap_or(true),
        speakers: s.optional("speakers", number(SPEAKERS)),
        room: room(name, s),
    }
}

fn room(name: &str, s: &mut Section<'_>) -> Option<RoomAddress> {
    let (service, room) = (s.optional("service", label(64)), s.optional("room", label(256)));
    if room.is_some() && service.is_none() && !s.has_problems() {
        s.complain("names a room, and no service that has it", "write service, the X of a [service.X]");
    }
    Some(RoomAddress { service: service?, room: room.unwrap_or_else(|| name.to_owned()) })
}
