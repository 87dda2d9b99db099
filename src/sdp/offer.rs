//! The offer/answer model of RFC 3264 for one stream of sound (S-4, A-1).
//!
//! An answer holds one codec and one telephone-event, so that the peer never changes codec in mid-stream without asking.
//! The codec is the first one offered that we have enabled: RFC 3264 section 6.1 asks the answerer to keep the offerer's
//! order, and phones rely on it; [`Preference::Ours`] turns that round. Everything else that is offered is refused with
//! port 0, in its place.
//!
//! SRTP is not spoken yet. Where it comes in: [`Transport::read`] tells protocols apart, and [`answer`] already walks
//! all audio lines, as best-effort offers (one secure line, one plain) need.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::session::is_usable;
use super::{Attribute, Direction, Hold, MediaSection, SdpHost, SdpOrigin, SessionDescription};
use crate::codec::{CODECS, CodecKind, CodecRow};
use crate::common::cause::Cause;
use crate::common::units::Hz;

/// Packet duration where nobody says otherwise (RFC 3551 section 4.2).
pub const DEFAULT_PTIME: Duration = Duration::from_millis(20);
/// Shortest packet we send.
pub const MIN_PTIME: Duration = Duration::from_millis(10);
/// Longest packet we send and take.
pub const MAX_PTIME: Duration = Duration::from_millis(60);

/// Name of RFC 4733 events in `a=rtpmap`.
const TELEPHONE_EVENT: &str = "telephone-event";
/// The sixteen keys of RFC 4733 section 3.2.
const KEYS: &str = "0-15";

/// What we bring to a negotiation.
#[derive(Debug, Clone)]
pub struct LocalCapabilities {
    /// The address to advertise (S-7).
    pub address: IpAddr,
    /// Our RTP port; RTCP is taken at the next one.
    pub port: u16,
    /// Enabled codecs, best first.
    pub codecs: Vec<CodecKind>,
    /// Whose order decides.
    pub preference: Preference,
    /// The packet duration we ask for in our own offers.
    pub ptime: Duration,
    /// The session id of this dialog, any number; it stays the same through all descriptions of a dialog.
    pub session_id: u64,
    /// Whether the port can take RTCP at its RTP socket too (RFC 5761); agreed to where offered, never asked for.
    pub rtcp_mux: bool,
    /// The description we sent last in this dialog: keeps the version, the `m=` lines and the payload types in step.
    pub previous: Option<SessionDescription>,
}

/// Whose codec order decides when we answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preference {
    /// The peer's, among what we have enabled.
    #[default]
    Offerer,
    /// Ours, among what the peer offers.
    Ours,
}

/// Negotiated RFC 4733 events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NegotiatedEvents {
    /// Payload type of the events we send.
    pub send_pt: u8,
    /// Payload type of the events we get.
    pub receive_pt: u8,
    /// Clock of duration and timestamp: 8000 or 48000 Hz.
    pub clock: Hz,
}

/// What both ends agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// The codec we send, and the first one we get.
    pub codec: CodecKind,
    /// Payload type to send.
    pub payload_type_send: u8,
    /// Payload type to expect for [`Negotiated::codec`].
    pub payload_type_receive: u8,
    /// Others that the peer may change to without asking. Empty when we answered: an answer of ours holds one codec.
    pub also_receive: Vec<(u8, CodecKind)>,
    /// Keys by RFC 4733, where both can.
    pub telephone_event: Option<NegotiatedEvents>,
    /// Duration of the packets we send: 10 to 60 ms.
    pub ptime_send: Duration,
    /// The peer's `a=fmtp` for the codec: what its decoder wishes of our encoder (RFC 7587 section 6.1 for Opus).
    pub fmtp_send: Option<String>,
    /// Where our RTP goes. The address is unspecified only on the hold of RFC 2543, when nothing is sent.
    pub remote: SocketAddr,
    /// Where our RTCP goes.
    pub remote_rtcp: SocketAddr,
    /// RTP and RTCP share one port (RFC 5761).
    pub rtcp_mux: bool,
    /// Whether the peer holds us.
    pub hold: Hold,
    /// We may send sound.
    pub we_send: bool,
    /// The peer may send sound.
    pub they_send: bool,
    /// Our side: the answer to send, or the offer that was answered. Keep it as [`LocalCapabilities::previous`].
    pub local: SessionDescription,
}

/// Why no stream can be agreed on. Ordered by how far the best `m=` line got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum AnswerError {
    /// No open line of sound.
    #[error("no audio is offered")]
    NoAudio,
    /// Neither `RTP/AVP` nor `RTP/AVPF`, nor a secure form of them.
    #[error("audio is offered over an unknown transport only")]
    UnknownTransport,
    /// Only SRTP is offered, which this gateway does not speak yet.
    #[error("audio is offered over SRTP only")]
    SecureOnly,
    /// Nothing that both have.
    #[error("no codec in common")]
    NoCommonCodec,
    /// No `c=` line, or a name, a multicast or a broadcast address in it.
    #[error("no usable address is offered for audio")]
    UnusableAddress,
}

impl AnswerError {
    /// Why the call is refused.
    #[must_use]
    pub const fn cause(self) -> Cause {
        Cause::NoCommonCodec
    }

    /// Code and text of the `Warning` header that goes with the 488 (RFC 3261 section 20.43).
    #[must_use]
    pub const fn warning(self) -> (u16, &'static str) {
        match self {
            Self::NoAudio => (304, "No audio offered"),
            Self::UnknownTransport => (302, "Audio is taken over RTP/AVP"),
            Self::SecureOnly => (302, "SRTP is not supported, offer RTP/AVP"),
            Self::NoCommonCodec => (305, "No audio codec in common"),
            Self::UnusableAddress => (301, "No usable connection address"),
        }
    }
}

/// How RTP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Plain,
    Secure,
}

impl Transport {
    fn read(protocol: &str) -> Option<Self> {
        match protocol.to_ascii_uppercase().as_str() {
            "RTP/AVP" | "RTP/AVPF" => Some(Self::Plain),
            "RTP/SAVP" | "RTP/SAVPF" | "UDP/TLS/RTP/SAVP" | "UDP/TLS/RTP/SAVPF" => Some(Self::Secure),
            _ => None,
        }
    }
}

/// Answers an offer.
///
/// # Errors
/// [`AnswerError`] where no line of sound can be taken; at a re-INVITE the call then goes on as it was (RFC 3261 section 14.2).
pub fn answer(offer: &SessionDescription, ours: &LocalCapabilities) -> Result<Negotiated, AnswerError> {
    let (index, mut agreed) = first_acceptable(offer, ours)?;
    let media = offer
        .media
        .iter()
        .enumerate()
        .map(|(at, theirs)| if at == index { answered_line(theirs, ours, &agreed) } else { refused(theirs) })
        .collect();
    agreed.local = describe(ours, offer.timing.clone(), media);
    Ok(agreed)
}

/// Our own offer: every enabled codec in our order, keys at each of their clocks, both ways.
///
/// Both ways even while the peer holds us: an offer states our own wish, and the answer keeps the hold (RFC 6337 section 5.3).
#[must_use]
pub fn offer(ours: &LocalCapabilities) -> SessionDescription {
    let before = ours.previous.as_ref();
    let active = before.and_then(open_audio);
    let known = active.map(|(_, media)| media);
    let mut formats = Numbering::starting_from(known);
    let mut audio = line("audio", ours.port, known.map_or("RTP/AVP", |media| &media.protocol));
    let mut clocks = Vec::new();
    for codec in ours.codecs.iter().filter_map(|kind| row(*kind)) {
        let payload_type = known
            .and_then(|media| media.payload_types().find(|pt| codec_of(media, *pt).is_some_and(|r| r.kind == codec.kind)))
            .unwrap_or_else(|| formats.take(codec.static_payload_type.unwrap_or(OPUS)));
        add_codec(&mut audio, payload_type, codec);
        if !clocks.contains(&codec.rtp_clock) {
            clocks.push(codec.rtp_clock);
        }
    }
    for clock in clocks {
        let payload_type = known
            .and_then(|media| events(media).find(|(_, c)| *c == clock).map(|(pt, _)| pt))
            .unwrap_or_else(|| formats.take(if clock == Hz::NARROW { KEYS_NARROW } else { KEYS_FULL }));
        add_events(&mut audio, payload_type, clock);
    }
    finish(&mut audio, ours.ptime, Direction::SendRecv);

    let mut media: Vec<_> = before.map(|session| session.media.iter().map(refused).collect()).unwrap_or_default();
    match active.and_then(|(at, _)| media.get_mut(at)) {
        Some(place) => *place = audio,
        None => media.push(audio),
    }
    describe(ours, "0 0".to_owned(), media)
}

/// Reads the answer to an `offer` of ours.
///
/// The answer's first codec is the one we send; its others are taken too (RFC 3264 section 7).
///
/// # Errors
/// [`AnswerError`] where the sound was refused or what came back cannot be used: the call is ended then.
pub fn accept_answer(offer: &SessionDescription, answer: &SessionDescription) -> Result<Negotiated, AnswerError> {
    let (index, ours) = open_audio(offer).ok_or(AnswerError::NoAudio)?;
    let theirs = answer.media.get(index).filter(|m| m.is_audio() && m.port != 0).ok_or(AnswerError::NoAudio)?;
    plain(theirs)?;
    let offered = |kind| ours.payload_types().find(|pt| codec_of(ours, *pt).is_some_and(|row| row.kind == kind));
    let mut common = theirs.payload_types().filter_map(|send| {
        let kind = codec_of(theirs, send)?.kind;
        Some((kind, send, offered(kind)?))
    });
    let (codec, payload_type_send, payload_type_receive) = common.next().ok_or(AnswerError::NoCommonCodec)?;
    let also_receive = common.filter(|(kind, ..)| *kind != codec).map(|(kind, _, receive)| (receive, kind)).collect();
    let telephone_event = chosen_event(theirs, codec).and_then(|(send_pt, clock)| {
        let (receive_pt, _) = events(ours).find(|(_, c)| *c == clock)?;
        Some(NegotiatedEvents { send_pt, receive_pt, clock })
    });
    let flow = Direction::of_peer(answer.direction_of(theirs), names_zero_address(answer, theirs));
    let ours_flows = offer.direction_of(ours);
    let remote = remote_of(answer, theirs)?;
    Ok(Negotiated {
        codec,
        payload_type_send,
        payload_type_receive,
        also_receive,
        telephone_event,
        ptime_send: packet_time(answer, theirs, codec),
        fmtp_send: theirs.fmtp(payload_type_send).map(str::to_owned),
        remote,
        remote_rtcp: theirs.rtcp(remote),
        rtcp_mux: false,
        hold: Hold::from_peer(flow),
        we_send: flow.receives() && ours_flows.sends(),
        they_send: flow.sends() && ours_flows.receives(),
        local: offer.clone(),
    })
}

// === choosing ===

/// The line to take and what it gives: the one that was open before, or else the first that fits.
fn first_acceptable(offer: &SessionDescription, ours: &LocalCapabilities) -> Result<(usize, Negotiated), AnswerError> {
    let before = ours.previous.as_ref().and_then(open_audio).map(|(at, _)| at);
    let mut audio: Vec<_> = offer.media.iter().enumerate().filter(|(_, m)| m.is_audio() && m.port != 0).collect();
    audio.sort_by_key(|(at, _)| Some(*at) != before);
    let mut furthest = AnswerError::NoAudio;
    for (at, media) in audio {
        match agree(offer, media, ours) {
            Ok(agreed) => return Ok((at, agreed)),
            Err(error) => furthest = furthest.max(error),
        }
    }
    Err(furthest)
}

fn agree(offer: &SessionDescription, media: &MediaSection, ours: &LocalCapabilities) -> Result<Negotiated, AnswerError> {
    plain(media)?;
    let mut common: Vec<_> = media
        .payload_types()
        .filter_map(|pt| codec_of(media, pt).map(|row| (pt, row.kind)))
        .filter_map(|(pt, kind)| Some((ours.codecs.iter().position(|ours| *ours == kind)?, pt, kind)))
        .collect();
    if ours.preference == Preference::Ours {
        common.sort_by_key(|(rank, ..)| *rank);
    }
    let &(_, payload_type, codec) = common.first().ok_or(AnswerError::NoCommonCodec)?;
    let flow = Direction::of_peer(offer.direction_of(media), names_zero_address(offer, media));
    let remote = remote_of(offer, media)?;
    let rtcp_mux = ours.rtcp_mux && media.attribute("rtcp-mux").is_some();
    Ok(Negotiated {
        codec,
        payload_type_send: payload_type,
        payload_type_receive: payload_type,
        also_receive: Vec::new(),
        telephone_event: chosen_event(media, codec).map(|(pt, clock)| NegotiatedEvents { send_pt: pt, receive_pt: pt, clock }),
        ptime_send: packet_time(offer, media, codec),
        fmtp_send: media.fmtp(payload_type).map(str::to_owned),
        remote,
        remote_rtcp: if rtcp_mux { remote } else { media.rtcp(remote) },
        rtcp_mux,
        hold: Hold::from_peer(flow),
        we_send: flow.receives(),
        they_send: flow.sends(),
        local: offer.clone(),
    })
}

fn plain(media: &MediaSection) -> Result<(), AnswerError> {
    match Transport::read(&media.protocol) {
        Some(Transport::Plain) => Ok(()),
        Some(Transport::Secure) => Err(AnswerError::SecureOnly),
        None => Err(AnswerError::UnknownTransport),
    }
}

fn remote_of(session: &SessionDescription, media: &MediaSection) -> Result<SocketAddr, AnswerError> {
    match session.connection_of(media) {
        Some(SdpHost::Ip(ip)) if is_usable(*ip) || ip.is_unspecified() => Ok(SocketAddr::new(*ip, media.port)),
        _ => Err(AnswerError::UnusableAddress),
    }
}

/// Whether media is to go nowhere, as the hold of RFC 2543 says it.
fn names_zero_address(session: &SessionDescription, media: &MediaSection) -> bool {
    session.connection_of(media).is_some_and(SdpHost::is_unspecified)
}

/// Keys at the codec's own clock (RFC 4733 section 2.1), or else at 8000, which many phones offer beside Opus.
fn chosen_event(media: &MediaSection, codec: CodecKind) -> Option<(u8, Hz)> {
    let clock = row(codec)?.rtp_clock;
    let at = |wanted: Hz| events(media).find(|(_, clock)| *clock == wanted);
    at(clock).or_else(|| at(Hz::NARROW))
}

/// What the peer wishes to get, within what we can make: tens of milliseconds, and for Opus one frame a packet
/// (10, 20, 40 or 60 ms, RFC 6716 section 2.1.4).
fn packet_time(session: &SessionDescription, media: &MediaSection, codec: CodecKind) -> Duration {
    let wished = session.ptime_of(media).unwrap_or(DEFAULT_PTIME);
    let longest = session.maxptime_of(media).unwrap_or(MAX_PTIME);
    let wished = wished.min(longest).clamp(MIN_PTIME, MAX_PTIME);
    let steps: &[u64] = if codec == CodecKind::Opus { &[60, 40, 20] } else { &[60, 50, 40, 30, 20] };
    steps.iter().map(|ms| Duration::from_millis(*ms)).find(|step| *step <= wished).unwrap_or(MIN_PTIME)
}

// === payload types ===

fn row(kind: CodecKind) -> Option<&'static CodecRow> {
    CODECS.iter().find(|row| row.kind == kind)
}

/// The codec behind a payload type: by name where mapped, by number where static (RFC 3551 section 6).
fn codec_of(media: &MediaSection, payload_type: u8) -> Option<&'static CodecRow> {
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
fn events(media: &MediaSection) -> impl Iterator<Item = (u8, Hz)> + '_ {
    media.payload_types().filter_map(|pt| {
        let map = media.rtpmap(pt)?;
        let clock = [Hz::NARROW, Hz::FULL].into_iter().find(|hz| hz.0 == map.clock)?;
        map.name.eq_ignore_ascii_case(TELEPHONE_EVENT).then_some((pt, clock))
    })
}

/// Customary numbers of ours, taken where they are free.
const OPUS: u8 = 111;
const KEYS_NARROW: u8 = 101;
const KEYS_FULL: u8 = 110;

/// Hands out payload types of our offers. A number that meant something once in a session keeps that meaning
/// (RFC 3264 section 8.3.2).
struct Numbering {
    taken: Vec<u8>,
}

impl Numbering {
    fn starting_from(known: Option<&MediaSection>) -> Self {
        Self { taken: known.map(|media| media.payload_types().collect()).unwrap_or_default() }
    }

    fn take(&mut self, customary: u8) -> u8 {
        let free = |pt: &u8| !self.taken.contains(pt);
        let number = std::iter::once(customary).chain(96..=127).find(free).unwrap_or(customary);
        self.taken.push(number);
        number
    }
}

// === writing ===

fn open_audio(session: &SessionDescription) -> Option<(usize, &MediaSection)> {
    session.media.iter().enumerate().find(|(_, media)| media.is_audio() && media.port != 0)
}

fn line(kind: &str, port: u16, protocol: &str) -> MediaSection {
    let (kind, protocol) = (kind.to_owned(), protocol.to_owned());
    MediaSection { kind, port, protocol, formats: Vec::new(), connection: None, attributes: Vec::new() }
}

/// The same line with port 0: how an answer refuses, and how a closed stream keeps its place (RFC 3264 sections 6 and 8.2).
fn refused(media: &MediaSection) -> MediaSection {
    MediaSection { formats: media.formats.clone(), ..line(&media.kind, 0, &media.protocol) }
}

fn answered_line(theirs: &MediaSection, ours: &LocalCapabilities, agreed: &Negotiated) -> MediaSection {
    let mut media = line("audio", ours.port, &theirs.protocol);
    if let Some(codec) = row(agreed.codec) {
        add_codec(&mut media, agreed.payload_type_receive, codec);
    }
    if let Some(event) = agreed.telephone_event {
        add_events(&mut media, event.receive_pt, event.clock);
    }
    if agreed.rtcp_mux {
        media.attributes.push(Attribute::new("rtcp-mux", None));
    }
    let peer = match (agreed.they_send, agreed.we_send) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => Direction::Inactive,
    };
    // The same packet duration both ways: phones that take only what they send exist, and the jitter buffer takes any.
    finish(&mut media, agreed.ptime_send, peer.mirrored());
    media
}

fn add_codec(media: &mut MediaSection, payload_type: u8, codec: &CodecRow) {
    let channels = if codec.sdp_channels > 1 { format!("/{}", codec.sdp_channels) } else { String::new() };
    add_format(media, payload_type, &format!("{}/{}{channels}", codec.name, codec.rtp_clock.0), codec.fmtp);
}

fn add_events(media: &mut MediaSection, payload_type: u8, clock: Hz) {
    add_format(media, payload_type, &format!("{TELEPHONE_EVENT}/{}", clock.0), Some(KEYS));
}

fn add_format(media: &mut MediaSection, payload_type: u8, map: &str, fmtp: Option<&str>) {
    media.formats.push(payload_type.to_string());
    media.attributes.push(Attribute::new("rtpmap", Some(format!("{payload_type} {map}"))));
    media.attributes.extend(fmtp.map(|fmtp| Attribute::new("fmtp", Some(format!("{payload_type} {fmtp}")))));
}

fn finish(media: &mut MediaSection, ptime: Duration, direction: Direction) {
    media.attributes.push(Attribute::new("ptime", Some(ptime.as_millis().to_string())));
    media.attributes.push(Attribute::new("maxptime", Some(MAX_PTIME.as_millis().to_string())));
    media.attributes.push(Attribute::new(direction.name(), None));
}

/// Puts our name above `media`. The version counts up by one exactly when something changed (RFC 3264 section 8).
fn describe(ours: &LocalCapabilities, timing: String, media: Vec<MediaSection>) -> SessionDescription {
    let host = SdpHost::Ip(ours.address);
    let (user, id) = ("roomgate".to_owned(), ours.session_id.to_string());
    let origin = SdpOrigin { user, id, version: "1".to_owned(), host };
    let mut session = SessionDescription { connection: Some(origin.host.clone()), origin, timing, attributes: Vec::new(), media };
    if let Some(previous) = &ours.previous {
        session.origin = previous.origin.clone();
        if session != *previous {
            let version: u64 = previous.origin.version.parse().unwrap_or(1);
            session.origin.version = version.saturating_add(1).to_string();
        }
    }
    session
}
