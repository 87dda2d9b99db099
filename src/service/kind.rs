//! The table of services elsewhere: a further one is a folder, a line here and a section of the configuration.

use std::sync::Arc;

use super::livekit::{LiveKit, LiveKitSettings};
use crate::meeting::service::MeetingService;
use crate::net::tls::TlsError;

/// What `[service.X]` configures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceKind {
    /// A LiveKit server.
    LiveKit(LiveKitSettings),
}

/// The service of these settings. Nothing is connected before a meeting needs it.
///
/// # Errors
/// Authorities that are to be trusted cannot be read.
pub fn open(kind: &ServiceKind) -> Result<Arc<dyn MeetingService>, TlsError> {
    match kind {
        ServiceKind::LiveKit(settings) => Ok(Arc::new(LiveKit::new(settings.clone())?)),
    }
}
