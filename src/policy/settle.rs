//! What follows from the facts: the comparison with what was last announced, and the deadlines.

use std::time::Instant;

use super::fact::Effect;
use super::lobby::{Admission, Wait};
use super::machine::Policy;
use super::notice_types::{AlarmKind, CaptureChange, CaptureNews, phrases};
use super::notices::NoticeTimer;
use super::person::Person;
use super::timer::{PolicyTimer, Touched};
use super::types::{CaptureKind, Muted, Standing};
use super::view::SeenRow;
use crate::common::cause::Cause;
use crate::common::ids::{NoticeId, ParticipantId};
use crate::common::phrase::Phrase;
use crate::common::play_outcome::PlayOutcome;

impl Policy {
    // === What follows ===

    /// Compares what the facts mean with what was last announced, and emits the difference.
    pub(super) fn settle(&mut self, now: Instant, touched: Touched) {
        if self.ended {
            return;
        }
        let present = self.member_present();
        let touched = if std::mem::replace(&mut self.present, present) == present { touched } else { Touched::Everybody };
        let passed = self.let_pass();
        match touched {
            Touched::One(who) => {
                self.settle_one(now, who);
                for who in passed.into_iter().filter(|passed| *passed != who) {
                    self.settle_one(now, who);
                }
            }
            Touched::Everybody => {
                let everybody: Vec<ParticipantId> = self.people.keys().copied().collect();
                for who in everybody {
                    self.settle_one(now, who);
                }
            }
        }
        self.settle_meeting(now);
        if std::mem::take(&mut self.changed) {
            self.effects.push_back(Effect::Changed);
        }
    }

    /// Those who may enter without being admitted by hand enter (M-5, M-6), as far as there is room for them (M-14).
    fn let_pass(&mut self) -> Vec<ParticipantId> {
        let waiting = || self.people.iter().filter(|(_, person)| !person.inside && person.presence.is_alive());
        if !self.present || waiting().next().is_none() {
            return Vec::new();
        }
        let settings = &self.settings;
        let passes = |person: &Person| {
            settings.bypass.lets_externals_pass()
                || (settings.devices_bypass && person.is_phone())
                || person.counts_as_member(settings)
        };
        let passed: Vec<_> = waiting().filter(|(_, person)| passes(person)).map(|(who, _)| *who).collect();
        let passed: Vec<_> = passed.into_iter().take(self.room_for_externals()).collect();
        for who in &passed {
            if let Some(person) = self.people.get_mut(who) {
                person.inside = true;
            }
        }
        passed
    }

    fn settle_one(&mut self, now: Instant, who: ParticipantId) {
        let Some(person) = self.people.get(&who) else { return };
        let shown = self.shown(person);
        let standing = shown.standing;
        let before = person.announced;
        let mut entered = false;
        if standing == Standing::In && !before.seated {
            self.effects.push_back(Effect::Seat { who, admission: Admission::mint(who) });
            self.owe_on_entry(now, who);
            entered = true;
        }
        let Some(person) = self.people.get_mut(&who) else { return };
        person.announced.seated = standing == Standing::In;
        person.announced.standing = Some(standing);
        person.announced.shown = Some(shown);
        if before.shown != Some(shown) {
            self.changed = true;
            self.changes.own.insert(who);
            if before.shown.map(SeenRow::to_others) != Some(shown.to_others()) {
                self.changes.rows.insert(who);
            }
        }
        let due = person.notices.is_due(now, person.on_hold);
        if before.standing != Some(standing) {
            self.say_standing(now, who, standing, due);
        }
        if due {
            self.tell(now, who, entered);
        }
        if entered {
            self.remind(who);
        }
        let Some(person) = self.people.get_mut(&who) else { return };
        let gate = person.gate();
        if gate != before.gate {
            person.announced.gate = gate;
            self.effects.push_back(Effect::Gate { who, hear: gate.0, speak: gate.1 });
        }
        self.note_due(who);
    }

    /// Says where a device stands from now on.
    fn say_standing(&mut self, now: Instant, who: ParticipantId, standing: Standing, notice_due: bool) {
        let phrase = match standing {
            Standing::Waiting => Phrase::WaitingForHost,
            Standing::Lobby => Phrase::InLobby,
            // The notice that follows at once begins with it.
            Standing::In if notice_due => return,
            Standing::In => Phrase::Admitted,
        };
        if standing != Standing::In
            && let Some(person) = self.people.get_mut(&who)
        {
            person.wait = Wait { comforted: now, ..person.wait };
        }
        self.say(who, phrase);
    }

    /// Keeps somebody's next deadline where the next of all is found at once.
    fn note_due(&mut self, who: ParticipantId) {
        let Some(person) = self.people.get(&who) else { return };
        let (before, due) = (person.due, self.due_of(who, person).into_iter().flatten().min());
        if before == due {
            return;
        }
        if let Some(before) = before {
            self.dues.remove(&before);
        }
        self.dues.extend(due);
        if let Some(person) = self.people.get_mut(&who) {
            person.due = due;
        }
    }

    /// Reminds a device that joined with a closed microphone of it (K-4).
    fn remind(&mut self, who: ParticipantId) {
        let Some(person) = self.people.get_mut(&who).filter(|person| person.remind) else { return };
        person.remind = false;
        match person.muted {
            Muted { host: true, .. } => self.say(who, Phrase::MutedByHost),
            Muted { own: true, .. } => self.say(who, Phrase::Muted),
            Muted { .. } => {}
        }
    }

    /// A device that enters is owed what is captured already (N-2).
    fn owe_on_entry(&mut self, now: Instant, who: ParticipantId) {
        let captured = [(CaptureKind::Recording, self.recording), (CaptureKind::Transcription, self.transcription)];
        let Some(person) = self.people.get_mut(&who).filter(|p| p.is_phone()) else { return };
        for (what, captured) in captured {
            if let Some(news) = CaptureNews::on_entry(captured.state) {
                person.notices.owe_on_entry(CaptureChange { what, news, epoch: captured.epoch, at: now });
            }
        }
    }

    fn tell(&mut self, now: Instant, who: ParticipantId, entered: bool) {
        self.notices_told = self.notices_told.saturating_add(1);
        let notice = NoticeId::from_number(self.notices_told);
        let Some(person) = self.people.get_mut(&who) else { return };
        let changes = person.notices.tell(now, notice);
        let mut spoken: Vec<Phrase> = entered.then_some(Phrase::Admitted).into_iter().collect();
        spoken.extend(phrases(&changes));
        self.effects.push_back(Effect::Tell { who, notice, phrases: spoken, changes });
    }

    // === Deadlines ===

    /// The next deadline and its name; none once the meeting has ended.
    pub(super) fn next_due(&self) -> Option<(Instant, PolicyTimer)> {
        if self.ended {
            return None;
        }
        self.meeting_dues().into_iter().flatten().chain(self.dues.first().copied()).min()
    }

    pub(super) fn due_of(&self, who: ParticipantId, person: &Person) -> [Option<(Instant, PolicyTimer)>; 6] {
        let settings = &self.settings;
        let wait = (!person.inside).then_some(&person.wait);
        [
            person.presence.gone_at().map(|at| (at, PolicyTimer::Gone(who))),
            person.presence.left_at().map(|at| (at, PolicyTimer::SeatLost(who))),
            wait.and_then(|w| w.warns_at(settings)).map(|at| (at, PolicyTimer::LobbyWarning(who))),
            wait.and_then(|w| w.ends_at(settings)).map(|at| (at, PolicyTimer::LobbyTimeout(who))),
            wait.and_then(|w| w.comforts_at(settings)).map(|at| (at, PolicyTimer::Comfort(who))),
            person.notices.deadline(person.on_hold).map(|(at, timer)| (at, PolicyTimer::Notice(who, timer))),
        ]
    }

    /// Lets every deadline up to `now` take effect at its own time, so that a late wake changes nothing but the delay.
    /// Each firing takes its deadline away or moves it forward, so this ends.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((at, timer)) = self.next_due().filter(|(at, _)| *at <= now) {
            self.fire(at, timer, now);
            self.settle(at, timer.touches());
        }
    }

    fn fire(&mut self, at: Instant, timer: PolicyTimer, now: Instant) {
        match timer {
            PolicyTimer::Gone(who) => {
                if let Some(person) = self.people.get_mut(&who) {
                    person.presence.go();
                }
            }
            PolicyTimer::SeatLost(who) => {
                let closed = self.people.get(&who).is_some_and(|person| person.presence.is_closed());
                self.depart(at, who, Some(if closed { Cause::HungUp } else { Cause::PeerGone }));
            }
            PolicyTimer::LobbyWarning(who) => {
                if let Some(person) = self.people.get_mut(&who) {
                    person.wait.warned = true;
                }
                self.say(who, Phrase::LobbyTimeoutSoon);
            }
            PolicyTimer::LobbyTimeout(who) => self.depart(at, who, Some(Cause::LobbyTimeout)),
            PolicyTimer::Comfort(who) => {
                let Some(person) = self.people.get_mut(&who) else { return };
                // A comfort message that a late wake has missed is not made up for.
                person.wait.comforted = now;
                if !person.on_hold {
                    self.say(who, Phrase::StillWaiting);
                }
            }
            PolicyTimer::Notice(who, timer) => self.fire_notice(who, timer),
            PolicyTimer::Alone => {
                if let Some(alone) = &mut self.alone {
                    alone.told = true;
                    let who = alone.who;
                    self.say(who, Phrase::Alone);
                }
            }
            PolicyTimer::ExternalsOnly | PolicyTimer::Empty => self.end(at, Cause::MeetingEnded),
        }
    }

    fn fire_notice(&mut self, who: ParticipantId, timer: NoticeTimer) {
        let Some(person) = self.people.get_mut(&who) else { return };
        let (outcome, alarm) = match timer {
            NoticeTimer::Following => return person.notices.close_window(),
            NoticeTimer::Begin => {
                person.notices.is_late();
                self.effects.push_back(Effect::Alarm { who, what: AlarmKind::Late });
                return;
            }
            NoticeTimer::GiveUp => (PlayOutcome::Failed, AlarmKind::Failed),
            NoticeTimer::Complete => (PlayOutcome::Interrupted, AlarmKind::Unfinished),
        };
        if let Some(finished) = person.notices.finish(outcome) {
            self.notice_ended(who, finished, outcome, None, alarm);
        }
    }
}
