use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::Connection;

use super::*;
use crate::common::play_outcome::PlayOutcome;
use crate::common::redact::MaskedCaller;
use crate::store::limits::{FILE, HEAD_FILE};
use crate::store::{
    Broken, BrokenReason, LedgerHead, Phone, SmsPart, SmsState, Verified, VerifyError, records, runs, schema, seats, texted,
    verify,
};

/// A directory of its own for each test: `store` and `key` in it. Removed at its end.
pub(in crate::store) struct Place(pub(in crate::store) PathBuf);

impl Place {
    pub(in crate::store) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("roomgate-store-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    pub(in crate::store) fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    pub(in crate::store) fn keys(&self) -> PathBuf {
        self.0.join("key")
    }

    pub(in crate::store) fn open(&self) -> StoreWriter {
        StoreWriter::open(&self.store(), &self.keys(), Arc::new(LedgerWatch::new(self.store(), self.keys()))).unwrap()
    }

    /// A ledger of `count` lines after the one of its epoch, closed, and its end.
    pub(in crate::store) fn with_lines(count: u64) -> (Self, LedgerHead) {
        let place = Self::new();
        let mut store = place.open();
        put(&mut store, (1..=count).map(line).collect());
        let head = store.chain.head();
        (place, head)
    }

    /// A store as an earlier version has left it.
    pub(in crate::store) fn of_schema(version: usize) -> Self {
        let place = Self::new();
        fs::create_dir_all(place.store()).unwrap();
        schema::make(&Connection::open(place.store().join(FILE)).unwrap(), version);
        place
    }

    pub(in crate::store) fn verify(&self, heads: &[LedgerHead]) -> Result<Verified, (u64, BrokenReason)> {
        match verify(&self.store(), &self.keys(), heads) {
            Ok(verified) => Ok(verified),
            Err(VerifyError::Broken(Broken { at, why })) => Err((at, why)),
            Err(VerifyError::Store(error)) => panic!("{error}"),
        }
    }

    /// Does what somebody with the file in hand could do, who puts the triggers back.
    pub(in crate::store) fn tamper(&self, sql: &str) {
        let connection = Connection::open(self.store().join(FILE)).unwrap();
        let mut select = connection.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").unwrap();
        let rows = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
        let triggers: Vec<(String, String)> = rows.collect::<Result<_, _>>().unwrap();
        drop(select);
        for (name, _) in &triggers {
            connection.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
        }
        connection.execute_batch(sql).unwrap();
        for (_, made) in &triggers {
            connection.execute_batch(made).unwrap();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Writes all of it, and gives the answers that came at once.
pub(in crate::store) fn put(store: &mut StoreWriter, writes: Vec<Write>) -> Vec<Option<Result<u64, StoreError>>> {
    let with_answers = writes.into_iter().map(|write| {
        let (reply, answer) = oneshot::channel();
        ((write, reply), answer)
    });
    let (writes, answers): (Vec<_>, Vec<_>) = with_answers.unzip();
    store.write(writes);
    answers.into_iter().map(|mut answer| answer.try_recv().ok()).collect()
}

fn phone() -> Phone {
    Phone::new("a84b4c76e66710@pc33", "192.0.2.7:5060".to_owned(), MaskedCaller::new("+491715550123"), "digest")
}

pub(in crate::store) fn notice(number: u64) -> LedgerLine {
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
        outcome: PlayOutcome::ALL[usize::try_from(number % 3).unwrap()],
    }
}

pub(in crate::store) fn line(number: u64) -> Write {
    Write::Line(Box::new(LedgerEntry::Notice(notice(number))))
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
        encryption: Some("AEAD_AES_128_GCM".to_owned()),
        end_reason: "hung-up".to_owned(),
    }
}

#[tokio::test]
async fn lines_and_records_come_back_newest_first() {
    let place = Place::new();
    let (handle, thread) = open(&place.store(), &place.keys()).unwrap();
    for number in 1..=5 {
        assert_eq!(handle.append(notice(number)).await.unwrap(), number + 1, "after the epoch's");
        handle.record(record(number)).await.unwrap();
    }
    let all = LedgerQuery { limit: usize::MAX, ..LedgerQuery::default() };
    let page = handle.ledger(LedgerQuery { limit: 2, ..all.clone() }).await.unwrap();
    let expected = [5, 4].map(|number| (number + 1, LedgerEntry::Notice(notice(number))));
    assert_eq!(page.into_iter().map(|row| (row.sequence, row.entry)).collect::<Vec<_>>(), expected);
    let found = async |query| handle.ledger(query).await.unwrap().iter().map(|row| row.sequence).collect::<Vec<_>>();
    assert_eq!(found(LedgerQuery { before: Some(4), ..all.clone() }).await, [3, 2, 1]);
    assert_eq!(found(LedgerQuery { before: Some(4), notices: true, ..all.clone() }).await, [3, 2]);
    let at = |number| Some(notice(number).at);
    assert_eq!(found(LedgerQuery { from: at(2), to: at(4), meeting: Some("board".into()), ..all.clone() }).await, [4, 3]);
    assert_eq!(found(LedgerQuery { meeting: Some("' OR 1".into()), ..all.clone() }).await, [0; 0]);
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
    assert_eq!(handle.ledger(LedgerQuery::default()).await.unwrap(), []);
    drop(handle);
    thread.join().unwrap();
    assert_eq!(place.verify(&[]).unwrap().head.count, 6);
}

#[tokio::test]
async fn many_who_write_at_once_are_all_kept_and_the_chain_holds() {
    let place = Place::new();
    let (handle, thread) = open(&place.store(), &place.keys()).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=1500 {
        let handle = handle.clone();
        tasks.spawn(async move { handle.append(notice(number)).await.unwrap() });
    }
    let mut numbers = tasks.join_all().await;
    numbers.sort_unstable();
    assert_eq!(numbers, (2..=1501).collect::<Vec<_>>());
    drop(handle);
    thread.join().unwrap();
    assert_eq!(place.verify(&[]).unwrap().head.count, 1501);
}

#[tokio::test]
async fn a_store_whose_thread_has_ended_says_so() {
    let (requests, inbox) = mpsc::channel(1);
    drop(inbox);
    let watch = Arc::new(LedgerWatch::new(PathBuf::new(), PathBuf::new()));
    assert!(matches!(StoreHandle { requests, run: 1, watch }.append(notice(1)).await, Err(StoreError::Closed)));
}

#[test]
fn files_are_private() {
    let (place, _) = Place::with_lines(1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.store().join(FILE)), 0o600);
    assert_eq!(mode(&place.keys().join("ledger-epoch.key")), 0o600);
    assert_eq!(mode(&place.keys().join(HEAD_FILE)), 0o600);
    assert_eq!(mode(&place.store()), 0o700);
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
    let refused = open(&place.store(), &place.keys()).err().unwrap();
    assert!(matches!(refused, StoreError::Newer { found, known: newest } if (found, newest) == (later, known)), "{refused}");
    let version: i64 =
        Connection::open(place.store().join(FILE)).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, later);
}

/// What was texted today is counted over restarts and no longer than the day.
#[test]
fn c2_what_was_texted_today_is_counted_over_restarts() {
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
    assert!(matches!(open(&place.store(), &place.keys()), Err(StoreError::Database(_))));
    fs::write(place.0.join("file"), "").unwrap();
    assert!(matches!(open(&place.0.join("file/store"), &place.0), Err(StoreError::Io { .. })));
}

#[test]
fn a_number_that_is_none_is_kept_as_unknown() {
    let place = Place::new();
    let mut store = place.open();
    put(&mut store, vec![Write::Record(Box::new(CallRecord { jitter_ms: Some(f64::NAN), ..record(1) }))]);
    assert_eq!(
        records::list(&store.connection, &RecordQuery { limit: 1, ..RecordQuery::default() }).unwrap()[0].record.jitter_ms,
        None
    );
}

#[tokio::test]
async fn registrations_are_replaced_by_device_and_die_at_their_date() {
    let place = Place::new();
    let registration = |device: &str, uri: &str, dies_at: u64| StoredContact {
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
    let (handle, thread) = open(&place.store(), &place.keys()).unwrap();
    handle.register("a", vec![registration("a", "sip:1", 100), registration("a", "sip:2", 300)]).await.unwrap();
    handle.register("b", vec![registration("b", "sip:3", 200)]).await.unwrap();
    handle.register("b", vec![registration("b", "sip:4", 200)]).await.unwrap();
    drop(handle);
    thread.join().unwrap();
    let (handle, thread) = open(&place.store(), &place.keys()).unwrap();
    assert_eq!(handle.registrations(100).await.unwrap(), [registration("a", "sip:2", 300), registration("b", "sip:4", 200)]);
    handle.register("a", Vec::new()).await.unwrap();
    assert_eq!(handle.registrations(0).await.unwrap(), [registration("b", "sip:4", 200)], "what was dead is gone for good");
    drop(handle);
    thread.join().unwrap();
}

/// A text that is done with leaves the files and a reader of them holds nobody up.
#[tokio::test]
async fn c8_a_text_that_is_done_with_leaves_the_files_and_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let (store, thread) = open(folder.path(), &folder.path().join("keys")).unwrap();
    let sms = StoredSms {
        id: 1,
        reference: "r".to_owned(),
        number: "+491715550123".to_owned(),
        text: crate::common::redact::Redacted::new("the words of a meeting".to_owned()),
        part: Some(SmsPart { ucs2: false, joined: 7, total: 2, part: 1 }),
        state: SmsState::Submitted,
        created_at: 4,
        expires_at: 5,
    };
    let change = |change| async { store.outbox(change).await.await.unwrap().unwrap() };
    change(OutboxChange::Keep(Box::new(sms.clone()))).await;
    assert_eq!(store.messages().await.unwrap(), [sms]);
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
    let left = store.messages().await.unwrap();
    assert_eq!((left[0].text.expose().as_str(), &left[0].state), ("", &SmsState::Accepted("m1".to_owned())));
    change(OutboxChange::Remove { id: 1 }).await;
    assert!(store.messages().await.unwrap().is_empty());
    drop(store);
    thread.join().unwrap();
}

#[test]
fn m16_each_start_on_a_store_has_a_number_of_its_own() {
    let place = Place::new();
    let start = || {
        let mut store = place.open();
        runs::begin(&mut store.connection).unwrap()
    };
    assert_eq!([start(), start(), start()], [1, 2, 3]);
}

/// A seat is taken up once in its own meeting until the run after the next.
#[test]
fn m5_a_seat_is_taken_up_once_in_its_own_meeting_until_the_run() {
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

/// A copy that is replaced or dies leaves the files at once or when its reader has gone.
#[tokio::test]
async fn c8_a_copy_that_is_replaced_or_dies_leaves_the_files_at_once() {
    let place = Place::new();
    let (store, thread) = open(&place.store(), &place.keys()).unwrap();
    let copy = |text: &str, at: u64| ChatCopy {
        device: "board".to_owned(),
        text: crate::common::redact::Redacted::new(text.to_owned()),
        region: "eu".to_owned(),
        at,
        dies_at: at + 5,
    };
    let keep = async |text: &str, at: u64| store.chat(copy(text, at)).await.await.unwrap().unwrap();
    let is_there = |text: &str| {
        let read = |name: &str| fs::read(place.store().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&[read(FILE), read("roomgate.db-wal")].concat()).contains(text)
    };
    keep("what was said first", 1).await;
    assert!(is_there("said first"));
    keep("what was said second", 2).await;
    assert!(is_there("said second") && !is_there("said first"), "replaced");
    assert_eq!(store.sweep_chats(7, 0).await.unwrap(), 1);
    assert!(!is_there("said second"), "dead");
    let reader = Connection::open(place.store().join(FILE)).unwrap();
    keep("what was said third", 8).await;
    reader.execute_batch("BEGIN").unwrap();
    let _: i64 = reader.query_row("SELECT count(*) FROM chats", [], |row| row.get(0)).unwrap();
    keep("what was said fourth", 9).await;
    reader.execute_batch("COMMIT").unwrap();
    store.maintain_ledger(0).await;
    store.barrier().await.await.unwrap().unwrap();
    let _ = store.chats().await.unwrap();
    assert!(is_there("said fourth") && !is_there("said third"), "once nobody reads any more");
    drop(store);
    thread.join().unwrap();
}
