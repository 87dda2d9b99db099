//! Names of people in a meeting: nobody bears one that is another's (M-1).

use super::knock_rules::KnockRules;
use super::participants::ParticipantTable;
use crate::common::ids::ParticipantId;
use crate::common::redact::Redacted;
use crate::meeting::messages::OPERATOR;
use crate::meeting::reserved_names::{self, ReservedNames};
use crate::policy::{Policy, Role, Via};

/// Names of members and known devices that are in the meeting or could be, and the operator's; but for one participant's.
pub(super) fn owned(entry: &KnockRules, policy: &Policy, people: &ParticipantTable, but: ParticipantId) -> Vec<ReservedNames> {
    let mut owned = vec![ReservedNames { name: OPERATOR.to_owned(), identity: None }];
    let device =
        |(label, name): (&String, &String)| ReservedNames { name: name.clone(), identity: Some(format!("device/{label}")) };
    owned.extend(entry.devices().iter().map(device));
    for (who, name, role) in policy.names().filter(|(who, ..)| *who != but) {
        let identity = match (people.pages.get(&who), people.guests.get(&who)) {
            (Some(page), _) if role == Role::Member => page.identity.clone(),
            (None, Some(guest)) if guest.known => Some(guest.identity.clone()),
            (None, None) if role == Role::Member => None,
            _ => continue,
        };
        owned.push(ReservedNames { name: name.expose().clone(), identity });
    }
    owned
}

/// Somebody who gets another name.
pub(super) struct Renamed {
    pub(super) who: ParticipantId,
    pub(super) via: Via,
    pub(super) name: Redacted<String>,
}

/// Whoever bears a name that is `owner`'s from now on, and has no right to it, with a mark behind it.
pub(super) fn displaced(policy: &Policy, people: &ParticipantTable, owner: ParticipantId, name: &str) -> Vec<Renamed> {
    let folded = reserved_names::fold(name);
    let owned = [ReservedNames { name: name.to_owned(), identity: None }];
    let renamed = |(who, other, role): (ParticipantId, &Redacted<String>, Role)| {
        let known = people.guests.get(&who).is_some_and(|guest| guest.known);
        if who == owner || role != Role::External || known || reserved_names::fold(other.expose()) != folded {
            return None;
        }
        let (via, mark) = match (people.pages.contains_key(&who), people.remote.contains_key(&who)) {
            (true, _) => (Via::Browser, "guest"),
            (false, true) => (Via::Service, "guest"),
            (false, false) => (Via::Phone, "caller"),
        };
        let name = Redacted::new(reserved_names::distinct(other.expose(), mark, None, &owned));
        Some(Renamed { who, via, name })
    };
    policy.names().filter_map(renamed).collect()
}
