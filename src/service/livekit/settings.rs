//! What the administrator says of a LiveKit server.

use std::path::PathBuf;

use crate::common::redact::Redacted;

/// `[service.X]` with `kind = "livekit"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveKitSettings {
    /// Where the server is: `ws`, `wss`, `http` or `https`.
    pub url: String,
    /// The API key that signs tokens.
    pub key: String,
    /// Its secret.
    pub secret: Redacted<String>,
    /// Authorities that are trusted in the place of the system's.
    pub ca: Option<PathBuf>,
}
