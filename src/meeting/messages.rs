//! What a meeting says upward and is asked for: the messages between a live meeting and those who show it
//! (page signalling, API) or stand in it (a device's call).

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::common::ids::ParticipantId;
use crate::policy::PolicyRefusal;
use crate::relay::{self, ReaderId};

pub use crate::policy::{Capture, Role, Standing, Via};

/// One row of roster or lobby, as those inside may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Participant)]
pub struct ParticipantView {
    /// Stable for this presence.
    pub id: String,
    /// Display name (M-4).
    pub name: String,
    /// Member or external (M-3).
    pub kind: Role,
    /// Page or phone.
    pub via: Via,
    /// Where they stand.
    pub state: Standing,
    /// May do what only the organiser may.
    pub organiser: bool,
    /// Their microphone is closed, by themselves or by a host (K-4).
    pub muted: bool,
    /// Who has closed it (K-4); of somebody who waits this is not told (M-8).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub muted_by: Option<MutedBy>,
    /// Their hand is up.
    pub hand: bool,
    /// On hold (S-5).
    pub on_hold: bool,
    /// Their connection is lost for the moment (M-5: kept for 60 s).
    pub reconnecting: bool,
    /// Seconds since they knocked, while they wait.
    pub waiting_seconds: Option<u64>,
    /// Of a configured device: which, and how it has proven to be it (M-1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<KnownDevice>,
    /// Of any other external, for those who may admit: its address, with the masked number or name that a caller says (M-1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How people around a device get the chat by SMS, and who does (C-2); for those who may admit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join: Option<JoinView>,
}

/// A configured device (M-1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KnownDevice {
    /// Its label.
    pub label: String,
    /// How it has proven to be it: `digest` (its password), `certificate`, `address` (it calls from there, and nothing more), `registration`
    /// (it was called where it had registered).
    pub proven_by: String,
}

/// Who has closed a microphone (K-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MutedBy {
    /// Its owner: nobody else opens it, a host can only ask.
    Owner,
    /// A host, who may lift that again.
    Host,
    /// Each of them; when the host's part is lifted, the owner's stays.
    Both,
}

/// Whoever texts this code to this number, and is confirmed, gets the chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = JoinCode)]
pub struct JoinView {
    /// Eight digits; other ones as soon as somebody was removed.
    pub code: String,
    /// In international form: our own, which is no secret.
    pub to: String,
    /// Who gets the chat by SMS, or wants to.
    pub readers: Vec<ReaderView>,
}

/// Somebody who reads the chat by SMS, or wants to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Reader)]
pub struct ReaderView {
    /// For confirming and removing.
    pub id: String,
    /// Masked.
    pub number: String,
    /// How they have opted in.
    pub means: relay::OptInMeans,
    /// Whether they still wait to be confirmed.
    pub state: relay::ReaderState,
}

/// The whole of what one viewer may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// The viewer's own row's id.
    pub you: String,
    /// Where the viewer stands. While not `In`, `participants` holds the viewer alone and both captures read `Off` (M-8).
    pub standing: Standing,
    /// Everybody the viewer may see: inside ones for all inside; lobby and waiting ones only for those who may admit.
    pub participants: Vec<ParticipantView>,
    /// Recording (N-1).
    pub recording: Capture,
    /// Transcription (N-1).
    pub transcription: Capture,
    /// The viewer may admit and deny (M-7).
    pub may_admit: bool,
    /// The viewer may switch recording and transcription (M-12).
    pub may_record: bool,
    /// The viewer may end the meeting for all.
    pub may_end: bool,
    /// The viewer may have devices called into the meeting (S-9).
    pub may_call_rooms: bool,
}

/// Under this name the operator writes in a chat; nobody else gets it (M-1).
pub const OPERATOR: &str = "Operator";
/// What a line of the operator's has in the place of a row's id.
pub const OPERATOR_ID: &str = "operator";

/// A chat line between those inside (C-1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChatLine {
    /// Counts up within the meeting.
    pub id: u64,
    /// The sender's row id; `operator` for a line that the API's operator has written.
    pub from: String,
    /// The sender's name when it was sent.
    pub name: String,
    /// Member or external.
    pub kind: Role,
    /// The masked number of who has written it by SMS for a room (C-3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms: Option<String>,
    /// The text, at most 4000 characters.
    pub text: String,
    /// How it goes to people around rooms.
    #[serde(skip_serializing_if = "Texted::is_nowhere")]
    pub texted: Texted,
    /// When it was said.
    #[serde(serialize_with = "crate::common::units::moment")]
    #[schema(value_type = String, format = DateTime)]
    pub at: u64,
}

/// How far a line of the chat has come by SMS: to so many people around rooms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Texted {
    /// It is on its way.
    pub waiting: u32,
    /// The provider has it.
    pub sent: u32,
    /// It is on the handset.
    pub delivered: u32,
    /// It will not be read.
    pub failed: u32,
}

impl Texted {
    /// Nobody gets it by SMS.
    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        *self == Self::default()
    }
}

/// A message to a page in a meeting. What state it is in comes beside these, as a [`RosterView`](super::roster::RosterView).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ToPage {
    /// Who is speaking now, loudest first; the rest are not.
    Speaking {
        /// Row ids.
        ids: Vec<String>,
    },
    /// A chat line.
    Chat(ChatLine),
    /// A chat line has come further on its way by SMS.
    ChatTexted {
        /// The line's number.
        id: u64,
        /// So far.
        texted: Texted,
    },
    /// How the call to a device goes (S-9).
    Calling {
        /// Its label.
        device: String,
        /// Its display name.
        name: String,
        /// Stable code: `calling`, `ringing`, `answered`, `knocked`, or why nobody comes: `declined`, `no-answer`, `busy`, `not-reachable`,
        /// `cancelled`, `failed`.
        state: &'static str,
    },
    /// The gateway is being stopped; the meeting goes on until calls by telephone have ended, at most this long (O-4).
    Stopping {
        /// Seconds.
        within_seconds: u64,
        /// The meeting is there again afterwards, and the page comes back to it by itself.
        comes_back: bool,
    },
    /// A host asks for the microphone to be opened that the page's owner has closed (K-4).
    UnmuteAsked {
        /// The host's name.
        by: String,
    },
    /// An ask was refused.
    Refused {
        /// Stable code.
        code: &'static str,
        /// For people.
        text: String,
    },
    /// The presence is over; nothing follows.
    Ended {
        /// Stable code: `denied`, `removed`, `meeting-ended`, `lobby-timeout`, `left`, `replaced`, `lobby-crowded`; `anonymous-off` or `passcode-wanted`, where
        /// the meeting took no more externals while it waited; `not-kept`, where the gateway stops and the
        /// meeting is not there afterwards; or `restarting`: then the page comes back by itself.
        reason: &'static str,
    },
}

/// What somebody in a page, or the API, asks of a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeetingRequest {
    /// Close or open one's own microphone.
    MuteSelf(bool),
    /// Raise or lower one's own hand.
    Hand(bool),
    /// Let one in (M-7).
    Admit(ParticipantId),
    /// Let everybody in who waits.
    AdmitAll,
    /// Refuse one.
    Deny(ParticipantId),
    /// Close or open another's microphone.
    Mute(ParticipantId, bool),
    /// Take one out.
    Remove(ParticipantId),
    /// Let somebody read the chat by SMS who has texted a device's join code (M-7).
    ConfirmReader(ParticipantId, ReaderId),
    /// Have somebody around a device read it no longer.
    RemoveReader(ParticipantId, ReaderId),
    /// Switch recording.
    Recording(Capture),
    /// Switch transcription (N-11).
    Transcription(Capture),
    /// Say something.
    Chat(String),
    /// Leave.
    Leave,
    /// The page is being closed, or loaded anew.
    Close,
    /// End the meeting for all.
    End,
}

/// A device is called into a meeting by members at most once in this time (S-9).
pub const BETWEEN_RINGS: Duration = Duration::from_secs(20);

/// Who has a device called into a meeting (S-9).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum By {
    /// The operator.
    Operator,
    /// A member, by the number of its session.
    Session(u64),
    /// A device, by its label: it acts with its own token, or hands its place over (M-18).
    Device(String),
}

/// What became of an ask that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granted {
    /// It is done.
    Done,
    /// It is somebody else's to do, who was asked (K-4).
    Asked,
}

/// Why an offer was not answered. The text is for people.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// Whoever offers is not here.
    #[error("you are not in this meeting")]
    NotHere,
    /// M-14.
    #[error("too many connections were asked for")]
    TooFast,
    /// The browser's description, or our side.
    #[error(transparent)]
    Negotiation(#[from] crate::media::NegotiationError),
}

/// Why an ask was refused: code for programs, text for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MeetingRefusal {
    /// M-7, M-12.
    #[error("Only a member of the meeting may do that.")]
    NotAllowed,
    /// The one meant is not there, or not in a state where this makes sense.
    #[error("That person is no longer there.")]
    NoSuchParticipant,
    /// N-11.
    #[error("Nothing is set up that could transcribe this meeting.")]
    NotConfigured,
    /// A pause of what is off.
    #[error("Nothing is being recorded or transcribed that could be paused.")]
    NotCaptured,
    /// M-5.
    #[error("Nobody is let in while no member is in the meeting.")]
    NoMember,
    /// C-1.
    #[error("You are not in the meeting yet.")]
    NotInside,
    /// The host closed this microphone and the meeting does not allow lifting it (K-4).
    #[error("The host has muted you. Raise your hand to be heard.")]
    MuteLocked,
    /// The recorder could not be started (N-12).
    #[error("Recording could not be started: the recordings directory cannot be written.")]
    RecorderFailed,
    /// Too long, empty, or too many in a short time.
    #[error("That message cannot be sent.")]
    BadText,
    /// S-9.
    #[error("There is no such device.")]
    NoSuchDevice,
    /// S-9.
    #[error("This device cannot be reached: it is not registered, and nothing says where it is.")]
    NotReachable,
    /// Too many calls to devices at once, or the gateway is being stopped.
    #[error("No more calls can be made at the moment.")]
    Busy,
    /// No meeting begins any more (O-4).
    #[error("The meeting server is being restarted.")]
    Restarting,
    /// This device, or by this caller or into this meeting some device, was called a moment ago (S-9).
    #[error("A room was called a moment ago. Wait a little, then try again.")]
    TooOften,
    /// M-11.
    #[error("This meeting is for members of the organisation only.")]
    AnonymousOff,
    /// K-1.
    #[error("This meeting has a passcode, which was not given.")]
    PasscodeWanted,
    /// M-14.
    #[error("The meeting is full.")]
    MeetingFull,
    /// M-14.
    #[error("The chat is off: there are too many people in the meeting for it.")]
    ChatFull,
    /// M-14.
    #[error("That was too fast. Try again in a moment.")]
    TooFast,
    /// M-14.
    #[error("Too many people have asked to join from your network. Try again in a moment.")]
    TooManyKnocks,
    /// M-14.
    #[error("You were not let in. You can ask again in a minute.")]
    DeniedJustNow,
    /// The meeting is not running any more.
    #[error("The meeting has ended.")]
    Ended,
}

impl MeetingRefusal {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAllowed => "not-allowed",
            Self::NoSuchParticipant => "no-such-participant",
            Self::NotConfigured => "not-configured",
            Self::NotCaptured => "not-recording",
            Self::NoMember => "no-member",
            Self::NotInside => "not-inside",
            Self::MuteLocked => "mute-locked",
            Self::RecorderFailed => "recorder-failed",
            Self::BadText => "bad-text",
            Self::NoSuchDevice => "no-such-device",
            Self::NotReachable => "not-reachable",
            Self::Busy => "busy",
            Self::Restarting => "restarting",
            Self::TooOften => "too-often",
            Self::AnonymousOff => "anonymous-off",
            Self::PasscodeWanted => "passcode-wanted",
            Self::MeetingFull => "meeting-full",
            Self::ChatFull => "chat-full",
            Self::TooFast => "too-fast",
            Self::TooManyKnocks => "too-many-knocks",
            Self::DeniedJustNow => "denied-just-now",
            Self::Ended => "ended",
        }
    }
}

impl From<PolicyRefusal> for MeetingRefusal {
    fn from(refusal: PolicyRefusal) -> Self {
        match refusal {
            PolicyRefusal::NotAllowed => Self::NotAllowed,
            PolicyRefusal::NoSuchParticipant => Self::NoSuchParticipant,
            PolicyRefusal::NotConfigured => Self::NotConfigured,
            PolicyRefusal::NotCaptured => Self::NotCaptured,
            PolicyRefusal::NoMember => Self::NoMember,
            PolicyRefusal::NotInside => Self::NotInside,
            PolicyRefusal::MuteLocked => Self::MuteLocked,
            PolicyRefusal::Full => Self::MeetingFull,
            PolicyRefusal::Ended => Self::Ended,
        }
    }
}
