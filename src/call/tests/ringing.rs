//! A device that is called into a meeting (S-9, M-18).

use super::*;
use crate::call::ringing::{OutboundInvite, RINGING};

/// A device that is to be called into a meeting.
fn placed(name: &str) -> World {
    let invite = OutboundInvite {
        device: "board-room".into(),
        meeting: meeting(name),
        title: String::new(),
        replaces: None,
        advertised: None,
    };
    let addressed = Addressed::Invited { name: meeting(name) };
    let (world, first) = World::of(Call::outbound(settings(addressed), invite));
    assert_eq!(first, [FindsTarget]);
    world
}

fn found() -> CallInput {
    CallInput::TargetFound(path())
}

/// One whose INVITE is out.
fn called() -> World {
    let mut world = placed("demo");
    assert_eq!(world.input(found()), [Reserves]);
    assert_eq!(world.reserved(), [CallsDevice { from: "sip:1001@192.0.2.1".to_owned() }]);
    world
}

fn ringing(status: u16) -> sip::Event {
    sip::Event::Ringing { call: CALL, status }
}

fn taken(sdp: &str) -> sip::Event {
    sip::Event::Answered { call: CALL, sdp: sdp.as_bytes().to_vec() }
}

fn failed(cause: Cause) -> sip::Event {
    sip::Event::Failed { call: CALL, cause, reason: String::new() }
}

#[test]
fn s9_whoever_asked_is_told_how_far_the_call_has_come() {
    let mut world = called();
    assert!(world.sip(ringing(183)).is_empty());
    assert_eq!(world.sip(ringing(180)), [Raises(EventKind::Ringing), Reports(OutboundProgress::Ringing)]);
    assert!(world.sip(ringing(180)).is_empty(), "once");
    assert_eq!(world.sip(taken(&description(1, "sendrecv"))), [NotesDialog, Opens]);
    let menu = world.input(CallInput::PortOpened);
    assert_eq!(menu[..2], [Raises(EventKind::Answered), Reports(OutboundProgress::Answered)]);
    assert!(matches!(&menu[2..], [Says(said)] if said.first() == Some(&Phrase::Invited)), "{menu:?}");
}

#[test]
fn s9_a_device_that_is_not_to_be_called_now_takes_no_port() {
    for cause in [Cause::NotReachable, Cause::Refused(486), Cause::Busy] {
        assert_eq!(placed("demo").input(CallInput::NoTarget(cause)), [NotSetUp(cause)]);
    }
    assert_eq!(placed("gone").input(found()), [NotSetUp(Cause::UnknownAddress)], "the meeting was taken out meanwhile");
    let mut world = placed("demo");
    world.input(found());
    assert_eq!(world.input(CallInput::PortNotReserved(Cause::NoPorts)), [NotSetUp(Cause::NoPorts)]);
}

#[test]
fn s9_a_device_rings_for_a_minute() {
    let mut world = called();
    world.sip(ringing(180));
    assert_eq!(world.call.deadline(), Some(start() + RINGING));
    assert!(world.after(59).is_empty());
    let over = [NotesDialog, Hangs(Cause::NoAnswer), Releases, NotSetUp(Cause::NoAnswer)];
    assert_eq!(world.after(1), over);
}

/// What a device means by its refusal is what whoever asked is told.
#[test]
fn s9_a_refusal_says_what_the_device_means_by_it() {
    for (said, meant) in [
        (Cause::Refused(603), Cause::Declined),
        (Cause::Refused(480), Cause::NoAnswer),
        (Cause::Refused(486), Cause::Refused(486)),
        (Cause::PeerGone, Cause::NotReachable),
    ] {
        assert_eq!(called().sip(failed(said)), [NotesDialog, Releases, NotSetUp(meant)]);
    }
}

#[test]
fn s9_an_answer_that_does_not_fit_our_offer_is_hung_up() {
    let over = [NotesDialog, Hangs(Cause::NoCommonCodec), Releases, NotSetUp(Cause::NoCommonCodec)];
    assert_eq!(called().sip(taken("")), over);
}

#[test]
fn s9_a_call_that_shall_end_does_not_go_on_ringing() {
    let over = [NotesDialog, Hangs(Cause::EndedByOperator), Releases, NotSetUp(Cause::EndedByOperator)];
    assert_eq!(called().input(CallInput::End(Cause::EndedByOperator)), over);
    let mut world = placed("demo");
    assert!(world.input(CallInput::End(Cause::Draining)).is_empty(), "the way to the device is being asked for");
    assert_eq!(world.input(found()), [NotSetUp(Cause::Draining)]);
    let mut world = placed("demo");
    world.input(found());
    world.input(CallInput::End(Cause::Draining));
    assert_eq!(world.reserved(), [Releases, NotSetUp(Cause::Draining)]);
}
