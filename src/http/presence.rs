//! [`Presences`]: which participants belong to which session, so that the API can act for a page, and a participant that is removed loses
//! the session as well.

use std::collections::{HashMap, HashSet};

use super::session::SessionId;
use crate::common::ids::ParticipantId;

/// Presences of one session that are remembered; beyond, the oldest without an open page is forgotten.
const OF_A_SESSION: usize = 16;

/// One presence of a session.
#[derive(Debug)]
struct Presence {
    who: ParticipantId,
    /// Its pages that are open. A page that came back has the same presence, and its old socket may end after the new one began.
    open: usize,
}

/// By session, the newest presence last. A presence stays known while its connection is lost: it may be removed then, too.
#[derive(Debug, Default)]
pub(super) struct Presences(HashMap<SessionId, Vec<Presence>>);

impl Presences {
    /// A page of this session has joined.
    pub(super) fn joined(&mut self, session: SessionId, who: ParticipantId) {
        let theirs = self.0.entry(session).or_default();
        let open = theirs.iter().position(|presence| presence.who == who).map_or(0, |at| theirs.remove(at).open);
        theirs.push(Presence { who, open: open + 1 });
        if theirs.len() > OF_A_SESSION
            && let Some(oldest) = theirs.iter().position(|presence| presence.open == 0)
        {
            theirs.remove(oldest);
        }
    }

    /// The page's socket has ended.
    pub(super) fn closed(&mut self, session: &SessionId, who: ParticipantId) {
        if let Some(presence) = self.0.get_mut(session).and_then(|theirs| theirs.iter_mut().find(|one| one.who == who)) {
            presence.open = presence.open.saturating_sub(1);
        }
    }

    /// The newest presence of a session whose page is open.
    pub(super) fn newest(&self, session: &SessionId) -> Option<ParticipantId> {
        self.0.get(session)?.iter().rev().find(|presence| presence.open > 0).map(|presence| presence.who)
    }

    /// The session that a row belongs to.
    pub(super) fn session_of(&self, who: ParticipantId) -> Option<SessionId> {
        let theirs = |presences: &[Presence]| presences.iter().any(|presence| presence.who == who);
        self.0.iter().find(|(_, presences)| theirs(presences)).map(|(session, _)| *session)
    }

    /// Every presence of a session.
    pub(super) fn all_of(&self, session: &SessionId) -> Vec<ParticipantId> {
        self.0.get(session).into_iter().flatten().map(|presence| presence.who).collect()
    }

    /// The sessions that have a page open.
    pub(super) fn open(&self) -> HashSet<SessionId> {
        let open = self.0.iter().filter(|(_, theirs)| theirs.iter().any(|presence| presence.open > 0));
        open.map(|(session, _)| *session).collect()
    }

    /// Forgets sessions that are over, with no page open.
    pub(super) fn sweep(&mut self, lives: impl Fn(&SessionId) -> bool) {
        self.0.retain(|session, theirs| theirs.iter().any(|presence| presence.open > 0) || lives(session));
    }

    /// How many sessions are known.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(number: u64) -> ParticipantId {
        ParticipantId::from_number(number)
    }

    /// A session speaks for its newest open page and its rows stay known when connections are lost.
    #[test]
    fn u4_a_session_speaks_for_its_newest_open_page_and_its_rows() {
        let (one, other) = ([1; 16], [2; 16]);
        let mut presences = Presences::default();
        presences.joined(one, who(1));
        presences.joined(one, who(2));
        presences.joined(other, who(3));
        assert_eq!(presences.newest(&one), Some(who(2)));
        // It came back before its old socket ended.
        presences.joined(one, who(2));
        presences.closed(&one, who(2));
        assert_eq!(presences.newest(&one), Some(who(2)));
        presences.closed(&one, who(2));
        assert_eq!(presences.newest(&one), Some(who(1)));
        assert_eq!((presences.session_of(who(2)), presences.session_of(who(9))), (Some(one), None));
        presences.closed(&one, who(1));
        presences.sweep(|session| *session == one);
        assert_eq!((presences.all_of(&one), presences.len()), (vec![who(1), who(2)], 2), "the other's page is open");
        presences.sweep(|_| false);
        assert_eq!((presences.all_of(&one), presences.all_of(&other)), (vec![], vec![who(3)]));
    }

    #[test]
    fn x2_one_session_is_remembered_with_a_few_rows_only() {
        let mut presences = Presences::default();
        for number in 1..100 {
            presences.joined([1; 16], who(number));
            presences.closed(&[1; 16], who(number));
        }
        assert_eq!(presences.all_of(&[1; 16]).len(), OF_A_SESSION);
        assert_eq!(presences.session_of(who(99)), Some([1; 16]));
    }
}
