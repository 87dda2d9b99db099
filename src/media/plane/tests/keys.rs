//! Keys as telephone events (A-2, K-3).

use super::*;

/// Scripts the packets of these keys, with losses and repetitions of each kind.
fn press(phone: &mut rig::Phone, keys: &str) {
    const EVENTS: &str = "0123456789*#";
    let (mut low, mut high) = (Sine::new(Hz::NARROW, 770.0, LOUD), Sine::new(Hz::NARROW, 1_336.0, LOUD));
    for (at, key) in keys.chars().enumerate() {
        let event = EVENTS.find(key).expect("a key") as u8;
        let began = phone.outgoing.timestamp;
        // Every second phone of this world sends events instead of sound; the others send both at a time.
        let instead = at % 2 == 1;
        for told in 1..=3_u16 {
            let mut sent = Vec::new();
            if instead {
                phone.outgoing.advance(160);
            } else {
                let mut sound = [0; 160];
                low.fill(&mut sound);
                high.add(&mut sound);
                sent.push(phone.sound(&sound));
            }
            let [upper, lower] = (160 * told).to_be_bytes();
            let end = if told == 3 { 0x80 } else { 0 };
            for copy in 0..if told == 3 { 3 } else { 1 } {
                let mut packet = Vec::new();
                phone.outgoing.event(KEYS, told == 1, began, &[event, end | 10, upper, lower], &mut packet);
                let lost = match at % 5 {
                    1 => instead && told == 1,
                    2 => told == 3,
                    3 => told == 3 && copy < 2,
                    _ => false,
                };
                if !lost {
                    sent.push(packet.clone());
                }
                if at % 5 == 4 {
                    sent.push(packet);
                }
            }
            phone.script.push_back(sent);
        }
        for _ in 0..2 {
            let pause = vec![phone.voice()];
            phone.script.push_back(pause);
        }
    }
}

/// Keys of 60 ms with 40 ms between them come up once each and their tones are not heard.
#[test]
fn keys_of_60_ms_with_40_ms_between_them_come_up_once() {
    const PRESSED: &str = "1123345678900*##9";
    let mut rig = Rig::new();
    let presser = rig.phone(CodecKind::Pcmu);
    rig.seat(presser, OPEN);
    let listener = rig.phone(CodecKind::Pcmu);
    rig.seat(listener, OPEN);
    rig.settle(500);
    rig.phones[presser].events();

    press(&mut rig.phones[presser], PRESSED);
    rig.run(100 * PRESSED.len() as u64 + 300);
    let keys: String = rig.phones[presser]
        .events()
        .into_iter()
        .filter_map(|heard| if let MediaEvent::Digit(digit) = heard { Some(digit.into_inner()) } else { None })
        .collect();
    assert_eq!(keys, PRESSED);
    let tones = rig.phones[listener].hears(&[770.0, 1_336.0]);
    assert!(tones.iter().all(|level| *level < QUIET), "{tones:?}");
    rig.ends();
}

const TONES: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];
const PADS: &str = "123A456B789C*0#D";

/// Scripts keys of 70 ms whose tones are in the sound (-20 dBov, 5 dB of twist), with 90 ms and something between them. With events beside,
/// the first comes so many packets after the tone has begun.
fn press_with_tones(phone: &mut rig::Phone, keys: &str, events_after: Option<usize>) {
    let rate = phone.rate().0 as usize;
    let frame = rate / 50;
    let (mut samples, mut held) = (vec![0_i16; rate / 5], Vec::new());
    for (at, key) in keys.chars().enumerate() {
        let place = PADS.find(key).expect("a key");
        let began = samples.len();
        samples.extend((0..rate * 70 / 1000).map(|n| {
            let wave = |tone: f32, amplitude: f32| amplitude * (std::f32::consts::TAU * tone * n as f32 / rate as f32).sin();
            (wave(TONES[place / 4], 2260.0) + wave(TONES[4 + place % 4], 4040.0)) as i16
        }));
        held.push((key, began / frame, (samples.len() - 1) / frame));
        samples.extend(vec![0; rate * 90 / 1000 + at * 7 * rate / 1000 % frame]);
    }
    samples.resize(samples.len().next_multiple_of(frame) + 10 * frame, 0);
    let clock = phone.profile.codec.row().rtp_clock.0 / 50;
    let mut began = 0;
    for (at, sound) in samples.chunks_exact(frame).enumerate() {
        let timestamp = phone.outgoing.timestamp;
        let mut sent = vec![phone.sound(sound)];
        for (key, first, last) in events_after.iter().flat_map(|late| held.iter().map(move |(k, a, b)| (*k, a + late, b + late)))
        {
            if !(first..=last).contains(&at) {
                continue;
            }
            began = if at == first { timestamp } else { began };
            let event = "0123456789*#ABCD".find(key).expect("a key") as u8;
            let [upper, lower] = ((at - first + 1) as u16 * clock as u16).to_be_bytes();
            for _ in 0..if at == last { 3 } else { 1 } {
                let mut packet = Vec::new();
                let flags = if at == last { 0x8a } else { 10 };
                phone.outgoing.event(KEYS, at == first, began, &[event, flags, upper, lower], &mut packet);
                sent.push(packet);
            }
        }
        phone.script.push_back(sent);
    }
}

/// The keys that have come up since it was asked last.
fn keys(phone: &mut rig::Phone) -> String {
    let digit = |event| match event {
        MediaEvent::Digit(digit) | MediaEvent::InbandDigit(digit) => Some(digit.into_inner()),
        _ => None,
    };
    phone.events().into_iter().filter_map(digit).collect()
}

/// The loudest 20 ms that a phone has heard since it was asked last, in dBov.
fn loudest(phone: &mut rig::Phone) -> f32 {
    let frame = phone.rate().0 as usize / 50;
    phone.listener().chunks_exact(frame).map(crate::dsp::level::dbov).fold(-127.0, f32::max)
}

/// Whose keys are found in the sound: each is one key, and nothing of it is in the meeting.
#[test]
fn a2_no_trace_of_an_inband_key_is_in_the_meeting() {
    for codec in [CodecKind::Pcmu, CodecKind::Pcma, CodecKind::G722, CodecKind::Opus] {
        let mut rig = Rig::new();
        let presser = rig.phone_with(codec, |profile| (profile.telephone_event, profile.inband_keys) = (None, true));
        rig.seat(presser, OPEN);
        let listeners = [CodecKind::Pcmu, CodecKind::G722].map(|codec| rig.phone(codec));
        listeners.iter().for_each(|listener| rig.seat(*listener, OPEN));
        rig.settle(500);
        press_with_tones(&mut rig.phones[presser], PADS, None);
        rig.run(4_000);
        assert_eq!(keys(&mut rig.phones[presser]), PADS, "{codec:?}");
        for listener in listeners {
            let level = loudest(&mut rig.phones[listener]);
            assert!(level < -60.0, "{codec:?}: {level} dBov");
        }
        // Whatever is no key is there, as loud as it was.
        rig.phones[presser].hums(440.0);
        rig.settle(300);
        rig.run(1000);
        let level = rig.phones[listeners[0]].hears(&[440.0])[0];
        assert!(is_as_loud_as_it_was_hummed(level), "{codec:?}: {level} dBov");
        rig.ends();
    }
}

/// Events beside their tones: nothing of a key is in the meeting; of a device whose tones begin before its events, from the second key on.
#[test]
fn a2_no_trace_of_a_key_with_tone_and_events_is_in_the_meeting() {
    for codec in [CodecKind::Pcmu, CodecKind::G722] {
        for late in [0, 1, 2] {
            let mut rig = Rig::new();
            let presser = rig.phone(codec);
            rig.seat(presser, OPEN);
            let listener = rig.phone(CodecKind::Pcmu);
            rig.seat(listener, OPEN);
            rig.settle(500);
            if late > 0 {
                press_with_tones(&mut rig.phones[presser], "5", Some(late));
                rig.settle(700);
            }
            press_with_tones(&mut rig.phones[presser], PADS, Some(late));
            rig.run(4_000);
            let pressed = if late > 0 { format!("5{PADS}") } else { PADS.to_owned() };
            assert_eq!(keys(&mut rig.phones[presser]), pressed, "{codec:?}, events {late} packets late");
            let level = loudest(&mut rig.phones[listener]);
            assert!(level < -60.0, "{codec:?}, events {late} packets late: {level} dBov");
            rig.ends();
        }
    }
}
