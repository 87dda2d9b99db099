//! Permissions of members and externals (M-7, M-12, S-9, U-4).

use super::*;

#[test]
fn m7_an_external_that_admits_is_refused_and_told_so() {
    let mut w = meeting();
    w.fact(Fact::Settings(PolicySettings::default()));
    w.join(GUEST);
    let effects = w.fact(Fact::Admit { by: PHONE.into(), who: GUEST });
    assert_eq!((refusals(&effects), said(&effects)), (vec![PolicyRefusal::NotAllowed], vec![Phrase::NotAllowed]));
    assert_eq!(w.policy.standing(GUEST), Some(Standing::Lobby));
}

#[test]
fn m12_an_external_may_not_record_remove_or_end() {
    let mut w = meeting();
    w.fact(Fact::OrganiserPin { who: PHONE });
    let by = Asker::from(PHONE);
    for fact in [Fact::Capture { what: REC, by, want: Capture::On }, Fact::Remove { by, who: MEMBER }, Fact::End { by }] {
        assert_eq!(refusals(&w.fact(fact)), [PolicyRefusal::NotAllowed]);
    }
}

#[test]
fn s9_who_may_have_devices_called_is_the_meetings_to_say() {
    for (call_rooms, organiser, member) in
        [(CallRooms::Organiser, true, false), (CallRooms::Members, true, true), (CallRooms::Nobody, false, false)]
    {
        let mut w = world(PolicySettings { call_rooms, ..PolicySettings::default() });
        for who in [MEMBER, OTHER, PHONE, GUEST] {
            w.join(who);
        }
        w.fact(Fact::Admit { by: MEMBER.into(), who: PHONE });
        let may = |w: &World, who| (w.view(who).may_call_rooms, w.policy.may(who, Capability::CallRooms).is_ok());
        assert_eq!((may(&w, MEMBER), may(&w, OTHER)), ((organiser, organiser), (member, member)), "{call_rooms:?}");
        assert_eq!((may(&w, PHONE), may(&w, GUEST)), ((false, false), (false, false)), "{call_rooms:?}");
        w.fact(Fact::OrganiserPin { who: PHONE });
        assert_eq!(may(&w, PHONE), (organiser, organiser), "{call_rooms:?}");
    }
}

/// A plain member does not end the meeting and is not shown that it could.
#[test]
fn u4_a_plain_member_does_not_end_the_meeting_and_is_not_shown() {
    let mut w = meeting();
    let plain = ParticipantId::from_number(77);
    w.fact(Fact::Joined {
        who: plain,
        role: Role::Member,
        via: Via::Browser,
        organiser: false,
        muted: Muted::default(),
        name: "Bob".to_owned().into(),
    });
    assert!(!w.view(plain).may_end && w.view(MEMBER).may_end);
    assert_eq!(refusals(&w.fact(Fact::End { by: plain.into() })), [PolicyRefusal::NotAllowed]);
    assert!(!w.policy.is_ended());
}
