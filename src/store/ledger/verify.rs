//! Finds whatever does not fit (N-8): a line that was changed, removed, inserted or moved, a tail that was cut off, an epoch that another
//! key has signed, and a ledger that does not lead to a published head.

use std::fs;
use std::path::Path;

use ed25519_dalek::{Signature, VerifyingKey};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};

use super::chain::signed;
use super::columns::{AT, COLUMNS, EPOCH, KEY, KIND, SIGNATURE, WIDTH, hash};
use super::head::LedgerHead;
use super::key::{KeyPlace, Public};
use super::old;
use crate::store::limits::{FILE, HEAD_FILE, WAITS};
use crate::store::{StoreError, schema};

/// Lines read in one go: who writes, and who empties the journal (C-8), waits for no more than these.
const PAGE: usize = 500;
/// How often it is looked again where an epoch began meanwhile.
const TRIES: usize = 3;

/// The whole ledger holds together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Its end.
    pub head: LedgerHead,
    /// Epochs in it.
    pub epochs: u64,
    /// Heads that it was held against, the one beside the store among them.
    pub heads: usize,
}

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokenReason {
    /// A line is missing, or one too many is there.
    Order,
    /// It is not what was written, or does not follow the one before it.
    Changed,
    /// The key of the epoch before has not signed it.
    Unsigned,
    /// It is not what a published head says.
    Head,
    /// A published head lies beyond the end.
    Cut,
    /// The key beside the store is not that of the last epoch.
    Key,
    /// Its tables, their indexes or their triggers are not those that were made.
    Schema,
}

/// Where the ledger breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ledger breaks at line {at}: {}", .why.words())]
pub struct Broken {
    /// The first line that does not fit, or the first one that is missing.
    pub at: u64,
    /// Why.
    pub why: BrokenReason,
}

/// Why [`verify`] does not vouch for a ledger.
#[derive(Debug, Clone, thiserror::Error)]
pub enum VerifyError {
    /// The chain breaks.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The ledger cannot be read at all.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for VerifyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl BrokenReason {
    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Order => "a line was removed, inserted or moved",
            Self::Changed => "it was changed, or does not follow the line before it",
            Self::Unsigned => "its epoch is not signed by the key of the epoch before",
            Self::Head => "it is not the line that was published",
            Self::Cut => "lines that were published are missing",
            Self::Key => {
                "the key beside the store belongs to another end of the ledger: lines were cut off, or the key was changed"
            }
            Self::Schema => {
                "a table of the ledger, an index or a trigger of it is not the one that was made: other lines can be shown than are stored"
            }
        }
    }
}

/// Reads the ledger of the store in `directory` from its first line to its last, beside a daemon that runs or without one, and holds it
/// against `heads` that were copied elsewhere, and what lies in `keys`.
///
/// # Errors
/// [`VerifyError::Broken`] at the first line that does not fit; [`VerifyError::Store`] if there is nothing to read.
pub fn verify(directory: &Path, keys: &Path, heads: &[LedgerHead]) -> Result<Verified, VerifyError> {
    let connection = Connection::open_with_flags(directory.join(FILE), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(WAITS)?;
    if !schema::has_own_ledger(&connection)? {
        return Err(Broken { at: 1, why: BrokenReason::Schema }.into());
    }
    let published_state = || -> Result<PublishedState, StoreError> {
        let head = fs::read_to_string(keys.join(HEAD_FILE)).ok().and_then(|text| text.trim().parse().ok());
        Ok((KeyPlace::new(keys).public()?, head))
    };
    verify_in(&connection, old::Key::find(keys).as_ref(), published_state, heads)
}

/// What lies beside the store: public halves of the keys that are there, and the last head.
type PublishedState = (Option<Public>, Option<LedgerHead>);

/// [`verify`], wherever the store is.
pub(super) fn verify_in(
    connection: &Connection,
    key: Option<&old::Key>,
    published_state: impl Fn() -> Result<PublishedState, StoreError>,
    heads: &[LedgerHead],
) -> Result<Verified, VerifyError> {
    let mut heads: Vec<LedgerHead> = heads.to_vec();
    let own = published_state()?.1;
    let given = heads.len();
    heads.extend(own);
    heads.sort_unstable_by_key(|head| head.count);
    let mut walk = Walk { heads: &heads, ..Walk::default() };
    walk.read_old(connection, key)?;
    let old = walk.head.count;
    walk.read(connection)?;
    for tried in 1.. {
        // Read after the lines: an epoch that began meanwhile has lines that were not read yet.
        let (keys, _) = published_state()?;
        if keys.is_none_or(|keys| keys.fit(walk.head.key.as_ref())) {
            break;
        }
        let before = walk.head.count;
        walk.read(connection)?;
        if walk.head.count == before && tried >= TRIES {
            return Err(Broken { at: before + 1, why: BrokenReason::Key }.into());
        }
    }
    walk.count(connection, old)?;
    if heads.last().is_some_and(|last| last.count > walk.head.count) {
        return Err(Broken { at: walk.head.count + 1, why: BrokenReason::Cut }.into());
    }
    Ok(Verified { head: walk.head, epochs: walk.epochs, heads: given + usize::from(own.is_some()) })
}

/// How far it was read.
#[derive(Default)]
struct Walk<'a> {
    head: LedgerHead,
    epochs: u64,
    /// By count.
    heads: &'a [LedgerHead],
}

impl Walk<'_> {
    fn read_old(&mut self, connection: &Connection, key: Option<&old::Key>) -> Result<(), VerifyError> {
        let mut broken = None;
        old::walk(connection, key, |step| {
            let at = self.head.count + 1;
            let whole = step.sequence == i64::try_from(at).unwrap_or(i64::MAX) && step.fits;
            self.head = LedgerHead { count: at, hash: step.hash, key: None };
            let published =
                self.published(at).all(|head| head.key.is_none() && (head.hash == step.mac || head.hash == step.hash));
            if broken.is_none() && !whole {
                broken = Some(Broken { at, why: BrokenReason::Changed });
            }
            if broken.is_none() && !published {
                broken = Some(Broken { at, why: BrokenReason::Head });
            }
            Ok(())
        })?;
        broken.map_or(Ok(()), |broken| Err(broken.into()))
    }

    /// The lines after the last one that was read.
    fn read(&mut self, connection: &Connection) -> Result<(), VerifyError> {
        // The first page has whatever was put before the first line, too: no number is below all that a line can have.
        let mut bound = if self.epochs == 0 { "TRUE OR ?1" } else { "sequence > ?1" };
        loop {
            let sql = format!("SELECT {COLUMNS}, hash FROM ledger WHERE {bound} ORDER BY sequence LIMIT {PAGE}");
            let mut select = connection.prepare_cached(&sql)?;
            let mut rows = select.query([self.last()])?;
            let mut read = 0;
            while let Some(row) = rows.next()? {
                self.line(row)?;
                read += 1;
            }
            if read < PAGE {
                return Ok(());
            }
            bound = "sequence > ?1";
        }
    }

    /// Whether the table holds as many lines up to the last one as were read: what was put behind the reader's back is one too many.
    fn count(&self, connection: &Connection, old: u64) -> Result<(), VerifyError> {
        let sql = "SELECT count(*) FROM ledger NOT INDEXED WHERE sequence <= ?";
        let found: i64 = connection.query_row(sql, [self.last()], |row| row.get(0))?;
        match u64::try_from(found).ok() == self.head.count.checked_sub(old) {
            true => Ok(()),
            false => Err(Broken { at: old + 1, why: BrokenReason::Order }.into()),
        }
    }

    /// The number of the last line that was read.
    fn last(&self) -> i64 {
        i64::try_from(self.head.count).unwrap_or(i64::MAX)
    }

    fn line(&mut self, row: &Row<'_>) -> Result<(), VerifyError> {
        let at = self.head.count + 1;
        let broken = |why| VerifyError::Broken(Broken { at, why });
        if row.get_ref(0)?.as_i64().ok() != i64::try_from(at).ok() {
            return Err(broken(BrokenReason::Order));
        }
        let mut columns = [ValueRef::Null; WIDTH];
        for (index, column) in columns.iter_mut().enumerate() {
            *column = row.get_ref(index)?;
        }
        let hash = hash(&self.head.hash, columns.iter().copied());
        if row.get_ref(WIDTH)?.as_blob().ok() != Some(&hash[..]) {
            return Err(broken(BrokenReason::Changed));
        }
        if columns[KIND] == ValueRef::Text(EPOCH.as_bytes()) {
            self.head.key = Some(self.successor(at, &columns).ok_or(broken(BrokenReason::Unsigned))?);
            self.epochs += 1;
        } else if self.head.key.is_none() {
            return Err(broken(BrokenReason::Unsigned));
        }
        (self.head.count, self.head.hash) = (at, hash);
        let known = self.head.key;
        if self.published(at).any(|head| head.hash != hash || (head.key.is_some() && head.key != known)) {
            return Err(broken(BrokenReason::Head));
        }
        Ok(())
    }

    /// The key of an epoch, if the one before has signed it.
    fn successor(&self, sequence: u64, columns: &[ValueRef<'_>; WIDTH]) -> Option<[u8; 32]> {
        let key: [u8; 32] = columns[KEY].as_blob().ok()?.try_into().ok()?;
        let signature = Signature::from_slice(columns[SIGNATURE].as_blob().ok()?).ok()?;
        let at = u64::try_from(columns[AT].as_i64().ok()?).ok()?;
        let signer = VerifyingKey::from_bytes(&self.head.key.unwrap_or(key)).ok()?;
        signer.verify_strict(&signed(sequence, &self.head.hash, at, &key), &signature).is_ok().then_some(key)
    }

    fn published(&self, count: u64) -> impl Iterator<Item = &LedgerHead> {
        let from = self.heads.partition_point(|head| head.count < count);
        self.heads[from..].iter().take_while(move |head| head.count == count)
    }
}
