//! [`Sessions`]: makes links, exchanges them for sessions, and knows which sessions there are; each change is on the disk before it counts.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;

use super::id::SessionId;
use super::link::{Link, LinkError, NewLink};
use super::page_session::{PageSession, SESSION_VALID, SessionEnd};
use super::role::LinkRole;
use super::seal::{Seal, TokenPurpose};
use super::table::{BrowserArrival, SessionTable};
use crate::common::ids::MeetingName;
use crate::common::redact::Redacted;
use crate::common::units::unix_millis;
use crate::http::secret::{self, SecretError, random_id};
use crate::store::{self, SessionChange, StoreError};

/// The key's name in the state directory.
pub(super) const KEY_FILE: &str = "session.key";

/// Why sessions cannot be had at all.
#[derive(Debug, thiserror::Error)]
pub enum SessionsError {
    /// The key.
    #[error(transparent)]
    Key(#[from] SecretError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes links, exchanges them, and knows sessions. Clones share everything.
#[derive(Clone)]
pub struct Sessions(Arc<Shared>);

struct Shared {
    seal: Seal,
    table: Mutex<SessionTable>,
    /// Changes are begun in the order in which they were decided.
    turn: tokio::sync::Mutex<()>,
    store: store::StoreHandle,
    /// Counts sessions that were ended before their time.
    endings: watch::Sender<u64>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions(***)")
    }
}

impl Sessions {
    /// Those of this state directory and its store. The key is made, mode 0600, if there is none.
    ///
    /// # Errors
    /// The key can be neither read nor made, or the store does not answer.
    pub async fn open(state_dir: &Path, store: store::StoreHandle, now: SystemTime) -> Result<Self, SessionsError> {
        let seal = Seal::new(secret::key(&state_dir.join(KEY_FILE))?);
        let (links, sessions) = store.living_sessions(unix_millis(now)).await?;
        let links = links.into_iter().filter_map(Link::read);
        let table = SessionTable::new(links, sessions.into_iter().filter_map(PageSession::read));
        let table = Mutex::new(table);
        let (turn, endings) = (tokio::sync::Mutex::default(), watch::Sender::new(0));
        Ok(Self(Arc::new(Shared { seal, table, turn, store, endings })))
    }

    fn table(&self) -> MutexGuard<'_, SessionTable> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides, and writes down what was decided; where that fails, it is undone.
    async fn decide<T>(
        &self,
        now: SystemTime,
        decision: impl FnOnce(&mut SessionTable) -> Result<(T, SessionChange), LinkError>,
    ) -> Result<T, LinkError> {
        let turn = self.0.turn.lock().await;
        let (decided, change) = decision(&mut self.table())?;
        let change = SessionChange { now: unix_millis(now), ..change };
        let written = self.0.store.sessions(change.clone()).await;
        drop(turn);
        let error = match written.await {
            Ok(Ok(_)) => return Ok(decided),
            Ok(Err(error)) => error,
            Err(_) => StoreError::Closed,
        };
        tracing::error!(%error, "a link or a session could not be written down");
        self.table().undo(&change);
        Err(LinkError::Fault)
    }

    /// A new link, and its token: put that behind `/enter?token=`.
    ///
    /// # Errors
    /// [`LinkError::Busy`]: its maker has too many; [`LinkError::Fault`].
    pub async fn make_link(&self, wanted: NewLink, now: SystemTime) -> Result<(Link, String), LinkError> {
        let id = random_id().map_err(|_| LinkError::Fault)?;
        let link = self.decide(now, |table| table.make(wanted, id, now)).await?;
        Ok((link, self.0.seal.token(TokenPurpose::Link, &id)))
    }

    /// A link's token, if it could be exchanged now. Does not use it up.
    ///
    /// # Errors
    /// As [`Sessions::exchange`].
    pub fn peek(&self, token: &str, now: SystemTime) -> Result<Link, LinkError> {
        let id = self.0.seal.open(TokenPurpose::Link, token).ok_or(LinkError::Forged)?;
        self.table().usable(&id, now).cloned()
    }

    /// Where a link of ours has led, even if it opens nothing any more: whoever has a session there goes on.
    #[must_use]
    pub fn led_to(&self, token: &str) -> Option<(MeetingName, LinkRole)> {
        let id = self.0.seal.open(TokenPurpose::Link, token)?;
        self.table().link(&id).map(|link| (link.meeting.clone(), link.role))
    }

    /// Uses a link once: the session it opens, in the place of one that the browser has there already, and the value of its cookie. It is on
    /// the disk when this returns.
    ///
    /// # Errors
    /// The link is forged, expired or used, or we cannot keep the promise that it works only so often.
    pub async fn exchange(
        &self,
        token: &str,
        instead_of: Option<SessionId>,
        arrival: &BrowserArrival,
        now: SystemTime,
    ) -> Result<(PageSession, String), LinkError> {
        let link = self.0.seal.open(TokenPurpose::Link, token).ok_or(LinkError::Forged)?;
        let id = random_id().map_err(|_| LinkError::Fault)?;
        let session = self.decide(now, |table| table.exchange(&link, id, instead_of, arrival, now)).await?;
        if instead_of.is_some() {
            self.0.endings.send_modify(|count| *count += 1);
        }
        Ok((session, self.0.seal.token(TokenPurpose::Session, &id)))
    }

    /// The session of somebody who has given the passcode of a meeting, and the value of its cookie.
    ///
    /// # Errors
    /// [`LinkError::Fault`].
    pub async fn with_passcode(
        &self,
        meeting: &MeetingName,
        made_at: u64,
        passcode: &Redacted<String>,
        arrival: &BrowserArrival,
        now: SystemTime,
    ) -> Result<(PageSession, String), LinkError> {
        let id = random_id().map_err(|_| LinkError::Fault)?;
        let session = PageSession {
            meeting: meeting.clone(),
            role: LinkRole::Guest,
            made_at,
            id,
            link: None,
            code: Some(self.0.seal.code(meeting, passcode.expose())),
            since: now,
            expires: now + SESSION_VALID,
        };
        let session = self.decide(now, |table| table.admit(session, arrival, now)).await?;
        Ok((session, self.0.seal.token(TokenPurpose::Session, &id)))
    }

    /// Whose cookie this is; `None` for one that is forged, expired or was ended.
    #[must_use]
    pub fn session(&self, cookie: &str, now: SystemTime) -> Option<PageSession> {
        let id = self.0.seal.open(TokenPurpose::Session, cookie)?;
        self.table().session(&id, now).cloned()
    }

    /// Whether what has opened a session would still open it: where the passcode did, it must be this one.
    #[must_use]
    pub fn still_opens(&self, session: &PageSession, passcode: Option<&Redacted<String>>) -> bool {
        match (session.code, passcode) {
            (Some(code), Some(passcode)) => code == self.0.seal.code(&session.meeting, passcode.expose()),
            _ => true,
        }
    }

    /// Whether the pages of a session may stay: it lives, or gave way to others while they were open.
    #[must_use]
    pub fn keeps_pages(&self, id: &SessionId, now: SystemTime) -> bool {
        self.table().keeps_pages(id, now)
    }

    /// Whether the session of this name lives.
    #[must_use]
    pub fn lives(&self, id: &SessionId, now: SystemTime) -> bool {
        self.table().session(id, now).is_some()
    }

    /// Changes whenever sessions end before their time.
    #[must_use]
    pub fn endings(&self) -> watch::Receiver<u64> {
        self.0.endings.subscribe()
    }

    /// Ends a session at once: its cookie is worth nothing from now on. What it was; `None`: there is none of this name.
    ///
    /// # Errors
    /// It has ended, but that could not be written down: it would be back after a restart.
    pub async fn end(&self, id: &SessionId, ending: SessionEnd, now: SystemTime) -> Result<Option<PageSession>, LinkError> {
        let opened_by = |session: &PageSession| session.link.map(|link| (session.meeting.clone(), link));
        let link = self.table().session(id, now).and_then(|session| opened_by(session));
        if ending == SessionEnd::Removed
            && let Some((meeting, link)) = link
        {
            // The link that was used would let its bearer in again (U-4). What could not be written down is in the log; it opens nothing here.
            let _ = self.revoke_link(&meeting, &link, now).await;
        }
        let turn = self.0.turn.lock().await;
        let Some(session) = self.table().end(id) else { return Ok(None) };
        self.0.endings.send_modify(|count| *count += 1);
        let change = SessionChange { now: unix_millis(now), without_sessions: vec![*id], ..SessionChange::default() };
        let written = self.0.store.sessions(change).await;
        drop(turn);
        written.await.ok().and_then(Result::ok).map(|_| Some(session)).ok_or(LinkError::Fault)
    }

    /// Takes a link back: nobody enters by it any more. `false`: there is none of this name in this meeting.
    ///
    /// # Errors
    /// It opens nothing, but that could not be written down: it would be back after a restart.
    pub async fn revoke_link(&self, meeting: &MeetingName, id: &SessionId, now: SystemTime) -> Result<bool, LinkError> {
        if self.table().link(id).is_none_or(|link| link.meeting != *meeting || !link.is_alive(now)) {
            return Ok(false);
        }
        self.decide(now, |table| Ok((true, table.revoke(id, now)))).await
    }

    /// The links of a meeting that open something, the newest first.
    #[must_use]
    pub fn links(&self, meeting: &MeetingName, made_at: u64, now: SystemTime) -> Vec<Link> {
        self.table().links(meeting, made_at, now)
    }

    /// The sessions that live, the newest first.
    #[must_use]
    pub fn all(&self, now: SystemTime) -> Vec<PageSession> {
        self.table().sessions(now)
    }
}
