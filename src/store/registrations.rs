//! Where registered devices are to be found, kept over a restart (S-3): one row a contact, each with the date of its death.

use rusqlite::{Connection, Row, params};

use super::StoreError;
use super::limits::integer;

/// One contact of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredContact {
    /// The device's label.
    pub device: String,
    /// The contact's address.
    pub uri: String,
    /// Preference, in thousandths.
    pub q: u16,
    /// `+sip.instance`.
    pub instance: Option<String>,
    /// `reg-id`.
    pub reg_id: Option<u32>,
    /// Proxies on the way, first hop first; none of them holds a line end.
    pub path: Vec<String>,
    /// Call-ID of the REGISTER.
    pub call_id: String,
    /// CSeq of the REGISTER.
    pub cseq: u32,
    /// Address and port it came from.
    pub source: String,
    /// What carried it, as in a Via.
    pub transport: String,
    /// The device's software.
    pub user_agent: Option<String>,
    /// Milliseconds since 1970.
    pub dies_at: u64,
}

/// Puts these in the place of all that the device had.
pub(super) fn replace(connection: &Connection, device: &str, rows: &[StoredContact]) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM registrations WHERE device = ?1")?.execute([device])?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO registrations (device, uri, q, instance, reg_id, path, call_id, cseq, source, transport, user_agent, dies_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    for row in rows {
        insert.execute(params![
            device,
            row.uri,
            row.q,
            row.instance,
            row.reg_id,
            row.path.join("\n"),
            row.call_id,
            row.cseq,
            row.source,
            row.transport,
            row.user_agent,
            integer(row.dies_at),
        ])?;
    }
    Ok(())
}

/// Deletes what is dead at `now` (milliseconds since 1970), and gives the rest.
pub(super) fn living(connection: &Connection, now: u64) -> Result<Vec<StoredContact>, StoreError> {
    connection.execute("DELETE FROM registrations WHERE dies_at <= ?1", [integer(now)])?;
    let mut select = connection.prepare_cached("SELECT * FROM registrations ORDER BY device, id")?;
    let rows = select.query_map([], read)?;
    rows.collect::<Result<_, _>>().map_err(Into::into)
}

fn read(row: &Row<'_>) -> Result<StoredContact, rusqlite::Error> {
    let path: String = row.get("path")?;
    Ok(StoredContact {
        device: row.get("device")?,
        uri: row.get("uri")?,
        q: row.get("q")?,
        instance: row.get("instance")?,
        reg_id: row.get("reg_id")?,
        path: path.lines().map(str::to_owned).collect(),
        call_id: row.get("call_id")?,
        cseq: row.get("cseq")?,
        source: row.get("source")?,
        transport: row.get("transport")?,
        user_agent: row.get("user_agent")?,
        dies_at: u64::try_from(row.get::<_, i64>("dies_at")?).unwrap_or(0),
    })
}
