//! A call from its answer to its end, each rule as a sentence.
#![allow(clippy::disallowed_methods, reason = "an instant to count from")]

mod chat_readout;

use std::path::Path;

use super::*;
use crate::codec::CodecKind;
use crate::common::units::Hz;
use crate::media::SentPackets;
use crate::meeting::SmsKeyed;
use crate::menu::{Directory, Entry, Keymap, TRIES};
use crate::policy::Switch;
use crate::relay::RelayAnswer;
use crate::sdp::{LocalCapabilities, Preference};

const CALL: CallId = CallId::from_number(1);
const NOTICE: NoticeId = NoticeId::from_number(7);
const CARRIED: SentPackets = SentPackets { ssrc: 7, first: 100, last: 150 };

fn start() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now)
}

fn library() -> Arc<Library> {
    static LIBRARY: std::sync::OnceLock<Arc<Library>> = std::sync::OnceLock::new();
    let load = || {
        let prompts = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/prompts");
        Arc::new(Library::load(&prompts, "en").expect("the prompts that we ship"))
    };
    Arc::clone(LIBRARY.get_or_init(load))
}

fn meeting(name: &str) -> MeetingName {
    MeetingName::new(name).expect("a name")
}

/// What a phone at 192.0.2.7 describes.
fn description(version: u8, direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 {version} IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    )
}

fn offer_answer() -> OfferAnswer {
    let ours = LocalCapabilities {
        address: [192, 0, 2, 1].into(),
        port: 30_000,
        codecs: vec![CodecKind::Pcmu],
        preference: Preference::Offerer,
        ptime: Duration::from_millis(20),
        session_id: 1,
        rtcp_mux: false,
        previous: None,
    };
    let far = RemoteMedia { signalling: [192, 0, 2, 7].into(), proven: false, own: Vec::new() };
    let mut offer_answer = OfferAnswer::new(ours, far);
    offer_answer.offered(description(1, "sendrecv").as_bytes()).expect("agrees");
    offer_answer
}

/// A call and its surroundings: what it plays is remembered by the phrases' clips.
struct World {
    call: Call,
    now: Instant,
    last_play: Option<PlayId>,
}

/// What a call did, as far as a scenario cares.
#[derive(Debug, PartialEq)]
enum Did {
    Says(Vec<Phrase>),
    Gives(Vec<Phrase>),
    StopsPrompts,
    Music(bool),
    Knocks(&'static str),
    Tells(FromGuest),
    WrongTry(Option<&'static str>),
    Pin(bool),
    Hangs(Cause),
    Answers,
    Rejects(Cause),
    Holds(bool),
    ClosesPort,
    Refers(bool),
    Notifies(u16),
    HandsOver(String),
    Speaks(String),
    Shows(String),
    Done(Cause),
}

use Did::{
    Answers, ClosesPort, Done, Gives, HandsOver, Hangs, Holds, Knocks, Music, Notifies, Pin, Refers, Rejects, Says, Shows,
    Speaks, StopsPrompts, Tells, WrongTry,
};

fn known(name: &MeetingName) -> &'static str {
    ["board", "demo"].into_iter().find(|known| name.as_str() == *known).expect("one of ours")
}

/// Which phrase a clip is: they are all different. `None`: a digit.
fn phrase_of(clip: &Clip) -> Option<Phrase> {
    let library = library();
    Phrase::ALL.iter().find(|phrase| library.clip("en", **phrase) == *clip).copied()
}

impl World {
    fn calls(addressed: Addressed) -> (Self, Vec<Did>) {
        let entry = |name, id: &str, passcode: Option<&str>| Entry {
            name: meeting(name),
            conference_id: id.to_owned(),
            passcode: passcode.map(|passcode| Redacted::new(passcode.to_owned())),
        };
        let settings = CallSettings {
            call: CALL,
            device: "board-room".to_owned(),
            name: "Board Room".to_owned(),
            text: false,
            speaks: false,
            chat: Some(crate::relay::NumberingPlan::new(Some("49"))),
            addressed,
            directory: Arc::new(Directory::new(vec![entry("demo", "1001", None), entry("board", "1002", Some("4321"))])),
            pins: Arc::new(BTreeMap::from([(meeting("demo"), Redacted::new("9876".to_owned()))])),
            library: library(),
            language: "en".to_owned(),
            offer_answer: offer_answer(),
        };
        let mut world = Self { call: Call::new(start(), settings), now: start(), last_play: None };
        let first = world.drain();
        (world, first)
    }

    /// A call that knocked at `demo` at once, and is in the lobby.
    fn in_the_lobby() -> Self {
        let (mut world, first) = Self::calls(Addressed::Meeting { name: meeting("demo"), passcode: None });
        assert_eq!(first, [Says(vec![Phrase::Welcome]), Knocks("demo")]);
        assert_eq!(world.meeting(ToGuest::Waiting), [Music(true)]);
        world
    }

    /// The same, let in.
    fn inside() -> Self {
        let mut world = Self::in_the_lobby();
        assert_eq!(world.meeting(ToGuest::Seated), [Music(false), StopsPrompts]);
        world
    }

    fn drain(&mut self) -> Vec<Did> {
        let acts: Vec<_> = std::iter::from_fn(|| self.call.poll()).collect();
        acts.into_iter().map(|act| self.did(act)).collect()
    }

    fn did(&mut self, act: CallAct) -> Did {
        match act {
            CallAct::Play(play) => {
                self.last_play = Some(play.id);
                let phrases = play.clips.iter().filter_map(phrase_of).collect();
                if play.kind == PlayKind::Notice { Gives(phrases) } else { Says(phrases) }
            }
            CallAct::StopPrompts => StopsPrompts,
            CallAct::Music(on) => Music(on),
            CallAct::Knock { meeting, .. } => Knocks(known(&meeting)),
            CallAct::Guest(what) => Tells(what),
            CallAct::Pin { right } => Pin(right),
            CallAct::WrongTry(meeting) => WrongTry(meeting.as_ref().map(known)),
            CallAct::Sip(sip::Command::Text { call: CALL, text }) => Shows(text.into_inner()),
            CallAct::Sip(sip::Command::Bye { call: CALL, cause }) => Hangs(cause),
            CallAct::Sip(sip::Command::Answer { call: CALL, .. }) => Answers,
            CallAct::Sip(sip::Command::Reject { call: CALL, cause }) => Rejects(cause),
            CallAct::Sip(sip::Command::ReferAnswered { call: CALL, accepted }) => Refers(accepted),
            CallAct::Sip(sip::Command::ReferProgress { call: CALL, status }) => Notifies(status),
            CallAct::Sip(other) => panic!("{other:?}"),
            CallAct::Reprofile(profile) => Holds(!profile.we_send),
            CallAct::Transfer { device, .. } => HandsOver(device.to_string()),
            CallAct::Speak(text) => Speaks(text.into_inner()),
            CallAct::ClosePort => ClosesPort,
            CallAct::Done(summary) => Done(summary.cause),
        }
    }

    fn input(&mut self, input: CallInput) -> Vec<Did> {
        self.call.handle(self.now, input);
        self.drain()
    }

    fn heard(&mut self, heard: MediaEvent) -> Vec<Did> {
        self.input(CallInput::Heard(heard))
    }

    fn meeting(&mut self, word: ToGuest) -> Vec<Did> {
        self.input(CallInput::Meeting(word))
    }

    fn keys(&mut self, keys: &str) -> Vec<Did> {
        keys.chars().flat_map(|key| self.heard(MediaEvent::Digit(Redacted::new(key)))).collect()
    }

    /// What it plays comes to its end.
    fn played(&mut self) -> Vec<Did> {
        let play = self.last_play.expect("it plays");
        self.heard(MediaEvent::Played { play, outcome: PlayOutcome::Completed, carried: Some(CARRIED) })
    }

    fn closed(&mut self) -> Vec<Did> {
        let stats = PortStats { received: 42, ..PortStats::default() };
        self.heard(MediaEvent::Closed(Box::new(stats)))
    }

    fn ended(&mut self, cause: Cause) -> Vec<Did> {
        self.input(CallInput::Sip(sip::Event::Ended { call: CALL, cause }))
    }

    fn offers(&mut self, version: u8, direction: &str) -> Vec<Did> {
        let sdp = description(version, direction).into_bytes();
        self.input(CallInput::Sip(sip::Event::Offer { call: CALL, sdp: Some(sdp) }))
    }

    /// Lets time pass, waking the call when it wants to be.
    fn after(&mut self, seconds: u64) -> Vec<Did> {
        let until = self.now + Duration::from_secs(seconds);
        let mut did = Vec::new();
        while let Some(at) = self.call.deadline().filter(|at| *at <= until) {
            self.call.wake(at);
            did.extend(self.drain());
        }
        self.now = until;
        did
    }
}

// === The menu (K-1) ===

#[test]
fn k1_a_caller_is_welcomed_keys_id_and_passcode_and_knocks() {
    let (mut world, first) = World::calls(Addressed::Nothing);
    assert_eq!(first, [Says(vec![Phrase::Welcome, Phrase::EnterConferenceId])]);
    assert_eq!(world.keys("1002#"), [StopsPrompts, Says(vec![Phrase::EnterPasscode])]);
    assert!(world.played().is_empty());
    let wrong = WrongTry(Some("board"));
    assert_eq!(world.keys("1111#"), [wrong, Says(vec![Phrase::PasscodeWrong, Phrase::EnterPasscode])]);
    assert_eq!(world.keys("4321#"), [StopsPrompts, Knocks("board")]);
    assert!(world.after(60).is_empty());
}

#[test]
fn k1_after_three_wrong_passcodes_the_call_ends_with_words() {
    let (mut world, _) = World::calls(Addressed::Nothing);
    world.keys("1002#");
    for _ in 1..TRIES {
        world.keys("1111#");
    }
    let last = [StopsPrompts, WrongTry(Some("board")), StopsPrompts, Music(false), Says(vec![Phrase::TooManyTries])];
    assert_eq!(world.keys("1111#"), last);
    assert!(world.keys("4321#").is_empty(), "a right code comes too late");
    assert_eq!(world.played(), [Hangs(Cause::TooManyTries), ClosesPort]);
    assert_eq!(world.closed(), [Done(Cause::TooManyTries)]);
}

#[test]
fn k1_a_locked_out_caller_is_told_so_even_with_the_right_code() {
    let (mut world, _) = World::calls(Addressed::Nothing);
    assert_eq!(world.keys("1001#"), [StopsPrompts, Knocks("demo")]);
    let last = [Tells(FromGuest::Left), StopsPrompts, Music(false), Says(vec![Phrase::TooManyTries])];
    assert_eq!(world.input(CallInput::LockedOut), last);
    assert_eq!(world.played(), [Hangs(Cause::TooManyTries), ClosesPort]);
}

#[test]
fn a_key_told_by_event_and_by_info_is_one_key() {
    let (mut world, _) = World::calls(Addressed::Nothing);
    for key in "1001#".chars() {
        world.keys(&key.to_string());
        let info = sip::Event::Digit { call: CALL, digit: key, duration: Duration::from_millis(100) };
        assert!(world.input(CallInput::Sip(info)).is_empty() || key == '#');
        world.now += Duration::from_millis(300);
    }
    assert_eq!(world.call.meeting, Some(meeting("demo")));
}

// === At a meeting's door, and inside ===

#[test]
fn k2_star_nine_says_goodbye_tells_the_meeting_and_hangs_up() {
    let mut world = World::inside();
    let last = [StopsPrompts, Tells(FromGuest::Left), StopsPrompts, Music(false), Says(vec![Phrase::Goodbye])];
    assert_eq!(world.keys("*9"), last);
    assert!(world.keys("*6").is_empty(), "nothing follows");
    assert!(world.meeting(ToGuest::Dismiss(Cause::MeetingEnded)).is_empty(), "the first cause stays");
    assert_eq!(world.played(), [Hangs(Cause::Left), ClosesPort]);
    assert_eq!(world.closed(), [Done(Cause::Left)]);
    assert_eq!(world.call.deadline(), None);
}

#[test]
fn last_words_that_never_end_do_not_keep_a_call() {
    let mut world = World::inside();
    world.keys("*9");
    assert!(world.after(11).is_empty());
    assert_eq!(world.after(1), [Hangs(Cause::Left), ClosesPort]);
    assert_eq!(world.after(2), [Done(Cause::Left)], "nor does a port whose figures never come");
}

/// One refused in the lobby hears why and is hung up with its cause.
#[test]
fn m9_one_refused_in_the_lobby_hears_why_and_is_hung() {
    for (cause, phrase) in [(Cause::Denied, Phrase::Denied), (Cause::LobbyTimeout, Phrase::LobbyTimeout)] {
        let mut world = World::in_the_lobby();
        let last = [StopsPrompts, Music(false), Says(vec![phrase])];
        assert_eq!(world.meeting(ToGuest::Dismiss(cause)), last, "the meeting knows already");
        assert_eq!(world.played(), [Hangs(cause), ClosesPort]);
        assert_eq!(world.closed(), [Done(cause)]);
    }
}

#[test]
fn a_phone_that_hangs_up_hears_no_words_and_its_port_is_closed() {
    let mut world = World::inside();
    let last = [Tells(FromGuest::Left), StopsPrompts, Music(false), ClosesPort];
    assert_eq!(world.ended(Cause::HungUp), last);
    assert_eq!(world.closed(), [Done(Cause::HungUp)]);
    assert!(world.keys("*9").is_empty() && world.after(60).is_empty());
}

#[test]
fn a_phone_that_hangs_up_during_the_last_words_ends_them() {
    let mut world = World::inside();
    world.keys("*9");
    assert_eq!(world.ended(Cause::HungUp), [ClosesPort]);
    assert!(world.played().is_empty());
    assert_eq!(world.closed(), [Done(Cause::Left)]);
}

#[test]
fn a_meeting_that_is_not_there_ends_the_call_with_words() {
    let (mut world, _) = World::calls(Addressed::Meeting { name: meeting("demo"), passcode: None });
    let last = [StopsPrompts, Music(false), Says(vec![Phrase::MeetingEnded])];
    assert_eq!(world.input(CallInput::NoMeeting), last);
    assert_eq!(world.played(), [Hangs(Cause::MeetingEnded), ClosesPort]);
}

#[test]
fn o4_a_drained_call_is_warned_by_voice() {
    let mut world = World::inside();
    let last = [Tells(FromGuest::Lost), StopsPrompts, Music(false), Says(vec![Phrase::Closing])];
    assert_eq!(world.input(CallInput::End(Cause::Draining)), last);
    assert_eq!(world.played(), [Hangs(Cause::Draining), ClosesPort]);
}

#[test]
fn a_dead_phone_is_given_up_but_not_while_it_holds() {
    let silent = || MediaEvent::Silent(Duration::from_secs(30));
    let mut world = World::inside();
    world.offers(2, "inactive");
    assert!(world.heard(silent()).is_empty());
    let mut world = World::inside();
    let last = [Tells(FromGuest::Lost), StopsPrompts, Music(false), Hangs(Cause::MediaTimeout), ClosesPort];
    assert_eq!(world.heard(silent()), last);
}

#[test]
fn what_is_known_of_a_call_at_its_end_is_in_its_summary() {
    let (mut world, _) = World::calls(Addressed::Nothing);
    world.after(10);
    world.keys("1001#");
    world.after(20);
    world.meeting(ToGuest::Seated);
    world.meeting(ToGuest::Tell { notice: NOTICE, phrases: vec![Phrase::RecordingOn] });
    world.played();
    world.after(30);
    world.call.handle(world.now, CallInput::Sip(sip::Event::Ended { call: CALL, cause: Cause::HungUp }));
    let stats = PortStats { received: 42, ..PortStats::default() };
    world.call.handle(world.now, CallInput::Heard(MediaEvent::Closed(Box::new(stats))));
    let done = std::iter::from_fn(|| world.call.poll()).last();
    let Some(CallAct::Done(summary)) = done else { panic!("{done:?}") };
    let at = |seconds| start() + Duration::from_secs(seconds);
    assert_eq!((summary.answered, summary.ended, summary.meeting), (at(0), at(60), Some(meeting("demo"))));
    assert_eq!((summary.knocked, summary.admitted), (Some(at(10)), Some(at(30))));
    assert_eq!((summary.cause, summary.notices, summary.stats.received), (Cause::HungUp, 1, 42));
}

// === The keypad (K-2) ===

#[test]
fn k2_star_commands_go_to_the_meeting_or_are_answered() {
    let mut world = World::inside();
    assert_eq!(world.keys("*6"), [StopsPrompts, Tells(FromGuest::Mute(Switch::Toggle))]);
    assert_eq!(world.keys("*5"), [StopsPrompts, Tells(FromGuest::Hand(Switch::Toggle))]);
    assert_eq!(world.keys("*21"), [StopsPrompts, Tells(FromGuest::AdmitAll)]);
    assert_eq!(world.keys("*1"), [StopsPrompts, Says(vec![Phrase::Help, Phrase::HelpChat])]);
    assert_eq!(world.keys("*3"), [StopsPrompts, Says(vec![Phrase::NotAvailable])]);
    assert_eq!(world.keys("*8"), [StopsPrompts, Says(vec![Phrase::EnterPin])]);
    assert_eq!(world.keys("1#"), [StopsPrompts, Pin(false), Says(vec![Phrase::PinWrong])]);
    world.keys("*8");
    assert_eq!(world.keys("9876#"), [StopsPrompts, Pin(true), Says(vec![Phrase::PinAccepted])]);
}

#[test]
fn k2_one_who_waits_has_no_microphone_to_mute() {
    let mut world = World::in_the_lobby();
    assert_eq!(world.keys("*6"), [StopsPrompts, Says(vec![Phrase::NotAvailable])]);
}

// === Hold (S-5) ===

/// A hold is answered and told to the meeting and so is the resume.
#[test]
fn s5_a_hold_is_answered_and_told_to_the_meeting() {
    let mut world = World::inside();
    assert_eq!(world.offers(2, "sendonly"), [Answers, Holds(true), Tells(FromGuest::Hold(true))]);
    assert_eq!(world.offers(3, "sendrecv"), [Answers, Holds(false), Tells(FromGuest::Hold(false))]);
}

#[test]
fn s5_a_hold_in_the_menu_is_told_at_the_knock() {
    let (mut world, _) = World::calls(Addressed::Nothing);
    assert_eq!(world.offers(2, "inactive"), [Answers, Holds(true)]);
    assert_eq!(world.keys("1001#"), [StopsPrompts, Knocks("demo"), Tells(FromGuest::Hold(true))]);
}

/// An offer without a codec of ours is refused and changes nothing.
#[test]
fn an_offer_without_a_codec_of_ours_is_refused_and_changes() {
    let mut world = World::inside();
    let sdp = description(2, "sendrecv").replace("RTP/AVP 0 101", "RTP/AVP 18").into_bytes();
    let did = world.input(CallInput::Sip(sip::Event::Offer { call: CALL, sdp: Some(sdp) }));
    assert_eq!(did, [Rejects(Cause::NoCommonCodec)]);
    assert!(!world.call.settings.offer_answer.on_hold());
}

// === Notices (N-3, N-8) ===

/// A notice goes from the meeting to the player and its proof comes back.
#[test]
fn n8_a_notice_goes_from_the_meeting_to_the_player() {
    let mut world = World::inside();
    let phrases = vec![Phrase::RecordingStarted, Phrase::TranscriptionStarted];
    let told = world.meeting(ToGuest::Tell { notice: NOTICE, phrases: phrases.clone() });
    assert_eq!(told.first(), Some(&Gives(phrases.clone())));
    let play = world.last_play.expect("it plays");
    let length = phrases.iter().map(|phrase| library().clip("en", *phrase).duration()).sum();
    assert_eq!(world.heard(MediaEvent::Began { play }), [Tells(FromGuest::Began { notice: NOTICE, length })]);
    assert_eq!(
        world.keys("*1"),
        [StopsPrompts, Says(vec![Phrase::Help, Phrase::HelpChat])],
        "what plays is not the call's to cut"
    );
    let told = FromGuest::Told { notice: NOTICE, outcome: PlayOutcome::Completed, carried: Some(CARRIED) };
    assert_eq!(world.heard(MediaEvent::Played { play, outcome: PlayOutcome::Completed, carried: Some(CARRIED) }), [Tells(told)]);
    let reported = || MediaEvent::Reported { play, received_permille: Some(950) };
    assert_eq!(world.heard(reported()), [Tells(FromGuest::Reported { notice: NOTICE, received_permille: Some(950) })]);
    assert!(world.heard(reported()).is_empty(), "once");
}

#[test]
fn n8_a_notice_that_was_cut_is_told_as_cut_and_needs_no_report() {
    let mut world = World::inside();
    world.meeting(ToGuest::Tell { notice: NOTICE, phrases: vec![Phrase::RecordingStarted] });
    let play = world.last_play.expect("it plays");
    let told = FromGuest::Told { notice: NOTICE, outcome: PlayOutcome::Interrupted, carried: None };
    assert_eq!(world.heard(MediaEvent::Played { play, outcome: PlayOutcome::Interrupted, carried: None }), [Tells(told)]);
    assert!(world.heard(MediaEvent::Reported { play, received_permille: None }).is_empty());
}

/// The proof of a notice that ends with the call still reaches the meeting.
#[test]
fn n8_the_proof_of_a_notice_that_ends_with_the_call() {
    let mut world = World::inside();
    world.meeting(ToGuest::Tell { notice: NOTICE, phrases: vec![Phrase::RecordingStarted] });
    let play = world.last_play.expect("it plays");
    world.ended(Cause::HungUp);
    let told = FromGuest::Told { notice: NOTICE, outcome: PlayOutcome::Interrupted, carried: Some(CARRIED) };
    assert_eq!(
        world.heard(MediaEvent::Played { play, outcome: PlayOutcome::Interrupted, carried: Some(CARRIED) }),
        [Tells(told)]
    );
    assert_eq!(world.closed(), [Done(Cause::HungUp)]);
}

#[test]
fn the_talk_of_these_tests_is_narrow_band() {
    let profile = offer_answer().offered(description(2, "sendrecv").as_bytes()).expect("agrees").0;
    assert_eq!(
        (profile.codec.row().sample_rate, profile.telephone_event.map(|event| event.clock)),
        (Hz::NARROW, Some(Hz::NARROW))
    );
}

/// A place is handed over from inside alone and left only once the other device has knocked.
#[test]
fn m18_a_place_is_handed_over_from_inside_alone_and_left() {
    let refer = || CallInput::Sip(sip::Event::Refer { call: CALL, device: "room-2".into(), replaces: None });
    assert_eq!(World::in_the_lobby().input(refer()), [Refers(false)], "who waits has no place yet");
    let mut world = World::inside();
    assert_eq!(world.input(refer()), [HandsOver("room-2".to_owned())]);
    assert_eq!(world.input(CallInput::Transfer(OutboundProgress::Ringing)), [Notifies(180)]);
    assert_eq!(world.input(CallInput::Transfer(OutboundProgress::Failed(Cause::NoAnswer))), [Notifies(480)]);
    assert_eq!(world.input(refer()), [HandsOver("room-2".to_owned())]);
    let left = world.input(CallInput::Transfer(OutboundProgress::Knocked));
    let leaves = [Notifies(200), Tells(FromGuest::Lost), StopsPrompts, Music(false), Hangs(Cause::Transferred), ClosesPort];
    assert_eq!(left, leaves);

    let (mut menu, _) = World::calls(Addressed::Nothing);
    assert_eq!(menu.input(refer()), [Refers(false)], "there is nothing to hand over yet");
}

// === Chat by SMS ===

fn number() -> relay::PhoneNumber {
    relay::PhoneNumber::parse("+491715550123").expect("a number")
}

/// Star 4 asks for a number reads it back and asks for the code that was texted.
#[test]
fn k2_star_4_asks_for_a_number_reads_it_back_and_asks() {
    let mut world = World::inside();
    assert_eq!(world.keys("*4"), [StopsPrompts, Says(vec![Phrase::EnterMobileNumber])]);
    let asked = FromGuest::Sms(SmsKeyed::Number(number()));
    assert_eq!(world.keys("01715550123#"), [StopsPrompts, Tells(asked)]);
    let read_back = world.input(CallInput::Meeting(ToGuest::Sms(RelayAnswer::CodeSent(number()))));
    assert_eq!(read_back, [Says(vec![Phrase::CodeSentTo, Phrase::EnterTextedCode])]);
    // Another key's function meanwhile does not disturb it.
    assert_eq!(world.keys("*6"), [StopsPrompts, Tells(FromGuest::Mute(Switch::Toggle))]);
    let code = FromGuest::Sms(SmsKeyed::Code(Redacted::new("123456".to_owned())));
    assert_eq!(world.keys("123456#"), [StopsPrompts, Tells(code)]);
    assert_eq!(world.input(CallInput::Meeting(ToGuest::Sms(RelayAnswer::On))), [Says(vec![Phrase::ChatOn])]);
    assert_eq!(world.keys("*4"), [StopsPrompts, Tells(FromGuest::Sms(SmsKeyed::Stop))]);
    assert_eq!(world.input(CallInput::Meeting(ToGuest::Sms(RelayAnswer::Off))), [Says(vec![Phrase::ChatOff])]);
}

/// After stop by sms star 4 asks for a number again and nothing is said meanwhile.
#[test]
fn c2_after_stop_by_sms_star_4_asks_for_a_number() {
    let mut world = World::inside();
    world.keys("*4");
    world.keys("01715550123#");
    world.input(CallInput::Meeting(ToGuest::Sms(RelayAnswer::On)));
    assert!(world.input(CallInput::Meeting(ToGuest::SmsStopped)).is_empty());
    world.now += Duration::from_secs(1);
    assert_eq!(world.keys("*4"), [StopsPrompts, Says(vec![Phrase::EnterMobileNumber])]);
}

/// A wrong number or code is asked for again and silence ends it with a word.
#[test]
fn k2_a_wrong_number_or_code_is_asked_for_again_and_silence() {
    let mut world = World::inside();
    world.keys("*4");
    let again = [StopsPrompts, Says(vec![Phrase::MobileNumberWrong, Phrase::EnterMobileNumber])];
    assert_eq!(world.keys("112#"), again);
    assert_eq!(world.keys("00#"), again);
    assert_eq!(world.keys("5#"), [StopsPrompts, Says(vec![Phrase::ChatNotSet])]);
    assert!(world.keys("01715550123#").is_empty(), "a digit means nothing again");

    world.now += Duration::from_secs(1);
    world.keys("*4");
    world.now += Duration::from_secs(30);
    world.call.wake(world.now);
    assert_eq!(world.drain(), [StopsPrompts, Says(vec![Phrase::ChatNotSet])]);

    world.keys("*4");
    world.keys("01715550123#");
    world.input(CallInput::Meeting(ToGuest::Sms(RelayAnswer::CodeSent(number()))));
    world.keys("1#");
    let again = [Says(vec![Phrase::TextedCodeWrong, Phrase::EnterTextedCode])];
    assert_eq!(world.input(CallInput::Meeting(ToGuest::Sms(RelayAnswer::CodeWrong))), again);
    world.keys("2#");
    assert_eq!(world.input(CallInput::Meeting(ToGuest::Sms(RelayAnswer::CodeGone))), [Says(vec![Phrase::ChatNotSet])]);
    for refused in [RelayAnswer::TooMany, RelayAnswer::Trouble] {
        assert_eq!(world.input(CallInput::Meeting(ToGuest::Sms(refused))), [Says(vec![Phrase::TextNotSent])]);
    }
}

/// A notice is told by sms and shown as well to who is inside.
#[test]
fn n10_a_notice_is_told_by_sms_and_shown_as_well() {
    let told = |world: &mut World| world.meeting(ToGuest::Tell { notice: NOTICE, phrases: vec![Phrase::RecordingStarted] });
    let spoken = Gives(vec![Phrase::RecordingStarted]);
    let text = library().text("en", Phrase::RecordingStarted).expect("a text").to_owned();
    let by_sms = || Tells(FromGuest::NoticeText(Redacted::new(text.clone())));
    let mut world = World::inside();
    assert_eq!(told(&mut world), [spoken, by_sms()]);
    world.call.settings.text = true;
    assert_eq!(told(&mut world), [Gives(vec![Phrase::RecordingStarted]), Shows(text.clone()), by_sms()]);
    let mut world = World::in_the_lobby();
    assert_eq!(told(&mut world), [Gives(vec![Phrase::RecordingStarted])], "outside nothing is readable (C-1)");
}

/// The help names star 4 to one who is inside and before that the key is not available.
#[test]
fn k2_the_help_names_star_4_to_one_who_is_inside() {
    let mut world = World::in_the_lobby();
    assert_eq!(world.keys("*1"), [StopsPrompts, Says(vec![Phrase::Help])]);
    assert_eq!(world.keys("*4"), [StopsPrompts, Says(vec![Phrase::NotAvailable])]);
    let mut world = World::inside();
    assert_eq!(world.keys("*1"), [StopsPrompts, Says(vec![Phrase::Help, Phrase::HelpChat])]);
}
