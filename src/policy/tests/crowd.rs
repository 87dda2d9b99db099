//! Many at once (M-14), and what others learn of those who wait (M-8).

use super::*;

fn guest(number: u64) -> ParticipantId {
    ParticipantId::from_number(100 + number)
}

fn comes(w: &mut World, who: ParticipantId, role: Role) -> Vec<Effect> {
    let (organiser, name, muted) = (false, "Somebody".to_owned().into(), Muted::default());
    w.fact(Fact::Joined { who, role, via: Via::Browser, organiser, name, muted })
}

fn limited(participants: usize, externals: usize, in_chat: usize, bypass: Bypass) -> World {
    let limits = MeetingLimits { participants, externals, in_chat };
    let mut w = world(PolicySettings { bypass, limits, ..PolicySettings::default() });
    w.join(MEMBER);
    w
}

#[test]
fn m14_the_351st_external_is_refused_and_a_member_is_not() {
    let mut w = world(PolicySettings { bypass: Bypass::Everyone, ..PolicySettings::default() });
    w.join(MEMBER);
    for number in 0..350 {
        assert_eq!(seats(&comes(&mut w, guest(number), Role::External)), [guest(number)]);
    }
    assert_eq!(dismissals(&comes(&mut w, guest(350), Role::External)), [(guest(350), Cause::MeetingFull)]);
    assert_eq!(dismissals(&w.join(PHONE)), [(PHONE, Cause::MeetingFull)], "a phone is an external (M-3)");
    assert_eq!(seats(&w.join(OTHER)), [OTHER]);
    w.fact(Fact::Left { who: guest(7) });
    assert_eq!(seats(&w.join(PHONE)), [PHONE]);
}

/// Who waits takes nobodys place and who has none is not let in.
#[test]
fn m14_who_waits_takes_nobodys_place_and_who_has_none() {
    let mut w = limited(1000, 2, 250, Bypass::Organisers);
    for number in 0..5 {
        comes(&mut w, guest(number), Role::External);
    }
    for number in 0..2 {
        assert_eq!(seats(&w.fact(Fact::Admit { by: MEMBER.into(), who: guest(number) })), [guest(number)]);
    }
    assert_eq!(refusals(&w.fact(Fact::Admit { by: MEMBER.into(), who: guest(2) })), [PolicyRefusal::Full]);
    assert_eq!(refusals(&w.fact(Fact::AdmitAll { by: MEMBER.into() })), [PolicyRefusal::Full]);
    w.fact(Fact::Left { who: guest(0) });
    let effects = w.fact(Fact::AdmitAll { by: MEMBER.into() });
    assert_eq!((seats(&effects), refusals(&effects)), (vec![guest(2)], vec![]), "as many as there is room for");
}

/// Who waits is dismissed where the door was shut meanwhile, and who is inside stays.
#[test]
fn m11_who_waits_at_a_door_that_is_shut_is_dismissed() {
    let mut w = limited(1000, 350, 250, Bypass::Organisers);
    comes(&mut w, guest(0), Role::External);
    comes(&mut w, guest(1), Role::External);
    w.fact(Fact::Admit { by: MEMBER.into(), who: guest(0) });
    for who in [guest(0), guest(1), guest(2)] {
        let gone = dismissals(&w.fact(Fact::TurnedAway { who, cause: Cause::AnonymousOff }));
        assert_eq!(gone, if who == guest(1) { vec![(who, Cause::AnonymousOff)] } else { vec![] });
    }
    assert_eq!((w.policy.standing(guest(0)), w.policy.standing(guest(1))), (Some(Standing::In), None));
}

/// Where everybody passes a place that falls free goes to who waits.
#[test]
fn m14_where_everybody_passes_a_place_that_falls_free_goes() {
    let mut w = limited(1000, 1, 250, Bypass::Organisers);
    comes(&mut w, guest(0), Role::External);
    comes(&mut w, guest(1), Role::External);
    let limits = MeetingLimits { externals: 1, ..MeetingLimits::default() };
    let effects = w.fact(Fact::Settings(PolicySettings { bypass: Bypass::Everyone, limits, ..PolicySettings::default() }));
    assert_eq!(seats(&effects), [guest(0)]);
    assert_eq!(seats(&w.fact(Fact::Left { who: guest(0) })), [guest(1)]);
}

/// A crowd of browsers at the door is bounded and keeps no device out.
#[test]
fn m14_a_crowd_of_browsers_at_the_door_is_bounded_and_keeps() {
    let mut w = limited(3, 3, 250, Bypass::Organisers);
    for number in 0..3 {
        assert_eq!(dismissals(&comes(&mut w, guest(number), Role::External)), []);
    }
    assert_eq!(dismissals(&comes(&mut w, guest(3), Role::External)), [(guest(3), Cause::MeetingFull)]);
    assert_eq!(said(&w.join(PHONE)), [Phrase::InLobby]);
}

#[test]
fn m14_above_the_limit_the_chat_is_off_and_sound_stays() {
    let mut w = limited(1000, 350, 3, Bypass::Everyone);
    comes(&mut w, guest(0), Role::External);
    comes(&mut w, guest(1), Role::External);
    assert!(w.policy.has_chat());
    let effects = comes(&mut w, guest(2), Role::External);
    assert_eq!((w.policy.has_chat(), gates(&effects, guest(2))), (false, vec![(true, true)]));
    w.fact(Fact::Left { who: guest(1) });
    assert!(w.policy.has_chat());
}

/// Of somebody who waits nobody learns what they do with microphone and hand.
#[test]
fn m8_of_somebody_who_waits_nobody_learns() {
    let mut w = limited(1000, 350, 250, Bypass::Organisers);
    w.join(GUEST);
    w.policy.changes();
    for on in [true, false] {
        w.policy.handle(w.now, Fact::MuteSelf { who: GUEST, to: Switch::To(on) });
        let effects: Vec<_> = std::iter::from_fn(|| w.policy.poll()).collect();
        let changes = w.policy.changes();
        assert_eq!((effects, changes.rows.len(), changes.own.len()), (vec![Effect::Changed], 0, 1), "seen by itself alone");
        let seen = |viewer| w.view(viewer).participants.into_iter().find(|row| row.id == GUEST).expect("seen").muted.own;
        assert_eq!((seen(MEMBER), seen(GUEST)), (false, on));
    }
    w.fact(Fact::MuteSelf { who: GUEST, to: Switch::To(true) });
    w.policy.changes();
    w.fact(Fact::Admit { by: MEMBER.into(), who: GUEST });
    assert!(w.policy.changes().rows.contains(&GUEST));
    assert!(w.view(MEMBER).participants.iter().any(|row| row.id == GUEST && row.muted.own));
}
