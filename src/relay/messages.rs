//! What the [`Relay`](super::Relay) is told, and what it wants done.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::number::PhoneNumber;
use super::readers::{OptInMeans, ReaderId, SmsReader};
use crate::common::ids::{CallId, MeetingName, ParticipantId};
use crate::common::redact::Redacted;

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmsText {
    /// The device's presence that it belongs to, and is dropped with while it waits; `None`: an answer of our own.
    pub participant: Option<ParticipantId>,
    /// To whom.
    pub to: PhoneNumber,
    /// At most [`LONGEST`] parts of it.
    pub text: Redacted<String>,
    /// The line of the chat that it brings, for whoever wants to know how far it has come.
    pub line: Option<u64>,
    /// How long it is worth sending.
    pub lives: Duration,
}

/// What somebody who has keyed something is told, by their device's meeting and call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayAnswer {
    /// The code is on its way to this number, which is to be read back.
    CodeSent(PhoneNumber),
    /// Too many codes were asked for, the number's holder wants no messages, or no such number may be written to.
    TooMany,
    /// The code was right, the proof is kept: the chat comes by SMS.
    On,
    /// The code was wrong; it can be keyed in again.
    CodeWrong,
    /// No code is awaited (any more): too many tries, or too late.
    CodeGone,
    /// The chat does not come by SMS (any more).
    Off,
    /// Something of ours failed; nothing has changed.
    Trouble,
}

/// What happens to a [`Relay`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayInput {
    /// Whose messages they are has another name from now on (O-2).
    Organisation {
        /// The name.
        name: String,
    },
    /// A device is inside a meeting. Answered by [`RelayOutput::Readers`].
    Entered {
        /// The presence of the device.
        participant: ParticipantId,
        /// Its call, for the proof and the operator.
        call: CallId,
        /// Which meeting: its limit counts (C-2).
        meeting: MeetingName,
        /// The device's label, for the proof.
        device: String,
        /// Its name, for people.
        name: String,
    },
    /// Somebody at a device has keyed in a number (`*4`). Answered by [`RelayOutput::Tell`].
    Ask {
        /// The device, which is inside a meeting.
        participant: ParticipantId,
        /// The number.
        number: PhoneNumber,
    },
    /// Somebody at a device has keyed in a code. Answered by [`RelayOutput::Tell`].
    Code {
        /// The device.
        participant: ParticipantId,
        /// As keyed in.
        code: Redacted<String>,
    },
    /// Who may admit has confirmed a reader that has texted the join code (M-7).
    Confirm {
        /// Around this device.
        participant: ParticipantId,
        /// Which.
        reader: ReaderId,
    },
    /// Who may admit does not want a reader (any more).
    Remove {
        /// Around this device.
        participant: ParticipantId,
        /// Which.
        reader: ReaderId,
    },
    /// The proof of a consent was written, or could not be.
    Kept {
        /// Around this device.
        participant: ParticipantId,
        /// Of this number's holder.
        number: PhoneNumber,
        /// It is on the disk.
        kept: bool,
    },
    /// Somebody at a device wants no more messages (`*4`). Answered by [`RelayOutput::Tell`].
    Stop {
        /// The device.
        participant: ParticipantId,
    },
    /// The device is not in its meeting any more (C-1).
    Left {
        /// The device.
        participant: ParticipantId,
    },
    /// Somebody has written to us.
    Received {
        /// The provider's name for the message, where it has one.
        id: Option<String>,
        /// Who.
        from: PhoneNumber,
        /// What, all parts of it.
        text: Redacted<String>,
    },
    /// The people around this device must know this, whatever the allowance says (N-10).
    Notice {
        /// The device.
        participant: ParticipantId,
        /// In the device's language.
        text: Redacted<String>,
    },
    /// A line of the chat in the meeting that this device is in.
    Line {
        /// The device.
        participant: ParticipantId,
        /// The line's number in the meeting.
        line: u64,
        /// Who writes.
        name: Redacted<String>,
        /// What.
        text: Redacted<String>,
    },
}

/// What a [`Relay`] wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayOutput {
    /// Send this.
    Send(SmsText),
    /// Drop what still waits to be sent to people around this device (C-7).
    Forget {
        /// The device.
        participant: ParticipantId,
        /// To this number; `None`: to all.
        number: Option<PhoneNumber>,
    },
    /// Drop what still waits to be sent to this number (C-2).
    DropNumber {
        /// The number.
        number: PhoneNumber,
    },
    /// Keep the proof that this number's holder has opted in, then say [`RelayInput::Kept`] (C-2).
    Keep {
        /// Around which device.
        participant: ParticipantId,
        /// Its call.
        call: CallId,
        /// The device's label.
        device: String,
        /// Who.
        number: PhoneNumber,
        /// By what it was shown.
        means: OptInMeans,
    },
    /// Show to those who may admit how the people around this device get the chat, and who does (C-2): all of it, at every change.
    Readers {
        /// The device.
        participant: ParticipantId,
        /// To be texted to our number: eight digits.
        code: Redacted<String>,
        /// Who reads, or wants to.
        readers: Vec<SmsReader>,
    },
    /// Keep that so many parts were sent today.
    Spent {
        /// For this meeting; `None`: to who is in none.
        meeting: Option<MeetingName>,
        /// How many.
        parts: u64,
    },
    /// Put this into the chat of the meeting that this device is in (C-3).
    Post {
        /// The device.
        participant: ParticipantId,
        /// Who has written it.
        by: PhoneNumber,
        /// What.
        text: Redacted<String>,
    },
    /// Let this device's meeting know that the messages which were asked for there were stopped by SMS.
    Ended {
        /// The device.
        participant: ParticipantId,
    },
    /// Keep that this number's holder has said STOP or START (C-2).
    Stopped {
        /// Whose.
        number: PhoneNumber,
        /// Nothing is sent to it.
        stopped: bool,
    },
    /// Answer what was keyed in at this device.
    Tell {
        /// The device.
        participant: ParticipantId,
        /// What.
        told: RelayAnswer,
    },
}

/// One subscription, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Subscription)]
pub struct SubscriptionLine {
    /// Which one, for confirming and removing.
    pub reader: String,
    /// The call of the device that it belongs to, and ends with.
    pub call: String,
    /// The device's label.
    pub device: String,
    /// Masked.
    pub number: String,
    /// How they have opted in.
    pub means: OptInMeans,
    /// How far it has come.
    pub state: &'static str,
    /// Parts of messages sent.
    pub segments: u64,
    /// Lines that wait to be told of in one message (C-4).
    pub held: u64,
}
