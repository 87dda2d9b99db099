//! [`CryptoAttribute`]: `a=crypto`, which carries suite and keys of SRTP (RFC 4568, 6188, 7714).

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::rtp::srtp::{CryptoSuite, MasterKey, MasterKeyIdentifier, SrtpKeys};

/// The name of the attribute.
pub(super) const NAME: &str = "crypto";
/// Keys taken from one attribute; later ones are refused with it.
const MOST_KEYS: usize = 8;
/// As many packets as one key may protect at most (RFC 3711 section 9.2).
const LONGEST_LIFETIME: u64 = 1 << 48;

/// Keys are printed with padding and read with or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// One `a=crypto`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CryptoAttribute {
    /// What an answer names it by.
    pub tag: u32,
    /// Suite and keys of whoever wrote it.
    pub keys: SrtpKeys,
}

/// Why an `a=crypto` cannot be used. Another of the same line may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CryptoAttributeError {
    /// Not of the form that RFC 4568 section 9.1 gives.
    #[error("it is malformed")]
    Malformed,
    /// A suite that is not spoken.
    #[error("its suite is not known")]
    UnknownSuite,
    /// A session parameter that would have to be followed and is not: another derivation rate, or packets without encryption or authentication.
    #[error("it has a session parameter that is not supported")]
    UnsupportedParameter,
}

// === impl CryptoAttribute ===

impl CryptoAttribute {
    /// Reads the attribute's value.
    ///
    /// A key's lifetime is checked and not kept: the peer counts its packets, and takes a new key by a new offer. A key is given up by us at the
    /// limit of RFC 3711 section 9.2 alone.
    ///
    /// # Errors
    /// When it is malformed, or asks for something that is not supported.
    pub fn parse(value: &str) -> Result<Self, CryptoAttributeError> {
        let mut fields = value.split_ascii_whitespace();
        let tag = fields.next().and_then(read_tag).ok_or(CryptoAttributeError::Malformed)?;
        let suite = fields.next().ok_or(CryptoAttributeError::Malformed)?;
        let suite = CryptoSuite::from_name(suite).ok_or(CryptoAttributeError::UnknownSuite)?;
        let keys =
            read_keys(suite, fields.next().ok_or(CryptoAttributeError::Malformed)?).ok_or(CryptoAttributeError::Malformed)?;
        if !fields.all(is_parameter_supported) {
            return Err(CryptoAttributeError::UnsupportedParameter);
        }
        Ok(Self { tag, keys: SrtpKeys { suite, keys } })
    }
}

impl fmt::Display for CryptoAttribute {
    /// The attribute's value, secret keys included.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.tag, self.keys.suite.name())?;
        for (at, key) in self.keys.keys.iter().enumerate() {
            let separator = if at == 0 { "" } else { ";" };
            write!(f, "{separator}inline:{}", BASE64.encode(key.material()))?;
            if let Some(identifier) = key.identifier() {
                write!(f, "|{}:{}", identifier.value(), identifier.bytes().len())?;
            }
        }
        Ok(())
    }
}

/// 1 to 9 digits.
fn read_tag(text: &str) -> Option<u32> {
    (text.len() <= 9 && is_number(text)).then(|| text.parse().ok())?
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `inline:KEY|LIFETIME|MKI:LENGTH`, several of them by semicolons. Several need an identifier each, all of one length.
fn read_keys(suite: CryptoSuite, text: &str) -> Option<Vec<MasterKey>> {
    let keys: Vec<_> = text.split(';').take(MOST_KEYS + 1).map(|one| read_key(suite, one)).collect::<Option<_>>()?;
    let length = |key: &MasterKey| key.identifier().map(|identifier| identifier.bytes().len());
    let first = length(keys.first()?);
    let fits = match keys.as_slice() {
        [_] => true,
        _ => first.is_some() && keys.iter().all(|key| length(key) == first) && keys.len() <= MOST_KEYS,
    };
    fits.then_some(keys)
}

fn read_key(suite: CryptoSuite, text: &str) -> Option<MasterKey> {
    let (method, rest) = text.split_once(':')?;
    if !method.eq_ignore_ascii_case("inline") {
        return None;
    }
    let mut parts = rest.split('|');
    let material = BASE64.decode(parts.next()?).ok()?;
    let mut identifier = None;
    let mut lifetime_seen = false;
    for part in parts {
        match part.split_once(':') {
            Some((value, length)) if identifier.is_none() => identifier = Some(read_identifier(value, length)?),
            None if !lifetime_seen && identifier.is_none() && is_lifetime(part) => lifetime_seen = true,
            _ => return None,
        }
    }
    MasterKey::new(suite, material, identifier)
}

fn read_identifier(value: &str, length: &str) -> Option<MasterKeyIdentifier> {
    let number = is_number(value) && is_number(length);
    number.then(|| MasterKeyIdentifier::new(value.parse().ok()?, length.parse().ok()?))?
}

/// A count of packets, or `2^` and its exponent.
fn is_lifetime(text: &str) -> bool {
    let count = match text.strip_prefix("2^") {
        Some(exponent) if is_number(exponent) => exponent.parse().ok().and_then(|exponent| 1_u64.checked_shl(exponent)),
        None if is_number(text) => text.parse().ok(),
        _ => None,
    };
    count.is_some_and(|count| (1..=LONGEST_LIFETIME).contains(&count))
}

/// Whether a session parameter (RFC 4568 section 6.3) changes nothing for us: a hint at the window, an order of error correction that is never sent, or what its
/// writer says may be ignored.
fn is_parameter_supported(parameter: &str) -> bool {
    let name = parameter.split('=').next().unwrap_or_default();
    let harmless = ["WSH", "FEC_ORDER", "FEC_KEY"].iter().any(|known| name.eq_ignore_ascii_case(known));
    let no_derivation = parameter.eq_ignore_ascii_case("KDR=0");
    harmless || no_derivation || parameter.starts_with('-')
}
