//! Random histories of a meeting: whatever comes in whatever order, what it does holds together.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use super::*;
use crate::common::cause::Cause;
use crate::common::play_outcome::PlayOutcome;
use crate::media::MediaEnd;
use crate::policy::Switch;

/// What was seen of one history.
#[derive(Default)]
struct Seen {
    dismissed: BTreeSet<ParticipantId>,
    seated: BTreeSet<ParticipantId>,
    closed: BTreeSet<PeerId>,
    released: BTreeSet<ParticipantId>,
    notices: BTreeSet<NoticeId>,
    written: BTreeSet<NoticeId>,
    replies: usize,
}

impl Seen {
    fn act(&mut self, act: &MeetingAct) {
        match act {
            MeetingAct::TellGuest { who, what } => {
                assert!(!self.dismissed.contains(who), "{who} is told {what:?} after its end");
                assert!(!self.released.contains(who), "{who} is told {what:?} after it was let go");
                match what {
                    ToGuest::Dismiss(_) => assert!(self.dismissed.insert(*who)),
                    ToGuest::Tell { notice, .. } => assert!(self.notices.insert(*notice), "a notice is given once"),
                    _ => {}
                }
            }
            MeetingAct::SeatPort { who, admission } => {
                assert_eq!(admission.participant(), *who);
                assert!(self.seated.insert(*who) && !self.released.contains(who));
            }
            MeetingAct::Seat { end: MediaEnd::Peer(peer), .. } => assert!(!self.closed.contains(peer)),
            MeetingAct::ReplaceEnd { old: MediaEnd::Peer(old), new: MediaEnd::Peer(new) } => {
                assert!(!self.closed.contains(old) && !self.closed.contains(new));
            }
            MeetingAct::ClosePeer(peer) => assert!(self.closed.insert(*peer), "{peer} is closed twice"),
            MeetingAct::ReleaseGuest(who) => assert!(self.released.insert(*who), "{who} is let go twice"),
            MeetingAct::WriteLedger(line) => {
                assert!(self.written.insert(line.entry.notice), "{} has two lines", line.entry.notice);
                assert!(!line.device.is_empty(), "{} is a line of nobody", line.entry.notice);
            }
            MeetingAct::Reply(_) => self.replies += 1,
            _ => {}
        }
    }
}

struct History {
    run: Run,
    seen: Seen,
    rng: ChaCha20Rng,
    people: Vec<ParticipantId>,
    asked: usize,
}

impl History {
    fn draw(&mut self, below: u64) -> u64 {
        self.rng.next_u64() % below
    }

    fn somebody(&mut self) -> ParticipantId {
        let at = self.draw(self.people.len().max(1) as u64);
        let at = usize::try_from(at).expect("small");
        self.people.get(at).copied().unwrap_or(ParticipantId::from_number(9_999))
    }

    /// Does what follows from an input, in any order of results that an owner may give them.
    fn settle(&mut self) {
        while let Some(act) = self.run.state.poll() {
            self.seen.act(&act);
            self.run.disk = Some(self.draw(4) > 0);
            self.run.perform(act);
        }
    }

    fn input(&mut self, input: MeetingInput) {
        self.run.state.handle(self.run.time(), input);
        self.settle();
    }

    fn step(&mut self) {
        match self.draw(24) {
            0 | 1 => self.joins(),
            2 | 3 => self.knocks(),
            4..=11 => self.asks(),
            12 => {
                let who = self.somebody();
                self.input(MeetingInput::ConnectionLost(who));
            }
            13 => {
                let who = self.somebody();
                self.asked += 1;
                self.input(MeetingInput::Offer { who, sdp: String::new(), reply: oneshot::channel().0 });
            }
            14 => {
                let (who, on) = (self.somebody(), self.draw(2) == 0);
                if on {
                    self.run.stalled.insert(who)
                } else {
                    self.run.stalled.remove(&who)
                };
            }
            15 => self.input(MeetingInput::Reconfigured),
            16..=20 => self.device_says(),
            _ => {
                let time = [10, 150, 1_000, 4_000, 21_000][usize::try_from(self.draw(5)).expect("small")];
                self.passes(Duration::from_millis(time));
            }
        }
    }

    fn passes(&mut self, time: Duration) {
        let end = self.run.now + time;
        while let Some(at) = self.run.state.deadline().filter(|at| *at <= end) {
            self.run.now = at.max(self.run.now);
            self.run.state.wake(self.run.time());
            self.settle();
        }
        self.run.now = end;
    }

    fn joins(&mut self) {
        let role = if self.draw(3) == 0 { Role::External } else { Role::Member };
        let resume = (self.draw(3) == 0).then(|| self.somebody());
        let (feed, reader) = feed();
        let join = JoinPage {
            role,
            organiser: self.draw(2) == 0,
            name: format!("n{}", self.draw(5)),
            resume,
            identity: Some(format!("session/{}", self.draw(5))),
            muted: self.draw(4) == 0,
            hand: self.draw(4) == 0,
            from: None,
            proof: PasscodeProof::Nothing,
            feed,
        };
        let (reply, mut joined) = oneshot::channel();
        self.asked += 1;
        self.input(MeetingInput::JoinPage(join, reply));
        if let Ok(who) = joined.try_recv().expect("an answer") {
            self.run.pages.insert(who, reader);
            self.people.push(who);
        }
    }

    fn knocks(&mut self) {
        let number = self.people.len() as u64 + 1;
        let who = self.run.state.ids.participant();
        let known = self.draw(2) == 0;
        let device = KnockingDevice {
            who,
            call: CallId::from_number(number),
            port: PortId::from_number(number),
            name: format!("n{}", self.draw(5)),
            device: format!("room-{number}"),
            phone: Phone::default(),
            identity: format!("device/{}", self.draw(5)),
            known,
            predecessor: (self.draw(4) == 0).then(|| self.somebody()),
            language: "en".to_owned(),
            text: self.draw(2) == 0,
        };
        self.people.push(who);
        self.input(MeetingInput::Knock(Box::new(device)));
    }

    fn asks(&mut self) {
        let (who, other, on) = (self.somebody(), self.somebody(), self.draw(2) == 0);
        let ask = match self.draw(16) {
            0..=3 => MeetingRequest::Admit(other),
            4 => MeetingRequest::AdmitAll,
            5 => MeetingRequest::Deny(other),
            6 => MeetingRequest::Remove(other),
            7 => MeetingRequest::Mute(other, on),
            8 => MeetingRequest::MuteSelf(on),
            9 => MeetingRequest::Hand(on),
            10..=12 => MeetingRequest::Recording([Capture::On, Capture::Paused, Capture::Off][usize::from(on)]),
            13 => MeetingRequest::Recording(Capture::Off),
            14 => MeetingRequest::Leave,
            _ => MeetingRequest::Chat("hello".to_owned()),
        };
        let operator = self.draw(3) == 0;
        let (reply, mut answer) = oneshot::channel();
        self.asked += 1;
        self.input(MeetingInput::Ask { who: Some(who).filter(|_| !operator), ask, reply });
        answer.try_recv().expect("each request has its answer").ok();
    }

    fn device_says(&mut self) {
        let (who, on) = (self.somebody(), self.draw(2) == 0);
        if !self.run.state.people.guests.contains_key(&who) || self.seen.dismissed.contains(&who) {
            return;
        }
        let notice = self.run.told.get(&who).into_iter().flatten().rev().find_map(|what| match what {
            ToGuest::Tell { notice, .. } => Some(*notice),
            _ => None,
        });
        let what = match (self.draw(9), notice) {
            (0 | 1, Some(notice)) => FromGuest::Began { notice, length: 2 * SECOND },
            (2 | 3, Some(notice)) => {
                let outcome = if on { PlayOutcome::Completed } else { PlayOutcome::Interrupted };
                FromGuest::Told { notice, outcome, carried: None }
            }
            (4, Some(notice)) => FromGuest::Reported { notice, received_permille: on.then_some(1_000) },
            (5, _) => FromGuest::Hold(on),
            (6, _) => FromGuest::Mute(Switch::Toggle),
            (7, _) => FromGuest::Watch(on),
            (8, _) if on => FromGuest::Left,
            _ => FromGuest::Lost,
        };
        self.input(MeetingInput::Guest(who, what));
    }
}

/// Whatever comes in whatever order: a device is told nothing after its end and let go once, each request has one answer, each notice one
/// line in the ledger, and no closed connection is seated.
#[test]
fn n8_m8_random_histories_of_a_meeting_hold_together() {
    let (mut notices, mut seats) = (0, 0);
    for seed in 0..150_u64 {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = ChaCha20Rng::from_seed(bytes);
        let mut history = History { run: Run::new(), seen: Seen::default(), rng, people: Vec::new(), asked: 0 };
        for _ in 0..120 {
            if history.run.over {
                break;
            }
            history.step();
        }
        history.input(MeetingInput::Close(Cause::MeetingEnded));
        assert!(history.run.over, "seed {seed}");
        history.run.state.close(history.run.time());
        history.settle();
        let History { seen, asked, .. } = history;
        assert_eq!(seen.replies, asked, "seed {seed}: each request has one answer");
        assert_eq!(seen.notices, seen.written, "seed {seed}: each notice has one line");
        notices += seen.notices.len();
        seats += seen.seated.len();
    }
    assert!(notices > 100 && seats > 100, "{notices} notices, {seats} seats: the histories say little");
}
