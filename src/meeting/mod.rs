//! Live meetings: one task each, which drives the [`Policy`](crate::policy::Policy) and performs its effects on media, pages and calls.
//!
//! Pages and calls ask by a [`MeetingHandle`]; what they are told comes by their own bounded queue ([`PageFeed`], [`ToGuest`]).
//! A meeting comes to life with its first participant and ends by the policy's word; the [`MeetingRegistry`] finds it by name.

mod knock_limits;
pub mod messages;
mod mutes;
pub mod page_feed;
mod recording;
mod registry;
mod request_rate;
mod reserved_names;
pub mod roster;
mod task;
#[cfg(test)]
mod test_double;

use std::net::IpAddr;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName, NoticeId, ParticipantId};
use crate::common::phrase::Phrase;
use crate::common::redact::Redacted;
use crate::media::{BridgeEvent, PlayOutcome, PortHandle, SentPackets};
use crate::policy::{Role, Switch};
use crate::relay::driver::{LineProgress, Readers};
use crate::sip::Roster;
use crate::store::Phone;
use page_feed::PageFeed;

pub use messages::{BETWEEN_RINGS, By, ChatLine, Granted, MeetingRefusal, MeetingRequest, Snapshot, ToPage};
pub use mutes::MuteRegistry;
pub use registry::{MeetingRegistry, MeetingSettings, MeetingsShared};
#[cfg(test)]
pub use test_double::RecordedRequest;

/// Requests that may wait for a meeting. Full: the asker waits, as requests go down (DESIGN §6).
const MAILBOX: usize = 256;
/// What may wait for a device's call. Full: the call is stalled; its gate is shut and it is dismissed (N-6).
pub const GUEST_QUEUE: usize = 64;

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

/// A device that knocks.
pub struct Knock {
    /// Its presence; never used before (M-18).
    pub who: ParticipantId,
    /// For the ledger.
    pub call: CallId,
    /// Cleaned (M-4).
    pub name: String,
    /// For the ledger: which device, by its configured label.
    pub device: String,
    /// For the ledger: the far end of its call.
    pub phone: Phone,
    /// Who it is beyond this call. Under it a mute is kept (K-4).
    pub identity: String,
    /// It is a configured device and has proven to be it.
    pub known: bool,
    /// The presence whose place it takes (M-18): a closed microphone stays closed (K-4).
    pub heir_of: Option<ParticipantId>,
    /// For the ledger: the language in which notices are really spoken to it.
    pub language: String,
    /// The chat is to be shown on its display, or read aloud.
    pub text: bool,
    /// Its media.
    pub port: PortHandle,
    /// What its call is told.
    pub to_guest: mpsc::Sender<ToGuest>,
}

/// From a meeting to a device's call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToGuest {
    /// It has a seat: music ends.
    Seated,
    /// Sound passes between it and the meeting for the first time.
    Joined,
    /// It waits: music plays.
    Waiting,
    /// Play what is owed; its proof comes back as [`FromGuest::Told`] (N-8).
    Tell {
        /// To be named in the proof.
        notice: NoticeId,
        /// In this order.
        phrases: Vec<Phrase>,
    },
    /// Say something.
    Say(Phrase),
    /// Show this on the display: a line of the chat (C-10).
    Show(Redacted<String>),
    /// Who is inside, as it may see that; after [`FromGuest::Watch`].
    Roster(Roster),
    /// The presence is over.
    Dismiss(Cause),
}

/// From a device's call to its meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromGuest {
    /// It hung up.
    Left,
    /// Its call is over without its doing.
    Lost,
    /// On hold, or back (S-5).
    Hold(bool),
    /// Its microphone (K-4).
    Mute(Switch),
    /// Its hand.
    Hand(Switch),
    /// It writes (C-1).
    Chat {
        /// What.
        text: Redacted<String>,
        /// The masked number of who has written it by SMS for it (C-3).
        by: Option<String>,
    },
    /// A line of the chat has come further on its way to somebody around it.
    Texted(LineProgress),
    /// How people around it get the chat, and who does (C-2).
    Readers(Readers),
    /// It wants to know who is inside, or does not any more.
    Watch(bool),
    /// `*21`.
    AdmitAll,
    /// The organiser's PIN was right (K-2).
    OrganiserPin,
    /// A notice has begun.
    Began {
        /// Which.
        notice: NoticeId,
        /// How long it lasts.
        length: std::time::Duration,
    },
    /// A notice has ended.
    Told {
        /// Which.
        notice: NoticeId,
        /// How.
        outcome: PlayOutcome,
        /// In which packets; `None` if none has left.
        carried: Option<SentPackets>,
    },
    /// How much of a notice that was told to its end the device has received.
    Reported {
        /// Which.
        notice: NoticeId,
        /// Of a thousand packets; `None`: it sends no reports.
        received_permille: Option<u16>,
    },
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

/// What the meeting task takes in.
pub(crate) enum MeetingInput {
    JoinPage(JoinPage, oneshot::Sender<Result<ParticipantId, MeetingRefusal>>),
    Offer { who: ParticipantId, sdp: String, reply: oneshot::Sender<Result<String, OfferError>> },
    ConnectionLost(ParticipantId),
    PageReloaded(ParticipantId),
    Ask { who: Option<ParticipantId>, ask: MeetingRequest, reply: oneshot::Sender<Result<Granted, MeetingRefusal>> },
    Snapshot { viewer: Option<ParticipantId>, reply: oneshot::Sender<Snapshot> },
    Chat(oneshot::Sender<Vec<ChatLine>>),
    Calling(ToPage),
    Knock(Box<Knock>),
    Guest(ParticipantId, FromGuest),
    Heard(BridgeEvent),
    Stopping { by: Instant },
    Reconfigured,
    Close(Cause),
}

/// A live meeting, to be asked. Cheap to clone. Asking one that has just ended is answered as ended, never an error to handle.
#[derive(Clone)]
pub struct MeetingHandle {
    name: MeetingName,
    mailbox: mpsc::Sender<MeetingInput>,
}

impl MeetingHandle {
    /// Its configured name.
    #[must_use]
    pub const fn name(&self) -> &MeetingName {
        &self.name
    }

    fn is_over(&self) -> bool {
        self.mailbox.is_closed()
    }

    /// Waits until it has closed.
    pub async fn over(&self) {
        self.mailbox.closed().await;
    }

    async fn ask_for<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> MeetingInput) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.mailbox.send(request(reply)).await.ok()?;
        answer.await.ok()
    }

    /// A page joins, or knocks.
    ///
    /// # Errors
    /// [`MeetingRefusal::Ended`] if the meeting ended at this moment.
    pub async fn join_page(&self, join: JoinPage) -> Result<ParticipantId, MeetingRefusal> {
        self.ask_for(|reply| MeetingInput::JoinPage(join, reply)).await.unwrap_or(Err(MeetingRefusal::Ended))
    }

    /// A page's WebRTC offer, answered.
    ///
    /// # Errors
    /// [`OfferError`], with words for people.
    pub async fn offer(&self, who: ParticipantId, sdp: String) -> Result<String, OfferError> {
        self.ask_for(|reply| MeetingInput::Offer { who, sdp, reply }).await.unwrap_or(Err(OfferError::NotHere))
    }

    /// A page's socket is gone without a word; its seat is kept for a while (M-5).
    pub async fn connection_lost(&self, who: ParticipantId) {
        let _ = self.mailbox.send(MeetingInput::ConnectionLost(who)).await;
    }

    /// The page that was closed a moment ago was loaded anew: its seat is kept as after any loss (M-5).
    pub async fn page_reloaded(&self, who: ParticipantId) {
        let _ = self.mailbox.send(MeetingInput::PageReloaded(who)).await;
    }

    /// Somebody (`None`: the operator) asks for something.
    ///
    /// # Errors
    /// [`MeetingRefusal`].
    pub async fn ask(&self, who: Option<ParticipantId>, ask: MeetingRequest) -> Result<Granted, MeetingRefusal> {
        self.ask_for(|reply| MeetingInput::Ask { who, ask, reply }).await.unwrap_or(Err(MeetingRefusal::Ended))
    }

    /// What `viewer` (`None`: the operator) may see; `None` once the meeting is over.
    pub async fn snapshot(&self, viewer: Option<ParticipantId>) -> Option<Snapshot> {
        self.ask_for(|reply| MeetingInput::Snapshot { viewer, reply }).await
    }

    /// The chat so far.
    pub async fn chat(&self) -> Vec<ChatLine> {
        self.ask_for(MeetingInput::Chat).await.unwrap_or_default()
    }

    /// How the call to a device goes that somebody here has asked for (S-9): told to those who may admit it.
    pub async fn calling(&self, device: String, name: String, state: &'static str) {
        let _ = self.mailbox.send(MeetingInput::Calling(ToPage::Calling { device, name, state })).await;
    }

    /// A device knocks. False: the meeting has just ended; ask the registry again.
    pub async fn knock(&self, knock: Knock) -> bool {
        self.mailbox.send(MeetingInput::Knock(Box::new(knock))).await.is_ok()
    }

    /// Something from a device's call.
    pub async fn guest(&self, who: ParticipantId, what: FromGuest) {
        let _ = self.mailbox.send(MeetingInput::Guest(who, what)).await;
    }

    /// Ends the meeting from outside, because the gateway stops, and waits until it has closed.
    pub async fn close(&self, cause: Cause) {
        let _ = self.mailbox.send(MeetingInput::Close(cause)).await;
        self.mailbox.closed().await;
    }
}
