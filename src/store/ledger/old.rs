//! Lines of versions that chained by an HMAC whose key lay beside the store: they stay as they are, and the first epoch commits to all of them.

use std::fs;
use std::path::Path;

use hmac::{Hmac, Mac as _};
use rusqlite::{Connection, Row};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::columns::hash;
use super::conditions::{conditions, fetch};
use super::head::from_hex;
use super::lines::{LedgerEntry, LedgerLine, LedgerQuery, LedgerRow};
use crate::common::play_outcome::PlayOutcome;
use crate::store::{Phone, StoreError};

/// The key's file, in the directory of keys.
const KEY_FILE: &str = "ledger.key";
/// All columns, the HMAC last.
const COLUMNS: &str =
    "sequence, meeting, call, participant, device, what, language, at, first_seq, last_seq, covered_by_rtcp, outcome, mac";
const WIDTH: usize = 13;

/// The key of these lines.
pub(super) struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// `None`: there is none any more, and what was signed with it is vouched for by the first epoch alone.
    pub(super) fn find(keys: &Path) -> Option<Self> {
        let text = Zeroizing::new(fs::read_to_string(keys.join(KEY_FILE)).ok()?);
        from_hex(text.trim()).map(|key| Self(Zeroizing::new(key)))
    }
}

/// A line, as far as it was walked.
#[derive(Clone, Copy, Default)]
pub(super) struct Step {
    pub(super) sequence: i64,
    /// What the first epoch commits to: SHA-256 over all columns of this line and those before it.
    pub(super) hash: [u8; 32],
    /// What earlier versions have published as a head.
    pub(super) mac: [u8; 32],
    /// The HMAC is right, or there is no key to tell.
    pub(super) fits: bool,
}

/// Walks the lines from the first one on.
pub(super) fn walk(
    connection: &Connection,
    key: Option<&Key>,
    mut each: impl FnMut(Step) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut select = connection.prepare(&format!("SELECT {COLUMNS} FROM ledger_hmac ORDER BY sequence"))?;
    let mut rows = select.query([])?;
    let (mut previous, mut before) = ([0; 32], Vec::new());
    while let Some(row) = rows.next()? {
        let columns = (0..WIDTH).map(|column| row.get_ref(column)).collect::<Result<Vec<_>, _>>()?;
        previous = hash(&previous, columns.into_iter());
        let (mac, fits) = match (row.get::<_, Vec<u8>>("mac"), key.map(|key| mac(row, key, &before))) {
            (Ok(mac), Some(Ok(right))) => (mac.clone(), right[..].ct_eq(&mac).into()),
            (Ok(mac), None) => (mac, true),
            _ => (Vec::new(), false),
        };
        let step = Step { sequence: row.get("sequence")?, hash: previous, mac: mac.clone().try_into().unwrap_or_default(), fits };
        each(step)?;
        before = mac;
    }
    Ok(())
}

/// How many there are, and what the first epoch commits to.
pub(super) fn end(connection: &Connection) -> Result<(u64, [u8; 32]), StoreError> {
    let mut last = Step::default();
    walk(connection, None, |step| {
        last = step;
        Ok(())
    })?;
    Ok((u64::try_from(last.sequence).unwrap_or_default(), last.hash))
}

/// HMAC-SHA-256 over the previous line's and every column, each text with its length and each number with its presence. Before the first
/// line stand 32 zeros.
fn mac(row: &Row<'_>, key: &Key, previous: &[u8]) -> rusqlite::Result<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.0[..]).expect("HMAC takes a key of any length");
    let mut part = |bytes: &[u8]| {
        mac.update(&(bytes.len() as u64).to_be_bytes());
        mac.update(bytes);
    };
    part(b"roomgate ledger 1");
    part(if previous.is_empty() { &[0; 32][..] } else { previous });
    for name in ["meeting", "call", "participant", "device", "what", "language", "outcome"] {
        part(row.get::<_, String>(name)?.as_bytes());
    }
    for name in ["sequence", "at", "first_seq", "last_seq", "covered_by_rtcp"] {
        part(row.get::<_, Option<i64>>(name)?.map(i64::to_be_bytes).as_ref().map_or(&[], |bytes| &bytes[..]));
    }
    Ok(mac.finalize().into_bytes().into())
}

/// The newest of those that are meant, newest first.
pub(super) fn select(connection: &Connection, query: &LedgerQuery, limit: usize) -> Result<Vec<LedgerRow>, StoreError> {
    let asked = conditions(query, &[]);
    let sql = format!("SELECT {COLUMNS} FROM ledger_hmac WHERE {asked} ORDER BY sequence DESC LIMIT ?5");
    fetch(connection, &sql, (query, limit), read)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Option<LedgerRow>> {
    let (outcome, what): (String, String) = (row.get("outcome")?, row.get("what")?);
    let outcome = PlayOutcome::ALL.into_iter().find(|known| known.as_str() == outcome);
    let (Some(outcome), Ok(what)) = (outcome, serde_json::from_str(&what)) else { return Ok(None) };
    let line = LedgerLine {
        meeting: row.get("meeting")?,
        call: row.get("call")?,
        participant: row.get("participant")?,
        device: row.get("device")?,
        phone: Phone::default(),
        what,
        language: row.get("language")?,
        at: u64::try_from(row.get::<_, i64>("at")?).unwrap_or_default(),
        first_seq: row.get("first_seq")?,
        last_seq: row.get("last_seq")?,
        ssrc: None,
        // Of RTCP reports only the one on the last packet was kept: how many of the others arrived is unknown.
        received_permille: None,
        outcome,
    };
    let Some(sequence) = u64::try_from(row.get::<_, i64>("sequence")?).ok().filter(|sequence| *sequence > 0) else {
        return Ok(None);
    };
    Ok(Some(LedgerRow { sequence, hash: None, entry: LedgerEntry::Notice(line) }))
}
