//! A phone that speaks SRTP by SDES, with the contexts of `rtc-srtp`: a peer that shared our own would prove less.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_no_replay_protection, srtp_no_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

use super::{Line, Phone};

/// How a phone says that it can encrypt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) enum OfferForm {
    /// `RTP/SAVP` alone.
    Secure,
    /// A line of `RTP/SAVP`, and one of `RTP/AVP` behind it.
    TwoLines,
    /// `a=crypto` in `RTP/AVP`.
    CryptoInPlainLine,
    /// A potential configuration (RFC 5939).
    Capability,
}

impl OfferForm {
    pub(in crate::scenario) const ALL: [Self; 4] = [Self::Secure, Self::TwoLines, Self::CryptoInPlainLine, Self::Capability];
}

/// A suite, as phones name it, with the length of its key and of its salt.
#[derive(Debug, Clone, Copy)]
pub(in crate::scenario) struct Suite {
    pub(in crate::scenario) name: &'static str,
    profile: ProtectionProfile,
}

/// Every suite.
pub(in crate::scenario) const SUITES: [Suite; 6] = [
    Suite { name: "AES_CM_128_HMAC_SHA1_80", profile: ProtectionProfile::Aes128CmHmacSha1_80 },
    Suite { name: "AES_CM_128_HMAC_SHA1_32", profile: ProtectionProfile::Aes128CmHmacSha1_32 },
    Suite { name: "AES_256_CM_HMAC_SHA1_80", profile: ProtectionProfile::Aes256CmHmacSha1_80 },
    Suite { name: "AES_256_CM_HMAC_SHA1_32", profile: ProtectionProfile::Aes256CmHmacSha1_32 },
    Suite { name: "AEAD_AES_128_GCM", profile: ProtectionProfile::AeadAes128Gcm },
    Suite { name: "AEAD_AES_256_GCM", profile: ProtectionProfile::AeadAes256Gcm },
];

/// The SRTP of a phone.
pub(super) struct PhoneSrtp {
    form: OfferForm,
    suite: Suite,
    /// Its key and salt: bytes that begin with this one.
    key: u8,
    sender: Context,
    /// The gateway's key and what it protects.
    receiver: Option<(String, Context)>,
}

impl PhoneSrtp {
    fn new(form: OfferForm, suite: Suite) -> Self {
        let key = 1;
        Self { form, suite, key, sender: context(suite, &material(suite, key)), receiver: None }
    }

    /// The description with the phone's key, in its form.
    pub(super) fn describe(&self, plain: &str) -> String {
        let crypto = format!("1 {} inline:{}", self.suite.name, BASE64.encode(material(self.suite, self.key)));
        let (head, media) = plain.split_at(plain.find("m=audio").expect("audio"));
        let secure = format!("{}a=crypto:{crypto}\r\n", media.replace("RTP/AVP", "RTP/SAVP"));
        match self.form {
            OfferForm::Secure => format!("{head}{secure}"),
            OfferForm::TwoLines => format!("{head}{secure}{media}"),
            OfferForm::CryptoInPlainLine => format!("{plain}a=crypto:{crypto}\r\n"),
            OfferForm::Capability => {
                format!("{plain}a=tcap:1 RTP/SAVP\r\na=acap:1 crypto:{crypto}\r\na=pcfg:1 t=1 a=1\r\n")
            }
        }
    }

    /// Takes the gateway's key.
    pub(super) fn answered(&mut self, sdp: &str) {
        let crypto = sdp.lines().find_map(|line| line.strip_prefix("a=crypto:")).unwrap_or_else(|| panic!("no key: {sdp}"));
        let of_suite = format!("1 {} inline:", self.suite.name);
        let key = crypto.trim().strip_prefix(&of_suite).unwrap_or_else(|| panic!("another suite: {crypto}"));
        // The same key goes on where it was.
        if self.receiver.as_ref().is_none_or(|(known, _)| known != key) {
            self.receiver = Some((key.to_owned(), context(self.suite, &BASE64.decode(key).expect("base64"))));
        }
    }

    pub(super) fn protect_rtp(&mut self, packet: &[u8]) -> Vec<u8> {
        self.sender.encrypt_rtp(packet).expect("protects").to_vec()
    }

    pub(super) fn protect_rtcp(&mut self, packet: &[u8]) -> Vec<u8> {
        self.sender.encrypt_rtcp(packet).expect("protects").to_vec()
    }

    pub(super) fn unprotect_rtp(&mut self, datagram: &[u8]) -> Vec<u8> {
        let (_, context) = self.receiver.as_mut().expect("the gateway's key");
        context.decrypt_rtp(datagram).expect("a packet of the gateway's key").to_vec()
    }
}

fn material(suite: Suite, first: u8) -> Vec<u8> {
    (first..).take(suite.profile.key_len() + suite.profile.salt_len()).collect()
}

fn context(suite: Suite, material: &[u8]) -> Context {
    let (key, salt) = material.split_at(suite.profile.key_len());
    let crypto = rtc_crypto::default_provider().expect("ring");
    let (rtp, rtcp) = (Some(srtp_no_replay_protection()), Some(srtcp_no_replay_protection()));
    Context::new(key, salt, suite.profile, rtp, rtcp, crypto.crypto()).expect("a context")
}

impl Line {
    /// What is sent for an RTP packet.
    pub(super) fn protected(&mut self, packet: Vec<u8>) -> Vec<u8> {
        match (&mut self.srtp, &mut self.dtls) {
            (Some(srtp), _) => srtp.protect_rtp(&packet),
            (None, Some(dtls)) => dtls.protect_rtp(&packet),
            (None, None) => packet,
        }
    }
}

impl Phone {
    /// Encrypts from its next call on, and says so in this form.
    pub(in crate::scenario) fn encrypts(&self, form: OfferForm, suite: Suite) {
        self.line_mut().srtp = Some(PhoneSrtp::new(form, suite));
    }

    /// Takes another key, and says so by a re-INVITE.
    pub(in crate::scenario) fn changes_its_key(&self) {
        if let Some(srtp) = &mut self.line_mut().srtp {
            srtp.key += 1;
            srtp.sender = context(srtp.suite, &material(srtp.suite, srtp.key));
        }
        self.reinvites("sendrecv");
    }

    /// Whether the gateway has taken another key than this, or the first one at all; gives the one that it has.
    pub(in crate::scenario) fn gateway_key(&self) -> String {
        let line = self.line();
        let (key, _) = line.srtp.as_ref().and_then(|srtp| srtp.receiver.as_ref()).expect("the gateway's key");
        key.clone()
    }
}
