//! Pages of a meeting: how they come and go, and what they are shown.
//!
//! What is shown is the newest state, at most so often ([`SHOWN_EVERY`]), to those for whose eyes something has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::log_lines::LineCause;
use super::mutes::seat_key;
use super::{MeetingAct, MeetingTask, Page};
use crate::common::cause::Cause;
use crate::common::ids::ParticipantId;
use crate::common::ip_network::subscriber;
use crate::common::redact::Redacted;
use crate::media::Gate;
use crate::meeting::messages::{MeetingRefusal, MeetingRequest, OPERATOR, ToPage};
use crate::meeting::request_rate::RequestRate;
use crate::meeting::reserved_names::{self, ReservedNames};
use crate::meeting::roster::{self, MeetingFacts, ParticipantOrigin, ParticipantOrigins, RosterView, RowContext, SmsReaders};
use crate::meeting::{JoinPage, PasscodeProof, ToGuest};
use crate::policy::{Capability, Capture, CaptureKind, Effect, Fact, Muted, PolicySettings, Role, Standing, Switch, Via};

/// Changes that come within this are shown together.
const SHOWN_EVERY: Duration = Duration::from_millis(150);

/// What pages were shown last, and whom something has changed for since.
#[derive(Default)]
pub(super) struct PageSync {
    pub(super) rows: roster::RosterRows,
    own: BTreeSet<ParticipantId>,
    /// Recording, transcription, and whether the chat is on.
    whole: Option<([Capture; 2], bool)>,
    at: Option<Instant>,
    due: Option<Instant>,
}

impl PageSync {
    /// When pages are shown what has changed.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }
}

impl MeetingTask {
    // === Coming and going ===

    /// `had`: the presence whose seat it had in the daemon's last run.
    pub(super) fn join_page(
        &mut self,
        now: Instant,
        join: JoinPage,
        had: Option<ParticipantId>,
    ) -> Result<ParticipantId, MeetingRefusal> {
        if self.policy.is_ended() {
            return Err(MeetingRefusal::Ended);
        }
        let resumed = join.resume.filter(|who| self.pages.contains_key(who));
        let inside = had.is_some() || resumed.is_some_and(|who| self.policy.standing(who) == Some(Standing::In));
        if join.role == Role::External && !inside {
            self.may_knock(now, &join)?;
        }
        if resumed.is_none() && join.role == Role::External && !inside {
            self.make_room_at_the_door(now, join.from)?;
        }
        if resumed.is_none() {
            self.policy.has_room(join.role, Via::Browser)?;
        }
        let who = resumed.unwrap_or_else(|| self.shared.ids.participant());
        let muted = match &join.identity {
            Some(identity) if resumed.is_none() => self.kept_mute(identity),
            _ => Muted::default(),
        };
        let seat = had.map(|had| self.kept_mute(&seat_key(had))).unwrap_or_default();
        let muted = muted.and(seat).and(Muted { own: join.muted, host: false });
        let mark = if join.role == Role::Member { "" } else { "guest" };
        let name = self.own_name(&join.name, mark, join.identity.as_deref(), who);
        let denial = denial_key(join.from, &join.name);
        let JoinPage { role, organiser, identity, from, proof, feed, hand, .. } = join;
        if let Some(from) = from.filter(|_| role == Role::External) {
            self.origins.insert(who, ParticipantOrigin::Elsewhere(from.to_string()));
        }
        if let Some(page) = self.pages.get_mut(&who) {
            // The older page of the same presence is told, should it still be there.
            page.feed.say(ToPage::Ended { reason: "replaced" });
            page.feed = feed;
            page.proof = proof;
            page.connected = true;
        } else {
            let (peer, admission, gate, asks) = (None, None, Gate::default(), RequestRate::new(now));
            let (seated, connected, consent) = (false, true, true);
            let page =
                Page { role, feed, peer, admission, seated, gate, connected, consent, asks, from, proof, identity, denial };
            self.pages.insert(who, page);
        }
        let resumed_seat = resumed.is_some();
        match self.says_of(now, who, LineCause::Came) {
            Some(unsaid) => {
                tracing::info!(meeting = %self.name, participant = %who, %role, resumed = resumed_seat, unsaid, "page joined");
            }
            None => tracing::debug!(meeting = %self.name, participant = %who, %role, resumed = resumed_seat, "page joined"),
        }
        if role == Role::Member {
            self.rename_others(now, who, &name);
        }
        if had.is_some() {
            self.fact(now, Fact::SeatKept { who });
        }
        self.fact(now, Fact::Joined { who, role, via: Via::Browser, organiser, name: Redacted::new(name), muted });
        self.report_alive(now, who);
        // Who gets a seat is shown the meeting and its chat with it; one that has it already, once more.
        if resumed.is_some() {
            self.show(now, who);
            if self.policy.standing(who) == Some(Standing::In) {
                self.send_chat_so_far(who);
            }
        } else if hand && self.policy.standing(who) == Some(Standing::In) {
            self.fact(now, Fact::Hand { who, to: Switch::To(true) });
        }
        self.tell_stopping(now, who);
        Ok(who)
    }

    /// Why the door is shut to an external now (M-11, K-1).
    fn shut_to(&self, proof: &PasscodeProof) -> Option<Cause> {
        if !self.snapshot.admits_anonymous(&self.name) {
            return Some(Cause::AnonymousOff);
        }
        (!proof.opens(self.snapshot.passcode(&self.name).as_ref())).then_some(Cause::PasscodeWanted)
    }

    /// The configuration is another one. It holds for those who wait: who would not be let to the door now goes, and who passes it is
    /// decided anew (M-6).
    pub(super) fn reconfigured(&mut self, now: Instant) {
        let waits = |who: &ParticipantId| self.policy.standing(*who).is_some_and(|standing| standing != Standing::In);
        let pages = self.pages.iter().filter(|(_, page)| page.role == Role::External).map(|(who, page)| (*who, &page.proof));
        // A phone has keyed what was asked when it came.
        let keyed = PasscodeProof::Link;
        let guests = self.guests.keys().map(|who| (*who, &keyed));
        let shut = |(who, proof): (ParticipantId, &PasscodeProof)| Some((who, self.shut_to(proof)?));
        let gone: Vec<_> = pages.chain(guests).filter(|(who, _)| waits(who)).filter_map(shut).collect();
        for (who, cause) in gone {
            self.fact(now, Fact::TurnedAway { who, cause });
        }
        let Some(now_set) = self.snapshot.policy(&self.name) else { return };
        let PolicySettings { bypass, devices_bypass, .. } = now_set;
        if (self.rules.bypass, self.rules.devices_bypass) != (bypass, devices_bypass) {
            (self.rules.bypass, self.rules.devices_bypass) = (bypass, devices_bypass);
            self.fact(now, Fact::Settings(self.rules.clone()));
        }
    }

    /// Whether an external may knock now (M-11, M-14, K-1).
    fn may_knock(&self, now: Instant, join: &JoinPage) -> Result<(), MeetingRefusal> {
        match self.shut_to(&join.proof) {
            None => {}
            Some(Cause::PasscodeWanted) => return Err(MeetingRefusal::PasscodeWanted),
            Some(_) => return Err(MeetingRefusal::AnonymousOff),
        }
        let mut knocks = self.snapshot.knocks.lock().unwrap_or_else(PoisonError::into_inner);
        knocks.knock(now, join.from, &denial_key(join.from, &join.name))
    }

    /// Makes room before the door for one more (M-14). Of those who wait the newest of the address that has most of them gives way; nobody
    /// does to one of an address that has as many.
    fn make_room_at_the_door(&mut self, now: Instant, from: Option<IpAddr>) -> Result<(), MeetingRefusal> {
        // Inside there may be room for a phone where no browser more may wait.
        let waits_full = self.policy.has_room(Role::External, Via::Browser).is_err();
        if !waits_full || self.policy.has_room(Role::External, Via::Phone).is_err() {
            return Ok(());
        }
        let waits = |who: &ParticipantId| self.policy.standing(*who).is_some_and(|standing| standing != Standing::In);
        let mut crowds: BTreeMap<Option<IpAddr>, (usize, ParticipantId)> = BTreeMap::new();
        for (who, page) in self.pages.iter().filter(|(who, _)| waits(who)) {
            let (waiting, newest) = crowds.entry(page.from.map(subscriber)).or_insert((0, *who));
            *waiting += 1;
            *newest = (*newest).max(*who);
        }
        let own = crowds.get(&from.map(subscriber)).map_or(0, |(waiting, _)| *waiting);
        match crowds.into_values().max() {
            Some((most, newest)) if most > own + 1 => {
                self.fact(now, Fact::TurnedAway { who: newest, cause: Cause::LobbyCrowded });
                Ok(())
            }
            _ if own > 0 => Err(MeetingRefusal::TooManyKnocks),
            _ => Err(MeetingRefusal::MeetingFull),
        }
    }

    /// A member has denied somebody: it may not knock again at once.
    pub(super) fn denied(&self, now: Instant, who: ParticipantId) {
        let found = match (self.pages.get(&who), self.guests.get(&who)) {
            (Some(page), _) => Some((page.from, page.denial.clone())),
            (None, Some(guest)) => Some((None, guest.identity.clone())),
            (None, None) => None,
        };
        if let Some((from, identity)) = found {
            self.snapshot.knocks.lock().unwrap_or_else(PoisonError::into_inner).deny(now, from, identity);
        }
    }

    /// A late word of an older socket says nothing about the one that has taken its place.
    pub(super) fn connection_lost(&mut self, now: Instant, who: ParticipantId) {
        if let Some(page) = self.pages.get_mut(&who).filter(|page| page.feed.is_closed()) {
            page.connected = false;
            self.report_alive(now, who);
        }
    }

    pub(super) fn report_alive(&mut self, now: Instant, who: ParticipantId) {
        if let Some(page) = self.pages.get(&who) {
            let alive = page.connected && page.consent;
            self.fact(now, Fact::Alive { who, alive });
        }
    }

    pub(super) fn leave(&mut self, now: Instant, who: ParticipantId, reason: &'static str) {
        self.fact(now, Fact::Left { who });
        self.tell_page(who, ToPage::Ended { reason });
        self.acts.push_back(MeetingAct::Policy(Effect::Dismiss { who, cause: Cause::HungUp }));
    }

    /// Spends one ask of a participant's (M-14); the operator is not counted here.
    pub(super) fn spend(&mut self, now: Instant, who: Option<ParticipantId>, ask: &MeetingRequest) -> Result<(), MeetingRefusal> {
        let Some(who) = who else { return Ok(()) };
        let may = self.policy.may(who, Capability::Admit).is_ok();
        let page = self.pages.get_mut(&who).map(|page| &mut page.asks);
        match page.or_else(|| self.guests.get_mut(&who).map(|guest| &mut guest.asks)) {
            Some(asks) => asks.take(now, ask, may),
            None => Ok(()),
        }
    }

    // === Names (M-1) ===

    /// The name as its bearer gets it.
    pub(super) fn own_name(&self, name: &str, mark: &str, identity: Option<&str>, who: ParticipantId) -> String {
        reserved_names::distinct(name, mark, identity, &self.owned_names(who))
    }

    /// Names of members and known devices that are here or could be, and the operator's.
    fn owned_names(&self, but: ParticipantId) -> Vec<ReservedNames> {
        let mut owned = vec![ReservedNames { name: OPERATOR.to_owned(), identity: None }];
        let device =
            |(label, name): (&String, &String)| ReservedNames { name: name.clone(), identity: Some(format!("device/{label}")) };
        owned.extend(self.snapshot.devices(&self.name).iter().map(device));
        for (who, name, role) in self.policy.names().filter(|(who, ..)| *who != but) {
            let identity = match (self.pages.get(&who), self.guests.get(&who)) {
                (Some(page), _) if role == Role::Member => page.identity.clone(),
                (None, Some(guest)) if guest.known => Some(guest.identity.clone()),
                _ => continue,
            };
            owned.push(ReservedNames { name: name.expose().clone(), identity });
        }
        owned
    }

    /// Whoever bears a name that is another's from now on, and has no right to it, gets a mark behind it.
    pub(super) fn rename_others(&mut self, now: Instant, owner: ParticipantId, name: &str) {
        let folded = reserved_names::fold(name);
        let owned = [ReservedNames { name: name.to_owned(), identity: None }];
        let bears = |(who, other, role): (ParticipantId, &Redacted<String>, Role)| {
            let known = self.guests.get(&who).is_some_and(|guest| guest.known);
            let bears = who != owner && role == Role::External && !known && reserved_names::fold(other.expose()) == folded;
            bears.then(|| (who, other.expose().clone()))
        };
        let others: Vec<_> = self.policy.names().filter_map(bears).collect();
        for (who, other) in others {
            let (via, mark) = if self.pages.contains_key(&who) { (Via::Browser, "guest") } else { (Via::Phone, "caller") };
            let name = Redacted::new(reserved_names::distinct(&other, mark, None, &owned));
            self.fact(now, Fact::Joined { who, role: Role::External, via, organiser: false, name, muted: Muted::default() });
        }
    }

    // === What they are shown ===

    pub(super) fn inside(&self) -> Vec<ParticipantId> {
        self.pages.keys().copied().filter(|who| self.policy.standing(*who) == Some(Standing::In)).collect()
    }

    /// Something that somebody sees is another: [`Effect::Changed`].
    pub(super) fn changed(&mut self, now: Instant) {
        let changes = self.policy.changes();
        self.raise_changes(now, &changes.rows);
        for who in &changes.rows {
            self.take_row(now, *who);
        }
        for who in &changes.own {
            self.keep_mute(*who);
        }
        self.showing.own.extend(changes.own);
        self.show_soon(now);
    }

    /// Takes somebody's row anew.
    pub(super) fn take_row(&mut self, now: Instant, who: ParticipantId) {
        let row = self.policy.row_of(who, now);
        let beside = RowContext { joins: &self.joins, origins: &self.origins };
        self.showing.rows.take(who, row.as_ref(), beside, now);
    }

    /// Shows what has changed: at once, or with whatever else comes until it is time again.
    pub(super) fn show_soon(&mut self, now: Instant) {
        let due = self.showing.at.and_then(|at| at.checked_add(SHOWN_EVERY)).map_or(now, |due| due.max(now));
        self.showing.due = Some(due);
        self.show_what_is_due(now);
    }

    pub(super) fn show_what_is_due(&mut self, now: Instant) {
        if self.showing.due.is_none_or(|due| due > now) {
            return;
        }
        (self.showing.at, self.showing.due) = (Some(now), None);
        let (inside, waiting) = self.showing.rows.settle();
        let whole = Some((self.captures(), self.policy.has_chat()));
        let all = std::mem::replace(&mut self.showing.whole, whole) != whole;
        let own = std::mem::take(&mut self.showing.own);
        let sees = |who: &ParticipantId| {
            let is_inside = || self.policy.standing(*who) == Some(Standing::In);
            let hosts = || self.policy.may(*who, Capability::Admit).is_ok();
            all || own.contains(who) || (inside && is_inside()) || (waiting && is_inside() && hosts())
        };
        let pages: Vec<_> = self.pages.keys().copied().filter(sees).collect();
        for who in pages {
            self.show(now, who);
        }
        if inside {
            for who in self.guests.keys().copied().collect::<Vec<_>>() {
                self.show_roster(now, who);
            }
        }
    }

    pub(super) const fn beside(&self) -> RowContext<'_> {
        RowContext { joins: &self.joins, origins: &self.origins }
    }

    pub(super) fn captures(&self) -> [Capture; 2] {
        [CaptureKind::Recording, CaptureKind::Transcription].map(|kind| self.policy.capture(kind))
    }

    /// Gives a page the newest state, for its eyes (M-8).
    pub(super) fn show(&self, now: Instant, who: ParticipantId) {
        if let (Some(page), Some(scene)) = (self.pages.get(&who), self.scene(now, who)) {
            page.feed.show(scene);
        }
    }

    fn scene(&self, now: Instant, who: ParticipantId) -> Option<RosterView> {
        let standing = self.policy.standing(who)?;
        let may = |capability| self.policy.may(who, capability).is_ok();
        let (may_admit, may_record, may_end) = (may(Capability::Admit), may(Capability::Record), may(Capability::End));
        let may_call_rooms = may(Capability::CallRooms);
        if standing != Standing::In {
            // One row, its own, and nothing of the meeting.
            let (joins, origins) = (SmsReaders::new(), ParticipantOrigins::new());
            let of_oneself = RowContext { joins: &joins, origins: &origins };
            let own = self.policy.own_row(who, now).map(|row| Arc::new(roster::shown(&row, of_oneself, now)));
            let nobody = RosterView::nobody(who);
            let facts = MeetingFacts { standing, may_admit, may_record, may_end, may_call_rooms, ..nobody.facts };
            return Some(RosterView { own, facts, ..nobody });
        }
        let ([recording, transcription], chat) = (self.captures(), self.policy.has_chat());
        let facts = MeetingFacts { standing, recording, transcription, may_admit, may_record, may_end, may_call_rooms, chat };
        let lists = self.showing.rows.lists();
        let (inside, waiting) = match may_admit {
            true => (&lists.inside_for_hosts, Arc::clone(&lists.waiting)),
            false => (&lists.inside_for_guests, Arc::default()),
        };
        Some(RosterView { you: who, facts, own: None, inside: Arc::clone(inside), waiting })
    }

    /// Who is inside, to a device that wants to know and is inside itself (M-8).
    pub(super) fn show_roster(&mut self, now: Instant, who: ParticipantId) {
        if !self.guests.get(&who).is_some_and(|guest| guest.watches) {
            return;
        }
        if let Some(view) = self.policy.snapshot(who, now).filter(|view| view.standing == Standing::In) {
            self.tell_guest(now, who, ToGuest::Roster(roster::for_phone(&self.title, &view)));
        }
    }

    pub(super) fn tell_page(&self, who: ParticipantId, what: ToPage) {
        if let Some(page) = self.pages.get(&who) {
            page.feed.say(what);
        }
    }
}

/// Under what a denied guest is remembered.
fn denial_key(from: Option<std::net::IpAddr>, name: &str) -> String {
    let from = from.map(crate::common::ip_network::subscriber).map(|from| from.to_string()).unwrap_or_default();
    format!("page/{from}/{}", reserved_names::fold(name))
}
