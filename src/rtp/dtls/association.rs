//! [`DtlsAssociation`]: one handshake, without socket or clock.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::state::State;

use super::error::DtlsError;
use super::parameters::{DtlsParameters, DtlsRole};
use super::profiles::suite_of;
use crate::rtp::srtp::{CryptoSuite, MasterKey, SrtpKeyPair, SrtpKeys};

/// Label of the exporter (RFC 5764 section 4.2).
const EXPORTER: &str = "EXTRACTOR-dtls_srtp";
/// From the agreement to the end of the handshake. The library repeats a flight each second, seven times.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Bytes taken in the life of an association. A handshake with a chain of certificates has some 6 KB; what is repeated of it counts again.
const BYTE_LIMIT: usize = 64 * 1024;
/// Addresses from which a handshake may begin. Each has a state of its own, so that a ClientHello in somebody else's name disturbs nobody.
const MOST_SOURCES: usize = 4;
/// Content type of an alert (RFC 5246 section 6.2.1).
const ALERT: u8 = 21;

/// One handshake, and the repetitions of its last flight. What is to be sent is taken by [`DtlsAssociation::poll_transmit`] after each call.
pub struct DtlsAssociation {
    endpoint: Endpoint,
    parameters: DtlsParameters,
    sources: Vec<SocketAddr>,
    bytes_left: usize,
    until: Instant,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A client that does not know yet where its peer is.
    Idle,
    Handshake,
    /// With this peer.
    Complete(SocketAddr),
    Failed,
}

// === impl DtlsAssociation ===

impl DtlsAssociation {
    /// A handshake that a server waits for from now on, and a client begins by [`DtlsAssociation::begin`].
    #[must_use]
    pub fn new(now: Instant, parameters: DtlsParameters) -> Self {
        let (server, stage) = match parameters.role {
            DtlsRole::Client => (None, Stage::Idle),
            DtlsRole::Server => (Some(parameters.identity.server()), Stage::Handshake),
        };
        // The library only repeats our own address to whoever sends.
        let ours = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let endpoint = Endpoint::new(ours, Default::default(), server);
        Self { endpoint, parameters, sources: Vec::new(), bytes_left: BYTE_LIMIT, until: now + TIME_LIMIT, stage }
    }

    /// Has a client begin with the peer at `to`; once.
    pub fn begin(&mut self, now: Instant, to: SocketAddr) {
        if self.stage != Stage::Idle {
            return;
        }
        self.sources.push(to);
        let begun = self.endpoint.connect(now, to, self.parameters.identity.client(), None);
        self.stage = if begun.is_ok() { Stage::Handshake } else { Stage::Idle };
        if begun.is_err() {
            self.sources.clear();
        }
    }

    /// Takes a datagram of DTLS from `from`. Gives what the handshake has come to, when this datagram has completed it.
    ///
    /// What is not understood, and alerts that are not encrypted, are passed over: anybody may have sent them.
    pub fn handle(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Option<Result<SrtpKeyPair, DtlsError>> {
        if !self.admits(from) || (self.stage == Stage::Handshake && is_plain_alert(datagram)) {
            return None;
        }
        self.bytes_left = self.bytes_left.checked_sub(datagram.len())?;
        let events = self.endpoint.read(now, from, None, BytesMut::from(datagram)).ok()?;
        if self.stage != Stage::Handshake || !events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete)) {
            return None;
        }
        let keys = self.keys(from);
        self.stage = if keys.is_ok() { Stage::Complete(from) } else { Stage::Failed };
        // No other handshake begins here, also not after the peer has closed this one.
        self.endpoint.set_server_config(None);
        Some(keys)
    }

    fn admits(&mut self, from: SocketAddr) -> bool {
        match self.stage {
            Stage::Idle | Stage::Failed => false,
            Stage::Complete(peer) => peer == from,
            Stage::Handshake if self.sources.contains(&from) => true,
            Stage::Handshake => {
                let room = self.parameters.role == DtlsRole::Server && self.sources.len() < MOST_SOURCES;
                if room {
                    self.sources.push(from);
                }
                room
            }
        }
    }

    /// Repeats what is due. Gives the error when the handshake is given up.
    pub fn wake(&mut self, now: Instant) -> Option<DtlsError> {
        if !matches!(self.stage, Stage::Idle | Stage::Handshake) {
            return None;
        }
        if now >= self.until {
            self.stage = Stage::Failed;
            return Some(DtlsError::TimedOut);
        }
        for source in &self.sources {
            if self.endpoint.poll_timeout(source).is_some_and(|at| at <= now) {
                // One that has repeated enough waits for its time limit.
                let _ = self.endpoint.handle_timeout(*source, now);
            }
        }
        None
    }

    /// The next datagram to send, and where to.
    pub fn poll_transmit(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        let transmit = self.endpoint.poll_transmit()?;
        Some((transmit.transport.peer_addr, transmit.message.to_vec()))
    }

    /// The keys of a handshake that is complete, if its certificate is one that was named.
    fn keys(&self, peer: SocketAddr) -> Result<SrtpKeyPair, DtlsError> {
        let state = self.endpoint.get_connection_state(peer).ok_or(DtlsError::Library)?;
        let certificate = state.peer_certificates.first().ok_or(DtlsError::WrongFingerprint)?;
        if !self.parameters.fingerprints.iter().any(|fingerprint| fingerprint.is_of(certificate)) {
            return Err(DtlsError::WrongFingerprint);
        }
        let suite = suite_of(state.srtp_protection_profile()).ok_or(DtlsError::NoProfile)?;
        export(state, suite, self.parameters.role).ok_or(DtlsError::Library)
    }
}

/// An alert of epoch 0 (RFC 6347 section 4.1).
fn is_plain_alert(datagram: &[u8]) -> bool {
    datagram.first() == Some(&ALERT) && datagram.get(3..5) == Some(&[0, 0])
}

/// Client key, server key, client salt, server salt (RFC 5764 section 4.2).
fn export(state: &State, suite: CryptoSuite, role: DtlsRole) -> Option<SrtpKeyPair> {
    let (key, salt) = (suite.key_length(), suite.salt_length());
    let material = state.export_keying_material(EXPORTER, &[], 2 * (key + salt)).ok()?;
    let (keys, salts) = material.as_ref().split_at_checked(2 * key)?;
    let ((client_key, server_key), (client_salt, server_salt)) = (keys.split_at_checked(key)?, salts.split_at_checked(salt)?);
    let direction = |key: &[u8], salt: &[u8]| {
        let master = MasterKey::new(suite, [key, salt].concat(), None)?;
        Some(SrtpKeys { suite, keys: vec![master] })
    };
    let (client, server) = (direction(client_key, client_salt)?, direction(server_key, server_salt)?);
    Some(match role {
        DtlsRole::Client => SrtpKeyPair { ours: client, theirs: server },
        DtlsRole::Server => SrtpKeyPair { ours: server, theirs: client },
    })
}
