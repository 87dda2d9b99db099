//! [`SrtpError`]: why a datagram is not taken, or not sent.

/// Why a datagram could not be protected or unprotected. Never a reason to end a call: the datagram is dropped and counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SrtpError {
    /// Too short for its header, its tag or its index, or no RTP.
    #[error("too short, or not RTP")]
    Malformed,
    /// Its master key identifier names no key that is valid.
    #[error("unknown master key identifier")]
    UnknownKey,
    /// Its authentication tag is wrong: another key, or a forgery.
    #[error("wrong authentication tag")]
    WrongTag,
    /// It has come before, or is older than the replay window.
    #[error("replayed, or older than the replay window")]
    Replayed,
    /// SRTCP that is not encrypted, which nobody has agreed on (RFC 4568 section 6.3.2).
    #[error("SRTCP that is not encrypted")]
    NotEncrypted,
    /// More sources than one key is used by.
    #[error("too many sources under one key")]
    TooManySources,
    /// As many packets as one key may protect (RFC 3711 section 9.2).
    #[error("the key is used up")]
    KeyUsedUp,
    /// The handshake that the keys come from is not over (RFC 5763 section 6.7.1).
    #[error("there are no keys yet")]
    NoKeys,
    /// The cipher refuses its input; a fault of our own.
    #[error("the cipher refuses its input")]
    Cipher,
}
