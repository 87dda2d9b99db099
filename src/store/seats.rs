//! Seats of externals in browsers, so that a restart of the daemon sends nobody back to the lobby who was admitted before it (M-5). Whoever
//! leaves, or is put out, has none any more.

use rusqlite::{Connection, params};

use super::StoreError;
use super::limits::integer;

/// Keeps a seat: the presence by its number, and its meeting.
pub(super) fn put(connection: &Connection, participant: u64, meeting: &str) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached("INSERT OR REPLACE INTO seats (participant, meeting) VALUES (?1, ?2)")?;
    insert.execute(params![integer(participant), meeting])?;
    Ok(())
}

/// Gives a seat up.
pub(super) fn remove(connection: &Connection, participant: u64) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM seats WHERE participant = ?1")?.execute([integer(participant)])?;
    Ok(())
}

/// Takes a seat up again, once; whether there was one in this meeting.
pub(super) fn take(connection: &Connection, participant: u64, meeting: &str) -> Result<bool, StoreError> {
    let mut delete = connection.prepare_cached("DELETE FROM seats WHERE participant = ?1 AND meeting = ?2")?;
    Ok(delete.execute(params![integer(participant), meeting])? > 0)
}

/// At a start: of the run before the last nobody comes back any more. `least` is the lowest number of the last run.
pub(super) fn sweep(connection: &Connection, least: u64) -> Result<(), StoreError> {
    connection.execute("DELETE FROM seats WHERE participant < ?1", [integer(least)])?;
    Ok(())
}
