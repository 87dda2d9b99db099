//! The server as its clients meet it: real sockets on 127.0.0.1, and meetings that write down what they are asked.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::*;
use crate::ids::{CallId, MeetingName};
use crate::meeting::words::{Capture, Role};
use crate::meeting::{Ask, Seen};

const TOKEN: &str = "the-operator's-own-token";

struct World {
    addr: SocketAddr,
    sessions: Sessions,
    seen: mpsc::Receiver<Seen>,
    ready: watch::Sender<bool>,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

type Page = WebSocketStream<TcpStream>;

fn settings() -> HttpSettings {
    let none: Query = Arc::new(|_| Box::pin(async { Ok(Vec::new()) }));
    HttpSettings {
        address: "127.0.0.1:0".parse().expect("an address"),
        tls: None,
        trusted_proxies: Vec::new(),
        public_url: None,
        organisation: "Example Ltd".into(),
        ice_servers: vec![IceServer {
            urls: vec!["turn:turn.example".into()],
            username: Some("u".into()),
            credential: Some(Redacted::new("secret".into())),
        }],
        media_candidates: vec!["192.0.2.1:8189".parse().expect("an address")],
        transcription: false,
        sessions: Sessions::with_key([9; 32]),
        api_token: ApiToken::new(TOKEN),
        ready: watch::channel(true).1,
        notices: Arc::new(|limit| Box::pin(async move { Ok(vec![json!({ "limit": limit })]) })),
        records: none.clone(),
        devices: none.clone(),
        chats: Arc::clone(&none),
        subscriptions: none,
        outbox: Arc::new(|| Box::pin(async { json!({}) })),
        webhook: Arc::new(|_, _| Box::pin(async { WebhookAnswer::status(StatusCode::FORBIDDEN) })),
        rooms: Arc::new(|| {
            let room = Room { id: "board-room".into(), name: "Board room".into(), reachable: true };
            Box::pin(async move { vec![room] })
        }),
        check_sync: Arc::new(|device| {
            Box::pin(async move { if device == "board-room" { Ok(()) } else { Err(Refusal::NoSuchDevice) } })
        }),
        invite: Arc::new(|_, device| match device.as_str() {
            "board-room" => Ok(CallId::next()),
            _ => Err(Refusal::NoSuchDevice),
        }),
        status: Arc::new(|| Box::pin(async { json!({ "state": "ready" }) })),
        lift: Arc::new(|name| Box::pin(async move { name == "room@pbx behind 192.0.2.9" })),
        connections_per_address: 64,
        connections: 128,
    }
}

impl World {
    async fn new() -> Self {
        Self::with(settings()).await
    }

    async fn with(mut settings: HttpSettings) -> Self {
        let (ready, is_ready) = watch::channel(true);
        settings.ready = is_ready;
        let (shutdown, stops) = watch::channel(false);
        let (seen, seen_by) = mpsc::channel(256);
        let sessions = settings.sessions.clone();
        let registry = Registry::stand_in(&[("demo", "Demo <meeting>"), ("board", "Board")], seen);
        let Bound { addr, task } = start(settings, registry, stops).await.expect("starts");
        Self { addr, sessions, seen: seen_by, ready, shutdown, task }
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.expect("connects")
    }

    async fn fetch(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        fetch_on(self.tcp().await, self.addr, method, path, headers, body).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.fetch("GET", path, &[], "").await
    }

    async fn operator(&self, method: &str, path: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {TOKEN}");
        self.fetch(method, &format!("/api/v1{path}"), &[("Authorization", &bearer)], body).await
    }

    fn link(&self, meeting: &str, organiser: bool) -> String {
        let meeting = MeetingName::new(meeting).expect("a name");
        self.sessions.mint_link(&meeting, organiser, SystemTime::now()).expect("a link")
    }

    /// Goes through the door and brings back the cookie, as `name=value`.
    async fn enter(&self, meeting: &str, organiser: bool) -> String {
        let reply = self.post_link(&self.link(meeting, organiser)).await;
        assert_eq!((reply.status, reply.header("location")), (303, Some(format!("/m/{meeting}").as_str())), "{}", reply.body);
        reply.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned()
    }

    async fn post_link(&self, token: &str) -> Reply {
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        self.fetch("POST", "/enter", &form, &format!("token={token}")).await
    }

    async fn open(&self, meeting: &str, headers: &[(&'static str, &str)]) -> Result<Page, WsError> {
        let mut request = format!("ws://{}/m/{meeting}/ws", self.addr).into_client_request().expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a value"));
        }
        client_async(request, self.tcp().await).await.map(|(page, _)| page)
    }

    /// A page that has joined, and its welcome.
    async fn join(&mut self, meeting: &str, cookie: Option<&str>, hello: Value) -> (Page, Value) {
        let headers: Vec<_> = cookie.map(|cookie| ("Cookie", cookie)).into_iter().collect();
        let mut page = self.open(meeting, &headers).await.expect("opens");
        say(&mut page, &hello).await;
        let welcome = hear(&mut page).await;
        assert_eq!(welcome["type"], "welcome");
        (page, welcome)
    }

    async fn seen(&mut self) -> Seen {
        self.seen.recv().await.expect("the meetings live")
    }
}

async fn fetch_on(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += "\r\n";
    request += body;
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut reply = Vec::new();
    // A server that answers before it has read all may reset what is left.
    let _ = stream.read_to_end(&mut reply).await;
    let reply = String::from_utf8(reply).expect("UTF-8");
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((reply.as_str(), ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

async fn say(page: &mut Page, message: &Value) {
    page.send(Message::text(message.to_string())).await.expect("sends");
}

async fn hear(page: &mut Page) -> Value {
    loop {
        match page.next().await.expect("open").expect("a frame") {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(text.as_str()).expect("JSON");
                if message["type"] != "ping" {
                    return message;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The code and reason with which the server closes; what it says before is passed over.
async fn farewell(page: &mut Page) -> (u16, String) {
    loop {
        match page.next().await {
            Some(Ok(Message::Close(Some(frame)))) => return (frame.code.into(), frame.reason.as_str().to_owned()),
            Some(Ok(Message::Close(None))) | None => panic!("closed without a reason"),
            Some(Err(error)) => panic!("{error}"),
            Some(Ok(_)) => {}
        }
    }
}

fn hello(name: &str) -> Value {
    json!({ "type": "join", "name": name })
}

fn status_of(error: WsError) -> u16 {
    match error {
        WsError::Http(response) => response.status().as_u16(),
        other => panic!("{other}"),
    }
}

// === Pages ===

#[tokio::test]
async fn pages_and_their_files_are_served_hardened_and_cached_by_content() {
    let world = World::new().await;
    let page = world.get("/m/demo").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert!(page.header("permissions-policy").is_some_and(|policy| policy.contains("microphone=(self)")));
    let tag = page.header("etag").expect("a tag").to_owned();
    let again = world.fetch("GET", "/m/demo", &[("If-None-Match", &tag)], "").await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(world.get("/assets/app.js").await.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert!(world.get("/").await.body.contains(env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn an_unknown_meeting_or_file_is_a_friendly_404() {
    let world = World::new().await;
    for path in
        ["/m/absent", "/m/UPPER", "/m/%2e%2e", "/m/demo/absent", "/assets/absent.js", "/assets/..%2f..%2fetc%2fpasswd", "/absent"]
    {
        let reply = world.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.body.contains("<h1>"), "{path}: {}", reply.body);
    }
    assert_eq!(status_of(world.open("absent", &[]).await.expect_err("refused")), 404);
}

#[tokio::test]
async fn health_and_readiness_are_told_without_a_token() {
    let world = World::new().await;
    assert_eq!((world.get("/healthz").await.status, world.get("/readyz").await.status), (200, 200));
    world.ready.send_replace(false);
    assert_eq!((world.get("/healthz").await.status, world.get("/readyz").await.status), (200, 503));
}

// === Links and sessions (U-1) ===

#[tokio::test]
async fn a_link_is_exchanged_by_a_click_and_only_once() {
    let world = World::new().await;
    let token = world.link("demo", true);
    for _ in 0..3 {
        let door = world.get(&format!("/enter?token={token}")).await;
        assert_eq!(door.status, 200);
        assert!(door.body.contains("data-testid=\"enter\"") && door.body.contains("Demo &lt;meeting&gt;"));
        assert_eq!(door.header("referrer-policy"), Some("same-origin"), "or browsers would send `Origin: null`");
    }
    let entered = world.post_link(&token).await;
    assert_eq!(entered.status, 303);
    let cookie = entered.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("roomgate_session=") && cookie.contains("; HttpOnly; SameSite=Strict; Max-Age=43200"));
    assert!(!cookie.contains("Secure"), "plain HTTP would never send it back");
    assert_eq!(world.post_link(&token).await.status, 410);
    assert_eq!(world.get(&format!("/enter?token={token}")).await.status, 410);
}

#[tokio::test]
async fn a_link_cannot_be_exchanged_from_another_site_or_without_being_ours() {
    let world = World::new().await;
    let token = world.link("demo", false);
    let form = "application/x-www-form-urlencoded";
    let foreign = [("Content-Type", form), ("Origin", "https://evil.example")];
    assert_eq!(world.fetch("POST", "/enter", &foreign, &format!("token={token}")).await.status, 403);
    let own = format!("http://{}", world.addr);
    let forged = world.fetch("POST", "/enter", &[("Content-Type", form), ("Origin", &own)], "token=forged").await;
    assert_eq!(forged.status, 400);
    assert!(forged.header("set-cookie").is_none());
    assert_eq!(world.get("/enter").await.status, 400);
    assert_eq!(world.get("/enter?token=%3Cscript%3E").await.status, 400);
    assert_eq!(
        world.fetch("POST", "/enter", &[("Content-Type", form), ("Origin", &own)], &format!("token={token}")).await.status,
        303
    );
}

#[tokio::test]
async fn the_page_learns_who_it_is_and_a_cookie_of_one_meeting_is_nothing_in_another() {
    let world = World::new().await;
    let cookie = world.enter("demo", true).await;
    let own = world.fetch("GET", "/m/demo/info", &[("Cookie", &format!("x=1; {cookie}"))], "").await;
    assert_eq!(
        own.json(),
        json!({
            "meeting": "demo", "title": "Demo <meeting>", "role": "member", "organiser": true, "organisation": "Example Ltd",
            "ice_servers": [{ "urls": ["turn:turn.example"], "username": "u", "credential": "secret" }],
            "media": { "candidates": ["192.0.2.1:8189"] }, "transcription": false, "suggested_name": "",
        })
    );
    let other = world.fetch("GET", "/m/board/info", &[("Cookie", &cookie)], "").await.json();
    assert_eq!((&other["role"], &other["organiser"]), (&json!("external"), &json!(false)));
    let forged = world.fetch("GET", "/m/demo/info", &[("Cookie", "roomgate_session=AAAA.AAAA")], "").await.json();
    assert_eq!(forged["role"], "external");
    assert_eq!(world.get("/m/absent/info").await.header("content-type"), Some("application/problem+json"));
}

// === Signalling ===

#[tokio::test]
async fn the_role_comes_from_the_cookie_and_never_from_the_page() {
    let mut world = World::new().await;
    let cookie = world.enter("demo", false).await;
    let lie = json!({ "type": "join", "name": "Eve", "role": "member", "organiser": true });
    let (_guest, welcome) = world.join("demo", None, lie.clone()).await;
    assert_eq!((&welcome["role"], &welcome["organiser"]), (&json!("external"), &json!(false)));
    let (_stranger, welcome) = world.join("board", Some(&cookie), lie.clone()).await;
    assert_eq!(welcome["role"], "external", "the cookie is the demo's");
    let (_member, welcome) = world.join("demo", Some(&cookie), lie).await;
    assert_eq!((&welcome["role"], &welcome["organiser"]), (&json!("member"), &json!(false)));
    for role in [Role::External, Role::External, Role::Member] {
        assert!(matches!(world.seen().await, Seen::Join { role: told, organiser: false, .. } if told == role));
    }
}

#[tokio::test]
async fn asks_reach_the_meeting_and_answers_and_refusals_the_page() {
    let mut world = World::new().await;
    let (mut page, welcome) = world.join("demo", None, hello(" Ada\u{202E} \n Lovelace ")).await;
    let Seen::Join { who, name, .. } = world.seen().await else { panic!("a join first") };
    assert_eq!((name.as_str(), &welcome["you"]), ("Ada Lovelace", &json!(who.to_string())));

    say(&mut page, &json!({ "type": "offer", "sdp": "v=0" })).await;
    assert_eq!(hear(&mut page).await, json!({ "type": "answer", "sdp": "answer to v=0" }));
    say(&mut page, &json!({ "type": "hand", "on": true })).await;
    assert_eq!(world.seen().await, Seen::Ask(Some(who), Ask::Hand(true)));
    say(&mut page, &json!({ "type": "admit", "id": "p999999" })).await;
    assert_eq!(hear(&mut page).await["code"], "not-allowed", "M-7: an external may not admit");
    say(&mut page, &json!({ "type": "transcription", "state": "on" })).await;
    assert_eq!(hear(&mut page).await["code"], "not-configured");
    say(&mut page, &json!({ "type": "chat", "text": "hello" })).await;
    let line = hear(&mut page).await;
    assert_eq!((&line["type"], &line["text"]), (&json!("chat"), &json!("hello")));

    say(&mut page, &json!({ "type": "leave" })).await;
    assert_eq!(hear(&mut page).await, json!({ "type": "ended", "reason": "left" }));
    assert_eq!(farewell(&mut page).await.0, 1000);
}

#[tokio::test]
async fn a_lost_connection_is_told_and_its_presence_is_resumed_by_the_signed_token_alone() {
    let mut world = World::new().await;
    let (page, welcome) = world.join("demo", None, hello("Ada")).await;
    let Seen::Join { who, .. } = world.seen().await else { panic!("a join first") };
    drop(page);
    assert_eq!(world.seen().await, Seen::Lost(who));

    let resume = welcome["resume"].as_str().expect("a token").to_owned();
    let back = json!({ "type": "join", "name": "Ada", "resume": resume });
    let (_page, welcome) = world.join("demo", None, back.clone()).await;
    assert_eq!(welcome["you"], json!(who.to_string()));
    assert!(matches!(world.seen().await, Seen::Join { resume: Some(told), .. } if told == who));

    let cookie = world.enter("demo", false).await;
    let (_elsewhere, _) = world.join("board", None, back.clone()).await;
    assert!(matches!(world.seen().await, Seen::Join { resume: None, .. }), "another meeting");
    let (_member, _) = world.join("demo", Some(&cookie), back).await;
    assert!(matches!(world.seen().await, Seen::Join { resume: None, .. }), "another role");
    let (_liar, _) = world.join("demo", None, json!({ "type": "join", "name": "Eve", "resume": format!("{who}.AAAA") })).await;
    assert!(matches!(world.seen().await, Seen::Join { resume: None, .. }), "not signed");
}

#[tokio::test]
async fn a_socket_of_another_site_is_refused_and_one_of_ours_is_not() {
    let world = World::new().await;
    for foreign in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(status_of(world.open("demo", &[("Origin", foreign)]).await.expect_err("refused")), 403, "{foreign}");
    }
    let own = format!("http://{}", world.addr);
    assert!(world.open("demo", &[("Origin", &own)]).await.is_ok());
}

#[tokio::test]
async fn messages_that_make_no_sense_are_refused_and_twenty_end_the_connection() {
    let world = World::new().await;
    let mut page = world.open("demo", &[]).await.expect("opens");
    let hostile = [
        "",
        "nonsense",
        "[]",
        "{}",
        "null",
        "{\"type\":\"fly\"}",
        "{\"type\":\"mute\",\"id\":7,\"on\":1}",
        "{\"type\":\"chat\",\"text\":\"early\"}",
    ];
    for text in hostile.iter().cycle().take(19) {
        page.send(Message::text(*text)).await.expect("sends");
        assert_eq!(hear(&mut page).await["code"], "bad-message", "{text}");
    }
    page.send(Message::text("[".repeat(60_000))).await.expect("sends");
    assert_eq!(farewell(&mut page).await, (1008, "too many messages that make no sense".into()));
}

#[tokio::test]
async fn a_binary_frame_an_oversized_one_and_a_flood_each_end_the_connection_with_a_reason() {
    let world = World::new().await;
    let mut binary = world.open("demo", &[]).await.expect("opens");
    binary.send(Message::binary(vec![0; 10])).await.expect("sends");
    assert_eq!(farewell(&mut binary).await.0, 1003);

    let mut big = world.open("demo", &[]).await.expect("opens");
    big.send(Message::text("x".repeat(70_000))).await.expect("sends");
    assert_eq!(farewell(&mut big).await, (1009, "message too big".into()));

    let mut flood = world.open("demo", &[]).await.expect("opens");
    for _ in 0..2000 {
        if flood.feed(Message::text("{\"type\":\"pong\"}")).await.is_err() {
            break;
        }
    }
    let _ = flood.flush().await;
    assert_eq!(farewell(&mut flood).await, (1008, "too many messages".into()));
}

#[tokio::test]
async fn bytes_that_are_no_websocket_frames_end_that_connection_alone() {
    let mut world = World::new().await;
    let mut state = 0x0123_4567_89AB_CDEF_u64;
    for _ in 0..50 {
        let page = world.open("demo", &[]).await.expect("opens");
        let mut raw = page.into_inner();
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            u8::try_from(state >> 56).expect("eight bits")
        })
        .take(200)
        .collect();
        let _ = raw.write_all(&noise).await;
    }
    let (_page, welcome) = world.join("demo", None, hello("Ada")).await;
    assert_eq!(welcome["role"], "external");
}

#[tokio::test]
async fn at_the_stop_pages_are_told_and_their_meetings_hear_of_it() {
    let mut world = World::new().await;
    let (mut page, _) = world.join("demo", None, hello("Ada")).await;
    let Seen::Join { who, .. } = world.seen().await else { panic!("a join first") };
    world.shutdown.send_replace(true);
    assert_eq!(farewell(&mut page).await.0, 1001);
    assert_eq!(world.seen().await, Seen::Lost(who));
    drop(page);
    world.task.await.expect("ends by itself");
    assert!(TcpStream::connect(world.addr).await.is_err());
}

// === API (U-4) ===

#[tokio::test]
async fn the_api_wants_a_token_and_says_so_as_problem_details() {
    let world = World::new().await;
    let reply = world.get("/api/v1/meetings").await;
    assert_eq!((reply.status, reply.header("content-type")), (401, Some("application/problem+json")));
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    let problem = reply.json();
    assert_eq!(
        (&problem["status"], &problem["type"], &problem["title"]),
        (&json!(401), &json!("about:blank"), &json!("Unauthorized"))
    );
    assert_eq!(world.get("/api/v1/absent").await.status, 401);
    assert_eq!(world.operator("GET", "/absent", "").await.json()["code"], "not-found");
    assert_eq!(world.operator("DELETE", "/meetings", "").await.json()["code"], "method-not-allowed");
}

#[tokio::test]
async fn wrong_tokens_are_counted_per_address_and_then_refused_unseen() {
    let world = World::new().await;
    let wrong = [("Authorization", "Bearer wrong")];
    for _ in 0..10 {
        assert_eq!(world.fetch("GET", "/api/v1/meetings", &wrong, "").await.status, 401);
    }
    let refused = world.fetch("GET", "/api/v1/meetings", &wrong, "").await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(world.operator("GET", "/meetings", "").await.status, 429, "the right one is not looked at either");
}

#[tokio::test]
async fn the_operator_sees_and_steers_every_meeting() {
    let mut world = World::new().await;
    let idle = world.operator("GET", "/meetings", "").await.json();
    let board = json!({ "id": "board", "title": "Board", "running": false });
    assert_eq!(idle["meetings"][0], board);
    assert_eq!(world.operator("GET", "/meetings/demo/participants", "").await.json(), json!({ "participants": [] }));
    assert_eq!(world.operator("PUT", "/meetings/demo/recording", "{\"state\":\"on\"}").await.json()["code"], "not-running");
    assert_eq!(
        world.operator("PUT", "/meetings/demo/transcription", "{\"state\":\"on\"}").await.json()["code"],
        "not-configured"
    );

    assert_eq!(world.operator("DELETE", "/blocks/room@pbx%20behind%20192.0.2.9", "").await.status, 204);
    assert_eq!(world.operator("DELETE", "/blocks/192.0.2.9", "").await.status, 404);

    let (_page, welcome) = world.join("demo", None, hello("Ada")).await;
    let Seen::Join { who, .. } = world.seen().await else { panic!("a join first") };
    let people = world.operator("GET", "/meetings/demo/participants", "").await.json();
    assert_eq!((&people["participants"][0]["id"], &people["participants"][0]["name"]), (&welcome["you"], &json!("Ada")));
    for (act, ask) in [
        ("admit", Ask::Admit(who)),
        ("deny", Ask::Deny(who)),
        ("mute", Ask::Mute(who, true)),
        ("unmute", Ask::Mute(who, false)),
        ("remove", Ask::Remove(who)),
    ] {
        assert_eq!(world.operator("POST", &format!("/meetings/demo/participants/{who}/{act}"), "").await.status, 204);
        assert_eq!(world.seen().await, Seen::Ask(None, ask));
    }
    assert_eq!(world.operator("POST", "/meetings/demo/participants/p999999/admit", "").await.status, 404);
    assert_eq!(world.operator("POST", "/meetings/demo/participants/nobody/admit", "").await.status, 404);
    assert_eq!(world.operator("POST", &format!("/meetings/demo/participants/{who}/tickle"), "").await.status, 404);
    assert_eq!(world.operator("PUT", "/meetings/demo/recording", "{\"state\":\"paused\"}").await.status, 204);
    assert_eq!(world.operator("GET", "/meetings/demo", "").await.json()["recording"], "paused");
    let refused = world.operator("PUT", "/meetings/demo/transcription", "{\"state\":\"on\"}").await;
    assert_eq!((refused.status, refused.json()["code"].clone()), (409, json!("not-configured")), "N-11");
    assert_eq!(world.operator("POST", "/meetings/demo/chat", "{\"text\":\"hi\"}").await.status, 204);
    assert_eq!(world.operator("GET", "/meetings/demo/chat", "").await.json()["chat"][0]["text"], "hi");
    assert_eq!(world.operator("POST", "/meetings/demo/chat", "{\"text\":\"\"}").await.status, 422);
    assert_eq!(world.operator("POST", "/meetings/demo/end", "").await.status, 204);
}

#[tokio::test]
async fn bodies_that_are_not_understood_are_refused_with_the_reason() {
    let world = World::new().await;
    for body in ["", "{", "{\"state\":\"loud\"}", "{\"state\":\"on\",\"more\":1}", "[]"] {
        let reply = world.operator("PUT", "/meetings/demo/recording", body).await;
        assert_eq!((reply.status, reply.json()["code"].clone()), (400, json!("bad-body")), "{body}");
    }
    let huge = "x".repeat(LARGEST_BODY + 1);
    assert_eq!(world.operator("POST", "/meetings/demo/chat", &huge).await.status, 413);
}

#[tokio::test]
async fn a_members_session_sees_its_own_meeting_and_speaks_for_its_own_page() {
    let mut world = World::new().await;
    let cookie = world.enter("demo", false).await;
    let own = format!("http://{}", world.addr);
    let member = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
    let listed = world.fetch("GET", "/api/v1/meetings", &member, "").await.json();
    assert_eq!(listed["meetings"].as_array().map(Vec::len), Some(1));
    assert_eq!(world.fetch("GET", "/api/v1/meetings/board", &member, "").await.status, 404);
    assert_eq!(world.fetch("PUT", "/api/v1/meetings/board/recording", &member, "{\"state\":\"on\"}").await.status, 404);
    for private in ["notices", "records", "status", "devices"] {
        assert_eq!(world.fetch("GET", &format!("/api/v1/{private}"), &member, "").await.status, 403);
    }
    let put = |headers: Vec<(&'static str, String)>| {
        let world = &world;
        async move {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            world.fetch("PUT", "/api/v1/meetings/demo/recording", &headers, "{\"state\":\"on\"}").await
        }
    };
    let with = |origin: Option<&str>| {
        let origin = origin.map(|origin| ("Origin", origin.to_owned()));
        [Some(("Cookie", cookie.clone())), origin].into_iter().flatten().collect::<Vec<_>>()
    };
    assert_eq!(put(with(None)).await.status, 403, "no browser leaves `Origin` away");
    assert_eq!(put(with(Some("https://evil.example"))).await.status, 403);
    assert_eq!(put(with(Some(&own))).await.json()["code"], "not-inside", "its page is not open");

    let invite = "{\"device\":\"board-room\"}";
    let outside = world.fetch("POST", "/api/v1/meetings/demo/invite", &member, invite).await;
    assert_eq!(outside.json()["code"], "not-inside", "S-9: whoever calls a device is there to admit it");

    let (page, _) = world.join("demo", Some(&cookie), hello("Ada")).await;
    let Seen::Join { who, .. } = world.seen().await else { panic!("a join first") };
    let rooms = world.fetch("GET", "/api/v1/meetings/demo/devices", &member, "").await.json();
    assert_eq!(rooms["devices"][0], json!({ "id": "board-room", "name": "Board room", "reachable": true }));
    let called = world.fetch("POST", "/api/v1/meetings/demo/invite", &member, invite).await;
    assert_eq!((called.status, called.json()["call"].as_str().is_some_and(|call| call.starts_with("call-"))), (202, true));
    assert_eq!(world.fetch("POST", "/api/v1/meetings/board/invite", &member, invite).await.status, 404);
    assert_eq!(world.operator("POST", "/devices/board-room/check-sync", "").await.status, 202);
    assert_eq!(world.operator("POST", "/devices/cellar/check-sync", "").await.status, 404);
    let unknown = world.operator("POST", "/meetings/demo/invite", "{\"device\":\"cellar\"}").await;
    assert_eq!((unknown.status, unknown.json()["code"].as_str()), (404, Some("no-such-device")));
    let reply = world.fetch("PUT", "/api/v1/meetings/demo/recording", &member, "{\"state\":\"on\"}").await;
    assert_eq!(reply.status, 204, "{}", reply.body);
    assert_eq!(world.seen().await, Seen::Ask(Some(who), Ask::Recording(Capture::On)));
    drop(page);
    assert_eq!(world.seen().await, Seen::Lost(who));
}

#[tokio::test]
async fn the_ledger_is_read_within_limits_and_a_store_at_fault_is_not_a_secret_spilled() {
    let mut settings = settings();
    settings.records = Arc::new(|_| Box::pin(async { Err("secret path".into()) }));
    let world = World::with(settings).await;
    assert_eq!(world.operator("GET", "/status", "").await.json(), json!({ "state": "ready" }));
    assert_eq!(world.operator("GET", "/notices?limit=7", "").await.json(), json!({ "notices": [{ "limit": 7 }] }));
    assert_eq!(world.operator("GET", "/notices", "").await.json()["notices"][0]["limit"], LINES_BY_DEFAULT);
    for bad in ["0", "1001", "-1", "many"] {
        assert_eq!(world.operator("GET", &format!("/notices?limit={bad}"), "").await.status, 400, "{bad}");
    }
    let fault = world.operator("GET", "/records", "").await;
    assert_eq!(fault.status, 503);
    assert!(!fault.body.contains("secret path"));
}

const LINES_BY_DEFAULT: usize = 100;

// === The server itself (X-1, X-2) ===

#[tokio::test]
async fn one_address_cannot_hold_all_connections() {
    let mut settings = settings();
    settings.connections_per_address = 3;
    let world = World::with(settings).await;
    let held: Vec<Page> = [
        world.open("demo", &[]).await.expect("opens"),
        world.open("demo", &[]).await.expect("opens"),
        world.open("demo", &[]).await.expect("opens"),
    ]
    .into();
    assert_eq!(world.get("/healthz").await.status, 0, "closed without an answer; an upgraded connection still counts");
    drop(held);
    // The server learns of the three ends one by one; each try is an event of its own.
    while world.get("/healthz").await.status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn hostile_requests_get_an_error_or_nothing_and_the_server_lives_on() {
    let world = World::new().await;
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(1000));
    let hostile: [&[u8]; 8] = [
        b"\r\n\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /enter HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        long.as_bytes(),
        many.as_bytes(),
    ];
    for bytes in hostile {
        let mut stream = world.tcp().await;
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || !answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(world.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn behind_a_trusted_proxy_limits_count_its_clients_and_cookies_are_secure() {
    let mut settings = settings();
    settings.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a range")];
    let world = World::with(settings).await;
    let wrong = |client: &'static str| [("Authorization", "Bearer wrong"), ("X-Forwarded-For", client)];
    for _ in 0..10 {
        world.fetch("GET", "/api/v1/meetings", &wrong("198.51.100.1"), "").await;
    }
    assert_eq!(world.fetch("GET", "/api/v1/meetings", &wrong("198.51.100.1"), "").await.status, 429);
    assert_eq!(world.fetch("GET", "/api/v1/meetings", &wrong("198.51.100.2"), "").await.status, 401);
    let form = [("Content-Type", "application/x-www-form-urlencoded"), ("X-Forwarded-Proto", "https")];
    let entered = world.fetch("POST", "/enter", &form, &format!("token={}", world.link("demo", false))).await;
    assert!(entered.header("set-cookie").is_some_and(|cookie| cookie.ends_with("; Secure")));
}

// === TLS (U-2) ===

async fn tls_world() -> (World, tokio_rustls::TlsConnector, std::path::PathBuf) {
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let directory = std::env::temp_dir().join(format!("roomgate-https-{}-{:?}", std::process::id(), std::thread::current().id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let files = TlsFiles { certificate: directory.join("cert.pem"), key: directory.join("key.pem") };
    std::fs::write(&files.certificate, issued.cert.pem()).expect("writes");
    std::fs::write(&files.key, issued.signing_key.serialize_pem()).expect("writes");
    let mut settings = settings();
    settings.tls = Some(files);
    let world = World::with(settings).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(issued.cert.der().clone()).expect("a root");
    let client = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (world, tokio_rustls::TlsConnector::from(Arc::new(client)), directory)
}

#[tokio::test]
async fn https_serves_the_same_with_secure_cookies_while_others_stall_in_the_handshake() {
    let (world, connector, directory) = tls_world().await;
    let mut stalled = Vec::new();
    for _ in 0..20 {
        stalled.push(world.tcp().await);
    }
    let localhost = || "localhost".try_into().expect("a name");
    let stream = connector.connect(localhost(), world.tcp().await).await.expect("a handshake");
    let body = format!("token={}", world.link("demo", true));
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let entered = fetch_on(stream, world.addr, "POST", "/enter", &form, &body).await;
    assert_eq!(entered.status, 303);
    assert!(entered.header("set-cookie").is_some_and(|cookie| cookie.ends_with("; Secure")));

    let stream = connector.connect(localhost(), world.tcp().await).await.expect("a handshake");
    let request = format!("wss://localhost:{}/m/demo/ws", world.addr.port()).into_client_request().expect("a request");
    let (mut page, _) = client_async(request, stream).await.expect("opens");
    page.send(Message::text(hello("Ada").to_string())).await.expect("sends");
    let welcome = page.next().await.expect("open").expect("a frame");
    assert!(welcome.to_text().expect("text").contains("\"welcome\""));
    assert_eq!(world.get("/healthz").await.status, 0, "plain HTTP is not understood here");
    std::fs::remove_dir_all(directory).expect("removes");
}
