//! [`AnswerError`]: why no stream can be agreed on.

use crate::common::cause::Cause;

/// Why no stream can be agreed on. Ordered by how far the best `m=` line got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum AnswerError {
    /// No open line of audio.
    #[error("no audio is offered")]
    NoAudio,
    /// Neither `RTP/AVP` nor `RTP/AVPF`, nor a secure form of them.
    #[error("audio is offered over an unknown transport only")]
    UnknownTransport,
    /// Only SRTP is offered, and the policy is `off`.
    #[error("audio is offered over SRTP only, which is switched off")]
    SrtpOff,
    /// Only plain RTP is offered, and the policy is `required`.
    #[error("audio is offered over plain RTP only, and SRTP is required")]
    SrtpRequired,
    /// Another protection than DTLS-SRTP is offered, and the policy is `dtls`.
    #[error("audio is offered without DTLS-SRTP, which is required")]
    DtlsRequired,
    /// DTLS-SRTP is offered without a fingerprint that can be checked, or with `a=setup:holdconn`.
    #[error("audio is offered over DTLS-SRTP without a usable fingerprint")]
    UnusableFingerprint,
    /// SRTP is offered without a crypto attribute that is understood.
    #[error("no SRTP crypto suite in common")]
    NoCommonSuite,
    /// Nothing that both have.
    #[error("no codec in common")]
    NoCommonCodec,
    /// No `c=` line, or a multicast or a broadcast address in it.
    #[error("no usable address is offered for audio")]
    UnusableAddress,
    /// A name in `c=` for which no address is known.
    #[error("the name of the address that is offered for audio is not found")]
    UnknownName,
    /// An IPv6 address, and our media has IPv4 alone.
    #[error("audio is offered over IPv6 only")]
    Ipv6Only,
}

impl AnswerError {
    /// Why the call is refused.
    #[must_use]
    pub const fn cause(self) -> Cause {
        match self {
            Self::SrtpOff | Self::SrtpRequired | Self::DtlsRequired | Self::UnusableFingerprint | Self::NoCommonSuite => {
                Cause::NoCommonEncryption
            }
            Self::NoAudio | Self::UnknownTransport | Self::NoCommonCodec => Cause::NoCommonCodec,
            Self::UnusableAddress | Self::UnknownName | Self::Ipv6Only => Cause::NoMediaAddress,
        }
    }

    /// Code and text of the `Warning` header that goes with the 488 (RFC 3261 section 20.43).
    #[must_use]
    pub const fn warning(self) -> (u16, &'static str) {
        match self {
            Self::NoAudio => (304, "No audio offered"),
            Self::UnknownTransport => (302, "Audio is taken over RTP/AVP, RTP/SAVP and UDP/TLS/RTP/SAVP"),
            Self::SrtpOff => (302, "SRTP is switched off, offer RTP/AVP"),
            Self::SrtpRequired => (302, "SRTP is required, offer RTP/SAVP or UDP/TLS/RTP/SAVP"),
            Self::DtlsRequired => (302, "DTLS-SRTP is required, offer UDP/TLS/RTP/SAVP"),
            Self::UnusableFingerprint => (306, "No usable fingerprint, offer one by SHA-256"),
            Self::NoCommonSuite => (306, "No SRTP crypto suite in common"),
            Self::NoCommonCodec => (305, "No audio codec in common"),
            Self::UnusableAddress => (301, "No usable connection address"),
            Self::UnknownName => (301, "The name in the connection address is not found"),
            Self::Ipv6Only => (300, "No IPv6 media here, offer an IPv4 address"),
        }
    }
}
