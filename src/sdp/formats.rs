//! Payload types: which codec or event a number stands for, and the numbers of our own.

use super::{Attribute, MediaSection};
use crate::codec::{CODECS, CodecKind, CodecRow};
use crate::common::units::Hz;
use crate::rtp::payload::{PayloadContent, PayloadFormat};

/// Name of RFC 4733 events in `a=rtpmap`.
const TELEPHONE_EVENT: &str = "telephone-event";
/// The sixteen keys of RFC 4733 section 3.2.
const KEYS: &str = "0-15";

/// Keys at the codec's own clock (RFC 4733 section 2.1), or else at 8000, which many phones offer beside Opus.
pub(super) fn chosen_event(media: &MediaSection, codec: CodecKind) -> Option<(u8, Hz)> {
    let clock = row(codec)?.rtp_clock;
    let at = |wanted: Hz| events(media).find(|(_, clock)| *clock == wanted);
    at(clock).or_else(|| at(Hz::NARROW))
}

pub(super) fn row(kind: CodecKind) -> Option<&'static CodecRow> {
    CODECS.iter().find(|row| row.kind == kind)
}

/// The codec behind a payload type: by name where mapped, by number where static (RFC 3551 section 6).
pub(super) fn codec_of(media: &MediaSection, payload_type: u8) -> Option<&'static CodecRow> {
    let Some(map) = media.rtpmap(payload_type) else {
        return CODECS.iter().find(|row| row.static_payload_type == Some(payload_type));
    };
    CODECS.iter().find(|row| {
        // G.722 counts 8000 by an old mistake (RFC 3551 section 4.5.2); some devices write its true 16000.
        let clock = map.clock == row.rtp_clock.0 || (row.kind == CodecKind::G722 && map.clock == Hz::WIDE.0);
        // `opus/48000` without the `/2` that RFC 7587 asks for is common and cannot mean anything else.
        let channels = map.channels == row.sdp_channels || map.channels == 1;
        row.name.eq_ignore_ascii_case(map.name) && clock && channels
    })
}

/// Offered events at a clock we can serve.
pub(super) fn events(media: &MediaSection) -> impl Iterator<Item = (u8, Hz)> + '_ {
    media.payload_types().filter_map(|pt| {
        let map = media.rtpmap(pt)?;
        let clock = [Hz::NARROW, Hz::FULL].into_iter().find(|hz| hz.0 == map.clock)?;
        map.name.eq_ignore_ascii_case(TELEPHONE_EVENT).then_some((pt, clock))
    })
}

/// Name of RFC 3389 in `a=rtpmap`.
const COMFORT_NOISE: &str = "CN";
/// Its payload type at 8000 Hz (RFC 3551 section 6).
const STATIC_COMFORT_NOISE: u8 = 13;

/// The comfort noise that a description names, at the one clock that we serve.
pub(super) fn comfort_noise(media: &MediaSection) -> Option<u8> {
    media.payload_types().find(|pt| match media.rtpmap(*pt) {
        Some(map) => map.name.eq_ignore_ascii_case(COMFORT_NOISE) && map.clock == Hz::NARROW.0,
        None => *pt == STATIC_COMFORT_NOISE,
    })
}

/// Whether pauses of a codec can be described by RFC 3389: it counts by the clock of that, and has no means of its own.
pub(super) fn takes_comfort_noise(codec: CodecKind) -> bool {
    matches!(codec, CodecKind::Pcmu | CodecKind::Pcma | CodecKind::G722)
}

/// Customary numbers of ours, taken where they are free.
pub(super) const OPUS: u8 = 111;
pub(super) const KEYS_NARROW: u8 = 101;
pub(super) const KEYS_FULL: u8 = 110;

/// Assigns the payload types of our offers. A number that meant something once in a session keeps that meaning
/// (RFC 3264 section 8.3.2).
pub(super) struct Numbering {
    taken: Vec<u8>,
}

impl Numbering {
    pub(super) fn starting_from(known: Option<&MediaSection>) -> Self {
        Self { taken: known.map(|media| media.payload_types().collect()).unwrap_or_default() }
    }

    pub(super) fn take(&mut self, customary: u8) -> u8 {
        let free = |pt: &u8| !self.taken.contains(pt);
        let number = std::iter::once(customary).chain(96..=127).find(free).unwrap_or(customary);
        self.taken.push(number);
        number
    }
}

pub(super) fn add_codec(media: &mut MediaSection, payload_type: u8, codec: &CodecRow) {
    let channels = if codec.sdp_channels > 1 { format!("/{}", codec.sdp_channels) } else { String::new() };
    add_format(media, payload_type, &format!("{}/{}{channels}", codec.name, codec.rtp_clock.0), codec.fmtp);
}

pub(super) fn add_events(media: &mut MediaSection, payload_type: u8, clock: Hz) {
    add_format(media, payload_type, &format!("{TELEPHONE_EVENT}/{}", clock.0), Some(KEYS));
}

pub(super) fn add_comfort_noise(media: &mut MediaSection, payload_type: u8) {
    add_format(media, payload_type, &format!("{COMFORT_NOISE}/{}", Hz::NARROW.0), None);
}

pub(super) fn add_format(media: &mut MediaSection, payload_type: u8, map: &str, fmtp: Option<&str>) {
    media.formats.push(payload_type.to_string());
    media.attributes.push(Attribute::new("rtpmap", Some(format!("{payload_type} {map}"))));
    media.attributes.extend(fmtp.map(|fmtp| Attribute::new("fmtp", Some(format!("{payload_type} {fmtp}")))));
}

/// Every number that `ours` or `theirs` names for something that we know; where both name one for different things, what `ours` says.
pub(super) fn all_formats(ours: &MediaSection, theirs: &MediaSection) -> Vec<PayloadFormat> {
    let mut all: Vec<PayloadFormat> = Vec::new();
    for media in [ours, theirs] {
        for payload_type in media.payload_types() {
            let event = || {
                events(media).find(|(number, _)| *number == payload_type).map(|(_, clock)| PayloadContent::TelephoneEvent(clock))
            };
            let noise = || (comfort_noise(media) == Some(payload_type)).then_some(PayloadContent::ComfortNoise(Hz::NARROW));
            let content = codec_of(media, payload_type).map(|row| PayloadContent::Audio(row.kind)).or_else(event).or_else(noise);
            if let Some(content) = content
                && all.iter().all(|known| known.payload_type != payload_type)
            {
                all.push(PayloadFormat { payload_type, content });
            }
        }
    }
    all
}
