//! Each rule as a sentence.
#![allow(clippy::disallowed_methods, reason = "an instant to count from")]

use super::*;
use crate::common::ids::NoticeId;
use crate::common::phrase::Phrase;

mod crowd;
mod microphones;

/// Some instant; tests only ever add to it.
pub(super) fn start() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now)
}

const MEMBER: ParticipantId = ParticipantId::from_number(1);
const OTHER: ParticipantId = ParticipantId::from_number(2);
const PHONE: ParticipantId = ParticipantId::from_number(3);
const GUEST: ParticipantId = ParticipantId::from_number(4);
const REC: CaptureKind = CaptureKind::Recording;
const CARRIED: SentPackets = SentPackets { ssrc: 7, first: 10, last: 90 };

struct World {
    policy: Policy,
    now: Instant,
}

fn world(settings: PolicySettings) -> World {
    World { policy: Policy::new(settings), now: start() }
}

/// A member and an admitted phone, all said and done.
fn meeting() -> World {
    let mut world = world(PolicySettings { bypass: Bypass::Everyone, ..PolicySettings::default() });
    world.join(MEMBER);
    world.join(PHONE);
    world
}

fn joined(who: ParticipantId, muted: Muted) -> Fact {
    let role = if who == MEMBER || who == OTHER { Role::Member } else { Role::External };
    let via = if who == PHONE { Via::Phone } else { Via::Browser };
    Fact::Joined { who, role, via, organiser: who == MEMBER, name: "Somebody".to_owned().into(), muted }
}

impl World {
    fn drain(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.policy.poll()).filter(|e| *e != Effect::Changed).collect()
    }

    fn fact(&mut self, fact: Fact) -> Vec<Effect> {
        self.policy.handle(self.now, fact);
        self.drain()
    }

    fn join(&mut self, who: ParticipantId) -> Vec<Effect> {
        self.fact(joined(who, Muted::default()))
    }

    fn after(&mut self, millis: u64) -> Vec<Effect> {
        let end = self.now + Duration::from_millis(millis);
        while let Some(at) = self.policy.deadline().filter(|at| *at <= end) {
            self.policy.wake(at);
        }
        self.now = end;
        self.drain()
    }

    fn capture(&mut self, what: CaptureKind, state: Capture) -> Vec<Effect> {
        self.fact(Fact::CaptureIs { what, state })
    }

    fn told(&mut self, notice: u64, outcome: NoticeResult) -> Vec<Effect> {
        let notice = NoticeId::from_number(notice);
        self.fact(Fact::Told { notice, outcome, carried: Some(CARRIED) })
    }

    /// Told to its end, and reported on.
    fn reported(&mut self, notice: u64, received_permille: Option<u16>) -> Vec<Effect> {
        self.began(notice);
        self.told(notice, NoticeResult::Completed);
        self.fact(Fact::Reported { notice: NoticeId::from_number(notice), received_permille })
    }

    fn began(&mut self, notice: u64) -> Vec<Effect> {
        self.fact(Fact::NoticeBegan { notice: NoticeId::from_number(notice), length: Duration::from_secs(1) })
    }

    fn view(&self, who: ParticipantId) -> DeviceView {
        self.policy.snapshot(who, self.now).expect("is here")
    }
}

fn said(effects: &[Effect]) -> Vec<Phrase> {
    effects.iter().filter_map(|e| if let Effect::Say { phrase, .. } = e { Some(*phrase) } else { None }).collect()
}

fn told(effects: &[Effect]) -> Vec<Vec<Phrase>> {
    effects.iter().filter_map(|e| if let Effect::Tell { phrases, .. } = e { Some(phrases.clone()) } else { None }).collect()
}

fn gates(effects: &[Effect], of: ParticipantId) -> Vec<(bool, bool)> {
    let gate =
        |e: &Effect| if let Effect::Gate { who, hear, speak } = e { (*who == of).then_some((*hear, *speak)) } else { None };
    effects.iter().filter_map(gate).collect()
}

fn seats(effects: &[Effect]) -> Vec<ParticipantId> {
    effects
        .iter()
        .filter_map(|e| if let Effect::Seat { admission, .. } = e { Some(admission.participant()) } else { None })
        .collect()
}

fn refusals(effects: &[Effect]) -> Vec<PolicyRefusal> {
    effects.iter().filter_map(|e| if let Effect::Refused { refusal, .. } = e { Some(*refusal) } else { None }).collect()
}

fn dismissals(effects: &[Effect]) -> Vec<(ParticipantId, Cause)> {
    effects.iter().filter_map(|e| if let Effect::Dismiss { who, cause } = e { Some((*who, *cause)) } else { None }).collect()
}

fn alarms(effects: &[Effect]) -> Vec<AlarmKind> {
    effects.iter().filter_map(|e| if let Effect::Alarm { what, .. } = e { Some(*what) } else { None }).collect()
}

// === Presence and lobby ===

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

#[test]
fn m7_an_external_that_admits_is_refused_and_told_so() {
    let mut w = meeting();
    w.fact(Fact::Settings(PolicySettings::default()));
    w.join(GUEST);
    let effects = w.fact(Fact::Admit { by: PHONE.into(), who: GUEST });
    assert_eq!((refusals(&effects), said(&effects)), (vec![PolicyRefusal::NotAllowed], vec![Phrase::NotAllowed]));
    assert_eq!(w.policy.standing(GUEST), Some(Standing::Lobby));
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

// === Keys and hosts ===

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

// === Notices ===

/// Every change is told to the device and the microphone stays open.
#[test]
fn n1_every_change_is_told_to_the_device_and_the_microphone() {
    let mut w = meeting();
    for (n, (state, phrase)) in [
        (Capture::On, Phrase::RecordingStarted),
        (Capture::Paused, Phrase::RecordingPaused),
        (Capture::On, Phrase::RecordingResumed),
        (Capture::Off, Phrase::RecordingStopped),
    ]
    .into_iter()
    .enumerate()
    {
        let effects = w.capture(REC, state);
        assert_eq!(told(&effects), [[phrase]]);
        assert!(gates(&effects, PHONE).is_empty());
        w.began(n as u64 + 1);
        let effects = w.told(n as u64 + 1, NoticeResult::Completed);
        assert!(matches!(
            effects.as_slice(),
            [Effect::Ledger(NoticeEntry { outcome: NoticeResult::Completed, carried: Some(CARRIED), .. })]
        ));
        w.after(5_000);
    }
}

/// One who enters while recording hears and speaks nothing before the notice.
#[test]
fn n2_one_who_enters_while_recording_hears_and_speaks_nothing() {
    let mut w = world(PolicySettings { bypass: Bypass::Everyone, ..PolicySettings::default() });
    w.join(MEMBER);
    w.capture(REC, Capture::On);
    w.capture(CaptureKind::Transcription, Capture::Paused);
    let effects = w.join(PHONE);
    assert_eq!(told(&effects), [[Phrase::Admitted, Phrase::RecordingOn, Phrase::TranscriptionPaused]]);
    assert!(gates(&effects, PHONE).is_empty() && said(&effects).is_empty());
    assert_eq!(w.policy.may(PHONE, Capability::Hear), Err(PolicyRefusal::NotAllowed));
    w.began(1);
    assert_eq!(gates(&w.told(1, NoticeResult::Completed), PHONE), [(true, true)]);
    assert_eq!(gates(&w.join(GUEST), GUEST), [(true, true)], "a browser's banner is its notice");
}

#[test]
fn n3_a_late_notice_closes_the_microphone_until_it_was_heard() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    assert!(w.after(499).is_empty());
    let effects = w.after(1);
    assert_eq!((alarms(&effects), gates(&effects, PHONE)), (vec![AlarmKind::Late], vec![(true, false)]));
    w.began(1);
    assert_eq!(gates(&w.told(1, NoticeResult::Completed), PHONE), [(true, true)]);
}

/// A notice that does not end closes the microphone and is told once more.
#[test]
fn n3_a_notice_that_does_not_end_closes_the_microphone() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.began(1);
    assert!(w.after(2_999).is_empty());
    let effects = w.after(1);
    assert_eq!((alarms(&effects), gates(&effects, PHONE)), (vec![AlarmKind::Unfinished], vec![(true, false)]));
    assert_eq!(told(&effects), [[Phrase::RecordingStarted]]);
    assert!(w.told(1, NoticeResult::Completed).is_empty(), "too late: another is on its way");
    assert_eq!(gates(&w.told(2, NoticeResult::Completed), PHONE), [(true, true)]);
}

#[test]
fn n3_on_hold_a_notice_waits_and_comes_before_any_audio() {
    let mut w = meeting();
    w.fact(Fact::Hold { who: PHONE, on: true });
    assert!(told(&w.capture(REC, Capture::On)).is_empty());
    assert!(w.after(60_000).is_empty());
    let effects = w.fact(Fact::Hold { who: PHONE, on: false });
    assert_eq!(told(&effects), [[Phrase::RecordingStarted]]);
    assert!(gates(&effects, PHONE).is_empty());
    assert_eq!(gates(&w.told(1, NoticeResult::Completed), PHONE), [(true, true)]);
}

/// A notice cut off by hold is nobodys fault and told again on resume.
#[test]
fn n3_a_notice_cut_off_by_hold_is_nobodys_fault_and_told() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.began(1);
    w.fact(Fact::Hold { who: PHONE, on: true });
    assert!(alarms(&w.told(1, NoticeResult::Interrupted)).is_empty());
    let effects = w.fact(Fact::Hold { who: PHONE, on: false });
    assert_eq!(told(&effects), [[Phrase::RecordingStarted]]);
    assert!(gates(&effects, PHONE).is_empty());
}

/// Changes while a notice plays merge and on then off is told as both.
#[test]
fn n4_changes_while_a_notice_plays_merge() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.began(1);
    w.capture(REC, Capture::Off);
    w.capture(REC, Capture::On);
    w.capture(REC, Capture::Off);
    w.capture(CaptureKind::Transcription, Capture::On);
    w.capture(CaptureKind::Transcription, Capture::Paused);
    w.capture(CaptureKind::Transcription, Capture::On);
    w.after(1_500);
    assert_eq!(
        told(&w.told(1, NoticeResult::Completed)),
        [[Phrase::RecordingStarted, Phrase::RecordingStopped, Phrase::TranscriptionStarted]]
    );
}

#[test]
fn n4_a_following_notice_waits_for_the_second_to_pass() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.after(200);
    w.told(1, NoticeResult::Completed);
    assert!(told(&w.capture(REC, Capture::Off)).is_empty());
    assert!(told(&w.after(799)).is_empty());
    assert_eq!(told(&w.after(1)), [[Phrase::RecordingStopped]]);
}

/// A notice that fails twice leaves the microphone closed and says so.
#[test]
fn n6_a_notice_that_fails_twice_leaves_the_microphone_closed() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    let effects = w.told(1, NoticeResult::Failed);
    assert_eq!((alarms(&effects), gates(&effects, PHONE)), (vec![AlarmKind::Failed], vec![(true, false)]));
    let effects = w.told(2, NoticeResult::Failed);
    assert_eq!((alarms(&effects), said(&effects)), (vec![AlarmKind::Failed], vec![Phrase::MicrophoneClosed]));
    assert!(told(&w.after(29_999)).is_empty());
    assert_eq!(told(&w.after(1)), [[Phrase::RecordingStarted]], "N-8: again every 30 s");
    let effects = w.told(3, NoticeResult::Failed);
    assert_eq!((alarms(&effects), said(&effects)), (vec![AlarmKind::Failed], vec![]));
    assert_eq!(told(&w.capture(REC, Capture::Off)), [[Phrase::RecordingStarted, Phrase::RecordingStopped]], "at once");
    assert_eq!(gates(&w.told(4, NoticeResult::Completed), PHONE), [(true, true)]);
    assert!(told(&w.after(600_000)).is_empty());
}

// === What the device reports (N-8) ===

/// What a device has received or does not report on is told once and shuts nobody.
#[test]
fn n8_what_a_device_has_received_or_does_not_report_on_is_told() {
    for received in [None, Some(901), Some(1_000)] {
        let mut w = meeting();
        w.capture(REC, Capture::On);
        assert!(w.reported(1, received).is_empty(), "{received:?}");
        assert!(w.after(600_000).is_empty(), "{received:?}");
    }
}

/// What a device has not received is told once more then the microphone closes and it is told every 30 s.
#[test]
fn n8_what_a_device_has_not_received_is_told_once() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.after(2_000);
    let effects = w.reported(1, Some(900));
    assert_eq!(
        (told(&effects), alarms(&effects), gates(&effects, PHONE)),
        (vec![vec![Phrase::RecordingStarted]], vec![], vec![])
    );
    w.began(2);
    w.told(2, NoticeResult::Completed);
    w.after(12_000);
    let effects = w.fact(Fact::Reported { notice: NoticeId::from_number(2), received_permille: Some(0) });
    assert_eq!((alarms(&effects), said(&effects)), (vec![AlarmKind::NotReceived], vec![Phrase::MicrophoneClosed]));
    assert_eq!((told(&effects), gates(&effects, PHONE)), (vec![], vec![(true, false)]));
    assert!(told(&w.after(17_999)).is_empty());
    assert_eq!(told(&w.after(1)), [[Phrase::RecordingStarted]], "30 s after it was told last");
    let effects = w.reported(3, Some(500));
    assert_eq!((alarms(&effects), said(&effects), told(&effects)), (vec![AlarmKind::NotReceived], vec![], vec![]));
    assert!(told(&w.after(29_999)).is_empty());
    assert_eq!(told(&w.after(1)), [[Phrase::RecordingStarted]]);
    assert_eq!(w.policy.may(PHONE, Capability::Speak), Err(PolicyRefusal::NotAllowed));
}

/// The microphone opens with the first notice that is received.
#[test]
fn n8_the_microphone_opens_with_the_first_notice() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.reported(1, Some(0));
    w.after(1_000);
    w.reported(2, Some(0));
    w.after(30_000);
    assert_eq!(gates(&w.reported(3, Some(950)), PHONE), [(true, true)]);
    assert!(told(&w.after(600_000)).is_empty());
}

/// A closed microphone stays closed and is told why where no report comes any more.
#[test]
fn n8_a_closed_microphone_stays_closed_and_is_told_why() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.reported(1, Some(0));
    w.after(1_000);
    w.reported(2, Some(0));
    for notice in 3..6 {
        assert_eq!(told(&w.after(31_000)), [[Phrase::RecordingStarted]], "{notice}");
        assert!(w.reported(notice, None).is_empty());
    }
    assert_eq!(told(&w.capture(REC, Capture::Off)), [[Phrase::RecordingStarted, Phrase::RecordingStopped]]);
    assert_eq!(gates(&w.reported(6, Some(1_000)), PHONE), [(true, true)]);
}

#[test]
fn n2_never_waits_for_a_report() {
    let mut w = world(PolicySettings { bypass: Bypass::Everyone, ..PolicySettings::default() });
    w.join(MEMBER);
    w.capture(REC, Capture::On);
    w.join(PHONE);
    w.began(1);
    assert_eq!(gates(&w.told(1, NoticeResult::Completed), PHONE), [(true, true)]);
    let effects = w.fact(Fact::Reported { notice: NoticeId::from_number(1), received_permille: Some(0) });
    assert!(gates(&effects, PHONE).is_empty(), "it is told again with its microphone open");
    assert_eq!(told(&w.after(1_000)), [[Phrase::RecordingOn]]);
}

/// What is told again ends with what is true now and is told once.
#[test]
fn n8_what_is_told_again_ends_with_what_is_true_now_and_is_told() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.after(3_000);
    w.told(1, NoticeResult::Completed);
    w.capture(REC, Capture::Paused);
    w.after(3_000);
    w.told(2, NoticeResult::Completed);
    let lost = |notice| Fact::Reported { notice: NoticeId::from_number(notice), received_permille: Some(0) };
    assert_eq!(told(&w.fact(lost(1))), [[Phrase::RecordingStarted, Phrase::RecordingPaused]]);
    assert!(told(&w.fact(lost(2))).is_empty(), "it is told again already");
    w.told(3, NoticeResult::Completed);
    assert!(w.after(20_000).is_empty());
    assert!(w.fact(Fact::Reported { notice: NoticeId::from_number(3), received_permille: Some(1_000) }).is_empty());
    assert!(w.after(600_000).is_empty());
}

#[test]
fn n8_on_hold_what_was_lost_waits_and_comes_before_any_audio() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.after(3_000);
    w.told(1, NoticeResult::Completed);
    w.fact(Fact::Hold { who: PHONE, on: true });
    assert!(told(&w.fact(Fact::Reported { notice: NoticeId::from_number(1), received_permille: Some(0) })).is_empty());
    let effects = w.fact(Fact::Hold { who: PHONE, on: false });
    assert_eq!(told(&effects), [[Phrase::RecordingStarted]]);
    assert!(gates(&effects, PHONE).is_empty());
    assert_eq!(gates(&w.told(2, NoticeResult::Completed), PHONE), [(true, true)]);
}

#[test]
fn n8_a_notice_cut_off_by_leaving_is_in_the_ledger() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    let effects = w.fact(Fact::Left { who: PHONE });
    assert!(
        effects
            .iter()
            .any(|e| matches!(e, Effect::Ledger(entry) if entry.outcome == NoticeResult::Interrupted && entry.what.len() == 1))
    );
}

#[test]
fn n11_transcription_that_nothing_could_do_is_refused() {
    let mut w = meeting();
    let ask = Fact::Capture { what: CaptureKind::Transcription, by: MEMBER.into(), want: Capture::On };
    assert_eq!(refusals(&w.fact(ask.clone())), [PolicyRefusal::NotConfigured]);
    w.fact(Fact::TranscriberConfigured(true));
    assert_eq!(w.fact(ask), [Effect::Capture { what: CaptureKind::Transcription, want: Capture::On }]);
}

#[test]
fn a_flapping_recorder_does_not_grow_what_one_on_hold_is_owed() {
    let mut w = meeting();
    w.fact(Fact::Hold { who: PHONE, on: true });
    for _ in 0..1_000 {
        w.capture(REC, Capture::On);
        w.capture(REC, Capture::Off);
    }
    let effects = w.fact(Fact::Hold { who: PHONE, on: false });
    assert_eq!(told(&effects), [[Phrase::RecordingStarted, Phrase::RecordingStopped]]);
    assert!(effects.iter().any(|e| matches!(e, Effect::Tell { changes, .. } if changes.len() <= 65)));
}

#[test]
fn durations_beyond_the_clock_mean_never() {
    let forever = Duration::MAX;
    let mut w = world(PolicySettings {
        lobby_timeout: forever,
        lobby_warning: Duration::ZERO,
        comfort_interval: forever,
        externals_only_timeout: forever,
        empty_timeout: forever,
        ..PolicySettings::default()
    });
    w.join(PHONE);
    assert_eq!(w.policy.deadline(), None);
    w.fact(Fact::Left { who: PHONE });
    assert_eq!(w.policy.deadline(), None);
}

#[test]
fn a_late_wake_gives_the_effects_of_a_timely_one() {
    let history = || {
        let mut w = meeting();
        w.capture(REC, Capture::On);
        w.fact(Fact::Alive { who: MEMBER, alive: false });
        w
    };
    let (mut timely, mut late) = (history(), history());
    let expected = timely.after(120_000);
    late.policy.wake(late.now + Duration::from_secs(120));
    assert!(alarms(&expected).len() > 2 && dismissals(&expected).len() == 1);
    assert_eq!(late.drain(), expected);
    assert_eq!(late.policy.deadline(), timely.policy.deadline());
}
