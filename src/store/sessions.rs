//! Links into meetings and the sessions that were opened by them (U-4): kept over a restart, each with the date of its death.

use rusqlite::{Connection, Row, params};

use super::StoreError;
use super::limits::integer;

/// Names a link or a session; random.
pub(crate) type Id = [u8; 16];

/// One link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLink {
    /// Its name.
    pub id: Id,
    /// Where it leads.
    pub meeting: String,
    /// When the API made that meeting, in milliseconds since 1970; 0: it is a configured one.
    pub made_at: u64,
    /// Whom it makes of who opens it: `guest`, `member` or `organiser`.
    pub role: String,
    /// How often it may still be used.
    pub uses: u32,
    /// When it was made, in milliseconds since 1970.
    pub born_at: u64,
    /// From when on it opens nothing, in milliseconds since 1970.
    pub dies_at: u64,
    /// Until when it is known where it led, in milliseconds since 1970: as long as a session that it has opened may live.
    pub kept_until: u64,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// Its name.
    pub id: Id,
    /// The meeting it is for.
    pub meeting: String,
    /// As in [`StoredLink::made_at`].
    pub made_at: u64,
    /// As in [`StoredLink::role`].
    pub role: String,
    /// The link that has opened it.
    pub link: Option<Id>,
    /// Tells, without telling the code, which passcode has opened it.
    pub code: Option<Id>,
    /// When it was opened, in milliseconds since 1970.
    pub born_at: u64,
    /// When it ends, in milliseconds since 1970.
    pub dies_at: u64,
}

/// What changes, all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionChange {
    /// Milliseconds since 1970: what is dead by then goes.
    pub now: u64,
    /// Links that are new or have changed.
    pub links: Vec<StoredLink>,
    /// Sessions that are new.
    pub sessions: Vec<StoredSession>,
    /// Links that are taken back.
    pub without_links: Vec<Id>,
    /// Sessions that are over.
    pub without_sessions: Vec<Id>,
}

/// Makes a change.
pub(super) fn change(connection: &Connection, change: &SessionChange) -> Result<(), StoreError> {
    delete_expired(connection, change.now)?;
    let mut link = connection.prepare_cached(
        "INSERT OR REPLACE INTO links (id, meeting, made_at, role, uses, born_at, dies_at, kept_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for row in &change.links {
        let times = [row.made_at, row.born_at, row.dies_at, row.kept_until].map(integer);
        link.execute(params![row.id, row.meeting, times[0], row.role, row.uses, times[1], times[2], times[3]])?;
    }
    let mut session = connection.prepare_cached(
        "INSERT OR REPLACE INTO sessions (id, meeting, made_at, role, link, code, born_at, dies_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for row in &change.sessions {
        let times = [row.made_at, row.born_at, row.dies_at].map(integer);
        session.execute(params![row.id, row.meeting, times[0], row.role, row.link, row.code, times[1], times[2]])?;
    }
    for id in &change.without_links {
        connection.prepare_cached("DELETE FROM links WHERE id = ?1")?.execute([id])?;
    }
    for id in &change.without_sessions {
        connection.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([id])?;
    }
    Ok(())
}

/// All that lives, the oldest first.
pub type LivingSessions = (Vec<StoredLink>, Vec<StoredSession>);

/// Deletes what is dead at `now` (milliseconds since 1970), and gives the rest.
pub(super) fn living(connection: &Connection, now: u64) -> Result<LivingSessions, StoreError> {
    delete_expired(connection, now)?;
    let mut select = connection.prepare_cached("SELECT * FROM links ORDER BY born_at, id")?;
    let links = select.query_map([], link)?.collect::<Result<_, _>>()?;
    let mut select = connection.prepare_cached("SELECT * FROM sessions ORDER BY born_at, id")?;
    let sessions = select.query_map([], session)?.collect::<Result<_, _>>()?;
    Ok((links, sessions))
}

fn delete_expired(connection: &Connection, now: u64) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM links WHERE kept_until <= ?1")?.execute([integer(now)])?;
    connection.prepare_cached("DELETE FROM sessions WHERE dies_at <= ?1")?.execute([integer(now)])?;
    Ok(())
}

fn time(row: &Row<'_>, column: &str) -> Result<u64, rusqlite::Error> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

fn link(row: &Row<'_>) -> Result<StoredLink, rusqlite::Error> {
    Ok(StoredLink {
        id: row.get("id")?,
        meeting: row.get("meeting")?,
        made_at: time(row, "made_at")?,
        role: row.get("role")?,
        uses: row.get("uses")?,
        born_at: time(row, "born_at")?,
        dies_at: time(row, "dies_at")?,
        kept_until: time(row, "kept_until")?,
    })
}

fn session(row: &Row<'_>) -> Result<StoredSession, rusqlite::Error> {
    Ok(StoredSession {
        id: row.get("id")?,
        meeting: row.get("meeting")?,
        made_at: time(row, "made_at")?,
        role: row.get("role")?,
        link: row.get("link")?,
        code: row.get("code")?,
        born_at: time(row, "born_at")?,
        dies_at: time(row, "dies_at")?,
    })
}
