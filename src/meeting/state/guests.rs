//! Devices: how they knock, what their calls say, and how they leave.

use std::time::Duration;

use super::act::MeetingAct;
use super::input::KnockingDevice;
use super::log_limits::StrangerLog;
use super::machine::{MeetingState, Step};
use super::participants::Guest;
use crate::common::cause::Cause;
use crate::common::ids::ParticipantId;
use crate::common::log_limit::LogLimit;
use crate::common::rate_limit::{RateLimit, TokenBucket};
use crate::common::redact::Redacted;
use crate::meeting::guest::{FromGuest, ToGuest};
use crate::meeting::messages::MeetingRequest;
use crate::meeting::request_rate::RequestRate;
use crate::meeting::roster;
use crate::policy::{Asker, Effect, Fact, Role, Standing, Via};

/// Texts by SMS for one device: what is more is dropped.
const INBOUND_TEXTS: RateLimit = RateLimit { burst: 10, every: Duration::from_secs(1) };

impl MeetingState {
    pub(super) fn knock(&mut self, device: KnockingDevice) {
        let KnockingDevice { who, call, port, name, device, phone, identity, known, predecessor, language, text } = device;
        let inherited = predecessor.map(|old| self.mutes.of_predecessor(&self.policy, old)).unwrap_or_default();
        let muted = self.mutes.of(&identity, self.unix_millis()).and(inherited);
        let own = name;
        let name = self.own_name(&own, if known { "" } else { "caller" }, Some(&identity), who);
        let refused = self.entry.device_knocks(self.instant(), &identity);
        let guest = Guest {
            call,
            port,
            name: own,
            phone,
            device,
            identity,
            known,
            requests: RequestRate::new(self.instant()),
            language,
            text,
            watches: false,
            joined: false,
            entered_relay: false,
            inbound_texts: TokenBucket::new(INBOUND_TEXTS, self.instant()),
            texts_refused: LogLimit::default(),
        };
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

    pub(super) fn take_guest_input(&mut self, who: ParticipantId, what: FromGuest) {
        let fact = match what {
            FromGuest::Left => return self.guest_left(who, false),
            FromGuest::Lost => return self.guest_left(who, true),
            FromGuest::Chat { text } => return self.guest_writes(who, text, None),
            FromGuest::Sms(keyed) => return self.sms_keyed(who, keyed),
            FromGuest::NoticeText(text) => return self.sms_notice(who, text),
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
        if let Some(guest) = self.people.remove_guest(who) {
            if guest.entered_relay {
                self.sms_ends(who);
            }
            self.acts.push_back(MeetingAct::ReleaseGuest(who));
        }
    }

    /// A text of a phone, or by SMS for it; `by`: the masked number of who has written it.
    pub(super) fn guest_writes(&mut self, who: ParticipantId, text: Redacted<String>, by: Option<String>) {
        let ask = MeetingRequest::Chat(text.into_inner());
        let spent = self.spend(Some(who), &ask);
        let MeetingRequest::Chat(text) = ask else { return };
        if let Err(refusal) = spent.and_then(|()| self.write_chat(Asker::Participant(who), &text, by)) {
            // It left or was removed while its text was on its way.
            tracing::debug!(participant = %who, %refusal, "a text of a phone is not taken");
        }
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
