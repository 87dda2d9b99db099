//! PIN, mute, comfort messages and hold of a phone (K-2, K-4, K-6, S-5).

use super::*;

/// A pin lends admitting keeps the external mark and lets nobody in for themselves.
#[test]
fn k2_a_pin_lends_admitting_keeps_the_external_mark_and_lets() {
    let mut w = world(PolicySettings::default());
    w.join(MEMBER);
    w.join(PHONE);
    w.join(GUEST);
    w.fact(Fact::OrganiserPin { who: PHONE });
    assert_eq!(refusals(&w.fact(Fact::Admit { by: PHONE.into(), who: PHONE })), [PolicyRefusal::NotAllowed]);
    let effects = w.fact(Fact::AdmitAll { by: PHONE.into() });
    assert_eq!((seats(&effects), said(&effects)), (vec![GUEST], vec![Phrase::AllAdmitted]));
    assert_eq!(said(&w.fact(Fact::AdmitAll { by: PHONE.into() })), [Phrase::NobodyWaiting]);
    assert_eq!(w.view(PHONE).participants.first().map(|row| (row.role, row.organiser)), Some((Role::External, true)));
}

/// A pin counts as a member present only where the organisation says so.
#[test]
fn k2_a_pin_counts_as_a_member_present() {
    for counts in [false, true] {
        let mut w = world(PolicySettings { pin_counts_as_member: counts, ..PolicySettings::default() });
        w.join(PHONE);
        w.join(GUEST);
        w.fact(Fact::OrganiserPin { who: PHONE });
        let standing = if counts { Standing::Lobby } else { Standing::Waiting };
        assert_eq!(w.policy.standing(GUEST), Some(standing));
        assert_eq!(w.policy.standing(PHONE), Some(if counts { Standing::In } else { Standing::Waiting }));
    }
}

/// A hosts mute that may not be lifted raises the hand instead.
#[test]
fn k4_a_hosts_mute_that_may_not_be_lifted_raises_the_hand() {
    let mut w = meeting();
    let effects = w.fact(Fact::Mute { by: MEMBER.into(), who: PHONE, on: true });
    assert_eq!((said(&effects), gates(&effects, PHONE)), (vec![Phrase::MutedByHost], vec![(true, false)]));
    let effects = w.fact(Fact::MuteSelf { who: PHONE, to: Switch::Toggle });
    assert_eq!((refusals(&effects), said(&effects)), (vec![PolicyRefusal::MuteLocked], vec![Phrase::MuteLockedHandRaised]));
    assert!(w.view(PHONE).participants.iter().any(|row| row.id == PHONE && row.hand && row.muted.host));
    w.fact(Fact::Settings(PolicySettings { unmute_after_host_mute: true, ..PolicySettings::default() }));
    assert_eq!(gates(&w.fact(Fact::MuteSelf { who: PHONE, to: Switch::Toggle }), PHONE), [(true, true)]);
}

#[test]
fn k6_who_waits_is_comforted_and_who_is_alone_is_told() {
    let mut w = world(PolicySettings { bypass: Bypass::Everyone, ..PolicySettings::default() });
    w.join(PHONE);
    assert!(said(&w.after(29_999)).is_empty());
    assert_eq!(said(&w.after(30_001)), [Phrase::StillWaiting, Phrase::StillWaiting]);
    w.join(MEMBER);
    w.fact(Fact::Left { who: MEMBER });
    assert!(said(&w.after(14_999)).is_empty());
    assert_eq!(said(&w.after(60_000)), [Phrase::Alone]);
}

#[test]
fn s5_hold_shuts_both_directions() {
    let mut w = meeting();
    assert_eq!(gates(&w.fact(Fact::Hold { who: PHONE, on: true }), PHONE), [(false, false)]);
    assert_eq!(gates(&w.fact(Fact::Hold { who: PHONE, on: false }), PHONE), [(true, true)]);
}
