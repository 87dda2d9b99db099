//! What follows from the facts: the comparison with what was last announced, and the clocks.

use std::time::Instant;

use super::admission::Admission;
use super::lobby::Wait;
use super::notice::{NoticeTimer, phrases};
use super::types::Muted;
use super::view::SeenRow;
use super::{
    ALONE_AFTER, AlarmKind, Alone, CaptureChange, CaptureKind, CaptureNews, Effect, Fact, NoticeResult, Person, Policy, Standing,
};
use crate::common::cause::Cause;
use crate::common::ids::{NoticeId, ParticipantId};
use crate::common::phrase::Phrase;

/// Every deadline has a name. Of several at one time the first in this order comes first, and of these the lower id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PolicyTimer {
    /// A lost member no longer counts (M-5).
    Gone(ParticipantId),
    /// A lost participant's seat is given up (M-5).
    SeatLost(ParticipantId),
    /// The wait's end is announced (M-9).
    LobbyWarning(ParticipantId),
    /// The wait ends (M-9).
    LobbyTimeout(ParticipantId),
    /// A word of comfort (K-6).
    Comfort(ParticipantId),
    /// Something about the notice of a device (N-3, N-4).
    Notice(ParticipantId, NoticeTimer),
    /// A device has been alone (K-6).
    Alone,
    /// Only externals were left for too long (M-10).
    ExternalsOnly,
    /// Nobody came back.
    Empty,
}

/// Whose standing an input can have changed. What everybody's depends on, a member's presence (M-5), is looked at each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touched {
    One(ParticipantId),
    Everybody,
}

impl Touched {
    /// By this fact. One that says nothing about others costs the same however many there are: the asks of a crowd that waits come by
    /// the hundred.
    pub(super) const fn by(fact: &Fact) -> Self {
        match fact {
            Fact::Joined { who, .. }
            | Fact::Alive { who, .. }
            | Fact::Left { who }
            | Fact::TurnedAway { who, .. }
            | Fact::Closed { who }
            | Fact::Reloaded { who }
            | Fact::Admit { who, .. }
            | Fact::Deny { who, .. }
            | Fact::Remove { who, .. }
            | Fact::Mute { who, .. }
            | Fact::HostMute { who, .. }
            | Fact::MuteSelf { who, .. }
            | Fact::Hand { who, .. }
            | Fact::Hold { who, .. } => Self::One(*who),
            _ => Self::Everybody,
        }
    }
}

impl PolicyTimer {
    const fn touches(self) -> Touched {
        match self {
            Self::Gone(who)
            | Self::SeatLost(who)
            | Self::LobbyWarning(who)
            | Self::LobbyTimeout(who)
            | Self::Comfort(who)
            | Self::Notice(who, _) => Touched::One(who),
            Self::Alone | Self::ExternalsOnly | Self::Empty => Touched::Everybody,
        }
    }
}

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
        self.settle_whole(now);
        if std::mem::take(&mut self.changed) {
            self.effects.push_back(Effect::Changed);
        }
    }

    /// Those who wait and need nobody's hand enter (M-5, M-6), as far as there is room for them (M-14).
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
            let phrase = match standing {
                Standing::Waiting => Some(Phrase::WaitingForHost),
                Standing::Lobby => Some(Phrase::InLobby),
                // The notice that follows at once begins with it.
                Standing::In if due => None,
                Standing::In => Some(Phrase::Admitted),
            };
            if standing != Standing::In {
                person.wait = Wait { comforted: now, ..person.wait };
            }
            if let Some(phrase) = phrase {
                self.say(who, phrase);
            }
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

    /// Whoever comes back with a closed microphone hears why nobody hears it (K-4).
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
        let mut said: Vec<Phrase> = entered.then_some(Phrase::Admitted).into_iter().collect();
        said.extend(phrases(&changes));
        self.effects.push_back(Effect::Tell { who, notice, phrases: said, changes });
    }

    /// What concerns the meeting as a whole.
    fn settle_whole(&mut self, now: Instant) {
        let inside = || self.people.iter().filter(|(_, p)| p.inside);
        let nobody_inside = inside().next().is_none();
        let externals_only = !nobody_inside && !self.member_present();
        let alone = match (inside().next(), inside().nth(1)) {
            (Some((who, person)), None) if person.is_phone() && !person.on_hold => Some(*who),
            _ => None,
        };
        if nobody_inside {
            self.stop_captures();
        }
        self.externals_only = externals_only.then(|| self.externals_only.unwrap_or(now));
        self.alone = match (alone, self.alone) {
            (Some(who), Some(known)) if known.who == who => Some(known),
            (Some(who), _) => Some(Alone { who, since: now, told: false }),
            (None, _) => None,
        };
        if !self.people.is_empty() {
            self.empty = None;
        }
    }

    // === Clocks ===

    /// The next deadline and its name. All gone and ended: none.
    pub(super) fn next_due(&self) -> Option<(Instant, PolicyTimer)> {
        if self.ended {
            return None;
        }
        let settings = &self.settings;
        let whole = [
            self.alone.filter(|a| !a.told).and_then(|a| a.since.checked_add(ALONE_AFTER)).map(|at| (at, PolicyTimer::Alone)),
            self.externals_only
                .and_then(|since| since.checked_add(settings.externals_only_timeout))
                .map(|at| (at, PolicyTimer::ExternalsOnly)),
            self.empty.and_then(|since| since.checked_add(settings.empty_timeout)).map(|at| (at, PolicyTimer::Empty)),
        ];
        whole.into_iter().flatten().chain(self.dues.first().copied()).min()
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
                // A word missed by a late wake is not made up for.
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
            NoticeTimer::GiveUp => (NoticeResult::Failed, AlarmKind::Failed),
            NoticeTimer::Complete => (NoticeResult::Interrupted, AlarmKind::Unfinished),
        };
        if let Some(finished) = person.notices.finish(outcome) {
            self.notice_ended(who, finished, outcome, None, alarm);
        }
    }
}
