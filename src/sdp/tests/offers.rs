//! Our own offers, and their answers.

use super::*;
use crate::common::units::Hz;

/// Our offer lists every codec in our order and keys at each clock.
#[test]
fn our_offer_lists_every_codec_in_our_order_and_keys() {
    let offered = offer_of(&ours());
    let media = &offered.media[0];
    assert_eq!(media.formats, ["111", "9", "8", "0", "110", "101"]);
    assert_eq!(media.rtpmap(111), Some(RtpMap { name: "opus", clock: 48_000, channels: 2 }));
    assert_eq!(media.rtpmap(110).map(|map| map.clock), Some(48_000));
    assert_eq!(read(&offered.to_string()), offered);
    assert_eq!(offer_of(&with(&[Pcmu])).media[0].formats, ["0", "101"]);
}

/// The answer to our offer gives each direction its own payload types.
#[test]
fn the_answer_to_our_offer_gives_each_direction_its_own_payload() {
    let ours = offer_of(&ours());
    let answer =
        audio("30000 RTP/AVP 97 8 18 100", "a=rtpmap:97 opus/48000/2\r\na=rtpmap:100 telephone-event/48000\r\na=ptime:40\r\n");
    let agreed = answered(&ours, &answer).unwrap();
    assert_eq!(
        (agreed.streams[0].codec, agreed.streams[0].payload_type_send, agreed.streams[0].payload_type_receive),
        (Opus, 97, 111)
    );
    let numbers: Vec<_> = agreed.streams[0].formats.iter().map(|format| (format.payload_type, format.content)).collect();
    let (keys_full, keys_narrow) = (PayloadContent::TelephoneEvent(Hz::FULL), PayloadContent::TelephoneEvent(Hz::NARROW));
    let audio = PayloadContent::Audio;
    assert_eq!(
        numbers,
        [
            (111, audio(Opus)),
            (9, audio(G722)),
            (8, audio(Pcma)),
            (0, audio(Pcmu)),
            (110, keys_full),
            (101, keys_narrow),
            (97, audio(Opus)),
            (100, keys_full)
        ]
    );
    assert_eq!(agreed.streams[0].telephone_event, Some(NegotiatedEvents { send_pt: 100, receive_pt: 110, clock: Hz::FULL }));
    assert_eq!((agreed.streams[0].ptime_send.as_millis(), agreed.transport.remote.port(), &agreed.local), (40, 30_000, &ours));
}

/// An answer that refuses or holds or makes no sense is told apart.
#[test]
fn an_answer_that_refuses_or_holds_or_makes_no_sense_is_told() {
    let ours = offer_of(&ours());
    let read_answer = |head: &str, lines: &str| answered(&ours, &audio(head, lines));
    assert_eq!(read_answer("0 RTP/AVP 0", "").unwrap_err(), AnswerError::NoAudio);
    assert_eq!(read_answer("9 RTP/AVP 18", "").unwrap_err(), AnswerError::NoCommonCodec);
    assert_eq!(read_answer("9 RTP/SAVP 0", "").unwrap_err(), AnswerError::NoCommonSuite);
    assert_eq!(answered(&ours, &read("v=0\n")).unwrap_err(), AnswerError::NoAudio);
    let held = read_answer("9 RTP/AVP 0", "a=inactive\r\n").unwrap();
    assert_eq!((held.streams[0].hold, held.streams[0].we_send, held.streams[0].they_send), (Hold::Inactive, false, false));
}

/// A later offer of ours keeps lines and payload types of the session.
#[test]
fn a_later_offer_of_ours_keeps_lines_and_payload_types() {
    // The desk phone again, with our customary numbers used the other way round.
    let theirs = read(&DESK.replace("101", "110").replace("114", "101"));
    let agreed = answer_to(&theirs, &ours()).unwrap();
    assert_eq!(agreed.streams[0].payload_type_receive, 101);
    let again = offer_of(&LocalCapabilities { previous: Some(agreed.local.clone()), ..ours() });
    let media = &again.media[0];
    assert_eq!(media.rtpmap(101).map(|map| map.name), Some("opus"));
    assert_eq!(media.rtpmap(110).map(|map| map.clock), Some(8000));
    assert_eq!((again.media.len(), again.media[1].port), (2, 0));
    let mut numbers = media.formats.clone();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), media.formats.len(), "no number means two things");
    assert_eq!(again.origin.version, "2");
}

#[test]
fn a_held_call_offers_both_ways_again() {
    let held = answer_to(&audio("9 RTP/AVP 0", "a=sendonly\r\n"), &ours()).unwrap();
    let again = offer_of(&LocalCapabilities { previous: Some(held.local), ..ours() });
    assert_eq!(again.direction_of(&again.media[0]), Direction::SendRecv);
}

#[test]
fn an_offer_of_ours_that_we_answer_ourselves_is_agreed_on() {
    for codec in [Opus, G722, Pcma, Pcmu] {
        let offered = offer_of(&with(&[codec]));
        let agreed = answer_to(&read(&offered.to_string()), &ours()).unwrap();
        let seen = answered(&offered, &read(&agreed.local.to_string())).unwrap();
        assert_eq!((agreed.streams[0].codec, seen.streams[0].codec), (codec, codec));
        assert_eq!(agreed.streams[0].telephone_event, seen.streams[0].telephone_event);
        assert!(seen.streams[0].telephone_event.is_some() && seen.streams[0].we_send && seen.streams[0].they_send);
    }
}
