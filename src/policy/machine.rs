//! The machine of one meeting: its facts, and how each of them is changed.
//!
//! [`Policy`] is one owner of facts that depend on each other, so its rules stand in files by subject: questions in `queries.rs`, requests
//! of people in `requests.rs`, reports on notices in `notice_reports.rs`, and what follows from all of them in `settle.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::capability::Capability;
use super::fact::{Effect, Fact};
use super::lobby::{PolicySettings, Wait};
use super::notice_types::{CaptureChange, CaptureNews};
use super::notices::OwedNotices;
use super::person::{Announced, Newcomer, Person};
use super::presence::Presence;
use super::timer::{PolicyTimer, Touched};
use super::types::{Capture, CaptureKind, PolicyRefusal, Role, Via};
use super::view::ViewChanges;
use crate::common::cause::Cause;
use crate::common::ids::ParticipantId;
use crate::common::machine::Machine;
use crate::common::play_outcome::PlayOutcome;

/// A device that is alone inside is told so after this long (K-6).
pub const ALONE_AFTER: Duration = Duration::from_secs(15);

/// One capture of this meeting.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Captured {
    /// Something is there that starts and stops it when it is asked to (N-11).
    pub(super) configured: bool,
    pub(super) state: Capture,
    /// Counts changes.
    pub(super) epoch: u64,
    /// The epoch in which we asked for off because nobody is inside.
    pub(super) stop_asked: Option<u64>,
}

/// A device that is alone inside (K-6).
#[derive(Debug, Clone, Copy)]
pub(super) struct Alone {
    pub(super) who: ParticipantId,
    pub(super) since: Instant,
    pub(super) told: bool,
}

/// The rules of one meeting, applied to its facts.
#[derive(Debug)]
pub struct Policy {
    pub(super) settings: PolicySettings,
    pub(super) people: BTreeMap<ParticipantId, Person>,
    pub(super) recording: Captured,
    pub(super) transcription: Captured,
    pub(super) notices_told: u64,
    /// Since when externals are inside without a member (M-10).
    pub(super) externals_only: Option<Instant>,
    /// Since when nobody is inside or waiting, after somebody was.
    pub(super) empty: Option<Instant>,
    pub(super) alone: Option<Alone>,
    pub(super) ended: bool,
    /// Who comes back to a seat of the daemon's last run.
    pub(super) seat_kept: Option<ParticipantId>,
    /// A member is present, as of the last settling (M-5).
    pub(super) present: bool,
    /// The next deadline of each who has one.
    pub(super) dues: BTreeSet<(Instant, PolicyTimer)>,
    /// Something visible has changed.
    pub(super) changed: bool,
    /// What of it are rows.
    pub(super) changes: ViewChanges,
    /// Bounded by what one input can cause: a few effects for each participant; drained before the next input.
    pub(super) effects: VecDeque<Effect>,
}

impl Policy {
    /// A meeting with nobody in it. Notices are numbered from 1 within the meeting.
    #[must_use]
    pub fn new(settings: PolicySettings) -> Self {
        Self {
            settings,
            people: BTreeMap::new(),
            recording: Captured { configured: true, ..Captured::default() },
            transcription: Captured::default(),
            notices_told: 0,
            externals_only: None,
            empty: None,
            alone: None,
            ended: false,
            seat_kept: None,
            present: false,
            dues: BTreeSet::new(),
            changed: false,
            changes: ViewChanges::default(),
            effects: VecDeque::new(),
        }
    }

    // === Facts ===

    fn joined(&mut self, now: Instant, who: ParticipantId, newcomer: Newcomer) {
        let Newcomer { role, via, organiser, name, muted } = newcomer;
        if let Some(person) = self.people.get_mut(&who) {
            person.muted = person.muted.and(muted);
            if person.name != name {
                person.name = name;
                self.show_again(who);
            }
            return;
        }
        let role = if via == Via::Phone { Role::External } else { role };
        if self.has_room(role, via).is_err() {
            self.effects.push_back(Effect::Dismiss { who, cause: Cause::MeetingFull });
            return;
        }
        let person = Person {
            role,
            via,
            organiser: organiser && role == Role::Member,
            pin: false,
            name,
            presence: Presence::Alive,
            // Whom the meeting's service has let in is not ours to keep waiting.
            inside: role == Role::Member || via == Via::Service || self.seat_kept.take() == Some(who),
            wait: Wait::new(now),
            muted,
            remind: muted.is_closed(),
            hand: false,
            on_hold: false,
            notices: OwedNotices::default(),
            announced: Announced::default(),
            due: None,
        };
        self.people.insert(who, person);
    }

    /// Has a row shown again though no fact that is compared has changed.
    fn show_again(&mut self, who: ParticipantId) {
        self.changes.rows.insert(who);
        self.changes.own.insert(who);
        self.changed = true;
    }

    fn hold(&mut self, who: ParticipantId, on: bool) {
        let Some(person) = self.people.get_mut(&who).filter(|p| p.on_hold != on) else { return };
        person.on_hold = on;
        if on {
            person.notices.hold();
        } else if let Some(cut) = person.notices.resume() {
            self.effects.push_back(Effect::Ledger(cut.playing.entry(who, PlayOutcome::Interrupted, None)));
        }
    }

    fn capture_is(&mut self, now: Instant, what: CaptureKind, state: Capture) {
        let captured = self.captured_mut(what);
        let Some(news) = CaptureNews::between(captured.state, state) else { return };
        captured.state = state;
        captured.epoch = captured.epoch.saturating_add(1);
        let change = CaptureChange { what, news, epoch: captured.epoch, at: now };
        self.changed = true;
        for person in self.people.values_mut().filter(|p| p.announced.seated && p.is_phone()) {
            person.notices.owe(change);
        }
    }

    fn captured_mut(&mut self, what: CaptureKind) -> &mut Captured {
        match what {
            CaptureKind::Recording => &mut self.recording,
            CaptureKind::Transcription => &mut self.transcription,
        }
    }

    /// Ends a presence: the gate shuts first, then the seat goes, then the dismissal.
    pub(super) fn depart(&mut self, now: Instant, who: ParticipantId, cause: Option<Cause>) {
        let Some(person) = self.people.remove(&who) else { return };
        if let Some(due) = person.due {
            self.dues.remove(&due);
        }
        if person.announced.gate != (false, false) {
            self.effects.push_back(Effect::Gate { who, hear: false, speak: false });
        }
        if person.announced.seated {
            self.effects.push_back(Effect::Unseat { who });
        }
        if let Some(playing) = person.notices.abandon() {
            self.effects.push_back(Effect::Ledger(playing.entry(who, PlayOutcome::Interrupted, None)));
        }
        if let Some(cause) = cause {
            self.effects.push_back(Effect::Dismiss { who, cause });
        }
        self.show_again(who);
        self.empty = self.is_empty().then_some(now);
    }

    /// Dismisses somebody who waits. Who is inside stays (M-10).
    fn turn_away(&mut self, now: Instant, who: ParticipantId, cause: Cause) {
        if self.people.get(&who).is_some_and(|person| !person.inside) {
            self.depart(now, who, Some(cause));
        }
    }

    /// Ends the meeting for all (M-9).
    pub(super) fn end(&mut self, now: Instant, cause: Cause) {
        let everybody: Vec<ParticipantId> = self.people.keys().copied().collect();
        for who in everybody {
            self.depart(now, who, Some(cause));
        }
        self.ended = true;
        self.stop_captures();
        self.effects.push_back(Effect::Ended { cause });
        self.externals_only = None;
        self.empty = None;
        self.alone = None;
        self.changed = false;
    }

    /// Nobody is inside: what still captures is asked to stop, once for each time it started.
    pub(super) fn stop_captures(&mut self) {
        for what in CaptureKind::ALL {
            let captured = self.captured_mut(what);
            if captured.state != Capture::Off && captured.stop_asked != Some(captured.epoch) {
                captured.stop_asked = Some(captured.epoch);
                self.effects.push_back(Effect::Capture { what, want: Capture::Off });
            }
        }
    }

    fn update(&mut self, who: ParticipantId, change: impl FnOnce(&mut Person)) {
        if let Some(person) = self.people.get_mut(&who) {
            change(person);
        }
    }

    fn apply(&mut self, now: Instant, fact: Fact) {
        let (by, result) = match fact {
            Fact::Admit { by, who } => (by, self.admit(by, who)),
            Fact::AdmitAll { by } => (by, self.admit_all(by)),
            Fact::Deny { by, who } => (by, self.deny(now, by, who)),
            Fact::Remove { by, who } => (by, self.remove(now, by, who)),
            Fact::Mute { by, who, on } => (by, self.mute(by, who, on)),
            Fact::MuteSelf { who, to } => (who.into(), self.mute_self(who, to)),
            Fact::Hand { who, to } => (who.into(), self.hand(who, to)),
            Fact::End { by } => (by, self.allowed(by, Capability::End).map(|()| self.end(now, Cause::MeetingEnded))),
            Fact::Capture { what, by, want } => (by, self.ask_capture(by, what, want)),
            Fact::Joined { who, role, via, organiser, name, muted } => {
                return self.joined(now, who, Newcomer { role, via, organiser, name, muted });
            }
            Fact::Alive { who, alive } => return self.update(who, |person| person.presence.report(now, alive)),
            Fact::Closed { who } => return self.update(who, |person| person.presence.close(now)),
            Fact::Reloaded { who } => return self.update(who, |person| person.presence.reload()),
            Fact::Left { who } => return self.depart(now, who, None),
            Fact::HostMute { who, on } => return self.host_mute(who, on),
            Fact::TurnedAway { who, cause } => return self.turn_away(now, who, cause),
            Fact::SeatKept { who } => {
                self.seat_kept = Some(who);
                return;
            }
            Fact::Stopped => return self.end(now, Cause::Draining),
            Fact::Hold { who, on } => return self.hold(who, on),
            Fact::OrganiserPin { who } => return self.update(who, |person| person.pin = true),
            Fact::CaptureIs { what, state } => return self.capture_is(now, what, state),
            Fact::NoticeBegan { notice, length } => return self.began(now, notice, length),
            Fact::Told { notice, outcome, carried } => return self.told(notice, outcome, carried),
            Fact::Reported { notice, received_permille } => return self.reported(notice, received_permille),
            Fact::CaptureConfigured { what, configured } => {
                self.captured_mut(what).configured = configured;
                return;
            }
            Fact::Settings(settings) => {
                self.settings = settings;
                return;
            }
        };
        if let Err(refusal) = result {
            self.refuse(by, refusal);
        }
    }

    /// After the end requests are refused, newcomers dismissed, and a recorder that starts late is stopped.
    fn apply_after_end(&mut self, now: Instant, fact: Fact) {
        match fact {
            Fact::Joined { who, .. } => self.effects.push_back(Effect::Dismiss { who, cause: Cause::MeetingEnded }),
            Fact::CaptureIs { what, state } => {
                self.capture_is(now, what, state);
                self.changed = false;
                self.stop_captures();
            }
            Fact::Admit { by, .. }
            | Fact::AdmitAll { by }
            | Fact::Deny { by, .. }
            | Fact::Remove { by, .. }
            | Fact::Mute { by, .. }
            | Fact::End { by }
            | Fact::Capture { by, .. } => self.effects.push_back(Effect::Refused { by, refusal: PolicyRefusal::Ended }),
            Fact::MuteSelf { who, .. } | Fact::Hand { who, .. } => {
                self.effects.push_back(Effect::Refused { by: who.into(), refusal: PolicyRefusal::Ended });
            }
            Fact::Alive { .. }
            | Fact::Closed { .. }
            | Fact::Reloaded { .. }
            | Fact::Left { .. }
            | Fact::TurnedAway { .. }
            | Fact::HostMute { .. }
            | Fact::SeatKept { .. }
            | Fact::Stopped
            | Fact::Hold { .. }
            | Fact::OrganiserPin { .. }
            | Fact::NoticeBegan { .. }
            | Fact::Told { .. }
            | Fact::Reported { .. }
            | Fact::CaptureConfigured { .. }
            | Fact::Settings(_) => {}
        }
    }
}

impl Machine for Policy {
    type Input = Fact;
    type Output = Effect;

    fn handle(&mut self, now: Instant, fact: Fact) {
        self.expire(now);
        if self.ended {
            self.apply_after_end(now, fact);
            return;
        }
        let touched = Touched::by(&fact);
        self.apply(now, fact);
        self.settle(now, touched);
        self.expire(now);
    }

    fn wake(&mut self, now: Instant) {
        self.expire(now);
    }

    fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        self.next_due().map(|(at, _)| at)
    }
}
