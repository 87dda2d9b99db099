//! The lobby and its time-outs (M-6, M-8, M-9).

use super::*;

#[test]
fn m6_with_a_member_present_an_external_waits_until_admitted() {
    for bypass in [Bypass::Organisers, Bypass::Invited, Bypass::Organisation, Bypass::OrganisationAndTrusted] {
        let mut w = world(PolicySettings { bypass, ..PolicySettings::default() });
        w.join(MEMBER);
        assert_eq!(said(&w.join(PHONE)), [Phrase::InLobby]);
        let effects = w.fact(Fact::Admit { by: MEMBER.into(), who: PHONE });
        assert_eq!((seats(&effects), gates(&effects, PHONE)), (vec![PHONE], vec![(true, true)]));
        assert!(w.fact(Fact::Admit { by: MEMBER.into(), who: PHONE }).is_empty());
    }
}

/// The switch for devices lets devices pass and browsers wait.
#[test]
fn m6_the_switch_for_devices_lets_devices_pass_and_browsers() {
    let mut w = world(PolicySettings { devices_bypass: true, ..PolicySettings::default() });
    w.join(MEMBER);
    assert_eq!(seats(&w.join(PHONE)), [PHONE]);
    assert!(seats(&w.join(GUEST)).is_empty());
}

/// Who waits sees itself alone and externals inside do not see the lobby.
#[test]
fn m8_who_waits_sees_itself_alone_and_externals_inside() {
    let mut w = meeting();
    w.fact(Fact::Settings(PolicySettings::default()));
    w.capture(REC, Capture::On);
    w.join(GUEST);
    let ids = |view: DeviceView| view.participants.into_iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(w.view(GUEST).recording, Capture::Off);
    assert_eq!(ids(w.view(GUEST)), [GUEST]);
    assert_eq!(ids(w.view(PHONE)), [MEMBER, PHONE]);
    assert_eq!(ids(w.view(MEMBER)), [MEMBER, PHONE, GUEST]);
    assert_eq!(w.policy.snapshot(OTHER, w.now), None);
}

#[test]
fn m9_every_end_of_a_wait_has_its_cause() {
    let mut w = world(PolicySettings { comfort_interval: Duration::ZERO, ..PolicySettings::default() });
    w.join(MEMBER);
    w.join(PHONE);
    assert_eq!(dismissals(&w.fact(Fact::Deny { by: MEMBER.into(), who: PHONE })), [(PHONE, Cause::Denied)]);
    w.join(PHONE);
    assert!(w.after(29 * 60_000 - 1).is_empty());
    assert_eq!(said(&w.after(1)), [Phrase::LobbyTimeoutSoon]);
    assert_eq!(dismissals(&w.after(60_000)), [(PHONE, Cause::LobbyTimeout)]);
    w.join(PHONE);
    assert!(w.fact(Fact::Left { who: PHONE }).is_empty());
    w.join(PHONE);
    let effects = w.fact(Fact::End { by: MEMBER.into() });
    assert_eq!(dismissals(&effects), [(MEMBER, Cause::MeetingEnded), (PHONE, Cause::MeetingEnded)]);
    assert_eq!(effects.last(), Some(&Effect::Ended { cause: Cause::MeetingEnded }));
    assert_eq!(dismissals(&w.join(PHONE)), [(PHONE, Cause::MeetingEnded)]);
    assert_eq!(refusals(&w.fact(Fact::End { by: MEMBER.into() })), [PolicyRefusal::Ended]);
}

/// The end of a short wait is announced half way and not at its beginning.
#[test]
fn m9_the_end_of_a_short_wait_is_announced_half_way() {
    for (timeout, after) in [(10, 5), (60, 30), (61, 30), (119, 59), (120, 60), (180, 120)] {
        let lobby_timeout = Duration::from_secs(timeout);
        let mut w = world(PolicySettings { comfort_interval: Duration::ZERO, lobby_timeout, ..PolicySettings::default() });
        w.join(MEMBER);
        assert_eq!(said(&w.join(PHONE)), [Phrase::InLobby], "{timeout} s");
        assert!(said(&w.after(after * 1_000 - 1)).is_empty(), "{timeout} s");
        assert_eq!(said(&w.after(1_001)), [Phrase::LobbyTimeoutSoon], "{timeout} s");
        assert_eq!(dismissals(&w.after(timeout * 1_000)), [(PHONE, Cause::LobbyTimeout)], "{timeout} s");
    }
}
