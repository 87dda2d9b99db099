//! [`DtlsParameters`]: what offer and answer settle about a handshake.

use super::fingerprint::Fingerprint;
use super::identity::DtlsIdentity;

/// Who begins the handshake (RFC 5763 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DtlsRole {
    /// We send the ClientHello: our `a=setup:active`.
    Client,
    /// We wait for it: our `a=setup:passive`.
    Server,
}

/// What offer and answer settle about a handshake. As long as it stays the same, an association stays (RFC 5763 section 6.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DtlsParameters {
    /// Our end of the handshake.
    pub role: DtlsRole,
    /// The peer's certificate has one of these; at least one.
    pub fingerprints: Vec<Fingerprint>,
    /// Our certificate.
    pub identity: DtlsIdentity,
}
