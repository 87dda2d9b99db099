//! [`RunError`]: why the gateway did not start, and the exit status of that (U-7).

use std::path::{Path, PathBuf};

use crate::cli::ExitStatus;
use crate::common::problem::Problem;
use crate::http;
use crate::media::MediaError;
use crate::net::tls::TlsError;
use crate::sip;

/// Why the gateway did not start. `main` maps it to an exit status (U-7).
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What a check beforehand would have listed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Configuration(Vec<Problem>),
    /// A directory or file of our own.
    #[error("{what} {}: {error}", path.display())]
    State {
        /// What it is for.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// The error of the system.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Media.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// SIP.
    #[error(transparent)]
    Sip(#[from] sip::StartError),
    /// The authorities of `sip.ca`.
    #[error("sip.ca: {0}")]
    Tls(#[source] TlsError),
    /// The authorities of a service.
    #[error("service.{label}.ca: {error}")]
    ServiceTls {
        /// Which service.
        label: String,
        /// What is wrong with them.
        error: TlsError,
    },
    /// HTTP.
    #[error(transparent)]
    Http(#[from] http::HttpStartError),
    /// The control plane's threads.
    #[error("the runtime cannot be started: {0}")]
    Runtime(#[source] std::io::Error),
    /// The system's random numbers.
    #[error("the system gives no randomness: {0}")]
    Randomness(getrandom::Error),
    /// Signals.
    #[error("signals cannot be taken: {0}")]
    Signals(#[source] std::io::Error),
}

impl RunError {
    /// The exit status (U-7).
    #[must_use]
    pub const fn status(&self) -> ExitStatus {
        match self {
            Self::Configuration(_) | Self::Tls(_) | Self::ServiceTls { .. } => ExitStatus::Configuration,
            Self::State { .. } | Self::Media(_) | Self::Sip(_) | Self::Http(_) => ExitStatus::Unavailable,
            Self::Signals(_) | Self::Runtime(_) | Self::Randomness(_) => ExitStatus::Fault,
        }
    }
}

/// The error of a directory or file of our own.
pub(super) fn state<E: std::error::Error + Send + Sync + 'static>(what: &'static str, path: &Path) -> impl FnOnce(E) -> RunError {
    let path = path.to_owned();
    move |error| RunError::State { what, path, error: Box::new(error) }
}
