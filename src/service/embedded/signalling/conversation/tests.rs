//! The conversation in virtual time.

use std::sync::Arc;

use super::*;
use crate::common::ids::MeetingName;
use crate::common::redact::Redacted;
use crate::meeting::PasscodeProof;
use crate::meeting::messages::{Standing, Via};
use crate::meeting::roster::{self, MeetingFacts, ParticipantOrigins, RowContext, SmsReaders};
use crate::policy::{Muted, ParticipantRow};

fn start() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    Instant::now()
}

fn visitor(role: Role) -> Visitor {
    let meeting = MeetingName::new("demo").expect("a name");
    let (identity, from, proof, ice_servers) = (None, None, PasscodeProof::Nothing, Vec::new());
    Visitor { meeting, role, organiser: false, identity, from, proof, fallback_name: "Guest", ice_servers }
}

fn new(now: Instant) -> Conversation {
    Conversation::new(visitor(Role::External), ResumeKey::new([3; 32]), now)
}

fn outputs(conversation: &mut Conversation) -> Vec<PageOutput> {
    std::iter::from_fn(|| conversation.poll()).collect()
}

fn text(conversation: &mut Conversation, now: Instant, text: &str) -> Vec<PageOutput> {
    conversation.handle(now, PageInput::Text(text.into()));
    outputs(conversation)
}

/// A conversation in which `p1` is present.
fn present(now: Instant) -> Conversation {
    let mut conversation = new(now);
    text(&mut conversation, now, r#"{"type":"join","name":"Ada"}"#);
    conversation.handle(now, PageInput::Joined(ParticipantId::from_number(1)));
    outputs(&mut conversation);
    conversation
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_page_that_does_not_join_is_sent_away_after_ten_seconds() {
    let t0 = start();
    let mut conversation = new(t0);
    conversation.wake(t0 + 5 * SECOND);
    assert_eq!(outputs(&mut conversation), [PageOutput::Say(ServerMessage::Ping)]);
    assert_eq!(conversation.deadline(), Some(t0 + JOIN_WITHIN));
    conversation.wake(t0 + JOIN_WITHIN);
    assert_eq!(outputs(&mut conversation), [PageOutput::Close(CloseReason::NoJoin)]);
    assert_eq!(conversation.deadline(), None, "all gone, no deadline");
}

/// A page is asked every five seconds and gone after fifteen of silence.
#[test]
fn a_page_is_asked_every_five_seconds_and_gone_after_fifteen() {
    let t0 = start();
    let mut conversation = present(t0);
    conversation.wake(t0 + 5 * SECOND);
    assert_eq!(outputs(&mut conversation), [PageOutput::Say(ServerMessage::Ping)]);
    assert_eq!(text(&mut conversation, t0 + 6 * SECOND, r#"{"type":"pong"}"#), []);
    for at in [10, 15, 20] {
        assert_eq!(conversation.deadline(), Some(t0 + at * SECOND));
        conversation.wake(t0 + at * SECOND);
        assert_eq!(outputs(&mut conversation), [PageOutput::Say(ServerMessage::Ping)]);
    }
    assert_eq!(conversation.deadline(), Some(t0 + 21 * SECOND));
    conversation.wake(t0 + 21 * SECOND);
    assert_eq!(outputs(&mut conversation), [PageOutput::Close(CloseReason::Silent)]);
}

/// Fifty messages a second are heard for ever and a hundred and one at once are not.
#[test]
fn fifty_messages_a_second_are_heard_for_ever_and_a_hundred() {
    let t0 = start();
    let mut conversation = present(t0);
    for n in 1..=5000 {
        let now = t0 + n * Duration::from_millis(20);
        assert_eq!(text(&mut conversation, now, r#"{"type":"pong"}"#), []);
    }
    let now = t0 + 200 * SECOND;
    assert!((0..100).all(|_| text(&mut conversation, now, r#"{"type":"pong"}"#).is_empty()));
    assert_eq!(text(&mut conversation, now, r#"{"type":"pong"}"#), [PageOutput::Close(CloseReason::TooMany)]);
    assert_eq!(text(&mut conversation, now, r#"{"type":"end"}"#), [], "nothing is heard after the end");
}

#[test]
fn every_message_of_the_page_becomes_its_ask() {
    let t0 = start();
    let id = ParticipantId::from_number(7);
    for (message, ask) in [
        (r#"{"type":"mute-self","on":true}"#, MeetingRequest::MuteSelf(true)),
        (r#"{"type":"hand","on":false}"#, MeetingRequest::Hand(false)),
        (r#"{"type":"admit","id":"p7"}"#, MeetingRequest::Admit(id)),
        (r#"{"type":"admit-all"}"#, MeetingRequest::AdmitAll),
        (r#"{"type":"deny","id":"p7"}"#, MeetingRequest::Deny(id)),
        (r#"{"type":"mute","id":"p7","on":true}"#, MeetingRequest::Mute(id, true)),
        (r#"{"type":"remove","id":"p7"}"#, MeetingRequest::Remove(id)),
        (r#"{"type":"recording","state":"paused"}"#, MeetingRequest::Recording(Capture::Paused)),
        (r#"{"type":"transcription","state":"on"}"#, MeetingRequest::Transcription(Capture::On)),
        (r#"{"type":"chat","text":"hi"}"#, MeetingRequest::Chat("hi".into())),
        (r#"{"type":"leave"}"#, MeetingRequest::Leave),
        (r#"{"type":"close"}"#, MeetingRequest::Close),
        (r#"{"type":"end"}"#, MeetingRequest::End),
    ] {
        assert_eq!(text(&mut present(t0), t0, message), [PageOutput::Ask(ask)], "{message}");
    }
}

/// Nothing but a join is heard before the join and no second join after it.
#[test]
fn nothing_but_a_join_is_heard_before_the_join_and_no_second() {
    let t0 = start();
    let refused = |outputs: &[PageOutput]| matches!(outputs, [PageOutput::Tell(ToPage::Refused { code: "bad-message", .. })]);
    assert!(refused(&text(&mut new(t0), t0, r#"{"type":"admit-all"}"#)));
    assert!(refused(&text(&mut present(t0), t0, r#"{"type":"join","name":"Eve"}"#)));
    assert!(refused(&text(&mut present(t0), t0, &format!(r#"{{"type":"offer","sdp":"{}"}}"#, "a".repeat(LONGEST_SDP + 1)))));
}

#[test]
fn after_leave_the_meeting_has_the_last_word_or_two_seconds() {
    let t0 = start();
    let mut patient = present(t0);
    text(&mut patient, t0, r#"{"type":"leave"}"#);
    patient.handle(t0, PageInput::Told(ToPage::Ended { reason: "left" }));
    assert_eq!(outputs(&mut patient), [PageOutput::Tell(ToPage::Ended { reason: "left" }), PageOutput::Close(CloseReason::Over)]);

    let mut unanswered = present(t0);
    text(&mut unanswered, t0, r#"{"type":"leave"}"#);
    assert_eq!(text(&mut unanswered, t0, r#"{"type":"admit-all"}"#), [], "who has left asks nothing more");
    assert_eq!(unanswered.deadline(), Some(t0 + LEAVE_WITHIN));
    unanswered.wake(t0 + LEAVE_WITHIN);
    assert_eq!(outputs(&mut unanswered), [PageOutput::Close(CloseReason::Over)]);
}

#[test]
fn a_page_that_the_meeting_dropped_may_come_back() {
    let t0 = start();
    let mut conversation = present(t0);
    conversation.handle(t0, PageInput::Dropped);
    assert_eq!(outputs(&mut conversation), [PageOutput::Close(CloseReason::ComeBack)]);
    let mut refused = new(t0);
    text(&mut refused, t0, r#"{"type":"join","name":"Ada"}"#);
    refused.handle(t0, PageInput::Done(Err(MeetingRefusal::Ended)));
    assert!(matches!(
        outputs(&mut refused).as_slice(),
        [PageOutput::Tell(ToPage::Refused { code: "ended", .. }), PageOutput::Close(_)]
    ));
}

/// A resume token fits its own presence meeting powers and process only.
#[test]
fn a_resume_token_fits_its_own_presence_meeting_powers() {
    let (key, me) = (ResumeKey::new([3; 32]), visitor(Role::External));
    let who = ParticipantId::from_number(12);
    let token = key.seal(who, &me);
    assert_eq!(key.unseal(&token, &me), Some(who));
    assert_eq!(key.unseal(&token.replace("p12", "p13"), &me), None);
    assert_eq!(key.unseal(&token, &visitor(Role::Member)), None);
    assert_eq!(key.unseal(&token, &Visitor { organiser: true, ..me.clone() }), None);
    assert_eq!(key.unseal(&token, &Visitor { meeting: MeetingName::new("board").expect("a name"), ..me.clone() }), None);
    assert_eq!(ResumeKey::new([4; 32]).unseal(&token, &me), None);
    for hostile in ["", ".", "p12.", "p12", "p99999999999999999999999.AA", &"p1.".repeat(1000)] {
        assert_eq!(key.unseal(hostile, &me), None, "{hostile}");
    }
}

#[test]
fn mutated_messages_never_do_more_than_they_say() {
    let t0 = start();
    let seeds = [
        r#"{"type":"mute","id":"p7","on":true}"#,
        r#"{"type":"chat","text":"h\u00e9llo \ud83d\ude00"}"#,
        r#"{"type":"recording","state":"on"}"#,
        r#"{"type":"join","name":"Ada","resume":"p1.AAAA"}"#,
        r#"{"type":"offer","sdp":"v=0\r\n"}"#,
    ];
    let mut state = 0xDEAD_BEEF_CAFE_F00D_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 20).expect("64 bit") % below
    };
    for _ in 0..20_000 {
        let mut bytes = seeds[next(seeds.len())].as_bytes().to_vec();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            match next(3) {
                0 => bytes[at] = u8::try_from(next(256)).expect("a byte"),
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"{}[]\",:\\u0p"[next(11)]),
            }
        }
        let mut conversation = present(t0);
        let done = text(&mut conversation, t0, &String::from_utf8_lossy(&bytes));
        assert!(done.len() <= 1, "{done:?}");
        assert!(!matches!(done.as_slice(), [PageOutput::Join(_) | PageOutput::Close(_) | PageOutput::Say(_)]), "{done:?}");
    }
}

// === States ===

fn row(number: u64, name: &str, muted: bool) -> ParticipantRow {
    ParticipantRow {
        id: ParticipantId::from_number(number),
        name: Redacted::new(name.to_owned()),
        role: Role::External,
        via: Via::Browser,
        standing: Standing::In,
        organiser: false,
        muted: Muted { own: muted, host: false },
        hand: false,
        on_hold: false,
        reconnecting: false,
        waiting: None,
    }
}

/// What a page inside sees of these.
fn scene(now: Instant, rows: &[ParticipantRow]) -> RosterView {
    let nobody = RosterView::nobody(ParticipantId::from_number(1));
    let facts = MeetingFacts { standing: Standing::In, chat: true, ..nobody.facts };
    let (joins, origins) = (SmsReaders::new(), ParticipantOrigins::new());
    let beside = RowContext { joins: &joins, origins: &origins };
    RosterView { facts, inside: rows.iter().map(|row| Arc::new(roster::shown(row, beside, now))).collect(), ..nobody }
}

fn said(outputs: Vec<PageOutput>) -> Vec<serde_json::Value> {
    let json = |output| match output {
        PageOutput::Say(said) => serde_json::to_value(&said).expect("JSON"),
        other => panic!("{other:?}"),
    };
    outputs.into_iter().map(json).collect()
}

fn shows(conversation: &mut Conversation, now: Instant, rows: &[ParticipantRow]) -> Vec<serde_json::Value> {
    conversation.handle(now, PageInput::Scene(scene(now, rows)));
    said(outputs(conversation))
}

fn with_deltas(now: Instant) -> Conversation {
    let mut conversation = new(now);
    text(&mut conversation, now, r#"{"type":"join","name":"Ada","deltas":true}"#);
    conversation.handle(now, PageInput::Joined(ParticipantId::from_number(1)));
    outputs(&mut conversation);
    conversation
}

/// A page is sent the first state whole and then what has changed.
#[test]
fn m14_a_page_is_sent_the_first_state_whole() {
    let t0 = start();
    let mut page = with_deltas(t0);
    let whole = shows(&mut page, t0, &[row(1, "Ada", false), row(2, "Bob", false)]);
    assert_eq!(
        (whole.len(), &whole[0]["type"], whole[0]["participants"].as_array().map(Vec::len)),
        (1, &"state".into(), Some(2))
    );
    assert!(shows(&mut page, t0, &[row(1, "Ada", false), row(2, "Bob", false)]).is_empty(), "nothing that is seen is new");
    let delta = shows(&mut page, t0, &[row(2, "Bob", true), row(3, "Eve", false)]);
    assert_eq!((delta.len(), &delta[0]["type"], &delta[0]["revision"]), (1, &"delta".into(), &2.into()));
    let names: Vec<_> = delta[0]["rows"].as_array().expect("rows").iter().map(|row| row["name"].clone()).collect();
    assert_eq!((names, &delta[0]["gone"]), (vec!["Bob".into(), "Eve".into()], &serde_json::json!(["p1"])));
}

/// A page that has lost count is sent the whole again and not without end.
#[test]
fn m14_a_page_that_has_lost_count_is_sent_the_whole() {
    let t0 = start();
    let mut page = with_deltas(t0);
    assert_eq!(text(&mut page, t0, r#"{"type":"resync"}"#), [], "there is nothing yet");
    shows(&mut page, t0, &[row(1, "Ada", false)]);
    let mut again = || said(text(&mut page, t0, r#"{"type":"resync"}"#)).len();
    assert_eq!([again(), again(), again()], [1, 1, 0]);
    let whole = said(text(&mut page, t0 + 2 * SECOND, r#"{"type":"resync"}"#));
    assert_eq!((&whole[0]["type"], &whole[0]["revision"]), (&"state".into(), &4.into()));
}

/// A page that knows nothing of differences is sent whole states.
#[test]
fn m14_a_page_that_knows_nothing_of_differences_is_sent_whole() {
    let t0 = start();
    let mut page = present(t0);
    shows(&mut page, t0, &[row(1, "Ada", false)]);
    let again = shows(&mut page, t0, &[row(1, "Ada", true)]);
    assert_eq!((&again[0]["type"], &again[0]["participants"][0]["muted_by"]), (&"state".into(), &"owner".into()));
}

/// A page brings its mute and a key along and a key that is none is none.
#[test]
fn k4_a_page_brings_its_mute_and_a_key_along_and_a_key() {
    let t0 = start();
    let joins = |message: &str| match text(&mut new(t0), t0, message).as_slice() {
        [PageOutput::Join(joining)] => (joining.muted, joining.key.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(joins(r#"{"type":"join","name":"Ada","muted":true,"key":"a1B2"}"#), (true, Some("a1B2".into())));
    assert_eq!(joins(r#"{"type":"join","name":"Ada","key":"../x"}"#), (false, None));
    assert_eq!(joins(&format!(r#"{{"type":"join","name":"Ada","key":"{}"}}"#, "a".repeat(65))), (false, None));
}

/// Who asks too often is told once and then not passed on for a moment.
#[test]
fn m14_who_asks_too_often_is_told_once_and_then_not_passed() {
    let t0 = start();
    let mut page = present(t0);
    page.handle(t0, PageInput::Done(Err(MeetingRefusal::TooFast)));
    assert!(matches!(outputs(&mut page).as_slice(), [PageOutput::Tell(ToPage::Refused { code: "too-fast", .. })]));
    let hand = r#"{"type":"hand","on":true}"#;
    assert_eq!(text(&mut page, t0, hand), []);
    assert_eq!(text(&mut page, t0, r#"{"type":"mute-self","on":true}"#), [PageOutput::Ask(MeetingRequest::MuteSelf(true))]);
    assert_eq!(text(&mut page, t0, r#"{"type":"chat","text":"hi"}"#), [PageOutput::Ask(MeetingRequest::Chat("hi".into()))]);
    assert_eq!(text(&mut page, t0 + IGNORED_FOR, hand), [PageOutput::Ask(MeetingRequest::Hand(true))]);
}
