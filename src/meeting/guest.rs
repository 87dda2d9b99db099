//! Between a meeting and the call of a device: the knock, and what each tells the other.

use tokio::sync::mpsc;

use crate::common::cause::Cause;
use crate::common::ids::{CallId, NoticeId, ParticipantId};
use crate::common::phrase::Phrase;
use crate::common::play_outcome::PlayOutcome;
use crate::common::redact::Redacted;
use crate::media::{PortHandle, SentPackets};
use crate::policy::Switch;
use crate::relay::{PhoneNumber, RelayAnswer};
use crate::sip::Roster;
use crate::store::Phone;

/// What may wait for a device's call. Full: the call is stalled; its gate is shut and it is dismissed (N-6).
pub const GUEST_QUEUE: usize = 64;

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
    /// The answer to what was keyed; after [`FromGuest::Sms`].
    Sms(RelayAnswer),
    /// The chat by SMS that was asked for with its keys was stopped by SMS.
    SmsStopped,
    /// Show this on the display: a line of the chat (C-10).
    Show(Redacted<String>),
    /// Who is inside, as it may see that; after [`FromGuest::Watch`].
    Roster(Roster),
    /// The presence is over.
    Dismiss(Cause),
}

/// What somebody at a device has keyed about the chat by SMS (C-2, K-2). Each is answered by [`ToGuest::Sms`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmsKeyed {
    /// The number to which the chat shall go.
    Number(PhoneNumber),
    /// The code that was texted to it.
    Code(Redacted<String>),
    /// No more messages.
    Stop,
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
    },
    /// Somebody at it has keyed something to get the chat by SMS, or to get it no longer (`*4`).
    Sms(SmsKeyed),
    /// The notice that it is being told, as a text in its language, for those who get the chat by SMS (N-10).
    NoticeText(Redacted<String>),
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
