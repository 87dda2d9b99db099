//! Which protection a line of an offer or answer can have, and which one is taken (A-3, RFC 4568 section 7, RFC 5763, RFC 5939).
//!
//! Of one line, SDES is taken before DTLS: its media flows from the first packet on, while a handshake takes round trips in which nobody is heard.
//! Between lines their order decides, as everywhere.

use super::crypto::{self, CryptoAttribute};
use super::dtls::{self, DtlsDescription, Setup};
use super::lines::remote_of;
use super::potential::{PotentialConfiguration, potential_configurations};
use super::{AnswerError, Attribute, LocalCapabilities, MediaSection, Protection, SessionDescription, SrtpPolicy};
use crate::rtp::dtls::{DtlsParameters, DtlsRole};
use crate::rtp::srtp::{CryptoSuite, KeyGenerator, SrtpKeyPair};

/// The protocol of lines of our own whose keys come by DTLS (RFC 5764 section 9).
const DTLS_PROTOCOL: &str = "UDP/TLS/RTP/SAVP";

/// How RTP travels by the protocol of an `m=` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Profile {
    /// Plain, unless attributes say more.
    Plain,
    /// SRTP.
    Secure,
    /// SRTP with keys by DTLS.
    Dtls,
}

impl Profile {
    fn read(protocol: &str) -> Option<Self> {
        match protocol.to_ascii_uppercase().as_str() {
            "RTP/AVP" | "RTP/AVPF" => Some(Self::Plain),
            "RTP/SAVP" | "RTP/SAVPF" => Some(Self::Secure),
            "UDP/TLS/RTP/SAVP" | "UDP/TLS/RTP/SAVPF" => Some(Self::Dtls),
            _ => None,
        }
    }
}

/// The protection that is taken, and what our line says of it.
pub(super) struct ChosenProtection {
    pub(super) protection: Protection,
    /// The protocol of the answered line.
    pub(super) protocol: String,
    /// `a=crypto`, `a=fingerprint`, `a=setup`, `a=acfg`.
    pub(super) attributes: Vec<Attribute>,
}

/// An offered line, and what we can do.
struct OfferedLine<'a> {
    session: &'a SessionDescription,
    media: &'a MediaSection,
    ours: &'a LocalCapabilities,
}

/// Chooses the protection of an offered line: encrypted wherever the policy allows it and the line names a suite or a fingerprint that we can use,
/// in whichever form.
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
    let line = OfferedLine { session, media, ours };
    let chosen = match (profile, ours.srtp) {
        (Profile::Plain, SrtpPolicy::Off) => return Ok(line.plain()),
        (_, SrtpPolicy::Off) => return Err(AnswerError::SrtpOff),
        (_, SrtpPolicy::Dtls) => line.dtls(profile),
        (Profile::Dtls, _) => line.dtls(profile).or_else(|| line.sdes(keys)),
        _ => line.sdes(keys).or_else(|| line.dtls(profile)),
    };
    match (chosen, profile, ours.srtp) {
        (Some(chosen), ..) => Ok(chosen),
        (None, Profile::Plain, SrtpPolicy::Preferred | SrtpPolicy::Off) => Ok(line.plain()),
        (None, Profile::Plain, SrtpPolicy::Required) => Err(AnswerError::SrtpRequired),
        (None, Profile::Plain | Profile::Secure, SrtpPolicy::Dtls) => Err(AnswerError::DtlsRequired),
        (None, Profile::Secure, _) => Err(AnswerError::NoCommonSuite),
        (None, Profile::Dtls, _) => Err(AnswerError::UnusableFingerprint),
    }
}

// === impl OfferedLine ===

impl OfferedLine<'_> {
    fn plain(&self) -> ChosenProtection {
        ChosenProtection { protection: Protection::Plain, protocol: self.media.protocol.clone(), attributes: Vec::new() }
    }

    /// The potential configurations that are secure, the most wanted first.
    fn configurations(&self) -> impl Iterator<Item = (Profile, PotentialConfiguration)> {
        let all = potential_configurations(self.session, self.media).into_iter();
        all.filter_map(|one| Some((Profile::read(&one.protocol).filter(|profile| *profile != Profile::Plain)?, one)))
    }

    /// The first crypto attribute that we can use: their order is the offerer's preference (RFC 4568 section 7.1.2).
    fn sdes(&self, keys: &mut KeyGenerator) -> Option<ChosenProtection> {
        for (profile, configuration) in self.configurations() {
            if profile == Profile::Secure
                && let Some(theirs) = cryptos(&configuration.attributes).next()
            {
                let (protection, crypto) = answer_with(theirs, self.ours, keys);
                let attributes = vec![crypto, Attribute::new("acfg", Some(configuration.answer))];
                return Some(ChosenProtection { protection, protocol: configuration.protocol, attributes });
            }
        }
        let (protection, crypto) = answer_with(cryptos(&self.media.attributes).next()?, self.ours, keys);
        Some(ChosenProtection { protection, protocol: self.media.protocol.clone(), attributes: vec![crypto] })
    }

    fn dtls(&self, profile: Profile) -> Option<ChosenProtection> {
        for (_, configuration) in self.configurations() {
            if let Some(theirs) = DtlsDescription::read(&configuration.attributes, self.session, self.media) {
                let mut chosen = self.answer_handshake(theirs, configuration.protocol);
                chosen.attributes.push(Attribute::new("acfg", Some(configuration.answer)));
                return Some(chosen);
            }
        }
        let theirs = DtlsDescription::read(&[], self.session, self.media)?;
        // A fingerprint alone does not offer a handshake, where the protocol does not say so.
        let is_offered = profile == Profile::Dtls || theirs.setup.is_some();
        is_offered.then(|| self.answer_handshake(theirs, self.media.protocol.clone()))
    }

    fn answer_handshake(&self, theirs: DtlsDescription, protocol: String) -> ChosenProtection {
        let role = match theirs.setup {
            Some(Setup::Passive) => DtlsRole::Client,
            Some(Setup::ActPass) => self.preferred_role(),
            // RFC 4145 section 4.1: the default of an offer.
            Some(Setup::Active) | None => DtlsRole::Server,
        };
        let identity = self.ours.identity.clone();
        let attributes = dtls::attributes(&identity, Setup::of(role));
        let protection = Protection::Dtls(DtlsParameters { role, fingerprints: theirs.fingerprints, identity });
        ChosenProtection { protection, protocol, attributes }
    }

    /// The role of the association that there is. Of a new one we begin (RFC 5763 section 5), unless the peer is behind a NAT, where nothing of
    /// ours arrives before something of its own has come.
    fn preferred_role(&self) -> DtlsRole {
        if let Some(Protection::Dtls(before)) = &self.ours.protection {
            return before.role;
        }
        let is_direct = remote_of(self.session, self.media, self.ours.address)
            .is_ok_and(|remote| remote.ip().to_canonical() == self.ours.signalling.to_canonical());
        if is_direct { DtlsRole::Client } else { DtlsRole::Server }
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
    ours: &LocalCapabilities,
) -> Result<Protection, AnswerError> {
    let profile = Profile::read(&answered.protocol).ok_or(AnswerError::UnknownTransport)?;
    if let Some(keys) = accept_keys(offered, answered) {
        return Ok(Protection::Sdes(keys));
    }
    if let Some(parameters) = accept_handshake(offered, session, answered, ours) {
        return Ok(Protection::Dtls(parameters));
    }
    match (profile, ours.srtp) {
        (Profile::Plain, SrtpPolicy::Required) => Err(AnswerError::SrtpRequired),
        (Profile::Plain | Profile::Secure, SrtpPolicy::Dtls) => Err(AnswerError::DtlsRequired),
        (Profile::Plain, _) => Ok(Protection::Plain),
        (_, SrtpPolicy::Off) => Err(AnswerError::SrtpOff),
        (Profile::Secure, _) => Err(AnswerError::NoCommonSuite),
        (Profile::Dtls, _) => Err(AnswerError::UnusableFingerprint),
    }
}

fn accept_keys(offered: &MediaSection, answered: &MediaSection) -> Option<SrtpKeyPair> {
    let ours: Vec<_> = cryptos(&offered.attributes).collect();
    // The answer names the tag of the offer; some phones write one of their own, and then the suite tells.
    let pair = |theirs: &CryptoAttribute| {
        let same_suite = |ours: &&CryptoAttribute| ours.keys.suite == theirs.keys.suite;
        ours.iter().find(|ours| same_suite(ours) && ours.tag == theirs.tag).or_else(|| ours.iter().find(same_suite)).cloned()
    };
    let (ours, theirs) = cryptos(&answered.attributes).find_map(|theirs| Some((pair(&theirs)?, theirs)))?;
    Some(SrtpKeyPair { ours: ours.keys, theirs: theirs.keys })
}

fn accept_handshake(
    offered: &MediaSection,
    session: &SessionDescription,
    answered: &MediaSection,
    ours: &LocalCapabilities,
) -> Option<DtlsParameters> {
    let setup = dtls::setup_of(offered)?;
    let theirs = DtlsDescription::read(&[], session, answered)?;
    let role = match (setup, theirs.setup) {
        (Setup::Passive, _) | (Setup::ActPass, Some(Setup::Active)) => DtlsRole::Server,
        // RFC 4145 section 4.1: the default of an answer is passive. Who leaves it open waits for us.
        (Setup::Active, _) | (Setup::ActPass, Some(Setup::Passive | Setup::ActPass) | None) => DtlsRole::Client,
    };
    Some(DtlsParameters { role, fingerprints: theirs.fingerprints, identity: ours.identity.clone() })
}

/// What a line of our own offer says of its protection. What was agreed on before is offered again, with the same key or in the same role: a new
/// key is made only when the peer makes one.
pub(super) fn offered(
    ours: &LocalCapabilities,
    known: Option<&MediaSection>,
    keys: &mut KeyGenerator,
) -> (String, Vec<Attribute>) {
    let before = known.map(|media| media.protocol.clone());
    if let Some(Protection::Dtls(agreed)) = &ours.protection {
        let attributes = dtls::attributes(&ours.identity, Setup::of(agreed.role));
        return (before.unwrap_or_else(|| DTLS_PROTOCOL.to_owned()), attributes);
    }
    let again: Vec<_> = known.into_iter().flat_map(|media| cryptos(&media.attributes)).collect();
    let protocol = before.unwrap_or_else(|| match ours.srtp {
        SrtpPolicy::Dtls => DTLS_PROTOCOL.to_owned(),
        SrtpPolicy::Required => "RTP/SAVP".to_owned(),
        // Best effort: who does not know `a=crypto` answers without it.
        SrtpPolicy::Preferred | SrtpPolicy::Off => "RTP/AVP".to_owned(),
    });
    let listed = match (&ours.protection, ours.srtp) {
        (_, SrtpPolicy::Off) | (Some(Protection::Plain), SrtpPolicy::Preferred) => Vec::new(),
        (_, SrtpPolicy::Dtls) => return (protocol, dtls::attributes(&ours.identity, Setup::ActPass)),
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
