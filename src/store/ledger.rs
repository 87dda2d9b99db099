//! The ledger of notices (N-8): what was told to whom, in lines that are only ever appended, each chained to the one before it
//! by an HMAC whose key lies elsewhere.
//!
//! A line that was changed, removed or moved breaks the chain there. Lines cut off at the end do not; they are found with a
//! [`Checkpoint`] from the log.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::str::FromStr;

use hmac::{Hmac, Mac};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use serde::Serialize;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::{FILE, Phone, StoreError, at, integer};
use crate::redact::Caller;

/// How the playing of a notice ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NoticeOutcome {
    /// Played to its end.
    Completed,
    /// Cut short: the call ended, or the device was held or left.
    Interrupted,
    /// Never heard (N-6).
    Failed,
}

impl NoticeOutcome {
    /// As in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

/// What one notice told one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LedgerLine {
    /// The meeting's name.
    pub meeting: String,
    /// As [`crate::ids::CallId`] prints it.
    pub call: String,
    /// As [`crate::ids::ParticipantId`] prints it.
    pub participant: String,
    /// The device's label.
    pub device: String,
    /// The far end of its call.
    #[serde(flatten)]
    pub phone: Phone,
    /// The changes it told, in order, such as `recording started`: several where they were merged (N-4).
    pub what: Vec<String>,
    /// The language it was spoken in.
    pub language: String,
    /// When the first of the changes happened.
    #[serde(serialize_with = "crate::units::moment")]
    #[schema(value_type = String, format = DateTime)]
    pub at: u64,
    /// RTP sequence number of the notice's first packet; `None` if none was sent.
    pub first_seq: Option<u16>,
    /// RTP sequence number of its last packet.
    pub last_seq: Option<u16>,
    /// SSRC of those packets.
    pub ssrc: Option<u32>,
    /// How many of a thousand of those packets have arrived, by the receiver's RTCP reports; `None`: it has sent none. In JSON a share
    /// from 0 to 1, or `unreported`.
    #[serde(rename = "received", serialize_with = "share")]
    #[schema(value_type = Received)]
    pub received_permille: Option<u16>,
    /// How it ended.
    pub outcome: NoticeOutcome,
}

/// What RTCP reports show of a notice.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Received {
    /// The share of its packets that have arrived, from 0 to 1.
    Share(f64),
    /// `unreported`: the receiver has sent no report.
    Word(&'static str),
}

fn share<S: serde::Serializer>(permille: &Option<u16>, serializer: S) -> Result<S::Ok, S::Error> {
    permille.map_or(Received::Word("unreported"), |permille| Received::Share(f64::from(permille) / 1000.0)).serialize(serializer)
}

/// A line as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Notice)]
pub struct LedgerRow {
    /// Counts from 1 without gaps.
    pub sequence: u64,
    /// The line.
    #[serde(flatten)]
    pub line: LedgerLine,
}

/// Chains the lines. Never printed; wiped from memory when dropped.
pub struct LedgerKey(Zeroizing<[u8; 32]>);

/// The length of the ledger and the HMAC of its newest line at one moment: `100:` and 64 hexadecimal digits in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Lines.
    pub count: u64,
    /// HMAC of the newest; zeros for none.
    pub head: [u8; 32],
}

/// The whole ledger holds together, up to this point.
pub type Verified = Checkpoint;

/// The text is no [`Checkpoint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint: a count, a colon and 64 hexadecimal digits")]
pub struct BadCheckpoint;

/// Why [`verify`] does not vouch for a ledger.
#[derive(Debug, Clone, thiserror::Error)]
pub enum VerifyError {
    /// The chain breaks: this line was changed, removed, moved or cut off, or another key was used from here on.
    #[error("the ledger breaks at line {at}")]
    Break {
        /// The first line that does not fit.
        at: u64,
    },
    /// The ledger cannot be read at all.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The end of the chain, where lines are appended.
pub(super) struct Chain {
    pub(super) key: LedgerKey,
    pub(super) count: u64,
    pub(super) head: [u8; 32],
}

/// A line's columns as they are stored: what the HMAC covers.
struct Columns {
    sequence: i64,
    meeting: String,
    call: String,
    participant: String,
    device: String,
    what: String,
    language: String,
    at: i64,
    first_seq: Option<i64>,
    last_seq: Option<i64>,
    outcome: String,
    dialog: Option<String>,
    address: Option<String>,
    caller: Option<String>,
    proof: Option<String>,
    ssrc: Option<i64>,
    received: Option<i64>,
    covered_by_rtcp: Option<i64>,
    mac: Vec<u8>,
}

/// Reads the ledger of the store in `dir` from its first line to its last. With a checkpoint from the log it also finds lines
/// that were cut off, even if others were appended since.
///
/// # Errors
/// [`VerifyError::Break`] at the first line that does not fit; [`VerifyError::Store`] if there is nothing to read.
pub fn verify(dir: &Path, key: &LedgerKey, checkpoint: Option<Checkpoint>) -> Result<Verified, VerifyError> {
    let broken = |at| Err(VerifyError::Break { at });
    let connection = Connection::open_with_flags(dir.join(FILE), OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(StoreError::from)?;
    let mut select = connection.prepare("SELECT * FROM ledger ORDER BY sequence").map_err(StoreError::from)?;
    let mut rows = select.query([]).map_err(StoreError::from)?;
    let mut verified = Verified { count: 0, head: [0; 32] };
    while let Some(row) = rows.next().map_err(StoreError::from)? {
        let next = verified.count + 1;
        // A column of another type than we write is a change too.
        let Ok(columns) = Columns::read(row) else { return broken(next) };
        if columns.sequence != integer(next) {
            return broken(next);
        }
        verified = Verified { count: next, head: columns.mac(key, &verified.head) };
        if !bool::from(verified.head[..].ct_eq(&columns.mac)) {
            return broken(next);
        }
        if checkpoint.is_some_and(|checkpoint| checkpoint.count == next && checkpoint.head != verified.head) {
            return broken(next);
        }
    }
    match checkpoint {
        Some(checkpoint) if checkpoint.count > verified.count => broken(verified.count + 1),
        _ => Ok(verified),
    }
}

// === impl Chain ===

impl Chain {
    /// Appends a line. If the transaction is not committed, `count` and `head` must be set back.
    pub(super) fn append(&mut self, connection: &Connection, line: &LedgerLine) -> Result<(), StoreError> {
        let mut columns = Columns {
            sequence: integer(self.count + 1),
            meeting: line.meeting.clone(),
            call: line.call.clone(),
            participant: line.participant.clone(),
            device: line.device.clone(),
            what: serde_json::Value::from(line.what.clone()).to_string(),
            language: line.language.clone(),
            at: integer(line.at),
            first_seq: line.first_seq.map(i64::from),
            last_seq: line.last_seq.map(i64::from),
            covered_by_rtcp: None,
            outcome: line.outcome.as_str().to_owned(),
            dialog: Some(line.phone.dialog.clone()),
            address: Some(line.phone.address.clone()),
            caller: Some(line.phone.caller.expose().to_owned()),
            proof: Some(line.phone.proof.clone()),
            ssrc: line.ssrc.map(i64::from),
            received: line.received_permille.map(i64::from),
            mac: Vec::new(),
        };
        let head = columns.mac(&self.key, &self.head);
        columns.mac = head.to_vec();
        columns.insert(connection)?;
        self.count += 1;
        self.head = head;
        Ok(())
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint { count: self.count, head: self.head }
    }
}

/// The number and HMAC of the newest line.
pub(super) fn head(connection: &Connection) -> Result<(u64, [u8; 32]), StoreError> {
    let newest = "SELECT sequence, mac FROM ledger ORDER BY sequence DESC LIMIT 1";
    let newest = connection.query_row(newest, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))).optional()?;
    let Some((sequence, mac)) = newest else { return Ok((0, [0; 32])) };
    let damaged = StoreError::Damaged { sequence };
    match (u64::try_from(sequence), mac.try_into()) {
        (Ok(count), Ok(head)) => Ok((count, head)),
        _ => Err(damaged),
    }
}

/// Whether the newest line, if any, is chained with this key to the one before it: a quick look at every start.
pub(super) fn newest_fits(connection: &Connection, key: &LedgerKey) -> Result<bool, StoreError> {
    let mut select = connection.prepare("SELECT * FROM ledger ORDER BY sequence DESC LIMIT 2")?;
    let newest: Vec<Columns> = select.query_map([], Columns::read)?.collect::<Result<_, _>>()?;
    let Some(last) = newest.first() else { return Ok(true) };
    let before = newest.get(1).map_or([0; 32].to_vec(), |before| before.mac.clone());
    Ok(last.mac(key, &before)[..].ct_eq(&last.mac).into())
}

/// The newest `limit` lines below `before`, newest first.
pub(super) fn list(connection: &Connection, limit: usize, before: Option<u64>) -> Result<Vec<LedgerRow>, StoreError> {
    let mut select = connection.prepare_cached("SELECT * FROM ledger WHERE sequence < ? ORDER BY sequence DESC LIMIT ?")?;
    let rows = select.query_map([integer(before.unwrap_or(u64::MAX)), integer(limit as u64)], Columns::read)?;
    rows.map(|columns| {
        let columns = columns?;
        let damaged = StoreError::Damaged { sequence: columns.sequence };
        columns.into_row().ok_or(damaged)
    })
    .collect()
}

// === impl Columns ===

impl Columns {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            sequence: row.get("sequence")?,
            meeting: row.get("meeting")?,
            call: row.get("call")?,
            participant: row.get("participant")?,
            device: row.get("device")?,
            what: row.get("what")?,
            language: row.get("language")?,
            at: row.get("at")?,
            first_seq: row.get("first_seq")?,
            last_seq: row.get("last_seq")?,
            covered_by_rtcp: row.get("covered_by_rtcp")?,
            outcome: row.get("outcome")?,
            dialog: row.get("dialog")?,
            address: row.get("address")?,
            caller: row.get("caller")?,
            proof: row.get("proof")?,
            ssrc: row.get("ssrc")?,
            received: row.get("received")?,
            mac: row.get("mac")?,
        })
    }

    fn insert(&self, connection: &Connection) -> Result<(), StoreError> {
        let mut insert = connection.prepare_cached(
            "INSERT INTO ledger (sequence, meeting, call, participant, device, what, language, at, first_seq, last_seq,
             covered_by_rtcp, outcome, mac, dialog, address, caller, proof, ssrc, received)
             VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        )?;
        insert.execute(params![
            self.sequence,
            self.meeting,
            self.call,
            self.participant,
            self.device,
            self.what,
            self.language,
            self.at,
            self.first_seq,
            self.last_seq,
            self.covered_by_rtcp,
            self.outcome,
            self.mac,
            self.dialog,
            self.address,
            self.caller,
            self.proof,
            self.ssrc,
            self.received,
        ])?;
        Ok(())
    }

    /// HMAC-SHA-256 over the previous line's and every column, each text with its length and each number with its presence, so
    /// that no two lines have the same form.
    fn mac(&self, key: &LedgerKey, previous: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key.0[..]).expect("HMAC takes a key of any length");
        let mut part = |bytes: &[u8]| {
            mac.update(&(bytes.len() as u64).to_be_bytes());
            mac.update(bytes);
        };
        part(b"roomgate ledger 1");
        part(previous);
        for text in [&self.meeting, &self.call, &self.participant, &self.device, &self.what, &self.language, &self.outcome] {
            part(text.as_bytes());
        }
        for number in [Some(self.sequence), Some(self.at), self.first_seq, self.last_seq, self.covered_by_rtcp] {
            part(number.map(i64::to_be_bytes).as_ref().map_or(&[], |bytes| &bytes[..]));
        }
        // Older lines have none of these.
        if self.proof.is_some() {
            for text in [&self.dialog, &self.address, &self.caller, &self.proof] {
                part(text.as_deref().unwrap_or_default().as_bytes());
            }
            for number in [self.ssrc, self.received] {
                part(number.map(i64::to_be_bytes).as_ref().map_or(&[], |bytes| &bytes[..]));
            }
        }
        mac.finalize().into_bytes().into()
    }

    fn into_row(self) -> Option<LedgerRow> {
        let number = |seq: Option<i64>| seq.map(u16::try_from).transpose().ok();
        let line = LedgerLine {
            meeting: self.meeting,
            call: self.call,
            participant: self.participant,
            device: self.device,
            what: serde_json::from_str(&self.what).ok()?,
            language: self.language,
            at: u64::try_from(self.at).ok()?,
            first_seq: number(self.first_seq)?,
            last_seq: number(self.last_seq)?,
            phone: Phone {
                dialog: self.dialog.unwrap_or_default(),
                address: self.address.unwrap_or_default(),
                caller: Caller::new(&self.caller.unwrap_or_default()),
                proof: self.proof.unwrap_or_default(),
            },
            ssrc: self.ssrc.map(u32::try_from).transpose().ok()?,
            // Older lines know of the last packet only.
            received_permille: number(self.received)?.or_else(|| self.covered_by_rtcp.filter(|is| *is != 0).map(|_| 1000)),
            outcome: NoticeOutcome::ALL.into_iter().find(|outcome| outcome.as_str() == self.outcome)?,
        };
        Some(LedgerRow { sequence: u64::try_from(self.sequence).ok()?, line })
    }
}

// === impl NoticeOutcome ===

impl NoticeOutcome {
    pub(super) const ALL: [Self; 3] = [Self::Completed, Self::Interrupted, Self::Failed];

    /// As it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

// === impl LedgerKey ===

impl LedgerKey {
    /// Reads a key file: 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::KeyMalformed`].
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let text = Zeroizing::new(fs::read_to_string(path).map_err(at(path))?);
        let key = from_hex(text.trim()).ok_or_else(|| StoreError::KeyMalformed { path: path.to_owned() })?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// Reads the key, or makes one for a ledger that has no lines yet.
    pub(super) fn open_or_make(path: &Path, lines: u64) -> Result<Self, StoreError> {
        match fs::metadata(path) {
            Ok(metadata) => {
                if metadata.mode() & 0o077 != 0 {
                    tracing::warn!(path = %path.display(), "the ledger's key can be read by others; make it mode 0600");
                }
                Self::read(path)
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
            Err(_) if lines > 0 => Err(StoreError::KeyMissing { path: path.to_owned(), lines }),
            Err(_) => Self::make(path).map_err(at(path)),
        }
    }

    fn make(path: &Path) -> io::Result<Self> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut key[..]).map_err(|error| io::Error::other(error.to_string()))?;
        let text = Zeroizing::new(format!("{}\n", Hex(&key)));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // Lines may follow within milliseconds; the key they are chained with must outlast a power cut as they do.
        path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())?;
        Ok(Self(key))
    }
}

impl fmt::Debug for LedgerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LedgerKey(***)")
    }
}

// === impl Checkpoint ===

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.count, Hex(&self.head))
    }
}

impl FromStr for Checkpoint {
    type Err = BadCheckpoint;

    fn from_str(text: &str) -> Result<Self, BadCheckpoint> {
        let (count, head) = text.split_once(':').ok_or(BadCheckpoint)?;
        Ok(Self { count: count.parse().map_err(|_| BadCheckpoint)?, head: from_hex(head).ok_or(BadCheckpoint)? })
    }
}

struct Hex<'a>(&'a [u8; 32]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect::<Option<_>>()?;
    bytes.try_into().ok()
}
