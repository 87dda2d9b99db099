//! What the API does to a meeting, seen on the daemon's own: real rules, media and store behind real sockets.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::common::cause::Cause;
use crate::common::ids::Ids;
use crate::common::units::unix_millis;
use crate::media::{Media, MediaSettings};
use crate::meeting::messages::{MutedBy, Standing};
use crate::meeting::page_feed::{self, PageFeedReader};
use crate::meeting::{JoinPage, MeetingHandle, MeetingSettings, MeetingsShared, MuteRegistry, PasscodeProof};
use crate::net::udp::System;
use crate::policy::retention::Retention;
use crate::store;
use crate::telemetry::metrics::Counted;

pub(super) fn meetings() -> BTreeMap<MeetingName, MeetingSettings> {
    let meetings = [("demo", "Demo"), ("board", "Board")];
    meetings.map(|(name, title)| (MeetingName::new(name).expect("a name"), MeetingSettings::titled(title))).into()
}

/// The daemon's own meetings, without sound: nothing of it is asked for here.
pub(super) fn registry(folder: &Path, events: &Events) -> MeetingRegistry {
    let (store, _) = store::open(folder, &folder.join("keys")).expect("a store");
    std::fs::create_dir(folder.join("recordings")).expect("a directory");
    MeetingRegistry::new(meetings(), shared(folder, events, store))
}

fn shared(folder: &Path, events: &Events, store: store::StoreHandle) -> MeetingsShared {
    let media = MediaSettings {
        workers: 1,
        rtp_ports: (20_000, 20_001),
        webrtc_port: 1,
        webrtc_addresses: Vec::new(),
        advertised: None,
        media_timeout: Duration::from_secs(60),
    };
    MeetingsShared {
        ids: Ids::default(),
        media: Media::start(&media, Arc::new(System)).expect("media"),
        store,
        relay: None,
        retention: watch::channel(Retention { keep: Retention::UNLESS_SAID, region: "eu".into() }).1,
        counted: Counted::default(),
        raised: events.clone(),
        recordings: folder.join("recordings"),
        mutes: crate::meeting::MuteRegistry::default(),
        services: std::collections::BTreeMap::new(),
        seats_until: crate::common::machine::now(),
    }
}

/// A run of the daemon in a state directory, which may be another one's afterwards.
struct DaemonRun {
    registry: MeetingRegistry,
    meeting: MeetingHandle,
    store: std::thread::JoinHandle<()>,
}

impl DaemonRun {
    async fn new(folder: &Path) -> Self {
        let (handle, store) = store::open(folder, &folder.join("keys")).expect("a store");
        let mutes = MuteRegistry::new(handle.mutes(unix_millis(SystemTime::now())).await.expect("mutes"));
        let seats_until = crate::common::machine::now() + Duration::from_secs(60);
        let ids = Ids::of_run(handle.run());
        let shared = MeetingsShared { ids, mutes, seats_until, ..shared(folder, &Events::default(), handle) };
        let registry = MeetingRegistry::new(meetings(), shared);
        let meeting = registry.open(&MeetingName::new("demo").expect("a name")).await.expect("it is configured");
        Self { registry, meeting, store }
    }

    /// A page with this key and seat, which lives as long as what is given beside its row.
    async fn join(&self, role: Role, key: Option<&str>, resume: Option<ParticipantId>) -> (ParticipantId, PageFeedReader) {
        let (feed, reader) = page_feed::feed();
        let identity = key.map(|key| format!("guest/{key}"));
        let (organiser, muted, hand, from, proof) = (role == Role::Member, false, false, None, PasscodeProof::Nothing);
        let join = JoinPage { role, organiser, name: "Carol".into(), resume, identity, muted, hand, from, proof, feed };
        (self.meeting.join_page(join).await.expect("it joins"), reader)
    }

    /// State and mute of one, as the operator sees it.
    async fn row(&self, who: ParticipantId) -> (Standing, Option<MutedBy>) {
        let rows = self.meeting.snapshot(None).await.expect("it runs").participants;
        rows.iter().find(|row| row.id == who.to_string()).map(|row| (row.state, row.muted_by)).expect("a row")
    }

    async fn stop(self) {
        self.meeting.close(Cause::Draining).await;
        drop((self.registry, self.meeting));
        self.store.join().expect("it ends");
    }
}

/// A host's mute is there again with the seat after a restart, for who shows another key than before, or none.
#[tokio::test]
async fn k4_a_hosts_mute_comes_back_with_the_seat_after_a_restart() {
    for (before, after) in [(None, None), (Some("c0ffee"), Some("other")), (Some("c0ffee"), None)] {
        let folder = tempfile::tempdir().expect("a directory");
        let run = DaemonRun::new(folder.path()).await;
        let (_host, _page) = run.join(Role::Member, None, None).await;
        let (carol, _feed) = run.join(Role::External, before, None).await;
        for ask in [MeetingRequest::Admit(carol), MeetingRequest::Mute(carol, true)] {
            run.meeting.ask(None, ask).await.expect("done");
        }
        assert_eq!(run.row(carol).await, (Standing::In, Some(MutedBy::Host)));
        run.stop().await;

        let run = DaemonRun::new(folder.path()).await;
        let (again, _feed) = run.join(Role::External, after, Some(carol)).await;
        assert_eq!(run.row(again).await, (Standing::In, Some(MutedBy::Host)), "{before:?}, then {after:?}");
        run.stop().await;
    }
}

/// A member inside, and a guest before the door.
pub(super) struct Demo {
    pub(super) world: World,
    pub(super) registry: MeetingRegistry,
    pub(super) cookie: String,
    pub(super) member: Page,
    pub(super) guest: Page,
    pub(super) guest_id: String,
    _folder: tempfile::TempDir,
}

impl Demo {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let setup = Setup::new().await;
        let registry = registry(folder.path(), &setup.handles.events);
        let mut world = World::on(setup, registry.clone(), mpsc::channel(1).1).await;
        let cookie = world.enter("demo", true).await;
        let (member, _) = world.join("demo", Some(&cookie), hello("Alice")).await;
        let (guest, welcome) = world.join("demo", None, hello("Bob")).await;
        let guest_id = welcome["you"].as_str().expect("an id").to_owned();
        Self { world, registry, cookie, member, guest, guest_id, _folder: folder }
    }

    pub(super) async fn act(&self, act: &str) -> Reply {
        self.world.operator("POST", &format!("/meetings/demo/participants/{}/{act}", self.guest_id), "").await
    }

    async fn put(&self, what: &str, state: &str) -> (u16, Value) {
        let reply = self.world.operator("PUT", &format!("/meetings/demo/{what}"), &format!("{{\"state\":\"{state}\"}}")).await;
        (reply.status, if reply.body.is_empty() { Value::Null } else { reply.json()["code"].clone() })
    }

    async fn chat(&self) -> Value {
        self.world.operator("GET", "/meetings/demo/chat", "").await.json()["chat"].clone()
    }

    /// The guest's row, as the operator is shown it.
    pub(super) async fn row(&self) -> Value {
        let people = self.world.operator("GET", "/meetings/demo/participants", "").await.json();
        let rows = people["participants"].as_array().expect("rows").clone();
        rows.into_iter().find(|row| row["id"] == self.guest_id.as_str()).unwrap_or_default()
    }
}

/// The next message of this type; what else is said is passed over.
pub(super) async fn hear_a(page: &mut Page, kind: &str) -> Value {
    loop {
        let message = hear(page).await;
        if message["type"] == kind {
            return message;
        }
    }
}

/// Texts of the lines of chat that are heard up to the one that ends with a full stop.
async fn read_to_the_stop(page: &mut Page) -> Vec<String> {
    let mut texts = Vec::new();
    while !texts.last().is_some_and(|text: &String| text.ends_with('.')) {
        texts.push(hear_a(page, "chat").await["text"].as_str().expect("a text").to_owned());
    }
    texts
}

/// A meeting that the operator or a member ends is over and the answer says so.
#[tokio::test]
async fn u4_a_meeting_that_the_operator_or_a_member_ends() {
    let mut demo = Demo::new().await;
    assert_eq!(demo.world.operator("POST", "/meetings/demo/end", "").await.status, 204);
    for page in [&mut demo.member, &mut demo.guest] {
        assert_eq!(hear_a(page, "ended").await["reason"], "meeting-ended");
    }
    assert_eq!(demo.world.operator("POST", "/meetings/demo/end", "").await.json()["code"], "not-running");

    let demo = Demo::new().await;
    let own = format!("http://{}", demo.world.addr);
    let headers = [("Cookie", demo.cookie.as_str()), ("Origin", own.as_str())];
    assert_eq!(demo.world.fetch("POST", "/api/v1/meetings/demo/end", &headers, "").await.status, 204);
}

#[tokio::test]
async fn u4_the_operator_writes_in_the_chat_under_a_name_of_its_own() {
    let mut demo = Demo::new().await;
    assert_eq!(demo.act("admit").await.status, 204);
    assert_eq!(demo.world.operator("POST", "/meetings/demo/chat", "{\"text\":\" Doors close at six. \"}").await.status, 204);
    for page in [&mut demo.member, &mut demo.guest] {
        let line = hear_a(page, "chat").await;
        let said = [&line["from"], &line["name"], &line["kind"], &line["text"]];
        assert_eq!(said, [&json!("operator"), &json!("Operator"), &json!("member"), &json!("Doors close at six.")]);
    }
    assert_eq!(demo.chat().await[0]["name"], "Operator");
    assert_eq!(demo.world.operator("POST", "/meetings/demo/chat", "{\"text\":\" \"}").await.json()["code"], "bad-text");
    let nobody = demo.world.operator("POST", "/meetings/board/chat", "{\"text\":\"hello\"}").await;
    assert_eq!(nobody.json()["code"], "not-running");
}

#[tokio::test]
async fn c1_who_joins_late_or_comes_back_gets_each_line_once() {
    let mut demo = Demo::new().await;
    say(&mut demo.member, &json!({ "type": "chat", "text": "one" })).await;
    say(&mut demo.member, &json!({ "type": "chat", "text": "two" })).await;
    assert_eq!(hear_a(&mut demo.member, "chat").await["text"], "one");
    assert_eq!(hear_a(&mut demo.member, "chat").await["text"], "two");
    // A member has its seat at once, a guest when it is let in.
    let (mut late, welcome) = demo.world.join("demo", Some(&demo.cookie), hello("Ada")).await;
    assert_eq!(demo.act("admit").await.status, 204);
    say(&mut demo.member, &json!({ "type": "chat", "text": "three." })).await;
    for page in [&mut late, &mut demo.guest] {
        assert_eq!(read_to_the_stop(page).await, ["one", "two", "three."]);
    }
    drop(late);
    let back = json!({ "type": "join", "name": "Ada", "resume": welcome["resume"] });
    let (mut back, again) = demo.world.join("demo", Some(&demo.cookie), back).await;
    assert_eq!(again["you"], welcome["you"]);
    assert_eq!(read_to_the_stop(&mut back).await, ["one", "two", "three."]);
    assert_eq!(demo.chat().await.as_array().map(Vec::len), Some(3));
}

/// What the operator does with somebody is done when it is answered.
#[tokio::test]
async fn u4_what_the_operator_does_with_somebody_is_done() {
    let demo = Demo::new().await;
    assert_eq!(demo.row().await["state"], "lobby");
    assert_eq!(demo.act("admit").await.status, 204);
    assert_eq!(demo.row().await["state"], "in");
    assert_eq!(demo.act("mute").await.status, 204);
    assert_eq!(demo.row().await["muted"], true);
    assert_eq!(demo.act("unmute").await.status, 204);
    assert_eq!(demo.row().await["muted"], false);
    assert_eq!(demo.act("remove").await.status, 204);
    assert_eq!(demo.row().await, Value::Null);
    assert_eq!(demo.act("remove").await.status, 404);
    assert_eq!(demo.act("tickle").await.status, 404);
}

#[tokio::test]
async fn u4_a_guest_who_is_denied_by_the_operator_is_told_and_gone() {
    let mut demo = Demo::new().await;
    assert_eq!(demo.act("deny").await.status, 204);
    assert_eq!(hear_a(&mut demo.guest, "ended").await["reason"], "denied");
    assert_eq!(demo.row().await, Value::Null);
}

#[tokio::test]
async fn u4_captures_are_as_the_answer_says() {
    let demo = Demo::new().await;
    let state = async || demo.world.operator("GET", "/meetings/demo", "").await.json()["recording"].clone();
    assert_eq!(demo.put("recording", "paused").await, (409, json!("not-recording")), "what is off cannot pause");
    assert_eq!(state().await, "off");
    for wanted in ["on", "paused", "on", "off"] {
        assert_eq!(demo.put("recording", wanted).await, (204, Value::Null), "{wanted}");
        assert_eq!(state().await, wanted);
    }
    assert_eq!(demo.put("transcription", "on").await, (409, json!("not-configured")), "N-11");
}

/// Nobody is admitted while no member is there and the answer says why.
#[tokio::test]
async fn m5_nobody_is_admitted_while_no_member_is_there() {
    let mut demo = Demo::new().await;
    say(&mut demo.member, &json!({ "type": "leave" })).await;
    assert_eq!(hear_a(&mut demo.member, "ended").await["reason"], "left");
    let refused = demo.act("admit").await;
    assert_eq!((refused.status, refused.json()["code"].clone()), (409, json!("no-member")));
    assert_eq!(demo.row().await["state"], "waiting");
}
