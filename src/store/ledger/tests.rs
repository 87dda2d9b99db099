//! The ledger on a disk: its epochs, its keys, and what was done to it while nobody looked (N-8).

use std::fs;

use rusqlite::Connection;

use super::*;
use crate::common::redact::MaskedCaller;
use crate::store::handle::tests::{Place, line, notice, put};
use crate::store::limits::{FILE, HEAD_FILE, MOST_WAITING};
use crate::store::request::Write;
use crate::store::writer::StoreWriter;
use crate::store::{Consent, StoreError};

/// A day, in milliseconds.
const DAY: u64 = 86_400_000;

const KEY: &str = "ledger-epoch.key";

#[test]
fn n8_the_chain_goes_on_over_a_restart_with_another_key() {
    let (place, first) = Place::with_lines(3);
    let before = fs::read(place.keys().join(KEY)).unwrap();
    let mut store = place.open();
    put(&mut store, vec![line(4)]);
    let last = store.chain.head();
    drop(store);
    assert_ne!(fs::read(place.keys().join(KEY)).unwrap(), before, "the key that has signed its successor is gone");
    let verified = place.verify(&[first, last]).unwrap();
    assert_eq!((verified.head, verified.epochs, verified.heads), (last, 2, 3));
    assert_eq!((first.count, last.count), (4, 6));
    assert_ne!(first.key, last.key);
}

#[test]
fn n8_a_day_has_its_own_key_and_a_clock_that_goes_back_has_none() {
    let (place, _) = Place::with_lines(1);
    let mut store = place.open();
    let now = store.chain.head();
    for (at, due) in [(0, false), (u64::MAX / 2, true)] {
        assert_eq!(store.chain.due(at) == Some(Reason::Day), due, "{at}");
    }
    let StoreWriter { chain, connection, .. } = &mut store;
    chain.begin(connection, Reason::Day, 40_000 * DAY).unwrap();
    assert_eq!((chain.due(40_000 * DAY), chain.due(40_001 * DAY)), (None, Some(Reason::Day)));
    chain.wipe().unwrap();
    let last = chain.head();
    drop(store);
    assert_eq!(place.verify(&[now, last]).map(|verified| verified.epochs), Ok(3));
}

#[test]
fn n8_a_daemon_that_is_killed_between_two_keys_goes_on() {
    let (place, _) = Place::with_lines(2);
    // Killed after the key was made, and before its epoch has begun.
    let key = fs::read(place.keys().join(KEY)).unwrap();
    fs::write(place.keys().join("ledger-epoch.key.next"), "7f".repeat(32)).unwrap();
    drop(place.open());
    assert_eq!(place.verify(&[]).map(|verified| verified.epochs), Ok(2));
    // Killed after its epoch has begun, and before the key before it was wiped.
    fs::rename(place.keys().join(KEY), place.keys().join("ledger-epoch.key.next")).unwrap();
    fs::write(place.keys().join(KEY), key).unwrap();
    assert_eq!(place.verify(&[]).map(|verified| verified.epochs), Ok(2), "meanwhile too");
    drop(place.open());
    assert_eq!(place.verify(&[]).map(|verified| verified.epochs), Ok(3));
    assert!(!place.keys().join("ledger-epoch.key.next").exists());
    // Killed at the very first start.
    let place = Place::new();
    fs::create_dir_all(place.keys()).unwrap();
    fs::write(place.keys().join("ledger-epoch.key.next"), "7f".repeat(32)).unwrap();
    drop(place.open());
    assert_eq!(place.verify(&[]).map(|verified| verified.epochs), Ok(1));
}

#[test]
fn n8_any_changed_column_is_found_at_its_line() {
    let (place, head) = Place::with_lines(4);
    let (path, copy) = (place.store().join(FILE), place.0.join("copy"));
    fs::copy(&path, &copy).unwrap();
    for change in [
        "kind = 'consent'",
        "at = at + 1",
        "meeting = 'demo'",
        "call = 'call-9'",
        "participant = 'p8'",
        "device = 'Lobby'",
        "dialog = 'x'",
        "address = '192.0.2.8:5060'",
        "caller = ''",
        "proof = NULL",
        "what = '[]'",
        "language = 'de'",
        "first_seq = NULL",
        "last_seq = last_seq + 1",
        "ssrc = 1",
        "received = coalesce(received, 500) - 1",
        "outcome = 'completed'",
        "key = x'00'",
        "signature = x'00'",
        "meeting = 'boardc', call = 'all-1'",
        "hash = x'00'",
        "hash = zeroblob(32)",
    ] {
        place.tamper(&format!("UPDATE ledger SET {change} WHERE sequence = 3"));
        assert_eq!(place.verify(&[head]), Err((3, BrokenReason::Changed)), "{change}");
        fs::copy(&copy, &path).unwrap();
    }
    assert!(place.verify(&[head]).is_ok());
}

#[test]
fn n8_removed_swapped_and_inserted_lines_are_found() {
    let copy_of_5 = "CREATE TEMP TABLE copy AS SELECT * FROM ledger WHERE sequence = 5; UPDATE copy SET sequence = 6; INSERT INTO ledger SELECT * FROM copy";
    for (change, at, why) in [
        ("DELETE FROM ledger WHERE sequence = 1", 1, BrokenReason::Order),
        ("DELETE FROM ledger WHERE sequence = 3", 3, BrokenReason::Order),
        (
            "DELETE FROM ledger WHERE sequence = 3; UPDATE ledger SET sequence = sequence - 1 WHERE sequence > 3",
            3,
            BrokenReason::Changed,
        ),
        (
            "UPDATE ledger SET sequence = 99 WHERE sequence = 2; UPDATE ledger SET sequence = 2 WHERE sequence = 3; UPDATE ledger SET sequence = 3 WHERE sequence = 99",
            2,
            BrokenReason::Changed,
        ),
        (copy_of_5, 6, BrokenReason::Changed),
        ("UPDATE ledger SET sequence = -1 WHERE sequence = 2", 1, BrokenReason::Order),
        ("INSERT INTO ledger_hmac VALUES (1, '', '', '', '', '', '', 1, 1, 1, 1, '', x'')", 2, BrokenReason::Order),
    ] {
        let (place, _) = Place::with_lines(4);
        place.tamper(change);
        assert_eq!(place.verify(&[]), Err((at, why)), "{change}");
    }
}

/// A line put before the first one is found by whoever verifies, and is not shown.
#[test]
fn n8_a_line_before_the_first_one_is_found_and_not_shown() {
    for sequence in [i64::MIN, i64::MIN + 1, -1, 0] {
        let (place, head) = Place::with_lines(4);
        place.tamper(&format!(
            "CREATE TEMP TABLE copy AS SELECT * FROM ledger WHERE sequence = 3; UPDATE copy SET sequence = {sequence}; \
             INSERT INTO ledger SELECT * FROM copy"
        ));
        assert_eq!(place.verify(&[head]), Err((1, BrokenReason::Order)), "{sequence}");
        let store = place.open();
        let shown = list(&store.connection, &LedgerQuery { limit: 10, ..LedgerQuery::default() });
        assert!(matches!(shown, Err(StoreError::Damaged { sequence: found }) if found == sequence), "{sequence}: {shown:?}");
    }
}

/// A table, an index or a trigger that is not the one that was made is found, whatever its lines say.
#[test]
fn n8_another_table_index_or_trigger_of_the_ledger_is_found() {
    for change in [
        "ALTER TABLE ledger RENAME TO truth; CREATE VIEW ledger AS SELECT * FROM truth",
        "ALTER TABLE ledger RENAME TO truth; CREATE VIEW \"Ledger\" AS SELECT * FROM truth",
        "ALTER TABLE ledger_hmac RENAME TO truth; CREATE VIEW ledger_hmac AS SELECT * FROM truth",
        "DROP TABLE ledger",
        "DROP TABLE ledger_hmac",
        "DROP TRIGGER ledger_keeps",
        "DROP INDEX ledger_of",
        "CREATE INDEX more ON ledger (what)",
        "CREATE TRIGGER more AFTER INSERT ON ledger BEGIN SELECT 1; END",
        "DROP INDEX ledger_by_kind; CREATE INDEX ledger_by_kind ON ledger (kind) WHERE kind <> 'notice'",
    ] {
        let (place, head) = Place::with_lines(3);
        assert!(place.verify(&[head]).is_ok());
        let connection = Connection::open(place.store().join(FILE)).unwrap();
        connection.execute_batch(change).unwrap();
        drop(connection);
        assert_eq!(place.verify(&[head]), Err((1, BrokenReason::Schema)), "{change}");
    }
}

/// Lines cut off are found by the head beside the store and by one from elsewhere.
#[test]
fn n8_lines_cut_off_are_found_by_the_head_beside_the_store() {
    let (place, head) = Place::with_lines(5);
    place.tamper("DELETE FROM ledger WHERE sequence > 4");
    assert_eq!(place.verify(&[]), Err((5, BrokenReason::Cut)), "by whoever forgot the file beside it");
    // A start does not paper over it.
    let mut store = place.open();
    put(&mut store, (6..20).map(line).collect());
    drop(store);
    assert_eq!(place.verify(&[]), Err((6, BrokenReason::Head)));
    fs::remove_file(place.keys().join(HEAD_FILE)).unwrap();
    assert!(place.verify(&[]).is_ok(), "within an epoch, only a head from elsewhere knows");
    assert_eq!(place.verify(&[head]), Err((6, BrokenReason::Head)));
}

#[test]
fn n8_a_ledger_that_was_taken_away_is_missed() {
    let (place, head) = Place::with_lines(3);
    place.tamper("DELETE FROM ledger");
    fs::remove_file(place.keys().join(HEAD_FILE)).unwrap();
    assert_eq!(place.verify(&[]), Err((1, BrokenReason::Key)));
    assert_eq!(place.verify(&[head]), Err((1, BrokenReason::Key)));
    fs::remove_dir_all(place.keys()).unwrap();
    drop(place.open());
    assert_eq!(place.verify(&[head]), Err((2, BrokenReason::Cut)));
}

/// Whoever has the key of now cannot sign for an epoch before.
#[test]
fn n8_whoever_has_the_key_of_now_cannot_sign_for_an_epoch() {
    let (place, first) = Place::with_lines(2);
    drop(place.open());
    // Back to the end of the first epoch, whose key is gone: nothing can be its successor.
    place.tamper("DELETE FROM ledger WHERE sequence > 3");
    fs::remove_file(place.keys().join(HEAD_FILE)).unwrap();
    assert_eq!(place.verify(&[]), Err((4, BrokenReason::Key)));
    drop(place.open());
    assert_eq!(place.verify(&[first]), Err((4, BrokenReason::Unsigned)), "and a start does not hide it");
}

#[test]
fn n8_a_lost_key_stops_no_notice_and_is_not_hidden() {
    for text in [None, Some(""), Some("00"), Some(&*"0g".repeat(32)), Some(&*"00".repeat(32)), Some(&*"7f".repeat(32))] {
        let (place, _) = Place::with_lines(2);
        match text {
            None => fs::remove_file(place.keys().join(KEY)).unwrap(),
            Some(text) => fs::write(place.keys().join(KEY), text).unwrap(),
        }
        assert_eq!(place.verify(&[]), Err((4, BrokenReason::Key)), "{text:?}");
        let mut store = place.open();
        assert!(matches!(put(&mut store, vec![line(3)])[..], [Some(Ok(5))]));
        drop(store);
        assert_eq!(place.verify(&[]), Err((4, BrokenReason::Unsigned)), "{text:?}");
    }
}

#[test]
fn n8_consents_and_deletions_are_lines_with_masked_numbers() {
    let place = Place::new();
    let mut store = place.open();
    let consent = Consent {
        number: MaskedCaller::new("+491715550123"),
        device: "board-room".into(),
        call: "call-1".into(),
        means: "keypad".into(),
        at: 5,
    };
    let deletion = Deletion { meeting: "demo".into(), recording: "demo-x".into(), by: "operator".into(), at: 6 };
    let entries = [LedgerEntry::Consent(consent.clone()), LedgerEntry::Deletion(deletion)];
    put(&mut store, vec![Write::Consent(Box::new(consent)), Write::Line(Box::new(entries[1].clone()))]);
    let rows = list(&store.connection, &LedgerQuery { limit: 2, ..LedgerQuery::default() }).unwrap();
    assert_eq!(rows.iter().rev().map(|row| row.entry.clone()).collect::<Vec<_>>(), entries);
    let shown = serde_json::to_value(&rows).unwrap();
    assert_eq!(
        (&shown[1]["kind"], &shown[1]["number"], &shown[0]["by"]),
        (&"consent".into(), &"+49…23".into(), &"operator".into())
    );
    drop(store);
    place.tamper("UPDATE ledger SET caller = '+491715550124' WHERE sequence = 2");
    assert_eq!(place.verify(&[]), Err((2, BrokenReason::Changed)));
}

/// Lines that a full disk refuses are kept and written when there is room.
#[test]
fn n8_lines_that_a_full_disk_refuses_are_kept_and_written() {
    let (place, before) = Place::with_lines(3);
    let mut store = place.open();
    let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let limit = |store: &StoreWriter, pages: i64| {
        store.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap()
    };
    limit(&store, pages);
    let many = |from: u64, to: u64| (from..to).map(line).collect::<Vec<_>>();
    let (reply, answer) = tokio::sync::oneshot::channel();
    let mut writes: Vec<_> = many(4, 200).into_iter().map(|line| (line, tokio::sync::oneshot::channel().0)).collect();
    writes.push((line(200), reply));
    store.write(writes);
    assert!(put(&mut store, many(201, 300)).iter().all(Option::is_none), "nobody is told that it was lost");
    assert_eq!(store.watch.status().waiting, 296, "for the alarm");
    assert!(store.failing);
    assert!(matches!(put(&mut store, vec![Write::Nothing])[..], [Some(Err(StoreError::Database(_)))]));
    let room = MOST_WAITING - 296;
    let told = put(&mut store, many(300, 300 + room as u64 + 5));
    assert_eq!(
        told.iter().filter(|answer| matches!(answer, Some(Err(_)))).count(),
        5,
        "above the limit they are lost, and said to be"
    );
    limit(&store, 1_000_000);
    store.maintain_ledger(0);
    assert_eq!((store.watch.status().waiting, store.failing), (0, false));
    assert_eq!(answer.blocking_recv().unwrap().unwrap(), before.count + 1 + 197);
    let rows = list(&store.connection, &LedgerQuery { limit: 1, before: Some(7), ..LedgerQuery::default() }).unwrap();
    assert_eq!(rows[0].entry, LedgerEntry::Notice(notice(4)), "in their order");
    drop(store);
    assert_eq!(place.verify(&[before]).map(|verified| verified.head.count), Ok(before.count + 1 + MOST_WAITING as u64));
}

#[test]
fn n8_a_damaged_line_is_named_when_the_ledger_is_read() {
    let (place, _) = Place::with_lines(3);
    place.tamper("UPDATE ledger SET outcome = 'heard' WHERE sequence = 3");
    let store = place.open();
    let query = |limit| LedgerQuery { limit, ..LedgerQuery::default() };
    assert!(matches!(list(&store.connection, &query(10)), Err(StoreError::Damaged { sequence: 3 })));
    assert_eq!(list(&store.connection, &query(1)).unwrap().len(), 1);
}

#[test]
fn n8_a_copy_without_its_keys_is_verified_by_heads() {
    let (place, head) = Place::with_lines(3);
    fs::remove_dir_all(place.keys()).unwrap();
    assert_eq!(place.verify(&[head]).map(|verified| verified.heads), Ok(1));
    assert_eq!(place.verify(&[LedgerHead { count: 5, ..head }]), Err((5, BrokenReason::Cut)));
    assert_eq!(place.verify(&[LedgerHead { key: Some([1; 32]), ..head }]), Err((4, BrokenReason::Head)));
}

/// Three lines as an earlier version has chained them, with the key of the bytes 0 to 31.
const OLD: &str = r#"INSERT INTO ledger VALUES
    (1, 'board', 'call-1', 'p7', 'Board room "1"', '["recording started"]', 'en', 1700000000001, 65530, 12, 1, 'completed', x'fd77dbae6164b434ba23173ecf8ced58731b570ecbcd29c9dc6d2d8e25d81bab'),
    (2, 'board', 'call-2', 'p8', 'Lobby', '["recording started","recording stopped"]', 'de', 1700000000002, NULL, NULL, NULL, 'failed', x'7f410f0665299081ec076ec5cc03e327f6e5ab00b11f15113632d84654ea9b03'),
    (3, 'demo', 'call-3', 'p9', 'Lobby', '["recording stopped"]', 'de', 1700000000003, 7, 9, 0, 'interrupted', x'77ea5ccf03e09f01df366b830a4b989c1095e56a2bcf0950affe2d4c5a3e9961');"#;

fn of_an_earlier_version() -> Place {
    let place = Place::of_schema(6);
    fs::create_dir_all(place.keys()).unwrap();
    let connection = Connection::open(place.store().join(FILE)).unwrap();
    connection.execute_batch(OLD).unwrap();
    let key: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
    fs::write(place.keys().join("ledger.key"), key).unwrap();
    place
}

/// Lines of an earlier version stay as they are and the chain commits to them.
#[test]
fn n8_lines_of_an_earlier_version_stay() {
    let published: LedgerHead = "2:7f410f0665299081ec076ec5cc03e327f6e5ab00b11f15113632d84654ea9b03".parse().unwrap();
    let place = of_an_earlier_version();
    let mut store = place.open();
    assert!(matches!(put(&mut store, vec![line(1)])[..], [Some(Ok(5))]), "their numbers go on");
    let head = store.chain.head();
    let rows = list(&store.connection, &LedgerQuery { limit: 9, ..LedgerQuery::default() }).unwrap();
    assert_eq!(rows.iter().map(|row| row.sequence).collect::<Vec<_>>(), [5, 4, 3, 2, 1]);
    assert!(
        matches!(&rows[4].entry, LedgerEntry::Notice(told) if told.device == "Board room \"1\"" && told.first_seq == Some(65_530))
    );
    let query = LedgerQuery { limit: 9, meeting: Some("demo".into()), notices: true, ..LedgerQuery::default() };
    assert_eq!(list(&store.connection, &query).unwrap().len(), 1);
    drop(store);
    assert_eq!(place.verify(&[published, head]).map(|verified| verified.head), Ok(head));
    let tamper = |sql: &str| place.tamper(sql);
    tamper("UPDATE ledger_hmac SET language = 'fr' WHERE sequence = 2");
    assert_eq!(place.verify(&[]), Err((2, BrokenReason::Changed)));
    fs::remove_file(place.keys().join("ledger.key")).unwrap();
    assert_eq!(place.verify(&[]), Err((4, BrokenReason::Changed)), "without their key the first epoch vouches for them");
    tamper("UPDATE ledger_hmac SET language = 'de' WHERE sequence = 2");
    assert!(place.verify(&[published, head]).is_ok());
    assert_eq!(place.verify(&[LedgerHead { hash: [7; 32], ..published }]), Err((2, BrokenReason::Head)));
}
