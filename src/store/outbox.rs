//! Short messages on their way (C-7): a row from before it is submitted until its receipt has come. A row's text is overwritten as
//! soon as the provider has it, and [`wipe`] takes it out of the journal as well (C-8).

use std::time::Duration;

use rusqlite::{Connection, Row, params};

use super::StoreError;
use super::limits::{WAITS, integer};
use crate::common::redact::Redacted;

/// The state of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmsState {
    /// It was never submitted.
    Waiting,
    /// It may have been.
    Submitted,
    /// The provider has it, under this name.
    Accepted(String),
}

/// What joins the parts of a message (TS 23.040 section 9.2.3.24.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmsPart {
    /// UCS-2, or else the default alphabet.
    pub ucs2: bool,
    /// The same in all parts.
    pub joined: u8,
    /// How many.
    pub total: u8,
    /// Which one.
    pub part: u8,
}

/// A message of the outbox as a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSms {
    /// Counts up.
    pub id: u64,
    /// At the provider.
    pub reference: String,
    /// In international form, all of it.
    pub number: String,
    /// Empty once the provider has it.
    pub text: Redacted<String>,
    /// Where it is a part.
    pub part: Option<SmsPart>,
    /// How far it has come.
    pub state: SmsState,
    /// Milliseconds since 1970.
    pub created_at: u64,
    /// Milliseconds since 1970.
    pub expires_at: u64,
}

/// What changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboxChange {
    /// A new message.
    Keep(Box<StoredSms>),
    /// Whether it may have been submitted.
    Mark {
        /// The id of the message.
        id: u64,
        /// It may have been.
        submitted: bool,
    },
    /// The provider has it: its text is overwritten.
    Accept {
        /// The id of the message.
        id: u64,
        /// The provider's name for it.
        name: String,
        /// How long its receipt is awaited, milliseconds since 1970.
        expires_at: u64,
    },
    /// It is over: the row is overwritten and goes.
    Remove {
        /// The id of the message.
        id: u64,
    },
}

/// Writes a change. That of a row which is not there (any more) changes nothing.
pub(super) fn change(connection: &Connection, change: &OutboxChange) -> Result<(), StoreError> {
    match change {
        OutboxChange::Keep(sms) => keep(connection, sms)?,
        OutboxChange::Mark { id, submitted } => {
            let state = if *submitted { SUBMITTED } else { WAITING };
            let mut update = connection.prepare_cached("UPDATE outbox SET state = ?2 WHERE id = ?1")?;
            update.execute(params![integer(*id), state])?;
        }
        OutboxChange::Accept { id, name, expires_at } => {
            let mut update =
                connection.prepare_cached("UPDATE outbox SET state = ?2, text = '', name = ?3, expires_at = ?4 WHERE id = ?1")?;
            update.execute(params![integer(*id), ACCEPTED, name, integer(*expires_at)])?;
        }
        OutboxChange::Remove { id } => {
            connection.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([integer(*id)])?;
        }
    }
    Ok(())
}

const WAITING: &str = "waiting";
const SUBMITTED: &str = "submitted";
const ACCEPTED: &str = "accepted";

fn keep(connection: &Connection, sms: &StoredSms) -> Result<(), StoreError> {
    let (state, name) = match &sms.state {
        SmsState::Waiting => (WAITING, None),
        SmsState::Submitted => (SUBMITTED, None),
        SmsState::Accepted(name) => (ACCEPTED, Some(name)),
    };
    let part = sms.part;
    let mut insert = connection.prepare_cached(
        "INSERT INTO outbox (id, reference, number, text, ucs2, joined, total, part, state, name, expires_at, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    insert.execute(params![
        integer(sms.id),
        sms.reference,
        sms.number,
        sms.text.expose(),
        part.map(|part| part.ucs2),
        part.map(|part| part.joined),
        part.map(|part| part.total),
        part.map(|part| part.part),
        state,
        name,
        integer(sms.expires_at),
        integer(sms.created_at),
    ])?;
    Ok(())
}

/// All of them, the oldest first.
pub(super) fn list(connection: &Connection) -> Result<Vec<StoredSms>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT id, reference, number, text, ucs2, joined, total, part, state, name, expires_at, created_at FROM outbox ORDER BY id",
    )?;
    let rows = select.query_map([], read)?;
    rows.collect::<Result<_, _>>().map_err(Into::into)
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredSms> {
    let ucs2: Option<bool> = row.get(4)?;
    let part = match ucs2 {
        Some(ucs2) => Some(SmsPart { ucs2, joined: row.get(5)?, total: row.get(6)?, part: row.get(7)? }),
        None => None,
    };
    let (state, name): (String, Option<String>) = (row.get(8)?, row.get(9)?);
    let state = match (state.as_str(), name) {
        (ACCEPTED, Some(name)) => SmsState::Accepted(name),
        (SUBMITTED, _) => SmsState::Submitted,
        _ => SmsState::Waiting,
    };
    Ok(StoredSms {
        id: u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default(),
        reference: row.get(1)?,
        number: row.get(2)?,
        text: Redacted::new(row.get(3)?),
        part,
        state,
        expires_at: u64::try_from(row.get::<_, i64>(10)?).unwrap_or_default(),
        created_at: u64::try_from(row.get::<_, i64>(11)?).unwrap_or_default(),
    })
}

/// Empties the journal, in which what was overwritten can still be read; `false`: somebody reads the file just now, and it was not done.
/// Nobody is waited for: writes wait behind this, and notices are among them.
pub(super) fn wipe(connection: &Connection) -> Result<bool, StoreError> {
    connection.busy_timeout(Duration::ZERO)?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    connection.busy_timeout(WAITS)?;
    Ok(!busy?)
}
