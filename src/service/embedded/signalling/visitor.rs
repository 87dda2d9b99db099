//! [`Visitor`]: who the page is, settled before its WebSocket opens.

use std::net::IpAddr;

use super::ice::PageIceServer;
use crate::common::ids::MeetingName;
use crate::meeting::PasscodeProof;
use crate::meeting::messages::Role;

/// Who the page is by its session.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Which meeting.
    pub meeting: MeetingName,
    /// Member by session, else external (M-3).
    pub role: Role,
    /// May do what only the organiser may.
    pub organiser: bool,
    /// Its session, under which a host's mute is kept (K-4).
    pub identity: Option<String>,
    /// Where it is, as far as that is known.
    pub from: Option<IpAddr>,
    /// What it has shown of the passcode (K-1).
    pub proof: PasscodeProof,
    /// Shown if the page gives no usable name (M-4).
    pub fallback_name: &'static str,
    /// For its peer connection; told with the welcome.
    pub ice_servers: Vec<PageIceServer>,
}
