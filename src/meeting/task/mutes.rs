//! Closed microphones that outlive a seat (K-4): written down when they change, and closed again for whoever comes back.
#![allow(clippy::disallowed_methods, reason = "part of the meeting's task: what is kept has a date")]

use std::time::SystemTime;

use super::{MeetingAct, MeetingTask};
use crate::common::ids::ParticipantId;
use crate::common::units::unix_millis;
use crate::meeting::messages::{Granted, OPERATOR, ToPage};
use crate::meeting::mutes::RunEnd;
use crate::policy::{Asker, Muted};
use crate::store::MuteChange;

/// Devices whose calls have ended are remembered for those that take their places; of more than that, the newest.
const DEPARTED: usize = 64;

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

    /// Somebody's row has changed: what of its microphone is to be kept. A page brings its owner's part along by itself.
    pub(super) fn keep_mute(&mut self, who: ParticipantId) {
        let Some(muted) = self.policy.muted(who) else { return };
        let page = self.pages.get(&who).and_then(|page| page.identity.clone()).map(|who| (who, Muted { own: false, ..muted }));
        if let Some((identity, muted)) = page.or_else(|| self.guests.get(&who).map(|guest| (guest.identity.clone(), muted))) {
            self.set_mute(&identity, muted);
        }
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
            self.set_mute(&identity, Muted { own: false, ..muted });
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
