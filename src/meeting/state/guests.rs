//! Devices: how they knock, what their calls say, and how they leave.

use super::act::MeetingAct;
use super::input::KnockingDevice;
use super::log_limits::StrangerLog;
use super::machine::{MeetingState, Step};
use super::participants::Guest;
use crate::common::cause::Cause;
use crate::common::ids::ParticipantId;
use crate::common::redact::Redacted;
use crate::media::PlayOutcome;
use crate::meeting::guest::{FromGuest, ToGuest};
use crate::meeting::messages::{MeetingRequest, ToPage};
use crate::meeting::request_rate::RequestRate;
use crate::meeting::roster;
use crate::policy::{Asker, Effect, Fact, NoticeResult, Role, Standing, Via};
use crate::relay::driver::{LineProgress, Readers};

impl MeetingState {
    pub(super) fn knock(&mut self, device: KnockingDevice) {
        let KnockingDevice { who, call, port, name, device, phone, identity, known, predecessor, language, text } = device;
        let inherited = predecessor.map(|old| self.mutes.of_predecessor(&self.policy, old)).unwrap_or_default();
        let muted = self.mutes.of(&identity, self.unix_millis()).and(inherited);
        let name = self.own_name(&name, if known { "" } else { "caller" }, Some(&identity), who);
        let refused = self.entry.device_knocks(self.instant(), &identity);
        let requests = RequestRate::new(self.instant());
        let (watches, joined) = (false, false);
        let guest = Guest { call, port, phone, device, identity, known, requests, language, text, watches, joined };
        self.people.origins.insert(who, guest.origin());
        let label = guest.device.clone();
        self.people.guests.insert(who, guest);
        match self.log_allows(who, StrangerLog::Came) {
            Some(unlogged) => {
                tracing::info!(meeting = %self.name, participant = %who, device = label, unlogged, "device knocks");
            }
            None => tracing::debug!(meeting = %self.name, participant = %who, device = label, "device knocks"),
        }
        if let Some(cause) = refused {
            self.steps.push_back(Step::Effect(Effect::Dismiss { who, cause }));
            return;
        }
        if known {
            self.rename_others(who, &name);
        }
        let name = Redacted::new(name);
        self.fact(Fact::Joined { who, role: Role::External, via: Via::Phone, organiser: false, name, muted });
        if self.policy.standing(who).is_some_and(|standing| standing != Standing::In) {
            self.tell_guest(who, ToGuest::Waiting);
        }
    }

    pub(super) fn guest_says(&mut self, who: ParticipantId, what: FromGuest) {
        let fact = match what {
            FromGuest::Left => return self.guest_left(who, false),
            FromGuest::Lost => return self.guest_left(who, true),
            FromGuest::Chat { text, by } => return self.guest_writes(who, text, by),
            FromGuest::Texted(progress) => return self.texted(progress),
            FromGuest::Readers(readers) => return self.readers_are(who, readers),
            FromGuest::Watch(on) => {
                if let Some(guest) = self.people.guests.get_mut(&who) {
                    guest.watches = on;
                }
                return self.show_roster(who);
            }
            FromGuest::Hold(on) => Fact::Hold { who, on },
            FromGuest::Mute(to) => Fact::MuteSelf { who, to },
            FromGuest::Hand(to) => Fact::Hand { who, to },
            FromGuest::AdmitAll => Fact::AdmitAll { by: Asker::Participant(who) },
            FromGuest::OrganiserPin => Fact::OrganiserPin { who },
            FromGuest::Began { notice, length } => Fact::NoticeBegan { notice, length },
            FromGuest::Told { notice, outcome, carried } => {
                let outcome = match outcome {
                    PlayOutcome::Completed => NoticeResult::Completed,
                    PlayOutcome::Interrupted => NoticeResult::Interrupted,
                    PlayOutcome::Failed => NoticeResult::Failed,
                };
                self.fact(Fact::Told { notice, outcome, carried });
                self.steps.push_back(Step::Carried { notice, carried });
                return;
            }
            FromGuest::Reported { notice, received_permille } => {
                self.steps.push_back(Step::WriteLine { notice, received_permille });
                Fact::Reported { notice, received_permille }
            }
        };
        self.fact(fact);
    }

    fn guest_left(&mut self, who: ParticipantId, lost: bool) {
        let change = self.mutes.departed(&self.policy, &self.people, who, lost, self.unix_millis());
        self.acts.extend(change.map(MeetingAct::KeepMute));
        self.fact(Fact::Left { who });
        self.steps.push_back(Step::ForgetGuest(who));
    }

    /// The queue of its call is full, so nothing it has to be told reaches it: it leaves, with its gate shut first (N-6).
    pub(super) fn guest_stalled(&mut self, who: ParticipantId) {
        if self.people.guests.contains_key(&who) {
            tracing::error!(meeting = %self.name, participant = %who, cause = %Cause::Stalled, "the queue of the call is full");
            self.guest_left(who, true);
        }
    }

    pub(super) fn forget_guest(&mut self, who: ParticipantId) {
        if self.people.remove_guest(who) {
            self.acts.push_back(MeetingAct::ReleaseGuest(who));
        }
    }

    /// A text of a phone, or by SMS for it.
    fn guest_writes(&mut self, who: ParticipantId, text: Redacted<String>, by: Option<String>) {
        let ask = MeetingRequest::Chat(text.into_inner());
        let spent = self.spend(Some(who), &ask);
        let MeetingRequest::Chat(text) = ask else { return };
        if let Err(refusal) = spent.and_then(|()| self.write_chat(Asker::Participant(who), &text, by)) {
            // It left or was removed while its text was on its way.
            tracing::debug!(participant = %who, %refusal, "a text of a phone is not taken");
        }
    }

    /// A line of the chat has come further on its way by SMS.
    fn texted(&mut self, progress: LineProgress) {
        let Some(texted) = self.chat.texted(progress) else { return };
        for who in self.pages_inside() {
            self.people.tell_page(who, ToPage::ChatTexted { id: progress.line, texted });
        }
    }

    /// How people around this device get the chat by SMS, and who does, from now on (C-2): shown to those who may admit.
    fn readers_are(&mut self, device: ParticipantId, readers: Readers) {
        self.people.readers.insert(device, readers);
        self.views.row_changed(&self.policy, &self.people, device, self.instant());
        self.views.schedule(self.instant());
        self.show_due();
    }

    /// Who is inside, to a device that wants to know and is inside itself (M-8).
    pub(super) fn show_roster(&mut self, who: ParticipantId) {
        if !self.people.guests.get(&who).is_some_and(|guest| guest.watches) {
            return;
        }
        if let Some(view) = self.policy.snapshot(who, self.instant()).filter(|view| view.standing == Standing::In) {
            self.tell_guest(who, ToGuest::Roster(roster::for_phone(&self.title, &view)));
        }
    }
}
