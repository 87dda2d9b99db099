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
