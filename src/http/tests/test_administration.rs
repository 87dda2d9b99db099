//! [`TestAdministration`]: fixed answers in the place of the rest of the daemon.

use std::collections::HashMap;
use std::sync::Mutex;

use futures_util::future::BoxFuture;

use super::*;
use crate::common::cause::Cause;
use crate::common::play_outcome::PlayOutcome;
use crate::common::redact::MaskedCaller;
use crate::common::units::unix_millis;
use crate::meeting::By;
use crate::relay::SubscriptionLine;
use crate::relay::driver::OutboxSurvey;
use crate::relay::provider::WebhookCall;
use crate::store::{
    CallRecord, ChatCopyLine, Deletion, LedgerEntry, LedgerLine, LedgerQuery, LedgerRow, Phone, RecordQuery, RecordRow,
};

/// A reload that tells when it begins and waits until it may end.
pub(super) struct HeldReload {
    pub(super) begun: mpsc::Sender<()>,
    pub(super) goes_on: watch::Receiver<bool>,
}

/// A call in the meeting `demo`, one before its door, and one to a device that rings; a ledger of one line, which tells what was asked for;
/// and what a test sets.
pub(super) struct TestAdministration {
    pub(super) devices: Vec<CallableDevice>,
    pub(super) contacts: Vec<Contact>,
    /// The status of a webhook's answer, by the body that was sent.
    pub(super) webhook: fn(&[u8]) -> StatusCode,
    /// The store gives no records.
    pub(super) records_fail: bool,
    pub(super) reload: Option<HeldReload>,
    /// When meetings were made.
    pub(super) created: Mutex<HashMap<MeetingName, u64>>,
}

impl Default for TestAdministration {
    fn default() -> Self {
        let device = CallableDevice { id: "board-room".into(), name: "Board room".into(), reachable: true, in_use: false };
        Self {
            devices: vec![device],
            contacts: Vec::new(),
            webhook: |_| StatusCode::FORBIDDEN,
            records_fail: false,
            reload: None,
            created: Mutex::default(),
        }
    }
}

/// A contact of a device.
pub(super) fn contact(device: &str, uri: &str) -> Contact {
    Contact {
        device: device.to_owned(),
        contact: uri.to_owned(),
        q: 1.0,
        expires_in_s: 60,
        source: "192.0.2.7:5060".parse().expect("an address"),
        transport: "udp".to_owned(),
        user_agent: None,
        instance: None,
        reg_id: None,
        path: Vec::new(),
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
        encryption: Some("AES_CM_128_HMAC_SHA1_80".into()),
        end_reason: "hung-up".into(),
    };
    RecordRow { id: query.before.unwrap_or(8) - 1, record }
}

impl Administration for TestAdministration {
    fn status(&self) -> BoxFuture<'_, Value> {
        Box::pin(async { json!({ "state": "ready" }) })
    }

    fn metrics(&self) -> BoxFuture<'_, String> {
        Box::pin(async { "roomgate_ready 1\n# EOF\n".to_owned() })
    }

    fn reload(&self) -> BoxFuture<'_, Result<Vec<String>, Vec<String>>> {
        Box::pin(async {
            let Some(HeldReload { begun, goes_on }) = &self.reload else {
                return Err(vec!["a.toml:1: wrong".to_owned(), "b.toml: wrong".to_owned()]);
            };
            begun.send(()).await.expect("the test waits");
            goes_on.clone().wait_for(|goes_on| *goes_on).await.expect("the test ends the wait");
            Ok(vec!["meeting.demo".to_owned()])
        })
    }

    fn lift_block<'a>(&'a self, name: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async move { name == "room@pbx behind 192.0.2.9" })
    }

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
            encryption: Some("AES_CM_128_HMAC_SHA1_80".into()),
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

    fn call(&self, call: CallId) -> BoxFuture<'_, Option<CallDetails>> {
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
            unnamed: 0,
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

    fn callable_devices(&self) -> BoxFuture<'_, Vec<CallableDevice>> {
        Box::pin(async { self.devices.clone() })
    }

    fn contacts(&self) -> BoxFuture<'_, Vec<Contact>> {
        Box::pin(async { self.contacts.clone() })
    }

    fn invite(&self, _: MeetingName, device: String, _: By) -> Result<CallId, MeetingRefusal> {
        match device.as_str() {
            "board-room" => Ok(CallId::from_number(1)),
            _ => Err(MeetingRefusal::NoSuchDevice),
        }
    }

    fn check_sync<'a>(&'a self, device: &'a str) -> BoxFuture<'a, Result<(), MeetingRefusal>> {
        Box::pin(async move { if device == "board-room" { Ok(()) } else { Err(MeetingRefusal::NoSuchDevice) } })
    }

    fn create_meeting(&self, wanted: NewMeeting) -> BoxFuture<'_, Result<u64, NewMeetingError>> {
        let taken = wanted.conference_id.as_deref() == Some("1001");
        let at = unix_millis(SystemTime::now());
        if !taken {
            self.created.lock().expect("nobody panics").insert(wanted.id, at);
        }
        let made = if taken { Err(NewMeetingError::Taken("1001 is taken.".into())) } else { Ok(at) };
        Box::pin(async move { made })
    }

    fn meeting_made_at(&self, name: &MeetingName) -> u64 {
        self.created.lock().expect("nobody panics").get(name).copied().unwrap_or_default()
    }

    fn passcode(&self, name: &MeetingName) -> Option<Redacted<String>> {
        (name.as_str() == "vault").then(|| Redacted::new("4321".to_owned()))
    }

    fn remove_meeting(&self, name: MeetingName) -> BoxFuture<'_, Result<(), NewMeetingError>> {
        let gone = if name.as_str() == "demo" { Err(NewMeetingError::Configured) } else { Ok(()) };
        self.created.lock().expect("nobody panics").remove(&name);
        Box::pin(async move { gone })
    }

    fn records(&self, query: RecordQuery) -> BoxFuture<'_, Result<Vec<RecordRow>, QueryError>> {
        Box::pin(async move { if self.records_fail { Err("secret path".into()) } else { Ok(vec![row(&query)]) } })
    }

    fn chat_copies(&self) -> BoxFuture<'_, Result<Vec<ChatCopyLine>, QueryError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn ledger_lines(&self, query: LedgerQuery) -> BoxFuture<'_, Result<Vec<LedgerRow>, QueryError>> {
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
            outcome: PlayOutcome::Completed,
        };
        let entry = LedgerEntry::Notice(line);
        Box::pin(async move { Ok(vec![LedgerRow { sequence: query.before.unwrap_or(8) - 1, hash: None, entry }]) })
    }

    fn verify_ledger(&self) -> BoxFuture<'_, LedgerReport> {
        let report = LedgerReport {
            whole: false,
            verified_at: "2026-11-23T19:08:23.123Z".into(),
            head: self.ledger_head(),
            lines: 4,
            breaks_at: Some(5),
            fault: Some("the ledger breaks at line 5".into()),
            waiting: 0,
        };
        Box::pin(async move { report })
    }

    fn ledger_head(&self) -> String {
        format!("7:{}", "ab".repeat(32))
    }

    fn note_deletion(&self, _: Deletion) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn subscriptions(&self) -> BoxFuture<'_, Vec<SubscriptionLine>> {
        Box::pin(async { Vec::new() })
    }

    fn outbox(&self) -> BoxFuture<'_, OutboxSurvey> {
        Box::pin(async { OutboxSurvey::default() })
    }

    fn webhook<'a>(&'a self, _: &'a str, call: &'a WebhookCall) -> BoxFuture<'a, WebhookAnswer> {
        Box::pin(async { WebhookAnswer::status((self.webhook)(&call.body)) })
    }
}
