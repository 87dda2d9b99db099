//! The tables, and how an older store becomes a newer one. `user_version` is the schema's number.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// Step n leads from schema n to n + 1. A step that has been released is never changed.
pub(super) const STEPS: &[&str] = &[
    "
    CREATE TABLE ledger (
        sequence INTEGER PRIMARY KEY,
        meeting TEXT NOT NULL,
        call TEXT NOT NULL,
        participant TEXT NOT NULL,
        device TEXT NOT NULL,
        what TEXT NOT NULL,
        language TEXT NOT NULL,
        at INTEGER NOT NULL,
        first_seq INTEGER,
        last_seq INTEGER,
        covered_by_rtcp INTEGER,
        outcome TEXT NOT NULL,
        mac BLOB NOT NULL
    ) STRICT;
    -- Against mistakes; against intent there is the chain.
    CREATE TRIGGER ledger_keeps BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
    CREATE TRIGGER ledger_stays BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
    CREATE TABLE records (
        id INTEGER PRIMARY KEY,
        call TEXT NOT NULL,
        device TEXT NOT NULL,
        meeting TEXT,
        started_at INTEGER NOT NULL,
        answered_at INTEGER,
        lobby_at INTEGER,
        admitted_at INTEGER,
        joined_at INTEGER,
        left_at INTEGER,
        codec TEXT,
        packets INTEGER NOT NULL,
        lost INTEGER NOT NULL,
        jitter_ms REAL,
        mos REAL,
        notices INTEGER NOT NULL,
        end_reason TEXT NOT NULL
    ) STRICT;
",
    "
    CREATE TABLE registrations (
        id INTEGER PRIMARY KEY,
        device TEXT NOT NULL,
        uri TEXT NOT NULL,
        q INTEGER NOT NULL,
        instance TEXT,
        reg_id INTEGER,
        path TEXT NOT NULL,
        call_id TEXT NOT NULL,
        cseq INTEGER NOT NULL,
        source TEXT NOT NULL,
        transport TEXT NOT NULL,
        user_agent TEXT,
        dies_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX registrations_of ON registrations (device);
",
    "
    CREATE TABLE consents (
        id INTEGER PRIMARY KEY,
        number TEXT NOT NULL,
        device TEXT NOT NULL,
        call TEXT NOT NULL,
        means TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX consents_of ON consents (number);
    CREATE TABLE stops (number TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT;
",
    "
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        reference TEXT NOT NULL,
        number TEXT NOT NULL,
        text TEXT NOT NULL,
        ucs2 INTEGER,
        joined INTEGER,
        total INTEGER,
        part INTEGER,
        state TEXT NOT NULL,
        name TEXT,
        expires_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE chats (
        device TEXT PRIMARY KEY,
        text TEXT NOT NULL,
        region TEXT NOT NULL,
        at INTEGER NOT NULL,
        dies_at INTEGER NOT NULL
    ) STRICT;
",
    "
    ALTER TABLE outbox ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
    UPDATE outbox SET created_at = CAST(strftime('%s') AS INTEGER) * 1000;
",
    "
    CREATE INDEX records_by_time ON records (started_at);
    CREATE INDEX records_of ON records (meeting);
    CREATE INDEX records_from ON records (device);
",
    "
    ALTER TABLE records ADD COLUMN dialog TEXT NOT NULL DEFAULT '';
    ALTER TABLE records ADD COLUMN address TEXT NOT NULL DEFAULT '';
    ALTER TABLE records ADD COLUMN caller TEXT NOT NULL DEFAULT '';
    ALTER TABLE records ADD COLUMN proof TEXT NOT NULL DEFAULT '';
    -- Lines that were chained by HMAC stay as they are.
    DROP TRIGGER IF EXISTS ledger_keeps;
    DROP TRIGGER IF EXISTS ledger_stays;
    ALTER TABLE ledger RENAME TO ledger_hmac;
    CREATE TRIGGER ledger_hmac_keeps BEFORE UPDATE ON ledger_hmac BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
    CREATE TRIGGER ledger_hmac_stays BEFORE DELETE ON ledger_hmac BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
    CREATE TABLE ledger (
        sequence INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        at INTEGER NOT NULL,
        meeting TEXT,
        call TEXT,
        participant TEXT,
        device TEXT,
        dialog TEXT,
        address TEXT,
        caller TEXT,
        proof TEXT,
        what TEXT NOT NULL,
        language TEXT,
        first_seq INTEGER,
        last_seq INTEGER,
        ssrc INTEGER,
        received INTEGER,
        outcome TEXT,
        key BLOB,
        signature BLOB,
        hash BLOB NOT NULL
    ) STRICT;
    CREATE INDEX ledger_of ON ledger (meeting);
    CREATE INDEX ledger_by_time ON ledger (at);
    CREATE INDEX ledger_by_kind ON ledger (kind);
    -- Against mistakes; against intent there is the chain.
    CREATE TRIGGER ledger_keeps BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
    CREATE TRIGGER ledger_stays BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
",
    "
    CREATE TABLE runs (run INTEGER PRIMARY KEY AUTOINCREMENT) STRICT;
",
    "
    CREATE TABLE seats (participant INTEGER PRIMARY KEY, meeting TEXT NOT NULL) STRICT;
",
    "
    CREATE TABLE texted (
        day INTEGER NOT NULL,
        meeting TEXT NOT NULL,
        parts INTEGER NOT NULL,
        PRIMARY KEY (day, meeting)
    ) STRICT;
",
    "
    CREATE TABLE links (
        id BLOB PRIMARY KEY,
        meeting TEXT NOT NULL,
        made_at INTEGER NOT NULL,
        role TEXT NOT NULL,
        uses INTEGER NOT NULL,
        born_at INTEGER NOT NULL,
        dies_at INTEGER NOT NULL,
        kept_until INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX links_that_die ON links (kept_until);
    CREATE TABLE sessions (
        id BLOB PRIMARY KEY,
        meeting TEXT NOT NULL,
        made_at INTEGER NOT NULL,
        role TEXT NOT NULL,
        link BLOB,
        code BLOB,
        born_at INTEGER NOT NULL,
        dies_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX sessions_that_die ON sessions (dies_at);
",
    "
    CREATE TABLE mutes (
        meeting TEXT NOT NULL,
        who TEXT NOT NULL,
        run INTEGER NOT NULL,
        own INTEGER NOT NULL,
        host INTEGER NOT NULL,
        dies_at INTEGER NOT NULL,
        PRIMARY KEY (meeting, who)
    ) STRICT;
",
    "
    ALTER TABLE records ADD COLUMN encryption TEXT;
",
];

/// Brings the store to the newest schema, each step whole or not at all.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    // In one transaction with the steps, so that two processes starting at once do not both take them.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let taken = usize::try_from(found).ok().filter(|_| found <= known).ok_or(StoreError::Newer { found, known })?;
    for step in STEPS.iter().skip(taken) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

/// Whether what is called the ledger is what the steps have made: its tables, their indexes and their triggers, and nothing beside them. A
/// view of its name would show other lines than those that are stored (N-8).
pub(super) fn has_own_ledger(connection: &Connection) -> Result<bool, StoreError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let taken = usize::try_from(found).ok().and_then(|found| STEPS.get(..found)).ok_or(StoreError::Newer { found, known })?;
    let made = Connection::open_in_memory()?;
    for step in taken {
        made.execute_batch(step)?;
    }
    Ok(ledger_of(connection)? == ledger_of(&made)?)
}

/// Type, name and text of whatever belongs to the ledger. Names are the same in capitals.
fn ledger_of(connection: &Connection) -> Result<Vec<[String; 3]>, StoreError> {
    let sql = "SELECT type, name, coalesce(sql, '') FROM sqlite_schema
        WHERE lower(name) IN ('ledger', 'ledger_hmac') OR lower(tbl_name) IN ('ledger', 'ledger_hmac') ORDER BY type, name";
    let mut select = connection.prepare(sql)?;
    let rows = select.query_map([], |row| Ok([row.get::<_, String>(0)?, row.get(1)?, row.get(2)?]))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A store as an earlier version has left it: its first `version` steps, and nothing after.
#[cfg(test)]
pub(super) fn make(connection: &Connection, version: usize) {
    for step in &STEPS[..version] {
        connection.execute_batch(step).expect("a step that was taken before");
    }
    connection.pragma_update(None, "user_version", version).expect("a version");
}
