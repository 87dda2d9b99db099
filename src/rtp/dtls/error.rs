//! [`DtlsError`]: why a handshake gives no keys.

use crate::common::cause::Cause;

/// Why a handshake gives no keys. The call cannot have media then, and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DtlsError {
    /// The peer's certificate is none that its description names (RFC 5763 section 5).
    #[error("the certificate has another fingerprint than the session description names")]
    WrongFingerprint,
    /// No SRTP protection profile in common (RFC 5764 section 4.1).
    #[error("no SRTP protection profile in common")]
    NoProfile,
    /// It did not come to its end in time: nobody answered, or both ends have nothing in common.
    #[error("the handshake was not completed in time")]
    TimedOut,
    /// The library refuses what it is given; a fault of our own.
    #[error("the DTLS library refuses its settings")]
    Library,
}

impl DtlsError {
    /// Why the call ends.
    #[must_use]
    pub const fn cause(self) -> Cause {
        match self {
            Self::WrongFingerprint => Cause::WrongFingerprint,
            Self::NoProfile | Self::TimedOut | Self::Library => Cause::HandshakeFailed,
        }
    }
}
