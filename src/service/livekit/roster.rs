//! [`Roster`]: who else is in a room, as the server tells it change by change, and whose tracks are subscribed to.

use std::collections::{BTreeMap, BTreeSet};

use super::proto::{ParticipantInfo, ParticipantState, UpdateSubscription};

/// Participants of a room that are followed; what a server says of more is left out.
const MOST_PEOPLE: usize = 5000;

/// See the file's paragraph.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// Our own presence, which is in lists of the server as well.
    own: Option<String>,
    people: BTreeMap<String, ParticipantInfo>,
    ignored: BTreeSet<String>,
    subscribed: BTreeSet<String>,
    /// A whole list is to come: who has left while the WebSocket was lost is told by not being in it.
    awaits_list: bool,
}

impl Roster {
    /// In the room as a new presence, beside these; the server knows of no subscription of it.
    pub(super) fn joined(&mut self, own: Option<String>, others: Vec<ParticipantInfo>) {
        self.own = own;
        self.awaits_list = false;
        self.people.clear();
        self.subscribed.clear();
        self.update(others);
    }

    /// Back as the same presence: the server sends everybody once more, our own presence among them.
    pub(super) const fn resumed(&mut self) {
        self.awaits_list = true;
    }

    /// Takes what has changed.
    pub(super) fn update(&mut self, changed: Vec<ParticipantInfo>) {
        if self.awaits_list && changed.iter().any(|one| Some(&one.sid) == self.own.as_ref()) {
            self.awaits_list = false;
            let there: BTreeSet<_> = changed.iter().map(|one| one.sid.as_str()).collect();
            self.people.retain(|sid, _| there.contains(sid.as_str()));
        }
        for one in changed {
            self.change(one);
        }
    }

    fn change(&mut self, one: ParticipantInfo) {
        if Some(&one.sid) == self.own.as_ref() {
            return;
        }
        if one.state() == ParticipantState::Disconnected {
            self.people.remove(&one.sid);
            return;
        }
        match self.people.get(&one.sid) {
            Some(known) if known.version > one.version => return,
            Some(_) => {}
            None => {
                // Who joins once more takes the place of the presence before, whichever is told first.
                self.people.retain(|_, known| known.identity != one.identity);
                if self.people.len() >= MOST_PEOPLE {
                    return;
                }
            }
        }
        self.people.insert(one.sid.clone(), one);
    }

    /// Whose tracks are not to be heard; false: as before.
    pub(super) fn ignore(&mut self, identities: BTreeSet<String>) -> bool {
        std::mem::replace(&mut self.ignored, identities) != self.ignored
    }

    /// What is to be said to the server so that all sound is subscribed to, and nothing else. Of tracks that are gone nothing is said: the
    /// server knows, and where it closes a room, a message that crosses its farewell makes it close the WebSocket without one.
    pub(super) fn subscriptions(&mut self) -> Vec<UpdateSubscription> {
        let (mut new, mut old, mut wanted) = (Vec::new(), Vec::new(), BTreeSet::new());
        for one in self.people.values() {
            let is_heard = !self.ignored.contains(&one.identity);
            for track in one.tracks.iter().filter(|track| track.is_sound()) {
                match (is_heard, self.subscribed.contains(&track.sid)) {
                    (true, false) => new.push(track.sid.clone()),
                    (false, true) => old.push(track.sid.clone()),
                    _ => {}
                }
                if is_heard {
                    wanted.insert(track.sid.clone());
                }
            }
        }
        self.subscribed = wanted;
        let changes = [(new, true), (old, false)].map(|(track_sids, subscribe)| UpdateSubscription { track_sids, subscribe });
        changes.into_iter().filter(|change| !change.track_sids.is_empty()).collect()
    }

    /// All that is subscribed to.
    pub(super) fn subscribed(&self) -> UpdateSubscription {
        UpdateSubscription { track_sids: self.subscribed.iter().cloned().collect(), subscribe: true }
    }

    /// Everybody else.
    pub(super) fn people(&self) -> Vec<ParticipantInfo> {
        self.people.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::proto::TrackInfo;
    use super::*;

    fn one(sid: &str, identity: &str, version: u32) -> ParticipantInfo {
        let track = TrackInfo { sid: format!("TR_{sid}"), ..TrackInfo::default() };
        let (sid, identity) = (sid.to_owned(), identity.to_owned());
        ParticipantInfo { sid, identity, version, state: 2, tracks: vec![track], ..ParticipantInfo::default() }
    }

    fn gone(sid: &str) -> ParticipantInfo {
        ParticipantInfo { state: 3, ..one(sid, sid, 9) }
    }

    fn joined(others: &[&str]) -> Roster {
        let mut roster = Roster::default();
        roster.joined(Some("own".to_owned()), others.iter().map(|sid| one(sid, sid, 1)).collect());
        roster
    }

    fn sids(roster: &Roster) -> Vec<String> {
        roster.people().into_iter().map(|one| one.sid).collect()
    }

    #[test]
    fn an_older_state_does_not_take_the_place_of_a_newer_one() {
        let mut roster = joined(&["a"]);
        roster.update(vec![one("a", "new name", 4), one("a", "old name", 3), one("own", "own", 7), gone("b")]);
        assert_eq!(roster.people(), [one("a", "new name", 4)]);
    }

    #[test]
    fn who_joins_once_more_is_there_once() {
        let mut roster = joined(&[]);
        roster.update(vec![one("a1", "anna", 5), one("a2", "anna", 0)]);
        assert_eq!(sids(&roster), ["a2"]);
        roster.update(vec![gone("a1")]);
        assert_eq!(sids(&roster), ["a2"]);
    }

    #[test]
    fn who_left_during_a_loss_is_not_in_the_list_after_it() {
        let mut roster = joined(&["a", "b"]);
        roster.resumed();
        roster.update(vec![one("c", "c", 1)]);
        assert_eq!(sids(&roster), ["a", "b", "c"], "a change among others is no list");
        roster.update(vec![one("own", "own", 3), one("b", "b", 2), one("c", "c", 1)]);
        assert_eq!(sids(&roster), ["b", "c"]);
        roster.update(vec![one("own", "own", 4)]);
        assert_eq!(sids(&roster), ["b", "c"], "there is one list after each loss");
    }

    #[test]
    fn sound_is_subscribed_to_once_and_as_long_as_it_is_there() {
        let mut roster = joined(&["a", "b"]);
        roster.ignore(BTreeSet::from(["b".to_owned()]));
        let change = |sids: &[&str], subscribe| UpdateSubscription {
            track_sids: sids.iter().map(|sid| format!("TR_{sid}")).collect(),
            subscribe,
        };
        assert_eq!(roster.subscriptions(), [change(&["a"], true)]);
        assert_eq!(roster.subscriptions(), []);
        let mut encrypted = one("c", "c", 1);
        encrypted.tracks[0].encryption = 1;
        roster.update(vec![gone("a"), encrypted]);
        assert!(roster.ignore(BTreeSet::new()));
        assert_eq!(roster.subscriptions(), [change(&["b"], true)], "the server knows who has gone");
        roster.ignore(BTreeSet::from(["b".to_owned()]));
        assert_eq!(roster.subscriptions(), [change(&["b"], false)]);
        roster.ignore(BTreeSet::new());
        roster.joined(Some("own".to_owned()), vec![one("b", "b", 1)]);
        assert_eq!(roster.subscriptions(), [change(&["b"], true)], "a new presence begins without any");
    }

    #[test]
    fn of_a_crowd_beyond_all_bounds_some_are_followed() {
        let mut roster = joined(&[]);
        let crowd = (0..MOST_PEOPLE + 10).map(|number| one(&number.to_string(), &number.to_string(), 1));
        roster.update(crowd.collect());
        assert_eq!(roster.people().len(), MOST_PEOPLE);
    }
}
