//! [`answer`]: our answer to an offer (RFC 3264 section 6; S-4, A-1, A-3).
//!
//! An answer holds one codec and one telephone-event, so that the peer never changes codec in mid-stream without asking.
//! The codec is the first one offered that we have enabled: RFC 3264 section 6.1 asks the answerer to keep the offerer's
//! order, and phones rely on it; [`Preference::Ours`] turns that round. Everything else that is offered is refused with
//! port 0, in its place. Of several lines of audio (best-effort SRTP has one secure, one plain) the encrypted one is taken.

use std::cmp::Reverse;

use super::formats::{
    add_codec, add_comfort_noise, add_events, all_formats, chosen_event, codec_of, comfort_noise, row, takes_comfort_noise,
};
use super::ice;
use super::lines::{describe, finish, line, names_zero_address, open_audio, packet_time, refused, remote_of};
use super::protection::{self, ChosenProtection};
use super::{
    Agreement, AnswerError, Attribute, Direction, Hold, LocalCapabilities, MediaSection, MediaTransport, NegotiatedEvents,
    Preference, SessionDescription, Stream,
};
use crate::codec::CodecKind;
use crate::rtp::srtp::KeyGenerator;

/// An offered line that can be taken.
struct Acceptable {
    index: usize,
    stream: Stream,
    transport: MediaTransport,
    chosen: ChosenProtection,
}

/// Answers an offer. `keys` makes our SRTP keys.
///
/// # Errors
/// [`AnswerError`] where no line of audio can be taken; at a re-INVITE the call then goes on as it was (RFC 3261 section 14.2).
pub fn answer(offer: &SessionDescription, ours: &LocalCapabilities, keys: &mut KeyGenerator) -> Result<Agreement, AnswerError> {
    let mut taken = best_line(offer, ours, keys)?;
    let mut media = Vec::with_capacity(offer.media.len());
    for (at, theirs) in offer.media.iter().enumerate() {
        if at == taken.index {
            let mut ours = answered_line(ours, &taken);
            // Some tell lines by it (RFC 5888), and miss it in an answer.
            ours.attributes.extend(theirs.attributes.iter().find(|attribute| attribute.name == "mid").cloned());
            taken.stream.formats = all_formats(&ours, theirs);
            media.push(ours);
        } else {
            media.push(refused(theirs));
        }
    }
    let local = describe(ours, offer.timing.clone(), media);
    Ok(Agreement { streams: vec![taken.stream], transport: taken.transport, local })
}

/// The line to take: an encrypted one before a plain one, then the one that was open before, then the first.
fn best_line(offer: &SessionDescription, ours: &LocalCapabilities, keys: &mut KeyGenerator) -> Result<Acceptable, AnswerError> {
    let before = ours.previous.as_ref().and_then(open_audio).map(|(at, _)| at);
    let mut furthest = AnswerError::NoAudio;
    let mut acceptable = Vec::new();
    for (index, media) in offer.media.iter().enumerate().filter(|(_, media)| media.is_open_audio()) {
        match accept_line(offer, index, media, ours, keys) {
            Ok(line) => acceptable.push(line),
            Err(error) => furthest = furthest.max(error),
        }
    }
    let rank = |line: &Acceptable| (line.transport.protection.is_encrypted(), Some(line.index) == before, Reverse(line.index));
    acceptable.into_iter().max_by_key(rank).ok_or(furthest)
}

fn accept_line(
    offer: &SessionDescription,
    index: usize,
    media: &MediaSection,
    ours: &LocalCapabilities,
    keys: &mut KeyGenerator,
) -> Result<Acceptable, AnswerError> {
    let chosen = protection::choose(offer, media, ours, keys)?;
    let (payload_type, codec) = chosen_codec(media, ours)?;
    let flow = Direction::of_peer(offer.direction_of(media), names_zero_address(offer, media));
    let remote = remote_of(offer, media, ours.address)?;
    let rtcp_mux = ours.rtcp_mux && media.has_rtcp_mux();
    let stream = Stream {
        codec,
        payload_type_send: payload_type,
        payload_type_receive: payload_type,
        formats: Vec::new(),
        telephone_event: chosen_event(media, codec).map(|(pt, clock)| NegotiatedEvents { send_pt: pt, receive_pt: pt, clock }),
        comfort_noise: comfort_noise(media).filter(|_| takes_comfort_noise(codec)),
        ptime_send: packet_time(offer, media, codec),
        fmtp_send: media.fmtp(payload_type).map(str::to_owned),
        hold: Hold::from_peer(flow),
        we_send: flow.receives(),
        they_send: flow.sends(),
    };
    let remote_rtcp = media.rtcp(remote, rtcp_mux);
    let transport = MediaTransport {
        remote,
        remote_rtcp,
        rtcp_mux,
        protection: chosen.protection.clone(),
        ice: ice::answer(offer, media, ours, keys),
    };
    Ok(Acceptable { index, stream, transport, chosen })
}

/// The codec to answer with, and its number.
fn chosen_codec(media: &MediaSection, ours: &LocalCapabilities) -> Result<(u8, CodecKind), AnswerError> {
    let offered = || media.payload_types().filter_map(|pt| codec_of(media, pt).map(|row| (pt, row.kind)));
    let rank = |codecs: &[CodecKind], kind: CodecKind| codecs.iter().position(|ours| *ours == kind);
    let mut enabled = offered().filter_map(|(pt, kind)| Some((rank(&ours.codecs, kind)?, pt, kind)));
    let best = match ours.preference {
        Preference::Ours => enabled.min_by_key(|(rank, ..)| *rank),
        Preference::Offerer => enabled.next(),
    };
    let fallback =
        || offered().filter_map(|(pt, kind)| Some((rank(&ours.fallback, kind)?, pt, kind))).min_by_key(|(rank, ..)| *rank);
    let (_, payload_type, codec) = best.or_else(fallback).ok_or(AnswerError::NoCommonCodec)?;
    Ok((payload_type, codec))
}

fn answered_line(ours: &LocalCapabilities, taken: &Acceptable) -> MediaSection {
    let stream = &taken.stream;
    let mut media = line("audio", ours.port, &taken.chosen.protocol);
    if let Some(codec) = row(stream.codec) {
        add_codec(&mut media, stream.payload_type_receive, codec);
    }
    if let Some(payload_type) = stream.comfort_noise {
        add_comfort_noise(&mut media, payload_type);
    }
    if let Some(event) = stream.telephone_event {
        add_events(&mut media, event.receive_pt, event.clock);
    }
    if taken.transport.rtcp_mux {
        media.attributes.push(Attribute::new("rtcp-mux", None));
    }
    media.attributes.extend(taken.chosen.attributes.iter().cloned());
    if let Some(credentials) = &taken.transport.ice {
        media.attributes.extend(ice::attributes(credentials, ours, taken.transport.rtcp_mux));
    }
    let peer = match (stream.they_send, stream.we_send) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => Direction::Inactive,
    };
    // The same packet duration both ways: phones that take only what they send exist, and the jitter buffer takes any.
    finish(&mut media, stream.ptime_send, peer.mirrored());
    media
}
