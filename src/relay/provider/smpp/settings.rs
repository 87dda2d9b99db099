//! How a short message centre is reached.

use std::path::PathBuf;
use std::time::Duration;

use crate::common::redact::Redacted;

/// As whom we bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmppLogin {
    /// At most 15 characters.
    pub system_id: String,
    /// At most 8 characters.
    pub password: Redacted<String>,
    /// At most 12 characters; mostly empty.
    pub system_type: String,
}

/// Where the centre is, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmppSettings {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// By TLS, trusting the authorities in this file, or those of the system.
    pub tls: Option<Option<PathBuf>>,
    /// As whom.
    pub login: SmppLogin,
    /// Parts that may be unanswered.
    pub window: usize,
    /// How long a silent connection is left alone.
    pub enquire_every: Duration,
}
