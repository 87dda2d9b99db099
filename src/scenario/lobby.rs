//! Who waits, who is let in, and what reaches whom meanwhile (M-1 … M-18, K-6).

use std::time::Duration;

use serde_json::json;

use super::world::{Voice, World, voices};
use crate::codec::CodecKind;
use crate::common::phrase::Phrase;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn m1_a_phone_that_nobody_knows_never_reaches_a_meeting() {
    let world = World::new();
    let unknown = world.phone_at([198, 51, 100, 7], Voice { name: "Unknown", freq: 453.0 }, CodecKind::Pcmu);
    assert!(unknown.is_refused("1001", 403).contains("unknown-device"));
    world.nothing_left();
}

/// A phone is shown as external whatever it claims and under a clean name.
#[test]
fn m3_and_m4_a_phone_is_shown_as_external_whatever_it_claims() {
    let world = World::new();
    let member = world.member();
    let claims = Voice { name: "Ada \u{202E}(organiser)\u{7}", freq: 453.0 };
    let phone = world.phone_at([10, 0, 1, 7], claims, CodecKind::Pcmu);
    phone.dials("1001");
    phone.hears(Phrase::InLobby);
    let cleaned = Voice { name: "Ada (organiser)", ..claims };
    member.shows(cleaned, "kind", "external");
    member.about("admit", cleaned);
    phone.hears(Phrase::Admitted);
    member.shows(cleaned, "kind", "external");
    member.shows(cleaned, "organiser", false);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// Even where everyone may pass nobody enters before a member is there.
#[test]
fn m5_even_where_everyone_may_pass_nobody_enters() {
    let world = World::with("[meeting.demo]\nbypass = \"everyone\"");
    let phone = world.phone();
    phone.dials("1001");
    phone.hears(Phrase::WaitingForHost);
    phone.hears_nobody();
    let member = world.member();
    phone.hears(Phrase::Admitted);
    phone.hears_only(&[member.voice]);
    member.hears_only(&[phone.voice]);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// A member that is lost for a moment keeps its seat and one that is gone counts no more.
#[test]
fn m5_a_member_that_is_lost_for_a_moment_keeps_its_seat() {
    let world = World::with("[meeting.demo]\nbypass = \"everyone\"");
    let member = world.member();
    let (phone, late) = (world.phone(), world.phone());
    phone.joins("1001");
    member.sleeps(true);
    world.passes(seconds(10));
    member.sleeps(false);
    phone.hears_only(&[member.voice]);
    member.hears_only(&[phone.voice]);

    member.sleeps(true);
    world.passes(seconds(40));
    late.dials("1001");
    late.hears(Phrase::WaitingForHost);
    phone.hears_nobody();
    late.hangs_up();
    phone.hangs_up();
    world.nothing_left();
}

/// A phone waits in the lobby until a member admits it and then they hear each other.
#[test]
fn m6_a_phone_waits_in_the_lobby_until_a_member_admits() {
    let world = World::new();
    let member = world.member();
    let phone = world.phone();
    phone.dials("1001");
    phone.hears(Phrase::InLobby);
    member.shows(phone.voice, "state", "lobby");
    phone.hears_nobody();
    member.hears_nobody();
    member.admits(&phone);
    phone.hears(Phrase::Admitted);
    phone.hears_only(&[member.voice]);
    member.hears_only(&[phone.voice]);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

#[test]
fn m6_the_switch_for_devices_lets_phones_pass_and_browsers_wait() {
    let world = World::with("[meeting.demo]\ndevices_bypass = true");
    let member = world.member();
    let (phone, external) = (world.phone(), world.external());
    phone.joins("1001");
    member.shows(external.voice, "state", "lobby");
    member.hears_only(&[phone.voice]);
    phone.hangs_up();
    external.leaves();
    member.leaves();
    world.nothing_left();
}

/// An external can neither admit nor record nor end nor remove.
#[test]
fn m7_and_m12_an_external_can_neither_admit_nor_record_nor_end() {
    let world = World::new();
    let member = world.member();
    let (external, phone) = (world.external(), world.phone());
    member.about("admit", external.voice);
    external.shows_the_meeting("standing", "in");
    phone.dials("1001");
    phone.hears(Phrase::InLobby);
    let (waiting, ada) = (member.sees(phone.voice)["id"].clone(), external.sees(member.voice)["id"].clone());
    for ask in [
        json!({"type": "admit", "id": waiting}),
        json!({"type": "admit-all"}),
        json!({"type": "recording", "state": "on"}),
        json!({"type": "remove", "id": ada}),
        json!({"type": "end"}),
    ] {
        // Two asks a second are looked at (M-14).
        world.passes(Duration::from_secs(1));
        external.is_refused(ask, "not-allowed");
    }
    member.shows(phone.voice, "state", "lobby");
    member.shows_the_meeting("recording", "off");
    phone.presses("*21");
    phone.hears(Phrase::NotAvailable);

    // What a phone may ask for by other means than its keys (M-12, X-3).
    phone.hands_over_to("sip:900@192.0.2.1", 403);
    phone.hears(Phrase::NotAllowed);
    phone.hangs_up();
    external.leaves();
    member.leaves();
    world.nothing_left();
}

/// Who waits in a browser sees and hears itself alone and is not heard.
#[test]
fn m8_who_waits_in_a_browser_sees_and_hears_itself_alone() {
    let world = World::new();
    let (member, other) = (world.member(), world.other_member());
    let external = world.external();
    member.shows(external.voice, "state", "lobby");
    member.chats("Before you came");
    external.hears_nobody();
    assert_eq!(external.names(), [external.voice.name]);
    assert_eq!(external.has_read(), [""; 0]);
    external.shows_the_meeting("recording", "off");
    member.hears_only(&[other.voice]);
    external.is_refused(json!({"type": "chat", "text": "Let me in"}), "not-inside");
    member.about("admit", external.voice);
    external.shows_the_meeting("standing", "in");
    external.hears_only(&[member.voice, other.voice]);
    member.hears_only(&[other.voice, external.voice]);
    external.leaves();
    other.leaves();
    member.leaves();
    world.nothing_left();
}

/// A wait ends with its own words and reason whichever way it ends.
#[test]
fn m9_a_wait_ends_with_its_own_words_and_reason_whichever_way() {
    let world = World::with("[meeting.demo]\nlobby_timeout = \"2m\"");
    let member = world.member();
    let (denied, timed_out, ended) = (world.phone(), world.phone(), world.phone());
    denied.dials("1001");
    denied.hears(Phrase::InLobby);
    member.about("deny", denied.voice);
    denied.hears(Phrase::Denied);
    assert!(denied.is_hung_up().contains("denied"));

    timed_out.dials("1001");
    timed_out.hears(Phrase::InLobby);
    world.passes(seconds(35));
    timed_out.hears(Phrase::LobbyTimeoutSoon);
    world.passes(seconds(30));
    timed_out.hears(Phrase::LobbyTimeout);
    assert!(timed_out.is_hung_up().contains("lobby-timeout"));

    ended.dials("1001");
    ended.hears(Phrase::InLobby);
    member.ends_the_meeting();
    ended.hears(Phrase::MeetingEnded);
    assert!(ended.is_hung_up().contains("meeting-ended"));
    world.nothing_left();
}

/// Who is inside stays when the last member leaves and the meeting ends in time.
#[test]
fn m10_who_is_inside_stays_when_the_last_member_leaves() {
    let world = World::with("[policy]\nexternals_only_timeout = \"1m\"");
    let member = world.member();
    let (one, two, late) = (world.phone(), world.phone(), world.phone());
    for phone in [&one, &two] {
        phone.is_admitted_by(&member);
    }
    member.leaves();
    one.hears_only(&[two.voice]);
    two.hears_only(&[one.voice]);
    late.dials("1001");
    late.hears(Phrase::WaitingForHost);
    late.hangs_up();
    world.passes(seconds(40));
    for phone in [&one, &two] {
        phone.hears(Phrase::MeetingEnded);
        assert!(phone.is_hung_up().contains("meeting-ended"));
    }
    world.nothing_left();
}

#[test]
fn m16_each_call_leaves_one_record_with_its_times_and_figures() {
    let world = World::new();
    let member = world.member();
    let phone = world.phone();
    phone.dials("1001");
    phone.hears(Phrase::InLobby);
    member.admits(&phone);
    member.records("on");
    phone.hears(Phrase::RecordingStarted);
    member.records("off");
    phone.hears(Phrase::RecordingStopped);
    phone.hangs_up();
    member.leaves();
    world.passes(seconds(3));
    let records = world.records();
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((record.device.as_str(), record.meeting.as_deref()), ("room-1", Some("demo")));
    assert_eq!((record.end_reason.as_str(), record.codec.as_deref(), record.notices), ("hung-up", Some("PCMU"), 2));
    let times = [record.answered_at, record.lobby_at, record.admitted_at, record.joined_at, record.left_at];
    assert!(times.iter().all(Option::is_some) && times.is_sorted(), "{times:?}");
    assert!(record.packets > 200 && record.lost == 0 && record.mos.is_some_and(|mos| mos > 4.0), "{record:?}");
    world.nothing_left();
}

/// Who is let into a recorded meeting joins it when it has been told so.
#[test]
fn m16_who_is_let_into_a_recorded_meeting_joins() {
    let world = World::new();
    let member = world.member();
    member.records("on");
    let phone = world.phone();
    phone.dials("1001");
    phone.hears(Phrase::InLobby);
    member.admits(&phone);
    phone.hears(Phrase::RecordingOn);
    member.records("off");
    phone.hears(Phrase::RecordingStopped);
    phone.hangs_up();
    member.leaves();
    world.passes(seconds(3));
    let record = world.records().pop().expect("a record");
    let (admitted, joined) = (record.admitted_at.expect("admitted"), record.joined_at.expect("joined"));
    let notice = u64::try_from(voices().clip("en", Phrase::RecordingOn).duration().as_millis()).expect("short");
    assert!(joined >= admitted + notice, "{record:?}");
    world.nothing_left();
}

#[test]
fn m16_a_call_that_fails_while_it_is_set_up_leaves_a_record_too() {
    let world = World::new();
    let phone = world.phone();
    phone.offers_only("18 G729/8000");
    phone.is_refused("1001", 488);
    let mut asked = world.calls("room-1", "demo");
    phone.declines();
    world.passes(seconds(1));
    assert!(matches!(asked.steps().last(), Some(crate::call::OutboundProgress::Failed(_))));
    let records = world.records();
    let of_it: Vec<_> = records.iter().map(|record| (record.end_reason.as_str(), record.meeting.as_deref())).collect();
    assert_eq!(of_it, [("no-common-codec", None), ("declined", Some("demo"))]);
    for record in &records {
        assert_eq!((record.device.as_str(), record.answered_at, &record.codec), ("room-1", None, &None), "{record:?}");
        assert!(record.left_at.is_some_and(|left| left >= record.started_at));
    }
    world.nothing_left();
}

#[test]
fn m18_a_phone_that_calls_again_knocks_again_and_is_told_again() {
    let world = World::new();
    let member = world.member();
    let phone = world.admitted_phone(&member);
    phone.presses("*82468#");
    phone.hears(Phrase::PinAccepted);
    member.records("on");
    phone.hears(Phrase::RecordingStarted);
    phone.hangs_up();

    phone.dials("1001");
    phone.hears(Phrase::InLobby);
    phone.hears_nobody();
    phone.presses("*21");
    phone.hears(Phrase::NotAvailable);
    member.admits(&phone);
    phone.hears(Phrase::RecordingOn);
    phone.hangs_up();
    member.records("off");
    member.leaves();
    world.nothing_left();
}

/// Who waits is comforted over music and who is alone is told.
#[test]
fn k6_who_waits_is_comforted_over_music_and_who_is_alone() {
    let world = World::new();
    let phone = world.phone();
    phone.dials("1001");
    phone.hears(Phrase::WaitingForHost);
    phone.hears_music();
    phone.hears(Phrase::StillWaiting);
    let member = world.member();
    phone.hears(Phrase::InLobby);
    member.admits(&phone);
    phone.hears(Phrase::Admitted);
    member.leaves();
    phone.hears_no_prompt_for(seconds(13));
    phone.hears(Phrase::Alone);
    phone.hangs_up();
    world.nothing_left();
}

/// A phones display learns who is inside only once it is inside itself.
#[test]
fn m8_a_phones_display_learns_who_is_inside_only_once() {
    let world = World::new();
    let member = world.member();
    let phone = world.phone();
    phone.dials("1001");
    phone.hears(Phrase::InLobby);
    phone.subscribes_to_the_roster();
    world.passes(seconds(2));
    assert_eq!(phone.shows_on_its_display(), None);
    member.admits(&phone);
    phone.hears(Phrase::Admitted);
    let shown = phone.shows_on_its_display().expect("a roster");
    assert!(shown.contains("Ada") && shown.contains("Room 1"), "{shown}");
    let other = world.phone();
    other.dials("1001");
    other.hears(Phrase::InLobby);
    world.passes(seconds(2));
    assert!(!phone.shows_on_its_display().expect("a roster").contains("Room 2"), "who waits is not inside");
    member.admits(&other);
    other.hears(Phrase::Admitted);
    assert!(phone.shows_on_its_display().expect("a roster").contains("Room 2"));
    other.hangs_up();
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}
