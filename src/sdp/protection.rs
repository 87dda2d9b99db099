//! Which protection a line of an offer or answer can have, and which one is taken (A-3, RFC 4568 section 7, RFC 5939).

use super::crypto::{self, CryptoAttribute};
use super::potential::potential_configurations;
use super::{AnswerError, Attribute, LocalCapabilities, MediaSection, Protection, SessionDescription, SrtpPolicy};
use crate::rtp::srtp::{CryptoSuite, KeyGenerator, SrtpKeyPair};

/// How RTP travels by the protocol of an `m=` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Profile {
    /// Plain, unless attributes say more.
    Plain,
    /// SRTP.
    Secure,
}

impl Profile {
    fn read(protocol: &str) -> Option<Self> {
        match protocol.to_ascii_uppercase().as_str() {
            "RTP/AVP" | "RTP/AVPF" => Some(Self::Plain),
            "RTP/SAVP" | "RTP/SAVPF" | "UDP/TLS/RTP/SAVP" | "UDP/TLS/RTP/SAVPF" => Some(Self::Secure),
            _ => None,
        }
    }
}

/// The protection that is taken, and what our line says of it.
pub(super) struct ChosenProtection {
    pub(super) protection: Protection,
    /// The protocol of the answered line.
    pub(super) protocol: String,
    /// `a=crypto`, `a=acfg`.
    pub(super) attributes: Vec<Attribute>,
}

impl ChosenProtection {
    fn plain(media: &MediaSection) -> Self {
        Self { protection: Protection::Plain, protocol: media.protocol.clone(), attributes: Vec::new() }
    }
}

/// Chooses the protection of an offered line: encrypted wherever the policy allows it and the line names a suite that we have, in whichever form.
///
/// # Errors
/// When policy and line have nothing in common.
pub(super) fn choose(
    session: &SessionDescription,
    media: &MediaSection,
    ours: &LocalCapabilities,
    keys: &mut KeyGenerator,
) -> Result<ChosenProtection, AnswerError> {
    let profile = Profile::read(&media.protocol).ok_or(AnswerError::UnknownTransport)?;
    match (profile, ours.srtp) {
        (Profile::Plain, SrtpPolicy::Off) => return Ok(ChosenProtection::plain(media)),
        (Profile::Secure, SrtpPolicy::Off) => return Err(AnswerError::SrtpOff),
        _ => {}
    }
    for configuration in potential_configurations(session, media) {
        if Profile::read(&configuration.protocol) == Some(Profile::Secure)
            && let Some(theirs) = cryptos(&configuration.attributes).next()
        {
            let (protection, crypto) = answer_with(theirs, ours, keys);
            let attributes = vec![crypto, Attribute::new("acfg", Some(configuration.answer))];
            return Ok(ChosenProtection { protection, protocol: configuration.protocol, attributes });
        }
    }
    // Their order is the offerer's preference (RFC 4568 section 7.1.2).
    if let Some(theirs) = cryptos(&media.attributes).next() {
        let (protection, crypto) = answer_with(theirs, ours, keys);
        return Ok(ChosenProtection { protection, protocol: media.protocol.clone(), attributes: vec![crypto] });
    }
    match (profile, ours.srtp) {
        (Profile::Plain, SrtpPolicy::Preferred | SrtpPolicy::Off) => Ok(ChosenProtection::plain(media)),
        (Profile::Plain, SrtpPolicy::Required) => Err(AnswerError::SrtpRequired),
        (Profile::Secure, _) => Err(without_suite(session, media)),
    }
}

/// The protection that an answer to an offer of ours has taken.
///
/// # Errors
/// When it takes none that was offered, and plain RTP is not allowed.
pub(super) fn accept(
    offered: &MediaSection,
    session: &SessionDescription,
    answered: &MediaSection,
    policy: SrtpPolicy,
) -> Result<Protection, AnswerError> {
    let profile = Profile::read(&answered.protocol).ok_or(AnswerError::UnknownTransport)?;
    let ours: Vec<_> = cryptos(&offered.attributes).collect();
    // The answer names the tag of the offer; some phones write one of their own, and then the suite tells.
    let pair = |theirs: &CryptoAttribute| {
        let same_suite = |ours: &&CryptoAttribute| ours.keys.suite == theirs.keys.suite;
        ours.iter().find(|ours| same_suite(ours) && ours.tag == theirs.tag).or_else(|| ours.iter().find(same_suite)).cloned()
    };
    if let Some((ours, theirs)) = cryptos(&answered.attributes).find_map(|theirs| Some((pair(&theirs)?, theirs))) {
        return Ok(Protection::Sdes(SrtpKeyPair { ours: ours.keys, theirs: theirs.keys }));
    }
    match (profile, policy) {
        (Profile::Plain, SrtpPolicy::Required) => Err(AnswerError::SrtpRequired),
        (Profile::Plain, _) => Ok(Protection::Plain),
        (Profile::Secure, SrtpPolicy::Off) => Err(AnswerError::SrtpOff),
        (Profile::Secure, _) => Err(without_suite(session, answered)),
    }
}

/// What a line of our own offer says of its protection. What was agreed on before is offered again, with the same key: a new key is made only when
/// the peer makes one.
pub(super) fn offered(
    ours: &LocalCapabilities,
    known: Option<&MediaSection>,
    keys: &mut KeyGenerator,
) -> (String, Vec<Attribute>) {
    let before = known.map(|media| media.protocol.clone());
    let again: Vec<_> = known.into_iter().flat_map(|media| cryptos(&media.attributes)).collect();
    let protocol = before.unwrap_or_else(|| match ours.srtp {
        SrtpPolicy::Required => "RTP/SAVP".to_owned(),
        // Best effort: who does not know `a=crypto` answers without it.
        SrtpPolicy::Preferred | SrtpPolicy::Off => "RTP/AVP".to_owned(),
    });
    let listed = match (&ours.protection, ours.srtp) {
        (_, SrtpPolicy::Off) | (Some(Protection::Plain), SrtpPolicy::Preferred) => Vec::new(),
        _ if !again.is_empty() => again,
        _ => (1..).zip(CryptoSuite::ALL).map(|(tag, suite)| CryptoAttribute { tag, keys: keys.generate(suite) }).collect(),
    };
    (protocol, listed.iter().map(attribute).collect())
}

/// Our key for what the peer has offered: the one before, while the peer keeps its own, so that neither end loses count of rollovers; else a new one.
fn answer_with(theirs: CryptoAttribute, ours: &LocalCapabilities, keys: &mut KeyGenerator) -> (Protection, Attribute) {
    let kept = match &ours.protection {
        Some(Protection::Sdes(before)) if before.theirs == theirs.keys => Some(before.ours.clone()),
        _ => None,
    };
    let own = kept.unwrap_or_else(|| keys.generate(theirs.keys.suite));
    let crypto = attribute(&CryptoAttribute { tag: theirs.tag, keys: own.clone() });
    (Protection::Sdes(SrtpKeyPair { ours: own, theirs: theirs.keys }), crypto)
}

/// The crypto attributes that we can use, in their order.
fn cryptos(attributes: &[Attribute]) -> impl Iterator<Item = CryptoAttribute> + '_ {
    let named = attributes.iter().filter(|attribute| attribute.name.eq_ignore_ascii_case(crypto::NAME));
    named.filter_map(|attribute| CryptoAttribute::parse(attribute.value.as_deref()?).ok())
}

fn attribute(crypto: &CryptoAttribute) -> Attribute {
    Attribute::new(crypto::NAME, Some(crypto.to_string()))
}

/// What a secure line without a usable `a=crypto` lacks.
fn without_suite(session: &SessionDescription, media: &MediaSection) -> AnswerError {
    let fingerprint =
        |attributes: &[Attribute]| attributes.iter().any(|attribute| attribute.name.eq_ignore_ascii_case("fingerprint"));
    let by_dtls = fingerprint(&media.attributes) || fingerprint(&session.attributes);
    let any_crypto = media.attribute(crypto::NAME).is_some();
    if by_dtls && !any_crypto { AnswerError::DtlsOnly } else { AnswerError::NoCommonSuite }
}
