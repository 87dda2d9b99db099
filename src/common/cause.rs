//! [`Cause`]: why a call was refused or ended, and everything that follows from it in one table
//! (SIP status, Q.850 cause, prompt, metric label).

use crate::common::phrase::Phrase;

/// Why a call was refused or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The device hung up.
    HungUp,
    /// The caller gave up before the answer.
    Cancelled,
    /// `*9`.
    Left,
    /// A member refused the device (M-9).
    Denied,
    /// Nobody admitted the device in time (M-9).
    LobbyTimeout,
    /// The meeting ended (M-9).
    MeetingEnded,
    /// A member removed the device.
    Removed,
    /// As many are in the meeting as it takes (M-14).
    MeetingFull,
    /// The meeting is for members only (M-11).
    AnonymousOff,
    /// Too many wait from the same network: the newest of them makes room (M-14); browsers only.
    LobbyCrowded,
    /// The meeting asks for a passcode that whoever waits has not given (K-1); browsers only.
    PasscodeWanted,
    /// Three wrong codes (K-1).
    TooManyTries,
    /// No key was pressed where one was needed.
    NoInput,
    /// The source is not a device of ours (M-1).
    UnknownDevice,
    /// The dialled address names no meeting and no menu.
    UnknownAddress,
    /// An emergency number, and nowhere to send the call to (S-10).
    NoEmergencyCalls,
    /// No codec in common, or an offer that cannot be read.
    NoCommonCodec,
    /// One side wants encrypted media that the other has not, or no crypto suite in common.
    NoCommonEncryption,
    /// The certificate of the device's DTLS handshake is none that its description names.
    WrongFingerprint,
    /// The device's DTLS handshake gave no keys for its media.
    HandshakeFailed,
    /// No address that media can be sent to: a name that is not found, or IPv6 where there is IPv4 alone (S-8).
    NoMediaAddress,
    /// The RTP port pool is empty (S-7).
    NoPorts,
    /// The media workers have no slack left, or a limit on calls is reached.
    Busy,
    /// The gateway is being stopped (O-4).
    Draining,
    /// The ACK of our 200 never came (RFC 3261 section 13.3.1.4).
    NoAck,
    /// The peer no longer answers in this dialog, or its connection is gone.
    PeerGone,
    /// The peer was to refresh the session and did not (RFC 4028).
    SessionExpired,
    /// No RTP and no RTCP for the configured time.
    MediaTimeout,
    /// The operator has hung up, by the API.
    EndedByOperator,
    /// A queue to the call's owner stayed full.
    Stalled,
    /// Our own fault.
    Fault,
    /// The device has handed its place over to another one (M-18).
    Transferred,
    /// Whoever was called into a meeting does not want to come (S-9).
    Declined,
    /// Nobody took the call in time (S-9).
    NoAnswer,
    /// The device is not registered, and no other address is configured for it (S-9).
    NotReachable,
    /// The far end refused our call (outbound), with its status.
    Refused(u16),
}

/// What a [`Cause`] is on the wire, to the ear, in metrics and in logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CauseMapping {
    /// Final SIP status when the call was not answered yet.
    pub status: u16,
    /// Q.850 cause for the `Reason` header (RFC 3326, S-8).
    pub q850: u8,
    /// The prompt that is played before we hang up; `None` where there is no audio to play it to.
    pub phrase: Option<Phrase>,
    /// Label in metrics, records and logs.
    pub label: &'static str,
}

impl Cause {
    /// The table.
    #[must_use]
    pub const fn verdict(self) -> CauseMapping {
        let (status, q850, phrase, label) = match self {
            Self::HungUp => (487, 16, None, "hung-up"),
            Self::Cancelled => (487, 16, None, "cancelled"),
            Self::Left => (480, 16, Some(Phrase::Goodbye), "left"),
            Self::Denied => (403, 21, Some(Phrase::Denied), "denied"),
            Self::LobbyTimeout => (480, 19, Some(Phrase::LobbyTimeout), "lobby-timeout"),
            Self::MeetingEnded => (480, 16, Some(Phrase::MeetingEnded), "meeting-ended"),
            Self::Removed => (403, 16, Some(Phrase::Removed), "removed"),
            Self::MeetingFull => (486, 17, Some(Phrase::MeetingFull), "meeting-full"),
            Self::AnonymousOff => (403, 21, Some(Phrase::AnonymousOff), "anonymous-off"),
            Self::LobbyCrowded => (486, 17, None, "lobby-crowded"),
            Self::PasscodeWanted => (403, 21, None, "passcode-wanted"),
            Self::TooManyTries => (403, 21, Some(Phrase::TooManyTries), "too-many-tries"),
            Self::NoInput => (480, 18, Some(Phrase::Goodbye), "no-input"),
            Self::UnknownDevice => (403, 21, None, "unknown-device"),
            Self::UnknownAddress => (404, 1, Some(Phrase::ConferenceIdUnknown), "unknown-address"),
            Self::NoEmergencyCalls => (403, 21, Some(Phrase::NoEmergencyCalls), "no-emergency-calls"),
            Self::NoCommonCodec => (488, 65, None, "no-common-codec"),
            Self::NoCommonEncryption => (488, 65, None, "no-common-encryption"),
            Self::WrongFingerprint => (488, 21, None, "wrong-fingerprint"),
            Self::HandshakeFailed => (488, 111, None, "handshake-failed"),
            Self::NoMediaAddress => (488, 65, None, "no-media-address"),
            Self::NoPorts => (503, 34, None, "no-ports"),
            Self::Busy => (503, 42, None, "busy"),
            Self::Draining => (503, 41, Some(Phrase::Closing), "draining"),
            Self::NoAck => (408, 102, None, "no-ack"),
            Self::PeerGone => (408, 102, None, "peer-gone"),
            Self::SessionExpired => (408, 102, None, "session-expired"),
            Self::MediaTimeout => (480, 102, None, "media-timeout"),
            Self::EndedByOperator => (480, 16, Some(Phrase::Goodbye), "ended-by-operator"),
            Self::Stalled => (500, 41, None, "stalled"),
            Self::Fault => (500, 41, Some(Phrase::Trouble), "fault"),
            Self::Transferred => (480, 16, None, "transferred"),
            Self::Declined => (603, 21, Some(Phrase::Goodbye), "declined"),
            Self::NoAnswer => (480, 19, None, "no-answer"),
            Self::NotReachable => (480, 20, None, "not-reachable"),
            Self::Refused(status) => (status, 31, None, "refused"),
        };
        CauseMapping { status, q850, phrase, label }
    }

    /// Whether a call that ended so went wrong: nobody at either end wanted that.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        !matches!(
            self,
            Self::HungUp
                | Self::Cancelled
                | Self::Left
                | Self::Denied
                | Self::LobbyTimeout
                | Self::MeetingEnded
                | Self::Removed
                | Self::MeetingFull
                | Self::AnonymousOff
                | Self::LobbyCrowded
                | Self::PasscodeWanted
                | Self::Draining
                | Self::EndedByOperator
                | Self::Transferred
                | Self::Declined
        )
    }

    /// Whether the device itself has ended it: what somebody has closed there need not stay closed (K-4).
    #[must_use]
    pub const fn is_own_will(self) -> bool {
        matches!(self, Self::HungUp | Self::Cancelled | Self::Left | Self::Declined | Self::NoInput | Self::TooManyTries)
    }

    /// Seconds for `Retry-After` with a 503, where waiting helps.
    #[must_use]
    pub const fn retry_after(self) -> Option<u32> {
        match self {
            Self::NoPorts | Self::Busy => Some(5),
            Self::Draining => Some(30),
            _ => None,
        }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.verdict().label)
    }
}
