use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::redact::Caller;

/// A directory of its own for each test: `store` and `key` in it. Removed at its end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("roomgate-store-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    fn key_file(&self) -> PathBuf {
        self.0.join("key").join(KEY_FILE)
    }

    fn open(&self) -> Store {
        Store::open(&self.store(), &self.0.join("key")).unwrap()
    }

    /// A ledger of `count` lines, closed, and its end.
    fn with_lines(count: u64) -> (Self, Checkpoint) {
        let place = Self::new();
        let mut store = place.open();
        store.write(&(1..=count).map(line).collect::<Vec<_>>()).unwrap();
        let checkpoint = store.chain.checkpoint();
        (place, checkpoint)
    }

    /// A store as an earlier version has left it.
    fn of_schema(version: usize) -> Self {
        let place = Self::new();
        fs::create_dir_all(place.store()).unwrap();
        schema::make(&Connection::open(place.store().join(FILE)).unwrap(), version);
        place
    }

    fn verify(&self, checkpoint: Option<Checkpoint>) -> Result<Verified, u64> {
        match verify(&self.store(), &LedgerKey::read(&self.key_file()).unwrap(), checkpoint) {
            Ok(verified) => Ok(verified),
            Err(VerifyError::Break { at }) => Err(at),
            Err(VerifyError::Store(error)) => panic!("{error}"),
        }
    }

    /// Does what somebody with the file in hand could do.
    fn tamper(&self, sql: &str) {
        let connection = Connection::open(self.store().join(FILE)).unwrap();
        connection.execute_batch("DROP TRIGGER IF EXISTS ledger_keeps; DROP TRIGGER IF EXISTS ledger_stays;").unwrap();
        connection.execute_batch(sql).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn phone() -> Phone {
    Phone::new("a84b4c76e66710@pc33", "192.0.2.7:5060".to_owned(), Caller::new("+491715550123"), "digest")
}

fn notice(number: u64) -> LedgerLine {
    LedgerLine {
        meeting: "board".to_owned(),
        call: format!("call-{number}"),
        participant: "p7".to_owned(),
        device: "Board room \"1\"".to_owned(),
        what: vec!["recording started".to_owned(), "transcription paused".to_owned()],
        language: "en".to_owned(),
        at: 1_700_000_000_000 + number,
        first_seq: Some(65_530),
        last_seq: Some(u16::try_from(number % 65_536).unwrap()),
        phone: phone(),
        ssrc: Some(u32::MAX),
        received_permille: [None, Some(1000), Some(0)][usize::try_from(number % 3).unwrap()],
        outcome: NoticeOutcome::ALL[usize::try_from(number % 3).unwrap()],
    }
}

fn line(number: u64) -> Write {
    Write::Line(Box::new(notice(number)))
}

fn record(number: u64) -> CallRecord {
    CallRecord {
        call: format!("call-{number}"),
        phone: phone(),
        device: "Board room".to_owned(),
        meeting: Some("board".to_owned()),
        started_at: 1000 + number,
        answered_at: Some(1100),
        lobby_at: Some(1200),
        admitted_at: Some(1300),
        joined_at: Some(1400),
        left_at: None,
        codec: Some("G722".to_owned()),
        packets: 5000,
        lost: -2,
        jitter_ms: Some(1.5),
        mos: None,
        notices: 2,
        end_reason: "hung-up".to_owned(),
    }
}

#[tokio::test]
async fn lines_and_records_come_back_newest_first() {
    let place = Place::new();
    let (handle, thread) = open(&place.store(), &place.0.join("key")).unwrap();
    for number in 1..=5 {
        assert_eq!(handle.append(notice(number)).await.unwrap(), number);
        handle.record(record(number)).await.unwrap();
    }
    let page = handle.ledger(2, None).await.unwrap();
    let expected = [5, 4].map(|number| LedgerRow { sequence: number, line: notice(number) });
    assert_eq!(page, expected);
    let page = handle.ledger(usize::MAX, Some(4)).await.unwrap();
    assert_eq!(page.iter().map(|row| row.sequence).collect::<Vec<_>>(), [3, 2, 1]);
    let query = |limit| RecordQuery { limit, ..RecordQuery::default() };
    let row = |id| RecordRow { id, record: record(id) };
    assert_eq!(handle.records(query(2)).await.unwrap(), [row(5), row(4)]);
    assert_eq!(handle.records(RecordQuery { before: Some(4), ..query(2) }).await.unwrap(), [row(3), row(2)]);
    assert_eq!(handle.records(RecordQuery { from: Some(1002), to: Some(1004), ..query(9) }).await.unwrap(), [row(3), row(2)]);
    let of = |meeting: &str, device: &str| RecordQuery { meeting: Some(meeting.into()), device: Some(device.into()), ..query(9) };
    assert_eq!(handle.records(of("board", "Board room")).await.unwrap().len(), 5);
    assert_eq!(handle.records(of("demo", "Board room")).await.unwrap().len(), 0);
    assert_eq!(handle.records(of("board", "' OR 1")).await.unwrap().len(), 0);
    assert_eq!(handle.sweep_records(1003).await.unwrap(), 2, "at the end of their retention");
    assert_eq!(handle.records(query(9)).await.unwrap(), [row(5), row(4), row(3)]);
    assert_eq!(handle.ledger(0, None).await.unwrap(), []);
    drop(handle);
    thread.join().unwrap();
    assert_eq!(place.verify(None).unwrap().count, 5);
}

#[tokio::test]
async fn many_who_write_at_once_are_all_kept_and_the_chain_holds() {
    let place = Place::new();
    let (handle, thread) = open(&place.store(), &place.0.join("key")).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=1500 {
        let handle = handle.clone();
        tasks.spawn(async move { handle.append(notice(number)).await.unwrap() });
    }
    let mut numbers = tasks.join_all().await;
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=1500).collect::<Vec<_>>());
    drop(handle);
    thread.join().unwrap();
    assert_eq!(place.verify(None).unwrap().count, 1500);
}

#[tokio::test]
async fn a_store_whose_thread_has_ended_says_so() {
    let (requests, inbox) = mpsc::channel(1);
    drop(inbox);
    assert!(matches!(Handle { requests, run: 1 }.append(notice(1)).await, Err(StoreError::Closed)));
}

#[test]
fn the_chain_goes_on_over_a_restart() {
    let (place, first) = Place::with_lines(3);
    let mut store = place.open();
    assert_eq!(store.chain.checkpoint(), first);
    store.write(&[line(4)]).unwrap();
    let last = store.chain.checkpoint();
    drop(store);
    assert_eq!(place.verify(Some(first)), Ok(last));
}

#[test]
fn files_are_private() {
    let (place, _) = Place::with_lines(1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.store().join(FILE)), 0o600);
    assert_eq!(mode(&place.key_file()), 0o600);
    assert_eq!(mode(&place.store()), 0o700);
}

#[test]
fn any_changed_column_is_found_at_its_line_as_n8_says() {
    for change in [
        "meeting = 'demo'",
        "call = 'call-9'",
        "participant = 'p8'",
        "device = 'Lobby'",
        "what = '[]'",
        "language = 'de'",
        "at = at + 1",
        "first_seq = NULL",
        "last_seq = last_seq + 1",
        "dialog = 'x'",
        "address = '192.0.2.8:5060'",
        "caller = ''",
        "proof = 'none'",
        "proof = NULL",
        "ssrc = NULL",
        "received = coalesce(received, 500) - 1",
        "outcome = 'completed'",
        "meeting = 'boardc', call = 'all-2'",
        "mac = x'00'",
        "mac = zeroblob(32)",
    ] {
        let (place, _) = Place::with_lines(5);
        place.tamper(&format!("UPDATE ledger SET {change} WHERE sequence = 2"));
        assert_eq!(place.verify(None), Err(2), "{change}");
    }
}

#[test]
fn removed_and_reordered_lines_are_found() {
    for (change, at) in [
        ("DELETE FROM ledger WHERE sequence = 1", 1),
        ("DELETE FROM ledger WHERE sequence = 3", 3),
        ("DELETE FROM ledger WHERE sequence = 3; UPDATE ledger SET sequence = sequence - 1 WHERE sequence > 3", 3),
        (
            "UPDATE ledger SET sequence = 99 WHERE sequence = 2; UPDATE ledger SET sequence = 2 WHERE sequence = 3; UPDATE ledger SET sequence = 3 WHERE sequence = 99",
            2,
        ),
        (
            "INSERT INTO ledger SELECT 6, meeting, call, participant, device, what, language, at, first_seq, last_seq, covered_by_rtcp, outcome, mac, dialog, address, caller, proof, ssrc, received FROM ledger WHERE sequence = 5",
            6,
        ),
    ] {
        let (place, _) = Place::with_lines(5);
        place.tamper(change);
        assert_eq!(place.verify(None), Err(at), "{change}");
    }
}

#[test]
fn lines_cut_off_are_found_with_a_checkpoint_even_if_others_follow() {
    let (place, checkpoint) = Place::with_lines(5);
    place.tamper("DELETE FROM ledger WHERE sequence > 3");
    assert_eq!(place.verify(None).map(|verified| verified.count), Ok(3), "the chain alone cannot tell");
    assert_eq!(place.verify(Some(checkpoint)), Err(4));
    place.open().write(&[line(6), line(7), line(8)]).unwrap();
    assert_eq!(place.verify(Some(checkpoint)), Err(5));
}

#[test]
fn another_key_does_not_verify() {
    let (place, _) = Place::with_lines(2);
    fs::write(place.key_file(), "00".repeat(32)).unwrap();
    assert_eq!(place.verify(None), Err(1));
    let store = place.open();
    assert!(!ledger::newest_fits(&store.connection, &store.chain.key).unwrap());
}

#[test]
fn a_lost_key_is_never_replaced_while_there_are_lines() {
    let (place, _) = Place::with_lines(2);
    fs::remove_file(place.key_file()).unwrap();
    let refused = Store::open(&place.store(), &place.0.join("key")).err().unwrap();
    assert!(matches!(refused, StoreError::KeyMissing { lines: 2, .. }), "{refused}");
    assert!(!place.key_file().exists());
    for text in ["", "00", &"0g".repeat(32), &"00".repeat(33)] {
        fs::write(place.key_file(), text).unwrap();
        assert!(matches!(LedgerKey::read(&place.key_file()), Err(StoreError::KeyMalformed { .. })), "{text}");
    }
}

#[test]
fn the_ledger_refuses_updates_and_deletions() {
    let (place, _) = Place::with_lines(2);
    let store = place.open();
    for sql in ["UPDATE ledger SET at = 0", "DELETE FROM ledger"] {
        assert!(store.connection.execute(sql, []).unwrap_err().to_string().contains("append-only"));
    }
}

#[test]
fn a_store_of_a_later_version_is_refused_and_left_as_it_is() {
    let (place, _) = Place::with_lines(1);
    let known = i64::try_from(schema::STEPS.len()).unwrap();
    let later = known + 1;
    place.tamper(&format!("PRAGMA user_version = {later}"));
    let refused = Store::open(&place.store(), &place.0.join("key")).err().unwrap();
    assert!(matches!(refused, StoreError::Newer { found, known: newest } if (found, newest) == (later, known)), "{refused}");
    let version: i64 =
        Connection::open(place.store().join(FILE)).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, later);
}

#[test]
fn c2_what_was_texted_today_is_counted_over_restarts_and_no_longer_than_the_day() {
    let place = Place::new();
    let count = |day, meeting: &str, parts| texted::count(&place.open().connection, day, meeting, parts).unwrap();
    let list = |day| texted::list(&place.open().connection, day).unwrap();
    count(20_000, "demo", 2);
    count(20_000, "", 1);
    count(20_000, "demo", 3);
    assert_eq!(list(20_000), [(String::new(), 1), ("demo".to_owned(), 5)]);
    count(20_001, "board", 4);
    assert_eq!((list(20_000), list(20_001)), (vec![], vec![("board".to_owned(), 4)]));
}

#[test]
fn sms_of_a_store_of_schema_4_are_as_old_as_its_migration() {
    let place = Place::of_schema(4);
    place.tamper("INSERT INTO outbox (id, reference, number, text, state, expires_at) VALUES (1, 'r', '+1', 't', 'waiting', 5)");
    drop(place.open());
    let store = Connection::open(place.store().join(FILE)).unwrap();
    let age = "SELECT CAST(strftime('%s') AS INTEGER) - created_at / 1000 FROM outbox";
    let age: i64 = store.query_row(age, [], |row| row.get(0)).unwrap();
    assert!((0..60).contains(&age), "{age} s");
}

#[test]
fn records_of_a_store_of_schema_5_stay_and_are_found() {
    let place = Place::of_schema(5);
    let insert = "INSERT INTO records (call, device, started_at, packets, lost, notices, end_reason)";
    place.tamper(&format!("{insert} VALUES ('call-1', 'Board room', 1000, 5, 0, 0, 'hung-up')"));
    let store = place.open();
    let query = RecordQuery { limit: 9, from: Some(1000), device: Some("Board room".into()), ..RecordQuery::default() };
    let found = records::list(&store.connection, &query).unwrap();
    assert_eq!(found.iter().map(|row| (row.id, row.record.packets)).collect::<Vec<_>>(), [(1, 5)]);
}

#[test]
fn what_is_no_database_is_an_error() {
    let place = Place::new();
    fs::create_dir_all(place.store()).unwrap();
    fs::write(place.store().join(FILE), "not a database".repeat(100)).unwrap();
    assert!(matches!(Store::open(&place.store(), &place.0.join("key")), Err(StoreError::Database(_))));
    fs::write(place.0.join("file"), "").unwrap();
    assert!(matches!(Store::open(&place.0.join("file/store"), &place.0), Err(StoreError::Io { .. })));
}

#[test]
fn a_full_disk_loses_its_batch_and_nothing_else() {
    let (place, before) = Place::with_lines(3);
    let mut store = place.open();
    let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let limit = |store: &Store, pages: i64| {
        store.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap()
    };
    limit(&store, pages);
    let many: Vec<Write> = (4..200).map(line).collect();
    assert!(matches!(store.write(&many), Err(StoreError::Database(_))));
    assert!(matches!(store.write(&many), Err(StoreError::Database(_))));
    assert!(store.failing);
    assert_eq!(store.chain.checkpoint(), before);
    limit(&store, 100_000);
    assert_eq!(store.write(&[line(4)]).unwrap(), [4]);
    assert!(!store.failing);
    drop(store);
    assert_eq!(place.verify(Some(before)).map(|verified| verified.count), Ok(4));
}

#[test]
fn a_damaged_line_is_named_when_the_ledger_is_read() {
    let (place, _) = Place::with_lines(3);
    place.tamper("UPDATE ledger SET outcome = 'heard' WHERE sequence = 2");
    let store = place.open();
    assert!(matches!(ledger::list(&store.connection, 10, None), Err(StoreError::Damaged { sequence: 2 })));
    assert_eq!(ledger::list(&store.connection, 1, None).unwrap().len(), 1);
}

#[test]
fn a_number_that_is_none_is_kept_as_unknown() {
    let place = Place::new();
    let mut store = place.open();
    store.write(&[Write::Record(Box::new(CallRecord { jitter_ms: Some(f64::NAN), ..record(1) }))]).unwrap();
    assert_eq!(
        records::list(&store.connection, &RecordQuery { limit: 1, ..RecordQuery::default() }).unwrap()[0].record.jitter_ms,
        None
    );
}

#[test]
fn a_checkpoint_is_read_as_it_was_printed() {
    let (_place, checkpoint) = Place::with_lines(1);
    assert_eq!(checkpoint.to_string().parse(), Ok(checkpoint));
    for text in ["", "1", "1:", "x:00", ":", &format!("-1:{}", "00".repeat(32)), &format!("1:{}", "é".repeat(32))] {
        assert!(text.parse::<Checkpoint>().is_err(), "{text}");
    }
}

#[test]
fn an_empty_ledger_verifies_as_empty() {
    let place = Place::new();
    drop(place.open());
    assert_eq!(place.verify(None), Ok(Checkpoint { count: 0, head: [0; 32] }));
}

#[tokio::test]
async fn registrations_are_replaced_by_device_and_die_at_their_date() {
    let place = Place::new();
    let registration = |device: &str, uri: &str, dies_at: u64| Registration {
        device: device.to_owned(),
        uri: uri.to_owned(),
        q: 500,
        instance: None,
        reg_id: Some(2),
        path: vec!["<sip:p1;lr>".to_owned(), "<sip:p2;lr>".to_owned()],
        call_id: "c".to_owned(),
        cseq: 4,
        source: "192.0.2.1:5060".to_owned(),
        transport: "UDP".to_owned(),
        user_agent: Some("Desk".to_owned()),
        dies_at,
    };
    let (handle, thread) = open(&place.store(), &place.0.join("key")).unwrap();
    handle.register("a", vec![registration("a", "sip:1", 100), registration("a", "sip:2", 300)]).await.unwrap();
    handle.register("b", vec![registration("b", "sip:3", 200)]).await.unwrap();
    handle.register("b", vec![registration("b", "sip:4", 200)]).await.unwrap();
    drop(handle);
    thread.join().unwrap();
    let (handle, thread) = open(&place.store(), &place.0.join("key")).unwrap();
    assert_eq!(handle.registrations(100).await.unwrap(), [registration("a", "sip:2", 300), registration("b", "sip:4", 200)]);
    handle.register("a", Vec::new()).await.unwrap();
    assert_eq!(handle.registrations(0).await.unwrap(), [registration("b", "sip:4", 200)], "what was dead is gone for good");
    drop(handle);
    thread.join().unwrap();
}

#[tokio::test]
async fn c8_a_text_that_is_done_with_leaves_the_files_and_a_reader_of_them_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let (store, thread) = open(folder.path(), &folder.path().join("keys")).unwrap();
    let parcel = StoredParcel {
        id: 1,
        reference: "r".to_owned(),
        number: "+491715550123".to_owned(),
        text: crate::redact::Redacted::new("the words of a meeting".to_owned()),
        part: Some(ParcelPart { ucs2: false, joined: 7, total: 2, part: 1 }),
        state: ParcelState::Submitted,
        created_at: 4,
        expires_at: 5,
    };
    let change = |change| async { store.outbox(change).await.await.unwrap().unwrap() };
    change(OutboxChange::Keep(Box::new(parcel.clone()))).await;
    assert_eq!(store.parcels().await.unwrap(), [parcel]);
    let is_there = || {
        let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&[read(FILE), read("roomgate.db-wal")].concat()).contains("the words")
    };
    assert!(is_there());
    let reader = Connection::open(folder.path().join(FILE)).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let _: i64 = reader.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0)).unwrap();
    change(OutboxChange::Accept { id: 1, name: "m1".to_owned(), expires_at: 9 }).await;
    assert!(!store.wipe().await.unwrap(), "somebody reads, and is not waited for");
    reader.execute_batch("COMMIT").unwrap();
    assert!(store.wipe().await.unwrap() && !is_there());
    let left = store.parcels().await.unwrap();
    assert_eq!((left[0].text.expose().as_str(), &left[0].state), ("", &ParcelState::Accepted("m1".to_owned())));
    change(OutboxChange::Remove { id: 1 }).await;
    assert!(store.parcels().await.unwrap().is_empty());
    drop(store);
    thread.join().unwrap();
}

#[test]
fn m16_each_start_on_a_store_has_a_number_of_its_own() {
    let place = tempfile::tempdir().unwrap();
    let start = || {
        let mut store = Store::open(place.path(), &place.path().join("key")).unwrap();
        runs::begin(&mut store.connection).unwrap()
    };
    assert_eq!([start(), start(), start()], [1, 2, 3]);
}

#[test]
fn m5_a_seat_is_taken_up_once_in_its_own_meeting_until_the_run_after_the_next() {
    let place = Place::new();
    let store = place.open();
    let number = |run, count| Ids::first_of_run(run) + count;
    for (seat, meeting) in [(number(1, 1), "demo"), (number(1, 2), "demo"), (number(2, 1), "board")] {
        seats::put(&store.connection, seat, meeting).unwrap();
    }
    let take = |seat, meeting| seats::take(&store.connection, seat, meeting).unwrap();
    assert!(!take(number(1, 1), "board") && take(number(1, 1), "demo") && !take(number(1, 1), "demo"));
    seats::remove(&store.connection, number(1, 2)).unwrap();
    assert!(!take(number(1, 2), "demo"));
    seats::sweep(&store.connection, Ids::first_of_run(2)).unwrap();
    assert!(take(number(2, 1), "board"));
    seats::put(&store.connection, number(2, 2), "board").unwrap();
    seats::sweep(&store.connection, Ids::first_of_run(3)).unwrap();
    assert!(!take(number(2, 2), "board"));
}
