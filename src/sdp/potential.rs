//! Potential configurations (RFC 5939): an offer of `RTP/AVP` that could be `RTP/SAVP` as well, with the attributes that belong to it.

use super::{Attribute, MediaSection, SessionDescription};

/// Alternatives looked at in one offer.
const MOST_ALTERNATIVES: usize = 64;

/// A transport protocol and attributes that the offerer would take instead of what it offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PotentialConfiguration {
    /// Such as `RTP/SAVP`.
    pub(super) protocol: String,
    /// The attributes that come with it, in their order.
    pub(super) attributes: Vec<Attribute>,
    /// The value of `a=acfg` that takes it in an answer.
    pub(super) answer: String,
}

/// What the numbers in a configuration stand for.
struct Capabilities {
    protocols: Vec<(u32, String)>,
    attributes: Vec<(u32, Attribute)>,
}

/// The potential configurations of `media` that name a transport protocol, the most wanted first (RFC 5939 section 3.5.1: the lowest number).
pub(super) fn potential_configurations(session: &SessionDescription, media: &MediaSection) -> Vec<PotentialConfiguration> {
    let known = Capabilities::read(session, media);
    let mut listed: Vec<(u32, &str)> = values(&media.attributes, "pcfg").filter_map(numbered).collect();
    listed.sort_by_key(|(number, _)| *number);
    let all = listed.into_iter().flat_map(|(number, configuration)| known.alternatives(number, configuration));
    all.take(MOST_ALTERNATIVES).collect()
}

// === impl Capabilities ===

impl Capabilities {
    fn read(session: &SessionDescription, media: &MediaSection) -> Self {
        let both = |name| values(&session.attributes, name).chain(values(&media.attributes, name)).filter_map(numbered);
        // One line names several protocols, numbered from its own number on.
        let protocols = both("tcap").flat_map(|(first, list)| (first..).zip(list.split_ascii_whitespace().map(str::to_owned)));
        let attributes = both("acap").filter_map(|(number, text)| {
            let (name, value) = text.split_once(':').map_or((text, None), |(name, value)| (name, Some(value.trim().to_owned())));
            (!name.is_empty()).then(|| (number, Attribute::new(name.trim(), value)))
        });
        Self { protocols: protocols.collect(), attributes: attributes.collect() }
    }

    /// Each protocol of a configuration with each of its lists of attributes.
    fn alternatives(&self, number: u32, configuration: &str) -> Vec<PotentialConfiguration> {
        let mut transports = Vec::new();
        let mut lists = vec![""];
        for field in configuration.split_ascii_whitespace() {
            match field.split_once('=') {
                Some(("t", list)) => transports = list.split('|').collect(),
                Some(("a", list)) => lists = list.split('|').collect(),
                // An extension that must be understood (RFC 5939 section 3.5.1).
                _ if field.starts_with('+') => return Vec::new(),
                _ => {}
            }
        }
        let pairs = transports.into_iter().flat_map(|transport| lists.iter().map(move |list| (transport, *list)));
        pairs.take(MOST_ALTERNATIVES).filter_map(|(transport, list)| self.configuration(number, transport, list)).collect()
    }

    fn configuration(&self, number: u32, transport: &str, list: &str) -> Option<PotentialConfiguration> {
        let wanted: u32 = transport.parse().ok()?;
        let (_, protocol) = self.protocols.iter().find(|(number, _)| *number == wanted)?;
        // What stands in brackets is optional, and taken like the rest.
        let numbers: Vec<u32> = without_deletion(list)
            .split([',', '[', ']'])
            .filter(|one| !one.is_empty())
            .map(|one| one.parse().ok())
            .collect::<Option<_>>()?;
        let attribute =
            |wanted: &u32| self.attributes.iter().find(|(number, _)| number == wanted).map(|(_, attribute)| attribute.clone());
        let attributes = numbers.iter().map(attribute).collect::<Option<Vec<_>>>()?;
        let taken: Vec<String> = numbers.iter().map(u32::to_string).collect();
        let taken = if taken.is_empty() { String::new() } else { format!(" a={}", taken.join(",")) };
        Some(PotentialConfiguration { protocol: protocol.clone(), attributes, answer: format!("{number} t={wanted}{taken}") })
    }
}

/// The list behind `-m:`, `-s:` or `-ms:`, which take away attributes of the offer that we do not keep anyway.
fn without_deletion(list: &str) -> &str {
    match list.split_once(':') {
        Some(("-m" | "-s" | "-ms", rest)) => rest,
        _ => list,
    }
}

fn values<'a>(attributes: &'a [Attribute], name: &'static str) -> impl Iterator<Item = &'a str> {
    attributes
        .iter()
        .filter(move |attribute| attribute.name.eq_ignore_ascii_case(name))
        .filter_map(|attribute| attribute.value.as_deref())
}

/// A number, and what is behind it.
fn numbered(value: &str) -> Option<(u32, &str)> {
    let (number, rest) = value.trim().split_once([' ', '\t'])?;
    Some((number.parse().ok().filter(|number| (1..1 << 31).contains(number))?, rest.trim()))
}
