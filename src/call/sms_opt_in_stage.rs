//! [`SmsOptIn`]: how far the dialogue of `*4` has come (C-2).

/// The stage of the dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum SmsOptIn {
    /// No messages.
    #[default]
    Off,
    /// A number is being keyed in; so many before it were none.
    Number { wrong: u8 },
    /// A code is being keyed in.
    Code,
    /// The relay is at work.
    Waiting,
    /// The chat comes by SMS.
    On,
}
