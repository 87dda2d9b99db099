//! Lines as they are stored, hashed and read again.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, params_from_iter};
use sha2::{Digest as _, Sha256};

use super::head::Hex;
use super::lines::{Deletion, EpochLine, LedgerEntry, LedgerLine, LedgerRow};
use crate::common::play_outcome::PlayOutcome;
use crate::common::redact::MaskedCaller;
use crate::store::limits::integer;
use crate::store::{Consent, Phone, StoreError};

/// All columns that the hash covers, in its order; `hash` follows.
pub(super) const COLUMNS: &str = "sequence, kind, at, meeting, call, participant, device, dialog, address, caller, proof, what, language, \
                                  first_seq, last_seq, ssrc, received, outcome, key, signature";
/// How many these are.
pub(super) const WIDTH: usize = 20;
/// Where [`COLUMNS`] has what a verifier looks at.
pub(super) const KIND: usize = 1;
pub(super) const AT: usize = 2;
pub(super) const KEY: usize = 18;
pub(super) const SIGNATURE: usize = 19;

pub(super) const EPOCH: &str = "epoch";
const NOTICE: &str = "notice";
const CONSENT: &str = "consent";
const DELETION: &str = "deletion";

/// A line's columns as they are stored.
#[derive(Default)]
pub(super) struct Columns {
    kind: &'static str,
    at: u64,
    meeting: Option<String>,
    call: Option<String>,
    participant: Option<String>,
    device: Option<String>,
    phone: Option<Phone>,
    what: Vec<String>,
    language: Option<String>,
    first_seq: Option<u16>,
    last_seq: Option<u16>,
    ssrc: Option<u32>,
    received: Option<u16>,
    outcome: Option<&'static str>,
    key: Option<[u8; 32]>,
    signature: Option<[u8; 64]>,
}

impl Columns {
    pub(super) fn of(entry: &LedgerEntry) -> Self {
        match entry {
            LedgerEntry::Notice(line) => Self::notice(line.clone()),
            LedgerEntry::Consent(consent) => {
                let Consent { number, device, call, means, at } = consent.clone();
                let phone = Phone { caller: number, ..Phone::default() };
                let (call, device, phone) = (Some(call), Some(device), Some(phone));
                Self { kind: CONSENT, at, call, device, phone, what: vec![means], ..Self::default() }
            }
            LedgerEntry::Deletion(Deletion { meeting, recording, by, at }) => Self {
                kind: DELETION,
                at: *at,
                meeting: Some(meeting.clone()),
                participant: Some(by.clone()),
                what: vec![recording.clone()],
                ..Self::default()
            },
            // Its keys are given to `epoch`.
            LedgerEntry::Epoch(EpochLine { reason, at, .. }) => {
                Self { kind: EPOCH, at: *at, what: vec![reason.clone()], ..Self::default() }
            }
        }
    }

    fn notice(line: LedgerLine) -> Self {
        Self {
            kind: NOTICE,
            at: line.at,
            meeting: Some(line.meeting),
            call: Some(line.call),
            participant: Some(line.participant),
            device: Some(line.device),
            phone: Some(line.phone),
            what: line.what,
            language: Some(line.language),
            first_seq: line.first_seq,
            last_seq: line.last_seq,
            ssrc: line.ssrc,
            received: line.received_permille,
            outcome: Some(line.outcome.as_str()),
            ..Self::default()
        }
    }

    pub(super) fn epoch(reason: &str, at: u64, key: [u8; 32], signature: [u8; 64]) -> Self {
        Self { kind: EPOCH, at, what: vec![reason.to_owned()], key: Some(key), signature: Some(signature), ..Self::default() }
    }

    /// In the order of [`COLUMNS`].
    fn values(self, sequence: u64) -> [Value; WIDTH] {
        let text = |text: Option<String>| text.map_or(Value::Null, Value::Text);
        let number = |number: Option<u64>| number.map_or(Value::Null, |number| Value::Integer(integer(number)));
        let (dialog, address, caller, proof) = match self.phone {
            Some(Phone { dialog, address, caller, proof }) => {
                (Some(dialog), Some(address), Some(caller.expose().to_owned()), Some(proof))
            }
            None => (None, None, None, None),
        };
        [
            number(Some(sequence)),
            Value::Text(self.kind.to_owned()),
            number(Some(self.at)),
            text(self.meeting),
            text(self.call),
            text(self.participant),
            text(self.device),
            text(dialog),
            text(address),
            text(caller),
            text(proof),
            Value::Text(serde_json::Value::from(self.what).to_string()),
            text(self.language),
            number(self.first_seq.map(u64::from)),
            number(self.last_seq.map(u64::from)),
            number(self.ssrc.map(u64::from)),
            number(self.received.map(u64::from)),
            text(self.outcome.map(ToOwned::to_owned)),
            self.key.map_or(Value::Null, |key| Value::Blob(key.to_vec())),
            self.signature.map_or(Value::Null, |signature| Value::Blob(signature.to_vec())),
        ]
    }

    /// Writes the line with this sequence number after the one that `previous` is the hash of, and returns its own hash.
    pub(super) fn insert(self, connection: &Connection, sequence: u64, previous: &[u8; 32]) -> Result<[u8; 32], StoreError> {
        let values = self.values(sequence);
        let hash = hash(previous, values.iter().map(ValueRef::from));
        let marks = ["?"; WIDTH + 1].join(",");
        let mut insert = connection.prepare_cached(&format!("INSERT INTO ledger ({COLUMNS}, hash) VALUES ({marks})"))?;
        let hash_value = Value::Blob(hash.to_vec());
        insert.execute(params_from_iter(values.iter().chain([&hash_value])))?;
        Ok(hash)
    }
}

/// SHA-256 over the hash of the line before and every column, each with its type and its length, so that no two lines have the same form.
pub(super) fn hash<'a>(previous: &[u8; 32], columns: impl Iterator<Item = ValueRef<'a>>) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update(b"roomgate ledger 2");
    sha.update(previous);
    for column in columns {
        let mut part = |kind: u8, bytes: &[u8]| {
            sha.update([kind]);
            sha.update((bytes.len() as u64).to_be_bytes());
            sha.update(bytes);
        };
        match column {
            ValueRef::Null => part(0, &[]),
            ValueRef::Integer(number) => part(1, &number.to_be_bytes()),
            ValueRef::Text(text) => part(2, text),
            ValueRef::Blob(blob) => part(3, blob),
            ValueRef::Real(number) => part(4, &number.to_bits().to_be_bytes()),
        }
    }
    sha.finalize().into()
}

/// `None`, or an error: it was changed by somebody else.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Option<LedgerRow>> {
    let kind: String = row.get("kind")?;
    let at = u64::try_from(row.get::<_, i64>("at")?).unwrap_or_default();
    let Ok(what) = serde_json::from_str::<Vec<String>>(&row.get::<_, String>("what")?) else { return Ok(None) };
    let first = what.first().cloned().unwrap_or_default();
    let entry = match kind.as_str() {
        NOTICE => notice(row, what, at)?.map(LedgerEntry::Notice),
        CONSENT => Some(LedgerEntry::Consent(Consent {
            number: MaskedCaller::new(&row.get::<_, String>("caller")?),
            device: row.get("device")?,
            call: row.get("call")?,
            means: first,
            at,
        })),
        DELETION => {
            let (meeting, by) = (row.get("meeting")?, row.get("participant")?);
            Some(LedgerEntry::Deletion(Deletion { meeting, recording: first, by, at }))
        }
        EPOCH => {
            let key = row.get::<_, [u8; 32]>("key")?;
            Some(LedgerEntry::Epoch(EpochLine { reason: first, key: Hex(&key).to_string(), at }))
        }
        _ => None,
    };
    let (sequence, hash) = (row.get::<_, i64>("sequence")?, row.get::<_, [u8; 32]>("hash")?);
    // Lines are counted from 1: nothing before that is one.
    let Some(sequence) = u64::try_from(sequence).ok().filter(|sequence| *sequence > 0) else { return Ok(None) };
    Ok(entry.map(|entry| LedgerRow { sequence, hash: Some(Hex(&hash).to_string()), entry }))
}

fn notice(row: &Row<'_>, what: Vec<String>, at: u64) -> rusqlite::Result<Option<LedgerLine>> {
    let outcome: String = row.get("outcome")?;
    let Some(outcome) = PlayOutcome::ALL.into_iter().find(|known| known.as_str() == outcome) else { return Ok(None) };
    Ok(Some(LedgerLine {
        meeting: row.get("meeting")?,
        call: row.get("call")?,
        participant: row.get("participant")?,
        device: row.get("device")?,
        phone: Phone {
            dialog: row.get("dialog")?,
            address: row.get("address")?,
            caller: MaskedCaller::new(&row.get::<_, String>("caller")?),
            proof: row.get("proof")?,
        },
        what,
        language: row.get("language")?,
        at,
        first_seq: row.get("first_seq")?,
        last_seq: row.get("last_seq")?,
        ssrc: row.get("ssrc")?,
        received_permille: row.get("received")?,
        outcome,
    }))
}
