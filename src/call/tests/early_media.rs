//! Words before a refusal (S-10).

use super::*;
use crate::call::early_media::{Announcement, SLACK};

fn words() -> Clip {
    library().clip("en", Phrase::NoEmergencyCalls)
}

fn announced(offer: Option<&str>) -> (World, Vec<Did>) {
    let announcement = Announcement { call: CALL, cause: Cause::NoEmergencyCalls, clip: words() };
    World::of(Call::announced(announcement, invite(offer)))
}

/// A call to which the words are being said.
fn told() -> World {
    let (mut world, first) = announced(Some(&description(1, "sendrecv")));
    assert_eq!(first, [Reserves]);
    assert_eq!(world.reserved(), [SpeaksEarly, Opens]);
    assert_eq!(world.input(CallInput::PortOpened), [Says(vec![Phrase::NoEmergencyCalls])]);
    world
}

const REFUSED: Did = Rejects(Cause::NoEmergencyCalls);

#[test]
fn s10_a_call_for_help_is_refused_once_it_was_told_why() {
    let mut world = told();
    assert!(world.input(CallInput::End(Cause::Draining)).is_empty(), "a drain does not cut it short");
    assert_eq!(world.played(), [ClosesPort, REFUSED, Announced]);
}

#[test]
fn s10_words_that_never_end_do_not_keep_a_call_for_help() {
    let mut world = told();
    let limit = words().duration() + SLACK;
    assert_eq!(world.call.deadline(), Some(start() + limit));
    assert_eq!(world.after(limit.as_secs() + 1), [ClosesPort, REFUSED, Announced]);
}

#[test]
fn s10_a_call_for_help_that_gives_up_is_not_refused() {
    assert_eq!(told().sip(sip::Event::Cancelled { call: CALL }), [ClosesPort, Announced]);
}

#[test]
fn s10_a_call_for_help_without_a_way_to_tell_it_is_refused() {
    assert_eq!(announced(None).1, [REFUSED, Announced]);
    let (mut world, _) = announced(Some("nothing"));
    assert_eq!(world.reserved(), [Releases, REFUSED, Announced]);
    let (mut world, _) = announced(Some(&description(1, "sendrecv")));
    assert_eq!(world.input(CallInput::PortNotReserved(Cause::NoPorts)), [REFUSED, Announced]);
    let (mut world, _) = announced(Some(&description(1, "sendrecv")));
    world.reserved();
    assert_eq!(world.input(CallInput::PortNotOpened), [REFUSED, Announced]);
}
