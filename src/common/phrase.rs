//! [`Phrase`]: everything Roomgate can say. One WAV file each, per language (K-5).

macro_rules! phrases {
    ($($(#[$doc:meta])* $name:ident = $file:literal,)*) => {
        /// One spoken prompt.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Phrase {
            $($(#[$doc])* $name,)*
        }

        impl Phrase {
            /// Every phrase: what a complete language must have.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The file's name without `.wav`, and the key of its text in `language.toml`.
            #[must_use]
            pub const fn file_stem(self) -> &'static str {
                match self { $(Self::$name => $file,)* }
            }
        }
    };
}

phrases! {
    /// Greeting of every call.
    Welcome = "welcome",
    /// Asks for the conference ID and `#`.
    EnterConferenceId = "enter-conference-id",
    /// The conference ID is not one of ours.
    ConferenceIdUnknown = "conference-id-unknown",
    /// Greeting of a device that is called into a meeting (S-9).
    Invited = "invited",
    /// Before the digits of that meeting's conference ID.
    ItsNumberIs = "its-number-is",
    /// How to come in, or not.
    PressOneToJoin = "press-one-to-join",
    /// Asks for the passcode and `#`.
    EnterPasscode = "enter-passcode",
    /// The passcode does not fit.
    PasscodeWrong = "passcode-wrong",
    /// Three tries are over; the call ends.
    TooManyTries = "too-many-tries",
    /// Played before we hang up.
    Goodbye = "goodbye",
    /// No member is present yet (M-5).
    WaitingForHost = "waiting-for-host",
    /// In the lobby (M-6).
    InLobby = "in-lobby",
    /// Comfort while waiting (K-6).
    StillWaiting = "still-waiting",
    /// The wait will time out soon (M-9).
    LobbyTimeoutSoon = "lobby-timeout-soon",
    /// The wait timed out (M-9).
    LobbyTimeout = "lobby-timeout",
    /// Let in.
    Admitted = "admitted",
    /// Refused by a member.
    Denied = "denied",
    /// The meeting has ended.
    MeetingEnded = "meeting-ended",
    /// Taken out of the meeting by a member.
    Removed = "removed",
    /// As many are in the meeting as it takes (M-14).
    MeetingFull = "meeting-full",
    /// The meeting takes no callers from outside (M-11).
    AnonymousOff = "anonymous-off",
    /// Nobody else is in the meeting (K-6).
    Alone = "alone",
    /// Recording was switched on while the device was inside; staying is consent (N-5).
    RecordingStarted = "recording-started",
    /// Recording was switched off.
    RecordingStopped = "recording-stopped",
    /// Recording is paused.
    RecordingPaused = "recording-paused",
    /// Recording goes on after a pause.
    RecordingResumed = "recording-resumed",
    /// To a joiner: the meeting is being recorded (N-2).
    RecordingOn = "recording-on",
    /// Transcription was switched on.
    TranscriptionStarted = "transcription-started",
    /// Transcription was switched off.
    TranscriptionStopped = "transcription-stopped",
    /// Transcription is paused.
    TranscriptionPaused = "transcription-paused",
    /// Transcription goes on after a pause.
    TranscriptionResumed = "transcription-resumed",
    /// To a joiner: the meeting is being transcribed.
    TranscriptionOn = "transcription-on",
    /// Standing notice where a service cannot signal recording (N-7).
    MayBeRecorded = "may-be-recorded",
    /// The device's microphone is off now.
    Muted = "muted",
    /// The device's microphone is on now.
    Unmuted = "unmuted",
    /// Somebody in the meeting switched the microphone off.
    MutedByHost = "muted-by-host",
    /// Somebody in the meeting switched the microphone on again.
    UnmutedByHost = "unmuted-by-host",
    /// A host asks for the microphone that was switched off at the device (K-4).
    UnmuteAsked = "unmute-asked",
    /// The host's mute may not be lifted from the device; the hand is raised instead (K-4).
    MuteLockedHandRaised = "mute-locked-hand-raised",
    /// The participant's hand is raised.
    HandRaised = "hand-raised",
    /// The participant's hand is lowered.
    HandLowered = "hand-lowered",
    /// The key has no function in this call (K-2).
    NotAvailable = "not-available",
    /// An external may not do this (M-12).
    NotAllowed = "not-allowed",
    /// The keys, explained (`*1`).
    Help = "help",
    /// Asks for the organiser's PIN.
    EnterPin = "enter-pin",
    /// The PIN fits: organiser's powers for this call.
    PinAccepted = "pin-accepted",
    /// The PIN does not fit.
    PinWrong = "pin-wrong",
    /// No more PIN tries in this call.
    PinLocked = "pin-locked",
    /// Everybody in the lobby has been let in (`*21`).
    AllAdmitted = "all-admitted",
    /// Nobody was waiting (`*21`).
    NobodyWaiting = "nobody-waiting",
    /// The notice could not be given: the microphone stays closed (N-6).
    MicrophoneClosed = "microphone-closed",
    /// Something went wrong on our side.
    Trouble = "trouble",
    /// The gateway is being stopped (O-4).
    Closing = "closing",
    /// After [`Phrase::Help`], where chat by SMS is to be had.
    HelpChat = "help-chat",
    /// What `*4` is for, and asks for a number (C-2).
    EnterMobileNumber = "enter-mobile-number",
    /// What was keyed in is no number, or none that may be written to.
    MobileNumberWrong = "mobile-number-wrong",
    /// Before the digits of the number, read back.
    CodeSentTo = "code-sent-to",
    /// Asks for the code that was texted.
    EnterTextedCode = "enter-texted-code",
    /// The code does not fit.
    TextedCodeWrong = "texted-code-wrong",
    /// The chat comes by SMS now.
    ChatOn = "chat-on",
    /// It does not any more.
    ChatOff = "chat-off",
    /// The time for a number or a code is over, or its tries.
    ChatNotSet = "chat-not-set",
    /// Too many codes have been asked for, or they cannot be sent.
    TextNotSent = "text-not-sent",
    /// After [`Phrase::Help`], where the chat can be read aloud.
    HelpRead = "help-read",
    /// Nobody has written since it was last asked for (`*7`).
    NoMessages = "no-messages",
    /// After messages that were read aloud: there are more.
    MoreMessages = "more-messages",
    /// No emergency service can be called from this line (S-10).
    NoEmergencyCalls = "no-emergency-calls",
}

/// The stem of the file that speaks one digit, `0` to `9` (K-5).
#[must_use]
pub fn digit_stem(digit: u8) -> String {
    format!("digit-{digit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_stems_are_unique_and_fit_a_file_name() {
        let mut stems: Vec<_> = Phrase::ALL.iter().map(|p| p.file_stem()).collect();
        assert!(stems.iter().all(|s| s.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
        stems.sort_unstable();
        stems.dedup();
        assert_eq!(stems.len(), Phrase::ALL.len());
    }
}
