//! The seam to services in which meetings take place elsewhere: what a meeting asks of one, and what it is told.
//!
//! A [`MeetingService`] exchanges facts and audio of people; it decides nothing. Lobby, notices, limits and ledger stay with the meeting's
//! policy, whatever the service is. Asks go down and may wait for room in the link's queue; facts come up, never wait, and are states: a
//! repeat is harmless, and a link that could not tell one tells the whole again.

use tokio::sync::mpsc;

use crate::common::ids::{CallId, MeetingName, ParticipantId};
use crate::common::redact::Redacted;
use crate::media::{BridgeHandle, MediaEnd};
use crate::policy::{Capture, CaptureKind, Role};

/// Asks that a link may have waiting. Full: the meeting waits; a link does nothing that takes long in its own loop.
pub const ASKS: usize = 64;
/// Facts that a meeting may have waiting. Full: the link keeps the newest state and tells it later.
pub const FACTS: usize = 64;

/// A service in which meetings take place: signalling and audio, never a decision.
pub trait MeetingService: Send + Sync {
    /// What it can do.
    fn traits(&self) -> Traits;

    /// Opens a room. The link watches who is there from now on, and is in the room itself only while a device is (M-8). It ends when `link`
    /// is dropped at the other end.
    fn open(&self, room: RoomSetup, link: mpsc::Receiver<RoomAsk>, facts: mpsc::Sender<RoomFact>);
}

/// What a service can do of what a meeting needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// Recording (N-1).
    pub recording: Support,
    /// Transcription (N-1).
    pub transcription: Support,
    /// Chat (C-1).
    pub chat: Support,
    /// Hands.
    pub hand: Support,
    /// Microphones that a host closes (K-4).
    pub mute: Support,
}

/// How far a service goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It says what is, and is told what we do.
    Signals,
    /// It makes it so, too.
    Enforces,
    /// It cannot, and this is why.
    Cannot(&'static str),
}

/// A room to open.
#[derive(Clone)]
pub struct RoomSetup {
    /// Whose room it is.
    pub meeting: MeetingName,
    /// Its name at the service.
    pub room: String,
    /// Where its people are mixed with our devices.
    pub bridge: BridgeHandle,
}

/// Which service's room a meeting is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomAddress {
    /// Label of `[service.X]`.
    pub service: String,
    /// The room's name there.
    pub room: String,
}

/// A device that enters a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnteringGuest {
    /// Its presence.
    pub who: ParticipantId,
    /// Its call, for other software that reads attributes.
    pub call: CallId,
    /// Its place on the bridge, from which it is heard.
    pub end: MediaEnd,
    /// As people in the room see it.
    pub name: Redacted<String>,
    /// Its number, masked.
    pub caller: String,
}

/// How a device is shown to the people in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestState {
    /// As people in the room see it.
    pub name: Redacted<String>,
    /// Nothing of it is heard: closed by whomever, or on hold.
    pub muted: bool,
    /// Its hand is up.
    pub hand: bool,
}

/// What a meeting asks of its room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomAsk {
    /// Show a device that was admitted, and publish what its gate lets through.
    Enter(Box<EnteringGuest>),
    /// How a device inside is from now on.
    Guest(ParticipantId, GuestState),
    /// A device has left.
    Leave(ParticipantId),
    /// Say something in the chat: for a device, or (`None`) for somebody on a page of ours.
    Chat {
        /// Which device.
        who: Option<ParticipantId>,
        /// Under this name.
        name: Redacted<String>,
        /// What.
        text: Redacted<String>,
    },
}

/// Somebody in the room who is none of our devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomPerson {
    /// Stable for this presence.
    pub key: String,
    /// Cleaned (M-4).
    pub name: String,
    /// Counts as a member present (M-5), or not.
    pub role: Role,
    /// Their microphone is closed, or they have none.
    pub muted: bool,
    /// Their hand is up.
    pub hand: bool,
    /// Where their sound arrives, once it does.
    pub end: Option<MediaEnd>,
}

/// What a room tells its meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomFact {
    /// Everybody who is there, but our own devices: a whole state.
    People(Vec<RoomPerson>),
    /// Whether the room is recorded or transcribed (N-1).
    Capture(CaptureKind, Capture),
    /// Somebody has written in the chat: to all, or to one device.
    Chat {
        /// By whom, a [`RoomPerson::key`].
        key: String,
        /// What.
        text: Redacted<String>,
        /// To this device alone.
        to: Option<ParticipantId>,
    },
    /// A host has closed a device's microphone, or opened it again (K-4).
    GuestMuted(ParticipantId, bool),
    /// A host has taken a device out.
    GuestRemoved(ParticipantId),
    /// The room was ended for all.
    Ended,
    /// The room cannot be reached for now, or it can again.
    Reachable(bool),
}
