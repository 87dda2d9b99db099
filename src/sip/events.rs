//! What is said between the endpoint and the owners of calls: [`Command`]s go down, [`Event`]s come up.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::Transport;
use super::access::identity::{Identity, Proof};
use super::access::source::Source;
use super::message::header::NameAddr;
use super::message::method::Method;
use super::message::uri::Uri;
use super::registrar::Change;
use super::transaction::Warning;
use crate::common::cause::Cause;
use crate::common::ids::CallId;
use crate::common::redact::Redacted;

/// Who is in a meeting, as a phone's display shows it (RFC 4575).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roster {
    /// The meeting's title.
    pub title: String,
    /// Those inside.
    pub people: Vec<RosterPerson>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterPerson {
    /// Names the presence, and nothing beyond the meeting.
    pub id: String,
    /// Display name (M-4).
    pub name: String,
    /// The microphone is closed.
    pub muted: bool,
    /// On hold.
    pub on_hold: bool,
}

/// Where a device could be called at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallTarget {
    /// Where its messages will come from.
    pub peer: SocketAddr,
    /// By what.
    pub transport: Transport,
    /// Our address on that way, where it is known already.
    pub local: Option<IpAddr>,
    /// The user part of the address that is called.
    pub user: String,
    /// Where it has registered, or where its entry says.
    pub proof: Proof,
}

/// What the owner of a call wants. A command that no longer fits the call's state (it has just ended) does nothing.
#[derive(Debug, Clone)]
pub enum Command {
    /// 180 to an INVITE not yet answered.
    Ring {
        /// Which call.
        call: CallId,
    },
    /// 183 to an INVITE not yet answered, with our answer to its offer: the caller hears us before a final response (RFC 3960).
    Progress {
        /// Which call.
        call: CallId,
        /// The session description.
        sdp: String,
    },
    /// 200 to the open INVITE, re-INVITE or UPDATE: with our answer, or with our offer when the peer sent none.
    Answer {
        /// Which call.
        call: CallId,
        /// The session description.
        sdp: String,
    },
    /// Refuses the open INVITE, which ends the call without further events; or the open re-INVITE or UPDATE, which keeps the call.
    Reject {
        /// Which call.
        call: CallId,
        /// Gives status, `Reason` and `Retry-After` (S-8).
        cause: Cause,
        /// Goes with it as `Warning`. A 488 without one gets one from its cause.
        warning: Option<Warning>,
    },
    /// Our re-INVITE. Waits for its turn, and is tried again after glare (RFC 3261 section 14.1).
    /// Ends in [`Event::Answered`], [`Event::ReofferFailed`] or the end of the call.
    Reoffer {
        /// Which call.
        call: CallId,
        /// The session description.
        sdp: String,
    },
    /// Ends a call in whatever state without further events: refusal, CANCEL or BYE as the state demands.
    Bye {
        /// Which call.
        call: CallId,
        /// Gives the `Reason`.
        cause: Cause,
    },
    /// Sends a text to the device's display, if it has said that it takes any. What is not taken, or comes faster than the device takes it, is
    /// lost.
    Text {
        /// Which call.
        call: CallId,
        /// At most 4100 characters.
        text: Redacted<String>,
    },
    /// Asks the peer of a call that is up, by OPTIONS in its dialog, whether it is still there. Any answer of a peer that knows the dialog says so;
    /// otherwise [`Event::Unreachable`] comes.
    Probe {
        /// Which call.
        call: CallId,
    },
    /// Has a registered device fetch its configuration anew: NOTIFY `check-sync`.
    CheckSync {
        /// Its label.
        device: Arc<str>,
    },
    /// Answers a [`Event::Text`].
    TextAnswered {
        /// Which call.
        call: CallId,
        /// Which text.
        message: u64,
        /// Why the meeting does not take it; `None`: it has taken it.
        refusal: Option<Cause>,
    },
    /// Who is in the call's meeting now, for devices that have subscribed to that; only of a call that was admitted (M-8).
    Roster {
        /// Which call.
        call: CallId,
        /// All of it.
        roster: Roster,
    },
    /// Calls somebody (`roomgate dial`, S-9). `call` must be new.
    Invite {
        /// The new call's id.
        call: CallId,
        /// The next hop.
        target: SocketAddr,
        /// By what.
        transport: Transport,
        /// Request-URI and To.
        uri: String,
        /// Our address, for From.
        from: String,
        /// From's display name; empty for none.
        display: String,
        /// Our offer.
        sdp: String,
    },
    /// Calls a device of ours (S-9, M-18). `call` must be new. Ends in [`Event::Answered`] or [`Event::Failed`].
    CallDevice {
        /// The new call's id.
        call: CallId,
        /// Its label.
        device: Arc<str>,
        /// From, unless it is called by a PBX where we have an address of our own.
        from: String,
        /// From's display name; empty for none.
        display: String,
        /// Our offer.
        sdp: String,
        /// The dialog of the device that ours takes the place of: a `Replaces` (RFC 3891).
        replaces: Option<String>,
    },
    /// Answers an [`Event::Refer`].
    ReferAnswered {
        /// Which call.
        call: CallId,
        /// It is followed.
        accepted: bool,
    },
    /// How far a REFER that is followed has come; a final status is the last (RFC 3515).
    ReferProgress {
        /// Which call.
        call: CallId,
        /// As if the new call's responses were passed on.
        status: u16,
    },
    /// Gives up an INVITE of ours; ends in [`Event::Failed`] with [`Cause::Cancelled`].
    Cancel {
        /// Which call.
        call: CallId,
    },
    /// What an earlier run has kept of registrations.
    Restore(Vec<Change>),
    /// Begins the registrations of ours that the settings name.
    SignOn,
    /// Takes them back, for good.
    SignOff,
    /// New settings (O-2): who may call, limits, session timers, the registrar and the accounts are taken from them, nothing else.
    Reconfigure(Box<super::Settings>),
    /// While on, new INVITEs and OPTIONS get 503 with `Retry-After` (O-4).
    Drain(bool),
}

impl Command {
    /// The call that is up and is meant, of a command that its session alone follows.
    pub(super) const fn call_in_place(&self) -> Option<CallId> {
        match self {
            Self::Ring { call }
            | Self::Progress { call, .. }
            | Self::Answer { call, .. }
            | Self::Reject { call, .. }
            | Self::Reoffer { call, .. }
            | Self::Bye { call, .. }
            | Self::Probe { call }
            | Self::Text { call, .. }
            | Self::TextAnswered { call, .. }
            | Self::ReferAnswered { call, .. }
            | Self::ReferProgress { call, .. }
            | Self::Cancel { call } => Some(*call),
            _ => None,
        }
    }
}

/// A device calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The new call.
    pub call: CallId,
    /// Where the INVITE came from.
    pub source: SocketAddr,
    /// Who sent it (M-1); `None`: somebody unknown, to be refused.
    pub identity: Option<Identity>,
    /// By what that was found out.
    pub proof: Proof,
    /// Whose tries of codes its are (K-1).
    pub caller: Source,
    /// Our address on that way.
    pub local: SocketAddr,
    /// By what.
    pub transport: Transport,
    /// What was dialled.
    pub request_uri: Uri,
    /// Which is an emergency number or service (S-10).
    pub emergency: bool,
    /// Who says to call.
    pub from: NameAddr,
    /// Whom they meant.
    pub to: NameAddr,
    /// The device's software, at most 128 characters.
    pub user_agent: Option<String>,
    /// Their session description; `None` when they want ours.
    pub offer: Option<Vec<u8>>,
    /// They take a 180 only if it comes reliably (RFC 3262): ring before answering.
    pub requires_100rel: bool,
    /// The Call-ID, for logs and records.
    pub call_id_header: String,
    /// The call that this one takes the place of (RFC 3891, M-18).
    pub replaces: Option<CallId>,
}

/// What a call's owner is told. [`Event::Ended`] and [`Event::Failed`] are the last of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A device calls; ring, answer or reject.
    Incoming(Box<Incoming>),
    /// The caller gave up before our answer; the call is over.
    Cancelled {
        /// Which call.
        call: CallId,
    },
    /// Our 200 was acknowledged.
    Acked {
        /// Which call.
        call: CallId,
        /// Their answer, when our 200 carried the offer. `None` then is a peer's fault: end the call.
        sdp: Option<Vec<u8>>,
    },
    /// They want the session changed by re-INVITE or UPDATE; answer or reject. Only the 200 to a re-INVITE is acknowledged.
    Offer {
        /// Which call.
        call: CallId,
        /// Their session description; `None` when they want ours, by re-INVITE.
        sdp: Option<Vec<u8>>,
    },
    /// They took an unanswered re-INVITE back: the session stays as it was.
    OfferWithdrawn {
        /// Which call.
        call: CallId,
    },
    /// A key by INFO.
    Digit {
        /// Which call.
        call: CallId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
        /// How long it was pressed, as the device says; 100 ms where it does not.
        duration: Duration,
    },
    /// A text by MESSAGE (C-1); to be answered by [`Command::TextAnswered`].
    Text {
        /// Which call.
        call: CallId,
        /// Names the text in the answer.
        message: u64,
        /// What it says.
        text: Redacted<String>,
    },
    /// The call is over by the peer's doing or by time.
    Ended {
        /// Which call.
        call: CallId,
        /// Why it is over.
        cause: Cause,
    },
    /// The peer has not answered a [`Command::Probe`], or does not know the dialog (RFC 3261 section 12.2.1.2). The call is up until it is ended.
    Unreachable {
        /// Which call.
        call: CallId,
    },
    /// Our INVITE reached somebody (100).
    Trying {
        /// Which call.
        call: CallId,
    },
    /// Our INVITE makes progress (101 to 199).
    Ringing {
        /// Which call.
        call: CallId,
        /// The provisional status.
        status: u16,
    },
    /// Our INVITE or re-INVITE was accepted and acknowledged.
    Answered {
        /// Which call.
        call: CallId,
        /// Their answer; empty when they sent none, which is their fault.
        sdp: Vec<u8>,
    },
    /// A refresh that repeated our last description was answered with one that differs from their last.
    Refreshed {
        /// Which call.
        call: CallId,
        /// Their answer.
        sdp: Vec<u8>,
    },
    /// Our re-INVITE was refused; the session stays as it was.
    ReofferFailed {
        /// Which call.
        call: CallId,
        /// The final status.
        status: u16,
    },
    /// Our INVITE failed; the call is over.
    Failed {
        /// Which call.
        call: CallId,
        /// [`Cause::Refused`] with the final status, [`Cause::Cancelled`] or [`Cause::PeerGone`].
        cause: Cause,
        /// What the peer said: its phrase, at most 128 characters.
        reason: String,
    },
    /// The device wants to know who is in its meeting, or does not any more; answered by [`Command::Roster`] at each change.
    Watch {
        /// Which call.
        call: CallId,
        /// It wants to know.
        on: bool,
    },
    /// The peer hands its place over to a device of ours (M-18); to be answered by [`Command::ReferAnswered`].
    Refer {
        /// Which call.
        call: CallId,
        /// The device's label.
        device: Arc<str>,
        /// The call of that device with the peer, which ours shall take the place of.
        replaces: Option<String>,
    },
    /// Something that an external may not do was refused (M-12): REFER to somebody else, or `Record: on` in an INFO or re-INVITE.
    Refused {
        /// Which call.
        call: CallId,
        /// By which method it was tried.
        method: Method,
    },
}

impl Event {
    /// The call it is about.
    #[must_use]
    pub fn call(&self) -> CallId {
        match self {
            Self::Incoming(incoming) => incoming.call,
            Self::Cancelled { call }
            | Self::Acked { call, .. }
            | Self::Offer { call, .. }
            | Self::OfferWithdrawn { call }
            | Self::Digit { call, .. }
            | Self::Text { call, .. }
            | Self::Ended { call, .. }
            | Self::Unreachable { call }
            | Self::Trying { call }
            | Self::Ringing { call, .. }
            | Self::Answered { call, .. }
            | Self::Refreshed { call, .. }
            | Self::ReofferFailed { call, .. }
            | Self::Failed { call, .. }
            | Self::Watch { call, .. }
            | Self::Refer { call, .. }
            | Self::Refused { call, .. } => *call,
        }
    }
}
