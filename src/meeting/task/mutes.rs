//! Closed microphones that outlive a seat (K-4): written down when they change, and closed again for whoever comes back.
#![allow(clippy::disallowed_methods, reason = "part of the meeting's task: what is kept has a date")]

use std::time::{Instant, SystemTime};

use super::{MeetingAct, MeetingTask};
use crate::common::ids::ParticipantId;
use crate::common::units::unix_millis;
use crate::meeting::messages::{Granted, OPERATOR, ToPage};
use crate::meeting::mutes::RunEnd;
use crate::policy::{Asker, Fact, Muted, Role};
use crate::store::MuteChange;

/// Devices whose calls have ended are remembered for those that take their places; of more than that, the newest.
const DEPARTED: usize = 64;

/// Under what the host's part is kept with the seat of a page: it comes back to it whatever key its browser shows, or none.
pub(super) fn seat_key(who: ParticipantId) -> String {
    format!("seat/{who}")
}

impl MeetingTask {
    /// How the microphone was closed of whoever comes with this identity.
    pub(super) fn kept_mute(&self, identity: &str) -> Muted {
        self.shared.mutes.of(&self.name, identity, unix_millis(SystemTime::now()))
    }

    /// How the microphone is closed of the device whose place another one takes (M-18): that is no reason for it to open.
    pub(super) fn mute_of(&self, predecessor: ParticipantId) -> Muted {
        let here = self.policy.muted(predecessor);
        let departed = || self.departed.iter().rev().find(|(who, _)| *who == predecessor).map(|(_, muted)| *muted);
        here.or_else(departed).unwrap_or_default()
    }

    /// Somebody's row has changed: what of its microphone is to be kept. A page brings its owner's part along by itself; a host's part is
    /// only added to here, since other rows may be of the same person.
    pub(super) fn keep_mute(&mut self, who: ParticipantId) {
        let Some(muted) = self.policy.muted(who) else { return };
        if self.pages.get(&who).is_some_and(|page| page.role == Role::External) {
            self.set_mute(&seat_key(who), Muted { own: false, ..muted });
        }
        if let Some(identity) = self.identity_of(who) {
            let kept = Muted { own: self.own_mute_of_device(&identity, None), ..self.kept_mute(&identity) };
            self.set_mute(&identity, kept.and(Muted { own: false, ..muted }));
        }
    }

    /// A host has muted somebody, or the mute was lifted: so it is for every presence that this person has here. Callers who are not known
    /// may be several under one name, and are each for themselves.
    pub(super) fn spread_host_mute(&mut self, now: Instant, who: ParticipantId, before: bool) {
        let Some(on) = self.policy.muted(who).map(|muted| muted.host).filter(|on| *on != before) else { return };
        let Some(identity) = self.identity_of(who) else { return };
        let pages = self.pages.iter().filter(|(_, page)| page.identity.as_ref() == Some(&identity)).map(|(who, _)| *who);
        let calls = self.guests.iter().filter(|(_, guest)| guest.identity == identity && guest.known).map(|(who, _)| *who);
        let others: Vec<_> = pages.chain(calls).filter(|other| *other != who).collect();
        for other in others {
            self.fact(now, Fact::HostMute { who: other, on });
        }
        let calls = self.guests.iter().filter(|(_, guest)| guest.identity == identity);
        let host = on || calls.map(|(who, _)| *who).any(|who| self.policy.muted(who).is_some_and(|muted| muted.host));
        let kept = Muted { host, ..self.kept_mute(&identity) };
        self.set_mute(&identity, kept);
    }

    /// Who somebody is beyond this presence.
    fn identity_of(&self, who: ParticipantId) -> Option<String> {
        let page = self.pages.get(&who).and_then(|page| page.identity.clone());
        page.or_else(|| self.guests.get(&who).map(|guest| guest.identity.clone()))
    }

    /// Whether a call of this device, other than `but`, has closed its microphone itself.
    fn own_mute_of_device(&self, identity: &str, but: Option<ParticipantId>) -> bool {
        let calls = self.guests.iter().filter(|(who, guest)| guest.identity == identity && Some(**who) != but);
        calls.map(|(who, _)| *who).any(|who| self.policy.muted(who).is_some_and(|muted| muted.own))
    }

    /// A seat is given up: nobody comes back to it.
    pub(super) fn forget_seat_mute(&mut self, who: ParticipantId) {
        self.set_mute(&seat_key(who), Muted::default());
    }

    /// A device's call is over. Who hangs up opens what they have closed themselves; who is lost does not.
    pub(super) fn depart_muted(&mut self, who: ParticipantId, lost: bool) {
        let (Some(guest), Some(muted)) = (self.guests.get(&who), self.policy.muted(who)) else { return };
        let identity = guest.identity.clone();
        self.departed.push_back((who, muted));
        if self.departed.len() > DEPARTED {
            self.departed.pop_front();
        }
        if !lost {
            let kept = Muted { own: self.own_mute_of_device(&identity, Some(who)), ..self.kept_mute(&identity) };
            self.set_mute(&identity, kept.and(Muted { own: false, ..muted }));
        }
    }

    fn set_mute(&mut self, identity: &str, muted: Muted) {
        let now = unix_millis(SystemTime::now());
        let change = self.shared.mutes.set((&self.name, self.run), identity, muted, now);
        self.acts.extend(change.map(MeetingAct::Mute));
    }

    /// The run of the meeting is over.
    pub(super) fn forget_mutes(&self, ending: RunEnd) -> Option<MuteChange> {
        self.shared.mutes.over(&self.name, ending, unix_millis(SystemTime::now()))
    }

    /// Somebody is asked to open the microphone that they have closed.
    pub(super) fn asked_to_unmute(&mut self, by: Asker, who: ParticipantId) {
        let host = match by {
            Asker::Operator => None,
            Asker::Participant(host) => {
                self.policy.names().find(|(who, ..)| *who == host).map(|(_, name, _)| name.expose().clone())
            }
        };
        self.tell_page(who, ToPage::UnmuteAsked { by: host.unwrap_or_else(|| OPERATOR.to_owned()) });
        self.answer(Ok(Granted::Asked));
    }
}
