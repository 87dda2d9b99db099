//! Copies of the chat (C-8): for each bridged device at most one, of the message that was sent last.

use rusqlite::{Connection, params};
use serde::Serialize;
use utoipa::ToSchema;

use super::StoreError;
use super::limits::integer;
use crate::common::redact::Redacted;

/// A copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatCopy {
    /// The device's label.
    pub device: String,
    /// What was said.
    pub text: Redacted<String>,
    /// Where the data are, by the organisation's own name for it.
    pub region: String,
    /// Milliseconds since 1970.
    pub at: u64,
    /// When it is deleted, milliseconds since 1970.
    pub dies_at: u64,
}

/// A copy, as an operator sees it: not what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ChatCopy)]
pub struct ChatCopyLine {
    /// The device's label.
    pub device: String,
    /// Where the data are.
    pub region: String,
    /// When it was made.
    #[serde(serialize_with = "crate::common::units::moment")]
    #[schema(value_type = String, format = DateTime)]
    pub at: u64,
    /// When it is deleted.
    #[serde(serialize_with = "crate::common::units::moment")]
    #[schema(value_type = String, format = DateTime)]
    pub dies_at: u64,
}

/// Keeps a copy in the place of the device's earlier one.
pub(super) fn put(connection: &Connection, copy: &ChatCopy) -> Result<(), StoreError> {
    let mut insert = connection
        .prepare_cached("INSERT OR REPLACE INTO chats (device, text, region, at, dies_at) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    insert.execute(params![copy.device, copy.text.expose(), copy.region, integer(copy.at), integer(copy.dies_at)])?;
    Ok(())
}

/// Deletes what dies by `now`, and what was made by `born_by`: a policy that has become shorter is for older copies as well.
pub(super) fn sweep(connection: &Connection, now: u64, born_by: u64) -> Result<usize, StoreError> {
    let mut delete = connection.prepare_cached("DELETE FROM chats WHERE dies_at <= ?1 OR at <= ?2")?;
    Ok(delete.execute([integer(now), integer(born_by)])?)
}

/// All of them, by device.
pub(super) fn list(connection: &Connection) -> Result<Vec<ChatCopyLine>, StoreError> {
    let mut select = connection.prepare_cached("SELECT device, region, at, dies_at FROM chats ORDER BY device")?;
    let number = |number: i64| u64::try_from(number).unwrap_or_default();
    let rows = select.query_map([], |row| {
        Ok(ChatCopyLine { device: row.get(0)?, region: row.get(1)?, at: number(row.get(2)?), dies_at: number(row.get(3)?) })
    })?;
    rows.collect::<Result<_, _>>().map_err(Into::into)
}
