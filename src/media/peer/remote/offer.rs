//! What whoever signals asks of a connection to an SFU.

/// What a connection is for; both may be together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemotePeerSettings {
    /// The client's name of the one audio track that it publishes (`cid`); `None`: it publishes nothing.
    pub publishes: Option<String>,
    /// Lines for audio that it receives, in the first offer.
    pub audio_lines: usize,
}

/// What the next offer is to bring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OfferRequest {
    /// Receiving lines more than there are.
    pub audio_lines: usize,
    /// New credentials of ICE, and checks of all paths anew (RFC 8445 section 9).
    pub restart_ice: bool,
}
