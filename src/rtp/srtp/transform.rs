//! [`Transform`]: encrypting and authenticating one packet, given its index (RFC 3711 section 4.1, RFC 7714 sections 8 and 9).

use rtc_crypto::{AeadAlgorithm, AeadCipher, HmacAlgorithm, Mac, RTCCrypto, StreamCipher, constant_time_eq};

use super::error::SrtpError;
use super::keys::{Label, derive, stream_cipher};
use super::suite::CryptoSuite;

/// Bytes of an untruncated HMAC-SHA1.
const HMAC_LENGTH: usize = 20;
/// Bytes of a tag of GCM.
const AEAD_TAG_LENGTH: usize = 16;

/// RTP or RTCP: each has session keys of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Protocol {
    Rtp,
    Rtcp,
}

/// What makes each packet's keystream another: whose packet it is, and its index (48 bits of RTP, 31 of RTCP).
#[derive(Clone, Copy)]
pub(super) struct Nonce {
    pub(super) ssrc: u32,
    pub(super) index: u64,
}

/// A tag; the first bytes of it are used.
pub(super) type Tag = [u8; HMAC_LENGTH];

/// Keyed ciphers of one master key and one protocol.
pub(super) struct Transform {
    cipher: Cipher,
    tag_length: usize,
}

enum Cipher {
    CounterMode { stream: Box<dyn StreamCipher>, mac: Box<dyn Mac>, salt: [u8; 14] },
    Galois { aead: Box<dyn AeadCipher>, salt: [u8; 12] },
}

// === impl Transform ===

impl Transform {
    /// Derives the session keys of `protocol` from a master key and its salt.
    pub(super) fn new(suite: CryptoSuite, material: &[u8], protocol: Protocol) -> Result<Self, SrtpError> {
        let provider = rtc_crypto::default_provider().map_err(|_| SrtpError::Cipher)?;
        let crypto = provider.crypto();
        let [encryption, authentication, salting] = match protocol {
            Protocol::Rtp => [Label::RtpEncryption, Label::RtpAuthentication, Label::RtpSalt],
            Protocol::Rtcp => [Label::RtcpEncryption, Label::RtcpAuthentication, Label::RtcpSalt],
        };
        let key = derive(crypto, suite, material, encryption, suite.key_length())?;
        let salt = derive(crypto, suite, material, salting, suite.salt_length())?;
        let authentication_key = derive(crypto, suite, material, authentication, HMAC_LENGTH)?;
        Self::from_session_keys(crypto, suite, protocol, [&key, &salt, &authentication_key])
    }

    /// The ciphers of session keys: of encryption, salt, and authentication, which GCM does not need.
    pub(super) fn from_session_keys(
        crypto: &dyn RTCCrypto,
        suite: CryptoSuite,
        protocol: Protocol,
        [key, salt, authentication]: [&[u8]; 3],
    ) -> Result<Self, SrtpError> {
        let cipher = if suite.is_aead() {
            let algorithm = if suite.key_length() == 16 { AeadAlgorithm::Aes128Gcm } else { AeadAlgorithm::Aes256Gcm };
            Cipher::Galois {
                aead: crypto.new_aead(algorithm, key).map_err(|_| SrtpError::Cipher)?,
                salt: salt.try_into().map_err(|_| SrtpError::Cipher)?,
            }
        } else {
            Cipher::CounterMode {
                stream: crypto.new_stream_cipher(stream_cipher(suite), key).map_err(|_| SrtpError::Cipher)?,
                mac: crypto.new_hmac(HmacAlgorithm::Sha1, authentication).map_err(|_| SrtpError::Cipher)?,
                salt: salt.try_into().map_err(|_| SrtpError::Cipher)?,
            }
        };
        let tag_length = match protocol {
            Protocol::Rtp => suite.rtp_tag_length(),
            Protocol::Rtcp => suite.rtcp_tag_length(),
        };
        Ok(Self { cipher, tag_length })
    }

    /// Encrypts `packet` behind its first `clear` bytes, and gives the tag. `trailer`: what is authenticated beyond the packet, which is the rollover
    /// counter of RTP in counter mode, the E flag and index of RTCP, or nothing.
    pub(super) fn seal(&mut self, packet: &mut [u8], clear: usize, nonce: Nonce, trailer: &[u8]) -> Result<Tag, SrtpError> {
        let mut tag = [0; HMAC_LENGTH];
        match &mut self.cipher {
            Cipher::CounterMode { stream, mac, salt } => {
                let payload = packet.get_mut(clear..).ok_or(SrtpError::Malformed)?;
                stream.apply_keystream(&counter(salt, nonce), payload).map_err(|_| SrtpError::Cipher)?;
                mac.sign(&[packet, trailer], &mut tag).map_err(|_| SrtpError::Cipher)?;
            }
            Cipher::Galois { aead, salt } => {
                let (header, payload) = packet.split_at_mut_checked(clear).ok_or(SrtpError::Malformed)?;
                let tag_bytes = tag.get_mut(..AEAD_TAG_LENGTH).ok_or(SrtpError::Cipher)?;
                let aad = [header, trailer].concat();
                aead.seal_in_place(&vector(salt, nonce), &aad, payload, tag_bytes).map_err(|_| SrtpError::Cipher)?;
            }
        }
        Ok(tag)
    }

    /// Verifies `tag` and decrypts. `packet` is worth nothing afterwards where this fails.
    pub(super) fn open(
        &mut self,
        packet: &mut [u8],
        clear: usize,
        nonce: Nonce,
        trailer: &[u8],
        tag: &[u8],
    ) -> Result<(), SrtpError> {
        match &mut self.cipher {
            Cipher::CounterMode { stream, mac, salt } => {
                let mut expected = [0; HMAC_LENGTH];
                mac.sign(&[packet, trailer], &mut expected).map_err(|_| SrtpError::Cipher)?;
                if tag.len() != self.tag_length || !constant_time_eq(expected.get(..self.tag_length).unwrap_or_default(), tag) {
                    return Err(SrtpError::WrongTag);
                }
                let payload = packet.get_mut(clear..).ok_or(SrtpError::Malformed)?;
                stream.apply_keystream(&counter(salt, nonce), payload).map_err(|_| SrtpError::Cipher)
            }
            Cipher::Galois { aead, salt } => {
                let (header, payload) = packet.split_at_mut_checked(clear).ok_or(SrtpError::Malformed)?;
                let aad = [header, trailer].concat();
                aead.open_in_place(&vector(salt, nonce), &aad, payload, tag).map_err(|_| SrtpError::WrongTag)
            }
        }
    }

    /// Bytes of the tag.
    pub(super) fn tag_length(&self) -> usize {
        self.tag_length
    }

    /// Whether the tag covers the rollover counter explicitly; in GCM it is part of the nonce alone.
    pub(super) fn authenticates_rollover(&self) -> bool {
        matches!(self.cipher, Cipher::CounterMode { .. })
    }
}

/// First counter block of a packet: (salt * 2^16) XOR (SSRC * 2^64) XOR (index * 2^16), RFC 3711 section 4.1.1.
fn counter(salt: &[u8; 14], nonce: Nonce) -> [u8; 16] {
    let value = u128::from(nonce.ssrc) << 64 ^ u128::from(nonce.index) << 16;
    let mut block = value.to_be_bytes();
    block.iter_mut().zip(salt).for_each(|(byte, salt)| *byte ^= salt);
    block
}

/// Initialization vector of GCM: two zero bytes, SSRC, 48 bits of index, XOR the salt (RFC 7714 sections 8.1 and 9.1).
fn vector(salt: &[u8; 12], nonce: Nonce) -> [u8; 12] {
    let value = (u128::from(nonce.ssrc) << 48 | u128::from(nonce.index)).to_be_bytes();
    let mut vector = *salt;
    vector.iter_mut().zip(value.iter().skip(4)).for_each(|(byte, value)| *byte ^= value);
    vector
}
