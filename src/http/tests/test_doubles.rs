//! What stands in for calls, records and the configuration.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::SystemTime;

use super::*;
use crate::common::cause::Cause;
use crate::common::redact::MaskedCaller;
use crate::common::units::unix_millis;
use crate::http::admin::{
    BoxedAnswer, CallAdmin, CallDetails, CallMedia, CallView, LadderStep, LedgerAdmin, LedgerReport, MeetingAdmin, NewMeeting,
    NewMeetingError,
};
use crate::store::{
    CallRecord, Deletion, LedgerEntry, LedgerLine, LedgerQuery, LedgerRow, NoticeOutcome, Phone, RecordQuery, RecordRow,
};

/// A call in the meeting `demo`, one at its door, and one to a device that rings.
struct OneCall;

impl CallAdmin for OneCall {
    fn calls(&self) -> Vec<CallView> {
        let inside = CallView {
            call: "call-1".into(),
            device: Some("board-room".into()),
            name: "Board room".into(),
            source: Some("192.0.2.7:5060".into()),
            from: None,
            transport: Some("UDP".into()),
            state: "in".into(),
            meeting: Some("demo".into()),
            participant: Some("p1".into()),
            admitted: true,
            codec: Some("G722".into()),
            seconds: 9,
        };
        let waits = CallView {
            call: "call-3".into(),
            name: "Hall".into(),
            state: "waiting".into(),
            participant: Some("p3".into()),
            admitted: false,
            ..inside.clone()
        };
        let rings = CallView {
            call: "call-5".into(),
            device: Some("kitchen".into()),
            name: "Kitchen".into(),
            state: "calling".into(),
            participant: None,
            admitted: false,
            ..inside.clone()
        };
        vec![inside, waits, rings]
    }

    fn call(&self, call: CallId) -> BoxedAnswer<Option<CallDetails>> {
        let found = self.calls().into_iter().find(|known| known.call == call.to_string());
        let step = LadderStep {
            at_ms: 0,
            inbound: true,
            transport: "UDP".into(),
            summary: "INVITE 1".into(),
            content: "INVITE sip:****@192.0.2.1 SIP/2.0\n".into(),
        };
        let media = CallMedia {
            ptime_ms: Some(20),
            received: 450,
            sent: 450,
            lost: 0,
            refused: 0,
            jitter_ms: 1.5,
            concealed_ms: 0,
            round_trip_ms: None,
            mos: Some(4.25),
        };
        let details = |call| CallDetails { call, media: Some(media), end_reason: None, ladder: Some(vec![step]) };
        Box::pin(async move { found.map(details) })
    }

    fn device_of(&self, call: CallId) -> Option<String> {
        (call == CallId::from_number(1)).then(|| "board-room".to_owned())
    }

    fn hang_up(&self, call: CallId, _: Cause) -> bool {
        [1, 5].map(CallId::from_number).contains(&call)
    }
}

fn row(query: &RecordQuery) -> RecordRow {
    let record = CallRecord {
        call: "call-1".into(),
        phone: Phone::new("a84b4c76e66710@pc33", "192.0.2.7:5060".into(), MaskedCaller::new("+491715550123"), "digest"),
        device: query.device.clone().unwrap_or_else(|| "=cmd|'/c calc'!A1".into()),
        meeting: query.meeting.clone(),
        started_at: 1_795_460_903_123,
        answered_at: Some(1_795_460_903_200),
        lobby_at: None,
        admitted_at: (query.meeting.as_deref() == Some("demo")).then_some(1_795_460_910_000),
        joined_at: None,
        left_at: None,
        codec: Some("PCMU".into()),
        packets: 50,
        lost: -1,
        jitter_ms: Some(1.5),
        mos: Some(4.25),
        notices: 2,
        end_reason: "hung-up".into(),
    };
    RecordRow { id: query.before.unwrap_or(8) - 1, record }
}

/// Remembers when meetings were made.
#[derive(Default)]
pub(super) struct Makes(pub(super) Mutex<HashMap<MeetingName, u64>>);

impl MeetingAdmin for Makes {
    fn create(&self, wanted: NewMeeting) -> BoxedAnswer<Result<u64, NewMeetingError>> {
        let taken = wanted.conference_id.as_deref() == Some("1001");
        let at = unix_millis(SystemTime::now());
        if !taken {
            self.0.lock().expect("nobody panics").insert(wanted.id, at);
        }
        let made = if taken { Err(NewMeetingError::Taken("1001 is taken.".into())) } else { Ok(at) };
        Box::pin(async move { made })
    }

    fn made_at(&self, name: &MeetingName) -> u64 {
        self.0.lock().expect("nobody panics").get(name).copied().unwrap_or_default()
    }

    fn passcode(&self, name: &MeetingName) -> Option<Redacted<String>> {
        (name.as_str() == "vault").then(|| Redacted::new("4321".to_owned()))
    }

    fn remove(&self, name: MeetingName) -> BoxedAnswer<Result<(), NewMeetingError>> {
        let gone = if name.as_str() == "demo" { Err(NewMeetingError::Configured) } else { Ok(()) };
        self.0.lock().expect("nobody panics").remove(&name);
        Box::pin(async move { gone })
    }
}

/// A ledger of one line, which says what was asked for.
struct OneLine;

impl LedgerAdmin for OneLine {
    fn lines(&self, query: LedgerQuery) -> BoxedAnswer<Result<Vec<LedgerRow>, QueryError>> {
        if query.meeting.as_deref() == Some("broken") {
            return Box::pin(async { Err("secret path".into()) });
        }
        let phone = Phone::new("a84b4c76e66710@pc33", "192.0.2.7:5060".into(), MaskedCaller::new("+491715550123"), "digest");
        let line = LedgerLine {
            meeting: query.meeting.unwrap_or_default(),
            call: "call-1".into(),
            participant: "p1".into(),
            device: "board-room".into(),
            phone,
            what: vec![format!("{} {}", query.limit, query.notices)],
            language: "en".into(),
            at: query.from.unwrap_or_default(),
            first_seq: Some(1),
            last_seq: None,
            ssrc: Some(7),
            received_permille: query.to.map(|_| 987),
            outcome: NoticeOutcome::Completed,
        };
        let entry = LedgerEntry::Notice(line);
        Box::pin(async move { Ok(vec![LedgerRow { sequence: query.before.unwrap_or(8) - 1, hash: None, entry }]) })
    }

    fn verify(&self) -> BoxedAnswer<LedgerReport> {
        let report = LedgerReport {
            whole: false,
            verified_at: "2026-11-23T19:08:23.123Z".into(),
            head: self.head(),
            lines: 4,
            breaks_at: Some(5),
            fault: Some("the ledger breaks at line 5".into()),
            waiting: 0,
        };
        Box::pin(async move { report })
    }

    fn head(&self) -> String {
        format!("7:{}", "ab".repeat(32))
    }

    fn deleted(&self, _: Deletion) -> BoxedAnswer<()> {
        Box::pin(async {})
    }
}

pub(super) fn admin() -> AdminHandles {
    let reload = Arc::new(|| -> BoxedAnswer<_> {
        Box::pin(async { Err(vec!["a.toml:1: wrong".to_owned(), "b.toml: wrong".to_owned()]) })
    });
    AdminHandles {
        reload,
        meetings: Arc::new(Makes::default()),
        calls: Arc::new(OneCall),
        ledger: Arc::new(OneLine),
        records: Arc::new(|query| Box::pin(async move { Ok(vec![row(&query)]) })),
    }
}
