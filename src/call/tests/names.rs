//! Names in descriptions of the peer (S-8): nothing of a call waits while they are looked up.

use super::*;
use crate::call::name_lookup::names_of;

/// What a phone describes whose media are at a name.
fn at_a_name(version: u8) -> String {
    description(version, "sendrecv").replace("c=IN IP4 192.0.2.7", "c=IN IP4 media.example")
}

fn looks_up() -> Did {
    LooksUp(vec!["media.example".to_owned()])
}

fn found(lookup: u64, address: Option<[u8; 4]>) -> CallInput {
    let addresses = address.map(|address| ("media.example".to_owned(), address.into()));
    CallInput::NamesLookedUp { lookup, addresses: addresses.into_iter().collect() }
}

fn offers(world: &mut World, sdp: String) -> Vec<Did> {
    world.sip(sip::Event::Offer { call: CALL, sdp: Some(sdp.into_bytes()) })
}

/// The names of an INVITE go with the port that is reserved for it, and its answer comes with what they stand for.
#[test]
fn s8_names_of_an_invite_are_looked_up_before_its_answer() {
    let mut call = Call::inbound(start(), settings(Addressed::Nothing), invite(Some(&at_a_name(1))));
    let names = std::iter::from_fn(|| call.poll()).find_map(|act| match act {
        CallAct::ReservePort { names, .. } => Some(names),
        _ => None,
    });
    assert_eq!(names, Some(vec!["media.example".to_owned()]));
    let (mut world, _) = World::of(call);
    let mut exchange = offer_answer();
    exchange.know(vec![("media.example".to_owned(), [198, 51, 100, 4].into())]);
    assert_eq!(world.input(CallInput::PortReserved(Box::new(exchange))), [Answers]);
}

/// A name that is not found refuses the call with a warning that says which.
#[test]
fn s8_a_name_that_is_not_found_is_named_in_the_refusal() {
    let mut call = Call::inbound(start(), settings(Addressed::Nothing), invite(Some(&at_a_name(1))));
    call.handle(start(), CallInput::PortReserved(Box::new(offer_answer())));
    let refusal = std::iter::from_fn(|| call.poll()).find_map(|act| match act {
        CallAct::Sip(sip::Command::Reject { cause, warning, .. }) => Some((cause, warning)),
        _ => None,
    });
    let (cause, warning) = refusal.expect("a refusal");
    let warning = warning.expect("a warning");
    assert_eq!((cause, warning.code), (Cause::NoMediaAddress, 301));
    assert!(warning.text.starts_with("media.example: "), "{}", warning.text);
}

/// A re-INVITE with a name waits for its address, while keys of the same call are heard.
#[test]
fn s8_a_call_goes_on_while_the_names_of_an_offer_are_looked_up() {
    let mut world = World::inside();
    assert_eq!(offers(&mut world, at_a_name(2)), [looks_up()]);
    assert_eq!(world.keys("*6"), [StopsPrompts, Tells(FromGuest::Mute(Switch::Toggle))]);
    assert_eq!(world.input(found(7, Some([198, 51, 100, 4]))), [], "the answer to something else");
    let answered = world.input(found(1, Some([198, 51, 100, 4])));
    assert_eq!(answered, [Answers, Holds(false), Tells(FromGuest::Hold(false))]);
    assert_eq!(offers(&mut world, at_a_name(3)), [looks_up()]);
    assert_eq!(world.input(found(2, None)), [Rejects(Cause::NoMediaAddress)], "and the call stays as it was");
    assert!(world.call.established().is_at_meeting());
}

/// An offer that is taken back, or whose call has ended, is not answered any more.
#[test]
fn s8_an_offer_that_is_taken_back_is_not_answered_later() {
    let mut world = World::inside();
    assert_eq!(offers(&mut world, at_a_name(2)), [looks_up()]);
    assert!(world.sip(sip::Event::OfferWithdrawn { call: CALL }).is_empty());
    assert!(world.input(found(1, Some([198, 51, 100, 4]))).is_empty());
    assert_eq!(offers(&mut world, at_a_name(3)), [looks_up()]);
    world.ended(Cause::HungUp);
    assert!(world.input(found(2, Some([198, 51, 100, 4]))).is_empty());
}

/// The answer in an ACK may have names as well.
#[test]
fn s8_names_in_the_answer_of_an_ack_are_looked_up() {
    let (mut world, _) = World::of(Call::inbound(start(), settings(Addressed::Nothing), invite(None)));
    assert_eq!(world.reserved(), [Answers]);
    assert_eq!(world.acknowledged(Some(&at_a_name(1))), [looks_up()]);
    assert_eq!(world.input(found(1, Some([198, 51, 100, 4]))), [Opens]);
}

/// An address that only we, our link or a group can mean is none of the peer's, unless it is there itself.
#[test]
fn s8_a_name_that_leads_inward_is_none_of_the_peers() {
    let own = vec![[192, 0, 2, 1].into()];
    let peer = |signalling: [u8; 4]| RemoteMedia { signalling: signalling.into(), proven: true, own: own.clone() };
    let there = |signalling, address: &str| peer(signalling).may_be_at(address.parse().expect("an address"));
    for address in
        ["127.0.0.1", "::1", "169.254.1.1", "fe80::1", "224.0.0.1", "ff02::1", "0.0.0.0", "::", "192.0.2.1", "::ffff:127.0.0.1"]
    {
        assert!(!there([192, 0, 2, 7], address), "{address}");
    }
    assert!(there([192, 0, 2, 7], "198.51.100.4") && there([192, 0, 2, 7], "10.0.0.1") && there([127, 0, 0, 1], "127.0.0.1"));
    assert!(names_of(Some(b"nothing")).is_empty() && names_of(None).is_empty());
}
