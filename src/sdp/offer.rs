//! Our own offers, and what their answers agree on (RFC 3264 sections 5 and 7; S-4, A-1, A-3).

use super::dtls::setup_of;
use super::formats::{
    KEYS_FULL, KEYS_NARROW, Numbering, OPUS, add_codec, add_comfort_noise, add_events, all_formats, chosen_event, codec_of,
    comfort_noise, events, row, takes_comfort_noise,
};
use super::ice;
use super::lines::{describe, finish, line, names_zero_address, open_audio, packet_time, refused, remote_of};
use super::{
    Agreement, AnswerError, Attribute, Direction, Hold, LocalCapabilities, MediaSection, MediaTransport, NegotiatedEvents,
    SessionDescription, Stream, protection,
};
use crate::common::units::Hz;
use crate::rtp::srtp::KeyGenerator;

/// Our own offer: every enabled codec in our order, keys at each of their clocks, both ways, encrypted by the policy. `keys` makes our SRTP keys.
///
/// Both ways even while the peer holds us: an offer states our own wish, and the answer keeps the hold (RFC 6337 section 5.3).
#[must_use]
pub fn offer(ours: &LocalCapabilities, keys: &mut KeyGenerator) -> SessionDescription {
    let before = ours.previous.as_ref();
    let active = before.and_then(open_audio);
    let known = active.map(|(_, media)| media);
    let (protocol, security) = protection::offered(ours, known, keys);
    let mut audio = line("audio", ours.port, &protocol);
    add_formats(&mut audio, ours, known);
    audio.attributes.extend(security);
    // Without it each port would need a handshake of its own (RFC 5764 section 3).
    if ours.rtcp_mux && (setup_of(&audio).is_some() || known.is_some_and(MediaSection::has_rtcp_mux)) {
        audio.attributes.push(Attribute::new("rtcp-mux", None));
    }
    audio.attributes.extend(known.into_iter().flat_map(ice::again));
    finish(&mut audio, ours.ptime, Direction::SendRecv);

    let mut media: Vec<_> = before.map(|session| session.media.iter().map(refused).collect()).unwrap_or_default();
    match active.and_then(|(at, _)| media.get_mut(at)) {
        Some(place) => *place = audio,
        None => media.push(audio),
    }
    describe(ours, "0 0".to_owned(), media)
}

/// Adds every codec and the events of its clock, by the numbers that they have had before.
fn add_formats(audio: &mut MediaSection, ours: &LocalCapabilities, known: Option<&MediaSection>) {
    let mut formats = Numbering::starting_from(known);
    let mut clocks = Vec::new();
    for codec in ours.codecs.iter().filter_map(|kind| row(*kind)) {
        let payload_type = known
            .and_then(|media| media.payload_types().find(|pt| codec_of(media, *pt).is_some_and(|r| r.kind == codec.kind)))
            .unwrap_or_else(|| formats.take(codec.static_payload_type.unwrap_or(OPUS)));
        add_codec(audio, payload_type, codec);
        // Keys at the codec's clock where that is one that everybody serves, else at 8000.
        let clock = if codec.rtp_clock == Hz::FULL { Hz::FULL } else { Hz::NARROW };
        if !clocks.contains(&clock) {
            clocks.push(clock);
        }
    }
    // Ours alone would invite devices to pause, which some do badly; one that has named it may go on.
    if let Some(payload_type) = known.and_then(comfort_noise) {
        add_comfort_noise(audio, payload_type);
    }
    for clock in clocks {
        let payload_type = known
            .and_then(|media| events(media).find(|(_, c)| *c == clock).map(|(pt, _)| pt))
            .unwrap_or_else(|| formats.take(if clock == Hz::NARROW { KEYS_NARROW } else { KEYS_FULL }));
        add_events(audio, payload_type, clock);
    }
}

/// Reads the answer to an `offer` of ours, which was made by the same capabilities.
///
/// The answer's first codec is the one we send; its others are taken too (RFC 3264 section 7).
///
/// # Errors
/// [`AnswerError`] where the audio was refused or what came back cannot be used: the call is ended then.
pub fn accept_answer(
    offer: &SessionDescription,
    answer: &SessionDescription,
    capabilities: &LocalCapabilities,
) -> Result<Agreement, AnswerError> {
    let (index, ours) = open_audio(offer).ok_or(AnswerError::NoAudio)?;
    let theirs = answer.media.get(index).filter(|m| m.is_open_audio()).ok_or(AnswerError::NoAudio)?;
    let protection = protection::accept(ours, answer, theirs, capabilities)?;
    let offered = |kind| ours.payload_types().find(|pt| codec_of(ours, *pt).is_some_and(|row| row.kind == kind));
    let mut common = theirs.payload_types().filter_map(|send| {
        let kind = codec_of(theirs, send)?.kind;
        Some((kind, send, offered(kind)?))
    });
    let (codec, payload_type_send, payload_type_receive) = common.next().ok_or(AnswerError::NoCommonCodec)?;
    let telephone_event = chosen_event(theirs, codec).and_then(|(send_pt, clock)| {
        let (receive_pt, _) = events(ours).find(|(_, c)| *c == clock)?;
        Some(NegotiatedEvents { send_pt, receive_pt, clock })
    });
    let flow = Direction::of_peer(answer.direction_of(theirs), names_zero_address(answer, theirs));
    let ours_flows = offer.direction_of(ours);
    let remote = remote_of(answer, theirs, capabilities.address)?;
    let stream = Stream {
        codec,
        payload_type_send,
        payload_type_receive,
        formats: all_formats(ours, theirs),
        telephone_event,
        comfort_noise: comfort_noise(theirs).filter(|_| comfort_noise(ours).is_some() && takes_comfort_noise(codec)),
        ptime_send: packet_time(answer, theirs, codec),
        fmtp_send: theirs.fmtp(payload_type_send).map(str::to_owned),
        hold: Hold::from_peer(flow),
        we_send: flow.receives() && ours_flows.sends(),
        they_send: flow.sends() && ours_flows.receives(),
    };
    let rtcp_mux = ours.has_rtcp_mux() && theirs.has_rtcp_mux();
    let remote_rtcp = theirs.rtcp(remote, rtcp_mux);
    let ice = ice::accept(ours, answer, theirs, capabilities);
    let transport = MediaTransport { remote, remote_rtcp, rtcp_mux, protection, ice };
    Ok(Agreement { streams: vec![stream], transport, local: offer.clone() })
}
