//! What the policy has decided becomes acts, in its order: seats and gates on the bridge, messages to pages and calls, the recorder.

use super::act::MeetingAct;
use super::log_limits::StrangerLog;
use super::machine::MeetingState;
use crate::common::cause::Cause;
use crate::common::ids::ParticipantId;
use crate::media::{Gate, MediaEnd};
use crate::meeting::guest::ToGuest;
use crate::meeting::messages::{Granted, OPERATOR, ToPage};
use crate::meeting::mutes::RunEnd;
use crate::policy::{Admission, Asker, CaptureKind, Effect, PolicyRefusal, Role};

impl MeetingState {
    pub(super) fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Seat { who, admission } => self.seat(who, admission),
            Effect::Unseat { who } => self.unseat(who),
            Effect::Gate { who, hear, speak } => self.gate(who, Gate { hear, speak }),
            Effect::Tell { who, notice, phrases, changes } => {
                let told = changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                tracing::info!(meeting = %self.name, participant = %who, %notice, changes = told, "notice");
                self.tell_guest(who, ToGuest::Tell { notice, phrases });
            }
            Effect::Say { who, phrase } => self.tell_guest(who, ToGuest::Say(phrase)),
            Effect::Dismiss { who, cause } => self.dismiss(who, cause),
            Effect::Capture { what: CaptureKind::Recording, want } if !self.in_room => self.want_recording(want),
            // Nothing here can transcribe, or record the room of a service; the policy refuses before it comes to this (N-11).
            Effect::Capture { .. } => {}
            Effect::Ledger(entry) => {
                let guest = self.people.guests.get(&entry.who);
                self.ledger.push(self.instant(), entry, guest);
            }
            Effect::Alarm { who, what } => {
                self.acts.push_back(MeetingAct::CountAlarm);
                tracing::error!(meeting = %self.name, participant = %who, alarm = %what, "a notice was not heard as it must be; the microphone is closed");
            }
            Effect::Changed => self.changed(),
            Effect::AskedToUnmute { by, who } => self.asked_to_unmute(by, who),
            Effect::Refused { by, refusal } => self.refused(by, refusal),
            Effect::Ended { cause } => self.ended(cause),
        }
    }

    fn seat(&mut self, who: ParticipantId, admission: Admission) {
        if self.people.guests.contains_key(&who) {
            self.acts.push_back(MeetingAct::SeatPort { who, admission });
            tracing::info!(meeting = %self.name, participant = %who, "device admitted");
            self.tell_guest(who, ToGuest::Seated);
            self.sms_begins(who);
            self.enter_room(who);
        } else if let Some(person) = self.people.remote.get_mut(&who) {
            person.admission = Some(admission);
            self.seat_remote(who);
        } else if let Some(page) = self.people.pages.get_mut(&who) {
            match page.peer {
                Some(peer) => {
                    page.seated = true;
                    self.acts.push_back(MeetingAct::Seat { end: MediaEnd::Peer(peer), admission, gate: page.gate });
                }
                None => page.admission = Some(admission),
            }
            if page.role == Role::External {
                self.acts.push_back(MeetingAct::KeepSeat(who));
            }
            self.send_chat_so_far(who);
        }
    }

    fn unseat(&mut self, who: ParticipantId) {
        if let Some(page) = self.people.pages.get_mut(&who) {
            page.seated = false;
            page.admission = None;
            // At a stop it is kept for the next run.
            if page.role == Role::External && !self.stopped {
                self.acts.push_back(MeetingAct::GiveUpSeat(who));
                let change = self.mutes.seat_given_up(who, self.unix_millis());
                self.acts.extend(change.map(MeetingAct::KeepMute));
            }
        }
        if let Some(person) = self.people.remote.get_mut(&who) {
            (person.seated, person.admission) = (false, None);
        }
        self.acts.extend(self.people.media_end(who).map(MeetingAct::Unseat));
        self.leave_room(who);
    }

    fn gate(&mut self, who: ParticipantId, gate: Gate) {
        if let Some(page) = self.people.pages.get_mut(&who) {
            page.gate = gate;
        }
        if let Some(person) = self.people.remote.get_mut(&who) {
            person.gate = gate;
        }
        self.acts.extend(self.people.media_end(who).map(|end| MeetingAct::Gate { end, gate }));
        if (gate.hear || gate.speak)
            && let Some(guest) = self.people.guests.get_mut(&who)
            && !std::mem::replace(&mut guest.joined, true)
        {
            self.tell_guest(who, ToGuest::Joined);
        }
    }

    fn dismiss(&mut self, who: ParticipantId, cause: Cause) {
        self.events.leaves(who, cause);
        let logged = self.log_allows(who, StrangerLog::Left);
        // One that was turned away, and has no row, is not denied anew.
        if cause == Cause::Denied && self.events.knows(who) {
            self.entry.denied(self.instant(), who, &self.people);
        }
        if let Some(page) = self.people.pages.remove(&who) {
            let reason = match cause {
                Cause::Draining if self.entry.outlasts_a_restart() => "restarting",
                Cause::Draining => "not-kept",
                cause => cause.verdict().label,
            };
            page.feed.say(ToPage::Ended { reason });
            self.acts.extend(page.peer.map(MeetingAct::ClosePeer));
            self.people.origins.remove(&who);
        } else {
            self.tell_guest(who, ToGuest::Dismiss(cause));
            self.forget_guest(who);
        }
        match logged {
            Some(unlogged) => tracing::info!(meeting = %self.name, participant = %who, %cause, unlogged, "left"),
            None => tracing::debug!(meeting = %self.name, participant = %who, %cause, "left"),
        }
    }

    /// What somebody may see has changed.
    fn changed(&mut self) {
        let now = self.instant();
        let changes = self.policy.changes();
        let events = self.events.changes(&self.policy, &self.people, &changes.rows, now);
        self.acts.extend(events.into_iter().map(MeetingAct::Raise));
        for who in &changes.rows {
            self.views.row_changed(&self.policy, &self.people, *who, now);
        }
        self.show_guests(&changes.rows);
        for who in &changes.own {
            let kept = self.mutes.row_changed(&self.policy, &self.people, *who, self.unix_millis());
            self.acts.extend(kept.into_iter().map(MeetingAct::KeepMute));
        }
        self.views.own_changed(changes.own);
        self.views.schedule(now);
        self.show_due();
    }

    /// Somebody is asked to open the microphone that they have closed (K-4).
    fn asked_to_unmute(&mut self, by: Asker, who: ParticipantId) {
        let host = match by {
            Asker::Operator => None,
            Asker::Participant(host) => {
                self.policy.names().find(|(who, ..)| *who == host).map(|(_, name, _)| name.expose().clone())
            }
        };
        self.people.tell_page(who, ToPage::UnmuteAsked { by: host.unwrap_or_else(|| OPERATOR.to_owned()) });
        self.answer(Ok(Granted::Asked));
    }

    fn refused(&mut self, by: Asker, refusal: PolicyRefusal) {
        let logged = match by {
            Asker::Participant(who) => self.log_allows(who, StrangerLog::Refused),
            Asker::Operator => Some(0),
        };
        match logged {
            Some(unlogged) => tracing::info!(meeting = %self.name, %by, %refusal, unlogged, "refused"),
            None => tracing::debug!(meeting = %self.name, %by, %refusal, "refused"),
        }
        self.answer(Err(refusal.into()));
    }

    fn ended(&mut self, cause: Cause) {
        tracing::info!(meeting = %self.name, %cause, "meeting ended");
        let changes = self.policy.changes();
        let events = self.events.changes(&self.policy, &self.people, &changes.rows, self.instant());
        self.acts.extend(events.into_iter().map(MeetingAct::Raise));
        if !self.closing {
            let ending = if self.asked.is_some() { RunEnd::ForAll } else { RunEnd::Left };
            let change = self.mutes.over(ending, self.unix_millis());
            self.acts.extend(change.map(MeetingAct::KeepMute));
        }
        self.over = true;
    }
}
