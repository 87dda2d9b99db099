//! The end of the chain, where lines are appended, and where one epoch follows another.

use ed25519_dalek::{Signer as _, SigningKey};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::columns::{Columns, EPOCH};
use super::head::LedgerHead;
use super::key::KeyPlace;
use super::lines::LedgerEntry;
use super::old;
use crate::store::StoreError;

/// A day, in milliseconds.
const DAY: u64 = 86_400_000;

/// Why an epoch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Reason {
    /// The daemon has started.
    Start,
    /// It is another day (UTC).
    Day,
    /// The key that should have signed it is not there.
    KeyLost,
}

impl Reason {
    const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Day => "day",
            Self::KeyLost => "key lost",
        }
    }
}

/// The end of the chain.
pub(in crate::store) struct Chain {
    keys: KeyPlace,
    count: u64,
    hash: [u8; 32],
    /// The key of the epoch that goes on; `None` before the first one, and where it was lost.
    key: Option<SigningKey>,
    /// There are epochs, but not the key of the last one.
    lost: bool,
    /// The day of the last epoch's beginning, counted from 1970.
    day: u64,
    /// The key before this one is still to be wiped.
    unwiped: bool,
}

/// The end of the chain as it was, for when what was appended is not committed.
#[derive(Clone, Copy)]
pub(in crate::store) struct Mark(u64, [u8; 32]);

/// What the key of an epoch signs: the line that it stands in, the hash of all before it, and the key of the epoch that begins.
pub(super) fn signed(sequence: u64, previous: &[u8; 32], at: u64, key: &[u8; 32]) -> Vec<u8> {
    let parts: [&[u8]; 5] = [b"roomgate epoch 2", &sequence.to_be_bytes(), previous, &at.to_be_bytes(), key];
    parts.concat()
}

impl Chain {
    /// Finds the end of the ledger and the key of its epoch.
    pub(in crate::store) fn open(connection: &Connection, keys: KeyPlace) -> Result<Self, StoreError> {
        let newest = "SELECT sequence, hash FROM ledger ORDER BY sequence DESC LIMIT 1";
        let newest = connection.query_row(newest, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))).optional()?;
        let (count, hash) = match newest {
            // One of another length is found by who verifies; what follows needs something to follow.
            Some((sequence, hash)) => (u64::try_from(sequence).unwrap_or_default(), hash.try_into().unwrap_or_default()),
            None => old::end(connection)?,
        };
        let last = format!("SELECT key, at FROM ledger WHERE kind = '{EPOCH}' ORDER BY sequence DESC LIMIT 1");
        let last = connection.query_row(&last, [], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?))).optional()?;
        let (public, at) = last.map_or((None, 0), |(key, at)| (<[u8; 32]>::try_from(key).ok(), at));
        let key = public.map(|public| keys.find(&public)).transpose()?.flatten();
        // A key without any epoch: the ledger that it belongs to was taken away.
        let lost = key.is_none() && (public.is_some() || keys.public()?.is_some_and(|keys| !keys.fit(None)));
        let day = u64::try_from(at).unwrap_or_default() / DAY;
        Ok(Self { keys, count, hash, key, lost, day, unwiped: false })
    }

    pub(in crate::store) fn head(&self) -> LedgerHead {
        let key = self.key.as_ref().map(|key| key.verifying_key().to_bytes());
        LedgerHead { count: self.count, hash: self.hash, key }
    }

    pub(in crate::store) const fn mark(&self) -> Mark {
        Mark(self.count, self.hash)
    }

    pub(in crate::store) const fn back_to(&mut self, Mark(count, hash): Mark) {
        (self.count, self.hash) = (count, hash);
    }

    /// Why an epoch should begin at `now` (milliseconds since 1970); `None`: it need not.
    pub(in crate::store) fn due(&self, now: u64) -> Option<Reason> {
        if self.key.is_none() {
            return Some(if self.lost { Reason::KeyLost } else { Reason::Start });
        }
        (now / DAY > self.day).then_some(Reason::Day)
    }

    /// Whether an epoch's key vouches for what is appended now.
    pub(in crate::store) const fn is_open(&self) -> bool {
        self.key.is_some()
    }

    /// Appends a line. If the transaction is not committed, the chain must be set back.
    pub(in crate::store) fn append(&mut self, connection: &Connection, entry: &LedgerEntry) -> Result<(), StoreError> {
        if !self.is_open() {
            return Err(StoreError::NoKey);
        }
        self.push(connection, Columns::of(entry))
    }

    fn push(&mut self, connection: &Connection, columns: Columns) -> Result<(), StoreError> {
        let sequence = self.count + 1;
        self.hash = columns.insert(connection, sequence, &self.hash)?;
        self.count = sequence;
        Ok(())
    }

    /// Begins an epoch: makes its key, has the one before sign it and wipes that one. On an error the epoch before goes on.
    pub(in crate::store) fn begin(&mut self, connection: &mut Connection, reason: Reason, now: u64) -> Result<(), StoreError> {
        // Where the key of now was not moved to its place yet, the next one would take it.
        self.wipe()?;
        let reason = if self.lost { Reason::KeyLost } else { reason };
        let next = self.keys.make()?;
        let public = next.verifying_key().to_bytes();
        let message = signed(self.count + 1, &self.hash, now, &public);
        // The first one vouches for itself: heads that were copied elsewhere pin it.
        let signature = self.key.as_ref().unwrap_or(&next).sign(&message).to_bytes();
        let mark = self.mark();
        let mut write = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            self.push(&transaction, Columns::epoch(reason.word(), now, public, signature))?;
            transaction.commit().map_err(StoreError::from)
        };
        if let Err(error) = write() {
            self.back_to(mark);
            return Err(error);
        }
        (self.key, self.lost, self.day, self.unwiped) = (Some(next), false, now / DAY, true);
        Ok(())
    }

    /// Wipes the key of the epoch before, where that is still to be done.
    pub(in crate::store) fn wipe(&mut self) -> Result<(), StoreError> {
        if self.unwiped {
            self.keys.retire()?;
            self.unwiped = false;
        }
        Ok(())
    }
}
