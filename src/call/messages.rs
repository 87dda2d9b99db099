//! What goes into the machine of a call, [`CallInput`], and what comes out, [`CallAct`].

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::invitation::OutboundProgress;
use super::offer_answer::{NamedAddresses, OfferAnswer};
use crate::codec::CodecKind;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName};
use crate::common::redact::Redacted;
use crate::media::{MediaEvent, Play, PortStats, Profile, Share};
use crate::meeting::{FromGuest, ToGuest};
use crate::prompt::Clip;
use crate::rtp::transport::Encryption;
use crate::sip::{self, Proof};
use crate::telemetry::events::EventKind;

/// The way that a call's signalling takes. From it follows where its media may come from (S-7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SignallingPath {
    /// Our address on it.
    pub(super) local: IpAddr,
    /// Where the peer's SIP comes from, or goes to.
    pub(super) remote: IpAddr,
    /// By what the peer has proven who it is.
    pub(super) proof: Proof,
}

/// What a call takes in.
#[derive(Debug)]
pub(super) enum CallInput {
    /// From the SIP endpoint.
    Sip(sip::Event),
    /// From the media worker.
    Media(MediaEvent),
    /// From the meeting.
    Meeting(ToGuest),
    /// [`CallAct::FindTarget`]: this is the way to the device, and it may ring.
    TargetFound(SignallingPath),
    /// [`CallAct::FindTarget`]: it is not to be called now.
    NoTarget(Cause),
    /// [`CallAct::ReservePort`]: an exchange for that port, in which nothing is agreed on yet.
    PortReserved(Box<OfferAnswer>),
    /// [`CallAct::ReservePort`]: there is none.
    PortNotReserved(Cause),
    /// [`CallAct::LookUpNames`] is done.
    NamesLookedUp {
        /// Which look-up.
        lookup: u64,
        /// What was found; a name that is missing has no address that the peer's media may be at.
        addresses: NamedAddresses,
    },
    /// [`CallAct::OpenPort`] is done.
    PortOpened,
    /// [`CallAct::OpenPort`] has failed; the port is given back.
    PortNotOpened,
    /// The meeting that was knocked at is not there (any more).
    NoMeeting,
    /// No code of this caller opens a meeting for now (K-1).
    LockedOut,
    /// The same for the organiser's PIN (K-2).
    PinLocked,
    /// Ended from our side: the gateway stops (O-4), or the operator wants it.
    End(Cause),
    /// The inbox was full, and SIP has been told to end the call. No SIP event comes any more.
    Stalled,
    /// How the call goes on to the device that shall take this one's place (M-18).
    Transfer(OutboundProgress),
    /// Another call has taken this one's place (M-18).
    Replaced,
    /// [`CallAct::Speak`] is done; `None`: it could not be.
    Spoken(Option<Clip>),
}

/// What a call wants done.
#[derive(Debug)]
pub(super) enum CallAct {
    /// By the SIP endpoint.
    Sip(sip::Command),
    /// Find out where the device is, put up its entry and take one of the places for devices that ring: [`CallInput::TargetFound`] or
    /// [`CallInput::NoTarget`] (S-9).
    FindTarget,
    /// Note the Call-ID of the dialog that was begun to the device, for ledger and record.
    NoteDialog,
    /// Reserve a pair of ports: [`CallInput::PortReserved`] or [`CallInput::PortNotReserved`].
    ReservePort {
        /// For media along this way.
        path: SignallingPath,
        /// Out of this part of all ports.
        share: Share,
        /// Names in the peer's offer, which are looked up before the exchange begins.
        names: Vec<String>,
    },
    /// Look up names in a description of the peer: [`CallInput::NamesLookedUp`].
    LookUpNames {
        /// Names the look-up.
        lookup: u64,
        /// The names.
        names: Vec<String>,
    },
    /// Give the reserved port back.
    ReleasePort,
    /// Open the reserved port: [`CallInput::PortOpened`] or [`CallInput::PortNotOpened`].
    OpenPort(Profile),
    /// Count how long a caller has waited for its answer.
    CountAnswer(Duration),
    /// Tell a call that this one has taken its place (M-18).
    TakePlaceOf(CallId),
    /// An event for the API (M-17).
    Raise {
        /// Which.
        what: EventKind,
        /// The meeting it is about, where that is known.
        meeting: Option<MeetingName>,
    },
    /// Tell whoever has had the device called (S-9).
    Report(OutboundProgress),
    /// On the port.
    Play(Play),
    /// On the port.
    StopPrompts,
    /// On the port: waiting music on or off.
    Music(bool),
    /// On the port.
    Reprofile(Profile),
    /// Show how the media is encrypted, which a handshake has settled.
    ShowEncryption(Encryption),
    /// Knock at a meeting.
    Knock {
        /// Which.
        meeting: MeetingName,
        /// Its passcode was keyed in: it is a try for the lock-out (K-1).
        keyed: bool,
    },
    /// Said to the meeting.
    Guest(FromGuest),
    /// Call another device into this call's meeting, which shall take its place (M-18).
    Transfer {
        /// Its label.
        device: Arc<str>,
        /// A call of it with this one, to be taken over (RFC 3891).
        replaces: Option<String>,
    },
    /// Turn this into sound (`*7`).
    Speak(Redacted<String>),
    /// A conference ID or passcode was wrong: counted for caller and meeting (K-1).
    WrongTry(Option<MeetingName>),
    /// The organiser's PIN was keyed in (K-2): counted, and told to the meeting where it is right.
    Pin {
        /// Whether it is.
        right: bool,
    },
    /// Close the port.
    ClosePort,
    /// All is over; nothing follows.
    Done(CallEnd),
}

/// How a call has ended, for what is noted of it.
#[derive(Debug)]
pub(super) enum CallEnd {
    /// It was refused, with words before the refusal (S-10): nothing is noted.
    Announced,
    /// It never had media.
    NotSetUp {
        /// Why.
        cause: Cause,
        /// The meeting that the device was called into.
        meeting: Option<MeetingName>,
    },
    /// It had media.
    Ended(Box<CallSummary>),
}

/// What is known of a call at its end, for its record (M-16).
#[derive(Debug, Clone)]
pub(super) struct CallSummary {
    /// The meeting it came to, if it did.
    pub(super) meeting: Option<MeetingName>,
    /// The codec agreed on first.
    pub(super) codec: CodecKind,
    /// When its menu began.
    pub(super) answered: Instant,
    /// When it knocked.
    pub(super) knocked: Option<Instant>,
    /// When it was admitted.
    pub(super) admitted: Option<Instant>,
    /// When sound first passed between it and the meeting.
    pub(super) joined: Option<Instant>,
    /// When it ended.
    pub(super) ended: Instant,
    /// Why.
    pub(super) cause: Cause,
    /// Notices played to their end.
    pub(super) notices: u32,
    /// Media.
    pub(super) stats: PortStats,
}
