//! [`SessionTable`]: which links and sessions there are, what becomes of them, and how many there may be. Pure; time is an input.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::SystemTime;

use super::id::SessionId;
use super::link::{Link, LinkError, NewLink};
use super::page_session::{PageSession, SESSION_VALID};
use super::role::LinkRole;
use crate::common::ids::MeetingName;
use crate::common::ip_network::subscriber;
use crate::store::SessionChange;

/// Links that open something and were made by one member; more are refused ([`LinkError::Busy`]).
const LINKS_OF_A_MAKER: usize = 200;
/// Sessions of members of one meeting; more are refused, so that whoever has links of one meeting takes no room of another's.
const MEMBERS_OF_A_MEETING: usize = 2000;
/// Sessions of one meeting that links for guests have opened; for one more another gives way.
const GUESTS_OF_A_MEETING: usize = 1000;
/// Sessions of one meeting that its passcode has opened; for one more another gives way, whose browser is asked for the passcode again.
const CODES_OF_A_MEETING: usize = 1000;
/// Links altogether, those included that only tell where they led.
const LINKS: usize = 20_000;
/// Links that only the operator has room for.
const LINKS_OF_THE_OPERATOR: usize = 1000;
/// Sessions altogether.
const SESSIONS: usize = 50_000;

/// What is known of a browser that comes, beyond what it shows.
#[derive(Debug, Clone, Default)]
pub struct BrowserArrival {
    /// Its address.
    pub from: Option<IpAddr>,
    /// The sessions that have a page open: they are the last to give way.
    pub open: HashSet<SessionId>,
}

/// Which links and sessions there are.
#[derive(Debug, Default)]
pub(super) struct SessionTable {
    links: HashMap<SessionId, Link>,
    sessions: HashMap<SessionId, PageSession>,
    /// Where those came from that were opened since the start.
    sources: HashMap<SessionId, IpAddr>,
    /// Sessions that gave way with a page open: their cookies are worth nothing, and their pages stay.
    given_way: HashMap<SessionId, PageSession>,
}

type Decided<T> = Result<(T, SessionChange), LinkError>;

impl SessionTable {
    pub(super) fn new(links: impl Iterator<Item = Link>, sessions: impl Iterator<Item = PageSession>) -> Self {
        Self {
            links: links.map(|link| (link.id, link)).collect(),
            sessions: sessions.map(|session| (session.id, session)).collect(),
            ..Self::default()
        }
    }

    fn sweep(&mut self, now: SystemTime) {
        self.links.retain(|_, link| link.kept_until > now);
        self.sessions.retain(|_, session| session.expires > now);
        self.given_way.retain(|_, session| session.expires > now);
        self.sources.retain(|id, _| self.sessions.contains_key(id));
    }

    /// The link of this name, whether or not it opens anything.
    pub(super) fn link(&self, id: &SessionId) -> Option<&Link> {
        self.links.get(id)
    }

    /// The link of this name, if it opens something.
    pub(super) fn usable(&self, id: &SessionId, now: SystemTime) -> Result<&Link, LinkError> {
        // One that we have signed and do not know has died, or was taken back.
        let link = self.links.get(id).filter(|link| link.expires > now).ok_or(LinkError::Expired)?;
        if link.uses == 0 { Err(LinkError::Used) } else { Ok(link) }
    }

    /// The living session of this name.
    pub(super) fn session(&self, id: &SessionId, now: SystemTime) -> Option<&PageSession> {
        self.sessions.get(id).filter(|session| session.expires > now)
    }

    /// Whether pages of the session of this name may stay: it lives, or gave way while they were open.
    pub(super) fn keeps_pages(&self, id: &SessionId, now: SystemTime) -> bool {
        self.session(id, now).or_else(|| self.given_way.get(id)).is_some_and(|session| session.expires > now)
    }

    /// Which of these gives way to one more: of those without an open page one of the address that has most of them, the oldest there. So
    /// whoever opens sessions without end loses their own.
    fn first_to_go(&self, theirs: impl Fn(&PageSession) -> bool, open: &HashSet<SessionId>) -> Option<SessionId> {
        let mut crowds: HashMap<IpAddr, usize> = HashMap::new();
        let theirs = || self.sessions.values().filter(|session| theirs(session));
        for from in theirs().filter_map(|session| self.sources.get(&session.id)) {
            *crowds.entry(*from).or_default() += 1;
        }
        let crowd = |id: &SessionId| self.sources.get(id).and_then(|from| crowds.get(from)).copied().unwrap_or_default();
        let first = theirs().max_by_key(|one| (!open.contains(&one.id), crowd(&one.id), Reverse(one.since), one.id));
        first.map(|session| session.id)
    }

    /// Which session gives way to one more of these, of which there may be `most`; `None`: there is room. Sessions of guests give way to
    /// others, those of members to nobody.
    fn room_for(
        &self,
        (theirs, guests): (impl Fn(&PageSession) -> bool, bool),
        most: usize,
        arrival: &BrowserArrival,
    ) -> Result<Option<SessionId>, LinkError> {
        let full = self.sessions.values().filter(|other| theirs(other)).count() >= most;
        let gives_way = match (full, guests) {
            (true, true) => self.first_to_go(theirs, &arrival.open),
            (true, false) => None,
            (false, _) if self.sessions.len() >= SESSIONS => {
                self.first_to_go(|other| other.role == LinkRole::Guest, &arrival.open)
            }
            (false, _) => return Ok(None),
        };
        gives_way.map(Some).ok_or(LinkError::Busy)
    }

    /// Takes the cookie of a session, and none of its seats.
    fn give_way(&mut self, id: SessionId, open: &HashSet<SessionId>) {
        if let Some(session) = self.sessions.remove(&id).filter(|_| open.contains(&id)) {
            self.given_way.insert(id, session);
        }
    }

    /// Makes a link.
    pub(super) fn make(&mut self, wanted: NewLink, id: SessionId, now: SystemTime) -> Decided<Link> {
        self.sweep(now);
        let NewLink { meeting, made_at, role, uses, valid, maker } = wanted;
        let theirs = |link: &&Link| link.maker == maker && link.is_alive(now);
        let full = match maker {
            None => self.links.len() >= LINKS,
            Some(_) => {
                self.links.values().filter(theirs).count() >= LINKS_OF_A_MAKER
                    || self.links.len() >= LINKS - LINKS_OF_THE_OPERATOR
            }
        };
        if full {
            return Err(LinkError::Busy);
        }
        let expires = now + valid;
        let link = Link { id, meeting, made_at, role, uses, since: now, expires, kept_until: expires, maker };
        self.links.insert(id, link.clone());
        let change = SessionChange { links: vec![link.stored()], ..SessionChange::default() };
        Ok((link, change))
    }

    /// Uses a link once, for a session of this name.
    pub(super) fn exchange(
        &mut self,
        link: &SessionId,
        id: SessionId,
        instead_of: Option<SessionId>,
        arrival: &BrowserArrival,
        now: SystemTime,
    ) -> Decided<PageSession> {
        self.sweep(now);
        let found = self.usable(link, now)?.clone();
        let guest = found.role == LinkRole::Guest;
        let theirs = |other: &PageSession| {
            other.meeting == found.meeting && other.code.is_none() && (other.role == LinkRole::Guest) == guest
        };
        let gives_way =
            self.room_for((theirs, guest), if guest { GUESTS_OF_A_MEETING } else { MEMBERS_OF_A_MEETING }, arrival)?;
        let Link { meeting, made_at, role, .. } = found.clone();
        let expires = now + SESSION_VALID;
        let session = PageSession { meeting, role, made_at, id, link: Some(*link), code: None, since: now, expires };
        let used = Link { uses: found.uses - 1, kept_until: found.kept_until.max(expires), ..found };
        let mut change = SessionChange { links: vec![used.stored()], ..SessionChange::default() };
        self.links.insert(*link, used);
        if let Some(before) = instead_of.filter(|before| self.sessions.remove(before).is_some()) {
            change.without_sessions.push(before);
        }
        if let Some(other) = gives_way {
            self.give_way(other, &arrival.open);
            change.without_sessions.push(other);
        }
        change.sessions.push(session.stored());
        self.insert(session.clone(), arrival);
        Ok((session, change))
    }

    /// Keeps a session that the passcode has opened.
    pub(super) fn admit(&mut self, session: PageSession, arrival: &BrowserArrival, now: SystemTime) -> Decided<PageSession> {
        self.sweep(now);
        let mut change = SessionChange { sessions: vec![session.stored()], ..SessionChange::default() };
        let theirs = |other: &PageSession| other.meeting == session.meeting && other.code.is_some();
        change.without_sessions.extend(self.room_for((theirs, true), CODES_OF_A_MEETING, arrival)?);
        for before in &change.without_sessions {
            self.give_way(*before, &arrival.open);
        }
        self.insert(session.clone(), arrival);
        Ok((session, change))
    }

    fn insert(&mut self, session: PageSession, arrival: &BrowserArrival) {
        if let Some(from) = arrival.from {
            self.sources.insert(session.id, subscriber(from));
        }
        self.sessions.insert(session.id, session);
    }

    /// Ends a session.
    pub(super) fn end(&mut self, id: &SessionId) -> Option<PageSession> {
        self.sessions.remove(id).or_else(|| self.given_way.remove(id))
    }

    /// Takes a link back. It is remembered where it led, for those whom it has let in.
    pub(super) fn revoke(&mut self, id: &SessionId, now: SystemTime) -> SessionChange {
        let revoked = self.links.get_mut(id).map(|link| {
            link.expires = link.expires.min(now);
            link.stored()
        });
        SessionChange { links: revoked.into_iter().collect(), ..SessionChange::default() }
    }

    /// What could not be written down has not happened: a link keeps its use, and nobody has a new session. Sessions that gave way stay
    /// ended.
    pub(super) fn undo(&mut self, change: &SessionChange) {
        for session in &change.sessions {
            self.sessions.remove(&session.id);
            if let Some(link) = session.link.and_then(|link| self.links.get_mut(&link)) {
                link.uses += 1;
            }
        }
        if change.sessions.is_empty() {
            for link in &change.links {
                self.links.remove(&link.id);
            }
        }
    }

    /// The links of a meeting that open something, the newest first.
    pub(super) fn links(&self, meeting: &MeetingName, made_at: u64, now: SystemTime) -> Vec<Link> {
        let theirs = |link: &&Link| link.meeting == *meeting && link.made_at == made_at && link.is_alive(now);
        let mut found: Vec<_> = self.links.values().filter(theirs).cloned().collect();
        found.sort_by(|one, other| other.since.cmp(&one.since).then_with(|| one.id.cmp(&other.id)));
        found
    }

    /// The sessions that live, the newest first.
    pub(super) fn sessions(&self, now: SystemTime) -> Vec<PageSession> {
        let mut found: Vec<_> = self.sessions.values().filter(|session| session.expires > now).cloned().collect();
        found.sort_by(|one, other| other.since.cmp(&one.since).then_with(|| one.id.cmp(&other.id)));
        found
    }
}
