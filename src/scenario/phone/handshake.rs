//! A phone whose keys of SRTP come by DTLS (RFC 5764), with the contexts of `rtc-srtp`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_no_replay_protection, srtp_no_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

use super::{Line, Phone};
use crate::common::machine;
use crate::rtp::dtls::Fingerprint;

/// A profile of `use_srtp`, as the gateway names its suite.
#[derive(Debug, Clone, Copy)]
pub(in crate::scenario) struct UseSrtp {
    pub(in crate::scenario) name: &'static str,
    offered: SrtpProtectionProfile,
    spoken: ProtectionProfile,
}

/// Every profile.
pub(in crate::scenario) const PROFILES: [UseSrtp; 4] = [
    UseSrtp {
        name: "DTLS: AES_CM_128_HMAC_SHA1_80",
        offered: SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        spoken: ProtectionProfile::Aes128CmHmacSha1_80,
    },
    UseSrtp {
        name: "DTLS: AES_CM_128_HMAC_SHA1_32",
        offered: SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32,
        spoken: ProtectionProfile::Aes128CmHmacSha1_32,
    },
    UseSrtp {
        name: "DTLS: AEAD_AES_128_GCM",
        offered: SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
        spoken: ProtectionProfile::AeadAes128Gcm,
    },
    UseSrtp {
        name: "DTLS: AEAD_AES_256_GCM",
        offered: SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
        spoken: ProtectionProfile::AeadAes256Gcm,
    },
];

/// The DTLS of a phone.
pub(super) struct PhoneDtls {
    profile: UseSrtp,
    /// Protocol of its line, and its `a=setup`.
    offered: (&'static str, &'static str),
    certificate: Certificate,
    /// What it says its fingerprint is.
    named: Fingerprint,
    association: Option<Association>,
    /// Takes part in none.
    never: bool,
    /// Handshakes so far.
    begun: usize,
}

/// A handshake with the gateway, and what came of it.
struct Association {
    endpoint: Endpoint,
    is_client: bool,
    gateway: SocketAddr,
    /// Of the gateway's description.
    fingerprint: Fingerprint,
    contexts: Option<(Context, Context)>,
}

fn certificate() -> Certificate {
    let provider = rtc_crypto::default_provider().expect("ring");
    Certificate::generate_self_signed(["phone".to_owned()], provider.crypto()).expect("a certificate")
}

impl PhoneDtls {
    fn new(profile: UseSrtp, offered: (&'static str, &'static str)) -> Self {
        let certificate = certificate();
        let named = Fingerprint::of(&certificate.certificate[0]);
        Self { profile, offered, certificate, named, association: None, never: false, begun: 0 }
    }

    /// The description with the phone's fingerprint.
    pub(super) fn describe(&self, plain: &str) -> String {
        let (protocol, setup) = self.offered;
        let plain = plain.replace("RTP/AVP", protocol);
        format!("{plain}a=fingerprint:{}\r\na=setup:{setup}\r\na=rtcp-mux\r\n", self.named)
    }

    fn config(&self, is_client: bool) -> Arc<HandshakeConfig> {
        let builder = ConfigBuilder::default()
            .with_crypto_provider(rtc_crypto::default_provider().expect("ring"))
            .with_certificates(vec![self.certificate.clone()])
            .with_srtp_protection_profiles(vec![self.profile.offered])
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_insecure_skip_verify(true)
            .with_server_name("phone".to_owned());
        Arc::new(builder.build(is_client, None).expect("settings"))
    }

    /// Begins a handshake, unless there is one with this fingerprint.
    fn begin(&mut self, now: Instant, gateway: SocketAddr, setup: &str, fingerprint: Fingerprint) {
        if self.never || self.association.as_ref().is_some_and(|association| association.fingerprint == fingerprint) {
            return;
        }
        let is_client = setup == "passive";
        let ours = SocketAddr::from(([0, 0, 0, 0], 0));
        let server = (!is_client).then(|| self.config(false));
        let mut endpoint = Endpoint::new(ours, Default::default(), server);
        if is_client {
            endpoint.connect(now, gateway, self.config(true), None).expect("begun");
        }
        self.begun += 1;
        self.association = Some(Association { endpoint, is_client, gateway, fingerprint, contexts: None });
    }

    fn context(&self, material: &[u8], key: usize, salt: usize) -> Context {
        let profile = self.profile.spoken;
        let (key, salt) = (&material[key..key + profile.key_len()], &material[salt..salt + profile.salt_len()]);
        let crypto = rtc_crypto::default_provider().expect("ring");
        let (rtp, rtcp) = (Some(srtp_no_replay_protection()), Some(srtcp_no_replay_protection()));
        Context::new(key, salt, profile, rtp, rtcp, crypto.crypto()).expect("a context")
    }

    /// The contexts of a handshake that is complete: ours, and the gateway's.
    fn contexts(&self) -> (Context, Context) {
        let association = self.association.as_ref().expect("a handshake");
        let state = association.endpoint.get_connection_state(association.gateway).expect("a connection");
        assert!(association.fingerprint.is_of(&state.peer_certificates[0]), "the gateway's own certificate");
        let (key, salt) = (self.profile.spoken.key_len(), self.profile.spoken.salt_len());
        let material = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], 2 * (key + salt)).expect("keys");
        let client = self.context(material.as_ref(), 0, 2 * key);
        let server = self.context(material.as_ref(), key, 2 * key + salt);
        if association.is_client { (client, server) } else { (server, client) }
    }

    fn spoken(&mut self) -> &mut (Context, Context) {
        self.association.as_mut().and_then(|association| association.contexts.as_mut()).expect("keys")
    }

    pub(super) fn protect_rtp(&mut self, packet: &[u8]) -> Vec<u8> {
        self.spoken().0.encrypt_rtp(packet).expect("protects").to_vec()
    }

    pub(super) fn protect_rtcp(&mut self, packet: &[u8]) -> Vec<u8> {
        self.spoken().0.encrypt_rtcp(packet).expect("protects").to_vec()
    }

    /// Panics on anything that is not protected by the gateway's key. `None`: a packet of the association before, which was on its way when the
    /// phone took another certificate.
    pub(super) fn unprotect_rtp(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        let has_keys = self.association.as_ref().is_some_and(|association| association.contexts.is_some());
        let is_renewed = self.begun > usize::from(self.association.is_some());
        if !has_keys && is_renewed {
            return None;
        }
        Some(self.spoken().1.decrypt_rtp(datagram).expect("a packet of the gateway's key").to_vec())
    }
}

impl Line {
    /// The gateway has answered.
    pub(super) fn begins_handshake(&mut self, sdp: &str) {
        let (Some(dtls), Some(gateway)) = (&mut self.dtls, self.remote) else { return };
        let value = |name: &str| sdp.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {sdp}"));
        assert!(sdp.contains("a=rtcp-mux"), "{sdp}");
        let fingerprint = Fingerprint::parse(value("a=fingerprint:")).expect("a fingerprint");
        dtls.begin(machine::now(), gateway, value("a=setup:").trim(), fingerprint);
        self.sends_handshake();
    }

    /// Takes a datagram of a handshake; `false`: it is none.
    pub(super) fn takes_handshake(&mut self, now: Instant, datagram: &[u8]) -> bool {
        if !(20..=63).contains(&datagram[0]) {
            return false;
        }
        let Some(dtls) = &mut self.dtls else { return false };
        if let Some(association) = &mut dtls.association {
            let events = association.endpoint.read(now, association.gateway, None, BytesMut::from(datagram)).unwrap_or_default();
            if events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete)) {
                let contexts = dtls.contexts();
                dtls.association.as_mut().expect("a handshake").contexts = Some(contexts);
            }
        }
        self.sends_handshake();
        true
    }

    /// Repeats what is due; `true`: there are no keys yet.
    pub(super) fn repeats_handshake(&mut self, now: Instant) -> bool {
        let Some(dtls) = &mut self.dtls else { return false };
        let Some(association) = &mut dtls.association else { return true };
        if association.endpoint.poll_timeout(&association.gateway).is_some_and(|at| at <= now) {
            association.endpoint.handle_timeout(association.gateway, now).expect("repeated");
        }
        let awaits_keys = association.contexts.is_none();
        self.sends_handshake();
        awaits_keys
    }

    fn sends_handshake(&mut self) {
        let Some(association) = self.dtls.as_mut().and_then(|dtls| dtls.association.as_mut()) else { return };
        while let Some(transmit) = association.endpoint.poll_transmit() {
            self.rtp.send_to(&transmit.message, transmit.transport.peer_addr).expect("sent");
        }
    }
}

impl Phone {
    /// Has its keys by DTLS from its next call on: `protocol` of its line, and its `a=setup`.
    pub(in crate::scenario) fn shakes_hands(&self, protocol: &'static str, setup: &'static str, profile: UseSrtp) {
        self.line_mut().dtls = Some(PhoneDtls::new(profile, (protocol, setup)));
    }

    /// Names the fingerprint of a certificate that is not its own.
    pub(in crate::scenario) fn names_another_certificate(&self) {
        if let Some(dtls) = &mut self.line_mut().dtls {
            dtls.named = Fingerprint::of(&certificate().certificate[0]);
        }
    }

    /// Offers a handshake, and takes part in none.
    pub(in crate::scenario) fn never_shakes_hands(&self) {
        if let Some(dtls) = &mut self.line_mut().dtls {
            dtls.never = true;
        }
    }

    /// Takes another certificate, and says so by a re-INVITE.
    pub(in crate::scenario) fn changes_its_certificate(&self) {
        if let Some(dtls) = &mut self.line_mut().dtls {
            *dtls = PhoneDtls { begun: dtls.begun, ..PhoneDtls::new(dtls.profile, dtls.offered) };
        }
        self.reinvites("sendrecv");
    }

    /// Handshakes that it has begun or waited for.
    pub(in crate::scenario) fn handshakes(&self) -> usize {
        self.line().dtls.as_ref().map_or(0, |dtls| dtls.begun)
    }
}
