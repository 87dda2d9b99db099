//! [`World`]: a server on 127.0.0.1 with its clients, and meetings that record what they are asked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::test_administration::TestAdministration;
use crate::common::ids::MeetingName;
use crate::common::redact::Redacted;
use crate::http::session::{LINK_VALID, LinkRole, NewLink};
use crate::http::{ApiToken, Bound, HttpHandles, HttpSettings, IceSecret, IceServer, SOCKET_FILE, Sessions, WebSettings, start};
use crate::meeting::{MeetingRegistry, RecordedRequest};
use crate::menu::SharedLockout;
use crate::service::embedded::signalling::ResumeKey;
use crate::store;
use crate::telemetry::events::Events;

pub(super) const TOKEN: &str = "the-operator's-own-token";

pub(super) struct World {
    pub(super) addr: SocketAddr,
    pub(super) sessions: Sessions,
    pub(super) seen: mpsc::Receiver<RecordedRequest>,
    pub(super) ready: watch::Sender<bool>,
    pub(super) shutdown: watch::Sender<bool>,
    pub(super) task: JoinHandle<()>,
    pub(super) socket: PathBuf,
    _scratch: Scratch,
}

/// A folder that is removed with this.
pub(super) struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

pub(super) type Page = WebSocketStream<TcpStream>;

pub(super) fn web() -> WebSettings {
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
pub(super) async fn state_directory() -> (tempfile::TempDir, Sessions) {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = store::open(folder.path(), &folder.path().join("keys")).expect("a store");
    let sessions = Sessions::open(folder.path(), store, SystemTime::now()).await.expect("sessions");
    (folder, sessions)
}

/// Settings, handles and what they answer, to be changed before a [`World`] is made of them.
pub(super) struct Setup {
    pub(super) settings: HttpSettings,
    pub(super) handles: HttpHandles,
}

impl Setup {
    pub(super) async fn new() -> Self {
        Self::answered_by(TestAdministration::default()).await
    }

    pub(super) async fn answered_by(administration: TestAdministration) -> Self {
        let (folder, sessions) = state_directory().await;
        let socket = folder.path().join(SOCKET_FILE);
        // The world that is made of this removes it.
        let _ = folder.keep();
        let settings = HttpSettings {
            address: "127.0.0.1:0".parse().expect("an address"),
            socket,
            tls: None,
            media_candidates: vec!["192.0.2.1:8189".parse().expect("an address")],
            transcription: false,
            sms: true,
            schemas: Vec::new(),
            recordings: PathBuf::from("/nonexistent"),
            requests_per_second: 1000,
            connections_per_address: 64,
            connections: 128,
        };
        let handles = HttpHandles {
            administration: Arc::new(administration),
            registry: MeetingRegistry::stand_in(&[], mpsc::channel(1).0),
            web: watch::channel(Arc::new(web())).1,
            ready: watch::channel(true).1,
            events: Events::default(),
            lockout: SharedLockout::default(),
            sessions,
            resume_key: ResumeKey::new([5; 32]),
            api_token: ApiToken::new(TOKEN),
        };
        Self { settings, handles }
    }

    /// With recordings in this folder.
    pub(super) async fn with_recordings(folder: &Path) -> Self {
        let mut setup = Self::new().await;
        setup.settings.recordings = folder.to_owned();
        setup
    }
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(Setup::new().await).await
    }

    /// With meetings that only write down what they are asked.
    pub(super) async fn with(setup: Setup) -> Self {
        let (seen, seen_by) = mpsc::channel(256);
        let registry = MeetingRegistry::stand_in(&[("demo", "Demo <meeting>"), ("board", "Board"), ("vault", "Vault")], seen);
        Self::on(setup, registry, seen_by).await
    }

    pub(super) async fn on(setup: Setup, registry: MeetingRegistry, seen_by: mpsc::Receiver<RecordedRequest>) -> Self {
        let Setup { settings, mut handles } = setup;
        handles.registry = registry;
        let (ready, is_ready) = watch::channel(true);
        handles.ready = is_ready;
        let (shutdown, stops) = watch::channel(false);
        let socket = settings.socket.clone();
        let sessions = handles.sessions.clone();
        let Bound { addr, task, .. } = start(settings, handles, stops).await.expect("starts");
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

    pub(super) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.expect("connects")
    }

    pub(super) async fn fetch(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        fetch_on(self.tcp().await, self.addr, method, path, headers, body).await
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.fetch("GET", path, &[], "").await
    }

    pub(super) async fn operator(&self, method: &str, path: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {TOKEN}");
        self.fetch(method, &format!("/api/v1{path}"), &[("Authorization", &bearer)], body).await
    }

    pub(super) async fn link(&self, meeting: &str, organiser: bool) -> String {
        self.link_as(meeting, if organiser { LinkRole::Organiser } else { LinkRole::Member }).await
    }

    pub(super) async fn link_as(&self, meeting: &str, role: LinkRole) -> String {
        let meeting = MeetingName::new(meeting).expect("a name");
        let link = NewLink { meeting, made_at: 0, role, uses: 1, valid: LINK_VALID, maker: None };
        self.sessions.make_link(link, SystemTime::now()).await.expect("a link").1
    }

    /// Goes through the door and brings back the cookie, as `name=value`.
    pub(super) async fn enter(&self, meeting: &str, organiser: bool) -> String {
        let reply = self.post_link(&self.link(meeting, organiser).await).await;
        assert_eq!((reply.status, reply.header("location")), (303, Some(format!("/m/{meeting}").as_str())), "{}", reply.body);
        reply.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned()
    }

    pub(super) async fn post_link(&self, token: &str) -> Reply {
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        self.fetch("POST", "/enter", &form, &format!("token={token}")).await
    }

    pub(super) async fn open(&self, meeting: &str, headers: &[(&'static str, &str)]) -> Result<Page, WsError> {
        let mut request = format!("ws://{}/m/{meeting}/ws", self.addr).into_client_request().expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a value"));
        }
        client_async(request, self.tcp().await).await.map(|(page, _)| page)
    }

    /// A page that has joined, and its welcome.
    pub(super) async fn join(&mut self, meeting: &str, cookie: Option<&str>, hello: Value) -> (Page, Value) {
        let headers: Vec<_> = cookie.map(|cookie| ("Cookie", cookie)).into_iter().collect();
        let mut page = self.open(meeting, &headers).await.expect("opens");
        say(&mut page, &hello).await;
        let welcome = hear(&mut page).await;
        assert_eq!(welcome["type"], "welcome");
        (page, welcome)
    }

    pub(super) async fn seen(&mut self) -> RecordedRequest {
        self.seen.recv().await.expect("the meetings live")
    }
}

pub(super) async fn fetch_on(
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

pub(super) async fn say(page: &mut Page, message: &Value) {
    page.send(Message::text(message.to_string())).await.expect("sends");
}

pub(super) async fn hear(page: &mut Page) -> Value {
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
pub(super) async fn farewell(page: &mut Page) -> (u16, String) {
    loop {
        match page.next().await {
            Some(Ok(Message::Close(Some(frame)))) => return (frame.code.into(), frame.reason.as_str().to_owned()),
            Some(Ok(Message::Close(None))) | None => panic!("closed without a reason"),
            Some(Err(error)) => panic!("{error}"),
            Some(Ok(_)) => {}
        }
    }
}

pub(super) fn hello(name: &str) -> Value {
    json!({ "type": "join", "name": name })
}

pub(super) fn status_of(error: WsError) -> u16 {
    match error {
        WsError::Http(response) => response.status().as_u16(),
        other => panic!("{other}"),
    }
}
