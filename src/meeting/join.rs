//! What a page brings when it joins a meeting, or knocks at it.

use std::net::IpAddr;

use super::page_feed::PageFeed;
use crate::common::ids::ParticipantId;
use crate::common::redact::Redacted;
use crate::policy::Role;

/// What somebody in a browser has shown of the meeting's passcode (K-1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PasscodeProof {
    /// Nothing: none was set.
    #[default]
    Nothing,
    /// This one was given.
    Given(Redacted<String>),
    /// It need not be given: a signed link has opened the session.
    Link,
}

impl PasscodeProof {
    /// Whether it opens a door with this passcode; `None`: none is set.
    #[must_use]
    pub fn opens(&self, passcode: Option<&Redacted<String>>) -> bool {
        match (self, passcode) {
            (_, None) | (Self::Link, _) => true,
            (Self::Given(given), Some(wanted)) => given == wanted,
            (Self::Nothing, Some(_)) => false,
        }
    }
}

/// A page that joins.
#[derive(Debug)]
pub struct JoinPage {
    /// From the session, never from the page (M-7).
    pub role: Role,
    /// From the session.
    pub organiser: bool,
    /// Cleaned (M-4).
    pub name: String,
    /// The presence it had before its connection was lost, by a signed token.
    pub resume: Option<ParticipantId>,
    /// Who it is beyond this presence: its session, or the key that its browser has made. Under it a host's mute is kept (K-4).
    pub identity: Option<String>,
    /// How its own microphone was closed before: closes it again, and never opens it (K-4).
    pub muted: bool,
    /// Its hand was up when its connection was lost: raised again in a seat that is a new one.
    pub hand: bool,
    /// Its address; knocks are counted by it (M-14).
    pub from: Option<IpAddr>,
    /// What it has shown of the passcode, which may be another one by the time it joins, or while it waits (K-1).
    pub proof: PasscodeProof,
    /// What it is shown and told.
    pub feed: PageFeed,
}
