//! [`DialError`]: why the test phone had no call.

use std::net::SocketAddr;
use std::time::Duration;

use crate::media::{PoolError, PortError};
use crate::net::tls::TlsError;
use crate::rtp::dtls::DtlsError;
use crate::sdp::AnswerError;
use crate::sip;

/// How long a call may ring.
pub(super) const RINGING: Duration = Duration::from_secs(60);

/// Why there was no call.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("`{0}` is no SIP address: write sip:USER@HOST or sip:USER@HOST:PORT")]
    Address(String),
    #[error("`{0}` says whom to call, but not where: write sip:{0}@HOST, such as sip:{0}@127.0.0.1 for a daemon on this machine")]
    Nowhere(String),
    #[error("transport={0} is none that this phone has: write udp, tcp or tls")]
    Transport(String),
    #[error("{0} cannot be resolved to an address")]
    Resolve(String),
    #[error("no way leads from here to {0}")]
    NoRoute(SocketAddr),
    #[error("{path}: {error}")]
    File { path: String, error: String },
    #[error(transparent)]
    Ports(#[from] PoolError),
    #[error(transparent)]
    Sip(#[from] sip::StartError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error("the system: {0}")]
    System(#[from] std::io::Error),
    #[error("no answer within {} s", RINGING.as_secs())]
    NoAnswer,
    #[error("given up before there was an answer")]
    GivenUp,
    #[error("the call failed: {0}")]
    Failed(String),
    #[error("the answer cannot be used: {0}")]
    Answer(&'static str),
    #[error("the answer does not fit the offer: {0}")]
    Unfit(AnswerError),
    #[error("the certificate for DTLS cannot be made: {0}")]
    Certificate(DtlsError),
    #[error("media is not encrypted: {0}")]
    NotEncrypted(DtlsError),
}
