//! Members and externals, their presence, and the end of a meeting (M-3, M-5, M-10, M-18, O-4).

use super::*;

#[test]
fn m3_a_device_is_external_whatever_is_claimed() {
    let mut w = world(PolicySettings::default());
    w.fact(Fact::Joined {
        who: PHONE,
        role: Role::Member,
        via: Via::Phone,
        organiser: true,
        name: "x".to_owned().into(),
        muted: Muted::default(),
    });
    let me = w.view(PHONE).participants.remove(0);
    assert_eq!((me.role, me.organiser, me.standing), (Role::External, false, Standing::Waiting));
}

/// Nobody external enters before a member even when everyone may bypass.
#[test]
fn m5_nobody_external_enters_before_a_member_even_when_everyone() {
    let mut w = world(PolicySettings { bypass: Bypass::Everyone, ..PolicySettings::default() });
    assert_eq!(said(&w.join(PHONE)), [Phrase::WaitingForHost]);
    assert_eq!(refusals(&w.fact(Fact::Admit { by: Asker::Operator, who: PHONE })), [PolicyRefusal::NoMember]);
    let effects = w.join(MEMBER);
    assert_eq!(seats(&effects), [MEMBER, PHONE]);
    assert_eq!(said(&effects), [Phrase::Admitted]);
    assert_eq!(gates(&effects, PHONE), [(true, true)]);
}

/// A member lost for fifteen seconds is gone and back within sixty keeps seat and mute.
#[test]
fn m5_a_member_lost_for_fifteen_seconds_is_gone_and_back() {
    let mut w = world(PolicySettings::default());
    w.join(MEMBER);
    w.join(PHONE);
    w.fact(Fact::MuteSelf { who: MEMBER, to: Switch::To(true) });
    w.fact(Fact::Alive { who: MEMBER, alive: false });
    assert!(said(&w.after(14_999)).is_empty());
    assert_eq!(w.policy.standing(PHONE), Some(Standing::Lobby));
    assert_eq!(said(&w.after(1)), [Phrase::WaitingForHost]);
    w.after(44_000);
    assert_eq!(w.fact(Fact::Alive { who: MEMBER, alive: true }), [Effect::Say { who: PHONE, phrase: Phrase::InLobby }]);
    let me = w.view(MEMBER).participants.remove(0);
    assert!(me.muted.own && me.organiser && !me.reconnecting);
}

#[test]
fn m5_one_lost_for_sixty_seconds_has_left() {
    let mut w = meeting();
    w.fact(Fact::Alive { who: PHONE, alive: false });
    assert!(w.after(59_999).is_empty());
    let effects = w.after(1);
    assert_eq!(gates(&effects, PHONE), [(false, false)]);
    assert_eq!(dismissals(&effects), [(PHONE, Cause::PeerGone)]);
}

/// A page that was closed is gone after three seconds and one loaded anew keeps its seat.
#[test]
fn m5_a_page_that_was_closed_is_gone_after_three_seconds() {
    let mut w = meeting();
    w.fact(Fact::Closed { who: MEMBER });
    w.after(1_000);
    w.fact(Fact::Closed { who: MEMBER });
    w.fact(Fact::Alive { who: MEMBER, alive: false });
    assert!(w.view(PHONE).participants.iter().any(|row| row.id == MEMBER && row.reconnecting));
    assert!(w.after(1_999).is_empty());
    assert_eq!(dismissals(&w.after(1)), [(MEMBER, Cause::HungUp)]);
    assert!(w.view(PHONE).participants.iter().all(|row| row.id != MEMBER));

    let mut w = meeting();
    w.fact(Fact::MuteSelf { who: MEMBER, to: Switch::To(true) });
    w.fact(Fact::Closed { who: MEMBER });
    w.after(2_000);
    w.fact(Fact::Reloaded { who: MEMBER });
    w.after(57_000);
    w.join(MEMBER);
    w.fact(Fact::Alive { who: MEMBER, alive: true });
    assert!(w.after(60_000).is_empty());
    let me = w.view(MEMBER).participants.into_iter().find(|row| row.id == MEMBER).expect("is here");
    assert!(me.muted.own && !me.reconnecting);
}

/// Who had a seat before a restart has it again and nobody else.
#[test]
fn m5_who_had_a_seat_before_a_restart_has_it_again_and_nobody() {
    let mut w = world(PolicySettings::default());
    w.fact(Fact::SeatKept { who: GUEST });
    w.join(PHONE);
    w.fact(Fact::SeatKept { who: GUEST });
    assert_eq!(seats(&w.join(GUEST)), [GUEST]);
    assert_eq!((w.policy.standing(GUEST), w.policy.standing(PHONE)), (Some(Standing::In), Some(Standing::Waiting)));
}

#[test]
fn o4_a_gateway_that_stops_says_so_to_everybody() {
    let mut w = meeting();
    let effects = w.fact(Fact::Stopped);
    assert!(dismissals(&effects).iter().all(|(_, cause)| *cause == Cause::Draining) && !dismissals(&effects).is_empty());
    assert!(effects.contains(&Effect::Ended { cause: Cause::Draining }));
}

/// Externals stay when the last member leaves and the meeting ends after ninety minutes.
#[test]
fn m10_externals_stay_when_the_last_member_leaves() {
    let mut w = meeting();
    assert!(dismissals(&w.fact(Fact::Left { who: MEMBER })).is_empty());
    w.join(GUEST);
    assert_eq!(w.policy.standing(GUEST), Some(Standing::Waiting));
    w.fact(Fact::Left { who: GUEST });
    assert!(dismissals(&w.after(90 * 60_000 - 1)).is_empty());
    assert_eq!(dismissals(&w.after(1)), [(PHONE, Cause::MeetingEnded)]);
    assert!(w.policy.is_ended() && w.policy.deadline().is_none());
}

#[test]
fn m18_a_presence_that_comes_anew_knocks_anew() {
    let mut w = world(PolicySettings::default());
    w.join(MEMBER);
    w.join(PHONE);
    w.fact(Fact::OrganiserPin { who: PHONE });
    w.fact(Fact::Admit { by: MEMBER.into(), who: PHONE });
    w.fact(Fact::Left { who: PHONE });
    assert_eq!(said(&w.join(PHONE)), [Phrase::InLobby]);
    assert_eq!(w.policy.may(PHONE, Capability::Admit), Err(PolicyRefusal::NotAllowed));
}

#[test]
fn a_meeting_that_all_have_left_ends_and_stops_its_recording() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.fact(Fact::Left { who: PHONE });
    let effects = w.fact(Fact::Left { who: MEMBER });
    assert!(effects.contains(&Effect::Capture { what: REC, want: Capture::Off }));
    assert_eq!(w.after(10_000), [Effect::Ended { cause: Cause::MeetingEnded }]);
    assert_eq!(w.policy.deadline(), None);
    w.capture(REC, Capture::Off);
    assert_eq!(w.capture(REC, Capture::On), [Effect::Capture { what: REC, want: Capture::Off }]);
}
