//! The DTLS server of a browser's connection (RFC 6347) without ICE, for its fuzz target.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use webrtc::crypto;
use webrtc::dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use webrtc::dtls::endpoint::Endpoint;
use webrtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use webrtc::shared::TransportProtocol;

use super::PeerFactory;

/// In the place of a cookie in a datagram: the one that the server has asked for is put there, as a client would.
const COOKIE: [u8; 20] = [0xCC; 20];
/// Octets before the cookie in a HelloVerifyRequest: heads of record and handshake message, version, and the cookie's length.
const BEFORE_COOKIE: usize = 13 + 12 + 2 + 1;
/// Retransmissions that are waited for at the end.
const RETRANSMISSIONS: u32 = 20;

/// As the stack itself configures it, for whatever certificate the client shows.
fn config() -> Option<Arc<HandshakeConfig>> {
    let certificate = PeerFactory::new().ok()?.certificate.dtls_certificate.clone();
    ConfigBuilder::default()
        .with_crypto_provider(crypto::default_provider().ok()?)
        .with_certificates(vec![certificate])
        .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm])
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        .with_insecure_skip_verify(true)
        .with_extended_master_secret(ExtendedMasterSecretType::Require)
        .build(false, None)
        .ok()
        .map(Arc::new)
}

/// Octets that the server answers to these datagrams of one client, its retransmissions among them; `None`: there is no server.
pub(crate) fn answered<'a>(start: Instant, datagrams: impl Iterator<Item = &'a [u8]>) -> Option<usize> {
    static CONFIG: OnceLock<Option<Arc<HandshakeConfig>>> = OnceLock::new();
    let config = CONFIG.get_or_init(config).clone()?;
    let (ours, theirs) = (SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), SocketAddr::from((Ipv4Addr::LOCALHOST, 2)));
    let mut server = Endpoint::new(ours, TransportProtocol::UDP, Some(config));
    let (mut now, mut cookie, mut sent) = (start, None, 0);
    for datagram in datagrams {
        now += Duration::from_millis(20);
        let mut datagram = datagram.to_vec();
        if let Some(cookie) = &cookie {
            put(&mut datagram, cookie);
        }
        // What the server refuses is the client's fault.
        let _ = server.read(now, theirs, None, BytesMut::from(datagram.as_slice()));
        sent += drain(&mut server, &mut cookie);
    }
    for _ in 0..RETRANSMISSIONS {
        let Some(at) = server.poll_timeout(&theirs) else { break };
        now = now.max(at);
        let _ = server.handle_timeout(theirs, now);
        sent += drain(&mut server, &mut cookie);
    }
    Some(sent)
}

fn put(datagram: &mut [u8], cookie: &[u8; 20]) {
    let at = datagram.windows(COOKIE.len()).position(|window| window == COOKIE);
    if let Some(place) = at.and_then(|at| datagram.get_mut(at..at + COOKIE.len())) {
        place.copy_from_slice(cookie);
    }
}

fn drain(server: &mut Endpoint, cookie: &mut Option<[u8; 20]>) -> usize {
    let mut sent = 0;
    while let Some(transmit) = server.poll_transmit() {
        sent += transmit.message.len();
        // A handshake record whose message is a HelloVerifyRequest (section 4.2.1).
        if transmit.message.first() == Some(&22) && transmit.message.get(13) == Some(&3) {
            *cookie =
                transmit.message.get(BEFORE_COOKIE..BEFORE_COOKIE + 20).and_then(|cookie| cookie.try_into().ok()).or(*cookie);
        }
    }
    sent
}
