//! The rules of one meeting: who waits, who is inside, who hears and speaks, and what they must be told (M-3 … M-12, M-18, N-1 … N-8, K-4, K-6).
//!
//! Facts and asks flow in ([`Fact`]), differences flow out ([`Effect`]). The meeting task owns one [`Policy`] and performs its effects in order.
//! Nothing here is switched on in one place and forgotten in another: after each input `settle` derives from the facts where everybody
//! stands and what may pass, compares that with what was last announced, and emits the difference. A seat needs an [`Admission`],
//! which is minted here alone (M-8). Every presence begins with nothing: no admission, notice or PIN is inherited (M-18).
//!
//! Facts are states, so a repeated one has no effect. Deadlines are derived too; a late [`Machine::wake`] gives the effects of a timely one
//! (but for words of comfort, which are not made up for).

mod admission;
mod capability;
mod capacity;
mod delivery;
mod fact;
mod lobby;
mod notice;
mod presence;
#[cfg(test)]
mod properties;
mod requests;
pub mod retention;
mod settle;
#[cfg(test)]
mod tests;
pub mod types;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

pub use admission::Admission;
pub use capability::Capability;
pub use fact::{Effect, Fact};
pub use lobby::{Bypass, CallRooms, MeetingLimits, PolicySettings};
pub use notice::{
    AGAIN_EVERY, AlarmKind, BEGINS_WITHIN, COMPLETES_WITHIN, CaptureChange, CaptureNews, GIVEN_UP_AFTER, MERGE_WINDOW,
    NoticeEntry, NoticeResult, SentPackets,
};
pub use presence::{RELOAD, SEAT_KEPT, STILL_PRESENT};
pub use types::{Asker, Capture, CaptureKind, Muted, PolicyRefusal, Role, Standing, Switch, Via};
pub use view::{DeviceView, ParticipantRow, ViewChanges};

use crate::common::cause::Cause;
use crate::common::ids::ParticipantId;
use crate::common::machine::Machine;
use crate::common::redact::Redacted;
use capability::Standpoint;
use lobby::Wait;
use notice::OwedNotices;
use presence::Presence;
use settle::{PolicyTimer, Touched};
use view::SeenRow;

/// A device that is alone inside is told so after this long (K-6).
pub const ALONE_AFTER: Duration = Duration::from_secs(15);

/// What was last announced about somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Announced {
    seated: bool,
    /// (hear, speak)
    gate: (bool, bool),
    standing: Option<Standing>,
    shown: Option<SeenRow>,
}

/// The facts about one presence.
#[derive(Debug)]
struct Person {
    role: Role,
    via: Via,
    organiser: bool,
    pin: bool,
    name: Redacted<String>,
    presence: Presence,
    /// Admitted, by a member or by policy. Never taken back but by leaving (M-10).
    inside: bool,
    wait: Wait,
    muted: Muted,
    /// It came with a closed microphone, and is to be told so when it enters.
    remind: bool,
    hand: bool,
    on_hold: bool,
    notices: OwedNotices,
    announced: Announced,
    /// Its next deadline, as it stands in [`Policy::dues`].
    due: Option<(Instant, PolicyTimer)>,
}

impl Person {
    fn counts_as_member(&self, settings: &PolicySettings) -> bool {
        self.role == Role::Member || (self.pin && settings.pin_counts_as_member)
    }

    /// (hear, speak): the whole of what may pass, from the facts alone.
    fn gate(&self) -> (bool, bool) {
        let open = self.inside && !self.on_hold;
        (open && self.notices.may_hear(), open && self.notices.may_speak() && !self.muted.is_closed())
    }

    fn is_phone(&self) -> bool {
        self.via == Via::Phone
    }
}

/// Somebody who comes.
struct Newcomer {
    role: Role,
    via: Via,
    organiser: bool,
    name: Redacted<String>,
    muted: Muted,
}

/// One capture of this meeting.
#[derive(Debug, Clone, Copy, Default)]
struct Captured {
    state: Capture,
    /// Counts changes.
    epoch: u64,
    /// The epoch in which we asked for off because nobody is inside.
    stop_asked: Option<u64>,
}

/// A device that is alone inside (K-6).
#[derive(Debug, Clone, Copy)]
struct Alone {
    who: ParticipantId,
    since: Instant,
    told: bool,
}

/// The rules of one meeting, applied to its facts.
#[derive(Debug)]
pub struct Policy {
    settings: PolicySettings,
    transcriber: bool,
    people: BTreeMap<ParticipantId, Person>,
    recording: Captured,
    transcription: Captured,
    notices_told: u64,
    /// Since when externals are inside without a member (M-10).
    externals_only: Option<Instant>,
    /// Since when nobody is inside or waiting, after somebody was.
    empty: Option<Instant>,
    alone: Option<Alone>,
    ended: bool,
    /// Who comes back to a seat of the daemon's last run.
    seat_kept: Option<ParticipantId>,
    /// A member is present, as of the last settling (M-5).
    present: bool,
    /// The next deadline of each who has one.
    dues: BTreeSet<(Instant, PolicyTimer)>,
    /// Something visible has changed.
    changed: bool,
    /// What of it are rows.
    changes: ViewChanges,
    /// Bounded by what one input can cause: a few effects for each participant; drained before the next input.
    effects: VecDeque<Effect>,
}

impl Policy {
    /// A meeting with nobody in it. Notices are numbered from 1 within the meeting.
    #[must_use]
    pub fn new(settings: PolicySettings) -> Self {
        Self {
            settings,
            transcriber: false,
            people: BTreeMap::new(),
            recording: Captured::default(),
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

    // === What may be asked ===

    /// What `viewer` may see at `now` (M-8); `None` for somebody who is not here.
    #[must_use]
    pub fn snapshot(&self, viewer: ParticipantId, now: Instant) -> Option<DeviceView> {
        let me = self.people.get(&viewer)?;
        let inside = me.inside;
        let may_admit = self.may(viewer, Capability::Admit).is_ok();
        let visible = |id: ParticipantId, person: &Person| id == viewer || (inside && (person.inside || may_admit));
        let row = |id: ParticipantId, p: &Person| {
            let shown = if id == viewer { self.shown(p) } else { self.shown(p).to_others() };
            Self::row(id, p, shown, now)
        };
        let participants = self.people.iter().filter(|(id, p)| visible(**id, p)).map(|(id, p)| row(*id, p)).collect();
        let capture = |captured: Captured| if inside { captured.state } else { Capture::Off };
        Some(DeviceView {
            you: viewer,
            standing: self.standing_of(me),
            participants,
            recording: capture(self.recording),
            transcription: capture(self.transcription),
            may_admit,
            may_record: self.may(viewer, Capability::Record).is_ok(),
            may_end: self.may(viewer, Capability::End).is_ok(),
            may_call_rooms: self.may(viewer, Capability::CallRooms).is_ok(),
        })
    }

    /// Everybody, inside or waiting: for the operator alone.
    #[must_use]
    pub fn rows(&self, now: Instant) -> Vec<ParticipantRow> {
        self.people.iter().map(|(id, person)| Self::row(*id, person, self.shown(person).to_others(), now)).collect()
    }

    /// Where somebody stands; `None` for one who is not here.
    #[must_use]
    pub fn standing(&self, who: ParticipantId) -> Option<Standing> {
        self.people.get(&who).map(|person| self.standing_of(person))
    }

    /// The real state of a capture.
    #[must_use]
    pub const fn capture(&self, what: CaptureKind) -> Capture {
        match what {
            CaptureKind::Recording => self.recording.state,
            CaptureKind::Transcription => self.transcription.state,
        }
    }

    /// The meeting is over.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether somebody may do something now (M-13).
    ///
    /// # Errors
    /// The reason why not.
    pub fn may(&self, who: ParticipantId, capability: Capability) -> Result<(), PolicyRefusal> {
        if self.ended {
            return Err(PolicyRefusal::Ended);
        }
        let person = self.people.get(&who).ok_or(PolicyRefusal::NotInside)?;
        let (hear, speak) = person.gate();
        let standpoint = Standpoint {
            role: person.role,
            standing: self.standing_of(person),
            pin: person.pin,
            organiser: person.organiser,
            call_rooms: self.settings.call_rooms,
        };
        capability::grant(standpoint, capability)?;
        match capability {
            Capability::Speak if person.muted.host && !self.may_lift_mute(person) => Err(PolicyRefusal::MuteLocked),
            Capability::Hear if !hear => Err(PolicyRefusal::NotAllowed),
            Capability::Speak if !speak => Err(PolicyRefusal::NotAllowed),
            _ => Ok(()),
        }
    }

    fn row(id: ParticipantId, person: &Person, shown: SeenRow, now: Instant) -> ParticipantRow {
        ParticipantRow {
            id,
            name: person.name.clone(),
            role: shown.role,
            via: person.via,
            standing: shown.standing,
            organiser: shown.organiser,
            muted: shown.muted,
            hand: shown.hand,
            on_hold: shown.on_hold,
            reconnecting: shown.reconnecting,
            waiting: (!person.inside).then(|| now.saturating_duration_since(person.wait.since)),
        }
    }

    fn shown(&self, person: &Person) -> SeenRow {
        SeenRow {
            role: person.role,
            standing: self.standing_of(person),
            organiser: person.organiser || person.pin,
            muted: person.muted,
            hand: person.hand,
            on_hold: person.on_hold,
            reconnecting: !person.presence.is_alive(),
        }
    }

    fn standing_of(&self, person: &Person) -> Standing {
        if person.inside {
            Standing::In
        } else if self.present {
            Standing::Lobby
        } else {
            Standing::Waiting
        }
    }

    /// At least one member is present (M-5).
    fn member_present(&self) -> bool {
        self.people.values().any(|p| p.counts_as_member(&self.settings) && p.presence.is_present())
    }

    fn may_lift_mute(&self, person: &Person) -> bool {
        person.role == Role::Member || self.settings.unmute_after_host_mute
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
            inside: role == Role::Member || self.seat_kept.take() == Some(who),
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

    /// A row is another one though no fact of it has changed.
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
            self.effects.push_back(Effect::Ledger(cut.playing.entry(who, NoticeResult::Interrupted, None)));
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

    /// Takes a presence out: the gate shuts first, then the seat goes, then the word is said.
    fn depart(&mut self, now: Instant, who: ParticipantId, cause: Option<Cause>) {
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
            self.effects.push_back(Effect::Ledger(playing.entry(who, NoticeResult::Interrupted, None)));
        }
        if let Some(cause) = cause {
            self.effects.push_back(Effect::Dismiss { who, cause });
        }
        self.show_again(who);
        self.empty = self.people.is_empty().then_some(now);
    }

    /// Dismisses somebody who waits. Who is inside stays (M-10).
    fn turn_away(&mut self, now: Instant, who: ParticipantId, cause: Cause) {
        if self.people.get(&who).is_some_and(|person| !person.inside) {
            self.depart(now, who, Some(cause));
        }
    }

    /// Ends the meeting for all (M-9).
    fn end(&mut self, now: Instant, cause: Cause) {
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
    fn stop_captures(&mut self) {
        for what in CaptureKind::ALL {
            let captured = self.captured_mut(what);
            if captured.state != Capture::Off && captured.stop_asked != Some(captured.epoch) {
                captured.stop_asked = Some(captured.epoch);
                self.effects.push_back(Effect::Capture { what, want: Capture::Off });
            }
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
            Fact::Alive { who, alive } => {
                if let Some(person) = self.people.get_mut(&who) {
                    person.presence.report(now, alive);
                }
                return;
            }
            Fact::Closed { who } => {
                if let Some(person) = self.people.get_mut(&who) {
                    person.presence.close(now);
                }
                return;
            }
            Fact::Reloaded { who } => {
                if let Some(person) = self.people.get_mut(&who) {
                    person.presence.reload();
                }
                return;
            }
            Fact::Left { who } => return self.depart(now, who, None),
            Fact::HostMute { who, on } => return self.host_mute(who, on),
            Fact::TurnedAway { who, cause } => return self.turn_away(now, who, cause),
            Fact::SeatKept { who } => {
                self.seat_kept = Some(who);
                return;
            }
            Fact::Stopped => return self.end(now, Cause::Draining),
            Fact::Hold { who, on } => return self.hold(who, on),
            Fact::OrganiserPin { who } => {
                if let Some(person) = self.people.get_mut(&who) {
                    person.pin = true;
                }
                return;
            }
            Fact::CaptureIs { what, state } => return self.capture_is(now, what, state),
            Fact::NoticeBegan { notice, length } => return self.began(now, notice, length),
            Fact::Told { notice, outcome, carried } => return self.told(notice, outcome, carried),
            Fact::Reported { notice, received_permille } => return self.reported(notice, received_permille),
            Fact::TranscriberConfigured(configured) => {
                self.transcriber = configured;
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

    /// After the end nothing is given any more: asks are refused, newcomers dismissed, a late start of the recorder is stopped.
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
            | Fact::TranscriberConfigured(_)
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
