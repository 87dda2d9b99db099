//! Numbers whose holders have said STOP (C-2): kept until they say START, over every restart.

use rusqlite::{Connection, params};

use super::StoreError;
use super::limits::integer;

/// Keeps that a holder has said STOP at `at` (milliseconds since 1970), or START.
pub(super) fn put(connection: &Connection, number: &str, stopped: bool, at: u64) -> Result<(), StoreError> {
    if stopped {
        let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO stops (number, at) VALUES (?1, ?2)")?;
        insert.execute(params![number, integer(at)])?;
    } else {
        connection.prepare_cached("DELETE FROM stops WHERE number = ?1")?.execute([number])?;
    }
    Ok(())
}

/// All of them.
pub(super) fn list(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut select = connection.prepare_cached("SELECT number FROM stops ORDER BY number")?;
    let rows = select.query_map([], |row| row.get(0))?;
    rows.collect::<Result<_, _>>().map_err(Into::into)
}
