//! Encodings that listeners share.

use super::*;
use crate::codec::EncoderSettings;

/// What the phones were sent since they were last asked: the payloads alone.
fn payloads(rig: &mut Rig) -> Vec<Vec<Vec<u8>>> {
    rig.phones.iter_mut().map(|phone| std::mem::take(&mut phone.got).into_iter().map(|got| got.payload).collect()).collect()
}

/// All who only listen are sent the same payloads and a talker its own.
#[test]
fn a5_all_who_only_listen_are_sent_the_same_payloads() {
    for codec in [CodecKind::Opus, CodecKind::G722, CodecKind::Pcma, CodecKind::Pcmu] {
        let mut rig = Rig::new();
        let talkers = [rig.seated_phone(codec, 440.0), rig.seated_phone(codec, 610.0)];
        for _ in 0..3 {
            let listener = rig.phone(codec);
            rig.seat(listener, OPEN);
        }
        rig.settle(1_000);
        rig.run(1_000);
        for listener in 2..5 {
            let heard = rig.phones[listener].hears(&[440.0, 610.0]);
            // Two tones at once are no voice: Opus takes a little off them.
            assert!(heard.iter().all(|level| (level - LEVEL).abs() < 1.5), "{codec:?}: {heard:?}");
        }
        let sent = payloads(&mut rig);
        assert!(sent[2] == sent[3] && sent[3] == sent[4] && sent[2].len() > 45, "{codec:?}");
        assert!(talkers.iter().all(|talker| sent[*talker] != sent[2]), "{codec:?}: a talker does not hear itself");
        rig.ends();
    }
}

/// A listener that takes fewer bits than others get is sent an encoding of its own, from a re-INVITE on and until another one.
#[test]
fn a1_a_listener_is_sent_no_more_bits_than_it_takes() {
    let mut rig = Rig::new();
    rig.seated_phone(CodecKind::Opus, 440.0);
    let modest = rig
        .phone_with(CodecKind::Opus, |profile| profile.encoder = EncoderSettings::for_receiver(Some("maxaveragebitrate=12000")));
    let other = rig.phone(CodecKind::Opus);
    [modest, other].into_iter().for_each(|listener| rig.seat(listener, OPEN));
    let bits_per_second = |rig: &mut Rig| {
        rig.settle(1_000);
        payloads(rig);
        rig.run(1_000);
        let heard = [modest, other].map(|listener| rig.phones[listener].hears(&[440.0])[0]);
        assert!(heard.iter().all(|level| (level - LEVEL).abs() < 1.5), "{heard:?}");
        let sent = payloads(rig);
        [modest, other].map(|listener| 8 * sent[listener].iter().map(Vec::len).sum::<usize>())
    };
    let [low, high] = bits_per_second(&mut rig);
    assert!(low <= 12_600 && high > 20_000, "{low} {high}");
    rig.reprofile(modest, |profile| profile.encoder = EncoderSettings::default());
    let [raised, shared] = bits_per_second(&mut rig);
    assert_eq!(raised, shared, "it shares the encoding of the others");
    rig.ends();
}

#[test]
fn a5_a_prompt_for_one_listener_is_heard_by_it_alone() {
    let mut rig = Rig::new();
    rig.seated_phone(CodecKind::Pcmu, 440.0);
    for _ in 0..2 {
        let listener = rig.phone(CodecKind::Pcmu);
        rig.seat(listener, OPEN);
    }
    rig.settle(500);
    rig.port_of(1).play(play(1, PlayKind::Notice, tone(1_250.0, millis(400))));
    rig.run(400);
    let (told, other) = (rig.phones[1].hears(&[1_250.0])[0], rig.phones[2].hears(&[1_250.0])[0]);
    assert!(told > -20.0 && other < QUIET, "{told} {other}");
    rig.settle(500);
    rig.run(500);
    let sent = payloads(&mut rig);
    assert_eq!(sent[1], sent[2], "afterwards it listens with the others again");
    rig.ends();
}

/// The strongest deviation of 20 ms from a steady tone of 440 Hz, in dB below it, while a listener begins and ceases to talk.
fn worst_while_a_listener_talks(codec: CodecKind) -> f32 {
    let mut rig = Rig::new();
    rig.seated_phone(codec, 440.0);
    let listener = rig.phone(codec);
    rig.seat(listener, OPEN);
    // The shared encoder goes on meanwhile for this one.
    let another = rig.phone(codec);
    rig.seat(another, OPEN);
    rig.settle(1_500);
    for _ in 0..4 {
        rig.phones[listener].hums(850.0);
        rig.run(500);
        rig.phones[listener].is_silent();
        rig.run(700);
    }
    let rate = rig.phones[listener].rate();
    let heard = rig.phones[listener].listener();
    rig.ends();
    // Frame by frame, what is left when the tone is taken out, by the frame before: a steady tone of 440 Hz repeats every 25 ms.
    let period = rate.samples(millis(25));
    let left: Vec<i16> = heard.windows(period + 1).map(|part| part[period].saturating_sub(part[0])).collect();
    left.chunks(rate.samples(millis(20))).map(crate::dsp::level::dbov).fold(f32::MIN, f32::max) - LEVEL
}

/// Nothing is heard of it when a listener begins and ceases to talk.
#[test]
fn a5_nothing_is_heard_of_it_when_a_listener_begins_and_ceases() {
    // A codec that remembers nothing shows the mix itself; the others what their change of encoder adds to it.
    for (codec, below) in [(CodecKind::Pcmu, -30.0), (CodecKind::G722, -30.0), (CodecKind::Opus, -20.0)] {
        let worst = worst_while_a_listener_talks(codec);
        println!("{codec:?}: {worst:.1} dB");
        assert!(worst < below, "{codec:?}: {worst} dB");
    }
}
