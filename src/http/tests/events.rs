//! The event stream (M-17), and who hears what of it.

use super::*;
use crate::telemetry::events::{Draft, EventKind};

/// A stream that is being read.
pub(super) struct Stream {
    tcp: TcpStream,
    read: String,
}

impl Stream {
    /// Opens one; its answer's head is read.
    pub(super) async fn open(world: &World, headers: &[(&str, &str)], query: &str) -> Self {
        let mut tcp = world.tcp().await;
        let mut request = format!("GET /api/v1/events{query} HTTP/1.1\r\nHost: {}\r\n", world.addr);
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        tcp.write_all(format!("{request}\r\n").as_bytes()).await.expect("writes");
        let mut stream = Self { tcp, read: String::new() };
        let head = stream.until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
        stream
    }

    /// What comes up to this text, and with it.
    async fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.read.find(text) {
                let rest = self.read.split_off(at + text.len());
                return std::mem::replace(&mut self.read, rest);
            }
            let mut bytes = [0; 1024];
            let count = self.tcp.read(&mut bytes).await.expect("reads");
            assert!(count > 0, "the stream has ended: {}", self.read);
            self.read += std::str::from_utf8(&bytes[..count]).expect("UTF-8");
        }
    }

    /// Name and data of the next event.
    pub(super) async fn next(&mut self) -> (String, Value) {
        self.until("event: ").await;
        let name = self.until("\n").await.trim().to_owned();
        self.until("data: ").await;
        let data = self.until("\n").await;
        (name, serde_json::from_str(&data).expect("JSON"))
    }

    /// The server ends it.
    pub(super) async fn ends(&mut self) {
        // The last chunk (RFC 9112 section 7.1); the connection may go on.
        self.until("0\r\n\r\n").await;
    }
}

fn in_meeting(what: EventKind, meeting: &str) -> Draft {
    Draft::of(what).meeting(&MeetingName::new(meeting).expect("a name"))
}

/// The operator hears of all and a member of the own meeting.
#[tokio::test]
async fn m17_the_operator_hears_of_all_and_a_member_of_the_own() {
    let setup = Setup::new().await;
    let events = setup.handles.events.clone();
    let world = World::with(setup).await;
    assert_eq!(world.get("/api/v1/events").await.status, 401);
    assert_eq!(world.operator("GET", "/events?after=-1", "").await.status, 400);
    let bearer = format!("Bearer {TOKEN}");
    let cookie = world.enter("demo", false).await;
    let mut operator = Stream::open(&world, &[("Authorization", &bearer)], "").await;
    let mut member = Stream::open(&world, &[("Cookie", &cookie)], "").await;
    events.raise(Draft::of(EventKind::Ringing).call(Some(CallId::from_number(7))));
    events.raise(in_meeting(EventKind::Lobby, "board").participant(ParticipantId::from_number(3)));
    events.raise(in_meeting(EventKind::Recording, "demo").state("on"));
    let (name, ringing) = operator.next().await;
    assert_eq!((name.as_str(), &ringing["type"], &ringing["call"]), ("ringing", &json!("ringing"), &json!("call-7")));
    assert_eq!(ringing["meeting"], Value::Null);
    let (name, lobby) = operator.next().await;
    assert_eq!((name.as_str(), &lobby["meeting"], &lobby["participant"]), ("lobby", &json!("board"), &json!("p3")));
    let (name, recording) = operator.next().await;
    assert_eq!((name.as_str(), &recording["state"]), ("recording", &json!("on")));
    assert_eq!(member.next().await.1, recording, "the first that a member of this meeting hears");

    let id = ringing["id"].to_string();
    let mut again = Stream::open(&world, &[("Authorization", &bearer), ("Last-Event-ID", &id)], "").await;
    assert_eq!(again.next().await.1, lobby, "what it has missed comes first");
    let mut again = Stream::open(&world, &[("Cookie", &cookie)], &format!("?after={id}")).await;
    assert_eq!(again.next().await.1, recording);
    let mut stranger = Stream::open(&world, &[("Authorization", &bearer)], "?after=7").await;
    assert_eq!(stranger.next().await, ("lagged".to_owned(), json!({ "missed": null })));
}

#[tokio::test]
async fn a_member_has_four_streams_and_a_place_is_given_back() {
    let world = World::new().await;
    let cookie = world.enter("demo", false).await;
    let headers = [("Cookie", cookie.as_str())];
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(Stream::open(&world, &headers, "").await);
    }
    let refused = world.fetch("GET", "/api/v1/events", &headers, "").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("10")));
    let another = world.enter("demo", false).await;
    Stream::open(&world, &[("Cookie", &another)], "").await;
    drop(open);
    let mut tcp = world.tcp().await;
    // The server learns of the ends one by one; each try is an event of its own.
    loop {
        let request = format!("GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.expect("writes");
        let mut head = [0; 1024];
        let count = tcp.read(&mut head).await.expect("reads");
        if head[..count].starts_with(b"HTTP/1.1 200") {
            return;
        }
        tcp = world.tcp().await;
    }
}

#[tokio::test]
async fn a_members_stream_ends_with_the_session() {
    let world = World::new().await;
    // Five seconds before its end.
    let entered = SystemTime::now() - session::SESSION_VALID + Duration::from_secs(5);
    let meeting = MeetingName::new("demo").expect("a name");
    let link = NewLink { meeting, made_at: 0, role: LinkRole::Member, uses: 1, valid: LINK_VALID, maker: None };
    let (_, link) = world.sessions.make_link(link, entered).await.expect("a link");
    let (session, cookie) =
        world.sessions.exchange(&link, None, &session::BrowserArrival::default(), entered).await.expect("a session");
    let mut stream = Stream::open(&world, &[("Cookie", &format!("roomgate-demo={cookie}"))], "").await;
    stream.ends().await;
    assert!(session.expires <= SystemTime::now());
}

/// A members stream ends at once with a session that is ended and others go on.
#[tokio::test]
async fn u4_a_members_stream_ends_at_once_with_a_session() {
    let setup = Setup::new().await;
    let events = setup.handles.events.clone();
    let world = World::with(setup).await;
    let (removed, other) = (world.enter("demo", false).await, world.enter("demo", false).await);
    let mut stream = Stream::open(&world, &[("Cookie", &removed)], "").await;
    let mut stays = Stream::open(&world, &[("Cookie", &other)], "").await;
    let listed = world.operator("GET", "/sessions", "").await.json();
    let id = listed["sessions"][1]["id"].as_str().expect("the older of two").to_owned();
    assert_eq!(world.operator("DELETE", &format!("/sessions/{id}"), "").await.status, 204);
    stream.ends().await;
    events.raise(in_meeting(EventKind::Recording, "demo").state("on"));
    assert_eq!(stays.next().await.0, "recording");
}

#[tokio::test]
async fn at_the_stop_streams_end() {
    let world = World::new().await;
    let bearer = format!("Bearer {TOKEN}");
    let mut stream = Stream::open(&world, &[("Authorization", &bearer)], "").await;
    world.shutdown.send_replace(true);
    let mut rest = Vec::new();
    let _ = stream.tcp.read_to_end(&mut rest).await;
    world.task.await.expect("ends");
}
