//! A call that comes in, until it has media.

use super::*;
use crate::call::answering::ACK_AWAITED;

const NO_CODEC_OF_OURS: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n";

/// An INVITE that waits for its port.
fn rings(invite: InboundInvite) -> World {
    let (world, first) = World::of(Call::inbound(start(), settings(Addressed::Nothing), invite));
    assert_eq!(first, [Raises(EventKind::Ringing), Reserves]);
    world
}

/// A call that waits for the ACK.
fn answered() -> World {
    let mut world = rings(invite(Some(&description(1, "sendrecv"))));
    assert_eq!(world.reserved(), [Answers]);
    world
}

fn end(cause: Cause) -> CallInput {
    CallInput::End(cause)
}

#[test]
fn s7_without_a_media_port_a_call_is_refused() {
    let mut world = rings(invite(Some(&description(1, "sendrecv"))));
    let refused = world.input(CallInput::PortNotReserved(Cause::NoPorts));
    assert_eq!(refused, [Rejects(Cause::NoPorts), NotSetUp(Cause::NoPorts)]);
    assert_eq!(world.call.deadline(), None);
}

#[test]
fn an_offer_without_a_codec_of_ours_gives_the_port_back() {
    let mut world = rings(invite(Some(NO_CODEC_OF_OURS)));
    assert_eq!(world.reserved(), [Releases, Rejects(Cause::NoCommonCodec), NotSetUp(Cause::NoCommonCodec)]);
}

/// A caller that takes a 180 only reliably is sent one (RFC 3262).
#[test]
fn s4_a_caller_that_requires_100rel_is_sent_a_180() {
    let invite = InboundInvite { requires_100rel: true, ..invite(None) };
    let (_, first) = World::of(Call::inbound(start(), settings(Addressed::Nothing), invite));
    assert_eq!(first, [Raises(EventKind::Ringing), SaysThatItRings, Reserves]);
}

/// Our offer in the 200 is answered in the ACK, or there is no call (RFC 3261 section 13.2.1).
#[test]
fn a_delayed_offer_is_answered_in_the_ack_or_there_is_no_call() {
    let mut world = rings(invite(None));
    assert_eq!(world.reserved(), [Answers]);
    assert_eq!(world.acknowledged(Some(&description(1, "sendrecv"))), [Opens]);
    for answer in [None, Some(NO_CODEC_OF_OURS), Some("nothing")] {
        let mut world = rings(invite(None));
        world.reserved();
        let over = [Hangs(Cause::NoCommonCodec), Releases, NotSetUp(Cause::NoCommonCodec)];
        assert_eq!(world.acknowledged(answer), over);
    }
}

#[test]
fn a_caller_that_gives_up_before_the_answer_is_not_refused() {
    let mut world = rings(invite(None));
    assert!(world.sip(sip::Event::Cancelled { call: CALL }).is_empty(), "the port is on its way");
    assert_eq!(world.reserved(), [Releases, NotSetUp(Cause::Cancelled)]);
}

#[test]
fn a_caller_that_gives_up_before_its_ack_leaves_no_port_behind() {
    let mut world = answered();
    assert_eq!(world.sip(sip::Event::Cancelled { call: CALL }), [Releases, NotSetUp(Cause::Cancelled)]);
    let mut world = answered();
    assert_eq!(world.ended(Cause::NoAck), [Releases, NotSetUp(Cause::NoAck)]);
}

#[test]
fn o4_a_call_that_is_drained_before_its_answer_is_refused() {
    let mut world = rings(invite(Some(&description(1, "sendrecv"))));
    assert!(world.input(end(Cause::Draining)).is_empty());
    assert_eq!(world.reserved(), [Releases, Rejects(Cause::Draining), NotSetUp(Cause::Draining)]);
}

/// A call that is drained before its ACK ends with words, if the ACK comes in time.
#[test]
fn o4_a_call_that_is_drained_before_its_ack_ends_with_words() {
    let mut world = answered();
    assert!(world.input(end(Cause::Draining)).is_empty());
    assert_eq!(world.acknowledged(None), [Opens]);
    let last = world.input(CallInput::PortOpened);
    assert_eq!(last[2..], [StopsPrompts, Music(false), Says(vec![Phrase::Closing])]);
    assert_eq!(world.played(), [Hangs(Cause::Draining), ClosesPort]);
    assert_eq!(world.closed(), [Done(Cause::Draining)]);
}

/// The ACK of a call that shall end is waited for 2 s; the endpoint keeps the BYE until it comes (RFC 3261 section 15).
#[test]
fn o4_a_stalled_ack_does_not_keep_a_call_that_shall_end() {
    let mut world = answered();
    assert_eq!(world.call.deadline(), None, "the endpoint looks after the ACK itself");
    world.input(end(Cause::EndedByOperator));
    world.input(end(Cause::Draining));
    assert_eq!(world.call.deadline(), Some(start() + ACK_AWAITED));
    let over = [Hangs(Cause::EndedByOperator), Releases, NotSetUp(Cause::EndedByOperator)];
    assert_eq!(world.after(2), over);
}

#[test]
fn a_port_that_cannot_be_opened_ends_the_call() {
    let mut world = answered();
    world.acknowledged(None);
    assert_eq!(world.input(CallInput::PortNotOpened), [Hangs(Cause::Fault), NotSetUp(Cause::Fault)]);
}

#[test]
fn a_phone_that_hangs_up_while_its_port_is_opened_has_it_closed() {
    let mut world = answered();
    world.acknowledged(None);
    assert!(world.ended(Cause::HungUp).is_empty());
    let last = world.input(CallInput::PortOpened);
    assert_eq!(last[2..], [StopsPrompts, Music(false), ClosesPort]);
    assert_eq!(world.closed(), [Done(Cause::HungUp)]);
}

/// What has overtaken the ACK is answered at once, and keys are kept for the menu.
#[test]
fn requests_that_overtake_the_ack_are_answered_and_keys_kept() {
    let mut world = answered();
    for digit in "1001#".chars() {
        let duration = Duration::from_millis(100);
        assert!(world.sip(sip::Event::Digit { call: CALL, digit, duration }).is_empty());
    }
    let text = Redacted::new("hello".to_owned());
    assert_eq!(world.sip(sip::Event::Text { call: CALL, message: 7, text }), [RefusesText(Some(Cause::Denied))]);
    let refer = sip::Event::Refer { call: CALL, device: "room-2".into(), replaces: None };
    assert_eq!(world.sip(refer), [Refers(false)]);
    assert!(world.sip(sip::Event::Watch { call: CALL, on: true }).is_empty());
    world.acknowledged(None);
    let menu = world.input(CallInput::PortOpened);
    assert_eq!(menu.last(), Some(&Tells(FromGuest::Watch(true))));
    assert!(menu.contains(&Knocks("demo")), "{menu:?}");
}

/// A description that is agreed on by UPDATE while the port is opened is what the port gets in the end (RFC 3311).
#[test]
fn s5_a_hold_before_there_is_media_takes_effect_with_it() {
    let mut world = answered();
    assert_eq!(world.offers(2, "inactive"), [Answers]);
    world.acknowledged(None);
    assert_eq!(world.offers(3, "sendonly"), [Answers]);
    assert_eq!(world.input(CallInput::PortOpened).first(), Some(&Holds(true)));
    assert!(world.call.established().offer_answer.on_hold());
}

#[test]
fn m18_a_call_takes_the_place_of_another_once_it_has_media() {
    let replaced = CallId::from_number(9);
    let offer = description(1, "sendrecv");
    let mut world = rings(InboundInvite { replaces: Some(replaced), ..invite(Some(&offer)) });
    world.reserved();
    assert_eq!(world.acknowledged(None), [Opens]);
    assert_eq!(world.input(CallInput::PortOpened)[1], TakesPlaceOf(replaced));
}

/// A call whose inbox was full is over for SIP: nothing is refused or hung up, and its port is given back or closed.
#[test]
fn a_stalled_call_ends_as_stalled_in_each_phase() {
    let mut world = rings(invite(None));
    assert!(world.input(CallInput::Stalled).is_empty());
    assert_eq!(world.reserved(), [Releases, NotSetUp(Cause::Stalled)]);
    assert_eq!(answered().input(CallInput::Stalled), [Releases, NotSetUp(Cause::Stalled)]);
    let mut world = World::inside();
    assert_eq!(world.input(CallInput::Stalled), [Tells(FromGuest::Lost), StopsPrompts, Music(false), ClosesPort]);
    assert_eq!(world.closed(), [Done(Cause::Stalled)]);
}
