//! [`RoomState`]: one room, without sockets, media and clock: when we are in it and as whom, who else is, and what the meeting is told.
//!
//! While no device is inside, the room is looked at by the server's API and not entered. From the first device on the gateway is in it once as
//! the *ear*, which hears everybody, and once for each device, which only publishes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::chat::ReceivedText;
use super::participant::{ParticipantAsk, ParticipantEvent};
use super::proto::{Kind, ParticipantInfo};
use super::room_service::RoomListing;
use super::session::Part;
use super::token::Identity;
use crate::common::display_name;
use crate::common::ids::{ParticipantId, TrackId};
use crate::common::machine::Machine;
use crate::common::redact::Redacted;
use crate::media::MediaEnd;
use crate::meeting::service::{EnteringGuest, GuestState, RoomAsk, RoomFact, RoomPerson};
use crate::policy::{Capture, CaptureKind, Role};

/// Between two looks from outside.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Looks in a row that fail before the room counts as out of reach.
const LOOKS_MISSED: u32 = 2;
/// How long after it was sent away a participant joins again, where it may.
const COMES_BACK_AFTER: Duration = Duration::from_secs(1);
/// Marks what we are in a room for, so that other gateways do not take an ear for somebody.
const PART: &str = "roomgate.part";
/// When somebody has raised a hand; empty or not there: it is down. So La Suite Meet has it.
const HAND: &str = "handRaisedAt";

/// Whose participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    Ear,
    Guest(ParticipantId),
}

/// What happens to a room.
#[derive(Debug)]
pub(super) enum RoomInput {
    /// Its meeting asks, at this time of day (milliseconds since 1970).
    Ask(RoomAsk, u64),
    /// A participant of ours says something.
    Event(Slot, ParticipantEvent),
    /// What a look from outside has shown; `None`: it has failed.
    Looked(Option<RoomListing>),
}

/// What a room wants done.
#[derive(Debug)]
pub(super) enum RoomOutput {
    /// Have a participant join, whose voice is that of `end`.
    Join { slot: Slot, part: Part, who: Identity, end: Option<MediaEnd> },
    /// Have it leave.
    Leave(Slot),
    /// Ask it something.
    Tell(Slot, ParticipantAsk),
    /// Look at the room from outside, and say [`RoomInput::Looked`].
    Look,
    /// Tell the meeting.
    Fact(RoomFact),
}

struct Guest {
    entering: EnteringGuest,
    identity: String,
    state: Option<GuestState>,
    /// When its hand was raised, as an attribute has it.
    hand: String,
}

/// What is known of captures.
#[derive(Default)]
struct Captures {
    /// A recorder is in the room.
    recorded: bool,
    by_application: Option<CaptureKind>,
    /// An agent is in the room.
    agent: bool,
    told: BTreeMap<CaptureKind, Capture>,
}

/// See the file's paragraph.
pub(super) struct RoomState {
    captures: Captures,
    /// Makes our identities unique among gateways and runs.
    nonce: String,
    guests: BTreeMap<ParticipantId, Guest>,
    ear: bool,
    look_at: Option<Instant>,
    looks_missed: u32,
    reachable: bool,
    /// Participants that join again, and when.
    rejoin: BTreeMap<Slot, Instant>,
    ended: bool,
    out: VecDeque<RoomOutput>,
}

impl RoomState {
    /// A room that is looked at from `now` on.
    pub(super) fn new(now: Instant, nonce: String) -> Self {
        Self {
            captures: Captures::default(),
            nonce,
            guests: BTreeMap::new(),
            ear: false,
            look_at: Some(now),
            looks_missed: 0,
            reachable: true,
            rejoin: BTreeMap::new(),
            ended: false,
            out: VecDeque::new(),
        }
    }

    fn fact(&mut self, fact: RoomFact) {
        self.out.push_back(RoomOutput::Fact(fact));
    }

    fn tell(&mut self, slot: Slot, ask: ParticipantAsk) {
        self.out.push_back(RoomOutput::Tell(slot, ask));
    }

    // === What the meeting asks ===

    fn ask(&mut self, now: Instant, ask: RoomAsk, unix_millis: u64) {
        match ask {
            RoomAsk::Enter(entering) => self.enter(*entering),
            RoomAsk::Guest(who, state) => self.guest(who, state, unix_millis),
            RoomAsk::Leave(who) => self.leave(now, who),
            RoomAsk::Chat { who, name, text } => {
                let (slot, text) = match who.filter(|who| self.guests.contains_key(who)) {
                    Some(who) => (Slot::Guest(who), text),
                    None => (Slot::Ear, Redacted::new(format!("{}: {}", name.expose(), text.expose()))),
                };
                self.tell(slot, ParticipantAsk::Say(text));
            }
        }
    }

    fn enter(&mut self, entering: EnteringGuest) {
        let (who, identity) = (entering.who, format!("roomgate-{}-{}", self.nonce, entering.call));
        let guest = Guest { entering, identity, state: None, hand: String::new() };
        self.guests.insert(who, guest);
        if !std::mem::replace(&mut self.ear, true) {
            self.look_at = None;
            self.join(Slot::Ear);
        }
        self.join(Slot::Guest(who));
        self.ignore_our_own();
    }

    fn join(&mut self, slot: Slot) {
        let join = match slot {
            Slot::Ear => {
                let attributes = BTreeMap::from([(PART.to_owned(), "ear".to_owned())]);
                let (identity, name) = (format!("roomgate-{}-ear", self.nonce), "Roomgate (for the telephones)".to_owned());
                RoomOutput::Join { slot, part: Part::Ear, who: Identity { identity, name, attributes }, end: None }
            }
            Slot::Guest(who) => {
                let Some(guest) = self.guests.get(&who) else { return };
                let (identity, name) = (guest.identity.clone(), guest.name());
                let who = Identity { identity, name, attributes: guest.attributes() };
                RoomOutput::Join { slot, part: Part::Microphone, who, end: Some(guest.entering.end) }
            }
        };
        self.out.push_back(join);
        // A name and a hand are in its token already.
        if self.is_muted(slot) {
            self.tell(slot, ParticipantAsk::Mute(true));
        }
    }

    fn is_muted(&self, slot: Slot) -> bool {
        let Slot::Guest(who) = slot else { return false };
        self.guests.get(&who).and_then(|guest| guest.state.as_ref()).is_some_and(|state| state.muted)
    }

    /// What our devices say is on the bridge already.
    fn ignore_our_own(&mut self) {
        let own = self.guests.values().map(|guest| guest.identity.clone()).collect();
        self.tell(Slot::Ear, ParticipantAsk::Ignore(own));
    }

    fn guest(&mut self, who: ParticipantId, state: GuestState, unix_millis: u64) {
        let Some(guest) = self.guests.get_mut(&who) else { return };
        let (name_before, before) = (guest.name(), guest.state.replace(state.clone()));
        let hand_changes = before.as_ref().is_some_and(|before| before.hand) != state.hand;
        if hand_changes {
            guest.hand = if state.hand { unix_millis.to_string() } else { String::new() };
        }
        let (name, attributes) = (guest.name(), guest.attributes());
        if before.as_ref().is_none_or(|before| before.muted != state.muted) {
            self.tell(Slot::Guest(who), ParticipantAsk::Mute(state.muted));
        }
        if name != name_before || hand_changes {
            self.tell(Slot::Guest(who), ParticipantAsk::Describe(name, attributes));
        }
    }

    fn leave(&mut self, now: Instant, who: ParticipantId) {
        if self.guests.remove(&who).is_none() {
            return;
        }
        self.rejoin.remove(&Slot::Guest(who));
        self.out.push_back(RoomOutput::Leave(Slot::Guest(who)));
        if self.guests.is_empty() {
            self.ear = false;
            self.rejoin.remove(&Slot::Ear);
            self.out.push_back(RoomOutput::Leave(Slot::Ear));
            self.look_at = Some(now);
        } else {
            self.ignore_our_own();
        }
    }

    // === What the room says ===

    fn event(&mut self, now: Instant, slot: Slot, event: ParticipantEvent) {
        match (slot, event) {
            (Slot::Ear, ParticipantEvent::Connected(reachable)) => self.reachable(reachable),
            (Slot::Ear, ParticipantEvent::People(people, tracks)) => self.people(&people, &tracks),
            (Slot::Ear, ParticipantEvent::Room { recorded, metadata }) => self.captured(recorded, &metadata),
            (Slot::Ear, ParticipantEvent::Text(text)) if !text.private => self.text(text, None),
            (Slot::Guest(who), ParticipantEvent::Text(text)) if text.private => self.text(text, Some(who)),
            (Slot::Guest(who), ParticipantEvent::Muted(muted)) => self.fact(RoomFact::GuestMuted(who, muted)),
            (slot, ParticipantEvent::Over(reason)) => self.over(now, slot, reason),
            _ => {}
        }
    }

    fn text(&mut self, text: ReceivedText, to: Option<ParticipantId>) {
        self.fact(RoomFact::Chat { key: text.from, text: Redacted::new(text.text), to });
    }

    /// A participant of ours is out. The reasons are those of `DisconnectReason`.
    fn over(&mut self, now: Instant, slot: Slot, reason: i32) {
        match (reason, slot) {
            // ROOM_DELETED, ROOM_CLOSED
            (5 | 10, _) => {
                if !std::mem::replace(&mut self.ended, true) {
                    self.fact(RoomFact::Ended);
                }
            }
            // DUPLICATE_IDENTITY, PARTICIPANT_REMOVED
            (2 | 4, Slot::Guest(who)) => self.fact(RoomFact::GuestRemoved(who)),
            // Without the ear devices hear nobody: whoever takes that out takes them all out.
            (4, Slot::Ear) => {
                for who in self.guests.keys().copied().collect::<Vec<_>>() {
                    self.fact(RoomFact::GuestRemoved(who));
                }
            }
            _ => {
                self.rejoin.insert(slot, now + COMES_BACK_AFTER);
            }
        }
    }

    fn looked(&mut self, now: Instant, listing: Option<RoomListing>) {
        if self.ear {
            return;
        }
        self.look_at = now.checked_add(LOOK_EVERY);
        match listing {
            Some(RoomListing { people, recorded, metadata }) => {
                self.looks_missed = 0;
                self.reachable(true);
                self.people(&people, &BTreeMap::new());
                self.captured(recorded, &metadata);
            }
            None => {
                self.looks_missed = self.looks_missed.saturating_add(1);
                if self.looks_missed >= LOOKS_MISSED {
                    self.reachable(false);
                }
            }
        }
    }

    fn reachable(&mut self, reachable: bool) {
        if std::mem::replace(&mut self.reachable, reachable) != reachable {
            self.fact(RoomFact::Reachable(reachable));
        }
    }

    /// What the server and the application say of captures.
    fn captured(&mut self, recorded: bool, metadata: &str) {
        self.captures.recorded = recorded;
        self.captures.by_application = application_captures(metadata);
        self.tell_captures();
    }

    /// What captures the room (N-1), by whichever says so first.
    fn tell_captures(&mut self) {
        for what in CaptureKind::ALL {
            let captured = match what {
                CaptureKind::Recording => self.captures.recorded,
                // An agent hears everybody, and what it makes of that is nobody's to see.
                CaptureKind::Transcription => self.captures.agent,
            };
            let state = if captured || self.captures.by_application == Some(what) { Capture::On } else { Capture::Off };
            if self.captures.told.insert(what, state).unwrap_or_default() != state {
                self.fact(RoomFact::Capture(what, state));
            }
        }
    }

    fn people(&mut self, people: &[ParticipantInfo], tracks: &BTreeMap<String, TrackId>) {
        let has_agent = people.iter().any(ParticipantInfo::is_agent);
        let own: BTreeSet<&str> = self.guests.values().map(|guest| guest.identity.as_str()).collect();
        let others = people
            .iter()
            .filter(|one| !one.is_recorder() && !own.contains(one.identity.as_str()) && !one.attributes.contains_key(PART));
        let people = others.map(|one| person(one, tracks)).collect();
        self.fact(RoomFact::People(people));
        self.captures.agent = has_agent;
        self.tell_captures();
    }
}

impl Guest {
    fn name(&self) -> String {
        self.state.as_ref().map_or(&self.entering.name, |state| &state.name).expose().clone()
    }

    /// As other software reads them of telephones.
    fn attributes(&self) -> BTreeMap<String, String> {
        let attributes = [
            ("sip.callID", self.entering.call.to_string()),
            ("sip.phoneNumber", self.entering.caller.clone()),
            ("sip.callStatus", "active".to_owned()),
            (HAND, self.hand.clone()),
        ];
        attributes.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// What the application says in the room's metadata that it captures, as La Suite Meet does: the recorder is asked for or runs, and its
/// mode tells whether sound or text is kept.
fn application_captures(metadata: &str) -> Option<CaptureKind> {
    let metadata: serde_json::Value = serde_json::from_str(metadata).ok()?;
    let runs = matches!(metadata.get("recording_status")?.as_str()?, "starting" | "started");
    let transcribes = metadata.get("recording_mode").and_then(serde_json::Value::as_str) == Some("transcript");
    runs.then_some(if transcribes { CaptureKind::Transcription } else { CaptureKind::Recording })
}

fn person(one: &ParticipantInfo, tracks: &BTreeMap<String, TrackId>) -> RoomPerson {
    let microphone = one.tracks.iter().find(|track| track.is_microphone());
    let name = if one.name.trim().is_empty() { &one.identity } else { &one.name };
    RoomPerson {
        key: one.identity.clone(),
        name: display_name::clean(name, "guest"),
        // People at applications count as members; telephones, agents and streams do not.
        role: if one.kind() == Kind::Standard { Role::Member } else { Role::External },
        muted: microphone.is_none_or(|track| track.muted),
        hand: one.attributes.get(HAND).is_some_and(|at| !at.is_empty()),
        end: microphone.and_then(|track| tracks.get(&track.sid)).map(|track| MediaEnd::Track(*track)),
    }
}

impl Machine for RoomState {
    type Input = RoomInput;
    type Output = RoomOutput;

    fn handle(&mut self, now: Instant, input: RoomInput) {
        match input {
            RoomInput::Ask(ask, unix_millis) => self.ask(now, ask, unix_millis),
            RoomInput::Event(slot, event) => self.event(now, slot, event),
            RoomInput::Looked(listing) => self.looked(now, listing),
        }
    }

    fn wake(&mut self, now: Instant) {
        if self.look_at.is_some_and(|at| at <= now) {
            self.look_at = None;
            self.out.push_back(RoomOutput::Look);
        }
        let due: Vec<_> = self.rejoin.iter().filter(|(_, at)| **at <= now).map(|(slot, _)| *slot).collect();
        for slot in due {
            self.rejoin.remove(&slot);
            self.join(slot);
            if slot == Slot::Ear {
                self.ignore_our_own();
            }
        }
    }

    fn poll(&mut self) -> Option<RoomOutput> {
        self.out.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        self.look_at.into_iter().chain(self.rejoin.values().copied()).min()
    }
}

#[cfg(test)]
mod tests;
