//! A meeting in virtual time: what follows from what, and in which order.

mod histories;
mod room;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::input::KnockingDevice;
use super::*;
use crate::common::ids::{CallId, Ids, MeetingName, NoticeId, ParticipantId, PeerId, PortId};
use crate::common::play_outcome::PlayOutcome;
use crate::meeting::guest::{FromGuest, SmsKeyed, ToGuest};
use crate::meeting::join::{JoinPage, PasscodeProof};
use crate::meeting::messages::{Granted, MeetingRefusal, MeetingRequest, ToPage};
use crate::meeting::mutes::MuteRegistry;
use crate::meeting::page_feed::{PageFeedReader, feed};
use crate::meeting::settings::{ConfiguredMeetings, MeetingSettings};
use crate::policy::{Capture, Role, Standing};
use crate::relay::driver::{InboundText, RelayEvent};
use crate::relay::{PhoneNumber, RelayAnswer};
use crate::store::Phone;

const SECOND: Duration = Duration::from_secs(1);

/// A meeting, and an owner that does its acts by writing them down.
pub(super) struct Run {
    pub(super) state: MeetingState,
    pub(super) start: Instant,
    pub(super) now: Instant,
    /// Acts that were not looked at yet, as they print themselves.
    acts: Vec<String>,
    told: BTreeMap<ParticipantId, Vec<ToGuest>>,
    ledger: Vec<PendingLine>,
    pages: BTreeMap<ParticipantId, PageFeedReader>,
    /// Devices whose queues are full.
    stalled: BTreeSet<ParticipantId>,
    /// Presences that had a seat in the last run.
    seats: BTreeSet<ParticipantId>,
    /// Whether files of recordings can be made; `None`: that takes its time.
    disk: Option<bool>,
    opened: u64,
    knocked: u64,
    over: bool,
}

impl Run {
    pub(super) fn new() -> Self {
        Self::of(MeetingSettings::titled("Demo"))
    }

    fn of(settings: MeetingSettings) -> Self {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        let start = Instant::now();
        let name = MeetingName::new("demo").expect("a name");
        let configured = BTreeMap::from([(name.clone(), settings.clone())]);
        let setup = MeetingSetup {
            name,
            settings,
            ids: Ids::default(),
            configured: Arc::new(ConfiguredMeetings::new(configured, start)),
            mutes: MuteRegistry::default(),
            seats_until: start + 60 * SECOND,
            by_sms: true,
        };
        Self {
            state: MeetingState::new(MeetingTime { instant: start, unix_millis: 1_800_000_000_000 }, setup),
            start,
            now: start,
            acts: Vec::new(),
            told: BTreeMap::new(),
            ledger: Vec::new(),
            pages: BTreeMap::new(),
            stalled: BTreeSet::new(),
            seats: BTreeSet::new(),
            disk: Some(true),
            opened: 0,
            knocked: 0,
            over: false,
        }
    }

    fn time(&self) -> MeetingTime {
        let passed = self.now.saturating_duration_since(self.start).as_millis();
        MeetingTime { instant: self.now, unix_millis: 1_800_000_000_000 + u64::try_from(passed).expect("a short test") }
    }

    pub(super) fn input(&mut self, input: MeetingInput) {
        self.state.handle(self.time(), input);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(act) = self.state.poll() {
            self.perform(act);
        }
    }

    fn perform(&mut self, act: MeetingAct) {
        self.acts.push(format!("{act:?}"));
        let result = match act {
            MeetingAct::OpenPeer { who, reply, .. } => {
                self.opened += 1;
                let opened = Ok((PeerId::from_number(self.opened), "answer".to_owned()));
                Some(MeetingInput::PeerOpened { who, opened, reply })
            }
            MeetingAct::TakeSeat { join, had, reply } => {
                let seated = self.seats.remove(&had);
                Some(MeetingInput::SeatTaken { join, had, seated, reply })
            }
            MeetingAct::StartRecording => self.disk.map(MeetingInput::RecordingStarted),
            MeetingAct::TellGuest { who, .. } if self.stalled.contains(&who) => Some(MeetingInput::GuestStalled(who)),
            MeetingAct::TellGuest { who, what } => {
                self.told.entry(who).or_default().push(what);
                None
            }
            MeetingAct::WriteLedger(line) => {
                self.ledger.push(*line);
                None
            }
            MeetingAct::Reply(reply) => {
                reply.send();
                None
            }
            MeetingAct::End => {
                self.over = true;
                None
            }
            _ => None,
        };
        if let Some(result) = result {
            self.state.handle(self.time(), result);
        }
    }

    /// Time passes, with every deadline in it.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.state.deadline().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.state.wake(self.time());
            self.settle();
        }
        self.now = end;
    }

    pub(super) fn page(
        &mut self,
        role: Role,
        name: &str,
        resume: Option<ParticipantId>,
    ) -> Result<ParticipantId, MeetingRefusal> {
        let (feed, reader) = feed();
        let join = JoinPage {
            role,
            organiser: role == Role::Member,
            name: name.to_owned(),
            resume,
            identity: None,
            muted: false,
            hand: false,
            from: Some([192, 0, 2, 1].into()),
            proof: PasscodeProof::Nothing,
            feed,
        };
        let (reply, mut joined) = oneshot::channel();
        self.input(MeetingInput::JoinPage(join, reply));
        let joined = joined.try_recv().expect("an answer");
        if let Ok(who) = joined {
            self.pages.insert(who, reader);
        }
        joined
    }

    pub(super) fn device(&mut self) -> ParticipantId {
        self.knocked += 1;
        let (number, who) = (self.knocked, self.state.ids.participant());
        self.input(MeetingInput::Knock(Box::new(KnockingDevice {
            who,
            call: CallId::from_number(number),
            port: PortId::from_number(number),
            name: format!("Room {number}"),
            device: format!("room-{number}"),
            phone: Phone::default(),
            identity: format!("device/room-{number}"),
            known: true,
            predecessor: None,
            language: "en".to_owned(),
            text: true,
        })));
        who
    }

    /// Asks, and returns where the answer comes.
    pub(super) fn request(
        &mut self,
        who: Option<ParticipantId>,
        ask: MeetingRequest,
    ) -> oneshot::Receiver<Result<Granted, MeetingRefusal>> {
        let (reply, answer) = oneshot::channel();
        self.input(MeetingInput::Ask { who, ask, reply });
        answer
    }

    fn ask(&mut self, who: Option<ParticipantId>, ask: MeetingRequest) -> Result<Granted, MeetingRefusal> {
        self.request(who, ask).try_recv().expect("an answer")
    }

    fn offer(&mut self, who: ParticipantId) {
        let (reply, mut answer) = oneshot::channel();
        self.input(MeetingInput::Offer { who, sdp: "offer".to_owned(), reply });
        assert_eq!(answer.try_recv().expect("an answer").expect("a connection"), "answer");
    }

    /// Acts since the last look that name this.
    fn acts_with(&mut self, part: &str) -> Vec<String> {
        std::mem::take(&mut self.acts).into_iter().filter(|act| act.contains(part)).collect()
    }

    /// A member inside, and a device that it has let in.
    fn with_a_device_inside() -> (Self, ParticipantId, ParticipantId) {
        let mut run = Self::new();
        let host = run.page(Role::Member, "Host", None).expect("it joins");
        run.offer(host);
        let device = run.device();
        assert_eq!(run.ask(Some(host), MeetingRequest::Admit(device)), Ok(Granted::Done));
        assert_eq!(run.state.policy.standing(device), Some(Standing::In));
        (run, host, device)
    }

    /// The notice that a device was told last.
    fn notice_to(&self, device: ParticipantId) -> NoticeId {
        let told = self.told.get(&device).into_iter().flatten().rev();
        let notice = |what: &ToGuest| if let ToGuest::Tell { notice, .. } = what { Some(*notice) } else { None };
        told.into_iter().find_map(notice).expect("a notice")
    }

    fn messages_to(&mut self, page: ParticipantId) -> Vec<ToPage> {
        let reader = self.pages.get_mut(&page).expect("a page");
        std::iter::from_fn(|| reader.waiting_message()).collect()
    }
}

/// A page that may have had a seat in the last run is answered once the store has said so, and is inside without knocking.
#[test]
fn m5_a_seat_of_the_last_run_is_asked_of_the_store() {
    let mut run = Run::new();
    let (had, never) = (ParticipantId::from_number(900), ParticipantId::from_number(901));
    run.seats.insert(had);
    run.page(Role::Member, "Host", None).expect("it joins");
    let back = run.page(Role::External, "Guest", Some(had)).expect("it comes back");
    assert_eq!(run.state.policy.standing(back), Some(Standing::In));
    let knocks = run.page(Role::External, "Another", Some(never)).expect("it knocks");
    assert_eq!(run.state.policy.standing(knocks), Some(Standing::Lobby));
    run.pass(61 * SECOND);
    run.acts.clear();
    run.page(Role::External, "Late", Some(ParticipantId::from_number(902))).expect("it knocks");
    assert!(run.acts_with("TakeSeat").is_empty(), "nobody comes back any more");
}

/// A second connection of a page takes the seat of the first, which is closed after that.
#[test]
fn m5_a_new_connection_takes_the_seat_of_the_old_one() {
    let mut run = Run::new();
    let host = run.page(Role::Member, "Host", None).expect("it joins");
    assert!(run.acts_with("Seat").is_empty(), "there is nothing to seat yet");
    run.offer(host);
    assert_eq!(run.acts_with("Seat {").len(), 1);
    run.offer(host);
    let acts = run.acts_with("Peer");
    let expected = ["OpenPeer", "ReplaceEnd { old: Peer(peer-1), new: Peer(peer-2) }", "ClosePeer(peer-1)"];
    assert!(acts.len() == 3 && acts.iter().zip(expected).all(|(act, expected)| act.starts_with(expected)), "{acts:?}");
}

/// Whoever switches recording on is answered when the file is there, or with the reason why it is not.
#[test]
fn n12_who_asks_for_a_recording_waits_for_its_file() {
    let (mut run, host, device) = Run::with_a_device_inside();
    run.disk = None;
    let mut answer = run.request(Some(host), MeetingRequest::Recording(Capture::On));
    assert!(answer.try_recv().is_err(), "the file is being made");
    run.input(MeetingInput::RecordingStarted(false));
    assert_eq!(answer.try_recv().expect("an answer"), Err(MeetingRefusal::RecorderFailed));
    let mut answer = run.request(Some(host), MeetingRequest::Recording(Capture::On));
    run.pass(SECOND);
    assert!(run.told[&device].iter().all(|what| !matches!(what, ToGuest::Tell { .. })), "nothing is recorded yet");
    run.input(MeetingInput::RecordingStarted(true));
    run.pass(SECOND);
    assert_eq!(answer.try_recv().expect("an answer"), Ok(Granted::Done));
    run.notice_to(device);
}

/// A recorder that fails is switched off once, and a second report of it changes nothing.
#[test]
fn n12_a_recorder_that_fails_twice_is_switched_off_once() {
    let (mut run, host, _) = Run::with_a_device_inside();
    assert_eq!(run.ask(Some(host), MeetingRequest::Recording(Capture::On)), Ok(Granted::Done));
    let failed = || MeetingInput::Bridge(crate::media::BridgeEvent::RecorderFailed { bridge: Ids::default().bridge() });
    run.input(failed());
    run.input(failed());
    assert_eq!(run.acts_with("AbandonRecording").len(), 1);
    assert_eq!(run.ask(Some(host), MeetingRequest::Recording(Capture::Paused)), Err(MeetingRefusal::NotCaptured));
}

/// A call whose queue is full leaves with its gate shut, and is told nothing more.
#[test]
fn n6_a_call_whose_queue_is_full_leaves() {
    let (mut run, host, device) = Run::with_a_device_inside();
    run.stalled.insert(device);
    run.acts.clear();
    assert_eq!(run.ask(Some(host), MeetingRequest::Chat("hello".to_owned())), Ok(Granted::Done));
    let acts = std::mem::take(&mut run.acts);
    let at = |part: &str| acts.iter().position(|act| act.contains(part)).unwrap_or_else(|| panic!("{part} in {acts:#?}"));
    assert!(at("TellGuest") < at("Unseat(Port") && at("Unseat(Port") < at("ReleaseGuest"));
    assert_eq!(run.state.policy.standing(device), None);
    assert_eq!(run.ask(Some(host), MeetingRequest::Chat("again".to_owned())), Ok(Granted::Done));
    assert!(run.acts_with("TellGuest").is_empty());
}

/// A notice of which no report comes is in the ledger after twenty seconds, without one.
#[test]
fn n8_a_line_waits_twenty_seconds_for_the_report() {
    let (mut run, host, device) = Run::with_a_device_inside();
    assert_eq!(run.ask(Some(host), MeetingRequest::Recording(Capture::On)), Ok(Granted::Done));
    run.pass(SECOND);
    let notice = run.notice_to(device);
    run.input(MeetingInput::Guest(device, FromGuest::Began { notice, length: 2 * SECOND }));
    run.pass(2 * SECOND);
    run.input(MeetingInput::Guest(device, FromGuest::Told { notice, outcome: PlayOutcome::Completed, carried: None }));
    run.pass(19 * SECOND);
    assert!(run.ledger.is_empty());
    run.pass(SECOND);
    let line = run.ledger.first().expect("its line");
    assert_eq!((line.entry.notice, line.device.as_str(), line.received_permille), (notice, "room-1", None));
    run.input(MeetingInput::Guest(device, FromGuest::Reported { notice, received_permille: Some(1000) }));
    assert_eq!(run.ledger.len(), 1, "a report that comes too late writes no second one");
}

/// A device that hangs up in the middle of a notice is in the ledger by its name.
#[test]
fn n8_a_notice_cut_short_is_written_by_its_name() {
    let (mut run, host, device) = Run::with_a_device_inside();
    assert_eq!(run.ask(Some(host), MeetingRequest::Recording(Capture::On)), Ok(Granted::Done));
    run.pass(SECOND);
    let notice = run.notice_to(device);
    run.input(MeetingInput::Guest(device, FromGuest::Began { notice, length: 2 * SECOND }));
    run.input(MeetingInput::Guest(device, FromGuest::Left));
    run.pass(21 * SECOND);
    let lines: Vec<_> = run.ledger.iter().map(|line| (line.entry.notice, line.device.as_str())).collect();
    assert_eq!(lines, [(notice, "room-1")]);
}

/// Whoever ends the meeting is answered after everybody was told, and nothing follows.
#[test]
fn who_ends_the_meeting_is_answered_after_all_were_told() {
    let (mut run, host, device) = Run::with_a_device_inside();
    run.messages_to(host);
    run.acts.clear();
    assert_eq!(run.ask(Some(host), MeetingRequest::End), Ok(Granted::Done));
    assert!(run.over && run.acts.last().is_some_and(|act| act == "End"), "{:?}", run.acts.last());
    assert!(run.acts.iter().rev().nth(1).is_some_and(|act| act.starts_with("Reply")));
    assert!(matches!(run.told[&device].last(), Some(ToGuest::Dismiss(_))));
    assert_eq!(run.messages_to(host).last(), Some(&ToPage::Ended { reason: "meeting-ended" }));
}

/// Changes that come close together are shown together, and none is left out.
#[test]
fn m14_changes_within_150_ms_are_shown_together() {
    let (mut run, host, _) = Run::with_a_device_inside();
    run.pass(SECOND);
    let due = |run: &Run| run.state.views.due().map(|at| at.saturating_duration_since(run.now));
    run.input(MeetingInput::Ask { who: Some(host), ask: MeetingRequest::Hand(true), reply: oneshot::channel().0 });
    assert_eq!(due(&run), None, "the first change is shown at once");
    run.input(MeetingInput::Ask { who: Some(host), ask: MeetingRequest::Hand(false), reply: oneshot::channel().0 });
    assert_eq!(due(&run), Some(Duration::from_millis(150)));
    run.pass(SECOND);
    assert_eq!(due(&run), None);
}

/// The relay is told of a device when it is let in, answers its keys through the meeting, and is told of its end.
#[test]
fn c1_c2_the_relay_knows_a_device_from_its_seat_to_its_end() {
    let (mut run, _, device) = Run::with_a_device_inside();
    assert_eq!(run.acts_with("Relay(Entered").len(), 1);
    run.input(MeetingInput::Guest(device, FromGuest::Sms(SmsKeyed::Stop)));
    run.input(MeetingInput::RelayAnswered(device, RelayAnswer::Off));
    assert_eq!(run.told[&device].last(), Some(&ToGuest::Sms(RelayAnswer::Off)));
    run.input(MeetingInput::Guest(device, FromGuest::Left));
    assert_eq!(run.acts_with("Relay(").len(), 2, "what was keyed, and its end");
    let told = run.told[&device].len();
    run.input(MeetingInput::RelayAnswered(device, RelayAnswer::Trouble));
    run.input(MeetingInput::Guest(device, FromGuest::Sms(SmsKeyed::Stop)));
    assert!(run.told[&device].len() == told && run.acts_with("Relay(").is_empty(), "it has left");
}

/// Texts by SMS reach the chat while their device is inside, ten at once and then one a second.
#[test]
fn c3_a_flood_of_texts_by_sms_is_slowed() {
    let (mut run, host, device) = Run::with_a_device_inside();
    let text = |n: u32| {
        let by = PhoneNumber::parse("+491715550123").expect("a number");
        RelayEvent::Text(InboundText { by, text: format!("text {n}").into() })
    };
    run.messages_to(host);
    for n in 0..40 {
        run.pass(Duration::from_millis(500));
        run.input(MeetingInput::Relay(device, text(n)));
    }
    let chat = run.messages_to(host).into_iter().filter(|message| matches!(message, ToPage::Chat(line) if line.sms.is_some()));
    assert_eq!(chat.count(), 10 + 19);
    let outside = run.device();
    run.input(MeetingInput::Relay(outside, text(99)));
    assert!(run.messages_to(host).is_empty(), "it waits in the lobby");
}
