//! Payload numbers of both descriptions, numbers of none, and comfort noise.

use super::*;
use crate::codec::EncoderSettings;
use crate::rtp::payload::{PayloadContent, PayloadFormat};

fn audio(payload_type: u8, codec: CodecKind) -> PayloadFormat {
    PayloadFormat { payload_type, content: PayloadContent::Audio(codec) }
}

/// What a listener has heard of a hum at 440 Hz: its level, and the longest silence.
fn heard(rig: &mut Rig, listener: usize) -> (f32, Duration) {
    let rate = rig.phones[listener].rate();
    let samples = rig.phones[listener].listener();
    let (mut longest, mut gap) = (0, 0);
    for piece in samples.chunks(rate.samples(millis(5))) {
        gap = if crate::dsp::level::dbov(piece) < -40.0 { gap + 1 } else { 0 };
        longest = longest.max(gap);
    }
    (level(&samples, rate, 440.0), longest * millis(5))
}

/// A new offer that changes nothing but a number: packets of the old number are on their way, those of the new one follow.
#[test]
fn a1_a_phone_that_renumbers_is_heard_without_a_gap() {
    for codec in [CodecKind::Pcmu, CodecKind::G722, CodecKind::Opus] {
        let mut rig = Rig::new();
        let (speaker, listener) = (rig.seated_phone(codec, 440.0), rig.phone(CodecKind::G722));
        rig.seat(listener, OPEN);
        rig.settle(1_000);
        let late: Vec<Vec<u8>> = (0..3).map(|_| rig.phones[speaker].voice()).collect();
        rig.reprofile(speaker, |profile| {
            profile.payload_type_send = 118;
            profile.formats = vec![audio(118, codec)];
        });
        rig.phones[speaker].script.extend(late.into_iter().map(|datagram| vec![datagram]));
        rig.run(2_000);
        let (level, gap) = heard(&mut rig, listener);
        assert!(is_as_loud_as_it_was_hummed(level) && gap < millis(5), "{codec:?}: {level}, {gap:?}");
        assert!(rig.phones[speaker].got.iter().all(|packet| !packet.payload.is_empty()), "and it is sent its new number");
        let stats = rig.port_of(speaker).stats();
        assert_eq!((stats.unnamed, stats.lost, stats.concealed), (0, 0, Duration::ZERO), "{codec:?}: {stats:?}");
        rig.ends();
    }
}

/// A device may change to any codec of the descriptions, and to the number of either, without asking.
#[test]
fn a1_the_second_codec_of_an_answer_is_heard() {
    let mut rig = Rig::new();
    let speaker = rig.phone_with(CodecKind::Opus, |profile| {
        profile.formats = vec![audio(111, CodecKind::Opus), audio(0, CodecKind::Pcmu), audio(96, CodecKind::Opus)];
    });
    rig.seat(speaker, OPEN);
    rig.phones[speaker].hums(440.0);
    let listener = rig.phone(CodecKind::G722);
    rig.seat(listener, OPEN);
    rig.settle(1_000);
    let mut encoder = CodecKind::Pcmu.encoder(EncoderSettings::default()).expect("G.711");
    let mut hum = Sine::new(Hz::NARROW, 440.0, LOUD);
    for _ in 0..50 {
        let (mut samples, mut payload, mut packet) = (vec![0; 160], Vec::new(), Vec::new());
        hum.fill(&mut samples);
        encoder.encode(&samples, &mut payload).expect("encodes");
        rig.phones[speaker].outgoing.packet(0, false, &payload, 160, &mut packet);
        rig.phones[speaker].script.push_back(vec![packet]);
    }
    rig.run(2_000);
    let (level, gap) = heard(&mut rig, listener);
    assert!((level - LEVEL).abs() < 1.5 && gap <= millis(10), "{level}, {gap:?}");
    let stats = rig.port_of(speaker).stats();
    assert!((stats.unnamed, stats.lost) == (0, 0) && stats.concealed <= millis(40) && stats.jitter < millis(3), "{stats:?}");
    rig.ends();
}

/// Packets that no description explains are no sign of anybody being heard: they are counted, and the score falls.
#[test]
fn a1_packets_of_unnamed_numbers_show_in_the_figures() {
    let mut rig = Rig::new();
    let speaker = rig.seated_phone(CodecKind::Pcmu, 440.0);
    rig.settle(500);
    let before = rig.port_of(speaker).stats();
    for _ in 0..500 {
        let mut packet = Vec::new();
        rig.phones[speaker].outgoing.packet(77, false, &[0x2A; 160], 160, &mut packet);
        rig.phones[speaker].script.push_back(vec![packet]);
    }
    rig.run(10_000);
    let after = rig.port_of(speaker).stats();
    assert_eq!((after.unnamed, after.refused, after.lost), (500, 0, 0), "{after:?}");
    assert!(before.mos > 4.2 && after.mos < 1.5, "{before:?} {after:?}");
    let stranger = std::net::SocketAddr::from(([203, 0, 113, 9], 4000));
    let (port, now) = (rig.phones[speaker].port, rig.now);
    let mut packet = Vec::new();
    rig.phones[speaker].outgoing.clone().packet(77, false, &[0x2A; 160], 160, &mut packet);
    rig.planes[0].receive(now, SocketId::Port(port, Channel::Rtp), stranger, &packet);
    let stats = rig.port_of(speaker).stats();
    assert_eq!((stats.unnamed, stats.refused), (500, 1), "somebody else's are refused");
    rig.ends();
}

/// Where it is agreed on, nothing but silence is sent as comfort noise, a packet a second; speech after it is whole.
#[test]
fn a1_comfort_noise_is_sent_in_pauses_where_agreed() {
    for noise in [None, Some(13)] {
        let mut rig = Rig::new();
        let speaker = rig.seated_phone(CodecKind::Pcmu, 440.0);
        rig.phones[speaker].is_silent();
        let listener = rig.phone_with(CodecKind::Pcmu, |profile| profile.comfort_noise = noise);
        rig.seat(listener, OPEN);
        rig.settle(1_000);
        rig.run(10_000);
        let sent = rig.phones[listener].got.len();
        assert!(if noise.is_some() { (9..=11).contains(&sent) } else { sent >= 499 }, "{noise:?}: {sent}");
        rig.settle(0);
        rig.port_of(listener).play(play(1, PlayKind::Prompt, tone(700.0, millis(1_000))));
        rig.run(1_200);
        let prompt = level(&rig.phones[listener].listener(), Hz::NARROW, 700.0);
        assert!(prompt > LEVEL - 3.0, "{noise:?}: {prompt}");
        rig.settle(2_000);
        rig.phones[speaker].hums(440.0);
        rig.run(1_000);
        let got = &rig.phones[listener].got;
        assert!(got.iter().filter(|packet| packet.payload.len() == 160).count() >= 48, "{noise:?}: {}", got.len());
        for pair in got.windows(2) {
            assert_eq!(pair[1].seq, pair[0].seq.wrapping_add(1));
            let ticks = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
            let passed = Hz::NARROW.samples(pair[1].at - pair[0].at) as u32;
            assert!(ticks.abs_diff(passed) <= 40, "the timestamp goes on in a pause: {ticks} for {passed}");
        }
        rig.ends();
    }
}
