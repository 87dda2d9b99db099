//! Mix-minus, the lobby (M-8), and gates.

use super::*;

/// Seated phones hear each other and not themselves whatever their codecs.
#[test]
fn seated_phones_hear_each_other_and_not_themselves() {
    let mut rig = Rig::new();
    let codecs = [CodecKind::Pcmu, CodecKind::G722, CodecKind::Opus];
    let hums = [440.0, 610.0, 850.0];
    for (codec, hum) in codecs.into_iter().zip(hums) {
        rig.seated_phone(codec, hum);
    }
    rig.settle(1_000);
    rig.run(2_000);
    for (own, phone) in rig.phones.iter_mut().enumerate() {
        for (other, level) in phone.hears(&hums).into_iter().enumerate() {
            if own == other {
                assert!(level < QUIET, "{:?} hears itself at {level}", codecs[own]);
            } else {
                assert!(is_as_loud_as_it_was_hummed(level), "{:?} hears {:?} at {level}", codecs[own], codecs[other]);
            }
        }
    }
    rig.ends();
}

/// What a waiting phone is sent in two seconds, beside a meeting or beside an empty plane.
fn sent_to_a_waiting_phone(beside_a_meeting: bool) -> Vec<Got> {
    let mut rig = Rig::new();
    let waiting = rig.phone(CodecKind::Pcmu);
    rig.phones[waiting].hums(1_250.0);
    if beside_a_meeting {
        rig.seated_phone(CodecKind::Pcmu, 440.0);
        rig.seated_phone(CodecKind::Pcmu, 610.0);
    }
    rig.port_of(waiting).set_music(Some(tone(1_000.0, millis(700))));
    rig.port_of(waiting).play(play(1, PlayKind::Prompt, tone(330.0, millis(600))));
    rig.run(2_000);
    let heard = rig.phones[waiting].hears(&[1_000.0, 330.0, 440.0, 610.0, 1_250.0]);
    assert!(heard[0] > -25.0 && heard[1] > -35.0, "music and prompt: {heard:?}");
    assert!(heard[2..].iter().all(|level| *level < QUIET), "{heard:?}");
    let got = std::mem::take(&mut rig.phones[waiting].got);
    rig.ends();
    got
}

/// A waiting phone is sent bit by bit what it would be sent without a meeting.
#[test]
fn m8_a_waiting_phone_is_sent_bit_by_bit_what_it_would_be_sent() {
    assert_same(&[sent_to_a_waiting_phone(true)], &[sent_to_a_waiting_phone(false)]);
}

/// What two seated phones are sent in a second, beside a waiting phone that hums or is not there at all.
fn sent_to_a_meeting(beside_a_waiting_phone: bool) -> Vec<Vec<Got>> {
    let mut rig = Rig::new();
    rig.seated_phone(CodecKind::Pcmu, 440.0);
    rig.seated_phone(CodecKind::G722, 610.0);
    if beside_a_waiting_phone {
        let waiting = rig.phone(CodecKind::Pcmu);
        rig.phones[waiting].hums(1_250.0);
        rig.port_of(waiting).play(play(1, PlayKind::Prompt, tone(330.0, millis(600))));
    }
    rig.run(1_000);
    let got = rig.phones[..2].iter_mut().map(|phone| std::mem::take(&mut phone.got)).collect();
    rig.ends();
    got
}

#[test]
fn m8_nothing_of_a_waiting_phone_reaches_the_meeting_bit_by_bit() {
    assert_same(&sent_to_a_meeting(true), &sent_to_a_meeting(false));
}

#[test]
fn m8_a_phone_put_out_of_the_meeting_hears_nothing_more_of_it() {
    let mut rig = Rig::new();
    let speaker = rig.seated_phone(CodecKind::Pcmu, 440.0);
    let out = rig.seated_phone(CodecKind::Pcmu, 610.0);
    rig.settle(500);
    let port = rig.phones[out].port;
    rig.planes[0].unseat(MediaEnd::Port(port));
    rig.settle(100);
    rig.run(1_000);
    assert!(rig.phones[out].got.iter().all(is_silence));
    assert!(rig.phones[speaker].got.iter().all(is_silence));
    rig.ends();
}

#[test]
fn a_shut_gate_is_digital_silence_in_both_directions() {
    let mut rig = Rig::new();
    let speaker = rig.seated_phone(CodecKind::Pcmu, 440.0);
    let shut = rig.phone(CodecKind::Pcmu);
    rig.phones[shut].hums(610.0);
    rig.seat(shut, SHUT);
    rig.run(1_000);
    assert!(rig.phones[shut].got.iter().all(is_silence), "it hears nothing");
    assert!(rig.phones[speaker].got.iter().all(is_silence), "nobody hears it");

    rig.gate(shut, OPEN);
    rig.settle(500);
    rig.gate(shut, Gate { hear: true, speak: false });
    rig.settle(100);
    rig.run(1_000);
    assert!(rig.phones[speaker].got.iter().all(is_silence), "nobody hears it again");
    assert!(is_as_loud_as_it_was_hummed(rig.phones[shut].hears(&[440.0])[0]));
    rig.gate(shut, Gate { hear: false, speak: true });
    rig.settle(100);
    rig.run(1_000);
    assert!(rig.phones[shut].got.iter().all(is_silence), "it hears nothing again");
    assert!(is_as_loud_as_it_was_hummed(rig.phones[speaker].hears(&[610.0])[0]));
    rig.ends();
}

#[test]
fn a_gate_opens_and_shuts_without_a_click() {
    let mut rig = Rig::new();
    let speaker = rig.seated_phone(CodecKind::Pcmu, 440.0);
    let listener = rig.phone(CodecKind::Pcmu);
    rig.seat(listener, OPEN);
    rig.settle(500);
    rig.run(500);
    let own = steepest(&rig.phones[listener].listener());
    for (who, open) in [(listener, Gate { hear: true, speak: true }), (speaker, OPEN)] {
        for round in 0..10 {
            rig.gate(who, SHUT);
            rig.run(60 + 20 * (round % 3));
            rig.gate(who, open);
            rig.run(80 + 20 * (round % 2));
        }
    }
    let heard = rig.phones[listener].listener();
    assert!(heard.iter().filter(|sample| **sample == 0).count() > 4_000, "it was shut at times");
    assert!(steepest(&heard) < own * 115 / 100, "{} where the tone's own is {own}", steepest(&heard));
    rig.ends();
}

#[test]
fn a_bridge_that_closes_first_leaves_no_seat_behind() {
    let mut rig = Rig::new();
    rig.seated_phone(CodecKind::Pcmu, 440.0);
    rig.seated_phone(CodecKind::Pcmu, 610.0);
    rig.settle(200);
    rig.planes[0].close_bridge(bridge(0));
    rig.settle(100);
    rig.run(500);
    assert!(rig.phones.iter().all(|phone| phone.got.len() >= 24 && phone.got.iter().all(is_silence)));
    rig.ends();
}
