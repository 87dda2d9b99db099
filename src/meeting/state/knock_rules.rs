//! Who may knock at a meeting: whether it takes externals at all (M-11), its passcode (K-1), and how often and how many (M-14).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::participants::ParticipantTable;
use crate::common::cause::Cause;
use crate::common::ids::{MeetingName, ParticipantId};
use crate::common::ip_network::subscriber;
use crate::meeting::join::{JoinPage, PasscodeProof};
use crate::meeting::messages::MeetingRefusal;
use crate::meeting::reserved_names;
use crate::meeting::settings::ConfiguredMeetings;
use crate::policy::{Policy, PolicySettings, Role, Standing, Via};

/// What is configured of one meeting at the moment, asked wherever somebody wants in.
pub(super) struct KnockRules {
    meeting: MeetingName,
    configured: Arc<ConfiguredMeetings>,
}

impl KnockRules {
    pub(super) const fn new(meeting: MeetingName, configured: Arc<ConfiguredMeetings>) -> Self {
        Self { meeting, configured }
    }

    /// Why externals with this proof may not knock now (M-11, K-1).
    pub(super) fn refusal(&self, proof: &PasscodeProof) -> Option<Cause> {
        if !self.configured.admits_anonymous(&self.meeting) {
            return Some(Cause::AnonymousOff);
        }
        (!proof.opens(self.configured.passcode(&self.meeting).as_ref())).then_some(Cause::PasscodeWanted)
    }

    /// Whether an external in a browser may knock now (M-11, M-14, K-1); counted.
    pub(super) fn page_knocks(&self, now: Instant, join: &JoinPage) -> Result<(), MeetingRefusal> {
        match self.refusal(&join.proof) {
            None => {}
            Some(Cause::PasscodeWanted) => return Err(MeetingRefusal::PasscodeWanted),
            Some(_) => return Err(MeetingRefusal::AnonymousOff),
        }
        self.configured.knocks().knock(now, join.from, &denial_key(join.from, &join.name))
    }

    /// Why a device may not knock now (M-11, M-14). Its calls are limited where they come in, and a passcode is keyed before.
    pub(super) fn device_knocks(&self, now: Instant, identity: &str) -> Option<Cause> {
        if !self.configured.admits_anonymous(&self.meeting) {
            return Some(Cause::AnonymousOff);
        }
        self.configured.knocks().knock(now, None, identity).is_err().then_some(Cause::Denied)
    }

    /// A member has denied somebody: it may not knock again at once.
    pub(super) fn denied(&self, now: Instant, who: ParticipantId, people: &ParticipantTable) {
        let (address, key) = match (people.pages.get(&who), people.guests.get(&who)) {
            (Some(page), _) => (page.address, page.denial_key.clone()),
            (None, Some(guest)) => (None, guest.identity.clone()),
            (None, None) => return,
        };
        self.configured.knocks().deny(now, address, key);
    }

    /// The meeting is there again after a restart.
    pub(super) fn outlasts_a_restart(&self) -> bool {
        self.configured.outlasts_a_restart(&self.meeting)
    }

    /// Its rules, as they are configured.
    pub(super) fn policy(&self) -> Option<PolicySettings> {
        self.configured.policy(&self.meeting)
    }

    /// Names of configured devices, by label (M-1).
    pub(super) fn devices(&self) -> Arc<BTreeMap<String, String>> {
        self.configured.devices(&self.meeting)
    }
}

/// Whom one more from this address displaces where no more may wait (M-14): of those who wait the newest of the address that has most of
/// them; nobody gives way to one of an address that has as many.
pub(super) fn displaced(
    policy: &Policy,
    people: &ParticipantTable,
    from: Option<IpAddr>,
) -> Result<Option<ParticipantId>, MeetingRefusal> {
    // Inside there may be room for a phone where no browser more may wait.
    let waits_full = policy.has_room(Role::External, Via::Browser).is_err();
    if !waits_full || policy.has_room(Role::External, Via::Phone).is_err() {
        return Ok(None);
    }
    let waits = |who: &ParticipantId| policy.standing(*who).is_some_and(|standing| standing != Standing::In);
    let mut crowds: BTreeMap<Option<IpAddr>, (usize, ParticipantId)> = BTreeMap::new();
    for (who, page) in people.pages.iter().filter(|(who, _)| waits(who)) {
        let (waiting, newest) = crowds.entry(page.address.map(subscriber)).or_insert((0, *who));
        *waiting += 1;
        *newest = (*newest).max(*who);
    }
    let own = crowds.get(&from.map(subscriber)).map_or(0, |(waiting, _)| *waiting);
    match crowds.into_values().max() {
        Some((most, newest)) if most > own + 1 => Ok(Some(newest)),
        _ if own > 0 => Err(MeetingRefusal::TooManyKnocks),
        _ => Err(MeetingRefusal::MeetingFull),
    }
}

/// Under what a denied guest in a browser is remembered.
pub(super) fn denial_key(from: Option<IpAddr>, name: &str) -> String {
    let from = from.map(subscriber).map(|from| from.to_string()).unwrap_or_default();
    format!("page/{from}/{}", reserved_names::fold(name))
}
