//! The room of the meeting's service: its people become participants, its facts those of the policy, and our devices are shown in it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::act::MeetingAct;
use super::machine::{MeetingState, Step};
use super::participants::RemotePerson;
use crate::common::ids::ParticipantId;
use crate::common::rate_limit::{RateLimit, TokenBucket};
use crate::common::redact::Redacted;
use crate::media::{Gate, MediaEnd};
use crate::meeting::messages::ChatLine;
use crate::meeting::service::{EnteringGuest, GuestState, RoomAsk, RoomFact, RoomPerson};
use crate::policy::{Asker, Fact, Muted, Role, Standing, Switch, Via};

/// Lines of one person of the room: what is more is dropped.
const TEXTS: RateLimit = RateLimit { burst: 10, every: Duration::from_secs(1) };

impl MeetingState {
    pub(super) fn take_room_fact(&mut self, fact: RoomFact) {
        match fact {
            RoomFact::People(people) => self.room_people(people),
            RoomFact::Capture(what, state) => {
                if self.policy.capture(what) != state {
                    tracing::info!(meeting = %self.name, ?what, ?state, "the room's capture has changed");
                }
                self.fact(Fact::CaptureIs { what, state });
            }
            RoomFact::Chat { key, text, to } => self.room_writes(&key, text, to),
            RoomFact::GuestMuted(who, on) => self.fact(Fact::Mute { by: Asker::Operator, who, on }),
            RoomFact::GuestRemoved(who) => self.fact(Fact::Remove { by: Asker::Operator, who }),
            RoomFact::Ended => self.fact(Fact::End { by: Asker::Operator }),
            RoomFact::Reachable(alive) => {
                for who in self.people.remote.keys().copied().collect::<Vec<_>>() {
                    self.fact(Fact::Alive { who, alive });
                }
            }
        }
    }

    // === People of the room ===

    /// Who is there now. Whoever is not listed has left; of the others those are looked at of whom something is new.
    fn room_people(&mut self, people: Vec<RoomPerson>) {
        let listed: BTreeSet<&str> = people.iter().map(|person| person.key.as_str()).collect();
        let mut known = BTreeMap::new();
        let mut gone = Vec::new();
        for (who, person) in &self.people.remote {
            if listed.contains(person.told.key.as_str()) {
                // Somebody who was given up while the room could not be reached comes as a new presence.
                let here = self.policy.standing(*who).is_some();
                known.insert(person.told.key.clone(), (*who, here, person.told.clone()));
            } else {
                gone.push(*who);
            }
        }
        for who in gone {
            self.fact(Fact::Left { who });
            self.steps.push_back(Step::ForgetRemote(who));
        }
        for person in people {
            match known.get(&person.key) {
                Some((_, true, told)) if *told == person => {}
                Some((who, true, _)) => self.room_person(*who, person, false),
                Some((given_up, false, _)) => {
                    self.people.remote.remove(given_up);
                    self.newcomer(person);
                }
                None => self.newcomer(person),
            }
        }
    }

    fn newcomer(&mut self, person: RoomPerson) {
        let who = self.ids.participant();
        let (end, gate) = (person.end, Gate::default());
        let texts = TokenBucket::new(TEXTS, self.instant());
        let remote = RemotePerson { told: person.clone(), texts, end, admission: None, seated: false, gate };
        self.people.remote.insert(who, remote);
        self.room_person(who, person, true);
    }

    fn room_person(&mut self, who: ParticipantId, told: RoomPerson, new: bool) {
        let RoomPerson { name, role, muted, hand, end, .. } = told.clone();
        if let Some(person) = self.people.remote.get_mut(&who) {
            person.told = told;
        }
        let mark = if role == Role::Member { "" } else { "guest" };
        let name = self.own_name(&name, mark, None, who);
        if new && role == Role::Member {
            self.rename_others(who, &name);
        }
        let closed = Muted { own: muted && new, host: false };
        let name = Redacted::new(name);
        self.fact(Fact::Joined { who, role, via: Via::Service, organiser: false, name, muted: closed });
        if self.policy.muted(who).is_some_and(|before| before.own != muted) {
            self.fact(Fact::MuteSelf { who, to: Switch::To(muted) });
        }
        if self.policy.row_of(who, self.instant()).is_some_and(|before| before.hand != hand) {
            self.fact(Fact::Hand { who, to: Switch::To(hand) });
        }
        self.remote_arrives_at(who, end);
    }

    /// Where somebody's sound arrives has changed.
    fn remote_arrives_at(&mut self, who: ParticipantId, end: Option<MediaEnd>) {
        let Some(person) = self.people.remote.get_mut(&who).filter(|person| person.end != end) else { return };
        match (person.end, end) {
            (Some(old), Some(new)) if person.seated => self.acts.push_back(MeetingAct::ReplaceEnd { old, new }),
            // The seat outlives its end, silent: another one may follow.
            (Some(_), None) if person.seated => return,
            _ => {}
        }
        person.end = end;
        self.seat_remote(who);
    }

    /// Seats somebody of the room once there is both the right and an end.
    pub(super) fn seat_remote(&mut self, who: ParticipantId) {
        let Some(person) = self.people.remote.get_mut(&who) else { return };
        if let Some(end) = person.end
            && let Some(admission) = person.admission.take()
        {
            person.seated = true;
            self.acts.push_back(MeetingAct::Seat { end, admission, gate: person.gate });
        }
    }

    fn room_writes(&mut self, key: &str, text: Redacted<String>, to: Option<ParticipantId>) {
        let now = self.instant();
        let Some(who) = self.people.remote_of(key) else { return };
        if !self.people.remote.get_mut(&who).is_some_and(|person| person.texts.take(now)) {
            return tracing::debug!(meeting = %self.name, participant = %who, "texts from the room come too fast");
        }
        let written = match to {
            None => self.write_chat(Asker::Participant(who), text.expose(), None),
            Some(device) => self.write_to_device(who, device, text.expose()),
        };
        if let Err(refusal) = written {
            tracing::debug!(meeting = %self.name, participant = %who, %refusal, "a text from the room is not taken");
        }
    }

    // === Our devices in the room ===

    /// A device that was admitted is shown in the room. What is published of it passes its gate on the bridge first (M-8, N-2).
    pub(super) fn enter_room(&mut self, who: ParticipantId) {
        let Some(guest) = self.people.guests.get(&who).filter(|_| self.in_room) else { return };
        let Some(row) = self.policy.row_of(who, self.instant()) else { return };
        let (call, end, caller) = (guest.call, MediaEnd::Port(guest.port), guest.phone.caller.to_string());
        let entering = EnteringGuest { who, call, end, name: row.name.clone(), caller };
        self.acts.push_back(MeetingAct::AskRoom(RoomAsk::Enter(Box::new(entering))));
        self.show_guests(&BTreeSet::from([who]));
    }

    pub(super) fn leave_room(&mut self, who: ParticipantId) {
        if self.in_room && self.people.guests.contains_key(&who) {
            self.acts.push_back(MeetingAct::AskRoom(RoomAsk::Leave(who)));
        }
    }

    /// Shows the room how those of `changed` are that are devices inside.
    pub(super) fn show_guests(&mut self, changed: &BTreeSet<ParticipantId>) {
        if !self.in_room {
            return;
        }
        for who in changed.iter().filter(|who| self.people.guests.contains_key(who)) {
            let row = self.policy.row_of(*who, self.instant()).filter(|row| row.standing == Standing::In);
            if let Some(row) = row {
                let muted = row.muted.is_closed() || row.on_hold;
                let state = GuestState { name: row.name.clone(), muted, hand: row.hand };
                self.acts.push_back(MeetingAct::AskRoom(RoomAsk::Guest(*who, state)));
            }
        }
    }

    /// A line of the chat goes to the room, but for one that comes from there.
    pub(super) fn write_to_room(&mut self, who: Option<ParticipantId>, line: &ChatLine) {
        if !self.in_room || who.is_some_and(|who| self.people.remote.contains_key(&who)) {
            return;
        }
        let device = who.filter(|who| self.people.guests.contains_key(who));
        let (name, text) = (Redacted::new(line.name.clone()), Redacted::new(line.text.clone()));
        self.acts.push_back(MeetingAct::AskRoom(RoomAsk::Chat { who: device, name, text }));
    }
}
