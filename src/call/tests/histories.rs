//! Random histories of calls, from the INVITE or the invitation to the end: what ends a call comes at every moment, and results of acts
//! come late.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;
use crate::call::answering::ACK_AWAITED;
use crate::call::early_media::Announcement;
use crate::call::ringing::OutboundInvite;
use crate::common::play_outcome::PlayOutcome;

/// (what, how, pause before)
type Step = (u8, u8, u8);

const PAUSES: [u64; 10] = [0, 0, 0, 10, 100, 500, 1_100, 2_500, 16_000, 61_000];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Inbound,
    DelayedOffer,
    Outbound,
    Emergency,
}

/// What the surroundings of a call know of it, as they would.
struct Watch {
    kind: Kind,
    now: Instant,
    /// Results of acts that are on their way.
    results: VecDeque<CallInput>,
    /// What acts come to: each bit refuses one.
    luck: u8,
    is_reserved: bool,
    is_opening: bool,
    is_open: bool,
    had_media: bool,
    is_closing: bool,
    /// The first 200 or refusal.
    answered: bool,
    rejected: bool,
    acked: bool,
    /// Our INVITE is out; the device has taken the call.
    invited: bool,
    taken: bool,
    /// A new offer of theirs waits for its answer.
    offer_open: bool,
    hung_up: bool,
    peer_gone: bool,
    /// When it was first wanted that the call ends.
    shall_end: Option<Instant>,
    knocked: bool,
    last_play: Option<PlayId>,
    done: bool,
}

fn broken(what: &str) -> Result<(), String> {
    Err(what.to_owned())
}

fn holds(rule: bool, what: &str) -> Result<(), String> {
    if rule { Ok(()) } else { broken(what) }
}

impl Watch {
    fn new(kind: Kind, luck: u8) -> Self {
        Self {
            kind,
            now: start(),
            results: VecDeque::new(),
            luck,
            is_reserved: false,
            is_opening: false,
            is_open: false,
            had_media: false,
            is_closing: false,
            answered: false,
            rejected: false,
            acked: false,
            invited: false,
            taken: false,
            offer_open: false,
            hung_up: false,
            peer_gone: false,
            shall_end: None,
            knocked: false,
            last_play: None,
            done: false,
        }
    }

    /// One act in four fails, but for those of a lucky history.
    fn succeeds(&mut self) -> bool {
        self.luck = self.luck.rotate_left(2);
        self.luck & 3 != 3
    }

    fn act(&mut self, act: &CallAct) -> Result<(), String> {
        holds(!self.done, "nothing follows the end")?;
        match act {
            CallAct::FindTarget => {
                let found = self.succeeds();
                self.results.push_back(if found {
                    CallInput::TargetFound(path())
                } else {
                    CallInput::NoTarget(Cause::NotReachable)
                });
                Ok(())
            }
            CallAct::ReservePort { .. } => {
                holds(!self.is_reserved && !self.had_media, "a port is reserved once")?;
                if self.succeeds() {
                    self.is_reserved = true;
                    self.results.push_back(CallInput::PortReserved(Box::new(offer_answer())));
                } else {
                    self.results.push_back(CallInput::PortNotReserved(Cause::NoPorts));
                }
                Ok(())
            }
            CallAct::ReleasePort => holds(std::mem::take(&mut self.is_reserved), "what is given back was reserved"),
            CallAct::OpenPort(_) => {
                holds(std::mem::take(&mut self.is_reserved), "what is opened was reserved")?;
                self.is_opening = true;
                let opens = self.succeeds();
                self.results.push_back(if opens { CallInput::PortOpened } else { CallInput::PortNotOpened });
                Ok(())
            }
            CallAct::Play(play) => {
                self.last_play = Some(play.id);
                holds(self.is_open, "it is played on an open port")
            }
            CallAct::StopPrompts | CallAct::Music(_) | CallAct::Reprofile(_) => holds(self.is_open, "it is done on an open port"),
            CallAct::ClosePort => {
                self.is_closing = true;
                holds(std::mem::take(&mut self.is_open), "what is closed was open")
            }
            CallAct::Knock { .. } => {
                self.knocked = true;
                holds(self.is_open, "who knocks has media")
            }
            CallAct::Sip(command) => self.command(command),
            CallAct::Done(end) => self.over(end),
            _ => Ok(()),
        }
    }

    fn command(&mut self, command: &sip::Command) -> Result<(), String> {
        let placed = self.kind == Kind::Outbound;
        match command {
            sip::Command::Answer { .. } if !placed && !self.answered => {
                self.answered = true;
                holds(!self.rejected && !self.peer_gone, "either answered or refused, and only while somebody is there")
            }
            sip::Command::Reject { .. } if !placed && !self.answered => {
                holds(!self.rejected && !self.peer_gone, "refused once, and only while somebody is there")?;
                self.rejected = true;
                Ok(())
            }
            sip::Command::Answer { .. } | sip::Command::Reject { .. } => {
                holds(std::mem::take(&mut self.offer_open), "an offer has one answer")
            }
            sip::Command::CallDevice { .. } => {
                holds(placed && !self.invited, "a device is called once")?;
                self.invited = true;
                Ok(())
            }
            sip::Command::Bye { .. } => {
                holds(!self.hung_up && !self.peer_gone, "one BYE, and only while somebody is there")?;
                self.hung_up = true;
                let waited = self.shall_end.is_some_and(|since| self.now >= since + ACK_AWAITED);
                holds(if placed { self.invited } else { self.acked || waited }, "no BYE before the ACK")
            }
            sip::Command::Probe { .. } => holds(self.is_open && !self.hung_up && !self.peer_gone, "who has media is asked"),
            _ => Ok(()),
        }
    }

    fn over(&mut self, end: &CallEnd) -> Result<(), String> {
        self.done = true;
        holds(self.results.is_empty(), "no result is on its way")?;
        holds(!self.is_reserved && !self.is_opening && !self.is_open, "no port is left")?;
        match (self.kind, end) {
            (Kind::Emergency, CallEnd::Announced) => holds(self.rejected || self.peer_gone, "it was refused")?,
            (Kind::Emergency, _) | (_, CallEnd::Announced) => broken("only calls for help are refused by voice")?,
            (Kind::Outbound, _) => holds(!self.invited || self.hung_up || self.peer_gone, "nothing rings on")?,
            _ => {
                holds(self.answered || self.rejected || self.peer_gone, "it was answered or refused")?;
                holds(!self.answered || self.hung_up || self.peer_gone, "what was answered was hung up")?;
            }
        }
        match end {
            CallEnd::Announced => Ok(()),
            CallEnd::NotSetUp { meeting, .. } => {
                holds(!self.had_media && meeting.is_some() == (self.kind == Kind::Outbound), "it had no media")
            }
            CallEnd::Ended(_) => holds(self.had_media, "it had media"),
        }
    }

    /// Whether SIP may still say something.
    fn has_dialog(&self) -> bool {
        !self.peer_gone && !self.rejected && !self.hung_up
    }

    /// The device and we have answered, so that requests come in the dialog.
    fn is_up(&self) -> bool {
        self.has_dialog() && (self.answered || self.taken)
    }
}

struct Run {
    call: Call,
    watch: Watch,
    reached: BTreeSet<String>,
}

impl Run {
    fn new(kind: Kind, how: u8) -> Result<Self, String> {
        let addressed = match how % 3 {
            0 => Addressed::Nothing,
            1 => Addressed::Meeting { name: meeting("demo"), passcode: None },
            _ => Addressed::Meeting { name: meeting("board"), passcode: None },
        };
        let offer = description(1, "sendrecv");
        let call = match kind {
            Kind::Inbound => Call::inbound(start(), settings(addressed), invite(Some(&offer))),
            Kind::DelayedOffer => Call::inbound(start(), settings(addressed), invite(None)),
            Kind::Outbound => {
                let invite = OutboundInvite {
                    device: "board-room".into(),
                    meeting: meeting("demo"),
                    title: String::new(),
                    replaces: None,
                    advertised: None,
                };
                Call::outbound(settings(Addressed::Invited { name: meeting("demo") }), invite)
            }
            Kind::Emergency => {
                let clip = library().clip("en", Phrase::NoEmergencyCalls);
                Call::announced(Announcement { call: CALL, cause: Cause::NoEmergencyCalls, clip }, invite(Some(&offer)))
            }
        };
        // Most histories shall come far.
        let luck = if how.is_multiple_of(4) { how } else { 0 };
        let mut run = Self { call, watch: Watch::new(kind, luck), reached: BTreeSet::new() };
        run.drain()?;
        Ok(run)
    }

    fn drain(&mut self) -> Result<(), String> {
        while let Some(act) = self.call.poll() {
            self.watch.act(&act)?;
        }
        if self.watch.done { holds(self.call.deadline().is_none(), "no deadline is left") } else { Ok(()) }
    }

    fn pass(&mut self, pause: Duration) -> Result<(), String> {
        let until = self.watch.now + pause;
        let mut wakes = 0;
        while let Some(at) = self.call.deadline().filter(|at| *at <= until) {
            self.watch.now = at.max(self.watch.now);
            self.call.wake(self.watch.now);
            self.drain()?;
            wakes += 1;
            holds(wakes < 1_000, "deadlines come to an end")?;
        }
        self.watch.now = until;
        Ok(())
    }

    fn input(&mut self, input: CallInput) -> Result<(), String> {
        let watch = &mut self.watch;
        match &input {
            CallInput::End(_) | CallInput::Replaced => {
                watch.shall_end.get_or_insert(watch.now);
            }
            CallInput::Stalled
            | CallInput::Sip(sip::Event::Cancelled { .. } | sip::Event::Ended { .. } | sip::Event::Failed { .. }) => {
                watch.peer_gone = true;
            }
            CallInput::Sip(sip::Event::Acked { .. }) => watch.acked = true,
            CallInput::Sip(sip::Event::Answered { .. }) => watch.taken = true,
            CallInput::Sip(sip::Event::Offer { .. }) => watch.offer_open = true,
            CallInput::PortOpened => (watch.is_opening, watch.is_open, watch.had_media) = (false, true, true),
            CallInput::PortNotOpened => watch.is_opening = false,
            CallInput::Media(MediaEvent::Closed(_)) => watch.is_closing = false,
            _ => {}
        }
        self.call.handle(self.watch.now, input);
        self.drain()
    }

    fn result(&mut self) -> Result<(), String> {
        match self.watch.results.pop_front() {
            Some(result) => self.input(result),
            None => Ok(()),
        }
    }

    fn step(&mut self, (what, how, pause): Step) -> Result<(), String> {
        self.pass(Duration::from_millis(PAUSES[usize::from(pause) % PAUSES.len()]))?;
        if self.watch.done {
            return Ok(());
        }
        let input = match what % 40 {
            0..=11 => return self.result(),
            12..=19 => establishing(&self.watch, what, how),
            20..=24 => ending(&self.watch, how).inspect(|input| {
                self.reached.insert(format!("{} in {:?}", name_of(input), self.call.stage()));
            }),
            25..=31 => request(&self.watch, what, how),
            _ => surroundings(&self.watch, what, how),
        };
        input.map_or(Ok(()), |input| self.input(input))
    }

    /// Whatever is left comes to an end by itself, once that is wanted.
    fn finish(&mut self) -> Result<(), String> {
        while !self.watch.results.is_empty() {
            self.result()?;
        }
        if !self.watch.done {
            self.input(CallInput::End(Cause::Draining))?;
        }
        while !self.watch.results.is_empty() {
            self.result()?;
        }
        self.pass(Duration::from_secs(30))?;
        holds(self.watch.done, "every history ends")
    }
}

fn name_of(input: &CallInput) -> &'static str {
    match input {
        CallInput::End(Cause::Draining) => "drain",
        CallInput::End(_) => "operator",
        CallInput::Stalled => "full inbox",
        CallInput::Replaced => "replaced",
        CallInput::Sip(sip::Event::Cancelled { .. }) => "CANCEL",
        _ => "peer",
    }
}

/// The next step of a call that is set up as it should be, or not quite.
fn establishing(watch: &Watch, what: u8, how: u8) -> Option<CallInput> {
    let description = description(1, "sendrecv");
    let sdp = if how.is_multiple_of(8) { b"nothing".to_vec() } else { description.into_bytes() };
    let event = match what % 8 {
        0..=3 if watch.answered && !watch.acked && watch.has_dialog() => {
            let sdp = Some(sdp).filter(|_| watch.kind == Kind::DelayedOffer && how % 16 != 1);
            sip::Event::Acked { call: CALL, sdp }
        }
        4 if watch.invited && !watch.taken && watch.has_dialog() => {
            sip::Event::Ringing { call: CALL, status: if how.is_multiple_of(2) { 180 } else { 183 } }
        }
        5..=7 if watch.invited && !watch.taken && watch.has_dialog() => sip::Event::Answered { call: CALL, sdp },
        _ => return None,
    };
    Some(CallInput::Sip(event))
}

/// What may end a call at any moment.
fn ending(watch: &Watch, how: u8) -> Option<CallInput> {
    let cause = [Cause::HungUp, Cause::PeerGone, Cause::SessionExpired][usize::from(how) % 3];
    let before_the_ack = watch.kind != Kind::Outbound && !watch.acked && watch.has_dialog();
    let rings = watch.invited && !watch.taken && watch.has_dialog();
    Some(match how % 8 {
        0 => CallInput::End(Cause::Draining),
        1 => CallInput::End(Cause::EndedByOperator),
        2 if !watch.peer_gone => CallInput::Stalled,
        3 => CallInput::Replaced,
        4 if before_the_ack => CallInput::Sip(sip::Event::Cancelled { call: CALL }),
        5 if rings => {
            let cause = [Cause::Refused(486), Cause::Refused(603), Cause::PeerGone][usize::from(how) % 3];
            CallInput::Sip(sip::Event::Failed { call: CALL, cause, reason: String::new() })
        }
        // It may have crossed our BYE.
        6 if !watch.peer_gone && (watch.answered || watch.taken) => CallInput::Sip(sip::Event::Ended { call: CALL, cause }),
        _ => return None,
    })
}

/// What a device asks for in its dialog.
fn request(watch: &Watch, what: u8, how: u8) -> Option<CallInput> {
    let our_offer_is_open = watch.kind == Kind::DelayedOffer && !watch.acked;
    let direction = ["sendrecv", "sendonly", "inactive"][usize::from(how) % 3];
    let event = match what % 7 {
        0 | 1 => sip::Event::Digit {
            call: CALL,
            digit: char::from(b"0123456789*#"[usize::from(how) % 12]),
            duration: Duration::from_millis(100),
        },
        2 => sip::Event::Text { call: CALL, message: 1, text: Redacted::new("hello".to_owned()) },
        3 => sip::Event::Refer { call: CALL, device: "room-2".into(), replaces: None },
        4 => sip::Event::Watch { call: CALL, on: how.is_multiple_of(2) },
        _ if watch.offer_open || our_offer_is_open => return None,
        5 if watch.acked || watch.taken => sip::Event::Offer { call: CALL, sdp: None },
        _ => {
            let sdp = description(how, direction);
            let sdp = if how.is_multiple_of(5) { sdp.replace("RTP/AVP 0 101", "RTP/AVP 18") } else { sdp };
            sip::Event::Offer { call: CALL, sdp: Some(sdp.into_bytes()) }
        }
    };
    watch.is_up().then_some(CallInput::Sip(event))
}

/// What port and meeting say.
fn surroundings(watch: &Watch, what: u8, how: u8) -> Option<CallInput> {
    let digit = || Redacted::new(char::from(b"1001#*9*1#12"[usize::from(how) % 12]));
    let media = match what % 8 {
        0 | 1 if watch.is_open => Some(MediaEvent::Digit(digit())),
        2 if watch.is_open => {
            watch.last_play.map(|play| MediaEvent::Played { play, outcome: PlayOutcome::Completed, carried: Some(CARRIED) })
        }
        3 if watch.is_open && how.is_multiple_of(4) => Some(MediaEvent::Silent(Duration::from_secs(30))),
        4 if watch.is_closing => Some(MediaEvent::Closed(Box::default())),
        _ => None,
    };
    let meeting = match what % 8 {
        5 => [ToGuest::Waiting, ToGuest::Seated, ToGuest::Joined, ToGuest::Seated][usize::from(how) % 4].clone(),
        6 => ToGuest::Tell { notice: NOTICE, phrases: vec![Phrase::RecordingStarted] },
        7 if how.is_multiple_of(4) => ToGuest::Dismiss(Cause::Denied),
        _ => return media.map(CallInput::Media),
    };
    (watch.knocked && !watch.done).then_some(CallInput::Meeting(meeting))
}

/// Plays a history; says what was reached, or which rule was broken.
fn play(kind: u8, how: u8, steps: &[Step]) -> Result<BTreeSet<String>, String> {
    let kind = [Kind::Inbound, Kind::Inbound, Kind::DelayedOffer, Kind::Outbound, Kind::Outbound, Kind::Emergency]
        [usize::from(kind) % 6];
    let mut run = Run::new(kind, how)?;
    for step in steps {
        run.step(*step)?;
    }
    run.finish()?;
    Ok(run.reached)
}

/// What ends a call comes in each of these stages.
const ENDINGS: [(&str, &[&str]); 4] = [
    ("CANCEL", &["Answering"]),
    ("drain", &["Calling", "Answering", "Menu", "Waiting", "In", "Leaving"]),
    ("operator", &["Calling", "Answering", "Menu", "Waiting", "In", "Leaving"]),
    ("full inbox", &["Calling", "Answering", "Menu", "Waiting", "In", "Leaving"]),
];

/// Every history ends in one `Done`; a reserved port is opened or given back, an open one closed; a call is either answered or refused; no
/// BYE goes before the ACK.
#[test]
fn random_histories_end_once_and_leave_nothing_behind() {
    let histories = (any::<u8>(), any::<u8>(), proptest::collection::vec(any::<Step>(), 1..80));
    let config = Config { cases: 4_000, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let reached = RefCell::new(BTreeSet::new());
    let outcome = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)).run(
        &histories,
        |(kind, how, steps)| {
            reached.borrow_mut().extend(play(kind, how, &steps).map_err(TestCaseError::fail)?);
            Ok(())
        },
    );
    assert_eq!(outcome.map_err(|error| error.to_string()), Ok(()));
    let reached = reached.into_inner();
    for (ending, stages) in ENDINGS {
        for stage in stages {
            let moment = format!("{ending} in {stage}");
            assert!(reached.contains(&moment), "no history has a {moment}");
        }
    }
}
