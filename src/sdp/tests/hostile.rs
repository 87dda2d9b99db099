//! Descriptions that nobody means well with (X-1).

use super::*;

#[test]
fn an_address_with_a_control_character_is_printed_as_it_is_read() {
    let session = read("v=0\no=- 1 2 IN IP6 2001:db8::7\u{1e}\nc=IN IP6 \u{1}[2001:db8::7]\nm=audio 9 RTP/AVP 0\n");
    let printed = session.to_string();
    assert!(printed.contains("o=- 1 2 IN IP6 2001:db8::7\r\n") && printed.contains("c=IN IP6 2001:db8::7\r\n"), "{printed}");
}

/// A small generator of our own: the same storm at every run.
struct Storm(u64);

impl Storm {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }
}

/// Twenty thousand mutated bodies are read answered and printed without harm.
#[test]
fn twenty_thousand_mutated_bodies_are_read_answered_and_printed() {
    let pieces: [&[u8]; 12] = [
        b"m=audio 9 RTP/AVP 0\r\n",
        b"c=IN IP4 0.0.0.0\r\n",
        b"a=rtpmap:",
        b"a=fmtp:0 ",
        b"99999999999999999999",
        b"\r",
        b"\0",
        b"\xff\xfe",
        b"=",
        b":",
        b"/",
        b"a=ptime:-1e999\r\n",
    ];
    let mut storm = Storm(7);
    let mut understood = 0;
    for round in 0..20_000 {
        let mut body = [DESK, CONFERENCE, OFFICE][round % 3].as_bytes().to_vec();
        for _ in 0..=storm.below(6) {
            let at = storm.below(body.len());
            let end = (at + storm.below(40)).min(body.len());
            match storm.below(4) {
                0 => body[at] = u8::try_from(storm.below(256)).unwrap(),
                1 => drop(body.drain(at..end)),
                2 => body.splice(at..at, pieces[storm.below(pieces.len())].iter().copied()).for_each(drop),
                _ => {
                    let copy = body[at..end].to_vec();
                    body.extend(copy);
                }
            }
        }
        let Ok(session) = SessionDescription::parse(&body) else { continue };
        let printed = session.to_string();
        assert_eq!(read(&printed).to_string(), printed);
        if let Ok(agreed) = answer_to(&session, &ours()) {
            understood += 1;
            assert_eq!(agreed.local.media.len(), session.media.len());
            assert!((10..=60).contains(&agreed.streams[0].ptime_send.as_millis()));
            let again = offer_of(&LocalCapabilities { previous: Some(agreed.local.clone()), ..ours() });
            let printed = again.to_string();
            assert_eq!(read(&printed).to_string(), printed);
            let _ = answered(&again, &session);
        }
        let _ = answered(&offer_of(&ours()), &session);
    }
    assert!(understood > 5_000, "the storm leaves enough to answer: {understood}");
}
