//! [`Fingerprint`]: by what a description names the certificate of a handshake (RFC 8122 section 5).

use std::fmt;

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// A hash function that fingerprints are taken by. MD5 and older ones are not (RFC 8122 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum HashFunction {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl HashFunction {
    const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

/// The hash of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    function: HashFunction,
    digest: Vec<u8>,
}

impl Fingerprint {
    /// The fingerprint of a certificate, by SHA-256.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        let function = HashFunction::Sha256;
        Self { function, digest: function.digest(certificate) }
    }

    /// Reads the value of `a=fingerprint`; `None` for a hash function that is not taken, or digits that are no hash of it.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (name, digits) = value.trim().split_once(' ')?;
        let function = HashFunction::ALL.into_iter().find(|function| name.eq_ignore_ascii_case(function.name()))?;
        let is_byte = |text: &str| text.len() == 2 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let byte = |text: &str| if is_byte(text) { u8::from_str_radix(text, 16).ok() } else { None };
        let digest: Vec<u8> = digits.trim().split(':').map(byte).collect::<Option<_>>()?;
        (digest.len() == function.digest(&[]).len()).then_some(Self { function, digest })
    }

    /// Whether it is that of this certificate (DER).
    #[must_use]
    pub fn is_of(&self, certificate: &[u8]) -> bool {
        self.function.digest(certificate) == self.digest
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function.name())?;
        self.digest.iter().enumerate().try_for_each(|(at, byte)| write!(f, "{}{byte:02X}", if at == 0 { ' ' } else { ':' }))
    }
}
