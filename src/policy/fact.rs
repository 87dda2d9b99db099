//! Inputs ([`Fact`]) and outputs ([`Effect`]) of the policy.

use std::time::Duration;

use super::lobby::{Admission, PolicySettings};
use super::notice_types::{AlarmKind, CaptureChange, NoticeEntry, SentPackets};
use super::types::{Asker, Capture, CaptureKind, Muted, PolicyRefusal, Role, Switch, Via};
use crate::common::cause::Cause;
use crate::common::ids::{NoticeId, ParticipantId};
use crate::common::phrase::Phrase;
use crate::common::play_outcome::PlayOutcome;
use crate::common::redact::Redacted;

/// A fact, or a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A member's page connected, or an external knocks. Said again for the same presence it updates the name only.
    /// A bridged device is external whatever is claimed (M-3).
    Joined {
        /// The new presence; an id is never used for a second one.
        who: ParticipantId,
        /// Member or external.
        role: Role,
        /// Page or device.
        via: Via,
        /// A member who is an organiser; ignored for externals.
        organiser: bool,
        /// Display name, already cleaned (M-4).
        name: Redacted<String>,
        /// How its microphone was closed before: closes it now, and never opens it (K-4).
        muted: Muted,
    },
    /// The next who joins had a seat in this meeting before the daemon was started anew, and is inside again (M-5).
    SeatKept {
        /// Who will join.
        who: ParticipantId,
    },
    /// Signalling connected and, once media is up, ICE consent alive (M-5).
    Alive {
        /// Whose connection.
        who: ParticipantId,
        /// Whether it is.
        alive: bool,
    },
    /// The page is being closed, or loaded anew.
    Closed {
        /// Whose.
        who: ParticipantId,
    },
    /// The page that was closed is there again: it was loaded anew.
    Reloaded {
        /// Whose.
        who: ParticipantId,
    },
    /// Left of their own will, or hung up.
    Left {
        /// Who.
        who: ParticipantId,
    },
    /// Lets one in (M-7).
    Admit {
        /// Asked by.
        by: Asker,
        /// Whom.
        who: ParticipantId,
    },
    /// Lets everybody in who waits (K-2).
    AdmitAll {
        /// Asked by.
        by: Asker,
    },
    /// Refuses one who waits (M-7).
    Deny {
        /// Asked by.
        by: Asker,
        /// Whom.
        who: ParticipantId,
    },
    /// Somebody who waits would not be let into the lobby any more: the settings have changed (M-11, K-1).
    TurnedAway {
        /// Who.
        who: ParticipantId,
        /// Why.
        cause: Cause,
    },
    /// Takes one out; of one who waits: refuses it.
    Remove {
        /// Asked by.
        by: Asker,
        /// Whom.
        who: ParticipantId,
    },
    /// Closes another's microphone, or lifts what a host has closed (K-4). One that its owner has closed stays closed: the owner is asked.
    Mute {
        /// Asked by.
        by: Asker,
        /// Whose.
        who: ParticipantId,
        /// Closed.
        on: bool,
    },
    /// What a host has done to another presence of the same person holds for this one too, wherever it stands (K-4).
    HostMute {
        /// Whose.
        who: ParticipantId,
        /// Closed.
        on: bool,
    },
    /// Closes or opens one's own microphone.
    MuteSelf {
        /// Whose.
        who: ParticipantId,
        /// On means closed.
        to: Switch,
    },
    /// Raises or lowers one's own hand.
    Hand {
        /// Whose.
        who: ParticipantId,
        /// On means up.
        to: Switch,
    },
    /// On hold, or back (S-5).
    Hold {
        /// Who.
        who: ParticipantId,
        /// On hold.
        on: bool,
    },
    /// Ends the meeting for all.
    End {
        /// Asked by.
        by: Asker,
    },
    /// The gateway stops: all are dismissed with that cause, and browsers reconnect by themselves (O-4).
    Stopped,
    /// This call gave the right organiser's PIN (K-2). The external mark stays.
    OrganiserPin {
        /// Which call's presence.
        who: ParticipantId,
    },
    /// Recording or transcription is asked for (M-12).
    Capture {
        /// Which.
        what: CaptureKind,
        /// Asked by.
        by: Asker,
        /// The state wanted.
        want: Capture,
    },
    /// The recorder's or transcriber's real state: the fact that owes notices (N-1, N-12).
    CaptureIs {
        /// Which.
        what: CaptureKind,
        /// Its state.
        state: Capture,
    },
    /// The first packet of a notice has left.
    NoticeBegan {
        /// Which.
        notice: NoticeId,
        /// How long it will last.
        length: Duration,
    },
    /// The end of a notice, as the player reports it.
    Told {
        /// Which.
        notice: NoticeId,
        /// How it ended.
        outcome: PlayOutcome,
        /// The packets that carried it, if any left.
        carried: Option<SentPackets>,
    },
    /// The device's report on a notice that was played to its end (N-8).
    Reported {
        /// Which.
        notice: NoticeId,
        /// Of a thousand packets so many were received; `None`: it sends no reports.
        received_permille: Option<u16>,
    },
    /// Whether something is there that could capture when it is asked to (N-11). As a meeting begins: a recorder, and nothing that could
    /// transcribe.
    CaptureConfigured {
        /// What is captured.
        what: CaptureKind,
        /// Whether it could be.
        configured: bool,
    },
    /// New settings for the running meeting.
    Settings(PolicySettings),
}

/// An effect, to be performed in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Give a place in the meeting. Both directions are shut until a [`Effect::Gate`] says otherwise.
    Seat {
        /// Whom.
        who: ParticipantId,
        /// The right to it.
        admission: Admission,
    },
    /// Take the place away.
    Unseat {
        /// Whose.
        who: ParticipantId,
    },
    /// What may pass from now on.
    Gate {
        /// Whose.
        who: ParticipantId,
        /// The meeting reaches it.
        hear: bool,
        /// It reaches the meeting.
        speak: bool,
    },
    /// Play a notice that is owed; only to bridged devices inside. It overtakes whatever [`Effect::Say`] is playing, cannot be skipped,
    /// and must come back as [`Fact::NoticeBegan`], [`Fact::Told`] and, played to its end, [`Fact::Reported`]. For browsers the banner of the [`View`](super::DeviceView) is the notice.
    Tell {
        /// To whom.
        who: ParticipantId,
        /// To be named in the proof.
        notice: NoticeId,
        /// Phrases in order; for one just admitted `Admitted` comes first.
        phrases: Vec<Phrase>,
        /// The changes it announces.
        changes: Vec<CaptureChange>,
    },
    /// Play something that is not owed; devices only.
    Say {
        /// To whom.
        who: ParticipantId,
        /// What.
        phrase: Phrase,
    },
    /// Somebody is asked to open a microphone that its owner has closed (K-4). A device is sent a [`Effect::Say`] as well.
    AskedToUnmute {
        /// Who asks.
        by: Asker,
        /// Whose microphone.
        who: ParticipantId,
    },
    /// The presence is over; nothing follows for it.
    Dismiss {
        /// Whose.
        who: ParticipantId,
        /// Why.
        cause: Cause,
    },
    /// Ask the recorder or transcriber to change; the answer is [`Fact::CaptureIs`].
    Capture {
        /// Which.
        what: CaptureKind,
        /// The state wanted.
        want: Capture,
    },
    /// Write a line of the ledger (N-8).
    Ledger(NoticeEntry),
    /// A notice was not delivered as it must be; the device's microphone is closed (N-6).
    Alarm {
        /// Whom it was for.
        who: ParticipantId,
        /// What went wrong.
        what: AlarmKind,
    },
    /// What somebody may see has changed: see [`Policy::changes`](super::Policy::changes). At most once for each input, after the effects it stems from.
    Changed,
    /// The ask was refused. A device is sent a [`Effect::Say`] as well.
    Refused {
        /// Who asked.
        by: Asker,
        /// Why.
        refusal: PolicyRefusal,
    },
    /// The meeting is over; everybody was dismissed. Facts may still come; newcomers are dismissed.
    Ended {
        /// Why.
        cause: Cause,
    },
}
