//! Master keys: made ([`KeyGenerator`]), kept secret ([`MasterKey`]), and turned into session keys (RFC 3711 section 4.3).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use rtc_crypto::{RTCCrypto, StreamCipherAlgorithm};
use zeroize::Zeroizing;

use super::error::SrtpError;
use super::suite::CryptoSuite;
use crate::common::redact::Redacted;

/// The longest master key identifier (RFC 4568 section 6.1).
const LONGEST_IDENTIFIER: usize = 128;

/// A master key identifier, as it stands in each packet: 1 to 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterKeyIdentifier(Vec<u8>);

impl MasterKeyIdentifier {
    /// The identifier `value`, big-endian in `length` bytes. `None` where it does not fit, or the length is not from 1 to 128.
    #[must_use]
    pub fn new(value: u128, length: usize) -> Option<Self> {
        let bytes = value.to_be_bytes();
        if !(1..=LONGEST_IDENTIFIER).contains(&length) {
            return None;
        }
        if let Some(padding) = length.checked_sub(bytes.len()) {
            return Some(Self([vec![0; padding], bytes.to_vec()].concat()));
        }
        let (high, low) = bytes.split_at(bytes.len() - length);
        high.iter().all(|byte| *byte == 0).then(|| Self(low.to_vec()))
    }

    /// The bytes in a packet.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number that it is.
    #[must_use]
    pub fn value(&self) -> u128 {
        // More than 16 bytes begin with zeros, by `new`.
        self.0.iter().fold(0, |value, byte| value << 8 | u128::from(*byte))
    }
}

/// Master key and master salt of one direction.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    /// The key, and the salt behind it.
    material: Redacted<Vec<u8>>,
    identifier: Option<MasterKeyIdentifier>,
}

impl MasterKey {
    /// Takes key and salt, one behind the other; `None` where their length is not that of `suite`.
    #[must_use]
    pub fn new(suite: CryptoSuite, material: Vec<u8>, identifier: Option<MasterKeyIdentifier>) -> Option<Self> {
        let material = Redacted::new(material);
        let fits = material.expose().len() == suite.key_length() + suite.salt_length();
        fits.then_some(Self { material, identifier })
    }

    /// Key and salt, one behind the other: for a description that goes to the peer, and for nothing else.
    #[must_use]
    pub fn material(&self) -> &[u8] {
        self.material.expose()
    }

    /// What names the key in packets, where there is more than one.
    #[must_use]
    pub fn identifier(&self) -> Option<&MasterKeyIdentifier> {
        self.identifier.as_ref()
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("identifier", &self.identifier).finish_non_exhaustive()
    }
}

/// The keys of one direction. Its sender protects with the first; the receiver takes packets of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrtpKeys {
    /// The transform.
    pub suite: CryptoSuite,
    /// At least one; more than one only where each has an identifier of the same length.
    pub keys: Vec<MasterKey>,
}

/// The keys of both directions, of the same suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrtpKeyPair {
    /// What we protect with.
    pub ours: SrtpKeys,
    /// What the peer protects with.
    pub theirs: SrtpKeys,
}

/// Makes our own keys: a stream of numbers that nobody guesses whose seed nobody guesses.
#[derive(Clone)]
pub struct KeyGenerator(ChaCha20Rng);

impl KeyGenerator {
    /// The keys that follow from `seed`, which is to come from the operating system outside tests.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// A key of its own for `suite`, without an identifier.
    pub fn generate(&mut self, suite: CryptoSuite) -> SrtpKeys {
        let mut material = vec![0; suite.key_length() + suite.salt_length()];
        self.0.fill_bytes(&mut material);
        SrtpKeys { suite, keys: vec![MasterKey { material: Redacted::new(material), identifier: None }] }
    }

    /// A text of so many letters, digits, `+` and `/` that nobody guesses, 6 bits each: for ICE.
    pub fn text(&mut self, length: usize) -> String {
        let mut random = vec![0; length];
        self.0.fill_bytes(&mut random);
        BASE64.encode(random).chars().take(length).collect()
    }
}

impl fmt::Debug for KeyGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyGenerator")
    }
}

/// What a session key is for (RFC 3711 section 4.3.2).
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Label {
    RtpEncryption = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpEncryption = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// Derives the session key for `label`, with a key derivation rate of zero: once for the life of the master key.
pub(super) fn derive(
    crypto: &dyn RTCCrypto,
    suite: CryptoSuite,
    material: &[u8],
    label: Label,
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, SrtpError> {
    let (key, salt) = material.split_at_checked(suite.key_length()).ok_or(SrtpError::Cipher)?;
    // The salt of 14 bytes, that of 12 filled up with zeros (RFC 7714 section 11), then the block counter.
    let mut counter = [0u8; 16];
    counter.iter_mut().zip(salt).for_each(|(byte, salt)| *byte = *salt);
    counter[7] ^= label as u8;
    let algorithm = stream_cipher(suite);
    let mut session_key = Zeroizing::new(vec![0; length]);
    let mut cipher = crypto.new_stream_cipher(algorithm, key).map_err(|_| SrtpError::Cipher)?;
    cipher.apply_keystream(&counter, &mut session_key).map_err(|_| SrtpError::Cipher)?;
    Ok(session_key)
}

/// The counter mode of the suite's key length, in which all its session keys are derived.
pub(super) fn stream_cipher(suite: CryptoSuite) -> StreamCipherAlgorithm {
    if suite.key_length() == 16 { StreamCipherAlgorithm::Aes128Ctr } else { StreamCipherAlgorithm::Aes256Ctr }
}
