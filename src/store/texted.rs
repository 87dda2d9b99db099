//! How many parts of messages were sent by SMS today (C-2): a restart gives nobody the day's limits anew.

use rusqlite::{Connection, params};

use super::StoreError;
use super::limits::integer;

/// Counts more parts for a meeting, and deletes the counts of earlier days.
pub(super) fn count(connection: &Connection, day: u64, meeting: &str, parts: u64) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM texted WHERE day < ?1")?.execute([integer(day)])?;
    let mut count = connection.prepare_cached(
        "INSERT INTO texted (day, meeting, parts) VALUES (?1, ?2, ?3)
         ON CONFLICT (day, meeting) DO UPDATE SET parts = parts + excluded.parts",
    )?;
    count.execute(params![integer(day), meeting, integer(parts)])?;
    Ok(())
}

/// What was counted on a day, by meeting.
pub(super) fn list(connection: &Connection, day: u64) -> Result<Vec<(String, u64)>, StoreError> {
    let mut select = connection.prepare_cached("SELECT meeting, parts FROM texted WHERE day = ?1 ORDER BY meeting")?;
    let rows = select.query_map([integer(day)], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
    let rows: Vec<(String, i64)> = rows.collect::<Result<_, _>>()?;
    Ok(rows.into_iter().map(|(meeting, parts)| (meeting, u64::try_from(parts).unwrap_or_default())).collect())
}
