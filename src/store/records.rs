//! Call records (M-16): one line of diagnostics for each call that has ended.

use rusqlite::{Connection, Row, params};
use serde::Serialize;
use utoipa::ToSchema;

use super::limits::{MOST_ROWS, integer};
use super::{Phone, StoreError};
use crate::common::redact::MaskedCaller;

/// What remains of a call. A time is absent where the call did not come so far.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CallRecord {
    /// As [`crate::common::ids::CallId`] prints it.
    pub call: String,
    /// The far end.
    #[serde(flatten)]
    pub phone: Phone,
    /// The device's label.
    pub device: String,
    /// The meeting's name, once one was chosen.
    pub meeting: Option<String>,
    /// The INVITE came.
    #[serde(serialize_with = "crate::common::units::moment")]
    #[schema(value_type = String, format = DateTime)]
    pub started_at: u64,
    /// Our 200 was acknowledged.
    #[serde(serialize_with = "crate::common::units::moment_if_any")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub answered_at: Option<u64>,
    /// The wait for a host or in the lobby began (M-5, M-6).
    #[serde(serialize_with = "crate::common::units::moment_if_any")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub lobby_at: Option<u64>,
    /// A member, or the bypass policy, let it in.
    #[serde(serialize_with = "crate::common::units::moment_if_any")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub admitted_at: Option<u64>,
    /// Sound passed between it and the meeting for the first time: after a notice that it was owed.
    #[serde(serialize_with = "crate::common::units::moment_if_any")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub joined_at: Option<u64>,
    /// It left the meeting, or hung up while it waited.
    #[serde(serialize_with = "crate::common::units::moment_if_any")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub left_at: Option<u64>,
    /// The audio codec's name.
    pub codec: Option<String>,
    /// The suite of SRTP at the end, as `a=crypto` names it; absent for plain RTP.
    pub encryption: Option<String>,
    /// RTP packets received.
    pub packets: u64,
    /// Packets lost, as RFC 3550 counts: negative where duplicates outnumber losses.
    pub lost: i64,
    /// Interarrival jitter at the end, in milliseconds.
    pub jitter_ms: Option<f64>,
    /// Mean opinion score by the E-model, 1 to 4.5.
    pub mos: Option<f64>,
    /// Notices played (N-1).
    pub notices: u32,
    /// Label of the [`crate::common::cause::Cause`].
    pub end_reason: String,
}

pub(super) fn insert(connection: &Connection, record: &CallRecord) -> Result<(), StoreError> {
    let time = |at: Option<u64>| at.map(integer);
    let finite = |number: Option<f64>| number.filter(|number| number.is_finite());
    let mut insert = connection.prepare_cached(
        "INSERT INTO records (call, device, meeting, started_at, answered_at, lobby_at, admitted_at, joined_at, left_at, codec,
         packets, lost, jitter_ms, mos, notices, end_reason, dialog, address, caller, proof, encryption)
         VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    )?;
    insert.execute(params![
        record.call,
        record.device,
        record.meeting,
        integer(record.started_at),
        time(record.answered_at),
        time(record.lobby_at),
        time(record.admitted_at),
        time(record.joined_at),
        time(record.left_at),
        record.codec,
        integer(record.packets),
        record.lost,
        finite(record.jitter_ms),
        finite(record.mos),
        record.notices,
        record.end_reason,
        record.phone.dialog,
        record.phone.address,
        record.phone.caller.expose(),
        record.phone.proof,
        record.encryption,
    ])?;
    Ok(())
}

/// A record as it stands in the store.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Record)]
pub struct RecordRow {
    /// Counts up.
    pub id: u64,
    /// The record.
    #[serde(flatten)]
    pub record: CallRecord,
}

/// Which records are meant: those that fit all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordQuery {
    /// So many at most, and 1000.
    pub limit: usize,
    /// With ids below this one.
    pub before: Option<u64>,
    /// Of calls that came at this time or later, in milliseconds since 1970.
    pub from: Option<u64>,
    /// Of calls that came before this time.
    pub to: Option<u64>,
    /// Of this meeting.
    pub meeting: Option<String>,
    /// Of this device.
    pub device: Option<String>,
}

/// The newest of those that are meant, newest first.
pub(super) fn list(connection: &Connection, query: &RecordQuery) -> Result<Vec<RecordRow>, StoreError> {
    // Only what is asked for: an index serves no condition that may be none.
    let conditions = [
        ("id < ?1", query.before.is_some()),
        ("started_at >= ?2", query.from.is_some()),
        ("started_at < ?3", query.to.is_some()),
        ("meeting = ?4", query.meeting.is_some()),
        ("device = ?5", query.device.is_some()),
    ];
    let asked = std::iter::once("TRUE").chain(conditions.into_iter().filter(|(_, asked)| *asked).map(|(condition, _)| condition));
    let asked = asked.collect::<Vec<_>>().join(" AND ");
    let mut select = connection.prepare_cached(&format!("SELECT * FROM records WHERE {asked} ORDER BY id DESC LIMIT ?6"))?;
    let number = |number: Option<u64>| number.map(integer);
    let limit = integer(query.limit.min(MOST_ROWS) as u64);
    let (before, from, to) = (number(query.before), number(query.from), number(query.to));
    let rows = select.query_map(params![before, from, to, query.meeting, query.device, limit], |row| {
        Ok(RecordRow { id: row.get("id")?, record: read(row)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Deletes the records of calls that came before `born_by`, and gives their number.
pub(super) fn sweep(connection: &Connection, born_by: u64) -> Result<usize, StoreError> {
    let mut delete = connection.prepare_cached("DELETE FROM records WHERE started_at < ?")?;
    Ok(delete.execute([integer(born_by)])?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<CallRecord> {
    Ok(CallRecord {
        call: row.get("call")?,
        phone: Phone {
            dialog: row.get("dialog")?,
            address: row.get("address")?,
            caller: MaskedCaller::new(&row.get::<_, String>("caller")?),
            proof: row.get("proof")?,
        },
        device: row.get("device")?,
        meeting: row.get("meeting")?,
        started_at: row.get("started_at")?,
        answered_at: row.get("answered_at")?,
        lobby_at: row.get("lobby_at")?,
        admitted_at: row.get("admitted_at")?,
        joined_at: row.get("joined_at")?,
        left_at: row.get("left_at")?,
        codec: row.get("codec")?,
        encryption: row.get("encryption")?,
        packets: row.get("packets")?,
        lost: row.get("lost")?,
        jitter_ms: row.get("jitter_ms")?,
        mos: row.get("mos")?,
        notices: row.get("notices")?,
        end_reason: row.get("end_reason")?,
    })
}
