//! Whose microphone is whose to open (K-4).

use super::*;

const OWN: Muted = Muted { own: true, host: false };
const HOST: Muted = Muted { own: false, host: true };
const BOTH: Muted = Muted { own: true, host: true };

impl World {
    fn muted(&self, who: ParticipantId) -> Muted {
        self.policy.muted(who).expect("is here")
    }

    fn host_mutes(&mut self, on: bool) -> Vec<Effect> {
        self.fact(Fact::Mute { by: MEMBER.into(), who: PHONE, on })
    }

    fn mutes_itself(&mut self, on: bool) -> Vec<Effect> {
        self.fact(Fact::MuteSelf { who: PHONE, to: Switch::To(on) })
    }
}

fn asked(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::AskedToUnmute { who: PHONE, .. }))
}

/// A host's mute of one call is every call's of that device, inside or waiting, and is lifted with it.
#[test]
fn k4_a_hosts_mute_of_one_presence_is_the_others_as_well() {
    let mut w = meeting();
    w.join(GUEST);
    let effects = w.fact(Fact::HostMute { who: PHONE, on: true });
    assert_eq!((said(&effects), gates(&effects, PHONE)), (vec![Phrase::MutedByHost], vec![(true, false)]));
    assert_eq!(refusals(&w.mutes_itself(false)), [PolicyRefusal::MuteLocked]);
    assert!(w.fact(Fact::HostMute { who: PHONE, on: true }).is_empty(), "once");
    assert_eq!(gates(&w.fact(Fact::HostMute { who: PHONE, on: false }), PHONE), [(true, true)]);
    w.mutes_itself(true);
    w.fact(Fact::HostMute { who: PHONE, on: true });
    assert_eq!(said(&w.fact(Fact::HostMute { who: PHONE, on: false })), [], "its owner has closed it as well");
    assert_eq!(w.muted(PHONE), OWN);

    let mut w = world(PolicySettings::default());
    w.join(PHONE);
    w.fact(Fact::HostMute { who: PHONE, on: true });
    w.join(MEMBER);
    let effects = w.fact(Fact::Admit { by: MEMBER.into(), who: PHONE });
    assert_eq!(gates(&effects, PHONE), [(true, false)], "it was muted while it waited");
}

/// A host asks for a microphone that its owner has closed and never opens it.
#[test]
fn k4_a_host_asks_for_a_microphone_that_its_owner_has_closed() {
    let mut w = meeting();
    w.mutes_itself(true);
    for by in [Asker::from(MEMBER), Asker::Operator] {
        let effects = w.fact(Fact::Mute { by, who: PHONE, on: false });
        assert_eq!((said(&effects), asked(&effects)), (vec![Phrase::UnmuteAsked], true));
        assert_eq!((gates(&effects, PHONE), w.muted(PHONE)), (vec![], OWN));
    }
    assert_eq!(gates(&w.mutes_itself(false), PHONE), [(true, true)]);
    assert_eq!(w.host_mutes(false), [], "an open one is not asked for");
}

/// Of a microphone that both have closed a host lifts its own part.
#[test]
fn k4_of_a_microphone_that_both_have_closed_a_host_lifts() {
    let mut w = meeting();
    w.mutes_itself(true);
    assert_eq!(said(&w.host_mutes(true)), [Phrase::MutedByHost]);
    assert_eq!(w.muted(PHONE), BOTH);
    let effects = w.host_mutes(false);
    assert_eq!((said(&effects), asked(&effects), w.muted(PHONE)), (vec![Phrase::UnmuteAsked], true, OWN));
    assert_eq!(gates(&w.mutes_itself(false), PHONE), [(true, true)]);

    w.host_mutes(true);
    assert_eq!(said(&w.mutes_itself(true)), [], "it was closed, and is the owner's as well now");
    assert_eq!(w.muted(PHONE), BOTH);
    assert_eq!(refusals(&w.mutes_itself(false)), [PolicyRefusal::MuteLocked]);
    assert_eq!(w.muted(PHONE), BOTH, "what was refused is not remembered");
    assert_eq!(said(&w.host_mutes(false)), [Phrase::UnmuteAsked]);
}

/// What only a host has closed a host opens and the device does not.
#[test]
fn k4_what_only_a_host_has_closed_a_host_opens_and_the_device() {
    let mut w = meeting();
    w.host_mutes(true);
    assert_eq!(refusals(&w.mutes_itself(false)), [PolicyRefusal::MuteLocked]);
    let effects = w.host_mutes(false);
    assert_eq!((said(&effects), gates(&effects, PHONE)), (vec![Phrase::UnmutedByHost], vec![(true, true)]));
}

/// A mute is brought along to a new seat and opens nothing in an old one.
#[test]
fn k4_a_mute_is_brought_along_to_a_new_seat_and_opens_nothing() {
    for (muted, phrase) in [(OWN, Phrase::Muted), (HOST, Phrase::MutedByHost), (BOTH, Phrase::MutedByHost)] {
        let mut w = world(PolicySettings { bypass: Bypass::Everyone, ..PolicySettings::default() });
        w.join(MEMBER);
        let effects = w.fact(joined(PHONE, muted));
        assert_eq!((said(&effects), gates(&effects, PHONE)), (vec![Phrase::Admitted, phrase], vec![(true, false)]));
        w.join(PHONE);
        assert_eq!(w.muted(PHONE), muted, "who comes again with an open one has it closed as before");
    }
    let mut w = meeting();
    assert_eq!(gates(&w.fact(joined(PHONE, OWN)), PHONE), [(true, false)]);
}

#[test]
fn k4_hold_pin_and_a_lost_connection_open_nothing() {
    let mut w = meeting();
    w.mutes_itself(true);
    for fact in [
        Fact::Hold { who: PHONE, on: true },
        Fact::Hold { who: PHONE, on: false },
        Fact::OrganiserPin { who: PHONE },
        Fact::Alive { who: PHONE, alive: false },
        Fact::Alive { who: PHONE, alive: true },
        Fact::AdmitAll { by: MEMBER.into() },
    ] {
        w.fact(fact);
        assert_eq!((w.muted(PHONE), w.policy.may(PHONE, Capability::Speak)), (OWN, Err(PolicyRefusal::NotAllowed)));
    }
}
