//! The server as its clients meet it: real sockets on 127.0.0.1, and meetings that write down what they are asked.

use std::path::Path;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use std::time::SystemTime;

use super::*;
use crate::common::ids::{CallId, MeetingName, ParticipantId};
use crate::common::redact::Redacted;
use crate::meeting::messages::{Capture, Role};
use crate::meeting::{MeetingRequest, RecordedRequest};
use crate::store;
use session::{LINK_VALID, LinkRole, NewLink};
use test_doubles::admin;

const TOKEN: &str = "the-operator's-own-token";

struct World {
    addr: SocketAddr,
    sessions: Sessions,
    seen: mpsc::Receiver<RecordedRequest>,
    ready: watch::Sender<bool>,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<()>,
    socket: PathBuf,
    _scratch: Scratch,
}

/// A folder that is removed with this.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
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

fn web() -> WebSettings {
    WebSettings {
        organisation: "Example Ltd".into(),
        ice_servers: vec![IceServer {
            urls: vec!["turn:turn.example".into()],
            secret: IceSecret::Fixed { username: "u".into(), credential: Redacted::new("secret".into()) },
        }],
        ..WebSettings::default()
    }
}

/// A state directory with its store, and the sessions in it.
async fn place() -> (tempfile::TempDir, Sessions) {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = store::open(folder.path(), &folder.path().join("keys")).expect("a store");
    let sessions = Sessions::open(folder.path(), store, SystemTime::now()).await.expect("sessions");
    (folder, sessions)
}

async fn settings() -> HttpSettings {
    let (folder, sessions) = place().await;
    let socket = folder.path().join(SOCKET_FILE);
    // The world that is made of this removes it.
    let _ = folder.keep();
    let none: Query = Arc::new(|_| Box::pin(async { Ok(Vec::new()) }));
    HttpSettings {
        address: "127.0.0.1:0".parse().expect("an address"),
        socket,
        tls: None,
        web: watch::channel(Arc::new(web())).1,
        media_candidates: vec!["192.0.2.1:8189".parse().expect("an address")],
        transcription: false,
        sms: true,
        sessions,
        resume_key: ResumeKey::new([5; 32]),
        api_token: ApiToken::new(TOKEN),
        lockout: SharedLockout::default(),
        ready: watch::channel(true).1,
        events: Events::default(),
        admin: admin(),
        devices: none.clone(),
        chats: Arc::clone(&none),
        subscriptions: none,
        outbox: Arc::new(|| Box::pin(async { json!({}) })),
        webhook: Arc::new(|_, _| Box::pin(async { WebhookAnswer::status(StatusCode::FORBIDDEN) })),
        rooms: Arc::new(|| {
            let room = Room { id: "board-room".into(), name: "Board room".into(), reachable: true, in_use: false };
            Box::pin(async move { vec![room] })
        }),
        check_sync: Arc::new(|device| {
            Box::pin(async move { if device == "board-room" { Ok(()) } else { Err(MeetingRefusal::NoSuchDevice) } })
        }),
        invite: Arc::new(|_, device, _| match device.as_str() {
            "board-room" => Ok(CallId::from_number(1)),
            _ => Err(MeetingRefusal::NoSuchDevice),
        }),
        metrics: Arc::new(|| Box::pin(async { "roomgate_ready 1\n# EOF\n".to_owned() })),
        status: Arc::new(|| Box::pin(async { json!({ "state": "ready" }) })),
        lift: Arc::new(|name| Box::pin(async move { name == "room@pbx behind 192.0.2.9" })),
        schemas: Vec::new(),
        recordings: PathBuf::from("/nonexistent"),
        requests_per_second: 1000,
        connections_per_address: 64,
        connections: 128,
    }
}

impl World {
    async fn new() -> Self {
        Self::with(settings().await).await
    }

    /// With meetings that only write down what they are asked.
    async fn with(settings: HttpSettings) -> Self {
        let (seen, seen_by) = mpsc::channel(256);
        let registry = MeetingRegistry::stand_in(&[("demo", "Demo <meeting>"), ("board", "Board"), ("vault", "Vault")], seen);
        Self::on(settings, registry, seen_by).await
    }

    async fn on(mut settings: HttpSettings, registry: MeetingRegistry, seen_by: mpsc::Receiver<RecordedRequest>) -> Self {
        let (ready, is_ready) = watch::channel(true);
        settings.ready = is_ready;
        let (shutdown, stops) = watch::channel(false);
        let socket = settings.socket.clone();
        let sessions = settings.sessions.clone();
        let Bound { addr, task } = start(settings, registry, stops).await.expect("starts");
        Self {
            addr,
            sessions,
            seen: seen_by,
            ready,
            shutdown,
            task,
            _scratch: Scratch(socket.parent().expect("a folder").to_owned()),
            socket,
        }
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

    async fn link(&self, meeting: &str, organiser: bool) -> String {
        self.link_as(meeting, if organiser { LinkRole::Organiser } else { LinkRole::Member }).await
    }

    async fn link_as(&self, meeting: &str, role: LinkRole) -> String {
        let meeting = MeetingName::new(meeting).expect("a name");
        let link = NewLink { meeting, made_at: 0, role, uses: 1, valid: LINK_VALID, maker: None };
        self.sessions.make_link(link, SystemTime::now()).await.expect("a link").1
    }

    /// Goes through the door and brings back the cookie, as `name=value`.
    async fn enter(&self, meeting: &str, organiser: bool) -> String {
        let reply = self.post_link(&self.link(meeting, organiser).await).await;
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

    async fn seen(&mut self) -> RecordedRequest {
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

mod api;
mod calls;
mod created_meetings;
mod crowd;
mod devices;
mod document;
mod events;
mod live;
mod pages;
mod server;
mod signalling;
mod test_doubles;
