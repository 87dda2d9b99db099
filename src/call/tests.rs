//! The machine of a call, each rule as a sentence; and random histories.
#![allow(clippy::disallowed_methods, reason = "an instant to count from")]

mod chat_by_sms;
mod chat_readout;
mod early_media;
mod histories;
mod hold;
mod keypad;
mod meeting;
mod menu;
mod names;
mod notices;
mod ringing;
mod setup;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answering::InboundInvite;
use super::established::EstablishedPhase;
use super::invitation::OutboundProgress;
use super::machine::Call;
use super::messages::{CallAct, CallEnd, CallInput, SignallingPath};
use super::offer_answer::{OfferAnswer, RemoteMedia};
use super::settings::CallSettings;
use crate::codec::CodecKind;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName, NoticeId, PlayId};
use crate::common::machine::Machine;
use crate::common::phrase::Phrase;
use crate::common::play_outcome::PlayOutcome;
use crate::common::redact::Redacted;
use crate::common::units::Hz;
use crate::media::{DtmfPolicy, MediaEvent, PlayKind, PortStats, SentPackets, Share};
use crate::meeting::{FromGuest, SmsKeyed, ToGuest};
use crate::menu::{Addressed, Directory, Entry, Keymap, Keypad, KeypadInput, TRIES};
use crate::policy::Switch;
use crate::prompt::{Clip, Library};
use crate::relay::{self, RelayAnswer};
use crate::rtp::dtls::DtlsIdentity;
use crate::rtp::srtp::KeyGenerator;
use crate::sdp::{LocalCapabilities, Preference, SrtpPolicy};
use crate::sip::{self, Proof};
use crate::telemetry::events::EventKind;

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
        fallback: crate::codec::FALLBACK_CODECS.into(),
        preference: Preference::Offerer,
        ptime: Duration::from_millis(20),
        session_id: 1,
        rtcp_mux: false,
        srtp: SrtpPolicy::Preferred,
        identity: DtlsIdentity::generate().expect("a certificate"),
        signalling: [192, 0, 2, 7].into(),
        previous: None,
        protection: None,
        ice: None,
    };
    let remote = RemoteMedia { signalling: [192, 0, 2, 7].into(), proven: false, own: Vec::new() };
    OfferAnswer::new(ours, KeyGenerator::new([1; 32]), remote)
}

fn path() -> SignallingPath {
    SignallingPath { local: [192, 0, 2, 1].into(), remote: [192, 0, 2, 7].into(), proof: Proof::Address }
}

/// An INVITE with this offer, or with none.
fn invite(offer: Option<&str>) -> InboundInvite {
    let offer = offer.map(|offer| offer.as_bytes().to_vec());
    InboundInvite { path: path(), offer, requires_100rel: false, replaces: None, share: Share::Known }
}

fn settings(addressed: Addressed) -> CallSettings {
    let entry = |name, id: &str, passcode: Option<&str>| Entry {
        name: meeting(name),
        conference_id: id.to_owned(),
        passcode: passcode.map(|passcode| Redacted::new(passcode.to_owned())),
    };
    CallSettings {
        call: CALL,
        text: false,
        speaks: false,
        chat: Some(relay::NumberingPlan::new(Some("49"))),
        addressed,
        directory: Arc::new(Directory::new(vec![entry("demo", "1001", None), entry("board", "1002", Some("4321"))])),
        pins: Arc::new(BTreeMap::from([(meeting("demo"), Redacted::new("9876".to_owned()))])),
        library: library(),
        language: "en".to_owned(),
    }
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
    ShowsEncryption(&'static str),
    HandsOver(String),
    Speaks(String),
    Probes,
    Shows(String),
    Reserves,
    LooksUp(Vec<String>),
    Releases,
    Opens,
    Counts(Duration),
    TakesPlaceOf(CallId),
    Raises(EventKind),
    Reports(OutboundProgress),
    FindsTarget,
    NotesDialog,
    SaysThatItRings,
    SpeaksEarly,
    CallsDevice { from: String },
    RefusesText(Option<Cause>),
    NotSetUp(Cause),
    Announced,
    Done(Cause),
}

use Did::{
    Announced, Answers, CallsDevice, ClosesPort, Counts, Done, FindsTarget, Gives, HandsOver, Hangs, Holds, Knocks, LooksUp,
    Music, NotSetUp, NotesDialog, Notifies, Opens, Pin, Probes, Raises, Refers, RefusesText, Rejects, Releases, Reports,
    Reserves, Says, SaysThatItRings, Shows, ShowsEncryption, Speaks, SpeaksEarly, StopsPrompts, TakesPlaceOf, Tells, WrongTry,
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
    /// A machine at its start, with its first acts.
    fn of(call: Call) -> (Self, Vec<Did>) {
        let mut world = Self { call, now: start(), last_play: None };
        let first = world.drain();
        (world, first)
    }

    /// A call that has been answered and acknowledged, with its first acts once its port is open.
    fn calls(addressed: Addressed) -> (Self, Vec<Did>) {
        let (mut world, _) = Self::of(Call::inbound(start(), settings(addressed), invite(Some(&description(1, "sendrecv")))));
        assert_eq!(world.reserved(), [Answers]);
        assert_eq!(world.acknowledged(None), [Opens]);
        let mut first = world.input(CallInput::PortOpened);
        assert_eq!(first.drain(..2).collect::<Vec<_>>(), [Counts(Duration::ZERO), Raises(EventKind::Answered)]);
        (world, first)
    }

    fn reserved(&mut self) -> Vec<Did> {
        self.input(CallInput::PortReserved(Box::new(offer_answer())))
    }

    fn acknowledged(&mut self, sdp: Option<&str>) -> Vec<Did> {
        let sdp = sdp.map(|sdp| sdp.as_bytes().to_vec());
        self.sip(sip::Event::Acked { call: CALL, sdp })
    }

    fn sip(&mut self, event: sip::Event) -> Vec<Did> {
        self.input(CallInput::Sip(event))
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
            CallAct::Sip(sip::Command::Probe { call: CALL }) => Probes,
            CallAct::Sip(sip::Command::Answer { call: CALL, .. }) => Answers,
            CallAct::Sip(sip::Command::Reject { call: CALL, cause, .. }) => Rejects(cause),
            CallAct::Sip(sip::Command::ReferAnswered { call: CALL, accepted }) => Refers(accepted),
            CallAct::Sip(sip::Command::ReferProgress { call: CALL, status }) => Notifies(status),
            CallAct::Sip(sip::Command::Ring { call: CALL }) => SaysThatItRings,
            CallAct::Sip(sip::Command::Progress { call: CALL, .. }) => SpeaksEarly,
            CallAct::Sip(sip::Command::CallDevice { call: CALL, from, .. }) => CallsDevice { from },
            CallAct::Sip(sip::Command::TextAnswered { call: CALL, refusal, .. }) => RefusesText(refusal),
            CallAct::Sip(other) => panic!("{other:?}"),
            CallAct::FindTarget => FindsTarget,
            CallAct::NoteDialog => NotesDialog,
            CallAct::ReservePort { .. } => Reserves,
            CallAct::LookUpNames { names, .. } => LooksUp(names),
            CallAct::ReleasePort => Releases,
            CallAct::OpenPort(_) => Opens,
            CallAct::CountAnswer(after) => Counts(after),
            CallAct::TakePlaceOf(replaced) => TakesPlaceOf(replaced),
            CallAct::Raise { what, .. } => Raises(what),
            CallAct::Report(step) => Reports(step),
            CallAct::Reprofile(profile) => Holds(!profile.we_send),
            CallAct::ShowEncryption(encryption) => ShowsEncryption(encryption.name()),
            CallAct::Transfer { device, .. } => HandsOver(device.to_string()),
            CallAct::Speak(text) => Speaks(text.into_inner()),
            CallAct::ClosePort => ClosesPort,
            CallAct::Done(CallEnd::Ended(summary)) => Done(summary.cause),
            CallAct::Done(CallEnd::NotSetUp { cause, .. }) => NotSetUp(cause),
            CallAct::Done(CallEnd::Announced) => Announced,
        }
    }

    fn input(&mut self, input: CallInput) -> Vec<Did> {
        self.call.handle(self.now, input);
        self.drain()
    }

    fn media(&mut self, event: MediaEvent) -> Vec<Did> {
        self.input(CallInput::Media(event))
    }

    fn meeting(&mut self, message: ToGuest) -> Vec<Did> {
        self.input(CallInput::Meeting(message))
    }

    fn keys(&mut self, keys: &str) -> Vec<Did> {
        keys.chars().flat_map(|key| self.media(MediaEvent::Digit(Redacted::new(key)))).collect()
    }

    /// What it plays comes to its end.
    fn played(&mut self) -> Vec<Did> {
        let play = self.last_play.expect("it plays");
        self.media(MediaEvent::Played { play, outcome: PlayOutcome::Completed, carried: Some(CARRIED) })
    }

    fn closed(&mut self) -> Vec<Did> {
        let stats = PortStats { received: 42, ..PortStats::default() };
        self.media(MediaEvent::Closed(Box::new(stats)))
    }

    fn ended(&mut self, cause: Cause) -> Vec<Did> {
        self.sip(sip::Event::Ended { call: CALL, cause })
    }

    fn offers(&mut self, version: u8, direction: &str) -> Vec<Did> {
        let sdp = description(version, direction).into_bytes();
        self.sip(sip::Event::Offer { call: CALL, sdp: Some(sdp) })
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
