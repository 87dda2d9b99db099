//! Hold, and other new offers (S-5).

use super::*;

/// A hold is answered and told to the meeting and so is the resume.
#[test]
fn s5_a_hold_is_answered_and_told_to_the_meeting() {
    let mut world = World::inside();
    assert_eq!(world.offers(2, "sendonly"), [Answers, Holds(true), Tells(FromGuest::Hold(true))]);
    assert_eq!(world.offers(3, "sendrecv"), [Answers, Holds(false), Tells(FromGuest::Hold(false))]);
}

/// A phone that only receives is a listener, not on hold.
#[test]
fn s5_a_listener_is_not_on_hold() {
    let mut world = World::inside();
    assert_eq!(world.offers(2, "recvonly"), [Answers, Holds(false), Tells(FromGuest::Hold(false))]);
    assert_eq!(world.offers(3, "sendonly"), [Answers, Holds(true), Tells(FromGuest::Hold(true))]);
}

#[test]
fn s5_a_hold_in_the_menu_is_told_at_the_knock() {
    let (mut world, _) = World::calls(Addressed::Nothing);
    assert_eq!(world.offers(2, "inactive"), [Answers, Holds(true)]);
    assert_eq!(world.keys("1001#"), [StopsPrompts, Knocks("demo"), Tells(FromGuest::Hold(true))]);
}

/// An offer without a codec of ours is refused and changes nothing.
#[test]
fn an_offer_without_a_codec_of_ours_is_refused_and_changes() {
    let mut world = World::inside();
    let sdp = description(2, "sendrecv").replace("RTP/AVP 0 101", "RTP/AVP 18").into_bytes();
    let did = world.input(CallInput::Sip(sip::Event::Offer { call: CALL, sdp: Some(sdp) }));
    assert_eq!(did, [Rejects(Cause::NoCommonCodec)]);
    assert!(!world.call.established().offer_answer.on_hold());
}

#[test]
fn the_media_of_these_tests_is_narrow_band() {
    let profile = offer_answer().offered(description(2, "sendrecv").as_bytes()).expect("agrees").0;
    assert_eq!(
        (profile.codec.row().sample_rate, profile.telephone_event.map(|event| event.clock)),
        (Hz::NARROW, Some(Hz::NARROW))
    );
}
