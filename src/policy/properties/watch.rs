//! An independent watcher: it knows the facts and the effects, nothing of how the one comes from the other, and says by name which
//! rule was broken.

use super::*;
use crate::common::play_outcome::PlayOutcome;

/// How many people there are.
pub(super) const CAST: u64 = 8;

/// Two members, four devices, two externals in a browser.
pub(super) const fn role_of(slot: u64) -> (Role, Via) {
    match slot % CAST {
        0 | 1 => (Role::Member, Via::Browser),
        2..=5 => (Role::External, Via::Phone),
        _ => (Role::External, Via::Browser),
    }
}

/// Which of them a presence is of.
pub(super) const fn slot_of(who: ParticipantId) -> u64 {
    (who.number() - 1) % CAST
}

pub(super) fn fail<T>(what: String) -> Result<T, String> {
    Err(what)
}

/// A notice on its way.
#[derive(Debug, Clone)]
pub(super) struct OnItsWay {
    pub(super) notice: NoticeId,
    pub(super) who: ParticipantId,
    changes: Vec<CaptureChange>,
    told_at: Instant,
    began: Option<(Instant, Duration)>,
    /// Not having begun in time was noticed.
    late: bool,
    /// Hold cut it off: nobody's fault.
    held: bool,
}

/// One change of one capture.
type Told = (CaptureKind, u64);

/// A notice that was told to its end, on which the device has not reported.
#[derive(Debug, Clone)]
struct Unreported {
    notice: NoticeId,
    who: ParticipantId,
    changes: Vec<CaptureChange>,
    /// The how manieth that the device was told.
    number: u32,
}

/// What a device reports as not received.
#[derive(Debug, Clone, Copy, Default)]
struct Losses {
    /// Notices that it was told.
    told: u32,
    /// How many were lost in a row.
    in_a_row: u32,
    /// How many it had been told when it reported the last of these: what is told after them is said again.
    known_at: u32,
}

#[derive(Default)]
pub(super) struct Watch {
    /// How often each of the cast has come: every presence has an id of its own.
    comings: [u64; CAST as usize],
    pub(super) here: BTreeSet<ParticipantId>,
    members: BTreeMap<ParticipantId, Option<Instant>>,
    settings: PolicySettings,
    /// Somebody asked for these to be let in.
    let_in: BTreeSet<ParticipantId>,
    pins: BTreeSet<ParticipantId>,
    on_hold: BTreeSet<ParticipantId>,
    pub(super) seated: BTreeSet<ParticipantId>,
    gates: BTreeMap<ParticipantId, (bool, bool)>,
    captures: BTreeMap<CaptureKind, (Capture, u64)>,
    /// Closed by their owners, and by hosts (K-4).
    own_mutes: BTreeSet<ParticipantId>,
    host_mutes: BTreeSet<ParticipantId>,
    /// To be heard before any audio.
    first: BTreeMap<ParticipantId, BTreeSet<Told>>,
    owed: BTreeMap<ParticipantId, BTreeSet<Told>>,
    heard: BTreeSet<(ParticipantId, Told)>,
    /// Heard by an earlier presence of the same one of the cast.
    heard_before: BTreeSet<(u64, Told)>,
    /// Who has taken a seat, in an earlier presence too (M-18).
    inside_before: BTreeSet<u64>,
    alarmed: BTreeSet<ParticipantId>,
    /// A notice was not heard, and no later one yet: the microphone stays closed.
    closed: BTreeSet<ParticipantId>,
    /// A notice was just not heard: an alarm must follow at once.
    to_alarm: BTreeSet<ParticipantId>,
    pub(super) playing: VecDeque<OnItsWay>,
    unreported: Vec<Unreported>,
    losses: BTreeMap<ParticipantId, Losses>,
    /// Once told, and lost.
    lost: BTreeSet<(ParticipantId, Told)>,
    pub(super) ended: bool,
}

impl Watch {
    pub(super) fn new(settings: PolicySettings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// The presence that one of the cast has, or would have next.
    pub(super) fn presence(&self, n: u8) -> ParticipantId {
        let slot = u64::from(n) % CAST;
        ParticipantId::from_number(1 + slot + CAST * self.comings[slot as usize])
    }

    /// One of the notices on which no device has reported yet.
    pub(super) fn awaited(&self, n: usize) -> Option<NoticeId> {
        Some(self.unreported.get(n % self.unreported.len().max(1))?.notice)
    }

    /// A report on a notice to somebody who has not received what was said again.
    pub(super) fn lost_twice_by(&self, fact: &Fact) -> bool {
        let Fact::Reported { notice, .. } = fact else { return false };
        let of_it = self.unreported.iter().find(|unreported| unreported.notice == *notice);
        of_it.and_then(|unreported| self.losses.get(&unreported.who)).is_some_and(|losses| losses.in_a_row >= 2)
    }

    // === What happens ===

    pub(super) fn fact(&mut self, now: Instant, fact: &Fact) {
        match fact {
            Fact::Joined { who, role, muted, .. } => {
                self.here.insert(*who);
                self.own_mutes.extend(muted.own.then_some(*who));
                self.host_mutes.extend(muted.host.then_some(*who));
                if *role == Role::Member {
                    self.members.entry(*who).or_insert(None);
                }
            }
            Fact::Alive { who, alive } => {
                if let Some(lost) = self.members.get_mut(who) {
                    *lost = if *alive { None } else { lost.or(Some(now)) };
                }
            }
            Fact::MuteSelf { who, to: Switch::To(on) } => self.mute_self(*who, *on),
            Fact::Mute { by: Asker::Participant(by), who, on } if by == who => self.mute_self(*who, *on),
            Fact::Mute { by: Asker::Participant(by), who, on } if self.members.contains_key(by) && self.seated.contains(who) => {
                if *on {
                    self.host_mutes.insert(*who);
                } else {
                    self.host_mutes.remove(who);
                }
            }
            // By a PIN, perhaps.
            Fact::Mute { who, on: false, .. } => drop(self.host_mutes.remove(who)),
            Fact::Admit { who, .. } => drop(self.let_in.insert(*who)),
            Fact::AdmitAll { .. } => self.let_in.extend(&self.here),
            Fact::OrganiserPin { who } if self.here.contains(who) => drop(self.pins.insert(*who)),
            Fact::Settings(settings) => self.settings = settings.clone(),
            Fact::Hold { who, on: true } if self.here.contains(who) => {
                self.on_hold.insert(*who);
                self.playing.iter_mut().filter(|playing| playing.who == *who).for_each(|playing| playing.held = true);
            }
            Fact::Hold { who, on: false } => drop(self.on_hold.remove(who)),
            Fact::CaptureIs { what, state } => self.capture_is(*what, *state),
            Fact::NoticeBegan { notice, length } => {
                let found = self.playing.iter_mut().find(|playing| playing.notice == *notice);
                if let Some(playing) = found.filter(|playing| playing.began.is_none()) {
                    playing.began = Some((now, *length));
                }
            }
            Fact::Told { notice, outcome, .. } => self.told(*notice, *outcome),
            Fact::Reported { notice, received_permille } => self.reported(*notice, *received_permille),
            _ => {}
        }
    }

    /// Nine tenths and less is not enough.
    fn reported(&mut self, notice: NoticeId, received_permille: Option<u16>) {
        let Some(at) = self.unreported.iter().position(|unreported| unreported.notice == notice) else { return };
        let Unreported { who, changes, number, .. } = self.unreported.remove(at);
        let losses = self.losses.entry(who).or_default();
        let said_again = number > losses.known_at;
        match received_permille {
            None if losses.in_a_row < 2 || !said_again => return,
            None => {}
            Some(received) if received > 900 => {
                if said_again {
                    losses.in_a_row = 0;
                }
                return;
            }
            Some(_) => {
                if said_again {
                    losses.in_a_row += 1;
                    losses.known_at = losses.told;
                }
                if losses.in_a_row >= 2 {
                    self.to_alarm.insert(who);
                }
            }
        }
        for told in changes.iter().map(|change| (change.what, change.epoch)) {
            let within = |changes: &[CaptureChange]| changes.iter().any(|change| (change.what, change.epoch) == told);
            if !self.unreported.iter().any(|other| other.who == who && within(&other.changes)) {
                self.heard.remove(&(who, told));
                self.lost.insert((who, told));
            }
        }
    }

    /// An owner opens its own part; a host's only a member does.
    fn mute_self(&mut self, who: ParticipantId, on: bool) {
        if on && self.here.contains(&who) {
            self.own_mutes.insert(who);
        } else if !on {
            self.own_mutes.remove(&who);
            if self.members.contains_key(&who) {
                self.host_mutes.remove(&who);
            }
        }
    }

    fn capture_is(&mut self, what: CaptureKind, state: Capture) {
        let known = self.captures.entry(what).or_default();
        if known.0 != state {
            *known = (state, known.1 + 1);
            for who in self.seated.iter().filter(|who| role_of(slot_of(**who)).1 == Via::Phone) {
                self.owed.entry(*who).or_default().insert((what, known.1));
            }
        }
    }

    fn told(&mut self, notice: NoticeId, outcome: PlayOutcome) {
        let Some(playing) = self.playing.iter().find(|playing| playing.notice == notice) else { return };
        if outcome == PlayOutcome::Completed {
            self.closed.remove(&playing.who);
            let first = self.first.entry(playing.who).or_default();
            first.retain(|(what, epoch)| !playing.changes.iter().any(|change| (change.what, change.epoch) == (*what, *epoch)));
        }
    }

    fn member_present(&self, now: Instant) -> bool {
        self.members.values().any(|lost| lost.is_none_or(|at| now < at + STILL_PRESENT))
    }

    /// A presence is over; whoever it was comes back, if at all, as another.
    pub(super) fn forget(&mut self, who: ParticipantId) {
        if !self.here.remove(&who) {
            return;
        }
        self.comings[slot_of(who) as usize] += 1;
        self.heard_before.extend(self.heard.iter().filter(|(id, _)| *id == who).map(|(_, told)| (slot_of(who), *told)));
        self.heard.retain(|(id, _)| *id != who);
        self.members.remove(&who);
        self.first.remove(&who);
        self.owed.remove(&who);
        self.own_mutes.remove(&who);
        self.host_mutes.remove(&who);
        for of_it in [&mut self.let_in, &mut self.pins, &mut self.on_hold, &mut self.alarmed, &mut self.closed] {
            of_it.remove(&who);
        }
        self.to_alarm.remove(&who);
        self.losses.remove(&who);
        self.unreported.retain(|unreported| unreported.who != who);
        self.playing.retain(|playing| playing.who != who);
    }

    // === What must follow, and what must not ===

    pub(super) fn effect(&mut self, now: Instant, effect: &Effect) -> Result<(), String> {
        let here = |who: &ParticipantId| {
            if self.here.contains(who) { Ok(()) } else { fail(format!("addressed after leaving: {effect:?}")) }
        };
        match effect {
            Effect::Seat { who, admission } => {
                here(who)?;
                if admission.participant() != *who {
                    return fail(format!("M-8: seated by another's admission: {effect:?}"));
                }
                self.seat(now, *who)?;
            }
            Effect::Unseat { who } => {
                if !self.seated.remove(who) || self.gates.remove(who).is_some_and(|gate| gate != (false, false)) {
                    return fail(format!("unseated with an open gate, or not seated: {who}"));
                }
                self.forget(*who);
            }
            Effect::Gate { who, hear, speak } => self.gate(*who, (*hear, *speak))?,
            Effect::Tell { who, notice, phrases, changes } => {
                here(who)?;
                self.tell(now, (*who, *notice), phrases, changes)?;
            }
            Effect::Ledger(entry) => self.ledger(entry),
            Effect::Alarm { who, what } => {
                here(who)?;
                self.alarmed.insert(*who);
                self.to_alarm.remove(who);
                let late = self.playing.iter_mut().filter(|playing| playing.who == *who && *what == AlarmKind::Late);
                late.for_each(|playing| playing.late = true);
            }
            Effect::Say { who, .. } | Effect::AskedToUnmute { who, .. } => here(who)?,
            Effect::Dismiss { who, .. } => self.forget(*who),
            Effect::Ended { .. } => self.ended = true,
            Effect::Capture { .. } | Effect::Changed | Effect::Refused { .. } => {}
        }
        Ok(())
    }

    fn seat(&mut self, now: Instant, who: ParticipantId) -> Result<(), String> {
        let (role, via) = role_of(slot_of(who));
        if !self.seated.insert(who) {
            return fail(format!("seated twice: {who}"));
        }
        let passes = self.settings.bypass.lets_externals_pass() || (self.settings.devices_bypass && via == Via::Phone);
        if role == Role::External && !passes && !self.let_in.contains(&who) {
            return fail(format!("M-18: {who} seated, and nobody has let it in since it came"));
        }
        if role == Role::External && !self.member_present(now) {
            let rule = if self.inside_before.contains(&slot_of(who)) { "M-18: as in an earlier presence" } else { "M-5" };
            return fail(format!("{rule}: {who} seated with no member present"));
        }
        self.inside_before.insert(slot_of(who));
        if via == Via::Phone {
            for (what, (state, epoch)) in &self.captures {
                if *state != Capture::Off {
                    self.first.entry(who).or_default().insert((*what, *epoch));
                    self.owed.entry(who).or_default().insert((*what, *epoch));
                }
            }
        }
        Ok(())
    }

    fn gate(&mut self, who: ParticipantId, gate: (bool, bool)) -> Result<(), String> {
        if !self.seated.contains(&who) {
            return fail(format!("M-8: gate of one who is not inside: {who} {gate:?}"));
        }
        let unheard = self.first.get(&who).and_then(|owed| owed.first()).filter(|_| gate != (false, false));
        if let Some(told) = unheard {
            let before = self.heard_before.contains(&(slot_of(who), *told));
            let rule =
                if before { "M-18: what it heard in an earlier presence is counted" } else { "N-2: audio before the notice" };
            return fail(format!("{rule}: {who} {gate:?} {told:?}"));
        }
        if self.gates.insert(who, gate) == Some(gate) {
            return fail(format!("said twice: {who} {gate:?}"));
        }
        Ok(())
    }

    fn tell(
        &mut self,
        now: Instant,
        (who, notice): (ParticipantId, NoticeId),
        phrases: &[Phrase],
        changes: &[CaptureChange],
    ) -> Result<(), String> {
        if !self.seated.contains(&who) || self.playing.iter().any(|playing| playing.who == who) {
            return fail(format!("told while not inside or while another plays: {who} {phrases:?}"));
        }
        let heard = |c: &CaptureChange| self.heard.contains(&(who, (c.what, c.epoch)));
        // What is true now closes what was lost before it.
        let closes =
            |c: &CaptureChange| changes.iter().any(|other| other.what == c.what && other.epoch < c.epoch && !heard(other));
        if let Some(again) = changes.iter().find(|c| heard(c) && !closes(c)) {
            return fail(format!("N-8: told twice: {who} {again:?}"));
        }
        for what in CaptureKind::ALL {
            let told = changes.iter().rfind(|change| change.what == what).map(|change| change.epoch);
            let now = self.captures.get(&what).map(|(_, epoch)| *epoch);
            if told.is_some() && told != now {
                return fail(format!("N-8: what is told is no longer so: {who} {changes:?}"));
            }
        }
        self.losses.entry(who).or_default().told += 1;
        for (what, phrase) in
            [(CaptureKind::Recording, Phrase::RecordingStarted), (CaptureKind::Transcription, Phrase::TranscriptionStarted)]
        {
            let started = changes.iter().any(|c| c.what == what && c.news == CaptureNews::Started);
            if started != phrases.contains(&phrase) {
                return fail(format!("N-4: a start was swallowed: {who} {phrases:?}"));
            }
        }
        let changes = changes.to_vec();
        self.playing.push_back(OnItsWay { notice, who, changes, told_at: now, began: None, late: false, held: false });
        Ok(())
    }

    fn ledger(&mut self, entry: &NoticeEntry) {
        let Some(at) = self.playing.iter().position(|playing| playing.notice == entry.notice) else { return };
        let held = self.playing.remove(at).is_some_and(|playing| playing.held);
        if entry.outcome == PlayOutcome::Completed {
            self.heard.extend(entry.what.iter().map(|change| (entry.who, (change.what, change.epoch))));
            let number = self.losses.get(&entry.who).map_or(0, |losses| losses.told);
            let (notice, who, changes) = (entry.notice, entry.who, entry.what.clone());
            self.unreported.push(Unreported { notice, who, changes, number });
        } else if !held {
            self.closed.insert(entry.who);
            self.to_alarm.insert(entry.who);
        }
    }

    /// What must be true whenever all that follows from an input has followed.
    pub(super) fn settled(&mut self, now: Instant, policy: &Subject) -> Result<(), String> {
        for playing in self.playing.iter().filter(|playing| !playing.held && !self.on_hold.contains(&playing.who)) {
            let due = match playing.began {
                None if playing.late => playing.told_at + GIVEN_UP_AFTER,
                None => playing.told_at + BEGINS_WITHIN,
                Some((at, length)) => at + length + COMPLETES_WITHIN,
            };
            if now >= due {
                return fail(format!("N-6: overdue, and nobody noticed: {playing:?}"));
            }
            if playing.late {
                self.closed.insert(playing.who);
            }
        }
        if let Some(who) = self.to_alarm.first() {
            return fail(format!("N-6: {who} has not heard a notice, and no alarm"));
        }
        if let Some(who) = self.closed.iter().find(|who| self.gates.get(who).is_some_and(|(_, speak)| *speak)) {
            return fail(format!("N-6: {who} may speak after a notice that it has not heard"));
        }
        let lost_twice = self.losses.iter().filter(|(_, losses)| losses.in_a_row >= 2).map(|(who, _)| who);
        if let Some(who) = lost_twice.into_iter().find(|who| self.gates.get(who).is_some_and(|(_, speak)| *speak)) {
            return fail(format!("N-8: {who} may speak, and has received nothing though it was said again"));
        }
        let mut closed = self.own_mutes.iter().chain(&self.host_mutes);
        if let Some(who) = closed.find(|who| self.gates.get(who).is_some_and(|(_, speak)| *speak)) {
            return fail(format!("K-4: {who} may speak, and not by whoever has closed its microphone"));
        }
        for who in self.here.iter().filter(|who| role_of(slot_of(**who)).0 == Role::External) {
            if policy.may(*who, Capability::Admit) && !self.pins.contains(who) {
                return fail(format!("M-18: {who} may admit by a PIN that it has not given"));
            }
        }
        for who in self.here.difference(&self.seated) {
            let view = policy.snapshot(*who, now).ok_or_else(|| format!("{who} is here and sees nothing"))?;
            let alone = view.participants.iter().all(|row| row.id == *who);
            if !alone || view.recording != Capture::Off || view.transcription != Capture::Off {
                return fail(format!("M-8: {who} waits and sees the meeting"));
            }
        }
        Ok(())
    }

    /// Everybody has listened to the end: nothing is owed without an alarm.
    pub(super) fn all_told(&self) -> Result<(), String> {
        for (who, owed) in &self.owed {
            if let Some(told) = owed.iter().find(|told| !self.heard.contains(&(*who, **told)))
                && !self.alarmed.contains(who)
            {
                let rule = if self.lost.contains(&(*who, *told)) { "N-8" } else { "N-4" };
                return fail(format!("{rule}: {who} never heard of {told:?}, and no alarm"));
            }
        }
        Ok(())
    }
}
