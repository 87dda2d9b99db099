//! Ten thousand alterations of ledgers, by somebody who can read and write whatever the daemon's user can (N-8).
//!
//! Each touches a line at or before the last head that was copied elsewhere, and all that lies beside the store is made to fit it.

use ed25519_dalek::{Signer as _, SigningKey};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::chain::{Chain, Reason, signed};
use super::columns::{AT, COLUMNS, EPOCH, KEY, KIND, SIGNATURE, WIDTH, hash};
use super::head::LedgerHead;
use super::key::{KeyPlace, Public};
use super::verify::verify_in;
use super::{LedgerEntry, Verified, VerifyError, read_heads};
use crate::common::split_mix::SplitMix;
use crate::store::handle::tests::notice;
use crate::store::schema;

/// Alterations, and ledgers that are left alone.
const EACH: u64 = 10_000;
/// Ledgers that they are made of.
const LEDGERS: u64 = 20;
/// Epochs of each, and lines of an epoch at most.
const EPOCHS: u64 = 4;
const LINES: u64 = 8;

fn below(random: &mut SplitMix, limit: usize) -> usize {
    usize::try_from(random.draw() % limit as u64).expect("small")
}

/// A line's columns and its hash.
type Line = Vec<Value>;

/// A ledger as its keeper knows it.
struct Ledger {
    connection: Connection,
    lines: Vec<Line>,
    /// After each line.
    heads: Vec<LedgerHead>,
    /// The only secret that is still there.
    secret: SigningKey,
    public: Public,
}

impl Ledger {
    fn new(random: &mut SplitMix) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut connection = Connection::open_in_memory().expect("memory");
        schema::migrate(&mut connection).expect("a schema");
        let plain = "DROP TRIGGER ledger_keeps; DROP TRIGGER ledger_stays; DROP INDEX ledger_of; DROP INDEX ledger_by_time; DROP INDEX ledger_by_kind;";
        connection.execute_batch(plain).expect("plain");
        let keys = KeyPlace::new(folder.path());
        let mut chain = Chain::open(&connection, keys.clone()).expect("an empty ledger");
        let mut heads = Vec::new();
        for epoch in 0..EPOCHS {
            chain.begin(&mut connection, Reason::Day, epoch * 86_400_000).expect("an epoch");
            chain.wipe().expect("wiped");
            heads.push(chain.head());
            for _ in 0..1 + random.draw() % LINES {
                let line = LedgerEntry::Notice(notice(random.draw() >> 32));
                chain.append(&connection, &line).expect("a line");
                heads.push(chain.head());
            }
        }
        let public = keys.public().expect("readable").expect("there");
        let secret = keys.find(&public.current.expect("one")).expect("readable").expect("one");
        let lines = read(&connection);
        Self { connection, lines, heads, secret, public }
    }

    /// What a verifier says of these lines, with what lies beside them.
    fn verify(&self, lines: &[Line], beside: (Public, LedgerHead), published: &[LedgerHead]) -> Result<Verified, VerifyError> {
        self.connection.execute_batch("BEGIN; DELETE FROM ledger;").expect("a transaction");
        let marks = ["?"; WIDTH + 1].join(",");
        {
            let mut insert =
                self.connection.prepare_cached(&format!("INSERT INTO ledger ({COLUMNS}, hash) VALUES ({marks})")).expect("SQL");
            for line in lines {
                insert.execute(params_from_iter(line)).expect("a line");
            }
        }
        let found = verify_in(&self.connection, None, || Ok((Some(beside.0), Some(beside.1))), published);
        self.connection.execute_batch("ROLLBACK").expect("back");
        found
    }
}

fn read(connection: &Connection) -> Vec<Line> {
    let mut select = connection.prepare(&format!("SELECT {COLUMNS}, hash FROM ledger ORDER BY sequence")).expect("SQL");
    let rows = select.query_map([], |row| (0..=WIDTH).map(|column| row.get(column)).collect()).expect("rows");
    rows.collect::<Result<_, _>>().expect("lines")
}

/// Heads as they come back from elsewhere: a few of many, the last of them not at the end.
fn copied(random: &mut SplitMix, heads: &[LedgerHead]) -> Vec<LedgerHead> {
    let last = heads[below(random, heads.len())];
    let earlier = heads[below(random, usize::try_from(last.count).expect("small"))];
    let log = format!(
        "2026-11-30T02:40:47.123Z  INFO roomgate::ledger: ledger head head={earlier} why=epoch\nroomgate_ledger_head_info{{head=\"{last}\"}} 1\n"
    );
    read_heads(&log)
}

/// Numbers lines from 1 on.
fn number(lines: &mut [Line]) {
    for (index, line) in lines.iter_mut().enumerate() {
        line[0] = Value::Integer(i64::try_from(index + 1).expect("small"));
    }
}

/// Chains everything from `from` on anew, and signs it with what is there: the last epoch's secret, and keys that are made for it.
fn chain_anew(lines: &mut [Line], from: usize, secret: &SigningKey, random: &mut SplitMix) {
    number(lines);
    let last = lines.iter().rposition(is_epoch);
    let mut previous: [u8; 32] = match from.checked_sub(1).map(|before| &lines[before][WIDTH]) {
        Some(Value::Blob(hash)) => hash.clone().try_into().unwrap_or_default(),
        _ => [0; 32],
    };
    let mut signer: Option<SigningKey> = (last < Some(from)).then(|| secret.clone());
    for (index, line) in lines.iter_mut().enumerate().skip(from) {
        if is_epoch(line) {
            // In the last epoch what the daemon goes on with, which lies beside the store; elsewhere one whose secret is known.
            let key = if Some(index) == last { secret.clone() } else { SigningKey::from_bytes(&seed(random)) };
            let public = key.verifying_key().to_bytes();
            let at = if let Value::Integer(at) = line[AT] { at.unsigned_abs() } else { 0 };
            let message = signed(index as u64 + 1, &previous, at, &public);
            let signature = signer.as_ref().unwrap_or(&key).sign(&message).to_bytes();
            (line[KEY], line[SIGNATURE]) = (Value::Blob(public.to_vec()), Value::Blob(signature.to_vec()));
            signer = Some(key);
        }
        previous = hash(&previous, line[..WIDTH].iter().map(Into::into));
        line[WIDTH] = Value::Blob(previous.to_vec());
    }
}

fn seed(random: &mut SplitMix) -> [u8; 32] {
    let mut seed = [0; 32];
    seed.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&random.draw().to_be_bytes()));
    seed
}

fn is_epoch(line: &Line) -> bool {
    line[KIND] == Value::Text(EPOCH.to_owned())
}

/// Another value than this one, of a kind that the column takes.
fn other(value: &Value, column: usize, random: &mut SplitMix) -> Value {
    match value {
        Value::Integer(_) if (13..=16).contains(&column) && random.draw().is_multiple_of(2) => Value::Null,
        Value::Integer(number) => Value::Integer(number + 1 + i64::try_from(random.draw() % 200).expect("small")),
        Value::Text(text) => Value::Text(format!("{text}x")),
        Value::Blob(blob) => {
            let mut blob = blob.clone();
            let at = below(random, blob.len());
            blob[at] ^= 1 << (random.draw() % 8);
            Value::Blob(blob)
        }
        Value::Null if (13..=16).contains(&column) => Value::Integer(0),
        Value::Null if column >= KEY => Value::Blob(vec![0]),
        Value::Null | Value::Real(_) => Value::Text(String::new()),
    }
}

/// Changes lines of which one at least stands before `published`; says what was done.
fn alter(lines: &mut Vec<Line>, published: usize, secret: &SigningKey, random: &mut SplitMix) -> &'static str {
    let at = below(random, published);
    let what = match random.draw() % 8 {
        0 => {
            let column = below(random, WIDTH + 1);
            lines[at][column] = other(&lines[at][column].clone(), column, random);
            if column == 0 {
                // Two lines cannot have one number: it moves to the end.
                lines[at][0] = Value::Integer(1000);
            }
            return "changed";
        }
        1 => {
            lines.remove(at);
            "removed"
        }
        2 => {
            // Not the line that stands there: a copy behind it would leave everything up to it as it was.
            let forged = lines[(at + 1 + below(random, lines.len() - 1)) % lines.len()].clone();
            lines.insert(at, forged);
            "inserted"
        }
        3 => {
            let with = (at + 1 + below(random, lines.len() - 1)) % lines.len();
            lines.swap(at, with);
            number(lines);
            if with < at && random.draw().is_multiple_of(2) {
                chain_anew(lines, with, secret, random);
                return "swapped and chained anew";
            }
            "swapped"
        }
        4 => {
            lines.truncate(at);
            return "cut off";
        }
        5 => {
            // Cut off, and made as long again by lines of the present.
            let lines_before = lines.len();
            let filler = lines[lines_before - 1].clone();
            lines.truncate(at);
            while lines.len() < lines_before {
                let mut line = filler.clone();
                line[3] = Value::Text(format!("forged {}", lines.len()));
                lines.push(line);
            }
            chain_anew(lines, at, secret, random);
            return "cut off and written on";
        }
        6 => {
            lines[at][3] = Value::Text("forged".to_owned());
            // The whole ledger with keys of one's own.
            chain_anew(lines, 0, secret, random);
            return "written anew";
        }
        _ => {
            lines[at][2] = other(&lines[at][2].clone(), 2, random);
            chain_anew(lines, at, secret, random);
            return "changed and chained anew";
        }
    };
    match random.draw() % 3 {
        0 => number(lines),
        1 => {
            let from = at.min(lines.len());
            chain_anew(lines, from, secret, random);
        }
        // A number twice is refused by the table.
        _ if what == "inserted" => number(lines),
        _ => {}
    }
    what
}

/// What lies beside the store, made to fit.
fn beside(lines: &[Line], ledger: &Ledger) -> (Public, LedgerHead) {
    let key = lines.iter().rev().find(|line| is_epoch(line)).and_then(|line| match &line[KEY] {
        Value::Blob(key) => <[u8; 32]>::try_from(key.as_slice()).ok(),
        _ => None,
    });
    let hash = match lines.last().map(|line| &line[WIDTH]) {
        Some(Value::Blob(hash)) => hash.as_slice().try_into().unwrap_or_default(),
        _ => [0; 32],
    };
    let public = if lines.is_empty() { Public::default() } else { Public { current: key, ..ledger.public } };
    (public, LedgerHead { count: lines.len() as u64, hash, key })
}

/// Ten thousand alterations are found and ten thousand untouched ledgers are not.
#[test]
fn n8_ten_thousand_alterations_are_found_and_ten_thousand() {
    let random = &mut SplitMix::new(16);
    let ledgers: Vec<Ledger> = (0..LEDGERS).map(|_| Ledger::new(random)).collect();
    let mut done = std::collections::BTreeMap::<&str, u32>::new();
    for round in 0..EACH {
        let ledger = &ledgers[usize::try_from(round % LEDGERS).expect("small")];
        let published = copied(random, &ledger.heads);
        let last = published.iter().map(|head| head.count).max().expect("two");
        // Lines that came after the head was copied, or none.
        let length =
            usize::try_from(last).expect("small") + below(random, ledger.lines.len() - usize::try_from(last).expect("small") + 1);
        let untouched = &ledger.lines[..length];
        let found = ledger.verify(untouched, beside(untouched, ledger), &published);
        assert_eq!(found.as_ref().map(|found| found.head.count).ok(), Some(length as u64), "round {round}: {found:?}");

        let mut lines = ledger.lines.clone();
        let what = alter(&mut lines, usize::try_from(last).expect("small"), &ledger.secret, random);
        *done.entry(what).or_default() += 1;
        if lines == ledger.lines {
            panic!("round {round}: {what} changed nothing");
        }
        let found = ledger.verify(&lines, beside(&lines, ledger), &published);
        assert!(matches!(found, Err(VerifyError::Broken(_))), "round {round}: {what} was not found: {found:?}");
    }
    assert!(done.len() >= 8 && done.values().all(|count| *count > 100), "{done:?}");
}
